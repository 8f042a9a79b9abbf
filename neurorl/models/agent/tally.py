"""Sum a number, or count steps, since something happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurorl.errors import DescriptionError
from neurorl.numerics.arrays import BoolArray, FloatArray

Event = tuple[int, ...]
"""Name what happens by the place of a number: that it changes, or has one of the values after it.
An empty one never happens."""


@dataclass(frozen=True)
class RunningSum:
    """Say what is summed, and since when.

    of: the place of a number that is summed, or with values after it, whose steps with one of these
    are counted; -1 counts all steps. since: begins anew with the step in which this happens. until:
    begins anew after the step in which this happens.

    It begins with the episode, too, but a count of all steps since or until some values is 0 until
    one of these comes.
    """

    of: Event
    since: Event = ()
    until: Event = ()

    def check(self) -> None:
        """Raise DescriptionError for what names no number, or a value twice."""
        for name, event, first in (
            ("tally", self.of, -1),
            ("tally_since", self.since, 0),
            ("tally_until", self.until, 0),
        ):
            if not event:
                continue
            place, *values = event
            limit = f"the place of a number, from {first}, and different values of it"
            limit = limit if self.of else "with a tally alone"
            is_wrong = place < first or (place < 0 and values) or len({*values}) < len(values)
            if is_wrong or not self.of:
                raise DescriptionError(f"agent.{name}", "sums nothing", got=f"{event}", limit=limit)

    @property
    def places(self) -> dict[str, int]:
        """Return the place of the number that each field names, -1 for steps."""
        fields = {"tally": self.of, "tally_since": self.since, "tally_until": self.until}
        return {name: event[0] for name, event in fields.items() if event}

    @property
    def before(self) -> float:
        """Return what is kept before an episode; -1 if steps aren't counted yet."""
        waits = self.of[0] < 0 and max(len(self.since), len(self.until)) > 1
        return -1.0 if waits else 0.0

    def adds(self, now: FloatArray) -> FloatArray:
        """Return what each row of numbers, ``(n, d)``, adds, ``(n,)``."""
        if self.of[0] < 0:
            return np.ones(len(now))
        number = now[:, self.of[0]]
        return number if len(self.of) == 1 else np.isin(number, self.of[1:]).astype(np.float64)

    def follow(
        self, kept: FloatArray, now: FloatArray, last: FloatArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return the sums of e environments, and what is kept of them, ``(e,)`` each.

        kept: what was kept after the step before. now, last: their numbers, and those before these,
        ``(e, d)``.
        """
        kept = np.where(happens(self.since, now, last), 0.0, kept)
        waits = (kept < 0.0) & (self.before < 0.0)
        sums = np.where(waits, 0.0, kept + self.adds(now))
        return sums, np.where(happens(self.until, now, last), 0.0, np.where(waits, kept, sums))

    def over(self, rows: FloatArray, lengths: Sequence[int]) -> FloatArray:
        """Return the sum at each of the rows of whole episodes, ``(n,)``, as `follow` does.

        Sums of numbers that aren't whole may differ by rounding.
        """
        firsts = np.cumsum([0, *lengths[:-1]])
        last = np.concatenate([rows[:1], rows[:-1]])
        last[firsts] = rows[firsts]
        begins = happens(self.since, rows, last)
        begins[1:] |= happens(self.until, rows, last)[:-1]
        begins[firsts] = happens(self.since, rows, last)[firsts]
        counts = begins.copy()
        begins[firsts] = True
        adds, at = self.adds(rows), np.arange(len(rows))
        first = np.maximum.accumulate(np.where(begins, at, 0))
        until_now = np.cumsum(adds)
        sums = until_now - (until_now - adds)[first]
        return np.where(counts[first], sums, 0.0) if self.before < 0.0 else sums


def happens(event: Event, now: FloatArray, last: FloatArray) -> BoolArray:
    """Return in which rows of numbers an event happens, ``(n,)``.

    now, last: the numbers, and those of the step before, ``(n, d)``.
    """
    if not event:
        return np.zeros(len(now), dtype=bool)
    place, *values = event
    if values:
        return np.isin(now[:, place], values)
    return np.asarray(now[:, place] != last[:, place])
