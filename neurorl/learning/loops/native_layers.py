"""Fill the C structures of an agent's nodes and layers, and hold the weights."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurorl.learning.in_c import LayersInC, sums_fit
from neurorl.learning.levels import Levels
from neurorl.learning.loops.base import Loop
from neurorl.learning.plan import InputProjection, Layer, Plastic
from neurorl.learning.writes import levels, stream
from neurorl.native import structures as c
from neurorl.native.build import equations_of, text_addresses
from neurorl.numerics.arrays import Array, Int32Array, zeros_on_lines

_TRANSMITTED = {np.float64: "transmitted", np.int32: "transmitted_integers"}
_TRANSMITTED |= {np.int16: "transmitted_shorts"}
"""Name C's pointers to a simulator's memory, by the type of its numbers."""


class NativeWeights(Loop):
    """Hold weights where C reads and writes them.

    Those of projections that learn in float arithmetic are the numbers of their levels, which take
    the place of ``memory.weights``, ``(N, *shape)``. Others C writes to the simulator's memory of
    transmitted weights, if it lends any. A simulator that reads weights neither way is told.

    _is_stale: whether levels may have changed since memory had them.
    """

    def _hold_weights(self) -> None:
        names, network = self.memory.weights, self.backend.network
        self._masked = {x for x in names if network.projection(x).mask is not None}
        read = {x: borrowed for x in self._levels if (borrowed := self._borrow(x)) is not None}
        own = {x: zeros_on_lines(names[x].shape, np.int32) for x in self._levels if x not in read}
        self._numbers = own | {x: borrowed.reshape(names[x].shape) for x, borrowed in read.items()}
        for x in own:
            self._take(x)
        rest = [x for x in names if x not in read]
        lent = ((x, self.backend.transmitted(x)) for x in rest if x not in self._masked)
        self._lent = {x: weights for x, weights in lent if weights is not None}
        self._told = [x for x in rest if x not in self._lent]
        self._is_stale = False

    def settle(self, k: int | None = None) -> None:
        # One agent's weights may be read; others can be changed only after all are up to date.
        for name in self._numbers if self._is_stale else ():
            self._settle(name, slice(None) if k is None else k)
        self._is_stale &= k is not None

    def heed(self) -> None:
        units = ((name, n, self._levels[name].unit) for name, n in self._numbers.items())
        if not self._is_stale and any(
            not np.array_equal(n * unit, self.memory.weights[name]) for name, n, unit in units
        ):
            self.write(0)

    def learned(self) -> dict[str, Array]:
        self._is_stale = bool(self._numbers)
        return {**self.memory.weights, **self._numbers}

    def write(self, k: int) -> None:
        super().write(k)
        for name in self._numbers:
            self._take(name)
        self._is_stale = False

    def _tell(self) -> None:
        self._is_stale = True
        for name in self._told:
            if name in self._numbers:
                self._settle(name)
            self._write(name)
            if name in self._numbers and name in self._masked:
                self._take(name)

    def _settle(self, name: str, agents: slice | int = slice(None)) -> None:
        weights, unit = self.memory.weights[name], self._levels[name].unit
        np.multiply(self._numbers[name][agents], unit, out=weights[agents])

    def _take(self, name: str) -> None:
        if self._borrow(name) is None:  # else the simulator has taken them
            weights, unit = self.memory.weights[name], self._levels[name].unit
            self._numbers[name][...] = weights * (1.0 / unit)

    def _borrow(self, name: str) -> Int32Array | None:
        return None if name in self._masked else self.backend.levels(name, self._levels[name].unit)


def _role(layer: Layer) -> str:
    if layer.is_critic:
        return "critic"
    return "hidden" if layer.lag else "output" if layer.name == "output" else "other"


def _target(p: InputProjection, layer: Layer) -> int:
    """Return the number of the input that a projection adds to, where the rule needs it."""
    return 0 if layer.plan is None else layer.plan.inputs.index(p.target)


class NativeLayers(NativeWeights):
    """Make the structures of an agent's nodes and layers."""

    def _nodes_and_layers(self) -> dict[str, Any]:
        """Return structures of the network's nodes, and of layers in the plan's order."""
        network, rasters = self.plan.network, {**self.window.inputs, **self.window.rasters}
        of = LayersInC(self.memory, {n.name: k for k, n in enumerate(network.nodes)})
        nodes = [of.node(n.name, n.size, rasters[n.name]) for n in network.nodes]
        layers = [self._layer(of, layer) for layer in self.plan.layers]
        lengths = {"n_nodes": len(nodes), "n_layers": len(layers)}
        return {"nodes": nodes, "layers": layers, **lengths}

    def _layer(self, of: LayersInC, layer: Layer) -> c.Struct:
        memory, rule, steps = self.memory, layer.rule, self.config.window
        learning = [part for p in layer.into for part in self._projections(of, p, layer)]
        fixed = [
            c.Projection(
                **of.ends(p, layer), target=_target(p, layer), in_force=memory.in_force[p.name]
            )
            for p in layer.fixed
        ]
        signs, plan = memory.signs.get(layer.name), layer.plan
        if layer.is_critic and self.critic is not None:
            signs = np.tile(self.critic.signs, (self.n, 1))
        return of.layer(
            layer,
            c.row([*learning, *fixed]),
            steps,
            role=c.choices(c.AGENT, "Role")[_role(layer)],
            first=layer.first,
            lag=layer.lag,
            n_projections=len(learning),
            n_fixed=len(fixed),
            end=steps - layer.lag if rule.drops_late else steps,
            text=text_addresses(rule)[layer.name != "output"],
            alpha=layer.alpha,
            slow_trace=memory.slow_trace.get(layer.key),
            norm=memory.norm[layer.key],
            signs=signs,
            equations=plan and equations_of(plan, f"population {layer.name!r}"),
        )

    def _projections(self, of: LayersInC, p: Plastic, layer: Layer) -> list[c.Struct]:
        memory, network, arithmetic = self.memory, self.plan.network, self.backend.arithmetic
        rounding, lent = arithmetic.rounding(p.name), self._lent.get(p.name)
        is_fine, kind = arithmetic.is_fine, np.float64 if lent is None else lent.dtype.type
        least, largest = levels(rounding, p.low, p.high)
        if is_fine:  # a weight changes by whole levels; a coarse one is rounded
            kept = Levels.of(rounding.unit, p.low, p.high)
            rounding = rounding.of_unit(kept.unit)
            least, largest = kept.least, kept.largest
        mask = network.projection(p.name).mask
        reads_v = layer.rule.needs_probability or layer.rule.needs_membrane
        needs_in_force = reads_v or any(one.rule.needs_paths for one in self.plan.layers)
        return of.projections(
            p,
            layer,
            target=_target(p, layer),
            low=p.low,
            high=p.high,
            inverse=rounding.inverse,
            limit=rounding.limit,
            unit=rounding.unit,
            transmitted_unit=rounding.transmitted_unit,
            stream=stream(network, p.name),
            least=least,
            largest=largest,
            sums_fit=sums_fit(p, layer, self.config.window, self.config.carries),
            weights=None if is_fine else memory.weights[p.name],
            levels=self._numbers.get(p.name),
            in_force=memory.in_force[p.name] if needs_in_force else None,
            **{_TRANSMITTED[kind]: lent},
            accumulator=memory.accumulator.get(p.name),
            mask=None if mask is None else np.ascontiguousarray(mask),
        )
