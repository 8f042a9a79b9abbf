"""What one lane did with a stimulus: spikes, states between windows, decisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.rounding import Arithmetic, make_arithmetic
from neurorl.backends.base import Backend, Raster, State
from neurorl.models.policies import choose, votes
from neurorl.network.serialization import FloatArray
from neurorl.numerics.random import DrawRows, Stream
from neurorl.validation.lanes import Lane
from neurorl.validation.stimulus import InputWindow
from neurorl.validation.subject import Subject

__all__ = ["Recording", "begin", "decide", "record"]


@dataclass
class Recording:
    """Of one lane.

    starts: number of the first step of each window. rasters: ``(steps, size)`` by population.
    states: dynamic variables after each window, see `neurorl.backends.base.Backend.state`.
    weights: those in force, as the backend says. arithmetic: that it should have.
    decisions: of an agent, one for each window; else none.
    """

    lane: Lane
    starts: list[int]
    rasters: dict[str, Raster]
    states: list[State]
    weights: dict[str, FloatArray]
    arithmetic: Arithmetic
    decisions: npt.NDArray[np.int64]


def record(
    subject: Subject,
    lane: Lane,
    stimulus: Sequence[InputWindow],
    seed: int,
    advance: Callable[[int], None] | None = None,
) -> Recording:
    """Run a lane; *advance* is called with the number of steps of each window."""
    seen: dict[str, list[Raster]] = {p.name: [] for p in subject.network.populations}
    starts, states = [], []
    with lane.load(subject.network, seed, subject.weights) as backend:
        begin(backend, subject)
        for window in stimulus:
            for name, written in window.writes.items():
                backend.set_weights(name, written)
            starts.append(backend.t)
            if window.fresh:
                backend.reset()
            for name, raster in backend.step(window.inputs, window.n_steps).items():
                seen[name].append(raster)
            states.append(dynamic(backend.state()))
            if advance is not None:
                advance(window.n_steps)
        weights = {p.name: backend.weights(p.name) for p in subject.network.projections}
    arithmetic = make_arithmetic(lane.arithmetic, subject.network)
    rasters = {name: np.concatenate(windows) for name, windows in seen.items()}
    decisions = decide(subject, rasters.get("output"), seed)
    return Recording(lane, starts, rasters, states, weights, arithmetic, decisions)


def begin(backend: Backend, subject: Subject) -> None:
    """Let a new backend's steps count from the subject's first one."""
    if subject.t:
        backend.restore({**backend.state(), "t": np.array(subject.t, dtype=np.int64)})


def dynamic(state: State) -> State:
    """A state without its weights."""
    return {key: value for key, value in state.items() if not key.endswith(".weights")}


def decide(subject: Subject, output: Raster | None, seed: int) -> npt.NDArray[np.int64]:
    """The agent's action of each window, by its policy and with its draws."""
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
