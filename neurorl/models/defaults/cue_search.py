"""Find out from a first play whether the last of some values tells rewards, however long ago."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Sequence

import numpy as np

from neurorl.models.agent.past import Past
from neurorl.models.defaults.kinds import Kinds
from neurorl.models.defaults.memory_search import sure
from neurorl.models.defaults.table_search import IsHeld, Question, grown, whole_values
from neurorl.numerics.arrays import FloatArray
from neurorl.tasks.first_play import acted_on

_LEAST = 0.1
"""Remember cues if actions then tell this share of the rewards more."""
_OF_FLAGS, _OF_A_VALUE, _OF_A_PAST = 2, 0.002, 0.02
"""Ask so much for each value, and for what else is seen of the past, so that fewer serve."""


def cues_by_table(asked: Question, have: Past, is_held: IsHeld) -> Past:
    """Return a past with the last of some values of a number, if actions tell more rewards by it.

    Some symbols matter until the next one of them comes, and others are shown in between: letters
    among other mail, orders to begin and to stop. What is seen of the past already, *have*, is kept
    if it tells more beside them.
    """
    told = asked.told if "cues" in asked.chooses and asked.is_of_few else None
    if told is None:
        return have
    rows, lengths = asked.rows, asked.play.lengths
    now, had = acted_on(lengths), asked.seen(have)
    before = told.rows(had)
    found: list[tuple[float, Past, FloatArray]] = []
    for place, values in whole_values(rows).items():
        if len(values) == _OF_FLAGS:
            continue
        symbols = rows[:, place]

        def shown(chosen: Sequence[int], symbols: FloatArray = symbols) -> Kinds:
            return last_of(symbols, lengths, chosen)[now]

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


def _grown(values: Sequence[int], told: Callable[[Sequence[int]], float]) -> tuple[int, ...]:
    """Return the values of which the last one tells most: the best pair or one, from which others
    join and leave, one at a time, as long as that tells more."""

    def gain(chosen: Sequence[int]) -> float:
        return told(chosen) - _OF_A_VALUE * len(chosen)

    def near(best: Sequence[int]) -> list[tuple[int, ...]]:
        changed = ({*best} ^ {value} for value in values)
        return [tuple(sorted(one)) for one in changed if one]

    first = [*((value,) for value in values), *itertools.combinations(values, 2)]
    return grown(first, near, gain) or ()
