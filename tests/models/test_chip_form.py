"""Test equations that are LIF or CubaLIF neurons in other words, and those that aren't."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from neurorl.backends.reference.equations import EquationNeurons
from neurorl.backends.reference.neurons import FloatNeurons
from neurorl.backends.registry import backend_class
from neurorl.models import ADAPTIVE_LIF, ADEX, COBA_LIF, IZHIKEVICH, LIF, CubaLIF, Equations
from neurorl.models.chip_form import ChipForm, chip_form
from neurorl.network.description import Network, Population, Source

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
    theirs = FloatNeurons(built_in(form).dynamics(SIZE, DT), lambda steps: draws[steps[0]])
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
    assert neuron.nearest_on_chip(SIZE, DT) == "CubaLIF, LIF"


def test_the_chip_names_it() -> None:
    neuron = REDUCIBLE["a current, exactly"]
    network = Network((Source("input", 2), Population("cells", 3, neuron)))
    (problem,) = backend_class("loihi").problems(network, "loihi")
    assert "CubaLIF(tau_syn=0.004, tau_mem=0.015, threshold=1), weights times 0.683809" in problem
    assert "which makes the same spikes" in problem
