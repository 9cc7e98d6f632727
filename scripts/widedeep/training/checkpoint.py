"""Checkpoints of a training: atomic, sealed (seals.py), free of code, and refused by any other training."""

import io
from pathlib import Path

import torch

from widedeep.formats import seals
from widedeep.runtime import files
from widedeep.runtime.errors import UserError, lacks_memory


class Checkpoint:
    """The checkpoint file of one training.

    Args:
        path: of the file; it need not exist.
        settings: dict that identifies the training; a checkpoint with other settings is refused.

    Attributes:
        attempts: what is known of the processes that wrote it, oldest first, once it is loaded (provenance.py).
    """

    def __init__(self, path, settings):
        self.path, self.settings = Path(path), settings
        self.attempts = []

    def save(self, state, *attempt):
        """Write the state, and what is known of this attempt so far."""
        content = {"settings": self.settings, "attempts": [*self.attempts, *attempt], "state": state}
        # By way of memory: torch's own writer says nothing of why a file cannot be written.
        buffer = io.BytesIO()
        buffer.write(bytes(seals.SIZE))
        torch.save(content, buffer)
        with files.replacing(self.path) as unfinished:
            unfinished.write_bytes(buffer.getbuffer())
            seals.write(unfinished)

    def resume(self, work):
        """Put a training or probes (training.Training, probes.Probes) where the checkpoint is, if there is one.

        Raises:
            UserError: as `load`, or the state is not one of such work: of a network that was changed, for example.
        """
        state = self.load()
        if state is None:
            return
        differing = _difference(state, work.state())
        if differing:
            raise UserError(
                f"{self.path}: does not fit what is trained here, which may have been changed meanwhile ({differing}); "
                "delete it to train from the beginning."
            )
        work.restore(state)

    def load(self):
        """The saved state, or None if there is no checkpoint.

        Its tensors are in main memory, whatever they were on: so that what a full GPU refuses is never taken for damage
        of the file, and that there is no second copy on the GPU.

        Raises:
            UserError: the file is damaged, of another training, or larger than the free memory.
        """
        if not self.path.exists():
            return None
        seals.check(self.path, "delete it to train from the beginning")
        try:
            saved = io.BytesIO(self.path.read_bytes()[seals.SIZE :])
            content = torch.load(saved, map_location="cpu", weights_only=True)
            settings, state, attempts = dict(content["settings"]), content["state"], list(content.get("attempts", []))
        except Exception as error:  # torch.load raises many kinds for damaged or hostile files
            if lacks_memory(error):
                raise UserError(
                    f"{self.path}: does not fit into the free memory; the file is kept, run again where more is free."
                ) from error
            raise UserError(
                f"{self.path}: is not a readable checkpoint ({type(error).__name__}); "
                "delete it to train from the beginning."
            ) from error
        if settings != self.settings:
            keys = sorted(k for k in {*settings, *self.settings} if settings.get(k) != self.settings.get(k))
            found = ", ".join(f"{key}={settings.get(key)}" for key in keys)
            expected = ", ".join(f"{key}={self.settings.get(key)}" for key in keys)
            raise UserError(
                f"{self.path}: is the checkpoint of another configuration ({found} where {expected} is expected); "
                "delete it to train from the beginning."
            )
        self.attempts = attempts
        return state

    def remove(self):
        """Remove the file, and what an attempt that was killed in `save` left; for its sole writer (locking.py)."""
        self.path.unlink(missing_ok=True)
        files.remove_unfinished(self.path)


def _difference(saved, own, place="state"):
    """Where two states are not of one form: keys, kinds, shapes and types of tensors, numbers of entries."""
    if type(saved) is not type(own):
        return f"{place} is {type(saved).__name__}"
    if isinstance(own, torch.Tensor):
        same = saved.shape == own.shape and saved.dtype == own.dtype
        return "" if same else f"{place} has the shape {tuple(saved.shape)} and the type {saved.dtype}"
    if isinstance(own, dict):
        if saved.keys() != own.keys():
            return f"{place} has other entries"
        parts = ((saved[key], own[key], f"{place}.{key}") for key in own)
    elif isinstance(own, list) and own:  # what is empty at first grows
        if len(saved) != len(own):
            return f"{place} has {len(saved)} entries"
        parts = ((one, other, f"{place}.{index}") for index, (one, other) in enumerate(zip(saved, own, strict=True)))
    else:
        return ""
    return next(filter(None, (_difference(*part) for part in parts)), "")
