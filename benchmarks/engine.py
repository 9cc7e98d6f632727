"""Our CKA engine beside the floor of its task and beside other packages: seconds, memory, errors, silent errors.

The task is CKA between all layers of a CIFAR ResNet-20 and itself, over ten minibatches of 256 images, on one thread
(task.py). The contestants (contestants.py) take turns in rounds, and ratios are taken within a round, so that other
load on the machine affects all alike. A contestant that is too slow for the whole task runs once on a part of it; its
numbers are extrapolated, in italics. A package that is not installed has a row that says so. Linux only (peak memory).

Example (in the environment of benchmarks/requirements.txt, on an idle machine; about forty minutes):
  python benchmarks/engine.py --rounds 5
"""

import argparse
import concurrent.futures
import copy
import ctypes
import gc
import multiprocessing
import statistics
import sys
import time
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import contestants
import numpy as np
import task
import traps


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", nargs="+", metavar="WORD", help="of the rows: the floor, and those with these words")
    args = parser.parse_args(argv)
    print("\n".join([*task.on_one_thread(), *versions()]))
    chosen = choose(args.only)
    present = [contestant for contestant in chosen if contestant.is_there]
    model, inputs = task.network(seed=0), task.minibatches()
    names = task.names_of(model)
    print(f"{len(names)} layers, {len(inputs)} minibatches of {len(inputs[0])}")
    # First the small tasks: with them everybody has imported and set up what it needs.
    shift = shift_errors(present)
    trapped = traps.table([contestant for contestant in present if contestant.estimator])
    seconds, found = race(present, model, inputs, args.rounds)
    memory = {contestant.name: in_own_process(peak_memory, contestant.name) for contestant in present}
    reference = task.reference(model, inputs, names)
    print("\n".join(["", *table(chosen, seconds, found, memory, reference, shift), "", *trapped]))


def choose(words):
    """The floor, and the contestants whose name has one of the words; all contestants without words."""
    return [
        contestant
        for contestant in contestants.CONTESTANTS
        if not (words and contestant.estimator) or any(word in contestant.name for word in words)
    ]


def versions():
    packages = [f"{name} {version(name)}" for name in ("torch", "numpy", "scipy")]
    return [", ".join([f"Python {sys.version.split()[0]}", *packages])]


def task_of(contestant, model, inputs):
    """(network, loader, names of layers) of a contestant's part of the task, in its layout."""
    layout = task.LAYOUTS[contestant.layout]
    inputs = [part.contiguous(memory_format=layout) for part in inputs[: contestant.minibatches]]
    names = task.names_of(model)[:: contestant.stride]
    return copy.deepcopy(model).to(memory_format=layout), task.loader(inputs), names


@dataclass(frozen=True)
class Seconds:
    """Wall and processor seconds of one run."""

    wall: float
    processor: float


def timed(work, *arguments):
    """(Seconds, result) of work(*arguments)."""
    wall, processor = time.perf_counter(), time.process_time()
    result = work(*arguments)
    return Seconds(time.perf_counter() - wall, time.process_time() - processor), result


def race(present, model, inputs, rounds):
    """Run all contestants in turns; those with a part of the task only in the first round.

    Args:
        present: list of Contestant.
        model, inputs: network and list of minibatches.
        rounds: number of rounds.

    Returns:
        (dict from name to a list of Seconds, one a round; dict from name to the result)
    """
    seconds, found = {contestant.name: [] for contestant in present}, {}
    tasks = {contestant.name: task_of(contestant, model, inputs) for contestant in present}
    for index in range(rounds):
        for contestant in present:
            if index and contestant.is_part:
                continue
            used, found[contestant.name] = timed(contestants.values_of, contestant, *tasks[contestant.name])
            seconds[contestant.name].append(used)
            print(f"round {index + 1}: {contestant.name} {used.wall:.1f} s", file=sys.stderr, flush=True)
    return seconds, found


def extrapolated(contestant, seconds, forward, layers):
    """Extrapolate the seconds of a part to the whole task; all but forward passes grow with the pairs of layers.

    Args:
        contestant: Contestant.
        seconds: of the part.
        forward: seconds of one forward pass over all minibatches.
        layers: number of layers of the network.
    """
    share = contestant.minibatches / task.MINIBATCHES
    part = contestant.pairs(len(range(0, layers, contestant.stride)))
    passes = contestant.passes * forward
    return (seconds - share * passes) / share * contestant.pairs(layers) / part + passes


def peak_memory(name, depth=task.DEPTH, minibatches=task.MINIBATCHES, batch_size=task.BATCH_SIZE):
    """(peak, peak over base) MiB of a contestant on its part of the task; imports and images are in the base."""
    (contestant,) = (entry for entry in contestants.CONTESTANTS if entry.name == name)
    # Run once on a small task, so that all its imports are done.
    small, inputs = task.shifted(layers=2, width=4, number=1, batch_size=8)
    if contestant.estimator:
        contestants.values_of(contestant, small, task.loader(inputs), ["layer0", "layer1"])
    arguments = task_of(contestant, task.network(0, depth), task.minibatches(minibatches, batch_size))
    return peak_of(contestants.values_of, contestant, *arguments)


def peak_of(work, *arguments):
    """(peak, peak over base) MiB of this process during work(*arguments); the base is the memory before it."""
    gc.collect()  # garbage that is freed during the work would hide as much of its memory
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak
    base = _resident("VmRSS")
    work(*arguments)
    peak = _resident("VmHWM")
    return peak, peak - base


def _resident(key):
    """A value of /proc/self/status in MiB; the peak of getrusage begins with that of the parent process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key))


def in_own_process(function, *arguments, prepare=None):
    """Result of function(*arguments) in a new Python process.

    Args:
        function: function at the top level of a module.
        arguments: its arguments.
        prepare: function that is called first in that process; None stands for prepare_for_memory.
    """
    context = multiprocessing.get_context("spawn")
    initializer = prepare or prepare_for_memory
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context, initializer=initializer) as pool:
        return pool.submit(function, *arguments).result()


def prepare_for_memory():
    """Set one thread, and an allocator that keeps no large free blocks, which costs time."""
    task.on_one_thread()
    # Freed blocks of a MiB and more go back to the system, so the peak is that of memory in use, without what the
    # allocator keeps. M_MMAP_THRESHOLD is -3.
    ctypes.CDLL(None).mallopt(-3, 2**20)


def error(found, expected):
    """Cell: the largest absolute difference of two matrices, or what is wrong with the first one."""
    if isinstance(found, str):
        return found
    if not np.isfinite(found).all():
        return f"NaN or inf in {np.count_nonzero(~np.isfinite(found))} of {found.size}"
    largest = np.abs(found - expected).max()
    return f"{largest:.2f}" if largest > 0.01 else f"{largest:.0e}"


def shift_errors(present):
    """dict from the name of each contestant to a cell: its error, by its own definition, on features of large mean."""
    model, inputs = task.shifted()
    names = task.names_of(model)
    reference = task.reference(model, inputs, names)
    return {
        contestant.name: error(
            contestants.values_of(contestant, model, task.loader(inputs), names), reference.cka(contestant.estimator)
        )
        for contestant in present
        if contestant.estimator
    }


def table(chosen, seconds, found, memory, reference, shift):
    """Lines of Markdown: a row a contestant.

    Args:
        chosen: list of Contestant.
        seconds, found: of `race`.
        memory: dict from name to (peak, peak over base) MiB.
        reference: task.Reference of the task.
        shift: of `shift_errors`.
    """
    layers = reference.unbiased.shape[1]
    whole = {
        contestant.name: [
            _whole(contestant, used, seconds["forward pass alone (default)"][index], layers)
            for index, used in enumerate(seconds[contestant.name])
        ]
        for contestant in chosen
        if contestant.is_there
    }
    floors = {layout: fastest_floor(whole, layout) for layout in task.LAYOUTS}
    columns = ("", "estimator", "wall s", "processor s", "x floor (min-max)", "x ours", "peak MiB over base")
    errors = ("error, own estimator", "error, unbiased ratio of means", "error on shift")
    lines = traps.row(columns + errors), "|" + "---|" * len(columns + errors)
    base = [peak - over for peak, over in memory.values()]
    return [
        *lines,
        *(
            traps.row(
                [
                    contestant.label,
                    contestant.estimator or "",
                    *_times(contestant, whole[contestant.name], floors[contestant.layout], whole.get("ours (default)")),
                    _of_layers(contestant, f"{memory[contestant.name][1]:,.0f}"),
                    *_errors(contestant, found[contestant.name], reference),
                    shift.get(contestant.name, ""),
                ]
            )
            if contestant.is_there
            else traps.row([contestant.name, "not installed: benchmarks/requirements.txt", *[""] * 8])
            for contestant in chosen
        ),
        "",
        f"Medians of {max(map(len, whole.values()))} rounds; in italics one run of a part, its time extrapolated. "
        "Ratios are of processor seconds: to the floor of the same layout, which is the faster one of the two rows "
        f"with V V', and to ours in the default layout. Base {min(base):,.0f} to {max(base):,.0f} MiB.",
    ]


def fastest_floor(seconds, layout):
    """List of Seconds a round of what every engine must do, with the faster one of the products of BLAS."""
    floors = [seconds[f"{name} ({layout})"] for name in contestants.FLOORS]
    return min(floors, key=lambda used: statistics.median(run.processor for run in used))


def _whole(contestant, used, forward, layers):
    """Seconds of the whole task."""
    if not contestant.is_part:
        return used
    kinds = ("wall", "processor")
    return Seconds(*(extrapolated(contestant, getattr(used, kind), getattr(forward, kind), layers) for kind in kinds))


def _times(contestant, used, floor, ours):
    """Cells: median wall and processor seconds, their ratio to the floor with its range, and to ours, by rounds."""
    medians = [statistics.median(getattr(run, kind) for run in used) for kind in ("wall", "processor")]
    to_floor = [run.processor / other.processor for run, other in zip(used, floor, strict=False)]
    cells = [f"{value:,.1f}" if value < 100 else f"{value:,.0f}" for value in medians]
    spread = f" ({min(to_floor):.2f}-{max(to_floor):.2f})" if len(to_floor) > 1 else ""
    cells.append(_ratio(to_floor) + spread)
    cells.append(
        _ratio([run.processor / other.processor for run, other in zip(used, ours, strict=False)]) if ours else ""
    )
    return [f"*{cell}*" if contestant.is_part and cell else cell for cell in cells]


def _of_layers(contestant, cell):
    """Memory grows with layers, not with minibatches."""
    return f"*{cell}*" if contestant.stride > 1 else cell


def _ratio(ratios):
    value = statistics.median(ratios)
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"


def _errors(contestant, found, reference):
    """Cells: to the definition of its own estimator, and to the unbiased one that the paper uses."""
    if contestant.estimator is None:
        return ["", ""]
    part = reference.part(contestant.minibatches, contestant.stride)
    return [error(found, part.cka(estimator)) for estimator in (contestant.estimator, contestants.UNBIASED)]


if __name__ == "__main__":
    main()
