"""Test that every limit of the chip is refused by name, and what the report says of use."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from simulators import loihi_of

from neurorl.arithmetic.quantiser import bias_integers, quantise
from neurorl.backends.loihi.limits import CORES, chip_problems, usage
from neurorl.backends.loihi.placement import CoreLimits
from neurorl.backends.registry import load
from neurorl.cli import main
from neurorl.errors import ArgumentError, UnsupportedError
from neurorl.models import LIF, CubaLIF
from neurorl.network.description import Network, Population, Projection, Source
from neurorl.testing import random_network


def cells(size: int, *projections: Projection, neuron: Any = None, inputs: int = 6) -> Network:
    nodes = (Source("input", inputs), Population("cells", size, neuron or LIF()))
    return Network(nodes, projections or (Projection("drive", "input", "cells", 0.5),))


def many_formats() -> Network:
    """Use weights from 1 to 2**-7, each by all-to-all and by blocks: 16 formats."""
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
            cells(2 * CORES + 1),
            {"compartments": 1},
            "a network of 257 cores (limit 256 on 2 chips; take chips=3, or a smaller network)",
        ),
    ],
)
def test_limits_are_refused_by_name(network: Network, limits: dict[str, int], words: str) -> None:
    core = CoreLimits(**limits)
    with pytest.raises(UnsupportedError) as caught:
        load("loihi", network, core=core)
    assert f"backend loihi: can't run {words}" in str(caught.value)
    assert len(chip_problems(network, core, 2)) == 1


def test_more_chips_have_room_for_more() -> None:
    network = cells(2 * CORES + 1)
    with load("loihi", network, core=CoreLimits(compartments=1), chips=3) as backend:
        assert usage(loihi_of(backend).placement)[0]["cores"] == 257
    for chips in (0, -1, 1.5, "2"):
        with pytest.raises(ArgumentError, match="chips: must be a whole number"):
            load("loihi", network, chips=chips)
    with pytest.raises(ArgumentError, match=r"core's axons_in: no room \(got 0, limit >= 1"):
        CoreLimits(axons_in=0)


@pytest.mark.parametrize("seed", range(30))
def test_the_quantiser_keeps_to_the_registers(seed: int) -> None:
    """No description leads beyond them: the quantiser clips or refuses."""
    network = random_network(seed, delays=True)
    extremes = {"tau_syn": 1e9, "tau_mem": 1e9, "threshold": 1e-9, "bias": -0.3}
    odd = Population("odd", 2, CubaLIF(**extremes, refractory=61e-3))
    drive = Projection("odd_drive", network.nodes[0].name, "odd", 1e-4 * 10.0 ** (seed % 9))
    network = Network((*network.nodes, odd), (*network.projections, drive), network.dt)
    chip = quantise(network)
    for p in chip.populations.values():
        for values, low, high in (
            (p.current_decay, 0, 4095),
            (p.voltage_decay, 0, 4095),
            (p.refractory, 1, 63),
            (p.threshold, 64, 131071 * 64),
        ):
            assert low <= values.min() <= values.max() <= high
        assert (p.threshold % 64 == 0).all()
        assert np.array_equal(p.bias, bias_integers(p.bias))
    assert all(-7 <= projection.exponent <= 7 for projection in chip.projections.values())


def test_the_report_names_cores_and_the_fullest() -> None:
    with load("loihi", cells(20), core=CoreLimits(compartments=8)) as backend:
        (row,) = loihi_of(backend).chip_table()
        text = backend.source()
    assert (row["cores"], row["compartments"], row["axons_in"]) == (3, 20, 18)
    assert row["compartments_percent"] == 100 * 7 / 8
    assert "20 (87.5 %)" in text
    assert "3 of 256 cores (1.17 %), 128 on each of 2 chips" in text
    assert "cells: neurons 0..5, 6..12, 13..19" in text


def test_show_prints_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "lif", "--backend", "loihi"]) == 0
    out = capsys.readouterr().out
    header = next(line for line in out.splitlines() if line.startswith("population"))
    for words in ("compartments (limit 1024)", "axons_in (limit 4096)", "synapse_bits (limit"):
        assert words in header
    assert "of 256 cores" in out
