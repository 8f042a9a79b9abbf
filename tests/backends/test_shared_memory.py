"""A variable that is set to another one has memory of its own, on every backend."""

from __future__ import annotations

import numpy as np
import pytest

from neurorl import Network, Population, Projection, Source, load
from neurorl.models import Equations

NEURON = Equations(
    "old = v; v = 0.5*v + q; w = v",
    threshold="v > 100",
    reset="w = old",
    initial={"v": 0.0, "w": 0.0, "old": 0.0},
)


@pytest.mark.parametrize("name", ["reference", "native"])
def test_states_that_were_equal_are_restored_apart(name: str) -> None:
    nodes = (Source("in", 1), Population("cells", 2, NEURON))
    network = Network(nodes, (Projection("drive", "in", "cells", 1.0, target="q"),))
    with load(name, network) as backend:
        backend.step({"in": np.ones((3, 1), bool)}, 3)
        state = backend.state()
        assert np.array_equal(state["cells.v"], state["cells.w"])
        state["cells.w"] = np.array([7.0, 8.0])
        backend.restore(state)
        assert np.array_equal(backend.state()["cells.v"], state["cells.v"])
        assert backend.state()["cells.w"].tolist() == [7.0, 8.0]
