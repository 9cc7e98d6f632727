"""Which pairs of seeds come first where only so many are shown."""

# The authors draw at most so many.
MOST_PAIRS = 20


def first_pairs(pairs, most=MOST_PAIRS):
    """The first of some pairs of seeds, by the larger, then the smaller one: a larger seed changes none before it.

    Args:
        pairs: of (seed of first, seed of second).
        most: how many; all if None.

    Returns:
        list of them
    """
    return sorted(pairs, key=lambda pair: (max(pair), min(pair), pair))[:most]
