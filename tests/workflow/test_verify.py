"""What scripts/verify.py finds in a finished study, and what the command that it prints repairs."""

import json
import re
import shlex
import shutil
import subprocess
import sys

import h5py
import no_locks
import pytest
import study

from widedeep.data import loading
from widedeep.formats import dataset, seals
from widedeep.planning import verification
from widedeep.runtime import files
from widedeep.study import checks
from widedeep.study.jobs import STAGES, jobs_of

NETWORK = "models/digits-resnet14-w1-f100/seed1"
OTHER_SEED = "models/digits-resnet14-w1-f100/seed2"
PAIRS = "pairs/digits-resnet8-w1-f100--digits-resnet14-w1-f100"
OF_TRAINING = [f"{NETWORK}/{name}" for name in STAGES["train"].writes.values()]
OF_DUMP = [f"{NETWORK}/{name}" for name in STAGES["dump_activations"].writes.values()]
OF_PROBES = [f"{NETWORK}/{name}" for name in STAGES["probe_residual_blocks"].writes.values()]
OF_NETWORK = [*OF_TRAINING, *OF_DUMP, *OF_PROBES, f"{NETWORK}/cka.h5"]
# Of the networks of figure 1 alone, which are of seed 1.
MEASURED = [f"{NETWORK}/measures/{name}.h5" for name in ("rbf_cka", "procrustes")]
COMPARED = {"cka.h5", "rbf_cka.h5", "procrustes.h5", "seed1.h5", "seed2.h5"}
TABLES = ["summary.csv", "pairs.csv", "pairs_of_configurations.csv", "findings.csv", "provenance.csv"]
DRAWN = ["figures/fig1.csv", "figures/fig1.png", "figures/fig1.pdf", "figures/B.md", "figures/fig6.csv"]
ALL_KINDS = [
    *OF_NETWORK,
    *MEASURED,
    f"{PAIRS}/seed2.h5",
    *DRAWN,
    *TABLES,
    "findings.md",
    "provenance.html",
    "explorer.html",
]
# A file of another form has no room for a checksum.
CHECKSUMMED = [path for path in OF_NETWORK if "provenance" not in path]
CHECKSUMMED += [*MEASURED, f"{PAIRS}/seed2.h5", "figures/fig1.png"]
DATA = "data/digits/dataset.h5"


def verified(copy):
    return verification.verify(copy.results, checks.read(copy.folder / study.CONFIG))


def wrong(copy):
    """The wrong files, relative to the results folder, with what is said of each."""
    return {path.removeprefix("results/tiny/"): sentence for path, sentence in verified(copy).wrong.items()}


def flip_a_byte(path, position=None):
    content = bytearray(path.read_bytes())
    content[len(content) // 2 if position is None else position] ^= 1
    path.write_bytes(content)


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def record_again(path, name):
    """Let the provenance beside a file tell of it as it is now."""
    provenance = path.with_name(name)
    content = json.loads(provenance.read_text())
    content["outputs"][path.name] = files.checksum(path)
    provenance.write_text(json.dumps(content))


def test_a_finished_study_is_well(finished):
    outcome = verified(finished)
    assert (outcome.wrong, outcome.unmade, outcome.unknown) == ({}, {}, 0)
    counts = {"model.safetensors": 6, "activations.h5": 6, "probes.csv": 2, "pairs/*.h5": 4, "dataset.h5": 1}
    counts |= {"measures/*.h5": 4}
    assert {kind: outcome.checked[kind] for kind in counts} == counts
    assert outcome.checked.total() == 126


@pytest.mark.parametrize(
    "config", ["tests/workflow/tiny.yaml", "config/demo.yaml", "config/cifar10-small.yaml", "config/imagenet.yaml"]
)
def test_the_expected_files_are_those_of_the_rules(config):
    summary = subprocess.run(
        [sys.executable, "-m", "snakemake", "--configfile", config, "--summary"], capture_output=True, text=True
    ).stdout
    of_rules = {line.split("\t")[0] for line in summary.splitlines()[1:]}
    assert {path for job in jobs_of(checks.read(config)) for path in job.writes} == of_rules


def test_every_file_that_is_cut_off_or_gone_is_named(copied):
    for path in ALL_KINDS:
        cut(copied.results / path)
    assert wrong(copied).keys() == {*ALL_KINDS}
    for path in ALL_KINDS:
        (copied.results / path).unlink()
    found = wrong(copied)
    assert found.keys() == {*ALL_KINDS}
    assert all("missing" in sentence for sentence in found.values())


def test_every_flipped_byte_of_a_file_with_a_checksum_is_noticed(copied):
    for path in CHECKSUMMED:
        flip_a_byte(copied.results / path)
    assert wrong(copied).keys() == {*CHECKSUMMED}
    flip_a_byte(copied.folder / DATA, -100)
    assert DATA in wrong(copied)


def test_wherever_the_byte_is(copied):
    paths = [copied.results / NETWORK / name for name in ("activations.h5", "model.safetensors")]
    for where in (0, 0.001, 0.3, 0.999999):
        for path in paths:
            flip_a_byte(path, int(where * path.stat().st_size))
        assert wrong(copied).keys() == {f"{NETWORK}/{path.name}" for path in paths}
        for path in paths:
            flip_a_byte(path, int(where * path.stat().st_size))


def test_a_file_of_another_seed_is_named_and_no_other(copied):
    for path in OF_NETWORK:
        kept = (copied.results / path).read_bytes()
        shutil.copy2(copied.results / path.replace("seed1", "seed2"), copied.results / path)
        assert wrong(copied).keys() == {path}
        (copied.results / path).write_bytes(kept)


def test_all_files_of_a_job_of_another_seed_are_noticed(copied):
    """Which fit each other, so only what they are of tells."""
    for path in [*OF_DUMP, f"{NETWORK}/cka.h5"]:
        shutil.copy2(copied.results / path.replace("seed1", "seed2"), copied.results / path)
    found = wrong(copied)
    assert found.keys() == {*OF_DUMP, f"{NETWORK}/cka.h5"}
    assert re.search("seed.*2.*1", found[f"{NETWORK}/dump_provenance.json"])


def test_a_measure_of_another_name_or_network_is_named(copied):
    gaussian, procrustes = (copied.results / path for path in MEASURED)
    shutil.copy2(procrustes, gaussian)
    other = copied.results / MEASURED[1].replace("resnet14", "resnet8")
    shutil.copy2(other, procrustes)
    found = wrong(copied)
    assert found.keys() == {*MEASURED}
    assert "compute_measure.py --measure rbf_cka" in found[MEASURED[0]]
    assert re.search("resnet8.*resnet14", found[MEASURED[1]])


def test_a_pair_in_the_place_of_another_is_named(copied):
    shutil.copy2(copied.results / f"{PAIRS}/seed1.h5", copied.results / f"{PAIRS}/seed2.h5")
    assert "seed1--seed1" in wrong(copied)[f"{PAIRS}/seed2.h5"]


def test_another_schema_version_is_named(copied):
    dumped = [f"{NETWORK}/{name}" for name in ("activations.h5", "pca.h5", "predictions.h5")]
    paths = [*dumped, f"{NETWORK}/cka.h5", f"{PAIRS}/seed1.h5"]
    for path in paths:
        with h5py.File(copied.results / path, "a") as file:
            file.attrs["schema_version"] = 9
        seals.write(copied.results / path)
    for path in dumped:
        record_again(copied.results / path, "dump_provenance.json")
    found = wrong(copied)
    assert found.keys() == {*paths}
    assert all(re.search("schema.version.*9", sentence) for sentence in found.values())


def test_models_and_provenance_have_schema_versions_too(copied):
    model, provenance = (copied.results / OF_TRAINING[index] for index in (0, -1))
    content = model.read_bytes()
    old = b'\\"schema_version\\": 2'
    assert old in content
    model.write_bytes(content.replace(old, old[:-1] + b"9"))
    record_again(model, "provenance.json")
    # The dump and the probes were made from other weights then.
    found = wrong(copied)
    assert found.keys() == {OF_TRAINING[0], OF_DUMP[-1], OF_PROBES[-1]}
    assert re.search("schema.version.*9.*2", found[OF_TRAINING[0]])
    assert "weights" in found[OF_DUMP[-1]]
    provenance.write_text(provenance.read_text().replace('"schema_version": 1', '"schema_version": 9'))
    assert re.search("schema.version.*9.*1", wrong(copied)[OF_TRAINING[-1]])


@pytest.mark.parametrize(
    ("path", "old", "new", "words"),
    [
        ("figures/fig1.csv", r",1\.0+\n", ",inf\n", "'inf'.* cka.* 2"),
        ("figures/B.csv", r"resnet,1\.", "resnet,l.", "fraction.* 2"),
        ("summary.csv", r",seed,", ",sead,", "sead"),
        ("pairs.csv", r",-?\d\.\d{6},", ",much,", "'much'.* contrast_first.* 2"),
        ("summary.csv", r"\n.*\n", "\n", " 1 .*resnet8-w1-f100/seed1"),
        ("provenance.csv", r"resnet8-w2", "resnet8-w4", " 2 .*resnet8-w2-f100/seed1"),
    ],
)
def test_tables_are_read(copied, path, old, new, words):
    place = copied.results / path
    text = place.read_text()
    assert re.search(old, text)
    place.write_text(re.sub(old, new, text, count=1))
    found = wrong(copied)
    assert found.keys() == {path}
    assert re.search(words, found[path])


@pytest.mark.parametrize("values", ["cka", "deflated"])
def test_an_undefined_value_needs_a_reason(copied, values):
    place = copied.results / f"{NETWORK}/cka.h5"
    with h5py.File(place, "a") as file:
        file[values][3, 3] = float("nan")
    seals.write(place)
    assert re.search(values, wrong(copied)[f"{NETWORK}/cka.h5"])


def test_a_measure_has_the_layers_that_it_compares(copied):
    """With a decomposition for each pair, the outputs of blocks; without one, all."""
    for path in MEASURED:
        place = copied.results / path
        with h5py.File(place, "a") as file:
            for side in ("first", "second"):
                file[side]["name"][3] = "stage1.block1.bn2"
        seals.write(place)
        assert "other layers" in wrong(copied)[path]


@pytest.mark.parametrize(
    ("section", "key", "value", "kinds", "words"),
    [
        ("training", "epochs", 2, {"model.safetensors", "provenance.json", "history.csv"}, "epochs 1.*2"),
        ("training", "l2", 0.5, {"model.safetensors", "provenance.json"}, "l2 0.0001.*0.5"),
        ("dumps", "passes", 2, {"dump_provenance.json", "activations.h5", *COMPARED}, "passes"),
        ("dumps", "seed", 5, {"dump_provenance.json", "activations.h5"}, "seed 0.*5"),
        ("probes", "learning_rate", 0.5, {"probe_provenance.json"}, "learning_rate 0.01.*0.5"),
        ("training", "checkpoint_minutes", 1, set(), ""),
    ],
)
def test_results_of_another_config_are_named(copied, section, key, value, kinds, words):
    copied.edit_config(lambda config: config[section].update({key: value}))
    found = wrong(copied)
    assert {path.rsplit("/", 1)[-1] for path in found} == kinds
    assert not kinds or any(re.search(words, sentence) for sentence in found.values())


def test_results_from_before_an_option_was_added_have_its_default(copied):
    path = copied.results / OF_TRAINING[-1]
    content = json.loads(path.read_text())
    del content["settings"]["label_smoothing"]
    path.write_text(json.dumps(content))
    assert not wrong(copied)
    copied.edit_config(lambda config: config["training"].update(label_smoothing=0.2))
    assert OF_TRAINING[-1] in wrong(copied)


def test_results_of_other_data_are_named(copied):
    path = copied.folder / DATA
    train, test = loading.read(path, "train"), loading.read(path, "test")
    train.images[0] ^= 1
    dataset.write(path, "digits", train, test, dataset.describe(path).classes, "altered")
    found = wrong(copied)
    assert {path.rsplit("/", 1)[-1] for path in found} == {"model.safetensors", "provenance.json"}
    path.unlink()
    assert wrong(copied).keys() == {DATA}


def test_dumps_that_are_not_kept_may_be_absent_and_must_be_whole(copied):
    for path in copied.results.glob("models/*/*/activations.h5"):
        path.unlink()
    assert len(wrong(copied)) == 6
    copied.edit_config(lambda config: config["dumps"].update(keep=False))
    assert not wrong(copied)
    (copied.results / f"{NETWORK}/activations.h5").write_text("")
    assert wrong(copied).keys() == {f"{NETWORK}/activations.h5"}


def test_a_file_that_is_not_read_is_named_apart_from_wrong_ones(copied):
    unread = [f"{NETWORK}/cka.h5", f"{NETWORK}/provenance.json", "summary.csv", "figures/fig1.png", "findings.md"]
    for path in unread:
        (copied.results / path).unlink()
        (copied.results / path).symlink_to("/proc/self/mem")  # a regular file whose first byte gives an I/O error
    (copied.results / "provenance.html").unlink()
    (copied.results / "provenance.html").mkdir()
    unread.append("provenance.html")
    flip_a_byte(copied.results / f"{OTHER_SEED}/cka.h5")
    outcome = verified(copied)
    assert {path.removeprefix("results/tiny/") for path in outcome.unread} == {*unread}
    assert outcome.wrong.keys() == {f"results/tiny/{OTHER_SEED}/cka.h5"}
    said = copied._run("scripts/verify.py", "results/tiny", "--configfile", study.CONFIG, check=False)
    assert said.returncode == 1
    assert "1 files are wrong, 6 were not read" in said.stdout
    (command,) = (line for line in said.stdout.splitlines() if "--force" in line)
    assert shlex.split(command)[-1] == f"results/tiny/{OTHER_SEED}/cka.h5"


def test_a_study_is_well_where_no_file_can_be_locked(copied, tmp_path):
    words = ["scripts/verify.py", copied.results, "--configfile", copied.folder / study.CONFIG]
    environment = no_locks.environment(tmp_path)
    said = subprocess.run([sys.executable, *map(str, words)], env=environment, capture_output=True, text=True)
    assert (said.returncode, said.stderr) == (0, "")
    assert "All is well." in said.stdout


def test_what_is_not_made_yet_is_counted_and_not_damage(copied):
    copied.edit_config(lambda config: config["grid"][0].update(seeds=[1, 2, 3]))
    outcome = verified(copied)
    assert not outcome.wrong
    several = {"train": (2, 8), "dump_activations": (2, 8), "compute_cka": (2, 8)}
    assert outcome.unmade == {**several, "probe_residual_blocks": (1, 3), "compute_pairs": (3, 7)}
    said = copied._run("scripts/verify.py", "results/tiny", "--configfile", study.CONFIG, check=False)
    assert said.returncode == 1
    assert re.search("2 of 8 .*train\n", said.stdout)
    assert "--force" not in said.stdout


def test_files_that_the_config_does_not_know_are_counted(copied):
    shutil.copytree(copied.results / NETWORK, copied.results / NETWORK.replace("seed1", "seed7"))
    outcome = verified(copied)
    assert not outcome.wrong
    assert outcome.unknown == len(OF_NETWORK) + len(MEASURED)


def test_the_folder_may_lie_elsewhere(copied):
    """A copy under another name, seen from another folder."""
    moved = copied.folder / "elsewhere/results/copy"
    shutil.copytree(copied.results, moved)
    shutil.copytree(copied.folder / "data", moved.parents[1] / "data")
    flip_a_byte(moved / f"{NETWORK}/model.safetensors")
    words = ["scripts/verify.py", moved, "--configfile", copied.folder / study.CONFIG]
    said = subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True).stdout
    assert said.startswith(f"{moved}/{NETWORK}/model.safetensors: ")


def test_the_printed_command_repairs_just_what_is_wrong(finished, copied):
    damaged = [
        "models/digits-resnet8-w1-f100/seed2/history.csv",
        f"{NETWORK}/activations.h5",
        f"{NETWORK}/probes.csv",
        f"{OTHER_SEED}/cka.h5",
        f"{PAIRS}/seed1.h5",
        "figures/fig1.png",
        "models/digits-resnet8-w2-f100/seed1/cka.h5",
    ]
    for path in damaged[:-1]:
        flip_a_byte(copied.results / path)
    (copied.results / damaged[-1]).unlink()
    before = {path: path.stat().st_mtime_ns for path in copied.results.rglob("*") if path.is_file()}
    result = copied._run("scripts/verify.py", "results/tiny", "--configfile", study.CONFIG, check=False)
    assert result.returncode == 1
    named = [line.split(":")[0] for line in result.stdout.splitlines() if line.startswith("results/tiny/")]
    assert sorted(named) == sorted(f"results/tiny/{path}" for path in damaged)

    (command,) = (line for line in result.stdout.splitlines() if "--force" in line)
    copied._run("-m", *shlex.split(command), check=True)

    again = copied._run("scripts/verify.py", "results/tiny", "--configfile", study.CONFIG, check=True)
    assert "All is well." in again.stdout
    config = checks.read(copied.folder / study.CONFIG)
    remade = {
        copied.folder / output
        for job in jobs_of(config)
        if {f"results/tiny/{path}" for path in damaged} & {*job.writes}
        for output in job.writes
    }
    # It lies between the dump and figure 1, which are both made again.
    remade.add(copied.results / f"{NETWORK}/cka.h5")
    for path, changed in before.items():
        inside = path.relative_to(copied.results)
        if inside.parts[0] not in ("logs", "timings"):
            assert (path.stat().st_mtime_ns != changed) == (path in remade), inside
            if (
                path not in remade
                or path.suffix in (".h5", ".safetensors")
                or path.name in ("history.csv", "probes.csv")
            ):
                assert path.read_bytes() == (finished.results / inside).read_bytes(), inside
