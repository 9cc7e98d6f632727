"""Verdicts on studies whose answer is known, and the table of pairs that they read."""

import itertools
from pathlib import Path

import decide_findings
import h5py
import numpy as np
import pandas as pd
import pytest
import small
import summarise
import summarise_pairs

from widedeep import seeds
from widedeep.analysis import block_structure
from widedeep.findings import decisions
from widedeep.formats import components, dumps, hdf5, similarities, tables
from widedeep.measures import cka, deflation, gram_matrices
from widedeep.runtime import command, files
from widedeep.runtime.errors import UserError
from widedeep.study import config

PAIRS = pd.DataFrame(columns=summarise_pairs.COLUMNS)
BLOCKS = pd.DataFrame(columns=block_structure.COLUMNS_OF_BLOCKS)
AGREEMENT = pd.DataFrame(columns=["first", "second", "agreement"])


def networks(*configurations):
    """A summary table: each configuration is (depth, width, fraction, blocks over seeds, changes)."""
    lines = []
    for depth, width, fraction, in_block, *changes in configurations:
        for seed, share in enumerate(in_block, 1):
            line = {"family": "resnet", "depth": depth, "width": width, "fraction": fraction, "seed": seed}
            line |= {"model": f"resnet{depth}-w{width}-f{fraction}"}
            line |= {"test_accuracy": 0.95, "train_accuracy": 0.99, "layers": 49, "layers_in_block": share}
            line |= {"cka_in_block": 0.9 if share else np.nan}
            line |= {"cka_in_block_without_first_component": 0.3 if share else np.nan}
            lines.append({**line, **(changes[0] if changes else {})})
    return pd.DataFrame(lines)


NONE, SOME, ALL = (0, 0, 0), (0.3, 0, 0), (0.3, 0.5, 0.4)
SMALL = (14, 1, 1, NONE)
PLAIN, BOTTLENECK = {"family": "plain"}, {"family": "bottleneck"}
SMALL_BOTTLENECK = (14, 1, 1, NONE, BOTTLENECK)
HALF = {"test_accuracy": 0.5, "train_accuracy": 0.5}
LESS = {"test_accuracy": 0.65}


def verdicts(table, pairs=PAIRS, family=None):
    found = decisions.decide(table, pairs, BLOCKS, pd.DataFrame(), AGREEMENT, pd.DataFrame(), family)
    return {(finding.result, finding.claim.split()[0]): finding.verdict for finding in found}, found


def verdict_of(result, table, pairs=PAIRS):
    (found,) = [finding.verdict for finding in verdicts(table, pairs)[1] if finding.result == result]
    return found


@pytest.mark.parametrize(
    ("result", "table", "expected"),
    [
        ("fig1, depth", [SMALL, (38, 1, 1, ALL)], "reproduced"),
        ("fig1, depth", [SMALL, (38, 1, 1, SOME)], "not reproduced"),
        ("fig1, depth", [SMALL, (38, 1, 1, NONE)], "not reproduced"),
        ("fig1, depth", [(14, 1, 1, ALL), (38, 1, 1, ALL)], "not reproduced"),
        ("fig1, depth", [SMALL], "not decidable"),
        ("fig1, depth", [SMALL, (38, 1, 1, (0.3, 0.3))], "not decidable"),
        ("fig1, depth", [SMALL, (38, 1, 1, ALL, {"train_accuracy": 0.85})], "not decidable"),
        ("fig1, depth", [SMALL, (38, 1, 1, ALL, {"test_accuracy": 0.8})], "not decidable"),
        ("fig1, depth", [SMALL, (38, 1, 1, ALL, {"family": "plain"})], "not decidable"),
        # The row that grows furthest decides.
        ("fig1, depth", [SMALL, (20, 1, 1, NONE), (14, 4, 1, NONE), (110, 4, 1, ALL)], "reproduced"),
        ("fig1, depth", [SMALL, (38, 1, 1, ALL), (56, 2, 1, NONE), (110, 2, 1, NONE)], "reproduced"),  # by a factor
        # Of rows that grow equally far the narrowest.
        ("fig1, depth", [SMALL, (38, 1, 1, ALL), (14, 2, 1, NONE), (38, 2, 1, NONE)], "reproduced"),
        ("fig1, width", [SMALL, (14, 6, 1, ALL)], "reproduced"),
        ("fig1, width", [SMALL, (14, 6, 1, NONE)], "not reproduced"),
        ("fig1, width", [SMALL, (14, 2, 1, NONE), (14, 1, 0.25, NONE), (14, 6, 0.25, ALL)], "reproduced"),
        ("fig1-seeds", [SMALL, (38, 1, 1, ALL), (14, 6, 1, ALL)], "reproduced"),
        ("fig1-seeds", [SMALL, (38, 1, 1, ALL), (14, 6, 1, SOME)], "not reproduced"),
        ("fig1-seeds", [(14, 1, 1, SOME), (38, 1, 1, ALL)], "not reproduced"),
        ("fig1-seeds", [SMALL], "not decidable"),
        ("fig2", [SMALL, (14, 1, 0.25, ALL)], "reproduced"),
        ("fig2", [SMALL, (14, 1, 0.25, NONE)], "not reproduced"),
        ("fig2", [(14, 1, 1, ALL), (14, 1, 0.25, NONE)], "not reproduced"),
        ("fig2", [SMALL, (14, 1, 0.25, ALL), (26, 1, 1, ALL), (26, 1, 0.25, NONE)], "not reproduced"),
        # Less data lowers test accuracy, of the smallest network too; training accuracy it does not.
        ("fig2", [SMALL, (14, 1, 0.25, ALL, {"test_accuracy": 0.8})], "reproduced"),
        ("fig2", [SMALL, (14, 1, 0.25, ALL, {"train_accuracy": 0.8})], "not decidable"),
        # The smallest network on as much data tells what hardly trained.
        ("fig2", [SMALL, (14, 1, 0.25, NONE, LESS), (38, 1, 1, NONE), (38, 1, 0.25, ALL, LESS)], "reproduced"),
        ("fig2", [SMALL, (14, 1, 0.25, NONE), (38, 1, 1, NONE), (38, 1, 0.25, ALL, LESS)], "not reproduced"),
        ("fig2", [SMALL, (14, 1, 0.25, NONE), (38, 1, 1, NONE, LESS), (38, 1, 0.25, ALL)], "not reproduced"),
        ("fig2", [SMALL, (26, 1, 0.25, ALL)], "not decidable"),
        ("fig3", [(38, 1, 1, ALL)], "reproduced"),
        ("fig3", [(38, 1, 1, ALL, {"cka_in_block_without_first_component": 0.8})], "not reproduced"),
        ("fig3", [(38, 1, 1, ALL, {"cka_in_block_without_first_component": np.nan})], "not decidable"),
        ("fig3", [SMALL], "not decidable"),
        ("fig3", [(38, 1, 1, (0.3, 0.4, 0))], "not decidable"),
        ("fig3", [SMALL, (38, 1, 1, ALL, {"train_accuracy": 0.85})], "not decidable"),
        ("fig3", [SMALL, (38, 1, 0.25, ALL, {"test_accuracy": 0.8})], "reproduced"),
        ("C", [SMALL, (38, 1, 1, ALL)], "not decidable"),
        ("C", [SMALL, (38, 1, 1, ALL, PLAIN)], "reproduced"),
        ("C", [SMALL, (38, 1, 1, (0.3, 0.3), PLAIN)], "not decidable"),
        ("C", [SMALL, (38, 1, 1, NONE, PLAIN)], "not decidable"),
        ("C", [SMALL, (38, 1, 1, ALL), (38, 1, 1, NONE, PLAIN)], "not reproduced"),
        ("C", [SMALL, (38, 1, 1, ALL, {**PLAIN, "test_accuracy": 0.8})], "not decidable"),
        ("C", [SMALL, (38, 1, 1, ALL), (14, 1, 1, NONE, PLAIN)], "not decidable"),  # a ResNet of another size has one
        # Families before "plain" in the alphabet are residual ones too.
        ("fig1, depth", [SMALL_BOTTLENECK, (38, 1, 1, ALL, BOTTLENECK)], "reproduced"),
        ("fig1, depth", [SMALL_BOTTLENECK, (38, 1, 1, ALL, BOTTLENECK), (110, 1, 1, NONE, PLAIN)], "reproduced"),
        ("fig2", [(8, 1, 1, NONE), SMALL, (14, 1, 0.25, ALL)], "reproduced"),
        ("fig3", [(38, 1, 1, (0.3, 0.5, 0.4, 0.4))], "reproduced"),
        # What hardly trained is told by networks on the same share of the data.
        ("fig3", [SMALL, (14, 1, 0.25, NONE, HALF), (38, 1, 1, ALL, {"test_accuracy": 0.8})], "not decidable"),
    ],
)
def test_verdicts(result, table, expected):
    assert verdict_of(result, networks(*table)) == expected


def test_counts_of_seeds_and_who_gained_and_lost_are_told():
    def told(result, *table):
        return next(finding for finding in verdicts(networks(*table))[1] if finding.result == result)

    found = told("fig1-seeds", (14, 1, 1, SOME), (38, 1, 1, (0.3, 0.3, 0.4, 0)))
    assert found.number == "networks with a block: 1 of 3 small ones, 3 of 4 large ones"
    found = told("fig1-seeds", SMALL, (38, 1, 1, ALL), (14, 6, 1, (0.3, 0.3)))  # of which two seeds are too few
    assert found.number == "networks with a block: 0 of 3 small ones, 3 of 3 large ones"
    gains, loses = [SMALL, (14, 1, 0.25, ALL)], [(26, 1, 1, ALL), (26, 1, 0.25, NONE)]
    name, other = (decisions.name_of(networks(few)) for _, few in (gains, loses))
    assert told("fig2", *gains, *loses).why == f"with less data {name} gained a block, {other} lost it"
    neither = told("fig2", SMALL, (14, 1, 0.25, NONE))
    assert neither.why == "with less data none gained a block, none lost it"


def test_less_data_that_costs_test_accuracy_alone_is_decided():
    """Four shares of the data, all learned by heart."""
    shares = [(1, 0.93, 0), (0.5, 0.9, 0), (0.25, 0.84, 0.3), (0.06, 0.65, 0.5)]
    lines = [
        (14, 1, fraction, [share] * 3, {"train_accuracy": 1.0, "test_accuracy": accuracy})
        for fraction, accuracy, share in shares
    ]
    (found,) = [finding for finding in verdicts(networks(*lines))[1] if finding.result == "fig2"]
    assert found.verdict == "reproduced"
    shares = "0.00 (0.00 to 0.00), then 0.50 (0.50 to 0.50)"
    assert found.number == f"share of layers in the block, ResNet-14 1x (49 layers): {shares}"


def test_what_is_left_out_of_figure_2_is_named_with_the_reason():
    seeds_alone = [(20, 1, 1, NONE), (20, 1, 0.25, (0.3, 0.3))]
    behind = [(38, 1, 1, NONE), (38, 1, 0.25, ALL, LESS)]
    slow = [(26, 1, 1, NONE), (26, 1, 0.25, ALL, {"train_accuracy": 0.85})]
    reasons = [
        "ResNet-20 1x, 25% of data has 2 of the 3 seeds that a verdict needs",
        "ResNet-26 1x, 25% of data hardly trained: its train accuracy is 0.14 below that of ResNet-14 1x, 25% of data",
        "ResNet-38 1x, 25% of data hardly trained: its test accuracy is 0.30 below that of ResNet-14 1x, 25% of data",
    ]
    small = [SMALL, (14, 1, 0.25, NONE)]
    table = networks(*small, *seeds_alone, *slow, *behind)
    (found,) = [finding for finding in verdicts(table)[1] if finding.result == "fig2"]
    assert found.why == "; ".join(["with less data none gained a block, none lost it", *reasons])
    slow = networks(SMALL, (14, 1, 0.25, NONE, {"train_accuracy": 0.85}))
    (found,) = [finding for finding in verdicts(slow)[1] if finding.result == "fig2"]
    reason = "ResNet-14 1x, 25% of data hardly trained: its train accuracy is 0.14 below that of ResNet-14 1x"
    assert (found.verdict, found.why) == ("not decidable", reason)


def test_networks_without_residual_connections_alone_decide_nothing_about_figures_1_and_2():
    rows = [(14, 1, 1, NONE, PLAIN), (38, 1, 1, ALL, PLAIN), (14, 1, 0.25, ALL, PLAIN), (110, 1, 1, ALL, PLAIN | HALF)]
    for family in (None, "plain"):
        found = verdicts(networks(*rows), family=family)[1]
        for finding in found[:4]:
            assert finding.verdict == "not decidable"
            assert finding.why == (
                "no network of the study has residual connections; appendix C is about those without"
            )
        (about_plain,) = [finding for finding in found if finding.result == "C"]
        assert "; Plain-38 1x (49 layers): 0.40 (0.30 to 0.50)" in about_plain.number
        assert about_plain.verdict == "reproduced"
        assert about_plain.why.endswith("of the study's networks 3 hardly trained and are left out")


def test_the_family_that_figure_1_shows_decides():
    with_block = [SMALL_BOTTLENECK, (38, 1, 1, ALL, BOTTLENECK)]
    table = networks(SMALL, (38, 1, 1, NONE), *with_block)
    for family, expected in (
        (None, "not reproduced"),  # of two with equally many networks the first
        ("resnet", "not reproduced"),
        ("bottleneck", "reproduced"),
        ("plain", "not reproduced"),  # which is never the one
    ):
        if family == "plain":
            table = pd.concat([table, networks((8, 1, 1, ALL, PLAIN))], ignore_index=True)
        assert verdicts(table, family=family)[0]["fig1, depth", "Deep"] == expected
    more = networks(*with_block, (110, 1, 1, ALL, BOTTLENECK), SMALL, (38, 1, 1, NONE))
    assert verdicts(more)[0]["fig1, depth", "Deep"] == "reproduced"
    with pytest.raises(UserError, match="family 'wide' has no network in the table, which holds resnet, bottleneck"):
        verdicts(networks(SMALL, SMALL_BOTTLENECK), family="wide")


def test_families_of_residual_networks_are_not_pooled_for_appendix_c():
    """Half of all residual networks of depth 38 have a block, which is not most; of the family bottleneck all."""
    table = networks(SMALL, (38, 1, 1, NONE), (38, 1, 1, ALL, BOTTLENECK), (38, 1, 1, NONE, PLAIN))
    assert verdict_of("C", table) == "not reproduced"


def test_exactly_at_a_threshold():
    """What a threshold says of its own value: a network that is as far behind as that has trained still."""
    small, large = (
        networks((14, 1, 1, (0,), dict.fromkeys(decisions.ACCURACIES, accuracy))) for accuracy in (0.1, 0.0)
    )
    assert decisions.HARDLY_TRAINED == 0.1
    assert decisions.hardly_trained(small, large) == ""
    assert not decisions.behind(large, small).any()
    assert decisions.hardly_trained(small.assign(test_accuracy=0.11), large)
    block = networks((14, 1, 1, [decisions.HAS_BLOCK] * 3))
    assert decisions.has_block(block)
    assert decisions.sum_of_seeds([block]) == (3, 3)
    assert not decisions.has_block(networks((14, 1, 1, (decisions.HAS_BLOCK, 0.0))))  # half is not most
    near = convergence(0, 0).assign(unbiased=decisions.CONVERGED, full_batch=0.0)
    assert decisions.by_batch_size(near).verdict == "reproduced"


@pytest.mark.parametrize(
    ("probes", "expected"),
    [
        ([decisions.SLACK, 0.0, 0.1, 0.2], "reproduced"),  # a fall by the slack is none
        ([0.0, 0.0, 0.0, decisions.SLACK], "not reproduced"),  # and a rise neither
    ],
)
def test_probes_exactly_at_the_slack(probes, expected):
    assert decisions.rising_probes(residual_blocks([0] * 4, probes, [0] * 4)).verdict == expected


def beside_control(worth, of_control, names="abc"):
    """Networks whose second residual block is in the block structure, and one without that: what each is worth."""
    lines = {"position": [1, 2], "in_block": [False, True]}
    found = [
        pd.DataFrame({"network": f"{name}/seed1", "share_in_block": 0.5, **lines, "worth": worth}) for name in names
    ]
    return pd.concat([*found, pd.DataFrame({"network": "z/seed1", "share_in_block": 0, **lines, "worth": of_control})])


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (beside_control([1, decisions.FLAT], [1, 1]), "reproduced"),
        (beside_control([2 * decisions.SLACK, 0], [1, 0.5]), "not decidable"),  # where little is expected
        # Half of the networks are not most of them.
        (pd.concat([beside_control([1, 0], [1, 1], "ab"), beside_control([1, 1], [1, 1], "cd")]), "not reproduced"),
    ],
)
def test_comparisons_with_what_place_makes_exactly_at_their_thresholds(lines, expected):
    assert decisions.comparison("", "", "", lines).verdict == expected


def pairs_table(count, **numbers):
    line = {"second": "b", "block_first": 0.0, "block_second": 0.0, "equal_depth": 0.9}
    line |= {"best_inside": np.nan, "best_outside": 0.9, **numbers}
    return pd.DataFrame([{"first": f"a{index}", **line} for index in range(count)])


@pytest.mark.parametrize(
    ("claim", "pairs", "expected"),
    [
        ("Without", pairs_table(4), "reproduced"),
        ("Without", pairs_table(4, equal_depth=0.5), "not reproduced"),
        ("Without", pairs_table(4, block_second=0.5), "not decidable"),
        ("Without", pairs_table(4, equal_depth=np.nan), "not decidable"),
        ("Without", pairs_table(2), "not decidable"),
        ("Without", pairs_table(6, first="a"), "not decidable"),
        ("The", pairs_table(6, first="a", block_first=0.5, best_inside=0.3), "not decidable"),
        ("The", pairs_table(4, block_first=0.5, best_inside=0.3), "reproduced"),
        ("The", pairs_table(4, block_first=0.5, best_inside=0.8), "not reproduced"),
        ("The", pairs_table(4), "not decidable"),
        ("The", pairs_table(4, block_first=decisions.HAS_BLOCK, best_inside=0.3), "reproduced"),
        ("Without", pairs_table(4, block_first=decisions.HAS_BLOCK), "not decidable"),
        ("Without", pairs_table(4, block_second=decisions.HAS_BLOCK), "not decidable"),
        ("The", PAIRS, "not decidable"),
    ],
)
def test_verdicts_on_pairs(claim, pairs, expected):
    assert verdicts(networks(SMALL), pairs)[0]["fig5", claim] == expected


def test_what_hardly_trained_decides_nothing_about_pairs_and_residual_blocks():
    table = networks(SMALL, (38, 1, 1, NONE, {"test_accuracy": 0.8}))
    labels = (table.model + "/seed" + table.seed.astype(str)).tolist()
    pairs = pd.concat([pairs_table(1, first=one, second=two) for one in labels for two in labels if one != two])
    far_away = pairs["first"].str.contains("38") | pairs["second"].str.contains("38")
    pairs.loc[far_away, "equal_depth"] = 0.1
    probes = residual_blocks([0, 0, 0, 0], RISING, [0] * 4).assign(network=np.repeat(labels[:3], 8))
    falling = residual_blocks([0, 0, 0, 0], RISING[::-1], [0] * 4, networks=3).assign(network=np.repeat(labels[3:], 8))
    given = pairs, pd.concat([probes, falling]), pd.DataFrame(), AGREEMENT, pd.DataFrame()
    found = decisions.decide(table, *given)
    by_pairs, by_probes = (
        next(finding for finding in found if finding.claim.startswith(f"Without a block, {what}"))
        for what in ("layers", "the accuracy")
    )
    assert (by_pairs.verdict, by_probes.verdict) == ("reproduced", "reproduced")
    names = table.apply(decisions.metrics.configuration_name, axis=1).unique().tolist()
    lines = [(a, b, 0.9 if a == b else 0.8) for a in (*names, "x") for b in (*names, "x")]
    given = *given[:3], pd.DataFrame(lines, columns=["first", "second", "agreement"]), pd.DataFrame()
    (agreeing,) = [finding for finding in decisions.decide(table, *given) if finding.result == "G"]
    assert agreeing.why == "2 of 2 configurations"
    assert by_pairs.why == (
        "6 ordered pairs without a block; of the study's networks 3 hardly trained and are left out"
    )


def test_the_files_say_the_same_and_the_number_shows_the_spread(tmp_path):
    columns = [word.rstrip("*?") for word in tables.COLUMNS["summary.csv"].split()]
    summary = networks(SMALL, (38, 1, 1, ALL)).reindex(columns=columns, fill_value=0)
    summary.to_csv(tmp_path / "summary.csv", index=False)
    PAIRS.to_csv(tmp_path / "pairs.csv", index=False)
    out = [f"{tmp_path}/findings.{end}" for end in ("csv", "md", "html")]
    summary[:0].to_csv(tmp_path / "none.csv", index=False)
    with pytest.raises(UserError, match=r"none\.csv: holds no networks; make it again"):
        decide_findings.main([f"{tmp_path}/none.csv", f"{tmp_path}/pairs.csv", "--out", *out])
    command.release()
    decide_findings.main([f"{tmp_path}/summary.csv", f"{tmp_path}/pairs.csv", "--out", *out])
    table = pd.read_csv(out[0], keep_default_na=False)
    within = ["fig1, depth", "fig1, width", "fig1-seeds", "fig2", "fig3", "fig4-probes", "fig4-probes", "fig4-delete"]
    assert table.result.tolist() == [*within, "fig5", "fig5", "C", "fig6-examples", "fig6-classes", "G", "A"]
    assert table.why[0] == "ResNet-14 1x (49 layers) and ResNet-38 1x (49 layers)"
    assert table.number[0] == "share of layers in the block: 0.00 (0.00 to 0.00) and 0.40 (0.30 to 0.50)"
    for path in out[1:]:
        text = Path(path).read_text()
        for line in table.itertuples():
            assert line.claim in text
            assert line.number in text
            assert line.verdict in text


def write_network(folder, label, layers, block, residual=None):
    """A pca.h5 whose layers of `block` share one dominant component."""
    rng = np.random.default_rng(len(label) + layers)
    values = rng.standard_normal((layers, 50))
    values[block] = values[block[0]]
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    share = np.where(np.isin(np.arange(layers), block), 0.9, 0.2)
    residual = np.zeros(layers) if residual is None else residual
    first = components.FirstComponents([f"l{i}" for i in range(layers)], share, residual, values)
    model, seed = label.split("/seed")
    small.write_components(folder / f"{model}-{seed}.h5", first, dumps.Origin(model, int(seed), "sum", "test"))
    return str(folder / f"{model}-{seed}.h5")


def write_similarities(path, name, labels, values, deflated):
    """A file of one comparison, of networks whose layers are called l0, l1 and so on."""
    with hdf5.creating(path) as file:
        hdf5.stamp(file, similarities.KIND, similarities.SCHEMA_VERSION)
        group = file.require_group(name)
        group.attrs.update({"first": labels[0], "second": labels[1], "minibatches": 1, "batch_size": 8})
        group["cka"] = group["squared_cosine"] = values
        group["deflated"] = deflated
        for side, count in zip(("first", "second"), values.shape, strict=True):
            layers = group.create_group(side)
            text = h5py.string_dtype()
            layers.create_dataset("name", data=[f"l{i}" for i in range(count)], dtype=text)
            for key in ("kind", "undefined", "undefined_deflated"):
                layers.create_dataset(key, data=[""] * count, dtype=text)
            layers["stage"] = layers["block"] = [0] * count
            layers["first_component_share"] = np.ones(count)


def test_the_fall_of_cka_is_of_pairs_that_have_one_without_the_first_component_too(tmp_path):
    """Layers 1 to 3 of five are the block; layer 3 is its first component alone, and was not found to the tolerance."""
    residual = [0, components.TOLERANCE, np.nan, 2 * components.TOLERANCE, 0]
    path = write_network(tmp_path, "a/seed1", 5, [1, 2, 3], residual=np.array(residual))
    Path(path).rename(tmp_path / "pca.h5")
    values, deflated = np.full((5, 5), 0.5), np.full((5, 5), 0.3)
    values[3] = values[:, 3] = 1
    deflated[3] = deflated[:, 3] = np.nan
    write_similarities(tmp_path / "cka.h5", "/", ("a/seed1", "a/seed1"), values, deflated)
    rest = {"family": "resnet", "depth": 8, "width": 1.0, "fraction": 0.00125, "parameters": 1}
    rest |= {"test_accuracy": 0.5, "train_accuracy": 0.5}
    files.write_json(tmp_path / "metrics.json", {"model": "a", "seed": 1, **rest})
    summarise.main([str(tmp_path), "--out", f"{tmp_path}/summary.csv"])
    (line,) = tables.read(tmp_path / "summary.csv").itertuples()
    assert line.fraction == 0.00125
    assert line.layers_in_block == 0.6
    assert (line.cka_in_block, line.cka_in_block_without_first_component) == (0.5, 0.3)
    assert line.pairs_in_block_left_out == 2
    assert line.components_not_converged == 1


def test_pairs_are_summarised_in_both_directions(tmp_path):
    """Network a: 4 layers, 1 and 2 in its block; network b: 7 layers, 5 and 6 in its block."""
    paths = [write_network(tmp_path, "a/seed1", 4, [1, 2]), write_network(tmp_path, "b/seed1", 7, [5, 6])]
    values = np.random.default_rng(0).uniform(0, 1, (4, 7))
    values[0, 3] = np.nan
    write_similarities(tmp_path / "pairs.h5", "seed1--seed1", ("a/seed1", "b/seed1"), values, values)
    summarise_pairs.main([f"--pairs={tmp_path}/pairs.h5", "--components", *paths, "--out", f"{tmp_path}/pairs.csv"])
    there, back = pd.read_csv(tmp_path / "pairs.csv").itertuples(index=False)
    assert (there.first, there.second, back.first, back.second) == ("a/seed1", "b/seed1", "b/seed1", "a/seed1")
    assert (there.block_first, there.block_second) == (pytest.approx(0.5), pytest.approx(2 / 7, abs=1e-4))
    # Layers 0, 1, 2, 3 of a are at the depth of layers 0, 2, 4, 6 of b; 0 alone is in neither block.
    assert there.equal_depth == pytest.approx(values[0, 0], abs=1e-4)
    assert there.best_inside == pytest.approx((values[1].max() + values[2].max()) / 2, abs=1e-4)
    assert there.best_outside == pytest.approx((np.nanmax(values[0]) + values[3].max()) / 2, abs=1e-4)
    assert back.best_inside == pytest.approx((values[:, 5].max() + values[:, 6].max()) / 2, abs=1e-4)
    with pytest.raises(UserError, match=r"compares b/seed1 with 7 layers; give its pca\.h5"):
        summarise_pairs.main([f"--pairs={tmp_path}/pairs.h5", "--components", paths[0], "--out", f"{tmp_path}/no.csv"])
    assert not (tmp_path / "no.csv").exists()


@pytest.mark.parametrize(("first", "second"), [(10, None), (10, 10), (3, 10), (10, 4), (2, None), (3, 2)])
def test_the_table_of_configurations_averages_the_pairs_of_figure_f(first, second):
    """Seeds of one configuration, or of two; every pair has a value of its own."""
    first, second = (count and list(range(1, count + 1)) for count in (first, second))
    other = "b" if second else "a"
    values = {pair: 2.0**-index for index, pair in enumerate(config.seed_pairs(first, second, most=100))}
    lines = []
    for (one, two), value in sorted(values.items(), key=lambda item: max(item[0])):  # a file a larger seed
        there, back = f"a/seed{one}", f"{other}/seed{two}"
        lines += [(there, back, 0, 0, value, value, value), (back, there, 0, 0, value, 3 * value, value)]
    found = summarise_pairs.configurations(pd.DataFrame(lines, columns=summarise_pairs.COLUMNS))
    shown = config.seed_pairs(first, second)
    assert len(shown) == min(len(values), seeds.MOST_PAIRS)
    expected = np.mean([values[pair] for pair in shown])
    assert found.pairs.tolist() == [len(shown)] * len(found)
    assert found.equal_depth.tolist() == pytest.approx([expected] * len(found), rel=1e-12)
    # Both directions are of the same pairs.
    directions = [expected, 3 * expected] if second else [2 * expected]
    assert found.best_inside.tolist() == pytest.approx(directions, rel=1e-12)


def test_no_pairs_give_an_empty_table(tmp_path):
    summarise_pairs.main(["--pairs", "--components", "--out", f"{tmp_path}/pairs.csv"])
    assert pd.read_csv(tmp_path / "pairs.csv").empty


def synthetic(seed, in_block, layers=12, examples=160):
    """Activations (examples, 24) of layers with much in common; those of the block share one dominant component."""
    common, own = np.random.default_rng(7), np.random.default_rng(seed)
    signals = common.standard_normal((examples, 40))
    result = []
    for layer in range(layers):
        # Each layer sees a window of the signals that all networks have: alike at equal depth, unlike far away.
        window = signals[:, 2 * layer : 2 * layer + 12] @ np.linalg.qr(own.standard_normal((12, 12)))[0]
        result.append(np.hstack([window, 0.1 * own.standard_normal((examples, 12))]))
    dominant = 12 * own.standard_normal((examples, 1))
    return [x + dominant @ own.uniform(0.5, 1, (1, 24)) if layer in in_block else x for layer, x in enumerate(result)]


def grams_of(activations):
    return [gram_matrices.Grams.of([x[rows] for x in activations]) for rows in np.split(np.arange(160), 5)]


def similarity(first, second):
    """(layers, layers) CKA over minibatches of gram_matrices.Grams."""
    found = cka.MinibatchCKA()
    for one, other in zip(first, second, strict=True):
        found.add_grams(one, other)
    return found.result().values


def measured(large_block):
    """(table of networks, table of pairs) of three small networks without a block and of three large ones."""
    lines, known = [], {}
    for depth, in_block in ((14, ()), (38, large_block)):
        for seed in (1, 2, 3):
            activations = synthetic(100 * depth + seed, in_block)
            u, s, _ = zip(*(np.linalg.svd(x - x.mean(axis=0), full_matrices=False) for x in activations), strict=True)
            vectors = np.stack([vector[:, 0] for vector in u])
            share = np.array([values[0] ** 2 / (values**2).sum() for values in s])
            block = block_structure.layers_in_block(share, (vectors @ vectors.T) ** 2)
            grams = grams_of(activations)
            without = [gram.copy() for gram in grams]
            for gram in without:
                deflation.deflate(gram, deflation.scores_of(gram))
            (line,) = networks((depth, 1, 1, [block.mean()])).to_dict("records")
            means = block_structure.means_among(similarity(grams, grams), similarity(without, without), block)
            line |= {"seed": seed, "cka_in_block": means[0], "cka_in_block_without_first_component": means[1]}
            lines.append(line)
            known[f"{line['model']}/seed{seed}"] = grams, block
    pairs = [
        (
            one,
            other,
            *summarise_pairs.numbers_of(similarity(known[one][0], known[other][0]), known[one][1], known[other][1]),
        )
        for one, other in itertools.permutations(known, 2)
    ]
    return pd.DataFrame(lines), pd.DataFrame(pairs, columns=summarise_pairs.COLUMNS)


def test_activations_with_a_known_block_and_without_one_get_their_verdicts():
    """From activations to verdicts, by the estimators that the workflow uses."""
    with_block, pairs = measured(range(3, 9))
    assert with_block.layers_in_block.tolist() == [0, 0, 0, 0.5, 0.5, 0.5]
    found = {finding.claim: finding.verdict for finding in verdicts(with_block, pairs)[1]}
    expected = {
        "Deep networks have a block structure, shallow ones have none.": "reproduced",
        "The block structure vanishes when the first principal component is removed.": "reproduced",
        "Without a block, layers at the same relative depth are similar in different networks.": "reproduced",
        "The block structure of one network resembles nothing in another.": "reproduced",
    }
    assert {claim: found[claim] for claim in expected} == expected
    found = {finding.result: finding.verdict for finding in verdicts(*measured(()))[1]}
    assert found["fig1, depth"] == found["fig1-seeds"] == "not reproduced"
    assert found["fig3"] == "not decidable"


def test_equal_depth_maps_ends_to_ends():
    assert block_structure.equal_depth(4, 7).tolist() == [0, 2, 4, 6]
    assert block_structure.equal_depth(5, 5).tolist() == [0, 1, 2, 3, 4]
    assert block_structure.equal_depth(7, 4)[[0, -1]].tolist() == [0, 3]


def residual_blocks(in_block, probes, losses, networks=3, name="n"):
    """A table of residual blocks of equal networks: the accuracy of each block's probe, and the loss without it."""
    lines = []
    for network in range(networks):
        common = {"network": f"{name}/seed{network}", "network_accuracy": 0.9, "share_in_block": np.mean(in_block)}
        for position, (inside, probe, loss) in enumerate(zip(in_block, probes, losses, strict=True), 1):
            place = {**common, "stage": 1, "block": position, "position": position, "in_block": bool(inside)}
            lines.append({**place, "deletion": "probe", "kind": "add", "accuracy": probe})
            lines.append({**place, "deletion": "alone", "kind": "block", "accuracy": 0.9 - loss})
    return pd.DataFrame(lines, columns=block_structure.COLUMNS_OF_BLOCKS)


RISING, STEPS, FLATTER = [0.3, 0.5, 0.7, 0.8], [0.3, 0.6, 0.61, 0.62], [0.3, 0.6, 0.605, 0.61]
LATE, AFTER_ONE = [0, 0, 1, 1], [0, 1, 1, 1]


def beside_one_without(*arguments, losses=(0.4, 0.4, 0.2, 0.2), probes=RISING, name="other", **options):
    """residual_blocks, and a network without a block structure."""
    without = residual_blocks([0, 0, 0, 0], probes, losses, networks=1, name=name)
    return pd.concat([residual_blocks(*arguments, **options), without], ignore_index=True)


def at_threshold(table):
    """What has a block structure, has just enough of it."""
    return table.assign(share_in_block=table.share_in_block.where(table.share_in_block == 0, decisions.HAS_BLOCK))


@pytest.mark.parametrize(
    ("rule", "table", "expected"),
    [
        (decisions.rising_probes, residual_blocks([0, 0, 0, 0], RISING, [0] * 4), "reproduced"),
        (decisions.rising_probes, residual_blocks([0, 0, 0, 0], [0.3, 0.5, 0.4, 0.3], [0] * 4), "not reproduced"),
        # What neither falls nor rises is not rising.
        (decisions.rising_probes, residual_blocks([0, 0, 0, 0], [0.5, 0.5, 0.5, 0.505], [0] * 4), "not reproduced"),
        # Within the slack a fall is none.
        (decisions.rising_probes, residual_blocks([0, 0, 0, 0], [0.3, 0.5, 0.495, 0.49], [0] * 4), "reproduced"),
        (decisions.rising_probes, residual_blocks(AFTER_ONE, RISING, [0] * 4), "not decidable"),
        (decisions.rising_probes, at_threshold(residual_blocks(AFTER_ONE, RISING, [0] * 4)), "not decidable"),
        (decisions.flat_probes, at_threshold(beside_one_without(AFTER_ONE, STEPS, [0] * 4)), "reproduced"),
        (decisions.flat_probes, beside_one_without(AFTER_ONE, STEPS, [0] * 4), "reproduced"),
        (decisions.flat_probes, beside_one_without(AFTER_ONE, RISING, [0] * 4), "not reproduced"),
        # Where they are flat without a block too, nothing is left to decide.
        (decisions.flat_probes, beside_one_without(AFTER_ONE, STEPS, [0] * 4, probes=FLATTER), "not decidable"),
        (decisions.flat_probes, residual_blocks([0, 0, 0, 0], RISING, [0] * 4), "not decidable"),
        (decisions.flat_probes, beside_one_without(AFTER_ONE, STEPS, [0] * 4, networks=2), "not decidable"),
        (decisions.dispensable_blocks, beside_one_without(LATE, RISING, [0.3, 0.3, 0, 0.1]), "reproduced"),
        (decisions.dispensable_blocks, beside_one_without(LATE, RISING, [0.3, 0.2, 0.4, 0.1]), "not reproduced"),
        # Late residual blocks cost half as much without a block too.
        (decisions.dispensable_blocks, beside_one_without(LATE, RISING, [0.4, 0.4, 0.15, 0.15]), "not reproduced"),
        (decisions.dispensable_blocks, residual_blocks(LATE, RISING, [0.3, 0.3, 0, 0.1]), "not decidable"),
        (decisions.dispensable_blocks, BLOCKS, "not decidable"),
        (decisions.rising_probes, BLOCKS, "not decidable"),
        (decisions.flat_probes, BLOCKS, "not decidable"),
    ],
)
def test_residual_blocks_whose_answer_is_known(rule, table, expected):
    assert rule(table).verdict == expected


@pytest.mark.parametrize(
    ("outside", "inside", "expected"),
    [(0.1, 0.05, 0.2 * 0.05 / 0.1), (0.1, -0.05, 0), (0.0, 0.05, np.nan), (-0.1, 0.05, np.nan)],
)
def test_places_that_are_worth_nothing_without_a_block_let_expect_nothing(outside, inside, expected):
    lines = {"position": [1, 2, 3, 4], "in_block": [False, False, True, True]}
    with_block = pd.DataFrame({"network": "a/seed1", **lines, "worth": [0.3, 0.1, 0.01, 0.03]})
    without = pd.DataFrame({"network": "b/seed1", **lines, "worth": [outside, outside, inside, inside]})
    (line,) = block_structure.by_place(with_block, without).itertuples()
    assert (line.inside, line.outside) == pytest.approx((0.02, 0.2))
    assert line.expected == pytest.approx(expected, nan_ok=True)


def test_place_is_judged_by_networks_of_the_same_configuration_where_there_are_any():
    def worth(table):
        table = table[table.deletion == "alone"]
        return table.assign(worth=table.network_accuracy - table.accuracy)

    with_block = worth(residual_blocks(LATE, RISING, [0.4, 0.2, 0.1, 0], networks=1))
    same = worth(residual_blocks([0] * 4, RISING, [0.4, 0.4, 0.4, 0.4], networks=1)).assign(network="n/seed9")
    longer = worth(residual_blocks([0] * 8, [*RISING, *RISING], [0.8, 0.8, 0.8, 0.8, 0.1, 0.2, 0.1, 0.2], name="other"))
    others = [longer, longer.assign(network="another/seed1")]
    (line,) = block_structure.by_place(with_block, pd.concat([same, *others])).itertuples()
    assert (line.inside, line.outside, line.expected) == pytest.approx((0.05, 0.3, 0.3))
    # Of eight blocks the second, fourth, sixth and eighth are at the places of these four.
    (line,) = block_structure.by_place(with_block, longer).itertuples()
    assert line.expected == pytest.approx(0.3 * 0.2 / 0.8)
    # Nearest to the places of three blocks are the first, third and fourth of four.
    three = worth(residual_blocks([0, 1, 1], RISING[:3], [0.4, 0.1, 0.1], networks=1))
    four = worth(residual_blocks([0] * 4, RISING, [0.8, 0.5, 0.2, 0.1], networks=1, name="other"))
    (line,) = block_structure.by_place(three, four).itertuples()
    assert line.expected == pytest.approx(0.4 * 0.15 / 0.8)
    assert block_structure.by_place(same, longer).empty


def fig6(**changes):
    line = {"wide": "W", "deep": "D", "wide_seeds": 5, "deep_seeds": 5, "wide_accuracy": 0.9, "deep_accuracy": 0.91}
    line |= {"observed": 0.2, "expected": 0.1, "p": 0.01, "accuracy_p": 0.3, "splits": 252}
    line |= {"classes": 10, "classes_tested": 10, "classes_that_differ": 2}
    return pd.DataFrame([{**line, **changes}])


@pytest.mark.parametrize(
    ("rule", "table", "expected"),
    [
        (decisions.by_example, fig6(), "reproduced"),
        (decisions.by_example, fig6(p=0.06), "not reproduced"),
        (decisions.by_example, fig6(wide_seeds=3, deep_seeds=3, splits=20), "not decidable"),
        (decisions.by_example, fig6(wide_seeds=3, deep_seeds=4, splits=35), "reproduced"),
        (decisions.by_example, fig6(wide_seeds=4, deep_seeds=4, splits=70), "reproduced"),
        (decisions.by_example, fig6(wide_seeds=1, deep_seeds=18, splits=19), "not decidable"),
        (decisions.by_example, fig6(wide_seeds=1, deep_seeds=19, splits=20), "reproduced"),
        (decisions.by_example, fig6(accuracy_p=0.05), "not decidable"),
        (decisions.by_class, fig6(accuracy_p=0.05), "not decidable"),
        (decisions.by_example, fig6(deep_accuracy=0.95), "not decidable"),
        (decisions.by_example, pd.DataFrame(), "not decidable"),
        (decisions.by_class, fig6(), "reproduced"),
        (decisions.by_class, fig6(classes_that_differ=0), "not reproduced"),
        (decisions.by_class, fig6(classes_that_differ=1), "reproduced"),
        (decisions.by_class, fig6(deep_seeds=2), "not decidable"),
        (decisions.by_class, fig6(deep_seeds=3), "reproduced"),
        (decisions.by_class, fig6(classes_tested=0, classes_that_differ=0), "not decidable"),
        (decisions.by_class, fig6(wide_accuracy=0.8), "not decidable"),
        (decisions.by_class, pd.DataFrame(), "not decidable"),
    ],
)
def test_predictions_whose_answer_is_known(rule, table, expected):
    assert rule(table).verdict == expected


def test_what_figure_6_cannot_decide_is_told_with_the_p_of_the_accuracies():
    found = decisions.by_example(fig6(accuracy_p=0.004))
    assert found.number.endswith("p = 0.01 of 252 splits; accuracies 0.010 apart (p = 0.004)")
    seeds = "W (5 seeds) and D (5 seeds)"
    assert found.why == f"{seeds}: their accuracies are 0.010 apart (p = 0.004), more than seeds explain"
    found = decisions.by_class(fig6(deep_accuracy=0.95))
    assert found.why == f"{seeds}: their accuracies are 0.050 apart (p = 0.3), more than 0.02"
    found = decisions.by_example(fig6(wide_seeds=3, deep_seeds=3, splits=20))
    assert found.why == "W (3 seeds) and D (3 seeds): too few seeds, p cannot be below 0.1"


@pytest.mark.parametrize(
    ("within", "across", "expected"),
    [(0.9, 0.8, "reproduced"), (0.8, 0.9, "not reproduced"), (np.nan, 0.9, "not decidable")],
)
def test_agreement_whose_answer_is_known(within, across, expected):
    lines = [(a, b, within if a == b else across) for a in "xyz" for b in "xyz"]
    table = pd.DataFrame(lines, columns=["first", "second", "agreement"])
    assert decisions.own_kind(table).verdict == expected


def test_agreement_of_half_of_the_configurations_is_not_most_and_one_is_too_few():
    lines = [("x", "x", 0.9), ("x", "y", 0.8), ("y", "x", 0.8), ("y", "y", 0.5)]
    half = pd.DataFrame(lines, columns=["first", "second", "agreement"])
    found = decisions.own_kind(half)
    assert (found.verdict, found.why) == ("not reproduced", "1 of 2 configurations")
    assert decisions.own_kind(half[:1]).verdict == "not decidable"


def test_without_agreement_nothing_is_decided():
    assert decisions.own_kind(AGREEMENT).verdict == "not decidable"


def convergence(*last):
    """Tables of two batch sizes whose unbiased estimates end so far from the full-batch value."""
    lines = []
    for batch_size, apart in zip((16, 64), last, strict=False):
        for minibatches in (1, 640 // batch_size):
            line = {"first": "a", "second": "b", "batch_size": batch_size, "repeat": 0, "minibatches": minibatches}
            lines.append({**line, "unbiased": 0.5 + apart * (minibatches > 1), "biased": 0.9, "full_batch": 0.5})
    return pd.DataFrame(lines)


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        (convergence(0.01, -0.01), "reproduced"),
        (convergence(0.01, -0.03), "not reproduced"),
        (convergence(0.01), "not decidable"),
        (convergence(np.nan, np.nan).assign(full_batch=np.nan), "not decidable"),
        (pd.DataFrame(), "not decidable"),
    ],
)
def test_convergence_whose_answer_is_known(table, expected):
    assert decisions.by_batch_size(table).verdict == expected
