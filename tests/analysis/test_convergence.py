"""Appendix A against the definitions, and the two facts that it shows."""

import converge_cka
import numpy as np
import oracles
import pandas as pd
import pytest
import small
import small_weights
import torch
from torch import nn

from widedeep.analysis import convergence
from widedeep.data import minibatches
from widedeep.formats import tables
from widedeep.measures.cka import cka
from widedeep.networks import tracing
from widedeep.runtime.errors import UserError

RNG = np.random.default_rng(8)
X = RNG.normal(size=(60, 40))
Y = X[:, :10] @ RNG.normal(size=(10, 30)) + 2 * RNG.normal(size=(60, 30)) + 5
GRAMS = np.stack([oracles.gram(X), oracles.gram(Y)])


def biased_hsic(k, l):  # noqa: E741
    n = len(k)
    h = np.eye(n) - 1 / n
    return np.trace(k @ h @ l @ h) / (n - 1) ** 2


def test_both_estimators_are_means_before_the_ratio():
    ids = minibatches.minibatches(60, 12, 2, 3)
    unbiased, biased = convergence.cka_after_each_minibatch(GRAMS, ids)
    for found, hsic in ((unbiased, oracles.hsic1), (biased, biased_hsic)):
        for number in (1, 4, len(ids)):
            parts = [(oracles.gram(X[one]), oracles.gram(Y[one])) for one in ids[:number]]
            cross, first, second = (
                np.mean([hsic(pair[a], pair[b]) for pair in parts]) for a, b in ((0, 1), (0, 0), (1, 1))
            )
            assert found[number - 1, 0, 1] == pytest.approx(cross / np.sqrt(first * second))


def test_the_full_batch_value_is_the_library_s_and_one_minibatch_of_all_reaches_it():
    lines = convergence.table(["x", "y"], GRAMS, [60], 1, 0)
    assert {line["full_batch"] for line in lines} == {lines[0]["full_batch"]}
    assert lines[0]["full_batch"] == pytest.approx(cka(X, Y))
    assert lines[0]["unbiased"] == pytest.approx(cka(X, Y))


def test_the_unbiased_estimator_reaches_the_full_batch_value_and_the_biased_one_does_not():
    lines = pd.DataFrame(convergence.table(["x", "y"], GRAMS, [6, 20], 200, 0))
    last = lines.groupby(["batch_size", "repeat"]).last()
    apart = (last[["unbiased", "biased"]].sub(last.full_batch, axis=0)).groupby("batch_size").mean().abs()
    assert (apart.unbiased < 0.02).all()
    assert (apart.biased > 0.2).all()
    assert apart.biased[6] > apart.biased[20]


def test_the_gram_matrix_is_that_of_the_layer():
    network, images = small.train().network.eval(), small.split(20, 9).images
    layer = tracing.layers_of(network)[5]
    kept = []
    with tracing.watching([layer], lambda _, output: kept.append(output.numpy().reshape(20, -1))), torch.no_grad():
        network(torch.from_numpy(images).float() / 255)
    found = convergence.gram_of(network, layer, images, 7, small.CPU)
    np.testing.assert_allclose(found, oracles.gram(kept[0]), rtol=1e-4, atol=1e-4 * np.abs(found).max())


def test_what_works_in_place_behind_the_layer_does_not_change_its_gram_matrix():
    network = nn.Sequential(nn.Flatten(), nn.Linear(64, 5), nn.ReLU(inplace=True)).eval()
    images = small.split(20, 9).images
    with torch.no_grad():
        outputs = network[1](torch.from_numpy(images).flatten(1) / 255).numpy()
    found = convergence.gram_of(network, tracing.layers_of(network)[0], images, 7, small.CPU)
    np.testing.assert_allclose(found, oracles.gram(outputs), rtol=1e-4, atol=1e-4 * np.abs(found).max())


def test_a_large_mean_does_not_change_the_gram_matrix():
    network, images = nn.Sequential(nn.Flatten(), nn.Linear(64, 5)).eval(), small.split(20, 9).images
    layers = tracing.layers_of(network)
    expected = convergence.gram_of(network, layers[0], images, 7, small.CPU)
    with torch.no_grad():
        network[1].bias += 1000
    found = convergence.gram_of(network, layers[0], images, 7, small.CPU)
    np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("exponent", [-90, 90])
def test_the_gram_matrix_of_a_layer_of_any_scale(exponent):
    """Float32 cannot hold the squares of these."""
    network, images = nn.Sequential(nn.Flatten(), nn.Linear(64, 5)).eval(), small.split(20, 9).images
    layers = tracing.layers_of(network)
    expected = convergence.gram_of(network, layers[0], images, 7, small.CPU)
    with torch.no_grad():
        network[1].weight *= 2.0**exponent
        network[1].bias *= 2.0**exponent
    found = convergence.gram_of(network, layers[0], images, 7, small.CPU)
    np.testing.assert_allclose(found * 4.0**-exponent, expected, atol=1e-6 * np.abs(expected).max())


def test_layers_are_the_ends_of_stages():
    names = [layer.name for layer in convergence.three_layers(small.train().network)]
    assert names == [f"stage{stage}.block1.relu2" for stage in (1, 2, 3)]


def test_a_batch_larger_than_the_examples_is_refused():
    with pytest.raises(UserError, match=r"batch_size is 80\b.*\b4 and\b.*\b60\b"):
        convergence.table(["x", "y"], GRAMS, [80], 1, 0)


def test_the_program_writes_figure_and_table(tmp_path):
    data_file = small.write_dataset(tmp_path / "blobs.h5")
    weights = small_weights.write(tmp_path / "m.safetensors", small.train().network, data_file)
    out = [str(tmp_path / f"A.{end}") for end in ("png", "csv")]
    words = ["--data", str(data_file), "--batch-sizes", "8", "16", "--passes", "2", "--out", *out]
    converge_cka.main(["--weights", str(weights), *words])
    table = tables.read(out[1])
    assert set(table.batch_size) == {8, 16}
    assert table.groupby(["first", "second"]).ngroups == 3
    assert table.examples.max() == 80
