"""Quantities with units are refused by name, wherever a number goes in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neurorl import Network, Plasticity, Population, Projection, Source, SpikingActorCritic
from neurorl.backends.registry import load
from neurorl.errors import DescriptionError
from neurorl.models import LIF, CubaLIF
from neurorl.models.features import RBF, GaussianCells
from neurorl.network.units import unit_of
from neurorl.testing import FEATURES

brian2 = pytest.importorskip("brian2", reason="its quantities are those that are refused")
ms, mv = brian2.ms, brian2.mV
IN, OUT = Source("in", 2), Population("out", 2, LIF())


def network(**options: Any) -> Network:
    return Network((IN, OUT), (Projection("p", "in", "out", **options),))


def written(weights: Any) -> None:
    with load("reference", network(weights=np.ones((2, 2)))) as backend:
        backend.set_weights("p", weights)


def shown(activations: Any) -> None:
    with load("reference", FEATURES["currents"]()) as backend:
        name = backend.network.sources[0].name
        backend.step({name: activations}, 3)


PLACES: dict[str, Callable[[], Any]] = {
    "LIF.threshold": lambda: LIF(threshold=15 * mv),
    "LIF.tau_mem": lambda: LIF(tau_mem=10 * ms),
    "LIF.refractory": lambda: LIF(refractory=2 * ms),
    "CubaLIF.tau_syn": lambda: CubaLIF(tau_syn=5 * ms),
    "LIF.bias": lambda: LIF(bias=np.array([1, 2]) * mv),
    "LIF.noise": lambda: LIF(noise=[1 * mv, 2 * mv]),
    "delay": lambda: network(delay=2 * ms),
    "weights": lambda: network(weights=np.ones((2, 2)) * mv),
    "Network.dt": lambda: Network((IN, OUT), (), dt=1 * ms),
    "Plasticity.trace_tau": lambda: Plasticity(trace_tau=20 * ms),
    "size": lambda: Population("out", 2 * brian2.second, LIF()),
    "agent.trace_tau": lambda: SpikingActorCritic("CartPole-v1", trace_tau=5 * ms),
    "agent.window": lambda: SpikingActorCritic("CartPole-v1", window=12 * ms),
    "GaussianCells.low": lambda: GaussianCells([0 * mv, 1 * mv], [1, 2]),
    "RBF.high": lambda: RBF([0, 0], np.array([1, 2]) * mv),
    "weights of": lambda: written(np.ones((2, 2)) * mv),
    "input": lambda: shown(np.ones(8) * mv),
}


@pytest.mark.parametrize("place", PLACES)
def test_a_quantity_is_refused(place: str) -> None:
    with pytest.raises(DescriptionError, match=r"has a unit.*plain number") as told:
        PLACES[place]()
    assert place in str(told.value)


def test_a_number_without_a_unit_is_a_number() -> None:
    neuron = LIF(threshold=(15 * mv) / mv, tau_mem=float(10 * ms / brian2.second))
    assert (neuron.threshold, neuron.tau_mem) == (15.0, 0.01)
    assert LIF(threshold=brian2.Quantity(2.0)).threshold == 2.0


class Pints:
    """As another package's quantities are."""

    dimensionless = False
    units = "millivolt"

    def __array__(self, *_: Any, **__: Any) -> Any:
        return np.array(1.0)


class Tensor:
    """As what has a method of such a name is."""

    def dim(self) -> int:
        return 0

    def __array__(self, *_: Any, **__: Any) -> Any:
        return np.array(2.0)


def test_other_packages_quantities() -> None:
    with pytest.raises(DescriptionError, match="has a unit, millivolt"):
        LIF(threshold=Pints())
    assert LIF(threshold=Tensor()).threshold == 2.0
    for plain in (1, 2.5, np.float32(3), np.ones(3), [1, 2.0], (np.int64(1),), "a", None, True):
        assert unit_of(plain) is None
    assert unit_of([1, [2, Pints()]]) == "millivolt"
    assert unit_of(np.array([1, Pints()], dtype=object)) == "millivolt"
