"""A lane once more from a window on, step by step: spikes, currents and membranes of every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic import Arithmetic
from neurorl.backends.base import Raster, State
from neurorl.backends.checks import Inputs
from neurorl.described import FloatArray
from neurorl.validation.lanes import Lane
from neurorl.validation.recording import Recording, begin
from neurorl.validation.stimulus import InputWindow
from neurorl.validation.subject import Subject

__all__ = ["VARIABLES", "Replay", "replay"]

VARIABLES = ("current", "voltage", "refractory")
_STEPS, _WINDOWS = 60, 12  # at least as many steps, if there are so many


@dataclass
class Replay:
    """Of one lane, from step *first* of the stimulus on.

    t: the backend's count of the first step, by which its noise is drawn. fresh: the steps before
    which it was silenced. past: number of steps in *spikes* that lie before the first.
    spikes: of every node that has some, ``(past + steps, size)``. states: by population, each
    variable after every step, the one before the first in row 0, ``(steps + 1, size)``. currents:
    what flows in each step. repeats: whether it did what it had done before.
    """

    lane: Lane
    arithmetic: Arithmetic
    weights: dict[str, FloatArray]
    first: int
    t: int
    n_steps: int
    fresh: frozenset[int]
    past: int
    spikes: dict[str, Raster]
    states: dict[str, dict[str, npt.NDArray[Any]]]
    currents: list[Inputs]
    repeats: bool

    def raster(self, population: str) -> Raster:
        """Its spikes from the first step on, ``(steps, size)``."""
        return self.spikes[population][self.past :]

    def state(self, population: str, step: int, carries: bool = False) -> dict[str, Any]:
        """Variables before a step: 0 if it was silenced then, unless *carries*."""
        rows = self.states[population]
        if step in self.fresh and not carries:
            return {key: np.zeros_like(values[step]) for key, values in rows.items()}
        return {key: values[step] for key, values in rows.items()}

    def arrived(self, node: str, step: int, delay: int, carries: bool = False) -> Raster:
        """Spikes of *delay* steps before a step; none from before a silence, unless *carries*."""
        silences = [k for k in self.fresh if k <= step]
        oldest = max(silences) if silences and not carries else -self.past
        then = step - delay
        rows = self.spikes[node]
        if then < oldest or not 0 <= then + self.past < len(rows):
            return np.zeros(rows.shape[1], dtype=bool)
        return np.asarray(rows[then + self.past])


def replay(
    subject: Subject,
    recording: Recording,
    stimulus: Sequence[InputWindow],
    window: int,
    seed: int,
) -> Replay:
    """Some windows from *window* on, by `Backend.restore` of the state before it."""
    windows = list(_some(stimulus[window:]))
    first = sum(w.n_steps for w in stimulus[:window])
    network = subject.network
    spiking = [source.name for source in network.spiking.sources]
    states: dict[str, list[State]] = {p.name: [] for p in network.populations}
    seen: dict[str, list[Raster]] = {p.name: [] for p in network.populations}
    with recording.lane.load(network, seed, subject.weights) as backend:
        if window:
            backend.restore(recording.before(window))
        else:
            begin(backend, subject)
        t, fresh, currents, k = backend.t, set(), [], 0
        _note(states, backend.state())
        for one in windows:
            if one.fresh:
                backend.reset()
                fresh.add(k)
            for row in range(one.n_steps):
                inputs = {
                    name: values if name in network.currents else values[row : row + 1]
                    for name, values in one.inputs.items()
                }
                for name, raster in backend.step(inputs, 1).items():
                    seen[name].append(raster)
                _note(states, backend.state())
                currents.append({name: one.inputs[name] for name in network.currents})
            k += one.n_steps
    past = min(max([1, *(network.delay_steps(p.name) for p in network.projections)]) + 1, first)
    steps = slice(first - past, first + k)
    spikes = {name: np.concatenate([w.inputs[name] for w in stimulus])[steps] for name in spiking}
    repeats = True
    for name, rows in seen.items():
        again, before = np.concatenate(rows), recording.rasters[name]
        repeats &= np.array_equal(again, before[first : first + k])
        spikes[name] = np.concatenate([before[first - past : first], again])
    return Replay(
        recording.lane,
        recording.arithmetic,
        recording.weights,
        first,
        t,
        k,
        frozenset(fresh),
        past,
        spikes,
        {
            name: {v: np.array([row[v] for row in rows]) for v in VARIABLES}
            for name, rows in states.items()
        },
        currents,
        repeats,
    )


def _some(windows: Sequence[InputWindow]) -> Sequence[InputWindow]:
    steps = np.cumsum([w.n_steps for w in windows])
    return windows[: max(int(np.searchsorted(steps, _STEPS)) + 1, _WINDOWS)]


def _note(states: dict[str, list[State]], state: State) -> None:
    for name, rows in states.items():
        rows.append({v: np.array(state[f"{name}.{v}"]) for v in VARIABLES})
