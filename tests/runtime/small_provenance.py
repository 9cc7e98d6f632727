"""Provenance of small trainings, and the table and page that are made of it."""

import json

import pandas as pd
import small
import tabulate_provenance

from widedeep.names import Network
from widedeep.runtime import provenance
from widedeep.training.recipe import settings_of


def attempt_of(commit="a" * 40, started="2030-01-01T00:00:00Z", seconds=1.5, **changes):
    versions = {"python": "3.12", **dict.fromkeys(provenance.PACKAGES, "1.0")}
    facts = {"started": started, "seconds": seconds, "host": "one", "slurm_job": None, "device": "CPU"}
    return {**facts, "commit": commit, "dirty": False, "versions": versions, **changes}


def network(folder, seed, **changes):
    """The provenance of a training and its dump, and metrics, in a folder."""
    name = {"model": "blobs-resnet8-w0.5-f100", "seed": seed}
    settings = settings_of(Network(small.MODEL, seed), small.recipe(), "sum")
    folder.mkdir()
    (folder / "metrics.json").write_text(json.dumps({**name, "test_accuracy": 0.5}))
    attempts = [attempt_of(**changes)]
    provenance.write(folder / "provenance.json", "train", tuple(name.values()), settings, attempts, [])
    provenance.write(folder / "dump_provenance.json", "dump", tuple(name.values()), {}, [attempt_of(seconds=61)], [])
    return str(folder)


def tabulate(tmp_path, *folders):
    tabulate_provenance.main([*folders, "--out", f"{tmp_path}/p.csv", f"{tmp_path}/p.html"])
    return pd.read_csv(tmp_path / "p.csv"), (tmp_path / "p.html").read_text()
