"""Train a linear actor-critic without neurons, as a control: `LinearActorCritic`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Never, Self, TypedDict, Unpack

from neurorl.agents.algorithms import Algorithm
from neurorl.agents.arguments import check_kind, own_env, path_of
from neurorl.agents.base import LearningAgent
from neurorl.agents.checkpoint import read_text
from neurorl.agents.episodes import State
from neurorl.agents.player import MAX_REPLICAS, Player
from neurorl.agents.replicas import Replicas
from neurorl.backends.base import Backend
from neurorl.backends.registry import load as load_backend
from neurorl.errors import ArgumentError, RunError, UnsupportedError, unknown_name_error
from neurorl.learning.loops.linear import ACTOR, LinearLoop
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.hints import refuse_words
from neurorl.models.agent.linear import LinearRates, linear_policy
from neurorl.models.agent.schedules import Schedule
from neurorl.models.defaults.presets import make_config
from neurorl.models.features import Features
from neurorl.network.description import Network
from neurorl.network.restoring import take
from neurorl.numerics.random import read_seed
from neurorl.storage.plain import Named, PlainData, check_count
from neurorl.storage.reading import FilePlace, check_fields, parse_json
from neurorl.tasks.actions import read_actions
from neurorl.tasks.groups import SeparateEnvs
from neurorl.tasks.kinds import Environment, Maker
from neurorl.tasks.loading import saved_env

LINEAR = Algorithm("linear-actor-critic", maker="")
"""Name the way of learning in files; the command line doesn't offer it."""
_SAID = {"approach": str, "seed": int, "config": dict, "gradient": dict}


class LinearOptions(TypedDict, total=False):
    """Name the fields of `AgentConfig` that an agent without neurons reads."""

    cells: Features
    features: Features
    memories: tuple[float, ...]
    traces: tuple[float, ...]
    sees_actions: bool
    sees_rewards: bool
    held_by: tuple[int, ...]
    summed_by: tuple[int, ...]
    cues: tuple[int, ...]
    tally: tuple[int, ...]
    tally_since: tuple[int, ...]
    tally_until: tuple[int, ...]
    gamma: float
    reward_scale: float
    schedule: Schedule | str


class _Replicas(Replicas):
    """Let agents without neurons learn, each in its own environment, as `Replicas` does."""

    algorithm = LINEAR
    is_recordable = False

    def __init__(
        self, env: Environment, config: AgentConfig, rates: LinearRates, seed: int
    ) -> None:
        self.envs = SeparateEnvs([env])
        self.gradient = rates
        groups = self.envs.actions.groups(1)
        self.backend = _no_neurons([seed])
        loop = LinearLoop(config, rates, self.backend, groups)
        self._take(config, self.backend.network, (seed,), groups, self.backend.name, loop)

    def _adopt(self, k: int, state: State) -> None:
        raise UnsupportedError("agent without neurons", "begins with no other agent's weights")


class LinearActorCritic(LearningAgent):
    """Learn as a spiking agent does, on the same cells, but without neurons, as a control.

    The advantage of a spiking agent over this one is due to its network; the rest is due to cells,
    traces and critic. The actor is a softmax of ``W x``, for a Box a normal distribution around it;
    `neurorl.learning.loops.linear.LinearLoop` has the equations.

    env: a Gymnasium id, an environment, or a function or class that makes one. seed: decides
    everything. config: configuration of the spiking agent; None takes the choice of
    ``SpikingActorCritic(env, model)``. Its cells, features, fields of the past, gamma,
    reward_scale, schedule, modulator_limit, critic's initial value and policy's repeats are used.
    rates: step sizes and traces, the same for all tasks. options: `LinearOptions`, if no *config*.

    >>> from neurorl import LinearActorCritic
    >>> agent = LinearActorCritic("neurorl/GridWorld-v0", seed=1)
    >>> len(agent.learn(total_episodes=2))
    2
    """

    algorithm = LINEAR
    _replicas: _Replicas

    def __init__(
        self,
        env: str | Environment | Maker,
        seed: int = 0,
        *,
        model: str = "lif",
        config: AgentConfig | None = None,
        rates: LinearRates | None = None,
        **options: Unpack[LinearOptions],
    ) -> None:
        seed = read_seed(seed)
        check_kind("config", config, AgentConfig)
        check_kind("rates", rates, LinearRates)
        _check_options(options, config)
        self.env, self.env_id = own_env(env)
        config = config or make_config(self.env, model, options, can_share=False)
        self.rates = rates or LinearRates()
        _check_policy(config, self.env, self.env_id)
        self._begin(_Replicas(self.env, config, self.rates, seed))

    def player(
        self,
        seed: int,
        backend: str | None = None,
        arithmetic: str | None = None,
        explore: bool = False,
        noise: str | None = None,
        fit: bool | None = None,
        backend_options: Named | None = None,
        replicas: int | None = None,
    ) -> Player:
        """Return a player of the present agent, which doesn't learn; see `LearningAgent.player`.

        Raises UnsupportedError for a backend and other options of neurons.
        """
        named = {"backend": backend, "arithmetic": arithmetic, "noise": noise, "fit": fit}
        for name, value in {**named, "backend_options": backend_options or None}.items():
            if value is not None:
                what, remedy = f"has no neurons, which {name} and energy are of", "leave these out"
                raise UnsupportedError("LinearActorCritic", what, got=value, remedy=remedy)
        check_kind("explore", explore, bool, optional=False)
        n = 1 if replicas is None else check_count("replicas", replicas, most=MAX_REPLICAS)
        own = self.config, self.rates, _no_neurons([read_seed(seed)] * n), self.actions.groups(1)
        loop = LinearLoop(*own, greedy=not explore, learns=False)
        loop.memory.weights[ACTOR][...] = self.weights[ACTOR]
        return Player(loop, self.env.observation_space)

    @classmethod
    def load(
        cls,
        path: str | Path,
        *,
        env: str | Environment | Maker | None = None,
        trust_env: bool = False,
        **others: Never,
    ) -> Self:
        """Return the agent of a file written by `save`; it goes on bit for bit.

        env, trust_env: as in `neurorl.SpikingActorCritic.load`. Raises RunError for a file that is
        missing, damaged or of another class, or whose environment can't be made.
        """
        refuse_words(cls.load, others)
        where = f"agent {path}"
        said, arrays = _read(path_of(path), FilePlace(where))
        config = AgentConfig.from_dict(said["config"])
        rates = LinearRates.from_dict(said["gradient"])
        if env is None:
            made, name = saved_env(said, where, trust_env), said["env"]
        else:
            made, name = own_env(env)
        n = sum(read_actions(made, where).groups(1))
        take(arrays, f"learner.weights.{ACTOR}", (config.cells.size, n))  # checked first
        agent = cls(made, read_seed(said["seed"]), config=config, rates=rates)
        agent.env_id = name
        agent.restore(arrays)
        return agent


def _no_neurons(seeds: Sequence[int]) -> Backend:
    """Return a backend of a network without neurons, for each of these seeds."""
    return load_backend("reference", Network(()), seed=list(seeds))


def _check_options(options: Mapping[str, object], config: AgentConfig | None) -> None:
    """Raise an error for a field that would have no effect."""
    for name in options:
        if config is not None:
            remedy = f"config.changed({name}=...)"
            raise ArgumentError("LinearActorCritic", f"takes {name} from config", remedy=remedy)
        if name not in LinearOptions.__annotations__:
            where = "LinearActorCritic, which has no neurons: field"
            raise unknown_name_error(where, name, LinearOptions.__annotations__)


def _check_policy(config: AgentConfig, env: Environment, name: str) -> None:
    """Raise UnsupportedError for a policy that can't make the choices of the environment."""
    is_continuous = linear_policy(config.policy).is_continuous
    if is_continuous != read_actions(env, name).is_continuous:
        kind = "discrete" if is_continuous else "numbers"
        remedy = "the config of an agent of this environment"
        what, got = f"its actions are {kind}", f"policy {config.policy.name!r}"
        raise UnsupportedError(f"environment {name}".rstrip(), what, got=got, remedy=remedy)


def _read(path: Path, place: FilePlace) -> tuple[PlainData, State]:
    """Read the description and arrays of a file. Raises RunError."""
    text, arrays = read_text(path)
    said = parse_json(text, place)
    if not isinstance(said, dict) or said.get("approach") != LINEAR.name:
        got = said.get("approach") if isinstance(said, dict) else None
        raise RunError(place.where, "is of another agent", got=got, limit=LINEAR.name)
    check_fields(said, place, _SAID, {})
    return {"env": None, **said}, arrays
