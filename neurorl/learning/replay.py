"""Find with which probability neurons by equations spiked, from what a backend's state told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurorl.backends.base import Backend, Raster
from neurorl.backends.checks import Inputs
from neurorl.backends.reference.simulator import ReferenceSimulator
from neurorl.errors import ArgumentError
from neurorl.network.serialization import FloatArray
from neurorl.rules.membrane import spike_probability_by_equations

__all__ = ["Replay"]


class Replay:
    """Make the steps of a backend again with the spikes that they had, in the reference's NumPy.

    backend: in float arithmetic; its state can be read. names: populations of neurons by
    equations with noise. Raises ArgumentError unless all that projects into them is recorded.
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
        self._simulator = ReferenceSimulator()
        self._again = Backend(self._simulator, network, seed=seeds, arithmetic="float")
        self._plans = {p.name: p.plan(network.dt) for p in backend.simulated.whole.populations}

    def begin(self) -> None:
        """Take the state and the weights before a window."""
        for k in range(self._backend.n_replicas):
            start = {"t": np.array(0), **self._backend.simulator.state(k)}
            self._simulator.restore(start, k)
        for p in self._into:
            self._again.set_weights(p.name, self._backend.weights(p.name))

    def probabilities(
        self, inputs: Inputs, rasters: dict[str, Raster], n_steps: int
    ) -> dict[str, FloatArray]:
        """Return p in a window since `begin`, by population, ``(n_steps, n_replicas * size)``."""
        spikes, whole = {**inputs, **rasters}, self._backend.simulated.whole.spiking
        silent = {n.name: np.zeros((n_steps, n.size), bool) for n in whole.nodes}
        known = {name: spikes.get(name, raster) for name, raster in silent.items()}
        self._again.flow(inputs)
        rows: dict[str, list[dict[str, FloatArray]]] = {name: [] for name in self._names}
        for t in range(n_steps):
            for name, of_steps in rows.items():
                of_steps.append(self._arrived(name))
            self._simulator.send({name: raster[t] for name, raster in known.items()})
        return {name: self._probability(name, rows[name], rasters[name]) for name in self._names}

    def _arrived(self, name: str) -> dict[str, FloatArray]:
        """Return what is added to each input of a population in the step that comes."""
        equations, biased = self._simulator.equations[name], self._backend.network.biased(name)
        arrived = self._simulator.arrived(name, len(equations.dead))
        if biased is not None:
            arrived[biased] += equations.bias
        return arrived

    def _probability(
        self, name: str, rows: Sequence[dict[str, FloatArray]], raster: Raster
    ) -> FloatArray:
        plan, equations = self._plans[name], self._simulator.equations[name]
        assert plan is not None  # see `names`
        arrived = {x: np.stack([row[x] for row in rows]) for x in plan.inputs}
        return spike_probability_by_equations(
            plan, arrived, raster, equations.state, equations.dead
        )
