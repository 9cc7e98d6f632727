"""Deleted blocks against networks that are run by hand without them."""

import pytest
import small
import torch

from widedeep import deletion, models
from widedeep.deletion import ALONE, FROM_THE_END


@pytest.fixture(params=["resnet", "plain"])
def network(request):
    made = models.build(request.param, 20, 0.5, 3, 1, generator=torch.Generator().manual_seed(1))
    return made.to(memory_format=torch.channels_last).eval()


def test_blocks_that_change_the_shape_stay(network):
    expected = [f"stage1.block{block}" for block in (1, 2, 3)]
    assert deletion.deletable(network) == expected + [f"stage{s}.block{b}" for s in (2, 3) for b in (2, 3)]


def test_variants_are_each_block_alone_and_ever_more_from_each_stage_s_end(network):
    variants = list(deletion.variants(network))
    assert [names for how, names in variants if how == ALONE] == [[name] for name in deletion.deletable(network)]
    from_the_end = [names for how, names in variants if how == FROM_THE_END]
    assert from_the_end[:3] == [[f"stage1.block{b}" for b in range(first, 4)] for first in (3, 2, 1)]
    assert from_the_end[3:5] == [["stage2.block3"], ["stage2.block2", "stage2.block3"]]


def test_accuracy_is_that_of_the_network_run_without_the_blocks(network):
    split = small.split(40)
    images = torch.from_numpy(split.images).float() / 255
    for line in deletion.accuracies(network, split, 16, small.CPU):
        gone = {"alone": {line["block"]}, "from the end": {*range(line["block"], 4)}}.get(line["deletion"], set())
        with torch.no_grad():
            x = network.stem(images)
            for stage in (1, 2, 3):
                for block in (1, 2, 3):
                    if stage != line["stage"] or block not in gone:
                        x = network.get_submodule(f"stage{stage}.block{block}")(x)
            answers = network.logits(network.pool(x).flatten(1)).argmax(1).numpy()
        assert line["accuracy"] == pytest.approx((answers == split.labels).mean())
        assert line["deleted"] == len(gone)


def test_the_network_stays_as_it_was(network):
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    deletion.accuracies(network, small.split(40), 16, small.CPU)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
