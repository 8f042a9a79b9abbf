"""Define `SteppedSimulator`: a network stepped by NumPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.rounding import ChipArithmetic
from neurorl.backends.capabilities import Capabilities
from neurorl.backends.checks import Inputs
from neurorl.backends.reference import ReferenceSimulator
from neurorl.backends.reference.node import side_by_side
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.simulator import VARIABLES, Simulator, State
from neurorl.backends.window import Raster
from neurorl.network.description import Population
from neurorl.network.neuron import StepPlan
from neurorl.numerics.arrays import FloatArray
from stepwise.equations import EquationNeurons
from stepwise.listed import ListedArrivals
from stepwise.neurons import ChipNeurons, FloatNeurons, Neurons
from stepwise.short_term import ShortTerm


class SteppedSimulator(Simulator):
    """Run a network in NumPy, in both arithmetics; short enough to define the semantics.

    steps: number of steps that each replica made.
    neurons, equations: the neurons of each population; equations if defined by equations.
    spikes: by node, its last spikes, newest last, for as many steps as its longest delay.
    incoming: by population, the name, presynaptic node, delay and blocks of its projections.
    transmitted: transmitted weights by projection. They are float64 in both arithmetics: sums of
        integers or of grid weights are exact in it, and BLAS has no integer product. Always the
        same arrays, as others may write to them.
    """

    name: ClassVar[str] = "reference"
    capabilities: ClassVar[Capabilities] = ReferenceSimulator.capabilities

    def build(self, simulated: SimulatedNetwork) -> None:
        """Make all populations and projections, at rest."""
        self.simulated = simulated
        self.steps = [0] * simulated.n_replicas
        run = simulated.whole_arithmetic.network  # with the sources of coins
        self.neurons: dict[str, Neurons] = {}
        self.equations: dict[str, EquationNeurons] = {}
        for p in simulated.whole.populations:
            if p.is_integrator(simulated.network.dt):
                self.neurons[p.name] = self.make_neurons(p)
            else:
                plan = p.plan(simulated.network.dt)
                self.equations[p.name] = self._make_equations(p.name, plan)
        self.spikes = {
            node.name: np.zeros((simulated.depths.get(node.name, 1), node.size), dtype=bool)
            for node in run.spiking.nodes
        }
        self.incoming = {
            name: [
                (p.name, p.pre, run.delay_steps(p.name), p.blocks)
                for p in run.spiking.projections
                if p.post == name
            ]
            for name in (*self.neurons, *self.equations)
        }
        self._lists = {
            p.name: ListedArrivals(synapses, run.delay_steps(p.name), run.synapse_delays(p.name))
            for p in run.spiking.projections
            if (synapses := run.synapses(p.name)) is not None
        }
        self._short_term = {
            p.name: (p.pre, ShortTerm(p.short_term, run.node(p.pre).size, depth, run.dt))
            for p in run.spiking.projections
            if p.short_term is not None
            for depth in [run.delay_steps(p.name)]
        }
        self._targets = {p.name: run.target(p) for p in run.spiking.projections}
        self.transmitted = {
            p.name: np.zeros(run.weight_shape(p.name)) for p in run.spiking.projections
        }
        # Coins stand where spikes of the step before would.
        rows = [simulated.coin_rows(k) for k in range(simulated.n_replicas)]
        self._tossed = {
            name: side_by_side([row[name] for row in rows]) for name in simulated.coins.values()
        }
        for name, weights in simulated.coin_weights.items():
            self.transmitted[name][:] = simulated.whole_arithmetic.transmitted(name, weights)
        self.put_in_force(simulated)

    def make_neurons(self, population: Population) -> FloatNeurons | ChipNeurons:
        """Return the state and noise of a population of all replicas."""
        arithmetic = self.simulated.whole_arithmetic
        noise = side_by_side(self.simulated.draws(population.name))
        if isinstance(arithmetic, ChipArithmetic):
            return ChipNeurons(arithmetic.chip.populations[population.name], noise)
        dynamics = population.integrator(self.simulated.network.dt)
        return FloatNeurons(dynamics, noise)

    def _make_equations(self, name: str, plan: StepPlan) -> EquationNeurons:
        """Return the same of neurons by equations."""
        simulated = self.simulated
        noise = side_by_side(simulated.draws(name))
        biased = simulated.network.biased(name)
        return EquationNeurons(plan, name, noise, biased, simulated.n_replicas)

    def write_weights(self, projection: str) -> None:
        self.transmitted[projection][:] = self.simulated.transmitted(projection)

    def write_bias(self, population: str, bias: npt.NDArray[np.generic]) -> None:
        (self.neurons.get(population) or self.equations[population]).bias = bias

    def variables(self, population: str) -> State:
        return dict(self.equations[population].state)

    def memory(self, projection: str) -> npt.NDArray[np.float64] | None:
        signed = self.simulated.network.projection(projection).signed
        return None if signed else self.transmitted[projection].reshape(-1)

    def step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        """Advance: all populations from spikes of earlier steps, then new spikes join."""
        whole, record = self.simulated.whole, self.simulated.record
        out = {name: np.empty((n_steps, whole.node(name).size), bool) for name in record}
        for k in range(n_steps):
            now = {s.name: inputs[s.name][k] for s in whole.spiking.sources}
            for name, toss in self._tossed.items():
                self.spikes[name][-1] = toss(self.steps)
            for name, neurons in self.neurons.items():
                now[name] = neurons.update(self.drive(name, neurons), self.steps)
            for name, equations in self.equations.items():
                now[name] = equations.update(self.arrived(name, len(equations.dead)), self.steps)
            self.send(now)
            for name in record:
                out[name][k] = now[name]
            self.steps = [t + 1 for t in self.steps]
        return out

    def send(self, spikes: Inputs) -> None:
        """Let a step's spikes, by node, join those on their way."""
        for name, now in spikes.items():
            past = self.spikes[name]
            past[:-1] = past[1:]
            past[-1] = now
        for pre, short_term in self._short_term.values():
            short_term.update(spikes[pre])

    def drive(self, name: str, neurons: Neurons) -> npt.NDArray[np.generic]:
        """Return the sum of the weights of the spikes that arrive at a population in this step."""
        q = np.zeros(neurons.u.shape)
        for projection in self.incoming[name]:
            self._add(q, *projection)
        return q.astype(neurons.u.dtype, copy=False)

    def arrived(self, name: str, size: int) -> dict[str, FloatArray]:
        """Return the same for neurons by equations, by input."""
        sums: dict[str, FloatArray] = {x: np.zeros(size) for x in self.equations[name].inputs}
        for projection in self.incoming[name]:
            self._add(sums[self._targets[projection[0]]], *projection)
        return sums

    def _add(self, q: FloatArray, projection: str, pre: str, delay: int, blocks: int) -> None:
        """Add the weights of the spikes that arrive by one projection."""
        weights, is_short = self.transmitted[projection], projection in self._short_term
        if projection in self._lists:
            release = self._short_term[projection][1].release if is_short else None
            self._lists[projection].add(q, self.spikes[pre], weights, release)
            return
        spikes = self.spikes[pre][-delay].astype(np.float64)
        if is_short:
            spikes *= self._short_term[projection][1].release[-delay]
        if blocks == 1:
            q += spikes @ weights
        else:
            q += (spikes.reshape(blocks, 1, -1) @ weights).ravel()

    def reset(self, replicas: Sequence[int]) -> None:
        for k in replicas:
            for variable in self._variables(k).values():
                variable[...] = 0
            for name, neurons in self.equations.items():
                neurons.reset(self.simulated.columns(name, k))

    def time(self, replica: int) -> int:
        return self.steps[replica]

    def state(self, replica: int) -> State:
        return {key: variable.copy() for key, variable in self._variables(replica).items()}

    def restore(self, state: State, replica: int) -> None:
        self.steps[replica] = int(state["t"])
        for key, variable in self._variables(replica).items():
            variable[...] = state[key]

    def _variables(self, replica: int) -> State:
        """Return a replica's state as views, without coins, which follow from the step."""
        views: State = {}
        for name, spikes in self.spikes.items():
            if name not in self._tossed:
                views[f"{name}.spikes"] = spikes[:, self.simulated.columns(name, replica)]
        for name, neurons in self.neurons.items():
            columns = self.simulated.columns(name, replica)
            for key, variable in zip(VARIABLES, (neurons.u, neurons.v, neurons.dead), strict=True):
                views[f"{name}.{key}"] = variable[columns]
        for name, equations in self.equations.items():
            columns = self.simulated.columns(name, replica)
            for key, variable in (*equations.state.items(), ("refractory", equations.dead)):
                views[f"{name}.{key}"] = variable[columns]
        for name, (pre, short_term) in self._short_term.items():
            columns = self.simulated.columns(pre, replica)
            for key, variable in short_term.variables().items():
                views[f"{name}.{key}"] = variable[..., columns]
        return views
