"""Write a network as the numbers that tools of Xylo's chips take, without any of these tools."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from neurorl.arithmetic.rounding import ARITHMETICS
from neurorl.arithmetic.xylo import XyloArithmetic
from neurorl.arithmetic.xylo_integers import MANTISSA_MAX, MEMORIES
from neurorl.backends.xylo.layout import lay_out
from neurorl.backends.xylo.limits import DEFAULT, find_device, problems
from neurorl.errors import UnsupportedError
from neurorl.network.description import Network
from neurorl.network.replicate import on_chip
from neurorl.numerics.arrays import FloatArray
from neurorl.storage.files import write_json


def write_specification(
    file: str | Path, network: Network, weights: Mapping[str, FloatArray], device: str = DEFAULT
) -> dict[str, object]:
    """Write a network as JSON, and return the same: whole numbers, by names of Xylo's tools.

    ``weights_in``, ``weights_rec`` and ``weights_out`` are lists of rows, a row for each
    presynaptic neuron; neurons are numbered in the order of the description.

    weights: of all projections, in the description's units. device: as of the backend.
    Raises UnsupportedError for what has no integers, or no room on the chip.
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
        held = arithmetic.mantissa(name, arithmetic.masked(name, weights[name])).ravel()
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
