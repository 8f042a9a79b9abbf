"""Compile the workload in C, the floor of what a step costs, and call it through ctypes.

Of the size deep it is agents with hidden layers that all actions share.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import shlex
import subprocess
from collections.abc import Generator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from platformdirs import user_cache_path

from neurorl.bench import workload
from neurorl.bench.workload import (
    BOUND,
    DEEP,
    RATE,
    STEPS,
    BenchLoop,
    Size,
    agent_loop,
    initial_weights,
    make_env,
)
from neurorl.errors import BackendError, BackendUnavailableError
from neurorl.native.cache import CompileCache, load_copy
from neurorl.native.toolchain import processor
from neurorl.numerics.arrays import IntArray

VARIANTS = ("dense", "block")
FLAGS = ["-O3", "-march=native", "-ffast-math", "-fPIC"]
_Array = npt.NDArray[np.float32]


def make(size: Size, replicas: int, variant: str = "dense") -> BenchLoop:
    """Return the loop around a `FloorAgent`, or around a `DeepAgent`, which has no variants."""
    if size == DEEP:
        running = _play(DeepAgent(size, replicas), [make_env(size) for _ in range(replicas)])
        return BenchLoop(running.__next__, running.close, "dense")
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
        _of_sizes(library, "replica_bytes", "offset_w1", "offset_w2", "offset_key")
        self._memory = _aligned(replicas, library.replica_bytes())
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


class DeepAgent:
    """Decide and learn for all replicas in one call of C.

    images ``(replicas, inputs)``, rewards and actions ``(replicas,)`` are read and written by it.
    w ``(replicas, 2, inputs + 1, hidden)``, readout and feedback ``(replicas, 2, outputs,
    hidden + 16)`` are its memory: of the actor and of the critic.
    """

    def __init__(self, size: Size, replicas: int = 1) -> None:
        self._library = library = load(size, "deep.c")
        _of_sizes(library, "replica_bytes", "half_bytes", "offset_wo", "offset_back")
        self._memory = _aligned(replicas, library.replica_bytes())
        each = library.half_bytes() // 4
        halves = self._memory[:, : 2 * each].reshape(replicas, 2, each)

        def part(offset: int, *shape: int) -> _Array:
            part = halves[..., offset // 4 :][..., : int(np.prod(shape))]
            return part.reshape(replicas, 2, *shape)

        padded = size.hidden + 16
        self.w = part(0, size.inputs + 1, size.hidden)
        self.readout = part(library.offset_wo(), size.outputs, padded)
        self.feedback = part(library.offset_back(), size.outputs, padded)
        rng = np.random.default_rng(0)
        spread = size.inputs**-0.5, size.hidden**-0.5
        self.w[:, :, :-1] = rng.uniform(-spread[0], spread[0], self.w[:, :, :-1].shape)
        heard = self.feedback[..., : size.hidden]
        heard[:] = rng.uniform(-spread[1], spread[1], heard.shape)
        self.images = np.zeros((replicas, size.inputs), dtype=np.bool_)
        self.rewards = np.zeros(replicas, dtype=np.float32)
        self.actions = np.zeros(replicas, dtype=np.int64)
        pointer, address = ctypes.c_void_p, self._memory.ctypes.data
        self._places = [pointer(address + b * self._memory.strides[0]) for b in range(replicas)]
        for b, place in enumerate(self._places):
            library.begin_replica(place, ctypes.c_uint32(b + 1))
        arrays = (self.images, self.rewards, self.actions)
        images, rewards, actions = (pointer(x.ctypes.data) for x in arrays)
        self._before = ctypes.c_int(replicas), self._places[0], images, rewards
        self._actions, self._step = actions, library.step_deep
        self._step.restype = library.begin_replica.restype = library.end_deep.restype = None

    def step(self, u: _Array | None = None) -> IntArray:
        """Learn from what the last actions brought, and choose the next; u: draws, if not own."""
        drawn = None if u is None else ctypes.c_void_p(u.ctypes.data)
        self._step(*self._before, drawn, self._actions)
        return self.actions

    def end(self, b: int, terminated: bool) -> None:
        """End the episode of replica b, whose last reward is in `rewards`."""
        reward = ctypes.c_float(float(self.rewards[b]))
        self._library.end_deep(self._places[b], reward, ctypes.c_int(terminated))


def _play(agent: DeepAgent, envs: list[Any]) -> Generator[int, None, None]:
    images = agent.images.reshape(len(envs), *envs[0].observation_space.shape)
    rewards, decide = agent.rewards, agent.step
    for b, env in enumerate(envs):
        images[b], _ = env.reset()
    steps = list(enumerate([env.step for env in envs]))
    while True:
        actions = decide().tolist()
        for b, step in steps:
            images[b], rewards[b], terminated, truncated, _ = step(actions[b])
            if terminated or truncated:
                agent.end(b, terminated)
                images[b], _ = envs[b].reset()
        yield len(envs)


def _of_sizes(library: ctypes.CDLL, *functions: str) -> None:
    """Say that functions return numbers of bytes."""
    for name in functions:
        getattr(library, name).restype = ctypes.c_size_t


def _aligned(rows: int, bytes_each: int) -> _Array:
    """Return zeros ``(rows, bytes_each / 4)`` that begin at a multiple of 64 bytes."""
    count = rows * bytes_each // 4
    memory = np.zeros(count + 16, dtype=np.float32)
    skip = -memory.ctypes.data % 64 // 4
    return memory[skip : skip + count].reshape(rows, -1)


def compiler() -> list[str]:
    """Return the command of the C compiler: ``$CC``, or cc."""
    return shlex.split(os.environ.get("CC", "")) or ["cc"]


def load(size: Size, source_name: str = "floor.c") -> ctypes.CDLL:
    """Return the library of a size, from the cache or compiled now."""
    source = Path(__file__).with_name(source_name)
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
