"""Define `ReferenceSimulator`: a program run by NumPy, the definition of what a network does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import numpy as np

from neurorl.backends.capabilities import Capabilities
from neurorl.backends.checks import Inputs, check_finite
from neurorl.backends.programmed import OF_PROGRAMS, ProgramSimulator
from neurorl.backends.reference.node import NumpyNode, python_source
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.window import Raster
from neurorl.numerics.arrays import Array, BoolArray, FloatArray
from neurorl.program import ProjectionProgram, Release


class ReferenceSimulator(ProgramSimulator):
    """Run a network in NumPy, in both arithmetics.

    steps: number of steps that each replica made. nodes: state and step of each node.
    spikes: of each node its last spikes, newest last, for as many steps as its longest delay.
    arrivals: by projection, its weights and what they add.
    """

    name: ClassVar[str] = "reference"
    capabilities: ClassVar[Capabilities] = replace(OF_PROGRAMS, engines=("numpy",))

    def build(self, simulated: SimulatedNetwork) -> None:
        """Make all nodes and projections, at rest."""
        self.take(simulated)
        network, nodes = simulated.whole, self.program.nodes
        self.steps = [0] * simulated.n_replicas
        self.nodes = [NumpyNode(node, self.program.seeds) for node in nodes]
        self.spikes = [np.zeros((node.depth, node.size), dtype=bool) for node in nodes]
        self.arrivals = {
            p.name: Arrivals(p, network.weight_shape(p.name), nodes[p.post].size)
            for p in self.program.projections
        }
        self.gaps = [p for p in self.program.projections if p.gap]
        self.spiking = [p for p in self.program.projections if not p.gap]
        self.is_given = bool(self.gaps) or any(node.driven for node in nodes)
        self.put_in_force(simulated)

    def write_weights(self, projection: str) -> None:
        if projection in self.arrivals:  # else it has no synapse
            transmitted = self.simulated.transmitted(projection)
            self.arrivals[projection].weights[:] = transmitted.ravel()

    def write_bias(self, population: str, bias: Array) -> None:
        self.nodes[self.numbers[population]].bias = bias

    def memory(self, projection: str) -> FloatArray | None:
        signed = self.simulated.network.projection(projection).signed
        held = None if signed else self.arrivals.get(projection)
        return None if held is None else held.weights

    def step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        """Advance: all nodes from spikes of earlier steps, then new spikes join."""
        nodes, record = self.program.nodes, [self.numbers[name] for name in self.simulated.record]
        out = {k: np.empty((n_steps, nodes[k].size), dtype=bool) for k in record}
        with np.errstate(all="ignore"):  # in expressions nothing warns
            for step in range(n_steps):
                arrived, now = self.arrived(), {}
                if self.is_given:
                    arrived = self.with_given(arrived, inputs, step)
                for k, node in enumerate(nodes):
                    given = inputs[node.name][step] if node.is_source else None
                    if given is not None and not node.releases:
                        now[k] = given
                        continue
                    now[k] = self.nodes[k].update(arrived[k], self.steps, given)
                    if node.initial and not node.names_bias:
                        self._check(k)
                self.send(now)
                for k in record:
                    out[k][step] = now[k]
        return {nodes[k].name: raster for k, raster in out.items()}

    def _check(self, k: int) -> None:
        """Raise DivergenceError if a variable of a node has become nan or inf."""
        node, step = self.program.nodes[k], f"step {self.steps[0]}"
        check_finite(node.name, self.nodes[k].state, node.size // self.program.n_replicas, step)

    def arrived(self) -> list[dict[str, FloatArray]]:
        """Return what arrives at each node in this step, by input."""
        sums: list[dict[str, FloatArray]] = []
        for k, node in enumerate(self.program.nodes):
            sums.append({})
            for x in node.inputs:
                is_sum = node.limits is None
                sums[-1][x] = np.zeros(node.size) if is_sum else self.nodes[k].state[x].copy()
        for p in self.spiking:
            arrivals, past = self.arrivals[p.name], self.spikes[p.pre]
            total, blocks = sums[p.post][p.target], arrivals.blocks
            released = None if p.release is None else self.nodes[p.pre].released[p.release]
            limits = self.program.nodes[p.post].limits
            if limits is not None:
                counts = past[-1] if released is None else past[-1] * released[-1]
                arrivals.add_clipped(total, counts, limits)
                continue
            if blocks is None:
                arrivals.add(total, past, released)
                continue
            (delay,) = p.delays
            spikes = past[-delay].astype(np.float64)
            if released is not None:
                spikes *= released[-delay]
            total += (spikes.reshape(-1, 1, blocks.shape[1]) @ blocks).ravel()
        return sums

    def with_given(
        self, sums: list[dict[str, FloatArray]], inputs: Inputs, step: int
    ) -> list[dict[str, FloatArray]]:
        """Return what arrives, with what values and then gap junctions add in a window's step."""
        for node, arrived in zip(self.program.nodes, sums, strict=True):
            for x in node.driven:
                arrived[x] += inputs[node.drive(x)][step]
        for p in self.gaps:
            ends = (self.nodes[k].state[p.gap] for k in (p.pre, p.post))
            sums[p.post][p.target] += self.arrivals[p.name].coupled(*ends)
        return sums

    def send(self, spikes: Mapping[int, Raster]) -> None:
        """Let a step's spikes, by node, join those on their way."""
        for k, now in spikes.items():
            past = self.spikes[k]
            if len(past) > 1:
                past[:-1] = past[1:]
            past[-1] = now
        for replica in range(len(self.steps)):
            self.steps[replica] += 1

    def source(self) -> str:
        """Return the network, and the Python function of each node."""
        functions = (f"# {node.name}\n{python_source(node)}" for node in self.program.nodes)
        return "\n\n".join([self.simulated.text(), *functions]) + "\n"

    def time(self, replica: int) -> int:
        return self.steps[replica]

    def put_time(self, t: int, replica: int) -> None:
        self.steps[replica] = t

    def values(self, k: int, variable: str) -> Array:
        return self.nodes[k].state[variable]

    def dead(self, k: int) -> Array:
        return self.nodes[k].dead

    def past(self, k: int) -> Raster:
        return self.spikes[k].copy()

    def put_past(self, rasters: Mapping[int, Raster]) -> None:
        for k, raster in rasters.items():
            self.spikes[k][:] = raster

    def released(self, k: int, release: Release) -> Sequence[Array]:
        return [*self.nodes[k].released[release.variable][-release.delay :]]


class Arrivals:
    """Hold the transmitted weights of a projection, and add those of a list to inputs.

    shape: of the weights as described. n_post: postsynaptic neurons.

    weights: flat, as described; float64 in both arithmetics, as sums of integers or of grid weights
    are exact in it. Always the same array, as others may write to it.
    blocks: the same memory as ``(blocks, n_pre, n_post)`` if weights are dense, else None.
    """

    def __init__(self, projection: ProjectionProgram, shape: tuple[int, ...], n_post: int) -> None:
        self._projection, self._n_post = projection, n_post
        self.weights = np.zeros(math.prod(shape))
        is_dense = projection.rows is None
        self.blocks = self.weights.reshape(-1, *projection.block) if is_dense else None

    def add(self, q: FloatArray, past: BoolArray, released: FloatArray | None = None) -> None:
        """Add the weights of listed synapses that arrive in this step to *q*.

        past: the last spikes of the presynaptic node, newest last. released: what these released;
        None is 1.
        """
        rows = self._projection.rows
        assert rows is not None
        for delay, start in zip(self._projection.delays, rows.start, strict=True):
            spiking = np.flatnonzero(past[-delay])
            first, counts = start[spiking], start[spiking + 1] - start[spiking]
            total = int(counts.sum())
            if not total:
                continue
            before = np.cumsum(counts) - counts
            reached = np.repeat(first - before, counts) + np.arange(total)
            values = self.weights[reached if rows.places is None else rows.places[reached]]
            if released is not None:
                values = values * np.repeat(released[-delay][spiking], counts)
            q += np.bincount(rows.to[reached], values, self._n_post)

    def coupled(self, pre: FloatArray, post: FloatArray) -> FloatArray:
        """Return ``sum_i w_ij (v_i - v_j)`` of gap junctions, added up by i from 0 on."""
        i, j, _ = self._projection.synapses()
        places = self._projection.places()
        w = self.weights if places is None else self.weights[places]
        return np.asarray(np.bincount(j, w * (pre[i] - post[j]), self._n_post), np.float64)

    def add_clipped(self, total: FloatArray, counts: Array, limits: tuple[float, float]) -> None:
        """Add weights to *total* one by one, times *counts* ``(n_pre,)``, and clip each time."""
        if self.blocks is not None:
            add_clipped(total[None], counts[None], self.blocks, limits)
            return
        rows = self._projection.rows
        assert rows is not None
        for pre in np.flatnonzero(counts):
            for s in range(rows.start[0, pre], rows.start[0, pre + 1]):
                weight = self.weights[s if rows.places is None else rows.places[s]]
                total[rows.to[s]] = np.clip(total[rows.to[s]] + weight * counts[pre], *limits)


def add_clipped(
    total: FloatArray, counts: Array, blocks: FloatArray, limits: tuple[float, float]
) -> None:
    """Add weights to *total* ``(rows, n)``, times *counts* ``(rows, n_pre)``, and clip each time.

    blocks: weights as ``(blocks, presynaptic, postsynaptic)``; one neuron after another.
    """
    _, n_pre, n_post = blocks.shape
    for pre in np.flatnonzero(counts.any(axis=0)):
        block, k = divmod(pre, n_pre)
        part = total[:, block * n_post : (block + 1) * n_post]
        np.clip(part + counts[:, pre, None] * blocks[block, k], *limits, out=part)
