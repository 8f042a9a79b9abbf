"""Define the interface of what runs a compiled network: the emulator or a chip."""

from __future__ import annotations

import abc
from typing import ClassVar

from neurorl.backends.checks import Errors, Inputs
from neurorl.backends.simulator import State
from neurorl.backends.window import Raster
from neurorl.numerics.arrays import Array, FloatArray, Int32Array

EMULATE = "use target='emulator' (--target emulator)"
"""Suggest the remedy for what a chip can't do."""


class ChipEngine(abc.ABC):
    """Run a compiled network. Arguments have been checked by the backend.

    lends_memory: whether what is written into the tables of weights is in force at once.
    """

    target: ClassVar[str]
    lends_memory: ClassVar[bool] = False

    @property
    @abc.abstractmethod
    def steps(self) -> int:
        """Return the number of steps made; `reset` keeps it."""

    @abc.abstractmethod
    def run(self, inputs: Inputs, errors: Errors, n_steps: int) -> dict[str, Raster]:
        """Advance, learn where there are errors; return the raster of each recorded population."""

    @abc.abstractmethod
    def reset(self) -> None:
        """Silence the network; weights and `steps` stay."""

    @abc.abstractmethod
    def write_weights(self, projection: str, weights: FloatArray, mantissa: Int32Array) -> None:
        """Write a described projection's effective weights, and its mantissas; same shape."""

    def learned_weights(self, name: str) -> Int32Array:
        """Return the transmitted weights of a projection that learns on the chip.

        Raises UnsupportedError where they can't be read.
        """
        self.refuse("weights of a projection that learns there")
        raise AssertionError

    @abc.abstractmethod
    def write_bias(self, population: str, bias: Array) -> None:
        """Write a population's biases, chip integers of shape ``(size,)``."""

    @abc.abstractmethod
    def state(self) -> State:
        """Return dynamic variables and spikes in flight, keys as in `Backend.state`."""

    @abc.abstractmethod
    def restore(self, state: State) -> None:
        """Go on from *state* and its ``t``."""

    @abc.abstractmethod
    def close(self) -> None:
        """Release the engine's resources."""

    def refuse(self, verb: str) -> None:  # noqa: B027  (an engine may allow all)
        """Raise UnsupportedError if *verb*, a method of the backend, can't work on this engine."""
