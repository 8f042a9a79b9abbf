"""Find out from a first play which memory tells what rewards are, or what is shown next.

Each memory is judged by rows that weren't fitted, against the same prediction without it. An
observation and an action that pay different amounts, as told by what was seen before, need it.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Collection, Mapping, Sequence

import numpy as np

from neurorl.models.agent.memories import as_seen, extended, shown_by_each
from neurorl.models.agent.past import KEYS, PAST, Past
from neurorl.models.defaults.hidden_state import (
    flags_of_actions,
    has_rows_for_cubes,
    is_long,
    products,
    residuals_of,
    scaled,
)
from neurorl.models.defaults.kinds import BLOCK, Kinds, both, few_of, halves, kinds_of, left_by
from neurorl.numerics.arrays import FloatArray
from neurorl.tasks.first_play import FirstPlay, acted_on, varying

_FIRST = 1.0
_CHANGES = (-1.0, -2.0)
KEEPS = (_FIRST, *_CHANGES, 0.0, *map(float, range(2, 9)), 0.9)
"""Try these memories: the first of an episode (unless all episodes begin alike), one and two
changes ago (unless each step changes all), the step before, two to eight steps before, some 10
steps."""
OF_REWARDS, _OF_NEXT = 0.02, 0.2
"""Give a memory only if it predicts more than this share of the squared rewards, or of what is
shown next, in both halves of the rows. Of rewards, tasks that hide nothing have at most 0.002."""
_OVER_OTHERS = 0.25
"""Give another memory only if it predicts so much more of the rewards. In a task of evidence that
comes bit by bit, each of them tells 12 % more, as it tells the time."""
OF_ACTIONS = 0.1
"""Show own actions if they predict more than this share of the rewards of a first play. Of 80 tasks
without such a need one has 0.06, others at most 0.01; three that pay by what was done before have
0.25 to 0.6."""
KEPT_OF_ACTIONS = (0.0, 0.9)
"""Give agents that see their own actions these memories: the step before, some 10 steps. Chosen on
a milk round and on levers of an order, seeds 100 and 101, where the best of single ones fails."""
OF_PAID = 0.05
"""Show what was paid last if it tells, together with the action now, more than this share of the
rewards. Bandits, bushes that are picked bare and a way home have 0.1 to 0.4, of 70 others none."""
_OVER_MEMORIES = 1.3
"""Keep numbers by the values of another one, in place of memories, if that tells so many times as
much: 1.4 to 3.6 in a till, votes, two cats and evidence; at most 1.23 where memories do."""
_OF_TALLIES = 0.1
"""Give a sum of one number only if it tells more than this share of rewards. Where the first step
of each episode pays more, a count of steps tells 0.02 to 0.1; a truck's load tells 0.36."""
_HIDDEN = 0.4
"""Ask about what is shown next only if more than this share of it isn't predicted."""
_CERTAIN = 3.0
"""Ask for a gain of more than so many standard errors of blocks. A few rewards are no evidence."""
_BETTER = 1.05
"""Take a later memory only if it tells so many times more than those before."""
_CURVED = 0.05
"""Ask so much more of products of a memory with what is seen, without actions: they also follow
what bends. In a bakery and a bicycle hire that hide nothing they tell 2 %."""
_MOST_NUMBERS, _MOST_VALUES = 11, 64
"""Ask about what is shown next only of so few numbers, each of so few values."""
_MOST_SEEN = 512
_MOST_TERMS = 60


def missing_memories(
    play: FirstPlay, rows: FloatArray, have: Past, is_box: bool, least: float = OF_REWARDS
) -> tuple[float, ...]:
    """Return the memories that tell what an agent with what it *has* can't, best first.

    rows: every observation of the play, ``(n, d)``. is_box: whether `memories_for` has looked at
    what is shown next; if not, it is asked here where the memories tell nothing of rewards. least:
    the share of the squared rewards to predict, for an agent without memories.
    """
    all_rows, rows, lengths = rows, varying(rows), play.lengths
    if not rows.size or not _is_enough(play, rows):
        return ()
    now = acted_on(lengths)
    seen = extended(all_rows if have.keys else rows, lengths, have)[now] if have else rows[now]
    past = shown_by_each(rows, lengths, [Past((keep,)) for keep in KEEPS])
    firsts = rows[np.cumsum([0, *lengths[:-1]])]
    told = {*have.memories, *((_FIRST,) if (firsts == firsts[0]).all() else ())}
    if (rows[now] != rows[now + 1]).all():
        told |= {*_CHANGES}
    others = {k: m[now] for k, m in zip(KEEPS, past, strict=True) if k not in told}
    actions = flags_of_actions(play)
    least = _OVER_OTHERS if have else least
    found = _of_rewards(play, seen, actions, others, least, held=rows[now])
    if found or is_box or rows.shape[1] > _MOST_NUMBERS or (flags := _flags(rows)) is None:
        return found
    return _Search(seen, actions, others).telling(flags[now + 1], _HIDDEN, _OF_NEXT)


def acts_tell(play: FirstPlay, rows: FloatArray, have: Past, least: float = OF_ACTIONS) -> bool:
    """Return whether own last actions tell rewards that an agent with what it *has* can't.

    rows, least: as of `missing_memories`. False where actions are numbers.
    """
    lengths = play.lengths
    if not _may_see_actions(play, rows):
        return False
    now, actions = acted_on(lengths), flags_of_actions(play)
    done, rows = _done(play, actions), rows if have.keys else varying(rows)
    least = _OVER_OTHERS if have else least

    def tells(keep: float) -> bool:
        both = dataclasses.replace(have, memories=(*have.memories, keep))
        seen = extended(rows, lengths, both)[now]  # so that only actions are added
        past = {keep: _remembered(done, lengths, (keep,))[now]}
        return bool(_of_rewards(play, seen, actions, past, least))

    return any(map(tells, KEPT_OF_ACTIONS))


def again_tells(play: FirstPlay, rows: FloatArray, have: Past, least: float = OF_ACTIONS) -> bool:
    """Return whether rewards are told by whether the last action is taken again.

    Alone or together with what is seen, as a place that was found is searched again. It is one
    number, however many choices there are. rows, least: as of `acts_tell`.
    """
    if not _may_see_actions(play, rows):
        return False
    now, actions = acted_on(play.lengths), flags_of_actions(play)
    seen = varying(as_seen(play, rows, have))[now]
    again = _again(play, actions)
    shown: FloatArray = np.concatenate([again, again * scaled(seen)], axis=1)
    return bool(_of_rewards(play, seen, actions, {True: shown}, _OVER_OTHERS if have else least))


def rewards_tell(play: FirstPlay, rows: FloatArray, have: Past, least: float = OF_PAID) -> bool:
    """Return whether what was paid last tells what actions are paid now, as one more of them does.

    An agent with what it *has* and its last action can't tell it. That rewards follow each other,
    whatever is done, is no reason. rows, least: as of `missing_memories`.
    """
    if not _may_see_actions(play, rows):
        return False
    now, actions = acted_on(play.lengths), flags_of_actions(play)
    done = _done(play, actions)[:, : KEYS if actions.shape[1] <= KEYS else 0]
    seen = np.concatenate([varying(as_seen(play, rows, have)), done], axis=1)[now]
    paid = play.last_rewards[now]
    least = _OVER_OTHERS if have else least
    actions = np.concatenate([actions, _again(play, actions)], axis=1)
    return bool(_of_rewards(play, seen, actions, {True: paid}, least, scaled(paid)))


def kept_by_values(
    play: FirstPlay,
    rows: FloatArray,
    have: Sequence[float],
    chooses: Collection[str] = PAST,
    tallies: Sequence[Past] = (),
) -> tuple[Past, ...]:
    """Return what to keep by the values of a number in place of memories, best first.

    It tells much more of the rewards than the memories that were found, *have*. chooses: the fields
    that may be chosen. tallies: pasts with one each, which have to tell much more than those of
    values. rows: as of `missing_memories`.
    """
    n_varying = np.ptp(rows, axis=0).astype(bool).sum() if len(rows) else 0
    if not (1 <= n_varying <= _MOST_NUMBERS and _is_enough(play, rows)):
        return ()
    places = [place for place, numbers in enumerate(rows.T) if has_few_values(numbers)]
    held = [Past(held_by=(place,)) for place in places if "held_by" in chooses]
    sums = (Past(summed_by=(place,)) for place in (-1, *places) if "summed_by" in chooses)
    each = [*held, *sums]
    if not each and not tallies:
        return ()
    now, n = acted_on(play.lengths), rows.shape[1]
    kept = shown_by_each(rows, play.lengths, each) if each else []
    numbers = as_seen(play, rows, Past(sees_actions=True)) if tallies else rows
    kept += [past.sums.over(numbers, play.lengths)[:, None] for past in tallies]
    each += tallies

    def gains_of(shown: Sequence[FloatArray], curved: float) -> dict[int, float]:
        columns = {float(k): one for k, of in enumerate(shown) if (one := varying(of[now])).size}
        search = _Search(varying(rows)[now], flags_of_actions(play), columns, curved=curved)
        return {int(k): gain for gain, k in search.gains(rewards_of(play), 0.0, OF_REWARDS)}

    gains = gains_of(kept, math.inf)
    # How fast something turns costs by its square, which memories tell without actions.
    memories = [_remembered(rows, play.lengths, have)[:, n:]] if gains and have else []
    of_memories = gains_of(memories, _CURVED).get(0, 0.0)
    better = [k for k, gain in gains.items() if gain > _OVER_MEMORIES * of_memories]
    of_keys = max((gains[k] for k in better if not each[k].tally), default=0.0)
    least = max(_OF_TALLIES, _OVER_MEMORIES * of_keys)
    better = [k for k in better if not each[k].tally or gains[k] > least]
    return tuple(each[k] for k in sorted(better, key=gains.__getitem__, reverse=True))


def has_few_values(numbers: FloatArray) -> bool:
    """Return whether others can be kept by the values of this number, which take at least two."""
    values = np.unique(numbers)
    is_whole = bool((values % 1.0 == 0.0).all())
    return is_whole and len(values) > 1 and values[0] >= 0.0 and values[-1] < KEYS


def _remembered(rows: FloatArray, lengths: Sequence[int], keeps: Sequence[float]) -> FloatArray:
    """Return *rows* with these memories."""
    return extended(rows, lengths, Past(memories=tuple(keeps))) if keeps else rows


def _may_see_actions(play: FirstPlay, rows: FloatArray) -> bool:
    """Return whether the play is long enough, and its actions are alternatives."""
    return _is_enough(play, rows) and np.asarray(play.actions).dtype.kind in "iu"


def _done(play: FirstPlay, actions: FloatArray) -> FloatArray:
    """Return flags of the actions before each observation, ``(n, choices)``."""
    done = np.zeros((sum(play.lengths), actions.shape[1]))
    done[acted_on(play.lengths) + 1] = actions
    return done


def _again(play: FirstPlay, actions: FloatArray) -> FloatArray:
    """Return how many of the choices in each action are those of the last one, ``(n, 1)``."""
    before = _done(play, actions)[acted_on(play.lengths)]
    return np.asarray((before * actions).sum(axis=1, keepdims=True))


def _is_enough(play: FirstPlay, rows: FloatArray) -> bool:
    """Return whether a play has so many steps, all kept, and *rows* so few numbers."""
    return is_long(play, rows) and rows.shape[1] <= _MOST_SEEN


def _of_rewards(
    play: FirstPlay,
    seen: FloatArray,
    actions: FloatArray,
    others: Mapping[float, FloatArray],
    least: float,
    known: FloatArray | None = None,
    held: FloatArray | None = None,
) -> tuple[float, ...]:
    """Return the memories among *others* that predict so much more of the rewards, best first."""
    curved = _CURVED if known is None else math.inf
    search = _Search(seen, actions, others, known, curved, held)
    return search.telling(rewards_of(play), 0.0, least)


def rewards_of(play: FirstPlay) -> FloatArray:
    """Return all rewards as shares of the largest, whose squares may be too large, ``(n, 1)``."""
    rewards = np.concatenate([np.array(episode) for episode in play.rewards])[:, None]
    return np.asarray(rewards / (np.abs(rewards).max() or 1.0))


def _flags(rows: FloatArray) -> FloatArray | None:
    """Return a flag for each value of each number; None if one takes too many."""
    values = [np.unique(column) for column in rows.T]
    if max(map(len, values)) > _MOST_VALUES:
        return None
    flags = [column[:, None] == of for column, of in zip(rows.T, values, strict=True)]
    return np.asarray(np.concatenate(flags, axis=1), dtype=np.float64)


class _Search:
    """Compare predictions from the rows *seen* and *actions* with those from each memory, too.

    seen: observations, ``(n, d)``. actions: as numbers, ``(n, k)``. past: what each memory
    shows, by its keep or a number, ``(n, d)``. known: numbers that predictions without memories
    read, too, apart from all others, ``(n, k)``. curved: how much more products without actions
    have to tell; infinity takes none. held: numbers from which memories show their differences,
    ``(n, d)``, if what they were is asked about together with each that is seen.
    """

    def __init__(
        self,
        seen: FloatArray,
        actions: FloatArray,
        past: Mapping[float, FloatArray],
        known: FloatArray | None = None,
        curved: float = _CURVED,
        held: FloatArray | None = None,
    ) -> None:
        self._past, self._actions = past, scaled(actions)
        self._held, self._acts = held, kinds_of(actions)
        self._few, self._now = ({}, {}) if held is None else (few_of(seen), few_of(held))
        self._kinds = kinds_of(seen, actions)
        self._shown = scaled(seen)
        self._products = [*_products(self._shown, [self._actions]), self._actions]
        both = np.concatenate([seen, actions], axis=1)
        numbers = scaled(both)
        self._terms, self._cubes = [np.ones((len(seen), 1)), numbers], list[FloatArray]()
        if numbers.shape[1] ** 2 <= 10 * _MOST_TERMS:
            self._terms += products(numbers, 2)
            self._cubes = products(numbers, 3)[1:] if has_rows_for_cubes(both) else []
        self._terms += [] if known is None else [known]
        self._curved = curved

    def telling(self, y: FloatArray, hidden: float, least: float) -> tuple[float, ...]:
        """Return the memories that predict *y*, best first; empty if none does; see `gains`."""
        most, best, found = 0.0, None, self.gains(y, hidden, least)
        for gain, keep in found:
            if gain > _BETTER * most:
                most, best = gain, keep
        others = sorted((pair for pair in found if pair[1] != best), reverse=True)
        return () if best is None else (best, *(keep for _, keep in others))

    def gains(self, y: FloatArray, hidden: float, least: float) -> list[tuple[float, float]]:
        """Return the memories that predict *y*, ``(n, c)``, each after the share that it predicts.

        hidden: the share that has to be unpredicted without them. least: the share to predict.
        """
        variance = float(y.var(axis=0).sum())
        if not variance > 0.0:
            return []
        rest = self._without(y)
        left = np.asarray((rest**2).sum(axis=1) / variance)
        if left.mean() <= max(hidden, least):
            return []
        # Of few rewards, means for each action alone may leave less.
        of_acts = residuals_of(np.ones((len(y), 1)), y, [self._acts])
        plain = min(rest, of_acts, key=_squares)
        found: list[tuple[float, float]] = []
        for keep, memory in self._past.items():
            errors = zip(self._with(memory, y), (0.0, self._curved), strict=True)
            gain = max(sure(left - error / variance) - less for error, less in errors)
            gain = max(gain, sure(self._in_pairs(memory, plain) / variance))
            if gain > least:
                found.append((gain, keep))
        return found

    def _without(self, y: FloatArray) -> FloatArray:
        """Return what is left after predictions without a memory, ``(n, c)``: the best ones.

        What is left is averaged for each observation and action once or twice, as each brings a
        mean of few rows nearer, which with a memory is done twice.
        """
        degrees = [[], *([self._cubes] if self._cubes else [])]
        rests = (self._rest(y, [self._kinds] * n, terms) for terms in degrees for n in (1, 2))
        return min(rests, key=_squares)

    def _with(self, memory: FloatArray, y: FloatArray) -> list[FloatArray]:
        """Return the squared errors of two predictions with a memory, ``(n,)`` each.

        The first reads its products with actions, alone and with what is seen; the second those
        with what is seen alone: how far a height is from a wanted one depends on no action.
        """
        kinds, numbers = [self._kinds, kinds_of(self._kinds[:, None], memory)], scaled(memory)
        factors = (self._products, [self._shown])
        rests = [self._rest(y, kinds, [numbers, *_products(numbers, of)]) for of in factors]
        return [np.asarray((rest**2).sum(axis=1)) for rest in rests]

    def _in_pairs(self, memory: FloatArray, rest: FloatArray) -> FloatArray:
        """Return how much less the best pair of numbers leaves of the squares of *rest*, ``(n,)``.

        A pair is one that is seen and one that was, of few values each, with the action: a house
        that was named is told by where an agent is, whatever else it sees. What the second one is
        now is known without a memory, as it may tell what it was.
        """
        left, gains = rest[:, 0] ** 2, [np.zeros(len(rest))]
        were = few_of(np.asarray(self._held) - memory) if self._few else {}
        for place, one in itertools.product(were.keys() & self._now.keys(), self._few.values()):
            known = both(both(one, self._now[place]), self._acts)
            without = min(left, left_by(known, known, rest[:, 0]), key=np.mean)
            gains.append(without - left_by(both(known, were[place]), known, rest[:, 0]))
        return max(gains, key=np.mean)

    def _rest(
        self, y: FloatArray, kinds: Sequence[Kinds], more: Sequence[FloatArray]
    ) -> FloatArray:
        """Return what is left in rows that weren't fitted, ``(n, c)``."""
        return residuals_of(np.concatenate([*self._terms, *more], axis=1), y, kinds)


def _products(numbers: FloatArray, others: Sequence[FloatArray]) -> list[FloatArray]:
    """Return the products of *numbers* with each of *others*, without those that are too many."""
    return [
        np.asarray((numbers[:, :, None] * factors[:, None]).reshape(len(numbers), n))
        for factors in others
        if (n := numbers.shape[1] * factors.shape[1]) <= _MOST_TERMS
    ]


def _squares(rest: FloatArray) -> float:
    return float((rest**2).sum())


def sure(gains: FloatArray) -> float:
    """Return the smaller mean of both halves, or 0 if the gains, ``(n,)``, may be chance."""
    blocks = np.add.reduceat(gains, np.arange(0, len(gains), BLOCK))
    if not blocks.mean() > _CERTAIN * blocks.std() / np.sqrt(len(blocks)):
        return 0.0
    is_first = halves(len(gains))
    return float(min(gains[is_first].mean(), gains[~is_first].mean()))
