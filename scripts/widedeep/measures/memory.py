"""Memory of a comparison of networks. Does not import numpy, since plans need these numbers alone."""

# Most bytes of Gram matrices in memory at once. Two networks that need more are still held together.
AT_ONCE = 1_000_000_000


def grams_bytes(layers, batch_size, entry):
    """Bytes of one network's Gram matrices on one minibatch.

    Args:
        layers: number of layers.
        batch_size: examples per minibatch.
        entry: bytes of one entry, as in dumps: 4 in the form `gram`, 8 for Gram matrices of raw activations.
    """
    return entry * layers * batch_size * (batch_size - 1) // 2


def held_bytes(layers, batch_size, entry):
    """Most bytes of Gram matrices that a comparison of several networks holds at once.

    Args:
        layers: list of numbers of layers, one per network.
        batch_size, entry: see grams_bytes.
    """
    sizes = sorted(grams_bytes(number, batch_size, entry) for number in layers)
    return min(sum(sizes), max(AT_ONCE, sum(sizes[-2:])))
