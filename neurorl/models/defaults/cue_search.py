"""Find out from a first play whether the last of some values tells rewards, however long ago."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Collection, Iterator, Sequence

import numpy as np

from neurorl.models.agent.memories import as_seen
from neurorl.models.agent.past import Past
from neurorl.models.defaults.kinds import Kinds, kinds_of
from neurorl.models.defaults.memory_search import sure
from neurorl.models.defaults.table_search import Told
from neurorl.numerics.arrays import FloatArray
from neurorl.tasks.first_play import FirstPlay, acted_on

_LEAST = 0.1
"""Remember cues if actions then tell this share of the rewards more."""
_OF_A_VALUE, _OF_A_PAST = 0.002, 0.02
"""Ask so much for each value, and for what else is seen of the past, so that fewer serve."""
_MOST_VALUES, _MOST_NUMBERS = 24, 11
_LARGEST = 2**53  # up to which every whole number is a float

Gain = Callable[[Sequence[int]], float]


def cues_by_table(
    play: FirstPlay,
    rows: FloatArray,
    have: Past,
    chooses: Collection[str],
    is_held: Callable[[Past], bool],
) -> Past:
    """Return a past with the last of some values of a number, if actions tell more rewards by it.

    Some symbols matter until the next one of them comes, and others are shown in between: letters
    among other mail, orders to begin and to stop. What is seen of the past already, *have*, is kept
    if it tells more beside them. Arguments are those of
    `neurorl.models.defaults.table_search.told_by_table`.
    """
    told = Told.of(play, rows) if "cues" in chooses else None
    if told is None:
        return have
    now = acted_on(play.lengths)
    had = [kinds_of(as_seen(play, rows, have)[now])] if have else []
    before = told.rows(had)
    found: list[tuple[float, Past, FloatArray]] = []
    for place, values in _symbols(rows):
        symbols = rows[:, place]

        def shown(chosen: Sequence[int], symbols: FloatArray = symbols) -> Kinds:
            return last_of(symbols, play.lengths, chosen)[now]

        cues = _grown(values, lambda chosen: told.rows([shown(chosen)]).mean())
        for kept, past in ([], Past()), (had, have):
            of = told.rows([*kept, shown(cues)])
            gain = of.mean() - _OF_A_VALUE * len(cues) - _OF_A_PAST * bool(past)
            found.append((gain, dataclasses.replace(past, cues=(place, *cues)), of))
    for _, past, of in sorted(found, key=lambda one: -one[0]):
        if sure(of - before) > _LEAST and is_held(past):
            return past
    return have


def last_of(numbers: FloatArray, lengths: Sequence[int], values: Sequence[int]) -> Kinds:
    """Return which of *values* a number had last in its episode, counted from 1, or 0, ``(n,)``."""
    is_value = numbers[:, None] == np.array(values)
    of = np.where(is_value.any(axis=1), 1 + is_value.argmax(axis=1), 0)
    begins = np.repeat(np.cumsum([0, *lengths[:-1]]), lengths)
    last = np.maximum.accumulate(np.where(of > 0, np.arange(len(of)), begins))
    return np.asarray(of[last], dtype=np.intp)


def _symbols(rows: FloatArray) -> Iterator[tuple[int, list[int]]]:
    """Yield the place and the values of each number that takes a few whole values."""
    if np.ptp(rows, axis=0).astype(bool).sum() > _MOST_NUMBERS:
        return
    for place, numbers in enumerate(rows.T):
        values = np.unique(numbers)
        are_few = 2 < len(values) <= _MOST_VALUES
        if are_few and np.abs(values).max() <= _LARGEST and (values % 1.0 == 0.0).all():
            yield place, values.astype(int).tolist()


def _grown(values: Sequence[int], told: Callable[[Sequence[int]], float]) -> tuple[int, ...]:
    """Return the values of which the last one tells most: the best pair or one, from which others
    join and leave, one at a time, as long as that tells more."""

    def gain(chosen: Sequence[int]) -> float:
        return told(chosen) - _OF_A_VALUE * len(chosen)

    first = [*((value,) for value in values), *itertools.combinations(values, 2)]
    best: tuple[int, ...] = ()
    most = -np.inf
    others: Sequence[tuple[int, ...]] = first
    while others and (other := max(others, key=gain)) and gain(other) > most:
        best, most = other, gain(other)
        changed = ({*best} ^ {value} for value in values)
        others = [tuple(sorted(one)) for one in changed if one]
    return best
