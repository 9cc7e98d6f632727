"""Deleted blocks against networks that are run by hand without them."""

import pytest
import small
import torch
from torch import nn

from widedeep.analysis import deletion
from widedeep.analysis.deletion import ALONE, FROM_THE_END
from widedeep.networks.build import build
from widedeep.runtime.errors import UserError


@pytest.fixture(params=["resnet", "plain"])
def network(request):
    made = build(request.param, 20, 0.5, 3, 1, generator=torch.Generator().manual_seed(1))
    return made.to(memory_format=torch.channels_last).eval()


def deletable(network):
    return deletion.deletable(network, (1, 8, 8), small.CPU)


def test_blocks_that_change_the_shape_stay(network):
    expected = [f"stage1.block{block}" for block in (1, 2, 3)]
    assert deletable(network) == expected + [f"stage{s}.block{b}" for s in (2, 3) for b in (2, 3)]


def test_variants_are_each_block_alone_and_ever_more_from_each_stage_s_end(network):
    variants = list(deletion.variants(deletable(network)))
    assert [names for how, names in variants if how == ALONE] == [[name] for name in deletable(network)]
    from_the_end = [names for how, names in variants if how == FROM_THE_END]
    assert from_the_end[:3] == [[f"stage1.block{b}" for b in range(first, 4)] for first in (3, 2, 1)]
    assert from_the_end[3:5] == [["stage2.block3"], ["stage2.block2", "stage2.block3"]]


def test_accuracy_is_that_of_the_network_run_without_the_blocks(network):
    split = small.split(40)
    images = torch.from_numpy(split.images).float() / 255
    for line in deletion.accuracies(network, deletable(network), split, 16, small.CPU):
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
    deletion.accuracies(network, deletable(network), small.split(40), 16, small.CPU)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())


class Blocks(nn.Sequential):
    """Stem, two blocks, pool and logits; `between` is done to what the last block gives."""

    def __init__(self, between=lambda x: x):
        super().__init__()
        self.stem = nn.Conv2d(1, 8, 3, padding=1)
        self.stage1 = nn.Sequential()
        self.stage1.block1 = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8))
        self.stage1.block2 = nn.Sequential(nn.Conv2d(8, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8))
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.logits = nn.Linear(8, 3)
        self.between = between

    def forward(self, x):
        return self.logits(self.pool(self.between(self.stage1(self.stem(x)))).flatten(1))


def test_families_of_one_s_own_need_the_names_of_parts_and_nothing_else():
    assert deletable(Blocks().eval()) == ["stage1.block1"]


def test_networks_without_those_parts_are_refused_by_their_names():
    network = Blocks().eval()
    del network.stem, network.pool
    with pytest.raises(UserError, match="figure 4 .*no stem and no pool"):
        deletable(network)


def test_networks_that_do_more_than_their_parts_are_refused():
    with pytest.raises(UserError, match="figure 4 .*other logits.*family's file"):
        deletable(Blocks(between=lambda x: 2 * x).eval())
    network = Blocks().eval()
    network.logits = nn.Linear(9, 3)
    network.forward = lambda x: x
    with pytest.raises(UserError, match=r"figure 4 .*\(mat1 and mat2 shapes"):
        deletable(network)
    network = Blocks().eval()
    network.forward = lambda x: x
    network.stem.register_forward_hook(lambda _module, _inputs, output: (output, output))
    with pytest.raises(UserError, match=r"figure 4 .*\(.*tuple"):
        deletable(network)
    network.stem = nn.LSTM(8, 8)
    with pytest.raises(UserError, match=r"figure 4 .*\(LSTM"):
        deletable(network)
