"""Memory of a comparison of networks. Does not import numpy, since plans need these numbers alone."""

# Most bytes of Gram matrices in memory at once. Two networks that need more are still held together.
AT_ONCE = 1_000_000_000


def grams_bytes(layers, batch_size):
    """Bytes of one network's Gram matrices on one minibatch, with and without first components.

    Args:
        layers: number of layers.
        batch_size: examples per minibatch.
    """
    return 2 * 8 * layers * batch_size * (batch_size - 1) // 2


def held_bytes(layers, batch_size):
    """Most bytes of Gram matrices that a comparison of several networks holds at once.

    Args:
        layers: list of numbers of layers, one per network.
        batch_size: examples per minibatch.
    """
    sizes = sorted(grams_bytes(number, batch_size) for number in layers)
    return min(sum(sizes), max(AT_ONCE, sum(sizes[-2:])))
