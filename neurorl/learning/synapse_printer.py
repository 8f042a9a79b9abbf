"""Print a `neurorl.rules.SynapseRule` as C++, with the bits of `SynapseEvents`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence

from neurorl.expressions.expression import Statement
from neurorl.expressions.methods import Updates
from neurorl.native.build import CppSource, call, declared, lasting
from neurorl.rules.synapse_rule import WEIGHT, SynapseRule, owner_of

_WINDOW = """extern "C" void neurorl_synapses(const int64_t *const shape, void *const *const at)
{
const int64_t n_steps = shape[0], n_pre = shape[1], n_post = shape[2], n_synapses = shape[3];
const int64_t n_delays = shape[4];"""
_REWARD = """extern "C" void neurorl_reward(const int64_t *const shape, void *const *const at)
{
const int64_t n_replicas = shape[0], each = shape[1];"""
_ENDS = ("pre_of", "post_of", "by_post", "pre_by_post")
_INTEGERS = ("delay", "delays", "pre_start", "post_start")
_AHEAD = 24
"""Fetch what so many synapses on will be needed: those of a postsynaptic neuron lie far apart."""
_IN_A_LINE = 8
INVERSE, UNIT = "1/unit of the grid", "unit of the grid"
_BYTES = ("arrived", "spikes")


class SynapsePrinter:
    """Print what a rule does in a window, for arrays of these names, in this order.

    updates: of the equations by owner, `SynapseRule.updates`. has_delays: whether synapses have
    several.

    names: ``number``, constants in the order of *numbers*; integers and rasters as
    `SynapseEvents` has them; ``step_NAME``, 1 where a signal differs in every step;
    ``told_NAME``, signals; ``x_NAME``, variables of neurons; ``synapse``, the weight and the
    variables of each synapse, *width* numbers side by side at the places *kept*; ``in_force``,
    where weights are written once they changed, on the grid then, or null.
    """

    def __init__(
        self,
        rule: SynapseRule,
        updates: Mapping[str, Updates],
        numbers: Sequence[str],
        has_delays: bool,
    ) -> None:
        self._rule, self._updates, self._has_delays = rule, updates, has_delays
        self._numbers = {name: f"number[{k}]" for k, name in enumerate(numbers)}
        kept = (WEIGHT, *rule.of("synapse"))
        self.width = _width(len(kept))
        self.kept = {x: k for k, x in enumerate(kept)}
        doubles = ["number", "synapse", "in_force"]
        doubles += [f"x_{x}" for x in rule.variables if x not in self.kept]
        doubles += [f"told_{x}" for x in (*rule.signals, *rule.modulators)]
        integers = [*_INTEGERS, *(f"step_{x}" for x in rule.signals)]
        kinds = {**dict.fromkeys(doubles, "double"), **dict.fromkeys(integers, "int64_t")}
        kinds |= {**dict.fromkeys(_ENDS, "int32_t"), **dict.fromkeys(_BYTES, "uint8_t")}
        self.names = tuple(kinds)
        window = [_WINDOW, *declared(kinds), *self._body(), "}"]
        reward = [_REWARD, *declared(kinds), *self._reward(), "}", ""]
        self._source = "\n".join(['#include "expressions.h"', *window, *reward])

    def run(self, function: str, shape: Sequence[int], places: Mapping[str, int]) -> None:
        """Call ``neurorl_synapses`` or ``neurorl_reward``. Raises BackendError without a compiler.

        shape: steps, neurons of both sides, synapses, delays; or replicas, and synapses of each.
        places: where arrays are, by name.
        """
        library = lasting(CppSource(self._source), "rule of synapses", "mend the compiler")
        call(getattr(library, function), shape, map(places.get, self.names))

    def _reward(self) -> Iterator[str]:
        """Yield what a reinforcement does in all synapses, line by line in each."""
        told = {x: f"told_{x}[r]" for x in self._rule.modulators}
        yield "for (int64_t r = 0; r < n_replicas; r++)"
        yield "#pragma GCC ivdep"
        yield "for (int64_t i = r * each; i < (r + 1) * each; i++) {"
        for line in self._rule.events["on_reward"]:
            yield from self._set(line, "i", self._cpp(line, self._at("synapse", "i") | told))
        yield from self._settle()
        yield "}"

    def _settle(self) -> Iterator[str]:
        """Yield what brings the weight of synapse i into force."""
        inverse, unit = self._numbers[INVERSE], self._numbers[UNIT]
        w = self._place(WEIGHT, "i")
        yield f"if (in_force) in_force[i] = {w} = __builtin_rint({w} * {inverse}) * {unit};"

    def _body(self) -> Iterator[str]:
        yield "for (int64_t t = 0; t < n_steps; t++) {"
        for owner, size in (("pre", "n_pre"), ("post", "n_post"), ("synapse", "n_synapses")):
            if self._updates[owner].statements:
                yield f"for (int64_t i = 0; i < {size}; i++) {{"
                yield from self._advance(owner)
                yield "}"
        yield "for (int64_t d = 0; d < n_delays; d++) {"
        yield "const uint8_t *const row = arrived + (d * n_steps + t) * n_pre;"
        yield from self._event("on_pre", "pre", "n_pre")
        yield "}"
        yield "const uint8_t *const row = spikes + t * n_post;"
        yield from self._event("on_post", "post", "n_post")
        yield "}"
        if self._rule.changes_in_steps:
            yield "for (int64_t i = 0; i < n_synapses; i++) {"
            yield from self._settle()
            yield "}"

    def _advance(self, owner: str) -> Iterator[str]:
        """Yield the statements of a step for entry i."""
        updates = self._updates[owner]
        made: dict[str, str] = {}
        for line in updates.statements:
            names = self._at(owner, "i") | made
            value = line.value.cpp({x: names[x] for x in line.value.names})
            if line.variable in self._rule.variables or line.variable == WEIGHT:
                yield from self._set(line, "i", value)
            else:
                made[line.variable] = f"own_{line.variable}"
                yield f"const double own_{line.variable} = {value};"

    def _event(self, event: str, side: str, size: str) -> Iterator[str]:
        """Yield what happens at the spikes of a row."""
        lines = self._rule.events[event]
        if not lines:
            return
        yield f"for (int64_t j = 0; j < {size}; j++) {{ if (!row[j]) continue;"
        for is_own, of_owner in itertools.groupby(lines, lambda line: line.variable in self.kept):
            if is_own:
                yield from self._of_synapses(side, [*of_owner])
                continue
            for line in of_owner:
                yield from self._set(line, "j", self._cpp(line, self._at(side, "j")))
        yield "}"

    def _of_synapses(self, side: str, lines: Sequence[Statement]) -> Iterator[str]:
        """Yield what lines do in the synapses of neuron j, which are different ones."""
        yield "#pragma GCC ivdep"
        yield f"for (int64_t k = {side}_start[j], last = {side}_start[j + 1]; k < last; k++) {{"
        if side == "pre":  # their order
            yield "const int64_t i = k;"
            if self._has_delays:
                yield "if (delay[i] != delays[d]) continue;"
            names = self._at("synapse", "i", pre="j")
        else:
            yield f"const int64_t i = by_post[k], ahead = k + {_AHEAD};"
            fetched = self._place(WEIGHT, "by_post[ahead]")
            yield f"if (ahead < n_synapses) __builtin_prefetch(&{fetched}, 1);"
            names = self._at("synapse", "i", pre="pre_by_post[k]", post="j")
        for line in lines:
            yield from self._set(line, "i", self._cpp(line, names))
        yield "}"

    def _cpp(self, line: Statement, names: Mapping[str, str]) -> str:
        return line.value.cpp({x: names[x] for x in line.value.names})

    def _set(self, line: Statement, at: str, value: str) -> Iterator[str]:
        if line.variable == WEIGHT:
            low, high = self._numbers["low"], self._numbers["high"]
            value = f"neurorl_clip({value}, {low}, {high})"
        yield f"{self._place(line.variable, at)} = {value};"

    def _place(self, name: str, at: str) -> str:
        """Return where a variable stands for an entry of its owner."""
        if name in self.kept:
            return f"synapse[{self.width} * ({at}) + {self.kept[name]}]"
        return f"x_{name}[{at}]"

    def _at(self, owner: str, at: str, pre: str = "", post: str = "") -> dict[str, str]:
        """Return where each name stands for an entry of an owner; pre, post: a synapse's ends."""
        ends = {owner: at}
        if owner == "synapse":
            ends |= {"pre": pre or f"pre_of[{at}]", "post": post or f"post_of[{at}]"}
        names = dict(self._numbers)
        for x in (WEIGHT, *self._rule.variables):
            if owner_of(x) in ends:
                names[x] = self._place(x, ends[owner_of(x)])
        if "post" in ends:
            at_post = ends["post"]
            names |= {
                x: f"told_{x}[t * step_{x}[0] * n_post + {at_post}]" for x in self._rule.signals
            }
        return names


def _width(n: int) -> int:
    """Return how many numbers of a synapse stand side by side, so that few lie on two lines."""
    if n > _IN_A_LINE:
        return -(-n // _IN_A_LINE) * _IN_A_LINE
    return 1 << (n - 1).bit_length()
