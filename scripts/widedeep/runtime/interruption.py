"""Signals that stop a program, and a clock for its checkpoints.

Nothing here imports torch, so that a program handles signals before the seconds that this import takes.
"""

import signal
import time

STOPPED = 75  # EX_TEMPFAIL, the exit status: nothing is wrong, start it again


class Interrupted(Exception):
    """A program was told to stop; its state, if any, is saved."""


class StopSignal:
    """Remembers SIGTERM and SIGINT, so that a training can stop between two steps, where its state is whole.

    Before the first StopSignal is made, these signals end the process.

    Attributes:
        name: of the signal that came, as `SIGTERM`, or None.
    """

    def __init__(self):
        self.name = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._remember)

    def _remember(self, number, _frame):
        # A second signal changes nothing: Slurm often sends two.
        self.name = signal.Signals(number).name


class Clock:
    """A clock that is due every `seconds`."""

    def __init__(self, seconds):
        self.seconds = seconds
        self._last = time.monotonic()

    def is_due(self):
        """Return whether `seconds` have passed since this last returned True, or since the clock was made."""
        now = time.monotonic()
        if now - self._last < self.seconds:
            return False
        self._last = now
        return True
