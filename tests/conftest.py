"""Settings for all tests: one thread a process, reproducible examples."""

import os

for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

from hypothesis import settings  # noqa: E402

settings.register_profile("reproducible", derandomize=True, deadline=None, max_examples=40)
settings.load_profile("reproducible")


def pytest_collection_modifyitems(items):
    """Fast ones first: a study takes a minute, and a cluster several."""
    items.sort(key=lambda item: [folder in item.path.parts for folder in ("slurm", "workflow")])
