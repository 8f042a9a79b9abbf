"""Print a `neurorl.rules.SynapseRule` as C++, with the bits of `SynapseEvents`."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from neurorl.expressions.methods import Updates
from neurorl.expressions.statements import Statement
from neurorl.native.build import CppSource, compiled
from neurorl.numerics.arrays import Array
from neurorl.rules.synapse_rule import WEIGHT, SynapseRule, owner_of

_HEAD = """#include "expressions.h"
extern "C" void neurorl_synapses(const int64_t *const shape, void *const *const at)
{
const int64_t n_steps = shape[0], n_pre = shape[1], n_post = shape[2], n_synapses = shape[3];
const int64_t n_delays = shape[4];"""
_INTEGERS = ("pre_of", "post_of", "delay", "delays", "by_pre", "by_post", "pre_start", "post_start")
_BYTES = ("arrived", "spikes")


class SynapsePrinter:
    """Print what a rule does in a window, for arrays of these names, in this order.

    updates: of the equations by owner, `SynapseRule.updates`.

    names: ``number``, constants in the order of *numbers*; integers and rasters as
    `SynapseEvents` has them; ``step_NAME``, 1 where a signal differs in every step;
    ``told_NAME``, signals; ``x_NAME``, variables; ``w``.
    """

    def __init__(
        self, rule: SynapseRule, updates: Mapping[str, Updates], numbers: Sequence[str]
    ) -> None:
        self._rule, self._updates = rule, updates
        self._numbers = {name: f"number[{k}]" for k, name in enumerate(numbers)}
        doubles = ["number", WEIGHT, *(f"x_{x}" for x in rule.variables)]
        doubles += [f"told_{x}" for x in rule.signals]
        integers = [*_INTEGERS, *(f"step_{x}" for x in rule.signals)]
        kinds = {**dict.fromkeys(doubles, "double"), **dict.fromkeys(integers, "int64_t")}
        kinds |= dict.fromkeys(_BYTES, "uint8_t")
        self.names = tuple(kinds)
        declared = (
            f"{kind} *const {name} = ({kind} *)at[{k}];"
            for k, (name, kind) in enumerate(kinds.items())
        )
        self.source = "\n".join([_HEAD, *declared, *self._body(), "}", ""])

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
        for line in lines:
            if owner_of(line.variable) != "synapse":
                names = self._at(side, "j")
                yield from self._set(line, "j", self._cpp(line, names))
                continue
            yield f"for (int64_t k = {side}_start[j]; k < {side}_start[j + 1]; k++) {{"
            yield f"const int64_t i = by_{side}[k];"
            if side == "pre":
                yield "if (n_delays > 1 && delay[i] != delays[d]) continue;"
            yield from self._set(line, "i", self._cpp(line, self._at("synapse", "i")))
            yield "}"
        yield "}"

    def _cpp(self, line: Statement, names: Mapping[str, str]) -> str:
        return line.value.cpp({x: names[x] for x in line.value.names})

    def _set(self, line: Statement, at: str, value: str) -> Iterator[str]:
        if line.variable == WEIGHT:
            low, high = self._numbers["low"], self._numbers["high"]
            yield f"{WEIGHT}[{at}] = neurorl_clip({value}, {low}, {high});"
        else:
            yield f"x_{line.variable}[{at}] = {value};"

    def _at(self, owner: str, at: str) -> dict[str, str]:
        """Return where each name stands for an entry of an owner."""
        ends = {"synapse": at, "pre": f"pre_of[{at}]", "post": f"post_of[{at}]"}
        if owner != "synapse":
            ends = {owner: at}
        names = dict(self._numbers)
        names |= {
            x: f"x_{x}[{ends[owner_of(x)]}]" for x in self._rule.variables if owner_of(x) in ends
        }
        if owner == "synapse":
            names[WEIGHT] = f"{WEIGHT}[{at}]"
        if "post" in ends:
            at_post = ends["post"]
            names |= {
                x: f"told_{x}[t * step_{x}[0] * n_post + {at_post}]" for x in self._rule.signals
            }
        return names


def run(printer: SynapsePrinter, shape: Sequence[int], arrays: Mapping[str, Array]) -> None:
    """Run a window. shape: steps, neurons of both sides, synapses, delays. arrays: by name."""
    at = (ctypes.c_void_p * len(printer.names))(*(arrays[x].ctypes.data for x in printer.names))
    _function(printer.source)((ctypes.c_int64 * len(shape))(*shape), at)


@functools.cache
def _function(source: str) -> Callable[..., Any]:
    """Return the function of printed code. Raises BackendError if it doesn't compile."""
    library = compiled(CppSource(source), "synapse rule", "make it work without a compiler: none")
    library.neurorl_synapses.restype = None
    function: Callable[..., Any] = library.neurorl_synapses
    return function
