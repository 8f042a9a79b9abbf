"""Make the reference's neurons of one population, with one thing changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.quantiser import ChipPopulation
from neurorl.arithmetic.rounding import Arithmetic, ChipArithmetic
from neurorl.network.description import Population
from neurorl.network.integrator import Integrator
from neurorl.network.step_plan import StepPlan
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.validation.neurons import ChipNeurons, FloatNeurons, Neurons

__all__ = ["Watched", "blocks_of", "neurons_of", "numbers_of"]

Numbers = Integrator | ChipPopulation | StepPlan
"""Hold the parameters of `FloatNeurons`, `ChipNeurons` or `EquationNeurons`."""


def blocks_of(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return weights with an axis of blocks first."""
    return weights.reshape(-1, *weights.shape[-2:])


class Watched(Neurons):
    """Record membranes before thresholds and resets; a mixin for the reference's neurons.

    level: the membrane with noise, as compared with the threshold. moved: without noise.
    """

    level: Any = None
    moved: Any = None

    def _noisy(self, steps: Sequence[int]) -> Array:
        self.moved = self.v.copy()
        self.level = np.array(super()._noisy(steps))  # type: ignore[safe-super]
        return np.asarray(self.level)


class Changed(Protocol):
    """Declare the parts of a `neurorl.validation.variants.Variant` that act on neurons."""

    @property
    def parameters(self) -> Callable[[Any], Any]: ...

    @property
    def mixins(self) -> tuple[type, ...]: ...


def numbers_of(arithmetic: Arithmetic, population: Population, dt: float) -> Numbers:
    """Return the parameters of a population's neurons in an arithmetic."""
    if isinstance(arithmetic, ChipArithmetic):
        return arithmetic.chip.populations[population.name]
    return population.integrator(dt) if population.is_integrator(dt) else population.plan(dt)


def neurons_of(
    numbers: Numbers, draw: Callable[[Sequence[int]], FloatArray], change: Changed
) -> Watched:
    """Return the reference's neurons with these parameters, changed by a variant."""
    kind: type = FloatNeurons if isinstance(numbers, Integrator) else ChipNeurons
    changed: Watched = type("Neurons", (*change.mixins, Watched, kind), {})(
        change.parameters(numbers), draw
    )
    return changed
