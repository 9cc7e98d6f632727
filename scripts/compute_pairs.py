"""Compute minibatch CKA between the layers of many pairs of networks at once; each dump is read once.

Compares the pairs whose larger seed is the largest one given. With --first alone, these are pairs within one
configuration; with --second, pairs of one network of each. The HDF5 group of a pair is named after its seeds, as
`seed1--seed3`. A file holds the same measures as that of scripts/compute_cka.py.

Example (two seeds of one configuration, dumped as in the example of scripts/dump_activations.py --help):
  python scripts/compute_pairs.py --first a/activations.h5 b/activations.h5 --out pairs.h5
"""

import contextlib

from widedeep.runtime import command


def parse(argv):
    parser = command.parser(__doc__)
    parser.add_argument("--first", nargs="+", required=True, metavar="DUMP", help="dumps of one configuration")
    parser.add_argument("--second", nargs="+", default=[], metavar="DUMP", help="dumps of another configuration")
    parser.add_argument("--out", required=True, metavar="FILE", help="file of all pairs to write")
    return command.start(parser, argv, writes=["out"])


def main(argv=None):
    args = parse(argv)
    from widedeep.analysis import similarity
    from widedeep.formats import dumps

    with contextlib.ExitStack() as opened:
        first, second = (
            [opened.enter_context(dumps.Dump(path)) for path in paths] for paths in (args.first, args.second)
        )
        pairs = pairs_of_larger_seed(first, second)
        similarity.write(args.out, pairs)
    print(f"{args.out}: {len(pairs)} pairs, {len(first[0].sample_ids)} minibatches")


def pairs_of_larger_seed(first, second):
    """Select the pairs whose larger seed is the largest one given.

    Args:
        first, second: lists of dumps.Dump; `second` is empty for pairs within one configuration.

    Returns:
        dict from the name of a group to (dumps.Dump, dumps.Dump)

    Raises:
        UserError: no pair has that larger seed.
    """
    from widedeep.names import pair_name
    from widedeep.runtime.errors import UserError

    larger = max(dump.seed for dump in first + second)
    candidates = [(a, b) for a in first for b in second or first if second or a.seed < b.seed]
    pairs = {pair_name(a.seed, b.seed): (a, b) for a, b in candidates if max(a.seed, b.seed) == larger}
    if not pairs:
        raise UserError(f"--first {' '.join(str(dump.path) for dump in first)}: holds no pair of networks; give two.")
    return pairs


if __name__ == "__main__":
    command.run(main)
