"""One replica's part of what a network carries from one decision to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from neurorl.backends.torch import ModuleState
from neurorl.backends.torch.state import Carried
from neurorl.network.restoring import take

__all__ = ["joined", "part_arrays", "part_of", "with_part"]

_KINDS = {"b": "bool", "i": "whole"}
Arrays = dict[str, npt.NDArray[Any]]


def part_of(state: ModuleState, k: int) -> ModuleState:
    """That of replica *k*, as a state of one replica, without its past."""
    cells = {
        name: Carried(c.u[k : k + 1], c.v[k : k + 1], c.blocked[:, k : k + 1])
        for name, c in state.cells.items()
    }
    spikes = {name: s[k : k + 1] for name, s in state.spikes.items()}
    return ModuleState(cells, spikes).detach()


def joined(states: Sequence[ModuleState]) -> ModuleState:
    """States as that of one batch, theirs one after the other."""
    if len(states) == 1:
        return states[0]
    cells = {
        name: Carried(
            *(torch.cat([getattr(s.cells[name], key) for s in states], dim=-2) for key in vars(c))
        )
        for name, c in states[0].cells.items()
    }
    spikes = {n: torch.cat([s.spikes[n] for s in states], dim=-2) for n in states[0].spikes}
    return ModuleState(cells, spikes)


def part_arrays(state: ModuleState, k: int) -> Arrays:
    """That of replica *k* as arrays."""
    return {name: x.numpy().copy() for name, x in _named(part_of(state, k)).items()}


def with_part(state: ModuleState, k: int, arrays: Mapping[str, npt.NDArray[Any]]) -> ModuleState:
    """*state* with `part_arrays` in the place of replica *k*. Raises RunError."""
    whole = state.map(torch.clone)
    for name, mine in _named(part_of(whole, k)).items():
        kind = _KINDS.get(mine.numpy().dtype.kind, "float")
        mine.copy_(torch.from_numpy(take(arrays, name, tuple(mine.shape), kind)))
    return whole


def _named(part: ModuleState) -> dict[str, Tensor]:
    cells = {f"{name}.{key}": x for name, c in part.cells.items() for key, x in vars(c).items()}
    return {**cells, **{f"{name}.spikes": s for name, s in part.spikes.items()}}
