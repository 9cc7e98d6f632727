"""The ImageNet family end to end: a folder of images, streamed by workers, to the report."""

import re

import pandas as pd
import pytest
import study
import yaml
from test_streaming import write_images


@pytest.mark.whole
def test_a_folder_of_images_is_streamed_to_the_report(tmp_path):
    made = study.Study.new(tmp_path)
    write_images(tmp_path / "images", train=16, test=8)
    models = [{"family": "stagethree", "depth": depth, "width": 0.5} for depth in (35, 38)]
    config = {
        "study": "photos",
        "dataset": {"name": "photos", "folder": "images", "image_size": 32, "stream": True, "workers": 1},
        "grid": [{"family": "stagethree", "depths": [35, 38], "widths": [0.5], "seeds": [1]}],
        "training": {"epochs": 2, "batch_size": 8, "learning_rate": 0.02, "schedule": "step"},
        "dumps": {"batch_size": 8, "passes": 1},
        "probes": {"epochs": 1, "batch_size": 8},
        "figures": {
            "fig1": {
                "family": "stagethree",
                "depth_row": {"depths": [35, 38], "width": 0.5},
                "width_row": {"depth": 35, "widths": [0.5]},
                "seed": 1,
            },
            "fig4": {"models": models[1:], "seed": 1},
        },
    }
    (tmp_path / study.CONFIG).write_text(yaml.safe_dump(config))
    assert "Finished." in made.run_study("--cores", "2").stdout
    summary = pd.read_csv(tmp_path / "results/photos/summary.csv")
    assert summary.layers.tolist() == [124, 134]
    probes = pd.read_csv(tmp_path / "results/photos/models/photos-stagethree38-w0.5-f100/seed1/probes.csv")
    assert probes.layer[0] == "stage1.block1.bn3"
    assert (tmp_path / "results/photos/figures/fig1.png").exists()
    assert made.jobs_of_dry_run() == {}


def test_workers_of_the_config_decode_whatever_the_cores(tmp_path):
    """Four processes of a training, one a GPU, share the eight workers; with --cores 1 there are eight too."""
    made = study.Study.new(tmp_path)
    target = "results/imagenet/models/imagenet-stagethree50-w1-f100/seed1/activations.h5"
    for cores in ("1", "16"):
        options = ["--configfile", "config/imagenet.yaml", "--cores", cores, "-n", "-p", target]
        status, said = study.SERVER.snakemake(made.folder, options)
        assert status == 0, said
        assert re.findall(r"scripts/(train|dump_activations)\.py .* --threads (\d+) --workers (\d+) ", said) == [
            ("train", "1", "8"),
            ("dump_activations", "1", "8"),
        ]
