"""Say what actions an environment takes, and make them from an agent's choices."""

from __future__ import annotations

import abc
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from neurorl.errors import EnvError, UnsupportedError, quoted
from neurorl.numerics.arrays import Array, BoolArray, FloatArray, IntArray
from neurorl.tasks.kinds import Shown

MASK = "action_mask"
"""Look up the actions allowed now under this key of an environment's info: an array of 0 and 1."""

_MOST_ACTIONS = 4096
_MOST_WHOLE = 2.0**52  # up to it, a float holds every whole number and the half after it


@dataclass(frozen=True, eq=False)
class Actions(abc.ABC):
    """Hold what an environment takes: one alternative of a group, one of each, or real numbers.

    is_continuous: whether an agent chooses numbers in [-1, 1]. dtype: type of the actions.
    """

    is_continuous: ClassVar[bool] = False
    dtype: npt.DTypeLike

    @abc.abstractmethod
    def groups(self, population: int) -> tuple[int, ...]:
        """Return how many modules an actor has for each choice.

        population: how many modules code a number.
        """

    @property
    @abc.abstractmethod
    def idle(self) -> Shown:
        """Return a choice that every environment takes, for environments whose agent rests."""

    @abc.abstractmethod
    def taken(self, choice: Shown) -> Shown:
        """Return the action that the environment takes for an agent's choice."""

    @abc.abstractmethod
    def drawn(self, draw: Callable[[], float]) -> Shown:
        """Return a random choice; *draw* returns uniform numbers in [0, 1)."""

    def allowed(self, mask: object) -> Shown:
        """Return a choice that a mask allows."""
        return self.idle

    def batch(self, choices: Sequence[Shown]) -> Array:
        """Return the actions of several environments, for a vector of them."""
        return np.array([self.taken(choice) for choice in choices], dtype=self.dtype)


@dataclass(frozen=True, eq=False)
class OneOf(Actions):
    """Take one of n alternatives, numbered from *first* on; the choice counts from 0."""

    n: int
    first: int

    def groups(self, population: int) -> tuple[int, ...]:
        return (self.n,)

    @property
    def idle(self) -> int:
        return 0

    def taken(self, choice: int) -> int:
        return choice + self.first

    def allowed(self, mask: Any) -> int:
        return int(np.argmax(mask))

    def drawn(self, draw: Callable[[], float]) -> int:
        return int(draw() * self.n)

    def batch(self, choices: Sequence[int]) -> Array:
        return np.array(choices, dtype=self.dtype) + self.first


@dataclass(frozen=True, eq=False)
class Alternatives(Actions):
    """Take one alternative of each group; the choice has a number for each, counted from 0.

    sizes, first: for each group, in the order of the raveled space; shape: shape of the space.
    """

    sizes: tuple[int, ...]
    first: IntArray
    shape: tuple[int, ...]

    def groups(self, population: int) -> tuple[int, ...]:
        return self.sizes

    @property
    def idle(self) -> list[int]:
        return [0] * len(self.sizes)

    def taken(self, choice: Sequence[int]) -> Array:
        return (np.asarray(choice) + self.first).astype(self.dtype).reshape(self.shape)

    def allowed(self, mask: object) -> list[int]:
        flat = allowed_actions({MASK: mask}, self.sizes, "vector environment")
        ends = np.cumsum(self.sizes)[:-1]
        return [int(part.argmax()) for part in np.split(flat, ends)]

    def drawn(self, draw: Callable[[], float]) -> list[int]:
        return [int(draw() * n) for n in self.sizes]


def first_of(actions: Actions) -> IntArray:
    """Return the number of the first alternative of each choice; 0 where actions are numbers."""
    if isinstance(actions, (OneOf, Alternatives)):
        return np.ravel(actions.first)
    return np.zeros(1, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Numbers(Actions):
    """Take numbers from *low* to *high*; the choice has each between -1 and 1, row by row.

    Whole numbers share the range from -1 to 1 in equal parts.
    """

    is_continuous: ClassVar[bool] = True
    low: FloatArray
    high: FloatArray

    def groups(self, population: int) -> tuple[int, ...]:
        return (population,) * self.low.size

    @property
    def idle(self) -> list[float]:
        return [0.0] * self.low.size

    def taken(self, choice: Sequence[float]) -> Array:
        share, span = (np.reshape(choice, self.low.shape) + 1.0) * 0.5, self.high - self.low
        if np.dtype(self.dtype).kind == "f":  # whose sum may be rounded to one above the end
            return np.asarray(np.clip(self.low + share * span, self.low, self.high), self.dtype)
        whole: FloatArray = np.minimum(np.floor(share * (span + 1.0)), span)
        return np.asarray(self.low + whole, self.dtype)

    def drawn(self, draw: Callable[[], float]) -> list[float]:
        return [2.0 * draw() - 1.0 for _ in range(self.low.size)]


def read_actions(env: object, name: str = "") -> Actions:
    """Return the actions of an environment.

    Raises UnsupportedError unless its space is Discrete, MultiDiscrete, MultiBinary, or a Box with
    bounds.
    """
    where = f"environment {name}".rstrip()
    vector = isinstance(env, gym.vector.VectorEnv)
    names = [f"single_{x}_space" if vector else f"{x}_space" for x in ("action", "observation")]
    space, observations = (getattr(env, key, None) for key in names)
    for kind, candidate in (("action", space), ("observation", observations)):
        if not isinstance(candidate, gym.Space):
            raise UnsupportedError(where, f"has no {kind}_space", got=quoted(candidate))
    if isinstance(space, gym.spaces.Discrete):
        actions: Actions = OneOf(space.dtype, int(space.n), int(space.start))
    elif isinstance(space, gym.spaces.MultiDiscrete):
        sizes = tuple(int(n) for n in space.nvec.ravel())
        first = np.asarray(space.start, dtype=np.int64).ravel()
        actions = Alternatives(space.dtype, sizes, first, space.shape)
    elif isinstance(space, gym.spaces.MultiBinary):
        n_bits = math.prod(space.shape)
        actions = Alternatives(space.dtype, (2,) * n_bits, np.zeros(n_bits, np.int64), space.shape)
    elif isinstance(space, gym.spaces.Box):
        actions = _numbers(space, where)
    else:
        remedy = "take its actions apart with a Gymnasium ActionWrapper"
        limit = "Discrete, MultiDiscrete, MultiBinary or Box"
        raise UnsupportedError(where, "has other actions", got=space, limit=limit, remedy=remedy)
    n = sum(actions.groups(1))
    if not 1 <= n <= _MOST_ACTIONS:
        what = "has too many actions" if n else "has no actions"
        raise UnsupportedError(where, what, got=n, limit=f"1 to {_MOST_ACTIONS}")
    return actions


def _numbers(space: gym.spaces.Box, where: str) -> Numbers:
    low, high = space.low.astype(np.float64), space.high.astype(np.float64)
    most = np.inf if np.dtype(space.dtype).kind == "f" else _MOST_WHOLE
    with np.errstate(over="ignore"):
        is_bounded = bool((high - low < most).all() and (abs(low) < most).all())
    if not is_bounded:
        remedy = "gymnasium.wrappers.RescaleAction, or an ActionWrapper with bounds"
        what, limit = "actions: its numbers have no bounds", "a Box with bounds"
        raise UnsupportedError(where, what, got=space, limit=limit, remedy=remedy)
    return Numbers(space.dtype, low, high)


def allowed_actions(
    info: Mapping[str, object], groups: Sequence[int], where: str, of_numbers: bool = False
) -> BoolArray:
    """Return the mask of an info, ``(n_actions,)``; several groups may have a mask each.

    of_numbers: whether each group codes a number. Raises EnvError if there is no mask, or it leaves
    nothing to choose; UnsupportedError for a mask on numbers.
    """
    if of_numbers:
        remedy = "clip them in the environment"
        what, got = "numbers have no mask", f"info[{MASK!r}]"
        raise UnsupportedError(where, what, got=got, remedy=remedy)
    mask = info.get(MASK)
    try:
        parts = mask if isinstance(mask, (tuple, list)) and len(groups) > 1 else (mask,)
        shown = np.concatenate([np.ravel(p) for p in parts])
        allowed: BoolArray = shown.astype(bool)
        if shown.dtype.kind not in "biuf" or (shown != allowed).any():
            raise ValueError
    except (TypeError, ValueError):
        allowed = np.zeros(0, dtype=np.bool_)
    if allowed.shape != (sum(groups),):
        got = "none" if mask is None else quoted(mask)
        raise EnvError(where, f"info[{MASK!r}] is no mask", got=got, limit=f"{sum(groups)} of 0, 1")
    ends = np.cumsum(groups)[:-1]
    if not all(part.any() for part in np.split(allowed, ends)):
        raise EnvError(where, f"info[{MASK!r}] allows nothing", got=quoted(mask))
    return allowed
