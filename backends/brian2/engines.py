"""List the engines that run a network on Brian2, and choose one that works here."""

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
"""Names of the variables that one step leaves to the next: current, voltage, dead steps left."""

_REMEDIES = {
    "compiled": "install a C++ compiler, or take engine='numpy'",
    "cython": "install Cython, setuptools and a C++ compiler, or take engine='numpy'",
}


class Engine(abc.ABC):
    """Runs a network; its memory is open as arrays.

    nodes: names of all nodes that spike.
    variables: by population, its arrays by their names in the equations; written to in place.
    """

    nodes: tuple[str, ...]
    variables: dict[str, dict[str, npt.NDArray[Any]]]

    @property
    @abc.abstractmethod
    def t(self) -> int:
        """Return the steps since the start; may be set."""

    @t.setter
    @abc.abstractmethod
    def t(self, step: int) -> None: ...

    @abc.abstractmethod
    def write(self, name: str, transmitted: npt.NDArray[Any]) -> None:
        """Put a projection's transmitted weights, of the description's shape, in force."""

    def reset(self) -> None:
        """Silence the network."""
        for variables in self.variables.values():
            for name in DYNAMIC:
                if name in variables:
                    variables[name][:] = 0
        self.put_in_flight({name: np.zeros_like(self.spikes(name)) for name in self.nodes})

    def memory(self, name: str) -> npt.NDArray[np.float64] | None:
        """Return the flat memory of a projection, in the description's order, or None."""
        return None

    @abc.abstractmethod
    def step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        """Advance and return the rasters of the recorded populations.

        inputs: rasters by source; entries that belong to no spiking source are ignored.
        """

    @abc.abstractmethod
    def spikes(self, name: str) -> Raster:
        """Return a node's last spikes, newest last, as many steps as its longest delay."""

    @abc.abstractmethod
    def put_in_flight(self, spikes: dict[str, npt.NDArray[np.bool_]]) -> None:
        """Make these the last spikes of every node, newest last; they have yet to arrive.

        Set `t` first.
        """

    def close(self) -> None:  # noqa: B027
        """Release resources that are not garbage-collected."""


def check_engine(engine: str | None) -> str:
    """Return *engine*, or for None the best one here.

    Raises UnknownNameError for an unknown one, BackendError if what the engine needs is missing.
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
    """Return the fastest engine that works; warn if it isn't the fastest of all.

    problem: why the compiler doesn't work; None if it does.
    """
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
    """Return why Cython can't compile for Brian2; None if it can."""
    try:
        from neurorl.backends.brian2.preferences import cython_problem  # imports Brian2, so late
    except Exception as exc:  # a broken Brian2, or one that doesn't fit its NumPy
        return f"brian2 doesn't import: {exc}"
    return cython_problem()
