"""Lay a network out as one chip of the Xylo family has it: inputs, hidden and output neurons."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.xylo import XyloArithmetic
from neurorl.arithmetic.xylo_integers import MEMORIES, memory_of
from neurorl.program import Program, ProjectionProgram

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Wire:
    """Hold the synapses of one projection by the chip's numbers.

    memory: of `MEMORIES`. first: number of its first synapse there. pre, post: ends of each
    synapse. places: where the weight of each stands among those described.
    """

    memory: str
    first: int
    pre: IntArray
    post: IntArray
    places: IntArray


@dataclass(frozen=True, eq=False)
class XyloLayout:
    """Hold which neuron and synapse of the chip each one of a network is.

    first: by node, the number of its first neuron among inputs, hidden or output neurons. sizes:
    how many there are of each, by these names. wires: by projection, in the order of delivery.
    """

    first: dict[str, int]
    kind: dict[str, str]
    sizes: dict[str, int]
    wires: dict[str, Wire]

    def slice_of(self, program: Program, name: str) -> slice:
        """Return the numbers of a node's neurons among those of its kind."""
        size = next(node.size for node in program.nodes if node.name == name)
        return slice(self.first[name], self.first[name] + size)


def lay_out(program: Program, arithmetic: XyloArithmetic) -> XyloLayout:
    """Return the layout of a program of one replica."""
    first, kind = dict[str, int](), dict[str, str]()
    sizes = dict.fromkeys(("input", "hidden", "output"), 0)
    for node in program.nodes:
        of = "input"
        if not node.is_source:
            of = "output" if arithmetic.chip.populations[node.name].is_output else "hidden"
        kind[node.name], first[node.name] = of, sizes[of]
        sizes[of] += node.size
    used, wires = dict.fromkeys(MEMORIES, 0), dict[str, Wire]()
    for p in program.projections:
        memory = memory_of(arithmetic.network, arithmetic.network.projection(p.name))
        names = program.nodes[p.pre].name, program.nodes[p.post].name
        wires[p.name] = _wire(p, memory, used[memory], first[names[0]], first[names[1]])
        used[memory] += p.n_weights
    return XyloLayout(first, kind, sizes, wires)


def _wire(p: ProjectionProgram, memory: str, begin: int, pre: int, post: int) -> Wire:
    ends, places = p.synapses(), p.places()
    every = np.arange(p.n_weights) if places is None else places
    numbers = (np.asarray(x, dtype=np.int64) for x in (ends[0] + pre, ends[1] + post, every))
    return Wire(memory, begin, *numbers)
