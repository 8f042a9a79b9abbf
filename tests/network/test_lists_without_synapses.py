"""Test projections of which a connector leaves no synapse: they run, learn and are saved."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from neurorl import Learning, Network, Plasticity, Population, Projection, Source, Uniform, load
from neurorl.models import LIF, FixedProbability, Synapses

NONE = np.array([])


@pytest.mark.parametrize("arithmetic", ["float", "loihi"])
@pytest.mark.parametrize(
    ("connect", "weights", "delay"),
    [
        (Synapses([], []), NONE, NONE),
        (FixedProbability(0.0), 0.5, NONE),
        (FixedProbability(0.0), 0.5, Uniform(1e-3, 3e-3)),
        (FixedProbability(0.0), Uniform(0, 1), 2e-3),
    ],
)
def test_they_do_nothing(arithmetic: str, connect: Any, weights: Any, delay: Any) -> None:
    plastic = Plasticity(0.02)
    others: dict[str, Any] = {"connect": connect, "delay": delay, "plasticity": plastic}
    network = Network(
        (Source("in", 3), Population("cells", 2, LIF(threshold=1.0))),
        (
            Projection("none", "in", "cells", weights, **others),
            Projection("some", "in", "cells", 0.5, plasticity=plastic),
        ),
        1e-3,
    )
    again = Network.from_dict(json.loads(json.dumps(network.to_dict())))
    for one in (network, again):
        with load("reference", one, arithmetic=arithmetic) as backend:
            learning = Learning(backend)
            raster = np.random.default_rng(1).random((20, 3)) < 0.5
            spikes = learning.window({"in": raster}, 20)["cells"]
            learning.reinforce(0.1)
            assert spikes.any()
            assert learning.eligibility("some").any()
            assert learning.weights("none").shape == learning.eligibility("none").shape == (0,)
            learning.restore(learning.state())
            assert learning.normalise("none", 1.0).shape == (0,)
