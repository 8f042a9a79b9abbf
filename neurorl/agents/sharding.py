"""Replicas of large networks, in groups that a processor's cache can hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from neurorl.agents.interrupts import held_interrupts
from neurorl.agents.replicas import Episode, Replicas, State
from neurorl.backends.base import Backend
from neurorl.models.config import AgentConfig
from neurorl.network.serialization import FloatArray
from neurorl.tasks.groups import EnvGroup, SeparateEnvs

__all__ = ["ReplicaGroups", "group_sizes", "side_by_side"]

CACHE_BYTES = 2_000_000
"""What the weights and eligibilities of one group may take: about a core's own cache."""

_BYTES_PER_SYNAPSE = 16


class ReplicaGroups:
    """`Replicas` one after the other, each with a compiled network of its own; the same interface.

    A group takes its whole environment step, learning included, before the next one's turn, so
    that its weights are still in the cache when it learns.
    """

    def __init__(self, groups: Sequence[Replicas]) -> None:
        self._groups = groups
        self._places = [(group, k) for group in groups for k in range(len(group.seeds))]

    approach = "local"

    @property
    def arithmetic_name(self) -> str:
        return self._groups[0].arithmetic_name

    @property
    def noise(self) -> str:
        return self._groups[0].noise

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(seed for group in self._groups for seed in group.seeds)

    @property
    def config(self) -> AgentConfig:
        return self._groups[0].config

    @property
    def backend(self) -> Backend:
        """The first group's."""
        return self._groups[0].backend

    @property
    def backend_name(self) -> str:
        return self._groups[0].backend_name

    @property
    def episodes(self) -> list[list[Episode]]:
        return [episodes for group in self._groups for episodes in group.episodes]

    def env_steps(self, k: int) -> int:
        group, own = self._places[k]
        return group.env_steps(own)

    def steps_taken(self, k: int) -> int:
        return self.env_steps(k)

    def learn(
        self,
        total_episodes: int | None = None,
        callback: Callable[[int, Episode], None] | None = None,
        total_steps: int | None = None,
    ) -> None:
        with held_interrupts() as interrupt:
            for _ in self.play(total_episodes, callback, total_steps):
                if interrupt.requested:
                    return

    def play(
        self,
        total_episodes: int | None = None,
        callback: Callable[[int, Episode], None] | None = None,
        total_steps: int | None = None,
    ) -> Iterator[int]:
        """An environment step of every agent at a time; yields how many took it."""
        running, first = [], 0
        for group in self._groups:
            running.append(group.play(total_episodes, _shifted(callback, first), total_steps))
            first += len(group.seeds)
        while running:
            taken = [next(steps, 0) for steps in running]
            if not all(taken):
                running = [steps for steps, n in zip(running, taken, strict=True) if n]
            running.reverse()  # there and back: what the caches still hold comes next
            if running:
                yield sum(taken)

    def state(self, k: int) -> State:
        group, own = self._places[k]
        return group.state(own)

    def restore(self, k: int, state: State, moved: bool = False) -> None:
        group, own = self._places[k]
        group.restore(own, state, moved)

    def adopt(self, k: int, state: State) -> None:
        group, own = self._places[k]
        group.adopt(own, state)

    def weights(self, k: int) -> dict[str, FloatArray]:
        group, own = self._places[k]
        return group.weights(own)

    def diagnostics(self, k: int) -> dict[str, Any]:
        group, own = self._places[k]
        return group.diagnostics(own)

    def warnings(self, k: int) -> list[dict[str, Any]]:
        group, own = self._places[k]
        return group.warnings(own)

    def close(self) -> None:
        for group in self._groups:
            group.close()


def side_by_side(
    envs: EnvGroup, config: AgentConfig, n_actions: int, seeds: Sequence[int], **options: Any
) -> Replicas | ReplicaGroups:
    """Agents that learn side by side: in one compiled network, or in groups if it is large.

    options: of `Replicas`. A Gymnasium vector environment is stepped as a whole: one network.
    """
    sizes = group_sizes(config, n_actions, len(seeds))
    if len(sizes) == 1 or not isinstance(envs, SeparateEnvs):
        return Replicas(envs, config, n_actions, seeds, **options)
    groups, first = [], 0
    for size in sizes:
        mine = slice(first, first + size)
        own = SeparateEnvs(envs.envs[mine])
        groups.append(Replicas(own, config, n_actions, seeds[mine], **options))
        first += size
    return ReplicaGroups(groups)


def group_sizes(config: AgentConfig, n_actions: int, n: int) -> list[int]:
    """How many of *n* agents go into each group: as even as can be, as few groups as fit."""
    network = config.network(n_actions)
    synapses = 0
    for p in network.projections:
        shape = network.weight_shape(p.name)
        blocks = shape[0] if len(shape) == 3 else 1
        synapses += blocks * shape[-2] * shape[-1]
    most = max(1, CACHE_BYTES // (_BYTES_PER_SYNAPSE * synapses))
    count = -(-n // most)
    return [n // count + (k < n % count) for k in range(count)]


def _shifted(
    callback: Callable[[int, Episode], None] | None, first: int
) -> Callable[[int, Episode], None] | None:
    if callback is None:
        return None
    return lambda k, episode: callback(first + k, episode)
