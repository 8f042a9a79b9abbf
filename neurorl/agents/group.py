"""Define what agents that learn side by side have in common, whatever their algorithm."""

from __future__ import annotations

import abc
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from neurorl.agents.algorithms import Algorithm
from neurorl.agents.budget import Budget
from neurorl.agents.episodes import Episode, State, episodes_from, strip_prefix
from neurorl.agents.fits import modules
from neurorl.agents.interrupts import held_interrupts
from neurorl.agents.recorder import Recorder
from neurorl.agents.saved import AgentDescription
from neurorl.backends.spec import BackendSpec
from neurorl.diagnostics.monitor import Diagnostics, Finding, Monitor
from neurorl.errors import RunError
from neurorl.models.agent.config import AgentConfig
from neurorl.network.description import Network
from neurorl.network.serialization import Described
from neurorl.numerics.arrays import FloatArray
from neurorl.tasks.actions import read_actions
from neurorl.tasks.groups import SeparateEnvs
from neurorl.tasks.kinds import Environment
from neurorl.tasks.specification import copy_env

__all__ = ["AgentGroup", "Callback", "GroupPlan"]

Callback = Callable[[int, Episode], None]
"""Report an episode that has ended, with the index of its replica."""


class AgentGroup(abc.ABC):
    """Hold agents of one configuration that learn side by side, each with its own seed.

    They never hear of each other: agent k plays the same episodes, bit for bit, as one alone with
    its seed.

    algorithm: how they learn. gradient: the algorithm's own options, None if it has none.
    episodes: those that have ended, by agent.
    recorder: records the decisions of the first agent now, if *is_recordable*.
    """

    algorithm: ClassVar[Algorithm]
    gradient: Described | None = None
    is_recordable: ClassVar[bool] = False
    recorder: Recorder | None = None
    _monitors: list[Monitor]

    def __init__(
        self,
        config: AgentConfig,
        network: Network,
        seeds: tuple[int, ...],
        *,
        n_actions: int,
        backend_name: str,
        arithmetic_name: str,
        noise: str,
    ) -> None:
        self.config, self.network, self.seeds, self.n_actions = config, network, seeds, n_actions
        self.backend_name, self.arithmetic_name, self.noise = backend_name, arithmetic_name, noise
        self.episodes: list[list[Episode]] = [[] for _ in seeds]

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
        """Train until each agent has played *total_episodes*, or taken *total_steps*, in all.

        callback: called with the agent's number after each of its episodes. Warns with
        `PopulationWarning` of what `neurorl.diagnostics.monitor` finds, and with
        `EnvironmentWarning` of an episode that doesn't end.

        Where it stops within episodes, after so many steps or by Ctrl-C, which it heeds between two
        of what `play` yields, the next call goes on as if nothing had been; also after a callback
        that raises. Raises EnvError for a reward or an observation that isn't finite, before
        anything is learned from it, and DivergenceError when what is learned isn't; RunError for an
        environment that doesn't repeat itself, where an episode must be played again up to where it
        was.
        """
        with held_interrupts() as interrupt:
            for _ in self.play(Budget(total_episodes, total_steps), callback):
                if interrupt.requested:
                    return

    @abc.abstractmethod
    def play(self, budget: Budget, callback: Callback | None = None) -> Iterator[int]:
        """Do as `learn`, from one moment when it can stop to the next; yield how many play."""

    @abc.abstractmethod
    def state(self, k: int) -> State:
        """Return what agent k has learned and where it is, as arrays.

        Raises DivergenceError if what it has learned isn't finite.
        """

    def restore(self, k: int, state: State, moved: bool = False) -> None:
        """Let agent k go on from `state`; *moved* if that is of another backend or arithmetic.

        An episode that wasn't over goes on as well; of one that has moved, it is begun again.
        Raises RunError if it doesn't fit.
        """
        try:
            episodes = episodes_from(strip_prefix(state, "episodes."))
            self._restore(k, state, moved, len(episodes))
            self.episodes[k][:] = episodes
            self._monitors[k].restore(strip_prefix(state, "diagnostics."), self.n_actions)
        except (KeyError, ValueError) as exc:
            raise RunError("checkpoint", "doesn't fit this agent", got=exc) from exc

    def adopt(self, k: int, state: State) -> None:
        """Let agent k, which has learned nothing yet, start with another's weights and critic.

        state: of any agent with this network, by whatever algorithm it learned. Raises RunError.
        """
        try:
            self._adopt(k, state)
        except (KeyError, ValueError) as exc:
            raise RunError("checkpoint", "is of another network", got=exc) from exc
        self._monitors[k].begin()

    @abc.abstractmethod
    def leave(self, k: int) -> None:
        """Let somebody else use agent k's environment; it goes back to its episode afterwards."""

    def take_up(self, k: int) -> None:  # noqa: B027  (most have environments of their own)
        """Bring agent k's environment back to its episode at once, should it have been left."""

    def heed(self) -> None:  # noqa: B027
        """Learn on from the weights that a callback has changed in an agent's memory, if any."""

    def is_masked(self, k: int) -> bool:
        """Return whether agent k heeds masks of actions, should its environment have some."""
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
        """Return what was found wrong with agent k's populations, in order."""
        return self._monitors[k].warnings()

    def describe(self, k: int, env_id: str, env_spec: Mapping[str, Any] | None) -> AgentDescription:
        """Say what agent k is, for its checkpoints.

        env_spec: as `neurorl.tasks.specification.describe_env` gives it.
        """
        return AgentDescription(
            env_id,
            env_spec,
            self.algorithm.name,
            self.backend_name,
            self.arithmetic_name,
            self.noise,
            self.seeds[k],
            self.config,
            self.gradient,
        )

    @abc.abstractmethod
    def _restore(self, k: int, state: State, moved: bool, episodes: int) -> None:
        """Take all but episodes and diagnostics; *episodes*: how many have ended."""

    @abc.abstractmethod
    def _adopt(self, k: int, state: State) -> None:
        """Take weights and critic. Raises KeyError or ValueError."""


@dataclass(frozen=True)
class GroupPlan:
    """Say what agents are to be made: as many as *seeds*, in copies of *env*, itself the first.

    spec: where they learn. gradient: the algorithm's own options, those that aren't the preset's or
    all of them as plain data.
    """

    env: Environment
    env_id: str
    config: AgentConfig
    seeds: Sequence[int]
    spec: BackendSpec
    gradient: Mapping[str, Any] = field(default_factory=dict)

    @property
    def n_actions(self) -> int:
        """Return how many modules an actor has for the environment's actions."""
        actions = read_actions(self.env, self.env_id)
        return sum(modules(self.config, actions, f"environment {self.env_id}"))

    def envs(self, n: int) -> SeparateEnvs:
        """Return *n* environments."""
        return SeparateEnvs([self.env, *(copy_env(self.env) for _ in range(n - 1))])

    def make(self, algorithm: Algorithm) -> AgentGroup:
        """Make agents that learn by *algorithm*, whose code is imported only now.

        Raises BackendUnavailableError, with the remedy, if what it needs doesn't import.
        """
        maker: Callable[[GroupPlan], AgentGroup] = algorithm.load(algorithm.maker)
        return maker(self)
