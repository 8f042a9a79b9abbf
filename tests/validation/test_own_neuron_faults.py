"""Test that validation names the fault of backends that run equation neurons with one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from stepwise import EquationNeurons, SteppedSimulator

import neurorl
from neurorl.backends.reference.node import side_by_side
from neurorl.backends.reference.simulator import ReferenceSimulator
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.spec import BackendSpec
from neurorl.models import ADAPTIVE_LIF, COBA_LIF, LIF, Equations
from neurorl.network.description import Network, Population, Projection, Source, Uniform
from neurorl.network.neuron import StepPlan
from neurorl.numerics.random import NoiseRows
from neurorl.validation.diagnosis import probe
from neurorl.validation.evidence import Evidence
from neurorl.validation.history import enact
from neurorl.validation.subject import Subject, make_stimulus

COBA = dataclasses.replace(COBA_LIF, noise=0.5, refractory=3e-3)
ADAPTIVE = ADAPTIVE_LIF.with_parameters(v_t=0.5, tau_a=30e-3)
NETWORK = Network(
    (Source("input", 8), Population("coba", 6, COBA), Population("adaptive", 4, ADAPTIVE)),
    (
        Projection("excites", "input", "coba", Uniform(0.2, 1.0), target="ge"),
        Projection("inhibits", "input", "coba", Uniform(0.0, 0.4), delay=2e-3, target="gi"),
        Projection("second", "coba", "adaptive", Uniform(0.1, 0.8)),
    ),
)


class Faulty(SteppedSimulator):
    """Let population *where* have another plan, neurons, or input."""

    name = "faulty"
    where = "coba"

    def planned(self, plan: StepPlan) -> StepPlan:
        return plan

    def _make_equations(self, name: str, plan: StepPlan) -> EquationNeurons:
        return super()._make_equations(name, self.planned(plan) if name == self.where else plan)


def with_plan(change: Callable[[StepPlan], StepPlan], where: str = "coba") -> type[Faulty]:
    def planned(self: Faulty, plan: StepPlan) -> StepPlan:
        return change(plan)

    return type("Planned", (Faulty,), {"planned": planned, "where": where})


def parameter(neuron: Equations, where: str = "coba", **values: float) -> type[Faulty]:
    size = NETWORK.node(where).size
    return with_plan(lambda _: neuron.with_parameters(**values).plan(size, 1e-3), where)


def changed(where: str = "coba", **changes: Any) -> type[Faulty]:
    return with_plan(lambda plan: dataclasses.replace(plan, **changes), where)


def begun(**values: float) -> type[Faulty]:
    def change(plan: StepPlan) -> StepPlan:
        other = {x: np.full(plan.size, v) for x, v in values.items()}
        return dataclasses.replace(plan, initial={**plan.initial, **other})

    return with_plan(change)


class OtherSeed(Faulty):
    """Draw the noise of the next seed."""

    def _make_equations(self, name: str, plan: StepPlan) -> EquationNeurons:
        made = super()._make_equations(name, plan)
        if made._noise is not None:
            rows = NoiseRows(self.simulated.seeds[0] + 1, NETWORK.index(name), plan.size)
            made._noise = side_by_side([rows])
        return made


class Heavier(Faulty):
    """Let spikes of a projection transmit a twentieth more."""

    def write_weights(self, projection: str) -> None:
        super().write_weights(projection)
        if projection == "excites":
            self.transmitted[projection] *= 1.05


class Swapped(Faulty):
    """Let what is sent to ge arrive at gi."""

    def arrived(self, name: str, size: int) -> dict[str, Any]:
        sums = super().arrived(name, size)
        return {"ge": 0 * sums["ge"], "gi": sums["ge"] + sums["gi"]} if "ge" in sums else sums


class Single(Faulty):
    """Keep a conductance in single precision."""

    def arrived(self, name: str, size: int) -> dict[str, Any]:
        if name == "coba":
            state = self.equations[name].state
            state["ge"] = state["ge"].astype(np.float32).astype(np.float64)
        return super().arrived(name, size)

    def step(self, inputs: Any, n_steps: int) -> Any:
        out = super().step(inputs, n_steps)
        self.arrived("coba", 6)
        return out


FAULTS: dict[str, tuple[type[Faulty], str, str]] = {
    "a time constant": (parameter(COBA, tau_e=6e-3), "parameter", "tau_e is 1.2 times"),
    "a method": (
        with_plan(lambda _: dataclasses.replace(COBA, method="euler").plan(6, 1e-3)),
        "method",
        "integrated by 'euler', not 'exponential_euler'",
    ),
    "an initial value": (begun(v=-55.0), "initial value", "v begins 5 above"),
}
MORE: dict[str, tuple[type[Faulty], str, str]] = {
    "no reset": (changed(reset=()), "reset", "nothing is reset"),
    "a seed": (OtherSeed, "noise source", "that of seed +1"),
    "a weight": (Heavier, "weights", "weights of excites are 1.05 times"),
    "a potential": (parameter(COBA, Ei=-85.0), "parameter", "Ei is 1.0625 times"),
    "a threshold": (parameter(COBA, VT=-51.0), "parameter", "VT is 1.02"),
    "an exact time constant": (
        parameter(ADAPTIVE, "adaptive", tau_m=30e-3),
        "parameter",
        "tau_m is 1.5 times",
    ),
    "a step": (
        with_plan(lambda _: dataclasses.replace(COBA, refractory=1.5e-3).plan(6, 5e-4)),
        "method",
        "steps of 0.0005 s, not 0.001 s",
    ),
    "a line of the reset": (
        with_plan(lambda plan: dataclasses.replace(plan, reset=plan.reset[:1]), "adaptive"),
        "reset",
        "leaves out 'a = a + (1)'",
    ),
    "a value of the reset": (parameter(COBA, v_reset=-58.0), "reset", "sets v 2 above v_reset"),
    "dead steps": (
        with_plan(
            lambda plan: dataclasses.replace(plan, refractory_steps=plan.refractory_steps - 1)
        ),
        "refractory",
        "1 dead step(s) fewer",
    ),
    "what is held": (changed(held=()), "refractory", "no variable keeps its value"),
    "an input": (Swapped, "weights", "what is sent to ge arrives at gi"),
    "a precision": (Single, "float error", "single precision"),
    "a width": (
        with_plan(lambda _: dataclasses.replace(COBA, noise=1.0).plan(6, 1e-3)),
        "noise source",
        "the width of the noise is",
    ),
}


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        *FAULTS.items(),
        *(pytest.param(name, fault, marks=pytest.mark.slow) for name, fault in MORE.items()),
    ],
)
def test_a_fault_is_named(name: str, fault: tuple[type[Faulty], str, str]) -> None:
    simulator, cause, detail = fault
    result = neurorl.validate(NETWORK, ["reference", simulator], steps=80)
    assert result.verdict == "different"
    first = result.explanations[0]
    assert (first.population, first.lane) == (simulator.where, "faulty:float")
    assert (first.cause, detail in first.detail) == (cause, True), first.detail


DRAWN = Equations(
    "dv/dt = (1.2 + 0.4*sin(f*t) - v + q)/tau + s*sqrt(2/tau)*xi + s*xi_other\ndq/dt = -q/tau",
    threshold="v > 1 and rand < 0.8",
    reset="v = 0",
    method="euler",
    parameters={"f": 50.0, "tau": 12e-3, "s": 0.2},
    refractory=2e-3,
    inputs=("q",),
)
OF_DRAWS = Network(
    (Source("input", 4), Population("first", 3, LIF()), Population("cells", 6, DRAWN)),
    (
        Projection("drive", "input", "cells", 0.3),
        Projection("other", "first", "cells", 0.3),
        Projection("up", "input", "first", 0.9),
    ),
)


def described(network: Network, neuron: Equations) -> Network:
    """Return the network with other cells."""
    cells = Population("cells", 6, neuron)
    return dataclasses.replace(network, nodes=(*network.nodes[:2], cells))


def reading(neuron: Equations) -> type[ReferenceSimulator]:
    """Return a reference that has read another neuron."""

    def build(self: ReferenceSimulator, simulated: SimulatedNetwork) -> None:
        other = described(simulated.network, neuron)
        ReferenceSimulator.build(self, dataclasses.replace(simulated, network=other))

    return type("Otherwise", (ReferenceSimulator,), {"build": build, "name": "faulty"})


def test_draws_and_time_are_predicted_whatever_the_calls() -> None:
    subject = Subject("drawn", OF_DRAWS)
    stimulus = make_stimulus(subject, 60, 4, "float")
    spec = BackendSpec("native", "float")
    history = enact(subject, spec, 4, probe(subject, stimulus, 4, 40, 120))
    evidence = Evidence(OF_DRAWS, OF_DRAWS.populations[1], history)
    assert not evidence.odd_calls(evidence.plain, exact=True).any()
    assert evidence.plain["spikes"].sum() > 20


@pytest.mark.parametrize(
    ("neuron", "cause", "detail"),
    [
        (DRAWN.with_parameters(s=0.3), "parameter", "s is 1.5 times"),
        (DRAWN.with_parameters(s=0.0), "parameter", "s is 0 times"),
        (DRAWN.with_parameters(f=55.0), "parameter", "f is 1.1 times"),
        (dataclasses.replace(DRAWN, method="heun"), "method", "by 'heun', not 'euler'"),
        (dataclasses.replace(DRAWN, refractory=4e-3), "refractory", "2 dead step(s) more"),
        (dataclasses.replace(DRAWN, threshold="v > 1 and rand < 0.7"), "unknown", ""),
    ],
)
def test_a_fault_beside_draws_is_named(neuron: Equations, cause: str, detail: str) -> None:
    result = neurorl.validate(OF_DRAWS, ["reference", reading(neuron)], steps=80)
    first = result.explanations[0]
    assert (first.cause, detail in first.detail) == (cause, True), first.detail
