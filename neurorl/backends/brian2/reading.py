"""Read Brian2's own objects; every private name of theirs that this needs is in this file."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from neurorl.backends.brian2.language import AT, Translation, own_name
from neurorl.backends.brian2.vendor import BrianObject, UnsupportedEquationsException, brian2
from neurorl.errors import UnsupportedError, quoted
from neurorl.expressions.expression import Expression
from neurorl.expressions.scan import TextPlace
from neurorl.numerics.arrays import Array, FloatArray

Part = Any
"""Represent an object of Brian2, which has no types."""
Namespace = Mapping[str, object]
"""Say what names outside of objects mean."""

_METHODS = {name: name for name in ("exact", "exponential_euler", "euler", "heun", "rk4")}
_METHODS["linear"] = "exact"
_IGNORED = ("SpikeMonitor", "EventMonitor", "StateMonitor", "PopulationRateMonitor", "Subgroup")
_KNOWN = ("NeuronGroup", "Synapses", "SpikeGeneratorGroup", "PoissonGroup", "PoissonInput")
_SLOTS = {"StateUpdater": "groups", "Thresholder": "thresholds", "Resetter": "resets"}
_INSIDE = (*_SLOTS, "SynapticPathway")
_ORDER = ("groups", "thresholds", "synapses", "resets")
_MOST_VALUES = 64  # of an array of time, which becomes a formula
_REMEDIES = {
    "TimedArray": f"{_MOST_VALUES} numbers or fewer, of t alone, or a Source of values",
    "SummedVariableUpdater": "let spikes add to a variable",
    "SubexpressionUpdater": "leave (constant over dt) out",
}


def refusal(
    part: Part, place: str, what: str, got: object = None, remedy: str | None = None
) -> UnsupportedError:
    """Return the error for what isn't held here."""
    where = ", ".join(filter(None, ("from_brian2", part and part.name, place)))
    return UnsupportedError(where, what, got=got, remedy=remedy)


def objects_of(network: Part) -> dict[str, list[Part]]:
    """Return the objects of a `brian2.Network`, or of a list, or one, by kind, then by name.

    Raises UnsupportedError for what is no object, of a kind that has no counterpart, or whose steps
    have another order.
    """
    is_whole = isinstance(network, brian2.Network)
    if is_whole and float(network.t_) != 0:
        remedy = "read it before, or after network.restore()"
        raise refusal(None, "t", "it has run already", network.t, remedy)
    usual = brian2.prefs["core.network.default_schedule"]
    schedule = network.schedule if is_whole else usual
    if tuple(slot for slot in schedule if slot in _ORDER) != _ORDER:
        raise refusal(None, "schedule", "another order of a step", schedule, ", ".join(_ORDER))
    given = network.objects if is_whole else network
    is_one = isinstance(given, BrianObject) or not isinstance(given, Iterable)
    found = [given] if is_one else [*given]
    for part in found:
        if not isinstance(part, BrianObject):
            raise refusal(None, "", "takes Brian2's objects", part, "take brian2.collect()")
        if part._network is not None and not is_whole:
            raise refusal(part, "", "has run already", remedy="read it before")
    inside = {id(inner) for part in found for inner in part.contained_objects}
    kinds: dict[str, list[Part]] = {kind: [] for kind in _KNOWN}
    for part in sorted(found, key=lambda part: str(part.name)):
        if id(part) in inside or type(part).__name__ in _IGNORED:
            continue
        for one in (part, *part.contained_objects):
            kind = type(one).__name__
            if kind not in (_KNOWN if one is part else _INSIDE) or not one.active:
                remedy = _REMEDIES.get(kind, "do it in Python between calls of step")
                raise refusal(
                    one, "", f"a {kind} isn't held" if one.active else "isn't active", remedy=remedy
                )
            slot = "thresholds" if kind == "SpikeGeneratorGroup" else _SLOTS.get(kind, one.when)
            if one.when != slot and getattr(one, "event", "spike") == "spike":
                raise refusal(one, "when", "runs at a time of its own", one.when, repr(slot))
        kinds[type(part).__name__].append(part)
    return kinds


@dataclass
class Scope:
    """Know what names mean in an object's formulas, and which parameters these have used.

    variables: formulas that stand for names.
    """

    part: Part
    namespace: Namespace
    variables: dict[str, str]
    parameters: dict[str, float | FloatArray] = field(default_factory=dict)
    draws: int = 0

    def assigned(self, place: str, variable: str, formula: str) -> str:
        """Return the formula of what a variable of the object becomes, whole if that is."""
        kind = np.dtype(self.part.variables[variable].dtype).kind
        if kind == "b":
            raise refusal(self.part, place, "sets a boolean", variable, "a number, 0 or 1")
        text = self.text(place, formula)
        return f"trunc({text})" if kind in "iu" else text

    def text(self, place: str, formula: str) -> str:
        """Return a formula in our language, subexpressions filled in. Raises UnsupportedError."""
        text = Translation(lambda name: self._named(place, name), self.parameters).text(formula)
        where = f"from_brian2, {self.part.name}, {place}"
        return Expression(text, TextPlace(where, text)).text

    def _named(self, place: str, name: str) -> str | float:
        if name in self.variables or name in ("t", "dt") or name.split("_")[0] == "xi":
            return self.variables.get(name, name)
        try:
            found = self.part._resolve(name.removesuffix("()"), self.namespace, False)
        except KeyError as exc:
            what, remedy = f"nothing is called {name!r}", "say from_brian2(..., namespace={...})"
            raise refusal(self.part, place, what, remedy=remedy) from exc
        remedy = _REMEDIES.get(type(found).__name__, "write its formula")
        if name.endswith("()"):
            self.draws += name == "rand()"
            is_array = isinstance(found, brian2.TimedArray) and found.values.ndim == 1
            if is_array and found.values.size <= _MOST_VALUES:
                return _steps_of(found, float(self.part.clock.dt_))
            if found is not brian2.DEFAULT_FUNCTIONS.get(name.removesuffix("()")):
                raise refusal(self.part, place, "a function of your own", name, remedy)
            if self.draws > 1:
                remedy = "it would be the first's number: one rand() a group"
                raise refusal(self.part, place, "a second rand()", remedy=remedy)
            return name
        if getattr(found, "owner", None) not in (None, self.part) or not hasattr(found, "dim"):
            raise refusal(self.part, place, "no number of its own", name, remedy)
        if hasattr(found, "expr"):
            return f"({self.text(name, found.expr)})"
        value = number(found)
        if name in brian2.DEFAULT_UNITS or name in brian2.DEFAULT_CONSTANTS:
            return float(value) if np.isfinite(value) else "(1/0)"
        own = own_name(name)
        self.parameters[own] = value
        return f"({own} > 0)" if found.dtype == bool else own


def _steps_of(array: Part, dt: float) -> str:
    """Return a formula of the values that a TimedArray has at the time `AT`, as Brian2 rounds it.

    dt: the step of the object that reads it, s.
    """
    values, each = array.values.tolist(), float(array.dt)
    early = 0.5 / max(2 ** math.ceil(math.log2(8 * each / dt)), 1)

    def between(first: int, last: int) -> str:
        if last - first == 1:
            return f"({values[first]!r})"
        half = (first + last) // 2
        branches = f"{between(first, half)}, {between(half, last)}"
        return f"where({AT} < {(half - early) * each!r}, {branches})"

    return between(0, len(values))


def number(variable: Part) -> float | FloatArray:
    """Return the value of a variable in SI units: a number if all are equal."""
    values = np.asarray(variable.get_value(), dtype=np.float64)
    is_one = values.size and (values == values.flat[0]).all()
    return float(values.flat[0]) if is_one else values


def method_of(part: Part, namespace: Namespace) -> str:
    """Return our name of the method by which Brian2 solves an object's equations; '' for none."""
    equations = part.equations
    if not equations.diff_eq_names:
        return ""
    choice = part.state_updater.method_choice
    several = () if isinstance(choice, str) or callable(choice) else tuple(choice)
    for method in several or (choice,):
        try:
            if several:
                names = equations.names | equations.identifiers | {"dt"}
                variables = part.resolve_all(names, namespace, user_identifiers=set())
                brian2.StateUpdateMethod.apply_stateupdater(equations, variables, method)
        except UnsupportedEquationsException:
            continue
        if method in _METHODS:  # without noise Brian2's heun is Euler's method
            is_euler = method == "heun" and not equations.stochastic_variables
            return "euler" if is_euler else _METHODS[method]
    raise refusal(part, "method", "isn't held", quoted(choice), f"one of {', '.join(_METHODS)}")


def dead_steps(part: Part, dt: float, changing: Collection[str]) -> Array:
    """Return the steps of a group's refractory time, the spike's own included; 0 for none.

    changing: variables whose values now aren't those of later.
    """
    given, least = part._refractory, int(part._refractory is not False)
    if isinstance(given, str) and given in {*part.variables} - {*changing}:
        given = part.variables[given].get_value()
    if isinstance(given, str) or (given is not False and np.asarray(given).dtype == bool):
        remedy = "a time, or a variable that has one for each neuron and keeps it"
        raise refusal(part, "refractory", "a condition or formula", given, remedy)
    steps = np.floor(np.asarray(given, dtype=np.float64) / dt + 1e-3)
    return np.asarray(np.maximum(steps, least))


class SpikeCode(NamedTuple):
    """Hold what synapses do at spikes of one side. steps: delays, one number or one a synapse."""

    side: str
    code: str
    steps: Array


def pathways(synapses: Part, dt: float) -> list[SpikeCode]:
    """Return what synapses do at spikes."""
    found = []
    for path in synapses._pathways:
        order = {"pre": -1, "post": 1}[path.prepost]
        if (path.event, path.when, path.order) != ("spike", "synapses", order):
            remedy = "leave on_event, when and order as they are"
            raise refusal(synapses, path.objname, "runs at a time of its own", remedy=remedy)
        delays = np.asarray(number(path.variables["delay"]))
        found.append(SpikeCode(path.prepost, path.code, np.floor(delays / dt + 0.5)))
    return found


def ends(synapses: Part) -> list[Array]:
    """Return the pre- and postsynaptic neurons, by their numbers in the whole groups."""
    of = (synapses.variables[f"_synaptic_{side}"].get_value() for side in ("pre", "post"))
    return [np.array(values, dtype=np.int64) for values in of]


def spike_steps(group: Part, dt: float) -> tuple[Array, Array, int]:
    """Return the neurons and steps of a SpikeGeneratorGroup, and its period in steps, or 0."""
    steps = np.asarray((group._spike_time + 1e-3 * dt) / dt, dtype=np.int64)
    period = float(np.asarray(group.period_).flat[0])
    return np.array(group._neuron_index), steps, round(period / dt) if np.isfinite(period) else 0


class PoissonInput:
    """Hold inputs of a group's neurons: *n* each, of a rate in Hz, that add to a variable.

    part: a PoissonInput. Raises UnsupportedError.
    """

    def __init__(self, part: Part) -> None:
        group, weight = part._group, part.weight
        if isinstance(weight, str) or part.when != "synapses":
            what, got = "another weight than a number, or another slot", (weight, part.when)
            raise refusal(part, "weight", what, got, "a quantity, when='synapses'")
        first = int(getattr(group, "start", 0))  # of a subgroup
        self.neurons = np.arange(first, first + int(group.N))
        self.name, self.post = str(part.name), whole_name(group)
        self.target, self.n = part.target_var, int(part.N)
        self.rate, self.weight = float(part.rate), float(np.asarray(weight))


def whole_name(group: Part) -> str:
    """Return the name of a group, or of the group that a subgroup is part of."""
    return str(group.source.name if type(group).__name__ == "Subgroup" else group.name)
