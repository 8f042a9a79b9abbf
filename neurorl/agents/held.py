"""Hold one agent of one environment: what it is made of and has learned, and where it plays."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from types import MappingProxyType
from typing import ClassVar, Self

from neurorl.agents.algorithms import Algorithm
from neurorl.agents.arguments import own_env
from neurorl.agents.episodes import Episode, State
from neurorl.agents.group import AgentGroup
from neurorl.agents.player import Player
from neurorl.diagnostics.monitor import Diagnostics
from neurorl.errors import ArgumentError, DivergenceError, RunError, UnsupportedError
from neurorl.models.agent.config import AgentConfig
from neurorl.models.defaults.looks import Look
from neurorl.network.description import Network
from neurorl.numerics.arrays import FloatArray
from neurorl.storage.plain import Named
from neurorl.tasks.actions import OneOf, read_actions
from neurorl.tasks.kinds import Environment, Maker
from neurorl.tasks.specification import copy_env
from neurorl.tasks.statistics import frozen


class HeldAgent(abc.ABC):
    """Hold one agent of one environment: a group of one.

    algorithm: how it learns. config, network, seed, backend_name, arithmetic, noise: its parts.
    actions: what the environment takes. first_action: the number of the first discrete action.
    """

    algorithm: ClassVar[Algorithm]
    env: Environment
    env_id: str
    _backend_options: Named = MappingProxyType({})
    _learned_in: str  # the arithmetic
    _predictors: dict[bool, Player]  # by whether they take the action with the most votes
    _is_training = False

    def _begin(self, group: AgentGroup) -> None:
        """Take the *group* of this agent alone, and set the attributes that follow from it."""
        self._replicas, self.seed, self._predictors = group, group.seeds[0], {}
        self.backend_name, self.noise = group.backend_name, group.noise
        self.arithmetic = self._learned_in = group.arithmetic_name
        self.actions = read_actions(self.env)
        self.first_action = self.actions.first if isinstance(self.actions, OneOf) else 0

    @classmethod
    def of_group(
        cls, group: AgentGroup, env: Environment, env_id: str, backend_options: Named
    ) -> Self:
        """Return the agent of a *group* of one, which learns in *env* or in copies of it."""
        agent = cls.__new__(cls)
        agent.env, agent.env_id, agent._backend_options = env, env_id, backend_options
        agent._begin(group)
        return agent

    @property
    def config(self) -> AgentConfig:
        """Return its configuration, which a look in training may change."""
        return self._replicas.config

    @property
    def network(self) -> Network:
        """Return the description of its network."""
        return self._replicas.network

    @property
    def looks(self) -> list[Look]:
        """Return when it looked again at what a first play chose, and what has changed."""
        return self._replicas.looks(0)

    @property
    def episodes(self) -> list[Episode]:
        """Return all episodes that it has played."""
        return self._replicas.episodes[0]

    @property
    def weights(self) -> dict[str, FloatArray]:
        """Return the learned weights by projection, unrounded, in the description's units."""
        return snapshots(self._replicas.weights(0))

    @property
    def is_masked(self) -> bool:
        """Return whether it obeys action masks, if its environment has any."""
        return self._replicas.is_masked(0)

    @property
    def env_steps(self) -> int:
        """Return how many environment steps were taken: `first_play_steps` and training."""
        return self.first_play_steps + self._replicas.env_steps(0)

    @property
    def first_play_steps(self) -> int:
        """Return how many random steps chose its fields before training; 0 for presets."""
        return self.config.first_play_steps

    @property
    def steps_taken(self) -> int:
        """Return how many environment steps it has trained for, as counted by ``total_steps``.

        Unfinished episodes, and all of its environments, are included.
        """
        return self._replicas.steps_taken(0)

    @property
    def diagnostics(self) -> Diagnostics:
        """Return its populations as plain data; see `neurorl.diagnostics.monitor.Monitor.table`."""
        return self._replicas.diagnostics(0)

    def lend_env(self) -> Environment:
        """Return the environment for other code to play in.

        An unfinished episode of training is played again up to the same step when training goes on.
        """
        self._replicas.leave(0)
        return self.env

    @contextmanager
    def env_to_play(self) -> Iterator[Environment]:
        """Yield an environment like its own, for other code to play in.

        In a callback it is a copy, as training goes on in its own; an environment that can't be
        made again is lent as by `lent`. Running statistics of wrappers are those of training.
        """
        try:
            other = copy_env(self.env, is_quiet=True) if self._is_training else None
        except Exception:  # a user's code may raise anything
            other = None
        if other is None:
            with self.lent(), frozen(self.env):
                yield self.env
            return
        with closing(other), frozen(other):
            yield other

    @contextmanager
    def lent(self) -> Iterator[None]:
        """Let other code play in its environment, also in a callback.

        The unfinished episode of training is played again afterwards, up to the same step. Raises
        RunError for an environment that doesn't repeat itself.
        """
        self._replicas.leave(0)
        yield
        if self._is_training:
            self._replicas.take_up(0)

    def get_env(self) -> Environment:
        """Return its environment; of several, one like each."""
        return self.env

    def set_env(self, env: str | Environment | Maker) -> None:
        """Go on in another environment of the same spaces, in copies of it if it had several.

        An unfinished episode is given up, and its steps don't count; the environment before isn't
        closed. Raises ArgumentError for other spaces.
        """
        self._refuse_in_training("set_env")
        made, name = own_env(env)
        for kind in ("observation_space", "action_space"):
            got, limit = getattr(made, kind), getattr(self.env, kind)
            if got != limit:
                raise ArgumentError("set_env", f"has another {kind}", got=got, limit=limit)
        self._replicas.go_to(made)
        self.env, self.env_id = made, name
        self._predictors.clear()

    def _refuse_in_training(self, method: str) -> None:
        """Raise UnsupportedError in a callback, where *method* would change training."""
        if self._is_training:
            what = "can't be called while it trains"
            remedy = "return False from the callback, and call it when learn has returned"
            raise UnsupportedError(f"agent.{method}", what, remedy=remedy)

    def state(self) -> State:
        """Return what it has learned and its place in an episode, or (by gradients) an update."""
        return self._replicas.state(0)

    def restore(self, state: State, moved: bool = False) -> None:
        """Go on from *state*; *moved*: whether it comes from another backend or arithmetic.

        Raises RunError if it doesn't fit; then nothing is changed.
        """
        self._refuse_in_training("restore")
        self._predictors.clear()
        before = None
        with suppress(DivergenceError):
            before = self.state()
        try:
            self._replicas.restore(0, state, moved)
        except RunError:
            if before is not None:
                self._replicas.restore(0, before)
            raise

    def adopt(self, state: State) -> None:
        """Take, before any learning, the weights and the critic of another agent's `state`.

        Raises RunError if the networks differ.
        """
        self._refuse_in_training("adopt")
        self._replicas.adopt(0, state)
        self._predictors.clear()


def snapshots(weights: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    """Return read-only copies of weights, since writing to copies would change nothing."""
    copies = {name: array.copy() for name, array in weights.items()}
    for copy in copies.values():
        copy.flags.writeable = False
    return copies
