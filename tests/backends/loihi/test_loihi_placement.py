"""Test the plan of cores, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neurorl.arithmetic.quantiser import quantise
from neurorl.backends.loihi.placement import CoreLimits, Placement, place
from neurorl.backends.loihi.synapses import SynapseLayout
from neurorl.models import LIF, CubaLIF
from neurorl.network.description import Network, Population, Projection, Source

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
    """Return two modules of 3 inputs and 4 cells, and a mask: cell 0 hears input 5 alone."""
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
    layout = SynapseLayout.of(cells(8, projection, inputs=3), projection)
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
    """Three cores hold 12 cells: each of the 4 neurons before them has 3 axons out."""
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
    """The first 8 of 24 neurons have 8 thresholds: 7 and 17 fit, 12 and 12 don't."""
    k = np.minimum(np.arange(24), 7)
    network = cells(24, neuron=LIF(threshold=0.5 + 0.1 * k))
    assert parts(place(network, quantise(network))) == [(0, 7), (7, 24)]
