"""The command line of every program: help, thread counts, one writer for each file, errors in one sentence."""

import argparse
import contextlib
import os
import signal
import sys

from widedeep.runtime import endings, environment, files, locking, process, timing
from widedeep.runtime.errors import UserError

# Each library of linear algebra reads its own variable once, when it is loaded.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
# The exit status after Ctrl-C.
INTERRUPTED = 128 + signal.SIGINT
_held = contextlib.ExitStack()
_timings = []  # files to write when this job ends without an error


def parser(doc):
    """Return an argument parser with the options of all programs, whose help shows the script's docstring as it is."""
    process.collect_garbage_rarely()
    # No abbreviations: run_study.py would take Snakemake's --config for its own --configfile.
    result = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    result.add_argument("--threads", type=positive_int, default=1, help="threads for linear algebra (default: 1)")
    result.add_argument("--timing", metavar="FILE", help="TSV to write: seconds, processor seconds, peak memory")
    return result


def add_workers(parser):
    """Add the option of all programs that read images, which may be streamed."""
    parser.add_argument("--workers", type=int, default=0, help="processes that decode streamed images (default: 0)")


def add_device(parser):
    """Add the option of all programs that run networks."""
    parser.add_argument("--device", default="auto", help="cuda, mps, cpu or auto (default)")


def add_figure_options(parser):
    """Add the options of all programs that draw networks."""
    parser.add_argument("--metrics", nargs="+", default=[], metavar="FILE", help="metrics.json of the networks")
    parser.add_argument("--colour-map", default="magma", help="of matplotlib or seaborn (default: magma)")
    parser.add_argument("--out", nargs="+", required=True, metavar="FILE", help="files to write: .pdf, .png, .csv")


def start(parser, argv=None, writes=()):
    """Parse the command line, set the thread counts, and lock the files to write.

    Call it before numpy, scipy or torch is imported: they read the thread counts once. If another process writes the
    same files, this one waits for it; then it holds the lock until it ends.

    Args:
        parser: from `parser`.
        argv: list of words; None takes those of the process.
        writes: names of the arguments that hold files to write: each a path, a list of paths or None.

    Returns:
        argparse.Namespace

    Raises:
        UserError: the files cannot be written there.
    """
    args = parser.parse_args(argv)
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(args.threads)
    _timings[:] = [args.timing] if args.timing else []
    given = [getattr(args, name) for name in writes]
    paths = [path for value in given if value for path in (value if isinstance(value, list) else [value])]
    if paths:
        _held.enter_context(locking.only_writer(paths))
    return args


def release():
    """Release the lock of this job's files and remove the lock file."""
    _held.close()


def run(main):
    """Call `main()` and exit with the status that it returns.

    A UserError is printed as one sentence, with status 1, and so is a package that is not installed.
    """
    environment.use_utf8()
    try:
        # Files explain their own errors, so only the printed output is left to explain here.
        with files.explaining_os_errors("the output of this program", only=files.NO_ROOM):
            status = main()
            sys.stdout.flush()
        if not status:
            for path in _timings:
                timing.write(path)
            release()
            process.end_at_once()
        sys.exit(status)
    except UserError as error:
        sys.stdout = None  # Python would try again to write what is left in its buffer
        sys.exit(endings.error_line(error))  # printed to stderr, with status 1
    except ModuleNotFoundError as error:
        if error.name.startswith("widedeep"):
            raise
        remedy = "use that of the environment (`make` makes it in .venv/bin), or install requirements.txt."
        sys.exit(endings.error_line(f"{sys.executable}: this Python has no package {error.name}; {remedy}"))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:
        release()


def positive_int(text):
    """The type of a command-line option that is a whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive whole number")
    return value
