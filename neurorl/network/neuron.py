"""Define what a neuron model is to a network: its parameters, and the statements of a step."""

from __future__ import annotations

import abc
from typing import Any

from neurorl.errors import DescriptionError, UnsupportedError
from neurorl.network.integrator import Integrator, integrator_of
from neurorl.network.serialization import Described
from neurorl.network.step_plan import StepPlan


class Neuron(Described, abc.ABC):
    """Describe a neuron model by its parameters; see `neurorl.models.neurons.leaky`."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "dynamics" in vars(cls):  # what versions up to 0.2 asked for
            where, what = f"{cls.__name__}.dynamics", "has no effect any more"
            raise DescriptionError(where, what, remedy="override plan() and return its statements")

    @property
    def inputs(self) -> tuple[str, ...]:
        """Return the names of the variables that projections may add to."""
        return ("q",)

    @property
    def chip_unit(self) -> float | None:
        """Return the chip integers in a membrane unit; None if the weights decide."""
        return None

    @abc.abstractmethod
    def plan(self, size: int, dt: float) -> StepPlan:
        """Return what *size* neurons do in a step of *dt* seconds."""

    def integrator(self, size: int, dt: float) -> Integrator:
        """Return the parameters of neurons that are `Integrator`.

        Raises UnsupportedError for others.
        """
        found = integrator_of(self.plan(size, dt))
        if found is None:
            what, limit = "neurons by equations can't be here", "LIF, CubaLIF, GLM"
            raise UnsupportedError("neuron", what, limit=limit)
        return found

    def on_chip(self, size: int, dt: float) -> Neuron | None:
        """Return the neuron of the chip that makes the same spikes; None if there is none."""
        return None if integrator_of(self.plan(size, dt)) is None else self
