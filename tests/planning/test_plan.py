"""What scripts/plan.py says before a study runs, against what studies are and do."""

import subprocess
import sys
from pathlib import Path

import plan
import pytest
import small
import study
import torch
import yaml

from widedeep.analysis import activations, first_components, similarity
from widedeep.data import minibatches
from widedeep.formats import dataset, dumps, predictions
from widedeep.formats import weights as widedeep_weights
from widedeep.names import Configuration
from widedeep.networks import cifar_resnet, tracing
from widedeep.networks.build import build
from widedeep.planning import costs
from widedeep.runtime.errors import UserError
from widedeep.study import config as study_config
from widedeep.training import loop as widedeep_training

TINY = "tests/workflow/tiny.yaml"
# The data of tests/small.py: as its `train` has them, with 40 images to dump.
BLOBS = costs.Images(train_examples=50, test_examples=40, shape=(1, 8, 8), classes=3)


def config_of_blobs(**dumped):
    return {
        "study": "blobs",
        "dataset": {"name": "blobs", "folder": "images", "image_size": 8},
        "grid": [{"depths": [8], "widths": [0.5], "seeds": [1, 2]}],
        "training": {"epochs": 3, "batch_size": 16},
        "dumps": {"batch_size": 16, "passes": 2} | dumped,
        "figures": {"fig5": {"models": [{"depth": 8, "width": 0.5}]}},
    }


def checked(tmp_path, config):
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(config))
    return study_config.read(path)


def run(*words, cwd=None):
    return subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, cwd=cwd)


def test_operations_are_those_of_a_slow_count_by_hand():
    """ResNet-14 on 32 x 32: a stem, three stages of two blocks of two 3 x 3 convolutions, two shortcuts, the logits."""
    convolutions, filters_in = [(3, 3, 16, 32)], 16  # kernel, filters before and of it, side of its output
    for filters, side in ((16, 32), (32, 16), (64, 8)):
        for _block in range(2):
            convolutions += [(3, filters_in, filters, side), (3, filters, filters, side)]
            if filters != filters_in:
                convolutions.append((1, filters_in, filters, side))
            filters_in = filters
    multiply_adds = 0
    for kernel, before, filters, side in convolutions:
        for _pixel in range(side * side):
            for _filter in range(filters):
                multiply_adds += kernel * kernel * before
    multiply_adds += 64 * 10
    images = costs.Images(50_000, 10_000, (3, 32, 32), 10)
    layers, forward = costs.counted(costs.unfilled(Configuration("cifar10", "resnet", 14, 1, 1), images), images)
    assert forward == 2 * multiply_adds
    assert len(layers) == 7 * 6 + 7
    assert layers[0].shape == (16, 32, 32)


def test_dense_layers_and_strides_of_other_families_are_counted():
    images = costs.Images(1, 1, (3, 224, 224), 1000)
    _, forward = costs.counted(costs.unfilled(Configuration("x", "bottleneck", 50, 1, 1), images), images)
    # torchvision's documentation gives 4.09 GFLOPs (multiply-adds) for resnet50.
    assert forward / 2 == pytest.approx(4.09e9, rel=0.005)


def test_operations_of_a_training_are_those_of_the_images_that_go_through_its_network(monkeypatch):
    seen, original = [], cifar_resnet.CifarResNet.forward

    def counting(network, x):
        seen.append((3 if network.training else 1) * len(x))
        return original(network, x)

    monkeypatch.setattr(cifar_resnet.CifarResNet, "forward", counting)
    small.train().metrics()
    images = costs.Images(50, 30, (1, 8, 8), 3)
    assert seen[:2] == [2, 2]  # what is checked before the training
    assert costs.training_flops(7, small.MODEL, images, {"epochs": 3, "batch_size": 16}) == 7 * sum(seen[2:])


@pytest.mark.parametrize("dumped", [{"passes": 2}, {"passes": 40}, {"passes": 2, "examples": 20}])
def test_sizes_on_disk_are_within_5_percent_of_a_real_run(tmp_path, dumped):
    """With few minibatches, more than the first node of HDF5's index of chunks holds, and a part of the test set."""
    config = checked(tmp_path, config_of_blobs(**dumped))
    (cost,) = costs.of_study(config, BLOBS)
    made = dataset.describe(small.write_dataset(tmp_path / "dataset.h5"))
    test = small.split(40, 1)
    images = test.images[: dumped.get("examples")]
    sample_ids = minibatches.minibatches(len(images), 16, dumped["passes"], 0)
    paths = {}
    for seed in (1, 2):
        network = small.train(seed).network.eval()
        settings = widedeep_training.settings(small.MODEL, seed, small.recipe(), made.train_checksum)
        widedeep_weights.save(tmp_path / "weights", network, small.MODEL, settings, made)
        layers, origin = tracing.layers_of(network), dumps.Origin(str(small.MODEL), seed, made.test_checksum, "test")
        for form in dumps.FORMS:
            paths[form, seed] = tmp_path / f"{form}{seed}.h5"
            activations.write_dump(paths[form, seed], network, layers, images, sample_ids, form, origin, small.CPU)
    answers = activations.log_probabilities(network, test.images, 16, small.CPU)
    predictions.write(tmp_path / "predictions.h5", answers, test.labels, origin)
    first = first_components.first_components(network, layers, images, 16, small.CPU)
    small.write_components(tmp_path / "pca.h5", first, origin)
    with dumps.Dump(paths["gram", 1]) as one, dumps.Dump(paths["gram", 2]) as other:
        similarity.write(tmp_path / "cka.h5", {"/": (one, one)})
        similarity.write(tmp_path / "pairs.h5", {"seed1--seed2": (one, other)})
    (pairs,) = costs.pairs_files(config, [cost])
    planned = {
        "weights": cost.weights,
        "predictions.h5": cost.predictions,
        "pca.h5": cost.components,
        "cka.h5": cost.cka,
        "pairs.h5": pairs.size,
        **{f"{form}1.h5": cost.dumps[form] for form in dumps.FORMS},
    }
    written = {name: (tmp_path / name).stat().st_size for name in planned}
    assert planned == {name: pytest.approx(size, rel=0.05) for name, size in written.items()}
    assert pairs.dumps_read == 2 * cost.dumps["gram"]


def test_a_file_of_pairs_holds_all_pairs_of_its_larger_seed(tmp_path):
    """Figure F draws 20 pairs; the file of the last one holds the rest of its seed's too (scripts/compute_pairs.py)."""
    content = config_of_blobs()
    content["grid"][0]["seeds"] = list(range(1, 9))
    config = checked(tmp_path, content)
    (cost,) = costs.of_study(config, BLOBS)
    of_a_pair = costs.comparison_size(cost.layers, cost.layers)
    assert [file.size / of_a_pair for file in costs.pairs_files(config, [cost])] == [1, 2, 3, 4, 5, 6]
    assert costs.pairs_files(config, [cost])[-1].dumps_read == 7 * cost.dumps["gram"]


def test_activations_of_a_training_are_what_autograd_keeps(tmp_path):
    config = checked(tmp_path, config_of_blobs())
    network = build("resnet", 8, 2, 3, 1, generator=torch.Generator().manual_seed(0)).train()
    own, kept = {parameter.data_ptr() for parameter in network.parameters()}, {}

    def keep(tensor):
        if tensor.data_ptr() not in own:
            kept[tensor.data_ptr()] = tensor.detach()  # alive, so that no other tensor takes its place
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = network(torch.zeros(16, 1, 8, 8)).sum()
    assert loss.requires_grad
    layers, _ = costs.counted(costs.unfilled(Configuration("blobs", "resnet", 8, 2, 1), BLOBS), BLOBS)
    # The rest of the estimate does not depend on the batch.
    planned = [
        costs._training_memory(layers, 0, BLOBS, {**config, "training": {"batch_size": batch_size}})
        for batch_size in (16, 0)
    ]
    assert planned[0] - planned[1] == pytest.approx(sum(tensor.nbytes for tensor in kept.values()), rel=0.1)


def test_jobs_are_those_of_a_study_of_which_nothing_is_there(tmp_path):
    """Also where a part is."""
    made = study.Study.new(tmp_path)
    expected = made.jobs_of_dry_run()
    assert plan.jobs_of(TINY) == expected
    made.snakemake("data/digits/dataset.h5")
    assert "download" not in made.jobs_of_dry_run()
    result = run("scripts/plan.py", "--configfile", study.CONFIG, "--throughput", 1, cwd=tmp_path)
    assert "  download                               1\n" in result.stdout
    assert f"total: {sum(expected.values())} jobs" in result.stdout
    config = study_config.read(TINY)
    files = costs.pairs_files(config, costs.of_study(config, costs.images_of(config)))
    assert len(files) == expected["compute_pairs"]


@pytest.mark.parametrize(
    "dataset",
    [
        {"name": "cifar10", "image_size": 16},
        {"name": "cifar100"},
        {"name": "flowers", "folder": "images", "image_size": 32},
    ],
)
def test_the_data_set_is_looked_for_where_the_workflow_makes_it(tmp_path, dataset):
    content = {**config_of_blobs(), "dataset": dataset}
    path = study_config.data_path(checked(tmp_path, content))
    said = run("-m", "snakemake", "--configfile", tmp_path / "study.yaml", "-n", "--forceall").stdout
    assert f"Making {path} from verified images" in said


def test_a_data_set_of_ones_own_is_read_from_its_file_or_asked_for(tmp_path, monkeypatch):
    config = checked(tmp_path, config_of_blobs())
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^data/blobs-8px/dataset\.h5: no such file, and only it .* make it first"):
        costs.images_of(config)
    small.write_dataset(tmp_path / "data/blobs-8px/dataset.h5")
    assert costs.images_of(config) == BLOBS


def test_imagenet_is_planned_before_it_is_listed_and_its_images_take_no_memory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = study_config.read(plan.ROOT / "config/imagenet.yaml")
    images = costs.images_of(config)
    assert images == costs.Images(1_281_167, 50_000, (3, 224, 224), 1000)
    assert costs._split_bytes(config, images, images.train_examples) == 0
    kept = {**config, "dataset": {**config["dataset"], "stream": False}}
    assert costs._split_bytes(kept, images, 10) == 2 * 10 * 3 * 224 * 224


@pytest.mark.parametrize("name", ["digits", "cifar10", "cifar10-16px", "fashion-mnist"])
def test_what_is_known_of_data_sets_is_what_their_files_say(name, tmp_path):
    path = Path("data", name, "dataset.h5")
    if not path.exists():
        pytest.skip("this data set was not made here")
    dataset = {"name": "cifar10", "image_size": 16} if name == "cifar10-16px" else {"name": name}
    content = {**config_of_blobs(), "dataset": dataset}
    content["training"]["flip"] = False
    known, found = costs.images_of(checked(tmp_path, content)), dataset.describe(path)
    assert known.shape == found.image_shape
    assert known.classes == len(found.classes)
    assert (known.train_examples, known.test_examples) == (found.train_examples, found.test_examples)


def test_throughput_is_measured_on_whole_batches_or_as_far_as_steps_are_quick(tmp_path, monkeypatch):
    (cost,) = costs.of_study(checked(tmp_path, config_of_blobs()), BLOBS)
    assert costs.measured_throughput(cost, BLOBS, small.recipe(), small.CPU) > 0
    tried = []

    def fake(_model, _images, recipe, _device):
        tried.append(recipe.batch_size)
        return seconds_an_image * recipe.batch_size

    monkeypatch.setattr(costs, "_seconds_a_step", fake)
    for seconds_an_image, expected in ((1e-3, [2, 8, 32, 100]), (0.1, [2, 8]), (1.0, [2])):  # noqa: B007 (fake reads it)
        tried.clear()
        found = costs.measured_throughput(cost, BLOBS, small.recipe(batch_size=100), small.CPU)
        assert tried == expected
        assert found == pytest.approx(3 * cost.forward / seconds_an_image)


def test_without_a_given_throughput_the_narrowest_and_the_widest_network_are_measured(capsys, monkeypatch):
    measured = []

    def fake(cost, _images, recipe, _device):
        measured.append((cost.model.depth, cost.model.width, recipe.epochs))
        return 1e9 * cost.model.width

    monkeypatch.setattr(costs, "measured_throughput", fake)
    plan.main(["--configfile", TINY])
    assert measured == [(8, 1, 1), (8, 2, 1)]
    assert "throughput: 1 GFLOP/s (ResNet-8 1x) and 2 GFLOP/s (ResNet-8 2x), measured now on" in capsys.readouterr().out


def test_throughput_between_two_widths_is_a_power_law_and_that_of_one_is_all():
    assert costs.throughput_at(1, {1: 10, 4: 40}) == pytest.approx(10)
    assert costs.throughput_at(2, {4: 40, 1: 10}) == pytest.approx(20)
    assert costs.throughput_at(8, {1: 10}) == pytest.approx(10)


def test_the_plan_of_a_study_in_words(capsys):
    plan.main(["--configfile", TINY, "--throughput", "0.5"])
    said = capsys.readouterr().out
    assert said.startswith(f"{TINY}: 6 networks of 3 configurations on digits (1,437 + 360 images of 1 x 8 x 8)\n")
    config = study_config.read(TINY)
    planned = costs.of_study(config, costs.images_of(config))
    seconds = [cost.training / 0.5e9 for cost in planned for _ in cost.seeds]
    assert f"{plan.duration(sum(seconds))} of training, one at a time" in said
    assert f"the longest {plan.duration(max(seconds))} (ResNet-8 2x)" in said
    assert "throughput: 0.5 GFLOP/s, as given" in said
    for row in ("training", "weights", "dumps gram, kept", "dumps raw", "dumps raw16", "pca.h5", "files of pairs"):
        assert f"\n  {row} " in said
    tables = [block.splitlines() for block in said.split("\n\n")[1:4]]
    assert all(len({len(line) for line in lines}) == 1 for lines in tables)


def test_dumps_that_are_deleted_are_no_part_of_what_is_kept(capsys, tmp_path):
    config = tmp_path / "study.yaml"
    content = yaml.safe_load(Path(TINY).read_text())
    content["dumps"]["keep"] = False
    config.write_text(yaml.safe_dump(content))
    plan.main(["--configfile", str(config), "--throughput", "1"])
    said = capsys.readouterr().out
    assert "dumps gram, deleted once read" in said
    planned = costs.of_study(study_config.read(config), costs.Images(1437, 360, (1, 8, 8), 10))
    eight, fourteen = (
        next(c.dumps["gram"] for c in planned if c.model.depth == d and c.model.width == 1) for d in (8, 14)
    )
    # The pairs of both configurations read two networks of each.
    assert f"for a while {plan.size(2 * (eight + fourteen))} to " in said


@pytest.mark.parametrize(
    ("value", "words"),
    [(5, "5 B"), (1234, "1.23 kB"), (999.4e6, "999 MB"), (999.6e6, "1 GB"), (4.66e12, "4.66 TB")],
)
def test_bytes_in_words(value, words):
    assert plan.size(value) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(1.94, "1.9 s"), (90, "1.5 min"), (5400, "1.5 h"), (36000, "10 h"), (4.5e6, "1,250 h")]
)
def test_durations_in_words(seconds, words):
    assert plan.duration(seconds) == words


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "cannot be read (No such file or directory)"),
        ("", "config key at the top is not of type object"),
        ("study: [", "is not YAML"),
        (yaml.safe_dump({**config_of_blobs(), "datasett": {}}), "config key datasett is unknown"),
        (
            yaml.safe_dump({**config_of_blobs(), "grid": [{"depths": [9], "widths": [1], "seeds": [1]}]}),
            "config key grid[0].depths: depth 9 is not 6n + 2",
        ),
    ],
)
def test_a_bad_config_is_one_sentence(tmp_path, content, sentence):
    path = tmp_path / "study.yaml"
    if content is not None:
        path.write_text(content)
    result = run("scripts/plan.py", "--configfile", path)
    assert result.returncode == 1
    assert result.stderr.startswith(f"error: {path}: {sentence}")
    assert len(result.stderr.splitlines()) == 1
    assert not result.stdout


def test_batches_that_a_data_set_of_ones_own_cannot_fill_are_one_sentence(tmp_path):
    content = config_of_blobs()
    content["training"]["batch_size"] = 51
    with pytest.raises(UserError, match=r"training\.batch_size is 51, more than the 50 training examples of blobs"):
        costs.of_study(checked(tmp_path, content), BLOBS)
    with pytest.raises(UserError, match=r"dumps\.batch_size is 41; it must be between 4 and"):
        costs.of_study(checked(tmp_path, config_of_blobs(batch_size=41)), BLOBS)


@pytest.mark.parametrize("text", ["0", "-1", "inf", "nan", "fast"])
def test_only_positive_throughputs_are_taken(text, capsys):
    with pytest.raises(SystemExit):
        plan.parse(["--configfile", TINY, "--throughput", text])
    assert "--throughput" in capsys.readouterr().err


def test_what_snakemake_refuses_is_one_sentence(tmp_path):
    with pytest.raises(UserError, match="Snakemake does not plan it"):
        plan.jobs_of(str(tmp_path / "none.yaml"))
