"""Compare networks split over many small cores, or Loihi's own, with the unsplit reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from chip_features import CHIP_FEATURES
from hypothesis import given, settings
from hypothesis import strategies as st
from simulators import loihi_of

from neurorl.arithmetic.quantiser import quantise
from neurorl.backends.loihi.delays import relayed
from neurorl.backends.loihi.placement import CoreLimits, place
from neurorl.backends.registry import load
from neurorl.models import LIF, CubaLIF
from neurorl.network.description import Network, Plasticity, Population, Projection, Source, Uniform
from neurorl.testing import FEATURES, random_network, rasters, same_state

WAYS = ["C++", "NumPy", "stock"]
SMALL = CoreLimits(compartments=3)


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Yield each engine of the emulated chip, the quick one also without a compiler."""
    if request.param == "NumPy":
        monkeypatch.setattr("neurorl.backends.loihi.quick.toolchain.problem", lambda: "no compiler")
    return "stock" if request.param == "stock" else "native"


def tight(network: Network, rng: np.random.Generator) -> CoreLimits:
    """Return limits in which every neuron fits, and few neurons together."""
    run = relayed(network).network
    alone = place(run, quantise(run), CoreLimits(compartments=1)).used.values()
    most = {k: max(used[k] for cores in alone for used in cores) for k in vars(CoreLimits())}
    some = {k: max(1, n) + int(rng.integers(0, 4) * n / 2) for k, n in most.items()}
    return CoreLimits(**{**some, "compartments": int(rng.integers(1, 8))})


def compare(
    network: Network, seed: Any, core: CoreLimits | None, way: str, **activity: Any
) -> None:
    """Return spikes, states and weights of windows with writes, resets and a restore."""
    windows, probability = activity.get("windows", 8), activity.get("probability", 0.4)
    options: dict[str, Any] = {"core": core, "engine": way, "chips": 4}
    rng = np.random.default_rng(3)
    with (
        load("reference", network, arithmetic="loihi", seed=seed) as reference,
        load("loihi", network, seed=seed, **options) as backend,
        load("loihi", network, seed=seed, **options) as other,
    ):
        n, spikes = backend.n_replicas, 0
        assert loihi_of(backend).placement.n_cores > len(
            loihi_of(backend).delays.network.populations
        )
        for window in range(windows):
            n_steps = int(rng.integers(1, 14))
            inputs = {
                s.name: rng.random(n * s.size)
                if s.kind == "current"
                else rng.random((n_steps, n * s.size)) < probability
                for s in network.sources
            }
            expected, seen = reference.step(inputs, n_steps), backend.step(inputs, n_steps)
            spikes += sum(int(raster.sum()) for raster in expected.values())
            for name, raster in expected.items():
                assert np.array_equal(seen[name], raster), (window, name)
            for k in range(n):
                assert same_state(backend.state(k), reference.state(k)) == [], window
            for p in network.projections if window % 2 else ():
                weights = reference.weights(p.name) * rng.uniform(-1.5, 1.5)
                for one in (reference, backend):
                    one.set_weights(p.name, weights)
            if window == windows // 2:
                backend.reset([n - 1])
                reference.reset([n - 1])
        for k in range(n):
            other.restore(reference.state(k), k)
        expected, seen = reference.step(inputs, n_steps), other.step(inputs, n_steps)
        assert all(np.array_equal(seen[name], expected[name]) for name in expected)
        assert all(same_state(other.state(k), reference.state(k)) == [] for k in range(n))
        assert spikes or not activity.get("must_spike", True)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_every_core_keeps_to_its_limits(seed: int) -> None:
    network = relayed(random_network(seed, delays=True)).network
    limits = tight(network, np.random.default_rng(seed))
    placement = place(network, quantise(network), limits)
    assert placement.overfull == ()
    for population in network.populations:
        name, found = population.name, placement.cores[population.name]
        neurons = [k for part in found for k in range(part.start, part.stop)]
        assert neurons == list(range(population.size))
        assert all(limits.exceeded(used) == [] for used in placement.used[name])


@pytest.mark.parametrize("seed", range(6))
def test_the_blocks_of_nengo_loihi_take_what_the_plan_says(seed: int) -> None:
    network = random_network(seed, delays=True)
    run = relayed(network).network
    core = tight(run, np.random.default_rng(seed))
    with load("loihi", network, core=core, chips=9, engine="stock") as backend:
        engine: Any = loihi_of(backend).engines[0]
        for name, cores in loihi_of(backend).placement.used.items():
            for used, block in zip(cores, engine._compiled.blocks[name], strict=True):
                theirs = {key: now for key, (now, _) in block.utilization().items()}
                assert used["compartments"] == theirs["compartments"]
                assert used["axons_in"] == theirs["in-axons"]
                assert used["axons_out"] == theirs["out-axons"]
                assert used["synapse_bits"] == theirs["synapses"]
                formats = [synapse.synapse_cfg for synapse in block.synapses]
                assert used["formats"] == sum(f not in formats[:k] for k, f in enumerate(formats))


@pytest.mark.parametrize("feature", CHIP_FEATURES)
def test_features_on_small_cores(feature: str, way: str) -> None:
    network = FEATURES[feature]()
    core = SMALL if network.populations[0].size < 1000 else CoreLimits(compartments=200)
    compare(network, 7, core, way, windows=8 if core is SMALL else 2)


SPLIT = [
    seed
    for seed in range(40)
    if any(p.size > 7 for p in random_network(seed, True, seed % 3 == 0).populations)
]


@pytest.mark.parametrize("seed", SPLIT[:16])
def test_random_networks_on_random_cores(seed: int, way: str) -> None:
    network = random_network(seed, True, seed % 3 == 0)
    core = tight(network, np.random.default_rng(seed))
    compare(network, seed, core, way, must_spike=False)


def test_replicas_on_small_cores(way: str) -> None:
    for feature in ("modules (blocks)", "escape noise", "currents"):
        compare(FEATURES[feature](), (4, 0, 9), SMALL, way, windows=4)


@pytest.mark.parametrize("feature", ["weights written between windows", "modules (blocks)"])
def test_lent_memory_reaches_every_core(feature: str, way: str) -> None:
    """Write as the learning loop does: whole multiples of a unit, flat, unsplit."""
    network = FEATURES[feature]()
    name = network.projections[-1].name
    with (
        load("reference", network, arithmetic="loihi", seed=1) as reference,
        load("loihi", network, seed=1, core=SMALL, engine=way) as backend,
    ):
        memory = backend.transmitted(name)
        assert memory is not None
        for window in range(5):
            by = reference.arithmetic.rounding(name)
            n = np.random.default_rng(window).integers(-127, 128, memory.size)
            memory[:] = n * by.transmitted_unit
            reference.set_weights(name, (n * by.unit).reshape(reference.weights(name).shape))
            assert np.array_equal(backend.weights(name), reference.weights(name))
            inputs = rasters(network, 9, window, 0.5)
            expected, seen = reference.step(inputs, 9), backend.step(inputs, 9)
            assert all(np.array_equal(seen[k], expected[k]) for k in expected)
            assert same_state(backend.state(), reference.state()) == []


def large(size: int = 1500, inputs: int = 40) -> Network:
    """Networks exceed one core in neurons and in synapses, with learning, loops and late spikes."""
    plastic = Plasticity(trace_tau=5e-3, low=-1.0, high=1.0)
    cell = CubaLIF(2e-3, 8e-3, 1.5, 0.0, 0.1, refractory=2e-3)
    return Network(
        (Source("input", inputs), Population("cells", size, cell), Population("out", 4, LIF())),
        (
            Projection("drive", "input", "cells", Uniform(-0.2, 0.5), plasticity=plastic),
            Projection("own", "cells", "cells", -0.3, blocks=size, delay=2e-3),
            Projection("votes", "cells", "out", Uniform(-0.05, 0.1), plasticity=plastic),
        ),
    )


def test_1500_neurons_on_loihis_own_cores(way: str) -> None:
    network = large()
    with load("loihi", network) as backend:
        rows = {row["population"]: row for row in loihi_of(backend).chip_table()}
    assert [row["cores"] for row in rows.values()] == [2, 1, 2]
    assert rows["cells"]["compartments_percent"] == 100 * 750 / 1024
    assert rows["cells_after_1"]["axons_in"] == 1500
    compare(network, 3, None, way, windows=2, probability=0.1)


def test_200_inputs_to_1000_neurons_take_two_cores() -> None:
    """The synapses take 1.8 million bits; the limit is 1,048,576."""
    network = Network(
        (Source("input", 200), Population("cells", 1000, LIF())),
        (Projection("drive", "input", "cells", Uniform(-0.1, 0.2)),),
    )
    compare(network, 3, None, "native", windows=2)
    (row,) = loihi_of(backend := load("loihi", network)).chip_table()
    backend.close()
    assert row["cores"] == 2
    assert row["synapse_bits_percent"] <= 100


def test_5000_inputs_by_a_mask_that_leaves_4096_of_them_to_a_neuron() -> None:
    mask = np.zeros((5000, 3), dtype=bool)
    mask[:4096, 0] = mask[904:, 1] = mask[::2, 2] = True
    network = Network(
        (Source("input", 5000), Population("cells", 3, LIF(threshold=60.0))),
        (Projection("drive", "input", "cells", Uniform(0.0, 0.1), mask=mask),),
    )
    compare(network, 3, None, "native", windows=2)
