"""Processor seconds of all jobs that write files of pairs, in a study of deep networks.

Thirteen networks of 49 to 385 layers, in five configurations, have 37 files of pairs. Their dumps are made up: Gram
matrices of features that change a little from layer to layer. They take 2.8 GB in the current folder, and are deleted
at the end. Each job is a process of its own, on one thread, with the command of the workflow.

With --scripts several versions of the programs take turns, job by job, and the table has a column for each; below it
are the largest differences between their values and those of the first one. Beside them are the matrix products of the
pairs that are asked for, plain and deflated, alone: no version that multiplies in float64 does without.

Examples (in the environment of the workflow; two to four minutes of processor time for each version):
  python benchmarks/deep_pairs.py
  git worktree add ../before v0.1.0
  python benchmarks/deep_pairs.py --seeds 2 --scripts ../before/scripts scripts     # one file a pair of configurations
"""

import argparse
import collections
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from traps import row

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"
sys.path.insert(0, str(SCRIPTS))
from widedeep.formats import dumps, hdf5, similarities  # noqa: E402
from widedeep.measures import gram_matrices  # noqa: E402
from widedeep.networks.layers import LayerInfo  # noqa: E402
from widedeep.study import checks  # noqa: E402
from widedeep.study.jobs import pairs_job, pairs_of  # noqa: E402

# (depth, width, seeds, layers), as the CIFAR ResNets have them.
CONFIGURATIONS = ((14, 1, 3, 49), (38, 1, 3, 133), (56, 1, 3, 196), (110, 1, 2, 385), (26, 4, 2, 91))
MINIBATCHES, BATCH_SIZE = 10, 256
# Features of a made-up layer, with scales that fall from 1 to 1 %.
FEATURES = 64


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scripts", nargs="+", type=Path, default=[SCRIPTS], metavar="FOLDER", help="default: these")
    parser.add_argument("--minibatches", type=int, default=MINIBATCHES, help=f"default: {MINIBATCHES}")
    parser.add_argument("--seeds", nargs="+", type=int, metavar="SEED", help="only files of these larger seeds")
    args = parser.parse_args(argv)
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        made = study(CONFIGURATIONS, BATCH_SIZE)
        layers = layers_of(made, CONFIGURATIONS)
        write_dumps(Path(folder), made, layers, args.minibatches, BATCH_SIZE)
        print("\n".join(measured(Path(folder), made, layers, [path.resolve() for path in args.scripts], args.seeds)))


def study(configurations, batch_size):
    """The config.Study of networks of these (depth, width, seeds, layers)."""
    grid = [
        {"depths": [depth], "widths": [width], "seeds": list(range(1, seeds + 1))}
        for depth, width, seeds, _ in configurations
    ]
    shown = [{"depth": depth, "width": width} for depth, width, *_ in configurations]
    content = {"study": "deep", "dataset": {"name": "cifar10"}, "grid": grid, "figures": {"fig5": {"models": shown}}}
    return checks.checked(content | {"training": {"epochs": 1}, "dumps": {"batch_size": batch_size}})


def layers_of(made, configurations):
    """dict from the names.Configuration of a study to its number of layers."""
    numbers = {(depth, width): layers for depth, width, _, layers in configurations}
    return {one: numbers[one.depth, one.width] for one in made.configurations}


def write_dumps(folder, made, layers, minibatches, batch_size):
    """Write made-up dumps of all networks of a study, where its jobs read them in `folder`."""
    for number, network in enumerate(made.networks):
        path = folder / made.places.of_network(network, "activations.h5")
        path.parent.mkdir(parents=True)
        origin = dumps.Origin(str(network.configuration), network.seed, "made up", "test")
        write_dump(path, origin, layers[network.configuration], minibatches, batch_size, number)


def write_dump(path, origin, layers, minibatches, batch_size, seed):
    """Write a made-up dump; networks share their first layer, and move away from it in directions of their own."""
    shared, own = np.random.default_rng(0), np.random.default_rng(seed + 1)
    names = [f"layer{layer}" for layer in range(layers)]
    scales = np.geomspace(1, 0.01, FEATURES, dtype=np.float32)
    sample_ids = np.arange(minibatches * batch_size).reshape(minibatches, batch_size)
    with hdf5.creating(path) as file:
        writer = dumps.Writer(file, "gram", origin, sample_ids, {})
        for name in names:
            writer.add_layer(LayerInfo(name, "conv", 0, 0, (FEATURES,)))
        for minibatch in range(minibatches):
            x = shared.standard_normal((batch_size, FEATURES), dtype=np.float32)
            for name in names:
                x = np.float32(0.99) * x + np.float32(0.14) * own.standard_normal(x.shape, dtype=np.float32)
                writer.put_gram(name, minibatch, gram_matrices.packed_gram(x * scales))


def measured(folder, made, layers, versions, seeds=None):
    """Lines of Markdown: a row for each pair of configurations, and the differences between the versions.

    Args:
        folder: in which the dumps lie.
        made: config.Study.
        layers: dict from names.Configuration to the number of layers.
        versions: list of folders of scripts.
        seeds: only files whose larger seed is one of these; None for all.
    """
    seconds, files = collections.defaultdict(lambda: np.zeros(1 + len(versions))), collections.Counter()
    differences = np.zeros(len(versions))
    written = [folder / f"{number}.h5" for number in range(len(versions))]
    for pair in (pair for pair in pairs_of(made) if seeds is None or pair[2] in seeds):
        job = pairs_job(made, *pair)
        used = [run(folder, scripts, job, out) for scripts, out in zip(versions, written, strict=True)]
        name = " and ".join(f"{layers[one]}" for one in pair[:2])
        seconds[name] += [products([layers[one] for one in pair[:2]], written[0]), *used]
        files[name] += 1
        differences = np.maximum(differences, [difference(written[0], out) for out in written])
        print(f"{job.name}: {', '.join(f'{one:.2f}' for one in used)} s", file=sys.stderr, flush=True)
    return table(seconds, files, versions, differences)


def run(folder, scripts, job, out):
    """Processor seconds of a job of pairs, as a process of its own."""
    command = f"{sys.executable} {scripts}/compute_pairs.py {job.arguments} --out {out}"
    before = os.times()
    subprocess.run(["bash", "-c", command], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def products(layers, path):
    """Processor seconds of two products of float64 triangles, plain and deflated, for each pair in a file.

    Args:
        layers: numbers of layers of the two networks of a pair.
        path: of a file of pairs.
    """
    names = similarities.names(path)
    found = similarities.read(path, names[0])
    first, second = (np.ones((number, found.batch_size * (found.batch_size - 1) // 2)) for number in layers)
    first @ second.T  # the first product also loads its memory
    start = time.process_time()
    first @ second.T
    return 2 * found.minibatches * len(names) * (time.process_time() - start)


def difference(path, other):
    """Largest absolute difference between the values of two files of the same pairs."""
    return max(
        np.abs(values - similarities.read(other, name).measures[measure]).max()
        for name in similarities.names(path)
        for measure, values in similarities.read(path, name).measures.items()
    )


def table(seconds, files, versions, differences):
    """Lines of Markdown.

    Args:
        seconds: dict from a row to an array of processor seconds: of products alone, and of each version.
        files: dict from a row to its number of files.
        versions: list of folders of scripts.
        differences: largest difference of the values of each version from those of the first one.
    """
    header = ["layers", "files", "products s", *(f"{scripts} s" for scripts in versions)]
    whole = {**seconds, "all": sum(seconds.values())}
    number = {**files, "all": sum(files.values())}
    lines = [row(header), "|" + "---|" * len(header)]
    lines += [row([name, str(number[name]), *(f"{one:.1f}" for one in used)]) for name, used in whole.items()]
    base, *ours = whole["all"][1:]
    for scripts, used, apart in zip(versions[1:], ours, differences[1:], strict=True):
        lines.append(f"{scripts}: {used / base:.2f} of the first version's seconds; its values differ by {apart:.0e}.")
    return lines


if __name__ == "__main__":
    main()
