"""Let one agent learn from several environments at once."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace

from neurorl.agents.algorithms import LOCAL
from neurorl.agents.budget import Budget
from neurorl.agents.episodes import (
    Episode,
    State,
    episode_columns,
    prefixed,
    rate_after,
    strip_prefix,
)
from neurorl.agents.group import AgentGroup, Callback
from neurorl.agents.replicas import Replicas
from neurorl.errors import ArgumentError
from neurorl.learning.loops.base import Loop
from neurorl.learning.loops.choose import share
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.numerics.random import derive
from neurorl.tasks.kinds import VectorEnvironment

MAX_ENVIRONMENTS = 4096
"""Limit the environments that one agent makes, before memory is taken for them."""

_ENVIRONMENT = 4  # purpose of derived seeds
_SHARED = ("learner.", "deep.", "critic", "mean_reward", "diagnostics.")
_FOREVER = Budget(None, 2**62)


class JointReplicas(AgentGroup):
    """Make the replicas of *group* one agent: see `neurorl.learning.loops.choose`.

    The first environment's draws and resets follow from the agent's seed, others from seeds derived
    from it (`seeds_of`). `episodes` has the episodes of all environments in the order of their
    ends, within one step in the order of environments; ``env_steps`` counts steps of all. A budget
    is checked after each step of all environments, so a few more steps may be taken.
    """

    algorithm = LOCAL

    def __init__(self, group: Replicas) -> None:
        super().__init__(
            group.config,
            group.network,
            group.seeds[:1],
            n_actions=group.n_actions,
            backend_name=group.backend_name,
            arithmetic_name=group.arithmetic_name,
            noise=group.noise,
        )
        self.backend = group.backend
        self._group, self._n = group, len(group.seeds)
        self._ended: list[tuple[int, Episode]] = []  # (environment, episode), not counted yet
        share(group.loop, lambda: rate_after(self.episodes[0], group.config.schedule))
        self._monitors = group._monitors[:1]
        for k, monitor in enumerate(group._monitors):
            monitor.begin()
            monitor.is_quiet = k > 0  # the first environment's episodes speak for all

    @property
    def loop(self) -> Loop:
        """Return the present loop, in which all environments are played."""
        return self._group.loop

    def env_steps(self, k: int) -> int:
        """Return how many environment steps were learned from, in all environments."""
        return sum(self._group.env_steps(e) for e in range(self._n))

    def play(self, budget: Budget, callback: Callback | None = None) -> Iterator[int]:
        """Do as `learn`, a step of every environment at a time; yield how many were stepped."""
        self._count(callback)  # episodes of an interrupted call
        # The budget is for all environments together, so each of them plays without one.
        steps = self._group.play(_FOREVER, lambda e, episode: self._ended.append((e, episode)))
        while not budget.is_spent(len(self.episodes[0]), self.env_steps(0)):
            stepped = next(steps)
            self._count(callback)
            yield stepped
        if isinstance(steps, Generator):
            steps.close()

    def _count(self, callback: Callback | None) -> None:
        episodes, taken = self.episodes[0], self.env_steps(0)
        self._ended.sort(key=lambda ended: ended[0])
        while self._ended:
            _, last = self._ended.pop(0)
            episodes.append(replace(last, episode=len(episodes), env_steps=taken))
            if callback is not None:
                callback(0, episodes[-1])

    def learned_beside(self, k: int) -> dict[str, Array]:
        return self._group.learned_beside(0)

    def state(self, k: int) -> State:
        parts = [self._group.state(e) for e in range(self._n)]
        shared = {key: value for key, value in parts[0].items() if key.startswith(_SHARED)}
        own = [
            {key: value for key, value in part.items() if not key.startswith(_SHARED)}
            for part in parts
        ]
        every = {f"env{e}": part for e, part in enumerate(own)}
        return {**shared, **prefixed(**every, episodes=episode_columns(self.episodes[0]))}

    def is_masked(self, k: int) -> bool:
        return self._group.is_masked(0)

    def leave(self, k: int) -> None:
        pass  # others use an environment that it doesn't learn from

    def heed(self) -> None:
        self._group.heed()

    def weights(self, k: int) -> dict[str, FloatArray]:
        return self._group.weights(0)

    def close(self) -> None:
        self._group.close()

    def _restore(self, k: int, state: State, moved: bool, episodes: int) -> None:
        shared = {key: value for key, value in state.items() if key.startswith(_SHARED)}
        for e in range(self._n):
            self._group.restore(e, {**shared, **strip_prefix(state, f"env{e}.")}, moved)

    def _adopt(self, k: int, state: State) -> None:
        for e in range(self._n):
            self._group._adopt(e, state)


def seeds_of(seed: int, n: int) -> tuple[int, ...]:
    """Return the seeds of an agent's *n* environments, the agent's own first."""
    return (seed, *(derive(seed, _ENVIRONMENT, e) for e in range(1, n)))


def environments_in(state: State) -> int:
    """Return how many environments a state has, 0 for an agent without a vector."""
    return sum(key.startswith("env") and key.endswith(".decisions") for key in state)


def check_size(vector: VectorEnvironment, n: int) -> None:
    """Raise ArgumentError unless a vector has *n* environments; 0 is an agent without a vector."""
    if vector.num_envs != n:
        what, limit = "has another number of environments than its agent", n or "no vector"
        raise ArgumentError("vector environment", what, got=vector.num_envs, limit=limit)


def alone(state: State) -> State:
    """Return the state without a vector of an agent whose vector had one environment.

    The state of an agent without a vector is returned as it is.
    """
    return {key.removeprefix("env0."): value for key, value in state.items()}
