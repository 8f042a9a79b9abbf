"""Run a node over a window without gradients, as C++ that is printed from its statements."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from neurorl.backends.torch.state import Carried
from neurorl.expressions.expression import Expression
from neurorl.expressions.printing import CPP, render
from neurorl.native import SOURCES
from neurorl.native.build import CppSource, compiled
from neurorl.program import NodeProgram

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
        types = {"dead": "int32_t", "refractory": "int32_t"}
        arrays = [(k, x, types.get(x, "real")) for k, x in enumerate(self._arrays)]
        declared = [f"{c} *__restrict const {x} = ({c} *)at[{k}];" for k, x, c in arrays]
        self.source = "\n".join([real, _BEGIN, *declared, _LOOPS, *body, "}}}\n"])

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
        at = (ctypes.c_void_p * len(self._arrays))(*(arrays[x].data_ptr() for x in self._arrays))
        _function(self.source)((ctypes.c_int64 * len(shape))(*shape), at)
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


@functools.cache
def _function(source: str) -> Callable[..., Any]:
    """Return the function of printed code. Raises BackendError if it doesn't compile."""
    library = compiled(CppSource(source, (SOURCES,)), "backend torch", "take engine='eager'")
    library.neurorl_window.restype = None
    function: Callable[..., Any] = library.neurorl_window
    return function
