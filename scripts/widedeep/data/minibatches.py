"""The minibatches of the evaluation set on which layers are compared (paper, section 3)."""

import numpy as np

from widedeep.names import random_seed
from widedeep.runtime.errors import UserError


def minibatches(examples, batch_size, passes, seed):
    """Return the sample ids of all minibatches; each pass takes all examples in a new order, without replacement.

    The order follows from the seed of the dumps, not of a network, so all networks see the same minibatches. The
    incomplete minibatch at the end of a pass is dropped.

    Args:
        examples: number of examples.
        batch_size: examples in a minibatch, at least 4, which unbiased HSIC needs.
        passes: number of passes.
        seed: of the order.

    Returns:
        (minibatches, batch_size) int64

    Raises:
        UserError: a minibatch would have fewer than 4 examples, or more than there are.
    """
    if not 4 <= batch_size <= examples:
        raise UserError(
            f"dumps.batch_size is {batch_size}; it must be between 4 and the number of test examples ({examples})."
        )
    complete = examples // batch_size * batch_size
    orders = [
        np.random.default_rng(random_seed("minibatches", seed, index)).permutation(examples)[:complete]
        for index in range(passes)
    ]
    return np.concatenate(orders).reshape(-1, batch_size)
