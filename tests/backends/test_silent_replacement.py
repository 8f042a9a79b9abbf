"""Nothing runs as something simpler than it is, as nengo-loihi's LIF for an AdaptiveLIF."""

from __future__ import annotations

import dataclasses
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from neurorl import SpikingActorCritic
from neurorl.backends.registry import backend_class
from neurorl.errors import DescriptionError, UnknownNameError, UnsupportedError
from neurorl.models import LIF
from neurorl.network.description import Network, Population
from neurorl.network.neuron import StepPlan
from neurorl.nir import from_nir

backend_class("loihi")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import nengo


@dataclass(frozen=True, eq=False)
class AdaptiveLIF(LIF):
    """Add the parameters that nengo's neuron has."""

    tau_n: float = 0.1
    inc_n: float = 0.01


@dataclass(frozen=True, eq=False)
class SlowerLIF(LIF):
    """Add a parameter that statements can express: such a model is like any other."""

    factor: float = 2.0

    def plan(self, size: int, dt: float) -> StepPlan:
        return LIF(self.factor * self.tau_mem, self.threshold).plan(size, dt)


class Undefined(LIF):
    def plan(self, size: int, dt: float) -> StepPlan:
        return self.integrator  # type: ignore[return-value]


@pytest.mark.parametrize("neuron", [nengo.AdaptiveLIF(), nengo.LIF(), nengo.Izhikevich()])
def test_neurons_of_nengo_are_refused_by_name(neuron: Any) -> None:
    name = type(neuron).__name__
    with pytest.raises(DescriptionError, match=f"'cells'.neuron: not a neuron model .got {name}"):
        Population("cells", 3, neuron)
    with pytest.raises(DescriptionError, match=f"of another type .got {name}"):
        SpikingActorCritic("CartPole-v1", neuron=neuron)


def test_a_parameter_that_nobody_simulates_is_refused_by_name() -> None:
    with pytest.raises(DescriptionError, match=r"'cells': AdaptiveLIF.inc_n: a parameter that no"):
        Population("cells", 3, AdaptiveLIF())
    with pytest.raises(UnknownNameError, match="AdaptiveLF"):
        Network.from_dict({"type": "AdaptiveLF"})


def test_one_that_its_statements_express_is_not() -> None:
    slow = Population("cells", 3, SlowerLIF(tau_mem=5e-3))
    expected = LIF(10e-3).integrator(3, 1e-3).membrane_decay
    assert np.array_equal(slow.neuron.integrator(3, 1e-3).membrane_decay, expected)


def test_the_former_way_to_define_a_neuron_is_refused_by_name() -> None:
    with pytest.raises(DescriptionError, match=r"Old\.dynamics: has no effect any more.*plan\(\)"):
        type("Old", (LIF,), {"dynamics": lambda self, size, dt: None})


def test_a_bias_that_nobody_would_add_is_refused_by_name() -> None:
    def plan(self: LIF, size: int, dt: float) -> StepPlan:
        own = LIF(self.tau_mem).plan(size, dt)
        return dataclasses.replace(own, update=own.update[:1])

    with pytest.raises(
        DescriptionError, match=r"'cells'\.neuron: a bias in statements that are no"
    ):
        Population("cells", 3, type("Odd", (LIF,), {"plan": plan})())


def test_what_is_no_plan_is_refused_by_name() -> None:
    with pytest.raises(DescriptionError, match=r"'cells'.*plan\(\) of no StepPlan .got method"):
        Population("cells", 3, Undefined())


@pytest.mark.parametrize("named", ["AdaptiveLIF", "LIF"])
def test_a_neuron_of_nir_that_adapts_is_refused_by_name(named: str) -> None:
    nir = pytest.importorskip("nir", reason="needs the package nir")
    one = np.ones(2)
    kind = type(named, (nir.LIF,), {})
    node = kind(tau=one, r=one, v_leak=0 * one, v_threshold=one)
    if named == "LIF":
        object.__setattr__(node, "tau_n", one)
    nodes = {"in": nir.Input(np.array([2])), "w": nir.Linear(np.eye(2)), "cells": node}
    graph = nir.NIRGraph(nodes, [("in", "w"), ("w", "cells")], type_check=False)
    words = r"'cells' \(LIF\) with 'tau_n'" if named == "LIF" else r"'cells' \(AdaptiveLIF\)"
    with pytest.raises(UnsupportedError, match=words):
        from_nir(graph, dt=1e-2)
