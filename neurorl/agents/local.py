"""Train by a local rule: `SpikingActorCritic`, in one or several environments at once."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Never, Self, Unpack

import gymnasium as gym

from neurorl.agents.algorithms import LOCAL
from neurorl.agents.arguments import check_kind, check_names, check_options, one_of, own_env
from neurorl.agents.base import LearningAgent
from neurorl.agents.budget import Budget
from neurorl.agents.checkpoint import modules, played_on, read_saved
from neurorl.agents.episodes import (
    Episode,
    State,
    episode_columns,
    prefixed,
    rate_after,
    strip_prefix,
)
from neurorl.agents.group import MAX_ENVIRONMENTS, AgentGroup, Callback
from neurorl.agents.held import snapshots
from neurorl.agents.looking import LookingReplicas
from neurorl.agents.replicas import Replicas
from neurorl.backends.base import Backend
from neurorl.backends.simulator import Simulator
from neurorl.backends.spec import BackendSpec
from neurorl.errors import ArgumentError
from neurorl.learning.loops.base import Loop
from neurorl.learning.loops.choose import share
from neurorl.learning.memory import Memory
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.hints import refuse_words
from neurorl.models.agent.options import AgentOptions
from neurorl.models.defaults.presets import make_config
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.numerics.random import derive, read_seed
from neurorl.storage.plain import Named, check_count
from neurorl.tasks.actions import read_actions
from neurorl.tasks.groups import env_group
from neurorl.tasks.kinds import Environment, Maker, VectorEnvironment
from neurorl.tasks.specification import copy_env

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
        self._like(group, group.seeds[:1])
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
        while not self._is_done(0, budget):
            stepped = next(steps)
            self._count(callback)
            yield stepped
        if isinstance(steps, Generator):
            steps.close()

    def _count(self, callback: Callback | None) -> None:
        self._ended.sort(key=lambda ended: ended[0])
        while self._ended:
            self.episodes[0].append(self._numbered()[0])
            self._ended.pop(0)
            if callback is not None:
                callback(0, self.episodes[0][-1])

    def _numbered(self) -> list[Episode]:
        """Return the episodes that aren't counted yet as they will be."""
        first, taken = len(self.episodes[0]), self.env_steps(0)
        ended = (episode for _, episode in sorted(self._ended, key=lambda ended: ended[0]))
        return [replace(e, episode=n, env_steps=taken) for n, e in enumerate(ended, first)]

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
        played = [*self.episodes[0], *self._numbered()]  # in a callback, some aren't counted yet
        return {**shared, **prefixed(**every, episodes=episode_columns(played))}

    def is_masked(self, k: int) -> bool:
        return self._group.is_masked(0)

    def go_to(self, env: Environment) -> None:
        self._group.go_to(copy_env(env))

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


class SpikingActorCritic(LearningAgent):
    """Train an actor of spiking neurons by a local three-factor rule and a TD critic.

    env: a Gymnasium id, an environment, or a function or class that makes one; its actions may be
    Discrete, MultiDiscrete, MultiBinary or a Box (docs/actions.md). model: ``'lif'`` or ``'glm'``.
    backend: ``'reference'``, ``'native'``, ``'brian2:cython:loihi'``, ..., or a
    `neurorl.backends.spec.BackendSpec`; None is the quickest here (`neurorl.backends.lookup`),
    with the same bits: see ``backend_name``. arithmetic: ``'float'``, ``'loihi'`` or ``'xylo'``;
    None is the backend's own. seed: decides everything. config: replaces model and options.
    backend_options: of the backend's class. loop: ``'native'`` or ``'numpy'``, same bits; None
    takes the native one if there is a C++ compiler. noise: ``'exact'`` (the default), or in chip
    arithmetic one of Loihi's own, ``'chip'`` or ``'chip+coins'`` (`neurorl.arithmetic.chip_noise`).
    options: fields of `AgentConfig`, such as ``policy=Softmax(0.2)``, or ``learning=OnChip()`` for
    weights that learn on the (emulated) chip. environments: how many copies of *env* it learns from
    at once (`neurorl.agents.local.JointReplicas`); a vector environment is used as it is.

    The same seed gives the same episodes, bit for bit, independent of anything else.

    >>> from neurorl import SpikingActorCritic
    >>> agent = SpikingActorCritic("neurorl/GridWorld-v0", backend="reference", seed=1)
    >>> len(agent.learn(total_episodes=2))
    2
    """

    algorithm = LOCAL
    _replicas: Replicas | JointReplicas

    def __init__(
        self,
        env: str | Environment | Maker | VectorEnvironment,
        model: str = "lif",
        backend: str | type[Simulator] | BackendSpec | None = None,
        arithmetic: str | None = None,
        seed: int = 0,
        config: AgentConfig | None = None,
        backend_options: Named | None = None,
        loop: str | None = None,
        noise: str | None = None,
        environments: int = 1,
        **options: Unpack[AgentOptions],
    ) -> None:
        seed = read_seed(seed)
        check_kind("config", config, AgentConfig)
        check_options("backend_options", backend_options)
        check_names(arithmetic=arithmetic, noise=noise)
        n = check_count("environments", environments, most=MAX_ENVIRONMENTS)
        vector = env if isinstance(env, gym.vector.VectorEnv) else None
        if vector is not None and n > 1:
            check_size(vector, n)
        self.env, self.env_id = own_env(one_of(vector) if vector else env)
        self._backend_options = {**(backend_options or {}), **({"noise": noise} if noise else {})}
        config = config or make_config(self.env, model, options)
        where = f"environment {self.env_id}".rstrip()
        copies = [self.env] if n == 1 else [copy_env(self.env) for _ in range(n)]
        envs = env_group(vector or copies)
        is_alone = vector is None and n == 1
        kind: type[Replicas] = LookingReplicas if config.looks_at and is_alone else Replicas
        group = kind(
            envs,
            config,
            sum(modules(config, read_actions(self.env), where)),
            seeds_of(seed, envs.n),
            backend=backend,
            arithmetic=arithmetic,
            loop=loop,
            options=self._backend_options,
        )
        self._begin(group if is_alone else JointReplicas(group))

    @property
    def backend(self) -> Backend:
        """Return the backend in which it decides and learns."""
        return self._replicas.backend

    @property
    def memory(self) -> Memory:
        """Return its learned arrays and traces as views: writing to them changes the agent.

        Learning goes on from weights that a callback writes in the next step.
        """
        self._replicas.loop.settle()
        return self._replicas.loop.memory.of(0)

    @property
    def weights(self) -> dict[str, FloatArray]:
        """Return the present weights of every projection, unrounded, in the description's units."""
        return snapshots({**self.memory.in_force, **self.memory.weights})

    @classmethod
    def load(
        cls,
        path: str | Path,
        backend: str | None = None,
        arithmetic: str | None = None,
        env: str | Environment | Maker | VectorEnvironment | None = None,
        backend_options: Named | None = None,
        noise: str | None = None,
        learning: str | None = None,
        trust_env: bool = False,
        **others: Never,
    ) -> Self:
        """Return the agent of a file written by `save`, or of a run directory.

        backend, arithmetic, noise: None takes the training's; with another backend and no
        arithmetic named, that backend's own; in float arithmetic the noise ``'exact'``. On another
        backend, an unfinished episode begins again, and noise counts its steps from 0.
        env: None makes it as it was saved, with its arguments and wrappers; needed if that is
        impossible. An agent that learned from several goes on with copies, or with a vector of as
        many. trust_env: whether to import modules that the file names for the environment; if not,
        only registered or imported code is used. learning: None takes the configuration's; with
        ``'host'``, an agent that learned on the chip goes on anywhere. An agent trained by
        gradients begins with its weights and critic, without episodes (with shared hidden layers:
        with its last episode begun again), and learns by the rule.
        Raises RunError for a file that is missing, damaged or of another class, or whose
        environment can't be made.
        """
        refuse_words(cls.load, others)
        check_names(backend=backend, arithmetic=arithmetic, noise=noise, learning=learning)
        if isinstance(env, gym.vector.VectorEnv):
            described, arrays, one, env_id = read_saved(path, one_of(env), trust_env)
            one.close()
            check_size(env, environments_in(arrays))
            played: Environment | VectorEnvironment = env
            copies = 1
        else:
            described, arrays, played, env_id = read_saved(path, env, trust_env)
            copies = max(1, environments_in(arrays))
            arrays = alone(arrays) if copies == 1 else arrays
        chosen = played_on(described, backend, arithmetic, noise)
        config = described.config
        learner = config if learning is None else config.changed(learning=learning)
        agent = cls(
            played,
            **chosen,
            seed=described.seed,
            config=learner,
            backend_options=backend_options,
            environments=copies,
        )
        agent.env_id = env_id
        if described.algorithm is cls.algorithm:
            stays = backend is None or chosen["backend"] == described.backend
            trained = (described.arithmetic, config.learning)
            agent.restore(arrays, not stays or trained != (chosen["arithmetic"], learner.learning))
        elif config.trunk.is_shared:
            agent.restore(arrays, moved=True)
        else:
            agent.adopt(arrays)
        agent._learned_in = described.arithmetic
        return agent
