"""Run a window of the engine 'compiled': C reads and writes its rasters, in one call."""

from __future__ import annotations

import ctypes

import numpy as np

from neurorl.backends.base import Backend
from neurorl.backends.brian2.compiled import Compiled
from neurorl.backends.brian2.library import places
from neurorl.backends.checks import Inputs
from neurorl.backends.window import NativeRun, Raster, Window

__all__ = ["CompiledWindow"]


class CompiledWindow(Window):
    """Runs a window without copies or allocations; checks only that the backend is open."""

    def __init__(
        self,
        backend: Backend,
        engine: Compiled,
        inputs: Inputs,
        rasters: dict[str, Raster],
        n_steps: int,
    ) -> None:
        super().__init__(inputs, rasters)
        self._backend = backend
        # Currents are written into the biases before C is called.
        self._currents = {name: inputs[name] for name in backend.network.currents}
        self._advance = engine.advance
        none = np.zeros((0, 0), dtype=bool)
        # Kept alive here for C, as the caller may replace what is in the window's dicts.
        self._buffers = (
            [inputs[name] for name in engine.sources],
            [rasters.get(name, none) for name in engine.populations],
        )
        self._places = [places(buffers) for buffers in self._buffers]
        into, out = (ctypes.c_void_p(ctypes.addressof(place)) for place in self._places)
        self._arguments = (ctypes.c_int64(n_steps), into, out)

    @property
    def native(self) -> NativeRun | None:
        if self._currents:
            return None
        function = ctypes.cast(self._advance, ctypes.c_void_p).value
        assert function is not None
        return NativeRun(function, *(ctypes.addressof(place) for place in self._places))

    def run(self, fresh: bool) -> None:
        if self._backend._closed:
            self._backend.check_open()
        if self._currents:
            self._backend._flow(self._currents)
        self._advance(fresh, *self._arguments)
