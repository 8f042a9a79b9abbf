"""Write how synapses learn by a `neurorl.rules.SynapseRule` as lines of a Brian2 script."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from neurorl.backends.brian2.equations import SynapsesText, assignments
from neurorl.backends.simulator import ScriptedRule
from neurorl.expressions.expression import Expression, Statement
from neurorl.numerics.arrays import Array
from neurorl.rules.synapse_rule import WEIGHT

_ROUND = 1.5 * 2.0**52  # added and taken away, it rounds to a whole number, halves to even


def lesson_code(text: SynapsesText, lesson: ScriptedRule, dt: float) -> str:
    """Return the code that makes a projection whose synapses learn, for the script's `learn`.

    In a step: equations; lines of spikes that arrive in it, and of the neurons' own; the end of a
    window; and only then the spikes of this step, which arrive in the next.
    """
    rule, name, unit = lesson.rule, text.name, float(lesson.unit)
    names = {x: f"own_{x}_own" for x in rule.variables} | {WEIGHT: "learned"}
    updates = [rule.updates(owner, dt) for owner in ("pre", "post", "synapse")]
    numbers = {**rule.parameters, "dt": dt, "low": lesson.low, "high": lesson.high}
    numbers |= {x: value for one in updates for x, value in one.constants.items()}
    told = {x: f"({float(value)!r})" for x, value in numbers.items()} | {"given": "given"}
    told |= {x: f"told_{x}(t, j)" for x in rule.signals}
    told |= {x: f"reward_{x}(t)" for x in rule.modulators}
    steps = _written([line for one in updates for line in one.statements], names, told)
    lines = {event: _written(of, names, told) for event, of in rule.events.items()}
    rounded = f"(learned*{1 / unit!r} + {_ROUND!r} - {_ROUND!r})*{unit!r}"
    rounded = f"learned = neurorl_where(ends > 0, there*({rounded}), learned)"
    last = [
        f"ends = int((t_in_timesteps + 1) % {lesson.window} == 0)",
        "given = ends*given_reward(t)",
        rounded,
        _written(rule.events["on_reward"], names, told, "given > 0"),
        rounded,
        "w = neurorl_where(ends > 0, learned, w)",
    ]
    model = "\n".join([text.model, *(f"{x} : 1" for x in ("there", *names.values()))])
    kinds = ", ".join(f"{line.split(' : ')[0]!r}: np.float64" for line in model.splitlines())
    arrays = (
        f"{x!r}: TimedArray(ARRAYS['lessons/{name}/{x}'], dt={lesson.window if at else 1}*dt)"
        for x, _, at in _timed(lesson)
    )
    code = [
        f"# {text.title}, which learns by {rule.name!r}",
        f"{name} = Synapses({text.pre}, {text.post}, {model!r}, name={name!r},",
        f"    on_pre={{'pre': {text.on_pre!r}, 'hear': {lines['on_pre']!r}}},",
        f"    on_post={{'fire': {lines['on_post']!r}}}, dtype={{{kinds}}},",
        f"    namespace=FUNCTIONS | {{{', '.join(arrays)}}})",
        f"{name}.run_regularly({steps!r}, when='before_synapses', order=-2)" * bool(steps),
        f"{name}.run_regularly({chr(10).join(last)!r}, when='before_synapses', order=2)",
        f"connect({name}, {name!r})",
        f"learn({name}, {name!r}, {round(rule.post_delay / dt)})",
    ]
    return "\n".join(filter(None, code))


def lesson_arrays(
    name: str, lesson: ScriptedRule, places: Array | None
) -> Iterator[tuple[str, Array]]:
    """Yield the arrays of a projection that learns by their names in the script.

    places: of the script's synapses among the weights; None: the same.
    """
    order = np.arange(len(lesson.weights)) if places is None else places
    yield f"places/{name}", order
    for x, values, _ in _timed(lesson):
        yield f"lessons/{name}/{x}", values
    yield f"begins/{name}/learned", lesson.weights[order]
    yield f"begins/{name}/there", lesson.there[order]
    for x in lesson.rule.variables:
        yield f"begins/{name}/own_{x}_own", np.array(float(lesson.rule.initial.get(x, 0.0)))


def _timed(lesson: ScriptedRule) -> Iterator[tuple[str, Array, bool]]:
    """Yield what comes from outside: name, values, and whether there is one for each window."""
    yield from ((f"told_{x}", values, False) for x, values in lesson.signals.items())
    yield from ((f"reward_{x}", values, True) for x, values in lesson.rewards.items())
    yield "given_reward", lesson.given, True


def _written(
    lines: Iterable[Statement], names: dict[str, str], told: Mapping[str, str], when: str = ""
) -> str:
    """Return lines as Brian2's code. when: a condition, else variables keep what they have."""
    made, named = [], dict(names)
    for line in lines:
        x, text = line.variable, line.value.text
        text = f"clip({text}, low, high)" if x == WEIGHT else text
        named.setdefault(x, f"made_{x}")
        made.append((named[x], Expression(f"where({when}, {text}, {x})" if when else text)))
    return "\n".join(assignments(made, {**told, **named}))
