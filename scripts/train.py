"""Train one network with the paper's recipe.

Writes model.safetensors, history.csv, metrics.json and provenance.json into the folder --out. The weights are those of
the last epoch, not of the best one on the test set.

On SIGTERM or Ctrl-C it writes a checkpoint and exits with status 75. Started again with the same arguments, it goes on
from there and ends with the same bits as an uninterrupted training. Two trainings never write into one folder: the
second one waits, and trains only if the first one had other settings or code. Started by torchrun, several processes,
each with a GPU of its own, share every batch.

Example:
  python scripts/download.py --dataset digits --out data/digits/dataset.h5
  python scripts/train.py --data data/digits/dataset.h5 --depth 14 --seed 1 --epochs 10 --batch-size 64 \\
      --learning-rate 0.1 --batchnorm-momentum 0.1 --no-flip --out results/one/resnet14
"""

import contextlib
import json
from pathlib import Path

from widedeep.names import Configuration, Network
from widedeep.runtime import command, endings, files, options, provenance
from widedeep.runtime.interruption import STOPPED, Clock, Interrupted, StopSignal
from widedeep.training.recipe import Checkpoints, Recipe


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("--data", required=True, metavar="FILE", help="dataset.h5 of scripts/download.py")
    parser.add_argument("--out", required=True, metavar="DIR", type=Path, help="folder for the four files")
    network = parser.add_argument_group("the network")
    network.add_argument("--family", default="resnet", help="a file in scripts/families (default: resnet)")
    network.add_argument("--depth", type=int, required=True, help="layers with weights; 6n + 2 for resnet and plain")
    network.add_argument("--width", type=float, default=1, help="width multiplier (default: 1)")
    network.add_argument(
        "--fraction", type=float, default=1, help="share of the training set to use, its first part (default: 1)"
    )
    network.add_argument("--seed", type=int, required=True, help="seed of initial weights, order and augmentation")
    options.add_arguments(parser.add_argument_group("the recipe (defaults: the paper's on CIFAR-10)"), Recipe)
    machine = parser.add_argument_group("the machine")
    command.add_device(machine)
    machine.add_argument("--checkpoint", type=Path, metavar="FILE", help="default: checkpoint.pt in --out")
    options.add_arguments(machine, Checkpoints)
    machine.add_argument("--progress", type=Path, metavar="FILE", help="JSON to update with epoch, loss and accuracy")
    command.add_workers(machine)
    return command.start(parser, argv)


def main(argv=None):
    args = parse(argv)
    recipe, checkpoints = (options.from_arguments(kind, args) for kind in (Recipe, Checkpoints))
    stop, attempt = StopSignal(), provenance.Attempt()  # before torch is imported
    from widedeep.networks.devices import device_named
    from widedeep.runtime import locking
    from widedeep.training import distributed

    outputs = ("model.safetensors", "history.csv", "metrics.json", "provenance.json")
    written = [*(args.out / name for name in outputs), *([args.progress] if args.progress else [])]
    try:
        # The first of several processes takes the lock; the others wait for it in torch.
        lock = locking.only_writer(written, stop) if distributed.is_first() else contextlib.nullcontext(False)
        with lock as waited, distributed.group(device_named(args.device)) as group:
            return train(args, recipe, checkpoints, group, stop, attempt, waited)
    except Interrupted:
        print(endings.stopped_line(f"{stop.name}, before the training began; start it again."))
        return STOPPED


def train(args, recipe, checkpoints, group, stop, attempt, waited):
    """Train in one process of a group, of which the first writes the files; return the exit status."""
    from widedeep.data import loading
    from widedeep.formats import dataset
    from widedeep.training import loop
    from widedeep.training.checkpoint import Checkpoint

    attempt.device = provenance.device_name(group.device, group.size)
    description = dataset.describe(args.data)
    network = Network(Configuration(description.name, args.family, args.depth, args.width, args.fraction), args.seed)
    identity = loop.settings(network, recipe, description.train_checksum)
    checkpoint = Checkpoint(args.checkpoint or args.out / "checkpoint.pt", identity, Recipe().model_dump())
    if group.any(waited and is_finished(args.out, identity, attempt)):
        print(f"{args.out}: trained by the process that was waited for.")
        remove_traces(checkpoint, args.progress, group)
        return 0
    save_clock, progress_clock = Clock(60 * checkpoints.checkpoint_minutes), Clock(1)

    def after_step(state):
        stopping = group.any(stop.name)
        if group.rank == 0 and (stopping or save_clock.is_due()):
            checkpoint.save(state.state(), attempt.so_far())
        if stopping:
            raise Interrupted
        if group.rank == 0 and args.progress and progress_clock.is_due():
            report_progress(args.progress, state)

    workers = group.workers(args.workers)
    examples = loading.read(args.data, "train", args.fraction, workers)
    test = loading.read(args.data, "test", workers=workers)
    classes = len(description.classes)
    try:
        finished = loop.train_network(network, examples, test, classes, recipe, group, checkpoint, after_step)
    except Interrupted:
        print(endings.stopped_line(f"{stop.name}; {checkpoint.path} has the state, start it again to go on."))
        return STOPPED
    if group.rank == 0:
        outputs = write_results(args.out, network, finished, identity, description)
        attempts, seconds = [*checkpoint.attempts, attempt.so_far()], finished.epoch_seconds
        label = identity["model"], identity["seed"]
        path = args.out / "provenance.json"
        provenance.write(path, "train", label, identity, attempts, outputs, epoch_seconds=seconds)
    remove_traces(checkpoint, args.progress, group)
    return 0


def remove_traces(checkpoint, progress, group):
    """Remove the checkpoint and the progress file of a finished training, also those that a killed process left."""
    if group.rank == 0:
        checkpoint.remove()
        if progress:
            progress.unlink(missing_ok=True)


def is_finished(folder, identity, attempt):
    """Return whether a folder has all files of this same training, made by the same code."""
    from widedeep.runtime.errors import UserError

    try:
        found = provenance.read(folder / "provenance.json")
        whole = all(files.checksum(folder / name) == value for name, value in found["outputs"].items())
    except (UserError, OSError):
        return False
    code = ("commit", "dirty", "versions")
    last, this = found["attempts"][-1], attempt.so_far()
    return whole and found["settings"] == identity and all(last[key] == this[key] for key in code)


def report_progress(path, state):
    """Write the position of the training; a full disk must not end it, so this file may be left out."""
    from widedeep.runtime.errors import UserError

    loss, accuracy = state.running_loss_and_accuracy()
    position = {"epoch": state.epoch + 1, "epochs": state.recipe.epochs, "step": state.step}
    with contextlib.suppress(UserError), files.replacing(path) as unfinished:
        unfinished.write_text(json.dumps({"name": state.name, **position, "loss": loss, "accuracy": accuracy}))


def write_results(folder, network, finished, identity, description):
    """Write history, metrics and weights, the weights last, since later stages wait for them; return the paths."""
    from dataclasses import asdict

    from widedeep.formats import weights

    metrics = finished.metrics()
    parameters = sum(parameter.numel() for parameter in finished.network.parameters())
    history, summary, model_file = (folder / name for name in ("history.csv", "metrics.json", "model.safetensors"))
    files.write_csv(history, finished.history)
    sizes = {"parameters": parameters, "train_examples": len(finished.train[1]), "test_examples": len(finished.test[1])}
    known = {"model": identity["model"], **asdict(network.configuration), "seed": network.seed}
    files.write_json(summary, {**known, **metrics, **sizes})
    weights.save(model_file, finished.network, network.configuration, identity, description)
    print(
        f"{finished.name}: test accuracy {metrics['test_accuracy']:.4f}, train accuracy {metrics['train_accuracy']:.4f}"
    )
    return history, summary, model_file


if __name__ == "__main__":
    command.run(main)
