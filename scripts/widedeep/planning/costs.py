"""Costs of the jobs of a study: operations and memory. Plan, budget and Slurm's requests share these formulas."""

import functools
import math

from widedeep.measures import kinds
from widedeep.measures.memory import HELD_TIMES, held_bytes, most_held
from widedeep.planning import file_sizes, sizes
from widedeep.study.drawings import one_seed
from widedeep.training.recipe import epochs_between_evaluations

# Resident bytes of a process before it holds any data: with torch, and with h5py and scipy alone.
_TORCH_PROCESS, _NUMPY_PROCESS = 950e6, 250e6
# Measured bytes that HDF5 keeps for each layer of an open dump.
_OPEN_LAYER = 40e3
# Bytes a feature of Lanczos' method: up to 60 vectors, the first one, the last one and a mean in float32, and a product
# in float64.
_LANCZOS_BYTES = 60 * 4 + 3 * 4 + 8
# Measured bytes a pair of examples of appendix A: three Gram matrices, their parts, triangles and centred copies.
_CONVERGENCE_BYTES = 110
# Measured, of further measures of similarity on minibatches of n examples: a decomposition, or the sorting of a layer's
# distances, takes as long as so many n^3 operations of products. Bytes a layer in n^2, with and without decompositions.
_DECOMPOSITION, _PAIRWISE_BYTES, _MEASURE_BYTES = 20, 28, 12
# Upper estimate of the steps of Lanczos' method, each a forward pass where features are not held.
_COMPONENT_STEPS = 20


class Costs:
    """The costs of the jobs of a study.

    Args:
        study: config.Study.
        images: catalogue.Images.
        size_of: sizes.counted, or sizes.estimated: a function of a names.Configuration and `images` that returns a
            sizes.Size.

    Attributes:
        size_of: function of a names.Configuration that returns its sizes.Size.
        dumped: number of examples of the evaluation set that are dumped.
        minibatches: number of minibatches in a dump, of all passes together.
    """

    def __init__(self, study, images, size_of=sizes.counted):
        self.study, self.images = study, images
        self.size_of = functools.partial(size_of, images=images)
        self.dumped = min(study.dumps.examples or images.test_examples, images.test_examples)
        self.minibatches = self.dumped // study.dumps.batch_size * study.dumps.passes
        self._operations = {
            "train": self.training,
            "dump_activations": lambda network: sum(self.dumping(network)),
            "compute_cka": lambda network: self.products([network], [network]),
            "probe_residual_blocks": lambda network: sum(self.probing(network)),
        }

    def operations(self, job):
        """Floating-point operations of a jobs.Job; 1 for a drawing or a table."""
        if job.rule == "compute_pairs":
            return self.products(*self.pairs_read(job))
        if job.rule == "compute_measure":
            return self.measuring(job)
        return self._operations[job.rule](*job.networks) if job.rule in self._operations else 1

    def training(self, network):
        """Operations of a whole training: its steps, of three forward passes an image, and its evaluations."""
        recipe, tested = self.study.training, self.images.test_examples
        examples = self._training_examples(network)
        # The last, incomplete batch is dropped.
        in_steps = examples // recipe.batch_size * recipe.batch_size * recipe.epochs
        every = epochs_between_evaluations(examples, tested)
        # The finished network is evaluated on both splits once more, for metrics.json.
        evaluated = tested * (math.ceil(recipe.epochs / every) + 1) + examples
        return self._size(network).forward * (3 * in_steps + evaluated)

    def dumping(self, network):
        """Operations of dump, first components and predictions: (of forward passes, of products of features)."""
        size, batch_size = self._size(network), self.study.dumps.batch_size
        component_passes = 1 if self._holds(size) else _COMPONENT_STEPS
        seen = self.minibatches * batch_size + component_passes * self.dumped + self.images.test_examples
        # A step of Lanczos' method multiplies by the features and by their transpose.
        products = self.minibatches * batch_size**2 + 2 * _COMPONENT_STEPS * self.dumped
        return size.forward * seen, 2 * products * size.features

    def probing(self, network):
        """Operations of probes and deletion: (of the training of all probes, of accuracies with and without blocks)."""
        size, examples = self._size(network), self._training_examples(network)
        # A forward pass for each image, and three products for each probe.
        learned = (size.forward + 3 * 2 * self._probed(size) * self.images.classes) * examples
        # Each block is deleted alone, and with the rest of its stage. Such a network runs from the deleted block on,
        # half of the network on average.
        measured = size.forward * (examples + (1 + 2 * size.blocks / 2) * self.images.test_examples)
        return learned * self.study.probes.epochs, measured

    def products(self, first, second):
        """Operations of the products of all layers of two lists of networks, plain and deflated."""
        return self._products_of(*(sum(self._size(network).layers for network in part) for part in (first, second)))

    def _products_of(self, first, second):
        return 2 * 2 * first * second * self.minibatches * self.study.dumps.batch_size**2 / 2

    def measuring(self, job):
        """Operations of a further measure of similarity within a network."""
        layers = self.measured_layers(job)
        decompositions = layers + (layers * (layers + 1) / 2 if kinds.named(job.measure).pairwise else 0)
        of_layers = _DECOMPOSITION * self.study.dumps.batch_size**3 * decompositions * self.minibatches
        # A dump is never read without the products of its layers.
        return of_layers + self._products_of(layers, layers)

    def measured_layers(self, job):
        """Number of layers that a further measure compares within a network."""
        size = self._size(*job.networks)
        return size.outputs if kinds.named(job.measure).pairwise else size.layers

    def memory(self, job):
        """Estimated peak memory of a jobs.Job in bytes; None for a job without large data."""
        of_one_network = {
            "train": self.training_memory,
            "dump_activations": self._dump_memory,
            "compute_cka": lambda network: self._comparison_memory([network]),
            "probe_residual_blocks": self._probe_memory,
        }
        if job.rule in of_one_network:
            return of_one_network[job.rule](*job.networks)
        if job.rule == "compute_measure":
            return self._measure_memory(job)
        if job.rule == "compute_pairs":
            first, second = self.pairs_read(job)
            return self._comparison_memory(first if first == second else first + second)
        if job.rule == "explorer":
            return _TORCH_PROCESS
        return self._convergence_memory(*one_seed("A")(self.study)) if job.rule == "cka_convergence" else None

    def training_memory(self, network):
        """Bytes of a training: weights, gradients, momentum, a copy for a file, kept activations, all images."""
        size = self._size(network)
        return _TORCH_PROCESS + self._split_bytes() + 4 * size.weights + 4 * self.study.training.batch_size * size.kept

    def _dump_memory(self, network):
        """Bytes of a dump: a few layers of a minibatch, or what Lanczos' method holds; on a GPU the latter is there."""
        size = self._size(network)
        minibatch = 4 * 4 * self.study.dumps.batch_size * size.largest
        held = HELD_TIMES * 4 * self.dumped * size.largest
        components = held if self._holds(size) else minibatch + _LANCZOS_BYTES * size.features
        return _TORCH_PROCESS + size.weights + max(minibatch, components)

    def _holds(self, size):
        """Whether first components are found from one forward pass of all examples."""
        return 4 * self.dumped * size.largest <= most_held()

    def _probe_memory(self, network):
        """Bytes of probes: all images, weights, gradients and momentum of all probes, and a few layers of a batch."""
        size = self._size(network)
        heads = 3 * 4 * self.images.classes * self._probed(size)
        batch = 4 * 4 * self.study.probes.batch_size * size.largest
        return _TORCH_PROCESS + self._split_bytes() + size.weights + heads + batch

    def _comparison_memory(self, networks):
        """Bytes of a comparison: the Gram matrices that are held at once, and three sums of each pair of layers."""
        return self._comparing([self._size(network).layers for network in networks])

    def _measure_memory(self, job):
        """Bytes of a further measure: those of a comparison, and what the measure keeps of all layers."""
        layers = self.measured_layers(job)
        each = _PAIRWISE_BYTES if kinds.named(job.measure).pairwise else _MEASURE_BYTES
        return self._comparing([layers]) + each * layers * self.study.dumps.batch_size**2

    def _comparing(self, layers):
        """Bytes of a comparison of networks with so many layers each, a list."""
        # Twice: the sums, and the terms of one minibatch that are added to them.
        sums = 2 * 3 * 8 * sum(layers) ** 2
        held = held_bytes(layers, self.study.dumps.batch_size, 4 if self.study.dumps.form == "gram" else 8)
        return _NUMPY_PROCESS + held + sums + _OPEN_LAYER * sum(layers)

    def _convergence_memory(self, network):
        """Bytes of appendix A: Gram matrices of three layers over all examples, or its largest layer beside them."""
        examples = min(self.study.sections["A"].examples, self.images.test_examples)
        features = 40 * examples**2 + 4 * examples * self._size(network).converging
        return _TORCH_PROCESS + max(_CONVERGENCE_BYTES * examples**2, features)

    def pairs_read(self, job):
        """The networks of both configurations whose dumps a job of pairs reads, as two lists.

        The lists are equal for pairs within one configuration.
        """
        larger = job.networks[0].seed
        return [
            [network for network in self.study.all_seeds([one.configuration]) if network.seed <= larger]
            for one in job.networks
        ]

    def dump_bytes(self, network, form=None):
        """Bytes of a network's dump in a form (`gram`, `raw`, `raw16`); None stands for that of the study."""
        section = self.study.dumps
        return file_sizes.dump(self._size(network), form or section.form, self.minibatches, section.batch_size)

    def _size(self, network):
        return self.size_of(network.configuration)

    def _training_examples(self, network):
        return max(1, round(network.configuration.fraction * self.images.train_examples))

    def _probed(self, size):
        """Number of features that all probes of a network take together."""
        return size.probed / (4 if self.study.probes.pool else 1)

    def _split_bytes(self):
        """Bytes of both splits in memory, as read and on the device; 0 for images that are streamed."""
        if self.study.dataset.stream:
            return 0
        return 2 * (self.images.train_examples + self.images.test_examples) * math.prod(self.images.shape)
