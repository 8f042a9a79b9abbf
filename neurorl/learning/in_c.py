"""Fill the C structures of layers that learn, and let large projections learn by compiled code."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from neurorl.learning.levels import Levels
from neurorl.learning.plan import InputProjection, Layer, Plastic
from neurorl.learning.synapses import SynapseMemory
from neurorl.learning.tags import PostFactors
from neurorl.native import structures as c
from neurorl.native.build import lacking, library
from neurorl.numerics.arrays import Array, FloatArray

_LARGEST_SUM = 2.0**11  # of int32 in units of 2**-20


class LayersInC:
    """Make the structures of nodes and of what layers remember. numbers: of the nodes, by name."""

    def __init__(self, synapses: SynapseMemory, numbers: Mapping[str, int]) -> None:
        self._synapses, self._numbers = synapses, numbers

    def node(self, name: str, size: int, raster: Array | None) -> c.Struct:
        """Return the structure of a node. raster: bool, or float64 of currents."""
        last = self._synapses.last.get(name)
        flows = raster is not None and raster.dtype == np.float64
        depth, shown = 0 if last is None else last.shape[1], "current" if flows else "raster"
        return c.Node(size=size, depth=depth, last=last, **{shown: raster})

    def layer(self, layer: Layer, into: Any, steps: int, **more: object) -> c.Struct:
        """Return the structure of a layer. into: `row` of its projections. more: other fields."""
        constants = layer.constants
        fields = {
            "node": self._numbers[layer.name],
            "n_projections": len(into),
            "begin": layer.begin,
            "end": steps,
            "pairs_spikes": layer.rule.pairs_spikes,
            "gates_depression": layer.rule.gates_depression,
            "projections": into,
            "post_trace": self._synapses.post_trace[layer.key],
            "keep": constants.left(steps),
            "powers": constants.powers(steps),
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

    def projections(self, p: Plastic, layer: Layer, **more: object) -> list[c.Struct]:
        """Return the structures of a projection that learns: of a list one for each delay."""
        e, trace = self._synapses.eligibility[p.name], self._synapses.trace[p.name]
        is_fine = e.dtype == np.float32
        remembered = {
            "decay": p.trace_decay,
            "trace_size": math.prod(p.trace_shape),
            "is_fine": is_fine,
            "eligibility_32" if is_fine else "eligibility": e,
        }
        fields = self.ends(p, layer) | remembered | more
        if not p.groups:
            return [c.Projection(**fields, trace=trace)]
        place, made = c.pointer(trace), []
        for number, group in enumerate(p.groups):
            is_whole = isinstance(group.numbers, slice)
            fields |= {
                "delay": group.delay,
                "start": group.synapses.start,
                "numbers": None if is_whole else np.asarray(group.numbers),
                "post": group.synapses.post,
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


WORTH = 20_000
"""Tell from how many synapses on compiled code is worth its compiler's seconds."""
LONGEST = 2**15 - 1
"""Count the most steps of a window that C++ takes."""


def is_in_c(p: Plastic) -> bool:
    """Return whether `WindowsInC` can and should take a projection's windows."""
    fits = not p.current and not p.signed
    return math.prod(p.shape) >= WORTH and fits and lacking() is None


def reinforce(weights: FloatArray, e: Array, of: Levels, step: float) -> None:
    """Change weights on levels by eta M = *step* where they are, as `Levels.changed` does.

    weights, e: of one shape, float64 and float32, in C order.
    """
    number, integer, place = ctypes.c_double, ctypes.c_int64, ctypes.c_void_p
    library().neurorl_reinforce(
        integer(weights.size),
        place(weights.ctypes.data),
        place(e.ctypes.data),
        ctypes.c_float(float(of.factor(step))),
        *map(number, (of.unit, of.least, of.largest)),
    )


class WindowsInC(LayersInC):
    """Let the synapses of replicas take windows in, with the bits of `Synapses.remember`.

    layers: with those projections alone that C shall take.
    """

    def __init__(self, layers: Sequence[Layer], synapses: SynapseMemory) -> None:
        sizes = {p.pre: p.n_pre for layer in layers for p in layer.into}
        sizes |= {layer.name: layer.size for layer in layers}
        super().__init__(synapses, {name: number for number, name in enumerate(sizes)})
        self._layers = layers
        # Projections that C doesn't take see a layer's traces as they were before the window, too.
        self._after = {of.key: np.zeros_like(synapses.post_trace[of.key]) for of in layers}
        self._nodes = c.row([self.node(name, size, None) for name, size in sizes.items()])
        self._into = [
            [(p, part) for p in of.into for part in self.projections(p, of)] for of in layers
        ]
        self._parts = [c.row([part for _, part in into]) for into in self._into]
        self._c_layers = c.row(
            [
                self.layer(of, parts, 1, post_trace=self._after[of.key])
                for of, parts in zip(layers, self._parts, strict=True)
            ]
        )
        n = len(next(iter(synapses.weights.values())))
        self._agent = c.Agent(
            n_replicas=n,
            threads=1,
            carries=True,
            n_nodes=len(self._nodes),
            n_layers=len(layers),
            nodes=self._nodes,
            layers=self._c_layers,
            decisions=np.zeros(n, np.int64),
            rate=np.zeros(n),
            modulator=c.PARTS["modulator"](),
        )

    def remember(self, spikes: Mapping[str, Array], posts: Mapping[str, PostFactors]) -> None:
        """Let eligibilities take a window in. spikes: by node. posts: by the layer's key."""
        held = [np.ascontiguousarray(spikes[name]) for name in self._numbers]
        for node, raster in zip(self._nodes, held, strict=True):
            node.raster = c.pointer(raster)
        for number, layer in enumerate(self._layers):
            post, constants, of_c = posts[layer.key], layer.constants, self._c_layers[number]
            self._agent.window = n_steps = len(post.raster)
            self._after[layer.key][...] = self._synapses.post_trace[layer.key]
            numbers, powers = np.ascontiguousarray(post.numbers), constants.powers(n_steps)
            held += [numbers, powers]
            of_c.given, of_c.given_gain, of_c.powers = (
                c.pointer(numbers),
                post.is_gain,
                c.pointer(powers),
            )
            of_c.end, of_c.keep = n_steps, constants.left(n_steps)
            for part, (p, _) in zip(self._parts[number], self._into[number], strict=True):
                part.sums_fit = sums_fit(p, layer, n_steps, carries=True)
        library().neurorl_remember(ctypes.byref(self._agent))

    def settle(self) -> None:
        """Take the neurons' own traces after the window that was remembered last."""
        for key, after in self._after.items():
            self._synapses.post_trace[key][...] = after


def parted(
    layers: Sequence[Layer], synapses: SynapseMemory
) -> tuple[WindowsInC | None, Sequence[Layer]]:
    """Return what takes windows in C, None if nothing does, and layers of what is left to NumPy."""
    left = [replace(of, into=tuple(p for p in of.into if not is_in_c(p))) for of in layers]
    mine = [replace(of, into=tuple(filter(is_in_c, of.into))) for of in layers]
    mine = [layer for layer in mine if layer.into]
    return (WindowsInC(mine, synapses) if mine else None), left
