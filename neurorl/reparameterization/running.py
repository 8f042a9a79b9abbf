"""Episodes that are being played when an update is made, and how they are taken up again."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.envgroup import EnvGroup
from neurorl.replicas import Episode

__all__ = ["Running", "running_from", "running_state", "take_up"]

State = dict[str, npt.NDArray[Any]]


@dataclass(slots=True)
class Running:
    """An episode so far: its number, from which its seed is derived, and the actions taken in it.

    These are all there is to know of its environment, whatever kind of environment it is: an
    episode that was cut off by the end of the process is played again up to where it was.
    """

    number: int
    started: float = field(default_factory=time.perf_counter)
    total: float = 0.0
    discounted: float = 0.0
    factor: float = 1.0
    actions: list[int] = field(default_factory=list)

    def add(self, action: int, reward: float, gamma: float) -> None:
        """One step."""
        self.actions.append(action)
        self.total += reward
        self.discounted += self.factor * reward
        self.factor *= gamma

    def episode(self, number: int, env_steps: int) -> Episode:
        """It is over, as the *number*-th to end."""
        wall = time.perf_counter() - self.started
        return Episode(number, self.total, len(self.actions), env_steps, self.discounted, wall)


_SCORES = ("total", "discounted", "factor")


def running_state(running: Sequence[Running]) -> State:
    """The episodes of one replica as arrays."""
    return {
        "number": np.array([r.number for r in running], dtype=np.int64),
        "length": np.array([len(r.actions) for r in running], dtype=np.int64),
        "actions": np.array([a for r in running for a in r.actions], dtype=np.int64),
        **{name: np.array([getattr(r, name) for r in running]) for name in _SCORES},
    }


def running_from(state: State) -> list[Running]:
    """What `running_state` described. Raises KeyError or ValueError if it isn't that."""
    parts = np.split(state["actions"], np.cumsum(state["length"])[:-1])
    return [
        Running(
            number=int(number),
            **{name: float(state[name][e]) for name in _SCORES},
            actions=actions.tolist(),
        )
        for e, (number, actions) in enumerate(zip(state["number"], parts, strict=True))
    ]


def take_up(envs: EnvGroup, episodes: Mapping[int, tuple[int, Sequence[int]]]) -> dict[int, Any]:
    """Play episodes up to where they were; the last observation of each.

    episodes: by environment, the seed and the actions. All end in the same step, as a vector
    environment steps all together.
    """
    longest = max((len(actions) for _, actions in episodes.values()), default=0)
    seen: dict[int, Any] = {}
    chosen = np.zeros(envs.n, dtype=np.int64)
    for step in range(longest + 1):
        for i, (seed, actions) in episodes.items():
            if longest - len(actions) == step:
                seen[i] = envs.reset(i, seed)
        if step == longest:
            break
        playing = list(seen)
        for i in playing:
            _, actions = episodes[i]
            chosen[i] = actions[step - longest + len(actions)]
        if playing:
            for i, observation, *_ in envs.step(chosen, playing):
                seen[i] = observation
    return seen
