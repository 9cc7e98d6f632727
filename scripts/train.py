"""Train one network with the paper's recipe.

Writes model.safetensors, history.csv, metrics.json and provenance.json into the folder --out. The weights are those of
the last epoch, not of the best one on the test set.

On SIGTERM or Ctrl-C it writes a checkpoint and exits with status 75. Started again with the same arguments, it goes on
from there and ends with the same bits as an uninterrupted training. Two trainings never write into one folder: the
second one waits, and trains only if the first one had other settings or code. Started by torchrun, several processes,
each with a GPU of its own, share every batch.

On a GPU a step is one CUDA graph where that is possible; the output says so, or why not. A narrow network still leaves
most of the GPU idle. With --beside, up to --at-once networks train side by side, each as it would alone: this one, and
further seeds of it whose weights are missing and that no other process trains. Their files are left in the folder
`trained` in theirs, from which this program takes them when it is called for them.

Example:
  python scripts/download.py --dataset digits --out data/digits/dataset.h5
  python scripts/train.py --data data/digits/dataset.h5 --depth 14 --seed 1 --epochs 10 --batch-size 64 \\
      --learning-rate 0.1 --batchnorm-momentum 0.1 --no-flip --out results/one/resnet14
"""

import contextlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from widedeep.names import Configuration, Network
from widedeep.networks import families
from widedeep.runtime import command, endings, files, locking, options, process, provenance
from widedeep.runtime.interruption import STOPPED, Clock, Interrupted, StopSignal
from widedeep.study import fingerprint
from widedeep.training import companions
from widedeep.training.recipe import Checkpoints, Recipe, settings_of


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
    machine.add_argument(
        "--beside",
        nargs="+",
        default=[],
        metavar="DIR",
        type=Path,
        help="on a GPU: folders of further seeds, named seedN, to train side by side with this one",
    )
    machine.add_argument(
        "--at-once", type=command.positive_int, default=8, help="most networks side by side (default: 8)"
    )
    machine.add_argument(
        "--wait-in-queue",
        action="store_true",
        help="a Slurm job goes back to the queue while another one trains its network beside its own",
    )
    command.add_workers(machine)
    return command.start(parser, argv)


def main(argv=None):
    args = parse(argv)
    recipe, checkpoints = (options.from_arguments(kind, args) for kind in (Recipe, Checkpoints))
    stop, attempt = StopSignal(), provenance.Attempt()  # before torch is imported
    from widedeep.formats import dataset

    description = dataset.describe(args.data)
    members = members_of(args, recipe, description)
    if process.is_alone() and is_left_by_another(args, members[0]):
        return 0
    from widedeep.networks.devices import device_named
    from widedeep.training import distributed

    device = device_named(args.device)
    if device.type not in companions.SHARED or not process.is_alone():
        members = members[:1]
    # The first of several processes takes the locks; the others wait for it in torch.
    first = process.is_first()
    lock = contextlib.nullcontext((False, members))
    if first:
        lock = companions.claimed(members, args.at_once, stop, args.wait_in_queue)
    try:
        with lock as (waited, held), distributed.group(device) as group:
            return train(args, held, recipe, checkpoints, description, group, stop, attempt, waited)
    except Interrupted:
        print(endings.stopped_line(f"{stop.name}, before the training began; start it again."))
        return STOPPED


def is_left_by_another(args, own):
    """Whether the results of this training were there, and are in their places now; says so. Without torch."""
    if not own.results.exists():
        return False
    with locking.writer_if_free(own.written) as is_mine:
        return is_mine and is_put_in_place(args, own, waited=False)


def is_put_in_place(args, own, waited):
    """Whether another process has done this training; see companions.is_done."""
    if not companions.is_done(own, code_of(args), waited):
        return False
    companions.remove_traces(own)
    print(f"{own.folder}: is trained already.")
    return True


def code_of(args):
    """Fingerprint of the code of trainings."""
    return fingerprint.of_script(__file__, families.path_of(args.family))


def members_of(args, recipe, description):
    """list of companions.Member: the network of the command line, then those of --beside.

    Raises:
        UserError: a folder is not named after a seed.
    """
    report = args.progress and args.progress.name
    places = [(args.seed, args.out, args.checkpoint or args.out / companions.CHECKPOINT, args.progress)]
    for folder in args.beside:
        places.append((companions.seed_of(folder), folder, folder / companions.CHECKPOINT, report and folder / report))
    members = []
    for seed, *paths in places:
        configuration = Configuration(description.name, args.family, args.depth, args.width, args.fraction)
        network = Network(configuration, seed)
        members.append(companions.Member(network, settings_of(network, recipe, description.train_checksum), *paths))
    return members


def train(args, members, recipe, checkpoints, description, group, stop, attempt, waited):
    """Train in one process of a group, of which the first writes the files; return the exit status.

    Args:
        members: list of companions.Member to train, the first one that of the command line.
        waited: whether this process waited for another one with the same training.
    """
    from widedeep.training import side_by_side

    attempt.device = provenance.device_name(group.device, group.size)
    own, writes = members[0], group.rank == 0
    if group.any(writes and is_put_in_place(args, own, waited)):
        return 0
    begun = {each.training.name: each for each in begin(args, members, recipe, description, group)}
    save_clock, progress_clock = Clock(60 * checkpoints.checkpoint_minutes), Clock(1)

    def after_step(running):
        stopping = group.any(stop.name)
        if writes and (stopping or save_clock.is_due()):
            save([begun[training.name] for training in running], attempt)
        if stopping:
            raise Interrupted
        if writes and progress_clock.is_due():
            for training in running:
                if path := begun[training.name].member.progress:
                    report_progress(path, training)

    def after_end(training):
        if writes:
            finish(
                begun[training.name], own, description, attempt, code_of(args), sorted(begun.keys() - {training.name})
            )

    try:
        failed = side_by_side.run([each.training for each in begun.values()], after_step, after_end)
    except Interrupted:
        checkpoint = begun[str(own.network)].checkpoint
        print(endings.stopped_line(f"{stop.name}; {checkpoint.path} has the state, start it again to go on."))
        return STOPPED
    for name, error in failed.items():
        print(f"{name}: failed: {error}")
    if error := failed.get(str(own.network)):
        raise error
    if group.any(stop.name):
        # Who tells a job to stop may not count it as done, and deletes its files before it starts it again.
        if writes:
            companions.set_aside(own)
        print(endings.stopped_line(f"{stop.name}; {own.results} has the results, start it again to put them in place."))
        return STOPPED
    if writes:
        companions.remove_traces(own)
    return 0


@dataclass
class Begun:
    """A training that has begun, or goes on: its companions.Member, loop.Training and checkpoint.Checkpoint."""

    member: object
    training: object
    checkpoint: object


def begin(args, members, recipe, description, group):
    """list of Begun for the members, without those beside the first one whose checkpoints are refused.

    Raises:
        UserError: the data or the first member cannot be trained; see loop.training_of and Checkpoint.resume.
    """
    from widedeep.data import loading
    from widedeep.runtime.errors import UserError
    from widedeep.training import loop
    from widedeep.training.checkpoint import Checkpoint

    workers = group.workers(args.workers)
    examples = [
        loop.examples_on(loading.read(args.data, split, fraction, workers), group.device)
        for split, fraction in (("train", args.fraction), ("test", 1))
    ]
    shape, classes = description.image_shape, len(description.classes)
    begun = []
    for member in members:
        checkpoint = Checkpoint(member.checkpoint, member.identity, Recipe().model_dump())
        training = loop.training_of(member.network, shape, *examples, classes, recipe, group)
        try:
            checkpoint.resume(training)
        except UserError as error:
            if member is members[0]:
                raise
            print(f"{member.network} is left to its own job: {error}")
            continue
        begun.append(Begun(member, training, checkpoint))
    return begun


def save(begun, attempt):
    """Write the checkpoints of trainings; one that cannot be written keeps no other from being written."""
    from widedeep.runtime.errors import UserError

    errors = []
    for each in begun:
        try:
            each.checkpoint.save(each.training.state(), attempt.so_far())
        except UserError as error:
            errors.append(error)
    if errors:
        raise errors[0]


def finish(one, own, description, attempt, code, beside):
    """Write the files of a finished training: of the process' own to their places, of another one beside them."""
    member, training = one.member, one.training
    folder = member.folder if member is own else member.results
    outputs = write_results(folder, member.network, training, member.identity, description)
    attempts = [*one.checkpoint.attempts, attempt.so_far()]
    more = {"epoch_seconds": training.epoch_seconds, "beside": beside, "code": code}
    label = str(member.network.configuration), member.network.seed
    provenance.write(folder / "provenance.json", "train", label, member.identity, attempts, outputs, **more)
    companions.remove_state(member)


def report_progress(path, state):
    """Write the position of the training; a full disk must not end it, so this file may be left out."""
    from widedeep.runtime.errors import UserError

    loss, accuracy = state.running_loss_and_accuracy()
    position = {"epoch": state.epoch + 1, "epochs": state.recipe.epochs, "step": state.step}
    with contextlib.suppress(UserError), files.replacing(path) as unfinished:
        unfinished.write_text(json.dumps({"name": state.name, **position, "loss": loss, "accuracy": accuracy}))


def write_results(folder, network, finished, identity, description):
    """Write history, metrics and weights, the weights last, since later stages wait for them; return the paths."""
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
