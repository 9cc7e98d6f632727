"""What every stage's command line has in common: help, thread counts, errors."""

import argparse
import atexit
import contextlib
import gc
import os
import resource
import signal
import sys
import time

from widedeep import files, locking
from widedeep.errors import UserError

# Each library of linear algebra reads its own variable, once, when it is loaded.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
# Names to the stages the socket of a fork server, where there is one (widedeep/forkserver.py).
FORK_SERVER = "WIDEDEEP_FORK_SERVER"
# The exit status after Ctrl-C.
INTERRUPTED = 128 + signal.SIGINT
_held = contextlib.ExitStack()
_started = time.monotonic()
_timings = []  # files to write when this job has ended well

# Python looks for garbage after every 700 new objects by default, which is an eighth of what importing torch takes.
gc.set_threshold(100_000, 20, 100)


def parser(doc):
    """An argument parser whose help is the script's docstring, kept as it is written, with what all programs take."""
    result = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    result.add_argument("--threads", type=positive_int, default=1, help="threads for linear algebra (default: 1)")
    result.add_argument("--timing", metavar="FILE", help="TSV to write: seconds, processor seconds, peak memory")
    return result


def add_workers(parser):
    """The option of all programs that read images, which may be streamed."""
    parser.add_argument("--workers", type=int, default=0, help="processes that decode streamed images (default: 0)")


def add_figure_options(parser):
    """The options of all programs that draw networks."""
    parser.add_argument("--metrics", nargs="+", default=[], metavar="FILE", help="metrics.json of the networks")
    parser.add_argument("--colour-map", default="magma", help="of matplotlib or seaborn (default: magma)")
    parser.add_argument("--out", nargs="+", required=True, metavar="FILE", help="files to write: .pdf, .png, .csv")


def start(parser, argv=None, writes=()):
    """Parse `argv` and set the thread counts, so call it before numpy, scipy or torch is imported.

    Where there is a fork server, a process of one thread goes no further: a fork does its work.

    From then until it ends, this process is the only one that writes the files of its job: it waits for another one.

    Args:
        parser: of `parser`.
        argv: list of words; the process' own if None.
        writes: names of the arguments that hold the files to write, a path, a list of paths or None each.

    Returns:
        argparse.Namespace

    Raises:
        UserError: the files cannot be written there.
    """
    args = parser.parse_args(argv)
    if argv is None and args.threads == 1 and FORK_SERVER in os.environ:
        from widedeep import forkserver

        forkserver.hand_over()
    for variable in THREAD_VARIABLES:
        os.environ[variable] = str(args.threads)
    _timings[:] = [args.timing] if args.timing else []
    given = [getattr(args, name) for name in writes]
    paths = [path for value in given if value for path in (value if isinstance(value, list) else [value])]
    if paths:
        _held.enter_context(locking.only_writer(paths))
    return args


def release():
    """Let other processes write the files of this job; its lock files go."""
    _held.close()


def run(main):
    """Call `main()` and exit: with its return value as status, or with 1 and one sentence after a UserError."""
    try:
        # Files are written where their errors are explained, so what is left are the words that go to a log.
        with files.explaining_os_errors("what this program prints", only=files.NO_ROOM):
            status = main()
            sys.stdout.flush()
        if not status:
            write_timing()
            release()
            end_at_once()
        sys.exit(status)
    except UserError as error:
        sys.stdout = None  # what it could not write, it would try to write again
        sys.exit(f"error: {error}")  # sys.exit prints to stderr, status 1
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    finally:
        release()


def end_at_once():
    """End this process with status 0, after what is registered for its end.

    Python would also take apart all that torch or seaborn made: up to a second of processor time a job.
    """
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


def write_timing():
    """Write what this job took to its --timing: s and cpu_time in seconds, max_rss in MB (2**20 bytes).

    Snakemake's `benchmark:` would ask every process of a job for its memory twice a second, and take a tenth of the
    processor time of a study of short jobs. A timing that cannot be written is no reason to lose what was computed.
    """
    # Of processes that train one network together the first tells.
    if not _timings or os.environ.get("RANK", "0") != "0":
        return
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    processor = sum(one.ru_utime + one.ru_stime for one in used)
    with contextlib.suppress(UserError), files.replacing(_timings[0]) as unfinished:
        line = f"{time.monotonic() - _started:.2f}\t{processor:.2f}\t{_peak_memory():.1f}"
        unfinished.write_text(f"s\tcpu_time\tmax_rss\n{line}\n")


def _peak_memory():
    """MB (2**20 bytes) of this process."""
    # Linux: what getrusage says begins with the peak of the process that started this one.
    with contextlib.suppress(OSError), open("/proc/self/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmHWM")) / 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20  # macOS: bytes


def positive_int(text):
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a positive whole number")
    return value
