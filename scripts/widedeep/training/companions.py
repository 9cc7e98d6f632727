"""Networks that train side by side in the process of one of them: a GPU trains several narrow ones in the time of one.

Each network has a job of its own. The job that comes first takes along other seeds of its configuration whose jobs have
not begun, and leaves what they would write in the folder `trained` beside it. A job that finds its own results there
copies them to their places. So no job writes the files of another one.
"""

import contextlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from widedeep.names import Network
from widedeep.runtime import files, locking, provenance, slurm
from widedeep.runtime.errors import UserError
from widedeep.training.recipe import Recipe

# What a training writes into its folder. The weights come last, since later stages wait for them.
OUTPUTS = ("history.csv", "metrics.json", "provenance.json", "model.safetensors")
CHECKPOINT = "checkpoint.pt"
# Devices on which several trainings take less time side by side than one after another.
SHARED = ("cuda",)
_TRAINED = "trained"


@dataclass(frozen=True)
class Member:
    """One of the networks that train side by side.

    Attributes:
        network: names.Network.
        identity: recipe.settings_of its training.
        folder: for its files.
        checkpoint: path of its checkpoint.
        progress: path of its report, or None.
    """

    network: Network
    identity: dict
    folder: Path
    checkpoint: Path
    progress: Path | None

    @property
    def results(self):
        """The folder in which the job of another network leaves the files of this one."""
        return self.folder / _TRAINED

    @property
    def written(self):
        """The files that its job writes; the first one identifies the job (locking.py)."""
        return [*(self.folder / name for name in reversed(OUTPUTS)), *([self.progress] if self.progress else [])]


def seed_of(folder):
    """The seed in the name of a network's folder, as `seed3`.

    Raises:
        UserError: the name is of another form.
    """
    if not (found := re.fullmatch(r"seed(\d+)", Path(folder).name)):
        raise UserError(f"--beside: the folder {folder} is not named after its seed; name it seed1, seed2 and so on.")
    return int(found[1])


@contextlib.contextmanager
def claimed(members, at_once, stop, wait_in_queue=False):
    """Hold the lock of a training, and those of others to train beside it; only the own one is waited for.

    Args:
        members: list of Member, the own one first.
        at_once: most trainings to hold.
        stop: interruption.StopSignal that ends the waiting.
        wait_in_queue: whether a Slurm job goes back to the queue while another one trains its network beside its own.

    Yields:
        (bool: whether this process had to wait for another one with its training, list of the Members that it holds)

    Raises:
        Interrupted, UserError: see locking.only_writer.
    """
    own, others, job = members[0], members[1:], slurm.job_number()
    with contextlib.ExitStack() as held:
        if not others:
            yield held.enter_context(locking.only_writer(own.written, stop)), [own]
            return
        chosen = []
        # One process at a time, or of several that start together each would hold its own training alone.
        with locking.only_writer([own.folder.parent / "beside"], stop):
            if held.enter_context(locking.writer_if_free(own.written)):
                chosen.append(own)
                for other in others:
                    if len(chosen) < at_once and _is_wanted(other):
                        chosen += [other] * held.enter_context(locking.writer_if_free(other.written, job))
        if chosen:
            yield False, chosen
        else:
            if wait_in_queue and (holder := locking.note_of(own.written[0])):
                slurm.queue_behind(holder)
            yield held.enter_context(locking.only_writer(own.written, stop)), [own]


def is_done(member, code, waited):
    """Whether another process has done this training; its files are then in their places.

    Args:
        member: Member.
        code: fingerprint of the code of trainings; what other code has made is not taken.
        waited: whether this process waited for the other one, which then wrote to these places itself.

    Raises:
        UserError: the files cannot be written.
    """
    if waited and _is_whole(member.folder, member.identity, code):
        return True
    if not _is_whole(member.results, member.identity, code):
        return False
    for name in OUTPUTS:
        with files.replacing(member.folder / name) as unfinished:
            shutil.copyfile(member.results / name, unfinished)
    return True


def set_aside(member):
    """Move the files of a finished training to where `is_done` finds them."""
    member.results.mkdir(exist_ok=True)
    for name in OUTPUTS:
        os.replace(member.folder / name, member.results / name)


def remove_state(member):
    """Remove the checkpoint and the report of a training; call it with its lock held."""
    member.checkpoint.unlink(missing_ok=True)
    files.remove_unfinished(member.checkpoint)
    if member.progress:
        member.progress.unlink(missing_ok=True)


def remove_traces(member):
    """Remove all that a training leaves beside its files, also when it was killed; call it with its lock held."""
    remove_state(member)
    shutil.rmtree(member.results, ignore_errors=True)


def _is_wanted(member):
    """Whether a training is still to be done: its weights are missing, or are of other settings.

    Weights by other code count as done: only Snakemake knows whether that matters.
    """
    there = (member.folder / OUTPUTS[-1]).exists() and _record(member.folder, member.identity)
    return not there and not _is_whole(member.results, member.identity)


def _is_whole(folder, identity, code=None):
    """Whether a folder has all files of a training with these settings, unchanged, and by this code if it is given."""
    if not (found := _record(folder, identity)):
        return False
    if code and (found.get("code"), found["attempts"][-1]["versions"]) != (code, provenance.versions()):
        return False
    try:
        return all(files.checksum(folder / name) == value for name, value in found["outputs"].items())
    except OSError:
        return False


def _record(folder, identity):
    """Content of the provenance.json of a folder if it is of a training with these settings, else None."""
    try:
        found = provenance.read(folder / "provenance.json")
    except UserError:
        return None
    return found if {**Recipe().model_dump(), **found["settings"]} == identity else None
