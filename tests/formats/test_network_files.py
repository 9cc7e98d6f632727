"""Files of one network read together, and refused where they are of different ones."""

import dataclasses

import compute_cka
import numpy as np
import pytest
import small
from small_dumps import ORIGIN, network, write

from widedeep.formats import components, dataset, network_files, similarities
from widedeep.networks import tracing
from widedeep.runtime.errors import UserError

NAMES = [layer.name for layer in tracing.layers_of(network())]


@pytest.fixture(scope="module")
def cka(tmp_path_factory):
    folder = tmp_path_factory.mktemp("network")
    compute_cka.main([str(write(folder / "activations.h5")), "--out", str(folder / "cka.h5")])
    return folder / "cka.h5"


@pytest.fixture
def pca(tmp_path):
    """Writes pca.h5 of some layers; its path."""

    def make(names=NAMES, origin=ORIGIN):
        values = np.ones((len(names), 5)) / np.sqrt(5)
        found = components.FirstComponents(names, np.full(len(names), 0.5), np.zeros(len(names)), values)
        small.write_components(tmp_path / "pca.h5", found, origin)
        return tmp_path / "pca.h5"

    return make


def test_components_and_cka_of_one_network_are_read(pca, cka):
    first, comparison = network_files.components_and_cka(pca(), cka)
    assert first.names == comparison.first.names == NAMES


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"names": NAMES[:5]}, r"5 layers of blobs-resnet8-w1-f100/seed1, .*28 layers of blobs-resnet8-w1-f100/seed1"),
        ({"origin": dataclasses.replace(ORIGIN, seed=2)}, "blobs-resnet8-w1-f100/seed2, .*seed1"),
    ],
)
def test_files_of_other_networks_or_layers_are_refused(pca, cka, change, found):
    with pytest.raises(UserError, match=rf"pca\.h5: .*{found}"):
        network_files.components_and_cka(pca(**change), cka)


def test_components_of_other_images_are_refused(pca, tmp_path):
    description = dataset.describe(small.write_dataset(tmp_path / "blobs.h5"))
    origin = dataclasses.replace(ORIGIN, data_checksum=description.test_checksum)
    network_files.check_data(pca(origin=origin), description, "blobs.h5")
    with pytest.raises(UserError, match=rf"pca\.h5: .* abc, .*blobs\.h5 .*{description.test_checksum[:12]}"):
        network_files.check_data(pca(), description, "blobs.h5")


def test_layers_are_found_by_name_and_residual_blocks_by_their_last_layer(cka):
    side = similarities.read(cka).first
    assert network_files.positions(["logits", "stem.conv"], side, cka) == [27, 0]
    assert network_files.outputs(side, [1, 3], [1, 1]) == ["stage1.block1.relu2", "stage3.block1.relu2"]
    with pytest.raises(UserError, match=r"cka\.h5: .*stage9\.block2"):
        network_files.positions(network_files.outputs(side, [9], [2]), side, cka)
