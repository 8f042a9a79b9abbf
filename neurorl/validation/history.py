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
from neurorl.network.description import Network, Population
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.validation.stimulus import InputWindow
from neurorl.validation.subject import Subject

VARIABLES = ("current", "voltage", "refractory")


def variables_of(population: Population, dt: float) -> tuple[str, ...]:
    """Return what a population's state consists of, dead steps last."""
    return population.variables(dt)


@dataclass(frozen=True)
class Reset:
    """Represent `Backend.reset` of everything."""


@dataclass(frozen=True)
class Write:
    """Represent `Backend.set_weights` of one projection."""

    name: str
    weights: FloatArray


@dataclass(frozen=True)
class Run:
    """Represent one call of `Backend.step`."""

    inputs: Inputs
    n_steps: int


Act = Reset | Write | Run


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


def acts_of(
    subject: Subject, stimulus: Iterable[InputWindow], split: int | None = None
) -> list[Act]:
    """Return the acts of a recording; windows from number *split* on are stepped step by step."""
    acts: list[Act] = [Write(name, weights) for name, weights in subject.weights.items()]
    for k, window in enumerate(stimulus):
        acts += [Write(name, weights) for name, weights in window.writes.items()]
        acts += [Reset()] if window.fresh else []
        if split is None or k < split:
            acts.append(Run(window.inputs, window.n_steps))
        else:
            acts += single_steps(subject.network, window.inputs, window.n_steps)
    return acts


def single_steps(network: Network, inputs: Inputs, n_steps: int) -> list[Run]:
    """Split a window into calls of one step each."""
    return [
        Run(
            {n: x if n in network.currents else x[k : k + 1] for n, x in inputs.items()},
            1,
        )
        for k in range(n_steps)
    ]


def enact(
    network: Network,
    spec: BackendSpec,
    seed: int,
    acts: Sequence[Act],
    t: int = 0,
    advance: Callable[[int], None] | None = None,
) -> History:
    """Carry out acts on a new backend, and return its history.

    t: number of the first step. advance: called with the number of steps of each call.
    """
    arithmetic = make_arithmetic(spec.chosen_arithmetic, network)
    history = History(spec, arithmetic, seed, t)
    variables = {p.name: variables_of(p, network.dt) for p in network.populations}
    with spec.load(network, seed=seed) as backend:
        for p in network.projections:
            drawn = arithmetic.masked(p.name, initial_weights(network, p.name, seed))
            history.versions[p.name] = [arithmetic.round(p.name, drawn)]
            history.reported[p.name] = [backend.weights(p.name)]
        if t:
            backend.restore({**backend.state(), "t": np.array(t, dtype=np.int64)})
        fresh, resets = False, 0
        for act in acts:
            if isinstance(act, Reset):
                backend.reset()
                fresh, resets = True, resets + 1
            elif isinstance(act, Write):
                _write(backend, history, act)
            else:
                rasters = backend.step(act.inputs, act.n_steps)
                writes = len(history.order)
                state = backend.state()
                after = {
                    n: {v: np.array(state[f"{n}.{v}"]) for v in variables[n]} for n in variables
                }
                call = Call(act.inputs, act.n_steps, fresh, resets, writes, rasters, after)
                history.calls.append(call)
                fresh = False
                if advance is not None:
                    advance(act.n_steps)
        history.held = {p.name: backend.weights(p.name) for p in network.projections}
    return history


def _write(backend: Backend, history: History, act: Write) -> None:
    backend.set_weights(act.name, act.weights)
    arithmetic, known = history.arithmetic, history.versions[act.name]
    history.order.append((act.name, len(known)))
    known.append(arithmetic.round(act.name, arithmetic.masked(act.name, act.weights)))
    history.reported[act.name].append(backend.weights(act.name))
