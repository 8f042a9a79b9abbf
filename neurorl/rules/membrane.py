"""Compute membranes and spike probabilities from rasters and weights, which every backend has."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from neurorl.network.description import Dynamics, Population
from neurorl.network.neuron import StepPlan
from neurorl.network.serialization import FloatArray
from neurorl.network.stepping import after_reset, before_reset
from neurorl.numerics.elementary import exp

__all__ = [
    "membranes",
    "noise_problem",
    "probability_at_threshold",
    "spike_probability",
    "spike_probability_by_equations",
]


def spike_probability(
    dynamics: Dynamics,
    drive: FloatArray,
    spikes: npt.NDArray[np.bool_],
    current: FloatArray | None = None,
) -> FloatArray:
    """Return ``p(t) = sigmoid((v(t) - threshold) / noise_width)`` from rest, given the spikes.

    drive: the input q plus any signed offset, ``(W, n)``. spikes: raster ``(W, n)``, for the
    resets. current: into each neuron in every step, ``(n,)``, joins the bias.
    Returns ``(W, n)``, 0 in dead steps; needs noise_width > 0.
    """
    met, _, is_dead = membranes(dynamics, drive, spikes, current)
    open_ = 1.0 / (1.0 + exp((dynamics.threshold - met) / dynamics.noise_width))
    return np.where(is_dead, 0.0, open_)


def membranes(
    dynamics: Dynamics,
    drive: FloatArray,
    spikes: npt.NDArray[np.bool_],
    current: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray, npt.NDArray[np.bool_]]:
    """Return membranes that meet the threshold, and those after a reset, and where a step is dead.

    From rest, given the spikes; arguments are those of `spike_probability`. Each is ``(W, n)``.
    """
    bias = dynamics.bias if current is None else dynamics.bias + current
    u = np.zeros(drive.shape[1])
    v = np.zeros(drive.shape[1])
    dead = np.zeros(drive.shape[1], dtype=np.int64)
    met, after = np.empty(drive.shape), np.empty(drive.shape)
    is_dead = np.empty(drive.shape, dtype=bool)
    for t in range(len(drive)):
        u = dynamics.current_decay * u + drive[t]
        is_dead[t] = dead > 0
        met[t] = np.where(is_dead[t], 0.0, dynamics.membrane_decay * v + u + bias)
        v = after[t] = np.where(spikes[t], 0.0, met[t])
        dead = np.where(spikes[t], dynamics.refractory_steps, np.maximum(dead - 1, 0))
    return met, after, is_dead


def spike_probability_by_equations(
    plan: StepPlan,
    arrived: Mapping[str, FloatArray],
    spikes: npt.NDArray[np.bool_],
    state: Mapping[str, FloatArray] | None = None,
    dead: npt.NDArray[np.int64] | None = None,
) -> FloatArray:
    """Return ``p(t) = sigmoid((left - right)/noise_width)`` of ``left > right``, given the spikes.

    arrived: what synapses add, by input, ``(W, n)``. spikes: raster ``(W, n)``, for the resets.
    state, dead: before the window; None is at rest.
    Returns ``(W, n)``, 0 in dead steps and where a lesion silences; needs noise_width > 0, as
    `StepPlan.is_noisy` neurons have it.
    """
    state = plan.initial if state is None else state
    dead = np.zeros(plan.size, dtype=np.int64) if dead is None else dead
    no_noise = np.zeros(plan.size)
    p = np.empty(spikes.shape)
    for t in range(len(spikes)):
        now = {name: total[t] for name, total in arrived.items()}
        names, _ = before_reset(plan, state, dead, now, no_noise)
        p[t] = probability_at_threshold(plan, names, dead)
        state, dead = after_reset(plan, names, dead, spikes[t])
    return p


def probability_at_threshold(
    plan: StepPlan, names: Mapping[str, FloatArray], dead: npt.NDArray[np.int64]
) -> FloatArray:
    """Return the chance of a spike, given all values by name when the threshold is tested.

    dead: dead steps before this one; with any, the chance is 0.
    """
    assert plan.margin is not None  # noise needs one
    left, right = (side.evaluate(names) for side in plan.margin)
    open_ = 1.0 / (1.0 + exp((right - left) / plan.constants["noise_width"]))
    is_closed = (dead > 0) | (plan.constants.get("is_silent", 0.0) > 0)
    return np.where(is_closed, 0.0, open_)


def noise_problem(population: Population, dt: float, needs: str) -> str | None:
    """Return the error for a population without noise, of which a rule needs p; None with noise.

    needs: says so, ``rule ... needs spike probabilities``.
    """
    plan = population.plan(dt)
    if plan is None:
        width = population.neuron.dynamics(population.size, dt).noise_width
    else:
        width = plan.constants.get("noise_width", np.zeros(1))
    if width.min() > 0:
        return None
    remedy = "noise= of its neurons, or a rule of spikes"
    return f"{needs}, and {population.name!r} has no noise; {remedy}"
