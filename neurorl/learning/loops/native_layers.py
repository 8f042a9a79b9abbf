"""Fill the C structures of a network's nodes and layers of learning."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from neurorl.backends.base import Backend
from neurorl.backends.window import Window
from neurorl.learning.levels import Levels, eligibility_type
from neurorl.learning.loops.native_texts import text_addresses
from neurorl.learning.loops.native_weights import NativeWeights
from neurorl.learning.memory import Memory
from neurorl.learning.plan import InputProjection, Layer, LearningPlan, Plastic
from neurorl.learning.writes import levels, stream
from neurorl.models.agent.config import AgentConfig
from neurorl.native import structures as c
from neurorl.native.build import library
from neurorl.native.equations import equations_of
from neurorl.native.layout import codes
from neurorl.numerics.arrays import Array

__all__ = ["NativeLayers", "code"]


def code(choice: str, name: str | None) -> int:
    """Return the number that C++ has for a choice's name."""
    assert name is not None  # `not_compiled` has seen to that
    return codes(library(), choice)[name]


def _role(layer: Layer) -> str:
    if layer.is_critic:
        return "critic"
    return "hidden" if layer.lag else "output" if layer.name == "output" else "other"


class NativeLayers:
    """Make the structures of nodes and layers, and keep all arrays that C has pointers to.

    All arguments are those of the loop. An object must live as long as C uses what it made.
    """

    def __init__(
        self,
        config: AgentConfig,
        backend: Backend,
        plan: LearningPlan,
        window: Window,
        memory: Memory,
        weights: NativeWeights,
    ) -> None:
        self._config, self._plan, self._memory, self._weights = config, plan, memory, weights
        self._arithmetic, self._window = backend.arithmetic, window
        self._kept: list[Any] = []

    def keep(self, array: Array, dtype: type = np.float64) -> int | None:
        """Return the address of an array that is kept as long as this object."""
        assert array.dtype == np.dtype(dtype)
        self._kept.append(array)
        return c.pointer(array)

    def nodes(self) -> ctypes.Array[c.Node]:
        """Return a structure for each node of the network, in its order."""
        network = self._plan.network
        made = (c.Node * len(network.nodes))(*(self._node(n.name) for n in network.nodes))
        self._kept.append(made)
        return made

    def layers(self) -> ctypes.Array[c.Layer]:
        """Return a structure for each layer that learns, in the plan's order."""
        layers = self._plan.layers
        made = (c.Layer * len(layers))(*(self._layer(layer) for layer in layers))
        self._kept.append(made)
        return made

    def _address_of(self, array: Array | None, dtype: type) -> int | None:
        return None if array is None else self.keep(array, dtype)

    def _node(self, name: str) -> c.Node:
        raster = {**self._window.inputs, **self._window.rasters}[name]
        is_current = name in self._plan.network.currents
        last = self._memory.last[name]
        return c.Node(
            size=self._plan.network.node(name).size,
            depth=last.shape[1],
            raster=None if is_current else self.keep(raster, np.bool_),
            current=self.keep(raster) if is_current else None,
            last=self.keep(last, np.bool_),
        )

    def _layer(self, layer: Layer) -> c.Layer:
        learning = [self._projection(p, layer) for p in layer.into]
        fixed = [self._fixed(p, layer) for p in layer.fixed]
        into = (c.Projection * (len(learning) + len(fixed)))(*learning, *fixed)
        self._kept.append(into)
        rule, steps, signs = layer.rule, self._config.window, self._memory.signs.get(layer.name)
        if layer.is_critic and self._plan.critic is not None:
            n_replicas = len(self._memory.norm[layer.key])
            signs = np.tile(self._plan.critic.signs, (n_replicas, 1))
        return c.Layer(
            node=self._plan.network.index(layer.name),
            role=code("role", _role(layer)),
            first=layer.first,
            lag=layer.lag,
            n_projections=len(learning),
            n_fixed=len(fixed),
            begin=layer.begin,
            end=steps - layer.lag if rule.drops_late else steps,
            pairs_spikes=rule.pairs_spikes,
            gates_depression=rule.gates_depression,
            text=text_addresses(rule)[layer.name != "output"],
            projections=ctypes.addressof(into),
            alpha=layer.alpha,
            keep=layer.keep,
            post_decay=layer.post_decay,
            slow_decay=layer.slow_decay,
            depression=layer.depression,
            slow_trace=self._address_of(self._memory.slow_trace.get(layer.name), np.float64),
            powers=self.keep(layer.powers),
            norm=self.keep(self._memory.norm[layer.name]),
            post_trace=self.keep(self._memory.post_trace[layer.name]),
            signs=self._address_of(signs, np.float64),
            equations=self._equations(layer),
        )

    def _equations(self, layer: Layer) -> int | None:
        """Return the address of what spike probabilities depend on, if the rule needs them."""
        if layer.plan is None:
            return None
        made, arrays = equations_of(layer.plan, f"population {layer.name!r}")
        self._kept += [made, *arrays]
        return ctypes.addressof(made)

    def _fixed(self, p: InputProjection, layer: Layer) -> c.Projection:
        in_force = self.keep(self._memory.in_force[p.name])
        return c.Projection(**self._ends(p, layer), in_force=in_force)

    def _ends(self, p: InputProjection, layer: Layer) -> dict[str, int]:
        """Return what a structure says of any projection: from where, to where and how."""
        network = self._plan.network
        shape = network.weight_shape(p.name)
        return {
            "pre": network.index(p.pre),
            "n_pre": shape[-2],
            "n_post": shape[-1],
            "blocks": p.blocks,
            "delay": p.delay,
            "is_signed": p.signed,
            "target": 0 if layer.plan is None else layer.plan.inputs.index(p.target),
        }

    def _projection(self, p: Plastic, layer: Layer) -> c.Projection:
        memory, network, arithmetic = self._memory, self._plan.network, self._arithmetic
        rounding = arithmetic.rounding(p.name)
        lent = self._weights.lent[p.name]
        is_fine = arithmetic.is_fine
        integers = lent is not None and lent.dtype == np.int32
        least, largest = levels(rounding, p.low, p.high)
        if is_fine:  # a weight changes by whole levels; a coarse one is rounded
            kept = Levels.of(rounding.unit, p.low, p.high)
            rounding = rounding.of_unit(kept.unit)
            least, largest = kept.least, kept.largest
        eligibility = self.keep(memory.eligibility[p.name], eligibility_type(arithmetic))
        mask = network.projection(p.name).mask
        mask = None if mask is None else np.ascontiguousarray(mask)
        reads_v = layer.rule.needs_probability or layer.rule.needs_membrane
        needs_in_force = reads_v or any(one.rule.needs_paths for one in self._plan.layers)
        return c.Projection(
            **self._ends(p, layer),
            decay=p.trace_decay,
            low=p.low,
            high=p.high,
            inverse=rounding.inverse,
            limit=rounding.limit,
            unit=rounding.unit,
            transmitted_unit=rounding.transmitted_unit,
            stream=stream(network, p.name),
            least=least,
            largest=largest,
            is_fine=is_fine,
            sums_fit=self._largest_sum(p, layer) < 2.0**11,  # of int32 in units of 2**-20
            weights=None if is_fine else self.keep(memory.weights[p.name]),
            levels=self._address_of(self._weights.levels.get(p.name), np.int32),
            eligibility=None if is_fine else eligibility,
            eligibility_32=eligibility if is_fine else None,
            trace=self.keep(memory.trace[p.name]),
            in_force=self.keep(memory.in_force[p.name]) if needs_in_force else None,
            transmitted=None if integers else self._address_of(lent, np.float64),
            transmitted_integers=self._address_of(lent, np.int32) if integers else None,
            accumulator=self._address_of(memory.accumulator.get(p.name), np.float64),
            mask=self._address_of(mask, np.bool_),
        )

    def _largest_sum(self, p: Plastic, layer: Layer) -> float:
        """Bound what a window adds to an eligibility, or takes off it."""
        steps = self._config.window

        def largest_trace(decay: float) -> float:
            longest = np.inf if self._config.carries else float(steps)
            return longest if decay == 1.0 else min(longest, 1.0 / (1.0 - decay))

        taken = layer.depression * largest_trace(layer.post_decay)
        return steps * (largest_trace(p.trace_decay) + taken)
