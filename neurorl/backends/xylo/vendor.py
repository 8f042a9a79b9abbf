"""Hold everything that is private to xylosim, the vendor's simulator: names, orders, ownership.

Written for xylosim 0.1.3. tests/backends/xylo/test_xylo_vendor.py fails where it changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import xylosim.v2 as xylosim

from neurorl.numerics.arrays import Array

IntArray = npt.NDArray[np.int64]


class Cells(NamedTuple):
    """Hold the integers of hidden or of output neurons, ``(size,)`` each."""

    threshold: IntArray
    bias: IntArray
    shift_mem: IntArray
    shift_syn: IntArray


class _Synapse(Protocol):
    weight: int


class VendorLayer:
    """Hold one chip as xylosim has it: inputs, hidden neurons and output neurons.

    shifts: of the weights of inputs, between hidden neurons, and to outputs, in this order.
    wires: presynaptic and postsynaptic numbers of each synapse, in the order of their delivery,
    as *shifts*; their weights begin at 0. n_inputs: channels.
    """

    def __init__(
        self,
        n_inputs: int,
        hidden: Cells,
        output: Cells,
        wires: Sequence[tuple[IntArray, IntArray]],
        shifts: Sequence[int],
    ) -> None:
        n_pre = (n_inputs, len(hidden.threshold), len(hidden.threshold))
        # xylosim keeps no reference to Python's synapses: they live as long as this object.
        self._synapses = [_made(to) for _, to in wires]
        lists = [
            _by_presynaptic(n, pre, made)
            for n, (pre, _), made in zip(n_pre, wires, self._synapses, strict=True)
        ]
        self._layer = xylosim.XyloLayer(
            synapses_in=lists[0],
            synapses_rec=lists[1],
            synapses_out=lists[2],
            aliases=[[] for _ in hidden.threshold],
            threshold=hidden.threshold.tolist(),
            threshold_out=output.threshold.tolist(),
            has_bias=True,
            bias=hidden.bias.tolist(),
            bias_out=output.bias.tolist(),
            weight_shift_inp=shifts[0],
            weight_shift_rec=shifts[1],
            weight_shift_out=shifts[2],
            dash_mem=hidden.shift_mem.tolist(),
            dash_mem_out=output.shift_mem.tolist(),
            dash_syns=hidden.shift_syn[:, None].tolist(),
            dash_syns_out=output.shift_syn[:, None].tolist(),
            name="neurorl",
        )

    def put_weights(self, memory: int, first: int, weights: IntArray) -> None:
        """Set the weights of synapses from number *first* on, in one memory of weights."""
        held = self._synapses[memory][first : first + len(weights)]
        for synapse, weight in zip(held, weights.tolist(), strict=True):
            synapse.weight = weight

    def put_bias(self, is_output: bool, first: int, bias: IntArray) -> None:
        """Set the biases of neurons from number *first* on."""
        cells = self._layer.iaf_neurons_out if is_output else self._layer.iaf_neurons
        for cell, value in zip(cells[first : first + len(bias)], bias.tolist(), strict=True):
            cell.bias = value

    def advance(self, spikes: Array) -> tuple[IntArray, IntArray]:
        """Make a step for each row of input spikes; return how often each neuron spiked.

        Both are ``(steps, size)``: of hidden neurons and of output neurons.
        """
        output = self._layer.evolve(spikes.astype(np.uint8).tolist())
        hidden = self._layer.rec_recurrent_spikes
        rows = len(spikes)
        return np.array(hidden, int).reshape(rows, -1), np.array(output, int).reshape(rows, -1)

    def last(self) -> Mapping[str, IntArray]:
        """Return currents and membranes after the last step, empty before the first one."""
        recorded = self._layer
        rows = {
            "current": (recorded.rec_i_syn, recorded.rec_i_syn_out),
            "voltage": (recorded.rec_v_mem, recorded.rec_v_mem_out),
        }
        return {
            name: np.array([values[-1:] for half in halves for values in half], np.int64).ravel()
            for name, halves in rows.items()
        }

    def rest(self) -> None:
        """Silence all neurons."""
        self._layer.reset_all()


def _made(to: IntArray) -> list[_Synapse]:
    return [xylosim.XyloSynapse(target, 0, 0) for target in to.tolist()]


def _by_presynaptic(n: int, pre: IntArray, made: Sequence[_Synapse]) -> list[list[_Synapse]]:
    lists: list[list[_Synapse]] = [[] for _ in range(n)]
    for k, synapse in zip(pre.tolist(), made, strict=True):
        lists[k].append(synapse)
    return lists
