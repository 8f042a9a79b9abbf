"""Observe one population in one history, step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Raster
from neurorl.network.description import Network, Population, Projection
from neurorl.network.short_term import TsodyksMarkram
from neurorl.network.step_plan import StepPlan
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.numerics.random import NoiseRows
from neurorl.validation.equations import numbers_of
from neurorl.validation.history import History, variables_of
from neurorl.validation.membranes import membrane_scale

__all__ = ["FLOAT_ERROR", "MOST", "Array", "Mask", "Observed", "Releases", "described_releases"]

FLOAT_ERROR = 1e-9  # of the membrane's scale
MOST = 900  # steps that are predicted of a history
Mask = npt.NDArray[np.bool_]
Releases = Callable[["Observed", Projection], FloatArray]


def described_releases(
    evidence: Observed,
    p: Projection,
    kind: TsodyksMarkram | None = None,
    silenced: Mask | None = None,
    step: Callable[..., tuple[FloatArray, ...]] = TsodyksMarkram.step,
) -> FloatArray:
    """Return what each spike of a projection's presynaptic node releases, ``(steps, n_pre)``.

    kind: in place of the described one. silenced: rows before which all is at rest, in place of
    those after a reset. step: in place of `TsodyksMarkram.step`.
    """
    short_term = kind or p.short_term
    assert short_term is not None
    decays, spikes = short_term.decays(evidence.network.dt), evidence.sent(p.pre)
    at_rest = set(np.flatnonzero(evidence.fresh_rows if silenced is None else silenced).tolist())
    released = np.zeros(spikes.shape)
    u = used = np.zeros(spikes.shape[1])
    for row, now in enumerate(spikes):
        if row in at_rest:
            u = used = np.zeros(spikes.shape[1])
        u, used, released[row] = step(short_term, decays, u, used, now)
    return released


class Observed:
    """Hold what one population did in a history; rows are steps, in order.

    t: number by which noise is drawn. step: steps since the start. call, within: the call of each
    row, and the step within it. since: steps since the last reset. starts, lasts: the first and
    last row of each call. fresh: calls just after a reset. spikes: those that the backend sent.
    before, after: its variables around each call, ``(calls, size)``. kept: calls that are
    predicted, the last ones with up to *most* steps; the others are taken as recorded.
    """

    def __init__(
        self, network: Network, population: Population, history: History, most: int = MOST
    ) -> None:
        self.network, self.population, self.history = network, population, history
        self.numbers: Any = numbers_of(history.arithmetic, population, network.dt)
        self.variables = variables_of(population, network.dt)
        self.into = [p for p in network.spiking.projections if p.post == population.name]
        lengths = np.array([call.n_steps for call in history.calls])
        self.starts = np.cumsum(lengths) - lengths
        self.lasts = self.starts + lengths - 1
        self.lengths = lengths
        self.kept = np.cumsum(lengths[::-1])[::-1] <= max(most, int(lengths[-1]))
        self.n_steps = int(lengths.sum())
        self.step = np.arange(self.n_steps)
        self.t = history.t + self.step
        self.call = np.repeat(np.arange(len(lengths)), lengths)
        self.kept_rows = self.kept[self.call]
        self.within = self.step - self.starts[self.call]
        self.fresh = np.array([call.fresh for call in history.calls])
        self.resets = np.array([call.resets for call in history.calls])
        self.writes = np.array([call.writes for call in history.calls])
        silenced = np.where(self.fresh, self.starts, 0)
        self.silent_since = np.maximum.accumulate(silenced)[self.call]
        self.since = self.step - self.silent_since
        name = population.name
        self.spikes = self.sent(name)
        after = {v: np.array([c.after[name][v] for c in history.calls]) for v in self.variables}
        self.after: dict[str, Array] = after
        self.before = {
            v: np.vstack([0 * x[:1] + self.rest(v), x[:-1]]) for v, x in self.after.items()
        }
        scale = membrane_scale(population, network.dt)
        self.limit = 0.0 if history.arithmetic.is_chip else FLOAT_ERROR * scale
        self._cache: dict[Any, Any] = {}

    @property
    def fresh_rows(self) -> Mask:
        """Return the steps just after a reset."""
        return np.asarray(self.fresh[self.call] & (self.within == 0))

    @property
    def noise_width(self) -> Array:
        """Return the width of the escape noise of each neuron."""
        if isinstance(self.numbers, StepPlan):
            return np.asarray(self.numbers.constants.get("noise_width", np.zeros(1)))
        width: Array = self.numbers.noise_width
        return width

    def rest(self, variable: str) -> Array | int:
        """Return what a variable is after a reset."""
        if isinstance(self.numbers, StepPlan) and variable in self.numbers.initial:
            return self.numbers.initial[variable]
        return 0

    def sent(self, node: str) -> Raster:
        """Return the spikes of a node in every step."""
        rows = [
            call.rasters[node] if node in call.rasters else call.inputs.get(node)
            for call in self.history.calls
        ]
        size = self.network.node(node).size
        return np.concatenate(
            [
                np.zeros((c.n_steps, size), bool) if x is None else np.asarray(x, dtype=bool)
                for x, c in zip(rows, self.history.calls, strict=True)
            ]
        )

    def arrived(self, node: str, delay: int, oldest: Array | None = None) -> Raster:
        """Return the spikes sent *delay* steps before each step; none from before row *oldest*."""
        return self._late(self._once(("sent", node), lambda: self.sent(node)), delay, oldest)

    def arriving(
        self,
        p: Projection,
        delay: int,
        oldest: Array | None = None,
        releases: Releases | None = None,
    ) -> Array:
        """Return the same of a projection: with short-term plasticity, what was released.

        releases: what the presynaptic spikes release, in place of what is described.
        """
        if p.short_term is None:
            return self.arrived(p.pre, delay, oldest)
        make = releases or described_releases
        sent = self._once(("released", p.name, make), lambda: make(self, p))
        return self._late(sent, delay, oldest)

    def _late(self, sent: Array, delay: int, oldest: Array | None) -> Array:
        """Return rows *delay* steps later; none from before row *oldest*."""
        then = self.step - delay
        kept = (then >= (self.silent_since if oldest is None else oldest)) & (then >= 0)
        kept &= then < self.n_steps
        return np.asarray(sent[np.clip(then, 0, self.n_steps - 1)] * kept[:, None])

    def draws(self, steps: Array, stream: int = 0, seed: int = 0) -> FloatArray:
        """Return the noise of some steps; stream, seed: offsets to another population or seed."""
        size = self.population.size
        steps = steps[self.kept_rows]
        first, last = int(steps.min()), int(steps.max())
        if first < 0:
            steps, last = steps - first, last - first
            first = 0
        number = self.network.index(self.population.name) + stream
        rows = NoiseRows(max(self.history.seed + seed, 0), number, size)
        noise = np.zeros((self.n_steps, size))
        noise[self.kept_rows] = rows.rows(first, last - first + 1)[steps - first]
        return noise

    @property
    def own_last(self) -> Raster:
        """Return the population's own spikes of the step before each."""
        own: Raster = self._once("own", lambda: self.arrived(self.population.name, 1))
        return own

    def _once(self, key: Any, make: Any) -> Any:
        if key not in self._cache:
            self._cache[key] = make()
        return self._cache[key]
