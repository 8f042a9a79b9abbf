"""Test limits of sources of currents; what every backend promises is in the contract suite."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from neurorl.backends.reference import ReferenceSimulator
from neurorl.backends.registry import load
from neurorl.errors import ArgumentError, UnsupportedError
from neurorl.testing.contract.test_currents import TWO_CELLS


def test_too_large_weights_of_a_current() -> None:
    """A neuron takes 2**11 of the membrane's scale in all, as products have 8 bits more."""
    with load("reference", TWO_CELLS, arithmetic="float") as backend:
        backend.set_weights("flow", np.full((2, 2), 1024.0))
        with pytest.raises(ArgumentError, match=r"too large \(got 1025, limit 1024"):
            backend.set_weights("flow", np.full((2, 2), 1025.0))


def test_a_backend_without_currents_says_what_to_take() -> None:
    class Plain(ReferenceSimulator):
        capabilities = dataclasses.replace(ReferenceSimulator.capabilities, currents=False)

    with pytest.raises(UnsupportedError, match=r"source 'level' of currents .*'quiet'"):
        load(Plain, TWO_CELLS)
