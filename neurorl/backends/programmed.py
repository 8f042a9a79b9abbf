"""Share what all simulators that run a program have in common: states by name, and resets."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from neurorl.arithmetic.chip_noise import NOISE_MODES
from neurorl.arithmetic.rounding import ARITHMETICS
from neurorl.backends.capabilities import Capabilities
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.simulator import VARIABLES, Simulator, State
from neurorl.backends.window import Raster
from neurorl.network.limits import MAX_DELAY
from neurorl.numerics.arrays import Array
from neurorl.program import NodeProgram, Program, Release

OF_PROGRAMS = Capabilities(
    arithmetics=tuple(ARITHMETICS),
    exact_arithmetics=tuple(ARITHMETICS),
    noises=NOISE_MODES,
    values=True,
    equations=True,
    sparse=True,
    synapse_delays=True,
    short_term=MAX_DELAY,
)
"""Hold what an executor of whole programs can run."""

SUMS = replace(OF_PROGRAMS, arithmetics=("float", "loihi"), exact_arithmetics=("float", "loihi"))
"""Hold what an executor can run that adds weights in any order, so not one by one with clipping."""


class ProgramSimulator(Simulator):
    """Run the nodes of a `neurorl.program.Program`, whose arrays a simulator says where to find.

    A subclass sets `simulated` and calls `take` in its `build`. Nodes go by their numbers.
    """

    simulated: SimulatedNetwork
    program: Program

    def take(self, simulated: SimulatedNetwork) -> None:
        """Take the network that is to be built, and its program."""
        self.simulated, self.program = simulated, simulated.program
        self.numbers = {node.name: k for k, node in enumerate(self.program.nodes)}
        self.driven = [node.drive(x) for node in self.program.nodes for x in node.driven]
        self.sources = [k for k, node in enumerate(self.program.nodes) if node.is_source]
        self.populations = [k for k, node in enumerate(self.program.nodes) if not node.is_source]

    @abc.abstractmethod
    def values(self, k: int, variable: str) -> Array:
        """Return a state variable of all neurons of a node, ``(size,)``, to be written to."""

    @abc.abstractmethod
    def dead(self, k: int) -> Array:
        """Return the dead steps left, of a node with refractory neurons, to be written to."""

    @abc.abstractmethod
    def past(self, k: int) -> Raster:
        """Return a copy of the spikes of a node's last steps, ``(depth, size)``, newest last."""

    @abc.abstractmethod
    def put_past(self, rasters: Mapping[int, Raster]) -> None:
        """Put the spikes of nodes' last steps on their way, as `past` returns them."""

    @abc.abstractmethod
    def released(self, k: int, release: Release) -> Sequence[Array]:
        """Return what neurons would have released, ``(size,)`` for each of *delay* steps.

        The newest is last; replicas may have an axis of their own. To be written to.
        """

    @abc.abstractmethod
    def put_time(self, t: int, replica: int) -> None:
        """Set the steps that a replica made."""

    def node_variables(self, k: int) -> dict[str, str]:
        """Return the state variables of a node's own model, with their names in a state."""
        node = self.program.nodes[k]
        others = {x for release in node.releases.values() for x in release.states.values()}
        names = [x for x in node.initial if x not in others]
        if node.names_bias:  # a current and a membrane
            return dict(zip(names, VARIABLES[:2], strict=True))
        return {x: x for x in names}

    def variables(self, population: str) -> State:
        k = self.numbers[population]
        return {x: self.values(k, x) for x in self.node_variables(k)}

    def reset(self, replicas: Sequence[int]) -> None:
        past = {k: self.past(k) for k in range(len(self.program.nodes))}
        for k, node in enumerate(self.program.nodes):
            for replica in replicas:
                columns = self.simulated.columns(node.name, replica)
                past[k][:, columns] = False
                for x, initial in node.initial.items():
                    self.values(k, x)[columns] = initial[columns]
                if node.refractory is not None:
                    self.dead(k)[columns] = 0
        self.put_past(past)

    def state(self, replica: int) -> State:
        state: State = {}
        for k, node, columns in self._columns(replica):
            state[f"{node.name}.spikes"] = self.past(k)[:, columns]
        for k, node, columns in self._columns(replica):
            for x, key in self.node_variables(k).items():
                values = self.values(k, x)[columns]
                state[f"{node.name}.{key}"] = values.astype(self.simulated.arithmetic.number)
            if not node.is_source:
                dead = np.zeros(node.size) if node.refractory is None else self.dead(k)
                state[f"{node.name}.refractory"] = dead[columns].astype(np.int64)
        for k, node, columns in self._columns(replica):
            for release in node.releases.values():
                name, spikes = release.projection, state[f"{node.name}.spikes"][-release.delay :]
                for key, variable in release.states.items():
                    state[f"{name}.{key}"] = self.values(k, variable)[columns].copy()
                released = self._rows(k, release)[:, columns]
                state[f"{name}.release"] = np.where(spikes, released, 0.0)
        return state

    def restore(self, state: State, replica: int) -> None:
        past = {k: self.past(k) for k in range(len(self.program.nodes))}
        released = [
            (k, release, self._rows(k, release))
            for k, node in enumerate(self.program.nodes)
            for release in node.releases.values()
        ]
        self.put_time(int(state["t"]), replica)
        for k, node, columns in self._columns(replica):
            past[k][:, columns] = state[f"{node.name}.spikes"]
            for x, key in self.node_variables(k).items():
                self.values(k, x)[columns] = state[f"{node.name}.{key}"]
            if node.refractory is not None:
                self.dead(k)[columns] = state[f"{node.name}.refractory"]
        for k, release, values in released:
            columns = self.simulated.columns(self.program.nodes[k].name, replica)
            for key, variable in release.states.items():
                self.values(k, variable)[columns] = state[f"{release.projection}.{key}"]
            values[:, columns] = state[f"{release.projection}.release"]
            for row, new in zip(self.released(k, release), values, strict=True):
                row[:] = new.reshape(row.shape)
        self.put_past(past)

    def _rows(self, k: int, release: Release) -> Array:
        """Return a copy of what `released` returns, ``(delay, size)``."""
        return np.stack(self.released(k, release)).reshape(release.delay, -1)

    def _columns(self, replica: int) -> Iterator[tuple[int, NodeProgram, slice]]:
        """Yield the number of each node, the node, and the replica's neurons among its own."""
        for k, node in enumerate(self.program.nodes):
            yield k, node, self.simulated.columns(node.name, replica)
