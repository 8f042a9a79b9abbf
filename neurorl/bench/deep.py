"""Run the size deep by hand in C: agents with hidden layers that all actions share."""

from __future__ import annotations

import ctypes
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.bench.floor import aligned, load
from neurorl.bench.workload import BenchLoop, Size, make_env
from neurorl.numerics.arrays import IntArray

_SOURCE = Path(__file__).with_name("deep.c")
_Array = npt.NDArray[np.float32]


class DeepAgent:
    """Decide and learn for all replicas in one call of C.

    images ``(replicas, inputs)``, rewards and actions ``(replicas,)`` are read and written by it.
    w ``(replicas, 2, inputs + 1, hidden)``, readout and feedback ``(replicas, 2, outputs,
    hidden + 16)`` are its memory: of the actor and of the critic.
    """

    def __init__(self, size: Size, replicas: int = 1) -> None:
        self._library = library = load(size, _SOURCE)
        for name in ("replica_bytes", "half_bytes", "offset_wo", "offset_back"):
            getattr(library, name).restype = ctypes.c_size_t
        self._memory = aligned(replicas, library.replica_bytes())
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


def make(size: Size, replicas: int) -> BenchLoop:
    """Return the loop around a `DeepAgent`."""
    running = _run(DeepAgent(size, replicas), [make_env(size) for _ in range(replicas)])
    return BenchLoop(running.__next__, running.close, "dense")


def _run(agent: DeepAgent, envs: list[Any]) -> Generator[int, None, None]:
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
