"""Describe what is validated, and make the input of every backend once: windows of spikes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from neurorl.agents.evaluation import load_to_play
from neurorl.agents.local import SpikingActorCritic
from neurorl.agents.player import Player
from neurorl.backends.checks import Inputs
from neurorl.backends.registry import load
from neurorl.errors import ArgumentError, unknown_name_error
from neurorl.learning.loops.choose import make_loop
from neurorl.models.agent.config import AgentConfig
from neurorl.models.defaults.presets import MODELS, make_config
from neurorl.network.description import Network
from neurorl.nir import from_nir
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.numerics.random import derive
from neurorl.storage.plain import PlainData
from neurorl.storage.zoo import is_within, located, name_of
from neurorl.tasks.environments import discrete_actions, make_env
from neurorl.tasks.kinds import Environment
from neurorl.testing import FEATURES, rasters

_RESET = 5  # purpose of derived seeds
_PLAIN_WINDOW = 20  # steps, of a network without an agent
PROBABILITIES = (0.05, 0.15, 0.3, 0.6)


class InputWindow(NamedTuple):
    """Hold the inputs of *n_steps* steps; *fresh* windows start from silence.

    writes: projections and weights to write to them before it. offsets: of biases, by population,
    see `Backend.set_offset`; all windows of a subject have those of the same populations, or none.
    """

    inputs: Inputs
    n_steps: int
    fresh: bool
    writes: Sequence[tuple[str, FloatArray]] = ()
    offsets: Mapping[str, FloatArray] = MappingProxyType({})


def make_stimulus(subject: Subject, n_steps: int, seed: int, arithmetic: str) -> list[InputWindow]:
    """Make windows of at least *n_steps* steps of input.

    Of an agent, what it sees while the reference plays its environment by its policy, in
    *arithmetic*; else random spikes of several rates.
    """
    if subject.config is not None:
        return _played(subject, n_steps, seed, arithmetic)
    windows = []
    for k, start in enumerate(range(0, n_steps, _PLAIN_WINDOW)):
        length, p = min(_PLAIN_WINDOW, n_steps - start), PROBABILITIES[k % len(PROBABILITIES)]
        inputs = rasters(subject.network, length, derive(seed, _RESET, k), p)
        windows.append(InputWindow(inputs, length, False))
    return windows


def _played(subject: Subject, n_steps: int, seed: int, arithmetic: str) -> list[InputWindow]:
    config, env = subject.config, subject.env
    assert config is not None
    assert env is not None
    first_action = int(env.action_space.start)  # type: ignore[attr-defined]
    windows: list[InputWindow] = []
    with load("reference", subject.network, seed=seed, arithmetic=arithmetic) as backend:
        for name, weights in subject.weights.items():
            backend.set_weights(name, weights)
        loop = make_loop(config, backend, subject.n_actions, learns=False)
        loop.memory.of(0).restore_lasting(subject.lasting)
        player = Player(loop)
        done, episode, observation, paid = True, 0, None, 0.0
        while config.window * len(windows) < n_steps:
            begins = done
            if begins:
                observation, _ = env.reset(seed=derive(seed, _RESET, episode) & 0x7FFFFFFF)
                player.begin()
                episode += 1
            move = player.move(observation, reward=paid)
            inputs = {name: np.array(values) for name, values in move.inputs.items()}
            offsets = {name: offset.copy() for name, offset in loop.offsets.items()}
            fresh = begins or not config.carries
            windows.append(InputWindow(inputs, config.window, fresh, offsets=offsets))
            observation, reward, terminated, truncated, _ = env.step(move.action + first_action)
            paid, done = float(reward), terminated or truncated
    return windows


TASK = "CartPole-v1"


@dataclass(frozen=True)
class Subject:
    """Describe a network to validate, or an agent with one.

    name: for a reader. weights: initial ones by projection; those left out are drawn by the seed.
    lasting: what the agent has beside these, as `Memory.lasting_arrays` has it. config, env: None
    for a network without an agent. argument: its name on the command line; None if it has none
    there. t: number of the first step, by which noise is drawn.
    """

    name: str
    network: Network
    weights: dict[str, FloatArray] = field(default_factory=dict)
    lasting: dict[str, Array] = field(default_factory=dict)
    config: AgentConfig | None = None
    env: Environment | None = None
    n_actions: int = 0
    argument: str | None = None
    t: int = 0


def make_subject(
    what: str | Path | Network | SpikingActorCritic,
    env: str = TASK,
    overrides: PlainData | None = None,
    dt: float | None = None,
    trust_env: bool = False,
) -> Subject:
    """Return the subject that *what* means: a network, an agent, a run, or a model's name.

    *what* may also name a feature of `neurorl.testing.FEATURES`, such as ``'currents'``.
    env: task of a model, or of a run in place of its own. overrides: fields of a model's
    `AgentConfig`. dt: seconds a step of a ``.nir`` file, see `neurorl.nir.from_nir`. trust_env: as
    in `SpikingActorCritic.load`.
    Raises UnknownNameError for a name of nothing, RunError for a damaged run, ArgumentError for an
    argument that is of another kind of subject.
    """
    named = {"env": env != TASK, "overrides": bool(overrides), "dt": dt is not None}
    check_of_subject(what, {**named, "trust_env": trust_env})
    if isinstance(what, Network):
        return Subject("a network", what)
    if isinstance(what, SpikingActorCritic):
        return _of_agent(f"an agent on {what.env_id}", what, None)
    if str(what) in MODELS:
        made = make_env(env)
        config, n = make_config(made, str(what), overrides), int(discrete_actions(made, env).n)
        argument = str(what) if env == TASK else f"{what} --env {env}"
        return Subject(f"{what} on {env}", config.network(n), {}, {}, config, made, n, argument)
    if str(what) in FEATURES:
        return Subject(f"feature {what!r}", FEATURES[str(what)](), argument=repr(str(what)))
    path = located(what)
    if path.suffix == ".nir":
        step = "" if dt is None else f" --dt {dt!r}"
        return Subject(path.name, from_nir(path, dt), argument=f"{path.name}{step}")
    agent, _ = load_to_play(path, env=None if env == TASK else env, trust_env=trust_env)
    name = name_of(path) if is_within(path) else path.name
    return _of_agent(f"run {name}", agent, name)


_OF_MODEL, _OF_FILE, _OF_RUN = "the name of a model", "a .nir file", "a run or a saved agent"
_READ = dict[str, tuple[str, ...]](env=(_OF_MODEL, _OF_RUN), overrides=(_OF_MODEL,))
_READ |= {"dt": (_OF_FILE,), "trust_env": (_OF_RUN,)}
"""Name the kinds of subject that each argument is for."""


def check_of_subject(what: object, named: Mapping[str, bool]) -> None:
    """Raise ArgumentError for an argument that is named, but of another kind of subject.

    Raises UnknownNameError for a name of nothing.
    """
    is_given = isinstance(what, (Network, SpikingActorCritic))
    kind = _OF_MODEL if not is_given and str(what) in MODELS else ""
    if not (is_given or kind or str(what) in FEATURES):
        if not located(str(what)).exists():
            raise unknown_name_error("run directory or model", str(what), MODELS)
        kind = _OF_FILE if str(what).endswith(".nir") else _OF_RUN
    for name, is_named in named.items():
        if is_named and kind not in _READ[name]:
            remedy = f"leave it out; it is for {' or '.join(_READ[name])}"
            raise ArgumentError(name, "isn't read of what is given here", remedy=remedy)


def _of_agent(name: str, agent: SpikingActorCritic, argument: str | None) -> Subject:
    weights = {key: w.copy() for key, w in agent.memory.weights.items()}
    n_actions = int(discrete_actions(agent.env).n)
    lasting = {key: array.copy() for key, array in agent.memory.lasting_arrays().items()}
    described = agent.network, weights, lasting, agent.config, agent.env
    return Subject(name, *described, n_actions, argument)
