"""Measure what observations hide from an agent, by what plays of its task showed.

A play is split into blocks; what follows an observation is predicted in every second block from the
others. What predicts more in both halves tells more.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from gymnasium.spaces import Box

from neurorl.errors import NeurorlError
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.memories import as_seen
from neurorl.models.agent.past import NOTHING, Past
from neurorl.models.defaults.hidden_state import delays, flags_of_actions, left_over, memories_for
from neurorl.models.defaults.memory_search import kept_by_values, missing_memories, rewards_tell
from neurorl.models.defaults.observations import unseen
from neurorl.numerics.arrays import BoolArray, FloatArray, IntArray
from neurorl.tasks.first_play import FirstPlay, acted_on, varying
from neurorl.tasks.kinds import Space

TOLD = 0.05
"""Take something for needed if it predicts this share more of rewards or of a change."""
MOVES = 0.008
"""Take actions for powerless if they predict less than this share of anything: noise predicts up to
0.0065 of noise, steps on FrozenLake8x8-v1 at least 0.013."""
APART = 0.05
"""Take two observations for the same if no cell differs by more."""
OUTSIDE = 0.2
"""Find the cells' range too narrow if this share of a number lies beyond it."""
_MANY_ROWS = 1500  # of fewer rows, noise predicts more
_ROWS_OF_ACTION = 100
"""Measure what actions predict only with so many rows for each: what one of many does is rare."""
_MOST_COUNTED, _MOST_VALUES = 4, 32
PAID = "how each action was paid before"
"""Name what bandits hide, of all that may be counted."""
_LEAST_ROWS, _MOST_NUMBERS, _TRIED, _FAR = 400, 16, 40, 1e6


@dataclass(frozen=True)
class Hidden:
    """Hold what the cells, or one observation, hide from an agent.

    left_out: parts or numbers that no cell reads. unlike: numbers that cells read, but don't tell
    apart where they lie. outside: the largest share of a number beyond its cells' range, and the
    number; both are 0 if none is. memory: the share of rewards, or of changes, that the past
    predicts in addition; None if it wasn't measured. past: what an agent should see of it; nothing
    if its last action, or counts, tell more. counted: what to count in an episode, if that tells
    most. effect: what actions predict in addition. shown: what the observation predicts of rewards,
    ends and the next one, beside the action.
    """

    left_out: tuple[str, ...] = ()
    unlike: tuple[int, ...] = ()
    outside: tuple[float, int] = (0.0, 0)
    memory: float | None = None
    past: Past = NOTHING
    counted: str = ""
    effect: float | None = None
    shown: float | None = None


def hidden(
    space: Space, config: AgentConfig, at_random: FirstPlay, others: Sequence[FirstPlay]
) -> Hidden:
    """Return what an agent can't see of its task.

    space: of the observations. at_random: a play with actions that were drawn evenly. others:
    plays of the agent, which show where it gets to.
    """
    steps = _Steps.of(at_random)
    found = Hidden(_unread(space, at_random))
    if steps is not None:
        found = _of_time(found, space, config, at_random, steps)
    if config.trunk.is_shared or config.description is not None or tuple(at_random.seen) != ((),):
        return found
    kept = [_as_the_agent_sees(play, config) for play in (at_random, *others) if play.rewards]
    rows = [row for row in kept if row is not None]
    if not rows:
        return found
    every = np.concatenate(rows)
    try:
        blind, unlike = _unlike(space, config, every, _lengths(at_random, rows[0]))
    except NeurorlError:  # cells of somebody else, that take something else
        return found
    names = tuple(f"observation[{place}]" for place in blind if _matters(steps, place))
    alike = tuple(place for place in unlike if _matters(steps, place))
    share, place = _outside(config, every)
    outside = (share, place) if _matters(steps, place) else (0.0, 0)
    left_out = found.left_out + names
    return dataclasses.replace(found, left_out=left_out, unlike=alike, outside=outside)


def _unread(space: Space, play: FirstPlay) -> tuple[str, ...]:
    """Name the parts that there are no cells for, and that showed more than one value."""
    still = {
        "".join(["observation", *(f"[{key!r}]" for key in place)])
        for place, words in play.words.items()
        if len(words) == 1
    }
    names = unseen(space, "observation")
    return tuple(name for name in names if name.rpartition(" (")[0] not in still)


def _lengths(play: FirstPlay, rows: FloatArray) -> list[int]:
    """Return how many observations each episode has; empty if not all were kept."""
    return play.lengths if sum(play.lengths) == len(rows) else []


def _as_the_agent_sees(play: FirstPlay, config: AgentConfig) -> FloatArray | None:
    """Return the observations with the agent's memories, ``(n, d)``; None without any."""
    rows = play.all_numbers()
    if rows is None or not config.past:
        return rows
    is_whole = bool(_lengths(play, rows))
    return as_seen(play, rows, config.past) if is_whole else None


def _cells(space: Space, config: AgentConfig, rows: FloatArray) -> FloatArray:
    """Return the activations of the cells, ``(n, cells)``."""
    shape = space.shape if not config.past and space.shape else rows.shape[1:]
    whole = np.issubdtype(space.dtype, np.integer)
    typed = np.rint(rows).astype(space.dtype) if whole and not config.past else rows
    return np.array([config.cells(row.reshape(shape)).copy() for row in typed])


def _unlike(
    space: Space, config: AgentConfig, rows: FloatArray, lengths: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Return the numbers that no cell reads, and those whose values the cells don't tell apart."""
    varies = np.flatnonzero(rows.max(axis=0) > rows.min(axis=0)).tolist()
    blind: list[int] = []
    unlike: list[int] = []
    if len(varies) > _MOST_NUMBERS:
        return blind, unlike
    some = rows[np.linspace(0, len(rows) - 1, _TRIED).astype(int)]
    usual = _cells(space, config, some)

    def differs(place: int, *values: float) -> bool:
        changed = np.repeat(some[None], len(values), axis=0)
        changed[:, :, place] = np.array(values)[:, None]
        seen = [_cells(space, config, each) for each in changed]
        return bool((np.abs(seen - usual) > APART).any())

    is_whole = not config.past and np.issubdtype(space.dtype, np.integer)
    for place in set(varies) - set(delays(rows[: sum(lengths)], lengths)):
        low, high = np.quantile(rows[:, place], (0.02, 0.98)).tolist()
        if not differs(place, low, high):
            far = _FAR * (high - low + 1.0)
            reads = not is_whole and differs(place, low - far, high + far)
            (unlike if reads else blind).append(place)
    return blind, unlike


def _outside(config: AgentConfig, rows: FloatArray) -> tuple[float, int]:
    """Return the largest share of a number beyond the range of its cells, and the number."""
    cells = config.cells
    low, high = getattr(cells, "low", None), getattr(cells, "high", None)
    if low is None or high is None or np.shape(low) != rows.shape[1:]:
        return 0.0, 0
    bounded = np.asarray(high) > np.asarray(low)  # the others are squashed
    beyond = ((rows < low) | (rows > high)).mean(axis=0) * bounded
    return float(beyond.max()), int(beyond.argmax())


@dataclass(frozen=True)
class _Steps:
    """Hold the steps of a play as rows of numbers.

    rows: all observations, ``(n, d)``. lengths: how many each episode has. now: the places in
    *rows* of those that actions followed. acted, rewards, ends: for each step.
    """

    rows: FloatArray
    lengths: Sequence[int]
    now: IntArray
    acted: FloatArray
    rewards: FloatArray
    ends: FloatArray

    @classmethod
    def of(cls, play: FirstPlay) -> Self | None:
        """Return the steps of a play; None if there are few, or observations of many numbers."""
        rows = play.all_numbers()
        lengths = [] if rows is None else _lengths(play, rows)
        if rows is None or len(rows) < _LEAST_ROWS or not lengths:
            return None
        if len(play.actions) != play.steps or rows.shape[1] > _MOST_NUMBERS:
            return None
        now = acted_on(lengths)
        ends = ~np.isin(now + 1, now)[:, None]
        rewards = np.concatenate(play.rewards)[:, None]
        return cls(rows, lengths, now, flags_of_actions(play), rewards, ends.astype(np.float64))

    @property
    def begins(self) -> BoolArray:
        """Mark the first step of each episode."""
        return np.concatenate([[True], self.ends[:-1, 0] > 0])

    @property
    def acted_before(self) -> FloatArray:
        """Return the action before each one, ``(steps, k)``; 0 in the first step of an episode."""
        return np.where(self.begins[:, None], 0.0, np.roll(self.acted, 1, axis=0))

    def known(self, *without: int) -> FloatArray:
        """Return the observations without some of their numbers, and the actions."""
        left = np.delete(self.rows[self.now], without, axis=1)
        return np.concatenate([left, self.acted], axis=1)

    def follows(self, *without: int) -> FloatArray:
        """Return rewards, ends of episodes and changes to the next observation, if they vary."""
        changes = np.delete(self.rows[self.now + 1] - self.rows[self.now], without, axis=1)
        return varying(np.concatenate([self.rewards, self.ends, changes], axis=1))


def _matters(steps: _Steps | None, place: int) -> bool:
    """Return whether a number tells what follows; true if that can't be measured."""
    if steps is None or place >= steps.rows.shape[1]:
        return True
    follows = steps.follows(place)
    return _gain(left_over(steps.known(place), follows), left_over(steps.known(), follows)) > TOLD


def _past(play: FirstPlay, rows: FloatArray, memories: tuple[float, ...]) -> Past:
    """Return these memories, or what tells more of the rewards than they do."""
    best = next(iter(kept_by_values(play, rows, memories)), None)
    if best or memories:
        return best or Past(memories=memories)
    return Past(sees_rewards=rewards_tell(play, rows, NOTHING))


def _of_time(
    found: Hidden, space: Space, config: AgentConfig, play: FirstPlay, steps: _Steps
) -> Hidden:
    """Return which share of what follows the past predicts in addition, and which the action.

    An action may act a step later: on a velocity that isn't shown. A memory isn't measured for an
    agent that has one.
    """
    follows, known = steps.follows(), steps.known()
    blank = np.concatenate([steps.rows[steps.now], np.zeros((len(known), 1))], axis=1)
    before = np.concatenate([blank, steps.acted_before], axis=1)
    left = left_over(blank, follows)
    effects = [(left - left_over(x, follows)).mean(axis=0) for x in (known, before)]
    effect = float(np.max(effects, initial=0.0))
    enough = max(_MANY_ROWS, _ROWS_OF_ACTION * steps.acted.shape[1])
    if len(known) >= enough and follows.shape[1]:
        found = dataclasses.replace(found, effect=effect)
    if config.past or config.carries or config.description is not None:
        return found
    if len(known) >= enough:
        found = dataclasses.replace(found, shown=_shown(steps))
    by_actions, rewards, by_counts, counted = 0.0, steps.rewards, 0.0, ""
    is_box = isinstance(space, Box)
    memories = memories_for(play, varying(steps.rows), 2 * _MOST_NUMBERS) if is_box else ()
    memories = memories or missing_memories(play, steps.rows, NOTHING, is_box)[:1]
    past = _past(play, steps.rows, memories)
    by_rows = TOLD if past else 0.0
    if rewards.max() > rewards.min():
        left = left_over(known, rewards)

        def told(more: FloatArray) -> float:
            return _gain(left, left_over(np.concatenate([known, more], axis=1), rewards))

        by_actions = told(steps.acted_before)
        if past:
            seen = as_seen(play, steps.rows, past)[steps.now, steps.rows.shape[1] :]
            by_rows = max(by_rows, told(seen))
        # An agent that does the same in each episode is paid by the clock, which isn't a count.
        clock = np.concatenate([np.arange(n - 1) for n in steps.lengths])[:, None]
        seens = (known, steps.acted)
        by_clock = [left_over(np.concatenate([seen, clock], axis=1), rewards) for seen in seens]
        least = np.minimum(left, np.minimum(*by_clock))
        for what, count in _counts(steps):
            for seen in seens:
                gain = _gain(least, left_over(np.concatenate([seen, count], axis=1), rewards))
                if gain > max(by_counts, TOLD):
                    by_counts, counted = gain, what
    best = past if by_rows >= max(by_actions, by_counts) else NOTHING
    counted = counted if by_counts > max(by_rows, by_actions) else ""
    most = max(by_rows, by_actions, by_counts)
    return dataclasses.replace(found, memory=most, past=best, counted=counted)


def _shown(steps: _Steps) -> float:
    """Return which share of what follows the observation tells, beside the action."""
    following = [steps.rewards, steps.ends, steps.rows[steps.now + 1]]
    follows = varying(np.concatenate(following, axis=1))
    blank = np.concatenate([steps.acted, np.zeros((len(steps.acted), 1))], axis=1)
    return _gain(left_over(blank, follows), left_over(steps.known(), follows))


def _counts(steps: _Steps) -> Iterator[tuple[str, FloatArray]]:
    """Yield what may be counted in an episode, and how often it came before each step, ``(n, 1)``.

    That is the step's action, and the value that a number shows, among earlier values of a number.
    What an action was paid is averaged instead.
    """
    rows, acted = steps.rows[steps.now] + 0.0, steps.acted + 0.0  # + 0.0 turns -0.0 into 0.0
    values = [np.unique(column) for column in rows.T]
    few = [place for place, seen in enumerate(values) if 1 < len(seen) <= _MOST_VALUES]
    yield "how often the action was taken before", _count(_earlier(steps, acted, acted))
    before = (paid[:-1] for paid in _earlier(steps, steps.acted, steps.acted))
    yield PAID, np.array([[float(np.mean(paid)) if paid else 0.0] for paid in before])
    for one, other in itertools.product(few[:_MOST_COUNTED], repeat=2):
        what = f"how often observation[{other}] had the value of observation[{one}]"
        yield what, _count(_earlier(steps, rows[:, [one]], rows[:, [other]]))


def _count(found: Iterator[list[float]]) -> FloatArray:
    return np.array([[float(len(rewards))] for rewards in found])


def _earlier(steps: _Steps, now: FloatArray, before: FloatArray) -> Iterator[list[float]]:
    """Yield the rewards of rows up to each one of *now*, in its episode, that are so in *before*.

    A row of *before* counts in its own step too, as the observation is shown then already; so the
    count of a step's own action is more by one, which no prediction depends on.
    """
    seen: dict[bytes, list[float]] = {}
    for begins, row, shown, reward in zip(
        steps.begins, now, before, steps.rewards[:, 0].tolist(), strict=True
    ):
        if begins:
            seen = {}
        seen.setdefault(shown.tobytes(), []).append(reward)
        yield seen.get(row.tobytes(), [])


def _gain(before: FloatArray, after: FloatArray) -> float:
    """Return how much less of the best predicted number is left over in both halves."""
    return float((before - after).min(axis=0).max(initial=0.0))
