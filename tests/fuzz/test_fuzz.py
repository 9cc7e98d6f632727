"""Thousands of damaged and hostile files: each gives the result of the whole file or one sentence, within bounds.

`make fuzz` runs many cases of each kind, the other tests a sample, always the same one. A case that fails leaves its
number; `pytest tests/fuzz --fuzz-cases N` runs the first N of each kind, `--fuzz-seed SEED` other ones.
Each fault that was found is a small test in tests/formats/test_found_by_fuzzing.py, or beside the tests of its module.

Folders of pictures, texts of configs and arrays are in test_fuzz_images.py, test_fuzz_yaml.py and test_fuzz_arrays.py;
all together are 58 kinds. What ran, and how it ended, is in docs/robustness.md.
"""

import functools
import gzip
import shutil

import children
import compute_cka
import compute_measure
import compute_pairs
import configs
import decide_findings
import download
import dump_activations
import numpy as np
import pandas  # noqa: F401 (before the children are born, for each would import it)
import plot_measures
import plot_residual_blocks
import probe_residual_blocks
import pytest
import resealed
import small
import small_archives
import summarise
import summarise_pairs
import tabulate_provenance
import torch  # noqa: F401
import train
import yaml
from cases import results_of, rng_of
from damage import damaged
from torchvision.datasets import FashionMNIST

from widedeep.formats import predictions
from widedeep.runtime import command, files, provenance
from widedeep.study import checks
from widedeep.study.jobs import jobs_of
from widedeep.training.checkpoint import Checkpoint

TRAINING = ["--depth", "8", "--width", "0.5", "--seed", "1", "--epochs", "2", "--batch-size", "16", "--device", "cpu"]
DUMP = ["--batch-size", "8", "--passes", "1", "--kinds", "add", "bn", "--device", "cpu"]
PROBES = ["--epochs", "1", "--batch-size", "16", "--device", "cpu"]


def run(stage, *words):
    """A stage in this process."""
    try:
        assert not stage.main([str(word) for word in words])
    finally:
        command.release()


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """A folder with all files of a study of two networks, and a checkpoint of the first from the middle."""
    folder = tmp_path_factory.mktemp("study")
    small.write_dataset(folder / "dataset.h5")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(provenance, "_git", lambda *_: None)  # the children may not start it
        saved, save = [], Checkpoint.save

        def save_and_keep(checkpoint, *content):
            save(checkpoint, *content)
            saved.append(checkpoint.path.read_bytes())

        patch.setattr(Checkpoint, "save", save_and_keep)
        for seed in (1, 2):
            out = folder / f"seed{seed}"
            words = ["--data", folder / "dataset.h5", "--out", out, *TRAINING, "--seed", seed]
            run(train, *words, "--checkpoint-minutes", 0)
            parts = ["--out", out / "activations.h5", "--components", out / "pca.h5"]
            parts += ["--predictions", out / "predictions.h5"]
            run(dump_activations, out / "model.safetensors", "--data", folder / "dataset.h5", *DUMP, *parts)
            (out / "checkpoint.kept").write_bytes(saved[len(saved) // 2])
            saved.clear()
        first, data_set = folder / "seed1", ["--data", folder / "dataset.h5"]
        run(
            dump_activations, first / "model.safetensors", *data_set, *DUMP, "--form", "raw", "--out", folder / "raw.h5"
        )
        for seed in (1, 2):
            run(compute_cka, folder / f"seed{seed}/activations.h5", "--out", folder / f"seed{seed}/cka.h5")
        words = ["--measure", "rsa_pearson", "--out", first / "rsa_pearson.h5"]
        run(compute_measure, first / "activations.h5", *words)
        probes = ["--probes", first / "probes.csv", "--deletion", first / "deletion.csv"]
        run(probe_residual_blocks, first / "model.safetensors", *data_set, *PROBES, *probes)
        run(summarise, first, "--out", folder / "summary.csv")
        both = [folder / f"seed{seed}/activations.h5" for seed in (1, 2)]
        run(compute_pairs, "--first", *both, "--out", folder / "pairs.h5")
        parts = ["--cka", *(one.parent / "cka.h5" for one in both)]
        run(summarise_pairs, "--pairs", folder / "pairs.h5", *parts, "--out", folder / "pairs.csv")
        run(plot_residual_blocks, "--cka", first / "cka.h5", *probes, "--out", folder / "blocks.csv")
        yield folder


def cka_of_dump():
    compute_cka.main(["activations.h5", "--out", "out/cka.h5"])


def table_of_measure():
    words = ["--row", "depth_row", "rsa_pearson", "rsa_pearson.h5", "--metrics", "metrics.json"]
    plot_measures.main([*words, "--out", "out/fig1-measures.csv"])


def table_of_pairs():
    words = ["--pairs", "pairs.h5", "--cka", "seed1.cka.h5", "cka.h5", "--out", "out/pairs.csv"]
    summarise_pairs.main(words)


def answers():
    (read,) = predictions.read_all(["predictions.h5"])
    files.write_csv("out/answers.csv", [{"label": read.label, "class": int(one)} for one in read.classes])


def dump_of_network():
    words = ["--out", "out/activations.h5", "--components", "out/pca.h5", "--predictions", "out/predictions.h5"]
    dump_activations.main(["model.safetensors", "--data", "dataset.h5", *DUMP, *words])


def resumed_training():
    status = train.main(["--data", "dataset.h5", "--checkpoint", "checkpoint.pt", "--out", "out", *TRAINING])
    for name in ("provenance.json", "metrics.json"):  # of times
        (children.Path("out") / name).unlink()
    return status


def summary():
    summarise.main([".", "--out", "out/summary.csv"])


def page_of_provenance():
    tabulate_provenance.main([".", "--out", "out/provenance.csv", "out/provenance.html"])


def table_of_blocks():
    words = ["--cka", "cka.h5", "--probes", "probes.csv", "--deletion", "deletion.csv"]
    plot_residual_blocks.main([*words, "--metrics", "metrics.json", "--out", "out/fig4.csv"])


def verdicts():
    decide_findings.main(["summary.csv", "pairs.csv", "--blocks", "blocks.csv", "--out", "out/findings.csv"])


# A main program, the file of the study that is damaged, its name there, and those that stay whole.
STAGES = {
    "dump": (cka_of_dump, "activations.h5", "seed1/activations.h5", {}),
    "pairs": (table_of_pairs, "pairs.h5", "pairs.h5", {"seed1.cka.h5": "seed1/cka.h5", "cka.h5": "seed2/cka.h5"}),
    "own CKA": (table_of_pairs, "cka.h5", "seed2/cka.h5", {"pairs.h5": "pairs.h5", "seed1.cka.h5": "seed1/cka.h5"}),
    "predictions": (answers, "predictions.h5", "seed1/predictions.h5", {}),
    "weights": (dump_of_network, "model.safetensors", "seed1/model.safetensors", {"dataset.h5": "dataset.h5"}),
    "data set": (dump_of_network, "dataset.h5", "dataset.h5", {"model.safetensors": "seed1/model.safetensors"}),
    "checkpoint": (resumed_training, "checkpoint.pt", "seed1/checkpoint.kept", {"dataset.h5": "dataset.h5"}),
}


NETWORK = {name: f"seed1/{name}" for name in ("cka.h5", "pca.h5", "metrics.json")}
BLOCKS = {**NETWORK, "probes.csv": "seed1/probes.csv", "deletion.csv": "seed1/deletion.csv"}
PROVENANCE = {name: f"seed1/{name}" for name in ("provenance.json", "metrics.json")}
STUDY = {"summary.csv": "summary.csv", "pairs.csv": "pairs.csv", "blocks.csv": "blocks.csv"}
# The same, and what else a file may hold whose checksum is right, or that has none.
CONTENTS = {
    **{
        kind: (*stage, resealed.hdf5)
        for kind, stage in {
            **STAGES,
            "cka": (summary, "cka.h5", "seed1/cka.h5", NETWORK),
            "measure": (table_of_measure, "rsa_pearson.h5", "seed1/rsa_pearson.h5", NETWORK),
            "raw dump": (cka_of_dump, "activations.h5", "raw.h5", {}),
        }.items()
        if stage[1].endswith(".h5")
    },
    "weights": (*STAGES["weights"], resealed.safetensors_file),
    "checkpoint": (*STAGES["checkpoint"], resealed.checkpoint),
    "metrics": (summary, "metrics.json", "seed1/metrics.json", NETWORK, resealed.json_text),
    "provenance": (page_of_provenance, "provenance.json", "seed1/provenance.json", PROVENANCE, resealed.json_text),
    "probes": (table_of_blocks, "probes.csv", "seed1/probes.csv", BLOCKS, resealed.table),
    "deletion": (table_of_blocks, "deletion.csv", "seed1/deletion.csv", BLOCKS, resealed.table),
    "summary": (verdicts, "summary.csv", "summary.csv", STUDY, resealed.table),
    "table of pairs": (verdicts, "pairs.csv", "pairs.csv", STUDY, resealed.table),
    "table of blocks": (verdicts, "blocks.csv", "blocks.csv", STUDY, resealed.table),
}


@pytest.mark.parametrize("kind", STAGES)
def test_damaged_files_of_a_study(kind, study, tmp_path, fuzz_cases, fuzz_seed, ended):
    main, name, source, beside = STAGES[kind]
    for other, path in beside.items():
        shutil.copy(study / path, tmp_path / other)
    shutil.copy(study / source, tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    right = results_of(children.run(main, tmp_path), tmp_path)
    assert right
    for case in range(fuzz_cases):
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        (tmp_path / name).write_bytes(damaged(whole, rng_of(fuzz_seed, kind, case)))
        outcome = children.run(main, tmp_path)
        found = results_of(outcome, tmp_path)
        assert found in (None, right), f"case {case}: another result"
        assert outcome.status == 0 or f"error: {name}: " in outcome.said, f"case {case}: {outcome.said}"
        ended[outcome.ending] += 1
    if fuzz_cases > 20:  # few may be harmless
        assert ended["sentence"] > fuzz_cases / 2


@pytest.mark.parametrize("kind", CONTENTS)
def test_other_contents_under_a_right_checksum(kind, study, tmp_path, fuzz_cases, fuzz_seed, ended):
    """Another result is right here: the file says something else."""
    main, name, source, beside, mutate = CONTENTS[kind]
    for case in range(-1, fuzz_cases):
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        for other, path in {**beside, name: source}.items():
            shutil.copy(study / path, tmp_path / other)
        if case < 0:
            assert results_of(children.run(main, tmp_path), tmp_path)
            continue
        mutate(tmp_path / name, rng_of(fuzz_seed, kind, case))
        outcome = children.run(main, tmp_path)
        results_of(outcome, tmp_path, f"case {case}")
        assert "does not fit into the free memory" not in outcome.said, f"case {case}: {outcome.said}"
        ended[outcome.ending] += 1


@pytest.mark.parametrize("kind", [kind for kind, stage in STAGES.items() if kind != "weights"])
def test_any_bytes_under_a_right_checksum(kind, study, tmp_path, fuzz_cases, fuzz_seed, monkeypatch, ended):
    """Against intent a seal is no help: HDF5's library may crash or hang, which is counted; no case is a traceback."""
    monkeypatch.setattr(children, "SECONDS", 10)
    main, name, source, beside = STAGES[kind]
    for case in range(fuzz_cases):
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        for other, path in {**beside, name: source}.items():
            shutil.copy(study / path, tmp_path / other)
        resealed.bytes_of(tmp_path / name, rng_of(fuzz_seed, kind, case))
        outcome = children.run(main, tmp_path)
        if outcome.ending != "killed" or not name.endswith(".h5"):
            results_of(outcome, tmp_path, f"case {case}")
        ended[outcome.ending] += 1


@pytest.fixture
def archives(monkeypatch, tmp_path):
    """A folder with both archives, which are believed to be the official ones."""
    train_split, test_split = small_archives.cifar_like()
    archive, sums = small_archives.cifar_archive(train_split, test_split)
    small_archives.believe(monkeypatch, archive, sums)
    small_archives.expect(monkeypatch, "cifar10", train_split, test_split)
    (tmp_path / "cifar.tar.gz").write_bytes(archive)
    splits = [small.split(n, n, 1, 28, 10) for n in (60, 20)]
    small_archives.expect(monkeypatch, "fashion-mnist", *splits)
    for name, content in small_archives.idx_files(*splits).items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


IMAGES = FashionMNIST.resources[0][0]
ARCHIVES = {
    "cifar.tar.gz": ["--dataset", "cifar10", "--archive", "cifar.tar.gz"],
    IMAGES: ["--dataset", "fashion-mnist", "--archive", "."],
    FashionMNIST.resources[3][0]: ["--dataset", "fashion-mnist", "--archive", "."],
}


@pytest.mark.parametrize("unpacked", [False, True], ids=["packed", "before packing"])
@pytest.mark.parametrize("name", ARCHIVES)
def test_damaged_archives(name, unpacked, archives, fuzz_cases, fuzz_seed, ended):
    """Before packing: what gzip's own checksum does not see."""

    def main():
        download.main([*ARCHIVES[name], "--out", "out/dataset.h5"])

    whole = (archives / name).read_bytes()
    right = results_of(children.run(main, archives), archives)
    assert right
    for case in range(fuzz_cases):
        shutil.rmtree(archives / "out", ignore_errors=True)
        rng = rng_of(fuzz_seed, name, unpacked, case)
        content = gzip.compress(damaged(gzip.decompress(whole), rng), 1) if unpacked else damaged(whole, rng)
        (archives / name).write_bytes(content)
        outcome = children.run(main, archives)
        assert results_of(outcome, archives) in (None, right), f"case {case}: another result"
        ended[outcome.ending] += 1


def checked_config():
    """What the workflow does with a config before the first job, and what progress.py and verify.py do."""
    study = checks.read("config.yaml")
    jobs = len(jobs_of(study))
    children.Path("out").mkdir()
    children.Path("out/config.yaml").write_text(yaml.safe_dump({"config": study.dump(), "jobs": jobs}))


def read_again(folder):
    """A config that was taken is complete: it stays as it is when it is checked once more."""
    written = yaml.safe_load((folder / "out/config.yaml").read_text())["config"]
    assert checks.checked(written).dump() == written


@pytest.mark.parametrize("mutate", [configs.mutated, configs.as_bytes], ids=["values", "bytes"])
def test_mutated_configs(mutate, tmp_path, fuzz_cases, fuzz_seed, ended):
    for case in range(fuzz_cases):
        shutil.rmtree(tmp_path / "out", ignore_errors=True)
        (tmp_path / "config.yaml").write_bytes(mutate(rng_of(fuzz_seed, case)))
        outcome = children.run(checked_config, tmp_path)
        assert outcome.is_right, f"case {case}: {outcome}"
        if outcome.status == 0:
            read_again(tmp_path)
        else:
            assert outcome.said.startswith("error: config.yaml: "), f"case {case}: {outcome}"
        ended[outcome.ending] += 1
    if fuzz_cases > 20:  # few may be all of one sort
        assert ended["result"]
        assert ended["sentence"]


@pytest.mark.parametrize("name", configs.HOSTILE)
def test_hostile_configs(name, tmp_path):
    (tmp_path / "config.yaml").write_bytes(configs.HOSTILE[name])
    outcome = children.run(checked_config, tmp_path)
    assert outcome.is_right, outcome
    assert outcome.status == 1, outcome
    assert len(outcome.said) < 1000


# The harness itself: a child that does what no stage may is noticed.


def crash():
    import ctypes

    ctypes.string_at(0)


def hang():
    while True:
        pass


@pytest.mark.parametrize(
    ("main", "words"),
    [
        (lambda: 1 / 0, "ZeroDivisionError"),
        (lambda: children.Path("../outside").write_text(""), "not allowed: open"),
        (lambda: children.os.mkdir("/tmp/outside-of-a-study"), "not allowed: os.mkdir"),
        (lambda: children.os.system("true"), "not allowed: os.system"),
        (functools.partial(np.ones, 1 << 30), "MemoryError"),
        (crash, ""),
        (hang, ""),
    ],
)
def test_what_no_stage_may_do_is_noticed(main, words, tmp_path, monkeypatch):
    monkeypatch.setattr(children, "SECONDS", 1)
    outcome = children.run(main, tmp_path)
    assert not outcome.is_right
    assert words in outcome.said
