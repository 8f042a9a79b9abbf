"""Run windows of fixed length whose rasters stay in place, thousands of them a second."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

__all__ = ["CopiedWindow", "NativeRun", "Raster", "Window"]

Raster = npt.NDArray[np.bool_]


class NativeRun(NamedTuple):
    """Holds addresses of a window's `run` in C and of its arguments.

    ``void function(int fresh, int64_t n_steps, const uint8_t **inputs, uint8_t **rasters)``.
    The addresses are valid as long as the window and its backend, which must be open.
    """

    function: int
    inputs: int
    rasters: int


class Window(abc.ABC):
    """Runs steps of a backend on fixed arrays.

    Made by `neurorl.backends.base.Backend.window`; valid until its backend is closed.

    inputs: a raster ``(n_steps, n_replicas * size)`` for each source of spikes, activations
        ``(n_replicas * size,)`` for each source of currents; silent at first; write to them.
    rasters: the raster of each recorded population, overwritten by `run`.
    """

    def __init__(self, inputs: dict[str, npt.NDArray[Any]], rasters: dict[str, Raster]) -> None:
        self.inputs = inputs
        self.rasters = rasters

    @property
    def native(self) -> NativeRun | None:
        """Return `run` as a C function, for callers in C; None if it isn't one."""
        return None

    @abc.abstractmethod
    def run(self, fresh: bool) -> None:
        """Advance by *inputs* and fill *rasters*; *fresh* resets all replicas first.

        Raises BackendError if the backend has been closed.
        """


class _Steps(Protocol):
    """Names what a copied window asks of its backend."""

    @property
    def n_replicas(self) -> int: ...
    def check_open(self) -> None: ...
    def _reset(self, replicas: Sequence[int]) -> None: ...
    def _flow_and_step(
        self, inputs: dict[str, npt.NDArray[Any]], n_steps: int
    ) -> dict[str, Raster]: ...


class CopiedWindow(Window):
    """Runs a window on any backend, by a reset, a step and copies of what it returns."""

    def __init__(
        self,
        backend: _Steps,
        inputs: dict[str, npt.NDArray[Any]],
        rasters: dict[str, Raster],
        n_steps: int,
    ) -> None:
        super().__init__(inputs, rasters)
        self._backend = backend
        self._n_steps = n_steps

    def run(self, fresh: bool) -> None:
        backend = self._backend
        backend.check_open()
        if fresh:
            backend._reset(range(backend.n_replicas))
        for name, raster in backend._flow_and_step(self.inputs, self._n_steps).items():
            self.rasters[name][:] = raster
