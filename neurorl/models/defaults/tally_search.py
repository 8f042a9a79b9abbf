"""Find out from a first play whether a sum or a count since something happened tells rewards."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Collection, Iterator, Mapping

import numpy as np

from neurorl.models.agent.past import NOTHING, Past
from neurorl.models.agent.tally import Event, RunningSum
from neurorl.models.defaults.kinds import kinds_of
from neurorl.models.defaults.memory_search import has_few_values, sure
from neurorl.models.defaults.table_search import IsHeld, Question, grown, whole_values
from neurorl.numerics.arrays import FloatArray
from neurorl.tasks.first_play import FirstPlay, acted_on

FIELDS = frozenset({"tally", "tally_since", "tally_until"})
_LEAST = 0.12
"""Sum something if actions then tell this share of the rewards more. Of 12 tasks whose observations
come back, without such a need, none has more than 0, but hidden switches and a game of dice, where
a count tells 0.1, got no better by it; tasks that got better have 0.25 to 0.95."""
_OF_A_VALUE, _OF_A_PAST = 0.002, 0.02
"""Ask so much for each place and value, and for what else is seen of the past."""
_MOST_TRIED, _MOST_SUMS, _MOST_SQUARES, _MOST_NUMBERS = 2_000, 200, 200, 11
"""Try so many tallies in a table, of so few sums; by least squares so many, of so few numbers."""
_LARGEST_SUMMED = 1e300  # so that sums of a play are floats


def tally_by_table(asked: Question, have: Past, is_held: IsHeld) -> Past:
    """Return a past with a sum or a count, if actions tell more rewards by it.

    How many items lie in a crate, how often a tyre was pumped, how long ago a light flashed: one
    number says it, however much else was shown. What is seen of the past already, *have*, is kept
    if it tells more beside it.
    """
    # A table can't judge a running mean, which least squares found to tell as much: an interval
    # that was learned to 0.9 with one is learned to 0.7 with a count.
    has_mean = any(0.0 < keep < 1.0 for keep in have.memories) and not have.sees_actions
    told = asked.told if {*asked.chooses} >= FIELDS and asked.is_of_few and not has_mean else None
    if told is None:
        return have
    play, rows = asked.play, asked.rows
    now, before = acted_on(play.lengths), told.rows(asked.seen(have))
    acts = "sees_actions" in asked.chooses or have.sees_actions
    numbers = np.concatenate([rows, play.last_actions], axis=1) if acts else rows
    values, seen = whole_values(numbers), functools.cache(asked.seen)

    @functools.cache
    def gains(tally: RunningSum, kept: Past) -> FloatArray | None:
        sums = kinds_of(tally.over(numbers, play.lengths)[now][:, None])
        if not 0 < sums.max() < _MOST_SUMS:
            return None
        past = dataclasses.replace(kept, sees_actions=kept.sees_actions or is_own(tally))
        return told.rows([*seen(past), sums]) - before

    def is_own(tally: RunningSum) -> bool:
        return bool(max(tally.places.values()) >= rows.shape[1])

    def gain(tally: RunningSum, kept: Past = NOTHING) -> float:
        of, parts = gains(tally, kept), (tally.of, tally.since, tally.until)
        cost = _OF_A_VALUE * sum(map(len, parts)) + _OF_A_PAST * bool(kept)
        return -np.inf if of is None else float(of.mean()) - cost

    near = functools.partial(_neighbours, values=values)
    best = grown(_tallies(values, rows.shape[1]), near, gain)
    if best is None:
        return have
    for kept in sorted({NOTHING, have}, key=lambda kept: -gain(best, kept)):
        of = gains(best, kept)
        past = summing(best, kept, is_own(best))
        if of is not None and sure(of) > _LEAST and is_held(past):
            return past
    return have


def sums_of_numbers(play: FirstPlay, rows: FloatArray, chooses: Collection[str]) -> list[Past]:
    """Return pasts with the sum of each number, and with the steps, since and until each value.

    The steps since each own action, too. Least squares ask about these, as any numbers may be
    summed. rows: every observation of the play, ``(n, d)``. chooses: the fields that may be chosen.
    """
    sizes = np.abs(rows).max(axis=0, initial=0.0)
    varies = np.flatnonzero((rows != rows[:1]).any(axis=0) & (sizes < _LARGEST_SUMMED)).tolist()
    if not {*chooses} >= FIELDS or len(varies) > _MOST_NUMBERS:
        return []
    keys = [place for place in varies if has_few_values(rows[:, place])]
    events = [(key, int(value)) for key in keys for value in np.unique(rows[:, key])]
    sums: list[Event] = [(place,) for place in (-1, *varies)]
    tallies = [RunningSum(of, since) for of in sums for since in ((), *events)]
    tallies += [RunningSum(of, (), until) for of in sums for until in events]
    if len(tallies) > _MOST_SQUARES:
        return []
    done = whole_values(play.last_actions) if "sees_actions" in chooses else {}
    own = [(rows.shape[1] + place, value) for place, of in done.items() for value in of if value]
    counted: list[Event] = [(-1,), *(own if len(own) <= _MOST_NUMBERS else [])]
    of_own = [RunningSum(of, since) for of in counted for since in own if of != since]
    return [*map(summing, tallies), *(summing(tally, sees_actions=True) for tally in of_own)]


def summing(tally: RunningSum, past: Past = NOTHING, sees_actions: bool = False) -> Past:
    """Return a past with a tally, too.

    sees_actions: whether it is one of own actions.
    """
    return dataclasses.replace(
        past,
        sees_actions=past.sees_actions or sees_actions,
        tally=tally.of,
        tally_since=tally.since,
        tally_until=tally.until,
    )


def _tallies(values: Mapping[int, list[int]], shown: int) -> list[RunningSum]:
    """Return what to try: each number, value and step, since and until each change and value.

    values: of each number, by its place. shown: so many numbers are shown; own actions follow.
    """
    few = {place: of for place, of in values.items() if place < shown}
    while True:
        each = [(place, value) for place, of in values.items() for value in of]
        counted = [e for e in each if e[0] >= shown or len(values[e[0]]) > 2]
        numbers = [(place,) for place in values if place < shown]
        sums: list[Event] = [(-1,), *numbers, *counted]
        begins: list[Event] = [(), *numbers, *each]
        ends = [event for event in each if event[0] < shown]
        if len(sums) * (len(begins) + len(ends)) <= _MOST_TRIED or not few:
            break
        widest = max(few, key=lambda place: len(few[place]))
        values = {place: of for place, of in values.items() if place != widest}
        del few[widest]
    since = (RunningSum(of, event) for of, event in itertools.product(sums, begins))
    return [*since, *(RunningSum(of, (), event) for of, event in itertools.product(sums, ends))]


def _neighbours(tally: RunningSum, values: Mapping[int, list[int]]) -> Iterator[RunningSum]:
    """Yield the tallies of one value more or less."""
    for name in ("of", "since", "until"):
        place, *chosen = getattr(tally, name) or (-1,)
        for value in values.get(place, []) if chosen else []:
            if others := sorted({*chosen} ^ {value}):
                yield dataclasses.replace(tally, **{name: (place, *others)})
