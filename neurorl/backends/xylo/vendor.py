"""Hold everything that is private to xylosim, the vendor's simulator: names, orders, ownership.

Written for xylosim 0.1.3. tests/backends/xylo/test_xylo_vendor.py fails where it changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import xylosim.v2 as xylosim

from neurorl.arithmetic.xylo_integers import MEMORIES
from neurorl.backends.xylo.layout import XyloLayout
from neurorl.numerics.arrays import Array, IntArray

_NAMES = ("in", "inp"), ("rec", "rec"), ("out", "out")  # of the synapses and shifts of a memory


class _Synapse(Protocol):
    weight: int


class VendorLayer:
    """Hold one chip as xylosim has it, with weights of 0."""

    def __init__(self, layout: XyloLayout) -> None:
        n_hidden = layout.sizes["hidden"]
        sizes = layout.sizes["input"], n_hidden, n_hidden
        # xylosim keeps no reference to Python's synapses: they live as long as this object.
        self._synapses: dict[str, list[_Synapse]] = {}
        numbers = {"aliases": [[] for _ in range(n_hidden)], "has_bias": True, "name": "neurorl"}
        for memory, n, shift, (name, short) in zip(
            MEMORIES, sizes, layout.shifts, _NAMES, strict=True
        ):
            pre, post = layout.ends(memory)
            made = self._synapses[memory] = [xylosim.XyloSynapse(to, 0, 0) for to in post.tolist()]
            by_pre: list[list[_Synapse]] = [[] for _ in range(n)]
            for k, synapse in zip(pre.tolist(), made, strict=True):
                by_pre[k].append(synapse)
            numbers |= {f"synapses_{name}": by_pre, f"weight_shift_{short}": shift}
        for end, cells in (("", layout.hidden), ("_out", layout.output)):
            numbers |= {
                f"threshold{end}": cells.threshold.tolist(),
                f"bias{end}": cells.bias.tolist(),
                f"dash_mem{end}": cells.shift_mem.tolist(),
                f"dash_syns{end}": cells.shift_syn[:, None].tolist(),
            }
        self._layer = xylosim.XyloLayer(**numbers)

    def put_weights(self, memory: str, first: int, mantissas: IntArray) -> None:
        """Set the weights of synapses from number *first* on, in one memory of weights."""
        held = self._synapses[memory][first : first + len(mantissas)]
        for synapse, weight in zip(held, mantissas.tolist(), strict=True):
            synapse.weight = weight

    def put_bias(self, kind: str, numbers: slice, bias: IntArray) -> None:
        """Set the biases of some hidden or output neurons."""
        own = {"hidden": self._layer.iaf_neurons, "output": self._layer.iaf_neurons_out}
        for cell, value in zip(own[kind][numbers], bias.tolist(), strict=True):
            cell.bias = value

    def advance(self, spikes: Array) -> dict[str, IntArray]:
        """Make a step for each row of input spikes; return how often each neuron spiked.

        Of hidden neurons and of output neurons, ``(steps, size)``.
        """
        output = self._layer.evolve(spikes.astype(np.uint8).tolist())
        counts = {"hidden": self._layer.rec_recurrent_spikes, "output": output}
        return {
            kind: np.array(rows, dtype=np.int64).reshape(len(spikes), -1)
            for kind, rows in counts.items()
        }

    def last(self, kind: str) -> Mapping[str, IntArray]:
        """Return currents and membranes after the last step, empty before the first one."""
        of = "" if kind == "hidden" else "_out"
        rows = {"current": f"rec_i_syn{of}", "voltage": f"rec_v_mem{of}"}
        last = {x: [row[-1] for row in getattr(self._layer, y) if row] for x, y in rows.items()}
        return {x: np.array(values, dtype=np.int64) for x, values in last.items()}

    def rest(self) -> None:
        """Silence all neurons."""
        self._layer.reset_all()
