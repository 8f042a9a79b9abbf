"""Define the papers' gridworld and a contextual bandit, and make environments by id.

Registered as neurorl/GridWorld-v0 and neurorl/Bandit-v0.
"""

from __future__ import annotations

import difflib
import importlib
from typing import Any

import gymnasium as gym
import numpy as np

from neurorl.errors import ArgumentError, NeurorlError, UnknownNameError, UnsupportedError, quoted
from neurorl.numerics.arrays import FloatArray
from neurorl.storage.plain import Named, PlainData
from neurorl.tasks.actions import read_actions
from neurorl.tasks.kinds import Environment, Shown

_SIDE = 10
_GOAL = 100
_UP, _DOWN, _LEFT, _RIGHT = range(4)
_LEFT_OF = (_LEFT, _RIGHT, _DOWN, _UP)
_RIGHT_OF = (_RIGHT, _LEFT, _UP, _DOWN)
_P_INTENDED, _P_VEER = 0.8, 0.05

# Beginnings of ids that a package registers when it is imported.
_PACKAGES = {
    "ALE/": "ale-py",
    "MiniGrid-": "minigrid",
    "BabyAI-": "minigrid",
    "highway-": "highway-env",
    "procgen": "procgen",
    "PerceptualDecisionMaking": "neurogym",
}
# What pip can't install beside Gymnasium 1 by name alone.
_INSTALLED_SO = {"neurogym": "install neurogym as docs/environments.md says"}


class GridWorldEnv(Environment):
    """Find the goal of a 10x10 grid, states 1 to 100 row by row from the top.

    The start is state 1, the goal state 100 with reward 10; every other reward is 0.
    Actions 0 to 3: up, down, left, right. The move is as intended with probability 0.8, veers to
    the left or right with 0.05 each, and fails with 0.1; walls block it.
    Source: the task of arXiv:1910.06489 and 2005.05941.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 4}  # noqa: RUF012

    def __init__(self, render_mode: str | None = None) -> None:
        self.observation_space = gym.spaces.Discrete(_SIDE * _SIDE, start=1)
        self.action_space = gym.spaces.Discrete(4)
        self.render_mode = render_mode
        self._state = 1

    def reset(
        self, *, seed: int | None = None, options: PlainData | None = None
    ) -> tuple[int, PlainData]:
        super().reset(seed=seed, options=options)
        self._state = 1
        return self._state, {}

    def step(self, action: Shown) -> tuple[int, float, bool, bool, PlainData]:
        u = self.np_random.random()
        a = int(action)
        if u < _P_INTENDED:
            self._state = move(self._state, a)
        elif u < _P_INTENDED + _P_VEER:
            self._state = move(self._state, _LEFT_OF[a])
        elif u < _P_INTENDED + 2 * _P_VEER:
            self._state = move(self._state, _RIGHT_OF[a])
        goal = self._state == _GOAL
        return self._state, 10.0 if goal else 0.0, goal, False, {}

    def render(self) -> Any:
        """Return the grid as text: ``@`` the agent, ``G`` the goal."""
        cells = ["."] * (_SIDE * _SIDE)
        cells[_GOAL - 1] = "G"
        cells[self._state - 1] = "@"
        return "\n".join("".join(cells[k : k + _SIDE]) for k in range(0, len(cells), _SIDE))


class BanditEnv(Environment):
    """Choose once an episode, in the context shown, one arm of a contextual bandit.

    contexts: 0 to *contexts* - 1, one drawn evenly for each episode. arms: 0 to *arms* - 1; in
    context c arm ``c mod arms`` is good. The reward is 1 with probability *good*, for other arms
    with probability *bad*, else 0; then the episode ends.
    """

    metadata = {"render_modes": [], "max_episode_steps": 1}  # noqa: RUF012

    def __init__(
        self, contexts: int = 6, arms: int = 4, good: float = 0.9, bad: float = 0.1
    ) -> None:
        self.observation_space = gym.spaces.Discrete(contexts)
        self.action_space = gym.spaces.Discrete(arms)
        self._contexts, self._arms, self._good, self._bad = contexts, arms, good, bad
        self._context = 0

    def reset(
        self, *, seed: int | None = None, options: PlainData | None = None
    ) -> tuple[int, PlainData]:
        super().reset(seed=seed, options=options)
        self._context = int(self.np_random.integers(self._contexts))
        return self._context, {}

    def step(self, action: Shown) -> tuple[int, float, bool, bool, PlainData]:
        is_good = int(action) == self._context % self._arms
        reward = float(self.np_random.random() < (self._good if is_good else self._bad))
        return self._context, reward, True, False, {"good": is_good}


def move(state: int, direction: int) -> int:
    """Return the state (1 to 100) beside *state*, or *state* at a wall."""
    row, column = divmod(state - 1, _SIDE)
    row += (direction == _DOWN) - (direction == _UP)
    column += (direction == _RIGHT) - (direction == _LEFT)
    if 0 <= row < _SIDE and 0 <= column < _SIDE:
        return row * _SIDE + column + 1
    return state


def transitions() -> FloatArray:
    """Return P[state - 1, action, next - 1] of the gridworld, shape ``(100, 4, 100)``."""
    p = np.zeros((_SIDE * _SIDE, 4, _SIDE * _SIDE))
    for state in range(1, _SIDE * _SIDE + 1):
        for a in range(4):
            p[state - 1, a, move(state, a) - 1] += _P_INTENDED
            p[state - 1, a, move(state, _LEFT_OF[a]) - 1] += _P_VEER
            p[state - 1, a, move(state, _RIGHT_OF[a]) - 1] += _P_VEER
            p[state - 1, a, state - 1] += 1 - _P_INTENDED - 2 * _P_VEER
    return p


def optimal_return(gamma: float = 0.9) -> float:
    """Return the gridworld's discounted return under the best policy, by value iteration."""
    p = transitions()
    goal = np.zeros(_SIDE * _SIDE)
    goal[_GOAL - 1] = 1.0
    v = np.zeros(_SIDE * _SIDE)
    for _ in range(2000):
        v = (p @ (10.0 * goal + gamma * v * (1 - goal))).max(axis=1)
    return float(v[0])


def make_env(env_id: str, arguments: Named | None = None) -> Environment:
    """Make the environment of an id that the user has named; ``module:id`` imports the module.

    arguments: arguments of `gymnasium.make`.
    Raises UnknownNameError with what would work, UnsupportedError if it can't be made here or
    agents can't choose such actions.
    """
    if not isinstance(env_id, str):
        raise ArgumentError("environment", "is not an id", got=quoted(env_id))
    module, _, name = env_id.rpartition(":")
    if not name or ":" in module or (":" in env_id and not module):
        raise unknown_env(env_id)
    where = f"environment {env_id}"
    try:
        if module:
            importlib.import_module(module)
        if name not in gym.registry:
            raise unknown_env(env_id)
        env = gym.make(name, **(arguments or {}))
    except NeurorlError:
        raise
    except Exception as exc:  # foreign code may raise anything
        raise UnsupportedError(where, "can't be made here", got=first_line(exc)) from exc
    read_actions(env, env_id)
    return env


def first_line(exc: BaseException) -> str:
    """Return the first line of an exception of foreign code."""
    try:
        lines = str(exc).strip().splitlines()
    except Exception:  # str() of a foreign exception may itself raise
        lines = []
    if not lines:
        return type(exc).__name__
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in lines[0][:300])
    return f"{type(exc).__name__}: {line}"


def unknown_env(env_id: str) -> UnknownNameError:
    """Return the error for an unregistered id; it names a similar id, or the id's package."""
    name = env_id.rpartition(":")[2]
    space = name.rpartition("/")[0]
    alike = [known for known in gym.registry if known.rpartition("/")[0] == space]
    near = difflib.get_close_matches(name, alike, n=1, cutoff=0.75)
    package = next((p for start, p in _PACKAGES.items() if name.startswith(start)), None)
    if package is not None and ":" not in env_id:
        module = package.replace("-", "_")
        installed = _INSTALLED_SO.get(package, f"pip install {package}")
        remedy = f"{installed}, then name it {module}:{name}"
    elif near:
        remedy = f"did you mean {near[0]!r}?"
    elif ":" in env_id:
        remedy = "name it MODULE:ID, of a module that registers this id"
    else:
        remedy = f"a package's own ids are named MODULE:ID, such as my_envs:{name or 'My-v0'}"
    return UnknownNameError("environment", "unknown name", got=repr(env_id), remedy=remedy)


def discrete_actions(env: Environment, name: str = "") -> gym.spaces.Discrete[Any]:
    """Return the action space of *env*. Raises UnsupportedError unless it is Discrete."""
    where = f"environment {name}".rstrip()
    read_actions(env, name)
    space = env.action_space
    if not isinstance(space, gym.spaces.Discrete):
        what, remedy = (
            "actions are not discrete",
            "discretise its actions with a Gymnasium ActionWrapper",
        )
        raise UnsupportedError(where, what, got=space, limit="Discrete(n)", remedy=remedy)
    return space
