"""Define the interface of what runs a network on Brian2, however its code is made."""

from __future__ import annotations

import abc
from collections.abc import Collection, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from neurorl.backends.brian2.equations import start_of
from neurorl.backends.brian2.short_term import is_short
from neurorl.backends.checks import Inputs
from neurorl.backends.window import Raster, WindowCall
from neurorl.errors import UnsupportedError

__all__ = ["DEAD", "Engine", "dynamic"]

DEAD = "dead"
"""Name the variable that counts the refractory steps left."""


def dynamic(starts: Collection[object]) -> tuple[str, ...]:
    """Return the names of a population's variables, if it has them, that begin at 0.

    starts: variables that don't; only neurons by equations have such.
    """
    return (DEAD,) if starts else ("u", "v", DEAD)


class Engine(abc.ABC):
    """Run a network, with its memory open as arrays.

    nodes: names of all nodes that spike.
    variables: by population, its arrays by their names in the equations; written to in place.
    remarks: lines for the reader of its equations.
    """

    nodes: tuple[str, ...]
    variables: dict[str, dict[str, npt.NDArray[Any]]]
    remarks: ClassVar[tuple[str, ...]] = ()

    @property
    @abc.abstractmethod
    def t(self) -> int:
        """Return the steps since the start; may be set."""

    @t.setter
    @abc.abstractmethod
    def t(self, step: int) -> None: ...

    @property
    def network(self) -> Any:
        """Return the `brian2.Network` that is stepped; raise UnsupportedError if there is none."""
        problem, remedy = "has no brian2.Network", "load with engine='cython' for monitors"
        raise UnsupportedError("engine 'compiled'", problem, remedy=remedy)

    @abc.abstractmethod
    def write(self, name: str, transmitted: npt.NDArray[Any]) -> None:
        """Write a projection's transmitted weights, of the description's shape."""

    def reset(self) -> None:
        """Silence the network."""
        for population in self.variables:
            self.rest(population, slice(None))
        self.put_in_flight({name: np.zeros_like(self.spikes(name)) for name in self.nodes})

    def reset_replicas(self, replicas: Sequence[int], n: int) -> bool:
        """Silence some of *n* replicas at once; return False if it can't."""
        return False

    def rest(self, population: str, columns: slice) -> None:
        """Return some neurons to their initial state."""
        variables = self.variables[population]
        starts = {name: start_of(name) for name in variables if start_of(name) in variables}
        for name in (*dynamic(starts), *filter(is_short, variables)):
            if name in variables:
                variables[name][columns] = 0
        for name, start in starts.items():
            variables[name][columns] = variables[start][columns]

    def memory(self, name: str) -> npt.NDArray[np.float64] | None:
        """Return the flat memory of a projection, in the description's order, or None."""
        return None

    def held(self, name: str) -> npt.NDArray[np.float64] | None:
        """Return a projection's transmitted weights, flat, in the description's order, or None."""
        return self.memory(name)

    def levels(self, name: str, unit: float) -> npt.NDArray[np.int32] | None:
        """Return a projection's weights in units of *unit*, held so from now on, or None."""
        return None

    @abc.abstractmethod
    def step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        """Advance and return the rasters of the recorded populations.

        inputs: rasters by source; entries that belong to no spiking source are ignored.
        """

    def window(self, inputs: Inputs, rasters: dict[str, Raster], n_steps: int) -> WindowCall | None:
        """Return a call that runs a window in these arrays, or None; see `Simulator.window`."""
        return None

    @abc.abstractmethod
    def spikes(self, name: str) -> Raster:
        """Return a node's last spikes, newest last, as many steps as its longest delay."""

    @abc.abstractmethod
    def put_in_flight(self, spikes: dict[str, npt.NDArray[np.bool_]]) -> None:
        """Set the last spikes of every node, newest last, which have yet to arrive.

        Set `t` first.
        """

    def close(self) -> None:  # noqa: B027
        """Release resources that are not garbage-collected."""
