"""Compare float with the chip: rounding, clipping and overflow are told apart."""

from __future__ import annotations

from typing import Any

import injected_faults as faults
import numpy as np
import pytest

from neurorl.backends.spec import BackendSpec
from neurorl.models import LIF, CubaLIF
from neurorl.network.description import Network, Plasticity, Population, Projection, Source
from neurorl.validation import Validation, validate
from neurorl.validation.explain import Explanation

BACKENDS = "reference:float,loihi"


def one_layer(neuron: Any, weights: Any, bound: float | None = None, n: int = 8) -> Network:
    plasticity = None if bound is None else Plasticity(low=-bound, high=bound)
    drive = Projection("drive", "input", "cells", weights, plasticity=plasticity)
    return Network((Source("input", n), Population("cells", 6, neuron)), (drive,))


def why(network: Network, backends: Any = BACKENDS, steps: int = 400) -> Explanation:
    found: Validation = validate(network, backends, steps=steps, seed=2)
    return found.explanations[0]


def drawn(n: int, low: float, high: float) -> Any:
    return np.random.default_rng(5).uniform(low, high, (n, 6))


def test_weights_beyond_what_the_chip_holds_are_clipped() -> None:
    found = why(one_layer(LIF(tau_mem=10e-3, threshold=4.0), drawn(8, 1.2, 2.0), bound=1.0))
    assert (found.cause, found.lane) == ("clipping of weights", None)
    assert "8 weights into this neuron" in found.detail


def test_registers_that_overflow() -> None:
    found = why(one_layer(CubaLIF(5e-3, 20e-3, 8.0), 0.9, n=300))
    assert (found.cause, found.lane) == ("overflow", None)
    assert "loihi:loihi: a register of this neuron overflowed" in found.detail


@pytest.mark.parametrize(
    ("network", "what"),
    [
        (one_layer(LIF(0.0, 0.9), drawn(8, 0.0, 0.7), bound=4.0), "weights"),
        (one_layer(LIF(20e-3, 2.1), 0.25), "decays"),
    ],
)
def test_the_rounding_that_moves_a_spike_is_named(network: Network, what: str) -> None:
    found = why(network, steps=1000)
    assert (found.cause, found.lane) == ("quantisation", None)
    assert f"rounding of {what} alone, put into float" in found.detail


def test_a_fault_is_told_from_rounding() -> None:
    network = faults.plain()
    specs = [
        BackendSpec("reference", "float"),
        BackendSpec("faulty", "loihi", cls=faults.LongRefractory),
    ]
    found = why(network, specs)
    assert (found.cause, found.lane) == ("refractory", "faulty:loihi")
