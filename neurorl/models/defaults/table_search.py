"""Find out from a first play what the last action tells together with other parts of the past.

Least squares see what two numbers tell together. Whether a button fits its colour may follow from
the last colour, the last button and how that went, which a table of few observations tells.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from neurorl.models.agent.memories import shown_by_each
from neurorl.models.agent.past import PAST, Past
from neurorl.models.defaults.kinds import Kinds, both, kinds_of, left_by
from neurorl.models.defaults.memory_search import KEEPS, has_few_values, rewards_of, sure
from neurorl.numerics.arrays import FloatArray
from neurorl.tasks.first_play import FirstPlay, acted_on, varying

_LEAST = 0.15
"""Take another past if actions then tell this share of the rewards more. Of some 60 tasks whose
observations come back, without such a need, 0.08 is the most: falls of a slippery cliff."""
_OF_A_PART = 0.02
"""Ask so much for each part, so that fewer serve where they tell as much."""
_MOST_SHOWN, _MOST_KINDS, _MOST_NUMBERS = 100, 200, 11
_ACTION = Past(sees_actions=True)


def told_by_table(
    play: FirstPlay,
    rows: FloatArray,
    have: Past,
    chooses: Collection[str],
    is_held: Callable[[Past], bool],
) -> Past:
    """Return the last action and up to two other parts by which actions tell more of the rewards.

    That is how much less of them is left after the mean of each observation, past and action than
    after that of each observation and past, in rows that weren't averaged: what rewards do by
    themselves is no reason to remember. *have* is returned if none does, or if what an agent has
    is more than a table holds.

    play: with all its observations, *rows*. chooses: the fields that may be chosen. is_held:
    whether there are cells for a past.
    """
    numbers = varying(rows)
    if np.asarray(play.actions).dtype.kind not in "iu" or len(rows) != sum(play.lengths):
        return have
    now = acted_on(play.lengths)
    base, rewards = kinds_of((numbers if numbers.size else rows)[now]), rewards_of(play)[:, 0]
    if base.max() >= _MOST_SHOWN or not rewards.var() > 0.0:
        return have
    parts = _parts(play, rows, chooses)
    own = [part for part in parts if _is_part(part, have)]
    if _ACTION not in parts or not _is_part(have, Past.joined(own)):
        return have
    actions = kinds_of(np.array([np.ravel(a) for a in play.actions], dtype=np.float64))
    told = _Told(base, actions, rewards, parts)
    before = told.rows(own)
    for gain, chosen in told.best():
        past = Past.joined(chosen)
        if gain - _OF_A_PART * len(chosen) < before.mean() + _LEAST:
            break
        if sure(told.rows(chosen) - before) > _LEAST and is_held(past):
            return past
    return have


def _parts(play: FirstPlay, rows: FloatArray, chooses: Collection[str]) -> dict[Past, Kinds]:
    """Return each part of a past with the kind of what it shows at each step."""
    keys: list[int] = []
    if np.ptp(rows, axis=0).astype(bool).sum() <= _MOST_NUMBERS:
        keys = [place for place, numbers in enumerate(rows.T) if has_few_values(numbers)]
    every = [
        *(Past(memories=(keep,)) for keep in KEEPS if keep % 1.0 == 0.0),
        *(Past(held_by=(key,)) for key in keys),
        *(Past(summed_by=(key,)) for key in keys),
    ]
    shown = [*shown_by_each(rows, play.lengths, every), play.last_actions, play.last_rewards]
    every += [_ACTION, Past(sees_rewards=True)]
    now, found = acted_on(play.lengths), dict[Past, Kinds]()
    for part, columns in zip(every, shown, strict=True):
        if all(name in chooses for name in part.named) and (numbers := varying(columns[now])).size:
            kinds = kinds_of(numbers)
            if 0 < kinds.max() < _MOST_KINDS:
                found[part] = kinds
    return found


def _is_part(part: Past, past: Past) -> bool:
    """Return whether *past* has all that one *part* has."""
    values = ((getattr(part, name), getattr(past, name)) for name in PAST)
    return all({*a} <= {*b} if isinstance(a, tuple) else a <= b for a, b in values)


class _Told:
    """Measure what actions tell of rewards beside some parts of the past.

    base, actions: kinds of the observation and of the action at each step. rewards: ``(n,)``.
    parts: kinds of what each part shows.
    """

    def __init__(
        self, base: Kinds, actions: Kinds, rewards: FloatArray, parts: Mapping[Past, Kinds]
    ) -> None:
        self._base, self._actions, self._parts = base, actions, parts
        self._rewards = (rewards - rewards.mean()) / rewards.std()
        self._acted, self._of_base = both(base, actions), left_by(base, base, self._rewards)

    def rows(self, parts: Sequence[Past]) -> FloatArray:
        """Return which share of the squared reward actions tell at each step, ``(n,)``."""
        state = self._base
        for part in parts:
            state = both(state, self._parts[part])
        # A past of many kinds that tells nothing would itself leave more than none.
        left = min(left_by(state, self._base, self._rewards), self._of_base, key=np.mean)
        return left - left_by(both(state, self._actions), self._acted, self._rewards)

    def best(self) -> list[tuple[float, tuple[Past, ...]]]:
        """Return the last action with one part or two others, by what actions tell beside them."""
        others = [part for part in self._parts if part != _ACTION]
        every = [*((part,) for part in others), *itertools.combinations(others, 2)]
        sets = [(_ACTION, *parts) for parts in every]
        measured = [(float(self.rows(parts).mean()), parts) for parts in sets]
        return sorted(measured, key=lambda one: _OF_A_PART * len(one[1]) - one[0])
