"""Several processes at one study: nothing is corrupted, and what one of them could not do, a later run does."""

import signal
import subprocess
import time

import pytest
import study
from test_interruptions import differences

RUN_STUDY = ["scripts/run_study.py", "--configfile", study.CONFIG]
SNAKEMAKE = ["-m", "snakemake", "--configfile", study.CONFIG, "--cores", "1"]
# What four jobs write that need little time, and what is made of it.
CKA = "digits-resnet8-w2-f100/seed*/compute_cka.tsv"
MISSING = [f"timings/{CKA}", "models/digits-resnet8-w2-f100/seed*/cka.h5", "figures/G.*", "figures/fig6-*"]
WAITING = "results/tiny/logs/snakemake.log: another process writes this; waiting until it has ended.\n"


def start(made, *words):
    return made.start("-u", *words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def until_it_works(made):
    """Wait until a job of the torn study has ended and others run."""
    deadline = time.monotonic() + 120
    while not list(made.results.glob(f"timings/{CKA}")):
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
def working(torn):
    """A study, and the process that runs it."""
    with start(torn, *RUN_STUDY) as first:
        until_it_works(torn)
        yield torn, first
        if first.poll() is None:
            first.kill()


def test_a_second_run_of_a_study_waits_and_finds_all_done(working, finished):
    made, first = working
    with start(made, *RUN_STUDY) as impatient, start(made, *RUN_STUDY) as second:
        assert impatient.stdout.readline() == second.stdout.readline() == WAITING
        impatient.send_signal(signal.SIGINT)
        assert impatient.wait(20) == 128 + signal.SIGINT
        assert impatient.stdout.read() == ""
        # Snakemake by hand, beside it, takes nothing from the first one.
        with start(made, *SNAKEMAKE) as by_hand:
            assert by_hand.wait(120) == 1
            assert "LockException" in by_hand.stdout.read()
        said = first.communicate()[0], second.communicate()[0]
    assert (first.returncode, second.returncode) == (0, 0), said
    assert "Finished." in said[0]
    assert "Nothing to do: everything is up to date." in said[1]
    assert differences(made, finished) == []


def test_two_snakemakes_that_do_not_look_at_locks_leave_what_one_leaves(torn, finished):
    """They take each other's files away before they make them anew, so jobs may fail; no file is half there."""
    with start(torn, *SNAKEMAKE, "--nolock", "--keep-going") as first:
        until_it_works(torn)
        with start(torn, *SNAKEMAKE, "--nolock", "--keep-going") as second:
            said = first.communicate()[0], second.communicate()[0]
    assert "waiting until it has ended" in "".join(
        path.read_text() for path in torn.results.glob("logs/**/*.log") if path.name != "snakemake.log"
    ), said
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
