"""Dumps of both forms against the activations themselves, and everything that must be refused."""

import gc
import math
import shutil
import weakref
from collections import namedtuple

import dump_activations
import h5py
import numpy as np
import oracles
import pytest
import small
import torch
from small_dumps import network, write

from widedeep.analysis import activations as sweep
from widedeep.analysis import similarity
from widedeep.data import augmentation, minibatches
from widedeep.formats import components, dataset, dump_options, dumps, predictions, seals, weights
from widedeep.measures import cka, on_device
from widedeep.names import Network
from widedeep.networks import tracing
from widedeep.runtime.errors import UserError
from widedeep.training.recipe import settings_of


def activations(net, ids):
    """Every layer's output on one minibatch, in float64 and in torch's order of features."""
    kept = []
    images = torch.from_numpy(small.split(40, 5).images).permute(0, 2, 3, 1)
    with torch.inference_mode(), tracing.watching(tracing.layers_of(net), lambda _, out: kept.append(out.clone())):
        net(augmentation.plain(images, torch.from_numpy(ids)))
    return [output.flatten(1).double().numpy() for output in kept]


@pytest.mark.parametrize(("form", "tolerance"), [("gram", 1e-7), ("raw", 1e-7), ("raw16", 2e-3)])
def test_every_form_gives_the_cka_of_the_activations(tmp_path, form, tolerance):
    net = network()
    with dumps.Dump(write(tmp_path / "a.h5", form, net)) as dump:
        ((measures, *_),) = similarity.compare([(dump, dump)])
        result = measures["cka"]
        terms = [[], [], []]
        for ids in dump.sample_ids:
            grams = [oracles.gram(layer) for layer in activations(net, ids)]
            terms[0].append([[oracles.hsic1(k, l) for l in grams] for k in grams])  # noqa: E741
    cross = np.mean(terms[0], axis=0)
    expected = cross / np.sqrt(np.outer(np.diagonal(cross), np.diagonal(cross)))
    assert np.abs(result.values - expected).max() < tolerance


def test_the_dump_says_what_it_holds(tmp_path):
    net = network()
    with dumps.Dump(write(tmp_path / "a.h5", net=net)) as dump:
        assert dump.label == "blobs-resnet8-w1-f100/seed1"
        assert [layer.name for layer in dump.layers] == [layer.name for layer in tracing.layers_of(net)]
        add = dump.layers[-4]
        assert (add.name, add.kind, add.stage, add.block, add.shape) == ("stage3.block1.add", "add", 3, 1, (64, 2, 2))
        assert dump.layers[-1].shape == (3,)
        np.testing.assert_array_equal(dump.sample_ids, minibatches.minibatches(40, 16, 2, 0))
        norms = dump._file["layers"]["stem.conv"]["squared_norms"][1]
        assert dump._file["layers"]["stem.conv"]["gram"].chunks == (1, 120)
    expected = (activations(net, minibatches.minibatches(40, 16, 2, 0)[1])[0] ** 2).sum(axis=1)
    np.testing.assert_allclose(norms, expected, rtol=1e-5)


def test_batch_norm_and_relu_differ_since_nothing_is_overwritten(tmp_path):
    """Tools that keep an output which a later ReLU changes in place report exactly 1 here."""
    with dumps.Dump(write(tmp_path / "a.h5")) as dump:
        ((measures, *_),) = similarity.compare([(dump, dump)])
        result = measures["cka"]
        names = [layer.name for layer in dump.layers]
    position = names.index("stage3.block1.bn1")
    assert names[position + 1] == "stage3.block1.relu1"
    assert result.values[position, position + 1] < 0.999


def test_layers_can_be_chosen_by_kind_and_by_pattern():
    net = network()
    assert {layer.kind for layer in sweep.choose(net, kinds=["add", "bn"])} == {"add", "bn"}
    chosen = [layer.name for layer in sweep.choose(net, pattern="stage3.*relu?")]
    assert chosen == ["stage3.block1.relu1", "stage3.block1.relu2"]
    with pytest.raises(UserError, match=r"stage9\.\*"):
        sweep.choose(net, pattern="stage9.*")


@pytest.mark.parametrize("stay", [True, False], ids=["as cuda", "as mps"])
def test_a_dump_by_the_path_of_other_devices_is_that_of_the_cpu(tmp_path, monkeypatch, stay):
    with dumps.Dump(write(tmp_path / "cpu.h5")) as expected:
        monkeypatch.setattr(on_device, "computes_apart", lambda _: True)
        monkeypatch.setattr(on_device, "_stay_on", lambda _: stay)
        called = []
        original = on_device.first_scores_on_device
        monkeypatch.setattr(
            on_device, "first_scores_on_device", lambda *grams: called.append(len(grams[0])) or original(*grams)
        )
        with dumps.Dump(write(tmp_path / "device.h5")) as found:
            assert called == [28] * 4  # all layers of a minibatch at once
            (of_both,) = similarity.compare([(expected, found)])
            (alone,) = similarity.compare([(expected, expected)])
            assert [layer.name for layer in found.layers] == [layer.name for layer in expected.layers]
    # Without the first component more of the digits are rounding.
    np.testing.assert_allclose(of_both.measures["cka"].values, alone.measures["cka"].values, atol=1e-7)
    np.testing.assert_allclose(of_both.measures["deflated"].values, alone.measures["deflated"].values, atol=1e-5)


@pytest.mark.parametrize("limits", [{"_SQUARED_AT_ONCE": 5 * 16**2}, {"_SQUARED_ON_CPU": 15}])
@pytest.mark.parametrize("apart", [False, True])
def test_neither_the_layers_that_wait_together_nor_how_scores_are_found_matters(tmp_path, monkeypatch, limits, apart):
    net = network()
    monkeypatch.setattr(on_device, "computes_apart", lambda _: apart)
    expected, found = write(tmp_path / "a.h5", net=net), tmp_path / "b.h5"
    for name, value in limits.items():
        monkeypatch.setattr(on_device, name, value)
    together, original = [], on_device.on_host
    monkeypatch.setattr(on_device, "on_host", lambda layers: together.append(len(layers)) or original(layers))
    write(found, net=net)
    # The host does not wait for another device within a forward pass, whatever the number of layers.
    assert max(together) == (5 if "_SQUARED_AT_ONCE" in limits and not apart else 28)
    with h5py.File(expected) as one, h5py.File(found) as other:
        for layer, group in one["layers"].items():
            for part in group:
                a, b = (np.abs(file["layers"][layer][part][:]) for file in (one, other))  # a vector has no sign
                np.testing.assert_allclose(b, a, atol=1e-5 * np.nanmax(a), err_msg=f"{layer} {part}")


def test_no_layers_output_outlives_the_next_layer(tmp_path, monkeypatch):
    """Memory is that of a forward pass: the dump itself keeps no activations."""
    alive, original = [], on_device.started_gram

    def remembering(output):
        alive.append(weakref.ref(output))
        return original(output)

    monkeypatch.setattr(on_device, "started_gram", remembering)
    write(tmp_path / "a.h5")
    gc.collect()
    assert len(alive) == 2 * 2 * 28  # passes, minibatches, layers
    assert not any(reference() is not None for reference in alive)


def test_raw_dumps_are_refused_where_the_disk_lacks_room(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: namedtuple("usage", "free")(10_000))
    with pytest.raises(UserError, match=r"a\.h5.*dumps\.form gram"):
        write(tmp_path / "a.h5", "raw")
    assert not list(tmp_path.iterdir())
    write(tmp_path / "a.h5", "gram")


def test_raw_bytes_are_what_the_activations_take(tmp_path):
    with dumps.Dump(write(tmp_path / "a.h5", "raw")) as dump:
        stored = sum(group["activations"].id.get_storage_size() for group in dump._file["layers"].values())
        features = sum(math.prod(layer.shape) for layer in dump.layers)
        assert dump_options.raw_bytes("raw", features, dump.sample_ids.size) == stored


def test_gram_bytes_are_what_gram_matrices_take(tmp_path):
    with dumps.Dump(write(tmp_path / "a.h5")) as dump:
        stored = sum(part.id.get_storage_size() for group in dump._file["layers"].values() for part in group.values())
        minibatches, batch_size = dump.sample_ids.shape
        assert dump_options.gram_bytes(len(dump.layers), batch_size, minibatches) == stored


@pytest.mark.parametrize("form", ["gram", "raw"])
@pytest.mark.parametrize("exponent", [-100, -70, -56, -50, -30, 30, 55, 63, 70, 100])
def test_a_layer_of_any_scale_has_its_cka_or_the_reason_why_not(tmp_path, form, exponent):
    def outputs(scale):
        net = network()
        with torch.no_grad():
            net.logits.weight *= scale
            net.logits.bias *= scale
        with dumps.Dump(write(tmp_path / f"{scale}.h5", form, net)) as dump:
            ((measures, *_),) = similarity.compare([(dump, dump)])
        return measures

    expected, found = outputs(1), outputs(2.0**exponent)
    for measure in ("cka", "deflated"):
        reason = found[measure].undefined_first[-1]
        if reason:
            assert form == "gram"
            assert abs(exponent) > 50
            assert reason == cka.NOT_FINITE
            assert np.isnan(found[measure].values[-1]).all()
        else:
            np.testing.assert_allclose(found[measure].values, expected[measure].values, atol=1e-6)


def test_float16_refuses_what_it_cannot_hold(tmp_path):
    net = network()
    with torch.no_grad():
        net.logits.bias[0] = 1e6
    with pytest.raises(UserError, match=r"layer logits: .* 1e\+06 .*float16.*dumps\.form"):
        write(tmp_path / "a.h5", "raw16", net)
    with torch.no_grad():
        net.logits.weight.zero_()
        net.logits.bias.fill_(1e-5)
    with pytest.raises(UserError, match=r"layer logits: .* 1e-05 .*too small for float16.*dumps\.form"):
        write(tmp_path / "b.h5", "raw16", net)
    assert not list(tmp_path.iterdir())


def test_refuses_files_that_are_missing_truncated_altered_or_something_else(tmp_path):
    path = write(tmp_path / "a.h5")
    whole = path.read_bytes()
    with pytest.raises(UserError, match=r"none\.h5: no such file"):
        dumps.Dump(tmp_path / "none.h5")
    for length in (0, 5, 600, len(whole) // 2, len(whole) - 200):
        path.write_bytes(whole[:length])
        with pytest.raises(UserError, match=r"a\.h5: .*truncated.*dump"):
            dumps.Dump(path)
    path.write_bytes(whole)
    for change, words in (({"schema_version": 9}, "9.* 3 "), ({"kind": "cka"}, "cka.*activations")):
        with h5py.File(path, "a") as file:
            before = dict(file.attrs)
            file.attrs.update(change)
        with pytest.raises(UserError, match=r"a\.h5: .*checksum"):
            dumps.Dump(path)
        seals.write(path)
        with pytest.raises(UserError, match=rf"a\.h5: .*{words}"):
            dumps.Dump(path)
        with h5py.File(path, "a") as file:
            file.attrs.update({key: before[key] for key in change})
        seals.write(path)
    dumps.Dump(path).__exit__()


def test_random_damage_gives_a_result_or_one_sentence(tmp_path):
    path = write(tmp_path / "a.h5")
    whole = bytearray(path.read_bytes())
    rng, sentences = np.random.default_rng(0), []
    for _ in range(60):
        damaged = bytearray(whole)
        for position in rng.integers(0, len(whole), 20):
            damaged[position] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            with dumps.Dump(path) as dump:
                similarity.compare([(dump, dump)])
        except UserError as error:
            sentences.append(str(error))
    assert sentences
    assert all("a.h5: " in sentence and "\n" not in sentence for sentence in sentences)


@pytest.mark.parametrize(
    ("other", "named"),
    [
        ({"sample_ids": minibatches.minibatches(40, 16, 2, 1)}, r"\(4, 16\).*\(4, 16\)"),
        ({"sample_ids": minibatches.minibatches(40, 16, 1, 0)}, r"\(2, 16\).*\(4, 16\)"),
        ({"sample_ids": np.ascontiguousarray(minibatches.minibatches(40, 16, 2, 0)[:, ::-1])}, r"\(4, 16\).*\(4, 16\)"),
        ({"origin": dumps.Origin("m", 1, "xyz", "test")}, "data_checksum xyz .*abc"),
        ({"origin": dumps.Origin("m", 1, "abc", "train")}, "split train .*test"),
    ],
)
def test_refuses_to_compare_other_examples_or_another_order(tmp_path, other, named):
    write(tmp_path / "a.h5")
    write(tmp_path / "b.h5", **other)
    with (
        dumps.Dump(tmp_path / "a.h5") as a,
        dumps.Dump(tmp_path / "b.h5") as b,
        pytest.raises(UserError, match=rf"b\.h5: .*a\.h5.*{named}"),
    ):
        similarity.compare([(a, b)])


def test_a_dump_of_the_first_examples_only(tmp_path):
    """Dumps and first components see them alone, predictions the whole test set."""
    path = small.write_dataset(tmp_path / "blobs.h5")
    description = dataset.describe(path)
    identity = settings_of(Network(small.MODEL, 1), small.recipe(), description.train_checksum)
    weights.save(tmp_path / "m", small.train().network, small.MODEL, identity, description)
    out = [f"{tmp_path}/{name}.h5" for name in ("dump", "components", "predictions")]
    options = ["--out", out[0], "--components", out[1], "--predictions", out[2]]
    words = ["--data", str(path), "--batch-size", "8", "--passes", "2", "--examples", "20"]
    dump_activations.main([f"{tmp_path}/m", *words, *options])
    with dumps.Dump(out[0]) as dump:
        assert dump.sample_ids.shape == (2 * 2, 8)
        assert dump.sample_ids.max() < 20
    _, first = components.read(out[1])
    assert first.values.shape[1] == 20
    (answers,) = predictions.read_all([out[2]])
    assert len(answers.labels) == 40
