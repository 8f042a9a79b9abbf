"""Compute parts of formulas that use constants alone once, so that no step does."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping

from neurorl.expressions.expression import Expression
from neurorl.expressions.functions import evaluate_arrays
from neurorl.expressions.nodes import (
    Flag,
    FunctionCall,
    Name,
    Node,
    Number,
    Unary,
    kind_of,
    names_in,
    with_parts,
)
from neurorl.numerics.arrays import Array

_PREFIX = "fixed_"


class Constants:
    """Hold constants by name, and add constants that formulas compute from them.

    values: numbers, or arrays of one number for each neuron. taken: names that may not be used.

    Every backend computes operations and functions to the same bits, so NumPy's result here is the
    same as a step's.
    """

    def __init__(self, values: Mapping[str, Array], taken: Collection[str]) -> None:
        self.values = dict(values)
        self._taken = {*values, *taken}
        self._names: dict[Node, str] = {}

    def holds(self, node: Node) -> bool:
        """Return whether a formula has the same value in every step."""
        return all(name in self.values for name in names_in(node))

    def value(self, node: Node) -> Array:
        """Return the value of a formula that `holds`."""
        return evaluate_arrays(node, names_in(node), self.values)

    def folded(self, expression: Expression) -> Expression:
        """Return a formula of the same bits, its constant parts replaced by constants."""
        tree = self._folded(expression.tree)
        return expression if tree == expression.tree else Expression.of(tree)

    def _folded(self, node: Node) -> Node:
        if isinstance(node, Name | Number | Flag):
            return node
        if (
            isinstance(node, FunctionCall)
            and node.function == "where"
            and self.holds(node.arguments[0])
        ):
            chosen = self.value(node.arguments[0])
            if chosen.all() or not chosen.any():  # all neurons take the same side
                return self._folded(node.arguments[1 if chosen.all() else 2])
        if kind_of(node) == "number" and self.holds(node):
            is_literal = isinstance(node, Unary) and isinstance(node.operand, Number)
            return node if is_literal else self._constant(node)
        return with_parts(node, self._folded)

    def _constant(self, node: Node) -> Node:
        """Return the name of a formula's value; equal formulas share one."""
        if node not in self._names:
            names = (f"{_PREFIX}{k}" for k in itertools.count(len(self._names)))
            name = next(name for name in names if name not in self._taken)
            self._names[node] = name
            self._taken.add(name)
            self.values[name] = self.value(node)
        return Name(self._names[node], at=node.at)
