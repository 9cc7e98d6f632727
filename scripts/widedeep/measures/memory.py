"""Memory of measurements. Does not import numpy, since plans need these numbers alone."""

# Most bytes of Gram matrices in memory at once. Two networks that need more are still held together.
AT_ONCE = 1_000_000_000
# Most bytes of one layer's features on all examples that first_components.py holds on the CPU: 5,000 images of 32 x 32
# and the paper's 1x. A constant, so that the way to a component, and so its bits, do not depend on the free memory.
HELD_ON_CPU = 400_000_000
# What the process takes for them, in units of them: the forward pass and the centred features. Measured.
HELD_TIMES = 5
# Jobs that may measure networks on one GPU at the same time.
_JOBS_ON_GPU = 10


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


def most_held(device_bytes=None):
    """Most bytes of one layer's features on all examples that first_components.py holds; it takes HELD_TIMES as many.

    Args:
        device_bytes: memory of the GPU that computes; None on the CPU.
    """
    return HELD_ON_CPU if device_bytes is None else device_bytes // (_JOBS_ON_GPU * HELD_TIMES)
