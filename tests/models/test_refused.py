"""Test that what can't be is refused where it is made, in one line that says why."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neurorl import Network, Population, Projection, Source, SpikingActorCritic, Uniform
from neurorl.errors import ArgumentError, DescriptionError
from neurorl.models import IZHIKEVICH, LIF
from neurorl.models.features.bases import RBF
from neurorl.models.features.states import HashedStates
from neurorl.models.neurons.leaky import InChipUnits, Lesion
from neurorl.nengo import to_nengo
from neurorl.network.connectors import Synapses

WRONG: Any = "a text"
HALF: Any = (0.5,)


def agent(network: Network, **options: Any) -> SpikingActorCritic:
    return SpikingActorCritic("neurorl/Bandit-v0", description=network, **options)


def network(inputs: int, outputs: int) -> Network:
    nodes = (Source("input", inputs), Population("output", outputs, LIF(tau_mem=8e-3)))
    return Network(nodes, (Projection("in", "input", "output", Uniform(0, 1)),), 1e-3)


REFUSED: dict[str, tuple[Callable[[], Any], str]] = {
    "a source of another size": (lambda: agent(network(7, 2)), "of a channel for each cell"),
    "another neuron in the chip's units": (lambda: InChipUnits(WRONG, 1.0), "LIF, CubaLIF, GLM"),
    "what is no neuron, silenced": (lambda: Lesion(WRONG, (1,)), "not a neuron model"),
    "half a neuron silenced": (lambda: Lesion(LIF(), HALF), "must be a whole number"),
    "ragged synapses": (lambda: Synapses([[0], [1, 2]], [0, 1]), "whole numbers"),
    "a range upside down": (lambda: RBF([1.0], [0.0]), "must not be below low"),
    "ranges of two sizes": (lambda: RBF([0.0, 0.0], [1.0]), "got 1, limit 2"),
    "nengo of a text": (lambda: to_nengo(WRONG), "not a neurorl.Network"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cant_be_is_refused(case: str) -> None:
    make, said = REFUSED[case]
    with pytest.raises((DescriptionError, ArgumentError)) as refused:
        make()
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_refractory_period_of_years_is_refused() -> None:
    cells = dataclasses.replace(IZHIKEVICH, refractory=1e9)
    with pytest.raises(DescriptionError, match="too long"):
        cells.plan(1, 1e-3)


def test_an_observation_of_another_size_is_refused() -> None:
    states = HashedStates(3, (0, 1, 2))
    with pytest.raises(ArgumentError, match="another size"):
        states.flat(np.zeros(4))
