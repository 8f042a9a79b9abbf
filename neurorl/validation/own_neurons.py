"""Predict neurons by equations, as described or by a variant of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from neurorl.network.description import Network, Population
from neurorl.network.step_plan import StepPlan
from neurorl.network.stepping import after_reset, before_reset
from neurorl.numerics.arrays import FloatArray
from neurorl.validation.evidence import Evidence
from neurorl.validation.history import History
from neurorl.validation.observed import MOST, Array
from neurorl.validation.unlisted import unlisted
from neurorl.validation.variants import Variant

__all__ = ["ChangedPlan", "EquationEvidence", "evidence_of"]


def evidence_of(
    network: Network, population: Population, history: History, most: int = MOST
) -> Evidence:
    """Return evidence on a population, whatever its neurons are."""
    kind = Evidence if population.is_integrator(network.dt) else EquationEvidence
    network, history = unlisted(network, history, population.name)
    return kind(network, population, history, most)


@dataclass(frozen=True)
class ChangedPlan(StepPlan):
    """Hold a step, and mistakes of a backend that no equation expresses.

    single: variables that are rounded to single precision after each step.
    rerouted: input that was described -> input at which its currents arrive.
    """

    single: tuple[str, ...] = ()
    rerouted: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, plan: StepPlan, **changes: Any) -> ChangedPlan:
        """Return *plan* with some changes."""
        return cls(**{f.name: getattr(plan, f.name) for f in fields(StepPlan)} | changes)


@dataclass
class _Drive:
    """Hold the step, what arrives at each input in each step, and the noise."""

    plan: StepPlan
    arrived: dict[str, FloatArray]
    draws: FloatArray


class EquationEvidence(Evidence):
    """Hold evidence on neurons by equations; `Variant.parameters` changes their `StepPlan`."""

    is_of_currents = False
    numbers: StepPlan

    def in_one_step(self, variant: Variant, calls: Array) -> dict[str, Array]:
        """Return what a variant predicts of some calls of one step each."""
        starts = {v: variant.start(self, v, b)[calls] for v, b in self.before.items()}
        return self._advance(self._drive(variant), starts, self.starts[calls])

    def at_threshold(self, calls: Array) -> dict[str, Array]:
        """Return all values by name when the threshold is tested, in calls of one step each."""
        starts = {v: np.where(self.fresh[:, None], self.rest(v), b) for v, b in self.before.items()}
        state = {v: x[calls] for v, x in starts.items()}
        return self._tested(self._drive(Variant("", "")), state, self.starts[calls])[0]

    def _drive(self, variant: Variant) -> _Drive:
        plan: StepPlan = variant.parameters(self.numbers)
        arrived = {x: np.zeros((self.n_steps, self.population.size)) for x in plan.inputs}
        for p in self.into:
            arrived[self.network.target(p)] += self.input_of(p, variant)
        biased = self.network.biased(self.population.name)
        if biased is not None:
            arrived[biased] += variant.bias(self.bias(variant))
        rerouted = plan.rerouted if isinstance(plan, ChangedPlan) else {}
        came = {x: np.zeros_like(a) for x, a in arrived.items()}
        for x, total in arrived.items():
            came[rerouted.get(x, x)] += total
        return _Drive(plan, came, self._of(variant, "draws", lambda: variant.draws(self)))

    def _tested(
        self, drive: _Drive, state: dict[str, Array], here: Array
    ) -> tuple[dict[str, Array], Array]:
        own = {v: x for v, x in state.items() if v != "refractory"}
        arrived = {x: total[here] for x, total in drive.arrived.items()}
        noise = drive.draws[here] if drive.plan.is_noisy else None
        return before_reset(drive.plan, own, state["refractory"], arrived, noise)

    def _advance(self, drive: Any, state: dict[str, Array], here: Array) -> dict[str, Array]:
        plan: StepPlan = drive.plan
        with np.errstate(all="ignore"):
            names, spikes = self._tested(drive, state, here)
            margin = _margin(plan, names, spikes)
            after, dead = after_reset(plan, names, state["refractory"], spikes)
        for name in plan.single if isinstance(plan, ChangedPlan) else ():
            after[name] = after[name].astype(np.float32).astype(np.float64)
        return {**after, "refractory": dead, "spikes": spikes, **margin}


def _margin(plan: StepPlan, names: dict[str, Array], spikes: Array) -> dict[str, Array]:
    """Return the sides of the threshold; of one that has none, spikes against a half."""
    if plan.margin is None:
        left, right = spikes.astype(np.float64), np.full(spikes.shape, 0.5)
        return {"moved": left, "level": left, "threshold": right}
    left, right = (np.broadcast_to(side.evaluate(names), spikes.shape) for side in plan.margin)
    noise = plan.constants["noise_width"] * names["logistic"] if plan.is_noisy else 0.0
    return {"moved": left, "level": left + noise, "threshold": right}
