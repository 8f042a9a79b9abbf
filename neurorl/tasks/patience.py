"""End a play that takes too long, and tell who waits for it."""

from __future__ import annotations

import sys
import time

PATIENCE_S, _LEAST_STEPS, _MORE = 2.0, 200, 1.25
"""End the play after so many seconds of CPU time, or 1.25 times as many before step 200."""
_WAITS = 3.0
"""Count a third of the time that passes if it is more, so that busy machines change nothing.

The longest of all steps isn't counted, as a machine may stand still for a moment.
"""
_SILENCE_S = 0.5
"""Print a line on a terminal if the play takes longer than this."""


class Clock:
    """Say when a play of so many *steps* has taken its *seconds*, and tell who waits for it."""

    def __init__(self, steps: int, seconds: float) -> None:
        self.steps, self._seconds, self._told = steps, seconds, False
        self._begun = self._wall = time.monotonic()
        self._cpu = time.process_time()
        self._passed = self._longest = 0.0

    def is_over(self, done: int) -> bool:
        """Return whether the play ends, after *done* steps."""
        cpu, wall = time.process_time(), time.monotonic()
        took = max(cpu - self._cpu, (wall - self._wall) / _WAITS)
        self._cpu, self._wall = cpu, wall
        self._passed, self._longest = self._passed + took, max(self._longest, took)
        if wall - self._begun > _SILENCE_S and not self._told:
            self._told = True
            most = f"about {self._seconds:g} s at most"
            say(f"{done:,} of {self.steps:,} random steps of a first play are done; {most}")
        allowed = self._seconds * (1.0 if done >= _LEAST_STEPS else _MORE)
        is_late = self._passed - self._longest > allowed
        if is_late and done < self.steps:
            say(f"the task is slow: its first play ends after {done:,} random steps")
        return is_late or done >= self.steps


def say(what: str) -> None:
    """Print a line if the output is a terminal."""
    if sys.stderr is not None and sys.stderr.isatty():
        print(f"neurorl: {what}", file=sys.stderr)
