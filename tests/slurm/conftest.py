"""A running cluster, and tiny studies that use it."""

import os
import tempfile

import cluster as slurm
import pytest
import study
import yaml


@pytest.fixture(scope="session")
def cluster():
    reason = slurm.reason_it_cannot_run()
    if reason:
        pytest.skip(reason)
    # Not pytest's own folder, which others may not enter, as munge wants it.
    with tempfile.TemporaryDirectory(prefix="slurm") as folder:
        os.chmod(folder, 0o755)
        made = slurm.Cluster(folder)
        try:
            made.start()
            yield made
        finally:
            made.stop()


@pytest.fixture
def on_cluster(cluster, tmp_path):  # noqa: ARG001 (it must run)
    """A new tiny study, with the Slurm profile changed where a user changes it, and impatient."""
    made = study.Study.new(tmp_path)
    path = made.folder / "workflow/profiles/slurm/config.yaml"
    profile = yaml.safe_load(path.read_text())
    profile |= {"latency-wait": 10, "slurm-init-seconds-before-status-checks": 1, "jobs": 6}
    for resources in profile["set-resources"].values():
        if "slurm_extra" in resources:
            resources["slurm_extra"] = "'--signal=TERM@20'"
    path.write_text(yaml.safe_dump(profile))
    return made
