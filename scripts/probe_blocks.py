"""What each residual block of a trained network adds: linear probes around it, and the network without it.

Writes two tables. Probes: the test accuracy of one dense layer trained on the output of each block before the
addition (its second batch norm) and after it. Deletion: the test accuracy of the network without each block, and
without the last 2, 3, ... blocks of each stage. Told to stop, it writes a checkpoint and exits with status 75, as
scripts/train.py.

Example (after the example of scripts/train.py --help):
  python scripts/probe_blocks.py results/one/resnet14/model.safetensors --data data/digits/dataset.h5 --epochs 5 \\
      --no-flip --probes results/one/resnet14/probes.csv --deletion results/one/resnet14/deletion.csv
"""

import argparse
from pathlib import Path

from widedeep import command, files, provenance
from widedeep.interruption import STOPPED, Clock, Interrupted, StopSignal


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("model", metavar="WEIGHTS", help="model.safetensors of scripts/train.py")
    parser.add_argument("--data", required=True, metavar="FILE", help="dataset.h5 of scripts/download.py")
    parser.add_argument("--probes", required=True, metavar="FILE", type=Path, help="table of probes to write, as CSV")
    parser.add_argument("--deletion", required=True, metavar="FILE", help="table of deletions to write, as CSV")
    parser.add_argument("--provenance", metavar="FILE", help="JSON to write, in the folder of --probes")
    recipe = parser.add_argument_group("the probes' recipe (defaults: the paper's)")
    recipe.add_argument("--epochs", type=command.positive_int, default=300)
    recipe.add_argument("--batch-size", type=command.positive_int, default=128)
    recipe.add_argument("--learning-rate", type=float, default=0.01, help="constant")
    recipe.add_argument("--momentum", type=float, default=0.9)
    recipe.add_argument("--flip", action=argparse.BooleanOptionalAction, default=True, help="random horizontal flips")
    recipe.add_argument("--pool", action=argparse.BooleanOptionalAction, default=False, help="max-pool 2x2 first")
    machine = parser.add_argument_group("the machine")
    machine.add_argument("--device", default="auto", help="cuda, mps, cpu or auto (default)")
    machine.add_argument("--checkpoint-minutes", type=float, default=10, help="between two checkpoints (default: 10)")
    command.add_workers(machine)
    return command.start(parser, argv, writes=["probes", "deletion", "provenance"])


def main(argv=None):
    args = parse(argv)
    stop, attempt = StopSignal(), provenance.Attempt()  # before torch is imported
    from dataclasses import asdict

    from widedeep import data, deletion, models, probes, weights
    from widedeep.checkpoint import Checkpoint

    device = models.device_named(args.device)
    attempt.device = provenance.device_name(device)
    network, model, training = weights.load(args.model, device)
    description = data.describe(args.data)
    weights.check_data(args.model, training, description, args.data)
    train = data.read(args.data, "train", model.fraction, args.workers)
    test = data.read(args.data, "test", workers=args.workers)
    recipe = probes.ProbeRecipe(args.epochs, args.batch_size, args.learning_rate, args.momentum, args.flip, args.pool)
    name = f"{model}/seed{training['seed']}"
    blocks = deletion.deletable(network, test.images.shape[1:], device)
    probing = probes.Probes(
        network, probes.probed(network), train, test, len(description.classes), recipe, name, device
    )
    identity = {"name": name, "weights": files.checksum(args.model), **asdict(recipe)}
    checkpoint = Checkpoint(args.probes.with_suffix(".checkpoint.pt"), identity)
    checkpoint.resume(probing)
    try:
        probing.run(probes.after_step(checkpoint, stop, Clock(60 * args.checkpoint_minutes), attempt))
    except Interrupted:
        print(f"stopped by {stop.name}; {checkpoint.path} holds the state, start again to go on.")
        return STOPPED
    files.write_csv(args.deletion, deletion.accuracies(network, blocks, test, args.batch_size, device), "{:.6f}")
    files.write_csv(args.probes, probing.accuracies(), "{:.6f}")
    if args.provenance:
        attempts, outputs = [*checkpoint.attempts, attempt.so_far()], (args.probes, args.deletion)
        of = str(model), training["seed"]
        provenance.write(args.provenance, "probe", of, identity, attempts, outputs)
    checkpoint.remove()
    print(f"{name}: {len(probing.layers)} probes, {len(list(deletion.variants(blocks)))} variants without blocks")
    return 0


if __name__ == "__main__":
    command.run(main)
