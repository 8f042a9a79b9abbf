"""Compile the workload in C, the floor of what a step costs, and call it through ctypes."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shlex
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from platformdirs import user_cache_path

from neurorl.bench import workload
from neurorl.bench.workload import BOUND, RATE, STEPS, BenchLoop, Size, agent_loop, initial_weights
from neurorl.errors import BackendError, BackendUnavailableError
from neurorl.native.cache import CompileCache, load_copy
from neurorl.native.toolchain import processor

VARIANTS = ("dense", "block")
FLAGS = ["-O3", "-march=native", "-ffast-math", "-fPIC"]
_SOURCE = Path(__file__).with_name("floor.c")
_Array = npt.NDArray[np.float32]


def make(size: Size, replicas: int, variant: str = "dense") -> BenchLoop:
    """Return the loop around a `FloorAgent`."""
    return agent_loop(FloorAgent(size, replicas, variant), size, replicas, engine=variant)


class FloorAgent:
    """Run a whole window of all replicas in one call of C.

    variant: ``'dense'`` or ``'block'``. w1 ``(replicas, inputs, hidden)`` and w2
    ``(replicas, outputs, hidden)`` are the memory that the C code uses.
    Raises BackendUnavailableError without a C compiler, BackendError if it fails.
    """

    def __init__(self, size: Size, replicas: int = 1, variant: str = "dense") -> None:
        self._library = library = load(size)
        self._replicas = replicas
        for name in ("replica_bytes", "offset_w1", "offset_w2", "offset_key"):
            getattr(library, name).restype = ctypes.c_size_t
        self._memory = aligned(replicas, library.replica_bytes())
        self.w1 = self._part(library.offset_w1(), (size.inputs, size.hidden))
        self.w2 = self._part(library.offset_w2(), (size.outputs, size.hidden))
        w1, w2 = initial_weights(size)
        self.w1[:], self.w2[:] = w1, w2.T
        keys = np.random.default_rng(7).integers(0, 2**32, replicas, dtype=np.uint32)
        self._part(library.offset_key(), (1,))[:] = keys.view(np.float32)[:, None]
        self._counts = np.zeros((replicas, size.outputs), dtype=np.float32)
        self._m = np.zeros(replicas, dtype=np.float32)
        self._p: _Array | None = None
        self._bind(variant, size)

    def step(self, p: _Array, raster: npt.NDArray[np.uint8] | None = None) -> _Array:
        """Run a window; raster ``(replicas, STEPS, inputs)`` is played instead of draws."""
        if p is not self._p:  # an address costs half a microsecond to look up
            self._p, self._p_address = p, p.ctypes.data
        played = None if raster is None else raster.ctypes.data
        self._step(*self._head, self._p_address, played, self._counts_address)
        return self._counts

    def learn(self, m: Any) -> None:
        self._m[:] = m
        self._learn(*self._tail)

    def reset(self, replicas: Sequence[int] | None = None) -> None:
        for b in range(self._replicas) if replicas is None else replicas:
            self._reset(self._addresses[b])

    def _part(self, offset: int, shape: tuple[int, ...]) -> _Array:
        """Return a view ``(replicas, *shape)`` of the memory at *offset* bytes of each replica."""
        first, count = offset // 4, int(np.prod(shape))
        return self._memory[:, first : first + count].reshape(self._replicas, *shape)

    def _bind(self, variant: str, size: Size) -> None:
        pointer, real = ctypes.c_void_p, ctypes.c_float
        library, address = self._library, self._memory.ctypes.data
        self._step: Any = getattr(library, f"step_{variant}")
        self._learn: Any = getattr(library, f"learn_{variant}")
        self._reset: Any = library.reset_replica
        self._step.argtypes = [pointer, ctypes.c_int, *[pointer] * 4]
        self._learn.argtypes = [pointer, ctypes.c_int, *[pointer] * 2, *[real] * 4]
        self._reset.argtypes = [pointer]
        self._step.restype = self._learn.restype = self._reset.restype = None
        w = workload
        values = (w.MEMBRANE, w.TRACE, w.ELIGIBILITY, w.PLUS, w.MINUS, w.THRESHOLD)
        self._constants = (real * len(values))(*values)
        self._counts_address = self._counts.ctypes.data
        self._addresses = [address + b * self._memory.strides[0] for b in range(self._replicas)]
        self._head = (ctypes.addressof(self._constants), self._replicas, address)
        means = (size.hidden_mean, size.output_mean)
        limits = [f * mean for mean in means for f in (RATE, BOUND)]
        self._tail = (*self._head, self._m.ctypes.data, *limits)


def aligned(rows: int, bytes_each: int) -> _Array:
    """Return zeros ``(rows, bytes_each / 4)`` that begin at a multiple of 64 bytes."""
    count = rows * bytes_each // 4
    memory = np.zeros(count + 16, dtype=np.float32)
    skip = -memory.ctypes.data % 64 // 4
    return memory[skip : skip + count].reshape(rows, -1)


def compiler() -> list[str]:
    """Return the command of the C compiler: ``$CC``, or cc."""
    return shlex.split(os.environ.get("CC", "")) or ["cc"]


def load(size: Size, source: Path = _SOURCE) -> ctypes.CDLL:
    """Return the library of a size, from the cache or compiled now."""
    sizes = [f"-DNI={size.inputs}", f"-DNH={size.hidden}", f"-DNO={size.outputs}"]
    command = [*compiler(), *FLAGS, *sizes, f"-DSTEPS={STEPS}"]
    depends = [*command, source.read_text(), _run([*compiler(), "-v"]), processor()]
    name = hashlib.sha256("\0".join(depends).encode()).hexdigest()[:24]
    cache = CompileCache(user_cache_path("neurorl") / "bench-floor")
    return load_copy(cache.library(name, partial(_build, command, source)), cache.folder)


def _build(command: list[str], source: Path, library: Path) -> None:
    code = library.with_suffix(".o")
    _run([*command, "-c", str(source), "-o", str(code)])
    # Linked apart: with -ffast-math, gcc would change the whole process's arithmetic.
    _run([*compiler(), "-shared", str(code), "-o", str(library), "-lm"])


def _run(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stderr
    except OSError as exc:
        remedy = "install one, or name it in CC"
        where = f"C compiler {command[0]!r}"
        raise BackendUnavailableError(where, "not found", got=exc, remedy=remedy) from exc
    except subprocess.CalledProcessError as exc:
        raise BackendError("C compiler", "failed", got=exc.stderr[:300]) from exc
