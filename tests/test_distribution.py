"""The distribution layer-similarity: what wheel and sdist hold, and what works after `pip install`."""

import email
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest
from tracked import tracked

import widedeep

VERSION = widedeep.__version__
# Python's own variables, as PYTHONPATH, would let the repository in.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def run(*words):
    """Run a program that must succeed. Returns what it printed."""
    done = subprocess.run([*map(str, words)], capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A folder with the files of the repository alone."""
    folder = tmp_path_factory.mktemp("source")
    for path in tracked():
        (folder / path.parent).mkdir(parents=True, exist_ok=True)
        shutil.copy(path, folder / path)
    return folder


@pytest.fixture(scope="module")
def wheel(source, tmp_path_factory):
    """The wheel, built from the source."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", folder, source)
    return folder / f"layer_similarity-{VERSION}-py3-none-any.whl"


@pytest.fixture(scope="module")
def sdist_and_wheel(source, tmp_path_factory):
    """The sdist, and a wheel built from the sdist."""
    folder = tmp_path_factory.mktemp("sdist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, source)
    return folder / f"layer_similarity-{VERSION}.tar.gz", folder / f"layer_similarity-{VERSION}-py3-none-any.whl"


def contents(wheel):
    """{name: bytes} of the files in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_holds_the_library_and_nothing_else(wheel):
    library = {str(path.relative_to("scripts")) for path in tracked("scripts/widedeep")}
    info = f"layer_similarity-{VERSION}.dist-info"
    about = {f"{info}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "top_level.txt", "licenses/LICENSE")}
    found = contents(wheel)
    assert found.keys() == library | about
    assert {"widedeep/py.typed", "widedeep/__init__.pyi"} <= library
    assert found[f"{info}/licenses/LICENSE"] == Path("LICENSE").read_bytes()


def test_the_wheel_says_what_it_is_and_what_it_needs(wheel):
    metadata = email.message_from_bytes(contents(wheel)[f"layer_similarity-{VERSION}.dist-info/METADATA"])
    assert (metadata["Name"], metadata["Version"]) == ("layer-similarity", VERSION)
    needed = metadata.get_all("Requires-Dist")
    assert [line for line in needed if "extra ==" not in line] == ["numpy>=2"]
    assert set(metadata.get_all("Provides-Extra")) == {"torch", "plot", "workflow"}
    assert metadata.get_payload() == Path("docs/layer-similarity.md").read_text()


def test_the_sdist_holds_what_the_wheel_is_built_from(sdist_and_wheel, wheel):
    sdist, rebuilt = sdist_and_wheel
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"LICENSE", "pyproject.toml", "docs/layer-similarity.md", "scripts/widedeep/py.typed"} <= names
    assert {name.partition("/")[0] for name in names}.isdisjoint({"tests", "workflow", "config", "benchmarks"})
    assert contents(rebuilt) == contents(wheel)


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The Python of a fresh environment with numpy, from the package index, and the wheel."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    python = folder / "bin/python"
    pip = (python, "-m", "pip", "--disable-pip-version-check", "install", "--quiet")
    # The version of the lock, so that a release of numpy does not decide this test.
    numpy = f"numpy=={importlib.metadata.version('numpy')}"
    done = subprocess.run([*pip, "--only-binary", "numpy", numpy], capture_output=True, text=True, env=ENVIRONMENT)
    if done.returncode:
        pytest.skip(f"no {numpy} from the package index: {done.stderr.strip().splitlines()[-1]}")
    run(*pip, "--no-index", wheel)
    return python


def in_environment(python, program, status=0, cwd=None):
    """Run a program in the fresh environment. Returns what it printed, or its last line of errors."""
    done = subprocess.run([python, "-I", "-c", program], capture_output=True, text=True, env=ENVIRONMENT, cwd=cwd)
    assert done.returncode == status, done.stderr
    return done.stdout if status == 0 else done.stderr.splitlines()[-1]


ARRAYS = """
import numpy as np
import widedeep
from widedeep import MinibatchCKA, cka, find_block
x = np.random.default_rng(0).standard_normal((64, 5))
similarity = MinibatchCKA()
for batch in np.split(x, 2):
    similarity.add([batch, batch[:, :2]])
values = similarity.result().values
assert np.allclose(values[0], [1, cka(x, x[:, :2], batch_size=32)])
matrix = np.exp(-np.abs(np.subtract.outer(np.arange(40), np.arange(40))) / 20)
matrix[10:30, 10:30] = 0.95
assert find_block(matrix, np.arange(40) // 5).is_block
print(widedeep.__version__, "site-packages" in widedeep.__file__)
"""
# Every measure, of two minibatches of three layers.
MEASURES = """
import numpy as np
from widedeep.measures import kinds
from widedeep.measures.accumulator import Accumulator
from widedeep.measures.gram_matrices import Grams
from widedeep.measures.measure import Minibatch
similarity = Accumulator([kinds.named(name) for name in kinds.names()])
for x in np.random.default_rng(0).standard_normal((2, 32, 5)):
    minibatch = Minibatch(Grams.of([x, x[:, :2], x**2]))
    similarity.add(minibatch, minibatch)
values = {name: found.values.tolist() for name, found in similarity.result().items()}
"""


def test_numpy_is_enough_for_layers_as_arrays(installed):
    assert in_environment(installed, ARRAYS) == f"{VERSION} True\n"


def test_numpy_is_enough_for_all_measures(installed):
    """Some are faster with scipy, which is here and not there."""
    here = {}
    exec(MEASURES, here)
    there = json.loads(in_environment(installed, f"import json{MEASURES}print(json.dumps(values))"))
    assert there.keys() == here["values"].keys()
    for name, values in there.items():
        np.testing.assert_allclose(values, here["values"][name], rtol=0, atol=1e-12, err_msg=name)


def test_without_torch_the_error_says_how_to_install_it(installed):
    error = in_environment(installed, "from widedeep import layer_similarity", status=1)
    assert 'pip install "layer-similarity[torch]"' in error


NETWORK = """
import sys
import numpy as np
import torch
import widedeep
from widedeep import cka, layer_cka, layer_similarity
torch.manual_seed(0)
network = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.ReLU(inplace=True), torch.nn.Linear(5, 3)).eval()
x = torch.randn(64, 6)
of_batches = layer_cka(network, x.split(32))
of_loader = layer_similarity(network, torch.utils.data.DataLoader(x, batch_size=32), progress=False)
assert np.array_equal(of_loader.values, of_batches.values)
with torch.no_grad():
    assert np.isclose(of_batches.values[0, 2], cka(network[0](x), network(x), batch_size=32), atol=1e-6)
of_loader.save("found.npz")
assert np.array_equal(of_loader.load("found.npz").values, of_loader.values)
heavy = {"h5py", "matplotlib", "pandas", "pydantic", "safetensors", "scipy", "seaborn", "sklearn", "torchvision"}
print("site-packages" in widedeep.__file__, of_batches.names_first, sorted(heavy & {*sys.modules}))
import matplotlib
matplotlib.use("Agg")
of_loader.plot()
of_loader.to_frame()
print(sorted(heavy & {*sys.modules}))
"""


def test_the_extras_are_enough_for_networks(installed, tmp_path):
    """Torch is that of the environment of this test, found by a path file, since a download would take minutes."""
    (site,) = installed.parents[1].glob("lib/python*/site-packages")
    path_file = site / "torch.pth"
    path_file.write_text(sysconfig.get_path("purelib") + "\n")
    try:
        printed = in_environment(installed, NETWORK, cwd=tmp_path)
        assert printed == "True ['0', '1', '2'] []\n['matplotlib', 'pandas']\n"
    finally:
        path_file.unlink()
