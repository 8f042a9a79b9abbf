"""Hold the state that a module carries from one window to the next."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Carried", "ModuleState", "Released"]


@dataclass(frozen=True)
class Carried:
    """Hold the state of a population, ``(n_replicas, batch, size)`` each.

    u: current.
    v: voltage.
    blocked: ``(longest, n_replicas, batch, size)``, 1 where the next step, the one after it, ... is
        dead; longest is the longest refractory period in steps, 0 if there is none.
    """

    u: Tensor
    v: Tensor
    blocked: Tensor

    def map(self, f: Callable[[Tensor], Tensor]) -> Carried:
        """Return the state with *f* applied to every tensor."""
        return Carried(f(self.u), f(self.v), f(self.blocked))

    def silenced(self, kept: Tensor) -> Carried:
        """Return the state, at rest where *kept* is False."""
        return self.map(lambda x: x * kept)


class Released(NamedTuple):
    """Hold what the presynaptic neurons of a projection of short-term plasticity have left.

    u: facilitation. used: 1 - x. Both ``(n_replicas, batch, size)``, 0 at rest.
    past: what each spike of the last steps released, newest last, ``(n_replicas, steps, batch,
        size)``; 0 without a spike.
    """

    u: Tensor
    used: Tensor
    past: Tensor

    def map(self, f: Callable[[Tensor], Tensor]) -> Released:
        """Return the state with *f* applied to every tensor."""
        return Released(*(f(x) for x in self))

    def silenced(self, kept: Tensor) -> Released:
        """Return the state, at rest where *kept* ``(..., 1)`` is False."""
        return Released(self.u * kept, self.used * kept, self.past * kept.unsqueeze(-3))


@dataclass(frozen=True)
class ModuleState:
    """Hold the state of a network between windows.

    Gradients pass through it, as far as it acts on later windows.

    cells: state of each population.
    spikes: by node that spikes, its last steps, newest last, ``(n_replicas, steps, batch, size)``.
    released: by projection that has short-term plasticity.
    """

    cells: dict[str, Carried]
    spikes: dict[str, Tensor]
    released: dict[str, Released] = field(default_factory=dict)

    def map(self, f: Callable[[Tensor], Tensor]) -> ModuleState:
        """Return the state with *f* applied to every tensor."""
        cells = {k: c.map(f) for k, c in self.cells.items()}
        released = {k: r.map(f) for k, r in self.released.items()}
        return ModuleState(cells, {k: f(s) for k, s in self.spikes.items()}, released)

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
        released = {k: r.silenced(kept) for k, r in self.released.items()}
        return ModuleState(cells, {k: s * in_window for k, s in self.spikes.items()}, released)
