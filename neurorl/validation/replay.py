"""Run a backend again from a window on, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurorl.arithmetic.rounding import Arithmetic
from neurorl.backends.base import Raster
from neurorl.backends.spec import BackendSpec
from neurorl.numerics.arrays import Array
from neurorl.validation.history import VARIABLES, History, acts_of, enact, variables_of
from neurorl.validation.recording import SubjectRecording
from neurorl.validation.stimulus import InputWindow
from neurorl.validation.subject import Subject

__all__ = ["VARIABLES", "StepReplay", "replay", "some"]

_STEPS, _WINDOWS = 60, 12  # at least as many steps, if there are so many


@dataclass
class StepReplay:
    """Hold what a backend did from step *first* of the stimulus on, in calls of one step each.

    history: includes the windows before, one call each. window: how many these are.
    repeats: whether the backend did the same as in the recording, whose calls are different.
    """

    history: History
    window: int
    first: int
    repeats: bool

    @property
    def spec(self) -> BackendSpec:
        return self.history.spec

    @property
    def arithmetic(self) -> Arithmetic:
        return self.history.arithmetic

    @property
    def n_steps(self) -> int:
        return len(self.history.calls) - self.window

    @property
    def fresh(self) -> list[int]:
        """Return the steps before which the backend was reset."""
        return [k for k, call in enumerate(self.history.calls[self.window :]) if call.fresh]

    def raster(self, population: str) -> Raster:
        """Return the spikes of a population, ``(steps, size)``."""
        return self.history.raster(population, self.window)

    def after(self, population: str, variable: str) -> Array:
        """Return a variable after every step, ``(steps, size)``."""
        return self.history.after(population, variable, self.window)


def replay(
    subject: Subject,
    recording: SubjectRecording,
    stimulus: Sequence[InputWindow],
    window: int,
    seed: int,
) -> StepReplay:
    """Run windows from *window* on step by step, after the earlier ones as recorded."""
    windows = [*stimulus[:window], *some(stimulus[window:])]
    acts = acts_of(subject, windows, window)
    history = enact(subject.network, recording.spec, seed, acts, subject.t)
    first = sum(w.n_steps for w in stimulus[:window])
    ends = window - 1 + np.cumsum([w.n_steps for w in windows[window:]])
    repeats = True
    for p in subject.network.populations:
        spikes = history.raster(p.name)
        repeats &= np.array_equal(spikes, recording.rasters[p.name][: len(spikes)])
        repeats &= all(
            np.array_equal(
                history.after(p.name, v)[ends],
                recording.history.after(p.name, v)[window:][: len(ends)],
            )
            for v in variables_of(p, subject.network.dt)
        )
    return StepReplay(history, window, first, bool(repeats))


def some(windows: Sequence[InputWindow]) -> Sequence[InputWindow]:
    """Return the first windows: enough to judge by, up to the next one that writes weights."""
    steps = np.cumsum([w.n_steps for w in windows])
    most = max(int(np.searchsorted(steps, _STEPS)) + 1, _WINDOWS)
    written = next((k for k, w in enumerate(windows) if k and w.writes), most)
    return windows[: min(most, written)]
