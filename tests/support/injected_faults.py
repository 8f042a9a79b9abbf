"""Backends with one fault each, made from the reference: what `validate` must find and name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from neurorl.backends.base import Backend
from neurorl.backends.reference import ReferenceBackend
from neurorl.backends.reference.neurons import ChipNeurons, FloatNeurons
from neurorl.models import LIF, CubaLIF
from neurorl.network.description import Network, Population, Projection, Source
from neurorl.testing import FEATURES

SLOW = CubaLIF(2e-3, 10e-3, 0.6, 0.05, 0.0, refractory=3e-3)


def plain() -> Network:
    """Two layers without noise: refractory periods, a bias, currents and membranes that decay."""
    return Network(
        (Source("input", 8), Population("cells", 10, SLOW), Population("last", 4, SLOW)),
        (
            Projection("drive", "input", "cells", spread(8, 10, -0.2, 0.7)),
            Projection("next", "cells", "last", spread(10, 4, -0.1, 0.6)),
        ),
    )


def noisy() -> Network:
    """Two layers with escape noise."""
    cell = CubaLIF(2e-3, 8e-3, 0.7, 0.0, 0.2)
    return dataclasses.replace(
        plain(),
        nodes=(Source("input", 8), Population("cells", 10, cell), Population("last", 4, cell)),
    )


def crowded() -> Network:
    """In chip arithmetic, sums of 21 bits overflow."""
    cell = CubaLIF(5e-3, 20e-3, 8.0, 0.0, 0.0)
    return Network(
        (Source("input", 300), Population("cells", 4, cell)),
        (Projection("drive", "input", "cells", 0.9),),
    )


def spread(n: int, m: int, low: float, high: float) -> Any:
    return np.random.default_rng(7).uniform(low, high, (n, m))


class Faulty(ReferenceBackend):
    """A reference under another name."""

    name: ClassVar[str] = "faulty"


class LateProjection(Faulty):
    """One projection takes a step more than described."""

    def _build(self) -> None:
        super()._build()
        late = "next"
        deeper = self._spikes["cells"]
        self._spikes["cells"] = np.vstack([np.zeros_like(deeper[:1]), deeper])
        self._incoming["last"] = [
            (name, pre, delay + (name == late), blocks)
            for name, pre, delay, blocks in self._incoming["last"]
        ]

    def _dynamic_state(self, replica: int) -> Any:
        state = super()._dynamic_state(replica)
        return {**state, "cells.spikes": state["cells.spikes"][1:]}

    def _restore_dynamic(self, state: Any, replica: int) -> None:
        spikes = state["cells.spikes"]
        whole = np.vstack([np.zeros_like(spikes[:1]), spikes])
        super()._restore_dynamic({**state, "cells.spikes": whole}, replica)


class EarlyPopulation(Faulty):
    """Spikes of a population reach those that are updated after it in the same step."""

    def _step(self, inputs: Any, n_steps: int) -> Any:
        out = {name: np.empty((n_steps, self._whole.node(name).size), bool) for name in self.record}
        for k in range(n_steps):
            now = {s.name: inputs[s.name][k] for s in self._whole.spiking.sources}
            for name, neurons in self._neurons.items():
                now[name] = neurons.update(self._drive(name, neurons), self._t)
                self._spikes[name][-1] = now[name]
            for name, spikes in now.items():
                self._spikes[name][-1] = spikes
            for name in self.record:
                out[name][k] = now[name]
            self._t = [t + 1 for t in self._t]
        return out


class _With(Faulty):
    """Other neurons than the reference's."""

    float_mixin: ClassVar[type | None] = None
    chip_mixin: ClassVar[type | None] = None

    def _make_neurons(self, population: Population) -> Any:
        made = super()._make_neurons(population)
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
    """A step more."""

    def _change(self, neurons: Any) -> None:
        neurons._refractory_steps = neurons._refractory_steps + 1


class NoRefractory(_With):
    def _change(self, neurons: Any) -> None:
        neurons._refractory_steps = np.zeros_like(neurons._refractory_steps)


class Float32Weights(Faulty):
    """Weights of 32 bits, though it says that they are as described."""

    def _write_weights(self, name: str) -> None:
        super()._write_weights(name)
        self._transmitted[name][:] = self._transmitted[name].astype(np.float32)

    def _transmitted_memory(self, name: str) -> None:
        return None


class EightBitWeights(Float32Weights):
    """Weights of 8 bits in float arithmetic."""

    def _write_weights(self, name: str) -> None:
        ReferenceBackend._write_weights(self, name)
        w = self._transmitted[name]
        step = np.abs(w).max() / 127
        w[:] = np.rint(w / step) * step


class HonestEightBits(Faulty):
    """Rounds weights to a coarse grid and says so."""

    def _round(self, name: str, weights: Any) -> None:
        super()._round(name, np.rint(weights * 256) / 256)


class SevenBitMantissas(Float32Weights):
    """On a chip, mantissas lose their last bits."""

    def _write_weights(self, name: str) -> None:
        ReferenceBackend._write_weights(self, name)
        unit = 2 * 2.0 ** (6 + self._arithmetic.chip.projections[name].exponent)  # type: ignore[attr-defined]
        w = self._transmitted[name]
        w[:] = np.trunc(w / (2 * unit)) * (2 * unit)


class ChipInDisguise(Faulty):
    """Says float, and computes with the chip's integers."""

    def __init__(self, network: Network, **options: Any) -> None:
        super().__init__(network, **{**options, "arithmetic": "loihi"})


class OtherSeed(Faulty):
    """Noise of a seed that nobody asked for; the weights are those of the right one."""

    def _make_neurons(self, population: Population) -> Any:
        seeds, self.seeds = self.seeds, tuple(seed + 12345 for seed in self.seeds)
        made = super()._make_neurons(population)
        self.seeds = seeds
        return made


class LateNoise(Faulty):
    """Noise of the step before."""

    def _step(self, inputs: Any, n_steps: int) -> Any:
        self._t = [t + 1 for t in self._t]
        out = super()._step(inputs, n_steps)
        self._t = [t - 1 for t in self._t]
        return out


class AtThreshold(_With):
    """Spikes where the membrane is at the threshold."""

    class float_mixin(FloatNeurons):  # noqa: N801
        def update(self, q: Any, steps: Sequence[int]) -> Any:
            self.u = self._current(q)
            self.v = self._membrane(steps)
            self.v[self.dead > 0] = 0
            return self._spike(self._noisy(steps) >= self.threshold)


class OtherSums(_With):
    """The same sums in another order: the last bit differs."""

    class float_mixin(FloatNeurons):  # noqa: N801
        def _membrane(self, steps: Sequence[int]) -> Any:
            return self._d.membrane_decay * self.v + (self.u + self.bias)


class SinglePrecision(_With):
    """Currents and membranes of 32 bits."""

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
    """The membrane decays by 1 - dt/tau."""

    def _change(self, neurons: Any) -> None:
        decay = 1 + np.log(neurons._d.membrane_decay)
        neurons._d = dataclasses.replace(neurons._d, membrane_decay=decay)


class NoOverflow(_With):
    """Registers of more bits than the chip's."""

    class chip_mixin(ChipNeurons):  # noqa: N801
        def _held(self, x: Any, bits: int) -> Any:
            return np.asarray(x)


class Saturates(_With):
    """Registers that stay at their largest value."""

    class chip_mixin(ChipNeurons):  # noqa: N801
        def _held(self, x: Any, bits: int) -> Any:
            return np.clip(x, -(2**bits), 2**bits - 1)


class FloorDecay(_With):
    """Rounds down where the chip rounds towards zero."""

    class chip_mixin(ChipNeurons):  # noqa: N801
        def _left(self, x: Any, factor: Any) -> Any:
            return (x * factor) >> 12


class NoBias(Faulty):
    def _write_bias(self, population: str, current: Any = None) -> None:
        super()._write_bias(population, current)

    def _make_neurons(self, population: Population) -> Any:
        made = super()._make_neurons(population)
        made.bias = np.zeros_like(made.bias)
        return made


class KeepsState(Faulty):
    """A reset that silences nothing."""

    def _reset(self, replicas: Sequence[int]) -> None:
        pass


class Unsteady(Faulty):
    """Noise of its own, other in every instance."""

    _made = 0

    def _make_neurons(self, population: Population) -> Any:
        Unsteady._made += 1
        seeds, self.seeds = self.seeds, (self.seeds[0] + 1000 * Unsteady._made,)
        made = super()._make_neurons(population)
        self.seeds = seeds
        return made


class Leaks(_With):
    """A fault that is in nobody's list: a membrane that loses a constant."""

    class float_mixin(FloatNeurons):  # noqa: N801
        def _membrane(self, steps: Sequence[int]) -> Any:
            return super()._membrane(steps) - 0.0123 * np.sign(self.v)


@dataclass(frozen=True)
class Fault:
    """A backend, a network on which it shows, and what must be said of it."""

    cls: type[Backend]
    network: Callable[[], Any]
    cause: str
    detail: str
    arithmetic: str = "float"

    @property
    def name(self) -> str:
        return self.cls.__name__


def at_threshold() -> Network:
    """Membranes are sums of halves: now and then just at the threshold."""
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
    Fault(HonestEightBits, plain, "rounding of weights", "weights of drive are rounded"),
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
