"""All findings together: from tables to files, and from activations to verdicts."""

import itertools
from pathlib import Path

import decide_findings
import numpy as np
import pandas as pd
import pytest
import summarise_pairs
from small_layers import deflated
from small_tables import ALL, NONE, RISING, SMALL, agreement, decided, empty, networks, pairs_table, residual_blocks

from widedeep.analysis import block_structure
from widedeep.formats import tables
from widedeep.measures import cka, gram_matrices
from widedeep.networks.families import configuration_title
from widedeep.paper import CLAIMS
from widedeep.runtime import command
from widedeep.runtime.errors import UserError


def test_what_hardly_trained_decides_nothing_about_pairs_and_residual_blocks():
    table = networks(SMALL, (38, 1, 1, NONE, {"test_accuracy": 0.8}))
    labels = (table.model + "/seed" + table.seed.astype(str)).tolist()
    pairs = pd.concat([pairs_table(1, first=one, second=two) for one in labels for two in labels if one != two])
    far_away = pairs["first"].str.contains("38") | pairs["second"].str.contains("38")
    pairs.loc[far_away, "equal_depth"] = 0.1
    probes = residual_blocks([0, 0, 0, 0], RISING, [0] * 4).assign(network=np.repeat(labels[:3], 8))
    falling = residual_blocks([0, 0, 0, 0], RISING[::-1], [0] * 4).assign(network=np.repeat(labels[3:], 8))
    names = table.apply(configuration_title, axis=1).unique().tolist()
    agreeing = agreement(*((a, b, 0.9 if a == b else 0.8) for a in (*names, "x") for b in (*names, "x")))
    found = decided(table, pairs=pairs, blocks=pd.concat([probes, falling]), agreement=agreeing)
    assert found["equal-depth"].verdict == found["rising-probes"].verdict == "reproduced"
    assert found["equal-depth"].why.startswith("6 ordered pairs ")
    assert "3 hardly trained" in found["equal-depth"].why
    assert found["agreement"].why == "2 of 2 configurations"


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
    assert deep.number == "share of layers in the block: 0.00 (0.00 to 0.00) and 0.40 (0.30 to 0.50)"
    for path in out[1:]:
        text = Path(path).read_text()
        for line in table.itertuples():
            assert line.claim in text
            assert line.number in text
            assert line.verdict in text


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
            without = [deflated(gram)[0] for gram in grams]
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
    return pd.DataFrame(lines), pd.DataFrame(pairs, columns=tables.columns("pairs.csv"))


def test_activations_with_a_known_block_and_without_one_get_their_verdicts():
    """From activations to verdicts, by the estimators that the workflow uses."""
    with_block, pairs = measured(range(3, 9))
    assert with_block.layers_in_block.tolist() == [0, 0, 0, 0.5, 0.5, 0.5]
    found = decided(with_block, pairs=pairs)
    for claim in ("depth", "first-component", "equal-depth", "own-block"):
        assert found[claim].verdict == "reproduced"
    table, pairs = measured(())
    found = decided(table, pairs=pairs)
    assert found["depth"].verdict == found["seeds"].verdict == "not reproduced"
    assert found["first-component"].verdict == "not decidable"
