"""Take one replica's share of what a network carries from decision to decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from neurorl.backends.torch import ModuleState
from neurorl.network.restoring import take
from neurorl.numerics.arrays import Array

_KINDS = {"b": "bool", "i": "whole"}
Arrays = dict[str, Array]


def replica_of(state: ModuleState, k: int) -> ModuleState:
    """Return replica *k*'s own state, without its past."""
    return state.map(lambda x: x[k : k + 1]).detach()


def joined(states: Sequence[ModuleState]) -> ModuleState:
    """Join states into that of one batch, one after the other."""
    return states[0].map(lambda *x: torch.cat(x, dim=-2), *states[1:]) if states[1:] else states[0]


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
    named = {f"{name}.{x}": v for name, c in part.cells.items() for x, v in c.variables.items()}
    named |= {f"{name}.blocked": c.blocked.transpose(0, 1) for name, c in part.cells.items()}
    return {**named, **{f"{name}.spikes": s for name, s in part.spikes.items()}}
