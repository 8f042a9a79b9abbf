"""Find out from a first play whether a sum or a count since something happened tells rewards."""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Collection, Iterator, Mapping

import numpy as np

from neurorl.models.agent.memories import as_seen
from neurorl.models.agent.past import NOTHING, Past
from neurorl.models.agent.tally import Event, RunningSum
from neurorl.models.defaults.kinds import kinds_of
from neurorl.models.defaults.memory_search import has_few_values, sure
from neurorl.models.defaults.table_search import Told
from neurorl.numerics.arrays import FloatArray
from neurorl.tasks.first_play import FirstPlay, acted_on

FIELDS = frozenset({"tally", "tally_since", "tally_until"})
_LEAST = 0.12
"""Sum something if actions then tell this share of the rewards more. Of 12 tasks whose observations
come back, without such a need, none has more than 0, but hidden switches and a game of dice, where
a count tells 0.1, got no better by it; tasks that got better have 0.25 to 0.95."""
_OF_A_VALUE, _OF_A_PAST = 0.002, 0.02
"""Ask so much for each place and value, and for what else is seen of the past."""
_MOST_VALUES, _MOST_NUMBERS, _MOST_TRIED, _MOST_SUMS = 24, 11, 2_000, 200
_MOST_SQUARES = 200
_LARGEST, _LARGEST_SUMMED = 2**53, 1e300  # whole numbers are exact, and sums of a play are floats
"""Try numbers of so few whole values, so many numbers and tallies, and sums of so few values."""


def tally_by_table(
    play: FirstPlay,
    rows: FloatArray,
    have: Past,
    chooses: Collection[str],
    is_held: Callable[[Past], bool],
) -> Past:
    """Return a past with a sum or a count, if actions tell more rewards by it.

    How many items lie in a crate, how often a tyre was pumped, how long ago a light flashed: one
    number says it, however much else was shown. What is seen of the past already, *have*, is kept
    if it tells more beside it. Arguments are those of
    `neurorl.models.defaults.table_search.told_by_table`.
    """
    # A table can't judge a running mean, which least squares found to tell as much: an interval
    # that was learned to 0.9 with one is learned to 0.7 with a count.
    has_mean = any(0.0 < keep < 1.0 for keep in have.memories) and not have.sees_actions
    told = Told.of(play, rows) if {*chooses} >= FIELDS and not has_mean else None
    if told is None or np.ptp(rows, axis=0).astype(bool).sum() > _MOST_NUMBERS:
        return have
    now = acted_on(play.lengths)
    acts = "sees_actions" in chooses or have.sees_actions
    numbers = np.concatenate([rows, play.last_actions], axis=1) if acts else rows
    values = _values_of(numbers)
    before = told.rows([kinds_of(as_seen(play, rows, have)[now])] if have else [])

    @functools.cache
    def gains(tally: RunningSum, kept: Past) -> FloatArray | None:
        sums = kinds_of(tally.over(numbers, play.lengths)[now][:, None])
        if not 0 < sums.max() < _MOST_SUMS:
            return None
        past = dataclasses.replace(kept, sees_actions=kept.sees_actions or is_own(tally))
        shown = [kinds_of(as_seen(play, rows, past)[now])] if past else []
        return told.rows([*shown, sums]) - before

    def is_own(tally: RunningSum) -> bool:
        return bool(max(tally.places.values()) >= rows.shape[1])

    def gain(tally: RunningSum, kept: Past = NOTHING) -> float:
        of, parts = gains(tally, kept), (tally.of, tally.since, tally.until)
        cost = _OF_A_VALUE * sum(map(len, parts)) + _OF_A_PAST * bool(kept)
        return -np.inf if of is None else float(of.mean()) - cost

    best = _grown(_tallies(values, rows.shape[1]), values, gain)
    if best is None:
        return have
    for kept in sorted({NOTHING, have}, key=lambda kept: -gain(best, kept)):
        of = gains(best, kept)
        past = summing(best, kept, is_own(best))
        if of is not None and sure(of) > _LEAST and is_held(past):
            return past
    return have


def sums_of_numbers(rows: FloatArray, chooses: Collection[str]) -> list[Past]:
    """Return pasts with the sum of each number, and with the steps, since and until each value.

    They are for numbers of which no table is made. rows: every observation of a play, ``(n, d)``.
    chooses: the fields that may be chosen.
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
    return [summing(tally) for tally in tallies] if len(tallies) <= _MOST_SQUARES else []


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


def _values_of(numbers: FloatArray) -> dict[int, list[int]]:
    """Return the values of each number that takes a few whole ones, by its place."""
    found: dict[int, list[int]] = {}
    for place, column in enumerate(numbers.T):
        values = np.unique(column)
        is_exact = np.abs(values).max(initial=0.0) <= _LARGEST
        if 2 <= len(values) <= _MOST_VALUES and is_exact and (values % 1.0 == 0.0).all():
            found[place] = values.astype(int).tolist()
    return found


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


def _grown(
    tried: list[RunningSum], values: Mapping[int, list[int]], gain: Callable[[RunningSum], float]
) -> RunningSum | None:
    """Return the best tally, whose values others join and leave as long as that tells more."""
    best, most = None, -np.inf
    while tried and gain(other := max(tried, key=gain)) > most:
        best, most = other, gain(other)
        tried = [*_neighbours(best, values)]
    return best


def _neighbours(tally: RunningSum, values: Mapping[int, list[int]]) -> Iterator[RunningSum]:
    """Yield the tallies of one value more or less."""
    for name in ("of", "since", "until"):
        place, *chosen = getattr(tally, name) or (-1,)
        for value in values.get(place, []) if chosen else []:
            if others := sorted({*chosen} ^ {value}):
                yield dataclasses.replace(tally, **{name: (place, *others)})
