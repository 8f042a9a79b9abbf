"""Write neurons of the user's own equations as the text of a Brian2 group; no object is made here.

The group runs the statements of a `neurorl.models.equations.StepPlan` as they are, so it has the
bits of `neurorl.backends.reference.equations` on every engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from neurorl.backends.brian2.equations import Draw, NodeText
from neurorl.backends.brian2.expressions import assignments, expression_text
from neurorl.backends.brian2.vendor import brian2
from neurorl.expressions.statements import Statement
from neurorl.network.neuron import StepPlan

__all__ = ["arrival_of", "neuron_constants", "neuron_text"]

_CPP_WORDS = """
alignas alignof and_eq asm auto bitand bitor bool break case catch char compl const constexpr
const_cast continue decltype default delete do double dynamic_cast enum explicit export extern false
float friend goto inline int long mutable namespace new noexcept nullptr operator or_eq private
protected public register reinterpret_cast short signed sizeof static static_assert static_cast
struct switch template this thread_local throw true typedef typeid typename union unsigned using
virtual void volatile wchar_t xor xor_eq NULL
"""
_OURS = "dead live refractory_steps stream seed drawn logistic draw"
_BRIAN2 = "i j N t dt t_in_timesteps lastspike not_refractory xi inject"
_PREFIX = "own_"
_DRAW = "logistic(i, t_in_timesteps, stream, seed)"


def neuron_text(plan: StepPlan, title: str, name: str, size: int) -> NodeText:
    """Return the text of a group of *size* neurons.

    title: a comment for the reader. name: of the group. Synapses add to the variables that
    `arrival_of` names, and a noise function is called as in `neurorl.backends.brian2.noise`.
    """
    names = _names(plan)
    later = {*plan.threshold.names, *(x for line in plan.reset for x in line.value.names)}
    kept = [x for x in dict.fromkeys(_set_by(plan)) if x in later and x not in plan.initial]
    model = [f"{names[x]} : 1" for x in (*plan.initial, *kept)]
    model += [f"{arrival_of(x)} : 1" for x in plan.inputs]
    for x, value in plan.constants.items():
        model.append(f"{names[x]} : 1 (constant{', shared' * (value.ndim == 0)})")
    update, threshold = _arrivals(plan, names), expression_text(plan.threshold, names)
    update += _lines(plan.update, names)
    reset = _lines(plan.reset, names)
    draws: tuple[Draw, ...] = ()
    if plan.is_noisy:
        model += ["drawn : 1", "stream : integer (constant, shared)"]
        model += ["seed : integer (constant, shared)"]
        draws = (Draw("drawn", "logistic", _DRAW, "stream"),)
    if plan.refractory_steps.any():
        model += ["dead : integer", "live : boolean", "refractory_steps : integer (constant)"]
        held = [names[x] for x in plan.held]
        update = [f"old_{x} = 1.0*{x}" for x in held] + update + ["live = dead == 0"]
        update += [f"{x} = neurorl_where(live, {x}, old_{x})" for x in held]
        update.append("dead = dead - int(dead > 0)")
        threshold = f"live and ({threshold})"
        reset.append("dead = refractory_steps")
    return NodeText(
        title=title,
        name=name,
        size=size,
        model="\n".join(model),
        threshold=threshold,
        reset="\n".join(reset),
        draws=draws,
        update="\n".join(update),
    )


def neuron_constants(plan: StepPlan) -> dict[str, npt.NDArray[np.float64 | np.int64]]:
    """Return what the group's variables are at the start, by their names in the text."""
    names = _names(plan)
    values: dict[str, npt.NDArray[np.float64 | np.int64]] = {
        names[x]: value for x, value in (*plan.initial.items(), *plan.constants.items())
    }
    if plan.refractory_steps.any():
        values["refractory_steps"] = plan.refractory_steps
    return values


def arrival_of(name: str) -> str:
    """Return the variable that synapses to this input add to."""
    return f"arrived_{name}"


def _arrivals(plan: StepPlan, names: Mapping[str, str]) -> list[str]:
    """Return the lines that take in what has arrived; a state variable keeps what it had."""
    lines = []
    for name in plan.inputs:
        arrived, x = arrival_of(name), names[name]
        lines += [f"{x} = {x} + {arrived}" if name in plan.initial else f"{x} = 1.0*{arrived}"]
        lines += [f"{arrived} = 0"]
    return lines


def _set_by(plan: StepPlan) -> Iterable[str]:
    return (*plan.inputs, *(line.variable for line in plan.update))


def _lines(statements: Iterable[Statement], names: Mapping[str, str]) -> list[str]:
    return assignments(((names[line.variable], line.value) for line in statements), names)


def _names(plan: StepPlan) -> dict[str, str]:
    """Return what each name is called in Brian2: the same, unless it or C++ has it already."""
    statements = (*plan.update, *plan.reset)
    used = {*plan.initial, *plan.constants, *plan.inputs, *(s.variable for s in statements)}
    taken = {*_CPP_WORDS.split(), *_OURS.split(), *_BRIAN2.split(), *brian2.DEFAULT_UNITS}
    taken |= {*brian2.DEFAULT_FUNCTIONS, *brian2.DEFAULT_CONSTANTS}
    names = {}
    for name in sorted(used):
        clashes = name in taken or name.startswith(
            ("old_", "new_", "arrived_", "neurorl_", _PREFIX, "xi_")
        )
        clashes |= name.endswith(("_", "_pre", "_post"))
        names[name] = f"{_PREFIX}{name}_own" if clashes else name
    return names | {"logistic": "drawn"}
