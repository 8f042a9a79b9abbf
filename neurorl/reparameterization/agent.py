"""Train by gradients: `ReparameterizedActorCritic`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Never, Self, Unpack

from neurorl.agents.algorithms import REPARAMETERIZATION
from neurorl.agents.arguments import check_kind, check_options, own_env
from neurorl.agents.base import LearningAgent
from neurorl.agents.checkpoint import read_saved
from neurorl.agents.group import GroupPlan
from neurorl.backends.spec import BackendSpec
from neurorl.errors import RunError, check_name
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.hints import refuse_words
from neurorl.models.agent.options import AgentOptions
from neurorl.models.defaults.presets import make_config
from neurorl.numerics.random import read_seed
from neurorl.reparameterization.config import GradientConfig
from neurorl.storage.plain import Named
from neurorl.tasks.kinds import Environment, Maker
from neurorl.tasks.specification import copy_env

if TYPE_CHECKING:
    from neurorl.reparameterization.replicas import GradientReplicas


class ReparameterizedActorCritic(LearningAgent):
    """Train an actor of spiking neurons by gradients through its stochastic spikes.

    env: a Gymnasium id, an environment that `gymnasium.make` made, or a function or class that
    makes one; agents learn in several copies of it, agents with the trunk ``'shared'`` in itself.
    model, seed, config, options: as in
    `neurorl.SpikingActorCritic`, whose networks, cells and critics these are. arithmetic: in which
    the weights act while they learn: ``'float'``, or ``'loihi'`` for an agent that is to run on
    the chip. gradient: fields of `GradientConfig` that aren't the preset's, or a whole one.
    device: ``'cpu'``, or ``'cuda'``, ``'cuda:0'``, ... for a GPU, on which sums and functions round
    otherwise: what is learned then agrees in its statistics, not in every bit, and a file doesn't
    say where it was learned.

    Needs PyTorch to learn; ``SpikingActorCritic.load`` takes a saved one without it, to play it on
    any backend or to go on learning by its local rule.

    >>> from neurorl import ReparameterizedActorCritic
    >>> agent = ReparameterizedActorCritic("CartPole-v1", seed=1)  # doctest: +SKIP
    >>> len(agent.learn(total_episodes=2))  # doctest: +SKIP
    2
    """

    algorithm = REPARAMETERIZATION
    _replicas: GradientReplicas

    def __init__(
        self,
        env: str | Environment | Maker,
        model: str = "lif",
        arithmetic: str = "float",
        seed: int = 0,
        config: AgentConfig | None = None,
        gradient: GradientConfig | Named | None = None,
        device: str = "cpu",
        **options: Unpack[AgentOptions],
    ) -> None:
        seed = read_seed(seed)
        check_kind("config", config, AgentConfig)
        check_name("arithmetic", arithmetic, ("float", "loihi"))
        if not isinstance(gradient, GradientConfig):
            check_options("gradient", gradient)
        self.env, self.env_id = own_env(env)
        config = config or make_config(self.env, model, options, can_share=False)
        self.algorithm.check_read(options, config)
        own = gradient.to_dict() if isinstance(gradient, GradientConfig) else gradient or {}
        spec = BackendSpec("torch", arithmetic, options={"device": device})
        played = self.env if config.trunk.is_shared else copy_env(self.env)
        self._begin(GroupPlan(played, self.env_id, config, (seed,), spec, own).make(self.algorithm))

    @property
    def gradient(self) -> GradientConfig:
        """Return how it learns, beside its configuration."""
        return self._replicas.gradient

    @classmethod
    def load(
        cls,
        path: str | Path,
        env: str | Environment | Maker | None = None,
        trust_env: bool = False,
        device: str = "cpu",
        **others: Never,
    ) -> Self:
        """Return the agent of a file written by `save`, or of a run directory.

        env, trust_env: as in `neurorl.SpikingActorCritic.load`. device: on which it goes on.
        Raises RunError for a file that is missing, damaged or of something else, or whose
        environment can't be made.
        """
        refuse_words(cls.load, others)
        described, arrays, made, env_id = read_saved(path, env, trust_env)
        if not isinstance(described.gradient, GradientConfig):
            remedy = "SpikingActorCritic.load"
            raise RunError(f"agent {path}", "learned by a local rule", remedy=remedy)
        same = {x: getattr(described, x) for x in ("arithmetic", "seed", "config", "gradient")}
        agent = cls(made, device=device, **same)
        agent.env_id = env_id
        agent.restore(arrays)
        return agent

    def close(self) -> None:
        super().close()
        self.env.close()
