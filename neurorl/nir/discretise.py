"""Turn time constants into steps, count steps from inputs, and find equations that NIR has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from neurorl.errors import UnsupportedError
from neurorl.models import LIF
from neurorl.models.neurons.chip_form import chip_form
from neurorl.models.neurons.equations import Equations
from neurorl.network.description import Neuron, Population, reached_by
from neurorl.network.neuron import Integrator
from neurorl.numerics.arrays import FloatArray

NEVER = 2.0**96
"""Set this threshold for neurons that never spike and whose value is read."""

DISCRETISATIONS = ("euler", "exponential")

_FORGETS_NOTHING = 2.0**60  # steps; exp(-1 / it) is 1
_SINGLE = 1e-6  # covers rounding to float32, which most files hold


def keep_and_fraction(
    tau: npt.ArrayLike, dt: float, discretisation: str
) -> tuple[FloatArray, FloatArray]:
    """Return ``(keep, 1 - keep)`` of a time constant in seconds; any shape.

    keep is below 0 where Euler's step is longer than the time constant.
    """
    with np.errstate(divide="ignore"):
        steps = dt / np.asarray(tau, dtype=np.float64)
    if discretisation == "exponential":
        return np.exp(-steps), -np.expm1(-steps)
    keep = 1.0 - steps
    return np.where(np.abs(keep) < _SINGLE, 0.0, keep), steps


def near_one(gain: FloatArray) -> FloatArray:
    """Return *gain*, with 1 where it differs from 1 only by rounding to float32."""
    return np.where(np.abs(gain - 1.0) < _SINGLE, 1.0, gain)


def tau_of(keep: FloatArray, dt: float) -> FloatArray:
    """Return the time constants (s) with which neurons keep *keep*, 0 to 1; ``(n,)``.

    If several give the same bits of the factor, the one with the fewest decimals is returned.
    """
    with np.errstate(divide="ignore"):
        tau = np.where(keep < 1.0, -dt / np.log(keep), dt * _FORGETS_NOTHING)
    tau = np.where(keep > 0.0, tau, 0.0)
    wanted, open_ = _factor(tau, dt), np.ones(tau.shape, dtype=bool)
    for digits in range(1, 16):
        short = _rounded(tau, digits)
        is_equal = open_ & (_factor(short, dt) == wanted)
        tau = np.where(is_equal, short, tau)
        open_ &= ~is_equal
    return tau


def tidy(values: FloatArray) -> FloatArray:
    """Return *values*, rounded to 15 digits if they stay within 4 units in the last place."""
    short = _rounded(values, 15)
    return np.where(np.abs(short - values) <= 4 * np.spacing(np.abs(values)), short, values)


def _rounded(values: FloatArray, digits: int) -> FloatArray:
    return np.array([float(f"{value:.{digits}g}") for value in values])


def _factor(tau: FloatArray, dt: float) -> FloatArray:
    return LIF(tau_mem=tau).integrator(len(tau), dt).membrane_decay


Edge = tuple[str, str]


def cycles(names: Sequence[str], edges: Iterable[Edge]) -> list[frozenset[str]]:
    """Return the largest sets of nodes that all reach each other, loops of one node included."""
    every = list(edges)
    reach = {name: reached_by(name, every) for name in names}
    looping = [a for a in names if a in reach[a]]
    groups = {frozenset(b for b in looping if b in reach[a] and a in reach[b]) for a in looping}
    return sorted(groups, key=lambda nodes: min(names.index(n) for n in nodes))


def levels(names: Sequence[str], edges: Iterable[Edge], sources: Iterable[str]) -> dict[str, int]:
    """Return the projections on the longest acyclic path to each node; 0 for sources.

    The nodes of a cycle share one level. A neuron without inputs has level 1.
    """
    every = list(edges)
    group = {name: frozenset([name]) for name in names}
    group.update({name: cycle for cycle in cycles(names, every) for name in cycle})
    level = {name: 0 if name in set(sources) else 1 for name in names}
    for _ in names:
        for pre, post in every:
            if group[pre] != group[post]:
                for name in group[post]:
                    level[name] = max(level[name], level[pre] + 1)
    return level


def stepped(integrator: Integrator, bias: FloatArray, subtracts: bool) -> Equations:
    """Return neurons of these parameters by equations, whose spikes subtract the threshold from v.

    subtracts: False for neurons that never spike; their ``v`` is read.
    """
    threshold, reset, more = f"v > {NEVER:.0f}", "v = 0", dict[str, FloatArray]()
    if subtracts:
        threshold, reset, more = "v > top", "v = v - top", {"top": integrator.threshold}
    decays = {"a": integrator.current_decay, "b": integrator.membrane_decay, "push": bias}
    used = {name: values for name, values in decays.items() if name == "b" or values.any()}
    push = " + push" if "push" in used else ""
    lines, state = f"v = b * v + q{push}", {"v": 0.0}
    if "a" in used:
        lines, state = f"u = a * u + q\nv = b * v + u{push}", {"u": 0.0, "v": 0.0}
    return Equations(lines, threshold, reset, parameters={**used, **more}, initial=state)


def plain_neuron(population: Population, dt: float) -> Neuron:
    """Return the LIF or CubaLIF that means the same as a population's equations.

    These are linear equations of a membrane, and maybe a current before it, with a reset to the
    initial value at ``v > number``; a membrane may have no leak (IF). Spikes are the same except
    for rounding: numbers equal the equations' to some units in the last place.
    Raises UnsupportedError naming the population for others.
    """
    form = chip_form(population.plan(dt), dt, keeps_all=True)
    where = f"NIR, population {population.name!r}"
    if form is None:
        what = "its equations are those of no NIR neuron (LIF, CubaLIF, IF, LI, CubaLI, I)"
        remedy = "linear equations with one input, threshold 'v > number', reset 'v = number'"
        raise UnsupportedError(where, what, remedy=remedy)
    if (form.threshold >= NEVER).any() and (form.scale != 1.0).any():
        what = "never spikes, and its value would be another one: inputs are scaled before it"
        raise UnsupportedError(where, what, remedy="scale the weights instead")
    return form.neuron()
