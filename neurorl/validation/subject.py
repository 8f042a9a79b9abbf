"""Describe what is validated: a network, its weights and an agent's configuration and task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neurorl.agents.local import SpikingActorCritic
from neurorl.errors import ArgumentError, unknown_name_error
from neurorl.models.agent.config import AgentConfig
from neurorl.models.defaults.presets import MODELS, make_config
from neurorl.network.description import Network
from neurorl.nir import from_nir
from neurorl.numerics.arrays import FloatArray
from neurorl.runs.evaluation import load_to_play
from neurorl.storage.zoo import is_within, located, name_of
from neurorl.tasks.environments import discrete_actions, make_env
from neurorl.tasks.kinds import Environment
from neurorl.testing import FEATURES

DEFAULT_ENV = "CartPole-v1"


@dataclass(frozen=True)
class Subject:
    """Describe a network to validate, or an agent with one.

    name: for a reader. weights: initial ones by projection; those left out are drawn by the seed.
    config, env: None for a network without an agent. argument: its name on the command line; None
    if it has none there. t: number of the first step, by which noise is drawn.
    """

    name: str
    network: Network
    weights: dict[str, FloatArray] = field(default_factory=dict)
    config: AgentConfig | None = None
    env: Environment | None = None
    n_actions: int = 0
    argument: str | None = None
    t: int = 0


def make_subject(
    what: str | Path | Network | SpikingActorCritic,
    env: str = DEFAULT_ENV,
    overrides: dict[str, Any] | None = None,
    dt: float | None = None,
    trust_env: bool = False,
) -> Subject:
    """Return the subject that *what* means: a network, an agent, a run, or a model's name.

    *what* may also name a feature of `neurorl.testing.FEATURES`, such as ``'currents'``.
    env: task of a model. overrides: fields of a model's `AgentConfig`. dt: seconds a step of a
    ``.nir`` file, see `neurorl.nir.from_nir`. trust_env: as in `SpikingActorCritic.load`.
    Raises UnknownNameError for a name of nothing, RunError for a damaged run, ArgumentError for an
    argument that is of another kind of subject.
    """
    named = {"env": env != DEFAULT_ENV, "overrides": bool(overrides), "dt": dt is not None}
    check_of_subject(what, {**named, "trust_env": trust_env})
    if isinstance(what, Network):
        return Subject("a network", what)
    if isinstance(what, SpikingActorCritic):
        return _of_agent(f"an agent on {what.env_id}", what, None)
    if str(what) in MODELS:
        return _of_model(str(what), env, overrides or {})
    if str(what) in FEATURES:
        return Subject(f"feature {what!r}", FEATURES[str(what)](), argument=repr(str(what)))
    path = located(what)
    if path.suffix == ".nir":
        step = "" if dt is None else f" --dt {dt!r}"
        return Subject(path.name, from_nir(path, dt), argument=f"{path.name}{step}")
    agent, _ = load_to_play(path, trust_env=trust_env)
    name = name_of(path) if is_within(path) else path.name
    return _of_agent(f"run {name}", agent, name)


def check_of_subject(what: object, named: Mapping[str, bool]) -> None:
    """Raise ArgumentError for an argument that is named, but of another kind of subject.

    Raises UnknownNameError for a name of nothing.
    """
    is_given = isinstance(what, (Network, SpikingActorCritic))
    is_file = not is_given and str(what) not in (*MODELS, *FEATURES)
    if is_file and not located(str(what)).exists():
        raise unknown_name_error("run directory or model", str(what), MODELS)
    is_nir = is_file and str(what).endswith(".nir")
    read = {
        "env": (not is_given and str(what) in MODELS, "the name of a model"),
        "overrides": (not is_given and str(what) in MODELS, "the name of a model"),
        "dt": (is_nir, "a .nir file"),
        "trust_env": (is_file and not is_nir, "a run or a saved agent"),
    }
    for name, is_named in named.items():
        is_read, kind = read[name]
        if is_named and not is_read:
            remedy = f"leave it out; it is for {kind}"
            raise ArgumentError(name, "isn't read of what is given here", remedy=remedy)


def _of_model(model: str, env_id: str, overrides: dict[str, Any]) -> Subject:
    env = make_env(env_id)
    config = make_config(env, model, overrides)
    n_actions = int(discrete_actions(env, env_id).n)
    argument = model if env_id == DEFAULT_ENV else f"{model} --env {env_id}"
    name = f"{model} on {env_id}"
    return Subject(name, config.network(n_actions), {}, config, env, n_actions, argument)


def _of_agent(name: str, agent: SpikingActorCritic, argument: str | None) -> Subject:
    weights = {key: w.copy() for key, w in agent.memory.weights.items()}
    n_actions = int(discrete_actions(agent.env).n)
    return Subject(name, agent.network, weights, agent.config, agent.env, n_actions, argument)
