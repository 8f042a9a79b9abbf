"""Describe a network as a simulator has to run it: the argument of `Simulator.build`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from neurorl.arithmetic.chip_noise import UniformRows, coin_rows, find_noise
from neurorl.arithmetic.rounding import Arithmetic, make_arithmetic
from neurorl.network.description import Network, Population
from neurorl.network.initial_weights import initial_weights
from neurorl.network.replicate import replicate
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.numerics.random import DrawRows, NoiseRows
from neurorl.program import Program, lower


@dataclass(frozen=True)
class SimulatedNetwork:
    """Hold a network with everything that determines its spikes.

    network: one replica, as described.
    seeds: the seed of each replica.
    axes: the axes in front of the network's own in a caller's arrays, ``(n_replicas,)`` or none.
    arithmetic_name: ``'float'``, ``'loihi'`` or ``'xylo'``.
    arithmetic: of one replica; its `network` also has the sources of coins.
    noise: kind of escape noise, see `neurorl.arithmetic.chip_noise`.
    record: the populations whose rasters `Simulator.step` returns.
    coins: by population, the source of its coins; empty if the noise needs none.
    weights: effective weights by projection, in the description's units and the shape of `whole`;
        always those last written.
    """

    network: Network
    seeds: tuple[int, ...]
    axes: tuple[int, ...]
    arithmetic_name: str
    arithmetic: Arithmetic
    noise: str
    record: tuple[str, ...]
    coins: Mapping[str, str] = field(default_factory=dict)
    weights: dict[str, FloatArray] = field(default_factory=dict)

    @property
    def n_replicas(self) -> int:
        """Return how many replicas there are."""
        return len(self.seeds)

    @cached_property
    def whole(self) -> Network:
        """Return all replicas as one network, populations of ``n_replicas * size`` neurons."""
        return replicate(self.network, self.n_replicas)

    @cached_property
    def whole_arithmetic(self) -> Arithmetic:
        """Return the arithmetic of all replicas as one network, with the sources of coins."""
        if self.n_replicas == 1:
            return self.arithmetic
        whole = replicate(self.arithmetic.network, self.n_replicas)
        return make_arithmetic(self.arithmetic_name, whole, self.noise)

    @cached_property
    def depths(self) -> dict[str, int]:
        """Return for each node how many steps its spikes are needed: its longest delay."""
        depths = {node.name: 1 for node in self.network.nodes}
        for p in self.network.projections:
            depths[p.pre] = max(depths[p.pre], self.network.delay_steps(p.name))
        return depths

    @cached_property
    def program(self) -> Program:
        """Return all replicas as one lowered program."""
        return lower(self.whole, self.whole_arithmetic, self.depths, self.seeds)

    @cached_property
    def coin_weights(self) -> dict[str, FloatArray]:
        """Return the effective weights of coins by projection, in the shape of all replicas."""
        arithmetic, sources = self.whole_arithmetic, set(self.coins.values())
        return {
            p.name: arithmetic.round(p.name, initial_weights(arithmetic.network, p.name, 0))
            for p in arithmetic.network.projections
            if p.pre in sources
        }

    def columns(self, node: str, replica: int) -> slice:
        """Return the slice of a replica's neurons among all of a node's."""
        size = self.network.node(node).size
        return slice(replica * size, (replica + 1) * size)

    def transmitted(self, projection: str) -> Array:
        """Return the weights as a spike adds them to currents, in the shape of `whole`.

        It is in the units of the arithmetic, and twice the weight of a signed projection, whose
        silence transmits the negative weight by `bias`.
        """
        return self.whole_arithmetic.transmitted(projection, self.weights[projection])

    def bias(self, population: str, current: FloatArray | None = None) -> Array:
        """Return a population's biases, ``(n_replicas * size,)``, with what signed weights add.

        current: what flows into each neuron from sources of currents.
        """
        weights = self.weights | self.coin_weights if self.coins else self.weights
        return self.whole_arithmetic.bias(population, weights, current)

    def draws(self, population: str) -> list[DrawRows]:
        """Return each replica's draws of noise for a population; equal on every backend."""
        rows = NoiseRows if find_noise(self.noise).is_exact else UniformRows
        size, stream = self.network.node(population).size, self.network.index(population)
        return [rows(seed, stream, size) for seed in self.seeds]

    def coin_rows(self, replica: int) -> dict[str, DrawRows]:
        """Return a replica's coin tosses by source."""
        return coin_rows(self.network, self.coins, self.seeds[replica])

    def text(self) -> str:
        """Return the network for a reader, a line for each of its parts."""
        network = self.network
        lines = [f"{network.dt:g} s a step, {self.arithmetic_name} arithmetic"]
        lines += [f"{self.n_replicas} replicas of:"] if self.n_replicas > 1 else []
        for node in network.nodes:
            model = f" of {node.neuron}" if isinstance(node, Population) else ""
            model = f" of {network.analog[node.name]}" if node.name in network.analog else model
            lines.append(f"{type(node).__name__} {node.name}: {node.size}{model}")
        for p in network.projections:
            shape = " x ".join(str(n) for n in network.weight_shape(p.name))
            shape += " synapses" * p.is_sparse
            marks = [f"delay {network.delay_steps(p.name)}"]
            marks += ["or less"] if p.has_delays else []
            marks += ["signed"] if p.signed else []
            marks += ["plastic"] if p.plasticity else []
            lines.append(f"Projection {p.name}: {p.pre} -> {p.post}, {shape}, {', '.join(marks)}")
        return "\n".join(lines)
