"""Make backends with one fault each of the reference: what `validate` must find and name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from stepwise import SteppedSimulator
from stepwise.neurons import ChipNeurons, FloatNeurons

from neurorl.arithmetic.rounding import make_arithmetic
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.simulator import Simulator
from neurorl.models import LIF, CubaLIF
from neurorl.network.description import Network, Population, Projection, Source
from neurorl.testing import FEATURES

SLOW = CubaLIF(2e-3, 10e-3, 0.6, 0.05, 0.0, refractory=3e-3)


def plain() -> Network:
    """Return two layers without noise: refractory periods, a bias, decaying currents."""
    return Network(
        (Source("input", 8), Population("cells", 10, SLOW), Population("last", 4, SLOW)),
        (
            Projection("drive", "input", "cells", spread(8, 10, -0.2, 0.7)),
            Projection("next", "cells", "last", spread(10, 4, -0.1, 0.6)),
        ),
    )


def noisy() -> Network:
    """Return two layers with escape noise."""
    cell = CubaLIF(2e-3, 8e-3, 0.7, 0.0, 0.2)
    return dataclasses.replace(
        plain(),
        nodes=(Source("input", 8), Population("cells", 10, cell), Population("last", 4, cell)),
    )


def crowded() -> Network:
    """Let sums of 21 bits overflow in chip arithmetic."""
    cell = CubaLIF(5e-3, 20e-3, 8.0, 0.0, 0.0)
    return Network(
        (Source("input", 300), Population("cells", 4, cell)),
        (Projection("drive", "input", "cells", 0.9),),
    )


def spread(n: int, m: int, low: float, high: float) -> Any:
    return np.random.default_rng(7).uniform(low, high, (n, m))


class Faulty(SteppedSimulator):
    """Name a reference otherwise."""

    name: ClassVar[str] = "faulty"


class LateProjection(Faulty):
    """Let one projection take a step more than described."""

    def build(self, simulated: SimulatedNetwork) -> None:
        super().build(simulated)
        late = "next"
        deeper = self.spikes["cells"]
        self.spikes["cells"] = np.vstack([np.zeros_like(deeper[:1]), deeper])
        self.incoming["last"] = [
            (name, pre, delay + (name == late), blocks)
            for name, pre, delay, blocks in self.incoming["last"]
        ]

    def state(self, replica: int) -> Any:
        state = super().state(replica)
        return {**state, "cells.spikes": state["cells.spikes"][1:]}

    def restore(self, state: Any, replica: int) -> None:
        spikes = state["cells.spikes"]
        whole = np.vstack([np.zeros_like(spikes[:1]), spikes])
        super().restore({**state, "cells.spikes": whole}, replica)


class EarlyPopulation(Faulty):
    """Let spikes reach populations that are updated later in the same step."""

    def step(self, inputs: Any, n_steps: int) -> Any:
        whole, record = self.simulated.whole, self.simulated.record
        out = {name: np.empty((n_steps, whole.node(name).size), bool) for name in record}
        for k in range(n_steps):
            now = {s.name: inputs[s.name][k] for s in whole.spiking.sources}
            for name, neurons in self.neurons.items():
                now[name] = neurons.update(self.drive(name, neurons), self.steps)
                self.spikes[name][-1] = now[name]
            for name, spikes in now.items():
                self.spikes[name][-1] = spikes
            for name in record:
                out[name][k] = now[name]
            self.steps = [t + 1 for t in self.steps]
        return out


class _With(Faulty):
    """Have other neurons than the reference's."""

    float_mixin: ClassVar[type | None] = None
    chip_mixin: ClassVar[type | None] = None

    def make_neurons(self, population: Population) -> Any:
        made = super().make_neurons(population)
        mixin = self.chip_mixin if isinstance(made, ChipNeurons) else self.float_mixin
        if mixin is not None:
            made.__class__ = type("Other", (mixin, type(made)), {})
        self._change(made)
        return made

    def _change(self, neurons: Any) -> None:
        pass


class MembraneFirst(_With):
    """Step order: the membrane takes the current of the step before."""

    class float_mixin(FloatNeurons):  # noqa: N801
        def update(self, q: Any, steps: Sequence[int]) -> Any:
            d = self._d
            v = d.membrane_decay * self.v + self.u + self.bias
            self.u = d.current_decay * self.u + q
            v[self.dead > 0] = 0
            self.v = v
            return self._spike(self.v > self.threshold)


class LongRefractory(_With):
    """Take a step more."""

    def _change(self, neurons: Any) -> None:
        neurons._refractory_steps = neurons._refractory_steps + 1


class NoRefractory(_With):
    def _change(self, neurons: Any) -> None:
        neurons._refractory_steps = np.zeros_like(neurons._refractory_steps)


class Float32Weights(Faulty):
    """Keep weights of 32 bits, but say that they are as described."""

    def write_weights(self, projection: str) -> None:
        super().write_weights(projection)
        self.transmitted[projection][:] = self.transmitted[projection].astype(np.float32)

    def memory(self, projection: str) -> Any:
        return None


class EightBitWeights(Float32Weights):
    """Keep weights of 8 bits in float arithmetic."""

    def write_weights(self, projection: str) -> None:
        SteppedSimulator.write_weights(self, projection)
        w = self.transmitted[projection]
        step = np.abs(w).max() / 127
        w[:] = np.rint(w / step) * step


class HonestEightBits(Faulty):
    """Round weights to a coarse grid, and say so."""

    def write_weights(self, projection: str) -> None:
        super().write_weights(projection)
        w = self.transmitted[projection]
        w[:] = np.rint(w * 256) / 256

    def memory(self, projection: str) -> Any:
        return None

    def held(self, projection: str) -> Any:
        return self.transmitted[projection].reshape(-1)


class SevenBitMantissas(Float32Weights):
    """Drop the last bits of the chip's mantissas."""

    def write_weights(self, projection: str) -> None:
        SteppedSimulator.write_weights(self, projection)
        chip = self.simulated.arithmetic.chip  # type: ignore[attr-defined]
        unit = 2 * 2.0 ** (6 + chip.projections[projection].exponent)
        w = self.transmitted[projection]
        w[:] = np.trunc(w / (2 * unit)) * (2 * unit)


class ChipInDisguise(Faulty):
    """Say float, and compute with the chip's integers."""

    def build(self, simulated: SimulatedNetwork) -> None:
        network = simulated.network
        chip, weights = make_arithmetic("loihi", network), simulated.weights
        weights |= {name: chip.round(name, w) for name, w in weights.items()}
        super().build(dataclasses.replace(simulated, arithmetic_name="loihi", arithmetic=chip))

    def memory(self, projection: str) -> Any:
        return None


def made_with(make: Any, simulator: Faulty, seeds: tuple[int, ...], population: Population) -> Any:
    """Draw noise by other seeds."""
    right = simulator.simulated
    simulator.simulated = dataclasses.replace(right, seeds=seeds)
    made = make(population)
    simulator.simulated = right
    return made


class OtherSeed(Faulty):
    """Draw noise by a seed that nobody asked for; the weights are those of the right one."""

    def make_neurons(self, population: Population) -> Any:
        seeds = tuple(seed + 12345 for seed in self.simulated.seeds)
        return made_with(super().make_neurons, self, seeds, population)


class LateNoise(Faulty):
    """Draw the noise of the step before."""

    def step(self, inputs: Any, n_steps: int) -> Any:
        self.steps = [t + 1 for t in self.steps]
        out = super().step(inputs, n_steps)
        self.steps = [t - 1 for t in self.steps]
        return out


class AtThreshold(_With):
    """Spike where the membrane is at the threshold."""

    class float_mixin(FloatNeurons):  # noqa: N801
        def update(self, q: Any, steps: Sequence[int]) -> Any:
            self.u = self._current(q)
            self.v = self._membrane(steps)
            self.v[self.dead > 0] = 0
            return self._spike(self._noisy(steps) >= self.threshold)


class OtherSums(_With):
    """Add the same numbers in another order: the last bit differs."""

    class float_mixin(FloatNeurons):  # noqa: N801
        def _membrane(self, steps: Sequence[int]) -> Any:
            return self._d.membrane_decay * self.v + (self.u + self.bias)


class SinglePrecision(_With):
    """Keep currents and membranes of 32 bits."""

    class float_mixin(FloatNeurons):  # noqa: N801
        def _current(self, q: Any) -> Any:
            return super()._current(q).astype(np.float32).astype(np.float64)

        def _membrane(self, steps: Sequence[int]) -> Any:
            return super()._membrane(steps).astype(np.float32).astype(np.float64)


class Subtracts(_With):
    """Reset by subtraction."""

    class float_mixin(FloatNeurons):  # noqa: N801
        def _spike(self, over: Any) -> Any:
            before = self.v - self.threshold
            over = super()._spike(over)
            self.v[over] = before[over]
            return over


class Euler(_With):
    """Let the membrane decay by 1 - dt/tau."""

    def _change(self, neurons: Any) -> None:
        decay = 1 + np.log(neurons._d.membrane_decay)
        neurons._d = dataclasses.replace(neurons._d, membrane_decay=decay)


class NoOverflow(_With):
    """Have registers of more bits than the chip's."""

    class chip_mixin(ChipNeurons):  # noqa: N801
        def _held(self, x: Any, bits: int) -> Any:
            return np.asarray(x)


class Saturates(_With):
    """Have registers that stay at their largest value."""

    class chip_mixin(ChipNeurons):  # noqa: N801
        def _held(self, x: Any, bits: int) -> Any:
            return np.clip(x, -(2**bits), 2**bits - 1)


class FloorDecay(_With):
    """Round down where the chip rounds towards zero."""

    class chip_mixin(ChipNeurons):  # noqa: N801
        def _left(self, x: Any, factor: Any) -> Any:
            return (x * factor) >> 12


class NoBias(Faulty):
    def write_bias(self, population: str, bias: Any) -> None:
        super().write_bias(population, np.zeros_like(bias))


class KeepsState(Faulty):
    """Silence nothing at a reset."""

    def reset(self, replicas: Sequence[int]) -> None:
        pass


class Unsteady(Faulty):
    """Draw noise of its own, other in every instance."""

    _made = 0

    def make_neurons(self, population: Population) -> Any:
        Unsteady._made += 1
        seeds = (self.simulated.seeds[0] + 1000 * Unsteady._made,)
        return made_with(super().make_neurons, self, seeds, population)


class Leaks(_With):
    """Make a fault that is in nobody's list: a membrane that loses a constant."""

    class float_mixin(FloatNeurons):  # noqa: N801
        def _membrane(self, steps: Sequence[int]) -> Any:
            return super()._membrane(steps) - 0.0123 * np.sign(self.v)


@dataclass(frozen=True)
class Fault:
    """Hold a backend, a network on which its fault shows, and what must be said of it."""

    cls: type[Simulator]
    network: Callable[[], Any]
    cause: str
    detail: str
    arithmetic: str = "float"

    @property
    def name(self) -> str:
        return self.cls.__name__


def at_threshold() -> Network:
    """Let membranes be sums of halves: now and then just at the threshold."""
    cell = LIF(tau_mem=0.0, threshold=1.0)
    return Network(
        (Source("input", 4), Population("cells", 3, cell)),
        (Projection("drive", "input", "cells", 0.5),),
    )


def biased() -> Network:
    return FEATURES["CUBA-LIF"]()


FAULTS = [
    Fault(LateProjection, plain, "delay", "spikes of next arrive a step later"),
    Fault(EarlyPopulation, plain, "delay", "spikes of next arrive a step earlier"),
    Fault(MembraneFirst, plain, "step order", "before the current of the same step"),
    Fault(LongRefractory, plain, "refractory", "a step longer"),
    Fault(NoRefractory, plain, "refractory", "no refractory period"),
    Fault(LongRefractory, plain, "refractory", "a step longer", "loihi"),
    Fault(Float32Weights, plain, "rounding of weights", "float32"),
    Fault(EightBitWeights, plain, "rounding of weights", "8 bits"),
    Fault(HonestEightBits, plain, "rounding of weights", "rounded to multiples of 0.00390625"),
    Fault(SevenBitMantissas, plain, "rounding of weights", "upper 7 bits", "loihi"),
    Fault(ChipInDisguise, plain, "quantisation", "chip arithmetic"),
    Fault(NoOverflow, crowded, "overflow", "don't overflow", "loihi"),
    Fault(Saturates, crowded, "overflow", "stay at their largest value", "loihi"),
    Fault(OtherSeed, noisy, "noise source", "the draws of noise aren't"),
    Fault(LateNoise, noisy, "noise source", "the step after"),
    Fault(Unsteady, noisy, "not repeatable", "the second time"),
    Fault(AtThreshold, at_threshold, "threshold", "exactly at the threshold"),
    Fault(SinglePrecision, plain, "float error", "to single precision only"),
    Fault(Subtracts, plain, "reset", "subtracts the threshold"),
    Fault(Euler, plain, "decay", "the membrane decays by Euler's"),
    Fault(FloorDecay, plain, "decay", "rounded down", "loihi"),
    Fault(NoBias, biased, "bias", "the bias isn't there"),
    Fault(KeepsState, lambda: "lif", "reset between decisions", "not from silence"),
    Fault(Leaks, plain, "unknown", "its voltage isn't as described"),
]
