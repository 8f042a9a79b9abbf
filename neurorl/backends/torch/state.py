"""Hold the state that a module carries from one window to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor


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
