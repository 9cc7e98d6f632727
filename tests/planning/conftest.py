"""A made-up results folder for the tests of progress."""

import made_results
import pytest


@pytest.fixture
def results(tmp_path, monkeypatch):
    """made_results.Results in an empty folder, which becomes the current one."""
    monkeypatch.chdir(tmp_path)
    return made_results.Results()
