"""Divide replicas of large networks into groups that a processor's cache can hold."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from typing import Any, TypeVar, cast

from neurorl.agents.budget import Budget
from neurorl.agents.group import AgentGroup, Callback, GroupPlan
from neurorl.agents.local import JointReplicas, seeds_of
from neurorl.agents.looking import LookingReplicas
from neurorl.agents.replicas import Replicas
from neurorl.backends.spec import BackendSpec
from neurorl.models.agent.config import AgentConfig
from neurorl.storage.plain import plain
from neurorl.tasks.groups import EnvGroup, SeparateEnvs

CACHE_BYTES = 2_000_000
"""Limit the bytes of one group's neurons to about the cache of one core.

A step reads and writes all neurons, but only the rows of weights with spikes. Weights and
eligibilities are read in order once per window, which memory is fast enough for.
"""

_BYTES_PER_NEURON = 64
"""Count membrane, input, traces and spikes; rasters add one byte for each step."""


_Method = TypeVar("_Method", bound=Callable[..., object])


def _in_its_group(method: _Method) -> _Method:
    """Return the *method* of `GroupsInTurn` that asks the group in which an agent is."""

    def ask(self: GroupsInTurn, k: int, *others: object) -> object:
        group, own = self._places[k]
        return getattr(group, method.__name__)(own, *others)

    return cast(_Method, ask)


class GroupsInTurn(AgentGroup):
    """Run groups of agents in turn, each with its own compiled network.

    A group takes its whole environment step, learning included, before the next group's turn, so
    that its neurons stay in the cache. groups: groups of the agents, in order.
    """

    def __init__(self, groups: Sequence[AgentGroup]) -> None:
        first = groups[0]
        self._like(first, tuple(seed for group in groups for seed in group.seeds))
        self.algorithm, self.gradient = first.algorithm, first.gradient
        self.episodes = [episodes for group in groups for episodes in group.episodes]
        self._monitors = [monitor for group in groups for monitor in group._monitors]
        self.groups = groups
        self._places = [(group, k) for group in groups for k in range(len(group.seeds))]

    env_steps = _in_its_group(AgentGroup.env_steps)
    state = _in_its_group(AgentGroup.state)
    leave = _in_its_group(AgentGroup.leave)
    config_of = _in_its_group(AgentGroup.config_of)
    looks = _in_its_group(AgentGroup.looks)
    suit = _in_its_group(AgentGroup.suit)
    is_masked = _in_its_group(AgentGroup.is_masked)
    weights = _in_its_group(AgentGroup.weights)
    _restore = _in_its_group(AgentGroup._restore)
    _adopt = _in_its_group(AgentGroup._adopt)

    def play(self, budget: Budget, callback: Callback | None = None) -> Iterator[int]:
        """Do as `learn`, and yield how many agents took each environment step."""
        running, first = [], 0
        for group in self.groups:
            running.append(group.play(budget, _shifted(callback, first)))
            first += len(group.seeds)
        while running:
            taken = [next(steps, 0) for steps in running]
            if not all(taken):
                running = [steps for steps, n in zip(running, taken, strict=True) if n]
            running.reverse()  # forwards and backwards: the last group is still in the cache
            if running:
                yield sum(taken)

    def close(self) -> None:
        for group in self.groups:
            group.close()


class ReplicaGroups(GroupsInTurn):
    """Run several `Replicas` in turn; backend: that of the first group."""

    def __init__(self, groups: Sequence[Replicas]) -> None:
        super().__init__(groups)
        self.backend = groups[0].backend


class LookingGroups(ReplicaGroups):
    """Run agents that look again side by side; one for which something changes goes on alone."""

    groups: Sequence[LookingReplicas]

    def __init__(self, groups: Sequence[LookingReplicas]) -> None:
        super().__init__(groups)
        self._alone: dict[int, LookingReplicas] = {}

    def play(self, budget: Budget, callback: Callback | None = None) -> Iterator[int]:
        yield from super().play(budget, callback)
        for k, (group, own) in enumerate(self._places):
            if isinstance(group, LookingReplicas) and k not in self._alone and own in group.left:
                state, played, changed = group.state(own), self.episodes[k][:], group.left[own]
                self._part(k).restore(0, state)
                self.episodes[k][:] = played  # whose times a state doesn't have
                self._alone[k].become(*changed)
        for k, agent in sorted(self._alone.items()):
            yield from agent.play(budget, _shifted(callback, k))

    def suit(self, k: int, config: AgentConfig) -> None:
        if config != self.config_of(k):
            self._part(k).suit(0, config)

    def close(self) -> None:
        super().close()
        for agent in self._alone.values():
            agent.backend.close()  # its environment is closed

    def _part(self, k: int) -> LookingReplicas:
        """Return agent k, from here on in a group of its own."""
        group, own = self._places[k]
        assert isinstance(group, LookingReplicas)
        alone = self._alone[k] = group.alone(own)
        self._places[k] = alone, 0
        self.episodes[k], self._monitors[k] = alone.episodes[0], alone._monitors[0]
        return alone


def side_by_side(
    envs: EnvGroup, config: AgentConfig, n_actions: int, seeds: Sequence[int], **options: Any
) -> Replicas | ReplicaGroups:
    """Make agents that learn side by side: in one compiled network, or in groups if it is large.

    options: options of `Replicas`. A Gymnasium vector environment needs one network.
    """
    spec = BackendSpec.of(options["backend"] or "native", options=options.get("options"))
    threads = plain("threads", spec.options.get("threads"))
    if not isinstance(threads, int) or threads < 1:  # none, or one that the backend refuses
        threads = 1
    sizes = group_sizes(config, n_actions, len(seeds), threads)
    if not isinstance(envs, SeparateEnvs) or (len(sizes) == 1 and not config.looks_at):
        return Replicas(envs, config, n_actions, seeds, **options)
    shards = [slice(end - size, end) for size, end in zip(sizes, accumulate(sizes), strict=True)]
    own = [(SeparateEnvs(envs.envs[s]), config, n_actions, seeds[s]) for s in shards]
    if not config.looks_at:
        return ReplicaGroups([Replicas(*parts, **options) for parts in own])
    looking = [LookingReplicas(*parts, **options) for parts in own]
    return looking[0] if len(seeds) == 1 else LookingGroups(looking)


def make_local_group(plan: GroupPlan) -> AgentGroup:
    """Make agents that learn by a local rule."""
    n, config, n_actions = plan.environments, plan.config, plan.n_actions
    envs = plan.envs(n * len(plan.seeds))
    if n == 1:
        return side_by_side(envs, config, n_actions, plan.seeds, backend=plan.spec)
    joint = []
    for k, seed in enumerate(plan.seeds):
        own = SeparateEnvs(envs.envs[n * k : n * (k + 1)])
        seeds = seeds_of(seed, n)
        joint.append(JointReplicas(Replicas(own, config, n_actions, seeds, backend=plan.spec)))
    return joint[0] if len(joint) == 1 else GroupsInTurn(joint)


def group_sizes(config: AgentConfig, n_actions: int, n: int, threads: int = 1) -> list[int]:
    """Return how many of *n* agents go into each group: few groups, as even as possible.

    threads: how many share a group, each on a core with a cache of its own.
    """
    network = config.network(n_actions)
    neurons = sum(node.size for node in network.nodes)
    most = threads * max(1, CACHE_BYTES // ((_BYTES_PER_NEURON + config.window) * neurons))
    count = -(-n // most)
    return [n // count + (k < n % count) for k in range(count)]


def _shifted(callback: Callback | None, first: int) -> Callback | None:
    if callback is None:
        return None
    return lambda k, episode: callback(first + k, episode)
