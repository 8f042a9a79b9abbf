"""Define tasks that the development suite lacks, to compare the default with others on them.

They are of Gymnasium, MuJoCo, MinAtar, MiniGrid and NeuroGym; some of the literature are made here.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.envs.toy_text.frozen_lake import generate_random_map
from gymnasium.wrappers import TimeLimit

from experiments.development_tasks import Env, Task
from neurorl.tasks.trials import Trials

_MOVES = ((-1, 0), (0, 1), (1, 0), (0, -1))  # rows and columns, of up, right, down and left

Reset = tuple[Any, dict[str, Any]]
Step = tuple[Any, float, bool, bool, dict[str, Any]]


class _Fields(gym.Env[Any, Any]):
    """Number the fields of a grid, row by row; each episode begins in the same one."""

    rows: int
    columns: int
    start: tuple[int, int]

    def __init__(self) -> None:
        self.observation_space = spaces.Discrete(self.rows * self.columns)
        self.action_space = spaces.Discrete(len(_MOVES))
        self._at = self.start

    def _state(self) -> int:
        return self._at[0] * self.columns + self._at[1]

    def reset(self, *, seed: int | None = None, options: Any = None) -> Reset:
        super().reset(seed=seed)
        self._at = self.start
        return self._state(), {}


class WindyGrid(_Fields):
    """Pay -1 for each step to the goal, while wind lifts what crosses some columns.

    Source: Sutton & Barto (2018), example 6.5; 15 steps are the fewest.
    """

    wind = (0, 0, 0, 1, 1, 1, 2, 2, 1, 0)
    rows, columns, start, goal = 7, len(wind), (3, 0), (3, 7)

    def step(self, action: int) -> Step:
        (row, column), (down, right) = self._at, _MOVES[int(action)]
        row = int(np.clip(row + down - self.wind[column], 0, self.rows - 1))
        self._at = row, int(np.clip(column + right, 0, self.columns - 1))
        return self._state(), -1.0, self._at == self.goal, False, {}


class Maze(_Fields):
    """Pay 1 at the goal of a maze of 6 x 9 fields.

    Source: the Dyna maze of Sutton & Barto (2018), example 8.1, with other walls.
    """

    fields = ("       WG", "  W    W ", "S W    W ", "  W      ", "     W   ", "         ")
    rows, columns, start = len(fields), len(fields[0]), (2, 0)

    def step(self, action: int) -> Step:
        (row, column), (down, right) = self._at, _MOVES[int(action)]
        row, column = row + down, column + right
        is_inside = 0 <= row < self.rows and 0 <= column < self.columns
        if is_inside and self.fields[row][column] != "W":
            self._at = row, column
        is_goal = self.fields[self._at[0]][self._at[1]] == "G"
        return self._state(), float(is_goal), is_goal, False, {}


class DeepSea(gym.Env[Any, Any]):
    """Pay 1 for going right in each of 8 rows, of an image; each step to the right costs a little.

    Source: bsuite's Deep Sea (arXiv:1908.03568), without its random actions.
    """

    side = 8

    def __init__(self) -> None:
        self.observation_space = spaces.Box(0.0, 1.0, (self.side, self.side), np.float32)
        self.action_space = spaces.Discrete(2)
        self._row = self._column = 0

    def _image(self) -> Any:
        image = np.zeros((self.side, self.side), np.float32)
        if self._row < self.side:
            image[self._row, self._column] = 1.0
        return image

    def reset(self, *, seed: int | None = None, options: Any = None) -> Reset:
        super().reset(seed=seed)
        self._row = self._column = 0
        return self._image(), {}

    def step(self, action: int) -> Step:
        last = self.side - 1
        found = action == 1 and self._column == last and self._row == last
        reward = float(found) - (0.01 / self.side if action == 1 else 0.0)
        self._column = int(np.clip(self._column + (1 if action == 1 else -1), 0, last))
        self._row += 1
        return self._image(), reward, self._row == self.side, False, {}


class Puddle(gym.Env[Any, Any]):
    """Pay -1 for each step to a corner of the unit square, and up to -40 in a puddle.

    Source: Sutton (1996), puddle world.
    """

    ends = (((0.1, 0.75), (0.45, 0.75)), ((0.45, 0.4), (0.45, 0.8)))
    radius = 0.1

    def __init__(self) -> None:
        self.observation_space = spaces.Box(0.0, 1.0, (2,), np.float64)
        self.action_space = spaces.Discrete(4)
        self._at = np.zeros(2)

    def _depth(self) -> float:
        distances = []
        for one, other in np.array(self.ends):
            along = other - one
            share = np.clip((self._at - one) @ along / (along @ along), 0.0, 1.0)
            distances.append(float(np.linalg.norm(self._at - one - share * along)))
        return max(0.0, self.radius - min(distances))

    def reset(self, *, seed: int | None = None, options: Any = None) -> Reset:
        super().reset(seed=seed)
        self._at = self.np_random.uniform(0.0, 0.9, 2)
        return self._at.copy(), {}

    def step(self, action: int) -> Step:
        moved = 0.05 * np.array(((0, 1), (0, -1), (1, 0), (-1, 0))[int(action)])
        self._at = np.clip(self._at + moved + self.np_random.normal(0.0, 0.01, 2), 0.0, 1.0)
        return self._at.copy(), -1.0 - 400.0 * self._depth(), self._at.sum() > 1.9, False, {}


class SwingUp(gym.Env[Any, Any]):
    """Pay 1 for each step in which a pole that hung from a cart stands near the middle.

    The cart and pole of CartPole (Barto, Sutton & Anderson, 1983), pushed to either side or not.
    """

    def __init__(self) -> None:
        high = np.array([4.8, np.inf, 1.0, 1.0, np.inf], np.float32)
        self.observation_space = spaces.Box(-high, high)
        self.action_space = spaces.Discrete(3)
        self._state = np.zeros(4)

    def _seen(self) -> Any:
        x, v, theta, omega = self._state
        return np.array([x, v, np.cos(theta), np.sin(theta), omega], np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Reset:
        super().reset(seed=seed)
        self._state = np.array([0.0, 0.0, np.pi, 0.0]) + self.np_random.normal(0.0, 0.05, 4)
        return self._seen(), {}

    def step(self, action: int) -> Step:
        x, v, theta, omega = self._state
        force = 10.0 * (int(action) - 1)
        for _ in range(2):
            c, s = np.cos(theta), np.sin(theta)
            push = (force + 0.05 * omega**2 * s) / 1.1
            turns = (9.8 * s - c * push) / (0.5 * (4 / 3 - 0.1 * c**2 / 1.1))
            moves = push - 0.05 * turns * c / 1.1
            x, v = x + 0.01 * v, v + 0.01 * moves
            theta, omega = theta + 0.01 * omega, omega + 0.01 * turns
        self._state = np.array([x, v, theta, omega])
        stands = bool(np.cos(theta) > 0.95 and abs(x) < 1.5)
        return self._seen(), float(stands), bool(abs(x) > 4.8), False, {}


class Umbrella(gym.Env[Any, Any]):
    """Pay after 10 steps for what was chosen in the first; until then pay and show noise.

    Source: bsuite's Umbrella Chain (arXiv:1908.03568).
    """

    steps, bits = 10, 20

    def __init__(self) -> None:
        self.observation_space = spaces.Box(0.0, 1.0, (3 + self.bits,), np.float32)
        self.action_space = spaces.Discrete(2)
        self._step = self._need = self._has = 0

    def _seen(self) -> Any:
        left = 1.0 - self._step / self.steps
        noise = self.np_random.integers(0, 2, self.bits)
        return np.array([self._need, self._has, left, *noise], np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Reset:
        super().reset(seed=seed)
        self._step = 0
        self._need, self._has = (int(self.np_random.integers(2)) for _ in range(2))
        return self._seen(), {}

    def step(self, action: int) -> Step:
        if self._step == 0:
            self._has = int(action)
        self._step += 1
        if self._step == self.steps:
            return self._seen(), 1.0 if self._need == self._has else -1.0, True, False, {}
        return self._seen(), 0.1 * (2 * int(self.np_random.integers(2)) - 1), False, False, {}


def _made(env_id: str, module: str = "gymnasium", **arguments: Any) -> Callable[[], Env]:
    """Return what makes a task that a module registers when it is imported."""

    def make() -> Env:
        importlib.import_module(module)
        return gym.make(env_id, **arguments)

    return make


def minatar(name: str) -> Callable[[], Env]:
    def make() -> Env:
        if f"MinAtar/{name}-v1" not in gym.registry:
            importlib.import_module("minatar.gym").register_envs()
        return gym.make(f"MinAtar/{name}-v1")

    return make


def _trials(name: str) -> Callable[[], Env]:
    return lambda: TimeLimit(Trials(_made(f"{name}-v0", "neurogym")()), 200)


def _limited(make: Callable[[], Env], steps: int) -> Callable[[], Env]:
    return lambda: TimeLimit(make(), steps)


def _own_lake() -> Env:
    lake = generate_random_map(6, 0.85, seed=3)
    return gym.make("FrozenLake-v1", desc=lake, max_episode_steps=150)


_MINIGRIDS = (
    ("Empty-8x8", 50_000),
    ("Empty-Random-6x6", 50_000),
    ("DoorKey-5x5", 100_000),
    ("LavaGapS5", 100_000),
    ("Dynamic-Obstacles-5x5", 100_000),
    ("DistShift1", 100_000),
    ("SimpleCrossingS9N1", 100_000),
    ("FourRooms", 100_000),
)
_MINATARS = (("Breakout", 50), ("Freeway", 20), ("SpaceInvaders", 50), ("Asterix", 50))
_NEUROGYMS = (
    *("GoNogo", "ContextDecisionMaking", "DelayMatchSample", "MultiSensoryIntegration"),
    *("DelayComparison", "PerceptualDecisionMakingDelayResponse"),
    *("DelayMatchCategory", "DelayPairedAssociation", "DualDelayMatchSample"),
    *("EconomicDecisionMaking", "HierarchicalReasoning", "IntervalDiscrimination", "MotorTiming"),
    *("OneTwoThreeGo", "PostDecisionWager", "ProbabilisticReasoning", "PulseDecisionMaking"),
    "ReadySetGo",
)
_WALKERS = ("Swimmer-v5", "Hopper-v5", "HalfCheetah-v5")
_WINDY_LANDER = _made("LunarLander-v3", enable_wind=True)
_SLIPPERY_CLIFF = _made("CliffWalking-v1", is_slippery=True)

HELD_OUT = (
    Task("CliffWalking, slippery", _limited(_SLIPPERY_CLIFF, 200), 50_000, ""),
    Task("FrozenLake, another map of 6 x 6", _own_lake, 100_000, ""),
    Task("Taxi, rainy", _made("Taxi-v4", is_rainy=True), 200_000, ""),
    Task("Taxi, fickle passenger", _made("Taxi-v4", fickle_passenger=True), 200_000, ""),
    Task("windy gridworld", _limited(WindyGrid, 200), 50_000, "-15, optimum"),
    Task("maze", _limited(Maze, 200), 30_000, "1, optimum"),
    Task(
        "Blackjack, Sutton & Barto's", _made("Blackjack-v1", sab=True), 100_000, "", episodes=20_000
    ),
    Task("deep sea, 8 x 8", DeepSea, 20_000, "0.99, optimum"),
    Task("puddle world", _limited(Puddle, 200), 60_000, ""),
    Task("swing-up", _limited(SwingUp, 500), 200_000, ""),
    Task("umbrella chain", Umbrella, 50_000, "1, optimum"),
    Task("InvertedPendulum-v5", _made("InvertedPendulum-v5"), 100_000, "1000, optimum", "mujoco"),
    Task("InvertedDoublePendulum-v5", _made("InvertedDoublePendulum-v5"), 100_000, "", "mujoco"),
    Task("Reacher-v5", _made("Reacher-v5"), 200_000, "", "mujoco"),
    *(Task(name, _made(name), 100_000, "", "mujoco") for name in _WALKERS),
    Task("LunarLander, wind", _WINDY_LANDER, 300_000, "", "box2d"),
    Task("LunarLander, numbers", _made("LunarLander-v3", continuous=True), 300_000, "", "box2d"),
    *(
        Task(f"MiniGrid-{name}", _made(f"MiniGrid-{name}-v0", "minigrid"), steps, "", "minigrid")
        for name, steps in _MINIGRIDS
    ),
    *(
        Task(f"MinAtar {name}", minatar(name), 200_000, "", "minatar", episodes=episodes)
        for name, episodes in _MINATARS
    ),
    *(Task(name, _trials(name), 100_000, "", "neurogym") for name in _NEUROGYMS),
)
