"""Write a node's statements as one Python function on tensors."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurorl.backends.torch.expressions import RELEASE, tensor_style
from neurorl.expressions.expression import Expression
from neurorl.expressions.nodes import (
    Binary,
    FunctionCall,
    Name,
    Node,
    Number,
    names_in,
    nodes_of,
    with_parts,
)
from neurorl.expressions.printing import render
from neurorl.expressions.statements import Statement
from neurorl.numerics.arrays import FloatArray
from neurorl.program import Draw, NodeProgram

NOISE = "0noise"
"""Name what a draw adds to a threshold; no variable has such a name."""


@dataclass(frozen=True)
class Crossing:
    """Hold a threshold ``left + noise > right``.

    noise: what a draw adds; None if nothing. width: what the draw is multiplied by.
    is_rounded: whether the noise is rounded to whole numbers, as the chip's is.
    exact: the condition, if ``(left + noise) - right > 0`` may be another one by its last bits; its
        noise has the name `NOISE`.
    """

    left: Node
    right: Node
    noise: Node | None
    width: Node
    is_rounded: bool
    exact: Node | None

    @classmethod
    def of(cls, node: NodeProgram) -> Crossing | None:
        """Return the margin of a node's threshold; None of one that isn't ``>`` or ``>=``."""
        tree = None if node.threshold is None else node.threshold.tree
        if not isinstance(tree, Binary) or tree.op not in (">", ">="):
            return None
        left, right = tree.left, tree.right
        noise: Node | None = None
        width: Node = Number(0.0)
        if isinstance(left, Binary) and _draws(left.right, node):
            noise = left.right
            for n in nodes_of(noise):
                if isinstance(n, Binary) and n.op == "*" and _draws(n.right, node):
                    width = n.left
            left = left.left
        exact = None
        is_fixed = all(name in node.constants for name in names_in(right))
        if tree.op == ">=" or not is_fixed:
            exact = Binary(
                tree.op, left if noise is None else Binary("+", left, Name(NOISE)), right
            )
        if not is_fixed:  # an estimator has the derivative by its first argument only
            left, right = Binary("-", left, right), Number(0.0)
        is_rounded = noise is not None and any(isinstance(n, FunctionCall) for n in nodes_of(noise))
        return cls(left, right, noise, width, is_rounded, exact)

    def widths(self, node: NodeProgram) -> FloatArray:
        """Return the width of each neuron's noise, 0 without noise; one for all or ``(size,)``."""
        return np.asarray(Expression.of(self.width).evaluate(node.constants))


def _draws(tree: Node, node: NodeProgram) -> bool:
    """Return whether a formula has a draw in it."""
    return any(isinstance(n, Name) and n.name in node.draws for n in nodes_of(tree))


def from_outside(node: NodeProgram) -> dict[str, Draw]:
    """Return what statements of a user draw, and the number of the step, by name."""
    return {x: draw for x, draw in node.draws.items() if not draw.is_noise}


def with_given(node: NodeProgram) -> NodeProgram:
    """Return a node to which all numbers from outside arrive as inputs, for each window."""
    given = from_outside(node)
    noise = {x: draw for x, draw in node.draws.items() if x not in given}
    return replace(node, inputs=(*node.inputs, *given), draws=noise)


class TensorSource:
    """Write and compile the functions of a node.

    straight: functions with gradients of their own, as in `neurorl.backends.torch.expressions`.

    step: ``(state, constants, arrived, bias, noise, alive, firing, given)`` to spikes, state
    variables, and what the spikes released, by name. jitter: ``(constants, draw)`` to the noise.
    """

    def __init__(
        self,
        node: NodeProgram,
        crossing: Crossing | None,
        dtype: torch.dtype,
        straight: Mapping[str, Callable[..., Tensor]],
    ) -> None:
        self._node, self._crossing = node, crossing
        self._space: dict[str, Any] = {"where": torch.where}
        self._style = tensor_style(self._space, dtype, straight)
        self._of_release = tensor_style(self._space, dtype, RELEASE)
        set_here = (line.variable for line in (*node.update, *node.reset))
        self._names = {x: f"constants[{x!r}]" for x in node.constants}
        self._names |= {x: f"x_{x}" for x in (*node.initial, *node.inputs, *set_here)}
        self._names |= {"bias": "bias"} if node.names_bias else {}
        self._names |= {**dict.fromkeys(node.draws, "draw"), NOISE: "noise"}
        self._releasing = {
            x for r in node.releases.values() for x in (r.u, r.used, r.raised, r.variable)
        }
        signature = "state, constants, arrived, bias, noise, alive, firing, given"
        self.text = "\n    ".join([f"def step({signature}):", *self._lines()])
        noise = None if crossing is None else crossing.noise
        self.text += f"\ndef jitter(constants, draw):\n    return {self._written(noise)}\n"
        exec(self.text, self._space)
        self.step, self.jitter = self._space["step"], self._space["jitter"]

    def _written(self, tree: Node | None) -> str:
        return "None" if tree is None else render(tree, self._style, self._names)

    def _lines(self) -> Iterator[str]:
        node = self._node
        yield from (f"x_{x} = state[{x!r}]" for x in node.initial)
        for x in node.inputs:
            added = f"arrived[{x!r}]" + " + bias" * (x == node.biased)
            yield f"x_{x} = x_{x} + ({added})" if x in node.initial else f"x_{x} = {added}"
        yield from (f"{self._names[line.variable]} = {self._value(line)}" for line in node.update)
        if node.refractory is not None:
            zeroed = {line.variable for line in node.reset if _is_zero(line.value.tree)}
            for x in node.held:  # what a reset clears is 0 all along
                held = f"where(alive > 0, x_{x}, state[{x!r}])"
                yield f"x_{x} = " + (f"x_{x}*alive" if x in zeroed else held)
        yield from self._spikes()
        yield from (f"{self._names[line.variable]} = {self._reset(line)}" for line in node.reset)
        values = (f"{x!r}: x_{x}" for x in node.initial)
        sent = (f"{x!r}: spikes*x_{x}" for x in node.releases)
        yield f"return spikes, {{{', '.join(values)}}}, {{{', '.join(sent)}}}"

    def _spikes(self) -> Iterator[str]:
        node, crossing = self._node, self._crossing
        if node.threshold is None:
            yield "spikes = given"
            return
        if crossing is None:
            yield f"spikes = firing.plain(alive, {self._written(node.threshold.tree)})"
            return
        sides = f"{self._written(crossing.left)}, {self._written(crossing.right)}"
        exact = self._written(crossing.exact)
        yield f"spikes = firing.spikes(alive, {sides}, noise, {exact}, given)"

    def _value(self, line: Statement) -> str:
        """Return what a statement sets; two variables need memory of their own."""
        style = self._of_release if line.variable in self._releasing else self._style
        value = render(line.value.tree, style, self._names)
        return f"1.0*{value}" if isinstance(line.value.tree, Name) else value

    def _reset(self, line: Statement) -> str:
        name = self._names[line.variable]
        if _is_zero(line.value.tree):
            return f"firing.cleared(spikes, {name})"
        options = ", detaches=False" if line.variable in self._releasing else ""
        return f"firing.reset(spikes, {self._value(line)}, {name}{options})"


def is_memoryless(node: NodeProgram) -> bool:
    """Return whether no step of a node depends on the steps before."""
    read, fresh = set(), set(node.inputs) - set(node.initial)
    for line in node.update:
        read |= set(line.value.names) - fresh
        fresh.add(line.variable)
    formulas = [line.value for line in node.reset]
    formulas += [] if node.threshold is None else [node.threshold]
    read |= {x for formula in formulas for x in formula.names} - fresh
    return node.refractory is None and fresh >= {*node.initial} and not read & {*node.initial}


def without_zeros(node: NodeProgram) -> NodeProgram:
    """Return a node whose update leaves out products with constants that are 0 for all neurons."""
    zeros = {x for x, value in node.constants.items() if not value.any()}
    update = tuple(
        Statement(line.variable, Expression.of(_shorter(line.value.tree, zeros)))
        for line in node.update
    )
    return replace(node, update=update)


def _shorter(tree: Node, zeros: set[str]) -> Node:
    tree = with_parts(tree, lambda part: _shorter(part, zeros))
    match tree:
        case Name(name=name) if name in zeros:
            return Number(0.0)
        case Binary(op="*", left=left, right=right) if _is_zero(left) or _is_zero(right):
            return Number(0.0)
        case Binary(op="/", left=left, right=Number()) | FunctionCall("trunc", (left,)) if _is_zero(
            left
        ):
            return Number(0.0)
        case Binary(op="+", left=left, right=right) if _is_zero(left):
            return right
        case Binary(op="+" | "-", left=left, right=right) if _is_zero(right):
            return left
    return tree


def _is_zero(tree: Node) -> bool:
    return tree == Number(0.0)
