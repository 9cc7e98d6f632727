"""Compute a further measure of similarity between all layers of one network, or between the layers of two.

The measures and their definitions are in docs/reference/measures.md. Measures that cost a matrix decomposition for each
pair of layers compare the outputs of residual blocks, and the layers outside blocks.

Example (after the example of scripts/dump_activations.py --help):
  python scripts/compute_measure.py results/one/resnet14/activations.h5 --measure rsa_spearman \\
      --out results/one/resnet14/rsa_spearman.h5
"""

import contextlib

from widedeep.measures import kinds
from widedeep.runtime import command


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("dump", help="activations.h5 of scripts/dump_activations.py")
    parser.add_argument("--with", dest="other", metavar="DUMP", help="second network (default: the first with itself)")
    choices = {"choices": kinds.names(), "metavar": "NAME", "help": f"the measure, of {', '.join(kinds.names())}"}
    parser.add_argument("--measure", required=True, **choices)
    parser.add_argument("--out", required=True, metavar="FILE", help="file of similarities to write")
    return command.start(parser, argv, writes=["out"])


def main(argv=None):
    args = parse(argv)
    from widedeep.analysis import similarity
    from widedeep.formats import dumps
    from widedeep.networks.layers import outputs

    measure = kinds.named(args.measure)
    with contextlib.ExitStack() as opened:
        first = opened.enter_context(dumps.Dump(args.dump))
        second = opened.enter_context(dumps.Dump(args.other)) if args.other else first
        if measure.pairwise:
            for dump in {first, second}:
                dump.select(outputs(dump.layers))
        similarity.write(args.out, {"/": (first, second)}, [measure])
    print(f"{args.out}: {len(first.layers)} x {len(second.layers)} layers, {len(first.sample_ids)} minibatches")


if __name__ == "__main__":
    command.run(main)
