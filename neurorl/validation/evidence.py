"""Predict what one population does in a history, by the description or a variant of it.

Each call of `step` is predicted from the state that the backend itself had before it and the spikes
that the backend itself sent, so nothing adds up: what is predicted wrongly is wrong in this call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np

from neurorl.backends.base import Raster
from neurorl.backends.reference.node import NumpyNode
from neurorl.backends.reference.simulator import add_clipped
from neurorl.backends.weights import Currents
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.program import Draw
from neurorl.validation.observed import Mask, Observed, Pathway
from neurorl.validation.rewriting import ARRIVED, SEEN, setting, spelled
from neurorl.validation.variants import PLAIN, Variant

T = TypeVar("T")
Prediction = dict[str, Array]
"""Map each variable, ``spikes`` and what the threshold sees to predictions, ``(steps, size)``."""

_SAMPLE = 60  # steps by which most variants are ruled out

_OF_SPIKES = ("arrivals", "version", "values", "transmit", "late_by")


_Sent = tuple[FloatArray, list[tuple[Mask, FloatArray]]]
"""Hold spikes of a projection, ``(steps, n_pre)``, and its matrices, each after its rows."""


@dataclass
class _Drive:
    """Hold a variant's neurons, and their bias and what arrives, by input, in each step.

    clipped: what spikes bring where each sum is clipped, in order; None where sums are plain.
    """

    neurons: NumpyNode
    bias: Array
    arrived: dict[str, Array]
    clipped: list[_Sent] | None = None


class Evidence(Observed):
    """Hold what was recorded of a population, and predict it by variants of its step.

    siblings: all evidence on the backend, including this. plain: what the description predicts.
    odd: the calls and neurons that it doesn't predict. See also `Observed`.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        self.siblings: list[Evidence] = [self]
        self.plain = self.predict(PLAIN)
        self.odd = self.odd_calls(self.plain)

    @property
    def follows(self) -> bool:
        """Return whether the backend did in every step what was predicted, to the bit."""
        return not self.odd_calls(self.plain, exact=True).any()

    def predict(
        self, variant: Variant, gate: Mask | None = None, kept: Mask | None = None
    ) -> Prediction:
        """Predict every call from the recorded state before it.

        gate: steps and neurons where the variant holds, ``(steps, size)``; None for all.
        kept: calls that are predicted, in place of `kept`.
        """
        variants = [variant] if gate is None else [PLAIN, variant]
        rows_of = None if kept is None else kept[self.call]
        drives = [self._drive(v, rows_of) for v in variants]
        begun = [{v: x.start(self, v, b) for v, b in self.before.items()} for x in variants]
        rows: Prediction = {}
        state: dict[str, Array] = {}
        lengths = np.where(self.kept if kept is None else kept, self.lengths, 0)
        for k in range(max(int(lengths.max()), 1)):
            calls = np.flatnonzero(lengths > k)
            here = self.starts[calls] + k
            if k:
                last = lengths[lengths > k - 1] > k
                state = {v: x[last] for v, x in state.items()}
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
        holds = np.ones_like(rows["spikes"]) if gate is None else gate
        for v in self.variables:
            now_last = rows[v][self.lasts]
            ended = variant.finish(self, v, now_last)
            rows[v][self.lasts] = np.where(holds[self.lasts], ended, now_last)
        rows["spikes"] = np.where(holds, variant.recorded(self, rows["spikes"]), rows["spikes"])
        return rows

    def contradicts(self, variant: Variant) -> bool:
        """Return whether some deviating calls rule out a variant."""
        some = np.zeros_like(self.kept)
        some[np.flatnonzero(self.odd.any(axis=1) & (self.lengths == 1))[:_SAMPLE]] = True
        if not some.any():
            return False
        return bool((self.odd_calls(self.predict(variant, kept=some)) & self.odd)[some].any())

    def in_one_step(self, variant: Variant, calls: Array) -> dict[str, Array]:
        """Return what a variant predicts of some calls of one step each."""
        starts = {v: variant.start(self, v, b)[calls] for v, b in self.before.items()}
        return self._advance(self._drive(variant), starts, self.starts[calls])

    def odd_states(self, predicted: Prediction, exact: bool = False) -> dict[str, Mask]:
        """Return calls and neurons in which a variable or a spike is not as predicted.

        Where a membrane is within float error of its threshold, a spike more or less is as
        predicted too, and so is what follows from it in the same call, unless *exact*.
        """
        limit = 0.0 if exact else self.limit
        differs = (self.spikes != predicted["spikes"]) & self.kept_rows[:, None]
        near = np.abs(predicted["met_level"] - predicted["met_threshold"]) <= limit
        unsure = differs & near & (limit > 0)
        last = np.maximum.accumulate(np.where(unsure, self.step[:, None], -1), axis=0)
        doubtful = last >= self.starts[self.call][:, None]
        excused = doubtful[self.lasts]
        deviating = {"spikes": np.logical_or.reduceat(differs & ~doubtful, self.starts, axis=0)}
        for v in self.variables:
            apart = np.abs(self.after[v] - predicted[v][self.lasts])
            deviating[v] = (apart > limit) & ~excused & self.kept[:, None]
        return deviating

    def odd_calls(self, predicted: Prediction, exact: bool = False) -> Mask:
        """Return the calls and neurons in which anything is not as predicted."""
        deviating: Mask = np.logical_or.reduce(list(self.odd_states(predicted, exact).values()))
        return deviating

    def _advance(self, drive: _Drive, state: dict[str, Array], here: Array) -> dict[str, Array]:
        """Return all values after steps *here*, one of each row of *state* before them."""
        made, none = drive.neurons, np.zeros((len(here), self.population.size))
        made.state = {x: state[v].astype(np.float64) for v, x in self.names.items()}
        made.state |= dict.fromkeys(SEEN, none)
        made.dead, made.bias = np.asarray(none, dtype=np.int64), drive.bias[here]
        arrived = {x: total[here] for x, total in drive.arrived.items()}
        if drive.clipped is not None:
            (x,), limits = self.node.inputs, made.node.limits
            assert limits is not None
            total = arrived[f"{ARRIVED}{x}"] = made.state[x].copy()
            for sent, matrices in drive.clipped:
                for in_force, weights in matrices:
                    rows = np.flatnonzero(in_force[here])
                    part = total[rows]
                    add_clipped(part, sent[here[rows]], weights, limits)
                    total[rows] = part
        with np.errstate(all="ignore"):
            spikes = made.update(arrived, here.tolist())
        number = self.history.arithmetic.number
        seen = {x: made.state[x].astype(number) for x in SEEN}
        now = {v: made.state[x].astype(state[v].dtype) for v, x in self.names.items()}
        return {**now, "spikes": spikes, **seen}

    def _drive(self, variant: Variant, rows: Mask | None = None) -> _Drive:
        def made() -> NumpyNode:
            return NumpyNode(spelled(variant.change(self.node), self.node), (0,))

        neurons = copy(self._as_described("change", variant, ["change"], made))
        if neurons.draws:
            made_draws = lambda: variant.draws(self)  # noqa: E731
            drawn = self._as_described("draws", variant, ["draws"], made_draws).__getitem__
            neurons.draws = {
                x: drawn if draw.is_noise else self._once(draw, partial(self._own_draws, draw))
                for x, draw in neurons.node.draws.items()
            }
        clipped, inputs = None, self.node.inputs
        if neurons.node.limits is not None:
            clipped, inputs = [self.sent_by(p, variant, rows) for p in variant.order(self.into)], ()
        arrived = {f"{ARRIVED}{x}": self.input(variant, x, rows) for x in inputs}
        own: Array = self._once("own", lambda: self.arrived(self.population.name, 1))
        arrived["was_spike"] = own.astype(np.float64)
        arrived["is_sent"] = self.spikes.astype(np.float64)
        bias = self.bias(variant)
        if self.node.biased is not None:
            arrived[f"{ARRIVED}{self.node.biased}"] += bias
        return _Drive(neurons, bias, arrived, clipped)

    def _own_draws(self, draw: Draw) -> Callable[[Sequence[int]], FloatArray]:
        """Return what the equations' own draws, or the clock, are in each step."""
        rows = draw.rows(self.history.seed, self.population.size)
        return np.array([rows(step) for step in self.t.tolist()]).__getitem__

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

    def input(
        self, variant: Variant = PLAIN, target: str | None = None, rows: Mask | None = None
    ) -> FloatArray:
        """Return what spikes add to an input (None: the first) in each step.

        rows: those that are looked at; None for all.
        """
        chosen = target or self.node.inputs[0]
        none = np.zeros((self.n_steps, self.population.size))
        return sum((self.input_of(p, variant, rows) for p in self.into if p.target == chosen), none)

    def input_of(
        self, part: Pathway, variant: Variant = PLAIN, looked_at: Mask | None = None
    ) -> FloatArray:
        """Return what spikes of a projection add to the input of each step, as a plain sum."""

        def made() -> FloatArray:
            spikes, matrices = self.sent_by(part, variant, looked_at)
            total = np.zeros((self.n_steps, self.population.size))
            for rows, weights in matrices:
                blocked = spikes[rows].reshape(-1, part.blocks, 1, weights.shape[1])
                total[rows] = (blocked @ weights).reshape(-1, self.population.size)
            return total

        return self._as_described(("input", part.name), variant, _OF_SPIKES, made)

    def sent_by(self, part: Pathway, variant: Variant = PLAIN, seen: Mask | None = None) -> _Sent:
        """Return what the spikes of a projection bring in each step."""
        name = part.projection.name

        def transmitted(version: int) -> FloatArray:
            weights = variant.values(self.history, name, version)
            described = self.history.arithmetic.transmitted(name, weights)
            return variant.transmit(part.name, part.matrices(described))

        def made() -> _Sent:
            some = self.kept_rows if seen is None else seen
            calls = self._call_before(variant.late_by)
            each = np.zeros(len(self.starts), dtype=np.int64)
            for c in np.unique(calls[some]):
                each[c] = variant.version(self.history, name, int(c))
            rows = each[calls]
            matrices = [((rows == k) & some, transmitted(int(k))) for k in np.unique(rows[some])]
            return variant.arrivals(self, part).astype(np.float64), matrices

        return self._as_described(("sent by", part.name), variant, _OF_SPIKES, made)

    def _as_described(
        self, key: object, variant: Variant, names: Sequence[str], make: Callable[[], T]
    ) -> T:
        """Return what is made; once, if these fields of a variant are as described."""
        is_plain = all(getattr(variant, name) is getattr(PLAIN, name) for name in names)
        made: T = self._once(key, make) if is_plain else make()
        return made

    def _call_before(self, steps: int) -> Array:
        """Return the call to which the row *steps* before each row belongs."""
        return np.asarray(self.call[np.maximum(self.step - steps, 0)])

    def bias(self, variant: Variant = PLAIN) -> Array:
        """Return the bias of each step, with the parts that signed projections and currents add."""
        arithmetic, network, name = self.history.arithmetic, self.network, self.population.name

        def made() -> Array:
            flowing, rows = Currents(network, arithmetic), list[Array]()
            last: dict[str, int] = {}
            for c, call in enumerate(self.history.calls):
                now = {p.name: variant.bias_version(self.history, p.name, c) for p in self.moving}
                if now == last and c and not (network.currents or call.offsets):
                    rows.append(rows[-1])
                    continue
                last = now
                weights = {k: variant.values(self.history, k, number) for k, number in now.items()}
                for projection in flowing.weights.keys() & weights.keys():
                    flowing.write(projection, weights[projection])
                    sent = flowing.weights[projection]
                    sent[...] = variant.transmit(projection, sent)
                none = {n: np.zeros(network.node(n).size) for n in network.currents}
                inputs = {n: call.inputs.get(n, x) for n, x in none.items()}
                current = dict(flowing.into(inputs)).get(name)
                if name in call.offsets:
                    offset = call.offsets[name] * arithmetic.bias_unit(name)
                    current = offset if current is None else current + offset
                rows.append(arithmetic.bias(name, weights, current))
            return np.array(rows)[self._call_before(0 if network.currents else variant.late_by)]

        names = ("bias_version", "values", "transmit", "late_by")
        return self._as_described("bias", variant, names, made)


class Steps:
    """Hold calls of one step each; arrays ``(calls, size)``.

    before, now: each variable before and after. plain: what is predicted of them, by name. odd:
    where a variable or spike isn't so. free: where a neuron is neither dead nor spikes. left: the
    part of what arrives that is in the current after the step. summed: where no sum saturated.
    """

    def __init__(self, evidence: Evidence) -> None:
        calls = np.flatnonzero(evidence.single)
        fresh = evidence.fresh[calls][:, None]
        self.calls = calls
        self.rows = rows = evidence.starts[calls]
        begun = evidence.before.items()
        self.before = {v: np.where(fresh, evidence.rest(v), x[calls]) for v, x in begun}
        self.now = {v: x[calls] for v, x in evidence.after.items()}
        self.spikes = evidence.spikes[rows]
        self.plain = {name: x[rows] for name, x in evidence.plain.items()}
        deviating = evidence.odd_states(evidence.plain)
        self.odd = {name: mask[calls] for name, mask in deviating.items()}
        self.left, self.summed = np.asarray(1.0), np.ones(self.spikes.shape, dtype=bool)
        if evidence.kind == "shifts":  # what arrives decays by about as much in the same step
            self.left = np.asarray(1.0 - evidence.node.constants["lost_u"])
            sums = evidence.in_one_step(Variant("", "", setting(limits=None)), calls)
            self.summed = sums["current"] == self.plain["current"]
        self.free = (self.before["refractory"] == 0) & ~self.spikes
