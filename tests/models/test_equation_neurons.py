"""Test neurons by equations: updates of each method, the order in a step, refusals."""

from __future__ import annotations

import dataclasses
import json
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from stepwise import EquationNeurons
from stepwise.neurons import FloatNeurons

from neurorl.errors import DescriptionError, DivergenceError, NeurorlError
from neurorl.expressions import Expression
from neurorl.expressions.linear import NotLinearError, linear
from neurorl.expressions.methods import propagators
from neurorl.expressions.nodes import TEXT, render
from neurorl.models import CubaLIF
from neurorl.models.neurons.equations import Equations
from neurorl.models.neurons.published import ADAPTIVE_LIF, ADEX, COBA_LIF, IZHIKEVICH

LEAK: dict[str, Any] = {
    "equations": "dv/dt = (E - v + q)/tau",
    "threshold": "v > 1",
    "reset": "v = 0",
    "method": "exact",
    "parameters": {"E": 0.5, "tau": 0.02},
}
UPDATE: dict[str, Any] = {**LEAK, "method": "", "parameters": {"E": 0.0}, "initial": {"v": 0.0}}


def trace(neuron: Equations, dt: float, steps: int, variable: str = "v") -> np.ndarray:
    """Return the values of a variable of one neuron without input, after each step."""
    neurons = EquationNeurons(neuron.plan(1, dt))
    values = []
    for _ in range(steps):
        neurons.step({})
        values.append(neurons.state[variable][0])
    return np.array(values)


def test_updates_of_each_method() -> None:
    def updates(**changes: Any) -> list[str]:
        return [str(s) for s in Equations(**{**LEAK, **changes}).plan(1, 1e-3).update]

    assert updates() == ["v = keep_v_v*v + drive_v_v*((E + q) / tau)"]
    assert updates(method="euler") == ["v = v + dt*((E - v + q)/tau)"]
    assert updates(method="exponential_euler") == [
        "slope_v = -1.0 / tau",
        "rest_v = (E + q) / tau",
        "v = where(slope_v == 0, v + dt*rest_v, "
        "(v + rest_v/slope_v)*exp(slope_v*dt) - rest_v/slope_v)",
    ]
    two = "i = q*2\ndv/dt = (E - v + i + u)/tau\ndu/dt = -u/tau + v"
    assert updates(equations=two, method="euler") == [
        "i = q*2",
        "next_v = v + dt*((E - v + i + u)/tau)",
        "next_u = u + dt*(-u/tau + v)",
        "v = next_v",
        "u = next_u",
    ]
    assert updates(equations="u = E*q/tau; v = u", method="", initial={"v": 0.0}) == [
        "u = E*q/tau",
        "v = u",
    ]


@pytest.mark.parametrize("method", ["exact", "exponential_euler"])
def test_a_membrane_is_the_solution_at_any_dt(method: str) -> None:
    neuron = Equations(**{**LEAK, "method": method})
    for dt in (1e-4, 1e-3, 5e-3):
        steps = round(0.1 / dt)
        time = dt * np.arange(1, steps + 1)
        assert trace(neuron, dt, steps) == pytest.approx(0.5 * (1 - np.exp(-time / 0.02)))


def test_euler_comes_closer_with_dt() -> None:
    neuron = Equations(**{**LEAK, "method": "euler"})
    true = 0.5 * (1 - np.exp(-1))
    errors = [abs(trace(neuron, dt, round(0.02 / dt))[-1] - true) for dt in (2e-3, 1e-3, 5e-4)]
    assert errors[0] > 1.8 * errors[1] > 3.2 * errors[2]


def test_exact_is_the_solution_of_coupled_equations() -> None:
    """A damped oscillation has a known solution."""
    text = "dv/dt = w*u - g*v\ndu/dt = -w*v - g*u"
    parameters = {"w": 300.0, "g": 20.0}
    neuron = Equations(
        text, "v > 9", method="exact", parameters=parameters, initial={"v": 1}, inputs=("v",)
    )
    for dt in (1e-4, 1e-3, 1e-2):
        time = dt * np.arange(1, 51)
        true = np.exp(-20 * time) * np.cos(300 * time)
        assert trace(neuron, dt, 50) == pytest.approx(true, abs=1e-13)


def test_propagators() -> None:
    rng = np.random.default_rng(0)
    for n in (1, 2, 3, 4):
        a = rng.normal(0, 1, (n, n, 5)) * 10.0 ** np.arange(-3, 2)
        keep, drive = propagators(a.reshape(n * n, 5), n, 0.5)
        for k in range(5):
            values, vectors = np.linalg.eig(a[:, :, k])
            back = np.linalg.inv(vectors)
            true = (vectors * np.exp(0.5 * values)) @ back
            assert keep[:, :, k] == pytest.approx(true.real, rel=1e-11, abs=1e-12)
            true = (vectors * (np.expm1(0.5 * values) / values)) @ back
            assert drive[:, :, k] == pytest.approx(true.real, rel=1e-10, abs=1e-12)
            alone = propagators(a[:, :, k].reshape(n * n), n, 0.5)
            assert np.array_equal(alone, (keep[:, :, k], drive[:, :, k]))


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_the_bits_of_a_built_in_neuron(noise: float) -> None:
    size, steps = 40, 300
    rng = np.random.default_rng(1)
    model = CubaLIF(5e-3, 20e-3, threshold=2.0, bias=0.125, noise=noise, refractory=3e-3)
    dynamics = model.integrator(size, 1e-3)
    draws = rng.logistic(size=(steps, size))
    built_in = FloatNeurons(dynamics, lambda at: draws[at[0]])
    parameters = {
        "current_decay": dynamics.current_decay,
        "membrane_decay": dynamics.membrane_decay,
        "bias": 0.125,
        "v_t": 2.0,
    }
    text = "u = current_decay*u + q\nv = membrane_decay*v + u + bias"
    equations = Equations(
        text,
        "v > v_t",
        "v = 0",
        parameters=parameters,
        initial={"u": 0, "v": 0},
        noise=noise,
        refractory=3e-3,
    )
    ours = EquationNeurons(equations.plan(size, 1e-3))
    total = 0
    for t in range(steps):
        q = rng.normal(0.1, 0.5, size)
        spikes = ours.step({"q": q}, draws[t])
        assert np.array_equal(spikes, built_in.update(q, [t]))
        assert np.array_equal(ours.state["v"], built_in.v)
        assert np.array_equal(ours.state["u"], built_in.u)
        total += int(spikes.sum())
    assert total > 100


def test_the_order_inside_a_step() -> None:
    """A step does input, update, refractory steps, spike and reset, in this order."""
    neuron = Equations(
        "n += 1; v = v + q",
        "v >= 2",
        "v = -n; n = n + v",
        initial={"v": 0, "n": 0},
        refractory=2e-3,
    )
    neurons = EquationNeurons(neuron.plan(1, 1e-3))
    seen = []
    for _ in range(6):
        spikes = neurons.step({"q": np.array([2.0])})
        seen.append((spikes[0], neurons.state["v"][0], neurons.state["n"][0]))
    # Reset runs line by line; in two dead steps v keeps its value, but n moves on.
    assert seen == [
        (True, -1.0, 0.0),
        (False, -1.0, 1.0),
        (False, -1.0, 2.0),
        (False, 1.0, 3.0),
        (True, -4.0, 0.0),
        (False, -4.0, 1.0),
    ]


def test_a_state_variable_may_be_an_input_and_held_is_ones_own() -> None:
    neurons = EquationNeurons(COBA_LIF.plan(2, 1e-3))
    neurons.step({"ge": np.array([1.0, 0.0])})
    assert neurons.state["ge"].tolist() == [float(Expression("exp(-0.2)").evaluate({})), 0.0]
    assert neurons.state["v"][0] > neurons.state["v"][1] == -60.0
    free = dataclasses.replace(COBA_LIF, held=())
    assert (free.plan(1, 1e-3).held, COBA_LIF.plan(1, 1e-3).held) == ((), ("v",))


def test_parameters_of_each_neuron() -> None:
    neuron = Equations(**{**LEAK, "parameters": {"E": [0.5, 3.0], "tau": 0.02}})
    neurons = EquationNeurons(neuron.plan(2, 1e-3))
    spikes = np.sum([neurons.step({}) for _ in range(50)], axis=0)
    assert spikes.tolist() == [0, 5]
    with pytest.raises(DescriptionError, match=r"parameters\['E'\]: wrong shape"):
        neuron.plan(3, 1e-3)


@pytest.mark.parametrize("neuron", [IZHIKEVICH, ADEX, COBA_LIF, ADAPTIVE_LIF])
def test_plain_data_and_back(neuron: Equations) -> None:
    assert Equations.from_dict(json.loads(json.dumps(neuron.to_dict()))) == neuron
    name = next(iter(neuron.parameters))
    other = neuron.with_parameters(**{name: 0.7})
    assert other != neuron
    assert other.parameters[name] == 0.7


def test_a_threshold_that_rises() -> None:
    neurons = EquationNeurons(ADAPTIVE_LIF.plan(1, 1e-3))
    spikes = [bool(neurons.step({"v": np.array([0.15])})[0]) for _ in range(400)]
    intervals = np.diff(np.flatnonzero(spikes))
    assert intervals[0] < intervals[-1]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"equations": "dv/dt = (E - v*v + q)/tau"},
            "character 14: dv/dt isn't linear in v",
        ),
        (
            {"equations": "dv/dt = (E - v*q)/tau"},
            "character 16: the coefficient of v in dv/dt depends on q.*euler'",
        ),
        (
            {"equations": "dv/dt = (E - exp(v) + q)/tau", "method": "exponential_euler"},
            "character 14: dv/dt isn't linear in v.*take method='euler'",
        ),
        ({"equations": "dv/dt = (E - v + q)/tauu"}, "character 21: unknown name 'tauu'.*'tau'"),
        (
            {"equations": "dv/dt = (E - v + q)/tau : volt"},
            "character 25: ':' isn't in",
        ),
        ({"equations": "dv/dt = q*E/tau\ndv/dt = -v"}, "v has two equations"),
        ({"equations": "# nothing"}, "no state variable"),
        ({"equations": "v = v + E/tau + q", "method": ""}, "character 5: 'v' is read before it is"),
        (
            {"equations": "v = v*E/tau + q", "method": "", "initial": {"v": 0, "w": 1}},
            r"initial: nothing sets 'w'; write w = \.\.\., or make it a parameter",
        ),
        (
            {"equations": "dv/dt = i/tau\ni = j + q\nj = E - i"},
            "line 2, character 5: 'i' is defined by itself",
        ),
        ({"equations": "dv/dt = E + q/tau\nE = 2"}, "line 2, character 1: 'E' can't be set"),
        ({"equations": "v = E/tau + q", "initial": {"v": 0}}, "an update has no method"),
        ({"threshold": 3}, "threshold, character 1: not a text but int"),
        ({"equations": None}, "equations, character 1: not a text"),
        ({"threshold": "v"}, "threshold, character 1: a number where a boolean is needed"),
        ({"threshold": "vv > 1"}, "threshold, character 1: unknown name 'vv'.*mean 'v'"),
        ({"reset": "v = 0\nE = 2"}, "reset, line 2, character 1: 'E' can't be set here"),
        ({"reset": "v = xi"}, "reset, line 1, character 5: unknown name 'xi'"),
        ({"threshold": "v > xi"}, "threshold, character 5: unknown name 'xi'"),
        (
            {"equations": "dv/dt = xi + (E - v + q)/tau", "method": "rk4"},
            "Equations.method: isn't for white noise, 'xi' .*rk4.*; euler, or heun",
        ),
        (
            {"equations": "v = v + E/tau + q + xi_a", "method": "", "initial": {"v": 0}},
            "line 1, character 21: 'xi_a' is of differential equations",
        ),
        (
            {"equations": "dv/dt = (E - v*xi + q)/tau"},
            "the coefficient of v in dv/dt depends on xi",
        ),
        ({"method": "rk5"}, "Equations.method: unknown name.*did you mean 'rk4'"),
        ({"method": "x"}, "Equations.method: unknown name.*exact, exponential_euler"),
        ({"method": ""}, "Equations.method: an equation dx/dt needs one; say one of "),
        ({"initial": {"w": 0}}, "Equations.initial: unknown name.*known: v"),
        ({"held": ("w",)}, "Equations.held: unknown name"),
        ({"parameters": {"E": 0.0, "tau": 0.02, "tua": 1}}, "parameters: nothing uses 'tua'"),
        ({"parameters": {"E": 0.0, "tau": 0.0}}, "isn't finite.*a parameter that is 0"),
        ({"parameters": {"E": 0.0, "tau": 0.02, "v": 1}}, "also a state variable"),
        ({"parameters": {"E": 0.0, "tau": 0.02, "dt": 1}}, "also a name of its own"),
        ({"parameters": {"E": 0.0, "tau": 0.02, "exp": 1}}, "'exp' is a function"),
        ({"parameters": {"E": 0.0, "tau": 0.02, 3: 1}}, "not a name"),
        ({"parameters": {"E": 0.0, "tau": np.nan}}, "not finite"),
        ({"parameters": {"E": "0", "tau": "x"}}, "not an array of numbers"),
        ({"parameters": 3}, "must be a dict"),
        ({"inputs": ("q", "ge")}, "inputs: nothing uses 'ge'"),
        ({"inputs": ("a.b",)}, "inputs, character 2"),
        ({"inputs": (3,)}, "not a name"),
        ({"inputs": 3}, "must be a tuple"),
        ({"noise": 0.5, "threshold": "v > 1 and v < 2"}, "noise needs a threshold `left > right`"),
        ({"noise": -1.0}, "must not be negative"),
        ({"refractory": -1.0}, "must not be negative"),
        (
            {"equations": "dkeep_v_v/dt = 0*E\ndv/dt = (q - v + keep_v_v)/tau"},
            "needs the name 'keep_v_v'",
        ),
        (
            {
                "equations": "\n".join(f"d{x}/dt = (E + q - {x})/tau" for x in "vabcd"),
            },
            "exact takes at most 4 variables",
        ),
    ],
)
def test_what_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(NeurorlError, match=message):
        Equations(**{**LEAK, **changes})


def test_nan_is_found_where_it_arises() -> None:
    neuron = Equations(**{**UPDATE, "equations": "v = 0.5*v + q/(1 - q) - q/(1 - q) + E"})
    neurons = EquationNeurons(neuron.plan(3, 1e-3), "hidden")
    neurons.step({"q": np.zeros(3)})
    message = "population 'hidden', neuron 1, step 1: v has become nan"
    with pytest.raises(DivergenceError, match=message):
        neurons.step({"q": np.array([0.0, 1.0, 1.0])})


@given(st.integers(-3, 3), st.integers(-3, 3), st.integers(-3, 3), st.integers(-3, 3))
def test_linear_parts(v: int, w: int, a: int, b: int) -> None:
    names = {"v": v, "w": w, "a": a, "b": b}
    for text in ("a*v + b*w - 3", "-(v - a)*2 - (w/4 + v*b)", "a*b", "w", "(v + w)**1*a - (b + v)"):
        tree = Expression(text).tree
        parts = linear(tree, ("v", "w"))
        terms = [(names[x], node) for x, node in parts.coefficients.items()]
        total = sum(x * Expression(render(node, TEXT)).evaluate(names) for x, node in terms)
        if parts.rest is not None:
            total += Expression(render(parts.rest, TEXT)).evaluate(names)
        assert total == Expression(text).evaluate(names)
    for text in ("v*w", "v/w", "1/v", "exp(v)", "v**2", "where(v > 0, v, w)"):
        with pytest.raises(NotLinearError):
            linear(Expression(text).tree, ("v", "w"))


ODD: list[Any] = [None, 3, -1, "x", "", "(", "v" * 5000, "exp(v)/0", [], {}, [1, 2], ["v"], True]
ODD += [{"array": [[1]], "dtype": "float64", "shape": [1, 1]}, {"type": "LIF"}, 1e300, np.inf]


@given(st.randoms(use_true_random=False))
def test_hostile_data_is_read_or_refused_in_one_line(rng: random.Random) -> None:
    data = json.loads(json.dumps(rng.choice([IZHIKEVICH, COBA_LIF, ADAPTIVE_LIF]).to_dict()))
    key = rng.choice([name for name in data if name != "type"])
    value = data[key]
    if isinstance(value, dict) and value and rng.random() < 0.7:
        value[rng.choice([*value, "new", "exp", ""])] = rng.choice(ODD)
    elif isinstance(value, str) and rng.random() < 0.7:
        at = rng.randrange(len(value) + 1)
        data[key] = value[:at] + rng.choice(["", "(", "v", "1e", "/0", "=", ";", "\n"]) + value[at:]
    else:
        data[key] = rng.choice(ODD)
    try:
        Equations.from_dict(data).plan(2, 1e-3)
    except NeurorlError as error:
        text = str(error)
    else:
        text = ""
    assert "\n" not in text
