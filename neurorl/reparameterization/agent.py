"""`ReparameterizedActorCritic`: the same verbs, learning by gradients."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import gymnasium as gym
import numpy.typing as npt

from neurorl.agents.arguments import check_kind, check_names, check_options, own_env, path_of
from neurorl.agents.base import LearningAgent
from neurorl.agents.fits import check_fits
from neurorl.agents.local import read_agent
from neurorl.agents.player import Player
from neurorl.arithmetic.fitting import fitted
from neurorl.backends.registry import backend_class
from neurorl.backends.registry import load as load_backend
from neurorl.errors import RunError, check_name, say
from neurorl.models.config import AgentConfig
from neurorl.models.presets import make_config
from neurorl.network.serialization import FloatArray
from neurorl.numerics.random import read_seed
from neurorl.reparameterization.config import GradientConfig
from neurorl.reparameterization.group import gradient_replicas
from neurorl.tasks.environments import discrete_actions
from neurorl.tasks.loading import saved_env
from neurorl.tasks.specification import copy_env

if TYPE_CHECKING:
    from neurorl.reparameterization.replicas import GradientReplicas

__all__ = ["ReparameterizedActorCritic"]


class ReparameterizedActorCritic(LearningAgent):
    """An actor of spiking neurons that learns by gradients through its stochastic spikes.

    env: a Gymnasium id, or an environment that `gymnasium.make` made; agents learn in several
    copies of it. model, seed, config, overrides: as in
    `neurorl.SpikingActorCritic`, whose networks, cells and critics these are. arithmetic: in which
    the weights act while they learn: ``'float'``, or ``'loihi'`` for an agent that is to run on
    the chip. gradient: fields of `GradientConfig` that aren't the preset's, or a whole one.

    Needs PyTorch to learn; ``SpikingActorCritic.load`` takes a saved one without it, to play it on
    any backend or to go on learning by its local rule.

    >>> from neurorl import ReparameterizedActorCritic
    >>> agent = ReparameterizedActorCritic("CartPole-v1", seed=1)  # doctest: +SKIP
    >>> len(agent.learn(2))  # doctest: +SKIP
    2
    """

    _replicas: GradientReplicas

    def __init__(
        self,
        env: str | gym.Env[Any, Any],
        model: str = "lif",
        arithmetic: str = "float",
        seed: int = 0,
        config: AgentConfig | None = None,
        gradient: GradientConfig | dict[str, Any] | None = None,
        **overrides: Any,
    ) -> None:
        seed = read_seed(seed)
        check_kind("config", config, AgentConfig)
        check_name("arithmetic", arithmetic, ("float", "loihi"))
        if not isinstance(gradient, GradientConfig):
            check_options("gradient", gradient)
        self.env, self.env_id = own_env(env)
        self.seed, self.arithmetic = seed, arithmetic
        space = discrete_actions(self.env)
        self.first_action, self._n_actions = int(space.start), int(space.n)
        self.config = config or make_config(self.env, model, overrides)
        chosen = gradient.to_dict() if isinstance(gradient, GradientConfig) else gradient or {}
        own = copy_env(self.env)
        self._replicas = gradient_replicas(
            own, self.env_id, self.config, (seed,), chosen, arithmetic
        )
        self.network, self.gradient = self._replicas.network, self._replicas.gradient
        self.episodes = self._replicas.episodes[0]
        self._learned_in = arithmetic

    @property
    def weights(self) -> dict[str, FloatArray]:
        """What it has learned, by projection."""
        return self._replicas.weights(0)

    def player(
        self,
        seed: int,
        backend: str | None = None,
        arithmetic: str | None = None,
        explore: bool = False,
        noise: str | None = None,
        fit: bool | None = None,
        backend_options: dict[str, Any] | None = None,
    ) -> Player:
        """The network as it is now, to be played without learning, on the reference if not named.

        arithmetic: None takes that in which it learns, on another backend that backend's own.
        Others are as in `neurorl.SpikingActorCritic.player`.
        """
        seed = read_seed(seed)
        check_options("backend_options", backend_options)
        check_names(backend=backend, arithmetic=arithmetic, noise=noise)
        check_kind("explore", explore, bool, optional=False)
        check_kind("fit", fit, bool)
        name = backend or "reference"
        if backend is None:
            arithmetic = arithmetic or self.arithmetic
        arithmetic = arithmetic or backend_class(name).capabilities.arithmetics[0]
        network, weights = self.network, self.weights
        if arithmetic == "loihi" and (self._learned_in == "float" if fit is None else fit):
            network = fitted(network, weights)
        compiled = load_backend(
            name,
            network,
            seed=seed,
            arithmetic=arithmetic,
            weights=weights,
            **{**(backend_options or {}), "noise": noise or "exact"},
        )
        try:
            return Player(
                self.config, compiled, self._n_actions, explore, self.env.observation_space
            )
        except BaseException:
            compiled.close()
            raise

    @classmethod
    def load(
        cls,
        path: str | Path,
        env: str | gym.Env[Any, Any] | None = None,
        trust_env: bool = False,
    ) -> Self:
        """The agent of a file written by `save`, or of a run directory.

        env, trust_env: as in `neurorl.SpikingActorCritic.load`.
        Raises RunError for a file that is missing, damaged or of something else, or whose
        environment can't be made.
        """
        check_kind("trust_env", trust_env, bool, optional=False)
        described, arrays = read_agent(path_of(path))
        if described["approach"] != "reparameterization":
            remedy = "SpikingActorCritic.load"
            raise RunError(say(f"agent {path}", "learned by a local rule", remedy=remedy))
        where, config = f"agent {path}", AgentConfig.from_dict(described["config"])
        if env is None:
            made, env_id = saved_env(described, where, trust_env), described["env"]
        else:
            made, env_id = own_env(env)
        n_actions = int(discrete_actions(made, where).n)
        check_fits(config, n_actions, arrays, where)
        agent = cls(
            made,
            arithmetic=described["arithmetic"],
            seed=described["seed"],
            config=config,
            gradient=GradientConfig.from_dict(described["gradient"]),
        )
        agent.env_id = env_id
        agent.restore(arrays)
        return agent

    def restore(self, state: dict[str, npt.NDArray[Any]]) -> None:
        """Go on from `state`."""
        self._replicas.restore(0, state)
        self.episodes = self._replicas.episodes[0]
        self._predictor = None

    def close(self) -> None:
        super().close()
        self.env.close()
