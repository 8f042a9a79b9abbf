"""Test a chip that learns: spikes and errors, through nengo-loihi's own embedded code."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from nxsdk.arch.n2a.n2board import N2Board
from nxsdk.graph.processes.phase_enums import Phase
from simulators import loihi_of

from neurorl.arithmetic.rounding import ChipArithmetic
from neurorl.backends.base import Backend
from neurorl.backends.registry import load
from neurorl.errors import UnsupportedError
from neurorl.models import LIF, CubaLIF
from neurorl.network.description import Network, Plasticity, Population, Projection, Source
from neurorl.testing import rasters

INPUT, MIDDLE, LAST = 70, 9, 3
PACKET = 64


def network(**last: Any) -> Network:
    cells = CubaLIF(2e-3, 8e-3, 0.6, refractory=2e-3)
    learned = Plasticity(trace_tau=5e-3)
    return Network(
        (
            Source("input", INPUT),
            Population("middle", MIDDLE, cells),
            Population("last", LAST, LIF(6e-3, 0.4, **last)),
        ),
        (
            Projection(
                "first",
                "input",
                "middle",
                np.linspace(-0.1, 0.3, INPUT * MIDDLE).reshape(INPUT, MIDDLE),
            ),
            Projection("second", "middle", "last", 0.3, plasticity=learned),
        ),
    )


@pytest.fixture
def chip() -> Iterator[Backend]:
    with load("loihi", network(), learning="pes", pes_magnitude=20.5) as backend:
        assert loihi_of(backend).target == "loihi"
        yield backend


def learning_core() -> tuple[int, Any]:
    (found,) = (
        (k, core)
        for k, core in enumerate(N2Board.last.n2Chips[0].n2Cores)
        if core.numUpdates.fields["numStdp"]
    )
    return found


def read(packet: tuple[int, ...]) -> tuple[list[tuple[int, int]], list[tuple[int, list[int]]]]:
    """Return spikes ``(core, axon)`` and errors ``(core, values)`` that came in a step."""
    numbers = list(packet)
    n = numbers.pop(0)
    spikes = []
    for _ in range(n):
        place, kind = numbers.pop(0), numbers.pop(0)
        assert kind == 0
        spikes.append((place >> 16, place & 0xFFFF))
    errors = []
    while numbers:
        core, n = numbers.pop(0), numbers.pop(0)
        errors.append((core, [numbers.pop(0) for _ in range(n)]))
    return spikes, errors


def test_spikes_are_the_references_while_nothing_is_wrong(chip: Backend) -> None:
    """The embedded code gets the spikes, the cores run, and it packs theirs."""
    with load("reference", network(), arithmetic="loihi") as reference:
        total = 0
        for k, n_steps in enumerate((7, 1, 40)):
            inputs = rasters(chip.network, n_steps, k, 0.9 if k == 2 else 0.3)
            expected, seen = reference.step(inputs, n_steps), chip.step(inputs, n_steps)
            for name, raster in expected.items():
                assert np.array_equal(seen[name], raster), name
                total += int(raster.sum())
    assert total > 50
    # 63 spikes and more take a second packet, which the code must fetch.
    assert max(len(packet) for packet in N2Board.last.packets) > 2 * PACKET


def test_each_step_is_a_packet_of_its_spikes_and_errors(chip: Backend) -> None:
    errors = np.array([[0.5, -1.0, 0.25], [0.0, 2.0, -3.0], [0.004, -0.004, 0.0]])
    spikes = np.zeros((3, INPUT), dtype=bool)
    spikes[0, 4] = spikes[2, [0, 69]] = True
    chip.learn({"input": spikes}, {"last": errors}, 3)
    packets = [read(packet) for packet in N2Board.last.packets]
    number, _ = learning_core()
    other = 1 - number
    assert packets[0] == ([], [(number, [0, 0, 0])])  # the silent step before the first
    assert [s for s, _ in packets[1:]] == [[(other, 4)], [], [(other, 0), (other, 69)]]
    assert [e for _, e in packets[1:]] == [
        [(number, [64, -127, 32])],
        [(number, [0, 127, -127])],
        [(number, [1, -1, 0])],
    ]
    assert N2Board.last.runs == [1, 3]


def test_errors_reach_the_learning_engine(chip: Backend) -> None:
    """A neuron and its silent twin have |error| as y1, with rules of opposite sign."""
    chip.learn({}, {"last": np.array([0.5, -1.0, 0.0])}, 2)
    number, _ = learning_core()
    (entries,) = N2Board.last.errors[-1]
    y1, profile = entries[number, :, 3], entries[number, :, 8]
    assert y1[: 2 * LAST].tolist() == [64, 127, 0] * 2
    assert profile[:LAST].tolist() == [1, 0, 0]
    assert profile[LAST : 2 * LAST].tolist() == [0, 1, 1]
    assert not y1[2 * LAST :].any()
    chip.step({}, 1)
    assert not N2Board.last.errors[-1][0][number, :, 3].any()


def test_registers_of_the_core_that_learns(chip: Backend) -> None:
    number, core = learning_core()
    assert len(core.cxCfg.parts) == 2 * LAST
    assert core.numUpdates.fields == {"numUpdates": 2, "numStdp": MIDDLE}
    assert core.stdpUcodeMem[0].word == "dw = u1*x1*y1*(2^-7)"
    assert core.stdpUcodeMem[1].word == "dw = -u1*x1*y1*(2^-7)"
    assert [core.stdpProfileCfg[k].uCodePtr for k in (0, 1)] == [0, 1]
    assert core.stdpPreCfg[0].fields == {"tau": 5, "spikeLevelInt": 20, "spikeLevelFrac": 64}
    assert core.stdpCfg.fields == {"firstLearningIndex": 0, "numRewardAxons": 0}
    (chip_,) = N2Board.last.n2Chips
    assert not chip_.n2Cores[1 - number].numUpdates.fields["numStdp"]
    formats = {core.synapses[k].fields["synFmtId"] for k in core.synapses.parts}
    assert [core.synapseFmt[k].learningCfg for k in formats] == [1]
    assert [core.synapseFmt[k].stdpProfile for k in formats] == [0]


def test_synapses_of_the_core_that_learns(chip: Backend) -> None:
    """Weights of the twin are zeros; each axon has a pre trace, and all learn."""
    _, core = learning_core()
    arithmetic = ChipArithmetic(network())
    mantissa = arithmetic.mantissa("second", np.full((MIDDLE, LAST), 0.3))
    assert mantissa.any()
    for axon in range(MIDDLE):
        entry = core.synapseMap[2 * axon].fields  # a learning axon takes two entries
        assert core.synapseMap[2 * axon + 1].singleTraceEntry.fields == {"preProfile": 0, "tcs": 0}
        row = np.zeros(2 * LAST, dtype=int)
        for k in range(entry["synapsePtr"], entry["synapsePtr"] + entry["synapseLen"]):
            synapse = core.synapses[k].fields
            assert synapse["LrnEn"] == 1
            row[int(synapse["CIdx"])] = synapse["Wgt"]
        assert row.tolist() == [*mantissa[axon], *[0] * LAST]
    for neuron in range(2 * LAST):
        assert core.stdpPostState[neuron].fields == {"stdpProfile": 0, "traceProfile": 3}


def test_the_embedded_code_is_for_this_network(chip: Backend) -> None:
    phases = [snip.phase for snip in N2Board.last.snips]
    assert sorted(phases) == [
        Phase.EMBEDDED_MGMT,
        Phase.EMBEDDED_PRELEARN_MGMT,
        Phase.HOST_CONCURRENT_EXECUTION,
    ]
    (code,) = N2Board.last._code
    assert "#define N_ERRORS 1" in code.sources[Phase.EMBEDDED_MGMT]
    assert f"i < {LAST}" in code.sources[Phase.EMBEDDED_MGMT]  # not of the twins


def test_what_can_not_be_read_is_refused(chip: Backend) -> None:
    chip.step({}, 2)
    with pytest.raises(UnsupportedError, match="target loihi: weights of a projection that learns"):
        chip.weights("second")
    assert chip.weights("first").any()


def test_several_refractory_periods_are_refused() -> None:
    odd = network(refractory=np.array([0.0, 1e-3, 2e-3]))
    with pytest.raises(UnsupportedError, match="'last' of several refractory periods"):
        load("loihi", odd, learning="pes")
    with load("loihi", odd, learning="pes", record=("middle",)) as chip:
        assert loihi_of(chip).target == "loihi"
