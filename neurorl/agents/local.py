"""Train by a local rule: `SpikingActorCritic`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self, Unpack

import gymnasium as gym

from neurorl.agents.algorithms import LOCAL
from neurorl.agents.arguments import (
    check_count,
    check_kind,
    check_names,
    check_options,
    one_of,
    own_env,
)
from neurorl.agents.base import LearningAgent, snapshots
from neurorl.agents.episodes import Episode
from neurorl.agents.joint import (
    MAX_ENVIRONMENTS,
    JointReplicas,
    alone,
    check_size,
    environments_in,
    seeds_of,
)
from neurorl.agents.replicas import Replicas
from neurorl.agents.saved import modules, played_on, read_agent, read_saved
from neurorl.backends.simulator import Simulator
from neurorl.backends.spec import BackendSpec
from neurorl.learning.memory import Memory
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.options import AgentOptions
from neurorl.models.defaults.presets import make_config
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.random import read_seed
from neurorl.tasks.actions import read_actions
from neurorl.tasks.groups import env_group
from neurorl.tasks.kinds import Environment, VectorEnvironment
from neurorl.tasks.specification import copy_env

__all__ = ["Episode", "SpikingActorCritic", "played_on", "read_agent"]


class SpikingActorCritic(LearningAgent):
    """Train an actor of spiking neurons by a local three-factor rule and a TD critic.

    env: a Gymnasium id, or an environment; its actions may be Discrete, MultiDiscrete,
    MultiBinary or a Box (docs/actions.md). model: ``'lif'`` or ``'glm'``.
    backend: ``'reference'``, ``'native'``, ``'brian2:cython:loihi'``, ..., or a
    `neurorl.backends.spec.BackendSpec`; None is the quickest here (`neurorl.backends.lookup`),
    with the same bits: see ``backend_name``. arithmetic: ``'float'``, ``'loihi'`` or ``'xylo'``;
    None is the backend's own. seed: decides everything. config: replaces model and options.
    backend_options: of the backend's class. loop: ``'native'`` or ``'numpy'``, same bits; None
    takes the native one if there is a C++ compiler. noise: ``'exact'`` (the default), or in chip
    arithmetic one of Loihi's own, ``'chip'`` or ``'chip+coins'`` (`neurorl.arithmetic.chip_noise`).
    options: fields of `AgentConfig`, such as ``policy=Softmax(0.2)``, or ``learning=OnChip()`` for
    weights that learn on the (emulated) chip. environments: how many copies of *env* it learns from
    at once (`neurorl.agents.joint.JointReplicas`); a vector environment is used as it is.

    The same seed gives the same episodes, bit for bit, independent of anything else.

    >>> from neurorl import SpikingActorCritic
    >>> agent = SpikingActorCritic("neurorl/GridWorld-v0", backend="reference", seed=1)
    >>> len(agent.learn(2))
    2
    """

    algorithm = LOCAL
    _replicas: Replicas | JointReplicas

    def __init__(
        self,
        env: str | Environment | VectorEnvironment,
        model: str = "lif",
        backend: str | type[Simulator] | BackendSpec | None = None,
        arithmetic: str | None = None,
        seed: int = 0,
        config: AgentConfig | None = None,
        backend_options: Mapping[str, Any] | None = None,
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
        group = Replicas(
            envs,
            config,
            sum(modules(config, read_actions(self.env), where)),
            seeds_of(seed, envs.n),
            backend=backend,
            arithmetic=arithmetic,
            loop=loop,
            options=self._backend_options,
        )
        self._begin(group if vector is None and n == 1 else JointReplicas(group))
        self.backend = group.backend

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
        env: str | Environment | VectorEnvironment | None = None,
        backend_options: Mapping[str, Any] | None = None,
        noise: str | None = None,
        learning: str | None = None,
        trust_env: bool = False,
    ) -> Self:
        """Return the agent of a file written by `save`, or of a run directory.

        backend, arithmetic, noise: None takes the training's; with another backend and no
        arithmetic named, that backend's own; in float arithmetic the noise ``'exact'``.
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
            stays = backend in (None, described.backend)
            trained = (described.arithmetic, config.learning)
            agent.restore(arrays, not stays or trained != (chosen["arithmetic"], learner.learning))
        elif config.trunk.is_shared:
            agent.restore(arrays, moved=True)
        else:
            agent.adopt(arrays)
        agent._learned_in = described.arithmetic
        return agent
