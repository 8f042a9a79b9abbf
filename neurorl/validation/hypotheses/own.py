"""Propose what a simulator may get wrong of neurons by equations; numbers are fitted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from neurorl.errors import NeurorlError
from neurorl.expressions.expression import Expression
from neurorl.expressions.methods import METHODS
from neurorl.expressions.statements import Statement, read_statements
from neurorl.models.neurons.equations import Equations
from neurorl.network.step_plan import StepPlan
from neurorl.validation.evidence import Evidence
from neurorl.validation.hypotheses.weights import _scaled
from neurorl.validation.observed import Array, Mask, Observed
from neurorl.validation.own_neurons import ChangedPlan, EquationEvidence
from neurorl.validation.variants import Variant

__all__ = [
    "initial_values",
    "methods",
    "parameters",
    "precisions",
    "refractory",
    "resets",
    "weights",
]

_CELLS, _ROUNDS = 2, 40


def methods(evidence: Evidence) -> Iterator[Variant]:
    """Propose another method, or steps of another length."""
    neuron, dt = evidence.population.neuron, evidence.network.dt
    if not isinstance(neuron, Equations):
        return
    for method in METHODS:
        if neuron.method not in ("", method):
            detail = f"the equations are integrated by {method!r}, not {neuron.method!r}"
            yield from _planned(evidence, "method", detail, {"method": method}, dt)
    for factor in (0.5, 2.0, 0.1, 10.0, 1e-3, 1e3):
        detail = f"the equations take steps of {factor * dt:g} s, not {dt:g} s"
        yield from _planned(evidence, "method", detail, {}, factor * dt)


def _planned(
    evidence: Evidence, cause: str, detail: str, changes: dict[str, Any], dt: float
) -> Iterator[Variant]:
    """Yield a variant of other equations, with the described dead steps, if they can be."""
    neuron = evidence.population.neuron
    assert isinstance(neuron, Equations)
    try:
        plan = dataclasses.replace(neuron, **changes).plan(evidence.population.size, dt)
    except NeurorlError:  # such as another method for what isn't linear
        return
    plan = dataclasses.replace(plan, refractory_steps=evidence.numbers.refractory_steps)
    yield Variant(cause, detail, parameters=lambda _: plan)


def parameters(evidence: Evidence) -> Iterator[Variant]:
    """Propose another value of a parameter, or of the width of the noise.

    Those of the reset alone are left to `resets`, which proposes any value.
    """
    neuron = evidence.population.neuron
    names: list[str] = []
    if isinstance(neuron, Equations):
        lines = read_statements(neuron.equations, "equations", derivatives=True)
        used = {x for line in lines for x in line.value.names}
        used.update(Expression(neuron.threshold).names)
        names = [name for name in neuron.parameters if name in used]
    for name in names:
        factor = _fitted(evidence, partial(_with_parameter, evidence, name))
        if factor is not None:
            yield _with_parameter(evidence, name, factor)
    for name in (*names, *(["noise_width"] if evidence.noise_width.any() else [])):
        factor = _factor_at_threshold(evidence, name)
        if factor is not None:
            yield _with_constant(evidence, name, factor)


def _told(name: str, value: Array, factor: float) -> str:
    if not value.any():
        return f"the parameter {name} is {factor - 1:.6g} more than described"
    return f"the parameter {name} is {factor:.6g} times that described"


def _changed(value: Array, factor: float) -> Array:
    return np.asarray(value * factor if value.any() else value + (factor - 1))


def _with_parameter(evidence: Evidence, name: str, factor: float) -> Variant:
    neuron = evidence.population.neuron
    assert isinstance(neuron, Equations)
    value = np.asarray(neuron.parameters[name])

    def planned(plan: StepPlan) -> StepPlan:
        other = neuron.with_parameters(**{name: _changed(value, factor)})
        return other.plan(evidence.population.size, evidence.network.dt)

    return Variant("parameter", _told(name, value, factor), parameters=planned, freedom=1)


def _with_constant(evidence: Evidence, name: str, factor: float) -> Variant:
    value = np.asarray(evidence.numbers.constants[name])
    cause, detail = "parameter", _told(name, value, factor)
    if name == "noise_width":
        cause, detail = "noise source", f"the width of the noise is {factor:.6g} times as described"

    def planned(plan: StepPlan) -> StepPlan:
        constants = {**plan.constants, name: _changed(value, factor)}
        return dataclasses.replace(plan, constants=constants)

    return Variant(cause, detail, parameters=planned, freedom=1)


def initial_values(evidence: Evidence) -> Iterator[Variant]:
    """Propose other initial values: 0, or by a difference, in the first call and after resets."""
    begins = evidence.fresh | (np.arange(len(evidence.fresh)) == 0)
    for name in evidence.numbers.initial:

        def started(value: Callable[[Array], Array], name: str = name) -> Any:
            def start(e: Observed, variable: str, before: Array) -> Array:
                first = (e.fresh | (np.arange(len(e.fresh)) == 0))[:, None]
                rest = np.asarray(e.rest(variable))
                return np.where(first, value(rest) if variable == name else rest, before)

            return start

        if evidence.numbers.initial[name].any():
            detail = f"{name} begins at 0, not at its initial value"
            yield Variant("initial value", detail, start=started(lambda rest: 0 * rest))

        def more(x: float, name: str = name, started: Any = started) -> Variant:
            detail = f"{name} begins {x - 1:.6g} above its initial value"
            start = started(lambda rest: rest + (x - 1))
            return Variant("initial value", detail, start=start, freedom=1)

        fit = _fitted(evidence, more, begins)
        if fit is not None:
            yield more(fit)


def resets(evidence: Evidence) -> Iterator[Variant]:
    """Propose no reset, one without a line of it, in another order, or to another value."""
    plan: StepPlan = evidence.numbers
    lines = plan.reset
    if lines:
        yield _replanned("reset", "nothing is reset after a spike", reset=())
    if len(lines) > 1:
        yield _replanned("reset", "the lines of the reset run in reverse", reset=lines[::-1])
        for k, line in enumerate(lines):
            detail = f"a reset leaves out {str(line)!r}"
            yield _replanned("reset", detail, reset=(*lines[:k], *lines[k + 1 :]))
    for k, line in enumerate(lines):
        moved = Statement(line.variable, Expression(f"{line.value.text} + offset_of_reset"))

        def more(x: float, k: int = k, line: Statement = line, moved: Statement = moved) -> Variant:
            detail = f"a reset sets {line.variable} {x - 1:.6g} above {line.value.text}"
            constants = {**plan.constants, "offset_of_reset": np.array(x - 1)}
            changed = (*lines[:k], moved, *lines[k + 1 :])
            return _replanned("reset", detail, 1, reset=changed, constants=constants)

        fit = _fitted(evidence, more, evidence.spikes[evidence.lasts])
        if fit is not None:
            yield more(fit)


def refractory(evidence: Evidence) -> Iterator[Variant]:
    """Propose other dead steps, or other variables that keep their values meanwhile."""
    plan: StepPlan = evidence.numbers
    steps, cause = plan.refractory_steps, "refractory"
    if steps.any():
        yield _replanned(cause, "there are no dead steps", refractory_steps=0 * steps)
        held = {
            "all variables keep their values": tuple(plan.initial),
            "no variable keeps its value": (),
        }
        for detail, names in held.items():
            if set(names) != set(plan.held):
                yield _replanned(cause, f"{detail} in dead steps", held=names)
    for more in (1, -1, 2, -2):
        other = np.maximum(steps + more, 0)
        if not np.array_equal(other, steps):
            detail = f"{abs(more)} dead step(s) {'more' if more > 0 else 'fewer'} than described"
            yield _replanned(cause, detail, refractory_steps=other)


def weights(evidence: Evidence) -> Iterator[Variant]:
    """Propose a factor on the weights of a projection or an input, or that inputs are swapped."""
    groups: dict[tuple[str, ...], None] = {(p.name,): None for p in evidence.into}
    inputs = evidence.numbers.inputs
    for target in inputs:
        groups[tuple(p.name for p in evidence.into if evidence.network.target(p) == target)] = None
    for names in filter(None, groups):

        def scaled(x: float, names: tuple[str, ...] = names) -> Variant:
            return next(_scaled(evidence, dict.fromkeys(names, x)))

        fit = _fitted(evidence, scaled)
        if fit is not None:
            yield from _scaled(evidence, dict.fromkeys(names, fit))
    for one in inputs:
        for other in inputs:
            if one != other:
                detail = f"what is sent to {one} arrives at {other}"
                yield _replanned("weights", detail, rerouted={one: other})


def precisions(evidence: Evidence) -> Iterator[Variant]:
    """Propose a state variable, or all, in single precision."""
    state = tuple(evidence.numbers.initial)
    for names in (state, *((name,) for name in state if len(state) > 1)):
        told = "all variables are" if len(names) > 1 else f"{names[0]} is"
        yield _replanned("float error", f"{told} kept in single precision", single=names)


def _replanned(cause: str, detail: str, freedom: int = 0, **changes: Any) -> Variant:
    return Variant(
        cause, detail, parameters=lambda plan: ChangedPlan.of(plan, **changes), freedom=freedom
    )


def _fitted(
    evidence: Evidence, variant: Callable[[float], Variant], where: Array | None = None
) -> float | None:
    """Return the x, 1 as described, with which a deviating variable is as recorded, or None.

    where: calls, or calls and neurons, to look at.
    """
    assert isinstance(evidence, EquationEvidence)
    for call, neuron, name in _telling(evidence, where):
        recorded = evidence.after[name][call, neuron]

        def missing(x: float, call: int = call, neuron: int = neuron, name: str = name) -> float:
            now = evidence.in_one_step(variant(x), np.array([call]))
            return float(now[name][0, neuron] - evidence.after[name][call, neuron])

        try:
            x = _root(missing, 1e-14 * (1 + abs(float(recorded))))
        except NeurorlError:  # of a parameter that can't have such a value
            continue
        if x is not None and abs(x - 1) > 1e-12:
            return float(f"{x:.11g}")
    return None


def _telling(evidence: Evidence, where: Array | None) -> Iterator[tuple[int, int, str]]:
    """Yield calls of one step, neurons and variables that deviate most while spikes don't."""
    single = ((evidence.lengths == 1) & evidence.kept)[:, None]
    if where is not None:
        single = single & (where if where.ndim == 2 else where[:, None])
    deviating = evidence.odd_states(evidence.plain)
    for name in evidence.numbers.initial:
        mask: Mask = deviating[name] & ~deviating["spikes"] & single
        apart = np.abs(evidence.after[name] - evidence.plain.after[name][evidence.lasts])
        apart = np.where(mask & np.isfinite(apart), apart, 0.0)
        for k in np.argsort(apart, axis=None)[::-1][:_CELLS]:
            call, neuron = np.unravel_index(int(k), apart.shape)
            if apart[call, neuron] > 0:
                yield int(call), int(neuron), name


def _root(f: Callable[[float], float], near: float) -> float | None:
    """Return where *f* is 0, by secants from 1; None if it isn't anywhere near."""
    x, y = 1.0, 1.0 + 1e-3
    fx, fy = f(x), f(y)
    for _ in range(_ROUNDS):
        if abs(fy) <= near:
            return y
        if fx == fy or not np.isfinite(fy):
            break
        x, y = y, y - fy * (y - x) / (fy - fx)
        if not np.isfinite(y) or abs(y) > 1e9:
            return None
        fx, fy = fy, f(y)
    return y if abs(fy) <= 1e3 * near else None


def _factor_at_threshold(evidence: Evidence, name: str) -> float | None:
    """Return a factor of a constant that moves the threshold to where the recorded spikes say."""
    low, high = -np.inf, np.inf  # of the factor, if it moves from 1 to where spikes change
    margin = evidence.numbers.margin
    sides = {*(margin[0].names if margin else ()), *(margin[1].names if margin else ())}
    if margin is None or (name != "noise_width" and name not in sides):
        return None
    changing, agreeing = [], []
    for one in evidence.siblings:
        assert isinstance(one, EquationEvidence)
        calls = np.flatnonzero((one.lengths == 1) & one.kept)
        names = one.at_threshold(calls)
        described, other = (_margin(one, names, name, x) for x in (1.0, 1.001))
        with np.errstate(all="ignore"):
            roots = 1 - described * 1e-3 / (other - described)
        dead = np.where(one.fresh[calls][:, None], 0, one.before["refractory"][calls]) > 0
        free = ~dead & np.isfinite(roots)
        differs = one.spikes[one.starts[calls]] != (described > 0)
        changing.append(roots[free & differs])
        agreeing.append(roots[free & ~differs])
    crossed, kept = np.concatenate(changing), np.concatenate(agreeing)
    if not len(crossed):
        return None
    if np.median(crossed) > 1:
        low, high = crossed.max(), kept[kept > 1].min(initial=np.inf)
    else:
        low, high = kept[kept < 1].max(initial=-np.inf), crossed.min()
    return _simplest(float(low), float(high))


def _margin(evidence: Evidence, names: dict[str, Array], name: str, factor: float) -> Array:
    margin, values = evidence.numbers.margin, dict(names)
    values[name] = _changed(np.asarray(evidence.numbers.constants[name]), factor)
    noise = values["noise_width"] * values["logistic"] if evidence.numbers.is_noisy else 0.0
    left, right = (side.evaluate(values) for side in margin)
    return np.asarray(left + noise - right)


def _simplest(low: float, high: float) -> float | None:
    """Return the number of fewest digits between two; None if there is none."""
    if not low < high:
        return None
    if not (np.isfinite(low) and np.isfinite(high)):
        return low + abs(low) * 1e-3 if np.isfinite(low) else high - abs(high) * 1e-3
    middle = (low + high) / 2
    for digits in range(1, 17):
        x = float(f"{middle:.{digits}g}")
        if low < x < high:
            return x
    return middle
