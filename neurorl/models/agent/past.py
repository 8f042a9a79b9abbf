"""Say what agents see of their episode beside the last observation."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurorl.errors import DescriptionError
from neurorl.models.agent.tally import Event, RunningSum
from neurorl.numerics.arrays import FloatArray
from neurorl.storage.plain import Named, PlainData

KEYS = 8
"""Keep numbers apart by this many values of another one: 0 to 7."""
_VALUES = np.arange(float(KEYS))


@dataclass(frozen=True)
class Past:
    """Hold the fields of `neurorl.models.agent.fields.AgentFields` that say what is seen of before.

    memories: keeps, and traces: decays, as of `neurorl.models.agent.memories.Memories`.
    sees_actions, sees_rewards: whether what was chosen last, and what that was paid, are among an
    observation's numbers.
    held_by: places of numbers; the others of an observation are held as they were when this one had
    each of its values last, and weren't 0. By an own action what it was paid is held instead, or,
    where that isn't seen, what was shown after it. summed_by: the same of their sums, each over the
    last steps in a row in which it had the value, and how many steps these were; -1 stands for all
    steps of the episode, and sums what was paid, too, if that is seen.
    cues: the place of a number, and values of it: which of these it had last, the present one
    included, is seen too, as a count from 1 in this order; 0 until one comes. A letter that came
    is remembered whatever else is shown after it.
    tally, tally_since, tally_until: what is summed, and since when, as of
    `neurorl.models.agent.tally.RunningSum`.
    """

    memories: tuple[float, ...] = ()
    sees_actions: bool = False
    sees_rewards: bool = False
    held_by: tuple[int, ...] = ()
    summed_by: tuple[int, ...] = ()
    traces: tuple[float, ...] = ()
    cues: tuple[int, ...] = ()
    tally: Event = ()
    tally_since: Event = ()
    tally_until: Event = ()

    def __post_init__(self) -> None:
        cues = self.cues
        if cues and not (cues[0] >= 0 and 1 < len(cues) == len({*cues[1:]}) + 1):
            limit = "the place of a number, from 0, and different values of it"
            raise DescriptionError("agent.cues", "shows nothing", got=repr(cues), limit=limit)
        self.sums.check()

    @classmethod
    def of(cls, config: object) -> Past:
        """Return those of an agent's fields."""
        return cls(**{name: getattr(config, name) for name in PAST})

    @classmethod
    def joined(cls, parts: Sequence[Past]) -> Past:
        """Return a past of several parts, of which the first with cues or a tally says these."""
        summing = next((part for part in parts if part.tally), NOTHING)
        return cls(
            memories=sum((part.memories for part in parts), ()),
            sees_actions=any(part.sees_actions for part in parts),
            sees_rewards=any(part.sees_rewards for part in parts),
            held_by=sum((part.held_by for part in parts), ()),
            summed_by=sum((part.summed_by for part in parts), ()),
            traces=sum((part.traces for part in parts), ()),
            cues=next((part.cues for part in parts if part.cues), ()),
            tally=summing.tally,
            tally_since=summing.tally_since,
            tally_until=summing.tally_until,
        )

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in PAST)

    @property
    def keys(self) -> tuple[tuple[int, bool], ...]:
        """Return each number by whose values others are kept, and whether they are summed."""
        return (*((k, False) for k in self.held_by), *((k, True) for k in self.summed_by))

    @property
    def sums(self) -> RunningSum:
        """Return what is summed."""
        return RunningSum(self.tally, self.tally_since, self.tally_until)

    @property
    def last_numbers(self) -> int:
        """Return how many numbers follow all others: a sum, and the last cue."""
        return bool(self.tally) + bool(self.cues)

    @property
    def named(self) -> PlainData:
        """Return the fields that say something, by name."""
        return {name: value for name in PAST if (value := getattr(self, name))}

    def own(self, actions: int) -> int:
        """Return how many numbers are own, after those of an observation.

        actions: of so many choices each.
        """
        return actions * self.sees_actions + self.sees_rewards

    def kept_by(self, key: int, sums: bool, n: int, actions: int) -> list[int]:
        """Return the places of the numbers that are kept by the values of another one.

        key, sums: as of `keys`. n: of so many numbers, own actions and rewards among these.
        actions: as of `own`.
        """
        n_shown = n - self.own(actions)
        paid = [n - 1] if self.sees_rewards else []
        if key < 0:
            return [*range(n_shown), *paid]
        counted, is_action = [key] if sums else [], n_shown <= key < n - self.sees_rewards
        if is_action and paid:
            return [*counted, *paid]
        return sorted({*range(n_shown)} - {key} | {*counted})

    def size(self, n: int, actions: int) -> int:
        """Return how many numbers are seen of *n*; arguments as of `kept_by`."""
        kept = sum(len(self.kept_by(*key, n, actions)) for key in self.keys)
        return n * self.copies + KEYS * kept + self.last_numbers

    @property
    def copies(self) -> int:
        """Return how many numbers memories and traces make of each, itself included."""
        return 1 + len(self.memories) + len(self.traces)


NOTHING = Past()
"""See the last observation alone."""

PAST = tuple(field.name for field in dataclasses.fields(Past))
"""List the fields by which an agent sees more than the last observation."""


def sees_past(fields: Named) -> bool:
    """Return whether an agent with these fields sees more than the last observation."""
    return any(fields.get(name) for name in PAST)


def check_places(past: Past, n: int) -> None:
    """Raise DescriptionError for the place of a number that *n* numbers don't have."""
    places = [(place, "summed_by" if sums else "held_by") for place, sums in past.keys]
    places += [(place, "cues") for place in past.cues[:1]]
    places += [(place, name) for name, place in past.sums.places.items()]
    for place, name in places:
        if place >= n:
            where = f"agent.{name}"
            what, limit = "no number of an observation", f"places of {n} numbers, from 0"
            raise DescriptionError(where, what, got=place, limit=limit)


def kept_apart(
    kept: FloatArray, key: int, sums: bool, now: FloatArray, last: FloatArray, own: int
) -> FloatArray:
    """Return what e environments keep by the values of a number after another observation.

    kept: before it, ``(e, KEYS, d)``. key, sums: as of `Past.keys`. now, last: the observation and
    that before it, ``(e, d)``. own: so many of them, the last ones, are own actions and rewards. A
    value that isn't whole, or not in 0 to 7, changes nothing, and a 0 that is shown is nothing to
    hold: a question shows a 0 in place of what it asks for.
    """
    is_now = (now[:, key] if key >= 0 else np.zeros(len(now)))[:, None] == _VALUES
    if not sums:
        says = (now != 0.0) | (np.arange(now.shape[1]) >= now.shape[1] - own)
        return np.where(is_now[:, :, None] & says[:, None], now[:, None], kept)
    more = now.copy()
    if key >= 0:
        more[:, key] = 1.0  # counts the steps
    goes_on = is_now if key < 0 else is_now & (last[:, key] == now[:, key])[:, None]
    summed = np.where(is_now[:, :, None], more[:, None], kept)
    np.add(kept, more[:, None], out=summed, where=goes_on[:, :, None])
    return summed
