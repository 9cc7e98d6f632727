"""How much memory the comparison of networks takes; without numpy, since plans are made where nothing is compared."""

# Bytes of Gram matrices that a comparison holds at once; two networks that take more are still held together.
AT_ONCE = 1_000_000_000


def grams_bytes(layers, batch_size):
    """Bytes that one network takes in a comparison: Gram matrices of a minibatch, plain and deflated.

    Args:
        layers: their number.
        batch_size: examples a minibatch.
    """
    return 2 * 8 * layers * batch_size * (batch_size - 1) // 2


def held_bytes(layers, batch_size):
    """Bytes of Gram matrices that a comparison holds at most.

    Args:
        layers: list of the numbers of layers of its networks.
        batch_size: examples a minibatch.
    """
    sizes = sorted(grams_bytes(number, batch_size) for number in layers)
    return min(sum(sizes), max(AT_ONCE, sum(sizes[-2:])))
