"""The tiny study on a real Slurm, through the profile that users get."""

import re

PROFILE = "workflow/profiles/slurm"


def test_a_study_runs_to_its_report(cluster, on_cluster):
    before = len(cluster.ended())
    on_cluster.run_study("--profile", PROFILE)
    assert (on_cluster.results / "report.html").exists()
    ended = cluster.ended()[before:]
    assert all("JobState=COMPLETED" in line for line in ended)
    log = (on_cluster.results / "logs/snakemake.log").read_text()
    submitted = re.findall(r"Job \d+ has been submitted with SLURM jobid (\d+)", log)
    assert len(submitted) == len(ended)
    assert on_cluster.jobs_of_dry_run() == {}
