"""Find with which probability neurons spiked, from what a backend's state told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from neurorl.backends.base import Backend, Raster
from neurorl.backends.checks import Inputs
from neurorl.backends.reference.simulator import ReferenceSimulator
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.simulator import State
from neurorl.errors import ArgumentError
from neurorl.network.step_plan import StepPlan
from neurorl.numerics.arrays import FloatArray
from neurorl.rules.membrane import Start, spike_probability


class Replay:
    """Make the steps of a backend again with the spikes that they had, in the reference's NumPy.

    backend: in float arithmetic; its state can be read. names: populations with noise.
    Raises ArgumentError unless all that projects into them is recorded.
    """

    def __init__(self, backend: Backend, names: Sequence[str]) -> None:
        network = backend.network
        self._backend, self._names = backend, names
        self._into = [p for p in network.projections if p.post in names]
        needed = {p.pre for p in self._into} & {p.name for p in network.populations}
        missing = sorted(needed - set(backend.record))
        if missing:
            what, remedy = "must be recorded for p of", "leave record= out, or add them"
            raise ArgumentError("Learning, record", f"{what} {names}", got=missing, remedy=remedy)
        seeds = backend.seeds if backend.simulated.axes else backend.seed
        self._simulator = _GivenSpikes()
        self._again = Backend(self._simulator, network, seed=seeds, arithmetic="float")
        self._populations = {p.name: p for p in backend.simulated.whole.populations}
        self._states: list[State] = []

    def begin(self) -> None:
        """Take the state and the weights before a window."""
        replicas = range(self._backend.n_replicas)
        self._states = [self._backend.simulator.state(k) for k in replicas]
        for k, state in enumerate(self._states):
            self._simulator.restore({"t": np.array(0), **state}, k)
        for p in self._into:
            self._again.set_weights(p.name, self._backend.weights(p.name))

    def probabilities(
        self, inputs: Inputs, rasters: dict[str, Raster], n_steps: int
    ) -> dict[str, FloatArray]:
        """Return p in a window since `begin`, by population, ``(n_steps, n_replicas * size)``."""
        spikes, nodes = {**inputs, **rasters}, self._simulator.program.nodes
        silent = {k: np.zeros((n_steps, node.size), bool) for k, node in enumerate(nodes)}
        known = {k: spikes.get(nodes[k].name, raster) for k, raster in silent.items()}
        self._again.flow(inputs)
        rows: dict[str, list[dict[str, FloatArray]]] = {name: [] for name in self._names}
        for t in range(n_steps):
            arrived = self._simulator.arrived()
            for name, of_steps in rows.items():
                of_steps.append(self._biased(name, arrived[self._simulator.numbers[name]]))
            self._simulator.give(arrived, {k: raster[t] for k, raster in known.items()})
        return {name: self._probability(name, rows[name], rasters[name]) for name in self._names}

    def _biased(self, name: str, arrived: dict[str, FloatArray]) -> dict[str, FloatArray]:
        """Return what is added to each input of a population, with a bias that enters by one."""
        network, plan = self._backend.network, self._plan(name)
        biased = network.biased(name) if plan.bias is None else None
        if biased is None:
            return arrived
        return {**arrived, biased: arrived[biased] + self._bias(name)}

    def _bias(self, name: str) -> FloatArray:
        return np.asarray(self._simulator.nodes[self._simulator.numbers[name]].bias)

    def _plan(self, name: str) -> StepPlan:
        return self._populations[name].plan(self._backend.network.dt)

    def _probability(
        self, name: str, rows: Sequence[dict[str, FloatArray]], raster: Raster
    ) -> FloatArray:
        plan = self._plan(name)
        arrived = {x: np.stack([row[x] for row in rows]) for x in plan.inputs}
        names = self._populations[name].variables(self._backend.network.dt)
        *begun, dead = (
            np.concatenate([state[f"{name}.{x}"] for state in self._states]) for x in names
        )
        state = dict(zip(plan.initial, begun, strict=True))
        return spike_probability(plan, arrived, raster, Start(state, dead, self._bias(name)))


class _GivenSpikes(ReferenceSimulator):
    """Sum what arrives from spikes that are given, of populations too."""

    def take(self, simulated: SimulatedNetwork) -> None:
        super().take(simulated)
        nodes = tuple(node.as_source() for node in self.program.nodes)
        self.program = replace(self.program, nodes=nodes)

    def give(self, arrived: Sequence[dict[str, FloatArray]], spikes: Mapping[int, Raster]) -> None:
        """Make a step in which these spikes are fired."""
        for k, node in enumerate(self.nodes):
            node.update(arrived[k], self.steps, spikes[k])
        self.send(spikes)
