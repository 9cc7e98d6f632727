"""Dumps on a disk: sizes of both forms, effect of compression, and rates of writing and reading beside dd's.

dd writes and reads a file of the same size, in turns with ours. "From the disk" is after the system was told to drop
the file from memory, "from memory" when all of it is there.

Example (from the folder of the workflow; files of 0.7 GB, in a temporary folder there):
  python benchmarks/disk.py --rounds 5
"""

import argparse
import collections
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import task
from engine import timed
from pairs import read

from widedeep.formats import dumps, hdf5
from widedeep.measures import gram_matrices
from widedeep.names import Network
from widedeep.networks import tracing
from widedeep.networks.layers import LayerInfo
from widedeep.planning.costs import Costs
from widedeep.planning.images import images_of
from widedeep.study import checks

MINIBATCHES = 10
FILTERS = {
    "none": {},
    "lzf, shuffled": {"compression": "lzf", "shuffle": True},
    "gzip 1, shuffled": {"compression": "gzip", "compression_opts": 1, "shuffle": True},
    "gzip 4, shuffled": {"compression": "gzip", "compression_opts": 4, "shuffle": True},
}
GRID = Path(__file__).resolve().parents[1] / "config" / "cifar10.yaml"


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args(argv)
    print("\n".join(task.on_one_thread()))
    print("\n".join(["", *sizes(checks.read(GRID))]), flush=True)
    network = task.network(seed=1)
    (inputs,) = task.minibatches(1)
    outputs = task.features(network, inputs, task.names_of(network))
    activations = {name: output.numpy() for name, output in zip(task.names_of(network), outputs, strict=True)}
    grams = {name: gram_matrices.packed_gram(output) for name, output in activations.items()}
    print("\n".join(["", *compressed(list(grams.values()), args.rounds)]), flush=True)
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        contents = {"raw": activations, "gram": grams}
        print("\n".join(["", *rates(Path(folder), layers_of(network, activations), contents, args.rounds)]))


def sizes(study):
    """Lines of Markdown: GB of the dumps of a study's configurations; Gram matrices do not grow with the width."""
    costs = Costs(study, images_of(study))
    whole = {(one.family, one.depth, one.width): Network(one, seeds[0]) for one, seeds in study.configurations.items()}
    widths = sorted({width for _, _, width in whole})
    lines = [
        f"| network | layers | gram, GB | {' | '.join(f'raw {width:g}x' for width in widths)} | raw / gram |",
        f"|---|---|---{'|---' * len(widths)}|---|",
    ]
    for family, depth in dict.fromkeys(key[:2] for key in whole):
        found = {width: whole[family, depth, width] for width in widths if (family, depth, width) in whole}
        raw = {width: costs.dump_bytes(network, "raw") for width, network in found.items()}
        smallest = next(iter(found.values()))
        gram = costs.dump_bytes(smallest, "gram")
        cells = [f"{raw[width] / 1e9:,.0f}" if width in raw else "" for width in widths]
        lines.append(
            f"| {family} {depth} | {costs.size_of(smallest.configuration).layers} | {gram / 1e9:.1f} "
            f"| {' | '.join(cells)} | {min(raw.values()) / gram:.0f} to {max(raw.values()) / gram:.0f} |"
        )
    return lines


def layers_of(network, activations):
    """list of LayerInfo of a network.

    Args:
        network: torch network.
        activations: dict from the name of a layer to its (n, p) output.
    """
    return [
        LayerInfo(layer.name, layer.kind, layer.stage, layer.block, activations[layer.name].shape[1:])
        for layer in tracing.layers_of(network)
    ]


def compressed(grams, rounds):
    """Lines of Markdown: size and rates of Gram matrices (gram_matrices.PackedGram) with h5py's filters, in memory."""
    stored = np.stack([gram.triangle for gram in grams]).astype(np.float32)
    used = collections.defaultdict(list)
    sizes_of = {}
    for _ in range(rounds):
        for name, options in FILTERS.items():
            with h5py.File("gram", "w", driver="core", backing_store=False) as file:
                started = time.process_time()
                made = file.create_dataset("gram", data=stored, chunks=(1, stored.shape[1]), **options)
                file.flush()
                written = time.process_time()
                assert np.array_equal(made[:], stored)
                used[name].append((written - started, time.process_time() - written))
                sizes_of[name] = made.id.get_storage_size()
    lines = ["| filter | size | written, MB / processor s | read |", "|---|---|---|---|"]
    for name, pairs in used.items():
        write, back = (stored.nbytes / 1e6 / statistics.median(one) for one in zip(*pairs, strict=True))
        lines.append(f"| {name} | {sizes_of[name] / stored.nbytes:.2f} | {write:,.0f} | {back:,.0f} |")
    return lines


def rates(folder, layers, contents, rounds):
    """Lines of Markdown: MB a second of dumps of both forms and of dd, and their ratio in a round.

    Args:
        folder: on the disk that is measured.
        layers: list of LayerInfo.
        contents: dict from the form to a dict from a layer's name to its content for one minibatch.
        rounds: number of rounds, of which the median is printed.
    """
    lines = ["| form | what | MB/s | dd, MB/s | ratio |", "|---|---|---|---|---|"]
    for form, content in contents.items():
        path, copy = folder / "dump.h5", folder / "copy"
        pairs = collections.defaultdict(list)
        for _ in range(rounds):
            ours = seconds(write, path, form, layers, content)
            pairs["written to the disk"].append((ours, seconds(dd, path, copy, "conv=fsync")))
            for what, prepare in (("read from the disk", forget), ("read from memory", lambda _: None)):
                prepare(path)
                ours = seconds(read_all, path)
                prepare(copy)
                pairs[what].append((ours, seconds(dd, copy, "/dev/null")))
        size = path.stat().st_size / 1e6
        for what, rounds_of in pairs.items():
            ours, theirs = (size / statistics.median(one) for one in zip(*rounds_of, strict=True))
            ratio = statistics.median(other / own for own, other in rounds_of)
            lines.append(f"| {form}, {size:,.0f} MB | {what} | {ours:,.0f} | {theirs:,.0f} | {ratio:.2f} |")
    return lines


def write(path, form, layers, content):
    """Write a dump with the same content in each minibatch, and wait until it is on the disk.

    The raw form has one minibatch, the other MINIBATCHES.
    """
    minibatches = 1 if form == "raw" else MINIBATCHES
    sample_ids = np.arange(minibatches * task.BATCH_SIZE).reshape(minibatches, -1)
    with hdf5.creating(path) as file:
        writer = dumps.Writer(file, form, dumps.Origin("resnet20", 1, "synthetic", "test"), sample_ids, {})
        for layer in layers:
            writer.add_layer(layer)
        put = writer.put_activations if form == "raw" else writer.put_gram
        for minibatch in range(minibatches):
            for name, values in content.items():
                put(name, minibatch, values)
    with open(path, "rb") as file:
        os.fsync(file.fileno())


def read_all(path):
    """Read all of a dump, as a comparison does; the raw form as activations."""
    with dumps.Dump(path) as dump:
        if dump.form == "gram":
            read([dump])
            return
        for minibatch in range(len(dump.sample_ids)):
            for layer in dump.layers:
                dump.activations(minibatch, layer.name)


def forget(path):
    """Tell the system to drop a file, which is on the disk, from memory."""
    with open(path, "rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def dd(source, target, *options):
    """Copy a file."""
    subprocess.run(["dd", f"if={source}", f"of={target}", "bs=1M", *options], check=True, capture_output=True)


def seconds(work, *arguments):
    """Wall seconds of work(*arguments)."""
    return timed(work, *arguments)[0].wall


if __name__ == "__main__":
    main()
