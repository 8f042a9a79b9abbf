"""Refuse what can't be, in one line that says why, and learn nothing of what isn't finite."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from deep_agents import Broken, Small, deep_agent, differing, known, loop_of

from neurorl import AgentConfig, Network, Population, Projection, Source, SpikingActorCritic
from neurorl.agents.recorder import Recorder
from neurorl.errors import (
    ArgumentError,
    DescriptionError,
    DivergenceError,
    EnvError,
    UnknownNameError,
    UnsupportedError,
)
from neurorl.models import IZHIKEVICH, LIF, CubaLIF
from neurorl.models.agent.critics import Layers
from neurorl.models.agent.modulators import MODULATORS
from neurorl.models.deep.normalisation import Homeostasis, Pool
from neurorl.models.deep.observations import Standardised
from neurorl.models.deep.step_size import ClippedStep, RootMeanSquare
from neurorl.models.deep.trunk import Shared

WRONG: Any = "a text"
SMALL = Network(
    (Source("input", 5), Population("output", 3, LIF())),
    (Projection("in", "input", "output", 0.1),),
)
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a description": ({"description": SMALL}, "makes its own network.*leave description out"),
    "a linear critic": ({"critic": "linear"}, "learns values in layers.*'linear'.*critic 'layers'"),
    "a spiking critic": ({"critic": "spiking"}, "learns values in layers.*critic 'layers'"),
    "what carries on": ({"carries": True}, "no carries of this kind.*carries=False"),
    "learning on the chip": ({"learning": "pes"}, "no learning of this kind.*learning='host'"),
    "memories of cells without": ({"memories": (0.5,)}, "memories: needs cells.*got 5|got Raw, 5"),
    "rules": ({"rules": {"input_output": "e-prop"}}, "no rules of this kind.*rules=None"),
    "modulators": ({"modulators": {"a": MODULATORS["reward"]()}}, "no modulators of this kind"),
    "signed units": ({"signed": True}, "no signed of this kind.*signed=False"),
    "rewards as modulator": ({"modulator": "reward"}, "no modulator of this kind.*td-error"),
    "writes": ({"writes": "stochastic"}, "no writes of this kind.*writes='shadow'"),
    "a short window": ({"hidden": (3, 3, 3), "window": 4}, "too short.*got 4, limit >= 5"),
    "a critic deeper than the window": (
        {"critic": Layers(hidden=(3, 3)), "window": 3},
        "limit >= 4",
    ),
    "neurons that remember": ({"neuron": LIF(tau_mem=5e-3)}, "forget within a step.*tau_mem=0.0"),
    "currents that last": ({"neuron": CubaLIF(5e-3, 0.0)}, "forget within a step"),
    "noise": ({"neuron": LIF(tau_mem=0.0, noise=0.3)}, "without noise or refractory time"),
    "refractory time": ({"neuron": LIF(tau_mem=0.0, refractory=2e-3)}, "or refractory time"),
    "neurons of equations": ({"neuron": IZHIKEVICH}, "forget within a step"),
    "another threshold": ({"neuron": LIF(tau_mem=0.0, threshold=2.0)}, "a threshold of 1.*got 2"),
    "a bias": ({"neuron": LIF(tau_mem=0.0, bias=0.5)}, "and a bias of 0"),
    "no neurons": ({"hidden": -2}, "hidden.*whole number"),
    "half a neuron": ({"critic.hidden": 2.5}, "critic.hidden|hidden"),
    "too many synapses": ({"hidden": (10**6, 10**6)}, "synapses.*limit"),
    "actors": ({"actors": 4}, "nothing of this agent reads it.*trunk 'modules'"),
    "a rule": ({"rule": "agreement"}, "nothing of this agent reads it"),
    "features": ({"features": RuntimeError}, "of another type|nothing of this agent reads it"),
    "no trunk": ({"trunk": "modules"}, "made of hidden layers that are shared.*got modules"),
}
FIELDS: dict[str, tuple[type, str, Any]] = {
    "spread below 0": (Shared, "spread", -0.1),
    "entropy below 0": (Shared, "entropy", -1e-3),
    "slope of nan": (Shared, "slope", float("nan")),
    "spread of a text": (Shared, "spread", WRONG),
    "centring beyond 1": (Shared, "centring", 1.5),
    "faded of 0": (Shared, "faded", 0.0),
    "faded beyond 1": (Shared, "faded", 2.0),
    "scales_rewards of a number": (Shared, "scales_rewards", 1),
    "rate beyond 1": (Homeostasis, "rate", 1.1),
    "floor of 0": (Homeostasis, "floor", 0.0),
    "floor of a pool of 0": (Pool, "floor", 0.0),
    "keep of 1": (RootMeanSquare, "keep", 1.0),
    "keep of 0": (RootMeanSquare, "keep", 0.0),
    "floor of steps of 0": (RootMeanSquare, "floor", 0.0),
    "limit below 0": (ClippedStep, "limit", -1.0),
    "limit of 0": (Standardised, "limit", 0.0),
    "alpha below 0": (Layers, "alpha", -1.0),
    "lambda beyond 1": (Layers, "lambda_", 1.1),
    "layers of a text": (Layers, "hidden", WRONG),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_doesnt_go_with_shared_layers_is_refused(case: str) -> None:
    options, words = REFUSED[case]
    small = {"hidden": 4, **options}
    with pytest.raises(DescriptionError, match=words) as refused:
        SpikingActorCritic(Small(), "deep", **small)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("case", FIELDS)
def test_values_out_of_range_are_refused(case: str) -> None:
    kind, name, value = FIELDS[case]
    with pytest.raises(DescriptionError) as refused:
        kind(**{name: value})
    assert name.strip("_") in str(refused.value) or kind is Layers
    assert "\n" not in str(refused.value)


def test_unknown_names_are_refused_with_those_that_are_known() -> None:
    with pytest.raises(UnknownNameError, match=r"feedback.*own, random, signs, symmetric"):
        deep_agent(**{"trunk.feedback": "mirror"})
    with pytest.raises(UnknownNameError, match=r"field of trunk.*depth"):
        deep_agent(**{"trunk.depth": 3})
    with pytest.raises(UnknownNameError, match=r"trunk.*modules, shared"):
        deep_agent(trunk="deep")
    with pytest.raises(UnknownNameError, match=r"normalisation"):
        Shared(normalisation=ClippedStep())  # type: ignore[arg-type]


def test_each_policy_has_its_kind_of_network() -> None:
    box = Small("bits", "numbers")
    with pytest.raises(DescriptionError, match=r"counts spikes.*'gaussian-readout'"):
        deep_agent(box, policy="gaussian")
    with pytest.raises(UnsupportedError, match=r"actions are numbers.*gaussian-readout"):
        deep_agent(box, policy="softmax")
    with pytest.raises(UnsupportedError, match=r"actions are discrete.*policy='softmax'"):
        deep_agent(policy="gaussian-readout")
    with pytest.raises(DescriptionError, match=r"reads membranes.*policy 'gaussian'"):
        SpikingActorCritic("Pendulum-v1", policy="gaussian-readout", actors=1, hidden=2)
    with pytest.raises(DescriptionError, match=r"'layers' need shared hidden layers"):
        SpikingActorCritic("CartPole-v1", critic="layers", actors=1, hidden=2)


def test_numbers_have_no_mask() -> None:
    agent = deep_agent(Small("bits", "numbers", masked=True))
    with pytest.raises((UnsupportedError, EnvError), match=r"numbers have no mask"):
        agent.learn(total_steps=10)
    with pytest.raises((UnsupportedError, EnvError, ArgumentError), match=r"numbers have no mask"):
        deep_agent(Small("bits", "numbers")).predict(np.ones(5, bool), action_mask=np.ones(4))
    agent.close()


def test_no_weights_of_others_are_adopted() -> None:
    agent, other = deep_agent(), deep_agent(seed=2)
    other.learn(total_steps=20)
    before = known(agent)
    with pytest.raises(UnsupportedError, match=r"begins with no other's.*load the agent itself"):
        agent.adopt(other.state())
    assert not differing(known(agent), before)


def test_what_is_known_a_decision_later_cant_be_recorded() -> None:
    for name in ("value", "modulator"):
        with pytest.raises(UnsupportedError, match=r"only with the next decision"):
            deep_agent().learn(total_episodes=2, record=Recorder([name]))
    recorder = Recorder(["hidden.spikes", "action", "policy"])
    agent, other = deep_agent(), deep_agent()
    agent.learn(total_episodes=3, record=recorder)
    other.learn(total_episodes=3)
    assert not differing(known(agent), known(other))
    assert len(recorder["action"]) == agent.env_steps


@pytest.mark.parametrize("loop", ["native", "numpy"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("what", ["seen", "paid"])
def test_nothing_is_learned_from_what_isnt_finite(what: str, value: float, loop: str) -> None:
    env = Broken(12, **{what: value})
    agent, healthy = deep_agent(env, loop=loop), deep_agent(Broken(0), loop=loop)
    with pytest.raises(EnvError, match=r"finite|nan|inf"):
        agent.learn(total_steps=40)
    healthy.learn(total_steps=12)
    held, expected = agent.memory.weights, healthy.memory.weights
    for name in expected:
        assert np.array_equal(held[name], expected[name]), name
    for name, array in loop_of(agent).memory.lasting.items():
        assert np.isfinite(array).all(), name
    env.at = -1
    agent.learn(total_steps=40)
    agent.close()


@pytest.mark.parametrize("loop", ["native", "numpy"])
def test_a_reward_that_no_deviation_can_hold_is_no_silent_zero(loop: str) -> None:
    agent = deep_agent(Broken(12, paid=1e200), loop=loop)
    with pytest.raises(DivergenceError):
        agent.learn(total_steps=40)
    for name, array in loop_of(agent).memory.lasting.items():
        assert np.isfinite(array).all(), name


def test_a_mask_that_allows_nothing_is_refused() -> None:
    class Forbidden(Small):
        def _mask(self) -> Any:
            return np.zeros(3)

    with pytest.raises(EnvError, match=r"mask"):
        deep_agent(Forbidden(masked=True)).learn(total_steps=5)


@dataclass(frozen=True, eq=False)
class OwnLayers(Layers):
    """Be layers by another name."""


def test_a_critic_derived_from_layers_may_be_the_critic() -> None:
    agent = deep_agent(critic=OwnLayers(hidden=3), **{"critic.hidden": 3})
    assert isinstance(agent.config, AgentConfig)
    agent.learn(total_steps=20)
    agent.close()
