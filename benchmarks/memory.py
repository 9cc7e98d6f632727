"""Peak memory of dumps and CKA by number of examples and of networks, beside the prediction of scripts/plan.py.

Each job is the program of its stage, which records its peak (--timing). The network has random weights and the images
are noise of varying brightness; neither changes the memory, and Lanczos' method ends early.

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

from widedeep.data.catalogue import Images  # noqa: E402
from widedeep.formats import dataset, weights  # noqa: E402
from widedeep.measures.memory import AT_ONCE  # noqa: E402
from widedeep.names import Configuration, Network  # noqa: E402
from widedeep.networks.build import build  # noqa: E402
from widedeep.planning.costs import Costs  # noqa: E402
from widedeep.study import checks  # noqa: E402
from widedeep.study.jobs import network_job, pairs_job  # noqa: E402
from widedeep.training.recipe import Recipe, settings_of  # noqa: E402

BATCH_SIZE = 256
MODEL = Configuration("noise", "resnet", 8, 1.0, 1.0)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=2560, help="once, 4 and 16 times as many (default: 2560)")
    parser.add_argument("--networks", nargs="+", type=int, default=[2, 4, 16, 64], help="default: 2 4 16 64")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        print("\n".join(by_examples(Path(folder), [args.examples, 4 * args.examples, 16 * args.examples])), flush=True)
        print("\n".join(["", *by_networks(Path(folder), args.networks)]))


def by_examples(folder, numbers):
    """Lines of Markdown: peak MB of dump and CKA of one network, for each number of examples."""
    lines = ["| examples | dump_activations, MB (predicted) | compute_cka, MB (predicted) |", "|---|---|---|"]
    for examples in numbers:
        path = write_data(folder, examples)
        write_network(folder / "model.safetensors", path, seed=1)
        dumped = job(folder, "dump_activations.py", folder / "model.safetensors", *dump_options(folder, path))
        compared = job(folder, "compute_cka.py", folder / "activations.h5", "--out", folder / "cka.h5")
        costs = costs_of(examples, seeds=1)
        jobs = [network_job(costs.study, rule, Network(MODEL, 1)) for rule in ("dump_activations", "compute_cka")]
        cells = [f"{peak:,.0f} ({in_mb(costs, job)})" for peak, job in zip((dumped, compared), jobs, strict=True)]
        lines.append(f"| {examples:,} | {' | '.join(cells)} |")
    return lines


def by_networks(folder, numbers):
    """Lines of Markdown: peak MB of a job of pairs, for each number of networks that it reads."""
    path = write_data(folder, 2 * BATCH_SIZE)
    made = []
    for seed in range(1, max(numbers) + 1):
        write_network(folder / "model.safetensors", path, seed)
        out = folder / f"activations{seed}.h5"
        options = ["--data", path, "--batch-size", BATCH_SIZE, "--passes", 1, "--out", out]
        job(folder, "dump_activations.py", folder / "model.safetensors", *options)
        made.append(out)
    lines = ["| networks | compute_pairs, MB (predicted) |", "|---|---|"]
    for number in numbers:
        peak = job(folder, "compute_pairs.py", "--first", *made[:number], "--out", folder / "pairs.h5")
        costs = costs_of(2 * BATCH_SIZE, seeds=number)
        lines.append(f"| {number} | {peak:,.0f} ({in_mb(costs, pairs_job(costs.study, MODEL, MODEL, number))}) |")
    return [*lines, "", f"Gram matrices are held up to {AT_ONCE / 2**20:,.0f} MB."]


def write_data(folder, examples):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 100, (examples, 3, 32, 32), dtype=np.uint8)
    images += rng.integers(0, 156, (examples, 1, 1, 1), dtype=np.uint8)
    split = dataset.Split(images, np.arange(examples) % 10)
    small = dataset.Split(images[:10], split.labels[:10])
    dataset.write(folder / "dataset.h5", "noise", small, split, list("0123456789"), "a benchmark")
    return folder / "dataset.h5"


def write_network(path, data, seed):
    generator = torch.Generator().manual_seed(seed)
    network = build("resnet", MODEL.depth, MODEL.width, 10, 3, generator=generator)
    description = dataset.describe(data)
    settings = settings_of(Network(MODEL, seed), Recipe(), description.train_checksum)
    weights.save(path, network, MODEL, settings, description)


def dump_options(folder, path):
    files = {"--out": "activations.h5", "--components": "pca.h5", "--predictions": "predictions.h5"}
    words = [word for option, name in files.items() for word in (option, folder / name)]
    return ["--data", path, "--batch-size", BATCH_SIZE, "--passes", 1, *words]


def job(folder, script, *words):
    """Run a script and return its peak memory in MB (2**20 bytes)."""
    timing = folder / "timing.tsv"
    command = [sys.executable, ROOT / "scripts" / script, *map(str, words), "--timing", timing]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
    with open(timing, newline="") as file:
        return float(next(csv.DictReader(file, delimiter="\t"))["max_rss"])


def costs_of(examples, seeds):
    """The Costs of a study of MODEL with so many seeds, whose test set has so many images."""
    study = checks.checked(
        {
            "study": "noise",
            "dataset": {"name": MODEL.dataset, "folder": "images", "image_size": 32},
            "grid": [{"depths": [MODEL.depth], "widths": [MODEL.width], "seeds": [*range(1, seeds + 1)]}],
            "training": {},
            "dumps": {"batch_size": BATCH_SIZE, "passes": 1},
        }
    )
    return Costs(study, Images(train_examples=10, test_examples=examples, shape=(3, 32, 32), classes=10))


def in_mb(costs, job):
    """Predicted memory of a jobs.Job in MB (2**20 bytes), as text."""
    return f"{costs.memory(job) / 2**20:,.0f}"


if __name__ == "__main__":
    main()
