"""Print a program as one C++ file, whose memory is arrays that the caller holds, and compile it.

Sizes are constants of the code, values are in the arrays. So networks of one structure share a
library, and a library has no memory of its own.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from neurorl.backends.native.node_printer import NodePrinter, Table
from neurorl.native import SOURCES
from neurorl.native.build import CppSource, compiled
from neurorl.program import Program, ProjectionProgram

_SIGNATURE = """#include "engine.h"
using namespace neurorl;

// Advances n_steps. fresh: whether to reset first. in: for each source, a raster of n_steps rows,
// then the arrays. out: for each population, a raster to fill, or NULL.
extern "C" void neurorl_advance(
    int fresh, int64_t n_steps, const uint8_t *const *in, uint8_t *const *out)
{"""


_WHOLE = '#pragma GCC optimize("finite-math-only", "no-signed-zeros")'
"""Say that all numbers are finite, so that least and largest ones are one instruction each."""


class CppProgram(NamedTuple):
    """Hold a program as C++, and the table of its arrays."""

    source: str
    table: Table


def printed(program: Program) -> CppProgram:
    """Return the code of a program."""
    table = Table()
    table.add("clock", "i8", 1)
    table.add("logistic", "f8", 0)
    table.add("seeds", "i8", program.n_replicas)
    if program.n_replicas > 1:
        table.add("ahead", "i8", program.n_replicas)
    nodes = [NodePrinter(program, k, table) for k in range(len(program.nodes))]
    arrivals = [
        line
        for k, projection in enumerate(program.projections)
        for line in _arrival(program, k, projection, table)
    ]
    steps = [line for node in nodes for line in node.step()]
    n_sources = sum(node.is_source for node in program.nodes)
    lines = [
        *([_WHOLE] if any(node.limits for node in program.nodes) else []),
        _SIGNATURE,
        f"const uint8_t *const *const at = in + {n_sources};",
        *table.declarations(),
        "if (fresh) {",
        *(line for node in nodes for line in node.fresh()),
        "}",
        *(line for node in nodes for line in node.shared()),
        "for (int64_t s = 0; s < n_steps; s++) {",
        "const int64_t t = clock[0];",
        *arrivals,
        *steps,
        "clock[0] = t + 1;",
        "}",
        "}",
        "",
    ]
    return CppProgram("\n".join(lines), table)


def _arrival(program: Program, k: int, p: ProjectionProgram, table: Table) -> Iterator[str]:
    """Yield the code that adds the weights of the spikes that arrive by projection *k*."""
    pre, limits = program.nodes[p.pre], program.nodes[p.post].limits
    q = f"{'q' if limits is None else 'state'}{p.post}_{p.target}"
    clip = "" if limits is None else f", Clip{{{limits[0]!r}, {limits[1]!r}}}"
    w = table.add(f"w{k}", "f8", p.n_weights)
    for number, delay in enumerate(p.delays):
        ring = f"row{p.pre}"
        if pre.depth > 1:
            ring += f" + ring_row(t - {delay}, {pre.depth}) * {pre.size + 1}"
        yield f"{{ const int32_t *const row = {ring}; const int n = row[{pre.size}];"
        release = ""
        if p.release is not None:
            at = f"ring_row(t - {delay}, {pre.depth}) * {pre.size}"
            yield f"const double *const release = released{p.pre}_{p.release} + {at};"
            release = "release, "
        if p.rows is not None:
            table.add(f"start{k}", "i8", p.rows.start.size)
            to = table.add(f"to{k}", "i4", p.n_weights)
            start = f"start{k} + {number * (pre.size + 1)}"
            function = "add_listed_released" if release else "add_listed"
            yield f"{function}(row, n, {release}{w}, {start}, {to}, {q}{clip});"
        elif limits is not None:
            weights = f"Clipped{{{w}, {release or 'NULL, '}{clip[2:]}}}"
            yield f"add_dense(row, n, {weights}, {q}, {p.block[0]}, {p.block[1]});"
        elif release:
            yield f"add_dense_released(row, n, {release}{w}, {q}, {p.block[0]}, {p.block[1]});"
        else:
            sizes = f"{q}, {p.block[0]}, {p.block[1]}"
            if p.has_levels:
                levels, unit = (
                    table.add(f"levels{k}", "i4", p.n_weights),
                    table.add(f"unit{k}", "f8", 1),
                )
                yield f"if ({unit}[0] != 0.0)"
                yield f"add_dense(row, n, Levels{{{levels}, {unit}[0]}}, {sizes}); else"
            yield f"add_dense(row, n, Weights{{{w}}}, {sizes});"
        yield "}"


_FOLDERS = (SOURCES, Path(__file__).parent / "src")
_WHERE, _REMEDY = "backend native", "take backend='reference'"


@functools.cache
def library_of(source: str) -> ctypes.CDLL:
    """Return the library of printed code, whose function is ``neurorl_advance``; it stays loaded.

    Raises BackendError if it doesn't compile.
    """
    kernels = _kernels()
    loaded = compiled(CppSource(source, _FOLDERS), _WHERE, _REMEDY)
    for name in ("neurorl_list_spikes", "neurorl_draw_rows"):
        address = ctypes.cast(getattr(kernels, name), ctypes.c_void_p).value
        ctypes.c_void_p.in_dll(loaded, name).value = address
    pointers = [ctypes.c_void_p, ctypes.c_void_p]
    loaded.neurorl_advance.argtypes = [ctypes.c_int, ctypes.c_int64, *pointers]
    loaded.neurorl_advance.restype = None
    return loaded


@functools.cache
def _kernels() -> ctypes.CDLL:
    return compiled(CppSource('#include "engine.cpp"', _FOLDERS), _WHERE, _REMEDY)
