"""Compare the loop in C++ with the loop in NumPy: all that an agent knows, bit for bit."""

from __future__ import annotations

from typing import Any

import pytest
from deep_agents import Small, deep_agent, differing, known, loop_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from neurorl.learning.deep.native import DeepNativeLoop
from neurorl.models.deep.normalisation import Pool
from neurorl.native import toolchain

pytestmark = pytest.mark.skipif(
    toolchain.problem() is not None, reason="no C++ compiler: there is only the loop in NumPy"
)

CASES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "bits, homeostasis": ({}, {}),
    "bits, pool": ({}, {"trunk.normalisation": "pool"}),
    "bits, unnormalised": ({}, {"trunk.normalisation": "none"}),
    "numbers, pool": ({"seen": "numbers"}, {}),
    "numbers, homeostasis": ({"seen": "numbers"}, {"trunk.normalisation": "homeostasis"}),
    "images": ({"seen": "image"}, {}),
    "images, two layers, pool": (
        {"seen": "image"},
        {"hidden": (9, 5), "trunk.normalisation": "pool"},
    ),
    "states": ({"seen": "states"}, {}),
    "patches": ({"seen": "picture"}, {}),
    "patches of shades": ({"seen": "shades"}, {"hidden": (9, 5), "critic.hidden": 0}),
    "patches alone": ({"seen": "picture"}, {"hidden": 0, "critic.hidden": 0}),
    "patches, homeostasis": (
        {"seen": "picture", "masked": True},
        {"trunk.normalisation": "homeostasis", "trunk.centring": 1e-2},
    ),
    "patches, means of drives": (
        {"seen": "picture", "masked": True},
        {"hidden": (9, 5), "trunk.normalisation": Pool(rate=0.02)},
    ),
    "numbers, means of drives": (
        {"seen": "numbers"},
        {"trunk.normalisation": Pool(rate=0.02), "trunk.centring": 1e-2},
    ),
    "patches, random feedback": (
        {"seen": "picture"},
        {"trunk.feedback": "random", "trunk.step_size": "plain"},
    ),
    "patches, numbers as actions": ({"seen": "shades", "taken": "numbers"}, {}),
    "two layers": ({}, {"hidden": (9, 5), "critic.hidden": 7}),
    "a deeper critic": ({}, {"hidden": 17, "critic.hidden": (3, 4, 11)}),
    "no hidden layers": ({}, {"hidden": 0, "critic.hidden": 0}),
    "no hidden layers of the actor": ({}, {"hidden": 0, "trunk.normalisation": "pool"}),
    "random feedback": ({}, {"hidden": (9, 5), "trunk.feedback": "random"}),
    "feedback of signs": ({}, {"hidden": (9, 5), "trunk.feedback": "signs"}),
    "symmetric feedback": ({}, {"hidden": (9, 5), "trunk.feedback": "symmetric"}),
    "plain steps": ({}, {"trunk.step_size": "plain"}),
    "bounded steps": ({}, {"trunk.step_size": "bounded"}),
    "several actions": ({"taken": "several"}, {}),
    "many actions": ({"taken": "many"}, {}),
    "many actions, pool": ({"taken": "many"}, {"hidden": (9, 5), "trunk.normalisation": "pool"}),
    "many actions, numbers": ({"taken": "many", "seen": "numbers"}, {}),
    "many actions, patches": ({"taken": "many", "seen": "picture"}, {}),
    "many actions, no hidden layers": ({"taken": "many"}, {"hidden": 0}),
    "numbers as actions": ({"taken": "numbers"}, {}),
    "numbers of numbers": ({"seen": "numbers", "taken": "numbers"}, {"hidden": (9, 5)}),
    "masks": ({"masked": True}, {}),
    "masks of several actions": ({"masked": True, "taken": "several"}, {}),
    "a still hidden layer": ({}, {"alpha_hidden": 0.0}),
    "a still readout": ({}, {"alpha_output": 0.0}),
    "repeated actions": ({}, {"policy.repeats": 3}),
    "an annealed policy": ({}, {"policy": "annealed-softmax"}),
    "a greedy policy": ({}, {"policy": "greedy"}),
    "no limit of the error": ({}, {"modulator.limit": None}),
    "not centred": ({}, {"trunk.centring": 0.0}),
    "no entropy": ({}, {"trunk.entropy": 0.0}),
    "rewards as they are": ({}, {"trunk.scales_rewards": False}),
    "a narrow bound": ({}, {"weight_bound": 0.1, "alpha_output": 0.5}),
    "traces cut soon": ({"seen": "states"}, {"trunk.faded": 0.6}),
    "no traces": ({"seen": "states"}, {"lambda_actor": 0.0, "critic.lambda_": 0.0}),
    "traces of a whole episode": ({}, {"gamma": 1.0, "lambda_actor": 1.0}),
    "a long window": ({}, {"window": 7}),
    "a quiet encoder": ({}, {"encoder": "quiet", "encoder.peak": 0.7}),
    "a random encoder": ({}, {"encoder": "bernoulli", "encoder.peak": 0.7, "window": 3}),
    "half of the spikes": ({}, {"encoder.peak": 0.5}),
    "a falling rate": ({}, {"schedule.end": 0.1, "schedule.episodes": 4}),
}


def both(
    env: dict[str, Any], options: dict[str, Any], steps: int = 90
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what agents know that learn in C++ and in NumPy."""
    agents = [deep_agent(Small(**env), loop=loop, **options) for loop in ("native", "numpy")]
    assert isinstance(loop_of(agents[0]), DeepNativeLoop)
    assert not isinstance(loop_of(agents[1]), DeepNativeLoop)
    for agent in agents:
        agent.learn(total_steps=steps)
    assert agents[0].episodes
    found = known(agents[0]), known(agents[1])
    for agent in agents:
        agent.close()
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_case_has_the_same_bits_in_both_loops(name: str) -> None:
    env, options = CASES[name]
    compiled, defined = both(env, options)
    assert not differing(compiled, defined)


CHIP = (
    *("bits, pool", "numbers, homeostasis", "images, two layers, pool"),
    *("patches", "patches, homeostasis", "patches, means of drives"),
)


@pytest.mark.parametrize("backend", ["reference", "native", "loihi"])
@pytest.mark.parametrize("name", CHIP)
def test_chip_arithmetic_has_the_same_bits_in_both_loops(name: str, backend: str) -> None:
    env, options = CASES[name]
    compiled, defined = both(env, {**options, "backend": backend, "arithmetic": "loihi"}, 60)
    assert not differing(compiled, defined)


sizes = st.integers(1, 12)
layers = st.one_of(sizes, st.lists(sizes, min_size=1, max_size=3).map(tuple))
shares = st.sampled_from([0.0, 0.5, 0.9, 1.0])
OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "hidden": layers,
    "critic.hidden": layers,
    "trunk.normalisation": st.sampled_from(["homeostasis", "pool", Pool(rate=0.1), "none"]),
    "trunk.feedback": st.sampled_from(["own", "random", "signs", "symmetric"]),
    "trunk.step_size": st.sampled_from(["root-mean-square", "plain", "bounded"]),
    "trunk.centring": st.sampled_from([0.0, 1e-2, 1.0]),
    "trunk.entropy": st.sampled_from([0.0, 0.1]),
    "trunk.scales_rewards": st.booleans(),
    "trunk.faded": st.sampled_from([1e-6, 0.1, 0.9]),
    "trunk.spread": st.sampled_from([0.0, 1.0, 3.0]),
    "alpha_hidden": st.sampled_from([0.0, 1e-3, 0.1]),
    "alpha_output": st.sampled_from([0.0, 0.05]),
    "critic.alpha": st.sampled_from([0.0, 0.03]),
    "critic.lambda_": shares,
    "lambda_actor": shares,
    "gamma": shares,
    "weight_bound": st.sampled_from([0.3, 4.0]),
    "modulator.limit": st.sampled_from([None, 0.5]),
    "seed": st.integers(0, 2**40),
    "backend": st.sampled_from(["reference", "native"]),
    "arithmetic": st.sampled_from(["float", "loihi"]),
}
ENVIRONMENTS = st.fixed_dictionaries(
    {
        "seen": st.sampled_from(["bits", "numbers", "image", "states", "picture", "shades"]),
        "taken": st.sampled_from(["one", "several", "numbers"]),
    }
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(env=ENVIRONMENTS, options=st.fixed_dictionaries({}, optional=OPTIONS), masked=st.booleans())
def test_whatever_is_chosen_has_the_same_bits_in_both_loops(
    env: dict[str, Any], options: dict[str, Any], masked: bool
) -> None:
    env = {**env, "masked": masked and env["taken"] != "numbers"}
    compiled, defined = both(env, options, 60)
    assert not differing(compiled, defined)
