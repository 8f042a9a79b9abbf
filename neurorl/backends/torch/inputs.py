"""Check a module's arguments, draw noise, and hold the state between windows."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from neurorl.backends.torch.expressions import through
from neurorl.errors import ArgumentError, unknown_name_error
from neurorl.network.description import CURRENT_GRID, Network
from neurorl.numerics.random import LOGISTIC_BITS, LOGISTIC_TABLE
from neurorl.storage.plain import Named

_WORDS = 4  # draws made from one number of 64 bits


@functools.cache
def _table(dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return `neurorl.numerics.random.LOGISTIC_TABLE` as a tensor."""
    return torch.tensor(LOGISTIC_TABLE, dtype=dtype, device=device)


def draw_words(
    shape: Sequence[int], generator: torch.Generator | None, device: torch.device
) -> Tensor:
    """Return indices into the table, all equally likely: int16 of this shape.

    generator: None for torch's own.

    Of each 16 bits drawn 14 are used: four draws cost what one would cost by a logarithm.
    """
    n = math.prod(shape)
    drawn = torch.empty(-(-n // _WORDS), dtype=torch.int64, device=device)
    drawn.random_(generator=generator)  # 63 bits; the missing one is among those cut off
    return drawn.view(torch.int16)[:n].bitwise_and_(2**LOGISTIC_BITS - 1).view(*shape)


def logistic(words: Tensor, dtype: torch.dtype) -> Tensor:
    """Return the draws that *words* encode, with the distribution that every simulator has."""
    table = _table(dtype, words.device)
    return table.index_select(0, words.flatten().int()).view(words.shape)


@dataclass(frozen=True)
class Shape:
    """Describe what a module's tensors have in common: replicas or none, dtype and device."""

    n_replicas: int
    has_replicas: bool
    dtype: torch.dtype
    device: torch.device

    def inner(self, x: Tensor) -> Tensor:
        """Return the caller's *x* with an axis of replicas first."""
        if not self.has_replicas:
            return x.unsqueeze(0)
        return x.transpose(0, 1) if x.dim() == 4 else x

    def outer(self, x: Tensor) -> Tensor:
        """Return *x* of inner shape ``(n_replicas, n_steps, ...)`` in the caller's shape."""
        return x.transpose(0, 1) if self.has_replicas else x.squeeze(0)


@dataclass(frozen=True)
class Batch:
    """Hold the inputs of a window for a batch of environments.

    n_steps: number of steps of the window.
    size: number of environments of the batch.
    spikes: by source of spikes, ``(n_replicas, n_steps, batch, size)``.
    currents: by source of currents, ``(n_replicas, batch, size)``, on the grid.
    given: by population and name, what its statements draw, shaped like spikes.
    values: by source of values, shaped like spikes. driven: what these add in each
        step, ``POPULATION.INPUT``; None if the module's weights say.
    """

    n_steps: int
    size: int
    spikes: dict[str, Tensor]
    currents: dict[str, Tensor]
    given: dict[tuple[str, str], Tensor] = field(default_factory=dict)
    values: dict[str, Tensor] = field(default_factory=dict)
    driven: dict[str, Tensor] | None = None


def check_batch(
    network: Network, inputs: Named, shape: Shape, n_steps: int | None, batch: int | None
) -> Batch:
    """Return the *inputs* of a module as a `Batch`; a source left out is silent.

    n_steps, batch: None takes those of the inputs (a batch of 1 if there are none).

    Raises ArgumentError for a wrong shape, UnknownNameError for the name of no source.
    """
    sources = {source.name: source for source in network.sources}
    spikes, currents = {}, {}
    for name, value in inputs.items():
        if name not in sources:
            raise unknown_name_error("source", name, sources)
        size, where = sources[name].size, f"input {name!r}"
        if name in network.currents:
            current = _taken(where, value, {"batch": batch, str(size): size}, shape)
            currents[name], batch = through(current, _on_grid), current.shape[-2]
        else:
            axes = {"n_steps": n_steps, "batch": batch, str(size): size}
            spikes[name] = _taken(where, value, axes, shape)
            n_steps, batch = spikes[name].shape[1:3]
    if n_steps is None or n_steps < 1:
        raise ArgumentError("module", "n_steps must be given or come of inputs", got=n_steps)
    rows = 1 if batch is None else batch
    for name, source in sources.items():
        is_current = name in network.currents
        lead = (shape.n_replicas, rows) if is_current else (shape.n_replicas, n_steps, rows)
        silence = torch.zeros((*lead, source.size), dtype=shape.dtype, device=shape.device)
        (currents if is_current else spikes).setdefault(name, silence)
    values = {name: spikes.pop(name) for name in network.analog if name in spikes}
    return Batch(n_steps, rows, spikes, currents, values=values)


def check_series(
    kind: str, series: Named, sizes: Mapping[str, int], batch: Batch, shape: Shape
) -> dict[str, Tensor]:
    """Return a tensor for each of *sizes* in the module's inner shape.

    kind: name of the tensors, for messages.
    series: tensors ``(n_steps, [n_replicas,] batch, size)`` by population.
    sizes: neurons of each population that needs a tensor.

    Raises ArgumentError for a missing tensor or a wrong shape.
    """
    tensors = {}
    for name, size in sizes.items():
        if name not in series:
            raise ArgumentError(kind, f"that of {name!r} is missing", limit=sorted(sizes))
        axes = {"n_steps": batch.n_steps, "batch": batch.size, str(size): size}
        tensors[name] = _taken(f"{kind} of {name!r}", series[name], axes, shape)
    return tensors


def _taken(where: str, value: Any, axes: Mapping[str, int | None], shape: Shape) -> Tensor:
    """Return a caller's *value* as a tensor of inner shape.

    axes: their lengths by name, but that of replicas; None of one that may be any.
    Raises ArgumentError for other axes.
    """
    tensor = torch.as_tensor(value, dtype=shape.dtype, device=shape.device)
    names, lengths = list(axes), list(axes.values())
    if shape.has_replicas:
        names.insert(-2, str(shape.n_replicas))
        lengths.insert(-2, shape.n_replicas)
    fits = tensor.dim() == len(lengths) and all(
        wanted in (None, n) for wanted, n in zip(lengths, tensor.shape, strict=True)
    )
    if not fits:
        limit = ", ".join(
            name if n is None else str(n) for name, n in zip(names, lengths, strict=True)
        )
        raise ArgumentError(where, "wrong shape", got=tuple(tensor.shape), limit=f"({limit})")
    return shape.inner(tensor)


def _on_grid(x: Tensor) -> Tensor:
    return torch.round(x * (1.0 / CURRENT_GRID)) * CURRENT_GRID


@dataclass(frozen=True)
class Carried:
    """Hold the state of a node.

    variables: by name, ``(n_replicas, batch, size)`` each. start: the same at rest, ``(size,)``.
    blocked: ``(n_replicas, longest, batch, size)``, 1 where the next step, the one after it, ... is
        dead; longest is the longest refractory period in steps, 0 if there is none.
    """

    variables: Mapping[str, Tensor]
    start: Mapping[str, Tensor]
    blocked: Tensor

    def map(self, f: Callable[..., Tensor], *others: Carried) -> Carried:
        """Return the state with *f* applied to all that changes, beside the same of *others*."""
        variables = {
            x: f(value, *(other.variables[x] for other in others))
            for x, value in self.variables.items()
        }
        blocked = f(self.blocked, *(other.blocked for other in others))
        return Carried(variables, self.start, blocked)

    def silenced(self, kept: Tensor) -> Carried:
        """Return the state, at rest where *kept* ``(..., batch, 1)`` is False."""
        variables = {x: torch.where(kept, v, self.start[x]) for x, v in self.variables.items()}
        return replace(self, variables=variables, blocked=self.blocked * kept.unsqueeze(-3))


@dataclass(frozen=True)
class ModuleState:
    """Hold the state of a network between windows.

    Gradients pass through it, as far as it acts on later windows.

    cells: state of each population, and of each source whose spikes release less than all.
    spikes: by node that spikes, its last steps, newest last, ``(n_replicas, steps, batch, size)``.
    released: by projection that has short-term plasticity, what each of these spikes released, 0
        without a spike.
    """

    cells: dict[str, Carried]
    spikes: dict[str, Tensor]
    released: dict[str, Tensor] = field(default_factory=dict)

    def map(self, f: Callable[..., Tensor], *others: ModuleState) -> ModuleState:
        """Return the state with *f* applied to every tensor, beside the same of *others*."""
        cells = {k: c.map(f, *(other.cells[k] for other in others)) for k, c in self.cells.items()}
        spikes = {k: f(s, *(other.spikes[k] for other in others)) for k, s in self.spikes.items()}
        released = {
            k: f(s, *(other.released[k] for other in others)) for k, s in self.released.items()
        }
        return ModuleState(cells, spikes, released)

    def detach(self) -> ModuleState:
        """Return the same state without its graph, which ends backpropagation here."""
        return self.map(torch.Tensor.detach)

    def silenced(self, which: Tensor) -> ModuleState:
        """Return the state with silence where *which* is True.

        which: booleans ``(batch,)`` or ``(n_replicas, batch)``.
        """
        kept = ~which[..., None]
        cells = {k: c.silenced(kept) for k, c in self.cells.items()}
        in_window = kept.unsqueeze(-3)
        spikes = {k: s * in_window for k, s in self.spikes.items()}
        return ModuleState(cells, spikes, {k: s * in_window for k, s in self.released.items()})
