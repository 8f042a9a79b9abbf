"""Lay a network out as a chip of the Xylo family has it: inputs, hidden and output neurons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from neurorl.arithmetic.xylo import XyloArithmetic
from neurorl.arithmetic.xylo_integers import memory_of
from neurorl.network.description import Network
from neurorl.numerics.arrays import IntArray
from neurorl.program import lower

KINDS = ("input", "hidden", "output")
NUMBERS = ("threshold", "bias", "shift_mem", "shift_syn")


class NodePlace(NamedTuple):
    """Hold which neurons of one of `KINDS` a node is."""

    kind: str
    numbers: slice


class Wire(NamedTuple):
    """Hold the synapses of one projection by the chip's numbers.

    memory: of `MEMORIES`. pre, post: ends of each synapse. places: where the weight of each stands
    among those described.
    """

    memory: str
    pre: IntArray
    post: IntArray
    places: IntArray


@dataclass(frozen=True, eq=False)
class XyloLayout:
    """Hold which neurons and synapses of the chip a network is.

    places: by node. sizes: neurons of each of `KINDS`. wires: by projection, in the order of
    delivery. cells: by kind, integers of all hidden or all output neurons, ``(size,)``, by their
    names in `XyloPopulation`. shifts: of the weights in `MEMORIES`.
    """

    places: dict[str, NodePlace]
    sizes: dict[str, int]
    wires: dict[str, Wire]
    cells: dict[str, dict[str, IntArray]]
    shifts: dict[str, int]


def lay_out(network: Network, arithmetic: XyloArithmetic) -> XyloLayout:
    """Return the layout of a network whose delays are all of one step."""
    program = lower(network, arithmetic, {node.name: 1 for node in network.nodes}, (0,))
    places, sizes = dict[str, NodePlace](), dict.fromkeys(KINDS, 0)
    chips = arithmetic.chip.populations
    for node in program.nodes:
        kind = "input" if node.is_source else KINDS[1 + chips[node.name].is_output]
        places[node.name] = NodePlace(kind, slice(sizes[kind], sizes[kind] + node.size))
        sizes[kind] += node.size
    wires = dict[str, Wire]()
    for p in program.projections:
        memory = memory_of(arithmetic.network, arithmetic.network.projection(p.name))
        pre, post = (places[program.nodes[k].name].numbers.start for k in (p.pre, p.post))
        ends, described = p.synapses(), p.places()
        every = np.arange(p.n_weights) if described is None else described
        numbers = (x.astype(np.int64) for x in (ends[0] + pre, ends[1] + post, every))
        wires[p.name] = Wire(memory, *numbers)
    none, cells = np.zeros(0, dtype=np.int64), dict[str, dict[str, IntArray]]()
    for kind in KINDS[1:]:
        own = [chips[name] for name, place in places.items() if place.kind == kind]
        cells[kind] = {x: np.concatenate([none, *(getattr(y, x) for y in own)]) for x in NUMBERS}
    return XyloLayout(places, sizes, wires, cells, arithmetic.chip.shifts)
