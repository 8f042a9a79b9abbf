"""Compare every register that was written with the description; numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from chip_cases import tau_mem, tau_syn
from nxsdk.arch.n2a.n2board import N2Board
from simulators import loihi_of

from neurorl import load
from neurorl.backends.loihi.placement import CoreLimits
from neurorl.models import GLM, CubaLIF
from neurorl.network.description import Network, Population, Projection, Source

DT = 1e-3
MASK = np.array([[1, 0, 0, 1, 0], [0, 1, 0, 0, 0], [0, 0, 0, 0, 0]], dtype=bool)
DRIVE = np.array([[1.0, -0.25, 0.5, 0.0, -1.0], [0.25, 0.5, -0.5, 1.0, 0.125]])
# With 1.0 the largest weight into "cells", 254 * 64 = 16256 chip units are 1.
MANTISSAS = np.array([[254, -64, 128, 0, -254], [64, 128, -128, 254, 32]])


def network() -> Network:
    cells = CubaLIF(
        tau_syn=tau_syn([0, 1, 2048, 4094, 4095]),
        tau_mem=tau_mem([4095, 0, 4094, 1, 2048]),
        threshold=[0.5, 1.0, 0.5, 2.0, 0.5],
        bias=[0.0, 0.25, -0.25, 0.5, -1.0],
        refractory=DT * np.array([0, 1, 62, 10, 0]),
    )
    return Network(
        (
            Source("input", 2),
            Source("other", 3),
            Population("cells", 5, cells),
            Population("units", 2, GLM(bias=0.0)),
        ),
        (
            Projection("drive", "input", "cells", DRIVE),
            Projection("thin", "other", "cells", 0.25, mask=MASK, delay=2e-3),
            Projection(
                "loop", "cells", "cells", 0.5 * np.arange(1, 6)[:, None, None] / 5, blocks=5
            ),
            Projection("out", "cells", "units", np.linspace(-1, 1, 10).reshape(5, 2)),
        ),
        DT,
    )


@pytest.fixture(scope="module")
def board() -> Iterator[Any]:
    """Put "cells" on two cores: neurons 0 and 1, and 2 to 4."""
    core = CoreLimits(compartments=3)
    with load("loihi", network(), seed=5, noise="chip", core=core) as backend:
        assert loihi_of(backend).target == "loihi"
        assert loihi_of(backend).placement.cores["cells"] == (
            slice(0, 2),
            slice(2, 5),
        )
        N2Board.last.backend = backend  # type: ignore[attr-defined]
        yield N2Board.last


def cores(board: Any) -> list[tuple[Any, str, int]]:
    """Return each core with its population and first neuron, as nengo-loihi allocates them."""
    (chip,) = board.n2Chips
    return list(zip(chip.n2Cores, ("cells", "units", "cells"), (0, 0, 2), strict=True))


def compartments(board: Any, population: str) -> list[tuple[Any, dict[str, Any]]]:
    """Return core and registers of each neuron."""
    return [
        (core, core.cxCfg[k].fields)
        for core, name, _ in cores(board)
        if name == population
        for k in range(len(core.cxCfg.parts))
    ]


def profiles(board: Any, population: str, field: str) -> list[int]:
    return [
        int(core.cxProfileCfg[own["cxProfile"]].fields[field])
        for core, own in compartments(board, population)
    ]


def test_every_neurons_decays_refractory_period_and_noise(board: Any) -> None:
    assert profiles(board, "cells", "decayU") == [0, 1, 2048, 4094, 4095]
    assert profiles(board, "cells", "decayV") == [4095, 0, 4094, 1, 2048]
    assert profiles(board, "cells", "refractDelay") == [1, 2, 63, 11, 1]
    assert profiles(board, "cells", "enableNoise") == [0] * 5
    assert profiles(board, "units", "decayU") == profiles(board, "units", "decayV") == [4095] * 2
    assert profiles(board, "units", "refractDelay") == [1, 1]
    assert profiles(board, "units", "enableNoise") == [1, 1]
    assert profiles(board, "cells", "bapAction") == [1] * 5


def test_every_neurons_threshold_and_bias(board: Any) -> None:
    own = compartments(board, "cells")
    vth = [int(core.vthProfileCfg[f["vthProfile"]].staticCfg.fields["vth"]) for core, f in own]
    assert vth == [127, 254, 127, 508, 127]
    # 0.5 and -1 don't fit 12 bits: 4064 * 2, and 16256 = 4064 * 4.
    assert [(int(f["bias"]), int(f["biasExp"])) for _, f in own] == [
        (0, 0),
        (4064, 0),
        (-4064, 0),
        (4064, 1),
        (-4064, 2),
    ]


def test_what_a_core_shares(board: Any) -> None:
    exponent = board.backend.arithmetic.chip.populations["units"].noise_exponent
    assert exponent >= 7
    for core, population, _ in cores(board):
        noisy = population == "units"
        assert core.dendriteSharedCfg.fields == {
            "posVmLimit": 7,  # 2**(9 + 14) - 1
            "negVmLimit": 23,
            "noiseExp0": exponent if noisy else 7,
            "noiseMantOffset0": 0,
            "noiseAtDendOrVm": int(noisy),
        }
        n = len(core.cxCfg.parts)
        assert core.numUpdates.fields == {"numUpdates": -(-n // 4), "numStdp": 0}
        phases = [core.cxMetaState[k // 4].fields[f"phase{k % 4}"] for k in range(n)]
        assert phases == [2] * n
        assert (core.dendriteTimeState[0].tepoch, core.timeState[0].tepoch) == (2, 2)


def formats(board: Any) -> Iterator[dict[str, Any]]:
    for core, _, _ in cores(board):
        for k in core.synapseFmt.parts:
            yield core.synapseFmt[k].fields


def test_every_format_of_synapses(board: Any) -> None:
    found = list(formats(board))
    assert len(found) >= 4
    for fields in found:
        assert fields["fanoutType"] == 1  # mixed signs
        assert fields["wgtBits"] == 7  # 8 bits
        assert fields["numSynapses"] == 63  # 64 in an entry
        assert fields["compression"] in (0, 3)
        assert (fields["dlyBits"], fields["tagBits"], fields["learningCfg"]) == (0, 0, 0)
        assert (fields["cIdxMult"], fields["skipBits"], fields["idxBits"] >= 0) == (0, 0, True)


def test_every_synapse_of_every_source(board: Any) -> None:
    assert np.array_equal(reached(board, "input", 2), 64 * MANTISSAS)
    # 0.25 is 4064 units, at most 254 * 2**4: mantissa 254 at exponent -2.
    thin = np.where(MASK, 254 * 2**4, 0)
    assert np.array_equal(reached(board, "other", 3), thin)


def reached(board: Any, source: str, size: int) -> Any:
    """Return what arrives at "cells" from each neuron of a source, by the spikes sent for it."""
    sent = board.global_spike_generator.spikes
    found = np.zeros((size, 5), dtype=np.int64)
    for neuron in range(size):
        before = len(sent)
        raster = np.zeros((3, size), dtype=bool)
        raster[0, neuron] = True
        first = board.backend.t + 1
        board.backend.step({source: raster}, 3)
        # A delay of 2 steps is a label one step later.
        late = source == "other"
        assert [s[0] for s in sent[before:]] == [first + late] * len(sent[before:])
        for _, chip, core, axon in sent[before:]:
            assert chip == 0
            add_row(board, found[neuron], core, axon)
    return found


def add_row(board: Any, row: Any, core: int, axon: int) -> None:
    registers, _, first = cores(board)[core]
    entry = registers.synapseMap[axon].fields
    start = entry["synapsePtr"]
    assert entry["discreteMapEntry"].fields["cxBase"] == 0
    for k in range(start, start + entry["synapseLen"]):
        synapse = registers.synapses[k].fields
        assert synapse["LrnEn"] == 0
        exponent = registers.synapseFmt[synapse["synFmtId"]].wgtExp
        row[first + int(synapse["CIdx"])] += int(int(synapse["Wgt"]) * 2.0 ** (6 + exponent))


def test_every_synapse_between_neurons(board: Any) -> None:
    chip = board.backend.arithmetic
    expected = {"cells": np.zeros((5, 5)), "units": np.zeros((5, 2))}
    loop = chip.transmitted("loop", board.backend.weights("loop"))
    expected["cells"][np.arange(5), np.arange(5)] = loop.ravel()
    expected["units"][:] = chip.transmitted("out", board.backend.weights("out"))
    found = {"cells": np.zeros((5, 5)), "units": np.zeros((5, 2))}
    for registers, population, first in cores(board):
        for source, chip_id, core, axon in registers.axons:
            assert (population, chip_id) == ("cells", 0)
            add_row(board, found[cores(board)[core][1]][first + source], core, axon)
    assert np.array_equal(found["cells"], expected["cells"])
    assert np.array_equal(found["units"], expected["units"])
    # "loop" spans 0.1 to 0.5: of 16256 units, exponent -1; mantissas by hand.
    assert loop.ravel().tolist() == [2 * k * 32 for k in (25, 51, 76, 102, 127)]


def test_no_more_synapses_are_stored(board: Any) -> None:
    stored = sum(len(core.synapses.parts) for core, _, _ in cores(board))
    # A mask is stored with its zeros where that is shorter: 2 rows of 2 neurons, and 1 row of 3.
    assert stored == DRIVE.size + (4 + 3) + 5 + 10
    assert board.n_synapses == [[len(core.synapses.parts) for core, _, _ in cores(board)]]


def test_a_window_is_a_run(board: Any) -> None:
    runs = len(board.runs)
    board.backend.step({}, 4)
    board.backend.step({}, 9)
    assert board.runs[runs:] == [4, 9]
    assert board.started
