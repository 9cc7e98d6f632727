"""What jobs cost: operations, bytes on disk and bytes of memory, against what real runs do, write and keep."""

import blobs_study
import pytest
import small
import torch

from widedeep.analysis import activations, first_components, similarity
from widedeep.data.minibatches import minibatches
from widedeep.formats import components, dataset, dumps, predictions, weights
from widedeep.measures import kinds
from widedeep.measures.memory import most_held
from widedeep.names import Configuration, Network
from widedeep.networks import cifar_resnet, tracing
from widedeep.networks.build import build
from widedeep.networks.layers import outputs
from widedeep.planning import file_sizes
from widedeep.planning.costs import Costs
from widedeep.planning.images import Images
from widedeep.study import checks
from widedeep.study.jobs import jobs_of, measure_job, network_job
from widedeep.training.recipe import settings_of

IMAGES, NETWORK = blobs_study.IMAGES, blobs_study.NETWORK
FORMS = ("gram", "raw", "raw16")


def test_operations_of_a_training_are_those_of_the_images_that_go_through_its_network(monkeypatch):
    seen, original = [], cifar_resnet.CifarResNet.forward

    def counting(network, x):
        seen.append((3 if network.training else 1) * len(x))
        return original(network, x)

    monkeypatch.setattr(cifar_resnet.CifarResNet, "forward", counting)
    small.train().metrics()
    assert seen[:2] == [2, 2]  # what is checked before the training
    images = sum(seen[2:])
    of_an_image = Costs(blobs_study.study(), IMAGES).size_of(small.MODEL).forward
    # That training has 30 test images.
    costs = Costs(blobs_study.study(), Images(50, 30, (1, 8, 8), 3))
    assert costs.training(blobs_study.NETWORK) == of_an_image * images


def pairs_jobs(study):
    return [job for job in jobs_of(study) if job.rule == "compute_pairs"]


@pytest.mark.parametrize("dumped", [{"passes": 2}, {"passes": 40}, {"passes": 2, "examples": 20}])
def test_sizes_on_disk_are_within_5_percent_of_a_real_run(tmp_path, dumped):
    """With few minibatches, more than the first node of HDF5's index of chunks holds, and a part of the test set."""
    study = blobs_study.study(**dumped)
    costs = Costs(study, IMAGES)
    made = dataset.describe(small.write_dataset(tmp_path / "dataset.h5"))
    test = small.split(40, 1)
    images = test.images[: dumped.get("examples")]
    sample_ids = minibatches(len(images), 16, dumped["passes"], 0)
    assert len(sample_ids) == costs.minibatches
    paths = {}
    for seed in (1, 2):
        network = small.train(seed).network.eval()
        settings = settings_of(Network(small.MODEL, seed), small.recipe(), made.train_checksum)
        weights.save(tmp_path / "weights", network, small.MODEL, settings, made)
        layers, origin = tracing.layers_of(network), dumps.Origin(str(small.MODEL), seed, made.test_checksum, "test")
        for form in FORMS:
            paths[form, seed] = tmp_path / f"{form}{seed}.h5"
            activations.write_dump(paths[form, seed], network, layers, images, sample_ids, form, origin, small.CPU)
    answers = activations.log_probabilities(network, test.images, 16, small.CPU)
    predictions.write(tmp_path / "predictions.h5", answers, test.labels, origin)
    names = [layer.name for layer in layers]
    with components.creating(tmp_path / "pca.h5", names, len(images), origin) as found:
        first_components.first_components(network, layers, images, 16, small.CPU, found)
    with dumps.Dump(paths["gram", 1]) as one, dumps.Dump(paths["gram", 2]) as other:
        similarity.write(tmp_path / "cka.h5", {"/": (one, one)})
        similarity.write(tmp_path / "pairs.h5", {"seed1--seed2": (one, other)})
        similarity.write(tmp_path / "rsa_pearson.h5", {"/": (one, one)}, [kinds.named("rsa_pearson")])
        one.select(outputs(one.layers))
        similarity.write(tmp_path / "procrustes.h5", {"/": (one, one)}, [kinds.named("procrustes")])
    size = costs.size_of(small.MODEL)
    further = [measure_job(study, name, NETWORK) for name in ("rsa_pearson", "procrustes")]
    compared = {job.measure: costs.measured_layers(job) for job in further}
    planned = {
        "weights": size.weights,
        "predictions.h5": file_sizes.predictions(IMAGES),
        "pca.h5": file_sizes.components(size, costs.dumped),
        "cka.h5": file_sizes.comparison(size.layers, size.layers),
        "pairs.h5": file_sizes.comparison(size.layers, size.layers),
        **{f"{name}.h5": file_sizes.comparison(layers, layers, 1) for name, layers in compared.items()},
        **{f"{form}1.h5": costs.dump_bytes(blobs_study.NETWORK, form) for form in FORMS},
    }
    written = {name: (tmp_path / name).stat().st_size for name in planned}
    assert planned == {name: pytest.approx(bytes_, rel=0.05) for name, bytes_ in written.items()}


def test_a_measure_with_decompositions_costs_by_the_pairs_of_outputs_of_blocks_others_by_layers():
    study = blobs_study.study()
    costs = Costs(study, IMAGES)
    size = costs.size_of(small.MODEL)
    layers, outputs_ = size.layers, size.outputs
    sorting, decomposing = (measure_job(study, name, NETWORK) for name in ("mutual_knn", "svcca"))
    of_matrix = 20 * 16**3 * costs.minibatches
    # A layer itself, and each pair once; the products for HSIC are made in any case, with and without components.
    products = [2 * 2 * number**2 * costs.minibatches * 16**2 / 2 for number in (layers, outputs_)]
    assert costs.operations(sorting) == layers * of_matrix + products[0]
    assert costs.operations(decomposing) == (outputs_ + outputs_ * (outputs_ + 1) / 2) * of_matrix + products[1]
    cka = costs.memory(network_job(study, "compute_cka", NETWORK))
    assert costs.memory(sorting) == cka + 12 * layers * 16**2


def test_pairs_read_the_dumps_up_to_their_seed():
    study = blobs_study.study()
    costs = Costs(study, IMAGES)
    (job,) = pairs_jobs(study)
    first, second = costs.pairs_read(job)
    assert first == second == study.networks
    of_one = costs.products([study.networks[0]], [study.networks[0]])
    assert costs.operations(job) == 4 * of_one


def test_pairs_of_two_configurations_read_the_dumps_of_both():
    content = blobs_study.content()
    content["grid"][0] |= {"depths": [8, 14], "seeds": [1, 2, 3]}
    content["figures"]["fig5"]["models"].append({"depth": 14, "width": 0.5})
    study = checks.checked(content)
    costs = Costs(study, IMAGES)
    (job,) = (job for job in pairs_jobs(study) if job.name.endswith("14-w0.5-f100/seed2") and "8-w0.5" in job.name)
    eight, fourteen = study.configurations
    assert costs.pairs_read(job) == [[Network(one, seed) for seed in (1, 2)] for one in (eight, fourteen)]


def test_activations_of_a_training_are_what_autograd_keeps():
    network = build("resnet", 8, 2, 3, 1, generator=torch.Generator().manual_seed(0)).train()
    own, kept = {parameter.data_ptr() for parameter in network.parameters()}, {}

    def keep(tensor):
        if tensor.data_ptr() not in own:
            kept[tensor.data_ptr()] = tensor.detach()  # alive, so that no other tensor takes its place
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = network(torch.zeros(16, 1, 8, 8)).sum()
    assert loss.requires_grad
    planned = []
    for batch_size in (32, 16):  # the rest of the estimate does not depend on the batch
        content = blobs_study.content()
        content["training"]["batch_size"] = batch_size
        memory = Costs(checks.checked(content), IMAGES).training_memory
        planned.append(memory(Network(Configuration("blobs", "resnet", 8, 2, 1), 1)))
    assert planned[0] - planned[1] == pytest.approx(sum(tensor.nbytes for tensor in kept.values()), rel=0.1)


def test_streamed_images_take_no_memory(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    networks = [blobs_study.NETWORK]
    memory = {}
    for stream in (False, True):
        content = blobs_study.content()
        content["dataset"]["stream"] = stream
        memory[stream] = Costs(checks.checked(content), IMAGES).training_memory(*networks)
    assert memory[False] - memory[True] == 2 * (50 + 40) * 8 * 8


@pytest.mark.parametrize(("examples", "held"), [(12_000, True), (12_800, False)])
def test_first_components_take_one_pass_where_the_features_of_a_layer_can_be_held(examples, held):
    """And memory for them."""
    images = Images(50, 20_000, (1, 32, 32), 3)
    costs = Costs(blobs_study.study(examples=examples, passes=1), images)
    size = costs.size_of(small.MODEL)
    assert (4 * size.largest * examples < most_held()) == held
    forward, _ = costs.dumping(blobs_study.NETWORK)
    component_passes = 1 if held else 20
    assert forward == pytest.approx(size.forward * (examples + component_passes * examples + images.test_examples))
    memory = costs.memory(network_job(costs.study, "dump_activations", blobs_study.NETWORK))
    assert (memory > 5 * 4 * size.largest * examples) == held
