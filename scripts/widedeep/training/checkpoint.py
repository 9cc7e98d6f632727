"""Checkpoint files: written atomically, sealed (seals.py), loaded without running code, refused for other settings."""

import io
import json
from pathlib import Path

import torch

from widedeep.formats import foreign, seals
from widedeep.runtime import files, provenance
from widedeep.runtime.errors import UserError, lacks_memory, shortened

_REMEDY = "move it away to train from the beginning"


class Checkpoint:
    """The checkpoint file of one training, or of the training of probes.

    Args:
        path: of the file, which may not exist yet.
        settings: dict that identifies the work; a checkpoint with other settings is refused.
        defaults: dict of settings that an older checkpoint may lack: options that were added after it was written.

    Attributes:
        attempts: records of the processes that wrote the loaded checkpoint, oldest first (provenance.Attempt).
    """

    def __init__(self, path, settings, defaults=()):
        self.path, self.settings, self.defaults = Path(path), settings, dict(defaults)
        self.attempts = []

    def save(self, state, *attempt):
        """Write a checkpoint.

        Args:
            state: in types that `torch.load(weights_only=True)` accepts.
            attempt: the record of this process, from provenance.Attempt.so_far(); none in tests.

        Raises:
            UserError: the file cannot be written; see files.replacing.
        """
        content = {"settings": self.settings, "attempts": [*self.attempts, *attempt], "state": state}
        # Through memory: torch's own writer does not report why a file cannot be written.
        buffer = io.BytesIO()
        buffer.write(bytes(seals.SIZE))
        torch.save(content, buffer)
        with files.replacing(self.path) as unfinished:
            unfinished.write_bytes(buffer.getbuffer())
            seals.write(unfinished)

    def resume(self, work):
        """Restore the state of the checkpoint, if there is one.

        Args:
            work: loop.Training or analysis.probes.Probes.

        Raises:
            UserError: see `load`; or the state does not fit, as after a change of the network's code.
        """
        state = self.load()
        if state is None:
            return
        differing = _difference(state, work.state())
        if differing:
            raise UserError(
                f"{self.path}: does not fit the network or its training, whose code may have changed "
                f"({shortened(differing)}); {_REMEDY}."
            )
        work.restore(state)

    def load(self):
        """Return the saved state, or None if there is no checkpoint.

        The tensors are in main memory, on whatever device they were. So a full GPU is not mistaken for a damaged file,
        and the GPU never holds a second copy.

        Raises:
            UserError: the file is damaged, of other settings, or larger than the free memory.
        """
        if not files.is_there(self.path):
            return None
        seals.check(self.path, _REMEDY, foreign.CHECKPOINT)
        if seals.start_of_content(self.path, _REMEDY).startswith(foreign.HDF5):
            raise foreign.refusal(self.path, "an HDF5 file of this workflow", foreign.CHECKPOINT, "name another file")
        try:
            with files.reading(self.path, _REMEDY) as file:
                saved = io.BytesIO(file.read()[seals.SIZE :])
            content = torch.load(saved, map_location="cpu", weights_only=True)
            settings, state, attempts = dict(content["settings"]), content["state"], content.get("attempts", [])
            if not json.dumps(settings) or not all(isinstance(key, str) for key in settings):
                raise TypeError("settings are no texts and numbers")
            provenance.check_attempts(self.path, attempts, _REMEDY)
        except UserError:
            raise
        except Exception as error:  # torch.load raises many types for damaged or hostile files
            if lacks_memory(error):
                raise UserError(
                    f"{self.path}: does not fit into the free memory; run again with more memory, the file is kept."
                ) from error
            raise UserError(
                f"{self.path}: is not a readable checkpoint ({type(error).__name__}); {_REMEDY}."
            ) from error
        settings = {**self.defaults, **settings}
        if settings != self.settings:
            keys = sorted(k for k in {*settings, *self.settings} if settings.get(k) != self.settings.get(k))
            found = ", ".join(f"{shortened(key)}={shortened(settings.get(key))}" for key in keys)
            expected = ", ".join(f"{shortened(key)}={self.settings.get(key)}" for key in keys)
            raise UserError(
                f"{self.path}: is the checkpoint of other settings ({found} where {expected} is expected); {_REMEDY}."
            )
        self.attempts = attempts
        return state

    def remove(self):
        """Remove the file and the temporary files of killed attempts; call it only with the lock held (locking.py)."""
        self.path.unlink(missing_ok=True)
        files.remove_unfinished(self.path)


def _difference(saved, own, place="state"):
    """Return the first difference in form between two states, as text: keys, types, shapes, lengths; empty if none."""
    if type(saved) is not type(own):
        return f"{place} is {type(saved).__name__}"
    if isinstance(own, torch.Tensor):
        same = saved.shape == own.shape and saved.dtype == own.dtype
        return "" if same else f"{place} has the shape {tuple(saved.shape)} and the type {saved.dtype}"
    if isinstance(own, dict):
        if saved.keys() != own.keys():
            return f"{place} has other entries"
        parts = ((saved[key], own[key], f"{place}.{key}") for key in own)
    elif isinstance(own, list) and own:  # lists that are empty in the beginning grow
        if len(saved) != len(own):
            return f"{place} has {len(saved)} entries"
        parts = ((one, other, f"{place}.{index}") for index, (one, other) in enumerate(zip(saved, own, strict=True)))
    else:
        return ""
    return next(filter(None, (_difference(*part) for part in parts)), "")
