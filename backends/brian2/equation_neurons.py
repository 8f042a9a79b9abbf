"""Write neurons of the user's own equations as the text of a Brian2 group; no object is made here.

The group runs the statements of a `neurorl.models.equations.StepPlan` as they are, so it has the
bits of `neurorl.backends.reference.equations` on every engine.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import numpy as np
import numpy.typing as npt

from neurorl.backends.brian2.equations import Draw, NodeText, arrival_of, draw, seed_lines, start_of
from neurorl.backends.brian2.expressions import assignments, expression_text
from neurorl.expressions.statements import Statement
from neurorl.network.neuron import StepPlan

__all__ = ["neuron_constants", "neuron_names", "neuron_text"]

_CPP_WORDS = """
alignas alignof and_eq asm auto bitand bitor bool break case catch char compl const constexpr
const_cast continue decltype default delete do double dynamic_cast enum explicit export extern false
float friend goto inline int long mutable namespace new noexcept nullptr operator or_eq private
protected public register reinterpret_cast short signed sizeof static static_assert static_cast
struct switch template this thread_local throw true typedef typeid typename union unsigned using
virtual void volatile wchar_t xor xor_eq NULL
"""
_OURS = "dead live refractory_steps bias neuron ahead stream coin_stream seed drawn logistic draw"
_BRIAN2 = "i j N t dt t_in_timesteps lastspike not_refractory xi inject"
_SYNAPSES = "w delay lastupdate pre post"  # which no neuron that synapses enter may have too
_PREFIX = "own_"


def neuron_text(
    plan: StepPlan,
    title: str,
    name: str,
    size: int,
    *,
    biased: str | None = None,
    replicas: bool = False,
    shared: Collection[str] = (),
) -> NodeText:
    """Return the text of a group of *size* neurons.

    title: a comment for the reader. name: of the group. biased: the input to which a variable
    ``bias`` adds in every step. replicas, shared: as in `equations.population_text`. Synapses add
    to the variables that `arrival_of` names, and a noise function is called as in
    `neurorl.backends.brian2.noise`.
    """
    plan = plan.hoisted()
    names = neuron_names(plan)
    later = {*plan.threshold.names, *(x for line in plan.reset for x in line.value.names)}
    kept = [x for x in dict.fromkeys(_set_by(plan)) if x in later and x not in plan.initial]
    model = [f"{names[x]} : 1" for x in (*plan.initial, *kept)]
    model += [f"{arrival_of(x)} : 1" for x in plan.inputs]
    for x, value in plan.constants.items():
        is_shared = value.ndim == 0 or names[x] in shared
        model.append(f"{names[x]} : 1 (constant{', shared' * is_shared})")
    model += [f"{start_of(names[x])} : 1 (constant)" for x in plan.initial]
    model += ["bias : 1"] * (biased is not None)
    update, threshold = _arrivals(plan, names, biased), expression_text(plan.threshold, names)
    update += _lines(plan.update, names)
    reset = _lines(plan.reset, names)
    draws: tuple[Draw, ...] = ()
    if plan.is_noisy:
        model += ["drawn : 1", "stream : integer (constant, shared)", *seed_lines(replicas)]
        draws = (draw("drawn", "logistic", "stream", replicas),)
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
        starts=tuple((names[x], start_of(names[x])) for x in plan.initial),
    )


def neuron_constants(plan: StepPlan) -> dict[str, npt.NDArray[np.float64 | np.int64]]:
    """Return what the group's variables are at the start, by their names in the text."""
    plan = plan.hoisted()
    names = neuron_names(plan)
    values: dict[str, npt.NDArray[np.float64 | np.int64]] = {
        names[x]: value for x, value in (*plan.initial.items(), *plan.constants.items())
    }
    values |= {start_of(names[x]): value for x, value in plan.initial.items()}
    if plan.refractory_steps.any():
        values["refractory_steps"] = plan.refractory_steps
    return values


def _arrivals(plan: StepPlan, names: Mapping[str, str], biased: str | None) -> list[str]:
    """Return the lines that take in what has arrived; a state variable keeps what it had."""
    lines = []
    for name in plan.inputs:
        arrived, x = arrival_of(name), names[name]
        lines += [f"{arrived} = {arrived} + bias"] * (name == biased)
        lines += [f"{x} = {x} + {arrived}" if name in plan.initial else f"{x} = 1.0*{arrived}"]
        lines += [f"{arrived} = 0"]
    return lines


def _set_by(plan: StepPlan) -> Iterable[str]:
    return (*plan.inputs, *(line.variable for line in plan.update))


def _lines(statements: Iterable[Statement], names: Mapping[str, str]) -> list[str]:
    return assignments(((names[line.variable], line.value) for line in statements), names)


def neuron_names(plan: StepPlan) -> dict[str, str]:
    """Return what each name is called in Brian2: the same, unless it or C++ has it already."""
    from neurorl.backends.brian2.vendor import brian2  # takes a second, so late

    statements = (*plan.update, *plan.reset)
    used = {*plan.initial, *plan.constants, *plan.inputs, *(s.variable for s in statements)}
    taken = {*_CPP_WORDS.split(), *_OURS.split(), *_BRIAN2.split(), *brian2.DEFAULT_UNITS}
    taken |= {*_SYNAPSES.split()}
    taken |= {*brian2.DEFAULT_FUNCTIONS, *brian2.DEFAULT_CONSTANTS}
    names = {}
    for name in sorted(used):
        clashes = name in taken or name.startswith(
            ("old_", "new_", "arrived_", "start_", "neurorl_", "short_", _PREFIX, "xi_")
        )
        clashes |= name.endswith(("_", "_pre", "_post"))
        names[name] = f"{_PREFIX}{name}_own" if clashes else name
    return names | {"logistic": "drawn"}
