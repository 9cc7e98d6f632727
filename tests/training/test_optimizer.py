"""SGD against torch's own, and what it is for."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from widedeep.training.optimizer import SGD


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 5, 3), nn.BatchNorm2d(5), nn.ReLU(), nn.Flatten(), nn.Linear(180, 3))


def groups(net):
    kernels, others = ([p for p in net.parameters() if (p.ndim > 1) == kernel] for kernel in (True, False))
    return [(kernels, 0.01), (others, 0.0)]


def gradients(net, step):
    net.zero_grad(set_to_none=True)
    images = torch.randn(8, 2, 8, 8, generator=torch.Generator().manual_seed(step))
    net(images).square().mean().backward()


@pytest.mark.parametrize("momentum", [0.9, 0.0])
def test_is_torchs_bit_for_bit_at_a_learning_rate_that_changes(momentum):
    ours, torchs = network(), network()
    sgd = SGD(groups(ours), momentum)
    parts = [{"params": parameters, "weight_decay": decay} for parameters, decay in groups(torchs)]
    reference = torch.optim.SGD(parts, lr=0.1, momentum=momentum, fused=True)
    for step in range(5):
        gradients(ours, step)
        gradients(torchs, step)
        sgd.step(0.1 / (step + 1))
        for group in reference.param_groups:
            group["lr"] = 0.1 / (step + 1)
        reference.step()
    for one, other in zip(ours.parameters(), torchs.parameters(), strict=True):
        assert torch.equal(one, other)


def test_goes_on_from_its_state_with_the_same_bits():
    one, other = network(), network()
    through, cut = SGD(groups(one), 0.9), SGD(groups(other), 0.9)
    for step in range(4):
        gradients(one, step)
        through.step(0.1)
        gradients(other, step)
        cut.step(0.1)
        if step == 1:
            state = cut.state_dict()
            cut = SGD(groups(other), 0.9)
            cut.load_state_dict(state)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))
    cut.zero_grad()
    assert all(parameter.grad is None for parameter in other.parameters())


def test_a_training_and_its_probes_do_not_import_torchs_compiler():
    code = (
        "import sys; sys.path[:0] = ['scripts', 'tests']\n"
        "import small\n"
        "from widedeep.analysis import probes\n"
        "from widedeep.analysis.probe_options import ProbeRecipe\n"
        "network = small.train().network.eval()\n"
        "recipe = ProbeRecipe(epochs=1, batch_size=16, flip=False)\n"
        "layers = probes.probed(network)\n"
        "splits = small.split(), small.split(30)\n"
        "probes.Probes(network, layers, *splits, 3, recipe, 'a', small.CPU).run(lambda _: None)\n"
        "print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "torch" in loaded
    assert "torch._dynamo" not in loaded
