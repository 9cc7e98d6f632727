"""What may happen to the bytes of a file, drawn at random."""


def damaged(content, rng):
    """Some bytes after an accident.

    Args:
        content: bytes, not empty.
        rng: random.Random.

    Returns:
        bytes
    """
    return rng.choice(_ACCIDENTS)(bytearray(content), rng)


def _flip_bits(content, rng):
    for _ in range(rng.choice([1, 1, 2, 20])):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    return bytes(content)


def _flip_a_bit_near_the_start(content, rng):
    """Where the structure of most files is."""
    content[rng.randrange(min(len(content), 4096))] ^= 1 << rng.randrange(8)
    return bytes(content)


def _overwrite(content, rng):
    start = rng.randrange(len(content))
    new = rng.randbytes(rng.randint(1, 64))
    content[start : start + len(new)] = new[: len(content) - start]
    return bytes(content)


def _overwrite_with_extremes(content, rng):
    """Numbers as large, or as small, as a field holds."""
    start = rng.randrange(len(content))
    new = rng.choice([b"\xff", b"\x7f", b"\x80", b"\0"]) * rng.choice([1, 2, 4, 8])
    content[start : start + len(new)] = new[: len(content) - start]
    return bytes(content)


def _empty_a_page(content, rng):
    """As of a disk that lost a block."""
    page = rng.choice([512, 4096])
    start = rng.randrange(len(content)) // page * page
    content[start : start + page] = bytes(len(content[start : start + page]))
    return bytes(content)


def _truncate(content, rng):
    return bytes(content[: rng.randrange(len(content))])


def _append(content, rng):
    return bytes(content) + rng.randbytes(rng.randint(1, 1000))


def _cut_out(content, rng):
    start = rng.randrange(len(content))
    del content[start : start + rng.randint(1, 1000)]
    return bytes(content)


def _repeat(content, rng):
    start = rng.randrange(len(content))
    part = content[start : start + rng.randint(1, 1000)]
    return bytes(content[:start] + part + content[start:])


def _exchange(content, rng):
    """Two pages, so that every sum of bytes stays."""
    pages = [content[start : start + 512] for start in range(0, len(content), 512)]
    first, second = rng.randrange(len(pages)), rng.randrange(len(pages))
    pages[first], pages[second] = pages[second], pages[first]
    return b"".join(pages)


_ACCIDENTS = [
    _flip_bits,
    _flip_a_bit_near_the_start,
    _overwrite,
    _overwrite_with_extremes,
    _empty_a_page,
    _truncate,
    _append,
    _cut_out,
    _repeat,
    _exchange,
]
