"""Derive classes with one mistake from `foreign`; each function returns such a backend."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from faults.foreign import Array, Cells, Foreign
from neurorl.backends.base import Raster
from neurorl.network.neuron import Integrator

Kind = type[Foreign]
_PARTS = ("current", "membrane", "hold", "level", "draw", "over", "reset")


def _named(base: type, body: dict[str, Any]) -> Any:
    return type("Mistaken", (base,), body)


def numbers(
    field: str,
    change: Callable[[Array], Array],
    population: str | None = None,
    neuron: int | None = None,
) -> Kind:
    """Give parameters another value, of all neurons or one."""

    def dynamics(self: Foreign, name: str, described: Integrator) -> Integrator:
        if population not in (None, name):
            return described
        values = np.array(getattr(described, field))
        changed = np.array(change(values))
        if neuron is not None:
            changed = np.where(np.arange(len(values)) == neuron, changed, values)
        return dataclasses.replace(described, **{field: changed.astype(values.dtype)})

    return _named(Foreign, {"dynamics": dynamics})  # type: ignore[no-any-return]


def tau(factor: float) -> Callable[[Array], Array]:
    """Return a decay whose time constant is so many times as long."""
    return lambda decay: np.where(decay > 0, np.maximum(decay, 1e-300) ** (1 / factor), 0)


def cells(**methods: Callable[..., Any]) -> Kind:
    """Give neurons other methods."""
    return _named(Foreign, {"cells": _named(Cells, methods)})  # type: ignore[no-any-return]


def late(kind: Kind, when: Callable[[Foreign], bool]) -> Kind:
    """Replace neurons by *kind* while *when* says so; else they are as they should be."""
    other = kind.cells

    class Late(other):  # type: ignore[valid-type,misc]
        def __init__(self, backend: Foreign, population: Any) -> None:
            super().__init__(backend, population)
            self.wrong: Integrator = self.d

        def update(self, q: Array) -> Raster:
            if when(self.backend):
                self.d = self.wrong
                return np.asarray(other.update(self, q))
            self.d = self.described
            for name in _PARTS:
                setattr(self, name, getattr(Cells, name).__get__(self))
            found = Cells.update(self, q)
            for name in _PARTS:
                delattr(self, name)
            return found

    return _named(kind, {"cells": Late})  # type: ignore[no-any-return]


def projections(
    change: Callable[[Array], Array], only: str | None = None, bias_too: bool = False
) -> Kind:
    """Take other weights than were given."""

    def transmits(self: Foreign, projection: str) -> Array:
        found = Foreign.transmits(self, projection)
        return change(found) if only in (None, projection) else found

    return _named(Foreign, {"transmits": transmits})  # type: ignore[no-any-return]


def delayed(by: int, only: str | None = None) -> Kind:
    """Let spikes arrive later or earlier."""

    def delay(self: Foreign, projection: str) -> int:
        found = self.network.delay_steps(projection)
        return max(found + by, 1) if only in (None, projection) else found

    def depth(self: Foreign, node: str) -> int:
        return Foreign.depth(self, node) + max(by, 0)

    def state(self: Foreign, replica: int) -> Any:
        state = Foreign.state(self, replica)
        return {k: x[max(by, 0) :] if k.endswith(".spikes") else x for k, x in state.items()}

    return _named(  # type: ignore[no-any-return]
        Foreign, {"delay": delay, "depth": depth, "state": state}
    )


def between_calls(lose: Callable[[Foreign], None], first: bool = True) -> Kind:
    """Do something as a call of `step` begins, or as it ends."""
    return _named(Foreign, {"begin_call" if first else "end_call": lose})  # type: ignore[no-any-return]


def at_reset(silence: Callable[[Foreign], None]) -> Kind:
    """Reset otherwise."""
    return _named(Foreign, {"silence": silence})  # type: ignore[no-any-return]


def draws(step: Callable[[Foreign, str], int]) -> Kind:
    """Draw noise of another step."""
    return _named(Foreign, {"noise_step": step})  # type: ignore[no-any-return]


def writes(**methods: Any) -> Kind:
    """Write otherwise."""
    return _named(Foreign, methods)  # type: ignore[no-any-return]
