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


class _Synapse(Protocol):
    weight: int


class VendorLayer:
    """Hold one chip as xylosim has it, with weights of 0."""

    def __init__(self, layout: XyloLayout) -> None:
        n_hidden, hidden, output = layout.sizes["hidden"], layout.hidden, layout.output
        sizes = layout.sizes["input"], n_hidden, n_hidden
        # xylosim keeps no reference to Python's synapses: they live as long as this object.
        self._synapses: dict[str, list[_Synapse]] = {}
        lists: list[list[list[_Synapse]]] = [[[] for _ in range(n)] for n in sizes]
        for by_pre, memory in zip(lists, MEMORIES, strict=True):
            pre, post = layout.ends(memory)
            made = [xylosim.XyloSynapse(to, 0, 0) for to in post.tolist()]
            for k, synapse in zip(pre.tolist(), made, strict=True):
                by_pre[k].append(synapse)
            self._synapses[memory] = made
        self._layer = xylosim.XyloLayer(
            synapses_in=lists[0],
            synapses_rec=lists[1],
            synapses_out=lists[2],
            aliases=[[] for _ in range(n_hidden)],
            threshold=hidden.threshold.tolist(),
            threshold_out=output.threshold.tolist(),
            has_bias=True,
            bias=hidden.bias.tolist(),
            bias_out=output.bias.tolist(),
            weight_shift_inp=layout.shifts[0],
            weight_shift_rec=layout.shifts[1],
            weight_shift_out=layout.shifts[2],
            dash_mem=hidden.shift_mem.tolist(),
            dash_mem_out=output.shift_mem.tolist(),
            dash_syns=hidden.shift_syn[:, None].tolist(),
            dash_syns_out=output.shift_syn[:, None].tolist(),
            name="neurorl",
        )

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
        rows = {x: getattr(self._layer, f"rec_{x}{of}") for x in ("i_syn", "v_mem")}
        last = {x: [row[-1] for row in values if row] for x, values in rows.items()}
        return {
            "current": np.array(last["i_syn"], dtype=np.int64),
            "voltage": np.array(last["v_mem"], dtype=np.int64),
        }

    def rest(self) -> None:
        """Silence all neurons."""
        self._layer.reset_all()
