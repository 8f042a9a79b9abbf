"""Test the Loihi backend besides the contract: limits of the chip, targets, reports."""

from __future__ import annotations

import gc
import importlib.util
import json
import subprocess
import sys
import weakref
from typing import Any

import numpy as np
import pytest
from simulators import loihi_of

from neurorl import load
from neurorl.arithmetic.quantiser import quantise
from neurorl.backends.loihi import LoihiSimulator
from neurorl.backends.loihi import model as model_module
from neurorl.backends.loihi import simulator as simulator_module
from neurorl.backends.loihi.limits import usage
from neurorl.backends.loihi.placement import place
from neurorl.backends.loihi.vendor import BuildError
from neurorl.errors import BackendError, BackendUnavailableError, UnknownNameError, UnsupportedError
from neurorl.models import LIF, CubaLIF, actor_network
from neurorl.network.description import Network, Population, Projection, Source, Uniform
from neurorl.testing import FEATURES, rasters


def two_layers(n_inputs: int, n_cells: int, **projection: Any) -> Network:
    return Network(
        (Source("input", n_inputs), Population("cells", n_cells, LIF())),
        (Projection("drive", "input", "cells", 0.5, **projection),),
    )


def test_everything_that_does_not_fit_is_named_at_once() -> None:
    loop = [Projection(f"loop{k}", "hub", "hub", 0.1) for k in range(5)]
    network = Network(
        (
            Source("wide", 4097),
            Population("crowd", 3, LIF()),
            Population("hub", 1000, LIF()),
            Population("hub_2", 8, LIF(threshold=-1.0)),
        ),
        (
            Projection("many", "wide", "crowd", 0.5),
            Projection("slow", "hub", "hub_2", 0.5, delay=2e-3),
            *loop,
        ),
    )
    with pytest.raises(UnsupportedError) as caught:
        load("loihi", network, arithmetic="float")
    message = str(caught.value)
    for words in (
        "arithmetic 'float' (has loihi)",
        "population 'hub_2'",
        "negative threshold",
        "population 'crowd', neuron 0 with 4097 axons into it (limit 4096 of a core; leave out",
        "population 'hub', neuron 0 with 5000 axons into it (limit 4096 of a core; leave out",
    ):
        assert words in message, (words, message)


def test_limits_are_inclusive() -> None:
    k = np.arange(31)
    fits = Network(
        (
            Source("input", 4096),
            Population("motley", 31, CubaLIF(tau_syn=1e-3 * k, threshold=0.5 + 0.1 * (k % 7))),
            Population("few", 6, LIF()),
            Population("full", 1024, LIF()),
        ),
        (
            Projection("in", "input", "few", 0.01),
            *(Projection(f"out{i}", "full", "full", 0.1, blocks=1024) for i in range(4)),
        ),
    )
    assert LoihiSimulator.problems(fits, "loihi") == []
    rows = {row["population"]: row for row in usage(place(fits, quantise(fits)))}
    assert [row["cores"] for row in rows.values()] == [1, 1, 1]
    assert rows["few"]["axons_in"] == 4096
    assert rows["full"]["compartments"] == 1024
    assert rows["full"]["axons_out"] == 4096


def test_the_synapse_memory_is_the_measured_one() -> None:
    for inputs, cores, bits in ((116, 1, 1046784), (117, 2, 1048320)):
        (row,) = usage(place(two_layers(inputs, 1000)))
        assert (row["cores"], row["synapse_bits"]) == (cores, bits)


RUN = [name for name, make in FEATURES.items() if not LoihiSimulator.problems(make(), "loihi")]


@pytest.mark.parametrize("feature", RUN)
def test_bits_are_nengo_loihis(feature: str) -> None:
    network = FEATURES[feature]()
    with load("loihi", network, engine="stock") as backend:
        compiled: Any = loihi_of(backend).engines[0]
        rows = loihi_of(backend).chip_table()
        for row in rows:
            blocks = compiled._compiled.blocks[row["population"]]
            parts = [block.utilization() for block in blocks]
            assert row["cores"] == len(parts)
            used = {key: sum(part[key][0] for part in parts) for key in parts[0]}
            assert row["compartments"] == used["compartments"]
            assert row["axons_in"] == used["in-axons"]
            assert row["axons_out"] == used["out-axons"]
            assert row["synapse_bits"] == used["synapses"]


def test_a_thin_mask_and_blocks_save_memory() -> None:
    thin = np.zeros((50, 200), dtype=bool)
    thin[:, :20] = True
    bits = {
        name: usage(place(network))[0]["synapse_bits"]
        for name, network in (
            ("full", two_layers(50, 200)),
            ("thin", two_layers(50, 200, mask=thin)),
            ("thick", two_layers(50, 200, mask=~thin)),
            ("blocks", two_layers(50, 200, blocks=10)),
        )
    }
    assert bits["thick"] == bits["full"]
    assert bits["thin"] < bits["full"] / 4
    assert bits["blocks"] < bits["full"] / 4


def test_a_network_without_populations_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="a network without a population"):
        load("loihi", Network((Source("input", 3),)))


def test_what_has_no_integer_is_a_problem_too() -> None:
    network = Network((Population("cells", 2, LIF(threshold=-1.0)),))
    (problem,) = LoihiSimulator.problems(network, "loihi")
    assert "'cells'" in problem
    assert "negative threshold" in problem


@pytest.mark.parametrize("error", [BuildError("core is full"), AssertionError("core is full")])
def test_a_refusal_of_nengo_loihi_is_translated(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(model: object) -> None:
        raise error

    monkeypatch.setattr(model_module, "validate_model", refuse)
    with pytest.raises(
        UnsupportedError, match="nengo-loihi refuses the network: core is full"
    ) as e:
        load("loihi", FEATURES["LIF"]())
    assert e.value.__cause__ is error


no_chip = pytest.mark.skipif(
    importlib.util.find_spec("nxsdk") is not None, reason="NxSDK is installed"
)


@no_chip
def test_targets_without_a_chip() -> None:
    network = FEATURES["LIF"]()
    assert LoihiSimulator.default_target() == "emulator"
    assert loihi_of(load("loihi", network)).target == "emulator"
    assert loihi_of(load("loihi", network, target="emulator")).target == "emulator"
    with pytest.raises(BackendUnavailableError, match="NxSDK is not installed; use target='emul"):
        load("loihi", network, target="loihi")
    with pytest.raises(UnknownNameError, match="did you mean 'loihi'"):
        load("loihi", network, target="lohi")


def test_with_nxsdk_auto_means_the_chip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator_module, "has_nxsdk", lambda: True)
    assert LoihiSimulator.default_target() == "loihi"
    assert loihi_of(load("loihi", FEATURES["LIF"](), target="emulator")).target == "emulator"


def test_importing_and_running_it_warns_of_nothing() -> None:
    code = (
        "import numpy as np\n"
        "from neurorl.testing import FEATURES\n"
        "from neurorl import load\n"
        "for engine in ('native', 'stock'):\n"
        "    with load('loihi', FEATURES['escape noise'](), engine=engine) as backend:\n"
        "        backend.step({'input': np.ones((20, 6), bool)}, 20)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_closing_frees_the_emulator() -> None:
    backend = load("loihi", FEATURES["escape noise"](), engine="stock")
    engine = weakref.ref(loihi_of(backend).engines[0])
    gc.disable()
    try:
        backend.close()
        assert engine() is None
    finally:
        gc.enable()
    with pytest.raises(BackendError, match="closed"):
        _ = backend.t


def test_the_report_shows_the_integers() -> None:
    network = actor_network(49, 4, neuron=CubaLIF(1.5e-3, 4.5e-3, 0.5, 0.0, 0.5))
    with load("loihi", network) as backend:
        table, text = loihi_of(backend).chip_table(), backend.source()
    assert [row["population"] for row in table] == ["hidden", "output"]
    assert json.loads(json.dumps(table)) == table
    assert table[0]["compartments_percent"] == 31.25
    chip = backend.arithmetic.chip  # type: ignore[attr-defined]
    hidden = chip.populations["hidden"]
    assert f"current_decay {hidden.current_decay[0]}" in text
    assert f"threshold {hidden.threshold[0]}" in text
    assert "input_hidden: input -> hidden, (49, 320)" in text
    assert "exponent 0: weight = mantissa * 2**6" in text
    assert "320 (31.2 %)" in text
    assert "target emulator" in text


def test_the_report_shows_the_bias_of_signed_projections() -> None:
    with load("loihi", FEATURES["signed units (+-1)"](), engine="stock") as backend:
        name = "hidden_output"
        backend.set_weights(name, np.full(backend.weights(name).shape, 0.25))
        state: Any = loihi_of(backend).engines[0]
        low = state._compartment.bias[state._compiled.slices["output"]].min()
        assert f"bias {low:g}" in backend.source()
        assert "signed (2w is stored)" in backend.source()


def test_records_are_not_views_of_each_other() -> None:
    network = Network(
        (Source("input", 4), Population("a", 3, LIF()), Population("b", 3, LIF())),
        (
            Projection("ia", "input", "a", Uniform(0.0, 1.0)),
            Projection("ib", "input", "b", Uniform(0.0, 1.0)),
        ),
    )
    with load("loihi", network, record=("b",)) as backend:
        out = backend.step(rasters(network, 5, 0), 5)
        assert list(out) == ["b"]
        assert out["b"].flags.owndata
        assert out["b"].flags.c_contiguous
