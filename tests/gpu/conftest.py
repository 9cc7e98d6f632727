"""Tests of what only a GPU does; elsewhere they are skipped."""

import pytest
import torch


@pytest.fixture
def cuda():
    """The torch.device of a GPU."""
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU that torch can use")
    return torch.device("cuda")
