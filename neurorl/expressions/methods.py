"""Turn differential equations into updates of one step, by methods with names.

A method gets equations ``dx/dt = f``, and intermediate lines ``y = g`` before them; every f uses
the state before the step. It returns statements, and the constants that they use.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from neurorl.expressions.expression import Expression, Statement
from neurorl.expressions.linear import LinearForm, NotLinearError, linear, substituted
from neurorl.expressions.nodes import TEXT, Name, Node, names_in, nodes_of, render
from neurorl.expressions.scan import ExpressionError, TextPlace
from neurorl.numerics.arrays import BoolArray, FloatArray
from neurorl.storage.plain import Named


@dataclass(frozen=True)
class System:
    """Hold the equations of a neuron.

    intermediates: lines ``y = g``, in order. derivatives: lines ``dx/dt = f``.
    parameters: numbers, or arrays ``(size,)``. dt: seconds. given: ``t`` and white noises that are
    used, see `from_outside`.
    """

    intermediates: Sequence[Statement]
    derivatives: Sequence[Statement]
    parameters: Named
    dt: float
    given: Collection[str] = ()

    @property
    def state(self) -> list[str]:
        """Return the variables that have an equation."""
        return [line.variable for line in self.derivatives]

    def full(self, line: Statement) -> Node:
        """Return the right side of an equation with intermediate lines substituted."""
        values: dict[str, Node] = {}
        for intermediate in self.intermediates:
            values[intermediate.variable] = substituted(intermediate.value.tree, values)
        return substituted(line.value.tree, values)

    def parts(self, line: Statement, variables: Sequence[str]) -> LinearForm:
        """Return *line* as a linear function of *variables*. Raises ExpressionError."""
        try:
            return linear(self.full(line), variables)
        except NotLinearError as exc:
            what = f"d{line.variable}/dt isn't linear in {', '.join(variables)}"
            remedy = "take method='euler'" if list(variables) == [line.variable] else ""
            raise _problem(line, exc.at, what, remedy) from exc


@dataclass(frozen=True)
class Updates:
    """Hold statements of one step, their constants by name, and what they get from outside.

    words, clock: as in `neurorl.network.neuron.StepPlan`.
    """

    statements: tuple[Statement, ...]
    constants: Mapping[str, FloatArray]
    words: tuple[str, ...] = ()
    clock: str | None = None


Method = Callable[[System], Updates]


def in_order(lines: Sequence[Statement]) -> tuple[Statement, ...]:
    """Return equations in their order, but each line ``y = g`` before lines that use y.

    Raises ExpressionError for lines that are defined by one another.
    """
    rest = [line for line in lines if not line.is_derivative]
    waiting = [line.variable for line in rest]
    if len(set(waiting)) < len(waiting):  # one that is set again needs the order as it is
        return tuple(lines)
    made: list[Statement] = []
    while rest:
        free = [k for k, line in enumerate(rest) if {*waiting}.isdisjoint(line.value.names)]
        if not free:
            line = rest[0]
            what = f"{line.variable!r} is defined by itself"
            raise _problem(line, 0, what, "take dx/dt, or a value of the step before")
        made.append(rest.pop(free[0]))
        waiting.remove(made[-1].variable)
    return (*made, *(line for line in lines if line.is_derivative))


def euler(system: System) -> Updates:
    """Return ``x + dt*f``."""
    made = {x.variable: f"{x.variable} + dt*({x.value.text})" for x in system.derivatives}
    return Updates((*system.intermediates, *_at_once(made)), {})


def exponential_euler(system: System) -> Updates:
    """Return ``(x + b/a)*exp(a*dt) - b/a`` of each ``dx/dt = a*x + b``.

    Where a = 0 it is ``x + dt*b``. a and b may depend on all other variables, which keep the
    values from before the step.
    """
    before: list[Statement] = []
    made = {}
    for line in system.derivatives:
        x = line.variable
        parts = system.parts(line, (x,))
        if x not in parts.coefficients:
            made[x] = f"{x} + dt*({line.value.text})"
            continue
        a, b = f"slope_{x}", f"rest_{x}"
        before.append(Statement(a, _formula(parts.coefficients[x])))
        if parts.rest is None:
            made[x] = f"{x}*exp({a}*dt)"
            continue
        before.append(Statement(b, _formula(parts.rest)))
        grown = f"({x} + {b}/{a})*exp({a}*dt) - {b}/{a}"
        made[x] = f"where({a} == 0, {x} + dt*{b}, {grown})"
    return Updates((*system.intermediates, *before, *_at_once(made)), {})


def from_outside(updates: Updates, names: Collection[str]) -> Updates:
    """Return updates that know time and white noise.

    names: those of them that formulas use: ``t``, the seconds since the start at the beginning of
    the step; ``rand``, drawn evenly from 0 to 1 for each neuron and step; and ``xi`` or
    ``xi_NAME``, white noise: a standard normal draw for each neuron and step, over sqrt(dt), by Box
    & Muller 1958 from two words.
    """
    first, words = [], []
    for name in names:
        if name == "t":
            text = f"{CLOCK}*dt"
        elif name == "rand":
            words.append("word_rand")
            text = f"(word_rand + 0.5)*{2.0**-32!r}"
        else:
            words += [f"radius_{name}", f"angle_{name}"]
            radius = f"sqrt(-2*log((radius_{name} + 0.5)*{2.0**-32!r}))"
            text = f"{radius}*cos(angle_{name}*{2.0**-31 * math.pi!r})/sqrt(dt)"
        first.append(Statement(name, Expression(text)))
    clock = CLOCK if "t" in names else None
    return replace(
        updates, statements=(*first, *updates.statements), words=tuple(words), clock=clock
    )


def heun(system: System) -> Updates:
    """Return the mean of the slopes before the step and after one of `euler`'s."""
    lines, (one, two) = _stages(system, ("0", "dt"))
    made = {x: f"{x} + dt*(0.5*({one[x]} + {two[x]}))" for x in system.state}
    return Updates((*lines, *_at_once(made)), {})


def rk4(system: System) -> Updates:
    """Return the classical method of Runge and Kutta, of four slopes."""
    lines, (one, two, three, four) = _stages(system, ("0", "0.5*dt", "0.5*dt", "dt"))
    made = {
        x: f"{x} + dt*(({one[x]} + 2*{two[x]} + 2*{three[x]} + {four[x]})/6)" for x in system.state
    }
    return Updates((*lines, *_at_once(made)), {})


def _stages(system: System, shares: Sequence[str]) -> tuple[list[Statement], list[dict[str, str]]]:
    """Return the statements of stages, and the names of each one's slopes by variable.

    shares: how far state variables, and time, go ahead from their values before the step, by the
    slopes of the stage before; the first has none.
    """
    statements: list[Statement] = []
    stages: list[dict[str, str]] = [{}]
    for number, ahead in enumerate(shares, start=1):
        made = {x: f"{x} + {ahead}*{slope}" for x, slope in stages[-1].items()}
        if made and "t" in system.given:
            made["t"] = f"t + {ahead}"
        statements += [Statement(f"at{number}_{x}", Expression(text)) for x, text in made.items()]
        names: dict[str, Node] = {x: Name(f"at{number}_{x}") for x in made}
        for line in system.intermediates:
            y = f"at{number}_{line.variable}" if made else line.variable
            statements.append(Statement(y, _formula(substituted(line.value.tree, names))))
            names[line.variable] = Name(y)
        for line in system.derivatives:
            value = _formula(substituted(line.value.tree, names))
            statements.append(Statement(f"slope{number}_{line.variable}", value))
        stages.append({x: f"slope{number}_{x}" for x in system.state})
    return statements, stages[1:]


def exact(system: System) -> Updates:
    """Return the solution of a linear system for a rest that is constant within the step.

    ``x_i = sum_j keep_ij x_j + sum_j drive_ij b_j`` with ``keep = exp(A dt)`` and drive its
    integral over the step. A consists of parameters only; 1 to 4 variables.
    Raises ExpressionError for others.
    """
    state = system.state
    if len(state) > _MOST:
        raise _problem(system.derivatives[_MOST], 0, f"exact takes at most {_MOST} variables")
    parts = [system.parts(line, state) for line in system.derivatives]
    rows = [
        _numbers(system, line, one) for line, one in zip(system.derivatives, parts, strict=True)
    ]
    entries = np.array(np.broadcast_arrays(*itertools.chain(*rows)))
    keep, drive = propagators(entries, len(state), system.dt)
    reached = _reachable([[name in one.coefficients for name in state] for one in parts])
    constants: dict[str, FloatArray] = {}
    made = {}
    for i, x in enumerate(state):
        terms = []
        for j in np.flatnonzero(reached[i]):
            constants[f"keep_{x}_{state[j]}"] = keep[i, j]
            terms.append(f"keep_{x}_{state[j]}*{state[j]}")
        for j in np.flatnonzero(reached[i]):
            rest = parts[j].rest
            if rest is not None:
                constants[f"drive_{x}_{state[j]}"] = drive[i, j]
                terms.append(f"drive_{x}_{state[j]}*({render(rest, TEXT)})")
        made[x] = " + ".join(terms)
    return Updates(_at_once(made), constants)


METHODS: Mapping[str, Method] = {
    method.__name__: method for method in (euler, exact, exponential_euler, heun, rk4)
}
"""Map the name of each integration method to it."""

CLOCK = "step_of_t"
WITHOUT_NOISE = frozenset({"rk4"})
"""Name methods that have no meaning for equations with white noise."""

PREFIXES: tuple[str, ...] = ("keep_", "drive_", "slope_", "rest_", "next_")
PREFIXES += ("radius_xi", "angle_xi", "word_rand", CLOCK)
PREFIXES += tuple(f"{kind}{stage}_" for kind in ("at", "slope") for stage in (1, 2, 3, 4))
"""Begin the names that methods add."""

_MOST = 4
_TERMS = 20


def propagators(entries: FloatArray, n: int, dt: float) -> tuple[FloatArray, FloatArray]:
    """Return ``exp(A dt)`` and its integral over the step, ``(n, n, ...)`` each.

    entries: entries of A, row by row, ``(n*n, ...)`` with an axis of neurons or none. Series and
    doubling use IEEE operations in a fixed order, each neuron for itself.
    """
    a = entries.reshape(n, n, *entries.shape[1:]) * dt
    norm = np.abs(a).sum(axis=1).max(axis=0)
    doublings = np.maximum(np.frexp(norm)[1] + 1, 0)
    # Scaled by powers of two, so exactly, until the series converges in few terms.
    a = np.ldexp(a, -doublings)
    identity = np.zeros_like(a)
    identity[range(n), range(n)] = 1.0
    keep, drive = identity, identity
    for k in range(_TERMS, 0, -1):  # 1 + a/1 (1 + a/2 (1 + ...)), and 1 + a/2 (1 + a/3 (1 + ...))
        keep = identity + _matrix_product(a, keep) / k
        drive = identity + _matrix_product(a, drive) / (k + 1)
    for k in range(int(np.max(doublings))):
        # Each neuron doubles as often as it needs, so its bits don't depend on others.
        still = k < doublings
        drive = np.where(still, 0.5 * (drive + _matrix_product(keep, drive)), drive)
        keep = np.where(still, _matrix_product(keep, keep), keep)
    return keep, drive * dt


def _matrix_product(a: FloatArray, b: FloatArray) -> FloatArray:
    """Multiply matrices of the first two axes, with sums in a fixed order, unlike BLAS."""
    total = a[:, 0, None] * b[None, 0]
    for k in range(1, len(b)):
        total = total + a[:, k, None] * b[None, k]
    return total


def _reachable(depends: list[list[bool]]) -> BoolArray:
    """Return which variables each one depends on, directly or not, itself included."""
    reached: BoolArray = np.array(depends) | np.eye(len(depends), dtype=np.bool_)
    for _ in depends:
        reached = np.any(reached[:, :, None] & reached[None], axis=1)
    return reached


def _numbers(system: System, line: Statement, parts: LinearForm) -> list[FloatArray]:
    """Return a row of A. Raises ExpressionError if it doesn't consist of parameters alone."""
    row = []
    for name in system.state:
        node = parts.coefficients.get(name)
        if node is None:
            row.append(np.zeros(()))
            continue
        moving = [used for used in names_in(node) if used not in system.parameters]
        if moving:
            what = f"the coefficient of {name} in d{line.variable}/dt depends on {moving[0]}"
            nodes = (n for n in nodes_of(line.value.tree) if isinstance(n, Name))
            raise _problem(line, next((n.at for n in nodes if n.name == moving[0]), 0), what)
        value = _formula(node).evaluate(system.parameters)
        if not np.isfinite(value).all():
            what = f"the coefficient of {name} in d{line.variable}/dt isn't finite"
            raise _problem(line, 0, what, "look for a parameter that is 0")
        row.append(value)
    return row


def _at_once(made: Mapping[str, str]) -> tuple[Statement, ...]:
    """Set all variables from their old values."""
    if len(made) == 1:
        return tuple(Statement(x, Expression(text)) for x, text in made.items())
    first = (Statement(f"next_{x}", Expression(text)) for x, text in made.items())
    return (*first, *(Statement(x, Expression(f"next_{x}")) for x in made))


def _formula(node: Node) -> Expression:
    return Expression(render(node, TEXT))


def _problem(line: Statement, at: int, what: str, remedy: str = "") -> ExpressionError:
    place = line.value.place or TextPlace("equations", line.value.text)
    return place.problem(at, what, remedy or "take method='exponential_euler' or 'euler'")
