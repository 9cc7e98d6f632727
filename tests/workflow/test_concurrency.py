"""Several processes at one study: nothing is corrupted, and what one of them could not do, a later run does."""

import contextlib
import signal
import subprocess
import time

import pytest
import study
from test_interruptions import differences

from widedeep.runtime import locking

RUN_STUDY = ["scripts/run_study.py", "--configfile", study.CONFIG]
SNAKEMAKE = ["-m", "snakemake", "--configfile", study.CONFIG, "--cores", "1"]
# What four jobs write that need little time, and what is made of it.
MISSING = ["models/digits-resnet8-w2-f100/seed*/cka.h5", "figures/G.*", "figures/fig6-*"]
NETWORK = "digits-resnet8-w2-f100/seed2"
HELD = f"models/{NETWORK}/cka.h5"
WAITING = "results/tiny/logs/snakemake.log: another process writes this; waiting until it has ended.\n"


def start(made, *words):
    return made.start("-u", *words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def until_jobs_wait(made, count):
    """Wait until so many processes want to write the file that is held; the last one's shell has emptied the log."""
    deadline = time.monotonic() + 120
    log = made.results / "logs" / NETWORK / "compute_cka.log"
    while (
        sum(f"results/tiny/{HELD}" in words for _, words in made.processes()) < count
        or "waiting until" not in log.read_text()
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def torn(copied):
    """A study of which some files are missing."""
    for pattern in MISSING:
        for path in copied.results.glob(pattern):
            path.unlink()
    return copied


@pytest.fixture
def held(torn):
    """Until a block `with held` ends, no job writes one of the missing files, and no run ends."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(locking.only_writer([torn.results / HELD]))
        yield stack


@pytest.mark.whole
def test_a_second_run_of_a_study_waits_and_finds_all_done(torn, held, finished):
    # One core: while the held job waits no other ends, whose files another Snakemake would call incomplete.
    with start(torn, *RUN_STUDY, "--cores", "1") as first, held:
        until_jobs_wait(torn, 1)
        with start(torn, *RUN_STUDY) as impatient, start(torn, *RUN_STUDY) as second, held:
            assert impatient.stdout.readline() == second.stdout.readline() == WAITING
            impatient.send_signal(signal.SIGINT)
            assert impatient.wait(20) == 128 + signal.SIGINT
            assert impatient.stdout.read() == ""
            # Snakemake by hand, beside it, takes nothing from the first one.
            with start(torn, *SNAKEMAKE) as by_hand, held:
                assert by_hand.wait(120) == 1
                refused = by_hand.stdout.read()
                assert "LockException" in refused, refused
            said = first.communicate()[0], second.communicate()[0]
    assert (first.returncode, second.returncode) == (0, 0), said
    assert "Finished." in said[0]
    assert "Nothing to do: everything is up to date." in said[1]
    assert differences(torn, finished) == []


@pytest.mark.whole
def test_two_snakemakes_that_do_not_look_at_locks_leave_what_one_leaves(torn, held, finished):
    """They take each other's files away before they make them anew, so jobs may fail; no file is half there."""
    with start(torn, *SNAKEMAKE, "--nolock", "--keep-going") as first, held:
        until_jobs_wait(torn, 1)
        with start(torn, *SNAKEMAKE, "--nolock", "--keep-going") as second:
            with held:
                until_jobs_wait(torn, 2)
            first.communicate()
            second.communicate()
    assert not list(torn.folder.rglob(".*.unfinished*"))
    assert not list(torn.folder.rglob(".*.lock"))
    torn.run_study()
    assert differences(torn, finished) == []
    assert torn.jobs_of_dry_run() == {}


def test_two_runs_to_one_file_that_is_missing_make_it_once(copied, finished):
    (copied.results / "figures/B.csv").unlink()
    with start(copied, *RUN_STUDY) as first, start(copied, *RUN_STUDY) as second:
        said = first.communicate()[0], second.communicate()[0]
    assert (first.returncode, second.returncode) == (0, 0), said
    assert sorted("Nothing to do" in words for words in said) == [False, True], said
    assert differences(copied, finished) == []
