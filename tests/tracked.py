"""The files of the repository."""

import subprocess
from pathlib import Path

import pytest


def tracked(*folders):
    """Paths of the files of the repository in some folders (default: in all), as they are here; new ones too."""
    words = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *folders]
    said = subprocess.run(words, capture_output=True, text=True)
    if said.returncode:
        pytest.skip("no git here")
    return [path for path in map(Path, said.stdout.split("\n")) if path.is_file()]
