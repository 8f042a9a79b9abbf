"""Describe neurons by equations of the user's own; see docs/expressions.md for the language."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from neurorl.errors import DescriptionError, unknown_name_error
from neurorl.expressions.expression import Expression, Statement, read_statements
from neurorl.expressions.methods import (
    METHODS,
    PREFIXES,
    WITHOUT_NOISE,
    System,
    Updates,
    from_outside,
    in_order,
)
from neurorl.expressions.nodes import TEXT, Binary, Name, nodes_of, render
from neurorl.expressions.parse import parse
from neurorl.expressions.scan import TextPlace
from neurorl.models.neurons.chip_form import chip_form
from neurorl.models.neurons.leaky import per_neuron, refractory_steps, spread
from neurorl.network.limits import refuse_units
from neurorl.network.neuron import IS_SILENT, MAX_WORDS, Margin, Neuron, PerNeuron, StepPlan
from neurorl.network.serialization import several
from neurorl.numerics.arrays import FloatArray
from neurorl.storage.plain import Named

_OWN = ("dt", "logistic", "noise_width", IS_SILENT, "spikes", "refractory")
"""Reserve the names that every neuron has: length of a step (s), a draw, width of the noise,
whether a lesion silenced it, and two keys of its state."""


@dataclass(frozen=True, eq=False)
class Equations(Neuron):
    """Describe a neuron by its equations.

    equations: lines ``dx/dt = ...``, in seconds, and lines ``y = ...`` that they use, in any order;
        or only lines ``x = ...``, which are the update of a step, run in their order.
    threshold: a condition such as ``"v > v_t"``. reset: statements after a spike.
    method: how differential equations are solved: ``'exact'`` (if linear),
        ``'exponential_euler'``, ``'euler'``, ``'heun'`` or ``'rk4'``; empty for an update.
    parameters: numbers, or arrays ``(size,)``. initial: values of state variables; those with
        differential equations begin at 0 by default.
    refractory: seconds after a spike without another one, rounded to steps.
    held: variables that keep their values meanwhile; None: the variables of the threshold.
    noise: width of the escape noise: it times a standard logistic draw is added to the left side of
        the threshold, which must read ``left > right``.
    inputs: names that synapses add to: state variables, or other names, which begin at 0 in each
        step. `Projection.target` is one of them.

    ``dt`` is the step in seconds, ``t`` the time at its beginning, 0 for the first. ``xi``, and
    each ``xi_NAME``, is white noise: its mean is 0, its variance 1/dt. ``rand`` is drawn evenly
    from 0 to 1 for each neuron and step, as for the hazard of ``"rand < hazard*dt"``.

    Raises DescriptionError, with line and character.
    """

    equations: str
    threshold: str
    reset: str = ""
    method: str = ""
    parameters: Named = field(default_factory=dict)
    initial: Named = field(default_factory=dict)
    refractory: PerNeuron = 0.0
    held: tuple[str, ...] | None = None
    noise: PerNeuron = 0.0
    inputs: tuple[str, ...] = ("q",)

    def __post_init__(self) -> None:
        for name in ("equations", "threshold", "reset", "method", "parameters", "initial"):
            refuse_units(f"Equations.{name}", getattr(self, name))
        for name in ("parameters", "initial"):
            entries = getattr(self, name)
            if not isinstance(entries, Mapping):
                raise DescriptionError(f"Equations.{name}", "must be a dict of numbers")
            where = f"Equations.{name}"
            numbers = {key: per_neuron(f"{where}[{key!r}]", v) for key, v in entries.items()}
            object.__setattr__(self, name, numbers)
        for name in ("refractory", "noise"):
            value = per_neuron(f"Equations.{name}", getattr(self, name), is_signed=False)
            object.__setattr__(self, name, value)
        object.__setattr__(self, "inputs", several("Equations.inputs", self.inputs))
        if self.held is not None:
            object.__setattr__(self, "held", several("Equations.held", self.held))
        self._steps(self.parameters, 1e-3)

    def plan(self, size: int, dt: float) -> StepPlan:
        """Return the step of *size* neurons for steps of *dt* seconds. Raises DescriptionError."""
        parameters = {k: _spread(f"parameters[{k!r}]", v, size) for k, v in self.parameters.items()}
        state, updates, threshold, reset, held = self._steps(parameters, dt)
        initial = {x: _spread(f"initial[{x!r}]", self.initial.get(x, 0.0), size) for x in state}
        noise = _spread("noise", self.noise, size)
        constants = parameters | dict(updates.constants) | {"dt": np.array(dt)}
        return StepPlan(
            initial=initial,
            constants=constants | ({"noise_width": noise} if noise.any() else {}),
            inputs=self.inputs,
            update=updates.statements,
            threshold=self._noisy(threshold) if noise.any() else threshold,
            reset=reset,
            held=held,
            refractory_steps=refractory_steps("Equations.refractory", self.refractory, size, dt),
            is_noisy=bool(noise.any()),
            margin=_margin(threshold),
            words=updates.words,
            clock=updates.clock,
        )

    def on_chip(self, size: int, dt: float) -> Neuron | None:
        form = chip_form(self.plan(size, dt), dt)
        return None if form is None else form.neuron()

    def with_parameters(self, **parameters: PerNeuron) -> Equations:
        """Return the same equations with some other parameters."""
        return replace(self, parameters={**self.parameters, **parameters})

    def _steps(
        self, parameters: Named, dt: float
    ) -> tuple[tuple[str, ...], Updates, Expression, tuple[Statement, ...], tuple[str, ...]]:
        """Return the state variables, updates, threshold, reset and held variables, all checked."""
        lines = read_statements(self.equations, "equations", derivatives=True)
        derived = tuple(line.variable for line in lines if line.is_derivative)
        state = derived or tuple(self.initial)
        self._check_names(state, derived)
        if derived:
            lines = in_order(lines)
        given = self._given(lines, {*parameters, *self.inputs, *state})
        known = _check_lines(lines, {*parameters, *self.inputs, *state, *given, "dt"}, state)
        if not state:
            raise DescriptionError("equations", "no state variable", remedy="say initial={...}")
        self._check_method(derived)
        updates = Updates(lines, {})
        if derived:
            intermediates = [line for line in lines if not line.is_derivative]
            derivatives = [line for line in lines if line.is_derivative]
            system = System(intermediates, derivatives, parameters, dt, given)
            updates = METHODS[self.method](system)
        _check_added(from_outside(updates if derived else Updates((), {}), given), known)
        updates = from_outside(updates, given)
        known = {name for name in known if not _is_white_noise(name) or name not in given}
        place = TextPlace("threshold", self.threshold)
        threshold = Expression(self.threshold, place).check(known, "boolean")
        if np.any(self.noise):
            self._noisy(threshold)
        reset = read_statements(self.reset, "reset", targets=state)
        for line in reset:
            line.check(known)
        held = self.held
        if held is None:
            held = tuple(x for x in state if x in threshold.names)
        _check_known("held", held, state)
        self._check_use(lines, threshold, reset)
        return state, updates, threshold, reset, held

    def _given(self, lines: Collection[Statement], own: Collection[str]) -> list[str]:
        """Return the names of time and white noise that are used, and mean nothing else.

        own: parameters, inputs and state variables.
        """
        own = {*own, *(line.variable for line in lines)}
        known = (name for line in lines for name in line.value.names)
        given = [name for name in dict.fromkeys(known) if name not in own]
        noises = [name for name in given if _is_white_noise(name)]
        if noises and not any(line.is_derivative for line in lines):
            line = next(line for line in lines if noises[0] in line.value.names)
            place = line.value.place or TextPlace("equations", line.value.text)
            what, remedy = f"{noises[0]!r} is of differential equations", "write dx/dt = ..."
            names = (node for node in nodes_of(line.value.tree) if isinstance(node, Name))
            raise place.problem(next(n.at for n in names if n.name == noises[0]), what, remedy)
        if noises and self.method in WITHOUT_NOISE:
            what, remedy = f"isn't for white noise, {noises[0]!r}", "euler, or heun"
            raise DescriptionError("Equations.method", what, got=self.method, remedy=remedy)
        if len(noises) > MAX_WORDS // 2:
            what, limit = "too many white noises", MAX_WORDS // 2
            raise DescriptionError("equations", what, got=len(noises), limit=limit)
        texts = (*lines, *read_statements(self.reset, "reset"))
        used = {name for line in texts for name in line.value.names}
        used |= {*Expression(self.threshold, TextPlace("threshold", self.threshold)).names}
        return [*(name for name in ("t", "rand") if name in used - own), *noises]

    def _check_names(self, state: Collection[str], derived: tuple[str, ...]) -> None:
        """Refuse names that mean two things, and initial values of other than state variables."""
        for twice in (x for x in derived if derived.count(x) > 1):
            raise DescriptionError("equations", f"{twice} has two equations")
        _check_known("initial", self.initial, state)
        for name in state:
            if name in _OWN:
                what = f"{name!r} is a name that every neuron has"
                raise DescriptionError("equations", what, remedy="take another")
        for where in ("parameters", "initial", "inputs"):
            for name in getattr(self, where):
                _check_is_name(where, name)
        for name in self.parameters:
            for kind, names in (("state variable", state), ("name of its own", _OWN)):
                if name in names:
                    raise DescriptionError(f"parameters[{name!r}]", f"is also a {kind}")
        for name in self.inputs:
            if name in self.parameters or name in _OWN:
                raise DescriptionError("inputs", f"{name!r} is also a parameter")

    def _check_method(self, derived: Collection[str]) -> None:
        if not derived and self.method:
            what, remedy = "an update has no method", "leave it out, or write dx/dt = ..."
            raise DescriptionError("Equations.method", what, got=self.method, remedy=remedy)
        if derived and not self.method:
            what, remedy = "an equation dx/dt needs one", f"say one of {', '.join(sorted(METHODS))}"
            raise DescriptionError("Equations.method", what, remedy=remedy)
        if derived and self.method not in METHODS:
            raise unknown_name_error("Equations.method", self.method, METHODS)

    def _check_use(
        self, lines: Collection[Statement], threshold: Expression, reset: Collection[Statement]
    ) -> None:
        """Refuse parameters and inputs that nothing uses, and states that nothing sets."""
        used = {name for line in (*lines, *reset) for name in line.value.names}
        used |= {*threshold.names, *(line.variable for line in lines)}
        for kind, names in (("parameters", self.parameters), ("inputs", self.inputs)):
            for name in names:
                if name not in used:
                    remedy = "leave it out" if kind == "parameters" else "say inputs=(...)"
                    raise DescriptionError(kind, f"nothing uses {name!r}", remedy=remedy)
        moving = {*self.inputs, *(line.variable for line in (*lines, *reset))}
        for name in self.initial:
            if name not in moving:
                remedy = f"write {name} = ..., or make it a parameter"
                raise DescriptionError("initial", f"nothing sets {name!r}", remedy=remedy)

    def _noisy(self, threshold: Expression) -> Expression:
        """Return the threshold with the noise added on its left."""
        tree, sides = threshold.tree, _margin(threshold)
        if sides is None or not isinstance(tree, Binary):
            place = TextPlace("threshold", self.threshold)
            what, remedy = "noise needs a threshold `left > right`", "write it so, or take noise=0"
            raise place.problem(0, what, remedy)
        left, right = sides.left.text, sides.right.text
        return Expression(f"{left} + noise_width*logistic {tree.op} {right}")


def _is_white_noise(name: str) -> bool:
    return name == "xi" or name.startswith("xi_")


def _margin(threshold: Expression) -> Margin | None:
    tree = threshold.tree
    if not isinstance(tree, Binary) or tree.op not in (">", ">="):
        return None
    return Margin(Expression(render(tree.left, TEXT)), Expression(render(tree.right, TEXT)))


def _check_lines(lines: Collection[Statement], known: set[str], state: Collection[str]) -> set[str]:
    """Check the names of each line, and return all that are known after the last."""
    fixed = {*known, *_OWN} - set(state)
    for line in lines:
        if line.variable in fixed and not line.is_derivative:
            place = line.value.place or TextPlace("equations", "")
            raise TextPlace(place.where, place.line).problem(0, f"{line.variable!r} can't be set")
        later = {other.variable for other in lines} - known
        line.check(known | later)
        for node in nodes_of(line.value.tree):
            if isinstance(node, Name) and node.name in later:
                place = line.value.place or TextPlace("equations", line.value.text)
                remedy = f"set it before, or give initial={{{node.name!r}: ...}}"
                raise place.problem(node.at, f"{node.name!r} is read before it is set", remedy)
        known = known | {line.variable}
    return known


def _check_is_name(where: str, name: object) -> None:
    if not isinstance(name, str) or not isinstance(parse(name, TextPlace(where, name)), Name):
        raise DescriptionError(f"Equations.{where}", "not a name", got=repr(name)[:60])


def _check_added(updates: Updates, known: Collection[str]) -> None:
    """Refuse names that the user defines but the method adds itself."""
    for name in (*updates.constants, *(line.variable for line in updates.statements)):
        if name in known and name.startswith(PREFIXES):
            raise DescriptionError("Equations", f"the method needs the name {name!r} itself")


def _check_known(where: str, names: Collection[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise DescriptionError(str(unknown_name_error(f"Equations.{where}", name, known)))


def _spread(where: str, value: PerNeuron, size: int) -> FloatArray:
    return spread(f"Equations.{where}", value, size)
