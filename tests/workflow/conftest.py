"""The finished tiny study that the workflow tests share."""

import json
import os
import tempfile

import pytest
import study

from widedeep.runtime import locking


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A tiny study that ran to its report; tests must not change it."""
    root = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        root = root.parent  # that of all workers
    record = root / "finished.json"
    with locking.only_writer([record]):
        if not record.exists():
            made = study.Study.new(tempfile.mkdtemp(prefix="original", dir=root))
            record.write_text(json.dumps([str(made.folder), made.run_study().stdout]))
    folder, said = json.loads(record.read_text())
    made = study.Study(folder)
    made.first_run = said
    return made


@pytest.fixture
def copied(finished, tmp_path):
    """The finished study at another path, to be changed."""
    return finished.copy_to(tmp_path / "copied")
