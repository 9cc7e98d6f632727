"""Claims on where the block structure appears (paper, section 4, figures 1 and 2; appendix C).

All functions take lines of the table of networks (scripts/summarise.py) and return a Finding.
"""

import scipy.stats

from widedeep.findings.networks import (
    could_have_block,
    count,
    ends,
    longest_row,
    too_few_seeds,
    with_block,
)
from widedeep.findings.statistics import LEVEL, SIGNIFICANT, fisher, of_difference, of_share
from widedeep.findings.verdicts import (
    FALSE_ALARMS,
    FEWEST_SEEDS,
    GROWN,
    MOST,
    NEARLY_ALWAYS,
    NOT_DECIDABLE,
    NOT_REPRODUCED,
    REPRODUCED,
    above,
    detectable_in_words,
    finding,
    interval_in_words,
    name_and_layers,
    name_of,
)


def depth_or_width(networks, grown, fixed):
    """Figure 1, claims `depth` and `width`: large networks have a block structure, small ones have none.

    Compares the ends of one row of the grid. Reproduced if Fisher's exact test finds more networks with a block
    structure among the large ones. Not reproduced, whatever the test says, if most of the large ones lack it or most of
    the small ones have it, by exact intervals, in a study that could have seen one.

    Args:
        networks: DataFrame of networks of one family.
        grown, fixed: `depth` and `width`, in either order.
    """
    claim = grown
    row = longest_row(networks, grown, fixed)
    if row is None:
        return finding(claim, NOT_DECIDABLE, f"the grid has no networks that differ in {grown} alone")
    small, large = ends(row, grown)
    if obstacle := too_few_seeds(small, large):
        return finding(claim, NOT_DECIDABLE, obstacle)
    counts = count([small]), count([large])
    if not all(number for _, number in counts):
        few = small if not counts[0][1] else large
        return finding(claim, NOT_DECIDABLE, f"{name_and_layers(few)} has too few residual blocks")
    number = f"{_in_words(*counts)}, p = {fisher(*counts):.2g}; mean contrast {small.contrast.mean():.3f} and "
    number += f"{large.contrast.mean():.3f}"
    why = f"{name_and_layers(small)} and {name_and_layers(large)}"
    verdict = _more_often(*counts)
    if verdict == NOT_REPRODUCED and not could_have_block(networks, grown, large.fraction.iloc[0]):
        verdict = NOT_DECIDABLE
        why += ": no network on this share of the data is large enough for a block structure"
    return finding(claim, verdict, why, number, _intervals(*counts), _fewest_that_decide(*counts))


def _more_often(small, large):
    """The verdict on "large networks have a block structure, small ones have none", from two (count, number)."""
    share_small, share_large = of_share(*small), of_share(*large)
    significant = fisher(small, large) <= SIGNIFICANT
    more = share_large.value > share_small.value
    if share_large.high < MOST or share_small.low > MOST or (significant and not more):
        return NOT_REPRODUCED
    return REPRODUCED if significant else NOT_DECIDABLE


def seeds(networks):
    """Figure 1 over seeds: small networks lack a block structure, large ones nearly always have it.

    Counts the networks at the ends of both rows. Reproduced if, by exact intervals, most small ones lack it and most
    large ones have it, and at most a fifth of the small and at least four fifths of the large ones do. Not reproduced
    if the interval of one of these two shares lies wholly on the other side of its fifth. An interval wholly above four
    fifths would take 17 large networks that all have one.
    """
    claim = "seeds"
    rows = {grown: longest_row(networks, grown, fixed) for grown, fixed in (("depth", "width"), ("width", "depth"))}
    compared = {grown: ends(row, grown) for grown, row in rows.items() if row is not None}
    compared = {grown: pair for grown, pair in compared.items() if not too_few_seeds(*pair)}
    if not compared:
        return finding(claim, NOT_DECIDABLE, f"no row of the grid has {FEWEST_SEEDS} seeds that trained")
    counts = small, large = [count(part) for part in zip(*compared.values(), strict=True)]
    why = "; ".join(f"{name_of(small)} and {name_of(large)}" for small, large in compared.values())
    if not all(number for _, number in counts):
        return finding(claim, NOT_DECIDABLE, f"{why}: too few residual blocks")
    verdict = _nearly_always(*counts)
    if verdict == NOT_REPRODUCED and not all(
        could_have_block(networks, grown, pair[1].fraction.iloc[0]) for grown, pair in compared.items()
    ):
        verdict = NOT_DECIDABLE
        why += ": no network is large enough for a block structure"
    smallest = _fewest_that_decide(*counts, _nearly_always)
    return finding(claim, verdict, why, _in_words(*counts), _intervals(*counts), smallest)


def _nearly_always(small, large):
    """The verdict on "small networks lack a block structure, large ones nearly always have it", as in `seeds`."""
    of_small, of_large = of_share(*small), of_share(*large)
    if of_small.low > 1 - NEARLY_ALWAYS or of_large.high < NEARLY_ALWAYS:
        return NOT_REPRODUCED
    most = of_small.high < MOST < of_large.low
    nearly = of_small.value <= 1 - NEARLY_ALWAYS and of_large.value >= NEARLY_ALWAYS
    return REPRODUCED if most and nearly else NOT_DECIDABLE


def data(networks):
    """Figure 2: with less data some configuration gains a block structure, and none loses it.

    Compares the mean contrast on the least and on the most data by Welch's interval, for every configuration that was
    trained on both; the level is divided by their number (Bonferroni). Reproduced if the contrast of one grows by more
    than GROWN, some of its networks on the least data have a block structure, and the contrast of none falls by as
    much. Not reproduced if none can have grown by as much.
    """
    claim = "data"
    compared, skipped = [], []
    for _, configuration in networks.dropna(subset="contrast").groupby(["depth", "width"]):
        little, much = ends(configuration, "fraction")
        if configuration.fraction.nunique() > 1:
            obstacle = too_few_seeds(little, much)
            skipped.append(obstacle) if obstacle else compared.append((little, much))
    if not compared:
        why = "; ".join(skipped) or "no configuration was trained on several shares of the data"
        return finding(claim, NOT_DECIDABLE, why)
    level = 1 - (1 - LEVEL) / len(compared)
    intervals = [of_difference(little.contrast, much.contrast, level) for little, much in compared]
    grown = [above(interval, GROWN) == REPRODUCED for interval in intervals]
    gained = [more and len(with_block(little)) > 0 for more, (little, _) in zip(grown, compared, strict=True)]
    lost = [interval.high < -GROWN for interval in intervals]
    could = any(
        could_have_block(networks, size, little.fraction.iloc[0])
        for size in ("depth", "width")
        for little, _ in compared
    )
    if any(gained) and not any(lost):
        verdict = REPRODUCED
    elif not any(grown) and could and (any(lost) or all(interval.high < GROWN for interval in intervals)):
        verdict = NOT_REPRODUCED
    else:
        verdict = NOT_DECIDABLE
    words = (_by_share(little, much) for little, much in compared)
    most = max(range(len(compared)), key=lambda place: intervals[place].value)
    names = [
        [name_of(little) for (little, _), chosen in zip(compared, part, strict=True) if chosen]
        for part in (gained, lost)
    ]
    why = "; ".join(
        [f"contrast grows in {', '.join(names[0]) or 'none'}, falls in {', '.join(names[1]) or 'none'}", *skipped]
    )
    told = [part(intervals[most], GROWN, "above") for part in (interval_in_words, detectable_in_words)]
    if told[0]:
        told[0] += f" (difference of {name_of(compared[most][0])})"
    return finding(claim, verdict, why, f"mean contrast {'; '.join(words)}", *told)


def _by_share(little, much):
    """`ResNet-14 1x: 0.020, with 6% of data 0.041`, and the sizes of the block structures that there are."""
    parts = []
    for part in (much, little):
        sizes = with_block(part).block_size
        size = f" (size {sizes.mean():.2f} in {len(sizes)} of {len(part)})" if len(sizes) else f" (none of {len(part)})"
        parts.append(f"{name_of(part)} {part.contrast.mean():.3f}{size}")
    return ", ".join(parts)


def no_residuals(networks):
    """Appendix C: the block structure appears in networks without residual connections too.

    Reproduced if more networks of some plain configuration have one than the rule finds by mistake, by an exact
    binomial test (Bonferroni over configurations). Not reproduced if most lack it, by an exact interval, at a size at
    which ResNets have it.
    """
    claim = "no-residuals"
    size = ["depth", "width", "fraction"]
    known = networks.dropna(subset="contrast")
    plain, resnets = known[known.family == "plain"], known[known.family != "plain"]
    without = {key: part for key, part in plain.groupby(size) if len(part) >= FEWEST_SEEDS}
    if not without:
        why = f"no configuration without residual connections has {FEWEST_SEEDS} seeds that trained"
        return finding(claim, NOT_DECIDABLE, why)
    counts = {key: count([part]) for key, part in without.items()}
    number = "networks with a block structure: "
    number += "; ".join(f"{found} of {of} of {name_and_layers(without[key])}" for key, (found, of) in counts.items())
    shares = {key: of_share(*counts[key]) for key in without}
    intervals = "; ".join(f"{share.low:.2f} to {share.high:.2f}" for share in shares.values())
    enough = [f"{k} of {of}" for _, of in counts.values() for k in _counts_beyond_mistakes(of, len(counts))[:1]]
    told = number, intervals, min(enough, default="")
    if any(found in _counts_beyond_mistakes(of, len(counts)) for found, of in counts.values()):
        return finding(claim, REPRODUCED, f"{len(without)} configurations", *told)
    same = [(key, part, *count([part])) for (_, *key), part in resnets.groupby(["family", *size]) if (*key,) in without]
    seen = {(*key,) for key, _, found, of in same if found in _counts_beyond_mistakes(of, len(same))}
    lacking = [key for key in without if key in seen and shares[key].high < MOST]
    if lacking:
        names = ", ".join(name_of(without[key]) for key in lacking)
        return finding(claim, NOT_REPRODUCED, f"ResNets of the same size as {names} have a block structure", *told)
    why = "too few seeds for a verdict; ResNets of the same sizes with a block structure: "
    why += "; ".join(f"{found} of {of} of {name_of(part)}" for _, part, found, of in same) or "none in the study"
    return finding(claim, NOT_DECIDABLE, why, *told)


def _counts_beyond_mistakes(number, tests):
    """Counts, of so many networks, that are more than the rule's mistakes; the level is divided by the tests."""
    return [
        count
        for count in range(number + 1)
        if scipy.stats.binomtest(count, number, FALSE_ALARMS, "greater").pvalue <= SIGNIFICANT / tests
    ]


def _in_words(small, large):
    """`networks with a block structure: 0 of 4 small ones, 3 of 3 large ones`."""
    return "networks with a block structure: {} of {} small ones, {} of {} large ones".format(*small, *large)


def _intervals(small, large):
    """The exact intervals of two shares, in words."""
    parts = [of_share(*part) for part in (small, large)]
    return "share of small ones {0.low:.2f} to {0.high:.2f}, of large ones {1.low:.2f} to {1.high:.2f}".format(*parts)


def _fewest_that_decide(small, large, rule=_more_often):
    """The fewest large networks with a block structure that decide if no small one has one; "" if none do."""
    for found in range(large[1] + 1):
        if rule((0, small[1]), (found, large[1])) == REPRODUCED:
            return f"{found} of {large[1]} large networks against 0 of {small[1]} small ones"
    return ""
