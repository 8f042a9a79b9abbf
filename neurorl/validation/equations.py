"""One step of one population as the description has it, or with one thing changed.

Every step starts from the state and the spikes that were seen in the lane itself, so nothing adds
up: what is predicted wrongly is wrong in this step.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.quantiser import ChipPopulation
from neurorl.arithmetic.rounding import Arithmetic, ChipArithmetic
from neurorl.backends.currents import Currents
from neurorl.backends.reference.neurons import ChipNeurons, FloatNeurons, Neurons
from neurorl.network.description import Dynamics, Network, Population
from neurorl.network.serialization import FloatArray
from neurorl.numerics.random import NoiseRows
from neurorl.validation.replay import Replay

__all__ = ["Change", "Predicted", "Trial", "Watched", "blocks_of", "neurons_of"]

Parameters = Any  # of `FloatNeurons` or `ChipNeurons`: Dynamics or ChipPopulation


def _same(x: Any) -> Any:
    return x


@dataclass(frozen=True)
class Change:
    """What is other than described; by default nothing.

    cause: a word for it. detail: a sentence about it. weights: in place of those expected.
    parameters: of the neurons. mixins: classes before theirs. bias: what becomes of it.
    """

    cause: str
    detail: str
    weights: dict[str, FloatArray] | None = None
    parameters: Callable[[Parameters], Parameters] = _same
    mixins: tuple[type, ...] = ()
    bias: Callable[[npt.NDArray[Any]], npt.NDArray[Any]] = _same


@dataclass
class Predicted:
    """After each step, ``(steps, size)``; level: v with noise, as it meets the threshold."""

    current: npt.NDArray[Any]
    voltage: npt.NDArray[Any]
    refractory: npt.NDArray[Any]
    spikes: npt.NDArray[np.bool_]
    q: npt.NDArray[Any]
    level: npt.NDArray[Any]
    threshold: npt.NDArray[Any]


class Trial:
    """Predictions of one population in one lane's replay.

    expected: weights that should be in force, rounded by the lane's arithmetic. seed: of the draws.
    """

    def __init__(
        self,
        network: Network,
        replay: Replay,
        population: Population,
        expected: dict[str, FloatArray],
        seed: int,
    ) -> None:
        self.seed = seed
        self.network, self.replay, self.population = network, replay, population
        self.expected = expected
        self.arithmetic = replay.arithmetic
        self.into = [p for p in network.spiking.projections if p.post == population.name]

    def predict(self, change: Change) -> Predicted:
        """Every step of the replay, each from what was seen before it."""
        return self._steps(change, range(self.replay.n_steps), free=False)

    def run(self, change: Change, first: int, last: int) -> Predicted:
        """Steps *first* to *last*, from what was seen before the first, with the spikes seen."""
        return self._steps(change, range(first, last + 1), free=True)

    def _steps(self, change: Change, steps: range, free: bool) -> Predicted:
        replay, name = self.replay, self.population.name
        weights = self.expected if change.weights is None else change.weights
        transmitted = {p.name: self._transmitted(p.name, weights) for p in self.into}
        neurons = self._neurons(change)
        flowing = Currents(self.network, self.arithmetic)
        for projection in flowing.weights:
            flowing.write(projection, weights[projection])
        rows: dict[str, list[Any]] = {k: [] for k in Predicted.__dataclass_fields__}
        for k in steps:
            if not free or k == steps[0]:
                before = replay.state(name, k)
                neurons.u, neurons.v = before["current"].copy(), before["voltage"].copy()
                neurons.dead = before["refractory"].copy()
            current = dict(flowing.into(replay.currents[k])).get(name)
            neurons.bias = change.bias(self.arithmetic.bias(name, weights, current))
            q = self._drive(k, transmitted).astype(neurons.u.dtype)
            spikes = neurons.update(q, [replay.t + k])
            seen = (neurons.u, neurons.v, neurons.dead, spikes, q, neurons.level, neurons.threshold)
            for row, value in zip(rows.values(), seen, strict=True):
                row.append(np.array(value))
        return Predicted(**{key: np.array(values) for key, values in rows.items()})

    def _transmitted(self, name: str, weights: dict[str, FloatArray]) -> npt.NDArray[np.float64]:
        return np.asarray(self.arithmetic.transmitted(name, weights[name]), dtype=np.float64)

    def _drive(self, step: int, transmitted: dict[str, npt.NDArray[np.float64]]) -> FloatArray:
        q = np.zeros(self.population.size)
        for p in self.into:
            spikes = self.replay.arrived(p.pre, step, self.network.delay_steps(p.name))
            q += (
                spikes.astype(np.float64).reshape(p.blocks, 1, -1) @ blocks_of(transmitted[p.name])
            ).ravel()
        return q

    def _neurons(self, change: Change) -> Watched:
        stream = self.network.index(self.population.name)
        rows = NoiseRows(self.seed, stream, self.population.size)

        def draw(steps: Sequence[int]) -> FloatArray:
            return rows(steps[0])

        return neurons_of(self.arithmetic, self.population, self.network.dt, draw, change)


def blocks_of(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return weights.reshape(-1, *weights.shape[-2:])


class Watched(Neurons):
    """Notes membranes before thresholds and resets; a mixin of the reference's neurons.

    level: with noise, as it meets the threshold. moved: without.
    """

    level: Any = None
    moved: Any = None

    def _noisy(self, steps: Sequence[int]) -> npt.NDArray[Any]:
        self.moved = self.v.copy()
        self.level = np.array(super()._noisy(steps))  # type: ignore[safe-super]
        return np.asarray(self.level)


class Changed(Protocol):
    """What of a `Change` or a `neurorl.validation.variants.Variant` acts on neurons."""

    @property
    def parameters(self) -> Callable[[Parameters], Parameters]: ...

    @property
    def mixins(self) -> tuple[type, ...]: ...


def neurons_of(
    arithmetic: Arithmetic,
    population: Population,
    dt: float,
    draw: Callable[[Sequence[int]], FloatArray],
    change: Changed,
) -> Watched:
    """The reference's neurons of a population, changed."""
    if isinstance(arithmetic, ChipArithmetic):
        chip: ChipPopulation = change.parameters(arithmetic.chip.populations[population.name])
        of_chip = type("Chip", (*change.mixins, Watched, ChipNeurons), {})
        return of_chip(chip, draw)  # type: ignore[no-any-return]
    dynamics: Dynamics = change.parameters(population.neuron.dynamics(population.size, dt))
    of_float = type("Float", (*change.mixins, Watched, FloatNeurons), {})
    return of_float(dynamics, draw)  # type: ignore[no-any-return]
