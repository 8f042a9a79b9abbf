"""The plan of cores by hand, its properties on random networks, and every limit by name."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neurorl.backend import load
from neurorl.backends.loihi import LoihiBackend
from neurorl.backends.loihi.delays import relayed
from neurorl.backends.loihi.limits import CORES, chip_problems, register_problems, usage
from neurorl.backends.loihi.placement import CoreLimits, Placement, place
from neurorl.backends.loihi.synapses import Layout
from neurorl.description import Network, Population, Projection, Source
from neurorl.errors import ArgumentError, UnsupportedError
from neurorl.models import LIF, CubaLIF
from neurorl.quantiser import quantise
from neurorl.testing import random_network

Parts = list[tuple[int, int]]


def cells(size: int, *projections: Projection, neuron: Any = None, inputs: int = 6) -> Network:
    nodes = (Source("input", inputs), Population("cells", size, neuron or LIF()))
    return Network(nodes, projections or (Projection("drive", "input", "cells", 0.5),))


def parts(placement: Placement, name: str = "cells") -> Parts:
    return [(part.start, part.stop) for part in placement.cores[name]]


def test_compartments_are_spread_evenly() -> None:
    assert parts(place(cells(20), limits=CoreLimits(compartments=8))) == [(0, 6), (6, 13), (13, 20)]
    assert parts(place(cells(8), limits=CoreLimits(compartments=8))) == [(0, 8)]
    assert parts(place(cells(1500))) == [(0, 750), (750, 1500)]


def test_axons_go_only_where_there_is_a_synapse() -> None:
    """Two modules of 3 inputs and 4 cells; and a mask by which cell 0 hears input 5 alone."""
    modules = cells(8, Projection("drive", "input", "cells", 0.5, blocks=2))
    placement = place(modules, limits=CoreLimits(axons_in=3))
    assert parts(placement) == [(0, 4), (4, 8)]
    assert [used["axons_in"] for used in placement.used["cells"]] == [3, 3]
    assert [s.rows.tolist() for s in placement.shares("drive", "cells")] == [[0, 1, 2], [3, 4, 5]]
    mask = np.ones((6, 2), dtype=bool)
    mask[:5, 0] = False
    masked = cells(2, Projection("drive", "input", "cells", 0.5, mask=mask))
    split = place(masked, limits=CoreLimits(compartments=1))
    assert [s.rows.tolist() for s in split.shares("drive", "cells")] == [[5], [0, 1, 2, 3, 4, 5]]
    (overfull,) = place(masked, limits=CoreLimits(axons_in=5)).overfull
    assert (overfull.neuron, overfull.used["axons_in"]) == (1, 6)


def test_columns_of_a_masked_share_by_hand() -> None:
    mask = np.array([[1, 0, 0, 0, 0, 0, 1, 0], [0, 1, 0, 0, 1, 0, 0, 0], [0] * 8], dtype=bool)
    projection = Projection("drive", "input", "cells", 0.5, mask=mask)
    layout = Layout.of(cells(8, projection, inputs=3), projection)
    assert layout.index is not None
    low, high = layout.share(0, 4), layout.share(4, 8)
    assert low.rows.tolist() == high.rows.tolist() == [0, 1]
    assert [i.tolist() for i in low.indices()] == [[[0]], [[1]]]
    assert [i.tolist() for i in high.indices()] == [[[2]], [[0]]]
    table = np.array([[10, 11], [12, 13], [0, 0]], dtype=np.int32)
    assert [w.tolist() for w in high.views(table)] == [[[11]], [[13]]]
    assert len(layout.share(2, 4).rows) == 0


def test_synapse_bits_split_by_postsynaptic_neurons() -> None:
    """A row of up to 6 weights of 8 bits and a header of 10 takes an entry of 64 bits."""
    placement = place(cells(12), limits=CoreLimits(synapse_bits=6 * 64))
    assert parts(placement) == [(0, 6), (6, 12)]
    assert [used["synapse_bits"] for used in placement.used["cells"]] == [384, 384]


def test_a_core_more_is_an_axon_more_of_those_before_it() -> None:
    """12 cells on 3 cores: each of the 4 neurons before them has 3 axons out."""
    network = Network(
        (Source("input", 2), Population("first", 4, LIF()), Population("cells", 12, LIF())),
        (Projection("in", "input", "first", 0.5), Projection("on", "first", "cells", 0.5)),
    )
    placement = place(network, limits=CoreLimits(compartments=4, axons_out=6))
    assert parts(placement) == [(0, 4), (4, 8), (8, 12)]
    assert parts(placement, "first") == [(0, 2), (2, 4)]
    assert [used["axons_out"] for used in placement.used["first"]] == [6, 6]
    assert [used["axons_in"] for used in placement.used["cells"]] == [4, 4, 4]


@pytest.mark.parametrize(
    ("neuron", "expected"),
    [
        (LIF(threshold=0.5 + 0.1 * np.arange(20)), [(0, 6), (6, 13), (13, 20)]),  # 7 a core
        (LIF(threshold=0.5 + 0.1 * (np.arange(20) % 7)), [(0, 20)]),
        (CubaLIF(tau_mem=1e-3 * (1 + np.arange(20))), [(0, 20)]),  # 20 of 31
    ],
)
def test_thresholds_split_too(neuron: Any, expected: Parts) -> None:
    network = cells(20, neuron=neuron)
    assert parts(place(network, quantise(network))) == expected


def test_decays_split_too() -> None:
    network = cells(40, neuron=CubaLIF(tau_syn=1e-3 * np.arange(40)))
    assert parts(place(network, quantise(network))) == [(0, 20), (20, 40)]


def test_what_does_not_fit_evenly_is_filled_in_order() -> None:
    """8 thresholds in the first 8 of 24 neurons: 7 and 17 fit, 12 and 12 don't."""
    k = np.minimum(np.arange(24), 7)
    network = cells(24, neuron=LIF(threshold=0.5 + 0.1 * k))
    assert parts(place(network, quantise(network))) == [(0, 7), (7, 24)]


def tight(network: Network, rng: np.random.Generator) -> CoreLimits:
    """Limits in which every neuron fits, and few neurons together."""
    alone = place(network, quantise(network), CoreLimits(compartments=1)).used.values()
    most = {k: max(used[k] for cores in alone for used in cores) for k in vars(CoreLimits())}
    some = {k: max(1, n) + int(rng.integers(0, 4) * n / 2) for k, n in most.items()}
    return CoreLimits(**{**some, "compartments": int(rng.integers(1, 6))})


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_every_core_keeps_to_its_limits(seed: int) -> None:
    network = relayed(random_network(seed, delays=True)).network
    limits = tight(network, np.random.default_rng(seed))
    placement = place(network, quantise(network), limits)
    assert placement.overfull == ()
    for population in network.populations:
        name, found = population.name, parts(placement, population.name)
        neurons = [k for first, last in found for k in range(first, last)]
        assert neurons == list(range(population.size))
        assert all(limits.exceeded(used) == [] for used in placement.used[name])


@pytest.mark.parametrize("seed", range(6))
def test_the_blocks_of_nengo_loihi_take_what_the_plan_says(seed: int) -> None:
    network = random_network(seed, delays=True)
    run = relayed(network).network
    with LoihiBackend(network, core=tight(run, np.random.default_rng(seed)), chips=9) as backend:
        engine: Any = backend._engines[0]
        for name, cores in backend._placement.used.items():
            for used, block in zip(cores, engine._compiled.blocks[name], strict=True):
                theirs = {key: now for key, (now, _) in block.utilization().items()}
                assert used["compartments"] == theirs["compartments"]
                assert used["axons_in"] == theirs["in-axons"]
                assert used["axons_out"] == theirs["out-axons"]
                assert used["synapse_bits"] == theirs["synapses"]
                formats = [synapse.synapse_cfg for synapse in block.synapses]
                assert used["formats"] == sum(f not in formats[:k] for k, f in enumerate(formats))


def many_formats() -> Network:
    """Weights from 1 to 2**-7, each by all-to-all and by blocks: 16 formats."""
    weights = [(f"{kind}_{k}", 2.0**-k, kind) for k in range(8) for kind in ("all", "own")]
    return cells(
        6,
        *(
            Projection(name, "input", "cells", w, blocks=6 if kind == "own" else 1)
            for name, w, kind in weights
        ),
    )


DRIVE = Projection("drive", "input", "cells", 0.5)
LOOP = Projection("loop", "cells", "cells", 0.1)


@pytest.mark.parametrize(
    ("network", "limits", "words"),
    [
        (
            cells(3, inputs=5000),
            {},
            "population 'cells', neuron 0 with 5000 axons into it (limit 4096 of a core; leave out",
        ),
        (
            cells(9, LOOP),
            {"compartments": 3, "axons_out": 2},
            "population 'cells', neuron 0 with 3 axons out of it (limit 2 of a core; project to",
        ),
        (
            cells(9),
            {"synapse_bits": 300},
            "population 'cells', neuron 0 with 384 bits of synapses (limit 300 of a core; leave",
        ),
        (
            many_formats(),
            {},
            "population 'cells', neuron 0 with 16 formats of synapses (limit 15 of a core; give",
        ),
        (
            cells(4, dataclasses.replace(LOOP, delay=3e-3), DRIVE),
            {"compartments": 1, "axons_out": 3},
            "relays 'cells_after_2', neuron 0 with 4 axons out of it (limit 3 of a core; project",
        ),
        (
            cells(3 * CORES),
            {"compartments": 1},
            "a network of 384 cores (limit 256 on 2 chips; take chips=3, or a smaller network)",
        ),
    ],
)
def test_limits_are_refused_by_name(network: Network, limits: dict[str, int], words: str) -> None:
    core = CoreLimits(**limits)
    with pytest.raises(UnsupportedError) as caught:
        LoihiBackend(network, core=core)
    assert f"backend loihi: can't run {words}" in str(caught.value)
    assert len(chip_problems(network, core, 2)) == 1


def test_more_chips_have_room_for_more() -> None:
    network = cells(3 * CORES)
    with LoihiBackend(network, core=CoreLimits(compartments=1), chips=3) as backend:
        assert usage(backend._placement)[0]["cores"] == 384
    for chips in (0, -1, 1.5, "2"):
        with pytest.raises(ArgumentError, match="chips: not a number of chips"):
            load("loihi", network, chips=chips)
    with pytest.raises(ArgumentError, match=r"core's axons_in: no room \(got 0, limit >= 1"):
        CoreLimits(axons_in=0)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"current_decay": 4096},
            "'cells' with a current decay of 4096 (limit 0 to 4095)",
        ),
        ({"current_decay": -1}, "population 'cells' with a current decay of -1"),
        ({"voltage_decay": 4096}, "population 'cells' with a voltage decay of 4096"),
        ({"refractory": 0}, "population 'cells' with a refractory delay of 0 (limit 1 to 63)"),
        ({"refractory": 64}, "population 'cells' with a refractory delay of 64"),
        ({"threshold": 0}, "population 'cells' with a threshold of 0 (limit 64 to 8388544)"),
        ({"threshold": 131072 * 64}, "population 'cells' with a threshold of 8388608"),
        ({"threshold": 100}, "population 'cells' with a threshold of 100 (the nearest held is 64)"),
        ({"bias": 4097}, "population 'cells' with a bias of 4097 (the nearest held is 4096)"),
        ({"bias": 4096 * 2**7}, "with a bias of 524288 (the nearest held is 524160)"),
        ({"exponent": 8}, "projection 'drive' with a weight exponent of 8 (limit -7 to 7)"),
        ({"exponent": -8}, "projection 'drive' with a weight exponent of -8"),
    ],
)
def test_registers_are_checked_in_words(
    changed: dict[str, int], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No description leads here: the quantiser clips or refuses, see its own tests."""
    network = cells(3)
    chip = quantise(network)
    assert register_problems(chip) == []
    ((key, value),) = changed.items()
    if key == "exponent":
        chip.projections["drive"] = dataclasses.replace(chip.projections["drive"], exponent=value)
    else:
        integers = getattr(chip.populations["cells"], key).copy()
        integers[1] = value
        chip.populations["cells"] = dataclasses.replace(
            chip.populations["cells"], **{key: integers}
        )
    (problem,) = [text for text in register_problems(chip) if words in text]
    monkeypatch.setattr("neurorl.backends.loihi.limits.quantise", lambda network: chip)
    assert problem in LoihiBackend.problems(network, "loihi")


def test_the_report_names_cores_and_the_fullest() -> None:
    with LoihiBackend(cells(20), core=CoreLimits(compartments=8)) as backend:
        (row,) = backend.chip_table()
        text = backend.source()
    assert (row["cores"], row["compartments"], row["axons_in"]) == (3, 20, 18)
    assert row["compartments_percent"] == 100 * 7 / 8
    assert "20 (87.5 %)" in text
    assert "3 of 256 cores (1.17 %), 128 on each of 2 chips" in text
    assert "cells: neurons 0..5, 6..12, 13..19" in text
