"""Families of a user's own."""

import pytest

from widedeep.networks import families


@pytest.fixture
def family(tmp_path, monkeypatch):
    """Writes the file of the family `own`."""
    folder = tmp_path / "families"
    folder.mkdir()
    monkeypatch.setattr(families, "FOLDER", folder)
    return (folder / "own.py").write_text
