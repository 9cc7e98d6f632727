"""Being told to stop, and the clock; nothing here imports torch, so that handlers are set before that takes seconds."""

import signal
import time

STOPPED = 75  # EX_TEMPFAIL, the exit status: nothing is wrong, start it again


class Interrupted(Exception):
    """A stage was asked to stop and has written a checkpoint."""


class StopSignal:
    """Remembers SIGTERM and SIGINT, so that training stops between two steps, where its state is whole.

    Until it is made, a signal simply ends the process.
    """

    def __init__(self):
        self.name = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._remember)

    def _remember(self, number, _frame):
        # Only a note, and the same for a second signal: Slurm often sends two.
        self.name = signal.Signals(number).name


class Clock:
    """Says when `seconds` have passed since it last said so."""

    def __init__(self, seconds):
        self.seconds = seconds
        self._last = time.monotonic()

    def is_due(self):
        now = time.monotonic()
        if now - self._last < self.seconds:
            return False
        self._last = now
        return True
