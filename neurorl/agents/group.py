"""Define what agents that learn side by side have in common, for all algorithms."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from neurorl.agents.algorithms import Algorithm
from neurorl.agents.budget import Budget, held_interrupts
from neurorl.agents.checkpoint import AgentDescription, modules
from neurorl.agents.episodes import Episode, State, episodes_from, strip_prefix
from neurorl.agents.recorder import Recorder
from neurorl.agents.verdict import Players, verdict_of
from neurorl.backends.spec import BackendSpec
from neurorl.diagnostics.monitor import Diagnostics, Finding, Monitor
from neurorl.diagnostics.outcome import RunVerdict
from neurorl.errors import ArgumentError, RunError, UnsupportedError
from neurorl.models.agent.config import AgentConfig
from neurorl.models.defaults.looks import Look
from neurorl.network.description import Network
from neurorl.network.serialization import Described
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.storage.plain import Named
from neurorl.tasks.actions import read_actions
from neurorl.tasks.groups import SeparateEnvs
from neurorl.tasks.kinds import Environment
from neurorl.tasks.specification import copy_env

Callback = Callable[[int, Episode], None]
"""Report an episode that has ended, with the index of its replica."""

MAX_ENVIRONMENTS = 4096
"""Limit the environments that one agent makes, before memory is taken for them."""


class AgentGroup(abc.ABC):
    """Hold agents of one configuration that learn side by side, each with its own seed.

    They are independent: agent k plays the same episodes, bit for bit, as one alone with its seed.

    algorithm: how they learn. gradient: the algorithm's own options, None if it has none.
    episodes: finished episodes by agent.
    recorder: records decisions of the first agent, if *is_recordable*.
    """

    algorithm: Algorithm
    gradient: Described | None = None
    is_recordable: ClassVar[bool] = False
    recorder: Recorder | None = None
    _monitors: list[Monitor]

    def __init__(
        self,
        config: AgentConfig,
        network: Network,
        seeds: tuple[int, ...],
        n_actions: int,
        backend_name: str,
        arithmetic_name: str,
        noise: str,
    ) -> None:
        self.config, self.network, self.seeds, self.n_actions = config, network, seeds, n_actions
        self.backend_name, self.arithmetic_name, self.noise = backend_name, arithmetic_name, noise
        self.episodes: list[list[Episode]] = [[] for _ in seeds]

    def _like(self, other: AgentGroup, seeds: tuple[int, ...]) -> None:
        """Begin as a group of agents of these *seeds*, of the kind of another's."""
        same = other.n_actions, other.backend_name, other.arithmetic_name, other.noise
        AgentGroup.__init__(self, other.config, other.network, seeds, *same)

    def env_steps(self, k: int) -> int:
        """Return how many environment steps agent k has taken until its last episode ended."""
        return self.episodes[k][-1].env_steps if self.episodes[k] else 0

    def steps_taken(self, k: int) -> int:
        """Return how many steps it has learned from, in finished and unfinished episodes."""
        return self.env_steps(k)

    def learn(
        self,
        total_episodes: int | None = None,
        callback: Callback | None = None,
        total_steps: int | None = None,
    ) -> None:
        """Train until each agent has played *total_episodes*, or taken *total_steps*, in total.

        callback: called with the agent's number after each of its episodes. Warns, stops (between
        two values that `play` yields), goes on and raises as `LearningAgent.learn`; RunError if an
        episode must be played again but the environment doesn't repeat itself.
        """
        with held_interrupts() as interrupt:
            for _ in self.play(Budget(total_episodes, total_steps), callback):
                if interrupt.requested:
                    return

    @abc.abstractmethod
    def play(self, budget: Budget, callback: Callback | None = None) -> Iterator[int]:
        """Do as `learn`, and yield how many agents play at each moment when it can stop."""

    def learned_beside(self, k: int) -> dict[str, Array]:
        """Return what agent k has learned beside its weights, by name."""
        return {}

    @abc.abstractmethod
    def state(self, k: int) -> State:
        """Return what agent k has learned and its place in an episode, as arrays.

        Raises DivergenceError if learned values aren't finite.
        """

    def restore(self, k: int, state: State, moved: bool = False) -> None:
        """Let agent k go on from *state*; *moved*: whether backend or arithmetic have changed.

        An unfinished episode goes on as well, or is begun again if *moved*.
        Raises RunError if it doesn't fit.
        """
        try:
            episodes = episodes_from(strip_prefix(state, "episodes."))
            self._restore(k, state, moved, len(episodes))
            self.episodes[k][:] = episodes
            self._monitors[k].restore(strip_prefix(state, "diagnostics."), self.n_actions)
        except (KeyError, ValueError) as exc:
            raise RunError("checkpoint", "doesn't fit this agent", got=exc) from exc

    def adopt(self, k: int, state: State, of: str = "checkpoint") -> None:
        """Let agent k, still untrained, start with another agent's weights and critic.

        state: state of an agent with this network, of any algorithm. of: what an error calls it.
        Raises RunError.
        """
        try:
            self._adopt(k, state)
        except (KeyError, ValueError) as exc:
            raise RunError(of, "is of another network", got=exc) from exc
        self._monitors[k].begin()

    def go_to(self, env: Environment) -> None:
        """Go on in *env*, and in copies of it, from the next episodes on."""
        raise UnsupportedError("agents side by side", "stay in their environments")

    def leave(self, k: int) -> None:  # noqa: B027  (some learn in copies of it)
        """Let other code use agent k's environment; it returns to its episode afterwards."""

    def take_up(self, k: int) -> None:  # noqa: B027
        """Bring agent k's environment back to its episode at once, if `leave` was called."""

    def heed(self) -> None:  # noqa: B027
        """Take over weights that a callback has changed in an agent's memory, if any."""

    def is_masked(self, k: int) -> bool:
        """Return whether agent k obeys action masks, if its environment has any."""
        return False

    @abc.abstractmethod
    def weights(self, k: int) -> dict[str, FloatArray]:
        """Return agent k's float weights by projection."""

    @abc.abstractmethod
    def close(self) -> None:
        """Free the backend and the environments."""

    def diagnostics(self, k: int) -> Diagnostics:
        """Return agent k's populations, see `neurorl.diagnostics.monitor.Monitor.table`."""
        return self._monitors[k].table(self.episodes[k])

    def warnings(self, k: int) -> list[Finding]:
        """Return the findings about agent k's populations, in order."""
        return self._monitors[k].warnings()

    def config_of(self, k: int) -> AgentConfig:
        """Return agent k's configuration, which a look in training may have changed."""
        return self.config

    def looks(self, k: int) -> list[Look]:
        """Return what agent k's looks in training came to; empty if it doesn't look."""
        return []

    def suit(self, k: int, config: AgentConfig) -> None:  # noqa: B027  (most have one for all)
        """Take, before any learning, the configuration of agent k's checkpoint."""

    def verdict(self, k: int, env: Environment, player: Players) -> RunVerdict:
        """Return the verdict on agent k's training, see `neurorl.agents.verdict.verdict_of`."""
        seed, played, monitor = self.seeds[k], self.episodes[k], self._monitors[k]
        return verdict_of(self.config_of(k), seed, played, env, player, monitor)

    def describe(self, k: int, env_id: str, env_spec: Named | None) -> AgentDescription:
        """Describe agent k for its checkpoints.

        env_spec: result of `neurorl.tasks.specification.describe_env`.
        """
        learned = self.algorithm.name, self.backend_name, self.arithmetic_name, self.noise
        agent = self.seeds[k], self.config_of(k), self.gradient
        return AgentDescription(env_id, env_spec, *learned, *agent)

    def _is_done(self, k: int, budget: Budget) -> bool:
        """Return whether agent k has played enough."""
        return budget.is_spent(len(self.episodes[k]), self.steps_taken(k))

    def _active(self, budget: Budget) -> list[int]:
        """Return which agents play on."""
        return [k for k in range(len(self.seeds)) if not self._is_done(k, budget)]

    @abc.abstractmethod
    def _restore(self, k: int, state: State, moved: bool, episodes: int) -> None:
        """Restore all but episodes and diagnostics; *episodes*: how many have ended."""

    @abc.abstractmethod
    def _adopt(self, k: int, state: State) -> None:
        """Take weights and critic. Raises KeyError or ValueError."""


@dataclass(frozen=True)
class GroupPlan:
    """Describe agents to make, one for each of *seeds*, in *env* and copies of it.

    spec: backend they learn on. gradient: the algorithm's own options: changes of the preset's, or
    all as plain data. environments: how many each agent learns from, if the algorithm is *joint*.
    """

    env: Environment
    env_id: str
    config: AgentConfig
    seeds: Sequence[int]
    spec: BackendSpec
    gradient: Named = field(default_factory=dict)
    environments: int = 1

    @property
    def n_actions(self) -> int:
        """Return the number of modules of an actor for the environment's actions."""
        actions = read_actions(self.env, self.env_id)
        return sum(modules(self.config, actions, f"environment {self.env_id}"))

    def envs(self, n: int) -> SeparateEnvs:
        """Return *n* environments."""
        return SeparateEnvs([self.env, *(copy_env(self.env) for _ in range(n - 1))])

    def make(self, algorithm: Algorithm) -> AgentGroup:
        """Make agents that learn by *algorithm*, and import its code.

        Raises BackendUnavailableError, with the remedy, if a distribution it needs doesn't import,
        and ArgumentError if its agents don't learn from several environments.
        """
        if self.environments > 1 and not algorithm.is_joint:
            what, got = "doesn't feed an agent from several environments", self.environments
            remedy = f"leave environments out, or by gradients --set gradient.environments={got}"
            raise ArgumentError(f"approach {algorithm.name!r}", what, got=got, remedy=remedy)
        maker: Callable[[GroupPlan], AgentGroup] = algorithm.load(algorithm.maker)
        return maker(self)
