"""The claim on minibatch CKA, on studies whose answer is known."""

import numpy as np
import pandas as pd
import pytest
from small_tables import empty

from widedeep.findings.minibatches import convergence
from widedeep.findings.verdicts import CONVERGED


def ends_apart(*last):
    """Tables of two batch sizes whose unbiased estimates end so far from the full-batch value."""
    lines = []
    for batch_size, apart in zip((16, 64), last, strict=False):
        for minibatches in (1, 640 // batch_size):
            line = {"first": "a", "second": "b", "batch_size": batch_size, "repeat": 0, "minibatches": minibatches}
            lines.append({**line, "unbiased": 0.5 + apart * (minibatches > 1), "biased": 0.9, "full_batch": 0.5})
    return pd.DataFrame(lines)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (ends_apart(0.01, -0.01), "reproduced"),
        (ends_apart(0.01, -0.03), "not reproduced"),
        (ends_apart(0.01), "not decidable"),
        (ends_apart(np.nan, np.nan).assign(full_batch=np.nan), "not decidable"),
        (empty("A.csv"), "not decidable"),
    ],
)
def test_convergence_whose_answer_is_known(table, expected):
    assert convergence(table).verdict == expected


def test_exactly_at_the_threshold():
    near = ends_apart(0, 0).assign(unbiased=CONVERGED, full_batch=0.0)
    assert convergence(near).verdict == "reproduced"
