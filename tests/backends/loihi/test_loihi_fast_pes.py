"""Compare the quick learning loops with nengo-loihi's: every bit of spikes, weights and draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from simulators import loihi_of

from neurorl import load
from neurorl.backends.base import Backend
from neurorl.backends.loihi.placement import CoreLimits
from neurorl.errors import UnsupportedError
from neurorl.models import CubaLIF
from neurorl.models.actor import actor_network
from neurorl.network.description import Network, Plasticity, Population, Projection, Source, Uniform
from neurorl.testing import rasters, same_state

NEURON = CubaLIF(2e-3, 5e-3, 0.5, noise=0.3)
SMALL = CoreLimits(compartments=12)


@pytest.fixture(params=["native", "numpy"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Yield the quick engine in C++, and as it is without a compiler."""
    if request.param == "numpy":
        problem = "neurorl.backends.loihi.quick.toolchain.problem"
        monkeypatch.setattr(problem, lambda: "no compiler")
    return str(request.param)


def modules(hidden: int | tuple[int, ...] = 3, **options: Any) -> Network:
    return actor_network(
        5, 2, neuron=NEURON, actors=2, hidden=hidden, trace_tau=6e-3, initial_output=0.4, **options
    )


def shared() -> Network:
    """Return a layer that doesn't learn, one that does, and one behind it that doesn't."""
    nodes = (
        Source("input", 6),
        Population("cells", 9, NEURON),
        Population("learning", 11, NEURON),
        Population("behind", 4, NEURON),
    )
    plastic = Plasticity(4e-3, -0.7, 0.7)
    projections = (
        Projection("first", "input", "cells", Uniform(0.0, 0.9)),
        Projection("learned", "cells", "learning", Uniform(-0.2, 0.7), plasticity=plastic),
        Projection("recurrent", "learning", "learning", 0.1, plasticity=plastic),
        Projection("last", "learning", "behind", Uniform(0.0, 0.9), delay=3e-3),
    )
    return Network(nodes, projections)


def run(backend: Backend, n_windows: int, seed: int) -> list[dict[str, npt.NDArray[Any]]]:
    """Return rasters and states of windows, some with errors; many spikes fill the traces."""
    rng = np.random.default_rng(seed)
    network, seen = backend.network, []
    learned = {p.post for p in network.projections if p.plasticity is not None}
    for k in range(n_windows):
        n_steps = int(rng.integers(1, 14))
        inputs = {
            name: np.tile(raster, backend.n_replicas)
            for name, raster in rasters(network, n_steps, k, 0.4).items()
        }
        errors = {
            name: rng.uniform(-1.3, 1.3, network.node(name).size * backend.n_replicas)
            for name in sorted(learned)
            if rng.random() < 0.6
        }
        seen.append(backend.learn(inputs, errors, n_steps))
        if rng.random() < 0.2:
            backend.reset()
        seen += [backend.state(replica) for replica in range(backend.n_replicas)]
    return seen


CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "modules": (modules, {}),
    "output alone": (lambda: modules(0), {}),
    "two hidden layers": (lambda: modules((3, 2)), {}),
    "history": (lambda: modules(2, history_lags=1, history=(-0.2,)), {}),
    "shared": (shared, {}),
    "small cores": (shared, {"core": SMALL}),
    "strong": (modules, {"pes_magnitude": 127.0}),
    "chip noise": (shared, {"noise": "chip"}),
    "replicas": (modules, {"seed": (3, 8)}),
}


@pytest.mark.parametrize("setup", CASES)
def test_quick_and_own_loops_are_equal(setup: str, way: str) -> None:
    network, options = CASES[setup]
    options = {"seed": 3, "learning": "pes", **options}
    with (
        load("loihi", network(), engine="native", **options) as quick,
        load("loihi", network(), engine="stock", **options) as own,
    ):
        before = {p.name: own.weights(p.name) for p in own.network.projections}
        found, expected = run(quick, 25, 1), run(own, 25, 1)
        for k, (mine, theirs) in enumerate(zip(found, expected, strict=True)):
            assert same_state(mine, theirs) == [], k
        assert sum(int(mine["t"]) for mine in found if "t" in mine) > 0
        for p in own.network.projections:
            changed = (own.weights(p.name) != before[p.name]).any()
            assert changed == (p.plasticity is not None), p.name


def test_states_move_between_the_loops(way: str) -> None:
    with (
        load("loihi", modules(), learning="pes", seed=3) as quick,
        load("loihi", modules(), learning="pes", seed=3, engine="stock") as own,
    ):
        run(own, 4, 1)
        quick.restore(own.state())
        assert same_state(run(quick, 4, 2)[-1], run(own, 4, 2)[-1]) == []
        own.restore(quick.state())
        assert same_state(run(own, 4, 3)[-1], run(quick, 4, 3)[-1]) == []


def test_a_block_has_a_core_of_its_own_and_learns_alone() -> None:
    """Errors of one module change its weights only; written weights come back in their shape."""
    with load("loihi", modules(), learning="pes", seed=3, pes_magnitude=64.0) as backend:
        rows = {row["population"]: row for row in loihi_of(backend).chip_table()}
        assert (rows["output"]["cores"], rows["output"]["compartments"]) == (4, 8)
        assert rows["output"]["axons_in"] == 2 * 4 * (3 + 1)
        weights = np.arange(12.0).reshape(4, 3, 1) / 16
        assert np.array_equal(
            backend.set_weights("hidden_output", weights), backend.weights("hidden_output")
        )
        assert np.allclose(backend.weights("hidden_output"), weights, atol=0.01)
        before = backend.weights("hidden_output")
        inputs = rasters(backend.network, 24, 0, 0.5)
        backend.learn(inputs, {"output": np.array([0.0, 0.0, 1.0, 0.0])}, 24)
        changed = (backend.weights("hidden_output") != before).any(axis=(1, 2))
        assert changed.tolist() == [False, False, True, False]


def test_more_blocks_than_cores_are_refused() -> None:
    network = actor_network(4, 4, neuron=NEURON, actors=40, hidden=2)
    with pytest.raises(UnsupportedError, match=r"161 cores.*limit 128; take fewer blocks"):
        load("loihi", network, learning="pes", chips=1)
    with load("loihi", network, learning="pes", chips=2) as backend:
        assert sum(row["cores"] for row in loihi_of(backend).chip_table()) == 161
