"""Compute membranes and spike probabilities from rasters and weights, which every backend has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from neurorl.network.description import Population
from neurorl.network.neuron import IS_SILENT, StepPlan
from neurorl.numerics.arrays import BoolArray, FloatArray, IntArray
from neurorl.numerics.elementary import exp


class Start(NamedTuple):
    """Hold the state before a window, and the bias in it; None is at rest, with the plan's own.

    state: by variable, ``(n,)`` each. dead: dead steps that are left. bias: what statements name
    ``bias``, currents included.
    """

    state: Mapping[str, FloatArray] | None = None
    dead: IntArray | None = None
    bias: FloatArray | None = None


class _Step(NamedTuple):
    """Hold all values by name at the threshold, the dead steps before, and the state after."""

    names: Mapping[str, FloatArray]
    dead: IntArray
    after: Mapping[str, FloatArray]


_REST = Start()


def spike_probability(
    plan: StepPlan, arrived: Mapping[str, FloatArray], spikes: BoolArray, start: Start = _REST
) -> FloatArray:
    """Return ``p(t) = sigmoid((left - right)/noise_width)`` of ``left > right``, given the spikes.

    For LIF, CubaLIF and GLM that is ``sigmoid((v(t) - threshold)/noise_width)``.

    arrived: what synapses add, by input, ``(W, n)``. spikes: raster ``(W, n)``, for the resets.
    Returns ``(W, n)``, 0 in dead steps and where a lesion silences; needs noise_width > 0, as
    `StepPlan.is_noisy` neurons have it.
    """
    assert plan.margin is not None  # noise needs one
    left, right = plan.margin
    width, silent = plan.constants["noise_width"], plan.constants.get(IS_SILENT, 0.0)
    gap, is_dead = np.empty(spikes.shape), np.empty(spikes.shape, dtype=bool)
    for t, step in enumerate(_steps(plan, arrived, spikes, start)):
        gap[t] = right.evaluate(step.names) - left.evaluate(step.names)
        is_dead[t] = step.dead > 0
    return np.where(is_dead | (silent > 0), 0.0, 1.0 / (1.0 + exp(gap / width)))


def membranes(
    plan: StepPlan, arrived: Mapping[str, FloatArray], spikes: BoolArray, start: Start = _REST
) -> FloatArray:
    """Return the variable ``v`` after each step and its reset, ``(W, n)``, given the spikes.

    Arguments are as in `spike_probability`.
    """
    steps = _steps(plan, arrived, spikes, start)
    return np.array([step.after["v"] for step in steps]).reshape(spikes.shape)


def _steps(
    plan: StepPlan, arrived: Mapping[str, FloatArray], spikes: BoolArray, start: Start
) -> Iterator[_Step]:
    """Make the steps of a window again, with the spikes that there were."""
    state = plan.initial if start.state is None else start.state
    dead = np.zeros(plan.size, dtype=np.int64) if start.dead is None else start.dead
    for t, fired in enumerate(spikes):
        names = {**plan.constants, **state}
        for x in plan.inputs:
            came = arrived[x][t] if x in arrived else 0.0
            names[x] = state.get(x, np.zeros(plan.size)) + came
        if plan.bias is not None:
            names["bias"] = plan.bias if start.bias is None else start.bias
        for line in plan.update:
            names[line.variable] = line.value.evaluate(names)
        if dead.any():
            names |= {x: np.where(dead > 0, state[x], names[x]) for x in plan.held}
        met = dict(names)  # the reset changes the others
        for line in plan.reset if fired.any() else ():
            x = line.variable
            names[x] = np.where(fired, line.value.evaluate(names), names[x])
        state = {x: np.array(np.broadcast_to(names[x], plan.size)) for x in plan.initial}
        yield _Step(met, dead, state)
        dead = np.where(fired, plan.refractory_steps, dead - (dead > 0))


def noise_problem(population: Population, dt: float, needs: str) -> str | None:
    """Return the error for a population without noise that a rule needs; None with noise.

    needs: says so, ``rule ... needs spike probabilities``.
    """
    plan = population.plan(dt)
    if plan.from_outside:
        what = "draws xi or reads t, which isn't computed again"
        return f"{needs}, and {population.name!r} {what}; a rule of spikes"
    if plan.constants.get("noise_width", np.zeros(1)).min() > 0:
        return None
    remedy = "noise= of its neurons, or a rule of spikes"
    return f"{needs}, and {population.name!r} has no noise; {remedy}"
