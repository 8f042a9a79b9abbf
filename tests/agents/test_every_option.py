"""No option is without effect: changing it changes what is learned, or it is refused, or listed.

The options are those of the registries, so a new one is tried as soon as there is one. An option
that is refused because nothing reads it is put into the agent all the same, past the check: then
nothing may change, so none is refused that is read.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from neurorl import (
    Network,
    Plasticity,
    Population,
    Projection,
    ReparameterizedActorCritic,
    Source,
    SpikingActorCritic,
    Uniform,
)
from neurorl.errors import DescriptionError, NeurorlError
from neurorl.models import CubaLIF
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.critics import Linear
from neurorl.models.agent.fields import KINDS
from neurorl.models.agent.options import option_types, with_options
from neurorl.models.agent.policies import Softmax
from neurorl.models.deep.trunk import Shared
from neurorl.models.defaults.presets import make_config
from neurorl.models.features import GaussianCells, OneHot
from neurorl.tasks.environments import make_env

pytestmark = pytest.mark.filterwarnings("ignore::neurorl.errors.FallbackWarning")

Options = Mapping[str, Any]
STEPS = 30


class Ring(gym.Env[Any, Any]):
    """Walk on three places; one choice pays at each."""

    observation_space = gym.spaces.Discrete(3)
    action_space: gym.Space[Any] = gym.spaces.Discrete(3)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self.t = 0
        return 0, {}

    def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:
        self.t += 1
        paid = 1.0 - float(np.abs(np.sum(action) - self.t % 3))
        return self.t % 3, paid, self.t >= 8, False, {}


class Several(Ring):
    """Take two choices at once."""

    action_space = gym.spaces.MultiDiscrete([2, 3])


class Numbers(Ring):
    """Take a number."""

    action_space = gym.spaces.Box(-1.0, 1.0, (1,))


NETWORK = Network(
    (Source("input", 3), Population("output", 3, CubaLIF(tau_mem=5e-3, threshold=0.3, noise=0.5))),
    (Projection("input_output", "input", "output", Uniform(0, 0.3), plasticity=Plasticity()),),
)
KINDS_OF_AGENTS: dict[str, tuple[type[Ring], Options]] = {
    "softmax": (Ring, {}),
    "several choices": (Several, {}),
    "numbers": (Numbers, {}),
    "greedy": (Ring, {"policy": "greedy"}),
    "epsilon-greedy": (Ring, {"policy": "epsilon-greedy"}),
    "annealed-softmax": (Ring, {"policy": "annealed-softmax"}),
    "spiking critic": (Ring, {"critic": "spiking", "critic.neurons": 4}),
    "optimistic critic": (Ring, {"critic": "optimistic"}),
    "reward": (Ring, {"modulator": "reward", "rule": "centred-feedback"}),
    "differential-td": (Ring, {"modulator": "differential-td"}),
    "slowing": (Ring, {"schedule": "slowing"}),
    "falling": (Ring, {"schedule.end": 0.2, "schedule.episodes": 2}),
    "reward-stdp": (Ring, {"rule": "reward-stdp", "modulator": "reward"}),
    "td-stdp": (Ring, {"rule": "td-stdp"}),
    "bernoulli": (Ring, {"encoder": "bernoulli"}),
    "current": (Ring, {"encoder": "current"}),
    "no hidden units": (Ring, {"hidden": 0}),
    "carries": (Ring, {"carries": True}),
    "policy.repeats": (Ring, {"policy.repeats": 3}),
    "stochastic": (Ring, {"writes": "stochastic", "arithmetic": "loihi"}),
    "accumulate": (Ring, {"writes": "accumulate", "arithmetic": "loihi"}),
    "register": (Ring, {"writes": "register", "arithmetic": "loihi"}),
    "description": (Ring, {"description": NETWORK}),
}
OTHERS: Options = {
    "cells": OneHot(4),
    "features": OneHot(4),
    "neuron": CubaLIF(tau_syn=1e-3, tau_mem=8e-3, threshold=0.3, noise=0.4),
    "rule": "coagent",
    "hidden": 3,
    "actors": 3,
    "window": 9,
    "bias": False,
    "signed": True,
    "weight_bound": 0.1,
    "initial_hidden": 0.4,
    "initial_output": 0.4,
    "trace_tau": 0.02,
    "stimulus_lags": 2,
    "history_lags": 1,
    "input_recalls": (1,),
    "hidden_recalls": (1,),
    "policy.beta": 3.0,
    "policy.exploration": 0.9,
    "policy.epsilon": 0.9,
    "policy.beta_end": 5.0,
    "policy.beta_decisions": 7,
    "policy.repeats": 2,
    "policy.repeats_decisions": 20,
    "policy.sigma": 0.9,
    "policy.sigma_end": 0.4,
    "policy.decisions": 7,
    "policy.population": 3,
    "policy.hold": 3,
    "policy.natural": False,
    "schedule.end": 0.01,
    "schedule.episodes": 3,
    "schedule.decisions": 5,
    "modulator.limit": 0.01,
    "modulator.mean_rate": 0.5,
    "critic.neurons": 8,
    "critic.scale": 2.0,
    "critic.initial_value": 3.0,
    "alpha_output": 0.7,
    "alpha_hidden": 1.3,
    "critic.alpha": 0.3,
    "gamma": 0.5,
    "lambda_actor": 0.1,
    "critic.lambda_": 0.1,
    "reward_scale": 0.1,
    "normalises": False,
    "eligibility_tau": 0.01,
    "post_tau": 1e-4,
    "depression": 2.0,
    "carries": True,
    "learning.magnitude": 3.0,
    "writes.every": 2,
    "encoder.peak": 0.3,
}
"""Give another value of each option, and another one if an agent has just this."""
SECOND: Options = {
    "carries": False,
    "schedule.end": 0.9,
    "schedule.episodes": 4,
    "policy.repeats": 4,
}

NOT_CHANGED: Mapping[str, str] = {
    "solved_at": "is a mark in tables and plots, and stops nothing",
    "solved_discounted": "says what solved_at is measured in",
    "description": "is a whole network; tests/network has its fields",
    "rules": "are named rules of projections; tests/rules/test_rules_registry.py",
    "modulators": "are heard by a rule of one's own that names them; tests/learning/test_names.py",
    "history": "are taps of history_lags, and refused in another number",
    "critic.changes": "needs features of changes; tests/models/test_history.py",
    "memories": "needs cells of memories; tests/models/test_memories.py",
    "traces": "needs cells of traces; tests/models/test_motion.py",
    "sees_actions": "needs cells of actions; tests/models/test_own_actions.py",
    **dict.fromkeys(
        ("sees_rewards", "held_by", "summed_by", "cues", "tally"),
        "needs cells of these; tests/models/test_past.py",
    ),
    **dict.fromkeys(("tally_since", "tally_until"), "needs a tally; tests/models/test_tally.py"),
    "looks_at": "matters after 5,000 steps; tests/agents/test_looking.py",
    **dict.fromkeys(KINDS, "is a row of this table itself"),
    **dict.fromkeys(
        (
            *(f"trunk.{field.name}" for field in dataclasses.fields(Shared)),
            *(name for name in option_types() if name.count(".") > 1),
            *("critic.hidden", "policy.first", "policy.explores"),
        ),
        "is of agents with shared hidden layers; tests/deep",
    ),
}
"""Give the reason why an option isn't changed here."""
HAS_NO_EFFECT: Mapping[tuple[str, str], str] = {
    ("no hidden units", "bias"): "the default of a table is without a bias as it is",
}
"""Give the reason why an option that is taken changes nothing in one kind of agent."""


def settings(kind: str) -> dict[str, Any]:
    cells = {"cells": OneHot(3), "features": OneHot(3), "reward_scale": 0.5}
    small = {} if kind == "description" else {"actors": 2, "hidden": 2}
    return {**cells, **small, "window": 6, **KINDS_OF_AGENTS[kind][1]}


def digest(agent: SpikingActorCritic | ReparameterizedActorCritic, steps: int = STEPS) -> str:
    """Return what an agent has learned and played in so many steps, as a few letters."""
    agent.learn(total_steps=steps)
    kept = hashlib.sha256()
    for weights in agent.weights.values():
        kept.update(np.ascontiguousarray(weights).tobytes())
    if isinstance(agent, SpikingActorCritic):
        for array in (agent.memory.value, agent.memory.mean_reward, agent.memory.decisions):
            kept.update(array.tobytes())
    played = [(one.ret, one.length, one.discounted) for one in agent.episodes]
    agent.close()
    return kept.hexdigest() + repr(played)


def learned(kind: str, **options: Any) -> str:
    named = {**settings(kind), **options}
    arithmetic = named.pop("arithmetic", None)
    env = KINDS_OF_AGENTS[kind][0]()
    return digest(SpikingActorCritic(env, "lif", "reference", arithmetic, 3, **named))


def forced(kind: str, **options: Any) -> str:
    """Return what is learned with options that are put into the agent past the check."""
    named = settings(kind)
    arithmetic = named.pop("arithmetic", None)
    env = KINDS_OF_AGENTS[kind][0]()
    config = put_into(make_config(env, "lif", named), **options)
    return digest(SpikingActorCritic(env, "lif", "reference", arithmetic, 3, config=config))


def put_into(config: AgentConfig, **options: Any) -> AgentConfig:
    """Return an agent with other options, past the check that something reads them."""
    fields = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    return AgentConfig(**with_options(fields, options))


def of(config: AgentConfig, name: str) -> Any:
    """Return the value of an option, None if the part has no such field."""
    outer, dot, inner = name.partition(".")
    return vars(getattr(config, outer)).get(inner) if dot else getattr(config, outer)


def is_field(kind: str, name: str) -> bool:
    """Return whether an option could be put into an agent: its part has such a field."""
    env = KINDS_OF_AGENTS[kind][0]()
    named = {name: value for name, value in settings(kind).items() if name != "arithmetic"}
    part, dot, inner = name.partition(".")
    return not dot or inner in vars(getattr(make_config(env, "lif", named), part))


def other(name: str, has: object) -> Any:
    return SECOND[name] if OTHERS[name] == has else OTHERS[name]


def test_every_option_is_here() -> None:
    assert option_types().keys() == {*OTHERS, *NOT_CHANGED}


@pytest.mark.parametrize("kind", KINDS_OF_AGENTS)
def test_every_option_is_read_or_refused(kind: str) -> None:
    usual, has = learned(kind), settings(kind)
    for name in OTHERS:
        changed = {name: other(name, has.get(name))}
        try:
            same = learned(kind, **changed) == usual
        except NeurorlError as exc:
            is_unread = f"agent.{name}: nothing of this agent reads it" in str(exc)
            if is_unread and is_field(kind, name):
                assert forced(kind, **changed) == usual, f"{name} is refused, but read"
            continue
        reason = HAS_NO_EFFECT.get((kind, name))
        assert same == (reason is not None), f"{name}: {'no' if same else 'an'} effect"


def test_what_is_without_effect_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """Print the list, so that who reads the log sees all that has no effect."""
    for (kind, name), reason in HAS_NO_EFFECT.items():
        print(f"{kind}: {name} {reason}")
    for name, reason in NOT_CHANGED.items():
        print(f"{name} {reason}")
    assert len(capsys.readouterr().out.splitlines()) == len(HAS_NO_EFFECT) + len(NOT_CHANGED)


def test_an_option_is_refused_with_what_would_read_it() -> None:
    with pytest.raises(DescriptionError, match="it is for policy 'epsilon-greedy'"):
        learned("softmax", **{"policy.epsilon": 0.2})
    config = make_config(Ring(), "lif", settings("softmax"))
    with pytest.raises(DescriptionError, match="'reward-stdp'"):
        config.changed(depression=0.4)
    assert dataclasses.replace(config, hidden=0).alpha_hidden == config.alpha_hidden


def test_an_object_is_refused_for_a_field_that_nothing_reads() -> None:
    with pytest.raises(DescriptionError, match=r"agent\.policy\.repeats_decisions: nothing"):
        learned("softmax", policy=Softmax(repeats_decisions=20))
    with pytest.raises(DescriptionError, match=r"agent\.critic\.lambda_: nothing"):
        learned("reward", critic=Linear(lambda_=0.5))


def test_files_have_options_that_nothing_reads() -> None:
    config = make_config(Ring(), "lif", settings("softmax"))
    data = {**config.to_dict(), "depression": 0.7}
    assert AgentConfig.from_dict(data).to_dict() == data


BY_GRADIENTS: Options = {"actors": 2, "hidden": 2, "window": 6, "reward_scale": 0.5}
CART = GaussianCells((-2.4, -3.0, -0.2, -3.0), (2.4, 3.0, 0.2, 3.0), 5)


def by_gradients(config: AgentConfig | None = None, **options: Any) -> str:
    gradient = {"environments": 1, "steps": 8}
    return digest(
        ReparameterizedActorCritic(
            "CartPole-v1", seed=3, gradient=gradient, config=config, **options
        ),
        16,
    )


def test_every_option_is_read_by_gradients_or_refused() -> None:
    pytest.importorskip("torch", reason="gradients need PyTorch, which isn't installed")
    config = make_config(make_env("CartPole-v1"), "lif", {**BY_GRADIENTS})
    usual, own = by_gradients(config), {"cells": CART, "features": CART}
    for name in OTHERS:
        changed = {name: own.get(name, other(name, of(config, name)))}
        named = {**BY_GRADIENTS, **changed}
        if {name, name.partition(".")[0]} & ReparameterizedActorCritic.algorithm.unread:
            with pytest.raises(NeurorlError, match=name):
                by_gradients(**named)
            if of(config, name) is not None:
                forced = by_gradients(put_into(config, **changed))
                assert forced == usual, f"{name} is refused, but read"
            continue
        try:
            assert by_gradients(**named) != usual, f"{name}: no effect"
        except NeurorlError as exc:
            assert name in str(exc)  # noqa: PT017
