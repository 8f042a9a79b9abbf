"""Read what rules name of neurons' membranes while a backend steps, by its recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from neurorl.backends.base import Backend, Raster
from neurorl.backends.checks import Inputs
from neurorl.backends.recording import Recording
from neurorl.backends.reference.simulator import ReferenceSimulator
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.simulator import State
from neurorl.errors import ArgumentError, UnsupportedError
from neurorl.network.description import Population
from neurorl.network.neuron import Integrator, StepPlan
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.numerics.elementary import exp
from neurorl.rules import Rule
from neurorl.rules.membrane import Start, noise_problem, spike_probability


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
        self._again.flow(inputs := dict(inputs))
        rows: dict[str, list[dict[str, FloatArray]]] = {name: [] for name in self._names}
        for t in range(n_steps):
            arrived = self._simulator.with_given(self._simulator.arrived(), inputs, t)
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


OF_MEMBRANES = ("v", "p", "theta")
_OF_P = ("voltage", "current", "refractory")


class Membranes:
    """Step a backend, and tell v, p and theta of the populations whose rules name them.

    v: the membrane after each step and its reset, in the description's units, as a recording has
    it: ``v`` of neurons by equations. p: probability of the spike, of neurons with escape noise in
    float arithmetic. theta: threshold of LIF, CubaLIF and GLM neurons.

    rules: by population, those of the projections into it. Raises UnsupportedError, with the
    character, for what a population or a backend can't tell.
    """

    def __init__(self, backend: Backend, rules: Mapping[str, Sequence[Rule]]) -> None:
        self._backend = backend
        self._rows: dict[str, list[Array]] = {}
        self._integrators: dict[str, Integrator] = {}
        self._named: dict[str, frozenset[str]] = {}
        for population in backend.network.populations:
            of_it = rules.get(population.name, ())
            named = frozenset(OF_MEMBRANES) & frozenset().union(*(rule.named for rule in of_it))
            if named:
                self._check(population, of_it, named)
                self._named[population.name] = named
        of_p = [name for name, named in self._named.items() if "p" in named]
        again = [name for name in of_p if name not in self._integrators]
        if again:
            backend.check_can("state")
        self._replay = Replay(backend, again) if again else None
        names = [f"{name}.{kind}" for name in self._named for kind in self._variables(name)]
        self._recording = None
        if names:
            self._recording = Recording(backend, names, callback=self._take)
            with self._recording:
                pass  # a chip refuses here

    def step(
        self, inputs: Inputs, n_steps: int
    ) -> tuple[dict[str, Raster], dict[str, dict[str, FloatArray]]]:
        """Advance, and return the rasters, and by population what its rules name.

        v and p are ``(n_steps, n_replicas * size)``, theta ``(n_replicas * size,)``.
        """
        if self._replay is not None:
            self._replay.begin()
        rows: dict[str, Array] = {}
        if self._recording is None:
            rasters = self._backend.step(inputs, n_steps)
        else:
            before, self._rows = self._state(), {}
            with self._recording:
                rasters = self._backend.step(inputs, n_steps)
            rows = {name: np.stack([before[name], *rows]) for name, rows in self._rows.items()}
        told = {name: self._told(name, rows) for name in self._named}
        if self._replay is not None:
            again = self._replay.probabilities(inputs, rasters, n_steps)
            told = {
                name: {**read, "p": again[name]} if name in again else read
                for name, read in told.items()
            }
        return rasters, told

    def _take(self, _: float, name: str, value: Array) -> None:
        self._rows.setdefault(name, []).append(value)

    def _state(self) -> dict[str, Array]:
        assert self._recording is not None
        states = [self._backend.simulator.state(k) for k in range(self._backend.n_replicas)]
        return {key: np.concatenate([s[key] for s in states]) for key in self._recording.names}

    def _variables(self, population: str) -> tuple[str, ...]:
        named = self._named[population]
        if "p" in named and population in self._integrators:
            return _OF_P
        if "v" not in named:
            return ()
        return ("voltage",) if population in self._integrators else ("v",)

    def _told(self, population: str, rows: Mapping[str, Array]) -> dict[str, FloatArray]:
        """Return what rules name, given rows of the state before each step and after the last."""
        named, told = self._named[population], {}
        if "theta" in named:
            told["theta"] = self._tiled(self._integrators[population].threshold)
        if "v" in named:
            kind = "voltage" if population in self._integrators else "v"
            unit = self._backend.arithmetic.membrane_unit(population)  # of the simulator's
            told["v"] = rows[f"{population}.{kind}"][1:] / unit
        if "p" in named and population in self._integrators:
            told["p"] = self._probability(population, rows)
        return told

    def _probability(self, population: str, rows: Mapping[str, Array]) -> FloatArray:
        d = self._integrators[population]
        v, u, dead = (rows[f"{population}.{kind}"] for kind in _OF_P)
        bias = self._backend.simulated.bias(population)
        met = self._tiled(d.membrane_decay) * v[:-1] + u[1:] + bias
        width, threshold = self._tiled(d.noise_width), self._tiled(d.threshold)
        return np.where(dead[:-1] > 0, 0.0, 1.0 / (1.0 + exp((threshold - met) / width)))

    def _tiled(self, values: Array) -> Array:
        return np.tile(values, self._backend.n_replicas)

    def _check(self, population: Population, rules: Sequence[Rule], named: frozenset[str]) -> None:
        network = self._backend.network
        plan = population.plan(network.dt)
        is_integrator = population.is_integrator(network.dt)
        for name in sorted(named):
            where = next(rule for rule in rules if rule.names(name)).where(name)
            who = f"{population.name!r} has neurons by equations"
            if not is_integrator and (name == "theta" or (name == "v" and "v" not in plan.initial)):
                what = f"needs {name}, and {who}" + (" without a variable v" * (name == "v"))
                remedy = "LIF, CubaLIF or GLM"
                raise UnsupportedError(where, what, remedy=remedy)
        if is_integrator:
            self._integrators[population.name] = population.integrator(network.dt)
        if "p" in named:
            where = next(rule for rule in rules if rule.names("p")).where("p")
            self._check_probability(population, f"{where} needs spike probabilities")

    def _check_probability(self, population: Population, what: str) -> None:
        network, name = self._backend.network, population.name
        silent = noise_problem(population, network.dt, what)
        if silent is not None:
            raise UnsupportedError(silent)
        if self._backend.arithmetic.is_chip:
            problem, remedy = "which chip arithmetic doesn't tell", "arithmetic 'float'"
            raise UnsupportedError(f"{what}, {problem}; {remedy}")
        again = name not in self._integrators
        if again and any(p.gap for p in network.projections if p.post == name):
            problem = f"which aren't computed again beside gap junctions into {name!r}"
            raise UnsupportedError(f"{what}, {problem}; leave these out")
        flows = any(p.post == name and p.pre in network.currents for p in network.projections)
        if flows and name in self._integrators:
            problem = f"and currents flow into {name!r}"
            raise UnsupportedError(f"{what}, {problem}; a source of spikes")
