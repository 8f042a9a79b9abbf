"""Predict what one population does in a history, by the description or a variant of it.

Each call of `step` is predicted from the state that the backend itself had before it and the spikes
that the backend itself sent, so nothing adds up: what is predicted wrongly is wrong in this call.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from neurorl.backends.base import Raster
from neurorl.backends.currents import Currents
from neurorl.network.description import Network, Population, Projection
from neurorl.numerics.arrays import FloatArray
from neurorl.validation.equations import Watched, blocks_of, neurons_of
from neurorl.validation.history import History
from neurorl.validation.observed import FLOAT_ERROR, MOST, Array, Mask, Observed
from neurorl.validation.variants import PLAIN, Variant

__all__ = ["FLOAT_ERROR", "Evidence", "Mask", "Prediction"]

_SAMPLE = 60  # steps by which most variants are ruled out


@dataclass
class Prediction:
    """Hold predictions ``(steps, size)``; moved: v before threshold and reset, level: and noise.

    after: each variable, which is an attribute, too.
    """

    after: dict[str, Array]
    spikes: Raster
    moved: Array
    level: Array
    threshold: Array

    def __getattr__(self, name: str) -> Array:
        if name == "after" or name not in self.after:
            raise AttributeError(name)
        return self.after[name]


@dataclass
class _Drive:
    """Hold what a variant's neurons take in: input *q*, bias and noise of each step."""

    q: Array
    bias: Array
    draws: Array
    neurons: Watched = field(repr=False)


class Evidence(Observed):
    """Hold what was recorded of a population, and predict it by variants of its step.

    is_of_currents: whether the neurons are those of `Integrator`.
    siblings: all evidence on the backend, including this. plain: what the description predicts.
    odd: the calls and neurons that it doesn't predict. See also `Observed`.
    """

    is_of_currents = True

    def __init__(
        self, network: Network, population: Population, history: History, most: int = MOST
    ) -> None:
        super().__init__(network, population, history, most)
        self.siblings: list[Evidence] = [self]
        self.plain = self.predict(PLAIN)
        self.odd = self.odd_calls(self.plain)

    def predict(self, variant: Variant, gate: Mask | None = None) -> Prediction:
        """Predict every call from the recorded state before it.

        gate: steps and neurons where the variant holds, ``(steps, size)``; None for all.
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
                previous = {v: x[calls] for v, x in start.items()} if not k else state
                results.append(self._advance(drive, previous, here))
            now = results[0]
            if gate is not None:
                now = {v: np.where(gate[here], results[1][v], x) for v, x in now.items()}
            for key, values in now.items():
                if key not in rows:
                    rows[key] = np.zeros((self.n_steps, self.population.size), values.dtype)
                rows[key][here] = values
            state = {v: now[v] for v in self.variables}
        for v in self.variables:
            last = rows[v][self.lasts]
            ended = variant.finish(self, v, last)
            rows[v][self.lasts] = ended if gate is None else np.where(gate[self.lasts], ended, last)
        return Prediction({v: rows.pop(v) for v in self.variables}, **rows)

    def contradicts(self, variant: Variant) -> bool:
        """Return whether some deviating calls rule out a variant."""
        calls = np.flatnonzero(self.odd.any(axis=1) & (self.lengths == 1))[:_SAMPLE]
        if not len(calls):
            return False
        starts = {v: variant.start(self, v, b)[calls] for v, b in self.before.items()}
        now = self._advance(self._drive(variant), starts, self.starts[calls])
        sent = self.spikes[self.starts[calls]]
        near = np.abs(now["level"] - now["threshold"]) <= self.limit
        differs = sent != now["spikes"]
        unsure = differs & near & (self.limit > 0)
        wrong = differs & ~unsure
        for v in self.variables:
            after = self.after[v].copy()
            after[calls] = now[v]
            apart = np.abs(variant.finish(self, v, after)[calls] - self.after[v][calls])
            wrong |= (apart > self.limit) & ~unsure
        return bool((wrong & self.odd[calls]).any())

    def odd_states(self, predicted: Prediction, exact: bool = False) -> dict[str, Mask]:
        """Return calls and neurons in which a variable or a spike is not as predicted.

        Where a membrane is within float error of its threshold, a spike more or less is as
        predicted too, and so is what follows from it in the same call, unless *exact*.
        """
        limit = 0.0 if exact else self.limit
        differs = (self.spikes != predicted.spikes) & self.kept_rows[:, None]
        near = np.abs(predicted.level - predicted.threshold) <= limit
        unsure = differs & near & (limit > 0)
        last = np.maximum.accumulate(np.where(unsure, self.step[:, None], -1), axis=0)
        doubtful = last >= self.starts[self.call][:, None]
        excused = doubtful[self.lasts]
        deviating = {"spikes": self._by_call(differs & ~doubtful)}
        for v in self.variables:
            apart = np.abs(self.after[v] - predicted.after[v][self.lasts])
            deviating[v] = (apart > limit) & ~excused & self.kept[:, None]
        return deviating

    def odd_calls(self, predicted: Prediction, exact: bool = False) -> Mask:
        """Return the calls and neurons in which anything is not as predicted."""
        deviating: Mask = np.logical_or.reduce(list(self.odd_states(predicted, exact).values()))
        return deviating

    def _by_call(self, rows: Mask) -> Mask:
        by_call: Mask = np.logical_or.reduceat(rows, self.starts, axis=0)
        return by_call

    def _advance(self, drive: Any, state: dict[str, Array], here: Array) -> dict[str, Array]:
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

    def _drive(self, variant: Variant) -> Any:
        neurons: Any = neurons_of(self.numbers, lambda _: neurons.rows, variant)
        neurons.steps_of_one = neurons._refractory_steps
        draws = self._of(variant, "draws", lambda: variant.draws(self))
        return _Drive(self.input(variant), variant.bias(self.bias(variant)), draws, neurons)

    def run(self, variant: Variant, first: int, last: int) -> Raster:
        """Return the spikes of row *last*, predicted freely from the state before row *first*.

        Arriving spikes are the recorded ones, and each of the rows is a call.
        """
        drive = self._drive(variant)
        call = self.call[first]
        state = {v: variant.start(self, v, b)[[call]] for v, b in self.before.items()}
        for row in range(first, last + 1):
            state = self._advance(drive, state, np.array([row]))
        return np.asarray(state["spikes"][0])

    def input(self, variant: Variant = PLAIN) -> FloatArray:
        """Return what spikes add to the input of each step, ``(steps, size)``."""
        none = np.zeros((self.n_steps, self.population.size))
        return sum((self.input_of(p, variant) for p in self.into), none)

    def input_of(self, p: Projection, variant: Variant = PLAIN) -> FloatArray:
        """Return what spikes of a projection add to the input of each step."""
        names = ("arrivals", "version", "values", "weights", "transmit", "late_by")

        def made() -> FloatArray:
            arrivals = variant.arrivals(self, p).astype(np.float64)
            total = np.zeros((self.n_steps, self.population.size))
            for version, rows in self._versions(p.name, variant):
                weights = self.history_weights(p.name, version, variant)
                described = self.history.arithmetic.transmitted(p.name, weights)
                sent = variant.transmit(p.name, np.asarray(described, dtype=np.float64))
                blocked = arrivals[rows].reshape(-1, p.blocks, 1, arrivals.shape[1] // p.blocks)
                total[rows] = (blocked @ blocks_of(sent)).reshape(-1, self.population.size)
            return total

        as_described = all(getattr(variant, name) is getattr(PLAIN, name) for name in names)
        added: FloatArray = self._once(("input", p.name), made) if as_described else made()
        return added

    def history_weights(self, name: str, version: int, variant: Variant) -> Array:
        """Return the effective weights with a version number, as a variant has them."""
        return variant.weights(name, variant.values(self.history, name, version))

    def _versions(self, name: str, variant: Variant) -> list[tuple[int, Mask]]:
        """Return the version numbers of weights, each with the rows in which it is in force."""
        each = np.array([variant.version(self.history, name, c) for c in range(len(self.starts))])
        rows = each[self._call_before(variant.late_by)]
        return [(int(k), (rows == k) & self.kept_rows) for k in np.unique(rows[self.kept_rows])]

    def _call_before(self, steps: int) -> Array:
        """Return the call to which the row *steps* before each row belongs."""
        return np.asarray(self.call[np.maximum(self.step - steps, 0)])

    def bias(self, variant: Variant = PLAIN) -> Array:
        """Return the bias of each step, with the parts that signed projections and currents add."""
        names = ("bias_version", "values", "weights", "transmit", "late_by")
        if any(getattr(variant, name) is not getattr(PLAIN, name) for name in names):
            return self._made_bias(variant)
        described: Array = self._once("bias", lambda: self._made_bias(PLAIN))
        return described

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
