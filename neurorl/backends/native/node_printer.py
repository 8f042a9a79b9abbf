"""Print what a node does in one step: fused loops over its neurons, and its row of spikes."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Mapping

import numpy as np

from neurorl.expressions.nodes import FunctionCall, nodes_of
from neurorl.numerics.arrays import Array
from neurorl.numerics.random import LOGISTIC_BITS
from neurorl.program import Program

_CPP = {"f8": "double", "i8": "int64_t", "i4": "int32_t", "u4": "uint32_t", "u1": "uint8_t"}
_LINE, _HUGE = 64, 2 << 20  # bytes
_MADV_HUGEPAGE = 14


class Table:
    """List arrays by name, with the dtype and size of each, in the order of their addresses."""

    def __init__(self) -> None:
        self._arrays: dict[str, tuple[str, int]] = {}

    def add(self, name: str, dtype: str, size: int) -> str:
        """Add an array unless it is there, and return its name."""
        self._arrays.setdefault(name, (dtype, size))
        return name

    def declarations(self) -> Iterator[str]:
        """Yield the C++ that gives each array its name."""
        for k, (name, (dtype, _)) in enumerate(self._arrays.items()):
            cpp = _CPP[dtype]
            yield f"{cpp} *__restrict const {name} = ({cpp} *)at[{k}];"

    def allocated(self, own: Mapping[str, Array]) -> dict[str, Array]:
        """Return the arrays by name, all 0 but those of the caller's own."""
        return {
            name: own[name] if name in own else allocate(size, dtype)
            for name, (dtype, size) in self._arrays.items()
        }


def allocate(size: int, dtype: str) -> Array:
    """Return an array of zeros.

    It begins at a line of the cache: a vector that straddles two lines costs twice as much. A large
    one gets huge pages where the system has them: of others, the processor holds too few addresses.
    """
    n_bytes = size * np.dtype(dtype).itemsize
    unit = _HUGE if n_bytes >= 2 * _HUGE else _LINE
    raw = np.zeros(n_bytes + unit, np.uint8)
    first = -raw.ctypes.data % unit
    if unit == _HUGE and (advise := getattr(ctypes.CDLL(None), "madvise", None)) is not None:
        length = ctypes.c_size_t(n_bytes // unit * unit)
        advise(ctypes.c_void_p(raw.ctypes.data + first), length, _MADV_HUGEPAGE)
    return raw[first : first + n_bytes].view(dtype)


_LONG = frozenset({"exp", "log", "sigmoid", "tanh", "trunc"})
"""Name functions after which a loop has no registers left for the bytes of a threshold."""


class NodePrinter:
    """Print node number *k* of a program, whose arrays are added to a table."""

    def __init__(self, program: Program, k: int, table: Table) -> None:
        self._k, self._node, self._replicas = k, program.nodes[k], program.n_replicas
        node, n = self._node, self._node.size
        kinds = [other.is_source for other in program.nodes[:k]]
        self._number = kinds.count(node.is_source)  # among sources, or among populations
        self._locals = {*(line.variable for line in node.update), *node.inputs}
        table.add(f"row{k}", "i4", node.depth * (n + 1))
        for x, value in node.constants.items():
            table.add(f"constant{k}_{x}", "f8", value.size)
        for kind, type_, size, names in (
            ("state", "f8", n, node.initial),
            ("initial", "f8", n, node.initial),
            ("q", "f8", n, node.inputs if node.limits is None else ()),
            ("kept", "f8", n, node.kept),
            ("released", "f8", node.depth * n, node.releases),
            ("next", "i8", self._replicas, node.draws),
            ("words", "u4", 4 * n, node.draws),
        ):
            for x in names:
                table.add(f"{kind}{k}_{x}", type_, size)
        for name, type_, is_needed in (
            ("bias", "f8", node.has_bias),
            ("dead", "i4", node.refractory is not None),
            ("refractory", "i4", node.refractory is not None),
            ("over", "u1", not node.is_source),
        ):
            if is_needed:
                table.add(f"{name}{k}", type_, n)

    def fresh(self) -> Iterator[str]:
        """Yield the code that returns the node to its initial state, without spikes on the way."""
        k, node = self._k, self._node
        for step in range(node.depth):
            yield f"row{k}[{step * (node.size + 1) + node.size}] = 0;"
        for x in node.initial:
            yield f"memcpy(state{k}_{x}, initial{k}_{x}, sizeof(double) * {node.size});"
        if node.refractory is not None:
            yield f"memset(dead{k}, 0, sizeof(int32_t) * {node.size});"

    def shared(self) -> Iterator[str]:
        """Yield the constants that all neurons have in common."""
        for x, value in self._node.constants.items():
            if not value.ndim:
                yield f"const double shared{self._k}_{x} = constant{self._k}_{x}[0];"

    def step(self) -> Iterator[str]:
        """Yield the code of a step, after all that arrives in it was added."""
        k, node, n = self._k, self._node, self._node.size
        ring = f" + ring_row(t, {node.depth})" if node.depth > 1 else ""
        yield f"{{ int32_t *const row = row{k}{ring and ring + f' * {n + 1}'};"
        for x in node.releases:
            yield f"double *const to_{x} = released{k}_{x}{ring and ring + f' * {n}'};"
        if node.is_source:
            yield f"const uint8_t *const over{k} = in[{self._number}] + s * {n};"
        if node.update or node.threshold is not None:
            yield from self._neurons()
        yield f"neurorl_list_spikes(over{k}, row, {n});"
        if not node.is_source:
            out = f"out[{self._number}]"
            yield f"if ({out}) memcpy({out} + s * {n}, over{k}, {n});"
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
        word = f"word_{x}[i]"
        is_logistic = self._node.draws[x].is_logistic
        return f"logistic[{word} >> {32 - LOGISTIC_BITS}]" if is_logistic else f"(double){word}"

    def _neurons(self) -> Iterator[str]:
        """Yield the loops over all neurons, for each replica if they draw numbers."""
        k, node, n = self._k, self._node, self._node.size
        size = n // self._replicas
        one_by_one = self._replicas > 1 and bool(node.draws)
        begin, end = ("begin", f"begin + {size}") if one_by_one else ("0", str(n))
        if one_by_one:
            yield f"for (int r = 0; r < {self._replicas}; r++) {{ const int begin = r * {size};"
        r = "r" if one_by_one else "0"
        ahead = f" + ahead[{r}]" if self._replicas > 1 else ""
        for x, draw in node.draws.items():
            words = f"words{k}_{x} + {r} * {4 * size}"
            arguments = f"next{k}_{x} + {r}, {words}, t{ahead}, {draw.stream}LL, seeds[{r}], {size}"
            yield f"const uint32_t *const word_{x} = draws({arguments}) - {begin};"
        loop = f"#pragma GCC ivdep\nfor (int i = {begin}; i < {end}; i++) {{"
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
        return any(isinstance(tree, FunctionCall) and tree.function in _LONG for tree in trees)

    def _update(self, names: Mapping[str, str], is_split: bool) -> Iterator[str]:
        """Yield the body of the loop that updates neurons."""
        k, node = self._k, self._node
        for x in sorted(self._locals):
            first = f"state{k}_{x}[i]" if x in node.initial else "0.0"
            yield f"double own_{x} = {self._drawn(x) if x in node.draws else first};"
        for x in node.inputs if node.limits is None else ():
            arrived = f"(q{k}_{x}[i] + bias{k}[i])" if x == node.biased else f"q{k}_{x}[i]"
            yield f"own_{x} = {f'own_{x} + ' if x in node.initial else ''}{arrived};"
            yield f"q{k}_{x}[i] = 0.0;"
        for line in node.update:
            yield f"{names[line.variable]} = {line.value.cpp(names)};"
        if node.refractory is not None:
            yield f"const int32_t dead = dead{k}[i];"
            yield from (
                f"own_{x} = dead > 0 ? state{k}_{x}[i] : own_{x};"
                for x in node.held
                if x in self._locals
            )
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
        yield f"over{self._k}[i] = {live}({self._node.threshold.cpp(names)});"

    def _reset(self) -> Iterator[str]:
        """Yield the loop over the neurons that spike."""
        k, node = self._k, self._node
        if not node.reset and node.refractory is None:
            return
        names = self._in_memory()
        yield f"for (int j = 0; j < row[{node.size}]; j++) {{ const int i = row[j];"
        for line in node.reset:
            yield f"{names[line.variable]} = {line.value.cpp(names)};"
        if node.refractory is not None:
            yield f"dead{k}[i] = refractory{k}[i];"
        yield "}"
