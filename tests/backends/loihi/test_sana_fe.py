"""Compare what SANA-FE counts with counts by hand; fail where a new one counts otherwise."""

from __future__ import annotations

import importlib.metadata
import math
from collections import Counter
from typing import Any

import numpy as np
import pytest
from chip_features import CHIP_FEATURES
from hypothesis import given, settings
from hypothesis import strategies as st
from sana_fe import needs_sanafe

from neurorl.backends.base import Backend
from neurorl.backends.loihi import LoihiSimulator
from neurorl.backends.loihi.delays import InputHistory, relayed
from neurorl.backends.loihi.placement import CoreLimits
from neurorl.backends.meter import Cost, Meter
from neurorl.backends.registry import load
from neurorl.errors import ArgumentError, BackendError, BackendUnavailableError, UnsupportedError
from neurorl.models import GLM, LIF, CubaLIF
from neurorl.network.connectors import Synapses
from neurorl.network.description import Network, Plasticity, Population, Projection, Source, Uniform
from neurorl.numerics.arrays import Array
from neurorl.storage.plain import PlainData
from neurorl.testing import FEATURES, random_network

VERSION = "2.2.9"
DENSE, SPARSE, UPDATE, FIRE, PACKET = 35.5, 33.6, 51.2 + 21.6, 69.3, 111.0  # pJ
STEPS = 12
CELL = CubaLIF(2e-3, 8e-3, 0.6, 0.0, 0.0, refractory=2e-3)


def layers(*more: Projection, n_post: int = 6, **of_first: Any) -> Network:
    """Connect 4 channels to 6 neurons and these to *n_post*."""
    nodes = (Source("input", 4), Population("first", 6, CELL), Population("last", n_post, CELL))
    own = Projection("own", "input", "first", Uniform(0.0, 1.0), **of_first)
    return Network(nodes, (own, Projection("on", "first", "last", Uniform(-0.3, 1.0)), *more))


MASK = np.arange(24).reshape(4, 6) % 5 > 0
PAIRS = Synapses([0, 0, 1, 3, 3, 5], [1, 4, 0, 2, 3, 5])
CASES: dict[str, tuple[Network, dict[str, int]]] = {
    "plain": (layers(), {}),
    "signed": (layers(signed=True), {}),
    "mask": (layers(mask=MASK), {}),
    "nothing": (layers(mask=np.zeros((4, 6), dtype=bool)), {}),
    "weights of 0": (layers(Projection("no", "first", "last", 0.0)), {}),
    "blocks": (layers(Projection("parts", "first", "last", 0.2, blocks=3)), {}),
    "a list": (layers(Projection("list", "first", "last", 0.2, connect=PAIRS)), {}),
    "loop": (layers(Projection("back", "last", "first", Uniform(-0.2, 0.2))), {}),
    "delays": (
        layers(
            Projection("late", "input", "last", 0.4, delay=5e-3),
            Projection("later", "first", "last", 0.4, delay=3e-3),
        ),
        {},
    ),
    "a core for two neurons": (layers(), {"compartments": 2}),
    "few axons": (layers(), {"axons_in": 6, "axons_out": 8, "compartments": 4}),
    "two cores of inputs": (
        Network(
            (Source("x", 1500), Source("y", 600), Population("a", 3, CELL)),
            (Projection("xa", "x", "a", 0.01), Projection("ya", "y", "a", 0.01)),
        ),
        {},
    ),
}


def spikes_of(network: Network, density: float, seed: int, n_steps: int = STEPS) -> PlainData:
    """Return rasters of all sources of spikes, and activations of currents."""
    rng = np.random.default_rng(seed)
    return {
        s.name: rng.random(s.size)
        if s.name in network.currents
        else rng.random((n_steps, s.size)) < density
        for s in network.sources
    }


def measured(backend: Backend, windows: list[PlainData]) -> tuple[PlainData, list[PlainData]]:
    """Run windows, measure them, and return the result and the rasters of all nodes."""
    metering, every = backend.metering(None, carries=True), []
    for inputs in windows:
        everything = {**inputs, **backend.step(inputs, STEPS)}
        every.append(everything)
        metering.add(everything, STEPS)
    return metering.result(), every


def by_hand(backend: Backend, windows: list[PlainData]) -> Counter[str]:
    """Count events of a network without relays, spike by spike and synapse by synapse."""
    placement, counted = backend.simulator.placement, Counter[str]()  # type: ignore[attr-defined]
    network = backend.network
    for name, spikes in ((n, w[n]) for w in windows for n in (x.name for x in network.nodes)):
        counted["spikes"] += int(spikes.sum())
        for pre in np.nonzero(spikes)[1].tolist():
            homes = set()
            for p in network.projections:
                if p.pre != name:
                    continue
                kind = "dense" if placement.layouts[p.name].index is None else "sparse"
                for post in targets(network, p, pre):
                    counted[kind] += 1
                    cores = placement.cores[p.post]
                    homes |= {(p.post, k) for k, c in enumerate(cores) if c.start <= post < c.stop}
            counted["packets"] += len(homes)
        if isinstance(network.node(name), Population):
            counted["fired"] += int(spikes.sum())
            counted["updates"] += spikes.size
    return counted


def targets(network: Network, p: Projection, pre: int) -> list[int]:
    """Return the neurons that a presynaptic one reaches."""
    listed = network.synapses(p.name)
    if listed is not None:
        return [int(j) for i, j in zip(listed.pre, listed.post, strict=True) if i == pre]
    rows, width = network.node(p.pre).size // p.blocks, network.node(p.post).size // p.blocks
    mask = np.ones((p.blocks, rows, width)) if p.mask is None else p.mask
    there = np.asarray(mask).reshape(p.blocks, rows, width)[pre // rows, pre % rows]
    return [pre // rows * width + int(j) for j in np.flatnonzero(there)]


@needs_sanafe
@pytest.mark.parametrize("case", CASES)
def test_counts_and_energies_are_those_by_hand(case: str) -> None:
    network, core = CASES[case]
    with load("loihi", network, core=CoreLimits(**core)) as backend:
        windows = [spikes_of(network, 0.4, seed) for seed in range(2)]
        found, every = measured(backend, windows)
        if case == "delays":
            assert found["relays"] == 2 * 6
            assert found["spikes"] > sum(int(x.sum()) for w in every for x in w.values())
            return
        counted = by_hand(backend, every)
        cores = backend.simulator.placement.n_cores  # type: ignore[attr-defined]
    assert counted["fired"] > 0 or case == "nothing"
    assert found["spikes"] == counted["spikes"]
    assert found["synops"] == counted["dense"] + counted["sparse"]
    n = len(windows)
    synapses = DENSE * counted["dense"] + SPARSE * counted["sparse"]
    somas = UPDATE * counted["updates"] + FIRE * counted["fired"]
    assert found["synapse_nj"] == pytest.approx(synapses / n / 1e3)
    assert found["soma_nj"] == pytest.approx(somas / n / 1e3)
    assert found["dendrite_nj"] == 0.0
    # The rest is hops of at most 4.2 pJ, over at most 7 + 3 tiles.
    packets = PACKET * counted["packets"] / n / 1e3
    assert packets <= found["network_nj"] <= packets * (1 + 42 / PACKET)
    assert found["energy_per_decision_nj"] == pytest.approx(
        sum(found[f"{part}_nj"] for part in ("synapse", "dendrite", "soma", "network"))
    )
    assert found["latency_per_decision_us"] >= STEPS * 0.6  # the barrier of each step, on one tile
    assert (found["cores"], found["relays"]) == (cores, 0)
    assert found["input_cores"] == (3 if case == "two cores of inputs" else 1)


@needs_sanafe
@pytest.mark.parametrize("feature", CHIP_FEATURES)
def test_every_feature_that_fits_the_chip_is_counted_equally(feature: str) -> None:
    """`Metering` compares counts in each window, so that none raises is the test."""
    network = FEATURES[feature]()
    with load("loihi", network) as backend:
        found, every = measured(backend, [spikes_of(network, 0.3, seed) for seed in range(2)])
        ours = sum(int(w[x.name].sum()) for w in every for x in backend.network.spiking.nodes)
    assert found["spikes"] == ours if not found["relays"] else found["spikes"] >= ours


@needs_sanafe
@settings(max_examples=4, deadline=None)
@given(seed=st.integers(0, 10**6), delays=st.booleans(), currents=st.booleans())
def test_random_networks_are_counted_equally(seed: int, delays: bool, currents: bool) -> None:
    network = random_network(seed, delays, currents)
    with load("loihi", network) as backend:
        measured(backend, [spikes_of(network, 0.3, seed)])


def test_relays_spike_as_the_history_of_their_nodes_says() -> None:
    """Run the network with relays as one of its own, on the reference."""
    network = Network(
        (Source("input", 3), Population("a", 4, LIF()), Population("b", 2, LIF())),
        (
            Projection("ia", "input", "a", 0.9, delay=4e-3),
            Projection("ab", "a", "b", 0.9, delay=6e-3),
            Projection("ba", "b", "a", 0.2, delay=3e-3),
        ),
    )
    plan = relayed(network)
    history = InputHistory(plan, of_all=True)
    sources = InputHistory(plan)
    with load("reference", plan.network) as backend:
        for n_steps in (1, 2, 7, 30):
            inputs = spikes_of(network, 0.4, n_steps, n_steps)
            ran = backend.step(sources.extend(dict(inputs), n_steps), n_steps)
            described = {name: ran[name] for name in ("a", "b")}
            expanded = history.extend({**inputs, **described}, n_steps)
            for name in ran:
                assert np.array_equal(expanded[name], ran[name]), name
    assert ran["a"].any()
    assert ran["b"].any()


@needs_sanafe
def test_silence_costs_updates_and_steps_alone() -> None:
    network = layers()
    with load("loihi", network) as backend:
        noisy = spikes_of(network, 1.0, 0)
        silent = {"input": np.zeros((STEPS, 4), dtype=bool)}
        found, _ = measured(backend, [noisy, silent, silent, silent])
        loud, _ = measured(backend, [noisy])
        backend.reset()
        quiet, _ = measured(backend, [silent])
    assert quiet["spikes"] == quiet["synops"] == 0
    assert quiet["synapse_nj"] == quiet["network_nj"] == 0.0
    assert quiet["soma_nj"] == pytest.approx(UPDATE * 12 * STEPS / 1e3)
    assert 0 < quiet["latency_per_decision_us"] < loud["latency_per_decision_us"]
    assert found["spikes"] < 2 * loud["spikes"]


@needs_sanafe
def test_replicas_are_chips_of_their_own() -> None:
    network = layers(Projection("later", "first", "last", 0.4, delay=3e-3))
    windows = [spikes_of(network, 0.4, seed) for seed in range(3)]
    alone = []
    for seed, inputs in enumerate(windows):
        with load("loihi", network, seed=seed) as backend:
            alone.append(measured(backend, [inputs, inputs])[0])
    with load("loihi", network, seed=[0, 1, 2]) as backend:
        metering = backend.metering(None, carries=True)
        together = {"input": np.hstack([w["input"] for w in windows])}
        for _ in range(2):
            metering.add({**together, **backend.step(together, STEPS)}, STEPS, range(3))
    found = metering.result()
    for key in ("spikes", "synops", "decisions"):
        assert found[key] == sum(one[key] for one in alone)
    for key in ("energy_per_decision_nj", "network_nj", "latency_per_decision_us"):
        assert found[key] == pytest.approx(sum(one[key] for one in alone) / 3, rel=1e-12)


@needs_sanafe
def test_spikes_in_flight_end_with_a_window_that_is_not_carried_on() -> None:
    network = layers(Projection("later", "first", "last", 0.4, delay=3e-3))
    late = np.zeros((STEPS, 6), dtype=bool)
    late[-1] = True
    window = {
        "input": np.zeros((STEPS, 4), bool),
        "first": late,
        "last": np.zeros((STEPS, 6), bool),
    }
    spikes = []
    for carries in (False, True):
        with load("loihi", network) as backend:
            metering = backend.metering(None, carries)
            for _ in range(2):
                metering.add(window, STEPS)
            metering.begin()
            metering.add(window, STEPS)
            spikes.append(metering.result()["spikes"])
    assert spikes == [3 * 6, 3 * 6 + 2 * 6]  # two relays of 6 neurons, in the second window alone


@needs_sanafe
def test_other_counts_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from neurorl.backends.loihi.sana_fe import SanaFe

    def one_more(self: Meter, rasters: dict[str, Array]) -> Cost:
        return own(self, rasters)._replace(synops=1)  # type: ignore[arg-type]

    own = SanaFe.measure
    monkeypatch.setattr(SanaFe, "measure", one_more)
    network = layers()
    with (
        load("loihi", network) as backend,
        pytest.raises(BackendError, match="counts other spikes and synaptic operations"),
    ):
        measured(backend, [spikes_of(network, 0.4, 0)])


@needs_sanafe
def test_an_error_of_sanafe_is_one_of_ours() -> None:
    network = layers()
    with load("loihi", network) as backend:
        metering = backend.metering(None, carries=False)
        spikes = {n.name: np.zeros((3, n.size), dtype=bool) for n in network.nodes}
        spikes["first"] = np.ones((3, 7), dtype=bool)[:, :6]
        metering._meter._chip = None  # type: ignore[attr-defined]
        with pytest.raises(BackendError, match="SANA-FE: failed"):
            metering.add(spikes, 3)


@needs_sanafe
@pytest.mark.parametrize(
    ("inputs", "neurons", "core", "said"),
    [
        (2, 130, {"compartments": 1}, "got 130 cores, 1 for inputs, 260 synapses"),
        (4096, 1000, {}, r"got 34 cores, 4 for inputs, 4,096,000 synapses"),
    ],
)
def test_a_network_that_is_too_large_is_refused_by_what_it_takes(
    inputs: int, neurons: int, core: dict[str, int], said: str
) -> None:
    network = Network(
        (Source("input", inputs), Population("many", neurons, CELL)),
        (Projection("drive", "input", "many", 0.5),),
    )
    with load("native:loihi", network) as plain:
        cores = CoreLimits(**core)
        meter = LoihiSimulator(target="emulator", core=cores).meter
        limit = "limit 128 cores on SANA-FE's one chip, 4,000,000 synapses"
        with pytest.raises(UnsupportedError, match=f"{said}, {limit}"):
            meter(plain.simulated)


@needs_sanafe
def test_cores_are_those_that_the_backend_inspects() -> None:
    network = layers()
    for core, cores in (({}, 2), ({"compartments": 2}, 6), ({"compartments": 1}, 12)):
        with load("loihi", network, core=CoreLimits(**core)) as backend:
            found, _ = measured(backend, [spikes_of(network, 0.4, 0)])
            assert found["cores"] == sum(row["cores"] for row in backend.chip_table()) == cores  # type: ignore[attr-defined]


@needs_sanafe
def test_tiles_without_neurons_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    from neurorl.backends.loihi import sana_fe

    network, results = layers(), []
    for cores_of_a_tile in (4, 1):  # with 1, four times the tiles that are needed
        monkeypatch.setattr(sana_fe, "_TILE", cores_of_a_tile)
        with load("loihi", network, core=CoreLimits(compartments=2)) as backend:
            results.append(measured(backend, [spikes_of(network, 0.4, 0)])[0])
    # SANA-FE orders the packets of a spike by where its cores are in memory.
    latencies = [found.pop("latency_per_decision_us") for found in results]
    assert results[0] == results[1]
    assert latencies[0] == pytest.approx(latencies[1], rel=0.02)


@needs_sanafe
def test_every_backend_in_the_chips_integers_costs_the_same() -> None:
    network = layers()
    results = []
    for name in ("loihi", "native:loihi", "reference:loihi"):
        with load(name, network, seed=4) as backend:
            results.append(measured(backend, [spikes_of(network, 0.4, 0)])[0])
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("name", ["native:float", "reference:xylo"])
def test_other_integers_are_refused_by_name(name: str) -> None:
    cell = CubaLIF(-1e-3 / math.log(0.5), -1e-3 / math.log(0.5))
    network = Network(
        (Source("input", 2), Population("hidden", 2, cell), Population("out", 2, cell))
    )
    arithmetic = name.partition(":")[2]
    with load(name, network) as backend:
        said = f"energy: there is no model of a chip with {arithmetic} arithmetic .*backend='loihi'"
        with pytest.raises(UnsupportedError, match=said):
            backend.metering(None, carries=False)


def test_what_does_not_fit_the_chip_is_refused_on_other_backends_too() -> None:
    network = Network(
        (Source("input", 5000), Population("a", 1, CELL)), (Projection("x", "input", "a", 0.1),)
    )
    with load("native:loihi", network) as backend:
        said = "neuron 0 with 5000 axons into it .limit 4096 of a core; leave out synapses"
        with pytest.raises(UnsupportedError, match=said):
            backend.metering(None, carries=False)


def test_coins_and_learning_on_the_chip_are_refused() -> None:
    noisy = Network(
        (Source("input", 2), Population("a", 2, GLM())),
        (Projection("x", "input", "a", 0.5, plasticity=Plasticity()),),
    )
    with (
        load("loihi", noisy, noise="chip+coins") as backend,
        pytest.raises(UnsupportedError, match=r"the coins of 'chip\+coins' \(take noise='chip'\)"),
    ):
        backend.metering(None, carries=False)
    plastic = Network(
        (Source("input", 2), Population("a", 2, CELL)),
        (Projection("x", "input", "a", 0.5, plasticity=Plasticity()),),
    )
    with (
        load("loihi", plastic, learning="pes") as backend,
        pytest.raises(UnsupportedError, match=r"learning on the chip \(take learning='host'\)"),
    ):
        backend.metering(None, carries=False)


def test_without_sanafe_it_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "sanafe", None)
    monkeypatch.delitem(__import__("sys").modules, "neurorl.backends.loihi.sana_fe", raising=False)
    with (
        load("loihi", layers()) as backend,
        pytest.raises(BackendUnavailableError, match=r"pip install 'neurorl\[energy\]'"),
    ):
        backend.metering(None, carries=False)


@needs_sanafe
def test_a_result_needs_a_decision() -> None:
    with (
        load("loihi", layers()) as backend,
        pytest.raises(ArgumentError, match="energy: no decision was measured"),
    ):
        backend.metering(None, carries=False).result()


@needs_sanafe
def test_the_version_and_its_loihi_are_those_that_were_read() -> None:
    import sanafe

    assert importlib.metadata.version("sanafe") == VERSION
    architecture = sanafe.load_loihi()
    assert len(architecture.cores()) == 128
    core = architecture.cores()[0]
    units = {u.name: u.model_info for u in core.pipeline_hw}
    assert sum(name.startswith("loihi_inputs[") for name in units) == 1024
    lif, dense = units["loihi_lif"].model_attributes, units["loihi_dense_synapse"].model_attributes
    sparse = units["loihi_sparse_synapse"].model_attributes
    access, update = lif["energy_access_neuron"], lif["energy_update_neuron"]
    assert (access + update) * 1e12 == pytest.approx(UPDATE)
    assert lif["energy_spike_out"] * 1e12 == pytest.approx(FIRE)
    assert dense["energy_process_spike"] * 1e12 == pytest.approx(DENSE)
    assert sparse["energy_process_spike"] * 1e12 == pytest.approx(SPARSE)
    assert core.axon_out[0].metrics.energy_message_out * 1e12 == pytest.approx(PACKET)
