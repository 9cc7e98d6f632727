"""What jobs ask of a cluster: memory in MB and time in minutes, by the size of the network, and more with each attempt.

Estimates that err upwards; scripts/plan.py counts exactly, and needs torch for it, which would slow every dry run.
"""

# Operations a second of a slow core and of a slow GPU, and of products of Gram matrices in double precision on a core.
CORE, GPU, PRODUCTS = 20e9, 5e12, 5e9
# A day: many clusters have no longer time limit, and trainings and probes that meet theirs go on in the next attempt.
LONGEST = 24 * 60
# Forward passes over the test set that first components take, at most about.
COMPONENT_PASSES = 20
GIVEN = workflow.resource_settings.overwrite_resources


def image_pixels():
    """Of one image; of one's own, until they are counted, as many as the config says, or as those of ImageNet have."""
    if described():
        _, height, width = described().image_shape
        return height * width
    return (IMAGE_SIZE or study_config.SIDES.get(DATASET, 224)) ** 2


def examples():
    """(training, test) images; of one's own, until they are counted, as many as ImageNet has, or twice CIFAR-10's."""
    if described():
        return described().train_examples, described().test_examples
    unknown = (1_281_167, 50_000) if config["dataset"]["stream"] else (100_000, 20_000)
    return study_config.EXAMPLES.get(DATASET, unknown)


def classes():
    """Of the data set; of one's own, until they are counted, as many as ImageNet has."""
    if described():
        return len(described().classes)
    return 100 if DATASET == "cifar100" else 10 if DATASET in study_config.SOURCES else 1000


def megabytes_of_images():
    """As they are read, and as they lie on the device, all in three channels; streamed ones stay in their files."""
    return 0 if config["dataset"]["stream"] else 2 * 3 * sum(examples()) * image_pixels() / 1e6


def forward_operations(model):
    """Of one image: two convolutions a block, of 16 x 16 kernels of 3 x 3 on every pixel, or as much in later stages."""
    return 2 * 9 * 16 * 16 * model.width**2 * (model.depth - 2) * image_pixels()


def features_of_blocks(model):
    """Values that one layer of every block has for an image: filters x pixels are 16, 8 and 4 in the three stages."""
    return 28 * model.width * (model.depth - 2) / 6 * image_pixels()


def layer_estimate(model):
    """Layers of a network: seven a block, the stem, two shortcuts, pooled features and logits."""
    return 7 * (model.depth - 2) // 2 + 7


def minibatches():
    number = config["dumps"].get("examples", examples()[1]) // config["dumps"]["batch_size"]
    return config["dumps"]["passes"] * number


def minutes(rule, operations, attempt, core=CORE):
    """Ten minutes for start and files, and the operations at the rate of what the profile gives the rule."""
    rate = GPU if GIVEN.get(rule, {}).get("gpu") else core
    return int(min(LONGEST, (10 + operations / rate / 60) * attempt))


def training_memory(wildcards, attempt):
    """All images, and the activations that the backward pass needs, about four a convolution and pixel."""
    activations = 4 * 2 * features_of_blocks(MODELS[wildcards.model])
    batch = 4 * activations * config["training"]["batch_size"] / 1e6
    return int((1500 + megabytes_of_images() + batch) * attempt)


def training_minutes(wildcards, attempt):
    """Three forward passes for each image of each epoch."""
    model = MODELS[wildcards.model]
    images = examples()[0] * model.fraction * config["training"]["epochs"]
    return minutes("train", 3 * forward_operations(model) * images, attempt)


def dump_memory(wildcards, attempt):
    """A minibatch's largest layers, a few at a time, and up to 60 vectors a layer for first components."""
    model = MODELS[wildcards.model]
    minibatch = 8 * 4 * 16 * model.width * image_pixels() * config["dumps"]["batch_size"]
    vectors = 260 * 7 * features_of_blocks(model)
    return int((1500 + (minibatch + vectors) / 1e6) * attempt)


def dump_minutes(wildcards, attempt):
    """Forward passes of dump, components and predictions, and the Gram matrices of all layers."""
    model = MODELS[wildcards.model]
    size = config["dumps"]["batch_size"]
    grams = minibatches() * size**2 * 2 * 7 * features_of_blocks(model)
    forwards = examples()[1] * (config["dumps"]["passes"] + COMPONENT_PASSES) * forward_operations(model)
    return minutes("dump_activations", grams + forwards, attempt)


def probe_memory(wildcards, attempt):
    """All images, weights, momentum and gradient of two probes a block, and one minibatch's activations."""
    model = MODELS[wildcards.model]
    activations = 4 * 16 * model.width * image_pixels() * config["probes"]["batch_size"]
    heads = 3 * 2 * features_of_blocks(model) * classes()
    return int((1500 + megabytes_of_images() + 4 * (heads + activations) / 1e6) * attempt)


def probe_minutes(wildcards, attempt):
    """For each image of each epoch a forward pass and three products of each probe."""
    model = MODELS[wildcards.model]
    images = examples()[0] * model.fraction * config["probes"]["epochs"]
    of_probes = 3 * 2 * 2 * features_of_blocks(model) * classes()
    return minutes("probe_blocks", (forward_operations(model) + of_probes) * images, attempt)


def cka_memory(wildcards, attempt):
    """One network's Gram matrices of one minibatch."""
    layers = layer_estimate(MODELS[wildcards.model])
    return _gram_memory(layers, layers, attempt)


def cka_minutes(wildcards, attempt):
    """The products of all layers, plain and deflated."""
    layers = layer_estimate(MODELS[wildcards.model])
    return minutes("compute_cka", _product_operations(layers, layers), attempt, PRODUCTS)


def pairs_memory(wildcards, attempt):
    """The Gram matrices of all networks of a file of pairs, as many as are held at once."""
    largest = max(layer_estimate(MODELS[name]) for name in (wildcards.model, wildcards.model2))
    return _gram_memory(sum(_layers_of_pairs(wildcards)), largest, attempt)


def pairs_minutes(wildcards, attempt):
    """The products of the layers of all networks of a file of pairs."""
    return minutes("compute_pairs", _product_operations(*_layers_of_pairs(wildcards)), attempt, PRODUCTS)


def convergence_memory(wildcards, attempt):
    """Three Gram matrices with their parts and copies, as measured, and a layer's activations of all examples."""
    ((model, _),) = CONVERGING
    number = config["figures"]["A"]["examples"]
    widest = 4 * 16 * model.width * image_pixels()
    return int((1500 + (110 * number**2 + 3 * number * widest) / 1e6) * attempt)


def _layers_of_pairs(wildcards):
    """Layers of all networks of the first and of the second configuration up to the file's seed."""
    number = len([seed for seed in SEEDS[wildcards.model] if seed <= int(wildcards.seed)])
    return [number * layer_estimate(MODELS[name]) for name in (wildcards.model, wildcards.model2)]


def _gram_memory(layers, of_largest_network, attempt):
    """Of so many layers in double precision, plain and deflated, as many as are held at once (similarities.memory)."""
    bytes_of_layer = 2 * 8 * config["dumps"]["batch_size"] ** 2 / 2
    held = min(layers * bytes_of_layer, max(1e9, 2 * of_largest_network * bytes_of_layer))
    return int((500 + 1.5 * held / 1e6) * attempt)


def _product_operations(first, second):
    """Of all pairs of two sets of layers over all minibatches, plain and deflated."""
    return 2 * 2 * first * second * config["dumps"]["batch_size"] ** 2 / 2 * minibatches()
