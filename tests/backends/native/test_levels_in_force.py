"""Native holds weights that learn as whole levels, and none of its users sees it."""

from __future__ import annotations

import numpy as np
import pytest

from neurorl import Network, Plasticity, Population, Projection, Source, load
from neurorl.models import LIF
from neurorl.native import toolchain

UNIT = 2.0**-26

pytestmark = pytest.mark.skipif(toolchain.problem() is not None, reason="no C++ compiler")


@pytest.mark.parametrize("size", [3, 40])
def test_levels_are_in_force_until_others_are_written(size: int) -> None:
    network = Network(
        nodes=(Source("in", 9), Population("cells", size, LIF(5e-3, threshold=4.0))),
        projections=(
            Projection("learns", "in", "cells", 0.25, plasticity=Plasticity(low=-4, high=4)),
        ),
        dt=1e-3,
    )
    rng = np.random.default_rng(7)
    rasters, seeds = rng.random((4, 30, 18)) < 0.5, (1, 2)
    numbers = rng.integers(-(2**26), 2**28, (2, 9, size))
    off = rng.uniform(0, 4, (2, 9, size))
    with load("reference", network, seed=seeds) as a, load("native", network, seed=seeds) as b:
        levels = b.levels("learns", UNIT)
        assert levels is not None
        assert b.transmitted("learns") is None
        assert (b.weights("learns") == 0.25).all()
        levels[:] = numbers.ravel()
        a.set_weights("learns", numbers * UNIT)
        written = (None, numbers[::-1] * UNIT, off, numbers * UNIT)
        for number, (raster, weights) in enumerate(zip(rasters, written, strict=True)):
            for backend in (a, b):
                if weights is not None:
                    backend.set_weights("learns", weights)
            assert np.array_equal(a.weights("learns"), b.weights("learns"))
            assert (b.transmitted("learns") is None) == (number < 2)
            spikes = [backend.step({"in": raster}, 30)["cells"] for backend in (a, b)]
            assert np.array_equal(spikes[0], spikes[1])
            assert spikes[0].any()
            for k in range(2):
                one, other = a.state(k), b.state(k)
                assert all(np.array_equal(one[key], other[key]) for key in one)
