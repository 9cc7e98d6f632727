"""As many jobs at a time as the quota of a container has cores."""

import re

import pytest
import study

# The quota stands in place of that of this machine, which counts as one of eight cores.
SNAKEFILE = """
import sys

import snakemake.utils

sys.path.insert(0, {scripts!r})
from widedeep.runtime import limits

limits.cores = lambda: {quota}
snakemake.utils.available_cpu_count = lambda: 8

include: {included!r}

print("cores:", workflow.cores)
"""


@pytest.mark.parametrize(("asked", "quota", "expected"), [(8, 1, 1), (8, 3, 3), (8, 8, 8), (4, 2, 4), (2, 3, 2)])
def test_all_cores_are_those_of_the_quota_and_a_given_number_stays(asked, quota, expected, tmp_path):
    paths = {"scripts": str(study.ROOT / "scripts"), "included": str(study.ROOT / "Snakefile")}
    (tmp_path / "Snakefile").write_text(SNAKEFILE.format(quota=quota, **paths))
    status, said = study.SERVER.snakemake(tmp_path, ["--cores", str(asked), "-n", "data/digits/dataset.h5"])
    assert status == 0, said
    assert f"cores: {expected}" in re.findall(r"^cores: .*$", said, re.MULTILINE)
