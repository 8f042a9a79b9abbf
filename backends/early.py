"""Run as the reference does while a simulator's own code is compiled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from neurorl.backends.reference.neurons import ChipNeurons, FloatNeurons
from neurorl.backends.reference.simulator import ReferenceSimulator
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.simulator import Simulator
from neurorl.native.background import Building
from neurorl.network.description import Population

__all__ = ["Later"]


class _Meanwhile(ReferenceSimulator):
    """Run as the reference does, but for the signs of zeros, which are those of another."""

    def __init__(self, signs: tuple[str, ...]) -> None:
        self._signs = signs

    def make_neurons(self, population: Population) -> FloatNeurons | ChipNeurons:
        """Make a population's neurons, at rest."""
        neurons = super().make_neurons(population)
        neurons.keeps_signs = self._signs
        return neurons


@dataclass(frozen=True)
class Later:
    """Hold a simulator whose code is being compiled, and the one that runs meanwhile."""

    simulator: Simulator
    meanwhile: ReferenceSimulator
    building: Building

    @classmethod
    def begin(cls, simulator: Simulator, simulated: SimulatedNetwork) -> Self | None:
        """Begin to compile; None if there is nothing to, or the reference has other bits."""
        is_exact = simulated.arithmetic_name in simulator.capabilities.exact_arithmetics
        meanwhile = _Meanwhile(simulator.keeps_signs)
        if not is_exact or meanwhile.refusals(simulated.network, simulated.arithmetic_name):
            return None
        building = simulator.begin(simulated)
        return None if building is None else cls(simulator, meanwhile, building)

    def go_over(self, simulated: SimulatedNetwork) -> Simulator:
        """Return the simulator, built and where `meanwhile` is now, whose weights are in force.

        Waits for the compiler. Raises BackendError as `Simulator.build` does.
        """
        self.simulator.build(simulated)
        for k in range(simulated.n_replicas):
            state = self.meanwhile.state(k)
            state["t"] = np.array(self.meanwhile.time(k), dtype=np.int64)
            self.simulator.restore(state, k)
        self.meanwhile.close()
        return self.simulator
