"""What the jobs of a study cost: operations and memory. One formula a quantity, for plan, budget and Slurm alike."""

import functools
import math

from widedeep.measures.memory import held_bytes
from widedeep.planning import file_sizes, sizes
from widedeep.study.drawings import one_model

# Bytes that are resident of a process with torch, or with h5py and scipy alone, before it holds any data.
_TORCH_PROCESS, _NUMPY_PROCESS = 950e6, 250e6
# Bytes that HDF5 keeps of a layer of a dump that is open, as measured.
_OPEN_LAYER = 40e3
# Lanczos' method keeps, for each feature, up to 60 float32 vectors, a mean in both precisions and a product.
_LANCZOS_BYTES = 60 * 4 + 4 + 8 + 8
# Appendix A on examples x examples: three Gram matrices, their parts, triangles and centred copies, as measured.
_CONVERGENCE_BYTES = 110
# Forward passes over the evaluation set that first components take, at most about.
_COMPONENT_PASSES = 20


class Costs:
    """The costs of the jobs of a study.

    Args:
        study: config.Study.
        images: catalogue.Images.
        size_of: function of a names.Configuration and catalogue.Images that returns its sizes.Size: sizes.counted or
            sizes.estimated.

    Attributes:
        dumped: examples of the evaluation set.
        minibatches: their number in a dump, all passes together.
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
        """Floating-point operations of a jobs.Job; 1 of one that draws or tabulates."""
        if job.rule == "compute_pairs":
            return self.products(*self.pairs_read(job))
        return self._operations[job.rule](*job.networks) if job.rule in self._operations else 1

    def training(self, network):
        """Operations of a whole training: steps, each as many as three forward passes, and evaluations."""
        recipe, tested = self.study.training, self.images.test_examples
        examples = self._training_examples(network)
        # The last, incomplete batch is dropped.
        in_steps = examples // recipe.batch_size * recipe.batch_size * recipe.epochs
        # Training goes through the test set after as many epochs as make it a tenth of the work, and after the last one.
        every = math.ceil(10 * tested / (3 * examples))
        # The finished network sees both splits once more, for metrics.json.
        evaluated = tested * (math.ceil(recipe.epochs / every) + 1) + examples
        return self._size(network).forward * (3 * in_steps + evaluated)

    def dumping(self, network):
        """(operations of the forward passes of dump, components and predictions; of the Gram matrices of all layers)."""
        size, batch_size = self._size(network), self.study.dumps.batch_size
        seen = self.minibatches * batch_size + _COMPONENT_PASSES * self.dumped + self.images.test_examples
        return size.forward * seen, 2 * self.minibatches * batch_size**2 * size.features

    def probing(self, network):
        """(operations of the training of all probes, of the accuracies of probes and of deleted blocks)."""
        size, examples = self._size(network), self._training_examples(network)
        # For each image a forward pass, and three products of each probe.
        learned = (size.forward + 3 * 2 * self._probed(size) * self.images.classes) * examples
        # A network without some blocks runs from the first missing one on, half of the network in the mean: without
        # each block alone, and without each number of last blocks of a stage.
        measured = size.forward * (examples + (1 + 2 * size.blocks / 2) * self.images.test_examples)
        return learned * self.study.probes.epochs, measured

    def products(self, first, second):
        """Operations of the products of all layers of some networks with all of others, plain and deflated."""
        layers = [sum(self._size(network).layers for network in part) for part in (first, second)]
        return 2 * 2 * math.prod(layers) * self.minibatches * self.study.dumps.batch_size**2 / 2

    def memory(self, job):
        """About the bytes of memory that a jobs.Job needs at most; None of one that needs no more than any program."""
        of_one_network = {
            "train": self.training_memory,
            "dump_activations": self._dump_memory,
            "compute_cka": lambda network: self._comparison_memory([network]),
            "probe_residual_blocks": self._probe_memory,
        }
        if job.rule in of_one_network:
            return of_one_network[job.rule](*job.networks)
        if job.rule == "compute_pairs":
            first, second = self.pairs_read(job)
            return self._comparison_memory(first if first == second else first + second)
        return self._convergence_memory(*one_model(self.study)) if job.rule == "cka_convergence" else None

    def training_memory(self, network):
        """Weights, gradients, momentum and a copy on its way to a file; what the backward pass needs; all images."""
        size = self._size(network)
        return _TORCH_PROCESS + self._split_bytes() + 4 * size.weights + 4 * self.study.training.batch_size * size.kept

    def _dump_memory(self, network):
        """The vectors of Lanczos' method for all layers, if none converges early, and a few layers of a minibatch."""
        size = self._size(network)
        minibatch = 4 * 4 * self.study.dumps.batch_size * size.largest
        return _TORCH_PROCESS + size.weights + _LANCZOS_BYTES * size.features + minibatch

    def _probe_memory(self, network):
        """All images; weights, gradients and momentum of all probes, and a few layers of a batch."""
        size = self._size(network)
        heads = 3 * 4 * self.images.classes * self._probed(size)
        batch = 4 * 4 * self.study.probes.batch_size * size.largest
        return _TORCH_PROCESS + self._split_bytes() + size.weights + heads + batch

    def _comparison_memory(self, networks):
        """Gram matrices of a minibatch of as many networks as are held at once, and three sums of each pair of layers."""
        layers = [self._size(network).layers for network in networks]
        # Those of a minibatch too, on their way to the sums.
        sums = 2 * 3 * 8 * sum(layers) ** 2
        held = held_bytes(layers, self.study.dumps.batch_size)
        return _NUMPY_PROCESS + held + sums + _OPEN_LAYER * sum(layers)

    def _convergence_memory(self, network):
        """Gram matrices of three layers over all examples of appendix A, or the largest of these layers beside them."""
        examples = min(self.study.sections["A"].examples, self.images.test_examples)
        features = 40 * examples**2 + 4 * examples * self._size(network).converging
        return _TORCH_PROCESS + max(_CONVERGENCE_BYTES * examples**2, features)

    def pairs_read(self, job):
        """Two lists of networks: those of the first and of the second configuration whose dumps a job of pairs reads.

        Both are the same list where the pairs are within one configuration.
        """
        larger = job.networks[0].seed
        return [
            [network for network in self.study.all_seeds([one.configuration]) if network.seed <= larger]
            for one in job.networks
        ]

    def dump_bytes(self, network, form=None):
        """Bytes of a network's dump, in a form or in that of the study."""
        section = self.study.dumps
        return file_sizes.dump(self._size(network), form or section.form, self.minibatches, section.batch_size)

    def _size(self, network):
        return self.size_of(network.configuration)

    def _training_examples(self, network):
        return max(1, round(network.configuration.fraction * self.images.train_examples))

    def _probed(self, size):
        """Features of all probes together."""
        return size.probed / (4 if self.study.probes.pool else 1)

    def _split_bytes(self):
        """Of both splits in memory: as read, and as they lie on the device; streamed images stay in their files."""
        if self.study.dataset.stream:
            return 0
        return 2 * (self.images.train_examples + self.images.test_examples) * math.prod(self.images.shape)
