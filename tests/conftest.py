"""Settings for all tests: one thread a process, reproducible examples."""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

settings.register_profile("reproducible", derandomize=True, deadline=None, max_examples=40)
settings.load_profile("reproducible")


def pytest_addoption(parser):
    parser.addoption("--fuzz-cases", type=int, default=5, metavar="N", help="damaged files of each kind (tests/fuzz)")


@pytest.fixture
def fuzz_cases(request):
    """How many damaged files of each kind a test tries."""
    return request.config.getoption("--fuzz-cases")


def pytest_collection_modifyitems(items):
    """Fast ones first: a study takes a minute, and a cluster several."""
    items.sort(key=lambda item: [folder in item.path.parts for folder in ("slurm", "workflow")])
