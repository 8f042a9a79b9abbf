"""Play the first steps of a task at random, and keep the data that defaults are chosen by.

They are played once, in a copy of the environment, before the agent exists, with the same draws for
every seed, backend and arithmetic, so that the choices are a property of the task, unless it is
so slow that a clock ends the play. Nothing is learned from them. They count as environment steps
(`AgentConfig.first_play_steps`), not as training.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import math
import pickle
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from neurorl.errors import NeurorlError
from neurorl.numerics.arrays import Array, BoolArray, FloatArray, IntArray
from neurorl.numerics.random import derive
from neurorl.tasks.actions import MASK, OneOf, first_of, read_actions
from neurorl.tasks.answers import Answers
from neurorl.tasks.kinds import OF_NUMBERS, Environment, Shown, Space, parts_of
from neurorl.tasks.patience import PATIENCE_S, Clock
from neurorl.tasks.specification import copy_env

FIRST_STEPS = 2000
_HOLDS = 0.8
_LARGEST = 2**24
"""Limit the bytes of the observations that are kept, as float64."""
_SEED = 2_025

_BETTER, _VARIED = 0.5, 0.5
"""Take this share of rewards for the better ones, if at least the second share differ."""

_AS_FAR = 0.95
"""Take held actions to explore if observations vary by this share of what they do otherwise: 1.02
on Acrobot-v1, 1.83 on MountainCar-v0, and 0.63 to 0.90 on five boards."""
_NEARLY_ALL, _HARDLY = 0.9, 1e-3
_SURE, _LEAST_EPISODES = 4.0, 3
"""Take holding actions for costly by so many standard errors of so many episodes of either kind. A
lander's costs are 2.1 errors higher, though it learns by repeats; moves of 2048 10.6."""

_HUGE = 1e29

Observations = Array
Place = tuple[Any, ...]
Act = Callable[[int, bool, Shown, object, float], Shown]
"""Choose an action by the episode's number, whether it begins, observation, action mask, and what
the last step paid."""


@dataclass
class FirstPlay:
    """Hold what a first play showed.

    steps: the number of steps taken. rewards: ``(length,)`` for each episode, 0 where not finite;
    the last episode may be cut off. actions: one for each step, in the environment's form.
    seen: the observations of each numeric part of the space, by the keys that lead to it (its
    place); ``()`` for a space without parts. Not every step of large observations is kept.
    is_over: whether the last episode has ended. first: numbers of the first alternatives. Kept by a
    play that wasn't added up of others: words, what parts that aren't numbers showed, by their
    places, and n_terminated, how many episodes no time limit ended.
    """

    steps: int = 0
    rewards: list[list[float]] = field(default_factory=list)
    actions: list[Shown] = field(default_factory=list)
    seen: dict[Place, list[Observations]] = field(default_factory=dict)
    words: dict[Place, set[str]] = field(default_factory=dict)
    is_over: bool = True
    first: IntArray | int = 0
    n_terminated: int = 0

    def of(self, place: Place) -> Observations | None:
        """Return the observations of one part, float64 ``(n, d)``; None if there are none."""
        rows = self.seen.get(place)
        return np.array(rows, dtype=np.float64).reshape(len(rows), -1) if rows else None

    def all_numbers(self) -> Observations | None:
        """Return the observations with all parts concatenated, ``(n, d)``; None if there are none.

        Observations that aren't finite are left out, as nothing is learned from them.
        """
        parts = [rows for rows in map(self.of, self.seen) if rows is not None]
        if not parts:
            return None
        rows = np.concatenate(parts, axis=1)
        rows = np.clip(rows[np.isfinite(rows).all(axis=1)], -_HUGE, _HUGE)
        return rows if len(rows) else None

    @classmethod
    def in_space(cls, space: Space, first: IntArray | int = 0) -> FirstPlay:
        """Return a play without steps, which keeps the numbers of observations in *space*."""
        return cls(seen={place: [] for place in _of_numbers(space)}, first=first)

    def begin(self, *seen: Shown) -> None:
        """Begin an episode with its first observation, if that is kept."""
        self._keep(seen)
        self.rewards.append([])
        self.is_over = False

    def take(self, action: Shown, reward: float, is_over: bool, *seen: Shown) -> None:
        """Take a step, and keep the observation after it, if any."""
        self._keep(seen)
        self.actions.append(action)
        self.rewards[-1].append(reward if math.isfinite(reward) else 0.0)
        self.steps += 1
        self.is_over = is_over

    def _keep(self, seen: Iterable[Shown]) -> None:
        for observation in seen:
            for place, rows in self.seen.items():
                rows.append(np.array(_at(observation, place) if place else observation).ravel())

    def __iadd__(self, other: FirstPlay) -> Self:
        """Go on with another play of the task."""
        self.steps += other.steps
        self.rewards += other.rewards
        self.actions += other.actions
        for place, rows in self.seen.items():
            rows += other.seen[place]
        return self

    @property
    def pays_nothing(self) -> bool:
        """Return whether every reward was 0."""
        return not any(map(any, self.rewards))

    @property
    def pays_at_ends(self) -> bool:
        """Return whether episodes paid, or cost, something in their last steps and in no other."""
        within = any(any(episode[:-1]) for episode in self.rewards)
        return not (within or self.pays_nothing)

    @property
    def hardly_pays(self) -> bool:
        """Return whether fewer than one of a thousand steps had a reward."""
        n_paid = sum(reward != 0.0 for episode in self.rewards for reward in episode)
        return n_paid < _HARDLY * self.steps

    @property
    def only_action(self) -> str:
        """Return the one action that was taken, whatever was seen; empty if there were several."""
        rows, taken = self.all_numbers(), set(map(str, self.actions))
        varies = rows is not None and bool(np.ptp(rows, axis=0).any())
        return taken.pop() if varies and len(taken) == 1 else ""

    @property
    def soon_fails(self) -> bool:
        """Return whether nearly all episodes ended by themselves, at different steps."""
        n_over = len(self.rewards) - (not self.is_over)
        varies = len(set(map(len, self.rewards[:n_over]))) > 1
        return varies and self.n_terminated >= _NEARLY_ALL * n_over

    @property
    def costs_alike(self) -> bool:
        """Return whether every step cost the same, but where an episode ended.

        What is worth reaching is an end, and each step until then costs as much. A game that pays
        at its end alone costs nothing.
        """
        rewards = {reward for episode in self.rewards for reward in episode[:-1]}
        return len(rewards) == 1 and max(rewards) < 0.0

    @property
    def holding_costs(self) -> bool:
        """Return whether episodes in which actions were held surely earned less in each step."""
        means = [np.array([np.mean(r) for r in self.rewards[k::2] if r]) for k in (0, 1)]
        if min(map(len, means)) < _LEAST_EPISODES:
            return False
        drawn, held = means
        error = math.hypot(*(m.std(ddof=1) / math.sqrt(len(m)) for m in means))
        return bool(drawn.mean() - held.mean() > _SURE * error)

    @property
    def holding_explores(self) -> bool:
        """Return whether observations vary as much within episodes in which actions were held.

        Single actions cancel out before a pole that hangs is up; on a board, held ones end at a
        wall. True where observations are missing.
        """
        rows = self.all_numbers()
        if rows is None or len(rows) != sum(self.lengths):
            return True
        deviations = rows.std(axis=0)
        varying = deviations > 0.0
        episodes = np.split(rows[:, varying] / deviations[varying], np.cumsum(self.lengths)[:-1])
        within = np.array([episode.std(axis=0).mean() for episode in episodes])
        return len(within) < 2 or bool(within[1::2].mean() >= _AS_FAR * within[::2].mean())

    @property
    def lengths(self) -> list[int]:
        """Return how many observations each episode has, the first one included."""
        return [len(rewards) + 1 for rewards in self.rewards]

    @property
    def digest(self) -> bytes:
        """Return a digest of all that was shown and done; empty if an action can't be written."""
        seen = {place: np.array(rows) for place, rows in self.seen.items()}
        with contextlib.suppress(Exception):  # of a user's own action
            return hashlib.sha256(pickle.dumps({**vars(self), "seen": seen})).digest()
        return b""

    @property
    def last_actions(self) -> FloatArray:
        """Return what was chosen before each observation, from 1 on, 0 at first, ``(n, g)``."""
        size = -1 if self.steps else np.size(self.first)
        acted = np.array(self.actions, np.float64).reshape(self.steps, size)
        before = np.zeros((sum(self.lengths), acted.shape[1]))
        before[acted_on(self.lengths) + 1] = acted - self.first + 1.0
        return before

    @property
    def last_rewards(self) -> FloatArray:
        """Return what was paid in the step before each observation, 0 at first, ``(n, 1)``."""
        return np.array([[r] for episode in self.rewards for r in (0.0, *episode)])

    def is_better(self, n: int) -> BoolArray | None:
        """Return which of *n* observations came with the better half of rewards, ``(n,)``.

        None if rewards take few values, as if only a goal pays, or if observations are missing.
        """
        rewards = np.array([r for episode in self.rewards for r in (np.nan, *episode)])
        paid = rewards[~np.isnan(rewards)]  # a reset pays nothing
        if len(rewards) != n or len(np.unique(paid)) < max(1.0, _VARIED * len(paid)):
            return None
        return np.asarray(rewards >= np.quantile(paid, 1.0 - _BETTER))

    def returns(self, gamma: float) -> FloatArray:
        """Return the discounted return from each step on."""
        values = []
        for rewards in self.rewards:
            total = 0.0
            for reward in reversed(rewards):
                total = reward + gamma * total
                values.append(total)
        return np.array(values)


def acted_on(lengths: Sequence[int]) -> IntArray:
    """Return the places of observations that an action followed; *lengths*: of all episodes."""
    return np.delete(np.arange(sum(lengths)), np.cumsum(lengths, dtype=np.intp) - 1)


def varying(rows: FloatArray) -> FloatArray:
    """Return the columns of numbers ``(n, d)`` that vary."""
    return np.asarray(rows[:, rows.max(axis=0) > rows.min(axis=0)])


def first_play(
    env: Environment, steps: int = FIRST_STEPS, seconds: float = PATIENCE_S
) -> FirstPlay:
    """Take so many *steps* in a copy of *env*, or in *env* itself if it can't be copied.

    Actions are drawn evenly; in every second episode they are often repeated, which gets further.
    The play ends early if the environment raises or returns something wrong; learning will report
    the same as an error. It also ends after so many *seconds*, a little later if it has hardly
    begun.
    """
    return _played(*_another(env), steps, seconds, _SEED, _evenly(env, _SEED, _HOLDS))


def play_again(env: Environment, steps: int, seed: int, act: Act | None = None) -> FirstPlay | None:
    """Take so many *steps* in a copy of *env*; None if it can't be copied.

    seed: of resets and draws. act: chooses the actions; None draws each of them evenly among those
    that are allowed. The play ends early if the environment raises or returns something wrong.
    """
    another, is_ours = _another(env)
    if another is env:
        return None
    return _played(another, is_ours, steps, PATIENCE_S, seed, act or _evenly(env, seed))


def _played(
    env: Environment, is_ours: bool, steps: int, seconds: float, seed: int, act: Act
) -> FirstPlay:
    """Return what a play in *env* showed, and close it if it is ours."""
    play = FirstPlay(first=first_of(read_actions(env)))
    try:
        with contextlib.suppress(NeurorlError):
            _play(env, play, seed, act, Clock(steps, seconds))
    finally:
        if is_ours:
            with contextlib.suppress(Exception):
                env.close()
    return play


def _evenly(env: Environment, seed: int, holds: float | None = None) -> Act:
    """Return what draws actions evenly.

    holds: the chance that an action is repeated in every second episode; None obeys masks instead.
    """
    actions = read_actions(env)
    # Not default_rng, whose generator may change with NumPy's version.
    draws = np.random.Generator(np.random.PCG64(seed))
    action = actions.taken(actions.idle)

    def act(episode: int, begins: bool, _: Shown, mask: object, paid: float) -> Shown:
        nonlocal action
        if holds is None and mask is not None and isinstance(actions, OneOf):
            free = np.flatnonzero(np.asarray(mask))
            if len(free):
                return actions.taken(int(free[int(draws.random() * len(free))]))
        if holds is None or begins or episode % 2 == 0 or draws.random() > holds:
            action = actions.taken(actions.drawn(draws.random))
        return action

    return act


def _another(env: Environment) -> tuple[Environment, bool]:
    """Return a copy of *env*, or *env* itself, and whether to close it."""
    with contextlib.suppress(Exception):  # foreign code, or it has no id
        return copy_env(env, is_quiet=True), True
    with contextlib.suppress(Exception):
        return copy.deepcopy(env), False  # the copy may share with *env* what can't be copied
    return env, False


def _play(env: Environment, play: FirstPlay, seed: int, act: Act, clock: Clock) -> None:
    answers, leaves = Answers(env), _of_numbers(env.observation_space)
    stride = max(1, -(-clock.steps * sum(leaves.values()) // _LARGEST))
    play.seen = {place: [] for place in leaves}
    every = dict(_leaves(env.observation_space, ()))
    play.words = {place: set() for place in every.keys() - leaves.keys()}

    def kept() -> tuple[Shown, ...]:
        return (observation,) if play.steps % stride == 0 else ()

    while not clock.is_over(play.steps):
        begins = play.is_over
        if begins:
            episode = len(play.rewards)
            observation, info = answers.reset(derive(seed, episode) & 0x7FFFFFFF), answers.info
            play.begin(*kept())
        mask = info.get(MASK) if isinstance(info, Mapping) else None
        paid = 0.0 if begins else play.rewards[-1][-1]
        action = act(episode, begins, observation, mask, paid)
        # A copy, as an environment may change what it is given, and some actions are taken again.
        observation, reward, terminated, truncated, info = answers.step(copy.copy(action))
        play.take(action, reward, terminated or truncated, *kept())
        for place, words in play.words.items():
            words.add(repr(_at(observation, place)))
        play.n_terminated += terminated


def is_large(space: Space, steps: int) -> bool:
    """Return whether the observations of so many steps are too large to be kept."""
    return steps * sum(_of_numbers(space).values()) > _LARGEST


def _of_numbers(space: Space) -> dict[Place, int]:
    """Return the size of each numeric part in bytes as float64, by its place."""
    parts = ((place, part) for place, part in _leaves(space, ()) if isinstance(part, OF_NUMBERS))
    return {place: 8 * math.prod(part.shape) for place, part in parts if part.shape is not None}


def _leaves(space: Space, place: Place) -> Iterator[tuple[Place, Space]]:
    """Yield each part that has none itself, with its place."""
    parts = parts_of(space)
    for key, part in parts.items():
        yield from _leaves(part, (*place, key))
    if not parts:
        yield place, space


def _at(observation: Shown, place: Place) -> Shown:
    for key in place:
        observation = observation[key]
    return observation
