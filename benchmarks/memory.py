"""Peak memory of the jobs behind CKA, by examples and by number of networks, beside what scripts/plan.py predicts.

Each job is the stage's own program in a process of its own, which notes its peak (--timing). The network has random
weights, the images are noise of different brightness: neither changes the memory, and Lanczos' method ends early.

Example (from the folder of the workflow):
  python benchmarks/memory.py
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import numpy as np  # noqa: E402
import torch  # noqa: E402

from widedeep.analysis import similarity  # noqa: E402
from widedeep.formats import dataset, dumps, weights  # noqa: E402
from widedeep.names import Configuration  # noqa: E402
from widedeep.networks.build import build  # noqa: E402
from widedeep.planning import costs  # noqa: E402
from widedeep.planning.costs import Images  # noqa: E402
from widedeep.training import (
    loop,  # noqa: E402
)

BATCH_SIZE = 256
MODEL = Configuration("noise", "resnet", 8, 1.0, 1.0)
RECIPE = Recipe(1, 128, 0.01, "epoch", 0.9, 1e-4, 0.01, True, False)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=2560, help="once, 4 and 16 times as many (default: 2560)")
    parser.add_argument("--networks", nargs="+", type=int, default=[2, 4, 16, 64], help="default: 2 4 16 64")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        print("\n".join(by_examples(Path(folder), [args.examples, 4 * args.examples, 16 * args.examples])), flush=True)
        print("\n".join(["", *by_networks(Path(folder), args.networks)]))


def by_examples(folder, numbers):
    """Lines of Markdown: peak MB of dump and CKA of one network on so many examples."""
    lines = ["| examples | dump_activations, MB (predicted) | compute_cka, MB (predicted) |", "|---|---|---|"]
    for examples in numbers:
        path = write_data(folder, examples)
        write_network(folder / "model.safetensors", path, seed=1)
        dumped = job(folder, "dump_activations.py", folder / "model.safetensors", *dump_options(folder, path))
        compared = job(folder, "compute_cka.py", folder / "activations.h5", "--out", folder / "cka.h5")
        plan = predicted(examples)
        lines.append(
            f"| {examples:,} | {dumped:,.0f} ({plan['dump_activations'] / 2**20:,.0f}) "
            f"| {compared:,.0f} ({plan['compute_cka'] / 2**20:,.0f}) |"
        )
    return lines


def by_networks(folder, numbers):
    """Lines of Markdown: peak MB of one file of pairs that so many networks are read for."""
    path = write_data(folder, 2 * BATCH_SIZE)
    made = []
    for seed in range(1, max(numbers) + 1):
        write_network(folder / "model.safetensors", path, seed)
        out = folder / f"activations{seed}.h5"
        options = ["--data", path, "--batch-size", BATCH_SIZE, "--passes", 1, "--out", out]
        job(folder, "dump_activations.py", folder / "model.safetensors", *options)
        made.append(out)
    with dumps.Dump(made[0]) as dump:
        layers = len(dump.layers)
    lines = ["| networks | compute_pairs, MB (predicted) |", "|---|---|"]
    for number in numbers:
        peak = job(folder, "compute_pairs.py", "--first", *made[:number], "--out", folder / "pairs.h5")
        plan = costs.comparison_memory([layers] * number, BATCH_SIZE)
        lines.append(f"| {number} | {peak:,.0f} ({plan / 2**20:,.0f}) |")
    return [*lines, "", f"Gram matrices are held up to {similarity.MEMORY / 2**20:,.0f} MB."]


def write_data(folder, examples):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 100, (examples, 3, 32, 32), dtype=np.uint8)
    images += rng.integers(0, 156, (examples, 1, 1, 1), dtype=np.uint8)
    split = dataset.Split(images, np.arange(examples) % 10)
    small = dataset.Split(images[:10], split.labels[:10])
    dataset.write(folder / "dataset.h5", "noise", small, split, list("0123456789"), "a benchmark")
    return folder / "dataset.h5"


def write_network(path, dataset, seed):
    generator = torch.Generator().manual_seed(seed)
    network = build("resnet", MODEL.depth, MODEL.width, 10, 3, generator=generator)
    description = dataset.describe(dataset)
    weights.save(path, network, MODEL, loop.settings(MODEL, seed, RECIPE, description.train_checksum), description)


def dump_options(folder, path):
    files = {"--out": "activations.h5", "--components": "pca.h5", "--predictions": "predictions.h5"}
    words = [word for option, name in files.items() for word in (option, folder / name)]
    return ["--data", path, "--batch-size", BATCH_SIZE, "--passes", 1, *words]


def job(folder, script, *words):
    """Peak MB (2**20 bytes) of one job."""
    timing = folder / "timing.tsv"
    command = [sys.executable, ROOT / "scripts" / script, *map(str, words), "--timing", timing]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    with open(timing, newline="") as file:
        return float(next(csv.DictReader(file, delimiter="\t"))["max_rss"])


def predicted(examples):
    """dict from a rule to the bytes that scripts/plan.py says of it."""
    images = Images(10, examples, (3, 32, 32), 10)
    config = {
        "dumps": {"batch_size": BATCH_SIZE, "passes": 1, "seed": 0, "form": "gram"},
        "training": {"batch_size": 10, "epochs": 1},
        "dataset": {"stream": False},
        "figures": {},
        "grid": [{"family": "resnet", "depths": [MODEL.depth], "widths": [1], "fractions": [1], "seeds": [1]}],
    }
    config["dataset"]["name"] = "noise"
    (cost,) = costs.of_study(config, images)
    return cost.memory


if __name__ == "__main__":
    main()
