"""Fill the C structures of layers, and of the projections that their rules change."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from neurorl.learning.plan import InputProjection, Layer, Plastic
from neurorl.learning.synapses import SynapseMemory
from neurorl.native import structures as c
from neurorl.numerics.arrays import Array

_LARGEST_SUM = 2.0**11  # of int32 in units of 2**-20


class LayersInC:
    """Make the structures of nodes and of what layers remember, and keep what C has pointers to.

    numbers: of the nodes, by name. An object must live as long as C uses what it made.
    """

    def __init__(self, synapses: SynapseMemory, numbers: Mapping[str, int]) -> None:
        self._synapses, self._numbers = synapses, numbers
        self._kept: list[Any] = []

    def keep(self, array: Array | None, dtype: type = np.float64) -> int | None:
        """Return the address of an array that is kept as long as this object, None of none."""
        if array is None:
            return None
        assert array.dtype == np.dtype(dtype)
        self._kept.append(array)
        return c.pointer(array)

    def array(self, made: Sequence[ctypes.Structure]) -> Any:
        """Return structures of one kind side by side, kept as long as this object."""
        kept = (type(made[0]) * len(made))(*made)
        self._kept.append(kept)
        return kept

    def node(self, name: str, size: int, raster: Array | None) -> ctypes.Structure:
        """Return the structure of a node. raster: bool, or float64 of currents."""
        last = self._synapses.last.get(name)
        flows = raster is not None and raster.dtype == np.float64
        return c.Node(
            size=size,
            depth=0 if last is None else last.shape[1],
            raster=None if flows else self.keep(raster, np.bool_),
            current=self.keep(raster) if flows else None,
            last=self.keep(last, np.bool_),
        )

    def layer(self, layer: Layer, into: Any, steps: int, **more: Any) -> ctypes.Structure:
        """Return the structure of a layer. into: `array` of its projections. more: other fields."""
        constants = layer.constants
        fields = {
            "node": self._numbers[layer.name],
            "n_projections": len(into),
            "begin": layer.begin,
            "end": steps,
            "pairs_spikes": layer.rule.pairs_spikes,
            "gates_depression": layer.rule.gates_depression,
            "projections": ctypes.addressof(into),
            "post_trace": self.keep(self._synapses.post_trace[layer.key]),
            "keep": constants.left(steps),
            "powers": self.keep(constants.powers(steps)),
            "post_decay": constants.post_decay,
            "slow_decay": constants.slow_decay,
            "depression": constants.depression,
        }
        return c.Layer(**(fields | more))

    def ends(self, p: InputProjection, layer: Layer) -> dict[str, int]:
        """Return what a structure says of any projection: from where, to where and how."""
        n_pre, n_post = (p.n_pre, layer.size) if p.groups else p.shape[-2:]
        return {
            "pre": self._numbers[p.pre],
            "n_pre": n_pre,
            "n_post": n_post,
            "blocks": p.blocks,
            "delay": p.delay,
            "is_signed": p.signed,
            "n_synapses": math.prod(p.shape),
        }

    def projections(self, p: Plastic, layer: Layer, **more: Any) -> list[ctypes.Structure]:
        """Return the structures of a projection that learns: of a list one for each delay."""
        e, trace = self._synapses.eligibility[p.name], self._synapses.trace[p.name]
        is_fine = e.dtype == np.float32
        remembered = {
            "decay": p.trace_decay,
            "trace_size": math.prod(p.trace_shape),
            "is_fine": is_fine,
            "eligibility_32" if is_fine else "eligibility": self.keep(e, e.dtype.type),
        }
        fields = self.ends(p, layer) | remembered | more
        place = self.keep(trace)
        if not p.groups:
            return [c.Projection(**fields, trace=place)]
        made = []
        for number, group in enumerate(p.groups):
            is_whole = isinstance(group.numbers, slice)
            fields |= {
                "delay": group.delay,
                "start": self.keep(group.start, np.int64),
                "numbers": None if is_whole else self.keep(np.asarray(group.numbers), np.int64),
                "post": self.keep(group.post, np.int32),
                "trace": None if place is None else place + number * p.n_pre * trace.itemsize,
            }
            made.append(c.Projection(**fields))
        return made


def sums_fit(p: Plastic, layer: Layer, steps: int, carries: bool) -> bool:
    """Return whether what a window adds to an eligibility, or takes off it, fits 32 bits."""

    def largest_trace(decay: float) -> float:
        longest = np.inf if carries else float(steps)
        return longest if decay == 1.0 else min(longest, 1.0 / (1.0 - decay))

    constants = layer.constants
    taken = constants.depression * largest_trace(constants.post_decay)
    return steps * (largest_trace(p.trace_decay) + taken) < _LARGEST_SUM
