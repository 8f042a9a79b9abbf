"""Check the arguments of a module's methods, and bring them into one shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from neurorl.errors import ArgumentError, unknown_name_error
from neurorl.network.description import CURRENT_GRID, Network

__all__ = ["Batch", "Shape", "check_batch", "check_series"]


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
    """

    n_steps: int
    size: int
    spikes: dict[str, Tensor]
    currents: dict[str, Tensor]


def check_batch(
    network: Network,
    inputs: Mapping[str, Any],
    shape: Shape,
    n_steps: int | None,
    batch: int | None,
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
        tensor = torch.as_tensor(value, dtype=shape.dtype, device=shape.device)
        is_current = name in network.currents
        axes = (["batch"] if is_current else ["n_steps", "batch"]) + [str(sources[name].size)]
        _check_axes(name, tensor, axes, shape)
        tensor = shape.inner(tensor)
        batch = tensor.shape[-2] if batch is None else batch
        if is_current:
            currents[name] = _on_grid(tensor)
        else:
            n_steps = tensor.shape[1] if n_steps is None else n_steps
            spikes[name] = tensor
        steps = () if is_current else (n_steps,)
        _check_shape(f"input {name!r}", tensor, (*steps, batch, sources[name].size), shape)
    if n_steps is None or n_steps < 1:
        raise ArgumentError("module", "n_steps must be given or come of inputs", got=n_steps)
    size = 1 if batch is None else batch
    for name, source in sources.items():
        if name not in spikes and name not in network.currents:
            spikes[name] = _silence((shape.n_replicas, n_steps, size, source.size), shape)
        if name not in currents and name in network.currents:
            currents[name] = _silence((shape.n_replicas, size, source.size), shape)
    return Batch(n_steps, size, spikes, currents)


def check_series(
    kind: str, series: Mapping[str, Any], sizes: Mapping[str, int], batch: Batch, shape: Shape
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
        value = torch.as_tensor(series[name], dtype=shape.dtype, device=shape.device)
        _check_axes(f"{kind} of {name}", value, ["n_steps", "batch", str(size)], shape)
        value = shape.inner(value)
        _check_shape(f"{kind} of {name!r}", value, (batch.n_steps, batch.size, size), shape)
        tensors[name] = value
    return tensors


def _check_shape(where: str, value: Tensor, expected: tuple[int | None, ...], shape: Shape) -> None:
    """Raise ArgumentError unless *value* has the *expected* axes, after replicas."""
    if tuple(value.shape) != (shape.n_replicas, *expected):
        got = tuple(value.shape[1:])
        raise ArgumentError(where, "wrong shape", got=got, limit=expected)


def _check_axes(name: str, value: Tensor, axes: list[str], shape: Shape) -> None:
    """Raise ArgumentError unless *value*, from a caller, has the named *axes*."""
    if shape.has_replicas:
        axes = [*axes[:-2], str(shape.n_replicas), *axes[-2:]]
    if value.dim() != len(axes):
        limit = f"({', '.join(axes)})"
        raise ArgumentError(f"input {name!r}", "wrong shape", got=tuple(value.shape), limit=limit)


def _on_grid(x: Tensor) -> Tensor:
    """Return activations rounded as a backend does; straight-through if they have gradients."""
    rounded = torch.round(x.detach() * (1.0 / CURRENT_GRID)) * CURRENT_GRID
    return x + (rounded - x.detach()) if x.requires_grad else rounded


def _silence(size: tuple[int, ...], shape: Shape) -> Tensor:
    """Return silent input of this size."""
    return torch.zeros(size, dtype=shape.dtype, device=shape.device)
