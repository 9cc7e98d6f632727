"""provenance.json: the code, packages, machine and times behind the files of one job.

    kind, schema_version
    stage           train, dump or probe
    model, seed     the network: name of its configuration, and its seed
    settings        settings that identify the work: recipe, and checksums of its inputs
    started         start of the first attempt, ISO 8601, UTC
    seconds         sum over all attempts
    attempts        a list with an entry for each process, all but the last interrupted: started, seconds, host,
                    slurm_job, device, commit, dirty, versions
    outputs         SHA-256 of each file that the job wrote, by its name in this folder
    epoch_seconds   seconds of each epoch, for a training

Times and machines differ from run to run. Only these files record them, so all other files are equal bit for bit.
"""

import datetime
import importlib.metadata
import json
import os
import platform
import re
import socket
import subprocess
import time
from pathlib import Path

from widedeep.runtime import files, slurm
from widedeep.runtime.errors import UserError, first_line

KIND = "provenance"
SCHEMA_VERSION = 1
PACKAGES = ("torch", "torchvision", "numpy", "h5py", "safetensors")
_KINDS = {
    "stage": str,
    "model": str,
    "seed": int,
    "settings": dict,
    "started": str,
    "seconds": int | float,
    "attempts": list,
    "outputs": dict,
}
_KINDS_OF_ATTEMPTS = {
    "started": str,
    "seconds": int | float,
    "host": str,
    "slurm_job": str | None,
    "device": str | None,
    "commit": str | None,
    "dirty": bool | None,
    "versions": dict,
}


class Attempt:
    """One process that works on a job; its time counts from the construction of this object.

    Attributes:
        device: name of the device; to be set once it is known.
    """

    def __init__(self):
        self.device = None
        self._started = datetime.datetime.now(datetime.UTC)
        self._clock = time.monotonic()
        # Now: another commit may be checked out while the job runs.
        self._code = {**commit_of(Path(__file__).parents[3]), "versions": versions()}

    def so_far(self):
        """Return the record of this attempt until now, a JSON-able dict; see `attempts` above."""
        return {
            "started": self._started.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "seconds": round(time.monotonic() - self._clock, 3),
            "host": socket.gethostname(),
            "slurm_job": slurm.job_number() or None,
            "device": self.device,
            **self._code,
        }


def write(path, stage, network, settings, attempts, outputs, **more):
    """Write the provenance of a finished job.

    Args:
        path: of the JSON file.
        stage: train, dump or probe.
        network: (name of the configuration, seed).
        settings: JSON-able dict of settings that identify the work.
        attempts: list of Attempt.so_far(), the last one of this process.
        outputs: paths of the files that the job wrote, in the folder of `path`.
        more: further JSON-able entries.
    """
    content = {
        "kind": KIND,
        "schema_version": SCHEMA_VERSION,
        "stage": stage,
        "model": network[0],
        "seed": network[1],
        "settings": settings,
        "started": attempts[0]["started"],
        "seconds": round(sum(attempt["seconds"] for attempt in attempts), 3),
        "attempts": attempts,
        "outputs": {Path(output).name: files.checksum(output) for output in outputs},
        **more,
    }
    files.write_json(path, content)


def read(path):
    """Read a provenance file; return its content, a dict.

    Raises:
        UserError: the file is missing, damaged, something else, or of another version.
    """
    remedy = "make it again with the stage that wrote it"
    with files.reading(path, remedy) as file:
        text = file.read()
    try:
        content = json.loads(text)
        kind, version = content["kind"], content["schema_version"]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: is not a provenance file ({type(error).__name__}); {remedy}.") from error
    if kind != KIND:
        raise UserError(f"{path}: holds {first_line(kind)} where {KIND} is expected; {remedy}.")
    if version != SCHEMA_VERSION:
        raise UserError(
            f"{path}: has schema version {first_line(version)} where {SCHEMA_VERSION} is expected; {remedy}."
        )
    _check_kinds(path, content, _KINDS, remedy)
    _check_kinds(path, content["outputs"], dict.fromkeys(content["outputs"], str), remedy)
    check_attempts(path, content["attempts"] or [{}], remedy)
    return content


def check_attempts(path, attempts, remedy):
    """Refuse records of attempts in a file that lack an entry, or whose entry is of another type.

    Args:
        path: of the file.
        attempts: what it holds in place of a list of Attempt.so_far().
        remedy: what the user can do; the error ends with it.

    Raises:
        UserError: a record is refused.
    """
    if not isinstance(attempts, list):
        raise UserError(f"{path}: holds a value of type {type(attempts).__name__} for attempts; {remedy}.")
    for attempt in attempts:
        _check_kinds(path, attempt, _KINDS_OF_ATTEMPTS, remedy)


def _check_kinds(path, content, kinds, remedy):
    for key, kind in kinds.items():
        if not isinstance(content, dict) or key not in content:
            raise UserError(f"{path}: lacks {first_line(key)}; {remedy}.")
        if not isinstance(content[key], kind):
            found = type(content[key]).__name__
            raise UserError(f"{path}: holds a value of type {found} for {first_line(key)}; {remedy}.")


def commit_of(folder):
    """Return the git commit of the workflow in a folder, and whether tracked files differ from it.

    Returns:
        {"commit": hexadecimal, "dirty": bool}. Both are None without git, without a repository, or if the repository
        does not track the workflow, as where it was copied into another one.
    """
    known = _git(folder, "ls-files", "--error-unmatch", "scripts/widedeep/runtime/provenance.py")
    commit = _git(folder, "rev-parse", "HEAD") if known else None
    changes = _git(folder, "status", "--porcelain", "--untracked-files=no", "--", ".") if commit else None
    return {"commit": commit, "dirty": None if changes is None else bool(changes)}


def _git(folder, *words):
    """Return the output of a git command, or None if it fails."""
    # No optional locks: many jobs ask at once, while the user may commit.
    environment = {**os.environ, "GIT_OPTIONAL_LOCKS": "0"}
    try:
        said = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=60, env=environment
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return said.stdout.strip() if said.returncode == 0 else None


def versions():
    """Return the versions of Python and of the packages that decide numbers and files; None if not installed."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = None
    return found


def device_name(device, processes=1):
    """Return the name of a device, as `NVIDIA H100 80GB HBM3`, or `4 x ...` for several processes.

    Args:
        device: torch.device.
        processes: number of processes that share the work, each with a device of this kind.
    """
    if device.type == "cuda":
        import torch

        name = torch.cuda.get_device_name(device)
    else:
        name = _processor() if device.type == "cpu" else f"{device.type} of {_processor()}"
    return name if processes == 1 else f"{processes} x {name}"


def _processor():
    try:
        named = re.search(r"^model name\s*:\s*(.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    except OSError:
        named = None
    return named[1] if named else platform.processor() or platform.machine()
