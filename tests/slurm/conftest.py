"""A running cluster, and tiny studies that use it."""

import os
import tempfile

import cluster as slurm
import held
import pytest


@pytest.fixture(scope="session")
def cluster():
    reason = slurm.reason_it_cannot_run()
    if reason:
        pytest.skip(reason)
    # Not pytest's own folder, which others may not enter, as munge wants it.
    with tempfile.TemporaryDirectory(prefix="slurm") as folder:
        os.chmod(folder, 0o755)
        made = slurm.Cluster(folder)
        try:
            made.start()
            yield made
        finally:
            made.stop()


@pytest.fixture
def on_cluster(cluster, tmp_path):  # noqa: ARG001 (it must run)
    return held.ClusterStudy.new(tmp_path)
