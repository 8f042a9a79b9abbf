"""Test what every backend promises about sources of currents."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from neurorl.errors import ArgumentError
from neurorl.models import LIF
from neurorl.network.description import Network, Population, Projection, Source
from neurorl.testing import FEATURES, same_state
from neurorl.testing.contract.test_replicas import write_directly
from neurorl.testing.plugin import Case

HALF = 1e-3 / math.log(2)  # a membrane that keeps half of its voltage in a step
LEVEL = np.array([0.5, 0.25])


TWO_CELLS = Network(
    (Source("level", 2, "current"), Population("cells", 2, LIF(HALF, 1.0))),
    (Projection("flow", "level", "cells", [[1.0, -0.5], [0.5, 0.25]]),),
)
"""Hold a network whose bias is c = (0.625, -0.1875) for `LEVEL`."""

BY_HAND = {
    "float": ([0.9375, -0.28125], [0, -0.328125]),
    # 16256 to a unit; mantissas 254, -128, 128, 64, and c = 64 (159, -48).
    "loihi": ([15264, -4608], [0, -5376]),
    # 8128 to a unit, as the current decays once; a spike takes 8129 off 3816 + 5088.
    "xylo": ([7632, -2304], [775, -2688]),
}
"""Map each arithmetic to the membranes after two steps and after the third."""


def test_membranes_by_hand(case: Any) -> None:
    """Check that a current acts in each of its steps: v = c, 3/2 c, 7/4 c, until a spike."""
    with case.make(TWO_CELLS) as backend:
        spikes = backend.step({"level": LEVEL}, 2)["cells"]
        state = backend.state()
        assert not spikes.any()
        before, then = BY_HAND[case.chosen_arithmetic]
        assert state["cells.voltage"].tolist() == pytest.approx(before, abs=1e-9)
        assert not state["cells.current"].any()
        assert not any(key.startswith("level") for key in state)
        third = backend.step({"level": LEVEL}, 1)["cells"]
        assert third.tolist() == [[True, False]]
        after = backend.state()["cells.voltage"].tolist()
        assert after == pytest.approx(then, abs=1e-9)


def test_a_current_ends_with_its_steps(case: Case) -> None:
    with case.make(TWO_CELLS) as backend:
        backend.step({"level": LEVEL}, 1)
        before = backend.state()["cells.voltage"]
        backend.step({}, 1)
        assert backend.state()["cells.voltage"].tolist() == pytest.approx(0.5 * before, abs=1e-9)


def test_activations_are_rounded_to_the_grid(case: Case) -> None:
    with case.make(TWO_CELLS) as a, case.make(TWO_CELLS) as b:
        a.step({"level": np.array([0.3, 0.0])}, 1)
        b.step({"level": np.array([77 / 256, 0.0])}, 1)
        assert same_state(a.state(), b.state()) == []
        assert a.state()["cells.voltage"].any()


def test_a_current_beyond_the_chips_bias_is_the_largest(case: Case) -> None:
    network = Network(
        (Source("level", 40, "current"), Population("cells", 1, LIF(HALF, 60.0))),
        (Projection("flow", "level", "cells", 1.0),),
    )
    with case.make(network) as backend:
        backend.step({"level": np.ones(40)}, 1)
        # Of 32767, Xylo leaves a membrane room for four thresholds.
        expected = {"float": 40.0, "loihi": 4095 * 2**7, "xylo": 5080}[case.chosen_arithmetic]
        assert backend.state()["cells.voltage"].tolist() == [expected]


@pytest.mark.parametrize("seed", [5, (3, 2**62 + 5, 3)])
def test_windows_equal_steps_with_currents(seed: object, case: Case) -> None:
    """Check that weights written to the simulator's memory act on the next window."""
    network = FEATURES["currents"]()
    with case.make(network, seed=seed) as stepped, case.make(network, seed=seed) as backend:
        n = backend.n_replicas
        window = backend.window(6)
        assert window.inputs["level"].shape == (6 * n,)
        assert window.inputs["input"].shape == (6, 4 * n)
        memory = backend.transmitted("flow")
        assert memory is not None
        assert memory.dtype == np.float64
        rng = np.random.default_rng(0)
        for fresh in (True, False, True):
            window.inputs["level"][:] = rng.integers(0, 257, 6 * n) / 256
            window.inputs["input"][:] = rng.random((6, 4 * n)) < 0.5
            values = rng.uniform(-0.6, 0.6, stepped.weights("flow").shape)
            stepped.set_weights("flow", values)
            write_directly(backend, "flow", values, memory)
            assert np.array_equal(backend.weights("flow"), stepped.weights("flow"))
            if fresh:
                stepped.reset()
            expected = stepped.step(dict(window.inputs), 6)
            window.run(fresh)
            for name, raster in expected.items():
                assert np.array_equal(window.rasters[name], raster)
            for k in range(n):
                assert same_state(backend.state(k), stepped.state(k)) == []


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (np.ones((5, 2), bool), "activations, floats"),
        (np.ones((5, 2)), r"wrong shape \(got \(5, 2\), limit \(2,\)"),
        (np.array([0.5, 1.5]), "out of range .*1.5"),
        (np.array([np.nan, 0.5]), "out of range .*nan"),
    ],
)
def test_bad_activations_change_nothing(value: Any, words: str, case: Case) -> None:
    with case.make(TWO_CELLS) as backend:
        before = backend.state()
        with pytest.raises(ArgumentError, match=words):
            backend.step({"level": value}, 5)
        assert same_state(backend.state(), before) == []
