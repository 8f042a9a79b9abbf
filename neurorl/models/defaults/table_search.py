"""Find out from a first play what the last action tells together with other parts of the past.

Least squares see what two numbers tell together. Whether a button fits its colour may follow from
the last colour, the last button and how that went, which a table of few observations tells.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from neurorl.models.agent.memories import as_seen, shown_by_each
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
_MOST_SHOWN, _MOST_KINDS, _MOST_NUMBERS, _MOST_VALUES = 100, 200, 11, 24
_LARGEST = 2**53  # up to which every whole number is a float
_ACTION = Past(sees_actions=True)
One = TypeVar("One")
"""Name anything that may be chosen."""


@dataclass(frozen=True)
class Question:
    """Ask a play what else of the past actions tell rewards by.

    play: with all its observations, *rows*. chooses: the fields that may be chosen.
    """

    play: FirstPlay
    rows: FloatArray
    chooses: Collection[str]

    @functools.cached_property
    def told(self) -> Told | None:
        """Return what measures it; None without a table."""
        return Told.of(self.play, self.rows)

    @functools.cached_property
    def is_of_few(self) -> bool:
        """Return whether so few numbers vary that each of them is asked about."""
        return bool(np.ptp(self.rows, axis=0).astype(bool).sum() <= _MOST_NUMBERS)

    def seen(self, past: Past) -> list[Kinds]:
        """Return the kind of what such a past shows at each step; empty if it shows nothing."""
        now = acted_on(self.play.lengths)
        return [kinds_of(as_seen(self.play, self.rows, past)[now])] if past else []


IsHeld = Callable[[Past], bool]
"""Say whether there are cells for a past."""


def told_by_table(asked: Question, have: Past, is_held: IsHeld) -> Past:
    """Return the last action and up to two other parts by which actions tell more of the rewards.

    That is how much less of them is left after the mean of each observation, past and action than
    after that of each observation and past, in rows that weren't averaged: what rewards do by
    themselves is no reason to remember. *have* is returned if none does, or if what an agent has
    is more than a table holds.
    """
    told = asked.told
    if told is None:
        return have
    parts = _parts(asked)
    own = [part for part in parts if _is_part(part, have)]
    if _ACTION not in parts or not _is_part(have, Past.joined(own)):
        return have
    before = told.rows([parts[part] for part in own])
    others = [part for part in parts if part != _ACTION]
    every = [*((part,) for part in others), *itertools.combinations(others, 2)]
    sets = [(_ACTION, *chosen) for chosen in every]
    rows_of = {chosen: told.rows([parts[part] for part in chosen]) for chosen in sets}
    gains = {chosen: of.mean() - _OF_A_PART * len(chosen) for chosen, of in rows_of.items()}
    for chosen in sorted(sets, key=gains.__getitem__, reverse=True):
        past = Past.joined(chosen)
        if gains[chosen] < before.mean() + _LEAST:
            break
        if sure(rows_of[chosen] - before) > _LEAST and is_held(past):
            return past
    return have


def _parts(asked: Question) -> dict[Past, Kinds]:
    """Return each part of a past with the kind of what it shows at each step."""
    play, rows, chooses = asked.play, asked.rows, asked.chooses
    keys = [place for place, of in enumerate(rows.T) if asked.is_of_few and has_few_values(of)]
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


def whole_values(numbers: FloatArray) -> dict[int, list[int]]:
    """Return the values of each number that takes a few whole ones, by its place."""
    found: dict[int, list[int]] = {}
    for place, column in enumerate(numbers.T):
        values = np.unique(column)
        is_exact = np.abs(values).max(initial=0.0) <= _LARGEST
        if 1 < len(values) <= _MOST_VALUES and is_exact and (values % 1.0 == 0.0).all():
            found[place] = values.astype(int).tolist()
    return found


def grown(
    tried: Iterable[One], near: Callable[[One], Iterable[One]], gain: Callable[[One], float]
) -> One | None:
    """Return the best of what is *tried*, then of what is near it, as long as that tells more."""
    best, most, others = None, -np.inf, [*tried]
    while others and gain(other := max(others, key=gain)) > most:
        best, most, others = other, gain(other), [*near(other)]
    return best


def _is_part(part: Past, past: Past) -> bool:
    """Return whether *past* has all that one *part* has."""
    values = ((getattr(part, name), getattr(past, name)) for name in PAST)
    return all({*a} <= {*b} if isinstance(a, tuple) else a <= b for a, b in values)


class Told:
    """Measure what actions tell of rewards beside what is seen of the past.

    base, actions: kinds of the observation and of the action at each step. rewards: ``(n,)``.
    """

    def __init__(self, base: Kinds, actions: Kinds, rewards: FloatArray) -> None:
        self._base = base
        self._rewards = (rewards - rewards.mean()) / rewards.std()
        self._actions, self._acted = actions, both(base, actions)
        self._of_base = left_by(base, base, self._rewards)

    @classmethod
    def of(cls, play: FirstPlay, rows: FloatArray) -> Told | None:
        """Return it for a play; None without a table: of many observations, or numbers as actions.

        play: with all its observations, *rows*.
        """
        if np.asarray(play.actions).dtype.kind not in "iu" or len(rows) != sum(play.lengths):
            return None
        numbers, now = varying(rows), acted_on(play.lengths)
        base, rewards = kinds_of((numbers if numbers.size else rows)[now]), rewards_of(play)[:, 0]
        if base.max() >= _MOST_SHOWN or not rewards.var() > 0.0:
            return None
        actions = kinds_of(np.array(play.actions, np.float64).reshape(play.steps, -1))
        return cls(base, actions, rewards)

    def rows(self, past: Sequence[Kinds]) -> FloatArray:
        """Return which share of the squared reward actions tell at each step, ``(n,)``.

        past: kinds of what each of its parts shows.
        """
        state = functools.reduce(both, past, self._base)
        # A past of many kinds that tells nothing would itself leave more than none.
        left = min(left_by(state, self._base, self._rewards), self._of_base, key=np.mean)
        return left - left_by(both(state, self._actions), self._acted, self._rewards)
