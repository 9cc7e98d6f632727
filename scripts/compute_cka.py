"""Compute minibatch CKA between all layers of one network, or between the layers of two, from their dumps.

The file also holds CKA without first components and the squared cosine of first components. Further measures are
computed by scripts/compute_measure.py.

Example (after the example of scripts/dump_activations.py --help):
  python scripts/compute_cka.py results/one/resnet14/activations.h5 --out results/one/resnet14/cka.h5
"""

import contextlib

from widedeep.runtime import command


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("dump", help="activations.h5 of scripts/dump_activations.py")
    parser.add_argument("--with", dest="other", metavar="DUMP", help="second network (default: the first with itself)")
    parser.add_argument("--out", required=True, metavar="FILE", help="cka.h5 to write")
    return command.start(parser, argv, writes=["out"])


def main(argv=None):
    args = parse(argv)
    from widedeep.analysis import similarity
    from widedeep.formats import dumps

    with contextlib.ExitStack() as opened:
        first = opened.enter_context(dumps.Dump(args.dump))
        second = opened.enter_context(dumps.Dump(args.other)) if args.other else first
        similarity.write(args.out, {"/": (first, second)})
    print(f"{args.out}: {len(first.layers)} x {len(second.layers)} layers, {len(first.sample_ids)} minibatches")


if __name__ == "__main__":
    command.run(main)
