"""Name what is measured, as the command line does, and the loop that each name means."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from neurorl.arithmetic.rounding import find_arithmetic
from neurorl.backends.lookup import BACKENDS
from neurorl.backends.spec import BackendSpec
from neurorl.bench.workload import BenchLoop, Size
from neurorl.errors import ArgumentError
from neurorl.storage.plain import PlainData


@dataclass(frozen=True)
class Candidate:
    """Name one way to run the workload.

    spec: what it runs on, or a name for a library that is no backend. module: of such a library,
    the module with ``make(size, replicas) -> Loop``. builds: whether that library compiles when it
    starts. drags: whether a step of it takes tens of milliseconds for each replica.
    """

    spec: BackendSpec
    module: str | None = None
    builds: bool = False
    drags: bool = False

    @property
    def label(self) -> str:
        """Return its name as the command line has it."""
        return str(self.spec)

    @property
    def compiles(self) -> bool:
        """Return whether a first start, with an empty cache, takes longer than the next."""
        return self.builds or (self.is_backend and self.spec.chosen_engine.compiles)

    @property
    def is_slow(self) -> bool:
        """Return whether a step takes tens of milliseconds for each replica."""
        return self.drags or (self.is_backend and self.spec.chosen_engine.is_slow)

    @property
    def is_backend(self) -> bool:
        """Return whether it is neurorl that runs."""
        return self.module is None and self.spec.backend != FLOOR.spec.backend


def read_candidate(data: PlainData) -> Candidate:
    """Return the candidate that `dataclasses.asdict` made *data* of."""
    return Candidate(**{**data, "spec": BackendSpec(**data["spec"])})


FLOORS = tuple(Candidate(BackendSpec("c-floor", engine=x), builds=True) for x in ("dense", "block"))
"""Run the workload written by hand in C, in two ways; backends are compared with the faster one.

The size deep has the first only."""

FLOOR = FLOORS[0]


_RUN = {x: y for x, y in BACKENDS.items() if not find_arithmetic(y.arithmetics[0]).counts_spikes}
"""Hold the backends that run the workload, whose neurons are stochastic."""


def backends(names: Sequence[str] | None, arithmetic: str | None = None) -> list[Candidate]:
    """Return candidates of names such as ``brian2:cython``; None takes every backend.

    arithmetic: of all; None takes each backend's own. Without *names*, backends that don't have
    it are left out. Raises UnknownNameError, or ArgumentError for one that doesn't have it.
    """
    if arithmetic is not None:
        find_arithmetic(arithmetic)
    candidates = []
    for name in _RUN if names is None else names:
        spec = BackendSpec.of(name, arithmetic)
        if spec.chosen_arithmetic in spec.arithmetics:
            spec = dataclasses.replace(spec, arithmetic=spec.chosen_arithmetic)
            candidates.append(Candidate(spec))
        elif names is not None:
            limit = spec.arithmetics[0]
            where, what = f"backend {spec.backend}", "another arithmetic"
            raise ArgumentError(where, what, got=arithmetic, limit=limit)
    return list(dict.fromkeys(candidates))


def everything() -> list[Candidate]:
    """Return every backend on every engine, native in both arithmetics."""
    names = []
    for backend, info in _RUN.items():
        engines = [name for name, engine in info.engines.items() if engine.options]
        names += [f"{backend}:{engine}" for engine in engines] or [backend]
    return backends([*names, "native:loihi"])


def make_loop(candidate: Candidate, size: Size, replicas: int) -> BenchLoop:
    """Build it, ready for the first step. Raises NeurorlError, or what its library raises."""
    if candidate.module is not None:
        module: Any = importlib.import_module(candidate.module)
        loop: BenchLoop = module.make(size, replicas)
        return loop
    if candidate.spec.backend == FLOOR.spec.backend:
        from neurorl.bench import floor

        return floor.make(size, replicas, candidate.spec.engine or "dense")
    from neurorl.bench import ours

    return ours.make(size, replicas, candidate.spec)
