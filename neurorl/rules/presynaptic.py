"""Check how a rule's text uses the presynaptic trace.

A synapse's eligibility grows by ``trace * f``, with f of the postsynaptic neuron, in each step; a
window's sum is one product of traces and factors. So every term of a text must have the factor
``trace`` exactly once, or none names it, and then ``trace`` multiplies the whole.
"""

from __future__ import annotations

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
    for part in nodes_of(node):
        if isinstance(part, Name) and part.name == TRACE:
            what = "trace in a power" if isinstance(node, Power) else "trace in a function"
            is_condition = isinstance(node, Binary) and node.op in COMPARISONS
            raise _refused(part, place, "trace in a condition" if is_condition else what)
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
