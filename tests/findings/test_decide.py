"""All findings together: from tables to files, and from activations to verdicts."""

import itertools
from pathlib import Path
from types import SimpleNamespace

import decide_findings
import numpy as np
import pandas as pd
import pytest
import summarise
import summarise_pairs
from small_layers import deflated
from small_tables import ALL, NONE, RISING, SMALL, decided, empty, networks, pairs_table, residual_blocks

from widedeep.analysis import block_structure
from widedeep.findings.sensitivity import sensitivity
from widedeep.formats import tables
from widedeep.measures import cka, gram_matrices
from widedeep.paper import CLAIMS
from widedeep.runtime import command
from widedeep.runtime.errors import UserError


def test_what_hardly_trained_decides_nothing_about_pairs_and_residual_blocks():
    table = networks(SMALL, (38, 1, 1, NONE, {"train_accuracy": 0.8}))
    labels = (table.model + "/seed" + table.seed.astype(str)).tolist()
    pairs = pairs_table(8).replace({f"a{place}": label for place, label in enumerate(labels)})
    far_away = pairs["first"].str.contains("38") | pairs["second"].str.contains("38")
    pairs.loc[far_away, "equal_depth"] = 0.1
    probes = residual_blocks([0, 0, 0, 0], RISING, [0] * 4, networks=4).assign(network=np.repeat(labels[:4], 8))
    falling = residual_blocks([0, 0, 0, 0], RISING[::-1], [0] * 4, networks=4).assign(network=np.repeat(labels[4:], 8))
    found = decided(table, pairs=pairs, blocks=pd.concat([probes, falling]))
    assert found["equal-depth"].verdict == found["rising-probes"].verdict == "reproduced"
    assert found["equal-depth"].why.startswith("12 ordered pairs ")
    assert "4 hardly trained" in found["equal-depth"].why


def test_the_files_say_the_same_and_the_number_shows_the_spread(tmp_path):
    summary = networks(SMALL, (38, 1, 1, ALL)).reindex(columns=tables.columns("summary.csv"), fill_value=0)
    summary.to_csv(tmp_path / "summary.csv", index=False)
    empty("pairs.csv").to_csv(tmp_path / "pairs.csv", index=False)
    out = [f"{tmp_path}/findings.{end}" for end in ("csv", "md", "html")]
    summary[:0].to_csv(tmp_path / "none.csv", index=False)
    with pytest.raises(UserError, match=r"none\.csv: .*summarise\.py"):
        decide_findings.main([f"{tmp_path}/none.csv", f"{tmp_path}/pairs.csv", "--out", *out])
    command.release()
    decide_findings.main([f"{tmp_path}/summary.csv", f"{tmp_path}/pairs.csv", "--out", *out])
    table = tables.read(out[0])
    assert table.id.tolist() == [*CLAIMS]
    assert table.result.tolist() == [claim.result for claim in CLAIMS.values()]
    assert table.claim.tolist() == [claim.text for claim in CLAIMS.values()]
    deep = table.set_index("id").loc["depth"]
    assert deep.why == "ResNet-14 1x (49 layers) and ResNet-38 1x (49 layers)"
    assert "0 of 4 small ones, 3 of 3 large ones" in deep.number
    for path in out[1:]:
        text = Path(path).read_text()
        for line in table.itertuples():
            for told in (line.claim, line.number, line.interval, line.smallest_effect, line.verdict):
                assert told in text
        assert "0.223 (0.200 to 0.250)" in text  # the table of sensitivity


def test_figure_6_decides_nothing_on_configurations_with_networks_that_hardly_trained():
    table = networks(SMALL, (38, 1, 1, ALL))
    line = dict.fromkeys(tables.columns("fig6.csv"), 0.0)
    line |= {"wide": "ResNet-14 1x", "deep": "ResNet-38 1x", "wide_seeds": 4, "deep_seeds": 3, "splits": 35}
    line |= {"p": 0.01, "p_classes": 0.01}
    examples = pd.DataFrame([line])
    for claim in ("examples", "classes"):
        assert decided(table, examples=examples)[claim].verdict == "reproduced"
        table.loc[table.index[-1], "train_accuracy"] = 0.5
        found = decided(table, examples=examples)[claim]
        assert found.verdict == "not decidable"
        assert "ResNet-38 1x has seeds that hardly trained" in found.why
        table.loc[table.index[-1], "train_accuracy"] = 0.99


def test_the_sensitivity_counts_networks_by_threshold():
    contrasts = (0.039, 0.04, 0.06, 0.08, 0.099, 0.1, float("nan"))
    table = sensitivity(networks((38, 1, 1, contrasts), (8, 1, 1, (float("nan"),))))
    line, other = table.to_dict("records")
    assert line == {
        "configuration": "ResNet-38 1x (49 layers)",
        "networks": "7",
        "contrast": "0.070 (0.039 to 0.100)",
        **{"0.04": "5", "0.06": "4", "0.08": "3", "0.10": "1"},
    }
    assert other["contrast"] == "too few residual blocks"
    assert other["0.06"] == ""


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
    """(table of networks, table of pairs) of four small networks without a block and of five large ones."""
    lines, known = [], {}
    for depth, in_block, seeds in ((14, (), 4), (38, large_block, 5)):
        for seed in range(1, seeds + 1):
            activations = synthetic(100 * depth + seed, in_block)
            u, s, _ = zip(*(np.linalg.svd(x - x.mean(axis=0), full_matrices=False) for x in activations), strict=True)
            share = np.array([values[0] ** 2 / (values**2).sum() for values in s])
            grams = grams_of(activations)
            without = [deflated(gram)[0] for gram in grams]
            layers = range(1, len(share) + 1)  # each is a residual block
            comparison = SimpleNamespace(
                cka=similarity(grams, grams),
                deflated=similarity(without, without),
                first=SimpleNamespace(stages=[1] * len(layers), blocks=[*layers]),
            )
            first = SimpleNamespace(share=share, values=np.stack([vector[:, 0] for vector in u]))
            (line,) = networks((depth, 1, 1, [0])).to_dict("records")
            lines.append(line | {"seed": seed} | summarise.block_of(first, comparison))
            block = block_structure.block_of_network(comparison.cka, [1] * len(layers), [*layers])
            known[f"{line['model']}/seed{seed}"] = grams, block
    pairs = [
        (
            one,
            other,
            *summarise_pairs.numbers_of(similarity(known[one][0], known[other][0]), known[one][1], known[other][1]),
        )
        for one, other in itertools.permutations(known, 2)
    ]
    return pd.DataFrame(lines), pd.DataFrame(pairs, columns=tables.columns("pairs.csv"))


def test_activations_with_a_known_block_and_without_one_get_their_verdicts():
    """From activations to verdicts, by the estimators that the workflow uses."""
    table, pairs = measured(range(3, 9))
    large = table[table.depth == 38]
    assert large[["block_start", "block_stop"]].to_numpy().tolist() == [[3, 9]] * 5
    found = decided(table, pairs=pairs)
    figure_3 = ("shared-component", "dominant-component", "weakened-block", "vanished-block")
    for claim in ("depth", *figure_3, "equal-depth", "own-block"):
        assert found[claim].verdict == "reproduced", found[claim]
    table, pairs = measured(())
    found = decided(table, pairs=pairs)
    assert (table.contrast < block_structure.LEAST_CONTRAST).all()
    assert found["depth"].verdict == found["seeds"].verdict == "not decidable"
    assert {found[claim].verdict for claim in figure_3} == {"not decidable"}
