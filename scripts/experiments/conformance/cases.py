"""Describe the networks of the test vectors: one for each feature of the chip's neurons."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.models import GLM, CubaLIF
from neurorl.network.description import Network, Plasticity, Population, Projection, Source
from neurorl.numerics.arrays import FloatArray

_DT = 1e-3
_FOREVER = 1e9  # seconds: a membrane that keeps all
Rng = np.random.Generator
Event = Callable[[dict[str, Any]], bool]


@dataclass(frozen=True)
class Case:
    """Describe a case.

    feature: a sentence about what it shows. network: what runs. density: of the input spikes.
    events: names of what must happen in it (`scripts.conformance` counts them). noise: of the
    backends. errors: whether its plastic projections learn on the chip (PES).
    """

    feature: str
    network: Network
    events: tuple[str, ...]
    density: float = 0.3
    noise: str = "exact"
    errors: bool = False


def _tau(kept: npt.NDArray[np.floating[Any]]) -> FloatArray:
    """Return the seconds after which ``exp(-dt/tau)`` is ``kept / 4096``."""
    tau = -_DT / np.log(np.clip(kept, 1, 4095) / 4096)
    return np.where(kept >= 4096, _FOREVER, np.where(kept > 0, tau, 0.0))


def _neuron(rng: Rng, size: int, **fields: Any) -> CubaLIF:
    """Return neurons whose decay registers are spread over most of their range."""
    current = rng.integers(1, 4095, size)
    voltage = rng.integers(1, 4095, size)
    plain: dict[str, Any] = {
        "tau_syn": _tau(4095.0 - current),
        "tau_mem": _tau(4096.0 - voltage),
        "threshold": 0.5 + 0.1 * (np.arange(size) % 5),
    }
    return CubaLIF(**plain | fields)


def _layer(
    rng: Rng,
    neuron: CubaLIF | GLM,
    low: float = -0.5,
    high: float = 1.0,
    *,
    inputs: int = 8,
    size: int = 12,
    **projection: Any,
) -> Network:
    """Return a source and a population, all to all."""
    weights = rng.uniform(low, high, (inputs, size))
    return Network(
        (Source("input", inputs), Population("cells", size, neuron)),
        (Projection("drive", "input", "cells", weights, **projection),),
        _DT,
    )


def _joined(network: Network, *more: Projection | Population) -> Network:
    """Return *network* with more populations and projections."""
    nodes = [part for part in more if isinstance(part, Population)]
    links = [part for part in more if isinstance(part, Projection)]
    return Network((*network.nodes, *nodes), (*network.projections, *links), network.dt)


def _decays(rng: Rng) -> Case:
    network = _layer(rng, _neuron(rng, 12))
    return Case("Currents and voltages decay, towards zero from both sides.", network, ("spikes",))


def _uniform(rng: Rng) -> Case:
    network = _layer(rng, CubaLIF(4e-3, 12e-3, 0.9))
    feature = "One set of registers for all neurons, as some simulators want it."
    return Case(feature, network, ("spikes",))


def _uniform_bias(rng: Rng) -> Case:
    network = _layer(rng, CubaLIF(4e-3, 12e-3, 0.9, bias=0.03))
    return Case("The same with a bias.", network, ("spikes",))


def _refractory(rng: Rng) -> Case:
    dead = _DT * np.array([0, 1, 2, 3, 5, 8, 13, 21, 30, 40, 50, 62])
    network = _layer(rng, _neuron(rng, 12, refractory=dead, threshold=0.2), -0.2, 0.6)
    return Case("After a spike the voltage is held at 0.", network, ("spikes", "dead steps"))


def _bias(rng: Rng) -> Case:
    neuron = _neuron(rng, 12, bias=np.linspace(-0.1, 0.4, 12))
    network = _layer(rng, neuron, -0.4, 0.5)
    return Case("A bias of either sign joins the current in every step.", network, ("spikes",))


def _exponents(rng: Rng) -> Case:
    network = _layer(rng, _neuron(rng, 12), -0.3, 1.0)
    weak = Projection("weak", "input", "cells", rng.uniform(-0.02, 0.03, (8, 12)))
    weaker = Projection("weaker", "input", "cells", rng.uniform(-0.002, 0.003, (8, 12)))
    network = _joined(network, weak, weaker)
    return Case("Projections of several weight exponents add up.", network, ("exponents", "spikes"))


def _delays(rng: Rng) -> Case:
    network = _layer(rng, _neuron(rng, 12))
    last = Population("last", 6, _neuron(rng, 6))
    far = Projection("far", "input", "last", rng.uniform(-0.2, 0.9, (8, 6)), delay=7 * _DT)
    near = Projection("near", "cells", "last", rng.uniform(-0.2, 0.9, (12, 6)), delay=2 * _DT)
    network = _joined(network, last, far, near)
    return Case("Spikes arrive 1, 2 and 7 steps later.", network, ("spikes",))


def _recurrent(rng: Rng) -> Case:
    network = _layer(rng, _neuron(rng, 12), 0.0, 0.8)
    loop = Projection("loop", "cells", "cells", rng.uniform(-0.6, 0.6, (12, 12)))
    return Case("A population drives itself.", _joined(network, loop), ("spikes",))


def _sum_overflow(rng: Rng) -> Case:
    neuron = _neuron(rng, 6, threshold=2.0)
    network = _layer(rng, neuron, 0.9, 1.0, inputs=200, size=6)
    feature = "The sum of weights leaves its register of 21 bits and a sign, and wraps."
    return Case(feature, network, ("sum wraps",), density=0.9)


def _current_overflow(rng: Rng) -> Case:
    neuron = _neuron(
        rng,
        6,
        tau_syn=_tau(4095.0 - np.array([0, 1, 2, 4, 8, 12])),
        tau_mem=_tau(4096.0 - np.array([0, 10, 50, 100, 150, 200])),
        threshold=60.0,
    )
    network = _layer(rng, neuron, 0.3, 0.6, inputs=48, size=6)
    feature = "The current leaves its register of 23 bits and a sign, and wraps."
    return Case(feature, network, ("current wraps",), density=0.9)


def _lowest(rng: Rng) -> Case:
    neuron = _neuron(
        rng,
        6,
        tau_syn=_tau(4095.0 - np.array([0, 10, 50, 100, 150, 200])),
        tau_mem=_tau(4096.0 - np.array([0, 1, 2, 4, 8, 12])),
        threshold=3.0,
    )
    network = _layer(rng, neuron, -1.0, -0.7, inputs=24, size=6)
    return Case("The voltage stops at -(2**23 - 1).", network, ("lowest voltage",), density=0.8)


def _at_threshold(rng: Rng) -> Case:
    forgetful = CubaLIF(tau_syn=0.0, tau_mem=0.0, threshold=1.0)
    weights = np.zeros((8, 12))
    weights[:, :] = 0.25 * rng.integers(0, 3, (8, 12))
    network = Network(
        (Source("input", 8), Population("cells", 12, forgetful)),
        (Projection("drive", "input", "cells", weights),),
        _DT,
    )
    feature = "A voltage equal to the threshold is no spike."
    return Case(feature, network, ("at threshold", "spikes"))


def _threshold_noise(rng: Rng) -> Case:
    network = _layer(rng, _neuron(rng, 12, noise=0.2))
    feature = "Integers are added to the voltage where it is compared with the threshold."
    return Case(feature, network, ("noise", "spikes"))


def _chip_noise(rng: Rng) -> Case:
    neuron = _neuron(rng, 12, noise=0.3, tau_mem=_tau(4096.0 - np.full(12, 1500.0)))
    network = _layer(rng, neuron)
    feature = "The chip's own noise joins the current and stays in the voltage."
    return Case(feature, network, ("noise", "spikes"), noise="chip")


def _learning(rng: Rng) -> Case:
    plasticity = Plasticity(trace_tau=8 * _DT, low=-1.0, high=1.0)
    network = _layer(rng, CubaLIF(3e-3, 9e-3, 0.5), -0.4, 0.6, plasticity=plasticity)
    feature = "Weights learn by PES: traces every 2 steps, weights every 4, rounded by given draws."
    return Case(feature, network, ("weights change", "spikes"), errors=True)


def _several(rng: Rng) -> Case:
    network = _layer(rng, _neuron(rng, 12, refractory=2 * _DT, noise=0.1))
    last = Population("last", 8, _neuron(rng, 8, bias=0.02))
    mask = rng.random((12, 8)) < 0.4
    network = _joined(
        network,
        last,
        Projection("on", "cells", "last", rng.uniform(-0.4, 0.9, (12, 8)), mask=mask),
        Projection("back", "last", "cells", rng.uniform(-0.5, 0.3, (8, 12)), delay=3 * _DT),
    )
    return Case("All at once, in a loop of two populations.", network, ("spikes", "noise"))


_MAKERS: dict[str, Callable[[Rng], Case]] = {
    "decays": _decays,
    "refractory": _refractory,
    "bias": _bias,
    "exponents": _exponents,
    "delays": _delays,
    "recurrent": _recurrent,
    "sum-overflow": _sum_overflow,
    "current-overflow": _current_overflow,
    "lowest-voltage": _lowest,
    "at-threshold": _at_threshold,
    "noise-of-threshold": _threshold_noise,
    "noise-of-chip": _chip_noise,
    "learning-pes": _learning,
    "all-at-once": _several,
    "uniform": _uniform,
    "uniform-bias": _uniform_bias,
}

CASES: dict[str, Case] = {
    name: make(np.random.default_rng(1000 + k)) for k, (name, make) in enumerate(_MAKERS.items())
}
"""Map the name of each case to it."""
