"""Test the emulator's private attributes, and the program that stands in for it."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
from simulators import loihi_of

from neurorl.backends.base import Backend
from neurorl.backends.loihi import LoihiSimulator
from neurorl.backends.loihi.vendor import EmulatorInterface
from neurorl.backends.registry import load
from neurorl.models import LIF, CubaLIF
from neurorl.network.description import Network, Population, Projection, Source, Uniform
from neurorl.testing import FEATURES, rasters, same_state

DT = 1e-3


def engine(backend: Backend) -> Any:
    return loihi_of(backend).engines[0]


def per_neuron() -> Network:
    k = np.arange(8)
    neuron = CubaLIF(
        tau_syn=DT * k,
        tau_mem=2 * DT * (1 + k),
        threshold=0.4 + 0.1 * (k % 7),
        bias=0.05 * (k - 2),
        noise=0.05 * (k % 3),
        refractory=DT * (k % 4),
    )
    return Network(
        (Source("input", 5), Population("cells", 8, neuron)),
        (Projection("drive", "input", "cells", Uniform(-0.5, 1.0)),),
    )


def tangle() -> Network:
    """Combine blocks, thin and thick masks, recurrence, noise, refractory periods, idle nodes."""
    rng = np.random.default_rng(0)
    a = Population("a", 120, CubaLIF(2e-3, 8e-3, 0.6, 0.0, 0.1, refractory=2e-3))
    b = Population("b", 40, LIF(6e-3, 0.5, noise=0.05))
    c = Population("c", 4, CubaLIF(3e-3, 5e-3, 0.3, 0.05))
    empty_row = rng.random((12, 120)) < 0.06
    empty_row[3] = False
    return Network(
        (Source("input", 12), Source("idle", 2), a, b, c, Population("alone", 2, LIF(bias=0.1))),
        (
            Projection("thin", "input", "a", Uniform(0.0, 1.0), mask=empty_row),
            Projection("thick", "input", "b", Uniform(-0.5, 1.0), mask=rng.random((12, 40)) < 0.8),
            Projection("loop", "a", "a", Uniform(-0.3, 0.3), blocks=4),
            Projection(
                "spread",
                "a",
                "b",
                Uniform(-0.4, 0.5),
                blocks=20,
                mask=rng.random((20, 6, 2)) < 0.5,
            ),
            Projection("signed", "b", "c", Uniform(-0.1, 0.1), blocks=4, signed=True),
            Projection("again", "b", "c", Uniform(-0.1, 0.2)),
            Projection("nothing", "b", "a", 0.5, mask=np.zeros((40, 120), bool)),
        ),
        DT,
    )


def overflowing() -> Network:
    """Return sums of weights beyond 21 bits, currents beyond 23."""
    return Network(
        (Source("input", 400), Population("cells", 6, CubaLIF(30e-3, 20e-3, 1.0, 0.1, 0.3))),
        (Projection("drive", "input", "cells", Uniform(0.3, 1.0)),),
        DT,
    )


NETWORKS = {
    **{k: v for k, v in FEATURES.items() if not LoihiSimulator.problems(v(), "loihi")},
    "per neuron": per_neuron,
    "tangle": tangle,
    "overflowing": overflowing,
}


@pytest.mark.parametrize("way", ["C++", "NumPy", "stock"])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_bit_is_the_references(name: str, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "NumPy":
        monkeypatch.setattr("neurorl.backends.loihi.quick.toolchain.problem", lambda: "no compiler")
    engine_name = "stock" if way == "stock" else "native"
    network = NETWORKS[name]()
    rng = np.random.default_rng(1)
    with (
        load("loihi", network, seed=7, engine=engine_name) as backend,
        load("reference", network, seed=7, arithmetic="loihi") as reference,
    ):
        assert loihi_of(backend).engine == engine_name
        spikes = 0
        for window in range(30):
            n_steps = int(rng.integers(1, 14))
            inputs = rasters(network, n_steps, window, 0.4)
            seen, expected = backend.step(inputs, n_steps), reference.step(inputs, n_steps)
            for node, raster in expected.items():
                assert np.array_equal(seen[node], raster), (window, node)
                spikes += int(raster.sum())
            assert same_state(backend.state(), reference.state()) == [], window
            for projection in network.projections if window % 3 == 0 else ():
                shape = network.weight_shape(projection.name)
                weights = rng.uniform(-0.5, 1.0, shape)
                for one in (backend, reference):
                    one.set_weights(projection.name, weights)
            if window % 11 == 10:
                backend.reset()
                reference.reset()
        assert spikes > 20


def test_the_overflowing_network_overflows() -> None:
    network = overflowing()
    with load("loihi", network, engine="stock") as backend:
        seen = []
        stock = engine(backend)._compartment._overflow

        def spy(x: Any, bits: int, name: str | None = None) -> None:
            if (np.abs(x.astype(np.int64)) > 2**bits).any():
                seen.append(name)
            stock(x, bits, name)

        engine(backend)._compartment._overflow = spy
        backend.step(rasters(network, 100, 0, 0.9), 100)
    assert {"q0", "current"} <= set(seen)


def test_a_long_window_equals_short_ones() -> None:
    network = FEATURES["escape noise"]()
    inputs = rasters(network, 700, 0)
    with load("loihi", network) as whole, load("loihi", network) as parts:
        expected = whole.step(inputs, 700)["middle"]
        seen = [parts.step({"input": inputs["input"][k : k + 70]}, 70) for k in range(0, 700, 70)]
    assert np.array_equal(np.vstack([s["middle"] for s in seen]), expected)


@pytest.mark.parametrize("t", [0, 1, 1000, 10**9 + 3])
def test_a_reference_state_with_spikes_in_flight_goes_on(t: int) -> None:
    network = tangle()
    inputs = rasters(network, 9, 1, 0.5)
    with (
        load("reference", network, seed=3, arithmetic="loihi") as reference,
        load("loihi", network, seed=3) as backend,
    ):
        reference.step(rasters(network, 11, 0, 0.7), 11)
        state = {**reference.state(), "t": np.array(t)}
        assert state["input.spikes"].any()
        assert state["a.spikes"].any()
        reference.restore(state)
        backend.step(rasters(network, 5, 2), 5)
        backend.restore(state)
        assert same_state(backend.state(), reference.state()) == []
        seen, expected = backend.step(inputs, 9), reference.step(inputs, 9)
        assert all(np.array_equal(seen[k], expected[k]) for k in expected)
        assert same_state(backend.state(), reference.state()) == []
        assert backend.t == t + 9


def test_states_have_the_references_shapes_and_kinds() -> None:
    network = tangle()
    with load("reference", network, arithmetic="loihi") as a, load("loihi", network) as b:
        a_state, b_state = a.state(), b.state()
    assert {k: (v.shape, v.dtype) for k, v in a_state.items()} == {
        k: (v.shape, v.dtype) for k, v in b_state.items()
    }


def test_windows_leave_nothing_behind() -> None:
    network = FEATURES["several sources"]()
    with load("loihi", network, engine="stock") as backend:
        inputs = rasters(network, 2, 0, 0.6)
        for _ in range(300):
            backend.step(inputs, 2)
        for spike_input in engine(backend)._compiled.inputs.values():
            assert len(spike_input.spikes) <= 1
            assert not spike_input.permanent


def test_nengo_loihi_has_what_is_used_of_it() -> None:
    with load("loihi", tangle(), engine="stock") as backend:
        emu = engine(backend)._emulator

        def arguments(method: Any) -> list[str]:
            return list(inspect.signature(method).parameters)

        state = type(emu.compartment)
        assert arguments(state.update) == ["self", "rng"]
        assert arguments(emu.compartment.noise._uniform)[:1] == ["rng"]
        for name in ("current", "voltage", "ref_count", "vth", "bias", "ref", "spike_count"):
            assert getattr(emu.compartment, name).dtype == np.int32, name
        assert emu.compartment.spiked.dtype == np.bool_
        assert emu.compartment.input.shape == (1, 166)
        assert not emu.compartment.noise.enabled.any()
        assert not emu.synapses.traces


def test_the_order_within_a_step_is_what_the_noise_relies_on() -> None:
    with load("loihi", FEATURES["LIF"](), engine="stock") as backend:
        emu = engine(backend)._emulator
        order: list[str] = []

        def note(owner: Any, name: str) -> None:
            inner = getattr(owner, name)

            def noted(*args: Any) -> Any:
                order.append(name)
                return inner(*args)

            setattr(owner, name, noted)

        note(emu.compartment, "advance_input")
        note(emu.synapses, "inject_current")
        note(emu.synapses, "update_input")
        note(emu.compartment, "update")
        before = emu.t
        backend.step({}, 1)
        assert emu.t == before + 1
        assert order == ["advance_input", "inject_current", "update_input", "update"]


def test_weights_are_shared_with_the_emulator() -> None:
    with load("loihi", tangle(), engine="stock") as backend:
        for table in engine(backend)._compiled.tables.values():
            assert table.data.dtype == np.int32
        for p in loihi_of(backend).delays.network.spiking.projections:
            name = p.name
            (block,) = engine(backend)._compiled.blocks[p.post]
            data = engine(backend)._compiled.tables[name].data
            own = [synapse for synapse in block.synapses if synapse.label == name]
            assert len(own) == (name != "nothing")  # a mask without a synapse takes no axon
            assert all(np.shares_memory(data, w) for synapse in own for w in synapse.weights)


def test_the_emulators_first_step_receives_nothing() -> None:
    """The emulator's clock starts at 1 as nothing arrives at t=1; if that changes, this fails."""
    with load("loihi", FEATURES["LIF"](), engine="stock") as backend:
        model = engine(backend)._compiled.model
        with np.errstate(invalid="ignore"):
            fresh = EmulatorInterface(model, seed=0)
        (spike_input,) = fresh.inputs
        seen: list[int] = []

        def note(t: int) -> list[int]:
            seen.append(t)
            return []

        spike_input.spike_idxs = note
        fresh.run_steps(3)
        assert seen == [1, 2]
