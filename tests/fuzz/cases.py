"""What the tests of damaged and hostile inputs share: the random numbers of a case, and what it left."""

import random


def rng_of(seed, *words):
    """The random numbers of a case, which words name."""
    return random.Random(" ".join(map(str, [seed, *words] if seed else words)))


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def results_of(outcome, folder, case=""):
    """What a child wrote, where that was one of the two right ways to end; else the test fails."""
    assert outcome.is_right, f"{case}: {outcome}"
    left = contents(folder / "out") if (folder / "out").exists() else {}
    assert not [name for name in left if "unfinished" in name or "partial" in name]
    if outcome.status:
        assert not left, f"{case}: an output in spite of {outcome.said}"
        return None
    return left
