"""Propose what a simulator may get wrong of neurons by equations; numbers are fitted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial

import numpy as np

from neurorl.errors import NeurorlError
from neurorl.expressions.expression import Expression, Statement, read_statements
from neurorl.expressions.methods import METHODS
from neurorl.models.neurons.equations import Equations
from neurorl.network.description import Network
from neurorl.numerics.arrays import Array
from neurorl.program import NodeProgram
from neurorl.program.lowering import lower_node
from neurorl.storage.plain import PlainData
from neurorl.validation.evidence import Evidence
from neurorl.validation.hypotheses.noise import allowed, common
from neurorl.validation.hypotheses.weights import scaled
from neurorl.validation.observed import Mask, Observed
from neurorl.validation.rewriting import ARRIVED, chained, changed, setting, with_constants
from neurorl.validation.variants import Variant

_CELLS, _ROUNDS = 2, 40


def methods(evidence: Evidence) -> Iterator[Variant]:
    """Propose another method, or steps of another length."""
    neuron, dt = evidence.population.neuron, evidence.network.dt
    if not isinstance(neuron, Equations):
        return
    said: dict[str, tuple[PlainData, float]] = {}
    for m in (m for m in METHODS if neuron.method not in ("", m)):
        said[f"the equations are integrated by {m!r}, not {neuron.method!r}"] = {"method": m}, dt
    for factor in (0.5, 2.0, 0.1, 10.0, 1e-3, 1e3):
        said[f"the equations take steps of {factor * dt:g} s, not {dt:g} s"] = {}, factor * dt
    for detail, (changes, step) in said.items():
        try:
            node = _lowered(evidence, replace(neuron, **changes), step)
        except NeurorlError:  # such as another method for what isn't linear
            continue
        node = replace(node, refractory=evidence.node.refractory)
        yield Variant("method", detail, lambda _, node=node: node)  # type: ignore[misc]


def _lowered(evidence: Evidence, neuron: Equations, dt: float | None = None) -> NodeProgram:
    """Return the program of the population if its neurons were others."""
    population = replace(evidence.population, neuron=neuron)
    alone = Network((population,), dt=dt or evidence.network.dt)
    node, own = lower_node(alone, evidence.history.arithmetic, population), evidence.node.draws
    return replace(node, draws={x: own.get(x, draw) for x, draw in node.draws.items()})


def parameters(evidence: Evidence) -> Iterator[Variant]:
    """Propose another value of a parameter.

    Those of the reset alone are left to `reset_offsets`, which proposes any value.
    """
    neuron = evidence.population.neuron
    if not isinstance(neuron, Equations):
        return
    lines = read_statements(neuron.equations, "equations", derivatives=True)
    at_threshold = Expression(neuron.threshold).names
    used = {*at_threshold, *(x for line in lines for x in line.value.names)}
    names = [name for name in neuron.parameters if name in used]
    for fitted, some in ((_fitted, names), (_factor_at_threshold, at_threshold)):
        for name in (x for x in names if x in some):
            with_factor = partial(_with_parameter, evidence, neuron, name)
            if (factor := fitted(evidence, with_factor)) is not None:
                yield with_factor(factor)


def _with_parameter(evidence: Evidence, neuron: Equations, name: str, factor: float) -> Variant:
    value = np.asarray(neuron.parameters[name])
    more = f"{factor:.6g} times that described"
    other = value * factor
    if not value.any():
        more, other = f"{factor - 1:.6g} more than described", value + (factor - 1)
    node = _lowered(evidence, neuron.with_parameters(**{name: other}))
    return Variant("parameter", f"the parameter {name} is {more}", lambda _: node, 1)


def initial_values(evidence: Evidence) -> Iterator[Variant]:
    """Propose other initial values: 0, or by a difference, in the first call and after resets."""
    for name, initial in evidence.node.initial.items():

        def more(x: float, name: str = name) -> Variant:
            detail = f"{name} begins {x - 1:.6g} above its initial value"
            return Variant("initial value", detail, freedom=1, start=_started(name, 1.0, x - 1))

        if initial.any():
            detail = f"{name} begins at 0, not at its initial value"
            yield Variant("initial value", detail, start=_started(name, 0.0, 0.0))
        if (fit := _fitted(evidence, more, _begins(evidence)[:, 0])) is not None:
            yield more(fit)


def _begins(evidence: Observed) -> Mask:
    """Mark the calls that begin with the initial state, ``(calls, 1)``."""
    return np.asarray(evidence.fresh | (np.arange(len(evidence.fresh)) == 0))[:, None]


def _started(name: str, factor: float, more: float) -> Callable[[Observed, str, Array], Array]:
    def start(e: Observed, variable: str, before: Array) -> Array:
        rest = np.asarray(e.rest(variable))
        return np.where(_begins(e), factor * rest + more if variable == name else rest, before)

    return start


def reset_offsets(evidence: Evidence) -> Iterator[Variant]:
    """Propose that a line of the reset sets another value."""
    lines = evidence.node.reset
    for k, line in enumerate(lines):

        def more(x: float, k: int = k, line: Statement = line) -> Variant:
            detail = f"a reset sets {line.variable} {x - 1:.6g} above {line.value.text}"
            moved = replace(line, value=Expression(f"{line.value.text} + offset_of_reset"))
            with_offset = with_constants(offset_of_reset=x - 1)
            changed = (*lines[:k], moved, *lines[k + 1 :])
            return Variant("reset", detail, lambda n: with_offset(replace(n, reset=changed)), 1)

        if (fit := _fitted(evidence, more, evidence.spikes[evidence.lasts])) is not None:
            yield more(fit)


def weights(evidence: Evidence) -> Iterator[Variant]:
    """Propose a factor on the weights of a projection or an input, or that inputs are swapped."""
    inputs = evidence.node.inputs
    groups: list[tuple[str, ...]] = [(p.name,) for p in evidence.into]
    groups += [tuple(p.name for p in evidence.into if p.target == x) for x in inputs]
    for names in dict.fromkeys(filter(None, groups)):

        def times(x: float, names: tuple[str, ...] = names) -> Variant:
            return next(scaled(evidence, dict.fromkeys(names, x)))

        if (fit := _fitted(evidence, times)) is not None:
            yield from scaled(evidence, dict.fromkeys(names, fit))
    for one in inputs:
        for other in (x for x in inputs if x != one):
            nothing = "" if one in evidence.node.initial else f"{one} = 0; "
            left = setting(inputs=tuple(x for x in inputs if x != one))
            moved = changed(f"before: {nothing}{other} = {other} + {ARRIVED}{one}")
            detail = f"what is sent to {one} arrives at {other}"
            yield Variant("weights", detail, chained(moved, left))


def _fitted(
    evidence: Evidence, variant: Callable[[float], Variant], where: Array | None = None
) -> float | None:
    """Return the x, 1 as described, with which a deviating variable is as recorded, or None.

    where: calls, or calls and neurons, to look at.
    """
    for call, neuron, name in _telling(evidence, where):
        recorded = evidence.after[name][call, neuron]

        def missing(x: float, at: tuple[int, int, str] = (call, neuron, name)) -> float:
            now = evidence.in_one_step(variant(x), np.array([at[0]]))
            return float(now[at[2]][0, at[1]] - evidence.after[at[2]][at[0], at[1]])

        x = None
        with suppress(NeurorlError):  # of a parameter that can't have such a value
            x = root(missing, 1e-14 * (1 + abs(float(recorded))))
        if x is not None and abs(x - 1) > 1e-12:
            return float(f"{x:.11g}") if abs(x) > 1e-12 else 0.0
    return None


def _telling(evidence: Evidence, where: Array | None) -> Iterator[tuple[int, int, str]]:
    """Yield calls of one step, neurons and variables that deviate most while spikes don't."""
    single = evidence.single[:, None]
    if where is not None:
        single = single & (where if where.ndim == 2 else where[:, None])
    deviating = evidence.odd_states(evidence.plain)
    for name in evidence.node.initial:
        mask: Mask = deviating[name] & ~deviating["spikes"] & single
        apart = np.abs(evidence.after[name] - evidence.plain[name][evidence.lasts])
        apart = np.where(mask & np.isfinite(apart), apart, 0.0)
        for k in np.argsort(apart, axis=None)[::-1][:_CELLS]:
            call, neuron = np.unravel_index(int(k), apart.shape)
            if apart[call, neuron] > 0:
                yield int(call), int(neuron), name


def root(f: Callable[[float], float], near: float) -> float | None:
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


def _factor_at_threshold(evidence: Evidence, variant: Callable[[float], Variant]) -> float | None:
    """Return a factor that moves the threshold to where the recorded spikes say."""

    def turning(e: Evidence) -> tuple[Array, Array]:
        steps = (e.predict(variant(x)) for x in (1.0, 1.001))
        described, other = (now["met_level"] - now["met_threshold"] for now in steps)
        with np.errstate(all="ignore"):
            factors = 1 - described * 1e-3 / (other - described)
        is_single = (e.lengths == 1)[e.call][:, None]
        return np.where(is_single, factors, np.nan), other > described

    low, high = allowed(evidence, turning)
    is_described = low.max() < 1 < high.min()
    return None if is_described else common(low, high)
