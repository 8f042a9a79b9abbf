"""Write neurons and rules of a description as models of NESTML 9."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from neurorl.errors import UnsupportedError
from neurorl.expressions.expression import Statement
from neurorl.expressions.nodes import Style, render
from neurorl.network.description import Population
from neurorl.rules import SynapseRule

__all__ = ["neuron_model", "own_name", "synapse_model"]

_UNITS = r"(da|[yzafpnumcdhkMGTPEZY])?(A|Bq|C|F|Gy|H|Hz|J|K|N|Ohm|Pa|S|Sv|T|V|W|Wb|cd|g|kat|lm|lx|m"
_WORDS = ("e", "t", "w", "inf", "d", "h", "min", "pi", "dead", "integer", "real", "boolean")
_TAKEN = re.compile("|".join([_UNITS + "|mol|rad|s|sr)", *_WORDS]))
_SAME = ("exp", "min", "max", "abs", "floor", "tanh")
_FORMULAS = {
    "log": "ln({0})",
    "clip": "min(max({0}, {1}), {2})",
    "sqrt": "(({0})**0.5)",
    "sigmoid": "(1 / (1 + exp(-({0}))))",
    "sign": "(({0}) > 0 ? 1 : (({0}) < 0 ? -1 : 0))",
    "trunc": "(({0}) > 0 ? floor({0}) : -floor(-({0})))",
    "where": "(({0}) ? ({1}) : ({2}))",
}


def neuron_model(population: Population, dt: float) -> tuple[str, dict[str, list[float]]]:
    """Return the model ``NAME_neuron`` of a population, and parameters that differ by neuron.

    It makes in each step of *dt* seconds, NEST's resolution, what the description says; the port
    ``arrived_X`` takes spikes for the input X, ``receptor_type`` 1, 2, ... where there are several.
    Raises UnsupportedError for noise, which NESTML draws by NEST's own generator, and for sines.
    """
    plan = population.plan(dt).hoisted()
    where = f"population {population.name!r}"
    if plan.is_noisy or plan.from_outside:
        what = "noise and t have no NESTML of the same bits"
        raise UnsupportedError(where, what, remedy="noise=0, and no xi, rand or t")
    names = _named([*plan.initial, *plan.constants, *plan.inputs, "bias"])
    numbers: dict[str, float] = {}
    values: dict[str, list[float]] = {}
    own = {**plan.constants} | ({} if plan.bias is None else {"bias": plan.bias})
    for x, value in [*own.items(), ("dead_steps", plan.refractory_steps), *plan.initial.items()]:
        array = np.atleast_1d(np.asarray(value, dtype=np.float64))
        numbers[x] = float(array[0])
        if (array != array[0]).any():
            values[names.get(x, x)] = array.tolist()
    update = [f"before_{names[x]} real = {names[x]}" for x in plan.held]
    for x in plan.inputs:
        arrived, is_state = f"arrived_{names[x]} * 1 s", x in plan.initial
        text = f"{names[x]} + {arrived}" if is_state else arrived
        update.append(f"{names[x]}{' real' * (not is_state)} = {text}")
    update += _lines(plan.update, names, where, {*plan.initial, *plan.inputs})
    held = [f"    {names[x]} = before_{names[x]}" for x in plan.held]
    update += [*["if dead > 0:"] * bool(held), *held]
    spikes = render(plan.threshold.tree, _style(where), names)
    reset = [f"    {line}" for line in _lines(plan.reset, names, where, {*plan.initial})]
    update += ["if dead > 0:", "    dead = dead - 1", f"elif {spikes}:", *reset]
    update += ["    dead = dead_steps", "    emit_spike()"]
    parts = [
        (
            "state",
            [f"{names[x]} real = {numbers[x]!r}" for x in plan.initial] + ["dead real = 0.0"],
        ),
        ("parameters", [f"{names.get(x, x)} real = {numbers[x]!r}" for x in [*own, "dead_steps"]]),
        ("input", [f"arrived_{names[x]} <- spike" for x in plan.inputs]),
        ("output", ["spike"]),
    ]
    text = _model(f"{population.name}_neuron", parts, [("update", update)])
    return text, values


def synapse_model(rule: SynapseRule, name: str, low: float, high: float) -> str:
    """Return the model ``NAME_synapse`` of a rule whose weights stay within *low* and *high*.

    It begins an event with what the spike transmits. The lines of a reward run at each spike of the
    volume transmitter, with the modulator as a parameter of its name. Raises UnsupportedError for
    signals, and for several modulators.
    """
    where = f"rule {rule.name!r}"
    if rule.signals or len(rule.modulators) > 1:
        what, remedy = "signals, or several modulators, have no NESTML", "one modulator"
        raise UnsupportedError(where, what, remedy=remedy)
    rewards = rule.modulators if rule.events["on_reward"] else ()
    numbers = {**rule.parameters, "low": low, "high": high} | dict.fromkeys(rewards, 1.0)
    names = _named([*rule.variables, *numbers]) | {"w": "w"}
    own = {*rule.variables, "w"}
    events = {event: [*_lines(of, names, where, own)] for event, of in rule.events.items()}
    style = _style(where)
    slopes = [
        f"{names[x.variable]}' = ({render(x.value.tree, style, names)}) / (1000 ms)"
        for x in rule.derivatives
    ]
    state = [f"{names[x]} real = {float(rule.initial.get(x, 0.0))!r}" for x in rule.variables]
    parts = [
        ("state", ["w real = 1.0", *state]),
        ("parameters", [f"{names[x]} real = {float(value)!r}" for x, value in numbers.items()]),
        *([("equations", slopes)] if slopes else []),
        ("input", [f"{x}_spikes <- spike" for x in ("pre", "post", *("mod",) * bool(rewards))]),
        ("output", ["spike"]),
    ]
    blocks = [(f"onReceive({x}_spikes)", events[f"on_{x}"]) for x in ("post",)]
    blocks += [("onReceive(pre_spikes)", ["emit_spike(w)", *events["on_pre"]])]
    blocks += [("onReceive(mod_spikes)", events["on_reward"])] * bool(rewards)
    blocks += [("update", ["integrate_odes()"])] * bool(slopes)
    return _model(f"{name}_synapse", parts, [block for block in blocks if block[1]])


def _model(
    name: str, parts: Sequence[tuple[str, list[str]]], blocks: Sequence[tuple[str, list[str]]]
) -> str:
    lines = [f"model {name}:"]
    for title, of in (*parts, *blocks):
        lines += [f"    {title}:", *(f"        {line.rstrip()}" for line in of), ""]
    return "\n".join(lines)


def own_name(name: str) -> str:
    """Return the name that a model has for a variable or parameter: some are NESTML's own."""
    return f"{name}_own" if _TAKEN.fullmatch(name) and name != "w" else name


def _named(names: Iterable[str]) -> dict[str, str]:
    return {x: f"{x}_own" if _TAKEN.fullmatch(x) else x for x in names}


def _lines(
    statements: Iterable[Statement], names: dict[str, str], where: str, own: set[str]
) -> Iterator[str]:
    """Yield statements; names that aren't in *own* are declared where they are set first."""
    for x in statements:
        value, is_new = x.value.tree, x.variable not in own
        text = render(value, _style(where), names)
        names.setdefault(x.variable, _named([x.variable])[x.variable])
        own.add(x.variable)
        if x.variable == "w":
            text = f"min(max({text}, {names['low']}), {names['high']})"
        yield f"{names[x.variable]}{' real' * is_new} = {text}"


def _style(where: str) -> Style:
    def call(name: str, arguments: Sequence[str]) -> str:
        if name in _SAME:
            return f"{name}({', '.join(arguments)})"
        if name not in _FORMULAS:
            raise UnsupportedError(where, f"NESTML has no {name}", remedy="write it otherwise")
        return _FORMULAS[name].format(*arguments)

    operators: Mapping[str, str] = {}
    flag = {True: "true", False: "false"}
    return Style(flag=flag.__getitem__, call=call, operators=operators, brackets_all=True)
