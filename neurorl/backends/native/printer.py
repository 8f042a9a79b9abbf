"""Print a program as one C++ file, whose memory is arrays that the caller holds, and compile it.

Values are in the arrays, so a library has no memory of its own. Sizes are constants of the code, or
are read from an array too: such code is slower, and all networks of one structure share it.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from neurorl.errors import NotShippedError
from neurorl.expressions.nodes import CPP, FunctionCall, nodes_of, render
from neurorl.native import SOURCES, toolchain
from neurorl.native.build import CppSource, compiled, declared, has_library, is_shipped
from neurorl.numerics.arrays import Array, zeros_on_lines
from neurorl.numerics.random import LOGISTIC_BITS
from neurorl.program import Program, ProjectionProgram

_CPP = {"f8": "double", "f4": "float", "i8": "int64_t", "i4": "int32_t", "u4": "uint32_t"}
_CPP |= {"i2": "int16_t", "u1": "uint8_t"}
_SHORT = replace(CPP, number=lambda value: f"{value.hex()}f")
"""Print formulas of a node with limits, in 32 bits: twice as many of its numbers fit a vector."""


class Table:
    """List arrays by name, with the dtype and size of each, in the order of their addresses."""

    def __init__(self) -> None:
        self._arrays: dict[str, tuple[str, int]] = {}
        self.sizes: dict[str, int] = {}  # which differ between networks of one structure

    def add(self, name: str, dtype: str, size: int) -> str:
        """Add an array unless it is there, and return its name."""
        self._arrays.setdefault(name, (dtype, size))
        return name

    def declarations(self) -> list[str]:
        """Return the C++ that gives each array its name."""
        return declared({name: _CPP[dtype] for name, (dtype, _) in self._arrays.items()})

    def allocated(self, own: Mapping[str, Array]) -> dict[str, Array]:
        """Return the arrays by name, all 0 but those of the caller's own."""
        return {
            name: own[name] if name in own else zeros_on_lines((size,), dtype)
            for name, (dtype, size) in self._arrays.items()
        }


_LONG = frozenset({"cos", "exp", "log", "sigmoid", "sin", "tanh", "trunc"})
"""Name functions after which a loop has no registers left for the bytes of a threshold."""


class NodePrinter:
    """Print node number *k* of a program, whose arrays are added to a table."""

    def __init__(self, program: Program, k: int, table: Table) -> None:
        self._k, self._node, self._replicas = k, program.nodes[k], program.n_replicas
        self._program = program
        node, n = self._node, self._node.size
        kinds = [other.is_source for other in program.nodes[:k]]
        self._number = kinds.count(node.is_source)  # among sources, or among populations
        self._locals = {*(line.variable for line in node.update), *node.inputs}
        own, self._style = ("f8", CPP) if node.limits is None else ("f4", _SHORT)
        self._own, self._vectors = _CPP[own], "#pragma GCC ivdep"
        if node.limits is not None:  # else the compiler writes out the loops of few neurons
            self._vectors += "\n#pragma GCC unroll 1"
        self._size, table.sizes[f"size{k}"] = f"size{k}", n // self._replicas
        self._all = self._size + " * replicas" * (self._replicas > 1)
        table.add(f"row{k}", "i4", node.depth * (n + self._replicas))
        for x, value in node.constants.items():
            table.add(f"constant{k}_{x}", own, value.size)
        drawn = [x for x, draw in node.draws.items() if draw.stream is not None]
        for kind, type_, size, names in (
            ("state", own, n, node.initial),
            ("initial", own, n, node.initial),
            ("q", "f8", n, node.inputs if node.limits is None else ()),
            ("kept", "f8", n, node.kept),
            ("released", own, node.depth * n, node.releases),
            ("next", "i8", self._replicas, drawn),
            ("words", "u4", 4 * n, drawn),
        ):
            for x in names:
                table.add(f"{kind}{k}_{x}", type_, size)
        for name, type_, is_needed in (
            ("bias", own, node.has_bias),
            ("dead", "i4", node.refractory is not None),
            ("refractory", "i4", node.refractory is not None),
            ("over", "u1", not node.is_source),
        ):
            if is_needed:
                table.add(f"{name}{k}", type_, n)

    def fresh(self) -> Iterator[str]:
        """Yield the code that returns the node to its initial state, without spikes on the way."""
        k, node = self._k, self._node
        yield self._range()
        for step in range(node.depth):
            yield f"row{k}[{self._row(step)} + first + end] = 0;"
        for x in node.initial:
            to, initial = f"state{k}_{x} + begin", f"initial{k}_{x} + begin"
            yield f"memcpy({to}, {initial}, sizeof *state{k}_{x} * (end - begin));"
        if node.refractory is not None:
            yield f"memset(dead{k} + begin, 0, sizeof(int32_t) * (end - begin));"
        yield "}"

    def _row(self, step: object) -> str:
        """Return where the row of a place in the ring begins."""
        return "0" if step == 0 else f"{step} * ({self._all} + {_replicas(self._replicas)})"

    def _range(self) -> str:
        """Return the code that opens a block with the range of the node's neurons."""
        return f"{{ const int begin = first * {self._size}, end = last * {self._size};"

    def shared(self) -> Iterator[str]:
        """Yield the constants that all neurons have in common."""
        for x, value in self._node.constants.items():
            if not value.ndim:
                yield f"const {self._own} shared{self._k}_{x} = constant{self._k}_{x}[0];"

    def step(self) -> Iterator[str]:
        """Yield the code of a step, after all that arrives in it was added."""
        k, node, n = self._k, self._node, self._all
        ring = f"ring_row(t, {node.depth})" if node.depth > 1 else ""
        yield self._range()
        yield f"int32_t *const row = row{k} + {self._row(ring or 0)} + first + begin;"
        for x in node.releases:
            yield f"auto *const to_{x} = released{k}_{x}{ring and f' + {ring} * {n}'};"
        if node.is_source:
            yield f"const uint8_t *const over{k} = in[{self._number}] + s * {n};"
        if node.update or node.threshold is not None:
            yield from self._neurons()
        yield f"neurorl_list_spikes(over{k}, row, begin, end);"
        if not node.is_source:
            out = f"out[{self._number}]"
            yield f"if ({out}) memcpy({out} + s * {n} + begin, over{k} + begin, end - begin);"
        yield from self._reset()
        yield "}"

    def _in_memory(self) -> dict[str, str]:
        """Return where each name is outside of a loop's own variables."""
        k, node = self._k, self._node
        names = {x: f"kept{k}_{x}[i]" for x in node.kept}
        for x, value in node.constants.items():
            names[x] = f"constant{k}_{x}[i]" if value.ndim else f"shared{k}_{x}"
        names |= {x: f"state{k}_{x}[i]" for x in node.initial}
        return names | ({"bias": f"bias{k}[i]"} if node.names_bias else {})

    def _drawn(self, x: str) -> str:
        """Return the draw of a neuron by its name."""
        word, is_logistic = f"word_{x}[i]", self._node.draws[x].is_logistic
        if self._node.draws[x].stream is None:
            return f"step_{x}"
        return f"logistic[{word} >> {32 - LOGISTIC_BITS}]" if is_logistic else f"(double){word}"

    def _neurons(self) -> Iterator[str]:
        """Yield the loops over all neurons, for each replica if they draw numbers."""
        k, node, size = self._k, self._node, self._size
        one_by_one = self._replicas > 1 and bool(node.draws)
        begin, end = ("from", f"from + {size}") if one_by_one else ("begin", "end")
        if one_by_one:
            yield f"for (int r = first; r < last; r++) {{ const int from = r * {size};"
        r = "r" if one_by_one else "0"
        ahead = f" + ahead[{r}]" if self._replicas > 1 else ""
        for x, draw in node.draws.items():
            if draw.stream is None:
                yield f"const double step_{x} = (double)(t{ahead});"
                continue
            words = f"words{k}_{x} + {r} * 4 * {size}"
            arguments = f"next{k}_{x} + {r}, {words}, t{ahead}, {draw.stream}LL, seeds[{r}], {size}"
            yield f"const uint32_t *const word_{x} = draws({arguments}) - {begin};"
        loop = f"{self._vectors}\nfor (int i = {begin}; i < {end}; i++) {{"
        drawn = {x: self._drawn(x) for x in node.draws}
        known = self._in_memory() | drawn
        is_split = self._is_split(known)
        yield loop
        yield from self._update(known | {x: f"own_{x}" for x in self._locals}, is_split)
        yield "}"
        if is_split and node.threshold is not None:
            yield loop
            if node.refractory is not None:
                yield f"const int32_t dead = dead{k}[i]; dead{k}[i] = dead - (dead > 0);"
            yield from self._threshold(known)
            yield "}"
        if one_by_one:
            yield "}"

    def _is_split(self, known: Mapping[str, str]) -> bool:
        """Return whether the threshold gets a loop of its own, which needs only what is in memory.

        Bytes beside numbers make vectors of 64 lanes: too many registers for long updates.
        """
        threshold = self._node.threshold
        if threshold is None or not known.keys() >= {*threshold.names}:
            return False
        trees = (node for line in self._node.update for node in nodes_of(line.value.tree))
        functions = {tree.function for tree in trees if isinstance(tree, FunctionCall)}
        return self._node.limits is not None or not functions.isdisjoint(_LONG)

    def _update(self, names: Mapping[str, str], is_split: bool) -> Iterator[str]:
        """Yield the body of the loop that updates neurons."""
        k, node = self._k, self._node
        for x in sorted(self._locals):
            first = f"state{k}_{x}[i]" if x in node.initial else "0.0"
            yield f"{self._own} own_{x} = {self._drawn(x) if x in node.draws else first};"
        for x in node.inputs if node.limits is None else ():
            terms = [f"q{k}_{x}[i]"]
            terms += [f"drive{k}_{x}[s * {self._all} + i]"] if x in node.driven else []
            terms += [f"gap{j}[i]" for j in self._program.gaps(k, x)]
            terms += [f"bias{k}[i]"] if x == node.biased else []
            yield f"own_{x} = {f'own_{x} + ' if x in node.initial else ''}({' + '.join(terms)});"
            yield f"q{k}_{x}[i] = 0.0;"
        for line in node.update:
            yield f"{names[line.variable]} = {render(line.value.tree, self._style, names)};"
        if node.refractory is not None:
            yield f"const int32_t dead = dead{k}[i];"
            held = (x for x in node.held if x in self._locals)
            yield from (f"own_{x} = dead > 0 ? state{k}_{x}[i] : own_{x};" for x in held)
        if node.threshold is not None and not is_split:
            yield from self._threshold(names)
            if node.refractory is not None:
                yield f"dead{k}[i] = dead - (dead > 0);"
        for x in sorted(self._locals):
            if x in node.initial:
                yield f"state{k}_{x}[i] = own_{x};"
            elif x in node.releases:
                yield f"to_{x}[i] = own_{x};"
            elif x in node.kept:
                yield f"kept{k}_{x}[i] = own_{x};"

    def _threshold(self, names: Mapping[str, str]) -> Iterator[str]:
        """Yield the test of a neuron's threshold, beside ``dead``, the steps it is dead."""
        assert self._node.threshold is not None
        live = "dead <= 0 & " if self._node.refractory is not None else ""
        yield f"over{self._k}[i] = {live}({render(self._node.threshold.tree, self._style, names)});"

    def _reset(self) -> Iterator[str]:
        """Yield the loop over the neurons that spike; with limits over all neurons, if any does."""
        k, node = self._k, self._node
        if not node.reset and node.refractory is None:
            return
        names, of_all = self._in_memory(), node.limits is not None
        if of_all:
            names |= {x: f"to_{x}[i]" for x in node.releases}
            yield f"if (row[end - begin]) {{\n{self._vectors}"
            yield "for (int i = begin; i < end; i++) {"
        else:
            yield "for (int j = 0; j < row[end - begin]; j++) { const int i = row[j];"
        for line in node.reset:
            to, value = names[line.variable], render(line.value.tree, self._style, names)
            # Of all neurons it is chosen, so that it needs no branch.
            yield f"{to} = over{k}[i] ? {value} : {to};" if of_all else f"{to} = {value};"
        if node.refractory is not None:
            yield f"dead{k}[i] = refractory{k}[i];"
        yield "}}" if of_all else "}"


_SIGNATURE = """#include "engine.h"
using namespace neurorl;

// How far to go. fresh: whether to reset first. in: for each source, a raster of n_steps rows, then
// what is added in each step to inputs that are driven, then the arrays. out: for each population,
// a raster to fill, or NULL.
struct Call {
    int fresh;
    int64_t n_steps;
    const uint8_t *const *in;
    uint8_t *const *out;
};

// Advances the replicas *first* to *last* less 1, but not the clock.
static ALWAYS_INLINE void advance(const Call &call, const int first, const int last)
{
const int fresh = call.fresh;
const int64_t n_steps = call.n_steps;
const uint8_t *const *const in = call.in;
uint8_t *const *const out = call.out;"""


def _replicas(n: int) -> str:
    """Return the number of replicas in C++: that there is one is part of the structure."""
    return "replicas" if n > 1 else "1"


_ENTRY = """
extern "C" void neurorl_advance(
    int fresh, int64_t n_steps, const uint8_t *const *in, uint8_t *const *out)
{{
const Call call = {{fresh, n_steps, in, out}};
{advance}
*(int64_t *)in[{clock}] += n_steps;
}}
"""
_ALONE = "advance(call, 0, 1);"
_SHARED = """const auto part = [](const void *with, int64_t first, int64_t last) {{
advance(*(const Call *)with, (int)first, (int)last);
}};
const int64_t *const shares = (const int64_t *)in[{threads}];
neurorl_share(shares[0], shares[1], part, &call);"""


_WHOLE = """#pragma GCC optimize("finite-math-only", "no-signed-zeros")
#ifdef __AVX512F__
#pragma GCC target("prefer-vector-width=512")
#endif"""
"""Say that all numbers are finite, so that least and largest ones are one instruction each, and
that the widest vectors are worth it."""


class CppProgram(NamedTuple):
    """Hold a program as C++, and the table of its arrays.

    source: for its sizes. general: for all networks of its structure, with sizes in an array.
    """

    source: CppSource
    general: CppSource
    table: Table

    def taken(self) -> CppSource:
        """Return the code for its sizes if it is or can be compiled here, else the shipped one.

        Raises NotShippedError if there is neither, though what all networks share is shipped.
        """
        if has_library(self.source):
            return self.source
        if is_shipped(ENGINE) and (problem := toolchain.failure()) is not None:
            if is_shipped(self.general):
                return self.general
            what, remedy = "no code was shipped for a network of this structure", "install one"
            raise NotShippedError(_WHERE, what, got=problem, remedy=remedy)
        return self.source


def printed(program: Program) -> CppProgram:
    """Return the code of a program."""
    table = Table()
    table.add("clock", "i8", 1)
    table.add("threads", "i8", 2)  # and replicas
    table.add("logistic", "f8", 0)
    table.add("seeds", "i8", program.n_replicas)
    if program.n_replicas > 1:
        table.add("ahead", "i8", table.sizes.setdefault("replicas", program.n_replicas))
    nodes = [NodePrinter(program, k, table) for k in range(len(program.nodes))]
    arrivals = [
        line
        for k, projection in enumerate(program.projections)
        for line in _arrival(program, k, projection, table)
    ]
    steps = [line for node in nodes for line in node.step()]
    n_sources = sum(node.is_source for node in program.nodes)
    driven = [f"drive{k}_{x}" for k, node in enumerate(program.nodes) for x in node.driven]
    n_given = n_sources + len(driven)
    shared = _SHARED.format(threads=n_given + 1)
    table.add("sizes", "i8", len(table.sizes))
    head = [
        *([_WHOLE] if any(node.limits for node in program.nodes) else []),
        _SIGNATURE,
        *(
            f"const double *const {x} = (const double *)in[{n_sources + k}];"
            for k, x in enumerate(driven)
        ),
        f"const uint8_t *const *const at = in + {n_given};",
        *table.declarations(),
    ]
    body = [
        "if (fresh) {",
        *(line for node in nodes for line in node.fresh()),
        "}",
        *(line for node in nodes for line in node.shared()),
        "for (int64_t s = 0; s < n_steps; s++) {",
        "const int64_t t = clock[0] + s;",
        *arrivals,
        *steps,
        "}",
        "}",
        _ENTRY.format(advance=shared if program.n_replicas > 1 else _ALONE, clock=n_given),
    ]
    known = (f"const int64_t {x} = {n};" for x, n in table.sizes.items())
    read = (f"const int64_t {x} = sizes[{k}];" for k, x in enumerate(table.sizes))
    source, general = (
        CppSource("\n".join([*head, *sizes, *body]), _FOLDERS) for sizes in (known, read)
    )
    return CppProgram(source, general, table)


def _arrival(program: Program, k: int, p: ProjectionProgram, table: Table) -> Iterator[str]:
    """Yield the code that adds the weights of the spikes that arrive by projection *k*."""
    pre, limits = program.nodes[p.pre], program.nodes[p.post].limits
    n, replicas = program.n_replicas, _replicas(program.n_replicas)
    size, n_pre = f"size{p.pre}", f"size{p.pre}" + f" * {replicas}" * (n > 1)
    q = f"{'q' if limits is None else 'state'}{p.post}_{p.target}"
    if p.rows is None:
        table.sizes |= {f"block{k}": p.block[0], f"own{k}": p.block[1]}
    w = table.add(f"w{k}", "f8" if limits is None else "i2", p.n_weights)
    if p.gap and p.rows is not None:
        n_post = program.nodes[p.post].size
        start = table.add(f"start{k}", "i8", pre.size + 1)
        listed = w, start, table.add(f"to{k}", "i4", p.n_weights)
        ends = table.add(f"gap{k}", "f8", n_post), f"state{p.pre}_{p.gap}", f"state{p.post}_{p.gap}"
        ranges = (
            f"Range{{(int)(first * size{x}), (int)(last * size{x})}}" for x in (p.pre, p.post)
        )
        yield f"couple({', '.join((*listed, *ends, *ranges))});"
        return
    for number, delay in enumerate(p.delays):
        ring = f"row{p.pre}"
        if pre.depth > 1:
            ring += f" + ring_row(t - {delay}, {pre.depth}) * ({n_pre} + {replicas})"
        yield f"{{ const int32_t *const row = {ring} + first * ({size} + 1);"
        yield f"const int n = row[(last - first) * {size}];"
        release = "NULL"
        if p.release is not None:
            at = f"ring_row(t - {delay}, {pre.depth}) * {n_pre}"
            yield f"const auto *const release = released{p.pre}_{p.release} + {at};"
            release = "release"
        sizes, weights = f"{q}, block{k}, own{k}", f"Released{{{w}, {release}}}"
        if limits is not None:
            weights = f"Saturated{{{w}, {release}, {table.add(f'fits{k}', 'i4', 1)}}}"
        elif p.rows is None and p.release is None:
            weights = f"Weights{{{w}}}"
        if p.rows is not None:
            table.add(f"start{k}", "i8", p.rows.start.size)
            to = table.add(f"to{k}", "i4", p.n_weights)
            start = f"start{k} + {number} * ({n_pre} + 1)"
            yield f"add_listed(row, n, {weights}, {start}, {to}, {q});"
        else:
            if p.has_levels:
                levels = table.add(f"levels{k}", "i4", p.n_weights)
                unit = table.add(f"unit{k}", "f8", 1)
                yield f"if ({unit}[0] != 0.0)"
                yield f"add_dense(row, n, Levels{{{levels}, {unit}[0]}}, {sizes}); else"
            yield f"add_dense(row, n, {weights}, {sizes});"
        yield "}"


_FOLDERS = (SOURCES, Path(__file__).parent / "src")
_WHERE, _REMEDY = "backend native", "take backend='reference'"
ENGINE = CppSource('#include "engine.cpp"', _FOLDERS)
"""Hold what all networks share."""


@functools.cache
def library_of(source: CppSource) -> ctypes.CDLL:
    """Return the library of printed code, whose function is ``neurorl_advance``; it stays loaded.

    Raises BackendError if it doesn't compile.
    """
    engine = _engine()
    loaded = compiled(source, _WHERE, _REMEDY)
    for name in ("neurorl_list_spikes", "neurorl_draw_rows", "neurorl_share"):
        address = ctypes.cast(getattr(engine, name), ctypes.c_void_p).value
        ctypes.c_void_p.in_dll(loaded, name).value = address
    pointers = [ctypes.c_void_p, ctypes.c_void_p]
    loaded.neurorl_advance.argtypes = [ctypes.c_int, ctypes.c_int64, *pointers]
    loaded.neurorl_advance.restype = None
    return loaded


@functools.cache
def _engine() -> ctypes.CDLL:
    return compiled(ENGINE, _WHERE, _REMEDY)
