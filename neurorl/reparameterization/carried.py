"""Take one replica's share of what a network carries from decision to decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from neurorl.backends.torch import ModuleState
from neurorl.network.restoring import take
from neurorl.numerics.arrays import Array

__all__ = ["joined", "replica_arrays", "replica_of", "with_replica"]

_CARRIED = ("u", "v", "blocked")
_KINDS = {"b": "bool", "i": "whole"}
Arrays = dict[str, Array]


def replica_of(state: ModuleState, k: int) -> ModuleState:
    """Return replica *k*'s own state, without its past."""
    cells = {
        name: replace(c, u=c.u[k : k + 1], v=c.v[k : k + 1], blocked=c.blocked[:, k : k + 1])
        for name, c in state.cells.items()
    }
    spikes = {name: s[k : k + 1] for name, s in state.spikes.items()}
    return ModuleState(cells, spikes).detach()


def joined(states: Sequence[ModuleState]) -> ModuleState:
    """Join states into that of one batch, one after the other."""
    if len(states) == 1:
        return states[0]
    cells = {
        name: replace(
            c,
            **{k: torch.cat([getattr(s.cells[name], k) for s in states], dim=-2) for k in _CARRIED},
        )
        for name, c in states[0].cells.items()
    }
    spikes = {n: torch.cat([s.spikes[n] for s in states], dim=-2) for n in states[0].spikes}
    return ModuleState(cells, spikes)


def replica_arrays(state: ModuleState, k: int) -> Arrays:
    """Return replica *k*'s own state as arrays."""
    return {name: x.cpu().numpy().copy() for name, x in _named(replica_of(state, k)).items()}


def with_replica(state: ModuleState, k: int, arrays: Mapping[str, Array]) -> ModuleState:
    """Return *state* with these `replica_arrays` in replica *k*'s place. Raises RunError."""
    whole = state.map(torch.clone)
    for name, tensor in _named(replica_of(whole, k)).items():
        kind = _KINDS.get(tensor.cpu().numpy().dtype.kind, "float")
        tensor.copy_(torch.from_numpy(take(arrays, name, tuple(tensor.shape), kind)))
    return whole


def _named(part: ModuleState) -> dict[str, Tensor]:
    cells = {f"{name}.{k}": getattr(c, k) for name, c in part.cells.items() for k in _CARRIED}
    return {**cells, **{f"{name}.spikes": s for name, s in part.spikes.items()}}
