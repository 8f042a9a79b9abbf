"""List the engines that run a network on Brian2, and choose one that works here."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from dataclasses import dataclass

from neurorl.backends.brian2 import fingerprint
from neurorl.backends.brian2.compiled import Compiled, begin_library
from neurorl.backends.brian2.engine import Engine
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.errors import BackendError, BackendUnavailableError, check_name, format_message
from neurorl.native import toolchain
from neurorl.native.background import Building
from neurorl.native.build import failure

__all__ = ["ENGINES", "EngineKind", "check_engine", "find_engine", "hindrance"]


@dataclass(frozen=True)
class EngineKind:
    """Describe an engine before it is made.

    make: builds it for a network.
    problem: returns why it can't compile here; None if it can.
    needs: what to install for it.
    begin: as `neurorl.backends.simulator.Simulator.begin`.
    """

    name: str
    make: Callable[[SimulatedNetwork], Engine]
    problem: Callable[[], str | None] = lambda: None
    needs: str = ""
    begin: Callable[[SimulatedNetwork], Building | None] = lambda _: None

    def check(self) -> None:
        """Raise BackendError if what the engine needs is missing."""
        problem, remedy = self.problem(), f"install {self.needs}, or take engine='numpy'"
        if problem is not None:
            where = f"engine {self.name!r}"
            raise BackendError(where, "can't compile", got=problem, remedy=remedy)


def check_engine(name: str | None) -> None:
    """Raise UnknownNameError unless *name* is an engine, or None for the best one."""
    if name is not None:
        check_name("engine", name, ENGINES)


def find_engine(name: str | None) -> EngineKind:
    """Return an engine, the best one here for None; raise BackendError if it can't compile."""
    if name is None:
        return _best_engine(toolchain.problem())
    kind = next(kind for kind in _KINDS if kind.name == name)
    kind.check()
    return kind


@functools.cache
def _best_engine(problem: str | None) -> EngineKind:
    """Return the fastest engine that works; warn if it isn't the fastest of all.

    problem: why the compiler doesn't work; None if it does.
    """
    compiled, *slower = _KINDS
    remedy = "install a C++ compiler"
    if problem is None:
        problem, remedy = _unknown(), "try engine='compiled', or install one of these"
        if problem is None:
            return compiled
    chosen = next(kind for kind in slower if kind.problem() is None)
    message = format_message(
        "backend brian2", f"runs on the slower engine {chosen.name!r}", got=problem, remedy=remedy
    )
    warnings.warn(message, RuntimeWarning, stacklevel=2)
    return chosen


def hindrance() -> str | None:
    """Return why the fastest engine can't run here; None if it can."""
    return failure() or _unknown()


def _unknown() -> str | None:
    """Return that the compiled engine wasn't made for the installed Brian2; None if it was."""
    if fingerprint.is_known():
        return None
    return f"brian2 {fingerprint.version()}, not among {', '.join(fingerprint.KNOWN)}"


def _cython_problem() -> str | None:
    """Return why Cython can't compile for Brian2; None if it can."""
    try:
        from neurorl.backends.brian2.preferences import cython_problem  # imports Brian2, so late
    except Exception as exc:  # a broken Brian2, or one that doesn't fit its NumPy
        return f"brian2 doesn't import: {exc}"
    return cython_problem()


def _runtime(target: str, simulated: SimulatedNetwork) -> Engine:
    """Return the objects of a `brian2.Network`; raise BackendUnavailableError without Brian2."""
    try:
        from neurorl.backends.brian2.runtime import Runtime  # imports Brian2, so late
    except Exception as exc:  # a broken installation may raise anything
        problem, remedy = "brian2 doesn't import", "pip install brian2"
        message = format_message("backend brian2", problem, got=exc, remedy=remedy)
        raise BackendUnavailableError(message) from exc
    return Runtime(simulated, target)


_KINDS = (
    EngineKind("compiled", Compiled, lambda: toolchain.problem(), "a C++ compiler", begin_library),
    EngineKind(
        "cython",
        functools.partial(_runtime, "cython"),
        _cython_problem,
        "Cython, setuptools and a C++ compiler",
    ),
    EngineKind("numpy", functools.partial(_runtime, "numpy")),
)
ENGINES = tuple(kind.name for kind in _KINDS)
"""List the names of the engines, the preferred one first."""
