"""Hold everything that is private to xylosim, the vendor's simulator: names, orders, ownership.

Written for xylosim 0.1.3. tests/backends/xylo/test_xylo_vendor.py fails where it changes.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xylosim.v2 as xylosim

from neurorl.backends.xylo.specification import XyloLayout
from neurorl.numerics.arrays import Array, IntArray

_NAMES = {"input": ("in", "inp"), "recurrent": ("rec", "rec"), "output": ("out", "out")}
"""Name the synapses, and the shift, of each memory of weights."""

_CELLS = "threshold{}", "bias{}", "dash_mem{}", "dash_syns{}"


class VendorLayer:
    """Hold one chip as xylosim has it, with weights of 0."""

    def __init__(self, layout: XyloLayout) -> None:
        n_hidden = layout.sizes["hidden"]
        # xylosim keeps no reference to Python's synapses: they live as long as this object.
        self._synapses: dict[str, list[xylosim.XyloSynapse]] = {}
        numbers = {"aliases": [[] for _ in range(n_hidden)], "has_bias": True, "name": "neurorl"}
        by_pre: dict[str, list[list[xylosim.XyloSynapse]]] = {}
        for memory, (name, short) in _NAMES.items():
            n = layout.sizes["input"] if memory == "input" else n_hidden
            numbers[f"synapses_{name}"] = by_pre[memory] = [[] for _ in range(n)]
            numbers[f"weight_shift_{short}"] = layout.shifts[memory]
        for name, wire in layout.wires.items():
            made = [xylosim.XyloSynapse(to, 0, 0) for to in wire.post.tolist()]
            self._synapses[name] = made
            for k, synapse in zip(wire.pre.tolist(), made, strict=True):
                by_pre[wire.memory][k].append(synapse)
        for end, cells in zip(("", "_out"), layout.cells.values(), strict=True):
            *one, shift_syn = cells.values()
            values = (x.tolist() for x in (*one, shift_syn[:, None]))
            numbers |= {x.format(end): y for x, y in zip(_CELLS, values, strict=True)}
        self._layer = xylosim.XyloLayer(**numbers)

    def put_weights(self, projection: str, mantissas: IntArray) -> None:
        """Set the weights of all synapses of a projection, in the order of its wire."""
        for synapse, weight in zip(self._synapses[projection], mantissas.tolist(), strict=True):
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
        shape = len(spikes), -1
        return {x: np.array(rows, dtype=np.int64).reshape(shape) for x, rows in counts.items()}

    def last(self, kind: str) -> Mapping[str, IntArray]:
        """Return currents and membranes after the last step, empty before the first one."""
        of = "" if kind == "hidden" else "_out"
        rows = {"current": f"rec_i_syn{of}", "voltage": f"rec_v_mem{of}"}
        last = {x: [row[-1] for row in getattr(self._layer, y) if row] for x, y in rows.items()}
        return {x: np.array(values, dtype=np.int64) for x, values in last.items()}

    def rest(self) -> None:
        """Silence all neurons."""
        self._layer.reset_all()
