"""The minibatches of the evaluation set."""

import numpy as np
import pytest

from widedeep.data import minibatches
from widedeep.runtime.errors import UserError


def test_each_pass_goes_through_all_examples_in_a_fresh_order():
    ids = minibatches.minibatches(50, 8, 3, seed=4)
    assert ids.shape == (18, 8)
    passes = [part.ravel() for part in np.split(ids, 3)]
    assert all(len(set(part)) == 48 and part.max() < 50 for part in passes)
    assert not np.array_equal(passes[0], passes[1])
    np.testing.assert_array_equal(ids[:6], minibatches.minibatches(50, 8, 1, seed=4))
    assert not np.array_equal(ids, minibatches.minibatches(50, 8, 3, seed=5))


@pytest.mark.parametrize("size", [3, 51])
def test_impossible_minibatches_are_refused(size):
    with pytest.raises(UserError, match=rf"dumps\.batch_size is {size}.* 4 .*50"):
        minibatches.minibatches(50, size, 1, 0)
