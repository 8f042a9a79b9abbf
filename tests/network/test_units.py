"""Quantities with units are refused by name, wherever a number goes in."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

from neurorl import Network, Plasticity, Population, Projection, Source, SpikingActorCritic, Uniform
from neurorl.backends.registry import load
from neurorl.errors import DescriptionError
from neurorl.models import ADAPTIVE_LIF, LIF, CubaLIF, Equations
from neurorl.models.features import RBF, GaussianCells
from neurorl.network.limits import unit_of
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


LEAK: dict[str, Any] = {
    "equations": "dv/dt = (E - v + q)/tau",
    "threshold": "v > 1",
    "reset": "v = 0",
    "method": "euler",
    "parameters": {"E": 0.0, "tau": 20e-3},
    "initial": {"v": 0.0},
}
WITH_UNITS: dict[str, Any] = {
    "parameters['E']": {"parameters": {"E": -60 * mv, "tau": 20e-3}},
    "parameters['tau']": {"parameters": {"E": [0.0, 1.0], "tau": np.array([20, 30]) * ms}},
    "initial['v']": {"initial": {"v": [-60 * mv, 0]}},
    "equations": {"equations": 5 * mv},
    "threshold": {"threshold": -50 * mv},
    "reset": {"reset": -60 * mv},
    "refractory": {"refractory": 2 * ms},
    "noise": {"noise": 1 * mv},
    "held": {"held": 1 * mv},
    "inputs": {"inputs": [1 * mv]},
    "parameters": {"parameters": 1 * mv},
}


def equations(**changes: Any) -> Equations:
    return Equations(**{**LEAK, **changes})


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
    **{f"Equations.{k}": partial(equations, **v) for k, v in WITH_UNITS.items()},
    "Equations.parameters['v_t']": lambda: ADAPTIVE_LIF.with_parameters(v_t=15 * mv),
    "Source 'in'.size": lambda: Source("in", 2 * mv),
    "Uniform.high": lambda: Uniform(0.0, 1 * mv),
    "Plasticity.low": lambda: Plasticity(low=-1 * mv),
    "Projection 'p'.mask": lambda: network(mask=np.ones((2, 2)) * mv),
    "Projection 'p'.blocks": lambda: network(blocks=2 * mv),
    "Projection 'p'.target": lambda: network(target=2 * mv),
    "Projection 'p'.plasticity": lambda: network(plasticity=2 * mv),
    "Network.nodes": lambda: Network(2 * mv),
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


def test_what_is_said_of_a_quantity_tells_how_to_write_it() -> None:
    said = r"got 2\. \* msecond\); give a plain number: 0.002 in SI units, or float\(x / second\)"
    with pytest.raises(DescriptionError, match=said):
        equations(refractory=2 * ms)
    with pytest.raises(DescriptionError, match=r"0.015 in SI units, or float\(x / mV\)"):
        ADAPTIVE_LIF.with_parameters(v_t=15 * mv)
    with pytest.raises(DescriptionError, match=r"number, such as np.asarray\(x / mV\)"):
        LIF(threshold=np.array([1, 2]) * mv)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("dv/dt = (E - v + 5*mV + q)/tau", "character 20: unknown name 'mV'.*no units: .*2e-3"),
        ("dv/dt = (E - v + q)/tau : volt", "character 25: ':'.*a unit or a type has no place"),
        ("dv/dt = (E - v + q)/(20*ms)*tau", "character 25: unknown name 'ms'.*no units"),
    ],
)
def test_units_in_texts(text: str, message: str) -> None:
    with pytest.raises(DescriptionError, match=message):
        equations(equations=text)


def test_signed_is_no_number() -> None:
    with pytest.raises(DescriptionError, match=r"'p'.signed: must be True or False"):
        network(signed=1 * mv)


class Pints:
    """Look like another package's quantity."""

    dimensionless = False
    units = "millivolt"

    def __array__(self, *_: Any, **__: Any) -> Any:
        return np.array(1.0)


class Tensor:
    """Have a method of such a name."""

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
