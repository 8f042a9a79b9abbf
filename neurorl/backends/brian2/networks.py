"""Read the objects of a network of Brian2: groups, synapses, and rules that change weights."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from neurorl.backends.brian2 import reading
from neurorl.backends.brian2.cells import GroupNeurons
from neurorl.backends.brian2.language import own_name, statements
from neurorl.backends.brian2.reading import (
    Namespace,
    Part,
    PoissonInput,
    Scope,
    SpikeCode,
    number,
    refusal,
    whole_name,
)
from neurorl.expressions import nodes as trees
from neurorl.expressions.expression import Expression, read_statements
from neurorl.expressions.linear import NotLinearError, linear
from neurorl.models import Synapses
from neurorl.network.description import Network, Node, Plasticity, Projection, Source
from neurorl.network.limits import free_name
from neurorl.numerics.arrays import Array
from neurorl.rules import SynapseRule
from neurorl.storage.plain import PlainData

_OF_RULES = ("w", "low", "high")
Spikes = tuple[Array, Array, int]


class Transmission(NamedTuple):
    """Hold a line that adds *value* to the neurons' *target*.

    learned: the synapses' variable in *value* that lines set; None if there is none.
    """

    path: SpikeCode
    target: str
    value: Expression
    learned: str | None


def read(
    network: Part, namespace: Namespace
) -> tuple[Network, dict[str, SynapseRule], dict[str, Spikes], dict[str, Array]]:
    """Return the description, rules by projection, spikes and rates; see `neurorl.brian2`."""
    kinds = reading.objects_of(network)
    parts = [part for several in kinds.values() for part in several]
    steps = sorted({float(part.clock.dt_) for part in parts})
    if len(steps) != 1:
        what = "clocks of several dt" if steps else "no objects"
        raise refusal(None, "", what, steps, "one dt" if steps else "take brian2.collect()")
    lines = [SynapseLines(part, namespace, steps[0]) for part in kinds["Synapses"]]
    drawn = [PoissonInput(part) for part in kinds["PoissonInput"]]
    no_group = ("Synapses", "PoissonInput")
    groups = {str(part.name): part for part in parts if type(part).__name__ not in no_group}
    for one in lines:
        for name in (one.pre, one.post):
            if name not in groups:
                raise refusal(one.synapses, "", "an end isn't in the network", name, "add it")
    cells = {}
    for group in kinds["NeuronGroup"]:
        wires = [wire for one in lines if one.post == group.name for wire in one.wires]
        targets = {x.target for x in wires} | {x.target for x in drawn if x.post == group.name}
        cells[str(group.name)] = GroupNeurons(group, sorted(targets), namespace, steps[0])
    generators, poisson = kinds["SpikeGeneratorGroup"], kinds["PoissonGroup"]
    sources = (Source(str(group.name), int(group.N)) for group in (*generators, *poisson))
    inputs = (Source(x.name, x.n * len(x.neurons)) for x in drawn)
    nodes: tuple[Node, ...] = (*sources, *inputs, *(each.population for each in cells.values()))
    taken = {*groups, *(x.name for x in drawn)}
    projections, rules = [], {}
    for each in drawn:
        if each.post not in cells:
            raise refusal(None, each.name, "its group isn't in the network", each.post, "add it")
        name, target = free_name(each.name, taken), cells[each.post].inputs[each.target]
        ends = np.arange(each.n * len(each.neurons)), np.repeat(each.neurons, each.n)
        how: PlainData = {"delay": steps[0], "target": target, "connect": Synapses(*ends)}
        projections.append(Projection(name, each.name, each.post, each.weight, **how))
    for one in lines:
        for wire in one.wires:
            name = free_name(str(one.synapses.name), taken)
            projections.append(one.projection(wire, name, cells[one.post].inputs[wire.target]))
            if wire.learned is not None:
                rules[name] = one.rule(wire, wire.learned)
    spikes = {str(group.name): reading.spike_steps(group, steps[0]) for group in generators}
    rates = {str(group.name): _rates(group, namespace) for group in poisson}
    rates |= {each.name: np.array(each.rate) for each in drawn}
    return Network(nodes, tuple(projections), steps[0]), rules, spikes, rates


def _rates(group: Part, namespace: Namespace) -> Array:
    """Return the rates of a PoissonGroup in Hz."""
    scope = Scope(group, namespace, {})
    formula = Expression(scope.text("rates", "rates"))
    if not {*formula.names} <= {*scope.parameters}:
        remedy = "give neurorl.Poisson(rates) a rate for each step"
        raise refusal(group, "rates", "change in time", formula.text, remedy)
    return formula.evaluate(scope.parameters)


class SynapseLines:
    """Hold what synapses do at spikes: lines that add to neurons, and lines that set their own."""

    def __init__(self, synapses: Part, namespace: Namespace, dt: float) -> None:
        self.synapses, self._dt = synapses, dt
        self.pre, self.post = whole_name(synapses.source), whole_name(synapses.target)
        own = {**dict(synapses.equations), **dict(synapses.event_driven or {})}
        names = {x: own_name(x) for x, eq in own.items() if eq.type != "subexpression"}
        self._scope = Scope(synapses, namespace, names)
        self._slopes = {x: eq for x, eq in own.items() if eq.type == "differential equation"}
        lines = [
            (path, *line)
            for path in reading.pathways(synapses, dt)
            for line in statements(path.code, f"from_brian2, {synapses.name}, on_{path.side}")
        ]
        self._sets = [line for line in lines if line[1] in names]
        self._moving = {*self._slopes, *(x for _, x, _ in self._sets)}
        self.wires = [
            self._wire(*line, {x for path, x, _ in lines[:k] if path is line[0]})
            for k, line in enumerate(lines)
            if line[1] not in names
        ]
        if self._moving and sum(wire.learned is not None for wire in self.wires) != 1:
            what, remedy = "not one line transmits what learns", "on_pre='X_post += w; ...'"
            raise refusal(synapses, "", what, sorted(self._moving), remedy)

    def _wire(self, path: SpikeCode, target: str, text: str, before: set[str]) -> Transmission:
        """Return a line that adds to neurons. before: what lines above it have set."""
        scope, place = self._scope, f"on_{path.side}"
        at = self.synapses.variables.indices.get(target)
        into = Scope(self.synapses, scope.namespace, scope.variables | {target: "into"})
        parts = _factor(into.text(place, text), "into") if at == "_postsynaptic_idx" else None
        if path.side != "pre" or parts is None or parts[0] != trees.Number(1.0):
            got, remedy = f"{target} = {text}", "X_post += ... in on_pre"
            raise refusal(self.synapses, place, "such a line isn't held", got, remedy)
        scope.parameters |= into.parameters
        value = Expression.of(parts[1] or trees.Number(0.0))
        if not {"t", "rand"}.isdisjoint(value.names):
            what, remedy = "transmits another number each time", "numbers of the synapse"
            raise refusal(self.synapses, place, what, text, remedy)
        learned = [x for x in self._moving if own_name(x) in value.names]
        if len(learned) > 1 or before & {*learned}:
            remedy = "begin with X_post += w, one variable; what fades is a TsodyksMarkram here"
            raise refusal(self.synapses, place, "adds what was set before", text, remedy)
        return Transmission(path, target.removesuffix("_post"), value, (*learned, None)[0])

    def projection(self, wire: Transmission, name: str, target: str) -> Projection:
        """Return a line as a projection of this name to an input of the neurons."""
        pre, post = reading.ends(self.synapses)
        variables = self.synapses.variables
        values = {own: number(variables[x]) for x, own in self._scope.variables.items()}
        weights = wire.value.evaluate({"dt": self._dt} | values | self._scope.parameters)
        delay = (np.asarray(wire.path.steps) + 1) * self._dt
        plasticity = None
        if wire.learned is not None:
            ends = sorted(self._scale(wire) * x for x in self._bounds(wire.learned))
            plasticity = Plasticity(0.0, *ends)
        return Projection(
            name,
            self.pre,
            self.post,
            np.broadcast_to(weights, pre.shape),
            delay=delay if delay.ndim else float(delay),
            plasticity=plasticity,
            target=target,
            connect=Synapses(pre, post, multapses=True),
        )

    def _scale(self, wire: Transmission) -> float:
        """Return c of a line that adds c times what is learned."""
        parts = _factor(wire.value.text, own_name(wire.learned or ""))
        known = {*self._scope.parameters}
        if parts is None or parts[1] is not None or not {*trees.names_in(parts[0])} <= known:
            what, remedy = "not in proportion to what learns", "add it, or a number times it"
            raise refusal(self.synapses, "on_pre", what, wire.value.text, remedy)
        return float(Expression.of(parts[0]).evaluate(self._scope.parameters))

    def _bounds(self, learned: str) -> tuple[float, ...]:
        """Return the bounds to which every line that sets a variable clips it."""
        found = set()
        for _, x, text in self._sets:
            tree = Expression(self._scope.text(x, text)).tree
            if x == learned and isinstance(tree, trees.FunctionCall) and tree.function == "clip":
                ends = [Expression.of(end) for end in tree.arguments[1:]]
                found.add(tuple(float(end.evaluate(self._scope.parameters)) for end in ends))
            elif x == learned:
                found.add(())
        if len(found) != 1 or () in found or learned in self._slopes:
            remedy = f"{learned} = clip(..., low, high), in every line, of the same numbers"
            raise refusal(self.synapses, learned, "isn't kept within bounds", remedy=remedy)
        return found.pop()

    def rule(self, wire: Transmission, learned: str) -> SynapseRule:
        """Return what sets the synapses' variables; what is transmitted is w there."""
        synapses, scale, namespace = self.synapses, self._scale(wire), self._scope.namespace
        names = {x: f"{x}_own" if x in _OF_RULES else own_name(x) for x in self._moving}
        weight = "w" if scale == 1.0 else f"(w/({scale}))"
        scope = Scope(synapses, namespace, names | {learned: weight})
        events: dict[str, list[str]] = {"pre": [], "post": []}
        post_delay = 0.0
        for path, x, text in self._sets:
            value, is_weight = scope.assigned(f"on_{path.side}", x, text), x == learned
            value = f"{scale}*({value})" if is_weight and scale != 1.0 else value
            events[path.side].append(f"{'w' if is_weight else names[x]} = {value}")
            steps = wire.path.steps if path.side == "pre" else np.max(path.steps, initial=0)
            if not np.array_equal(path.steps, steps):
                what, remedy = "differ from when it transmits, or among on_post", "one delay"
                raise refusal(synapses, "delay", what, remedy=remedy)
            post_delay = (float(steps) + 1) * self._dt if path.side == "post" else post_delay
        method = reading.method_of(synapses, namespace) or "exact"
        if method != "exact" and synapses.event_driven:
            what, remedy = "event-driven beside another method", "(clock-driven) for all"
            raise refusal(synapses, "method", what, method, remedy)
        slopes = [
            f"d{names[x]}/dt = {scope.text(x, eq.expr.code)}" for x, eq in self._slopes.items()
        ]
        lines = "\n".join((*slopes, *events["pre"], *events["post"]))
        found = read_statements(lines, str(synapses.name), derivatives=True)
        read = {name for line in found for name in line.value.names}
        parameters = {x: value for x, value in scope.parameters.items() if x in read}
        initial = {names[x]: number(synapses.variables[x]) for x in names if x != learned}
        for x, given in (parameters | initial).items():
            if not isinstance(given, float):
                raise refusal(synapses, x, "differs between synapses", remedy="one number for all")
        return SynapseRule(
            str(synapses.name)[:60],
            equations="\n".join(slopes),
            on_pre="\n".join(events["pre"]),
            on_post="\n".join(events["post"]),
            method=method,
            parameters=parameters,
            initial=initial,
            post_delay=post_delay,
        )


def _factor(text: str, name: str) -> tuple[trees.Node, trees.Node | None] | None:
    """Return a and b of a formula ``a*name + b``; None for others."""
    try:
        parts = linear(Expression(text).tree, (name,))
    except NotLinearError:
        return None
    return (parts.coefficients[name], parts.rest) if name in parts.coefficients else None
