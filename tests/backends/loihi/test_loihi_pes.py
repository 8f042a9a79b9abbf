"""Test learning on the chip against integers by hand and a model of nengo-loihi's own."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from simulators import loihi_of

from neurorl.backends.base import Backend
from neurorl.backends.loihi.vendor import (
    Axon,
    EmulatorInterface,
    LoihiBlock,
    LoihiProbe,
    Model,
    SpikeInput,
    Synapse,
)
from neurorl.backends.registry import load
from neurorl.errors import ArgumentError, UnknownNameError, UnsupportedError
from neurorl.models import GLM, LIF, CubaLIF
from neurorl.network.description import Network, Plasticity, Population, Projection, Source, Uniform
from neurorl.testing import FEATURES, rasters, same_state


def one_layer(n_pre: int = 2, n_post: int = 3, weights: Any = 0.0, **plastic: Any) -> Network:
    plasticity = Plasticity(**{"trace_tau": 10.0, **plastic})
    return Network(
        (Source("input", n_pre), Population("cells", n_post, CubaLIF(2e-3, 5e-3, 0.8))),
        (Projection("learned", "input", "cells", weights, plasticity=plasticity),),
    )


def mantissas(backend: Any) -> npt.NDArray[np.float64]:
    unit = backend.arithmetic.chip.projections["learned"].unit
    return np.asarray(backend.weights("learned") / unit)


def spikes_at(step: int, neuron: int, n_steps: int, n_pre: int = 2) -> dict[str, Any]:
    raster = np.zeros((n_steps, n_pre), dtype=bool)
    raster[step, neuron] = True
    return {"input": raster}


def test_an_update_by_hand() -> None:
    """A spike of step 0 comes in step 1; its trace is 64 in step 2, where e = 16 acts.

    ``-64 * 16 / 512 = -2`` mantissas, which needs no rounding: (-1024 >> 2) / 2**8 = -1 of 2.
    """
    with load("loihi", one_layer(), learning="pes", pes_magnitude=64.0) as backend:
        errors = np.zeros((4, 3))
        errors[2] = np.array([16, -16, 32]) / 127
        backend.learn(spikes_at(0, 1, 4), {"cells": errors}, 4)
        assert mantissas(backend).tolist() == [[0, 0, 0], [-2, 2, -4]]
        assert backend.t == 4


@pytest.mark.parametrize("step", [0, 1, 3])
def test_other_steps_learn_nothing(step: int) -> None:
    with load("loihi", one_layer(), learning="pes", pes_magnitude=64.0) as backend:
        errors = np.zeros((4, 3))
        errors[step] = 1.0
        backend.learn(spikes_at(0, 1, 4), {"cells": errors}, 4)
        assert not mantissas(backend).any()
        backend.step(spikes_at(0, 1, 8), 8)  # and no error lasts
        assert not mantissas(backend).any()


def test_an_error_for_all_steps_acts_in_every_fourth() -> None:
    """A trace that stays gives two updates of one magnitude each, in steps 2 and 6."""
    with load("loihi", one_layer(trace_tau=1e5), learning="pes", pes_magnitude=64.0) as backend:
        backend.learn(spikes_at(0, 0, 8), {"cells": np.full(3, -16 / 127)}, 8)
        assert mantissas(backend)[0] == pytest.approx([4, 4, 4], abs=2)  # the trace may round to 63
        assert not mantissas(backend)[1].any()


def test_errors_are_clipped_and_weights_end_at_the_bound() -> None:
    with load("loihi", one_layer(), learning="pes", pes_magnitude=127.0) as backend:
        raster = np.zeros((80, 2), dtype=bool)
        raster[::2, 0] = True
        backend.learn({"input": raster}, {"cells": np.array([9.0, -9.0, 0.0])}, 80)
        assert mantissas(backend).tolist() == [[-254, 254, 0], [0, 0, 0]]


def test_rounding_is_right_on_the_average() -> None:
    """An update is 20 * 127 / 512 = 4.96 mantissas: 2 * (2 or 3), 3 as often as it must."""
    with load("loihi", one_layer(64, 100), learning="pes", pes_magnitude=20.0) as backend:
        raster = np.zeros((4, 64), dtype=bool)
        raster[0] = True
        backend.learn({"input": raster}, {"cells": np.full(100, -1.0)}, 4)
        halves = mantissas(backend) / 2
        assert set(np.unique(halves)) == {2, 3}
        wanted = (20 * 127 >> 2) / 256
        assert abs(halves.mean() - wanted) < 4.5 * 0.5 / np.sqrt(halves.size)


def nengo_model(backend: Any) -> tuple[Any, Any, Any, Any]:
    """Return the network of `one_layer` written for nengo-loihi alone: 2n compartments."""
    chip = backend.arithmetic.chip
    cells, exponent = chip.populations["cells"], chip.projections["learned"].exponent
    n, model = len(cells.threshold), Model()
    model.pes_error_scale = 127.0
    source = SpikeInput(backend.network.node("input").size)
    block = LoihiBlock(2 * n)
    c = block.compartment
    c.decay_u = np.full(2 * n, cells.current_decay[0], dtype=np.int32)
    c.decay_v = np.full(2 * n, cells.voltage_decay[0], dtype=np.int32)
    c.vth = np.full(2 * n, cells.threshold[0], dtype=np.int32)
    c.bias = np.zeros(2 * n, dtype=np.int32)
    c.refract_delay = np.ones(2 * n, dtype=np.int32)
    c.vmin, c.vmax, c.scale_u, c.scale_v, c.noise_exp = -(2**23) + 1, 2**23 - 1, False, False, 7
    synapse = Synapse(source.n_neurons)
    first = backend.arithmetic.mantissa("learned", backend.weights("learned")) << (6 + exponent)
    rows = np.hstack([first, np.zeros_like(first)]).astype(np.int32)
    synapse.weights = [row[None, :].copy() for row in rows]
    synapse.indices = [np.arange(2 * n, dtype=np.int32)[None, :]] * len(rows)
    synapse.format(compression=3, idx_bits=3, fanout_type=1, n_synapses=63, weight_bits=7)
    synapse.format(weight_exp=exponent)
    synapse.set_learning(tracing_tau=6, tracing_mag=30.0, wgt_exp=exponent)
    synapse._lr_int, synapse._lr_exp = 1, -7
    block.add_synapse(synapse)
    axon = Axon(source.n_neurons)
    axon.target = synapse
    axon.set_compartment_axon_map(np.arange(source.n_neurons))
    source.add_axon(axon)
    probe = LoihiProbe(target=block, key="spiked", slice=slice(0, n))
    model.add_input(source)
    model.add_block(block)
    model.add_probe(probe)
    return model, source, synapse, probe


def test_it_is_nengo_loihis_own_learning() -> None:
    network = one_layer(6, 4, Uniform(-0.5, 1.0), trace_tau=6e-3)
    n_steps, rng = 200, np.random.default_rng(0)
    inputs = rasters(network, n_steps, 1, 0.2)
    errors = rng.uniform(-1.2, 1.2, (n_steps, 4))
    with load(
        "loihi", network, learning="pes", pes_magnitude=30.0, seed=5, engine="stock"
    ) as backend:
        engine: Any = loihi_of(backend).engines[0]
        model, source, synapse, probe = nengo_model(backend)
        with np.errstate(invalid="ignore"):
            emulator = EmulatorInterface(model, seed=engine._emulator.seed)
        emulator.t = 1
        for k in range(n_steps):
            source.add_spikes(k + 2, inputs["input"][k].nonzero()[0])
        with np.testing.suppress_warnings() as quiet:
            quiet.filter()
            for k in range(n_steps):
                given = np.clip(errors[k], -1, 1)
                emulator.host2chip([], [(synapse, emulator.t, given)])
                emulator.step()
        seen = backend.learn(inputs, {"cells": errors}, n_steps)["cells"]
        assert np.array_equal(seen, emulator.collect_probe_output(probe) > 0)
        assert seen.sum() > 50
        exponent = backend.arithmetic.chip.projections["learned"].exponent  # type: ignore[attr-defined]
        theirs = np.vstack(synapse.weights)[:, :4] / 2.0 ** (6 + exponent)
        assert np.array_equal(mantissas(backend), theirs)
        assert len(np.unique(theirs)) > 8


def test_parts_of_a_run_and_a_state_go_on_exactly() -> None:
    network = one_layer(6, 4, Uniform(-0.5, 1.0), trace_tau=6e-3)
    inputs = rasters(network, 41, 1, 0.3)["input"]
    errors = np.random.default_rng(0).uniform(-1, 1, (41, 4))

    def learn(backend: Backend, start: int, stop: int) -> npt.NDArray[np.bool_]:
        rows, given = {"input": inputs[start:stop]}, {"cells": errors[start:stop]}
        return backend.learn(rows, given, stop - start)["cells"]

    with (
        load("loihi", network, learning="pes", seed=5) as whole,
        load("loihi", network, learning="pes", seed=5) as parts,
        load("loihi", network, learning="pes", seed=5) as late,
    ):
        expected = learn(whole, 0, 41)
        seen = [learn(parts, 0, 17)]
        state = parts.state()
        seen.append(learn(parts, 17, 41))
        assert np.array_equal(np.vstack(seen), expected)
        assert same_state(parts.state(), whole.state()) == []
        learn(late, 0, 3)
        late.restore(state)
        assert np.array_equal(learn(late, 17, 41), expected[17:])
        assert same_state(late.state(), whole.state()) == []


def test_a_replica_is_its_seed_alone() -> None:
    network = one_layer(6, 4, Uniform(-0.5, 1.0))
    inputs = rasters(network, 40, 1, 0.3)["input"]
    errors = np.random.default_rng(0).uniform(-1, 1, (40, 4))
    with (
        load("loihi", network, learning="pes", seed=(5, 8)) as both,
        load("loihi", network, learning="pes", seed=8) as alone,
    ):
        both.learn({"input": np.tile(inputs, 2)}, {"cells": np.tile(errors, 2)}, 40)
        alone.learn({"input": inputs}, {"cells": errors}, 40)
        assert np.array_equal(both.weights("learned")[1], alone.weights("learned"))
        assert not np.array_equal(both.weights("learned")[0], alone.weights("learned"))


def test_reset_forgets_the_traces_and_written_weights_learn_on() -> None:
    with load("loihi", one_layer(), learning="pes", pes_magnitude=64.0) as backend:
        backend.step(spikes_at(0, 1, 2), 2)
        backend.reset()
        backend.learn({}, {"cells": np.ones(3)}, 2)
        assert not mantissas(backend).any()
        held = backend.set_weights("learned", np.full((2, 3), 0.5))
        assert np.array_equal(held, backend.weights("learned"))
        before = mantissas(backend)
        backend.learn(spikes_at(0, 1, 4), {"cells": np.full(3, 16 / 127)}, 4)
        assert (mantissas(backend) - before).tolist() == [[0, 0, 0], [-2, -2, -2]]


def test_without_errors_it_is_the_network_that_does_not_learn() -> None:
    network = FEATURES["plastic"]() if "plastic" in FEATURES else one_layer(5, 4, Uniform(0.0, 1.0))
    inputs = rasters(network, 60, 0)
    with (
        load("loihi", network, learning="pes", seed=2, engine="stock") as backend,
        load("reference", network, arithmetic="loihi", seed=2) as reference,
    ):
        seen, expected = backend.step(inputs, 60), reference.step(inputs, 60)
        assert all(np.array_equal(seen[k], expected[k]) for k in expected)
        assert sum(int(raster.sum()) for raster in seen.values()) > 10


def test_a_layer_behind_one_that_learns() -> None:
    """Axons leave the population only, not its silent twin."""
    first = one_layer(5, 4, Uniform(0.0, 1.0))
    network = Network(
        (*first.nodes, Population("behind", 3, LIF(5e-3, 0.5))),
        (*first.projections, Projection("on", "cells", "behind", Uniform(0.0, 0.6), delay=2e-3)),
    )
    inputs = rasters(network, 60, 0)
    with (
        load("loihi", network, learning="pes", seed=2, engine="stock") as backend,
        load("reference", network, arithmetic="loihi", seed=2) as reference,
    ):
        seen, expected = backend.step(inputs, 60), reference.step(inputs, 60)
        assert all(np.array_equal(seen[k], expected[k]) for k in expected)
        assert seen["behind"].any()
        rows = {row["population"]: row for row in loihi_of(backend).chip_table()}
        assert rows["cells"]["compartments"] == 8
        engine: Any = loihi_of(backend).engines[0]
        used = engine._compiled.blocks["cells"][0].utilization()
        assert rows["cells"]["synapse_bits"] == used["synapses"][0]


def test_what_pes_cannot_learn_is_named() -> None:
    plastic, uneven = Plasticity(), Plasticity(low=-0.5, high=1.0)
    nodes = (Source("input", 4), Source("flow", 2, kind="current"), Population("cells", 4, GLM()))
    network = Network(
        nodes,
        (
            Projection("fixed", "input", "cells", 0.1),
            Projection("signed", "input", "cells", 0.1, signed=True, plasticity=plastic),
            Projection(
                "masked", "input", "cells", 0.1, mask=np.eye(4, dtype=bool), plasticity=plastic
            ),
            Projection("uneven", "input", "cells", 0.1, plasticity=uneven),
            Projection("currents", "flow", "cells", 0.1, plasticity=plastic),
        ),
    )
    with pytest.raises(UnsupportedError) as caught:
        load("loihi", network, learning="pes")
    for words in (
        "'fixed', which doesn't learn, into the core of 'cells'",
        "projection 'signed' that is signed",
        "projection 'masked' with a mask",
        "projection 'uneven' of low != -high",
        "projection 'currents' from a source of currents",
        "use learning='host'",
    ):
        assert words in str(caught.value), words
    with pytest.raises(UnsupportedError, match="without a projection that learns"):
        load("loihi", FEATURES["LIF"](), learning="pes")
    with pytest.raises(UnsupportedError, match=r"'cells', neuron 0 with 6000 axons_in.*twice"):
        load("loihi", one_layer(3000, 1), learning="pes")
    with pytest.raises(UnsupportedError, match="'cells_coin_weights', which doesn't learn"):
        load(
            "loihi",
            Network(nodes[::2], (Projection("p", "input", "cells", plasticity=plastic),)),
            learning="pes",
            noise="chip+coins",
        )


def test_bad_arguments() -> None:
    with (
        load("loihi", one_layer()) as backend,
        pytest.raises(UnsupportedError, match="on the host"),
    ):
        backend.learn({}, {}, 4)
    with pytest.raises(UnknownNameError, match="learning"):
        load("loihi", one_layer(), learning="stdp")
    with load("loihi", one_layer(), learning="pes") as backend:
        with pytest.raises(UnknownNameError, match="population that learns"):
            backend.learn({}, {"input": np.zeros(2)}, 4)
        with pytest.raises(ArgumentError, match="errors of 'cells': wrong shape"):
            backend.learn({}, {"cells": np.zeros(2)}, 4)
        with pytest.raises(ArgumentError, match="errors of 'cells': not an array of finite"):
            backend.learn({}, {"cells": np.full(3, np.nan)}, 4)
        assert backend.t == 0
