"""Break Gymnasium's contract in one way in each environment; one keeps it."""

from __future__ import annotations

import collections
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, NoReturn

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete, Text, Tuple

Hook = Callable[[Any], Any]
Named = collections.namedtuple("Named", "observation reward terminated truncated info")
BOX = Box(-1.0, 1.0, (3,), np.float32)


def same(value: Any) -> Any:
    return value


@dataclass(frozen=True)
class Case:
    """Say what is wrong with an environment.

    is_fine: whether it means the same all the same, so that it must be played as a right one.
    compares: whether what it shows is what a right one shows. later: from this call of step on.
    """

    is_fine: bool = False
    compares: bool = True
    later: int = 0
    states: bool = False
    observe: Hook = same
    reward: Hook = same
    terminated: Hook = same
    truncated: Hook = same
    info: Hook = same
    step: Hook = same
    reset: Hook = same
    observation_space: Any = None
    action_space: Any = None
    methods: dict[str, Any] = field(default_factory=dict)


class Hooked(gym.Env[Any, Any]):
    """Show random numbers or states, six steps an episode; a *case* spoils what it answers."""

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012

    def __init__(self, case: Case) -> None:
        self._case = case
        space = Discrete(5) if case.states else BOX
        self.observation_space = case.observation_space or space
        self.action_space = case.action_space or Discrete(2)
        self._steps = self._calls = 0

    def _seen(self) -> Any:
        if self._case.states:
            return int(self.np_random.integers(5))
        return self.np_random.uniform(-1, 1, 3).astype(np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._steps = 0
        seen = self._seen()
        if self._case.later == 0:
            seen = self._case.observe(seen)
            return self._case.reset((seen, {}))
        return seen, {}

    def step(self, action: Any) -> Any:
        self._steps += 1
        self._calls += 1
        over = self._steps >= 6
        answer: tuple[Any, ...] = (self._seen(), float(action == 0), over, False, {})
        if self._calls < self._case.later:
            return answer
        case = self._case
        hooks = (case.observe, case.reward, case.terminated, case.truncated, case.info)
        return case.step(tuple(hook(value) for hook, value in zip(hooks, answer, strict=True)))


def make(case: str) -> Hooked:
    """Return the environment of this name in `CASES`."""
    found = CASES[case]
    cls = type("Env", (Hooked,), found.methods) if found.methods else Hooked
    env: Hooked = cls(found)
    return env


def raising(exc: BaseException) -> Hook:
    def hook(_: Any) -> NoReturn:
        raise exc

    return hook


def always(value: Any) -> Hook:
    return lambda _: value


class MuteError(Exception):
    """Raise an exception that can't even be shown."""

    def __str__(self) -> str:
        raise ValueError("no")


class AsArray:
    """Be a foreign array."""

    def __init__(self, numbers: Any) -> None:
        self._numbers = numbers

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(self._numbers, dtype=dtype)


class Broken:
    """Be a foreign array that can't be read, nor shown."""

    def __array__(self, *_: Any, **__: Any) -> Any:
        raise RuntimeError("on another device")

    def __repr__(self) -> str:
        raise RuntimeError("on another device")


class Kept:
    """Return one array for all observations, overwritten each time."""

    def __init__(self) -> None:
        self._array = np.zeros(3, np.float32)

    def __call__(self, seen: Any) -> Any:
        self._array[:] = seen
        return self._array


def read_only(seen: Any) -> Any:
    seen.setflags(write=False)
    return seen


def without_seed(self: Any, options: Any = None) -> Any:
    return np.zeros(3, np.float32), {}


def raise_on_close(self: Any) -> NoReturn:
    raise OSError("the window is gone")


def change_spaces(self: Any, action: Any) -> Any:
    answer = Hooked.step(self, action)
    self.action_space, self.observation_space = Discrete(9), Box(-1, 1, (7,))
    return answer


def of_dict(**options: Any) -> Case:
    space = Dict({"a": BOX, "b": Discrete(3)})
    return Case(observation_space=space, compares=False, **options)


def shows(value: Any, **options: Any) -> Case:
    return Case(observe=always(value), **options)


def fine(**options: Any) -> Case:
    return Case(is_fine=True, **options)


CASES: dict[str, Case] = {
    "right": fine(),
    "right states": fine(states=True),
    # What is seen.
    "seen too long": shows(np.zeros(4, np.float32)),
    "seen too short": shows(np.zeros(2, np.float32)),
    "seen scalar": shows(0.5),
    "seen array of no dimensions": shows(np.float32(0.5)),
    "seen one number": shows(np.zeros(1, np.float32)),
    "seen empty": shows(np.zeros(0, np.float32)),
    "seen batch": Case(observe=lambda seen: np.stack([seen, seen])),
    "seen row": fine(observe=lambda seen: seen[None]),
    "seen column": fine(observe=lambda seen: seen[:, None]),
    "seen list": fine(observe=lambda seen: seen.tolist()),
    "seen tuple": fine(observe=tuple),
    "seen doubles": fine(observe=lambda seen: seen.astype(np.float64)),
    "seen foreign array": fine(observe=AsArray),
    "seen broken array": shows(Broken()),
    "seen objects": Case(observe=lambda seen: seen.astype(object)),
    "seen texts": Case(observe=lambda seen: seen.astype(str)),
    "seen complex": Case(observe=lambda seen: seen + 0j),
    "seen None": shows(None),
    "seen None inside": shows([0.0, None, 0.0]),
    "seen ragged": shows([[0.0], [0.0, 1.0], 0.0]),
    "seen dict": shows({"a": 1}),
    "seen text": shows("000"),
    "seen nan": shows(np.full(3, np.nan, np.float32)),
    "seen inf": shows(np.array([0, np.inf, 0], np.float32)),
    "seen minus inf later": shows(np.array([-np.inf, 0, 0], np.float32), later=4),
    "seen nan later": shows(np.full(3, np.nan, np.float32), later=9),
    "seen beyond bounds": fine(observe=lambda seen: 1e30 * seen, compares=False),
    "seen huge": shows(np.array([1e300, -1e300, 0.0]), is_fine=True, compares=False),
    "seen whole numbers": shows(np.array([1, 0, -1]), is_fine=True, compares=False),
    "seen bools": shows(np.array([True, False, True]), is_fine=True, compares=False),
    "seen overwritten": fine(observe=Kept()),
    "seen read-only": fine(observe=read_only),
    "seen masked": fine(observe=np.ma.asarray),
    "seen changes shape": Case(observe=lambda seen: seen[:2], later=3),
    "seen changes type": fine(observe=lambda seen: seen.tolist(), later=3),
    # States.
    "state numpy's": fine(states=True, observe=np.int64),
    "state small": fine(states=True, observe=np.uint8),
    "state in an array": fine(states=True, observe=np.array),
    "state in an array of one": fine(states=True, observe=lambda seen: np.array([seen])),
    "state as float": fine(states=True, observe=float),
    "state between": Case(states=True, observe=lambda seen: seen + 0.5),
    "state negative": shows(-1, states=True),
    "state beyond": shows(5, states=True),
    "state beyond later": shows(5, states=True, later=4),
    "state huge": shows(10**30, states=True),
    "state text": Case(states=True, observe=str),
    "state None": shows(None, states=True),
    "state nan": shows(float("nan"), states=True),
    "state several": shows([1, 2], states=True),
    # Rewards.
    "reward float32": fine(reward=np.float32),
    "reward float64": fine(reward=np.float64),
    "reward int": fine(reward=int),
    "reward bool": fine(reward=bool),
    "reward numpy's bool": fine(reward=np.bool_),
    "reward in an array": fine(reward=np.array),
    "reward in an array of one": fine(reward=lambda r: np.array([r])),
    "reward fraction": fine(reward=Fraction),
    "reward two": Case(reward=lambda r: np.array([r, r])),
    "reward list": Case(reward=lambda r: [r]),
    "reward text": Case(reward=str),
    "reward None": Case(reward=always(None)),
    "reward complex": Case(reward=complex),
    "reward numpy's complex": Case(reward=np.complex128),
    "reward decimal": Case(reward=Decimal),
    "reward dict": Case(reward=always({})),
    "reward objects": Case(reward=lambda r: np.array([r], dtype=object)),
    "reward nan": Case(reward=always(float("nan"))),
    "reward inf": Case(reward=always(float("inf"))),
    "reward minus inf later": Case(reward=always(-np.inf), later=8),
    "reward numpy's nan": Case(reward=always(np.float32("nan"))),
    "reward of hundreds of digits": Case(reward=always(10**400)),
    "reward of infinite sum": Case(reward=always(1.7e308)),
    # Ends.
    "end numpy's bool": fine(terminated=np.bool_, truncated=np.bool_),
    "end int": fine(terminated=int, truncated=int),
    "end in an array": fine(terminated=np.array),
    "end in an array of one": fine(terminated=lambda end: np.array([end])),
    "end both": fine(truncated=always(True), compares=False),
    "end at once": fine(terminated=always(True), compares=False),
    "end several": Case(terminated=lambda end: np.array([end, end])),
    "end None": Case(terminated=always(None)),
    "end None (truncated)": Case(truncated=always(None)),
    "end text": Case(terminated=str),
    "end two": Case(terminated=always(2)),
    "end float": Case(terminated=float),
    "end list": Case(truncated=lambda end: [end]),
    # Other of the answer.
    "info None": fine(info=always(None)),
    "info list": fine(info=always([])),
    "step of gym": Case(step=lambda answer: (*answer[:3], answer[4])),
    "step of six": Case(step=lambda answer: (*answer, None)),
    "step list": fine(step=list),
    "step named": fine(step=lambda answer: Named(*answer)),
    "step generator": Case(step=lambda answer: (part for part in answer)),
    "step None": Case(step=always(None)),
    "step None later": Case(step=always(None), later=4),
    "step observation only": Case(step=lambda answer: answer[0]),
    "step dict": Case(step=lambda answer: dict(enumerate(answer))),
    "step in another order": Case(step=lambda answer: (answer[1], answer[0], *answer[2:])),
    "reset observation only": Case(reset=lambda answer: answer[0]),
    "reset one": Case(reset=lambda answer: answer[:1]),
    "reset three": Case(reset=lambda answer: (*answer, {})),
    "reset list": Case(reset=list),
    "reset None": Case(reset=always(None)),
    "reset turned": Case(reset=lambda answer: answer[::-1]),
    "reset without seed": Case(methods={"reset": without_seed}),
    # What is raised.
    "raises in step": Case(step=raising(ValueError("bad\nmove"))),
    "raises in step later": Case(step=raising(KeyError("move")), later=8),
    "raises without words": Case(step=raising(AssertionError())),
    "raises mutely": Case(step=raising(MuteError())),
    "raises the end of an iteration": Case(step=raising(StopIteration(3))),
    "raises recursion": Case(step=raising(RecursionError("too deep"))),
    "raises memory": Case(step=raising(MemoryError())),
    "raises in reset": Case(reset=raising(OSError("no display"))),
    "raises a type in reset": Case(reset=raising(TypeError("reset() got no idea"))),
    "raises what can't be written": Case(step=raising(ValueError("\ud800 \x00 \x1b[31m"))),
    "raises in close": fine(methods={"close": raise_on_close}),
    # Spaces.
    "spaces change": fine(methods={"step": change_spaces}),
    "space of nothing": Case(observation_space=Box(0, 1, (0,))),
    "space of texts": Case(observation_space=Text(5)),
    "space of no kind": Case(observation_space="Box"),
    "space of a billion states": Case(observation_space=Discrete(10**9)),
    "actions of a billion": Case(action_space=Discrete(10**9)),
    "actions continuous": Case(action_space=Box(-1, 1, (1,))),
    "actions several": Case(action_space=MultiDiscrete([2, 2])),
    "actions of no kind": Case(action_space=2),
    "action of one": fine(action_space=Discrete(1), compares=False),
    "dict": of_dict(is_fine=True, observe=lambda seen: {"a": seen, "b": 1}),
    "dict with more": of_dict(is_fine=True, observe=lambda seen: {"a": seen, "b": 1, "c": None}),
    "dict ordered otherwise": of_dict(is_fine=True, observe=lambda seen: {"b": 1, "a": seen}),
    "dict without a key": of_dict(observe=lambda seen: {"a": seen}),
    "dict of another shape": of_dict(observe=lambda seen: {"a": seen[:2], "b": 1}),
    "dict of no state": of_dict(observe=lambda seen: {"a": seen, "b": 3}),
    "dict nan": of_dict(observe=lambda seen: {"a": seen + np.nan, "b": 1}),
    "dict that is none": of_dict(observe=lambda seen: [seen, 1]),
    "tuple too short": Case(
        observation_space=Tuple((BOX, Discrete(3))), observe=lambda seen: (seen,)
    ),
    "tuple that is none": Case(observation_space=Tuple((BOX, Discrete(3)))),
}
