"""Compare NeuroBench's counts of a torch network with `neurorl.network.cost`.

NeuroBench needs PyTorch and much else (1.3 GB), so it isn't among what the tests install; the
example of its documentation is counted in ``tests/inspection/test_cost.py`` without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from experiments.plank.neurobench import neurobench_figures, our_figures
from neurorl.backends.registry import load
from neurorl.backends.window import Raster
from neurorl.models import LIF
from neurorl.network.description import Network, Population, Projection, Source, Uniform
from neurorl.numerics.arrays import FloatArray
from neurorl.testing import rasters

Measured = Callable[[str, str, float, float], None]

WITNESS = "NeuroBench 2.3"
WINDOW, DECISIONS = 12, 40

pytestmark = pytest.mark.witness("neurobench")


def network() -> Network:
    """Return currents and spikes into one population, a mask, a loop, and weights that are 0."""
    rng = np.random.default_rng(0)
    weights = rng.uniform(-0.5, 1.0, (6, 9)) * (rng.random((6, 9)) < 0.7)
    return Network(
        (
            Source("level", 4, kind="current"),
            Source("input", 6),
            Population("middle", 9, LIF(5e-3, 0.5)),
            Population("last", 3, LIF(5e-3, 0.4)),
        ),
        (
            Projection("flow", "level", "middle", Uniform(-0.1, 0.3)),
            Projection("first", "input", "middle", weights),
            Projection("loop", "middle", "middle", Uniform(-0.3, 0.1)),
            Projection(
                "second", "middle", "last", Uniform(0.0, 0.5), mask=rng.random((9, 3)) < 0.6
            ),
        ),
    )


def played(net: Network) -> Iterator[tuple[Network, dict[str, FloatArray], dict[str, Raster]]]:
    """Yield the network, its weights and the rasters of each decision."""
    with load("reference", net) as backend:
        weights = {p.name: backend.weights(p.name) for p in net.projections}
        for seed in range(DECISIONS):
            given = rasters(net, WINDOW, seed)
            window = {**given, **backend.step(given, WINDOW)}
            assert all(window[p.name].any() for p in net.populations)
            yield net, weights, window


def test_operations_and_sparsity_are_neurobenchs(measured: Measured) -> None:
    pytest.importorskip("torch", reason="torch is not installed: pip install 'neurorl[torch]'")
    decisions = list(played(network()))
    ours, theirs = our_figures(decisions, WINDOW), neurobench_figures(decisions)
    for what, key in (
        ("effective ACs", "effective_acs"),
        ("effective MACs", "effective_macs"),
        ("dense operations", "dense"),
        ("activation sparsity", "activation_sparsity"),
    ):
        assert ours[key] > 0
        apart = abs(ours[key] - theirs[key])
        measured(WITNESS, f"{what} of {DECISIONS} decisions", apart, 1e-9)
