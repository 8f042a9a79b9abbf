"""`SpikingActorCritic`: describe, learn, predict, save, load."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import gymnasium as gym
import numpy.typing as npt

from neurorl.agents.arguments import check_kind, check_names, check_options, own_env, path_of
from neurorl.agents.base import LearningAgent
from neurorl.agents.checkpoint import read_checkpoint
from neurorl.agents.fits import check_fits
from neurorl.agents.player import Player
from neurorl.agents.replicas import Episode, Replicas
from neurorl.arithmetic.fitting import fitted
from neurorl.backends.registry import backend_class
from neurorl.backends.registry import load as load_backend
from neurorl.errors import RunError, say
from neurorl.learning.memory import Memory
from neurorl.models.config import AgentConfig
from neurorl.models.presets import make_config
from neurorl.network.serialization import FloatArray
from neurorl.numerics.random import read_seed
from neurorl.tasks.environments import discrete_actions
from neurorl.tasks.groups import env_group
from neurorl.tasks.loading import saved_env

__all__ = ["Episode", "SpikingActorCritic", "played_on", "read_agent"]


class SpikingActorCritic(LearningAgent):
    """An actor of spiking neurons that learns by a local three-factor rule and a TD critic.

    env: a Gymnasium id, or an environment with discrete actions. model: ``'lif'`` or ``'glm'``.
    backend: ``'reference'``, ``'brian2'`` or ``'loihi'``. arithmetic: ``'float'`` or ``'loihi'``;
    None is the backend's own. seed: decides everything. config: replaces model and overrides.
    backend_options: go to the backend's class. loop: ``'native'`` or ``'numpy'``, the same bits;
    None takes the native one where a C++ compiler is found. noise: ``'exact'`` (the default), or in
    chip arithmetic one of Loihi's own, ``'chip'`` or ``'chip+coins'``
    (`neurorl.arithmetic.chip_noise`). overrides: fields of `AgentConfig`, as ``learning='pes'``,
    with which weights learn on the (emulated) chip.

    The same seed gives the same episodes, bit for bit, whatever else was done in between.

    >>> from neurorl import SpikingActorCritic
    >>> agent = SpikingActorCritic("neurorl/GridWorld-v0", backend="reference", seed=1)
    >>> len(agent.learn(2))
    2
    """

    _replicas: Replicas

    def __init__(
        self,
        env: str | gym.Env[Any, Any],
        model: str = "lif",
        backend: str = "reference",
        arithmetic: str | None = None,
        seed: int = 0,
        config: AgentConfig | None = None,
        backend_options: dict[str, Any] | None = None,
        loop: str | None = None,
        noise: str | None = None,
        **overrides: Any,
    ) -> None:
        seed = read_seed(seed)
        check_kind("config", config, AgentConfig)
        check_options("backend_options", backend_options)
        check_names(arithmetic=arithmetic, noise=noise)
        self.env, self.env_id = own_env(env)
        space = discrete_actions(self.env)
        self.config = config or make_config(self.env, model, overrides)
        self.seed = seed
        self.backend_name = backend
        self._backend_options = {**(backend_options or {}), **({"noise": noise} if noise else {})}
        self.first_action = int(space.start)
        self._n_actions = int(space.n)
        self._replicas = Replicas(
            env_group(self.env),
            self.config,
            self._n_actions,
            (seed,),
            backend=backend,
            arithmetic=arithmetic,
            loop=loop,
            options=self._backend_options,
        )
        self.network = self._replicas.network
        self.backend = self._replicas.backend
        self.arithmetic = self.backend.arithmetic_name
        self.noise = self.backend.noise
        self._learned_in = self.arithmetic
        self.episodes = self._replicas.episodes[0]

    @property
    def memory(self) -> Memory:
        """What it has learned and remembers, as views: writing there changes the agent."""
        self._replicas.loop.settle()
        return self._replicas.loop.memory.of(0)

    @property
    def weights(self) -> dict[str, FloatArray]:
        """Of every projection, in the description's units, before any rounding of a shadow."""
        return {**self.memory.in_force, **self.memory.weights}

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
        """The network as it is now, to be played without learning; on another backend if asked.

        explore: actions are drawn by the policy; else they have the most votes. noise: None takes
        that of training, or in float arithmetic ``'exact'``. fit: in chip arithmetic, integers are
        chosen for the weights as they are (`neurorl.arithmetic.fitting`) instead of for all that
        learning may make of them; None does so for weights that were learned in float arithmetic,
        and keeps to those that were learned with otherwise. backend_options: of the backend's
        class, as its engine or target; those of training where it plays on that backend and they
        aren't named.
        """
        seed = read_seed(seed)
        check_options("backend_options", backend_options)
        check_names(backend=backend, arithmetic=arithmetic, noise=noise)
        check_kind("explore", explore, bool, optional=False)
        check_kind("fit", fit, bool)
        name = backend or self.backend_name
        same = name == self.backend_name
        if same:
            arithmetic = arithmetic or self.arithmetic
        arithmetic = arithmetic or backend_class(name).capabilities.arithmetics[0]
        noise = noise or (self.noise if arithmetic == "loihi" else "exact")
        options = {**(self._backend_options if same else {}), **(backend_options or {})}
        network, weights = self.network, self.weights
        if arithmetic == "loihi" and (self._learned_in == "float" if fit is None else fit):
            network = fitted(network, weights)
        compiled = load_backend(
            name,
            network,
            seed=seed,
            arithmetic=arithmetic,
            weights=weights,
            **{**options, "noise": noise},
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
        backend: str | None = None,
        arithmetic: str | None = None,
        env: str | gym.Env[Any, Any] | None = None,
        backend_options: dict[str, Any] | None = None,
        noise: str | None = None,
        learning: str | None = None,
        trust_env: bool = False,
    ) -> Self:
        """The agent of a file written by `save`, or of a run directory.

        backend, arithmetic, noise: None takes those it was trained on; with another backend and no
        arithmetic named, that backend's own; in float arithmetic the noise ``'exact'``.
        env: None makes it as it was saved, with its arguments and wrappers; needed where that can't
        be. trust_env: import what the file says the environment is from; else only what is
        registered or imported already is made. learning: None takes that of its configuration; with
        ``'host'``, one that learned on the chip goes on anywhere. One that was trained by gradients
        begins with its weights and critic: no episodes, and learning is by the rule.
        Raises RunError for a file that is missing, damaged or of something else, or whose
        environment can't be made.
        """
        check_names(backend=backend, arithmetic=arithmetic, noise=noise, learning=learning)
        check_kind("trust_env", trust_env, bool, optional=False)
        described, arrays = read_agent(path_of(path))
        chosen = played_on(described, backend, arithmetic, noise)
        config = AgentConfig.from_dict(described["config"])
        where = f"agent {path}"
        chosen_config = config if learning is None else config.changed(learning=learning)
        if env is None:
            made, env_id = saved_env(described, where, trust_env), described["env"]
        else:
            made, env_id = own_env(env)
        n_actions = int(discrete_actions(made, where).n)
        check_fits(config, n_actions, arrays, where)
        agent = cls(
            made,
            **chosen,
            seed=described["seed"],
            config=chosen_config,
            backend_options=backend_options,
        )
        agent.env_id = env_id
        if described["approach"] == "local":
            moved = any(chosen[name] != described[name] for name in ("backend", "arithmetic"))
            agent.restore(arrays, moved or chosen_config.learning != config.learning)
        else:
            agent.adopt(arrays)
        agent._learned_in = described["arithmetic"]
        return agent

    def restore(self, state: dict[str, npt.NDArray[Any]], moved: bool = False) -> None:
        """Go on from `state`; *moved* if it comes from another backend or arithmetic."""
        self._replicas.restore(0, state, moved)
        self.episodes = self._replicas.episodes[0]
        self._predictor = None


def played_on(
    described: dict[str, Any], backend: str | None, arithmetic: str | None, noise: str | None
) -> dict[str, Any]:
    """Backend, arithmetic and noise for a saved agent, by name.

    None takes those it was trained on; on another backend, that backend's own arithmetic; in float
    arithmetic the noise ``'exact'``. One trained by gradients is played on the reference if nobody
    says. described: as `read_agent` gives it.
    """
    trained_on = described["backend"] if described["approach"] == "local" else "reference"
    same = backend is None or backend == trained_on
    name = backend or trained_on
    own = described["arithmetic"] if same else backend_class(name).capabilities.arithmetics[0]
    arithmetic = arithmetic or own
    trained = described.get("noise", "exact") if arithmetic == "loihi" else "exact"
    return {"backend": name, "arithmetic": arithmetic, "noise": noise or trained}


def read_agent(path: Path) -> tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]:
    """Description and arrays of a saved agent: a file, or a run directory. Raises RunError."""
    if path.is_dir():
        if not (path / "config.json").exists():
            raise RunError(say(f"run {path}", "is not a run: config.json is missing"))
        path = path / "checkpoint.npz"
    return read_checkpoint(path)
