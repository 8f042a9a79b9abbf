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

A current of activation x_i arrives in every step of the window. What rules of statements do is in
`neurorl.learning.statements`.
All sums are over numbers on a grid, so they are exact. ``native/src/rule.h`` is the same in C.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np

from neurorl.learning.levels import Levels
from neurorl.learning.memory import Memory
from neurorl.learning.observer import Observation, Observer, Seen
from neurorl.learning.plan import Layer, LearningPlan, Plastic
from neurorl.learning.tags import PostFactors
from neurorl.learning.writes import Writer
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.elementary import dot, on_grid
from neurorl.rules.three_factor import apply_modulator

if TYPE_CHECKING:
    from neurorl.learning.statements import Statements

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
        self.memory, self._synapses = memory, memory.alone()
        self._writer, self._levels = writer, levels or {}
        self._config, self._layers = plan.config, plan.layers
        self._observer = Observer(plan, memory, self._synapses, replica)
        self._statements: Statements | None = None
        if plan.statements:
            from neurorl.learning.statements import Statements  # few agents need it

            self._statements = Statements(plan, memory, self._synapses, replica)
        self._limits = {name: m.limit for name, m in (plan.config.modulators or {}).items()}

    def remember(self, *window: *Seen, modulator: float = 0.0, others: Modulators = _NONE) -> None:
        """Let ``e <- keep e + tag`` for a window.

        modulator, others: what came of it, for rules that name M.
        """
        observed = self._observe(*window, modulator=modulator, others=others)
        if self._statements is not None:
            self._statements.window(*window)
        self._add(observed)

    def is_finite(self, modulator: float, rate: float, others: Modulators = _NONE) -> bool:
        """Return whether modulators and the steps that they make of weights are finite."""
        finite = math.isfinite(modulator) and all(map(math.isfinite, others.values()))
        for layer, eta, third in self._steps(modulator, rate, others):
            finite &= math.isfinite(eta * third)
            for p in layer.into if self._levels else ():
                finite &= math.isfinite(self._levels[p.name].factor(eta * third))
        return finite

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
        if self._statements is not None:
            self._statements.reinforce(lambda name: rate * self._clipped(name, modulator, others))

    def _steps(
        self, modulator: float, rate: float, others: Modulators
    ) -> Iterator[tuple[Layer, float, float]]:
        """Yield each layer with its step size and the modulator that it hears."""
        for layer in self._layers:
            eta = layer.alpha * rate / self._norm(layer)
            third = modulator
            if not layer.is_critic:
                third = self._clipped(layer.rule.modulator, modulator, others)
            yield layer, eta, third

    def _clipped(self, name: str | None, modulator: float, others: Modulators) -> float:
        """Return the modulator that a rule has this name for, within its limit."""
        limit = self._config.modulator.limit
        if name in self._limits:
            modulator, limit = others[name], self._limits[name]
        return modulator if limit is None else max(-limit, min(limit, modulator))

    def learn_late(self, modulator: float, rate: float, *window: *Seen) -> None:
        """Do `learn` for the decision before, whose modulator this window told, then `remember`."""
        observed = self._observe(*window)  # with the weights it was run with
        self.learn(modulator, rate)
        self._add(observed)

    def chip_errors(self, *window: *Seen) -> dict[str, FloatArray]:
        """Sum each layer's post factors over the window, over N; the chip knows the traces.

        With traces that hardly change within a window, ``x sum_t f(t)`` is its eligibility.
        """
        observed = self._observe(*window)
        sums = {}
        for layer in self._layers:
            if self._config.normalises:
                self._note_power(
                    layer,
                    [[_summed_arrivals(p, layer.first, observed.arrived)] for p in layer.into],
                )
            sums[layer.name] = observed.factors[layer.name].sum(axis=0) / self._norm(layer)
        return sums

    def _observe(
        self, *window: *Seen, modulator: float = 0.0, others: Modulators = _NONE
    ) -> Observation:
        return self._observer.observe(
            lambda rule: self._clipped(rule.modulator, modulator, others), *window
        )

    def _add(self, observed: Observation) -> None:
        spikes, arrived, carries = observed.spikes, observed.arrived, self._config.carries
        for layer in self._layers:
            raster, gate = spikes[layer.name], observed.gates.get(layer.key)
            post = PostFactors(raster, on_grid(observed.factors[layer.key]), is_gain=False)
            x = self._synapses.remember(layer, spikes, post, gate, arrived, carries)
            self._synapses.go_on(layer, raster)
            if self._config.normalises:
                self._note_power(
                    layer, [[one[layer.first :].sum(axis=0) for one in of] for of in x]
                )
        self._synapses.deliver(spikes)

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


def _summed_arrivals(p: Plastic, first: int, arrived: dict[str, list[FloatArray]]) -> FloatArray:
    """Return ``sum_t x(t)`` from the step *first* on, from silence, without rounding of traces."""
    (a,) = arrived[p.name]  # as no lists of synapses learn on a chip
    steps = np.arange(len(a))
    since = np.maximum(first - steps, 0)  # steps until the trace begins to count
    left = len(a) - np.maximum(first, steps)  # and that it does
    kept = p.trace_decay**since
    kept *= (1 - p.trace_decay**left) / (1 - p.trace_decay) if p.trace_decay < 1 else left
    return np.asarray((kept[:, None] * a).sum(axis=0))
