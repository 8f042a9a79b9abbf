"""Lay a network out as a chip of the Xylo family has it, and write it as the numbers of its tools.

Neurons are inputs, hidden and output neurons. None of the tools is needed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np

from neurorl.arithmetic.rounding import ARITHMETICS
from neurorl.arithmetic.xylo import XyloArithmetic
from neurorl.arithmetic.xylo_integers import MANTISSA_MAX, MEMORIES, memory_of
from neurorl.backends.xylo.limits import DEFAULT, find_device, problems
from neurorl.errors import UnsupportedError, check_name
from neurorl.network.description import Network
from neurorl.network.replicate import on_chip
from neurorl.numerics.arrays import Array, FloatArray, IntArray
from neurorl.program import lower
from neurorl.storage.files import write_json

KINDS = ("input", "hidden", "output")
NUMBERS = ("threshold", "bias", "shift_mem", "shift_syn")


class Wire(NamedTuple):
    """Hold the synapses of one projection by the chip's numbers.

    memory: of `MEMORIES`. pre, post: ends of each synapse. places: where the weight of each stands
    among those described.
    """

    memory: str
    pre: Array
    post: Array
    places: Array


class XyloLayout(NamedTuple):
    """Hold which neurons and synapses of the chip a network is.

    places: by node, its kind, of `KINDS`, and which neurons of it. sizes: neurons of each kind.
    wires: by projection, in the order of delivery. cells: by kind, integers of all hidden or all
    output neurons, ``(size,)``, by their names in `XyloPopulation`. shifts: of the weights in
    `MEMORIES`.
    """

    places: dict[str, tuple[str, slice]]
    sizes: dict[str, int]
    wires: dict[str, Wire]
    cells: dict[str, dict[str, IntArray]]
    shifts: dict[str, int]


def lay_out(network: Network, arithmetic: XyloArithmetic) -> XyloLayout:
    """Return the layout of a network whose delays are all of one step."""
    program = lower(network, arithmetic, {node.name: 1 for node in network.nodes}, (0,))
    places, sizes = dict[str, tuple[str, slice]](), dict.fromkeys(KINDS, 0)
    chips = arithmetic.chip.populations
    for node in program.nodes:
        kind = "input" if node.is_source else KINDS[1 + chips[node.name].is_output]
        places[node.name] = kind, slice(sizes[kind], sizes[kind] + node.size)
        sizes[kind] += node.size
    wires = dict[str, Wire]()
    for p in program.projections:
        memory = memory_of(arithmetic.network, arithmetic.network.projection(p.name))
        pre, post = (places[program.nodes[k].name][1].start for k in (p.pre, p.post))
        (i, j, _), described = p.synapses(), p.places()
        every = np.arange(p.n_weights) if described is None else described
        wires[p.name] = Wire(memory, i + pre, j + post, every)
    none, cells = np.zeros(0, dtype=np.int64), dict[str, dict[str, IntArray]]()
    for kind in KINDS[1:]:
        own = [chips[name] for name, (its, _) in places.items() if its == kind]
        cells[kind] = {x: np.concatenate([none, *(getattr(y, x) for y in own)]) for x in NUMBERS}
    return XyloLayout(places, sizes, wires, cells, arithmetic.chip.shifts)


def write_specification(
    file: str | Path, network: Network, weights: Mapping[str, FloatArray], device: str = DEFAULT
) -> dict[str, object]:
    """Write a network as JSON, and return the same: whole numbers, by names of Xylo's tools.

    ``weights_in``, ``weights_rec`` and ``weights_out`` are lists of rows, a row for each
    presynaptic neuron; neurons are numbered in the order of the description.

    weights: of all projections, in the description's units. device: as of the backend.
    Raises UnsupportedError for what has no integers, or no room on the chip, UnknownNameError for
    a projection without weights, ArgumentError for other weights than the network's.
    """
    network, chip = on_chip(network), find_device(device)
    wrong = [*ARITHMETICS["xylo"].problems(network), *problems(network, chip)]
    if wrong:
        raise UnsupportedError(f"specification for {chip.title}", "; ".join(wrong))
    arithmetic = XyloArithmetic(network)
    layout = lay_out(network, arithmetic)
    n_in, n_hidden, n_out = layout.sizes.values()
    shapes = (n_in, n_hidden), (n_hidden, n_hidden), (n_hidden, n_out)
    matrices = {x: np.zeros(shape, int) for x, shape in zip(MEMORIES, shapes, strict=True)}
    for name, wire in layout.wires.items():
        check_name("weights of projection", name, weights)
        given = arithmetic.masked(name, arithmetic.check(name, weights[name]))
        held = arithmetic.mantissa(name, given).ravel()
        np.add.at(matrices[wire.memory], (wire.pre, wire.post), held[wire.places])
    if max(np.abs(matrix).max(initial=0) for matrix in matrices.values()) > MANTISSA_MAX:
        what = "synapses between the same neurons are more than 8 bits together"
        raise UnsupportedError(f"specification for {chip.title}", what, remedy="one for each pair")
    found: dict[str, object] = {"device": device, "dt": network.dt}
    for name, memory in zip(("in", "rec", "out"), MEMORIES, strict=True):
        found[f"weights_{name}"] = matrices[memory].tolist()
        found[f"weight_shift_{name}"] = layout.shifts[memory]
    for end, (kind, cells) in zip(("", "_out"), layout.cells.items(), strict=True):
        bias = f"bias_{kind.removesuffix('put')}"
        names = f"threshold{end}", bias, f"dash_mem{end}", f"dash_syn{end}"
        found |= {x: y.tolist() for x, y in zip(names, cells.values(), strict=True)}
    write_json(Path(file), found)
    return found
