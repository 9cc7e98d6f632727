"""Images a second of trainings: ours, the usual loop, and variants that might be faster.

The floor is the step of the network alone, on one batch that never changes: forward, loss, backward, optimizer. "Ours"
is widedeep.training as it trains a study. The "plain loop" does the same mathematics with a Dataset of pictures,
torchvision's transforms, a DataLoader without workers, and torch.optim.SGD in the default layout. Each variant changes
one thing of the floor. All take turns in rounds, and ratios are taken within a round, so that other load on the machine
affects all alike.

Example (from the folder of the workflow, on an idle machine; about ten minutes):
  python benchmarks/training.py --rounds 5
"""

import argparse
import itertools
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import numpy as np  # noqa: E402
import torch  # noqa: E402
from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402
from torchvision.transforms import v2  # noqa: E402

from widedeep.formats import dataset  # noqa: E402
from widedeep.names import Configuration  # noqa: E402
from widedeep.networks.build import build  # noqa: E402
from widedeep.training import loop, side_by_side  # noqa: E402
from widedeep.training.distributed import Group  # noqa: E402
from widedeep.training.optimizer import SGD  # noqa: E402
from widedeep.training.recipe import Recipe  # noqa: E402

NETWORKS = [(14, 1), (38, 1), (14, 4)]
SIDES = [8, 32]
SECONDS, STEPS = 3, 3  # least of a measurement
SEEDS_TOGETHER = 4
# The paper's, for one epoch.
RECIPE = Recipe(epochs=1)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compiled", action="store_true", help="torch.compile too, which needs a C++ compiler")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    print(f"torch {torch.__version__}, {args.threads} thread(s), batch {RECIPE.batch_size}")
    for number, (side, (depth, width)) in enumerate(itertools.product(SIDES, NETWORKS)):
        entries = contestants(depth, width, side, args.compiled)
        if number == 0:
            print("\n".join(header(entries)))
        print(line(f"ResNet-{depth} {width}x, {side} x {side}", race(entries, args.rounds)), flush=True)


def contestants(depth, width, side, compiled=False):
    """dict from name to a function that trains for some seconds and returns images a second."""
    images = np.random.default_rng(0).integers(0, 256, (4096, 3, side, side), dtype=np.uint8)
    split = dataset.Split(images, np.arange(len(images)) % 10)
    found = {
        "floor": step_on_fixed_batch(depth, width, split),
        "ours": ours(depth, width, split),
        "plain loop": plain_loop(depth, width, split),
        "default layout": step_on_fixed_batch(depth, width, split, layout=torch.contiguous_format),
        "optimizer not fused": step_on_fixed_batch(depth, width, split, optimizer=usual_sgd),
        f"{SEEDS_TOGETHER} seeds together": step_on_fixed_batch(depth, width, split, networks=SEEDS_TOGETHER),
    }
    if compiled:
        found["torch.compile"] = step_on_fixed_batch(depth, width, split, wrap=compiled_and_told)
    return found


def resnet(depth, width):
    return build("resnet", depth, width, 10, 3, RECIPE.batchnorm_momentum, torch.Generator().manual_seed(0))


def our_sgd(network):
    optimizer = SGD(parameter_groups(network), RECIPE.momentum)
    return lambda: optimizer.step(RECIPE.learning_rate)


def usual_sgd(network):
    groups = [{"params": list(part), "weight_decay": decay} for part, decay in parameter_groups(network)]
    return torch.optim.SGD(groups, lr=RECIPE.learning_rate, momentum=RECIPE.momentum).step


def parameter_groups(network):
    kernels, others = ([p for p in network.parameters() if (p.ndim > 1) == is_kernel] for is_kernel in (True, False))
    return [(kernels, 2 * RECIPE.l2), (others, 0.0)]


def step_on_fixed_batch(
    depth, width, split, layout=torch.channels_last, optimizer=our_sgd, networks=1, wrap=lambda network: network
):
    """A function that measures steps of one network, or of several in one, on the first batch of a split.

    Args:
        layout: torch memory format of network and images.
        optimizer: function of a network that returns a function that does a step.
        networks: how many of the same form are trained at once, by grouped convolutions.
        wrap: function of the network that returns a replacement to call.
    """
    network = together(resnet(depth, width), networks) if networks > 1 else resnet(depth, width)
    network = network.to(memory_format=layout).train()
    called, step = wrap(network), optimizer(network)
    images = torch.from_numpy(split.images[: RECIPE.batch_size]).float().div_(255)
    images = images.repeat(1, networks, 1, 1).contiguous(memory_format=layout)
    labels = torch.from_numpy(split.labels[: RECIPE.batch_size]).repeat(networks)

    def one_step():
        for parameter in network.parameters():
            parameter.grad = None
        logits = called(images).unflatten(1, (networks, -1)).transpose(0, 1).flatten(0, 1)
        functional.cross_entropy(logits, labels).backward()
        step()

    one_step()
    return lambda: networks * rate(itertools.repeat(one_step))


def together(network, number):
    """Turn a network into `number` independent ones of its form, with their channels one after the other."""
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Conv2d):
                sizes = number * child.in_channels, number * child.out_channels, child.kernel_size
                options = {"stride": child.stride, "padding": child.padding, "bias": False, "groups": number}
                setattr(parent, name, nn.Conv2d(*sizes, **options))
            elif isinstance(child, nn.BatchNorm2d):
                setattr(parent, name, nn.BatchNorm2d(number * child.num_features, child.eps, child.momentum))
            elif isinstance(child, nn.Linear):
                setattr(parent, name, _GroupedLinear(number, child.in_features, child.out_features))
    return network


class _GroupedLinear(nn.Module):
    def __init__(self, number, features_in, features_out):
        super().__init__()
        self.conv = nn.Conv1d(number * features_in, number * features_out, 1, groups=number)

    def forward(self, x):  # (batch, number * features_in)
        return self.conv(x[:, :, None])[:, :, 0]


def compiled_and_told(network):
    """torch.compile, which prints how long its first step took to compile."""
    called, started = torch.compile(network), time.monotonic()

    def told(images):
        nonlocal started
        result = called(images)
        if started is not None:
            print(f"compiling the forward pass took {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
            started = None
        return result

    return told


def ours(depth, width, split):
    """A function that measures widedeep.training on a split, without the end of an epoch."""
    one = dataset.Split(split.images[:1], split.labels[:1])
    network, cpu = resnet(depth, width).to(memory_format=torch.channels_last), torch.device("cpu")
    examples = [loop.examples_on(part, cpu) for part in (split, one)]
    name = str(Configuration("bench", "resnet", depth, width, 1.0))
    state = loop.Training(network, *examples, RECIPE, name, Group(cpu))

    def measure():
        steps, started = 0, time.process_time()

        def after_step(_running):
            nonlocal steps
            steps += 1
            if is_enough(steps, started):
                raise _Enough

        try:
            while True:
                state.epoch = state.step = 0
                side_by_side.run([state], after_step)
        except _Enough:
            return steps * RECIPE.batch_size / (time.process_time() - started)

    return measure


class _Enough(Exception):
    pass


class Pictures(torch.utils.data.Dataset):
    """A data set as torchvision's CIFAR10: an array, of which each request makes a PIL image for the transforms."""

    def __init__(self, split, transform):
        self.images, self.labels = split.images.transpose(0, 2, 3, 1), split.labels
        self.transform = transform

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return self.transform(v2.functional.to_pil_image(self.images[index])), int(self.labels[index])


def plain_loop(depth, width, split):
    """The usual training loop."""
    side = split.images.shape[-1]
    crop = v2.RandomCrop(side, padding=side // 8, padding_mode="reflect")
    transform = v2.Compose([crop, v2.RandomHorizontalFlip(), v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])
    loader = torch.utils.data.DataLoader(Pictures(split, transform), RECIPE.batch_size, shuffle=True, drop_last=True)
    network = resnet(depth, width).train()
    step = usual_sgd(network)

    def steps():
        while True:
            for images, labels in loader:
                yield lambda images=images, labels=labels: one_step(images, labels)

    def one_step(images, labels):
        for parameter in network.parameters():
            parameter.grad = None
        functional.cross_entropy(network(images), labels).backward()
        step()

    return lambda: rate(steps())


def rate(steps):
    """Images a processor second of steps, functions without arguments; the time of the iterator counts too."""
    started = time.process_time()
    for number, step in enumerate(steps, start=1):
        step()
        if is_enough(number, started):
            return number * RECIPE.batch_size / (time.process_time() - started)
    return 0.0


def is_enough(steps, started):
    return steps >= STEPS and time.process_time() - started > SECONDS


def race(entries, rounds):
    """dict from name to a list of images a second, one a round."""
    for measure in entries.values():
        measure()
    found = {name: [] for name in entries}
    for _ in range(rounds):
        for name, measure in entries.items():
            found[name].append(measure())
    return found


def header(entries):
    names = [name for name in entries if name != "floor"]
    return ["", f"| network, side | floor, images/s | {' | '.join(names)} |", "|---" * (2 + len(names)) + "|"]


def line(name, found):
    """A row: the floor's median rate, and the median ratio of each of the others to it."""
    floor = found.pop("floor")
    ratios = [
        statistics.median(one / other for one, other in zip(rates, floor, strict=True)) for rates in found.values()
    ]
    cells = " | ".join(f"{ratio:.2f}" for ratio in ratios)
    return f"| {name} | {statistics.median(floor):,.0f} | {cells} |"


if __name__ == "__main__":
    main()
