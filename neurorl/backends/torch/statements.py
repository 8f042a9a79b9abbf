"""Write a node's statements as a function on tensors, and as C++ for windows without gradients."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neurorl.backends.torch.expressions import RELEASE, tensor_style
from neurorl.backends.torch.inputs import Carried
from neurorl.expressions.expression import Expression, Statement
from neurorl.expressions.nodes import (
    CPP,
    Binary,
    FunctionCall,
    Name,
    Node,
    Number,
    names_in,
    nodes_of,
    render,
    with_parts,
)
from neurorl.native.build import CppSource, call, declared, lasting
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
            noisy = left if noise is None else Binary("+", left, Name(NOISE))
            exact = Binary(tree.op, noisy, right)
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
    lines = ((x.variable, _shorter(x.value.tree, zeros)) for x in node.update)
    update = tuple(Statement(x, Expression.of(tree)) for x, tree in lines)
    return replace(node, update=update)


def _shorter(tree: Node, zeros: set[str]) -> Node:
    tree = with_parts(tree, lambda part: _shorter(part, zeros))
    match tree:
        case Name(name=name) if name in zeros:
            return Number(0.0)
        case Binary("*", Number(0.0), _) | Binary("*", _, Number(0.0)):
            return Number(0.0)
        case Binary("/", Number(0.0), Number()) | FunctionCall("trunc", (Number(0.0),)):
            return Number(0.0)
        case Binary("+", Number(0.0), other) | Binary("+" | "-", other, Number(0.0)):
            return other
    return tree


def _is_zero(tree: Node) -> bool:
    return tree == Number(0.0)


_BEGIN = """#include "expressions.h"
// Arrays of a window are (n_replicas, n_steps, batch, size), those of a step lack the second axis.
extern "C" void neurorl_window(const int64_t *shape, void *const *at)
{
const int64_t n_steps = shape[1], batch = shape[2], n = shape[3];"""
_LOOPS = """for (int64_t row = 0; row < shape[0] * batch; row++)
for (int64_t t = 0; t < n_steps; t++) {
const int64_t first = row * n, now = ((row / batch * n_steps + t) * batch + row % batch) * n;
#pragma GCC ivdep
for (int64_t i = 0; i < n; i++) {"""
_STYLE = replace(CPP, number=lambda value: f"(real){value.hex()}")


class WindowKernel:
    """Print the statements of a node, and run them with the bits that they have on tensors.

    dtype: of all tensors, float64 or float32. C++ compiles at the first run.
    """

    def __init__(self, node: NodeProgram, dtype: torch.dtype) -> None:
        self._node, self._dtype = node, dtype
        self._arrays: list[str] = []
        body = [*self._body()]  # which names the arrays
        real = f"typedef {'double' if dtype == torch.float64 else 'float'} real;"
        kinds = dict.fromkeys(self._arrays, "real")
        kinds |= {x: "int32_t" for x in ("dead", "refractory") if x in kinds}
        self.source = "\n".join([real, _BEGIN, *declared(kinds), _LOOPS, *body, "}}}\n"])

    def run(
        self,
        constants: Mapping[str, Tensor],
        inputs: Mapping[str, Tensor],
        carried: Carried,
        shape: torch.Size,
    ) -> tuple[Tensor, dict[str, Tensor], Carried]:
        """Return the spikes of a window, what they released by variable, and the state after it.

        constants: by name. inputs: ``in_NAME``, what arrives at each input; ``given_bias``,
        ``given_draw`` and, of a source, ``given_spikes``, where there are any. carried: the state
        before. shape: of the window.
        """
        whole = functools.partial(torch.clone, memory_format=torch.contiguous_format)
        given = {x: value.to(self._dtype) for x, value in inputs.items()}
        if "given_bias" in given:
            given["given_bias"] = given["given_bias"].expand(shape[0], *shape[2:])
        after = carried.map(whole)
        released = {x: torch.empty(shape, dtype=self._dtype) for x in self._node.releases}
        arrays = {f"constant_{x}": value for x, value in constants.items()}
        arrays |= {x: value.contiguous() for x, value in given.items()}
        arrays |= {f"state_{x}": value for x, value in after.variables.items()}
        arrays |= {f"to_{x}": value for x, value in released.items()}
        arrays["spikes"] = torch.empty(shape, dtype=self._dtype)
        refractory = self._node.refractory
        if refractory is not None:
            arrays["dead"] = carried.blocked.sum(dim=1).to(torch.int32)
            arrays["refractory"] = torch.from_numpy(refractory).to(torch.int32)
        library = lasting(CppSource(self.source), "backend torch", "take engine='eager'")
        call(library.neurorl_window, shape, (arrays[x].data_ptr() for x in self._arrays))
        if refractory is not None:
            steps = torch.arange(carried.blocked.shape[1])[:, None, None]
            blocked = (arrays["dead"].unsqueeze(1) > steps).to(self._dtype)
            after = Carried(after.variables, after.start, blocked)
        return arrays["spikes"], released, after

    def _array(self, name: str, at: str) -> str:
        """Return an entry of an array, which the caller then has to give."""
        if name not in self._arrays:
            self._arrays.append(name)
        return f"{name}[{at}]"

    def _body(self) -> Iterator[str]:
        """Yield what a neuron does in a step."""
        node = self._node
        set_here = dict.fromkeys((*node.inputs, *(line.variable for line in node.update)))
        names = {x: f"own_{x}" for x in (*node.initial, *set_here)}
        for x, value in node.constants.items():
            names[x] = self._array(f"constant_{x}", "i" if value.ndim else "0")
        names |= {x: self._array("given_draw", "now + i") for x in node.draws}
        bias = self._array("given_bias", "first + i") if node.has_bias else ""
        names |= {"bias": bias} if node.names_bias else {}
        states = {x: self._array(f"state_{x}", "first + i") for x in node.initial}
        yield from (f"real own_{x} = {state};" for x, state in states.items())
        yield from (f"real own_{x} = 0;" for x in set_here if x not in node.initial)
        for x in node.inputs:
            added = self._array(f"in_{x}", "now + i") + f" + {bias}" * (x == node.biased)
            yield f"own_{x} {'+' * (x in node.initial)}= {added};"
        yield from (f"{names[line.variable]} = {_cpp(line.value, names)};" for line in node.update)
        live = "true"
        if node.refractory is not None:
            dead, live = self._array("dead", "first + i"), "live"
            yield f"const bool live = {dead} <= 0;"
            yield from (f"own_{x} = live ? own_{x} : {states[x]};" for x in node.held)
        if node.threshold is None:
            yield f"const bool spike = {self._array('given_spikes', 'now + i')} > 0;"
        else:
            yield f"const bool spike = {live} & ({_cpp(node.threshold, names)});"
        yield f"{self._array('spikes', 'now + i')} = spike;"
        for line in node.reset:
            x = names[line.variable]
            yield f"{x} = spike ? ({_cpp(line.value, names)}) : {x};"
        for x in node.releases:
            yield f"{self._array(f'to_{x}', 'now + i')} = spike ? own_{x} : 0;"
        yield from (f"{state} = own_{x};" for x, state in states.items())
        if node.refractory is not None:
            steps = self._array("refractory", "i")
            yield f"{dead} = spike ? {steps} : {dead} - ({dead} > 0);"


def _cpp(expression: Expression, names: Mapping[str, str]) -> str:
    return render(expression.tree, _STYLE, names)
