"""The finished tiny study that the workflow tests share."""

import pytest
import study


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A tiny study that ran to its report; tests must not change it."""
    made = study.Study.new(tmp_path_factory.mktemp("original"))
    made.first_run = made.run_study()
    return made


@pytest.fixture
def copied(finished, tmp_path):
    """The finished study at another path, to be changed."""
    return finished.copy_to(tmp_path / "copied")
