"""Name what is measured, as the command line does, and the loop that each name means."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from neurorl.backends.registry import BACKENDS
from neurorl.bench.loops import Loop
from neurorl.bench.workload import Size
from neurorl.errors import ArgumentError, say, unknown

__all__ = ["ENGINES", "FLOOR", "Candidate", "backends", "everything", "make_loop"]

ENGINES: dict[str, tuple[str, ...]] = {
    "reference": (),
    "brian2": ("compiled", "cython", "numpy"),
    "loihi": ("accelerated", "stock"),
    "torch": ("compiled", "eager"),
}
"""Of each backend, the preferred first; ``stock`` is nengo-loihi's emulator without our loops."""

_ARITHMETICS = dict.fromkeys(BACKENDS, ("float", "loihi")) | {"loihi": ("loihi",)}


@dataclass(frozen=True)
class Candidate:
    """Describe one way to run the workload.

    engine, arithmetic: None takes its own default. module: of a library that is no backend, the
    module with ``make(size, replicas) -> Loop``. builds: whether that library compiles when it
    starts. drags: whether a step of it takes tens of milliseconds for each replica.
    """

    backend: str
    engine: str | None = None
    arithmetic: str | None = None
    module: str | None = None
    builds: bool = False
    drags: bool = False

    @property
    def label(self) -> str:
        parts = (self.backend, self.engine, self.arithmetic)
        return ":".join(part for part in parts if part)

    @property
    def compiles(self) -> bool:
        """Return whether a first start, with an empty cache, takes longer than the next."""
        compiled = self.backend == "brian2" and self.engine != "numpy"
        return compiled or self.backend == FLOOR.backend or self.builds

    @property
    def is_slow(self) -> bool:
        """Return whether a step takes tens of milliseconds for each replica."""
        return self.engine == "stock" or self.drags


FLOOR = Candidate("c-floor", "dense")


def backends(names: Sequence[str] | None, arithmetic: str | None = None) -> list[Candidate]:
    """Return candidates of names such as ``brian2:cython``; None takes every backend.

    arithmetic: of all; None takes each backend's own. Without *names*, backends that don't have
    it are left out. Raises UnknownNameError, or ArgumentError for one that doesn't have it.
    """
    if arithmetic is not None and arithmetic not in _ARITHMETICS["reference"]:
        raise unknown("arithmetic", arithmetic, _ARITHMETICS["reference"])
    candidates = []
    for name in BACKENDS if names is None else names:
        backend, colon, engine = name.partition(":")
        if backend not in BACKENDS:
            raise unknown("backend", backend, BACKENDS)
        if colon and engine not in ENGINES[backend]:
            raise unknown(f"engine of {backend}", engine, ENGINES[backend])
        has = _ARITHMETICS[backend]
        if arithmetic is None or arithmetic in has:
            candidates.append(Candidate(backend, engine or None, arithmetic or has[0]))
        elif names is not None:
            raise ArgumentError(
                say(f"backend {backend}", "another arithmetic", got=arithmetic, limit=has[0])
            )
    return list(dict.fromkeys(candidates))


def everything() -> list[Candidate]:
    """Return every backend on every engine, the compiled one in both arithmetics."""
    names = [f"{b}:{e}" if e else b for b, engines in ENGINES.items() for e in engines or ("",)]
    return [*backends(names), Candidate("brian2", "compiled", "loihi")]


def make_loop(candidate: Candidate, size: Size, replicas: int) -> Loop:
    """Build the loop, ready for its first step. Raises NeurorlError, or its library's error."""
    if candidate.module is not None:
        module: Any = importlib.import_module(candidate.module)
        loop: Loop = module.make(size, replicas)
        return loop
    if candidate.backend in BACKENDS:
        from neurorl.bench import ours

        engine = None if candidate.engine == "accelerated" else candidate.engine
        return ours.make(size, replicas, candidate.backend, engine, candidate.arithmetic)
    from neurorl.bench import floor

    return floor.make(size, replicas, candidate.engine or "dense")
