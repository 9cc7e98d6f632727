"""The tiny study on a disk that is full, and on one that cannot be written to: a sentence each, and nothing lost."""

import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from test_interruptions import differences

from widedeep.runtime import files

FULL = "cannot be written: the disk is full; make room and run again."
# Files of three jobs that need nothing of each other, all above 100 KB.
TRAINED = "models/digits-resnet8-w2-f100/seed1/model.safetensors"
DUMPED = "models/digits-resnet8-w2-f100/seed2/activations.h5"
DRAWN = "figures/fig3.png"


def mount(place, kilobytes):
    """Move what a folder holds to a small file system in its place."""
    beside = place.with_name(f"{place.name}.moved")
    place.rename(beside)
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200m", "tmpfs", place], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted: {mounted.stderr.strip()}")
    shutil.copytree(beside, place, copy_function=shutil.copy2, dirs_exist_ok=True)
    shutil.rmtree(beside)
    leave_room(place, kilobytes)


def leave_room(place, kilobytes):
    used = shutil.disk_usage(place).used // 1024
    subprocess.run(["mount", "-o", f"remount,size={used + kilobytes}k", place], check=True)


def make_room(place):
    subprocess.run(["mount", "-o", "remount,size=200m", place], check=True)


@pytest.fixture
def mounted():
    """`mount`, undone in the end."""
    places = []

    def mount_it(place, kilobytes):
        places.append(place)
        mount(place, kilobytes)

    yield mount_it
    for place in places:
        subprocess.run(["umount", place], check=True)


def remove(results, *names):
    for name in names:
        (results / name).unlink()


def fails_in_sentences(made, *options):
    """Run the study; what it said when it failed, which no traceback is part of."""
    result = made.run_study("--cores", "1", *options, check=False)
    assert result.returncode == 1, result.stdout
    logs = {path: path.read_text() for path in made.results.glob("logs/**/*.log") if path.name != "snakemake.log"}
    assert [path for path, said in {"stderr": result.stderr, **logs}.items() if "Traceback" in said] == []
    assert not list(made.folder.rglob(".*.unfinished*"))
    return result.stderr


@pytest.mark.whole
def test_a_full_disk_stops_trainings_dumps_and_figures_and_costs_nothing_else(copied, finished, mounted):
    mounted(copied.results, 0)
    # A dump is made again where what is made of it is missing.
    remove(copied.results, TRAINED, DUMPED, DUMPED.replace("activations", "cka"), DRAWN)
    leave_room(copied.results, 40)
    said = fails_in_sentences(copied)
    for path, log in (
        (TRAINED, "digits-resnet8-w2-f100/seed1/train.errors.log"),
        (DUMPED, "digits-resnet8-w2-f100/seed2/dump_activations.log"),
        (DRAWN, "figures/fig3.log"),
    ):
        # Of a job with several files it may be another one.
        sentence = rf"error: results/tiny/{Path(path).parent}/[^/]+: {re.escape(FULL)}\n"
        assert re.search(sentence, said)
        assert re.fullmatch(sentence, (copied.results / "logs" / log).read_text())
        assert not (copied.results / path).exists()
    assert "run the same command to go on" in said
    make_room(copied.results)
    copied.run_study()
    assert differences(copied, finished) == []


def test_no_room_at_all_not_even_for_a_log(copied, finished, mounted):
    mounted(copied.results, 0)
    remove(copied.results, DRAWN)
    (copied.results / "ballast").write_bytes(bytes(shutil.disk_usage(copied.results).free))
    said = fails_in_sentences(copied)
    assert FULL in said
    (copied.results / "ballast").unlink()
    make_room(copied.results)
    copied.run_study()
    assert differences(copied, finished) == []


@pytest.mark.parametrize("kilobytes", [0, 16])
def test_snakemake_itself_has_no_room(copied, finished, mounted, kilobytes):
    """For its lock and its notes of what ran, which lie beside the results."""
    remove(copied.results, "figures/B.pdf")
    mounted(copied.folder / ".snakemake", kilobytes)
    said = fails_in_sentences(copied)
    assert f"error: {copied.folder}/.snakemake: {FULL}" in said
    make_room(copied.folder / ".snakemake")
    copied.run_study()
    assert differences(copied, finished) == []
    assert copied.jobs_of_dry_run() == {}


def start_training(made, *options):
    words = [sys.executable, "scripts/train.py", "--data", "data/digits/dataset.h5", "--depth", "8", "--seed", "1"]
    words += ["--epochs", "3", "--out", "results/one", *options]
    return subprocess.Popen(words, cwd=made.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.whole
def test_a_checkpoint_that_finds_no_room_leaves_the_one_before(copied, mounted):
    one = copied.folder / "results/one"
    names = ("model.safetensors", "history.csv", "metrics.json")
    start_training(copied).communicate()
    undisturbed = {name: files.checksum(one / name) for name in names}
    shutil.rmtree(one)
    copied.hold_trainings()
    one.mkdir()
    mounted(one, 4000)
    with start_training(copied, "--checkpoint-minutes", "0") as training:
        copied.wait_until_training_is_held()
        training.send_signal(signal.SIGTERM)
    copied.release_trainings()
    before = files.checksum(one / "checkpoint.pt")
    leave_room(one, 50)
    with start_training(copied, "--checkpoint-minutes", "0") as training:
        _, said = training.communicate()
    assert training.returncode == 1
    assert said == f"error: results/one/checkpoint.pt: {FULL}\n"
    assert files.checksum(one / "checkpoint.pt") == before
    make_room(one)
    start_training(copied).communicate()
    assert {name: files.checksum(one / name) for name in names} == undisturbed
    assert len(list(one.iterdir())) == len([*names, "provenance.json"])


def test_a_read_only_disk_is_one_sentence(copied, mounted):
    mounted(copied.results, 1000)
    remove(copied.results, DRAWN)
    subprocess.run(["mount", "-o", "remount,ro", copied.results], check=True)
    result = copied.run_study(check=False)
    assert result.returncode == 1
    assert result.stderr == (
        "error: results/tiny/logs/snakemake.log: cannot be written: "
        "the file system is read-only; choose another place.\n"
    )
    made = copied._run("scripts/plot_components.py", *components(copied), "--out", f"results/tiny/{DRAWN}", check=False)
    assert made.returncode == 1
    assert made.stderr == (
        f"error: results/tiny/{DRAWN}: cannot be written: the file system is read-only; choose another place.\n"
    )


def components(made):
    folder = made.results / "models/digits-resnet8-w1-f100/seed1"
    return ["--cka", folder / "cka.h5", "--components", folder / "pca.h5"]


def test_a_folder_that_is_removed_under_a_training_is_made_again(copied):
    with start_training(copied) as training:
        one = copied.folder / "results/one"
        while not (one / ".model.safetensors.lock").exists():
            time.sleep(0.05)
        shutil.rmtree(one)
        _, said = training.communicate()
    assert training.returncode == 0, said
    assert (one / "model.safetensors").exists()
