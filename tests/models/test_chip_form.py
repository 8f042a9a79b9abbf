"""Test equations that are LIF or CubaLIF neurons in other words, and those that aren't."""

from __future__ import annotations

import dataclasses
import importlib.util
from typing import Any

import numpy as np
import pytest
from stepwise import EquationNeurons
from stepwise.neurons import FloatNeurons

import neurorl
from neurorl import SpikingActorCritic
from neurorl.backends.registry import backend_class, load
from neurorl.errors import UnsupportedError
from neurorl.models import (
    ADAPTIVE_LIF,
    ADEX,
    COBA_LIF,
    IZHIKEVICH,
    LIF,
    CubaLIF,
    Equations,
    on_chip,
)
from neurorl.models.neurons.chip_form import ChipForm, chip_form
from neurorl.network.description import (
    Network,
    Neuron,
    Plasticity,
    Population,
    Projection,
    Source,
    Uniform,
)
from neurorl.testing import same_state

SIZE, STEPS, DT = 20, 400, 1e-3
REDUCIBLE: dict[str, Equations] = {
    "an update": Equations(
        "u = 0.8*u + q\nv = 0.9*v + u + b",
        threshold="v > 1.2",
        reset="v = 0",
        parameters={"b": np.linspace(0, 0.02, SIZE)},
        initial={"u": 0.0, "v": 0.0},
        refractory=3e-3,
    ),
    "a membrane in mV": Equations(
        "dv/dt = (E - v + R*q)/tau",
        threshold="v > -50",
        reset="v = E",
        method="exact",
        parameters={"E": -65.0, "R": 300.0, "tau": 20e-3},
        initial={"v": -65.0},
        refractory=2e-3,
        noise=0.5,
    ),
    "a current, exactly": Equations(
        "dv/dt = (-v + R*i)/tau_m\ndi/dt = -i/tau_s",
        threshold="v > 1",
        reset="v = 0",
        method="exact",
        parameters={"R": 12.0, "tau_m": 15e-3, "tau_s": 4e-3},
        inputs=("i",),
    ),
    "exponential Euler's": Equations(
        "dv/dt = (R*q - v)/tau",
        threshold="v > 1",
        reset="v = 0",
        method="exponential_euler",
        parameters={"R": 10.0, "tau": np.linspace(5e-3, 20e-3, SIZE)},
    ),
    "Euler's": Equations(
        "dv/dt = (R*q - v)/tau",
        threshold="v > 1",
        reset="v = 0",
        method="euler",
        parameters={"R": 10.0, "tau": np.linspace(5e-3, 20e-3, SIZE)},
    ),
}


def built_in(form: ChipForm) -> Any:
    names = ("tau_mem", "threshold", "bias", "noise", "refractory")
    values = {name: getattr(form, name) for name in names}
    return LIF(**values) if form.tau_syn is None else CubaLIF(tau_syn=form.tau_syn, **values)


@pytest.mark.parametrize("name", REDUCIBLE)
def test_the_form_makes_the_same_spikes(name: str) -> None:
    neuron, rng = REDUCIBLE[name], np.random.default_rng(0)
    plan = neuron.plan(SIZE, DT)
    form = chip_form(plan, DT)
    assert form is not None
    ours, draws = EquationNeurons(plan), rng.logistic(size=(STEPS, SIZE))
    theirs = FloatNeurons(built_in(form).integrator(SIZE, DT), lambda steps: draws[steps[0]])
    arrived = rng.normal(0.1, 0.4, (STEPS, SIZE))
    spikes = [ours.step({plan.inputs[0]: q}, draws[t]) for t, q in enumerate(arrived)]
    expected = [theirs.update(q * form.scale, [t]) for t, q in enumerate(arrived)]
    assert np.sum(spikes) > 50
    assert np.array_equal(spikes, expected)


@pytest.mark.parametrize(
    "neuron",
    [
        *(IZHIKEVICH, ADEX, COBA_LIF, ADAPTIVE_LIF),
        dataclasses.replace(REDUCIBLE["an update"], reset="v = 0; u = 0"),
        dataclasses.replace(REDUCIBLE["an update"], held=()),
        dataclasses.replace(REDUCIBLE["an update"], threshold="v >= 1.2"),
        dataclasses.replace(REDUCIBLE["an update"], threshold="v > 1 + u"),
        dataclasses.replace(REDUCIBLE["a membrane in mV"], initial={"v": -60.0}),
        dataclasses.replace(REDUCIBLE["a membrane in mV"], reset="v -= 15"),
    ],
)
def test_what_is_no_neuron_of_the_chip(neuron: Equations) -> None:
    assert chip_form(neuron.plan(SIZE, DT), DT) is None
    assert neuron.on_chip(SIZE, DT) is None
    network = Network((Source("input", 2), Population("cells", SIZE, neuron)))
    if importlib.util.find_spec("nengo_loihi") is not None:
        (problem,) = backend_class("loihi").problems(network, "loihi")
        assert "'cells' of neurons by equations in chip arithmetic that are no LIF" in problem
    with pytest.raises(
        UnsupportedError, match="population 'cells' of neurons by equations in chip"
    ):
        load("reference", network, arithmetic="loihi")


SHARE = 300 * (1 - np.exp(-0.05))  # of a weight, in mV
BY_HAND: dict[str, Neuron] = {
    "an update": CubaLIF(
        -DT / np.log(0.8), -DT / np.log(0.9), 1.2, np.linspace(0, 0.02, SIZE), 0.0, 3e-3
    ),
    "a membrane in mV": LIF(20e-3, 15.0 / SHARE, 0.0, 0.5 / SHARE, 2e-3),
}
"""Hold the neurons of the chip that equations are, for the same weights."""


def driven(neuron: Neuron, target: str | None = None) -> Network:
    """Return neurons of a kind with a projection that learns, a loop with a delay and a current."""
    learned = Plasticity(low=-1.0, high=1.5)
    return Network(
        (Source("input", 6), Source("level", 2, "current"), Population("cells", SIZE, neuron)),
        (
            Projection(
                "drive", "input", "cells", Uniform(-0.2, 0.9), plasticity=learned, target=target
            ),
            Projection("loop", "cells", "cells", Uniform(-0.3, 0.2), delay=3e-3, target=target),
            Projection("flow", "level", "cells", 0.02, target=target),
        ),
        DT,
    )


@pytest.mark.parametrize("name", BY_HAND)
@pytest.mark.parametrize("backend", ["reference", "brian2:numpy", "torch", "loihi"])
def test_it_runs_in_chip_arithmetic_as_the_neuron_that_it_is(name: str, backend: str) -> None:
    choice, _, engine = backend.partition(":")
    module = {"reference": "numpy", "loihi": "nengo_loihi"}.get(choice, choice)
    pytest.importorskip(module, reason=f"{module} is not installed")
    options: dict[str, Any] = {"engine": engine} if engine else {}
    options |= {"seed": [3, 4], "arithmetic": "loihi"}
    neuron = REDUCIBLE[name]
    (target,) = neuron.inputs
    rng, spikes = np.random.default_rng(2), 0
    with (
        load("reference", driven(BY_HAND[name]), seed=[3, 4], arithmetic="loihi") as expected,
        load(choice, driven(neuron, target), **options) as got,
    ):
        for _ in range(3):
            inputs: dict[str, Any] = {
                "input": rng.random((40, 12)) < 0.2,
                "level": rng.random(4),
            }
            rasters = [b.step(inputs, 40)["cells"] for b in (expected, got)]
            assert np.array_equal(rasters[0], rasters[1])
            spikes += int(rasters[0].sum())
            for k in (0, 1):
                assert same_state(expected.state(k), got.state(k)) == []
            written = rng.uniform(-1, 1.5, (2, 6, SIZE))
            in_force = [b.set_weights("drive", written) for b in (expected, got)]
            assert np.array_equal(in_force[0], in_force[1])
            assert np.abs(in_force[0] - written).max() < 0.02  # in the units of the description
    assert spikes > 100


def test_the_chip_makes_about_the_spikes_of_the_equations() -> None:
    network = driven(REDUCIBLE["a membrane in mV"], "q")
    inputs = {"input": np.random.default_rng(1).random((400, 6)) < 0.3}
    rasters = []
    for arithmetic in ("float", "loihi"):
        with load("reference", network, seed=1, arithmetic=arithmetic) as backend:
            rasters.append(backend.step(inputs, 400)["cells"])
            assert ("cells.v" in backend.state()) == (arithmetic == "float")
    assert rasters[0].sum() > 500
    assert abs(int(rasters[1].sum()) - int(rasters[0].sum())) < 0.03 * rasters[0].sum()


def test_validate_takes_one_arithmetic() -> None:
    network = driven(REDUCIBLE["an update"], "q")
    lanes = ["reference:loihi", "brian2:loihi:numpy"]
    pytest.importorskip("brian2")
    assert neurorl.validate(network, lanes, steps=60).verdict == "exact"
    with pytest.raises(UnsupportedError, match=r"validate neurorl\.models\.on_chip\(network\)"):
        neurorl.validate(network, ["reference:float", "reference:loihi"], steps=60)
    assert neurorl.validate(on_chip(network), ["reference", "reference:loihi"], steps=60).rows


def test_an_agent_learns_the_same_in_chip_arithmetic() -> None:
    equations = Equations(
        "v = 0.9*v + q", threshold="v > 1", reset="v = 0", noise=0.2, initial={"v": 0.0}
    )
    weights = []
    for neuron in (equations, LIF(-DT / np.log(0.9), 1.0, 0.0, 0.2)):
        agent = SpikingActorCritic(
            "CartPole-v1", neuron=neuron, seed=2, arithmetic="loihi", rule="reward-stdp", window=8
        )
        agent.learn(total_episodes=2)
        weights.append(agent.weights)
        agent.close()
    for name, values in weights[0].items():
        assert np.array_equal(values, weights[1][name]), name
