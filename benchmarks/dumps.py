"""Processor seconds of what is measured of a trained network, also beside another checkout of this repository.

Dump, first components and predictions of a network on some examples, one epoch of its probes, and its deletions. Each
case is measured in a process of its own, on one thread, in turns with the other checkout. The images are random
patterns with noise, and the network is not trained, except for its batch norm's running means.

Example:
  python benchmarks/dumps.py --depth 38 --size 8 --examples 360 --batch-size 64 --against ../before
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--depth", type=int, default=14, help="of a ResNet")
    parser.add_argument("--width", type=float, default=1, help="its width multiplier")
    parser.add_argument("--size", type=int, default=8, help="pixels of an image's side")
    parser.add_argument("--examples", type=int, default=360)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--against", metavar="FOLDER", help="another checkout")
    parser.add_argument("--rounds", type=int, default=3, help="of which the medians are printed")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args(argv)


def images(examples, size, channels=3):
    """uint8 (examples, channels, size, size)."""
    rng = np.random.default_rng(0)
    coarse = np.kron(rng.integers(0, 180, (examples, channels, 4, 4)), np.ones((1, 1, size // 4, size // 4)))
    return (coarse + rng.integers(0, 70, coarse.shape)).astype(np.uint8)


def seconds_of_each(args):
    """Processor seconds of each part in this process, a dict."""
    import torch

    from widedeep.analysis import activations, deletion, first_components, probes
    from widedeep.analysis.probe_options import ProbeRecipe
    from widedeep.data.minibatches import minibatches
    from widedeep.formats import dataset, dumps
    from widedeep.networks import tracing
    from widedeep.networks.build import build

    torch.set_num_threads(1)
    cpu, shown = torch.device("cpu"), images(args.examples, args.size)
    split = dataset.Split(shown, np.arange(args.examples) % 10)
    network = build("resnet", args.depth, args.width, 10, 3, generator=torch.Generator().manual_seed(0))
    network = network.to(memory_format=torch.channels_last)
    with torch.no_grad():
        for _ in range(3):
            network(torch.from_numpy(shown[:64]).float() / 255)
    network.eval()
    layers, batch_size = tracing.layers_of(network), args.batch_size
    recipe = ProbeRecipe(epochs=1, batch_size=32, learning_rate=0.01, momentum=0.9, flip=False, pool=False)
    probing = probes.Probes(network, probes.probed(network), split, split, 10, recipe, "measured", cpu)
    blocks = deletion.deletable(network, shown.shape[1:], cpu)
    ids, origin = minibatches(args.examples, batch_size, 2, 0), dumps.Origin("measured", 1, "", "test")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.h5"
        parts = {
            "predictions": lambda: activations.log_probabilities(network, shown, batch_size, cpu),
            "dump, two passes": lambda: activations.write_dump(path, network, layers, shown, ids, "gram", origin, cpu),
            "first components": lambda: first_components.first_components(network, layers, shown, batch_size, cpu),
            "probes, one epoch": lambda: probing.run(lambda _: None),
            "deletions": lambda: deletion.accuracies(network, blocks, split, 32, cpu),
        }
        seconds = {}
        for name, run in parts.items():
            started = time.process_time()
            run()
            seconds[name] = time.process_time() - started
    return seconds


def of_checkout(root, argv):
    """The seconds of each part in a process with the library of a checkout, a dict."""
    environment = {**os.environ, "PYTHONPATH": str(Path(root).resolve() / "scripts"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, *argv, "--alone"]
    lines = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.splitlines()
    return {name: float(seconds) for name, seconds in (line.split("\t") for line in lines)}


def table(ours, others):
    """Lines of medians and of the ratios other / ours, from lists of dicts; `others` may be empty."""
    lines = []
    for name in ours[0]:
        medians = [float(np.median([one[name] for one in rounds])) for rounds in (ours, others) if rounds]
        ratio = f"{medians[1] / medians[0]:8.1f}" if others else ""
        lines.append(f"{name:20}" + "".join(f"{seconds:8.2f} s" for seconds in medians) + ratio)
    return lines


def main(argv=None):
    argv = sys.argv[1:] if argv is None else argv
    args = parse(argv)
    if args.alone:
        for name, seconds in seconds_of_each(args).items():
            print(f"{name}\t{seconds}")
        return
    ours, others = [], []
    for _ in range(args.rounds):
        ours.append(of_checkout(ROOT, argv))
        if args.against:
            others.append(of_checkout(args.against, argv))
    print("\n".join(table(ours, others)))


if __name__ == "__main__":
    main()
