"""Run the statements of a node as one Python function on NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from neurorl.expressions.expression import Statement
from neurorl.expressions.functions import MEANING, PYTHON
from neurorl.expressions.nodes import Name, render
from neurorl.numerics.arrays import Array, BoolArray, FloatArray
from neurorl.program import NodeProgram
from neurorl.storage.plain import Named

DrawAll = Callable[[Sequence[int]], FloatArray]
"""Return the draws of all neurons, given the index of the step in each replica."""


def side_by_side(rows: Sequence[Callable[[int], FloatArray]]) -> DrawAll:
    """Return the draws of all replicas, ``(n_replicas * size,)``, from those of each."""

    def drawn(steps: Sequence[int]) -> FloatArray:
        if len(steps) == 1:
            return rows[0](steps[0])
        return np.concatenate([draw(step) for draw, step in zip(rows, steps, strict=True)])

    return drawn


_SPACE: Named = {
    **MEANING,
    **{name: getattr(np, name) for name in ("where", "maximum", "shape", "array", "broadcast_to")},
}


class NumpyNode:
    """Hold the state of a node of all replicas, and step it.

    seeds: of the replicas.

    state: by variable, ``(size,)``. dead: dead steps left. bias: added in every step, where the
    node has one. draws: random numbers by name, given the step of each replica. released: by
    variable, what neurons would have released in the last steps, newest last.
    """

    def __init__(self, node: NodeProgram, seeds: Sequence[int]) -> None:
        self.node = node
        self.state = {x: initial.copy() for x, initial in node.initial.items()}
        self.dead = np.zeros(node.size, dtype=np.int64)
        self.bias: Array = np.zeros(node.size)
        self.released = {x: np.zeros((node.depth, node.size)) for x in node.releases}
        size = node.size // len(seeds)
        self.draws: dict[str, DrawAll] = {
            x: side_by_side([draw.rows(seed, size) for seed in seeds])
            for x, draw in node.draws.items()
        }
        constants = {f"constant_{x}": value[()] for x, value in node.constants.items()}
        space = {**_SPACE, **constants, "refractory": node.refractory}
        exec(python_source(node), space)
        self._step: Callable[..., tuple[BoolArray, dict[str, FloatArray]]] = space["step"]

    def update(
        self,
        arrived: Mapping[str, FloatArray],
        steps: Sequence[int],
        given: BoolArray | None = None,
    ) -> BoolArray:
        """Make one step; return which neurons spike.

        arrived: what projections add, by input. steps: the number of the step in each replica, for
        its draws. given: the spikes of a source.
        """
        if given is not None and not self.released:
            return given
        draws: dict[str, FloatArray] = {}
        for x, draw in self.draws.items():
            draws[x] = draw(steps)
        spikes, values = self._step(self.state, arrived, self.bias, self.dead, draws, given)
        for x in self.state:
            self.state[x] = values[x]
        for x, ring in self.released.items():
            ring[:-1] = ring[1:]
            ring[-1] = values[x]
        return spikes


def python_source(node: NodeProgram) -> str:
    """Return the function ``step`` of a node, which returns the spikes and its values by name.

    Nothing of a user is in it but checked trees, whose names all begin with ``x_``.
    """
    lines = ["def step(state, arrived, bias, dead, draws, given):", *_lines(node)]
    return "\n    ".join(lines)


def _lines(node: NodeProgram) -> Iterator[str]:
    set_here = {*node.initial, *node.inputs, *(line.variable for line in node.update)}
    names = {x: f"constant_{x}" for x in node.constants}
    names |= {x: f"x_{x}" for x in (*set_here, *node.draws)}
    yield from (f"x_{x.variable} = float64(0)" for x in node.reset if x.variable not in names)
    names |= {line.variable: f"x_{line.variable}" for line in node.reset}
    names |= {"bias": "bias"} if node.names_bias else {}
    yield from (f"x_{x} = state[{x!r}]" for x in node.initial)
    yield from (f"x_{x} = draws[{x!r}]" for x in node.draws)
    for x in node.inputs:
        added = f"arrived[{x!r}]" + " + bias" * (x == node.biased)
        begins = x in node.initial and node.limits is None
        yield f"x_{x} = x_{x} + ({added})" if begins else f"x_{x} = {added}"
    yield from _assignments(node.update, names)
    if node.refractory is not None:
        yield "live = dead == 0"
        yield from (f"x_{x} = where(live, x_{x}, state[{x!r}])" for x in node.held)
    if node.threshold is None:
        yield "spikes = given"
    else:
        yield f"spikes = {render(node.threshold.tree, PYTHON, names)}"
    if node.refractory is not None:
        yield "spikes = spikes & live"
        yield "dead[:] = where(spikes, refractory, maximum(dead - 1, 0))"
    yield from _assignments(node.reset, names, "where(spikes, {}, {})")
    # What is the same for all neurons is one number, which each of them gets for its own.
    kept = {**{x: f"x_{x}" for x in (*node.initial, *node.releases)}, "": "spikes"}
    for name in kept.values():
        yield f"if shape({name}) != dead.shape: {name} = array(broadcast_to({name}, dead.shape))"
    values = (f"{x!r}: {name}" for x, name in kept.items() if x)
    yield f"return spikes, {{{', '.join(values)}}}"


def _assignments(
    statements: Sequence[Statement], names: Mapping[str, str], of: str = "{}"
) -> Iterator[str]:
    for line in statements:
        name, value = names[line.variable], render(line.value.tree, PYTHON, names)
        if isinstance(line.value.tree, Name):  # two variables need memory of their own
            value = f"1.0*{value}"
        yield f"{name} = {of.format(value, name)}"
