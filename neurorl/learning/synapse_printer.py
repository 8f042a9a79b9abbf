"""Print a `neurorl.rules.SynapseRule` as C++, with the bits of `SynapseEvents`."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from neurorl.expressions.expression import Statement
from neurorl.expressions.methods import Updates
from neurorl.native.build import CppSource, compiled
from neurorl.numerics.arrays import Array
from neurorl.rules.synapse_rule import WEIGHT, SynapseRule, owner_of

_WINDOW = """extern "C" void neurorl_synapses(const int64_t *const shape, void *const *const at)
{
const int64_t n_steps = shape[0], n_pre = shape[1], n_post = shape[2], n_synapses = shape[3];
const int64_t n_delays = shape[4];"""
_REWARD = """extern "C" void neurorl_reward(const int64_t *const shape, void *const *const at)
{
const int64_t n_replicas = shape[0], each = shape[1];"""
_ENDS = ("pre_of", "post_of", "by_post")
_INTEGERS = ("delay", "delays", "pre_start", "post_start")
_AHEAD = 24
"""Fetch what so many synapses on will be needed: those of a postsynaptic neuron lie far apart."""
_BYTES = ("arrived", "spikes")


class SynapsePrinter:
    """Print what a rule does in a window, for arrays of these names, in this order.

    updates: of the equations by owner, `SynapseRule.updates`. has_delays: whether synapses have
    several.

    names: ``number``, constants in the order of *numbers*; integers and rasters as
    `SynapseEvents` has them; ``step_NAME``, 1 where a signal differs in every step;
    ``told_NAME``, signals; ``x_NAME``, variables; ``w``.
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
        doubles = ["number", WEIGHT, *(f"x_{x}" for x in rule.variables)]
        doubles += [f"told_{x}" for x in (*rule.signals, *rule.modulators)]
        integers = [*_INTEGERS, *(f"step_{x}" for x in rule.signals)]
        kinds = {**dict.fromkeys(doubles, "double"), **dict.fromkeys(integers, "int64_t")}
        kinds |= {**dict.fromkeys(_ENDS, "int32_t"), **dict.fromkeys(_BYTES, "uint8_t")}
        self.names = tuple(kinds)
        declared = [
            f"{kind} *const {name} = ({kind} *)at[{k}];"
            for k, (name, kind) in enumerate(kinds.items())
        ]
        window = [_WINDOW, *declared, *self._body(), "}"]
        reward = [_REWARD, *declared, *self._reward(), "}", ""]
        self.source = "\n".join(['#include "expressions.h"', *window, *reward])

    def _reward(self) -> Iterator[str]:
        """Yield what a reinforcement does in all synapses, line by line in each."""
        told = {x: f"told_{x}[r]" for x in self._rule.modulators}
        yield "for (int64_t r = 0; r < n_replicas; r++)"
        yield "#pragma GCC ivdep"
        yield "for (int64_t i = r * each; i < (r + 1) * each; i++) {"
        for line in self._rule.events["on_reward"]:
            yield from self._set(line, "i", self._cpp(line, self._at("synapse", "i") | told))
        yield "}"

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
            yield "#pragma GCC ivdep"  # a neuron's synapses are different ones
            yield f"for (int64_t k = {side}_start[j], last = {side}_start[j + 1]; k < last; k++) {{"
            if side == "pre":  # their order
                yield "const int64_t i = k;"
                if self._has_delays:
                    yield "if (delay[i] != delays[d]) continue;"
            else:
                yield f"const int64_t i = by_post[k], ahead = k + {_AHEAD};"
                for name in self._of_synapses(line):
                    yield f"if (ahead < last) __builtin_prefetch({name} + by_post[ahead], 1);"
            yield from self._set(line, "i", self._cpp(line, self._at("synapse", "i")))
            yield "}"
        yield "}"

    def _of_synapses(self, line: Statement) -> Iterator[str]:
        """Yield the arrays with a number for each synapse that a line touches."""
        for name in dict.fromkeys((line.variable, *line.value.names)):
            if name == WEIGHT:
                yield WEIGHT
            elif name in self._rule.variables:
                owner = owner_of(name)
                yield f"x_{name}" if owner == "synapse" else f"{owner}_of"

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


def run_window(printer: SynapsePrinter, shape: Sequence[int], arrays: Mapping[str, Array]) -> None:
    """Run a window. shape: steps, neurons of both sides, synapses, delays. arrays: by name."""
    _call(_library(printer.source).neurorl_synapses, printer, shape, arrays)


def run_reward(printer: SynapsePrinter, shape: Sequence[int], arrays: Mapping[str, Array]) -> None:
    """Run a reinforcement. shape: replicas, and synapses of each. arrays: by name."""
    _call(_library(printer.source).neurorl_reward, printer, shape, arrays)


def _call(
    function: Callable[..., Any],
    printer: SynapsePrinter,
    shape: Sequence[int],
    arrays: Mapping[str, Array],
) -> None:
    places = (arrays[x].ctypes.data if x in arrays else None for x in printer.names)
    at = (ctypes.c_void_p * len(printer.names))(*places)
    function((ctypes.c_int64 * len(shape))(*shape), at)


@functools.cache
def _library(source: str) -> ctypes.CDLL:
    """Return the library of printed code. Raises BackendError if it doesn't compile."""
    library = compiled(CppSource(source), "rule of synapses", "mend the compiler")
    for name in ("neurorl_synapses", "neurorl_reward"):
        getattr(library, name).restype = None
    return library
