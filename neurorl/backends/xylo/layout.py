"""Lay a network out as a chip of the Xylo family has it: inputs, hidden and output neurons."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from neurorl.arithmetic.xylo import XyloArithmetic
from neurorl.arithmetic.xylo_integers import MEMORIES, memory_of
from neurorl.network.description import Network
from neurorl.numerics.arrays import FloatArray, IntArray
from neurorl.program import lower

KINDS = ("input", "hidden", "output")


class NodePlace(NamedTuple):
    """Hold which neurons of one of `KINDS` a node is."""

    kind: str
    numbers: slice


class Wire(NamedTuple):
    """Hold the synapses of one projection by the chip's numbers.

    memory: of `MEMORIES`. first: number of its first synapse there. pre, post: ends of each
    synapse. places: where the weight of each stands among those described.
    """

    memory: str
    first: int
    pre: IntArray
    post: IntArray
    places: IntArray


class Cells(NamedTuple):
    """Hold the integers of all hidden or all output neurons, ``(size,)`` each."""

    threshold: IntArray
    bias: IntArray
    shift_mem: IntArray
    shift_syn: IntArray


@dataclass(frozen=True, eq=False)
class XyloLayout:
    """Hold which neurons and synapses of the chip a network is.

    places: by node. sizes: neurons of each of `KINDS`. wires: by projection, in the order of
    delivery. hidden, output: integers of the neurons. shifts: of the weights in `MEMORIES`.
    """

    places: dict[str, NodePlace]
    sizes: dict[str, int]
    wires: dict[str, Wire]
    hidden: Cells
    output: Cells
    shifts: tuple[int, ...]

    def ends(self, memory: str) -> tuple[IntArray, IntArray]:
        """Return the presynaptic and postsynaptic numbers of all synapses of a memory."""
        held = [wire for wire in self.wires.values() if wire.memory == memory]
        return joined([wire.pre for wire in held]), joined([wire.post for wire in held])

    def mantissas(
        self, arithmetic: XyloArithmetic, projection: str, weights: FloatArray
    ) -> IntArray:
        """Return what the chip stores of each synapse of a projection, in the order of its wire.

        weights: of one replica, as described.
        """
        return arithmetic.mantissa(projection, weights).ravel()[self.wires[projection].places]


def lay_out(network: Network, arithmetic: XyloArithmetic) -> XyloLayout:
    """Return the layout of a network whose delays are all of one step."""
    program = lower(network, arithmetic, {node.name: 1 for node in network.nodes}, (0,))
    places, sizes = dict[str, NodePlace](), dict.fromkeys(KINDS, 0)
    chips = arithmetic.chip.populations
    for node in program.nodes:
        kind = "input" if node.is_source else KINDS[1 + chips[node.name].is_output]
        places[node.name] = NodePlace(kind, slice(sizes[kind], sizes[kind] + node.size))
        sizes[kind] += node.size
    used, wires = dict.fromkeys(MEMORIES, 0), dict[str, Wire]()
    for p in program.projections:
        memory = memory_of(arithmetic.network, arithmetic.network.projection(p.name))
        pre, post = (places[program.nodes[k].name].numbers.start for k in (p.pre, p.post))
        ends, described = p.synapses(), p.places()
        every = np.arange(p.n_weights) if described is None else described
        numbers = (x.astype(np.int64) for x in (ends[0] + pre, ends[1] + post, every))
        wires[p.name] = Wire(memory, used[memory], *numbers)
        used[memory] += p.n_weights

    def cells(kind: str) -> Cells:
        own = [chips[name] for name, place in places.items() if place.kind == kind]
        return Cells(*(joined([getattr(chip, x) for chip in own]) for x in Cells._fields))

    shifts = tuple(arithmetic.chip.shifts[memory] for memory in MEMORIES)
    return XyloLayout(places, sizes, wires, cells("hidden"), cells("output"), shifts)


def joined(parts: list[IntArray]) -> IntArray:
    """Return arrays one after another; an empty one for none."""
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts])
