"""Enact what is done to a backend, call by call, and keep what it shows after each call.

A history is enacted on a new backend and never through `Backend.restore`, so that what hangs on the
calls themselves (how many steps each has, resets, writes) happens again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from neurorl.arithmetic.rounding import Arithmetic, initial_weights, make_arithmetic
from neurorl.backends.base import Backend, Raster
from neurorl.backends.checks import Inputs
from neurorl.backends.spec import BackendSpec
from neurorl.network.description import Network
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.validation.stimulus import InputWindow
from neurorl.validation.subject import Subject

VARIABLES = ("current", "voltage", "refractory")


@dataclass(frozen=True)
class Call:
    """Hold the outcome of one call of `step`.

    fresh: whether a reset came just before it. resets, writes: how many came before. after:
    variables of each population when it had returned.
    """

    inputs: Inputs
    n_steps: int
    fresh: bool
    resets: int
    writes: int
    rasters: dict[str, Raster]
    after: dict[str, dict[str, Array]]


@dataclass
class History:
    """Record what one backend did, call by call.

    t: number of its first step. order: the writes, each a projection and the index of its weights
    in *versions*, where index 0 holds the initial ones; all as they should be in force. reported:
    what the backend said was in force then; held: what it says is in force at the end.
    """

    spec: BackendSpec
    arithmetic: Arithmetic
    seed: int
    t: int
    calls: list[Call] = field(default_factory=list)
    order: list[tuple[str, int]] = field(default_factory=list)
    versions: dict[str, list[FloatArray]] = field(default_factory=dict)
    reported: dict[str, list[FloatArray]] = field(default_factory=dict)
    held: dict[str, FloatArray] = field(default_factory=dict)

    def raster(self, population: str, first: int = 0) -> Raster:
        """Return a population's spikes from call *first* on, ``(steps, size)``."""
        return np.concatenate([call.rasters[population] for call in self.calls[first:]])

    def after(self, population: str, variable: str, first: int = 0) -> Array:
        """Return a variable after each call from *first* on, ``(calls, size)``."""
        return np.array([call.after[population][variable] for call in self.calls[first:]])

    @property
    def written(self) -> set[str]:
        """Return the projections that were written to."""
        return {name for name, _ in self.order}

    @property
    def n_steps(self) -> int:
        return sum(call.n_steps for call in self.calls)

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


def windows_of(
    subject: Subject, stimulus: Sequence[InputWindow], split: int | None = None
) -> list[InputWindow]:
    """Return the windows of a recording; those from number *split* on are stepped step by step.

    The subject's weights are written before the first.
    """
    windows: list[InputWindow] = []
    for k, window in enumerate(stimulus):
        is_whole = split is None or k < split
        windows += [window] if is_whole else parts(subject.network, window, [1] * window.n_steps)
    return after_weights(subject, windows)


def after_weights(subject: Subject, windows: Sequence[InputWindow]) -> list[InputWindow]:
    """Return windows, the first after writes of the subject's weights, too."""
    first, *others = windows
    return [first._replace(writes=(*subject.weights.items(), *first.writes)), *others]


def parts(network: Network, window: InputWindow, lengths: Iterable[int]) -> list[InputWindow]:
    """Split a window into calls of these lengths; its writes and its reset are before the first."""
    made, start = [], 0
    for n in lengths:
        inputs = {
            name: x if name in network.currents else x[start : start + n]
            for name, x in window.inputs.items()
        }
        begins = start == 0
        made.append(
            InputWindow(inputs, n, window.fresh and begins, window.writes if begins else ())
        )
        start += n
    return made


def enact(
    network: Network,
    spec: BackendSpec,
    seed: int,
    windows: Sequence[InputWindow],
    t: int = 0,
    advance: Callable[[int], None] | None = None,
) -> History:
    """Run windows on a new backend, a call each, and return its history.

    t: number of the first step. advance: called with the number of steps of each call.
    """
    arithmetic = make_arithmetic(spec.chosen_arithmetic, network)
    history = History(spec, arithmetic, seed, t)
    variables = {p.name: p.variables(network.dt) for p in network.populations}
    with spec.load(network, seed=seed) as backend:
        for p in network.projections:
            drawn = arithmetic.masked(p.name, initial_weights(network, p.name, seed))
            history.versions[p.name] = [arithmetic.round(p.name, drawn)]
            history.reported[p.name] = [backend.weights(p.name)]
        if t:
            backend.restore({**backend.state(), "t": np.array(t, dtype=np.int64)})
        resets = 0
        for window in windows:
            for name, weights in window.writes:
                _write(backend, history, name, weights)
            if window.fresh:
                backend.reset()
                resets += 1
            rasters = backend.step(window.inputs, window.n_steps)
            state = backend.state()
            after = {n: {v: np.array(state[f"{n}.{v}"]) for v in variables[n]} for n in variables}
            done = window.inputs, window.n_steps, window.fresh, resets, len(history.order)
            history.calls.append(Call(*done, rasters, after))
            if advance is not None:
                advance(window.n_steps)
        history.held = {p.name: backend.weights(p.name) for p in network.projections}
    return history


def _write(backend: Backend, history: History, name: str, weights: FloatArray) -> None:
    backend.set_weights(name, weights)
    arithmetic, known = history.arithmetic, history.versions[name]
    history.order.append((name, len(known)))
    known.append(arithmetic.round(name, arithmetic.masked(name, weights)))
    history.reported[name].append(backend.weights(name))
