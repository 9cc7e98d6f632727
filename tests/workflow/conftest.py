"""The finished tiny study that the workflow tests share."""

import os

import pytest
import study

from widedeep import locking


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A tiny study that ran to its report; tests must not change it."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # that of all workers
    made, said = study.Study(folder / "original"), folder / "said.txt"
    with locking.only_writer([said]):
        if not said.exists():
            said.write_text(study.Study.new(made.folder).run_study().stdout)
    made.first_run = said.read_text()
    return made


@pytest.fixture
def copied(finished, tmp_path):
    """The finished study at another path, to be changed."""
    return finished.copy_to(tmp_path / "copied")
