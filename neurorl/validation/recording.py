"""Record what one backend does with a stimulus, window by window or step by step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.rounding import Arithmetic
from neurorl.backends.base import Raster
from neurorl.backends.spec import BackendSpec
from neurorl.models.agent.policies import choose, votes
from neurorl.network.description import Network
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.numerics.random import DrawRows, Stream
from neurorl.validation.history import History, enact, windows_of
from neurorl.validation.stimulus import InputWindow
from neurorl.validation.subject import Subject

_STEPS, _WINDOWS = 60, 12  # at least as many steps are replayed, if there are so many


@dataclass
class SubjectRecording:
    """Hold what a backend did with a stimulus, or with some windows of it, step by step.

    history: a call for each window; of a replay, windows before number *window* are one call each,
    and later ones calls of one step. first: the step of the stimulus at which that window begins.
    repeats: whether a replay did the same as what it repeats, by other calls.
    decisions: the agent's action in each window; empty without an agent, and of a replay.
    """

    history: History
    decisions: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    window: int = 0
    first: int = 0
    repeats: bool = True

    @property
    def spec(self) -> BackendSpec:
        return self.history.spec

    @property
    def arithmetic(self) -> Arithmetic:
        """Return the arithmetic that the backend should follow."""
        return self.history.arithmetic

    @property
    def weights(self) -> dict[str, FloatArray]:
        """Return the effective weights at the end, as the backend reports them."""
        return self.history.held

    @property
    def n_steps(self) -> int:
        """Return how many steps there are from the first window on."""
        return sum(call.n_steps for call in self.history.calls[self.window :])

    @property
    def fresh(self) -> list[int]:
        """Return the calls before which the backend was reset, from the first window on."""
        return [k for k, call in enumerate(self.history.calls[self.window :]) if call.fresh]

    @cached_property
    def rasters(self) -> dict[str, Raster]:
        """Return the spikes of each population from the first window on, ``(steps, size)``."""
        return {n: self.history.raster(n, self.window) for n in self.history.calls[0].after}

    def after(self, population: str, variable: str) -> Array:
        """Return a variable after every call from the first window on, ``(calls, size)``."""
        return self.history.after(population, variable, self.window)


@dataclass(frozen=True)
class Scenario:
    """Hold a stimulus of a subject and a seed, and run backends with them."""

    subject: Subject
    stimulus: Sequence[InputWindow]
    seed: int

    @property
    def network(self) -> Network:
        return self.subject.network

    def record(
        self, spec: BackendSpec, advance: Callable[[int], None] | None = None
    ) -> SubjectRecording:
        """Run all on a backend; advance: called with the number of steps of each window."""
        windows = windows_of(self.subject, self.stimulus)
        recording = SubjectRecording(
            enact(self.network, spec, self.seed, windows, self.subject.t, advance)
        )
        recording.decisions = decide(self.subject, recording.rasters.get("output"), self.seed)
        return recording

    def replay(self, recording: SubjectRecording, window: int) -> SubjectRecording:
        """Run windows from *window* on step by step, after the earlier ones as recorded."""
        windows = self.until(window).stimulus
        calls = windows_of(self.subject, windows, window)
        history = enact(self.network, recording.spec, self.seed, calls, self.subject.t)
        first = sum(w.n_steps for w in windows[:window])
        ends = window - 1 + np.cumsum([w.n_steps for w in windows[window:]])
        repeats = True
        for name, raster in recording.rasters.items():
            spikes = history.raster(name)
            repeats &= np.array_equal(spikes, raster[: len(spikes)])
            for v in history.calls[0].after[name]:
                recorded = recording.history.after(name, v, window)[: len(ends)]
                repeats &= np.array_equal(history.after(name, v)[ends], recorded)
        return SubjectRecording(history, window=window, first=first, repeats=bool(repeats))

    def until(self, window: int) -> Scenario:
        """Return the scenario up to a window and some more: enough to judge by.

        It ends before the next window that writes weights.
        """
        windows = self.stimulus[window:]
        steps = np.cumsum([w.n_steps for w in windows])
        most = max(int(np.searchsorted(steps, _STEPS)) + 1, _WINDOWS)
        written = next((k for k, w in enumerate(windows) if k and w.writes), most)
        return replace(self, stimulus=self.stimulus[: window + min(most, written)])

    def place(self, step: int) -> dict[str, Any]:
        """Return a step, counted from 0, with its window and its step in that window.

        Raises IndexError.
        """
        start = 0
        for k, window in enumerate(self.stimulus):
            if step < start + window.n_steps:
                return {"step": step, "window": k, "step_in_window": step - start}
            start += window.n_steps
        raise IndexError(step)


def decide(subject: Subject, output: Raster | None, seed: int) -> npt.NDArray[np.int64]:
    """Return the agent's action of each window, by its policy and with its draws."""
    config = subject.config
    if config is None or output is None:
        return np.zeros(0, dtype=np.int64)
    first = 0 if config.carries else subject.network.depth("output")
    draws = DrawRows(seed, Stream.ACTION, 1)
    chosen = []
    for k, window in enumerate(output.reshape(-1, config.window, output.shape[1])):
        n = votes(window, subject.n_actions, first)
        chosen.append(choose(config.policy.distribution(n), float(draws(k)[0])))
    return np.array(chosen, dtype=np.int64)
