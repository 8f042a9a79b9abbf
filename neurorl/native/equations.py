"""Compile the step of neurons for their membranes and the probability of spikes, given the spikes.

It is `neurorl.rules.membrane` in C++, printed from checked trees.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterator, Sequence

import numpy as np

from neurorl.expressions.statements import Statement
from neurorl.native.build import CppSource, compiled
from neurorl.native.structures import Equations, pointer
from neurorl.network.step_plan import IS_SILENT, StepPlan
from neurorl.numerics.arrays import Array

_SIGNATURE = """#include "expressions.h"
extern "C" void neurorl_step(
    int64_t n, const double *__restrict constants, const double *__restrict arrived,
    const double *__restrict bias, const uint8_t *__restrict spikes,
    const int64_t *__restrict refractory_steps, double *__restrict state, int64_t *__restrict dead,
    uint8_t *__restrict is_open, double *__restrict gap)
{
#pragma GCC ivdep
for (int64_t j = 0; j < n; j++) {"""


def equations_of(plan: StepPlan, where: str) -> tuple[ctypes.Structure, tuple[Array, ...]]:
    """Return the structure for the loop in C++, and the arrays that must live as long.

    plan: what neurons do in a step. where: names them in errors.
    Raises BackendError if they don't compile.
    """
    threshold, plan = plan.constants.get("threshold"), plan.hoisted()
    initial, constants = (
        np.array([np.broadcast_to(x, (plan.size,)) for x in values.values()], dtype=np.float64)
        for values in (plan.initial, plan.constants)
    )
    made = Equations(
        n_variables=len(plan.initial),
        n_inputs=len(plan.inputs),
        v=list(plan.initial).index("v") if "v" in plan.initial else -1,
        initial=pointer(initial),
        constants=pointer(constants),
        bias=pointer(plan.bias),
        threshold=pointer(threshold),
        refractory_steps=pointer(plan.refractory_steps),
        step=_loaded("\n".join([_SIGNATURE, *_lines(plan), "}", "}", ""]), where),
    )
    kept = (initial, constants, plan.bias, threshold, plan.refractory_steps)
    return made, tuple(array for array in kept if array is not None)


@functools.cache
def _loaded(source: str, where: str) -> int:
    """Return the address; the library stays loaded as long as the process."""
    loaded = compiled(CppSource(source), where, "take loop='numpy'")
    _LIBRARIES.append(loaded)
    address = ctypes.cast(loaded.neurorl_step, ctypes.c_void_p).value
    assert address is not None
    return address


_LIBRARIES: list[ctypes.CDLL] = []


def _lines(plan: StepPlan) -> Iterator[str]:
    state = list(plan.initial)
    names = {x: f"own_{x}" for x in (*plan.constants, *state, *plan.inputs)}
    names |= {line.variable: f"own_{line.variable}" for line in (*plan.update, *plan.reset)}
    for k, x in enumerate(plan.constants):
        yield f"const double own_{x} = constants[{k} * n + j];"
    for k in range(len(state)):
        yield f"const double old_{k} = state[{k} * n + j];"
    set_here = [own for x, own in names.items() if x not in plan.constants]
    yield "double " + ", ".join(f"{own} = 0.0" for own in set_here) + ";"
    names |= {"logistic": "0.0", "bias": "bias[j]"}
    yield from (f"own_{x} = old_{k};" for k, x in enumerate(state))
    yield from (f"own_{x} = own_{x} + arrived[{k} * n + j];" for k, x in enumerate(plan.inputs))
    yield from _assignments(plan.update, names)
    held = ((state.index(x), x) for x in plan.held)
    yield from (f"own_{x} = dead[j] > 0 ? old_{k} : own_{x};" for k, x in held)
    if plan.is_noisy:
        assert plan.margin is not None  # noise needs one
        left, right = (side.cpp(names) for side in plan.margin)
        yield f"gap[j] = ({right} - {left}) / own_noise_width;"
    silent = f"own_{IS_SILENT} > 0.0" if IS_SILENT in plan.constants else "false"
    yield f"is_open[j] = !(dead[j] > 0 || {silent});"
    yield "const bool fired = spikes[j];"
    for line in plan.reset:
        own = names[line.variable]
        yield f"{own} = fired ? {line.value.cpp(names)} : {own};"
    yield from (f"state[{k} * n + j] = own_{x};" for k, x in enumerate(state))
    yield "dead[j] = fired ? refractory_steps[j] : dead[j] - (dead[j] > 0);"


def _assignments(lines: Sequence[Statement], names: dict[str, str]) -> Iterator[str]:
    yield from (f"{names[line.variable]} = {line.value.cpp(names)};" for line in lines)
