"""Apply a rule to a network: eligibilities and float weights of every plastic projection.

For one window of W steps, with presynaptic traces x and post factors f::

    e <- keep e + sum_t x(t) f(t)^T            keep = gamma lambda_actor, for each decision
    w <- clip(w + eta M e)

for a spiking critic with gamma lambda_ and M not clipped, and f and N its own (rounded as
`neurorl.learning.levels` says in float arithmetic, in which weights that learn are those in force),
and for the STDP rules, whose eligibility decays in every step, with the
neuron's own trace y, the spikes a that arrive, and g = 1, or what the rule gates depression with
(td-stdp: phi b in modules, with b = 1 for the output)::

    e <- d**W e + sum_t d**(W-1-t) (x(t) f(t)^T - g A a(t) y(t)^T)     d = exp(-dt/eligibility_tau)

A current of activation x_i arrives in every step of the window.
All sums are over numbers on a grid, so they are exact. ``native/src/rule.h`` is the same in C.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurorl.backends.base import Raster
from neurorl.backends.checks import Inputs
from neurorl.learning.drives import add_arriving, add_flow, summed_arrivals
from neurorl.learning.finite import are_no_factors, check_factors, check_shapes
from neurorl.learning.levels import Levels, remember
from neurorl.learning.memory import Memory
from neurorl.learning.plan import InputProjection, Layer, LearningPlan
from neurorl.learning.tags import Post, depressing, tags, traces
from neurorl.learning.writes import Writer
from neurorl.network.modules import chain_weights, hidden_layers, path_weights
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.numerics.elementary import dot, on_grid
from neurorl.rules import Decision, HiddenLayer, Rule
from neurorl.rules.decision import Broadcast
from neurorl.rules.membrane import Start, membranes, spike_probability
from neurorl.rules.three_factor import apply_modulator, arrivals, window_traces

__all__ = ["NORM_RATE", "Learner", "Modulators"]

Modulators = Mapping[str | None, float]
"""Map the names that rules have for their modulators to their values."""

NORM_RATE = 0.01
_NONE: Modulators = {}


class Learner:
    """Turn the windows of one agent into eligibilities, and modulators into weights.

    writer: where changes of weights go; None adds them to the weights. replica: for errors.
    levels: of the weights, by projection; without them, weights and eligibilities are float64.
    """

    def __init__(
        self,
        plan: LearningPlan,
        memory: Memory,
        writer: Writer | None = None,
        replica: int = 0,
        levels: Mapping[str, Levels] | None = None,
    ) -> None:
        self.memory, self._replica = memory, replica
        self._writer, self._levels = writer, levels or {}
        self._config = plan.config
        self._network, self._chain, self._in_modules = plan.network, plan.chain, plan.in_modules
        self._critic, self._layers = plan.critic, plan.layers
        self._hidden = hidden_layers(plan.network)
        self._by_rule: dict[int, list[Layer]] = {}
        for layer in plan.layers:
            self._by_rule.setdefault(id(layer.rule), []).append(layer)
        self._limits = {name: m.limit for name, m in (plan.config.modulators or {}).items()}

    def remember(
        self,
        inputs: Inputs,
        rasters: dict[str, Raster],
        action: int | Broadcast,
        policy: FloatArray,
        modulator: float = 0.0,
        others: Modulators = _NONE,
    ) -> None:
        """Let ``e <- keep e + tag`` for the window that led to *action*.

        modulator, others: what came of it, for rules that name M.
        """
        self._add(self._observe(inputs, rasters, action, policy, modulator, others))

    def is_finite(self, modulator: float, rate: float, others: Modulators = _NONE) -> bool:
        """Return whether modulators and the steps that they make of weights are finite."""
        finite = math.isfinite(modulator) and all(map(math.isfinite, others.values()))
        for layer, eta, third in self._steps(modulator, rate, others):
            finite &= math.isfinite(eta * third)
            for p in layer.into if self._levels else ():
                finite &= math.isfinite(self._levels[p.name].factor(eta * third))
        return finite

    def check(
        self,
        inputs: Inputs,
        rasters: dict[str, Raster],
        action: int | Broadcast,
        policy: FloatArray,
    ) -> None:
        """Raise NotFiniteError if a post factor of a window isn't finite, and say which."""
        self._observe(inputs, rasters, action, policy)

    def learn(
        self, modulator: float, rate: float, ends: bool = False, others: Modulators = _NONE
    ) -> None:
        """Let ``w <- clip(w + alpha rate modulator e / N)``; N is 1 unless the agent normalises.

        others: modulators by the names that rules have for theirs.
        ends: once more for the last decision, now that its episode is over.
        """
        m = self.memory
        for layer, eta, third in self._steps(modulator, rate, others):
            for p in layer.into:
                if self._writer is not None:
                    change = (eta * third) * m.eligibility[p.name]
                    self._writer.write(p, change, ends)
                    continue
                w, e = m.weights[p.name], m.eligibility[p.name]
                if self._levels:
                    w[...] = self._levels[p.name].changed(w, e, eta * third)
                else:
                    w[...] = apply_modulator(w, e, third, eta, p.low, p.high)

    def _steps(
        self, modulator: float, rate: float, others: Modulators
    ) -> Iterator[tuple[Layer, float, float]]:
        """Yield each layer with its step size and the modulator that it hears."""
        for layer in self._layers:
            eta = layer.alpha * rate / self._norm(layer)
            third = modulator
            if not layer.is_critic:
                third = self._clipped(layer.rule, modulator, others)
            yield layer, eta, third

    def _clipped(self, rule: Rule, modulator: float, others: Modulators) -> float:
        """Return the modulator of a rule, within its limit."""
        limit = self._config.modulator.limit
        if rule.modulator in self._limits:
            modulator, limit = others[rule.modulator], self._limits[rule.modulator]
        return modulator if limit is None else max(-limit, min(limit, modulator))

    def learn_late(
        self,
        modulator: float,
        rate: float,
        inputs: Inputs,
        rasters: dict[str, Raster],
        action: int | Broadcast,
        policy: FloatArray,
    ) -> None:
        """Do `learn` for the decision before, whose modulator this window told, then `remember`."""
        observed = self._observe(
            inputs, rasters, action, policy
        )  # with the weights it was run with
        self.learn(modulator, rate)
        self._add(observed)

    def chip_errors(
        self,
        inputs: Inputs,
        rasters: dict[str, Raster],
        action: int | Broadcast,
        policy: FloatArray,
    ) -> dict[str, FloatArray]:
        """Sum each layer's post factors over the window, over N; the chip knows the traces.

        With traces that hardly change within a window, ``x sum_t f(t)`` is its eligibility.
        """
        observed = self._observe(inputs, rasters, action, policy)
        sums = {}
        for layer in self._layers:
            if self._config.normalises:
                self._note_power(
                    layer, [[summed_arrivals(p, layer.first, observed.arrived)] for p in layer.into]
                )
            sums[layer.name] = observed.factors[layer.name].sum(axis=0) / self._norm(layer)
        return sums

    def _observe(
        self,
        inputs: Inputs,
        rasters: dict[str, Raster],
        action: int | Broadcast,
        policy: FloatArray,
        modulator: float = 0.0,
        others: Modulators = _NONE,
    ) -> _Observed:
        spikes = {**inputs, **rasters}
        arrived = {
            p.name: [p.transmitted(a) for a in self._arrived(p, spikes[p.pre])]
            for layer in self._layers
            for p in (*layer.into, *layer.fixed)
        }
        told = action if isinstance(action, Broadcast) else Broadcast.of(action, policy)
        observed = _Observed(spikes, arrived, {}, {})
        for layers in self._by_rule.values():
            third = self._clipped(layers[0].rule, modulator, others)
            self._apply(layers, self._decision(layers, spikes, arrived, told, third), observed)
        return observed

    def _apply(self, layers: Sequence[Layer], decision: Decision, observed: _Observed) -> None:
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
        if p.current:
            return [np.tile(spikes, (self._config.window, 1))]
        if p.short_term is not None:  # which doesn't learn: for p and v, which are from rest
            released = p.short_term.released(spikes, self._network.dt)
            return [arrivals(released, delay) for delay in p.delays]
        last = self.memory.last[p.pre]
        return [arrivals(spikes, delay, last if len(last) else None) for delay in p.delays]

    def _add(self, observed: _Observed) -> None:
        for layer in self._layers:
            post, gate = on_grid(observed.factors[layer.key]), observed.gates.get(layer.key)
            self._remember_layer(layer, observed.spikes[layer.name], observed.arrived, post, gate)
        for name, last in self.memory.last.items():
            if len(last):
                last[:] = np.concatenate([last, observed.spikes[name]])[-len(last) :]

    def _remember_layer(
        self,
        layer: Layer,
        spikes: Raster,
        arrived: dict[str, list[FloatArray]],
        factors: FloatArray,
        gate: FloatArray | None,
    ) -> None:
        m, taken = self.memory, None
        if layer.rule.pairs_spikes:
            before, pairs = m.post_trace[layer.key], layer.depression * layer.powers
            taken, before[...] = depressing(spikes, before, layer.post_decay, pairs, gate)
        post = Post(factors, taken, layer.powers)
        if layer.key in m.slow_trace:
            m.slow_trace[layer.key][:] = self._slow(layer, spikes)[-1]
        totals = []
        for p in layer.into:
            a, e, held = arrived[p.name], m.eligibility[p.name], m.trace[p.name]
            x = traces(a, p.trace_decay, held[None])
            if self._config.carries:
                held[...] = np.reshape([one[-1] for one in x], held.shape)
            totals.append([one[layer.first :].sum(axis=0) for one in x])
            remember(e, layer.keep, tags(p.groups, a, x, post, (1, *e.shape))[0])
        if self._config.normalises:
            self._note_power(layer, totals)

    def _note_power(self, layer: Layer, totals: list[list[FloatArray]]) -> None:
        """Let N learn from the sums over a window of the traces of projections into a layer.

        totals: by projection, for each delay.
        """
        power = 0.0
        for p, of_delays in zip(layer.into, totals, strict=True):
            for total in of_delays:
                power += dot(total, total) / p.blocks / (self._config.window - layer.first)
        norm = self.memory.norm[layer.key]
        norm[0] = power if np.isnan(norm[0]) else norm[0] + NORM_RATE * (power - norm[0])

    def _norm(self, layer: Layer) -> float:
        """Return what a layer's steps are divided by: N, at least 1, or 1."""
        norm = float(self.memory.norm[layer.key][0]) if self._config.normalises else 1.0
        return norm if norm > 1.0 else 1.0

    def _slow(self, layer: Layer, spikes: Raster) -> FloatArray:
        """Return the slow trace of a population's own spikes, ``(W, n)``."""
        before = self.memory.slow_trace[layer.key]
        return window_traces(spikes.astype(np.float64), layer.slow_decay, before)

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
            in_force = chain_weights(self._network, self._chain, self.memory.in_force)
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
                signs=self.memory.signs.get(layer.name, np.ones(0)),
                p=p_of[layer.name],
                paths=paths.get(layer.name),
                in_modules=layer.name in self._in_modules,
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
        if layer.is_critic and self._critic is not None:
            named["b"] = self._critic.signs
        if rule.names("slow"):
            named["slow"] = self._slow(layer, raster) - raster
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
            w = self.memory.in_force[p.name]
            if p.current:
                biased = p.target
                add_flow(p, spikes[p.pre], w, current)
                continue
            drive = drives.setdefault(p.target, np.zeros(spikes[layer.name].shape))
            add_arriving(p, arrived[p.name], w[None], drive)
        return drives, current, biased


@dataclass(frozen=True)
class _Observed:
    """Hold what one window came to: spikes, what arrived, post factors and gates, by name."""

    spikes: Inputs
    arrived: dict[str, list[FloatArray]]
    factors: dict[str, FloatArray]
    gates: dict[str, FloatArray]
