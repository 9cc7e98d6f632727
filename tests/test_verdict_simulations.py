"""The simulated studies of benchmarks/ on predictions, counted."""

import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path("benchmarks").resolve()))
import verdict_simulations_predictions  # noqa: E402


def test_simulated_predictions_are_counted():
    rows = verdict_simulations_predictions.simulations(studies=2, examples_each=(300,), rng=np.random.default_rng(0))
    shares = {}
    for what, seeds, share in rows:
        shares.setdefault(what, {})[seeds] = share
    assert {share for found in shares.values() for share in found.values()} <= {0, 0.5, 1}
    own = shares["appendix G, own difficulties, equal accuracies: reproduced"]
    assert own[10] == 1
    assert shares["figure 6, 1000 images, 20 each way prefer one at 75:25: by example"][10] == 1
