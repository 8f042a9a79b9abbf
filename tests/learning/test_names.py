"""Test what texts of rules may name without an agent: by hand, on every backend, and refusals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from neurorl import Learning, Network, Plasticity, Population, Projection, Source, Uniform, load
from neurorl.backends.base import Backend
from neurorl.errors import NeurorlError
from neurorl.models import IZHIKEVICH, LIF, CubaLIF
from neurorl.numerics.elementary import on_grid
from neurorl.rules import Rule
from neurorl.rules.membrane import spike_probability
from neurorl.rules.three_factor import arrivals

PLASTIC = Plasticity(trace_tau=0.0, low=-10.0, high=10.0)


def pair(cell: Any = None, plasticity: Plasticity = PLASTIC, weight: float = 0.25) -> Network:
    """Return a synapse between an input and a cell that another input makes spike."""
    neuron = LIF(0.02, threshold=1.0) if cell is None else cell
    return Network(
        nodes=(Source("in", 1), Source("force", 1), Population("cell", 1, neuron)),
        projections=(
            Projection("learns", "in", "cell", weight, plasticity=plasticity),
            Projection("forces", "force", "cell", 4.0),
        ),
        dt=1e-3,
    )


def two_layers() -> Network:
    """Return noisy layers that learn, recurrent and delayed."""
    cells = CubaLIF(tau_syn=5e-3, tau_mem=20e-3, threshold=1.0, noise=0.1)
    plasticity = Plasticity(trace_tau=0.02)
    return Network(
        nodes=(Source("in", 6), Population("cells", 5, cells), Population("output", 2, cells)),
        projections=(
            Projection("up", "in", "cells", Uniform(0, 0.9), plasticity=plasticity),
            Projection(
                "out", "cells", "output", Uniform(0, 0.9), delay=3e-3, plasticity=plasticity
            ),
            Projection("back", "output", "cells", -0.1, plasticity=plasticity),
        ),
        dt=1e-3,
    )


def at(steps: Sequence[int], n: int) -> npt.NDArray[np.bool_]:
    """Return a raster of one channel."""
    raster = np.zeros((n, 1), dtype=bool)
    raster[list(steps)] = True
    return raster


@pytest.fixture(name="backend")
def _backend() -> Iterator[Backend]:
    with load("reference", pair()) as backend:
        yield backend


def eligibility(rule: Rule, inputs: dict[str, Any], network: Network | None = None) -> float:
    """Return what a window of 12 steps leaves where nothing decays."""
    with load("reference", network or pair()) as backend:
        learning = Learning(backend, rule, eligibility_tau=None)
        learning.window(inputs, 12)
        return float(learning.eligibility("learns").item())


def test_the_membrane_is_the_one_after_the_step_and_its_reset() -> None:
    """An input of 0.25 arrives at 3 and at 4, with a spike: membranes 0.25 and 0."""
    inputs = {"in": at([2, 3], 12), "force": at([3], 12)}
    assert eligibility(Rule("v", output="v"), inputs) == 0.25
    assert eligibility(Rule("theta", output="theta*2"), inputs) == 4.0
    plain = eligibility(Rule("v", output="v"), {"in": at([2, 4], 12)})
    left = float(np.exp(-1 / 20))
    assert plain == pytest.approx(0.25 + (0.25 + 0.25 * left**2), abs=1e-5)


def test_slow_is_what_is_left_of_earlier_spikes() -> None:
    """The cell spikes at 1 and 5, an input arrives at 5: 4 steps since, and none of its own."""
    rule = Rule("slow", output="spike*slow", slow_tau=0.01)
    inputs = {"in": at([4], 12), "force": at([0, 4], 12)}
    assert eligibility(rule, inputs) == pytest.approx(np.exp(-4 / 10), abs=1e-5)


def test_slow_goes_on_from_window_to_window(backend: Backend) -> None:
    learning = Learning(backend, Rule("slow", output="slow", slow_tau=0.01), eligibility_tau=None)
    learning.window({"force": at([0], 3)}, 3)  # a spike at 1
    learning.window({"in": at([0], 3)}, 3)  # arrives at 4
    assert learning.eligibility("learns").item() == pytest.approx(np.exp(-3 / 10), abs=1e-5)
    assert learning.state()["slow_trace.cell"].item() == pytest.approx(np.exp(-4 / 10), abs=1e-5)
    learning.reset()
    assert not learning.state()["slow_trace.cell"].any()


def test_p_is_the_probability_that_rasters_and_weights_tell() -> None:
    network = two_layers()
    rng = np.random.default_rng(1)
    raster = rng.random((15, 6)) < 0.4
    with load("reference", network, seed=3) as backend:
        learning = Learning(backend, Rule("p", output="p"), eligibility_tau=None)
        spikes = learning.window({"in": raster}, 15)
        plan = network.populations[0].plan(network.dt)
        x = arrivals(raster, 1)
        back = arrivals(spikes["output"], 1)
        drive = x @ backend.weights("up") + back @ backend.weights("back")
        p = spike_probability(plan, {"q": drive}, spikes["cells"])
        assert 0.1 < p.max() <= 1.0
        traces = np.zeros((15, 6))
        for t in range(15):
            traces[t] = on_grid(np.exp(-1 / 20) * traces[t - 1]) * (t > 0) + x[t]
        expected = traces.T @ on_grid(p)
        assert np.allclose(learning.eligibility("up"), expected, atol=1e-4)


TOLD = Rule("told", output="spike*dopamine", signals=("dopamine",))


def test_a_signal_is_said_with_the_window_or_after_it(backend: Backend) -> None:
    inputs = {"in": at([2, 4], 6), "force": at([2, 4], 6)}
    seen = []
    for with_window in (True, False):
        learning = Learning(backend, TOLD, eligibility_tau=None)
        learning.reset()
        backend.set_weights("learns", [[0.25]])
        of_steps = np.array([0.0, 0.0, 0.0, 0.5, 0.0, 0.25])[:, None]
        said = {"dopamine": of_steps}
        learning.window(inputs, 6, said if with_window else None)
        assert learning.eligibility("learns").item() == 0.75 * with_window
        learning.reinforce(1.0, signals=None if with_window else said)
        seen.append(learning.eligibility("learns").item())
        learning.close()
    assert seen == [0.75, 0.75]


@pytest.mark.parametrize(
    ("signal", "expected"),
    [(0.5, 1.0), ([0.5], 1.0), ([[0.25]], 0.5), ({"cell": -1.0}, -2.0)],
)
def test_shapes_of_a_signal(backend: Backend, signal: Any, expected: float) -> None:
    learning = Learning(backend, TOLD, eligibility_tau=None)
    window = {"in": at([2, 4], 6), "force": at([2, 4], 6)}
    learning.window(window, 6, {"dopamine": signal})
    assert learning.eligibility("learns").item() == expected


def test_a_signal_for_each_replica() -> None:
    with load("reference", pair(), seed=[1, 2]) as backend:
        learning = Learning(backend, TOLD, eligibility_tau=None)
        inputs = {name: np.tile(at([2], 6), (1, 2)) for name in ("in", "force")}
        learning.window(inputs, 6, {"dopamine": [[0.5], [-0.25]]})
        assert learning.eligibility("learns").ravel().tolist() == [0.5, -0.25]
        of_steps = np.zeros((6, 2))
        of_steps[3] = (0.25, 0.5)
        learning.window(inputs, 6, {"dopamine": of_steps})
        assert learning.eligibility("learns").ravel().tolist() == [0.75, 0.25]


ALL = Rule(
    "all",
    output="trace*(spike*dopamine*slow - 0.1*p) + trace*where(v > theta/2, v, 0)",
    hidden="(v - 0.2*n/W)*dopamine*trace*phi - trace*p*slow",
    signals=("dopamine",),
    slow_tau=0.05,
    eligibility_tau=0.05,
)
CHIP = Rule("chip", output="spike*v/theta + slow*dopamine", signals=("dopamine",), slow_tau=0.05)


def trained(name: str, arithmetic: str, rule: Rule) -> dict[str, Any]:
    """Return all that a few windows leave."""
    if name == "torch":
        pytest.importorskip("torch", reason="torch is not installed")
    with load(name, two_layers(), arithmetic=arithmetic, seed=4) as backend:
        learning = Learning(backend, rule, rate=0.05)
        for k in range(4):
            rng, n = np.random.default_rng(k), 3 + 4 * k
            dopamine = {"cells": rng.normal(size=(n, 5)), "output": rng.normal(size=2)}
            learning.window({"in": rng.random((n, 6)) < 0.4}, n, {"dopamine": dopamine})
            learning.reinforce(rng.normal(), phi=rng.normal() if rule.names("phi") else None)
        return dict(learning.state())


@pytest.mark.parametrize(
    ("name", "arithmetic", "rule"),
    [
        ("native", "float", ALL),
        ("torch", "float", ALL),
        ("native", "loihi", CHIP),
        ("torch", "loihi", CHIP),
        ("loihi", "loihi", CHIP),
    ],
)
def test_every_backend_tells_the_same(name: str, arithmetic: str, rule: Rule) -> None:
    expected = trained("reference", arithmetic, rule)
    assert np.abs(expected["eligibility.up"]).max() > 0.01
    got = trained(name, arithmetic, rule)
    assert got.keys() == expected.keys()
    for key, value in expected.items():
        assert np.array_equal(got[key], value), key


def test_the_membrane_of_neurons_by_equations() -> None:
    """Izhikevich's v rests at -65 and moves; it has no threshold in numbers, and no noise."""
    network = pair(IZHIKEVICH, Plasticity(low=-100.0, high=100.0))
    e = eligibility(Rule("v", output="v/100"), {"in": at([0], 12)}, network)
    assert -0.71 < e < -0.6
    with load("reference", network) as backend:
        refused("theta, and 'cell' has neurons by equations", backend, output="v - theta")
        refused(
            "character 7 .*needs spike probabilities, and 'cell' has no noise",
            backend,
            output="spike*p",
        )


def refused(message: str, backend: Backend, **texts: Any) -> None:
    """Expect one line of refusal."""
    with pytest.raises(NeurorlError, match=message) as problem:
        Learning(backend, Rule("mine", **texts))
    assert "\n" not in str(problem.value)


def test_what_membranes_can_not_tell_is_refused_by_name(backend: Backend) -> None:
    refused(
        "character 9 .*needs spike probabilities, and 'cell' has no", backend, output="spike - p"
    )
    noisy = pair(LIF(0.02, threshold=1.0, noise=0.1))
    with load("reference", noisy, arithmetic="loihi") as chip:
        refused("which chip arithmetic doesn't tell", chip, output="spike - p")
    for name in ("V", "y", "t", "M"):
        refused(f"needs {name}, which only agents have", backend, output=f"spike*{name}")


def test_a_membrane_that_a_simulator_can_not_tell_is_refused(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A chip has no state to read."""
    from neurorl.errors import UnsupportedError

    def refuse(verb: str) -> None:
        if verb == "state":
            raise UnsupportedError("a chip doesn't tell its state")

    monkeypatch.setattr(backend.simulator, "refuse", refuse)
    refused("recording 'cell.voltage'.*doesn't tell its state", backend, output="v")


def test_signals_that_are_not_right_are_refused(backend: Backend) -> None:
    learning = Learning(backend, TOLD)

    def check(message: str, call: Any) -> None:
        with pytest.raises(NeurorlError, match=message) as problem:
            call()
        assert "\n" not in str(problem.value)

    check("window, serotonin: rule 'told'.*", lambda: learning.window({}, 2, {"serotonin": 1.0}))
    check(
        "dopamine of 'cell': wrong shape.*or .2, 1.",
        lambda: learning.window({}, 2, {"dopamine": np.ones((3, 1))}),
    )
    check("not finite", lambda: learning.window({}, 2, {"dopamine": np.nan}))
    check("by population", lambda: learning.window({}, 2, {"dopamine": {"sell": 1.0}}))
    assert backend.t == 0
    learning.window({}, 2)
    check("names dopamine, which the window before still needs", lambda: learning.window({}, 2))
    check("dopamine: is missing", lambda: learning.reinforce(1.0))
    learning.reinforce(1.0, signals={"dopamine": 1.0})
    check("no window waits", lambda: learning.reinforce(1.0, signals={"dopamine": 1.0}))


def test_a_factor_that_is_not_finite_leaves_the_window_to_be_told_again(backend: Backend) -> None:
    learning = Learning(backend, Rule("odd", output="spike/dopamine", signals=("dopamine",)))
    learning.window({"in": at([0], 2), "force": at([0], 2)}, 2)
    with pytest.raises(NeurorlError, match="rule 'odd', cell, step 0, neuron 0"):
        learning.reinforce(1.0, signals={"dopamine": 0.0})
    assert not learning.eligibility("learns").any()
    learning.reinforce(0.0, signals={"dopamine": 2.0})
    assert learning.eligibility("learns").item() == 0.5


LAST = Rule("last", output="spike", eligibility_keep=0.0)
SLOW = Rule("decays", output="spike", eligibility_tau=0.01, modulator="reward")
OTHER = Rule("other", output="2*spike*phi", hidden="2*spike", modulator="dopamine")


def test_the_eligibility_decays_as_the_rule_says(backend: Backend) -> None:
    inputs = {"in": at([0], 2), "force": at([0], 2)}
    seen = {}
    for rule in (LAST, SLOW, Rule("half", output="spike", eligibility_keep=0.5)):
        learning = Learning(backend, rule)
        learning.reset()
        learning.window(inputs, 2)
        learning.window({}, 10)
        seen[rule.name] = learning.eligibility("learns").item()
        learning.close()
    assert seen == {"last": 0.0, "half": 0.5, "decays": pytest.approx(np.exp(-1.0), abs=1e-5)}


def test_projections_learn_by_rules_of_their_own() -> None:
    """Each projection has what it would have if all learned by its rule, under that modulator."""

    def learned(rule: Rule, rules: dict[str, Any], modulator: Any) -> dict[str, Any]:
        with load("reference", two_layers(), seed=4) as backend:
            learning = Learning(backend, rule, rules=rules, rate=0.0)
            for k in range(3):
                rng = np.random.default_rng(k)
                learning.window({"in": rng.random((9, 6)) < 0.4}, 9)
                phi = 0.5 if learning._broadcast else None
                learning.reinforce(modulator, phi=phi, rate=0.01 * (k == 2))
            names = ("up", "out", "back")
            e = {name: learning.eligibility(name) for name in names}
            return e | {f"w {name}": learning.weights(name) for name in names}

    stdp = Rule(
        "stdp",
        output="spike",
        pairs_spikes=True,
        depression=0.5,
        post_tau=0.01,
        modulator="serotonin",
    )
    rules = {"out": OTHER, "back": SLOW}
    mixed = learned(stdp, rules, {"reward": 0.5, "dopamine": -1.0, "serotonin": 2.0})
    for name, rule, modulator in (("up", stdp, 2.0), ("out", OTHER, -1.0), ("back", SLOW, 0.5)):
        alone = learned(rule, {}, modulator)
        assert np.abs(alone[name]).max() > 0
        assert np.array_equal(mixed[name], alone[name]), name
        assert np.array_equal(mixed[f"w {name}"], alone[f"w {name}"]), name


def test_two_rules_into_one_population_are_saved_and_restored() -> None:
    paired = [
        Rule(name, output="spike*slow", pairs_spikes=True, post_tau=tau, slow_tau=tau)
        for name, tau in (("one", 0.01), ("two", 0.05))
    ]
    states = []
    for cut in (False, True):
        with load("reference", two_layers(), seed=4) as backend:
            learning = Learning(backend, paired[0], rules={"back": paired[1]}, rate=0.01)
            for k in range(4):
                if cut and k == 2:
                    state = learning.state()
                    learning.reset()
                    learning.restore(state)
                rng = np.random.default_rng(k)
                learning.window({"in": rng.random((9, 6)) < 0.4}, 9)
                learning.reinforce(1.0)
            states.append(learning.state())
    assert {"post_trace.cells", "post_trace.cells by two"} <= set(states[0])
    assert not np.array_equal(states[0]["post_trace.cells"], states[0]["post_trace.cells by two"])
    for key, value in states[0].items():
        assert np.array_equal(value, states[1][key]), key


def test_rules_and_modulators_that_do_not_fit_are_refused() -> None:
    def check(message: str, call: Any) -> None:
        with pytest.raises(NeurorlError, match=message) as problem:
            call()
        assert "\n" not in str(problem.value)

    with load("reference", two_layers()) as backend:
        check("'inwards'", lambda: Learning(backend, rules={"inwards": SLOW}))
        again = Rule("decays", output="spike*2")
        check("two rules of one name", lambda: Learning(backend, SLOW, rules={"up": again}))
        learning = Learning(backend, SLOW, rules={"up": OTHER})
        check("by the names", lambda: learning.reinforce({"reward": 1.0}))
        check("by the names", lambda: learning.reinforce({"reward": 1.0, "joy": 1.0}))
        check(
            "modulator 'reward': wrong",
            lambda: learning.reinforce({"reward": [1.0, 2.0], "dopamine": 0}),
        )
        learning.close()
        learning = Learning(backend, LAST)
        check("a rule names no modulator", lambda: learning.reinforce({"reward": 1.0}))
