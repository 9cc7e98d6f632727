"""What every stage's command line has in common: help, thread counts, errors."""

import argparse
import gc
import os
import sys

from widedeep.errors import UserError

# Each library of linear algebra reads its own variable, once, when it is loaded.
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def parser(doc):
    """An argument parser whose help is the script's docstring, kept as it is written, with `--threads`."""
    result = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--threads", type=positive_int, default=1, help="threads for linear algebra (default: 1)")
    return result


def add_figure_options(parser):
    """The options of all programs that draw networks."""
    parser.add_argument("--metrics", nargs="+", default=[], metavar="FILE", help="metrics.json of the networks")
    parser.add_argument("--colour-map", default="magma", help="of matplotlib or seaborn (default: magma)")
    parser.add_argument("--out", nargs="+", required=True, metavar="FILE", help="files to write: .pdf, .png, .csv")


def start(parser, argv=None):
    """Parse `argv` and set the thread counts, so call it before numpy, scipy or torch is imported.

    Returns:
        argparse.Namespace
    """
    args = parser.parse_args(argv)
    for variable in _THREAD_VARIABLES:
        os.environ[variable] = str(args.threads)
    return args


def run(main):
    """Call `main()` and exit: with its return value as status, or with 1 and one sentence after a UserError."""
    try:
        sys.exit(main())
    except UserError as error:
        sys.exit(f"error: {error}")  # sys.exit prints to stderr, status 1
    finally:
        # Else Python looks for garbage among all that torch or seaborn made before it ends: up to a second of processor
        # time a job.
        gc.freeze()


def positive_int(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive whole number")
    return value
