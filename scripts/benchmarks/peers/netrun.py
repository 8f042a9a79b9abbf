"""Run Brian2 as its documentation has it: ``net.run(20*ms)`` for every environment step.

The network is neurorl's own, as a plain `brian2.Network`; a `NetworkOperation` plays the input,
spike monitors read the result, and NumPy learns on the host.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.peers.hostrule import HostRule
from neurorl.backends.registry import load
from neurorl.bench.ours import network
from neurorl.bench.workload import STEPS, BenchLoop, Size, agent_loop
from neurorl.errors import UnsupportedError


def make(size: Size, replicas: int) -> BenchLoop:
    """Return the loop on Brian2's cython target; raises UnsupportedError for several replicas."""
    if replicas > 1:
        raise UnsupportedError("bench netrun", "one replica only", got=replicas, limit=1)
    agent = _NetRun(size)
    return agent_loop(agent, size, replicas, engine="cython", arithmetic="float", close=agent.close)


class _NetRun:
    """Run one replica as an `Agent`. node_0, node_1, node_2: input, hidden, output."""

    def __init__(self, size: Size) -> None:
        brian2: Any = importlib.import_module("brian2")
        preferences: Any = importlib.import_module("neurorl.backends.brian2.vendor")
        self._open = contextlib.ExitStack()
        self._open.enter_context(preferences.exact_preferences("cython"))
        self._backend = load("brian2", network(size), engine="cython")
        self._net: Any = getattr(self._backend, "brian2_network")  # noqa: B009
        self._groups = [self._net[f"node_{k}"] for k in range(3)]
        self._monitors = [brian2.SpikeMonitor(group) for group in self._groups[1:]]
        clock = self._groups[0].clock
        play = brian2.NetworkOperation(self._play, clock=clock, when="start")
        self._net.add(play, *self._monitors)
        self._clock, self._duration = clock, STEPS * clock.dt
        self._input = np.zeros((STEPS, size.inputs), dtype=bool)
        self._first, self._seen = 0, [0, 0]
        self._rng = np.random.default_rng(7)
        weights = (self._backend.weights("drive"), self._backend.weights("readout"))
        self._rule = HostRule(size, *weights)

    def _play(self) -> None:
        row = int(self._clock.timestep[:]) - self._first
        self._groups[0].inject = self._input[row]

    def step(self, p: npt.NDArray[np.float32]) -> npt.NDArray[Any]:
        self._input = self._rng.random(self._input.shape, np.float32) < p
        self._first = int(self._clock.timestep[:])
        self._net.run(self._duration)
        rasters = [self._raster(k) for k in range(2)]
        self._rule.remember(self._input, *rasters)
        return np.asarray(rasters[1].sum(0))

    def _raster(self, k: int) -> npt.NDArray[np.bool_]:
        """Return the spikes that a monitor has recorded since the last call, ``(STEPS, n)``."""
        monitor, first = self._monitors[k], self._seen[k]
        self._seen[k] = monitor.num_spikes
        steps = np.rint(np.asarray(monitor.t_)[first:] / float(self._clock.dt_)).astype(int)
        raster = np.zeros((STEPS, len(self._groups[k + 1])), dtype=bool)
        raster[steps - self._first, np.asarray(monitor.i)[first:]] = True
        return raster

    def learn(self, m: Any) -> None:
        self._rule.learn(m)
        for name, weights in zip(("drive", "readout"), self._rule.weights, strict=True):
            self._backend.set_weights(name, weights)

    def reset(self, replicas: Sequence[int] | None = None) -> None:
        self._backend.reset()
        self._rule.reset()

    def close(self) -> None:
        self._open.close()
        self._backend.close()
