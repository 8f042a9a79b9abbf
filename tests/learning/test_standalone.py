"""Test learning without an agent: one synapse by hand, all backends, mid-way, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from neurorl import (
    Learning,
    Network,
    Plasticity,
    Population,
    Projection,
    Source,
    SpikingActorCritic,
    Uniform,
    load,
)
from neurorl.backends.base import Backend
from neurorl.errors import NeurorlError
from neurorl.learning.learner import Learner
from neurorl.learning.plan import LearningPlan
from neurorl.models import LIF, CubaLIF
from neurorl.rules import RULES, Factors, Rule, feedback

GATED = Rule("gated", output="spike*phi", pairs_spikes=True, gates_depression=True)


def pair(low: float = -10.0, high: float = 10.0, trace_tau: float = 0.02) -> Network:
    """Return a synapse between an input and a cell that another input makes spike."""
    plasticity = Plasticity(trace_tau=trace_tau, low=low, high=high)
    return Network(
        nodes=(Source("in", 1), Source("force", 1), Population("cell", 1, LIF(0.0, threshold=1.0))),
        projections=(
            Projection("learns", "in", "cell", 0.25, plasticity=plasticity),
            Projection("forces", "force", "cell", 4.0),
        ),
        dt=1e-3,
    )


def rich() -> Network:
    """Return two layers, recurrent, delayed, masked, noisy, with inputs that learn."""
    cells = CubaLIF(tau_syn=5e-3, tau_mem=20e-3, threshold=1.0, noise=0.1)
    plasticity = Plasticity(trace_tau=0.02, low=-1.0, high=1.0)
    mask = np.random.default_rng(3).random((6, 5)) < 0.6
    return Network(
        nodes=(Source("in", 6), Population("cells", 5, cells), Population("output", 2, cells)),
        projections=(
            Projection("up", "in", "cells", Uniform(0, 0.9), plasticity=plasticity, mask=mask),
            Projection(
                "out", "cells", "output", Uniform(0, 0.9), delay=3e-3, plasticity=plasticity
            ),
            Projection("back", "output", "cells", -0.1, plasticity=plasticity),
        ),
        dt=1e-3,
    )


def at(steps: Sequence[int], n: int) -> npt.NDArray[np.bool_]:
    raster = np.zeros((n, 1), dtype=bool)
    raster[list(steps)] = True
    return raster


def drive(learning: Learning, windows: range, phi: bool, replicas: int = 1) -> None:
    """Return windows of different lengths, each with modulators of its own."""
    for k in windows:
        rng, n_steps = np.random.default_rng(k), 3 + 4 * k % 11
        raster = np.tile(rng.random((n_steps, 6)) < 0.3, (1, replicas))
        learning.window({"in": raster}, n_steps)
        said = {"cells": rng.normal(size=5), "output": rng.normal(size=2)} if phi else None
        learning.reinforce(rng.normal(), phi=said, rate=0.05)


def learned(learning: Learning) -> dict[str, Any]:
    return {p: learning.weights(p) for p in ("up", "out", "back")}


def check_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert np.array_equal(value, other[name]), name


def test_one_pairing_rewarded_later_by_hand() -> None:
    """pre at 0 arrives at 1; the cell spikes at 5: x = d_x**4, then e decays to the reward."""
    with load("reference", pair()) as backend:
        learning = Learning(backend, eligibility_tau=0.5, rate=0.5)
        rasters = learning.window({"in": at([0], 6), "force": at([4], 6)}, 6)
        assert np.flatnonzero(rasters["cell"][:, 0]).tolist() == [5]
        learning.window({}, 100)
        learning.reinforce(2.0)
        e = np.exp(-4 / 20) * np.exp(-100 / 500)
        assert learning.eligibility("learns").item() == pytest.approx(e, abs=1e-5)
        assert learning.weights("learns").item() == pytest.approx(0.25 + 0.5 * 2.0 * e, abs=1e-5)
        assert np.array_equal(backend.weights("learns"), learning.weights("learns"))


def test_a_spike_after_the_neurons_own_depresses() -> None:
    """The cell spikes at 1, the input arrives at 11."""
    with load("reference", pair()) as backend:
        learning = Learning(backend, eligibility_tau=0.5, post_tau=0.04, depression=1.5)
        learning.window({"in": at([10], 12), "force": at([0], 12)}, 12)
        assert learning.eligibility("learns").item() == pytest.approx(
            -1.5 * np.exp(-10 / 40), abs=1e-5
        )


def test_nothing_decays_without_a_time_constant_and_bounds_hold() -> None:
    with load("reference", pair(high=0.5, trace_tau=0.0)) as backend:
        learning = Learning(backend, RULES["spikes-only-hebbian"], eligibility_tau=None)
        learning.window({"in": at([4], 50), "force": at([4], 50)}, 50)
        learning.reinforce(0.0, phi=-0.5)
        assert learning.eligibility("learns").item() == -0.5
        learning.reinforce(-100.0)
        assert learning.weights("learns").item() == 0.5
        learning.reset()
        assert learning.eligibility("learns").item() == 0.0
        assert learning.weights("learns").item() == 0.5


def test_traces_and_spikes_in_flight_carry_on() -> None:
    """The same steps in one window and in five leave the same eligibility, but for rounding."""
    rng = np.random.default_rng(0)
    raster = rng.random((40, 6)) < 0.3
    seen = []
    for n in (40, 8):
        with load("reference", rich(), seed=2) as backend:
            learning = Learning(backend, depression=0.7)
            for start in range(0, 40, n):
                learning.window({"in": raster[start : start + n]}, n)
            seen.append({p: learning.eligibility(p) for p in ("up", "out", "back")})
    for name, e in seen[0].items():
        assert np.abs(e).max() > 0.1
        assert np.allclose(e, seen[1][name], atol=1e-3), name


@pytest.mark.parametrize("name", ["reward-stdp", "td-stdp"])
def test_a_window_gives_the_eligibility_that_an_agent_has(name: str) -> None:
    options: dict[str, Any] = {"normalises": False, "actors": 4, "hidden": 0, "depression": 0.8}
    agent = SpikingActorCritic("CartPole-v1", rule=name, seed=1, **options)
    move = agent.player(1, explore=True).move(np.array([0.1, -0.2, 0.05, 0.3]))
    Learner(LearningPlan(agent.network, agent.config), agent.memory).remember(
        move.inputs, move.rasters, move.action, move.policy
    )
    config = agent.config
    with load("reference", agent.network, seed=1) as backend:
        learning = Learning(
            backend,
            name,
            eligibility_tau=config.eligibility_tau,
            post_tau=config.post_tau,
            depression=config.depression,
        )
        for projection in agent.network.projections:
            backend.set_weights(projection.name, agent.backend.weights(projection.name))
        replay(learning, move.inputs, move.rasters, config.window)
        if name == "td-stdp":
            phi = np.tile(feedback(move.action, move.policy), 4)
            learning.reinforce(0.0, phi=phi)
        for p, e in agent.memory.eligibility.items():
            assert np.abs(e).max() > 0
            assert np.array_equal(e, learning.eligibility(p).reshape(e.shape)), p


def replay(learning: Learning, inputs: Any, rasters: Any, n_steps: int) -> None:
    """A window has the agent's rasters, as its network and weights are the agent's."""
    got = learning.window(inputs, n_steps)
    for name, raster in got.items():
        assert np.array_equal(raster, rasters[name]), name


BACKENDS = [
    ("native", "float"),
    ("torch", "float"),
    ("loihi", "loihi"),
    ("native", "loihi"),
    ("torch", "loihi"),
]


def trained(name: str, arithmetic: str, rule: str | Rule) -> dict[str, Any]:
    if name == "torch":
        pytest.importorskip("torch")
    with load(name, rich(), arithmetic=arithmetic, seed=4) as backend:
        learning = Learning(backend, rule, eligibility_tau=0.05)
        drive(learning, range(8), "phi" in learning.rule.texts[0].text)
        return {**learned(learning), **learning.state()}


@pytest.mark.parametrize("rule", ["reward-stdp", "spikes-only", GATED], ids=str)
@pytest.mark.parametrize(("name", "arithmetic"), BACKENDS)
def test_every_backend_learns_the_same_bits(name: str, arithmetic: str, rule: str | Rule) -> None:
    expected = trained("reference", arithmetic, rule)
    with load("reference", rich(), arithmetic=arithmetic, seed=4) as backend:
        assert not np.array_equal(expected["up"], backend.weights("up"))
    check_equal(trained(name, arithmetic, rule), expected)


@pytest.mark.parametrize("arithmetic", ["float", "loihi"])
def test_a_state_goes_on_exactly(arithmetic: str) -> None:
    with (
        load("reference", rich(), arithmetic=arithmetic, seed=4) as one,
        load("native", rich(), arithmetic=arithmetic, seed=4) as two,
    ):
        first, second = Learning(one, GATED), Learning(two, GATED)
        drive(first, range(4), True)
        middle = first.state()
        drive(first, range(4, 8), True)
        drive(second, range(9, 11), True)  # something else before
        second.restore(middle)
        drive(second, range(4, 8), True)
        check_equal(first.state(), second.state())


@pytest.mark.parametrize("arithmetic", ["float", "loihi"])
def test_replicas_learn_as_each_would_alone(arithmetic: str) -> None:
    with load("reference", rich(), arithmetic=arithmetic, seed=[4, 7]) as backend:
        both = Learning(backend, "spikes-only")
        drive(both, range(6), True, replicas=2)
        assert both.weights("up").shape == (2, 6, 5)
        for k, seed in enumerate((4, 7)):
            with load("reference", rich(), arithmetic=arithmetic, seed=seed) as single:
                alone = Learning(single, "spikes-only")
                drive(alone, range(6), True)
                check_equal(both.state(k), alone.state())


def test_replicas_hear_modulators_and_phi_of_their_own() -> None:
    with load("reference", pair(), seed=[0, 1]) as backend:
        learning = Learning(backend, "td-stdp", depression=0.0)
        both = np.tile(at([0], 2), (1, 2))
        learning.window({"in": both, "force": both}, 2)
        learning.reinforce([1.0, 2.0], phi=[[0.5], [-0.5]])
        assert learning.weights("learns").ravel().tolist() == [0.75, -0.75]


def test_synapses_that_are_not_there_stay_so() -> None:
    with load("reference", rich(), arithmetic="loihi", seed=4) as backend:
        learning = Learning(backend)
        drive(learning, range(4), False)
        assert not learning.weights("up")[~np.asarray(rich().projection("up").mask)].any()


@pytest.fixture(name="backend")
def _backend() -> Any:
    with load("reference", pair()) as backend:
        yield backend


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "no-such"}, "no-such"),
        ({"rule": 3}, "Learning.rule: neither a name nor a Rule .got 3."),
        ({"rule": "agreement"}, "needs y, which only agents have; a rule of spike, phi"),
        (
            {"rule": "coagent"},
            "character 12 .p in '2.*needs spike probabilities, and 'cell' has no noise",
        ),
        ({"rules": {"forces": "spikes-only"}}, "plastic projection.*did you mean|known: learns"),
        ({"rule": Rule("own", output="spike*V")}, "character 7 .V in 'spike.V'.*needs V"),
        (
            {"rule": Rule("f", lambda d: Factors(np.zeros((1, 1)), ()))},
            "is a function of an agent's decision",
        ),
        ({"rate": float("nan")}, "Learning.rate: out of range"),
        ({"eligibility_tau": -1.0}, "Learning.eligibility_tau: out of range"),
    ],
)
def test_what_can_not_learn_is_refused(
    backend: Backend, options: dict[str, Any], message: str
) -> None:
    check_refused(message, lambda: Learning(backend, **options))


def check_refused(message: str, call: Any) -> None:
    with pytest.raises(NeurorlError, match=message) as problem:
        call()
    assert "\n" not in str(problem.value)


def test_a_network_must_learn_and_be_recorded() -> None:
    still = Network(
        nodes=(Source("in", 1), Population("cell", 1, LIF(0.0, threshold=1.0))),
        projections=(Projection("p", "in", "cell", 1.0),),
        dt=1e-3,
    )
    with load("reference", still) as backend:
        check_refused("no projection of the network learns", lambda: Learning(backend))
    with load("reference", rich(), record=["output"]) as backend:
        check_refused("must be recorded to learn .got \\['cells'\\]", lambda: Learning(backend))
    with load("loihi", SpikingActorCritic("CartPole-v1").network, learning="pes") as backend:
        check_refused("learns by a rule of its own", lambda: Learning(backend))


def test_what_reinforce_and_window_refuse(backend: Backend) -> None:
    plain = Learning(backend)
    check_refused("doesn't name phi", lambda: plain.reinforce(1.0, phi=1.0))
    check_refused("modulator: not finite", lambda: plain.reinforce(float("inf")))
    check_refused("modulator: wrong shape", lambda: plain.reinforce([1.0, 2.0]))
    check_refused("'no'", lambda: plain.weights("no"))
    check_refused("n_steps", lambda: plain.window({}, 0))
    plain.close()
    gated = Learning(backend, "td-stdp")
    check_refused("no window waits", lambda: gated.reinforce(1.0, phi=1.0))
    gated.window({}, 2)
    check_refused("Learning.window: rule 'td-stdp' names phi", lambda: gated.window({}, 2))
    check_refused("Learning.state: rule 'td-stdp' names phi", gated.state)
    check_refused("phi: is missing", lambda: gated.reinforce(1.0))
    check_refused("phi of 'cell': wrong shape", lambda: gated.reinforce(1.0, phi=[1.0, 2.0]))
    check_refused("by population", lambda: gated.reinforce(1.0, phi={"sell": 1.0}))
    gated.reinforce(1.0, phi={"cell": [1.0]})
    state = gated.state()
    check_refused("weights.learns: is missing", lambda: gated.restore({}))
    wrong = {**state, "eligibility.learns": np.full((1, 1), np.nan)}
    check_refused("eligibility.learns", lambda: gated.restore(wrong))


def test_a_factor_that_is_not_finite_is_named_and_nothing_is_learned(backend: Backend) -> None:
    learning = Learning(backend, Rule("odd", output="spike/(n - 1)"))
    window = {"in": at([0], 2), "force": at([0], 2)}
    check_refused("rule 'odd', cell, step 1, neuron 0", lambda: learning.window(window, 2))
    assert not learning.eligibility("learns").any()
