"""The minutes that trainings request of a cluster, by how a profile or the command line give them a GPU."""

import re

import pytest
import study
import yaml

# 20 epochs of CIFAR-10: half a day of a core, some minutes of a GPU.
CONFIG = {
    "study": "s",
    "dataset": {"name": "cifar10"},
    "grid": [{"depths": [38], "widths": [4], "seeds": [1]}],
    "training": {"epochs": 20},
    "dumps": {},
    "figures": {},
}
SNAKEFILE = """
from snakemake.iocontainers import Wildcards

include: {included!r}

network = Wildcards(fromdict={{"model": "cifar10-resnet38-w4-f100", "seed": "1"}})
print("minutes:", minutes("train")(network, attempt=1))
"""


@pytest.mark.parametrize(
    ("options", "on_gpu"),
    [
        ([], False),
        (["--set-resources", "train:gpu=1"], True),
        (["--set-resources", "train:gpu=0"], False),
        (["--set-resources", "train:gres='gpu:1'"], True),
        (["--set-resources", "dump_activations:gres='gpu:1'"], False),
        (["--default-resources", "gres='gpu:a100:1'"], True),
        (["--default-resources", "gpu=1", "--set-resources", "train:gpu=0"], False),
    ],
)
def test_they_are_those_of_a_gpu_where_one_is_given(options, on_gpu, tmp_path):
    (tmp_path / "s.yaml").write_text(yaml.safe_dump(CONFIG))
    (tmp_path / "Snakefile").write_text(SNAKEFILE.format(included=str(study.ROOT / "Snakefile")))
    words = ["--configfile", "s.yaml", "--cores", "1", "-n", "data/cifar10/dataset.h5"]
    status, said = study.SERVER.snakemake(tmp_path, [*words, *options])
    assert status == 0, said
    (minutes,) = map(int, re.findall(r"^minutes: (\d+)$", said, re.MULTILINE))
    assert (minutes < 120) == on_gpu, minutes
