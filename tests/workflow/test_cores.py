"""As many jobs at a time as the limits of a container have cores and memory for."""

import re
import shutil

import pytest
import study

from widedeep.runtime import events

# The limits stand in place of those of this machine, which counts as one of eight cores.
SNAKEFILE = """
import sys

import snakemake.utils

sys.path.insert(0, {scripts!r})
from widedeep.runtime import limits

limits.cores = lambda: {quota}
limits.free_memory = lambda: {free}
snakemake.utils.available_cpu_count = lambda: 8

include: {included!r}

print("cores:", workflow.cores)
print("memory:", workflow.global_resources.get("mem_mb").value)
"""
TRAINED = [f"results/tiny/models/digits-resnet8-w1-f100/seed{seed}/model.safetensors" for seed in (1, 2)]


def with_limits(folder, quota=8, free=None):
    """Write a workflow into a folder, for which the machine has so many cores and bytes of free memory."""
    paths = {"scripts": str(study.ROOT / "scripts"), "included": str(study.ROOT / "Snakefile")}
    (folder / "Snakefile").write_text(SNAKEFILE.format(quota=quota, free=free, **paths))


@pytest.mark.parametrize(("asked", "quota", "expected"), [(8, 1, 1), (8, 3, 3), (8, 8, 8), (4, 2, 4), (2, 3, 2)])
def test_all_cores_are_those_of_the_quota_and_a_given_number_stays(asked, quota, expected, tmp_path):
    with_limits(tmp_path, quota)
    status, said = study.SERVER.snakemake(tmp_path, ["--cores", str(asked), "-n", "data/digits/dataset.h5"])
    assert status == 0, said
    assert f"cores: {expected}" in re.findall(r"^cores: .*$", said, re.MULTILINE)


@pytest.mark.parametrize(
    ("options", "free", "expected"),
    [
        (["--cores", "2"], 3_000_900_000, 3000),
        (["--cores", "2"], 0, 1),  # with 0 each job would count as if it took nothing
        (["--cores", "2"], None, None),
        (["--cores", "2", "--resources", "mem_mb=700"], 3_000_000_000, 700),
        (["--cores", "2", "--resources", "mem=2GB"], 3_000_000_000, 2000),
        # The memory of the login node is not that of the nodes.
        (["--profile", str(study.ROOT / "workflow/profiles/slurm")], 3_000_000_000, None),
    ],
)
def test_jobs_share_the_free_memory_of_one_machine_or_what_the_user_gives(options, free, expected, tmp_path):
    with_limits(tmp_path, free=free)
    status, said = study.SERVER.snakemake(tmp_path, [*options, "-n", "data/digits/dataset.h5"])
    assert status == 0, said
    assert f"memory: {expected}" in re.findall(r"^memory: .*$", said, re.MULTILINE)


def test_every_job_counts_with_its_memory():
    """But for the download, beside which nothing runs."""
    for path in (study.ROOT / "workflow/rules").glob("*.smk"):
        if path.name not in ("common.smk", "data.smk"):
            text = path.read_text()
            assert text.count("mem_mb=memory(") == text.count("shell:"), path


def test_trainings_for_which_there_is_no_memory_together_run_one_after_the_other(tmp_path):
    """Though each is estimated to need more: estimates err upwards."""
    with_limits(tmp_path, free=800_000_000)
    shutil.copy2(study.ROOT / "tests/workflow/tiny.yaml", tmp_path)
    made = study.Study(tmp_path)
    made.snakemake(*TRAINED)
    seen = [event["event"] for event in events.events_in(made.results / "logs/events.jsonl") if "rule" in event]
    assert seen == ["started", "finished"] * 3  # the download, and two trainings
