"""Compute the post factors of an agent's window: all that its rules read of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurorl.backends.base import Raster
from neurorl.backends.checks import Inputs
from neurorl.learning.finite import are_no_factors, check_factors, check_shapes
from neurorl.learning.memory import Memory
from neurorl.learning.plan import InputProjection, Layer, LearningPlan
from neurorl.learning.synapses import SynapseMemory
from neurorl.network.modules import chain_weights, hidden_layers, path_weights
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.numerics.elementary import on_grid
from neurorl.rules import Decision, HiddenLayer, Rule
from neurorl.rules.decision import Broadcast
from neurorl.rules.membrane import Start, membranes, spike_probability
from neurorl.rules.three_factor import arrivals

Seen = tuple[Inputs, dict[str, Raster], int | Broadcast, FloatArray]
"""Hold the inputs and rasters of a window, the action that it led to, and the policy."""


@dataclass(frozen=True)
class Observation:
    """Hold what one window came to: spikes, what arrived, post factors and gates, by name."""

    spikes: Inputs
    arrived: dict[str, list[FloatArray]]
    factors: dict[str, FloatArray]
    gates: dict[str, FloatArray]


class Observer:
    """Compute post factors of one agent's windows. replica: for errors."""

    def __init__(
        self, plan: LearningPlan, memory: Memory, synapses: SynapseMemory, replica: int
    ) -> None:
        self._plan, self._memory, self._synapses, self._replica = plan, memory, synapses, replica
        self._hidden = hidden_layers(plan.network)
        self._by_rule: dict[int, list[Layer]] = {}
        for layer in plan.layers:
            self._by_rule.setdefault(id(layer.rule), []).append(layer)

    def observe(self, third: Callable[[Rule], float], *window: *Seen) -> Observation:
        """Return what came of a window. third: tells the modulator of a rule, clipped.

        Raises NotFiniteError for a post factor that isn't finite.
        """
        inputs, rasters, action, policy = window
        spikes = {**inputs, **rasters}
        arrived = {
            p.name: self._arrived(p, spikes[p.pre])
            for layer in self._plan.layers
            for p in (*layer.into, *layer.fixed)
        }
        told = action if isinstance(action, Broadcast) else Broadcast.of(action, policy)
        observed = Observation(spikes, arrived, {}, {})
        for layers in self._by_rule.values():
            m = third(layers[0].rule)
            self._apply(layers, self._decision(layers, spikes, arrived, told, m), observed)
        return observed

    def _apply(self, layers: Sequence[Layer], decision: Decision, observed: Observation) -> None:
        """Compute the post factors and gates of the layers that learn by one rule."""
        rule, hidden = layers[0].rule, [layer for layer in layers if layer.name != "output"]
        seen = {layer.name: h for layer, h in zip(hidden, decision.hidden, strict=True)}
        if len(hidden) < len(layers):
            seen["output"] = decision.output_layer
        if rule.is_text:
            factors = {
                name: rule.text_of(name).factors(decision, h, rule.drops_late)
                for name, h in seen.items()
            }
        else:
            whole = check_shapes(rule.name, rule(decision), decision)
            factors = dict(zip([layer.name for layer in hidden], whole.hidden, strict=True))
            factors |= {"output": whole.output} if "output" in seen else {}
        check_factors(rule.name, factors, self._replica)
        for layer in layers:
            observed.factors[layer.key] = factors[layer.name]
            if rule.gates_depression:
                text = rule.text_of(layer.name)
                gate = on_grid(text.gain(decision, seen[layer.name]))
                gate[are_no_factors(gate)] = 0.0  # without a spike, as factors are finite
                observed.gates[layer.key] = gate

    def _arrived(self, p: InputProjection, spikes: Array) -> list[FloatArray]:
        """Return what arrives in a window, for each delay of a projection."""
        if p.short_term is None:
            return self._synapses.arrived(p, spikes, self._plan.config.window)
        # It doesn't learn: what arrives is for p and v, which are from rest.
        released = p.short_term.released(spikes, self._plan.network.dt)
        return [p.transmitted(arrivals(released, delay)) for delay in p.delays]

    def _decision(
        self,
        layers: Sequence[Layer],
        spikes: Inputs,
        arrived: dict[str, list[FloatArray]],
        told: Broadcast,
        modulator: float,
    ) -> Decision:
        """Return what a rule reads of the window, of the layers that learn by it."""
        modules, rule = spikes["output"].shape[1], layers[0].rule
        paths: dict[str, FloatArray] = {}
        if rule.needs_paths:
            in_force = chain_weights(self._plan.network, self._plan.chain, self._memory.in_force)
            paths = dict(zip(self._hidden, path_weights(in_force, modules), strict=False))
        of_layers = {
            layer.name: self._of_layer(layer, spikes, arrived, modulator) for layer in layers
        }
        p_of = {name: named.pop("p", None) for name, named in of_layers.items()}
        output = next((layer for layer in layers if layer.name == "output"), None)
        hidden = (
            HiddenLayer(
                spikes=spikes[layer.name],
                first=layer.begin,
                lag=layer.lag,
                signs=self._memory.signs.get(layer.name, np.ones(0)),
                p=p_of[layer.name],
                paths=paths.get(layer.name),
                in_modules=layer.name in self._plan.in_modules,
                named=of_layers[layer.name],
            )
            for layer in layers
            if layer is not output
        )
        return Decision(
            action=told.action,
            phi=told.phi,
            t=told.t,
            output=spikes["output"],
            output_from=0 if output is None else output.begin,
            hidden=tuple(hidden),
            output_p=p_of.get("output"),
            output_named=of_layers.get("output", {}),
        )

    def _of_layer(
        self, layer: Layer, spikes: Inputs, arrived: dict[str, list[FloatArray]], modulator: float
    ) -> dict[str, Any]:
        """Return what the rule names of a layer beyond spikes and broadcasts."""
        rule, raster, named = layer.rule, spikes[layer.name], dict[str, Any]()
        if rule.names("M"):
            named["M"] = np.float64(modulator)
        if layer.is_critic and self._plan.critic is not None:
            named["b"] = self._plan.critic.signs
        if rule.names("slow"):
            named["slow"] = self._synapses.slow(layer, raster)
        plan = layer.plan
        if plan is None:
            return named
        drives, current, biased = self._drives(layer, spikes, arrived)
        start = Start(bias=None if plan.bias is None else plan.bias + current)
        if plan.bias is None and biased:
            drives[biased] = drives.get(biased, np.zeros(raster.shape)) + current
        if rule.needs_probability:
            named["p"] = spike_probability(plan, drives, raster, start)
        if rule.needs_membrane:
            named["v"] = membranes(plan, drives, raster, start)
            named["theta"] = plan.constants["threshold"]
        return named

    def _drives(
        self, layer: Layer, spikes: Inputs, arrived: dict[str, list[FloatArray]]
    ) -> tuple[dict[str, FloatArray], FloatArray, str]:
        """Return what arrives by input, ``(W, n)``, a current ``(n,)``, and the input it enters."""
        current = np.zeros(spikes[layer.name].shape[-1])
        biased, drives = "", dict[str, FloatArray]()
        for p in (*layer.into, *layer.fixed):
            w = self._memory.in_force[p.name]
            if p.current:
                biased = p.target
                _add_flow(p, spikes[p.pre], w, current)
                continue
            drive = drives.setdefault(p.target, np.zeros(spikes[layer.name].shape))
            _add_arriving(p, arrived[p.name], w, drive)
        return drives, current, biased


def _add_arriving(
    p: InputProjection, arrived: Sequence[FloatArray], w: FloatArray, into: FloatArray
) -> None:
    """Add what a projection's spikes do in each step to *into*, ``(W, n)``.

    arrived: for each delay, ``(W, n_pre)``. w: in force. On a grid, sums are exact in any order.
    """
    for group, x in zip(p.groups, arrived, strict=False):
        group.add_arriving(x, w, into)
    if p.groups:
        return
    (x,) = arrived
    if w.ndim == 2:
        into += x @ w
        return
    into += (x.reshape(len(x), len(w), 1, -1) @ w).reshape(into.shape)


def _add_flow(p: InputProjection, x: FloatArray, w: FloatArray, current: FloatArray) -> None:
    """Add ``c_j += x_i w_ij`` in the order of i, as weights of a chip are on no grid of float64."""
    for group in p.groups:
        group.add_arriving(x, w, current)
    if p.groups:
        return
    blocks = w.reshape(-1, *w.shape[-2:])
    into = current.reshape(len(blocks), -1)
    columns = x.reshape(len(blocks), -1)
    for i in range(columns.shape[1]):
        into += columns[:, i, None] * blocks[:, i]
