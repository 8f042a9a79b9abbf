"""What runs a compiled network: the emulator, or a chip."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Raster, State
from neurorl.backends.checks import Inputs
from neurorl.errors import UnsupportedError, say

__all__ = ["EMULATE", "Engine"]

EMULATE = "use target='emulator' (--target emulator)"
"""What helps where a chip can't."""


class Engine(abc.ABC):
    """A compiled network in motion. Arguments have been checked."""

    target: ClassVar[str]

    @property
    @abc.abstractmethod
    def steps(self) -> int:
        """Steps made; `reset` does not turn it back."""

    @abc.abstractmethod
    def run(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        """Advance; the raster ``(n_steps, size)`` of each recorded population."""

    @abc.abstractmethod
    def reset(self) -> None:
        """Silence, weights and `steps` kept."""

    @abc.abstractmethod
    def write_weights(self, name: str, mantissa: npt.NDArray[np.int32]) -> None:
        """Put a projection's mantissas in force."""

    def weight_memory(self, name: str) -> npt.NDArray[np.int32] | None:
        """The memory of a projection's transmitted weights, flat; None if none can be lent."""
        return None

    def learn(
        self, inputs: Inputs, errors: Mapping[str, npt.NDArray[np.float64]], n_steps: int
    ) -> dict[str, Raster]:
        """`run` while the chip learns; errors ``(n_steps, size)`` by population, -1 to 1."""
        raise self._doesnt_learn()

    def learned_weights(self, name: str) -> npt.NDArray[np.int32]:
        """What a spike transmits now over a projection that learns on the chip."""
        raise self._doesnt_learn()

    def _doesnt_learn(self) -> UnsupportedError:
        what, remedy = "doesn't learn on the chip", "learning='host'"
        return UnsupportedError(say(f"backend loihi, target {self.target}", what, remedy=remedy))

    @abc.abstractmethod
    def write_bias(self, population: str, bias: npt.NDArray[np.generic]) -> None:
        """Put a population's biases, chip integers of shape ``(size,)``, in force."""

    @abc.abstractmethod
    def state(self) -> State:
        """Dynamic variables and spikes in flight, keys as in `Backend.state`."""

    @abc.abstractmethod
    def restore(self, state: State) -> None:
        """Go on from `state` and its ``t``."""

    @abc.abstractmethod
    def close(self) -> None:
        """Free what is held."""

    def refuse(self, verb: str) -> None:  # noqa: B027  (an engine may allow all)
        """Raise UnsupportedError if *verb*, a method of the backend, can't work here."""
