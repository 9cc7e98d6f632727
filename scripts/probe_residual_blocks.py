"""Measure the effect of each residual block of a trained network: by linear probes around it, and by deleting it.

Writes two tables. Probes: the test accuracy of a dense layer trained on the output of each block, before the addition
(its last batch norm) and after it; and the accuracy after half of the epochs, which shows whether more would change it.
Deletion: the test accuracy of the network without each block, and without the last 2, 3, ... blocks of each stage. On
SIGTERM or Ctrl-C it writes a checkpoint and exits with status 75, as scripts/train.py does.

Example (after the example of scripts/train.py --help):
  python scripts/probe_residual_blocks.py results/one/resnet14/model.safetensors --data data/digits/dataset.h5 \\
      --epochs 5 --no-flip --probes results/one/resnet14/probes.csv --deletion results/one/resnet14/deletion.csv
"""

from pathlib import Path

from widedeep import names
from widedeep.analysis.probe_options import ProbeRecipe
from widedeep.runtime import command, endings, files, options, provenance
from widedeep.runtime.interruption import STOPPED, Clock, Interrupted, StopSignal
from widedeep.training.recipe import Checkpoints


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("model", metavar="WEIGHTS", help="model.safetensors of scripts/train.py")
    parser.add_argument("--data", required=True, metavar="FILE", help="dataset.h5 of scripts/download.py")
    parser.add_argument("--probes", required=True, metavar="FILE", type=Path, help="table of probes to write, as CSV")
    parser.add_argument("--deletion", required=True, metavar="FILE", help="table of deletions to write, as CSV")
    parser.add_argument("--provenance", metavar="FILE", help="JSON to write, in the folder of --probes")
    options.add_arguments(parser.add_argument_group("the probes' recipe (defaults: the paper's)"), ProbeRecipe)
    machine = parser.add_argument_group("the machine")
    command.add_device(machine)
    options.add_arguments(machine, Checkpoints)
    command.add_workers(machine)
    return command.start(parser, argv, writes=["probes", "deletion", "provenance"])


def main(argv=None):
    args = parse(argv)
    recipe, checkpoints = (options.from_arguments(kind, args) for kind in (ProbeRecipe, Checkpoints))
    stop, attempt = StopSignal(), provenance.Attempt()  # before torch is imported
    from widedeep.analysis import deletion, probes
    from widedeep.data import loading
    from widedeep.formats import dataset, weights
    from widedeep.networks.devices import device_named
    from widedeep.training.checkpoint import Checkpoint

    device = device_named(args.device)
    attempt.device = provenance.device_name(device)
    network, configuration, training = weights.load(args.model, device)
    description = dataset.describe(args.data)
    weights.check_data(args.model, training, description, args.data)
    train = loading.read(args.data, "train", configuration.fraction, args.workers)
    test = loading.read(args.data, "test", workers=args.workers)
    name = names.label(configuration, training["seed"])
    blocks = deletion.deletable(network, test.images.shape[1:], device)
    probing = probes.Probes(
        network, probes.probed(network), train, test, len(description.classes), recipe, name, device
    )
    identity = {"name": name, "weights": files.checksum(args.model), **recipe.model_dump()}
    checkpoint = Checkpoint(args.probes.with_suffix(".checkpoint.pt"), identity, ProbeRecipe().model_dump())
    checkpoint.resume(probing)
    try:
        probing.run(probes.after_step(checkpoint, stop, Clock(60 * checkpoints.checkpoint_minutes), attempt))
    except Interrupted:
        return stopped(stop, checkpoint)
    files.write_csv(args.deletion, deletion.accuracies(network, blocks, test, args.batch_size, device), "{:.6f}")
    files.write_csv(args.probes, probing.accuracies(), "{:.6f}")
    if args.provenance:
        attempts, outputs = [*checkpoint.attempts, attempt.so_far()], (args.probes, args.deletion)
        label = str(configuration), training["seed"]
        provenance.write(args.provenance, "probe", label, identity, attempts, outputs)
    if stop.name:
        # Who tells a job to stop may not count it as done, and deletes its files before it starts it again.
        checkpoint.save(probing.state(), attempt.so_far())
        return stopped(stop, checkpoint)
    checkpoint.remove()
    print(f"{name}: {len(probing.layers)} probes, {len(list(deletion.variants(blocks)))} variants without blocks")
    return 0


def stopped(stop, checkpoint):
    """Say that the program was told to stop; return the exit status."""
    print(endings.stopped_line(f"{stop.name}; {checkpoint.path} has the state, start it again to go on."))
    return STOPPED


if __name__ == "__main__":
    command.run(main)
