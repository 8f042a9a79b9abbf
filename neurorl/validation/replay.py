"""A lane once more from a window on, step by step: spikes, currents and membranes of every step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.rounding import Arithmetic
from neurorl.backends.base import Raster
from neurorl.backends.checks import Inputs
from neurorl.validation.history import VARIABLES, acts_of, enact
from neurorl.validation.lanes import Lane
from neurorl.validation.recording import Recording
from neurorl.validation.stimulus import InputWindow
from neurorl.validation.subject import Subject

__all__ = ["VARIABLES", "Replay", "replay", "some"]

_STEPS, _WINDOWS = 60, 12  # at least as many steps, if there are so many


@dataclass
class Replay:
    """Of one lane, from step *first* of the stimulus on.

    t: the backend's count of the first step, by which its noise is drawn. fresh: the steps before
    which it was silenced. past: number of steps in *spikes* that lie before the first.
    spikes: of every node that has some, ``(past + steps, size)``. states: by population, each
    variable after every step, the one before the first in row 0, ``(steps + 1, size)``. currents:
    what flows in each step. repeats: whether it did what it had done before, by other calls.
    """

    lane: Lane
    arithmetic: Arithmetic
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

    def state(self, population: str, step: int) -> dict[str, Any]:
        """Variables before a step: 0 if it was silenced then."""
        rows = self.states[population]
        if step in self.fresh:
            return {key: np.zeros_like(values[step]) for key, values in rows.items()}
        return {key: values[step] for key, values in rows.items()}

    def arrived(self, node: str, step: int, delay: int) -> Raster:
        """Spikes of *delay* steps before a step; none from before a silence."""
        silences = [k for k in self.fresh if k <= step]
        oldest = max(silences) if silences else -self.past
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
    """Some windows from *window* on, step by step, after those before as they were recorded."""
    windows = [*stimulus[:window], *some(stimulus[window:])]
    network, lane = subject.network, recording.lane
    history = enact(network, lane, seed, acts_of(subject, windows, window), subject.t)
    first = sum(w.n_steps for w in stimulus[:window])
    calls = history.calls[window:]
    n_steps = len(calls)
    past = min(max([1, *(network.delay_steps(p.name) for p in network.projections)]) + 1, first)
    spikes, repeats = {}, True
    for source in network.spiking.sources:
        given = np.concatenate([w.inputs[source.name] for w in stimulus])
        spikes[source.name] = given[first - past : first + n_steps]
    for p in network.populations:
        again = np.concatenate([call.rasters[p.name] for call in history.calls])
        repeats &= np.array_equal(again, recording.rasters[p.name][: first + n_steps])
        spikes[p.name] = again[first - past :]
        ends = np.cumsum([w.n_steps for w in windows[window:]]) - 1
        repeats &= all(
            np.array_equal(
                calls[end].after[p.name][v], recording.states[window + k][f"{p.name}.{v}"]
            )
            for k, end in enumerate(ends)
            for v in VARIABLES
        )
    before = history.calls[window - 1 if window else 0].after
    return Replay(
        lane,
        recording.arithmetic,
        first,
        subject.t + first,
        n_steps,
        frozenset(k for k, call in enumerate(calls) if call.fresh),
        past,
        spikes,
        {
            p.name: {
                v: np.array(
                    [before[p.name][v] * bool(window), *(c.after[p.name][v] for c in calls)]
                )
                for v in VARIABLES
            }
            for p in network.populations
        },
        [{name: call.inputs[name] for name in network.currents} for call in calls],
        repeats,
    )


def some(windows: Sequence[InputWindow]) -> Sequence[InputWindow]:
    """The first ones: enough steps and windows to judge by, up to the next that writes weights."""
    steps = np.cumsum([w.n_steps for w in windows])
    most = max(int(np.searchsorted(steps, _STEPS)) + 1, _WINDOWS)
    written = next((k for k, w in enumerate(windows) if k and w.writes), most)
    return windows[: min(most, written)]
