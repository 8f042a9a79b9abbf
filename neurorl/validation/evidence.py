"""One population in one history, and what a variant of its step predicts there.

Each call of `step` is predicted from the state that the lane itself had before it and the spikes
that the lane itself sent, so nothing adds up: what is predicted wrongly is wrong in this call.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic import ChipArithmetic
from neurorl.backends.base import Raster
from neurorl.backends.currents import Currents
from neurorl.described import FloatArray
from neurorl.description import Network, Population, Projection
from neurorl.random import NoiseRows
from neurorl.validation.equations import Watched, blocks_of, neurons_of
from neurorl.validation.history import VARIABLES, History
from neurorl.validation.membranes import membrane_scale
from neurorl.validation.variants import PLAIN, Array, Variant

__all__ = ["FLOAT_ERROR", "Evidence", "Prediction"]

FLOAT_ERROR = 1e-9  # of the membrane's scale
_SAMPLE = 60  # steps by which most variants are ruled out
_MOST = 900  # steps that are predicted of a history
Mask = npt.NDArray[np.bool_]


@dataclass
class Prediction:
    """Of every step, ``(steps, size)``; moved: v before threshold and reset, level: with noise."""

    current: Array
    voltage: Array
    refractory: Array
    spikes: Raster
    moved: Array
    level: Array
    threshold: Array


@dataclass
class _Drive:
    """What a variant's neurons take in: input, bias and noise of each step."""

    q: Array
    bias: Array
    draws: Array
    neurons: Watched = field(repr=False)


class Evidence:
    """Rows are steps of the history, in order.

    t: number by which noise is drawn. step: since the start. call, within: of which call, and how
    far into it. since: steps since the last reset. starts: the first row of each call; lasts: the
    last. fresh: of calls. spikes: that the lane sent. before, after: its variables around each
    call, ``(calls, size)``. siblings: all evidence on the lane, this too. kept: calls that are
    predicted, the last ones with up to *most* steps; the others are taken as they were.
    """

    def __init__(
        self, network: Network, population: Population, history: History, most: int = _MOST
    ) -> None:
        self.network, self.population, self.history = network, population, history
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
        self.after = {v: np.array([c.after[name][v] for c in history.calls]) for v in VARIABLES}
        self.before = {v: np.vstack([0 * x[:1], x[:-1]]) for v, x in self.after.items()}
        scale = membrane_scale(population, network.dt)
        self.limit = FLOAT_ERROR * scale if history.lane.arithmetic == "float" else 0.0
        self.siblings: list[Evidence] = [self]
        self._cache: dict[Any, Any] = {}
        self.plain = self.predict(PLAIN)
        self.odd = self.odd_calls(self.plain)

    def sent(self, node: str) -> Raster:
        """Spikes of a node in every step."""
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
        """Spikes of *delay* steps before each; none from before row *oldest*, its last silence."""
        sent = self._once(("sent", node), lambda: self.sent(node))
        then = self.step - delay
        kept = (then >= (self.silent_since if oldest is None else oldest)) & (then >= 0)
        kept &= then < self.n_steps
        return np.asarray(sent[np.clip(then, 0, self.n_steps - 1)] & kept[:, None])

    def draws(self, steps: Array, stream: int = 0, seed: int = 0) -> FloatArray:
        """Noise of these steps, of another population or seed by so much."""
        size = self.population.size
        steps = steps[self.kept_rows]
        first, last = int(steps.min()), int(steps.max())
        if first < 0:
            steps, last = steps - first, last - first
            first = 0
        number = self.network.index(self.population.name) + stream
        rows = NoiseRows(max(self.history.seed + seed, 0), number, size)
        found = np.zeros((self.n_steps, size))
        found[self.kept_rows] = rows.rows(first, last - first + 1)[steps - first]
        return found

    def predict(self, variant: Variant, gate: Mask | None = None) -> Prediction:
        """Every call from what was seen before it.

        gate: steps and neurons of which the variant holds, ``(steps, size)``; None for all.
        """
        variants = [variant] if gate is None else [PLAIN, variant]
        drives = [self._drive(v) for v in variants]
        begun = [{v: x.start(self, v, b) for v, b in self.before.items()} for x in variants]
        rows: dict[str, Array] = {}
        state: dict[str, Array] = {}
        lengths = np.where(self.kept, self.lengths, 0)
        for k in range(int(lengths.max())):
            calls = np.flatnonzero(lengths > k)
            here = self.starts[calls] + k
            if k:
                kept = lengths[lengths > k - 1] > k
                state = {v: x[kept] for v, x in state.items()}
            results = []
            for drive, start in zip(drives, begun, strict=True):
                given = {v: x[calls] for v, x in start.items()} if not k else state
                results.append(self._advance(drive, given, here))
            seen = results[0]
            if gate is not None:
                seen = {v: np.where(gate[here], results[1][v], x) for v, x in seen.items()}
            for key, values in seen.items():
                if key not in rows:
                    rows[key] = np.zeros((self.n_steps, self.population.size), values.dtype)
                rows[key][here] = values
            state = {v: seen[v] for v in VARIABLES}
        for v in VARIABLES:
            last = rows[v][self.lasts]
            ended = variant.finish(self, v, last)
            rows[v][self.lasts] = ended if gate is None else np.where(gate[self.lasts], ended, last)
        return Prediction(**rows)

    def contradicts(self, variant: Variant) -> bool:
        """Whether a variant is wrong too where the description is; of some steps only, quickly."""
        calls = np.flatnonzero(self.odd.any(axis=1) & (self.lengths == 1))[:_SAMPLE]
        if not len(calls):
            return False
        starts = {v: variant.start(self, v, b)[calls] for v, b in self.before.items()}
        seen = self._advance(self._drive(variant), starts, self.starts[calls])
        sent = self.spikes[self.starts[calls]]
        near = np.abs(seen["level"] - seen["threshold"]) <= self.limit
        odd = sent != seen["spikes"]
        unsure = odd & near & (self.limit > 0)
        wrong = odd & ~unsure
        for v in VARIABLES:
            after = self.after[v].copy()
            after[calls] = seen[v]
            apart = np.abs(variant.finish(self, v, after)[calls] - self.after[v][calls])
            wrong |= (apart > self.limit) & ~unsure
        return bool((wrong & self.odd[calls]).any())

    def odd_states(self, predicted: Prediction, exact: bool = False) -> dict[str, Mask]:
        """Calls and neurons in which a variable or a spike is not as predicted.

        Where a membrane is within float error of its threshold, a spike more or less is as
        predicted too, and so is what follows from it in the same call, unless *exact*.
        """
        limit = 0.0 if exact else self.limit
        odd = (self.spikes != predicted.spikes) & self.kept_rows[:, None]
        near = np.abs(predicted.level - predicted.threshold) <= limit
        unsure = odd & near & (limit > 0)
        last = np.maximum.accumulate(np.where(unsure, self.step[:, None], -1), axis=0)
        doubtful = last >= self.starts[self.call][:, None]
        excused = doubtful[self.lasts]
        found = {"spikes": self._by_call(odd & ~doubtful)}
        for v in VARIABLES:
            apart = np.abs(self.after[v] - getattr(predicted, v)[self.lasts])
            found[v] = (apart > limit) & ~excused & self.kept[:, None]
        return found

    def odd_calls(self, predicted: Prediction, exact: bool = False) -> Mask:
        """Calls and neurons of which anything is not as predicted."""
        odd: Mask = np.logical_or.reduce(list(self.odd_states(predicted, exact).values()))
        return odd

    def _by_call(self, rows: Mask) -> Mask:
        found: Mask = np.logical_or.reduceat(rows, self.starts, axis=0)
        return found

    def _advance(self, drive: _Drive, state: dict[str, Array], here: Array) -> dict[str, Array]:
        neurons: Any = drive.neurons
        shape = (len(here), self.population.size)
        neurons.u, neurons.v = state["current"].copy(), state["voltage"].copy()
        neurons.dead = state["refractory"].copy()
        if neurons._refractory_steps.shape != shape:
            neurons._refractory_steps = np.broadcast_to(neurons.steps_of_one, shape)
        neurons.bias = drive.bias[here]
        neurons.spiked, neurons.sent = self.own_last[here], self.spikes[here]
        neurons.rows = drive.draws[here]
        spikes = neurons.update(drive.q[here].astype(neurons.u.dtype), [0])
        return {
            "current": neurons.u,
            "voltage": neurons.v,
            "refractory": neurons.dead,
            "spikes": spikes,
            "moved": neurons.moved,
            "level": neurons.level,
            "threshold": np.broadcast_to(neurons.threshold, shape),
        }

    @property
    def own_last(self) -> Raster:
        """Its own spikes of the step before."""
        own: Raster = self._once("own", lambda: self.arrived(self.population.name, 1))
        return own

    def _drive(self, variant: Variant) -> _Drive:
        q = sum(
            (self.input_of(p, variant) for p in self.into),
            np.zeros((self.n_steps, self.population.size)),
        )
        neurons: Any = neurons_of(
            self.history.arithmetic,
            self.population,
            self.network.dt,
            lambda _: neurons.rows,
            variant,
        )
        neurons.steps_of_one = neurons._refractory_steps
        draws = self._of(variant, "draws", lambda: variant.draws(self))
        return _Drive(q, variant.bias(self.bias(variant)), draws, neurons)

    def input_of(self, p: Projection, variant: Variant = PLAIN) -> FloatArray:
        """What spikes of a projection add to the input of each step."""
        names = ("arrivals", "version", "values", "weights", "transmit", "late_by")

        def made() -> FloatArray:
            arrivals = variant.arrivals(self, p).astype(np.float64)
            found = np.zeros((self.n_steps, self.population.size))
            for version, rows in self._versions(p.name, variant):
                weights = self.history_weights(p.name, version, variant)
                described = self.history.arithmetic.transmitted(p.name, weights)
                sent = variant.transmit(p.name, np.asarray(described, dtype=np.float64))
                blocked = arrivals[rows].reshape(-1, p.blocks, 1, arrivals.shape[1] // p.blocks)
                found[rows] = (blocked @ blocks_of(sent)).reshape(-1, self.population.size)
            return found

        as_described = all(getattr(variant, name) is getattr(PLAIN, name) for name in names)
        found: FloatArray = self._once(("input", p.name), made) if as_described else made()
        return found

    def history_weights(self, name: str, version: int, variant: Variant) -> Array:
        """Weights in force of a number, as a variant has them."""
        return variant.weights(name, variant.values(self.history, name, version))

    def _versions(self, name: str, variant: Variant) -> list[tuple[int, Mask]]:
        """Numbers of weights, and the rows in which they are in force."""
        each = np.array([variant.version(self.history, name, c) for c in range(len(self.starts))])
        rows = each[self._call_before(variant.late_by)]
        return [(int(k), (rows == k) & self.kept_rows) for k in np.unique(rows[self.kept_rows])]

    def _call_before(self, steps: int) -> Array:
        """The call in which each row was so many steps before."""
        return np.asarray(self.call[np.maximum(self.step - steps, 0)])

    def bias(self, variant: Variant = PLAIN) -> Array:
        """Of each step, with what signed projections and currents add."""
        names = ("bias_version", "values", "weights", "transmit", "late_by")
        if any(getattr(variant, name) is not getattr(PLAIN, name) for name in names):
            return self._made_bias(variant)
        found: Array = self._once("bias", lambda: self._made_bias(PLAIN))
        return found

    @property
    def described_bias(self) -> Array:
        """What is constant of the bias, ``(size,)``."""
        arithmetic, p = self.history.arithmetic, self.population
        if isinstance(arithmetic, ChipArithmetic):
            return arithmetic.chip.populations[p.name].bias
        return p.neuron.dynamics(p.size, self.network.dt).bias

    def _made_bias(self, variant: Variant) -> Array:
        arithmetic, network, name = self.history.arithmetic, self.network, self.population.name
        moving = [p for p in network.projections if p.post == name]
        moving = [p for p in moving if p.signed or p.pre in network.currents]
        flowing = Currents(network, arithmetic)
        rows: list[Array] = []
        last: dict[str, int] = {}
        for c, call in enumerate(self.history.calls):
            now = {p.name: variant.bias_version(self.history, p.name, c) for p in moving}
            same = now == last and c and not network.currents
            if same:
                rows.append(rows[-1])
                continue
            last = now
            weights = {k: self.history_weights(k, number, variant) for k, number in now.items()}
            for projection in flowing.weights:
                if projection in weights:
                    flowing.write(projection, weights[projection])
                    sent = flowing.weights[projection]
                    flowing.weights[projection][...] = variant.transmit(projection, sent)
            inputs = {
                n: call.inputs.get(n, np.zeros(network.node(n).size)) for n in network.currents
            }
            current = dict(flowing.into(inputs)).get(name)
            rows.append(arithmetic.bias(name, weights, current))
        return np.array(rows)[self._call_before(variant.late_by if not network.currents else 0)]

    def _of(self, variant: Variant, field_name: str, make: Any) -> Any:
        if getattr(variant, field_name) is getattr(PLAIN, field_name):
            return self._once(field_name, make)
        return make()

    def _once(self, key: Any, make: Any) -> Any:
        if key not in self._cache:
            self._cache[key] = make()
        return self._cache[key]
