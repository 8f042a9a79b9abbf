"""Run a network as Xylo does, written from the published step in plain NumPy.

It takes the integers of a network from the arithmetic and nothing of the program that every other
executor runs. Small methods, so that a fault is one of them overridden.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.xylo import XyloArithmetic
from neurorl.arithmetic.xylo_integers import XyloPopulation
from neurorl.backends.capabilities import Capabilities
from neurorl.backends.checks import Inputs
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.simulator import Simulator, State
from neurorl.backends.window import Raster

Ints = npt.NDArray[np.int64]


class Layer:
    """Hold the neurons of one population, and step them."""

    def __init__(self, backend: ShiftChip, name: str, chip: XyloPopulation) -> None:
        self.backend, self.name, n = backend, name, len(chip.threshold)
        self.is_output, self.size = chip.is_output, n
        self.shift_syn, self.shift_mem = chip.shift_syn.copy(), chip.shift_mem.copy()
        self.threshold, self.most = chip.threshold.copy(), chip.most
        self.bias: Ints = chip.bias.copy()
        self.rest()

    def rest(self) -> None:
        self.i, self.v, self.count = (np.zeros(self.size, dtype=np.int64) for _ in range(3))

    def step(self) -> None:
        """Step once; input is in the current already."""
        self.i = self.i - self.decay(self.i, self.shift_syn, "current")
        moved = self.moved()
        self.count = self.spikes(moved)
        self.v = self.after(moved, self.count)

    def decay(self, x: Ints, shift: Ints, of: str) -> Ints:
        less = x >> shift
        return np.where(less == 0, np.sign(x), less)

    def clip(self, x: Ints, where: str) -> Ints:
        return np.clip(x, -32768, 32767)

    def add(self, n: int, weights: Ints) -> None:
        """Take the weights of a presynaptic neuron's spikes, in which it spiked n times."""
        self.i = self.clip(self.i + n * weights, "current")

    def arrived(self) -> None:
        """Take note that all input of a step has been added."""

    def moved(self) -> Ints:
        lost = (-self.decay(self.v, self.shift_mem, "membrane") + 32768) % 65536 - 32768
        change = self.clip(self.clip(lost + self.i, "driven") + self.bias, "change")
        return self.clip(self.v + change, "membrane")

    def spikes(self, v: Ints) -> Ints:
        return np.clip(v // self.threshold, 0, self.most)

    def after(self, v: Ints, count: Ints) -> Ints:
        return v - count * self.threshold


class ShiftChip(Simulator):
    """Run one network on one chip. neurons: the class of its layers."""

    name: ClassVar[str] = "shifts"
    capabilities: ClassVar[Capabilities] = Capabilities(
        ("xylo",), ("xylo",), delays=False, signed=False, sparse=True
    )
    neurons: ClassVar[type[Layer]] = Layer

    def build(self, simulated: SimulatedNetwork) -> None:
        assert isinstance(simulated.arithmetic, XyloArithmetic)
        self.simulated, self.arithmetic = simulated, simulated.arithmetic
        self.network = simulated.network.spiking
        chips = self.arithmetic.chip.populations
        self.layers = {name: self.neurons(self, name, chip) for name, chip in chips.items()}
        self.sent: dict[str, list[Ints]] = {}
        self.silence()
        self.t = 0
        self.matrices: dict[str, Ints] = {}
        sources = [s.name for s in self.network.sources]
        order = [*sources, *(p.name for p in self.network.populations)]
        self.order = sorted(self.network.projections, key=lambda p: order.index(p.pre))
        self.put_in_force(simulated)

    def silence(self) -> None:
        for node in self.network.nodes:
            self.sent[node.name] = [np.zeros(node.size, dtype=np.int64)] * 4
        for layer in self.layers.values():
            layer.rest()

    def mantissas(self, projection: str, mantissas: Ints) -> Ints:
        return mantissas

    def shift(self, projection: str) -> int:
        return self.arithmetic.exponent(projection)

    def delay(self, projection: str) -> int:
        return 1

    def times(self, projection: str, counts: Ints) -> Ints:
        """Return how often each presynaptic spike counts."""
        return counts

    def write_weights(self, projection: str) -> None:
        whole = self.arithmetic.mantissa(projection, self.simulated.weights[projection])
        listed = self.network.synapses(projection)
        if listed is not None:
            flat, whole = whole.ravel(), np.zeros((listed.n_pre, listed.n_post), dtype=np.int64)
            np.add.at(whole, (listed.pre, listed.post), flat)
        if whole.ndim == 3:  # equal blocks side by side
            blocks, (n, k, m) = whole, whole.shape
            whole = np.zeros((n, k, n, m), dtype=np.int64)
            whole[np.arange(n), :, np.arange(n)] = blocks
            whole = whole.reshape(n * k, n * m)
        stored = np.asarray(self.mantissas(projection, whole.copy()), dtype=np.int64)
        self.matrices[projection] = stored << self.shift(projection)

    def write_bias(self, population: str, bias: npt.NDArray[np.generic]) -> None:
        self.layers[population].bias = bias.astype(np.int64)

    def step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        out: dict[str, list[Any]] = {name: [] for name in self.simulated.record}
        for k in range(n_steps):
            given = {
                s.name: np.asarray(inputs[s.name][k], dtype=np.int64) for s in self.network.sources
            }
            for name, now in given.items():
                self.sent[name].append(now)
            for p in self.order:
                counts = self.times(p.name, self.arriving(p.name, p.pre))
                for pre in np.flatnonzero(counts):
                    self.layers[p.post].add(int(counts[pre]), self.matrices[p.name][pre])
            for layer in self.layers.values():
                layer.arrived()
                layer.step()
            for name, layer in self.layers.items():
                self.sent[name].append(layer.count)
            self.sent = {name: rows[-5:] for name, rows in self.sent.items()}
            self.t += 1
            for name, rows in out.items():
                rows.append(self.layers[name].count > 0)
        return {name: np.array(rows) for name, rows in out.items()}

    def arriving(self, projection: str, pre: str) -> Ints:
        """Return the spikes that arrive now; a source's of this step have been sent already."""
        is_source = pre not in self.layers
        return self.sent[pre][-self.delay(projection) - is_source]

    def reset(self, replicas: Sequence[int]) -> None:
        self.silence()

    def time(self, replica: int) -> int:
        return self.t

    def state(self, replica: int) -> State:
        state: State = {}
        for node in self.network.nodes:
            state[f"{node.name}.spikes"] = self.sent[node.name][-1][None] > 0
        for name, layer in self.layers.items():
            state[f"{name}.release"] = layer.count[None].astype(np.float64)
            values = layer.i, layer.v, 0 * layer.count
            for variable, x in zip(("current", "voltage", "refractory"), values, strict=True):
                state[f"{name}.{variable}"] = x.copy()
        return state

    def restore(self, state: State, replica: int) -> None:
        self.t = int(state["t"])
