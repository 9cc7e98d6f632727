"""Milliseconds of a training step on one GPU, for one network and for several side by side.

"Ours" is a step as widedeep.training takes it in a study: gather, crop, flip, scale, forward, loss, backward, update
and counts, on the device alone where it can be (the column "as" says how). The "floor" is the bare step of the network
on a batch that never changes, captured as a CUDA graph. Both are divided by the number of networks. The last column is
the time that such a step should not exceed on one H100.

Example (from the folder of the workflow; three minutes on one H100):
  python benchmarks/gpu.py
"""

import argparse
import itertools
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import torch  # noqa: E402
from torch.nn import functional  # noqa: E402

from widedeep.data.catalogue import Images  # noqa: E402
from widedeep.names import Configuration  # noqa: E402
from widedeep.planning import sizes, throughput  # noqa: E402
from widedeep.runtime import provenance  # noqa: E402
from widedeep.training import graph, side_by_side  # noqa: E402
from widedeep.training.recipe import Recipe  # noqa: E402

# (depth, width): numbers of networks at once, and the most milliseconds a network (in TF32, in bfloat16).
NETWORKS = {
    (14, 1): ((1, 4, 8), (1.6, 0.8)),
    (38, 1): ((1, 4, 8), (4.2, 1.9)),
    (26, 10): ((1, 2), (31, 16)),
}
IMAGES = Images(50_000, 10_000, (3, 32, 32), 10)
STEPS = 30  # of a measurement, after as many that are not measured


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", help="another one shows that the program runs, not what a GPU does")
    parser.add_argument("--networks", nargs="+", metavar="DEPTH:WIDTH", help="only these (default: all three)")
    parser.add_argument("--steps", type=int, default=STEPS)
    args = parser.parse_args(argv)
    device = torch.device(args.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        parser.error("torch finds no GPU here; --device cpu shows that the program runs")
    chosen = [tuple(map(int, text.split(":"))) for text in args.networks or []] or list(NETWORKS)
    print(f"{provenance.device_name(device)}, torch {torch.__version__}, batch {Recipe().batch_size}\n")
    print("| network | GFLOP a step | precision | at once | ours, ms | as | floor, ms | TFLOP/s | at most, ms |")
    print("|---" * 9 + "|")
    for (depth, width), mixed in itertools.product(chosen, (False, True) if device.type == "cuda" else (False,)):
        numbers, most = NETWORKS.get((depth, width), ((1,), (float("nan"),) * 2))
        for number in numbers:
            print(line(depth, width, mixed, number, most[mixed], device, args.steps), flush=True)


def line(depth, width, mixed, number, most, device, steps):
    """A line of the table: `number` networks of a depth and a width at once."""
    recipe = Recipe(mixed_precision=mixed)
    configuration = Configuration("cifar10", "resnet", depth, float(width), 1.0)
    operations = 3 * sizes.counted(configuration, IMAGES).forward * recipe.batch_size
    trainings = throughput.on_random_images(configuration, IMAGES, recipe, device, 2 * steps, number)
    take_step, said = side_by_side.stepping(trainings)
    how = "kernels" if said.startswith("kernel") else "graph"
    ours = seconds_of(take_step, device, steps) / number
    floor = seconds_of(bare(trainings, recipe, device), device, steps) / number if how == "graph" else float("nan")
    precision = "bfloat16" if mixed else "TF32" if device.type == "cuda" else "float32"
    return (
        f"| ResNet-{depth} {width}x | {operations / 1e9:,.0f} | {precision} | {number} | "
        f"{1e3 * ours:.2f} | {how} | {1e3 * floor:.2f} | {operations / ours / 1e12:.1f} | {most:g} |"
    )


def bare(trainings, recipe, device):
    """The function that takes a captured step of each network on a batch that never changes."""
    images = torch.rand(recipe.batch_size, *IMAGES.shape, device=device).to(memory_format=torch.channels_last)
    labels = torch.arange(recipe.batch_size, device=device) % IMAGES.classes
    rate = torch.full((), recipe.learning_rate, device=device)

    def step_of(training):
        def step():
            training.optimizer.zero_grad()
            with torch.autocast(device.type, torch.bfloat16, enabled=recipe.mixed_precision):
                loss = functional.cross_entropy(training.network(images), labels)
            loss.backward()
            training.optimizer.step(rate)

        return step

    return graph.capture([step_of(training) for training in trainings])


def seconds_of(take_step, device, steps):
    """Mean seconds of a step."""

    def wait():
        if device.type == "cuda":
            torch.cuda.synchronize()

    for _ in range(steps):
        take_step()
    wait()
    started = time.perf_counter()
    for _ in range(steps):
        take_step()
    wait()
    return (time.perf_counter() - started) / steps


if __name__ == "__main__":
    main()
