"""What docs/determinism.md says of programs run twice, and with another number of threads."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import small
from safetensors.numpy import load_file

from widedeep.formats import components, predictions, similarities

OUTPUTS = ("activations.h5", "pca.h5", "predictions.h5", "cka.h5")
# Its arguments: threads, data set, folder to train in, weights to dump, folder of the results. A process of
# its own, since the libraries read their number of threads once.
PROGRAM = """
import sys
sys.path.insert(0, "scripts")
import compute_cka, dump_activations, train
threads, data, trained, weights, out = sys.argv[1:]
options = ["--threads", threads]
recipe = ["--epochs", "3", "--batch-size", "16", "--learning-rate", "0.1", "--device", "cpu"]
train.main(["--data", data, "--family", "resnet", "--depth", "8", "--width", "1", "--fraction", "1", "--seed", "1",
            "--out", trained, *recipe, *options])
more = ["--components", f"{out}/pca.h5", "--predictions", f"{out}/predictions.h5"]
dump_activations.main([weights, "--data", data, "--out", f"{out}/activations.h5", "--batch-size", "16", "--passes", "2",
                       "--device", "cpu", *more, *options])
compute_cka.main([f"{out}/activations.h5", "--out", f"{out}/cka.h5", *options])
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Folders of three runs: two with one thread, one with two. All dump the weights of the first."""
    folder = tmp_path_factory.mktemp("runs")
    data = small.write_dataset(folder / "dataset.h5", 96, 64)
    for name, threads in (("first", 1), ("again", 1), ("threads", 2)):
        (folder / name).mkdir()
        words = [threads, data, folder / name, folder / "first/model.safetensors", folder / name]
        command = [sys.executable, "-c", PROGRAM, *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    return folder


def test_the_same_program_on_the_same_machine_writes_the_same_bits(runs):
    for name in (*OUTPUTS, "model.safetensors", "history.csv", "metrics.json"):
        assert (runs / "first" / name).read_bytes() == (runs / "again" / name).read_bytes(), name


def test_another_number_of_threads_changes_a_dump_by_rounding_alone(runs):
    first, other = (similarities.read(runs / name / "cka.h5") for name in ("first", "threads"))
    for what in ("cka", "deflated"):
        np.testing.assert_allclose(getattr(first, what), getattr(other, what), atol=1e-4)
    first, other = (components.read(runs / name / "pca.h5")[1] for name in ("first", "threads"))
    np.testing.assert_allclose(first.share, other.share, rtol=1e-4)
    first, other = (predictions.read_all([runs / name / "predictions.h5"])[0] for name in ("first", "threads"))
    np.testing.assert_allclose(first.log_probabilities, other.log_probabilities, atol=1e-4)


def test_another_number_of_threads_changes_a_training_by_what_it_makes_of_rounding(runs):
    first, other = (load_file(runs / name / "model.safetensors") for name in ("first", "threads"))
    assert first.keys() == other.keys()
    for name, weights in first.items():
        np.testing.assert_allclose(weights, other[name], atol=1e-2 * max(1, np.abs(weights).max()), err_msg=name)


def test_every_test_that_the_page_names_is_there():
    page = Path("docs/determinism.md").read_text()
    named = [word.strip("`").split("::") for word in page.split() if "::" in word]
    assert len(named) > 5
    for path, test in named:
        assert f"def {test.strip('`.,;|')}(" in Path(path).read_text(), test
