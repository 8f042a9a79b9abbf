"""Run windows of fixed length whose rasters stay in place, thousands of them a second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from neurorl.errors import BackendError
from neurorl.numerics.arrays import Array, BoolArray

Raster = BoolArray


class NativeRun(NamedTuple):
    """Hold the addresses of a window's `run` in C and of its arguments.

    ``void function(int fresh, int64_t n_steps, const uint8_t **inputs, uint8_t **rasters)``.
    The addresses are valid as long as the window and its backend, which must be open.
    """

    function: int
    inputs: int
    rasters: int


class WindowCall(NamedTuple):
    """Hold the call by which a simulator runs a window in place: ``function(fresh, *arguments)``.

    native: the same for callers in C; None if it is no C function.
    kept: an object that must live as long as the window.
    """

    function: Callable[..., object]
    arguments: tuple[Any, ...] = ()
    native: NativeRun | None = None
    kept: object = None


class _Steps(Protocol):
    """Declare what a window needs of its backend."""

    @property
    def simulated(self) -> object: ...
    def check_free(self, what: str, instead: str) -> None: ...
    def flow(self, inputs: dict[str, Array]) -> None: ...


class Window:
    """Run steps of a backend on fixed arrays.

    `neurorl.backends.base.Backend.window` makes it; it is valid until its backend is closed.

    inputs: a raster ``(n_steps, n_replicas * size)`` for each source of spikes, activations
        ``(n_replicas * size,)`` for each source of currents; silent at first; write to them.
    rasters: the raster of each recorded population, overwritten by `run`.
    """

    def __init__(
        self,
        backend: _Steps,
        call: WindowCall,
        inputs: dict[str, Array],
        rasters: dict[str, Raster],
        currents: dict[str, Array],
    ) -> None:
        self.inputs = inputs
        self.rasters = rasters
        self._backend, self._call, self._simulated = backend, call, backend.simulated
        self._currents = currents  # those of *inputs*, which become biases before the steps
        self._function, self._arguments = call.function, call.arguments

    @property
    def native(self) -> NativeRun | None:
        """Return `run` as a C function for callers in C, or None."""
        return None if self._currents else self.steps

    @property
    def steps(self) -> NativeRun | None:
        """Return `native` for callers who write themselves what currents add to biases."""
        return self._call.native

    def run(self, fresh: bool) -> None:
        """Advance with *inputs*, and fill *rasters*; fresh: whether to reset all replicas first.

        Raises BackendError if the backend has been closed or rebuilt, ArgumentError if a
        `neurorl.Learning` learns on it.
        """
        self._backend.check_free("Window.run", "learning.window")
        if self._backend.simulated is not self._simulated:
            what, remedy = "its backend has other synapses since", "backend.window() again"
            raise BackendError("Window.run", what, remedy=remedy)
        if self._currents:
            self._backend.flow(self._currents)
        self._function(fresh, *self._arguments)
