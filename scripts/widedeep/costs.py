"""What a study costs, before anything of it runs: operations, bytes on disk and memory, counted from the networks.

The networks are built on torch's meta device, which knows shapes and holds no numbers, so that a grid of hundreds takes
seconds. Sizes of files are those of their arrays, and what HDF5 adds to them.
"""

import itertools
import math
import time
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from torch import nn

from widedeep import config as study_config
from widedeep import convergence, data, dumps, models, probes, similarities, tracing, training
from widedeep.distributed import Group
from widedeep.errors import UserError

# Channels and classes of the known data sets, as EXAMPLES and SIDES in config.py.
_CHANNELS_AND_CLASSES = {"digits": (1, 10), "cifar10": (3, 10), "cifar100": (3, 100), "fashion-mnist": (1, 10)}

# Examples for training and testing, and classes, of a folder of one's own of this name, until its images are listed.
_IMAGENET = (1_281_167, 50_000, 1000)

# What h5py writes beside the arrays, in bytes, as measured: a group with its attributes and links, the header of a
# chunked data set, the fixed part of each kind of file, and a string of a layer's name, kind or reason.
_LAYER_GROUP = 1600
_CHUNKED_DATASET = 260
_DUMP_FILE, _COMPONENTS_FILE, _PREDICTIONS_FILE, _COMPARISON_GROUP = 6500, 6150, 6740, 14500
_NAME_IN_COMPONENTS, _LAYER_IN_COMPARISON = 56, 136
# What safetensors writes beside the tensors: a line a tensor, and our header.
_TENSOR_LINE, _WEIGHTS_HEADER = 100, 700

# What is resident of a process with torch, or with h5py and scipy alone, before it holds any data.
_TORCH_PROCESS, _NUMPY_PROCESS = 950e6, 250e6
# What HDF5 keeps of a layer of a dump that is open, as measured.
_OPEN_LAYER = 40e3
# Lanczos' method (pca.py) keeps, for each feature, up to 60 float32 vectors, a mean in both precisions and a product.
_LANCZOS_BYTES = 60 * 4 + 4 + 8 + 8
# How long processes are measured side by side, and in how many steps at most: their images are held in memory.
_SECONDS_BESIDE, _MOST_STEPS = 3, 400
# Figure A on examples x examples: three Gram matrices, their parts, triangles and centred copies, as measured.
_CONVERGENCE_BYTES = 110


@dataclass(frozen=True)
class Images:
    """What is known of a data set without its images: examples of both splits, (channels, height, width), classes."""

    train_examples: int
    test_examples: int
    shape: tuple
    classes: int


@dataclass(frozen=True)
class Cost:
    """What one network of a configuration costs; all networks of a configuration cost the same.

    Attributes:
        model: names.Model.
        seeds: its seeds, one network each.
        layers: list of LayerInfo in forward order.
        forward: floating-point operations of the forward pass of one image.
        training: floating-point operations of the whole training.
        weights, components, predictions, cka: bytes of model.safetensors, pca.h5, predictions.h5, cka.h5.
        dumps: dict from each of dumps.FORMS to the bytes of activations.h5.
        memory: dict from a rule to about the bytes that its job needs.
    """

    model: object
    seeds: list
    layers: list
    forward: int
    training: int
    weights: int
    components: int
    predictions: int
    cka: int
    dumps: dict
    memory: dict


@dataclass(frozen=True)
class PairsFile:
    """One file of pairs: the bytes on disk, of the dumps that it is made from, and of its job's memory."""

    size: int
    dumps_read: int
    memory: float


def images_of(config):
    """The Images of a checked config: of a data set of the user's own, as its file says, else as is known.

    Of a streamed folder called imagenet that is not listed yet, those of ImageNet (ILSVRC 2012).

    Raises:
        UserError: the data set is the user's own and its file is not there, or damaged.
    """
    dataset = config["dataset"]
    name = dataset["name"]
    if name in study_config.EXAMPLES:
        channels, classes = _CHANNELS_AND_CLASSES[name]
        side = dataset.get("image_size") or study_config.SIDES[name]
        return Images(*study_config.EXAMPLES[name], (channels, side, side), classes)
    path = study_config.data_path(config)
    if not path.exists() and name == "imagenet" and dataset["stream"]:
        train_examples, test_examples, classes = _IMAGENET
        return Images(train_examples, test_examples, (3, dataset["image_size"], dataset["image_size"]), classes)
    if not path.exists():
        raise UserError(
            f"{path}: no such file, and only it tells how many images {name} has; make it first, with "
            "snakemake and this path as its target."
        )
    description = data.describe(path)
    return Images(
        description.train_examples, description.test_examples, description.image_shape, len(description.classes)
    )


def of_study(config, images):
    """The Cost of each configuration of a checked config, in the order of its grid.

    Args:
        images: Images.

    Raises:
        UserError: there is no complete minibatch of training or of test images, or a network cannot be built.
    """
    section = config["dumps"]
    dumped = min(section.get("examples", images.test_examples), images.test_examples)
    minibatches = len(dumps.minibatches(dumped, section["batch_size"], section["passes"], section["seed"]))
    costs = []
    for model, seeds in study_config.grid(config).items():
        network = unfilled(model, images)
        layers, forward = counted(network, images)
        cost = Cost(
            model=model,
            seeds=seeds,
            layers=layers,
            forward=forward,
            training=training_flops(forward, model, images, config["training"]),
            weights=weights_size(network),
            components=components_size(layers, dumped),
            predictions=images.test_examples * (4 * images.classes + 8) + _PREDICTIONS_FILE,
            cka=comparison_size(layers, layers),
            dumps={form: dump_size(layers, form, minibatches, section["batch_size"]) for form in dumps.FORMS},
            memory=_memory(config, model, network, layers, images),
        )
        costs.append(cost)
    return costs


def unfilled(model, images):
    """The network of a names.Model on torch's meta device, in evaluation mode."""
    channels, *size = images.shape
    with torch.device("meta"):
        network = models.build(model.family, model.depth, model.width, images.classes, channels, image_size=tuple(size))
    return network.eval()


def counted(network, images):
    """The layers of a network and the work of its forward pass, from that of one image.

    Args:
        network: of `unfilled`.
        images: Images.

    Returns:
        (list of LayerInfo in forward order, floating-point operations of the pass). The operations are two a
        multiply-add of every convolution and dense layer; the rest is not counted.
    """
    layers = tracing.layers_of(network)
    infos = tracing.described(network, layers, images.shape, torch.device("meta"))
    multiply_adds = sum(_multiply_adds(layer.module, info.shape) for layer, info in zip(layers, infos, strict=True))
    return infos, 2 * multiply_adds


def _multiply_adds(module, shape):
    """Of a module whose output for one image has this shape: each weight once at each position."""
    if isinstance(module, nn.Conv2d):
        return module.weight.numel() * math.prod(shape[1:])
    return module.weight.numel() * math.prod(shape[:-1]) if isinstance(module, nn.Linear) else 0


def training_flops(forward, model, images, recipe):
    """Operations of one training: steps, each as much as three forward passes, and evaluation.

    Args:
        forward: operations of the forward pass of one image.
        model: names.Model.
        images: Images.
        recipe: section `training` of the config.

    Raises:
        UserError: the batch is larger than the training set.
    """
    examples = round(model.fraction * images.train_examples)
    if recipe["batch_size"] > examples:
        raise UserError(
            f"config key training.batch_size is {recipe['batch_size']}, more than the {examples} training examples of "
            f"{model}; use a smaller batch or a larger fraction."
        )
    # The last, incomplete batch is dropped.
    in_steps = examples // recipe["batch_size"] * recipe["batch_size"] * recipe["epochs"]
    # Training goes through the test set after as many epochs as make it a tenth of the work, and after the last one.
    every = math.ceil(10 * images.test_examples / (3 * examples))
    # The finished network sees both splits once more, for metrics.json.
    evaluated = images.test_examples * (math.ceil(recipe["epochs"] / every) + 1) + examples
    return forward * (3 * in_steps + evaluated)


def weights_size(network):
    """Bytes of a model.safetensors."""
    tensors = [tensor.nbytes for tensor in network.state_dict().values()]
    return sum(tensors) + _TENSOR_LINE * len(tensors) + _WEIGHTS_HEADER


def dump_size(layers, form, minibatches, batch_size):
    """Bytes of an activations.h5.

    Args:
        layers: list of LayerInfo.
        form: one of dumps.FORMS.
        minibatches: their number, all passes together.
        batch_size: examples a minibatch.
    """
    if form == "gram":
        content = dumps.gram_size(layers, batch_size, minibatches)
        datasets = 4 * [2] * len(layers)
    else:
        content = dumps.raw_size(layers, minibatches * batch_size, form)
        datasets = [2 + len(layer.shape) for layer in layers]
    sample_ids = 8 * minibatches * batch_size
    beside = _LAYER_GROUP * len(layers) + sum(_CHUNKED_DATASET + _chunk_index(axes, minibatches) for axes in datasets)
    return content + sample_ids + beside + _DUMP_FILE


def components_size(layers, examples):
    """Bytes of a pca.h5 over so many examples."""
    return len(layers) * (8 * (examples + 2) + _NAME_IN_COMPONENTS) + _COMPONENTS_FILE


def comparison_size(first, second):
    """Bytes of the comparison of one network with another in a cka.h5 or a file of pairs, from their layers."""
    return 24 * len(first) * len(second) + _LAYER_IN_COMPARISON * (len(first) + len(second)) + _COMPARISON_GROUP


def pairs_files(config, costs):
    """A PairsFile for each that figures 5 and F need.

    Args:
        config: checked.
        costs: of `of_study`.
    """
    if "fig5" not in config["figures"]:
        return []
    by_model = {cost.model: cost for cost in costs}
    chosen = [by_model[model] for model in study_config.models_of(config, "fig5")]
    return [
        _pairs_file(first, second, largest, config["dumps"])
        for first, second in itertools.combinations_with_replacement(chosen, 2)
        for largest in sorted({max(pair) for pair in study_config.seed_pairs(*_seeds_of_pair(first, second))})
    ]


def _seeds_of_pair(first, second):
    return first.seeds, None if first is second else second.seeds


def _pairs_file(first, second, largest, section):
    """The file of all pairs whose larger seed is `largest`, those that no figure draws too (compute_pairs.py)."""
    all_pairs = study_config.seed_pairs(*_seeds_of_pair(first, second), most=None)
    number = sum(max(pair) == largest for pair in all_pairs)
    configurations = [first] if first is second else [first, second]
    read = [cost for cost in configurations for seed in cost.seeds if seed <= largest]
    return PairsFile(
        size=number * comparison_size(first.layers, second.layers),
        dumps_read=sum(cost.dumps[section["form"]] for cost in read),
        memory=comparison_memory([len(cost.layers) for cost in read], section["batch_size"]),
    )


def smallest_and_largest(costs):
    """Of a list of Costs the one of the narrowest and cheapest network, and the one of the widest and dearest.

    By width first: it decides how well a processor is used, and depth does not.
    """
    ordered = sorted(costs, key=lambda cost: (cost.model.width, cost.forward))
    return ordered[0], ordered[-1]


def recipe_of(config):
    """The training.Recipe of a checked config."""
    return training.Recipe(**{field.name: config["training"][field.name] for field in fields(training.Recipe)})


def measured_throughput(cost, images, recipe, device):
    """Floating-point operations a second of training steps, from a few real ones on random images.

    The batch grows from 2 images to the study's, as long as a step takes less than half a second: a whole batch of the
    paper's widest network keeps a core busy for a minute and tells nothing more.

    Args:
        cost: Cost of the network.
        images: Images.
        recipe: training.Recipe of the study.
        device: torch.device.

    Raises:
        UserError: the recipe needs another device.
    """
    batch_size, seconds = _largest_quick_batch(cost, images, recipe, device)
    return 3 * cost.forward * batch_size / seconds


def throughput_beside_others(cost, images, recipe, device, wait):
    """The same of one of several processes that train side by side, over about _SECONDS_BESIDE seconds.

    Args:
        wait: called when this process is ready; it returns when the others are, too.
    """
    batch_size, seconds = _largest_quick_batch(cost, images, recipe, device)
    steps = 1 + min(max(math.ceil(_SECONDS_BESIDE / seconds), 2), _MOST_STEPS)
    recipe = replace(recipe, batch_size=batch_size)
    return 3 * cost.forward * batch_size / _seconds_a_step(cost.model, images, recipe, device, steps, wait)


def _largest_quick_batch(cost, images, recipe, device):
    """(batch size, seconds a step): the study's batch, or the first one that takes more than half a second."""
    batch_size = min(2, recipe.batch_size)
    while True:
        seconds = _seconds_a_step(cost.model, images, replace(recipe, batch_size=batch_size), device)
        if batch_size == recipe.batch_size or seconds > 0.5:
            return batch_size, seconds
        batch_size = min(4 * batch_size, recipe.batch_size)


def throughput_at(width, measured):
    """Throughput of networks of a width: a power law between the widths that were measured.

    Args:
        width: width multiplier.
        measured: dict from width multipliers to throughputs; the only one holds for all widths.
    """
    widths = sorted(measured)
    return float(np.exp(np.interp(np.log(width), np.log(widths), np.log([measured[known] for known in widths]))))


def _seconds_a_step(model, images, recipe, device, steps=3, wait=lambda: None):
    """Mean of training steps, after a first one in which libraries make themselves ready, and `wait`."""
    # At rate 0, lest random images break the weights.
    recipe = replace(recipe, epochs=1, learning_rate=0.0)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (steps * recipe.batch_size, *images.shape), dtype=np.uint8)
    split = data.Split(pixels, np.arange(len(pixels)) % images.classes)
    network = models.build(
        model.family,
        model.depth,
        model.width,
        images.classes,
        images.shape[0],
        recipe.batchnorm_momentum,
        torch.Generator().manual_seed(0),
        images.shape[1:],
    ).to(device, memory_format=torch.channels_last)
    ended = []

    def after_step(state):
        # Between these two the device is not waited for, as in a training.
        if state.step in (1, steps):
            state.running_loss_and_accuracy()  # waits for the device
            if state.step == 1:
                wait()
            ended.append(time.monotonic())

    one = data.Split(split.images[:1], split.labels[:1])
    training.Training(network, split, one, recipe, str(model), Group(device)).run(after_step)
    return (ended[-1] - ended[0]) / (steps - 1)


def _chunk_index(axes, chunks):
    """Bytes of the B-tree over the chunks of a data set with so many axes (HDF5 file format, version 1)."""
    children = 64
    node = 24 + (children + 1) * (8 + 8 * (axes + 1)) + children * 8
    # A full leaf keeps 58 of its children when the next chunk splits it, and a second one needs a root above them.
    return node if chunks <= children else node * (1 + math.ceil(chunks / 58))


def _memory(config, model, network, layers, images):
    """About the bytes that the jobs of one network need, by rule."""
    figures, weights = config["figures"], weights_size(network)
    memory = {
        "train": _training_memory(layers, weights, images, config),
        "dump_activations": _dump_memory(layers, weights, config),
        "compute_cka": comparison_memory([len(layers)], config["dumps"]["batch_size"]),
    }
    if "fig4" in figures and model in study_config.models_of(config, "fig4"):
        memory["probe_blocks"] = _probe_memory(network, layers, weights, images, config)
    if "A" in figures and model in study_config.models_of(config, "A"):
        memory["A"] = _convergence_memory(network, layers, images, config)
    return memory


def _features(layers, chosen=None):
    """Features of each of `layers` (LayerInfo), or of those of them with the names of `chosen` (tracing.Layer)."""
    names = {layer.name for layer in chosen or layers}
    return [math.prod(layer.shape) for layer in layers if layer.name in names]


def _split_bytes(config, images, *examples):
    """Of splits in memory: as read, and as they lie on the device; streamed images stay in their files."""
    return 0 if config["dataset"]["stream"] else 2 * sum(examples) * math.prod(images.shape)


def _training_memory(layers, weights, images, config):
    """Weights, gradients, momentum and a copy on its way to a file; what the backward pass needs; all images."""
    # Batch norms keep their input, convolutions and ReLUs the output of a ReLU; additions keep nothing.
    kept = sum(_features([layer for layer in layers if layer.kind not in ("bn", "add")]))
    splits = _split_bytes(config, images, images.train_examples, images.test_examples)
    return _TORCH_PROCESS + splits + 4 * weights + 4 * config["training"]["batch_size"] * kept


def _dump_memory(layers, weights, config):
    """The vectors of Lanczos' method for all layers, if none converges early, and a few layers of a minibatch."""
    features = _features(layers)
    minibatch = 4 * 4 * config["dumps"]["batch_size"] * max(features)
    return _TORCH_PROCESS + weights + _LANCZOS_BYTES * sum(features) + minibatch


def _probe_memory(network, layers, weights, images, config):
    """Weights, gradients and momentum of all probes, and a few layers of a batch."""
    pooled = 4 if config["probes"]["pool"] else 1
    heads = 3 * 4 * images.classes * sum(_features(layers, probes.probed(network))) / pooled
    batch = 4 * 4 * config["probes"]["batch_size"] * max(_features(layers))
    splits = _split_bytes(config, images, images.train_examples, images.test_examples)
    return _TORCH_PROCESS + splits + weights + heads + batch


def _convergence_memory(network, layers, images, config):
    """Gram matrices of three layers over all examples of figure A, or the widest of these layers beside them."""
    examples = min(config["figures"]["A"]["examples"], images.test_examples)
    widest = max(_features(layers, convergence.three_layers(network)))
    return _TORCH_PROCESS + max(_CONVERGENCE_BYTES * examples**2, 40 * examples**2 + 4 * examples * widest)


def comparison_memory(layers, batch_size):
    """About the bytes that a job needs that compares networks.

    Args:
        layers: list of the numbers of layers of its networks.
        batch_size: examples a minibatch.
    """
    # Three sums of each pair of layers, and those of a minibatch on their way to them.
    sums = 2 * 3 * 8 * sum(layers) ** 2
    return _NUMPY_PROCESS + similarities.memory(layers, batch_size) + sums + _OPEN_LAYER * sum(layers)
