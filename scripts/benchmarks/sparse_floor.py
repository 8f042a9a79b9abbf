"""Compile and call `sparse_floor.c`: a window of learning by listed synapses, by hand in C."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from neurorl.bench.floor import compiler

FLAGS = ["-O3", "-march=native", "-ffast-math", "-fPIC"]
_SOURCE = Path(__file__).with_name("sparse_floor.c")

Array = npt.NDArray[np.generic]


@dataclass(frozen=True)
class FloorConstants:
    """Hold what each step leaves of a membrane, of traces and of an eligibility; and bounds."""

    membrane: float
    threshold: float
    trace: float
    post_trace: float
    depression: float
    eligibility: float
    low: float
    high: float


class _State(ctypes.Structure):
    _fields_ = [
        *[(name, ctypes.c_int64) for name in ("inputs", "cells", "steps")],
        *[(name, ctypes.c_void_p) for name in ("start", "post", "w", "e", "v", "y", "into", "x")],
        ("last", ctypes.c_void_p),
        *[(name, ctypes.c_float) for name in ("membrane", "threshold", "trace", "post_trace")],
        *[(name, ctypes.c_float) for name in ("depression", "keep", "low", "high")],
        *[(name, ctypes.c_void_p) for name in ("left", "power", "first", "others", "links")],
    ]


class SparseFloor:
    """Hold the arrays of a network of inputs and cells, and run its windows.

    start, post: synapses by input, as in `neurorl.network.synapse_list.SynapseList`.
    w, e: their weights and eligibilities, float32, which C reads and writes.
    """

    def __init__(
        self,
        start: npt.NDArray[np.int64],
        post: npt.NDArray[np.int32],
        weights: npt.NDArray[np.float64],
        n_cells: int,
        n_steps: int,
        constants: FloorConstants,
    ) -> None:
        n_inputs, kept = len(start) - 1, constants.eligibility
        self.w, self.e = weights.astype(np.float32), np.zeros(len(post), np.float32)
        self._arrays: dict[str, Array] = {
            "start": start,
            "post": post,
            "w": self.w,
            "e": self.e,
            **{name: np.zeros(n_cells, np.float32) for name in ("v", "y", "into")},
            "x": np.zeros(n_inputs, np.float32),
            "last": np.zeros(n_inputs, np.uint8),
            "left": (kept ** np.arange(n_steps - 1, -1, -1.0)).astype(np.float32),
            "power": (constants.post_trace ** np.arange(n_steps + 1.0)).astype(np.float32),
            "first": np.zeros(n_cells, np.uint8),
            "others": np.zeros(n_cells, np.int32),
            "links": np.zeros((n_steps * n_cells, 2), np.int32),
        }
        c = constants
        self._state = _State(
            inputs=n_inputs,
            cells=n_cells,
            steps=n_steps,
            membrane=c.membrane,
            threshold=c.threshold,
            trace=c.trace,
            post_trace=c.post_trace,
            depression=c.depression,
            keep=kept**n_steps,
            low=c.low,
            high=c.high,
            **{name: array.ctypes.data for name, array in self._arrays.items()},
        )
        self._out = np.zeros((n_steps, n_cells), np.bool_)
        self._library = _compiled()
        self._address = ctypes.c_void_p(ctypes.addressof(self._state))

    def window(self, raster: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """Run a window of an input raster, and remember it; return the cells' raster."""
        told, out = ctypes.c_void_p(raster.ctypes.data), ctypes.c_void_p(self._out.ctypes.data)
        self._library.simulate(self._address, told, out)
        self._library.remember(self._address, told, out)
        return self._out

    def reinforce(self, step: float) -> None:
        """Change the weights by ``step * e``."""
        self._library.reinforce(self._address, ctypes.c_float(step))


def _compiled() -> ctypes.CDLL:
    with tempfile.TemporaryDirectory() as folder:
        code, library = Path(folder) / "floor.o", Path(folder) / "floor.so"
        subprocess.run([*compiler(), *FLAGS, "-c", str(_SOURCE), "-o", str(code)], check=True)
        # Linked apart: with -ffast-math, gcc would change the whole process's arithmetic.
        subprocess.run([*compiler(), "-shared", str(code), "-o", str(library)], check=True)
        loaded = ctypes.CDLL(str(library))
    for name in ("simulate", "remember", "reinforce"):
        getattr(loaded, name).restype = None
    return loaded
