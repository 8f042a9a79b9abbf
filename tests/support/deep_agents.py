"""Make small agents with shared hidden layers, and compare all that they know."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np

from neurorl import SpikingActorCritic
from neurorl.learning.deep.loop import DeepLoop
from neurorl.numerics.arrays import Array

SEEN: dict[str, gym.spaces.Space[Any]] = {
    "bits": gym.spaces.Box(0, 1, (5,), np.bool_),
    "numbers": gym.spaces.Box(-np.inf, np.inf, (3,), np.float64),
    "image": gym.spaces.Box(0, 255, (2, 3), np.uint8),
    "states": gym.spaces.Discrete(6),
    "picture": gym.spaces.Box(0, 1, (4, 5, 2), np.bool_),
    "board": gym.spaces.Box(0, 1, (6, 6, 4), np.bool_),
    "shades": gym.spaces.Box(0, 255, (5, 3), np.uint8),
}
TAKEN: dict[str, gym.spaces.Space[Any]] = {
    "one": gym.spaces.Discrete(3),
    "many": gym.spaces.Discrete(19),
    "several": gym.spaces.MultiDiscrete([2, 3]),
    "numbers": gym.spaces.Box(-1.0, 1.0, (2,), np.float64),
}


class Small(gym.Env[Any, Any]):
    """Show random observations and pay for actions, in episodes that end now and then.

    masked: whether some actions are forbidden in each step.
    """

    def __init__(self, seen: str = "bits", taken: str = "one", masked: bool = False) -> None:
        self.observation_space, self.action_space = SEEN[seen], TAKEN[taken]
        self.masked = masked

    def _shown(self) -> tuple[Any, dict[str, Any]]:
        space, draw = self.observation_space, self.np_random
        if isinstance(space, gym.spaces.Discrete):
            self.now: Any = int(draw.integers(space.n))
        elif space.dtype == np.float64:
            self.now = 3.0 * draw.standard_normal(space.shape) + 1.0
        else:
            high = 2 if space.dtype == np.bool_ else 256
            self.now = draw.integers(high, size=space.shape).astype(space.dtype)
        return self.now, {"action_mask": self._mask()} if self.masked else {}

    def _mask(self) -> Any:
        space = self.action_space
        sizes = [int(space.n)] if isinstance(space, gym.spaces.Discrete) else [2, 3]
        masks = []
        for size in sizes:
            mask = self.np_random.random(size) < 0.6
            mask[self.np_random.integers(size)] = True
            masks.append(mask)
        return masks[0] if len(masks) == 1 else tuple(masks)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return self._shown()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        first = float(np.ravel(self.now)[0])
        sign = 1.0 if (first % 2.0 == 1.0 if first.is_integer() else first > 1.0) else -1.0
        reward, end = float(sign * np.sum(action) - 0.7), float(self.np_random.random())
        shown, info = self._shown()
        return shown, reward, end < 0.07, 0.07 <= end < 0.12, info


REGISTERED = "DeepSmall-v0"
"""Name the environment with a fresh `Small` for each agent."""
gym.register(REGISTERED, entry_point="deep_agents:Small", max_episode_steps=30)


class Broken(Small):
    """Show or pay what isn't finite in one step."""

    def __init__(self, at: int, seen: float = 0.0, paid: float = 0.0) -> None:
        super().__init__("numbers")
        self.at, self.seen, self.paid, self.steps = at, seen, paid, 0

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        shown, reward, _, _, info = super().step(action)
        if self.steps == self.at:
            shown, reward = shown + self.seen, reward + self.paid
        return shown, reward, False, False, info


class Parity(gym.Env[Any, Any]):
    """Ask in one step whether two of four bits differ; no bit alone says anything.

    cut: whether an answer truncates its episode rather than ends it.
    """

    observation_space = gym.spaces.Box(0, 1, (4,), np.bool_)
    action_space = gym.spaces.Discrete(2)

    def __init__(self, cut: bool = False) -> None:
        self.cut = cut

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.bits = self.np_random.random(4) < 0.5
        return self.bits, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        right = int(action) == int(self.bits[0] ^ self.bits[1])
        return self.bits, float(right), not self.cut, self.cut, {}


def deep_agent(env: Any = None, **options: Any) -> SpikingActorCritic:
    """Return an agent of few neurons, in float arithmetic on the reference if nothing is said."""
    small: dict[str, Any] = {"hidden": 6, "critic.hidden": 5, "alpha_output": 0.02, "seed": 1}
    if options.get("hidden") != 0:
        small["alpha_hidden"] = 0.02
    return SpikingActorCritic(Small() if env is None else env, "deep", **{**small, **options})


def loop_of(agent: SpikingActorCritic) -> DeepLoop:
    """Return the loop in which an agent learns."""
    loop = agent._replicas.loop
    assert isinstance(loop, DeepLoop)
    return loop


def known(agent: SpikingActorCritic) -> dict[str, Array]:
    """Return copies of all that an agent has learned and remembers, and what it has played."""
    loop_of(agent).settle()
    memory = loop_of(agent).memory
    arrays = {
        **{f"weights {name}": a for name, a in memory.weights.items()},
        **{f"in force {name}": a for name, a in memory.in_force.items()},
        **{f"trace {name}": a for name, a in memory.eligibility.items()},
        **{f"lasting {name}": a for name, a in memory.lasting.items()},
        **{f"passing {name}": a for name, a in memory.passing_arrays.items()},
        "decisions": memory.decisions,
        "phi": loop_of(agent).phi,
        "probabilities": loop_of(agent).probabilities,
        "returns": np.array([e.discounted for e in agent.episodes]),
        "lengths": np.array([e.length for e in agent.episodes]),
    }
    return {name: np.array(array) for name, array in arrays.items()}


def differing(a: dict[str, Array], b: dict[str, Array]) -> list[str]:
    """Name the arrays that differ in a number, be it by one bit; 0.0 and -0.0 are the same."""
    assert a.keys() == b.keys()
    return [name for name in a if not np.array_equal(a[name], b[name], equal_nan=True)]
