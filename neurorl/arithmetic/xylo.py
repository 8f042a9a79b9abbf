"""Round weights to Xylo's integers, and name what of a network has none.

`neurorl.arithmetic.xylo_integers` says what the chip does with them.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from neurorl.arithmetic.fitting import Weights, bounded
from neurorl.arithmetic.rounding import IntegerArithmetic, Rounding
from neurorl.arithmetic.xylo_integers import (
    MANTISSA_MAX,
    STATE_MAX,
    XyloNetwork,
    kept_current,
    memory_of,
    quantise,
    sixteen_bits,
)
from neurorl.errors import UnsupportedError
from neurorl.network.description import Network
from neurorl.numerics.arrays import Array, FloatArray, IntArray


class XyloArithmetic(IntegerArithmetic):
    """Round weights to Xylo's integers."""

    name, title = "xylo", "xylo"
    counts_spikes = True
    chip: XyloNetwork

    def __init__(self, network: Network, noise: str = "exact") -> None:
        super().__init__(network, noise)
        if problems := "; ".join(self.problems(network)):
            raise UnsupportedError("xylo arithmetic", f"can't hold {problems}")
        self.chip = quantise(network)
        for p in network.projections:
            step = 2.0 ** self.chip.shifts[memory_of(network, p)]
            unit = step / self.chip.populations[p.post].unit
            self._rounding[p.name] = Rounding(1.0 / unit, MANTISSA_MAX, unit, step)

    @classmethod
    def problems(cls, network: Network) -> Iterator[str]:
        for population in network.populations:
            if not population.is_integrator(network.dt):
                continue  # named by the backend's capabilities
            d, who = population.integrator(network.dt), f"population {population.name!r} of"
            if d.noise_width.any():
                yield f"{who} stochastic neurons (xylo has no noise; take CubaLIF with noise=0)"
            if d.refractory_steps.any():
                yield f"{who} neurons with a refractory period (xylo has none; take refractory=0)"
            if (d.threshold < 0).any():
                yield f"{who} a negative threshold, {d.threshold.min():g} (limit >= 0; add bias)"
            unit = population.neuron.chip_unit or 0.0
            for name, values in (("threshold", d.threshold), ("bias", d.bias)):
                fixed = values * kept_current(d) * unit
                if (sixteen_bits(fixed) != np.rint(fixed)).any():
                    got = f"{fixed[np.argmax(np.abs(fixed))]:g}"
                    yield f"{who} a {name} of {got} chip units (limit {STATE_MAX}; scale it down)"
        for p in network.projections:
            which = f"projection {p.name!r}"
            if p.signed:
                yield f"signed {which}"
            if network.delay_steps(p.name) > 1:
                yield f"{which} with a delay of more than one step (leave it out)"
        spiking = [p for p in network.projections if p.pre not in network.currents]
        first = {(p.pre, p.post): p.name for p in reversed(spiking)}.values()
        if again := [p.name for p in spiking if p.name not in first]:
            yield f"several projections between the same nodes, {', '.join(again)} (make them one)"

    @classmethod
    def fitted(cls, network: Network, weights: Weights) -> Network:
        reach = {name: float(np.abs(w).max(initial=0.0)) for name, w in weights.items()}
        return bounded(network, {name: most for name, most in reach.items() if most})

    def membrane_unit(self, population: str) -> float | FloatArray:
        chip = self.chip.populations[population]
        return np.asarray(chip.unit * chip.kept)

    def mantissa(self, name: str, weights: FloatArray) -> IntArray:
        """Return the mantissas that the chip stores."""
        return self.rounding(name).whole(weights).astype(np.int64)

    def bias(
        self, population: str, rounded: dict[str, FloatArray], current: FloatArray | None = None
    ) -> Array:
        chip = self.chip.populations[population]
        # Like a current that decays once before it reaches the membrane.
        return chip.bias if current is None else sixteen_bits(chip.bias + current * chip.kept)
