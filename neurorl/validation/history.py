"""Enact what is done to a backend, call by call, and record what it does and shows.

A history is enacted on a new backend and never through `Backend.restore`, so that what hangs on the
calls themselves (how many steps each has, resets, writes) happens again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.rounding import Arithmetic, make_arithmetic
from neurorl.backends.base import Raster
from neurorl.backends.checks import Inputs
from neurorl.backends.spec import BackendSpec
from neurorl.models.agent.policies import choose, votes
from neurorl.network.description import Network
from neurorl.network.initial_weights import initial_weights
from neurorl.numerics.arrays import Array, BoolArray, FloatArray
from neurorl.numerics.random import DrawRows, Stream
from neurorl.storage.plain import PlainData
from neurorl.validation.subject import InputWindow, Subject


@dataclass(frozen=True)
class Call:
    """Hold the outcome of one call of `step`.

    fresh: whether a reset came just before it. writes: how many came before. offsets: of biases in
    it. after: variables of each population when it had returned.
    """

    inputs: Inputs
    n_steps: int
    fresh: bool
    writes: int
    offsets: Mapping[str, FloatArray]
    rasters: dict[str, Raster]
    after: dict[str, dict[str, Array]]


@dataclass
class History:
    """Record what one backend did, call by call: of a stimulus, a call for each window.

    t: number of its first step. order: the writes, each a projection and the index of its weights
    in *versions*, where index 0 holds the initial ones; all as they should be in force. reported:
    what the backend said was in force then; weights: what it says is in force at the end.
    decisions: the agent's action in each window; empty without an agent, and of a replay.
    window: of a replay, the first that is stepped step by step; earlier ones are one call each.
    first: the step of the stimulus at which it begins. repeats: whether a replay did the same as
    what it repeats, by other calls.
    """

    spec: BackendSpec
    arithmetic: Arithmetic
    seed: int
    t: int
    calls: list[Call] = field(default_factory=list)
    order: list[tuple[str, int]] = field(default_factory=list)
    versions: dict[str, list[FloatArray]] = field(default_factory=dict)
    reported: dict[str, list[FloatArray]] = field(default_factory=dict)
    weights: dict[str, FloatArray] = field(default_factory=dict)
    decisions: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    window: int = 0
    first: int = 0
    repeats: bool = True

    @cached_property
    def rasters(self) -> dict[str, Raster]:
        """Return the spikes of each population, ``(steps, size)``."""
        return {name: self.raster(name) for name in self.calls[0].after}

    def raster(self, population: str, first: int = 0) -> Raster:
        """Return a population's spikes from call *first* on, ``(steps, size)``."""
        return np.concatenate([call.rasters[population] for call in self.calls[first:]])

    def after(self, population: str, variable: str, first: int = 0) -> Array:
        """Return a variable after each call from *first* on, ``(calls, size)``."""
        return np.array([call.after[population][variable] for call in self.calls[first:]])

    @property
    def n_steps(self) -> int:
        """Return how many steps there are, of a replay from its window on."""
        return sum(call.n_steps for call in self.calls[self.window :])

    def version(self, name: str, writes: int) -> int:
        """Return the version number of a projection's weights after so many writes."""
        return max((k for n, k in self.order[:writes] if n == name), default=0)

    def same(self, other: History) -> bool:
        """Return whether another enactment of the same acts gave the same spikes and states."""
        return all(
            np.array_equal(one.rasters[name], two.rasters[name])
            and all(np.array_equal(x, two.after[name][v]) for v, x in one.after[name].items())
            for one, two in zip(self.calls, other.calls, strict=True)
            for name in one.rasters
        )


def windows_of(network: Network, stimulus: Sequence[InputWindow], split: int) -> list[InputWindow]:
    """Return the windows of a recording; those from number *split* on are stepped step by step."""
    windows: list[InputWindow] = []
    for k, window in enumerate(stimulus):
        windows += [window] if k < split else parts(network, window, [1] * window.n_steps)
    return windows


def parts(network: Network, window: InputWindow, lengths: Iterable[int]) -> list[InputWindow]:
    """Split a window into calls of these lengths; its writes and its reset are before the first."""
    made, start = [], 0
    for n in lengths:
        whole = window.inputs.items()
        inputs = {k: x if k in network.currents else x[start : start + n] for k, x in whole}
        begun = (False, ()) if start else (window.fresh, window.writes)
        made.append(InputWindow(inputs, n, *begun, window.offsets))
        start += n
    return made


def enact(
    subject: Subject,
    spec: BackendSpec,
    seed: int,
    windows: Sequence[InputWindow],
    advance: Callable[[int], None] | None = None,
    state: Mapping[str, Array] | None = None,
) -> History:
    """Run windows on a new backend, a call each, and return its history.

    The subject's weights are written before the first. advance: called with the number of steps of
    each call. state: what is restored before the first, of `Backend.state`.
    """
    network, t = subject.network, subject.t
    arithmetic = make_arithmetic(spec.chosen_arithmetic, network)
    history = History(spec, arithmetic, seed, t)
    counts = ("release",) if arithmetic.counts_spikes else ()
    variables = {p.name: (*p.variables(network.dt), *counts) for p in network.populations}
    with spec.load(network, seed=seed) as backend:
        for p in network.projections:
            drawn = arithmetic.masked(p.name, initial_weights(network, p.name, seed))
            history.versions[p.name] = [arithmetic.round(p.name, drawn)]
            history.reported[p.name] = [backend.weights(p.name)]
        begun = {**(state or {}), **({"t": np.array(t, dtype=np.int64)} if t else {})}
        if begun:
            backend.restore({**backend.state(), **begun})
        for number, window in enumerate(windows):
            begun_with = () if number else subject.weights.items()
            for name, weights in (*begun_with, *window.writes):
                backend.set_weights(name, weights)
                known = history.versions[name]
                history.order.append((name, len(known)))
                known.append(arithmetic.round(name, arithmetic.masked(name, weights)))
                history.reported[name].append(backend.weights(name))
            if window.fresh:
                backend.reset()
            for name, offset in window.offsets.items():
                backend.set_offset(name, offset)
            rasters = backend.step(window.inputs, window.n_steps)
            state = backend.state()
            after = {
                n: {v: np.array(state[f"{n}.{v}"]).reshape(network.node(n).size) for v in names}
                for n, names in variables.items()
            }
            done = window.inputs, window.n_steps, window.fresh, len(history.order), window.offsets
            history.calls.append(Call(*done, rasters, after))
            if advance is not None:
                advance(window.n_steps)
        history.weights = {p.name: backend.weights(p.name) for p in network.projections}
    return history


_STEPS, _WINDOWS = 60, 12  # at least as many steps are replayed, if there are so many


def begins_as(recording: History, rasters: Mapping[str, Raster]) -> bool:
    """Return whether a recording begins with these spikes."""
    pairs = ((raster, recording.rasters[name]) for name, raster in rasters.items())
    return all(np.array_equal(raster, other[: len(raster)]) for raster, other in pairs)


@dataclass(frozen=True)
class Scenario:
    """Hold a stimulus of a subject and a seed, and run backends with them."""

    subject: Subject
    stimulus: Sequence[InputWindow]
    seed: int

    @property
    def network(self) -> Network:
        return self.subject.network

    def record(self, spec: BackendSpec, advance: Callable[[int], None] | None = None) -> History:
        """Run all on a backend; advance: called with the number of steps of each window."""
        history = enact(self.subject, spec, self.seed, self.stimulus, advance)
        history.decisions = decide(self.subject, history.rasters.get("output"), self.seed)
        return history

    def replay(self, recording: History, window: int) -> History:
        """Run windows from *window* on step by step, after the earlier ones as recorded."""
        windows = self.until(window).stimulus
        calls = windows_of(self.network, windows, window)
        history = enact(self.subject, recording.spec, self.seed, calls)
        history.window, history.first = window, sum(w.n_steps for w in windows[:window])
        ends = window - 1 + np.cumsum([w.n_steps for w in windows[window:]])
        repeats = begins_as(recording, history.rasters)
        for name in recording.rasters:
            for v in history.calls[0].after[name]:
                recorded = recording.after(name, v, window)[: len(ends)]
                repeats &= np.array_equal(history.after(name, v)[ends], recorded)
        history.repeats = repeats
        return history

    def until(self, window: int) -> Scenario:
        """Return the scenario up to a window and some more: enough to judge by.

        It ends before the next window that writes weights.
        """
        windows = self.stimulus[window:]
        steps = np.cumsum([w.n_steps for w in windows])
        most = max(int(np.searchsorted(steps, _STEPS)) + 1, _WINDOWS)
        written = next((k for k, w in enumerate(windows) if k and w.writes), most)
        return replace(self, stimulus=self.stimulus[: window + min(most, written)])

    def place(self, step: int) -> PlainData:
        """Return a step, counted from 0, with its window and its step in that window.

        Raises IndexError.
        """
        starts = np.cumsum([0, *(window.n_steps for window in self.stimulus)])
        k = int(np.searchsorted(starts[1:], step, side="right"))
        begins = int(starts[:-1][k])
        return {"step": step, "window": k, "step_in_window": step - begins}

    def first(
        self, differs: BoolArray, population: str, steps: Array | None = None
    ) -> PlainData | None:
        """Return where a mask ``(rows, n)`` is first set; steps: the step of each row."""
        for k, neuron in np.argwhere(differs)[:1].tolist():
            step = k if steps is None else int(steps[k])
            return {**self.place(step), "population": population, "neuron": neuron}
        return None


def decide(subject: Subject, output: Raster | None, seed: int) -> npt.NDArray[np.int64]:
    """Return the agent's action of each window, by its policy and with its draws.

    None of shared hidden layers: membranes of readouts, which never spike, are compared anyway.
    """
    config = subject.config
    if config is None or output is None or config.trunk.is_shared:
        return np.zeros(0, dtype=np.int64)
    first = 0 if config.carries else subject.network.depth("output")
    draws = DrawRows(seed, Stream.ACTION, 1)
    chosen = []
    for k, window in enumerate(output.reshape(-1, config.window, output.shape[1])):
        n = votes(window, subject.n_actions, first)
        chosen.append(choose(config.policy.distribution(n), float(draws(k)[0])))
    return np.array(chosen, dtype=np.int64)
