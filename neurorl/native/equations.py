"""Compile the step of neurons by equations for the probability of their spikes, given the spikes.

It is `neurorl.rules.membrane.spike_probability_by_equations` in C++, printed from checked trees.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterator, Sequence

import numpy as np

from neurorl.expressions.statements import Statement
from neurorl.native.build import Source, compiled
from neurorl.native.structures import Equations, pointer
from neurorl.network.neuron import IS_SILENT, Dynamics, StepPlan
from neurorl.network.serialization import FloatArray

__all__ = ["equations_of", "input_number"]

_SIGNATURE = """#include "expressions.h"
extern "C" void neurorl_step(
    int64_t n, const double *constants, const double *arrived, const uint8_t *spikes,
    const int64_t *refractory_steps, double *state, int64_t *dead, uint8_t *is_open, double *gap)
{
for (int64_t j = 0; j < n; j++) {"""


def input_number(neurons: Dynamics | StepPlan | None, target: str) -> int:
    """Return the number of the input that a projection adds to by its *target*."""
    return neurons.inputs.index(target) if isinstance(neurons, StepPlan) else 0


def equations_of(plan: StepPlan, where: str) -> tuple[Equations, tuple[FloatArray, ...]]:
    """Return the structure for the loop in C++, and the arrays that must live as long.

    plan: of neurons with noise. where: names them in errors.
    Raises BackendError if they don't compile.
    """
    plan = plan.hoisted()
    initial, constants = (
        np.array([np.broadcast_to(x, (plan.size,)) for x in values.values()], dtype=np.float64)
        for values in (plan.initial, plan.constants)
    )
    made = Equations(
        n_variables=len(plan.initial),
        n_inputs=len(plan.inputs),
        initial=pointer(initial),
        constants=pointer(constants),
        step=_loaded("\n".join([_SIGNATURE, *_lines(plan), "}", "}", ""]), where),
    )
    return made, (initial, constants)


@functools.cache
def _loaded(source: str, where: str) -> int:
    """Return the address; the library stays loaded as long as the process."""
    loaded = compiled(Source(source), where, "take loop='numpy'")
    _LIBRARIES.append(loaded)
    address = ctypes.cast(loaded.neurorl_step, ctypes.c_void_p).value
    assert address is not None
    return address


_LIBRARIES: list[ctypes.CDLL] = []


def _lines(plan: StepPlan) -> Iterator[str]:
    assert plan.margin is not None  # noise needs one
    state = list(plan.initial)
    names = {x: f"own_{x}" for x in (*plan.constants, *state, *plan.inputs)}
    names |= {line.variable: f"own_{line.variable}" for line in (*plan.update, *plan.reset)}
    for k, x in enumerate(plan.constants):
        yield f"const double own_{x} = constants[{k} * n + j];"
    for k in range(len(state)):
        yield f"const double old_{k} = state[{k} * n + j];"
    set_here = [own for x, own in names.items() if x not in plan.constants]
    yield "double " + ", ".join(f"{own} = 0.0" for own in set_here) + ";"
    names["logistic"] = "0.0"
    yield from (f"own_{x} = old_{k};" for k, x in enumerate(state))
    yield from (f"own_{x} = own_{x} + arrived[{k} * n + j];" for k, x in enumerate(plan.inputs))
    yield from _assignments(plan.update, names)
    held = ((state.index(x), x) for x in plan.held)
    yield from (f"own_{x} = dead[j] > 0 ? old_{k} : own_{x};" for k, x in held)
    left, right = (side.cpp(names) for side in plan.margin)
    yield f"gap[j] = ({right} - {left}) / own_noise_width;"
    silent = f"own_{IS_SILENT} > 0.0" if IS_SILENT in plan.constants else "false"
    yield f"is_open[j] = !(dead[j] > 0 || {silent});"
    yield "if (spikes[j]) {"
    yield from _assignments(plan.reset, names)
    yield "}"
    yield from (f"state[{k} * n + j] = own_{x};" for k, x in enumerate(state))
    yield "dead[j] = spikes[j] ? refractory_steps[j] : dead[j] - (dead[j] > 0);"


def _assignments(lines: Sequence[Statement], names: dict[str, str]) -> Iterator[str]:
    yield from (f"{names[line.variable]} = {line.value.cpp(names)};" for line in lines)
