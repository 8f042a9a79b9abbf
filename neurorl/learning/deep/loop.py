"""Let agents with shared hidden layers decide and learn, in NumPy: this is the definition.

A state's value and preferences come of one window, as those of a spiking critic do: what a decision
is learned from is the window of the next one. A terminal state is worth 0 and is learned from at
once; the last state of a truncated episode has a window of its own, whose decision isn't taken.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from neurorl.errors import UnsupportedError
from neurorl.learning.deep.memory import DeepMemory, deep_memory
from neurorl.learning.deep.plan import DeepLayer, DeepPlan, Half, first_copies
from neurorl.learning.deep.rule import (
    TracedSynapses,
    centred,
    longest_silence,
    surrogate,
    told,
)
from neurorl.learning.finite import NotFiniteError
from neurorl.learning.loops.numpy import NumpyLoop
from neurorl.models.features import Raw
from neurorl.network.description import CURRENT_GRID
from neurorl.numerics.arrays import Array, FloatArray, zeros_on_lines


class DeepLoop(NumpyLoop):
    """Compose the pure functions of `neurorl.learning.deep.rule`, agent by agent."""

    memory: DeepMemory
    _parts: Sequence[DeepMemory]  # type: ignore[assignment]

    def _hold_learned(self, learns: bool) -> None:
        config, backend = self.config, self.backend
        if backend.arithmetic.counts_spikes:
            where, what = f"arithmetic {backend.arithmetic_name!r}", "has no units of this trunk"
            raise UnsupportedError(where, what, remedy="trunk='modules'")
        self.critic, self._learns_late, self._shadow = None, learns, True
        self._levels = {}
        self._hold_seen()
        backend.check_can("reset", *(["set_weights"] if learns else []))
        self.layers = self.plan = DeepPlan.of(backend.network, config)  # type: ignore[assignment]
        self.trunk = self.layers.trunk
        rounding = backend.arithmetic.rounding
        by_layer = {layer.name: rounding(layer.into[0].name) for layer in self.layers.layers}
        self._units = {name: r.unit / r.transmitted_unit for name, r in by_layer.items()}
        sizes = self.cells.size, self.n_actions
        self.memory = deep_memory(self.layers, self._in_force(), backend.seeds, *sizes)
        self._parts = [self.memory.of(k) for k in range(self.n)]  # type: ignore[misc]
        self._synapses = [
            {p.name: self._traced(part, half, p.name, p.high) for half, p in self._plastic()}
            for part in self._parts
        ]
        self._ties = {p.name: la.tie(p.name) for la in self.layers.layers for p in la.into}
        self._first = {x: first_copies(tie) for x, tie in self._ties.items() if tie is not None}
        for name in self.memory.weights:
            self._write(name) if learns else self._take(name)
        self._hold_window()
        self.offsets = {layer.name: np.zeros(self.n * layer.size) for layer in self.layers.hidden}
        self._present: list[dict[str, Array]] = [{} for _ in range(self.n)]
        n_channels = self.trunk.observations.channels(self.config.cells.size)
        self._entering = zeros_on_lines((self.n, n_channels), np.float64)

    def _prepare(self) -> None:
        self._hold_draws(self._entering.shape[1])

    def _hold_seen(self) -> None:
        """Make the arrays of what agents see; they have no features beside their cells."""
        super()._hold_seen()
        self._alike, self._features_flat = True, self._cells_flat

    def see(self, k: int, observation: Any) -> None:
        if self._memories is not None:
            observation = self._memories.see(k, observation, self.actions[k], self.paid[k])
        self._cells_flat[k] = self.cells.flat(observation)

    def seer(self, shape: tuple[int, ...] | None) -> Callable[[int, Any], None]:
        is_raw = type(self.cells) is Raw and self.cells.unit == 1.0 and not self.cells.usual
        plain = is_raw and self._memories is None
        if not plain or shape is None or math.prod(shape) != self.cells.n_inputs:
            return self.see
        return self._cells_flat.reshape(self.n, *shape).__setitem__

    def _plastic(self) -> list[tuple[Half, Any]]:
        return [(half, p) for half in self.layers.halves for la in half.layers for p in la.into]

    def _traced(self, part: DeepMemory, half: Half, name: str, bound: float) -> TracedSynapses:
        feedback = part.lasting.get(f"{name}.feedback")
        return TracedSynapses(
            part.learning(name),
            part.eligibility[name],
            part.lasting[f"{name}.h"],
            part.lasting[f"{name}.last"],
            part.passing_arrays[f"{name}.age"],
            part.passing_arrays[f"{name}.live"],
            feedback if self.trunk.feedback.learns else None,
            np.float32(bound),
            longest_silence(half.keep, self.trunk.faded),
        )

    def learn(self) -> None:
        """Learn from decisions that ended an episode; others wait for the next window."""
        self._check_all_seen()
        for k in self._active():
            self._hear_reward(k)
            if self.discount[k] == 0.0 and not np.isnan(self._parts[k].passing_arrays["before"]):
                self._learn_from(k, 0.0)
                self._parts[k].passing_arrays["before"][...] = np.nan
        self._write_all()

    def value_cut(self, cut: Sequence[int]) -> None:
        """Let agents *cut* decide once more, and keep nothing of it but what they learned.

        No simulator runs, as it would for other agents, too: the host computes which neurons would
        spike, on a chip but for what their membranes round.
        """
        kept = [self.active, self.actions, self.decided, self.memory.decisions]
        kept += [self.probabilities, self.phi, self.t, *self.window.rasters.values()]
        copies = [array.copy() for array in kept]
        self.active[:] = False
        self.active[cut] = True
        self._encode()
        for k in cut:
            self._foresee(k)
        self._choose()
        self._learn_late()
        for array, copy in zip(kept, copies, strict=True):
            array[...] = copy
        self.memory.passing_arrays["before"][cut] = np.nan

    def _foresee(self, k: int) -> None:
        """Write the spikes that agent k's hidden layers would have now into its rasters."""
        part = self.memory.of(k)  # what is in force may stand in a simulator's memory
        assert isinstance(part, DeepMemory)
        for half in self.layers.halves:
            x = self._entering[k]
            for layer in half.layers[:-1]:
                arrived = self._arrived(part, layer, x)
                x = self._spikes(layer, arrived, self._of(k, self.offsets[layer.name]))
                self._of(k, self.window.rasters[layer.name])[layer.row] = x

    def heed(self) -> None:
        self.write(0)

    def write(self, k: int) -> None:
        """Put agents' weights in force, after they were changed in `memory`."""
        for name, places in self._first.items():
            first = self.memory.weights[name].reshape(self.n, -1)[:, places]
            learning = self.memory.learning(name)
            learning[...] = first.reshape(learning.shape)
        self._write_all()

    def _write_all(self) -> None:
        if self._learns_late:
            super()._write_all()

    def _write(self, name: str) -> None:
        self._copy(name)
        weights = self.memory.weights[name].astype(np.float64)
        self.backend.set_weights(name, weights[0] if self._is_single else weights)
        self._take(name)

    def _copy(self, name: str, agents: slice = slice(None)) -> None:
        """Let all copies of weights that patches share be those that learn."""
        tie = self._ties[name]
        if tie is not None:
            copied = self.memory.lasting[f"{name}.tied"].reshape(self.n, -1)[agents, tie]
            weights = self.memory.weights[name][agents]
            weights[...] = copied.reshape(weights.shape)

    def _take(self, name: str) -> None:
        """Take what the weights in force transmit."""
        arithmetic = self.backend.arithmetic
        held = arithmetic.round(name, self.memory.learning(name).astype(np.float64))
        self.memory.in_force[name][...] = arithmetic.transmitted(name, held)

    def _begin(self, k: int) -> None:
        self._parts[k].forget()
        self._check_seen(k)

    def _active(self) -> list[int]:
        chosen: list[int] = np.flatnonzero(self.active).tolist()
        return chosen

    # -- before the window

    def _encode(self) -> None:
        self._check_all_seen()
        encoder, observations = self.config.encoder, self.trunk.observations
        for k in self._active():
            seen = self.config.cells.values(self._cells_flat[k])
            mean, square, count = (self._parts[k].lasting[f"seen.{x}"] for x in _SEEN)
            if self._learns_late:
                observations.heard(seen, mean, square, int(count[0]))
                count += 1
            active = observations.activation(seen, mean, square, int(count[0]))
            entered = self._entered(k, active)
            self._of(k, self.window.inputs["input"])[:] = entered
            x = entered if encoder.flows else entered[0]
            self._entering[k] = np.rint(x * (1.0 / CURRENT_GRID)) * CURRENT_GRID
            self._normalise(k)
        for name, offset in self.offsets.items():
            self.backend.set_offset(name, offset)

    def _normalise(self, k: int) -> None:
        """Set the biases of agent k's hidden layers for what enters."""
        part, present = self._parts[k], self._present[k]
        for half in self.layers.halves:
            x = self._entering[k]
            for layer in half.layers[:-1]:
                mean, variance = (part.lasting[f"{layer.name}.{s}"] for s in ("mean", "variance"))
                reads = self.trunk.normalisation.reads_drive
                arrived = self._arrived(part, layer, x) if reads else mean
                drive = arrived * self._units[layer.name]
                shift, scale = self.trunk.normalisation.normal(drive, mean, variance)
                present[f"{layer.name}.shift"], present[f"{layer.name}.scale"] = +shift, scale
                offset = self._of(k, self.offsets[layer.name])
                offset[:] = np.rint((1.0 - shift - scale) * _PER_OFFSET) * (1.0 / _PER_OFFSET)
                if reads:
                    x = self._spikes(layer, arrived, offset)

    def _arrived(self, part: DeepMemory, layer: DeepLayer, x: FloatArray) -> FloatArray:
        """Return what arrives at a layer's neurons, as it is transmitted: exact in any order."""
        below, bias = (part.in_force[p.name] for p in layer.into)
        if layer.patches is not None:
            return np.asarray(x[layer.patches.index] @ below + bias[0]).ravel()
        return np.asarray(x @ below + bias[0])

    def _spikes(self, layer: DeepLayer, arrived: FloatArray, offset: FloatArray) -> FloatArray:
        """Return the spikes to come of a layer's neurons, 0 or 1."""
        arithmetic = self.backend.arithmetic
        bias = arithmetic.bias(layer.name, {}, offset * arithmetic.bias_unit(layer.name))
        potential: Array = arrived + np.asarray(bias, dtype=np.float64)
        return np.asarray(potential > arithmetic.threshold(layer.name), dtype=np.float64)

    # -- after the window

    def _choose(self) -> None:
        for k in self._active():
            part, present, outputs = self._parts[k], self._present[k], []
            for half in self.layers.halves:
                x = self._entering[k]
                for layer in half.layers:
                    present[f"{layer.name}.x"] = x.astype(np.float32)
                    drive = self._arrived(part, layer, x) * self._units[layer.name]
                    if layer.is_hidden:
                        self._hear_drive(part, present, layer, drive)
                        x = self._of(k, self.window.rasters[layer.name])[layer.row] * 1.0
                outputs.append(drive)
            present["value"] = outputs[1]
            self._choose_by(k, outputs[0])
            present["scores"] = self.phi[k].astype(np.float32)
            both = outputs[0], self.probabilities[k]
            readouts, choices = (np.split(x, self._first_of[1:]) for x in both)
            of_each, factor = zip(readouts, choices, strict=True), self.trunk.entropy
            pulls = [self.policy.pull(readout, choice, factor) for readout, choice in of_each]
            present["pull"] = np.concatenate(pulls).astype(np.float32)

    def _hear_drive(
        self, part: DeepMemory, present: dict[str, Array], layer: DeepLayer, drive: FloatArray
    ) -> None:
        name = layer.name
        u = (drive - present[f"{name}.shift"]) / present[f"{name}.scale"]
        present[f"{name}.u"] = u.astype(np.float32)
        present[f"{name}.slope"] = surrogate(u, self.trunk.slope)
        present[f"{name}.inverse"] = (1.0 / present[f"{name}.scale"]).astype(np.float32)
        if self._learns_late:
            mean, variance = (part.lasting[f"{name}.{s}"] for s in ("mean", "variance"))
            learned, normalisation = int(part.lasting["learned"][0]), self.trunk.normalisation
            if layer.patches is not None and normalisation.shares:
                by_place = drive.reshape(-1, layer.patches.filters)
                total = np.add.accumulate(by_place)[-1]  # in their order
                drive = np.tile(total / len(by_place), len(by_place))
            normalisation.heard(drive, mean, variance, learned)

    def _learn_late(self) -> None:
        for k in self._active():
            part, present = self._parts[k], self._present[k]
            value = float(present["value"][0])
            if not np.isnan(part.passing_arrays["before"]):
                self._learn_from(k, float(self.discount[k]) * value)
            for name, array in part.passing_arrays.items():
                if name in present:
                    array[...] = present[name]
            part.passing_arrays["before"][...] = value
        self._write_all()

    def _hear_reward(self, k: int) -> None:
        """Divide agent k's reward by the running deviation of its discounted returns."""
        if not self.trunk.scales_rewards:
            return
        part, reward = self._parts[k], float(self.reward[k])
        mean, square, count = (float(x) for x in part.lasting["returns"])
        now = float(part.passing_arrays["return"][0]) * self.config.gamma + reward
        count += 1.0
        off = now - mean
        mean += off / count
        square += off * (now - mean)
        if not math.isfinite(square):  # later rewards would be divided by infinity
            raise NotFiniteError(k, None)
        part.lasting["returns"][:] = mean, square, count
        part.passing_arrays["return"][0] = now
        variance = square / (count - 1.0) if count > 1.0 else 0.0
        if variance > 1e-8 * min(mean * mean, 1.0):  # rewards of any size, not their rounding
            self.reward[k] = reward / math.sqrt(variance)

    def _learn_from(self, k: int, ahead: float) -> None:
        """Learn from agent k's last decision; ahead: the discounted value of what came of it."""
        part, trunk = self._parts[k], self.trunk
        limit = self.config.modulator.limit
        error = float(self.reward[k]) + ahead - float(part.passing_arrays["before"][0])
        if not math.isfinite(error):
            raise NotFiniteError(k, None)
        if limit is not None:
            error = min(max(error, -limit), limit)
        decisions, rate = int(part.lasting["learned"][0]), float(self.rate[k])
        for half in self.layers.halves:
            signals = part.passing_arrays["scores"] if half.is_actor else np.ones(1, np.float32)
            keep, delta = np.float32(half.keep), np.float32(error)
            changes = []
            for layer in reversed(half.layers):
                extra = part.passing_arrays["pull"] if layer.name == "output" else None
                if layer.is_hidden:
                    signals, extra = self._post(part, layer, signals, keep, delta)
                changes.append((layer, signals, extra))
            for layer, factor, extra in changes:
                eta = np.float32(layer.alpha * rate)
                x: Array = part.passing_arrays[f"{layer.name}.x"]
                ones: Array = np.ones(1, np.float32)
                if layer.patches is not None:
                    n = len(layer.patches.index)
                    x, ones = x[layer.patches.index], np.ones((n, 1), np.float32)
                    factor = factor.reshape(n, -1)
                    extra = None if extra is None else extra.reshape(n, -1)
                for p, into in zip(layer.into, (x, ones), strict=True):
                    if eta:
                        self._synapses[k][p.name].learn(
                            into, factor, extra, delta, keep, eta, trunk.step_size, decisions
                        )
        part.lasting["learned"] += 1

    def _post(
        self, part: DeepMemory, layer: DeepLayer, above: Array, keep: np.float32, delta: np.float32
    ) -> tuple[Array, Array | None]:
        """Return a hidden layer's post factors, and what centring adds to g."""
        held, trunk, name = part.passing_arrays, self.trunk, layer.name
        assert layer.above is not None
        feedback: Array = part.lasting[f"{layer.above}.feedback"]
        if trunk.feedback.is_forward:
            feedback = part.weights[layer.above]
        u, inverse = held[f"{name}.u"], held[f"{name}.inverse"]
        factor = trunk.normalisation.project(told(feedback, above) * held[f"{name}.slope"], u)
        if trunk.centring == 0.0:
            return factor * inverse, None
        remembered = [held[f"{name}.{x}"] for x in ("a", "c")]
        remembered += [part.lasting[f"{name}.{x}"] for x in ("alpha", "kappa")]
        extra = centred(remembered, factor, u, keep, delta, trunk.centring)
        return factor * inverse, extra * inverse


_SEEN = ("mean", "square", "count")
_PER_OFFSET = 2.0**20
