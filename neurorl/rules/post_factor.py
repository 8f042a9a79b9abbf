"""Read the text of a post factor, and compute it for a window.

==========  ==========================================================================
``spike``   1 in a step in which the neuron spikes, else 0
``p``       probability of that spike given its inputs (neurons with escape noise)
``phi``     ``1[m = a] - pi_m``, broadcast to the neuron's module m; a the action taken
``t``       1 if m = a, else -1; 0 if the task doesn't allow m
``b``       sign of the neuron's path to its module's output before learning; output: 1
``V``       weight of that path in force; output: 1
``y``       1 if its module's output spikes when the neuron's spike would arrive there,
            -1 if not, 0 after the window
``n``       the neuron's spikes in the steps that count
``W``       number of these steps: those that input can have reached
``v``       the neuron's membrane after the step and its reset
``theta``   its threshold (LIF, CubaLIF, GLM)
``slow``    trace of its own earlier spikes, decayed to the step by ``slow_tau``
``M``       the modulator of the decision (agents with a critic that isn't spiking)
``trace``   presynaptic trace, which multiplies the whole text if it isn't named
==========  ==========================================================================

A rule adds signals, numbers that a caller broadcasts, under its own names.

A text that is ``spike`` times a factor constant over the window is a *gain* for each spike: spikes
are visited instead of steps, and without a spike the factor is 0.

A synapse's eligibility grows by ``trace * f``, with f of the postsynaptic neuron, in each step; a
window's sum is one product of traces and factors. So every term of a text must have the factor
``trace`` exactly once, or none names it, and then ``trace`` multiplies the whole.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.expressions.expression import Expression
from neurorl.expressions.nodes import (
    COMPARISONS,
    Binary,
    FunctionCall,
    Name,
    Node,
    Number,
    Power,
    Unary,
    names_in,
    nodes_of,
)
from neurorl.expressions.scan import ExpressionError, TextPlace
from neurorl.rules.decision import Array, Decision, HiddenLayer, chosen, per_module

TRACE = "trace"
_ALLOWED = "every term is trace times a factor of the neuron, such as trace*(spike - 0.1)"
_WEIGHTS = ("w", "weight", "weights")


def check_trace(tree: Node, place: TextPlace) -> None:
    """Raise DescriptionError, with the character, unless the text is trace times a factor."""
    for node in nodes_of(tree):
        if isinstance(node, Name) and node.name in _WEIGHTS:
            what = f"{node.name!r}: a text can't depend on the synapse's weight"
            raise place.problem(node.at, what, _ALLOWED)
    if TRACE in names_in(tree) and _degree(tree, place) == 0:
        raise place.problem(tree.at, "trace is named, but isn't a factor", _ALLOWED)


def _degree(node: Node, place: TextPlace) -> int | None:
    """Return how often *node* has the factor trace, 0 or 1; None for 0, which fits both."""
    match node:
        case Number(value=0.0):
            return None
        case Name(name=name):
            return int(name == TRACE)
        case Unary(operand=operand):
            return _degree(operand, place)
        case Binary(op="*", left=left, right=right):
            return _product(node, left, right, place)
        case Binary(op="/", left=left, right=right):
            _check_free(right, place, "trace in a divisor")
            return _degree(left, place)
        case Binary(op=op, left=left, right=right) if op in ("+", "-"):
            return _alike(node, (left, right), place)
        case FunctionCall(function="where", arguments=(condition, *branches)):
            _check_free(condition, place, "trace in a condition")
            return _alike(node, tuple(branches), place)
        case Power(base=base, exponent=1):
            return _degree(base, place)
    is_condition = isinstance(node, Binary) and node.op in COMPARISONS
    inside = "a power" if isinstance(node, Power) else "a function"
    _check_free(node, place, f"trace in {'a condition' if is_condition else inside}")
    return 0


def _product(node: Node, left: Node, right: Node, place: TextPlace) -> int | None:
    degrees = _degree(left, place), _degree(right, place)
    if None in degrees:
        return None
    total = sum(degree or 0 for degree in degrees)
    if total > 1:
        last = [n for n in nodes_of(node) if isinstance(n, Name) and n.name == TRACE][-1]
        raise _refused(last, place, "trace times trace")
    return total


def _alike(node: Node, parts: tuple[Node, ...], place: TextPlace) -> int | None:
    """Return the common degree of terms that are added, or of branches that are chosen from."""
    degrees = [_degree(part, place) for part in parts]
    some = {degree for degree in degrees if degree is not None}
    if len(some) > 1:
        without = next(p for p, degree in zip(parts, degrees, strict=True) if degree == 0)
        raise _refused(without, place, "a term without trace beside one with it")
    return some.pop() if some else None


def _check_free(node: Node, place: TextPlace, what: str) -> None:
    for part in nodes_of(node):
        if isinstance(part, Name) and part.name == TRACE:
            raise _refused(part, place, what)


def _refused(node: Node, place: TextPlace, what: str) -> ExpressionError:
    return place.problem(node.at, what, _ALLOWED)


NAMES = ("spike", "p", "phi", "t", "b", "V", "y", "n", "W", "v", "theta", "slow", "M", TRACE)
OF_MODULES = ("phi", "t", "b", "V", "y")
_OF_STEPS = frozenset({"spike", "p", "y", "v", "slow"})
_SPIKE = Name("spike")


@dataclass(frozen=True)
class PostFactor:
    """Hold the text of a layer's post factor, checked.

    place: names it in errors, such as ``"rule 'mine', hidden"``. signals: names beyond `NAMES`.
    Raises DescriptionError with the wrong character.
    """

    text: str
    place: str
    signals: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        place = TextPlace(self.place, str(self.text))
        check_trace(self.expression.tree, place)
        self.expression.check((*NAMES, *self.signals), "number")

    @cached_property
    def expression(self) -> Expression:
        """Return the checked text."""
        return Expression(self.text, TextPlace(self.place, str(self.text)))

    @cached_property
    def is_gain(self) -> bool:
        """Return whether it is 0 without a spike, and the same for every spike of the window."""
        factors = list(_multiplied(self.expression.tree))
        others = [factor for factor in factors if factor != _SPIKE]
        of_steps = _OF_STEPS.union(self.signals)
        changing = any(of_steps.intersection(names_in(factor)) for factor in others)
        return len(others) < len(factors) and not changing

    def character(self, name: str) -> int | None:
        """Return the place of the first *name*, counted from 1; None if it isn't used."""
        tree = self.expression.tree
        return next(
            (x.at + 1 for x in nodes_of(tree) if isinstance(x, Name) and x.name == name), None
        )

    def problem(self, name: str, what: str, remedy: str) -> ExpressionError:
        """Return the error for a *name* that can't be used here."""
        return TextPlace(self.place, self.text).problem(
            (self.character(name) or 1) - 1, what, remedy
        )

    def gain(self, d: Decision, layer: HiddenLayer) -> Array:
        """Return the factor of each spike of a layer's neurons, ``(n,)``."""
        names = {x: value_of(x, d, layer) for x in self.expression.names if x != "spike"}
        value = self.expression.evaluate({**names, "spike": 1.0})
        return np.broadcast_to(value, layer.spikes.shape[1:])

    def factors(self, d: Decision, layer: HiddenLayer, drops_late: bool = False) -> Array:
        """Return the factors ``(W, n)`` of a layer.

        drops_late: whether factors of a hidden layer's last steps, too late for the output, are 0.
        """
        if self.is_gain:
            f = np.where(layer.spikes, self.gain(d, layer), 0.0)
        else:
            names = {name: value_of(name, d, layer) for name in self.expression.names}
            f = np.array(np.broadcast_to(self.expression.evaluate(names), layer.spikes.shape))
        f[: layer.first] = 0.0
        if drops_late and layer.lag:
            f[-layer.lag :] = 0.0
        return f


def _multiplied(node: Node) -> Iterator[Node]:
    """Yield the factors of a product, without the sign; the divisor of a quotient too."""
    match node:
        case Binary(op="*", left=left, right=right):
            yield from _multiplied(left)
            yield from _multiplied(right)
        case Binary(op="/", left=left, right=right):
            yield from _multiplied(left)
            yield Unary("-", right)  # so that it is not taken for a factor
        case Unary(op="-", operand=operand):
            yield from _multiplied(operand)
        case _:
            yield node


def value_of(name: str, d: Decision, layer: HiddenLayer) -> npt.NDArray[Any] | float:
    """Return the value of *name* in a layer: a number, ``(n,)`` or ``(W, n)``."""
    spikes, first = layer.spikes, layer.first
    match name:
        case "spike":
            return spikes
        case "n":
            return np.asarray(spikes[first:].sum(axis=0))
        case "W":
            return len(spikes) - first
        case "p":
            assert layer.p is not None
            return layer.p
        case "y":
            return _answers(d, layer)
        case "phi":
            return _told(d.phi, d, layer)
        case "t":
            t = 2.0 * chosen(d.action, len(d.phi)) - 1.0 if d.t is None else d.t
            return _told(t, d, layer)
        case "trace":
            return 1.0  # the sum over steps multiplies with it
    if name in layer.named:
        return layer.named[name]
    if not layer.in_modules:
        return 1.0
    of_path = layer.signs if name == "b" else layer.paths
    assert of_path is not None
    return of_path


def _told(per_action: Array, d: Decision, layer: HiddenLayer) -> Array | float:
    """Return the broadcast to modules for each neuron of a layer; 1 outside of modules."""
    if not layer.in_modules:
        return 1.0
    return _per_neuron(per_module(per_action, d.output.shape[1]), layer)


def _answers(d: Decision, layer: HiddenLayer) -> Array:
    answers = np.zeros(d.output.shape)
    late = d.output[layer.lag :]
    answers[: len(late)] = 2.0 * late - 1.0
    return _per_neuron(answers, layer)


def _per_neuron(of_modules: Array, layer: HiddenLayer) -> Array:
    """Repeat one number per module to one per neuron of a layer, along the last axis."""
    return of_modules.repeat(layer.spikes.shape[1] // of_modules.shape[-1], axis=-1)
