"""The ways to run a network on Brian2, and which of them works here."""

from __future__ import annotations

import abc
import functools
import warnings
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Raster
from neurorl.backends.brian2 import fingerprint
from neurorl.backends.checks import Inputs
from neurorl.errors import BackendError, say, unknown
from neurorl.native import toolchain

__all__ = ["DYNAMIC", "ENGINES", "Engine", "check_engine"]

ENGINES = ("compiled", "cython", "numpy")

DYNAMIC = ("u", "v", "dead")
"""Variables that one step leaves to the next: current, voltage, dead steps left."""

_REMEDIES = {
    "compiled": "install a C++ compiler, or take engine='numpy'",
    "cython": "install Cython, setuptools and a C++ compiler, or take engine='numpy'",
}


class Engine(abc.ABC):
    """A network at work: its memory as arrays, and a way to step it.

    nodes: names of all that spike. variables: of each population, by their names in the
    equations; written to in place.
    """

    nodes: tuple[str, ...]
    variables: dict[str, dict[str, npt.NDArray[Any]]]

    @property
    @abc.abstractmethod
    def t(self) -> int:
        """Steps since the start; may be set."""

    @t.setter
    @abc.abstractmethod
    def t(self, step: int) -> None: ...

    @abc.abstractmethod
    def write(self, name: str, transmitted: npt.NDArray[Any]) -> None:
        """Put a projection's weights, of the description's shape, in force."""

    def reset(self) -> None:
        """Silence."""
        for variables in self.variables.values():
            for name in DYNAMIC:
                if name in variables:
                    variables[name][:] = 0
        self.put_in_flight({name: np.zeros_like(self.spikes(name)) for name in self.nodes})

    def memory(self, name: str) -> npt.NDArray[np.float64] | None:
        """A projection's `write` as memory, flat, in the description's order; None if it isn't."""
        return None

    @abc.abstractmethod
    def step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        """Advance; the rasters of the recorded populations. What isn't of a node is left out."""

    @abc.abstractmethod
    def spikes(self, name: str) -> Raster:
        """The last spikes of a node, newest last, as many steps as its longest delay."""

    @abc.abstractmethod
    def put_in_flight(self, spikes: dict[str, npt.NDArray[np.bool_]]) -> None:
        """Make these the last spikes of every node, newest last; they haven't arrived yet.

        `t` has been set.
        """

    def close(self) -> None:  # noqa: B027
        """Free what doesn't go by itself."""


def check_engine(engine: str | None) -> str:
    """*engine*, or the best one here for None.

    Raises UnknownNameError, or BackendError if what the engine needs is missing.
    """
    if engine is None:
        return _best_engine(toolchain.problem())
    if engine not in ENGINES:
        raise unknown("engine", engine, ENGINES)
    problem = None
    if engine == "compiled":
        problem = toolchain.problem()
    elif engine == "cython":
        problem = _cython_problem()
    if problem is not None:
        remedy = _REMEDIES[engine]
        raise BackendError(say(f"engine {engine!r}", "can't compile", got=problem, remedy=remedy))
    return engine


@functools.cache
def _best_engine(problem: str | None) -> str:
    """The fastest engine that works, given the compiler's problem; warns if it isn't the best."""
    remedy = "install a C++ compiler"
    if problem is None:
        if fingerprint.is_known():
            return "compiled"
        problem = f"brian2 {fingerprint.version()}, not among {', '.join(fingerprint.KNOWN)}"
        remedy = "try engine='compiled', or install one of these"
    chosen = "cython" if _cython_problem() is None else "numpy"
    message = say(
        "backend brian2", f"runs on the slower engine {chosen!r}", got=problem, remedy=remedy
    )
    warnings.warn(message, RuntimeWarning, stacklevel=2)
    return chosen


def _cython_problem() -> str | None:
    try:
        from neurorl.backends.brian2.preferences import cython_problem  # imports Brian2, so late
    except Exception as exc:  # of a broken Brian2, or one that doesn't fit its NumPy
        return f"brian2 doesn't import: {exc}"
    return cython_problem()
