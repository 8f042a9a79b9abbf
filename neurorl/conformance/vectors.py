"""Make test vectors of a chip's integers from a seed: random networks, input, and what is learned.

Vectors of odd numbers learn. On Loihi by PES, so timed that its stochastic rounding, which differs
from chip to emulator, has nothing to round: inputs spike at once every `BURST` steps, errors come
in the very step that learns, where traces are 0 or `TRACE`, and are such that weights change by
whole steps. On Xylo the host writes other weights half-way, and begins anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.random import Generator

from neurorl.backends.window import Raster
from neurorl.models import CubaLIF, shift_lif
from neurorl.network.description import Network, Plasticity, Population, Projection, Source
from neurorl.numerics.arrays import Array, FloatArray

N_STEPS, BURST = 96, 24
"""Count the steps of a vector, and those from burst to burst: of a trace 10**-8 is then left."""

TRACE, ERROR_STEP = 64, 16
"""Set what a spike adds to a trace, and what errors are multiples of, in parts of 127."""

_DT = 1e-3
_LINKS = (("drive", "input", "cells"), ("on", "cells", "last"), ("loop", "cells", "cells"))


@dataclass(frozen=True)
class Vector:
    """Hold a network and what happens in it.

    errors: of population ``cells``, ``(N_STEPS, size)`` in parts of 127; None if it doesn't learn
    on the chip. rewritten: weights that the host writes half-way, by projection.
    """

    network: Network
    inputs: dict[str, Array]
    errors: FloatArray | None = None
    rewritten: dict[str, FloatArray] = field(default_factory=dict)


def make_vector(chip: str, number: int, seed: int = 0) -> Vector:
    """Return a vector of one of `CHIPS`, the same for the same number and seed; odd ones learn."""
    rng = np.random.default_rng([seed, number, [*CHIPS].index(chip)])
    size, cells, last = (int(rng.integers(*ends)) for ends in ((4, 17), (2, 41), (1, 9)))
    raster = rng.random((N_STEPS, size)) < rng.uniform(0.05, 0.6)
    sizes = {"input": size, "cells": cells, "last": last}
    return CHIPS[chip](rng, sizes, raster, number % 2 == 1)


def _on_loihi(rng: Generator, sizes: dict[str, int], raster: Raster, learns: bool) -> Vector:
    """Return neurons of few sets of registers, with a loop; where one learns, ringing, without."""
    nodes = []
    for name in ("cells", "last"):
        which = rng.integers(0, 4, sizes[name])
        kept = 4096 - rng.integers(*((128, 700) if learns else (2, 4000)), (2, 4))
        tau_syn, tau_mem = -_DT / np.log(kept[:, which] / 4096)
        bias = rng.uniform(-0.05, 0.1, 4)[which] * (not learns and rng.random() < 0.5)
        level, dead = rng.uniform(0.3, 1.5, 4)[which], _DT * rng.integers(0, 8, 4)
        # nengo-loihi tells a spike by its dead steps where a chip learns: one number for all.
        refractory = dead[0] if learns else dead[which]
        neuron = CubaLIF(tau_syn, tau_mem, level, bias, refractory=refractory)
        nodes.append(Population(name, sizes[name], neuron))
    links = []
    for name, pre, post in _LINKS[: 2 if learns else 3]:
        weights = rng.uniform(-0.5, 1.0, (sizes[pre], sizes[post])) * rng.uniform(0.3, 1.0)
        mask = None if learns else rng.random(weights.shape) < 0.7
        delay = None if learns else _DT * int(rng.integers(1, 5))
        learned = Plasticity(_DT, -1.0, 1.0) if learns and name == "drive" else None
        links.append(Projection(name, pre, post, weights, 1, mask, delay, plasticity=learned))
    network = Network((Source("input", sizes["input"]), *nodes), tuple(links), _DT)
    if not learns:
        return Vector(network, {"input": raster})
    # A spike arrives a step later, in a step t % 4 == 2, which learns.
    burst = rng.random(raster.shape) < 0.7
    burst[np.arange(N_STEPS) % BURST != 1] = False
    errors = np.zeros((N_STEPS, sizes["cells"]))
    errors[2::BURST] = ERROR_STEP * rng.integers(-7, 8, errors[2::BURST].shape)
    return Vector(network, {"input": burst}, errors)


def _on_xylo(rng: Generator, sizes: dict[str, int], raster: Raster, learns: bool) -> Vector:
    """Return hidden neurons with a loop, and output neurons; every chip has room for them."""
    nodes = []
    for name in ("cells", "last"):
        syn, mem = rng.integers(1, 8, (2, sizes[name]))
        level, bias = (rng.integers(*ends, sizes[name]) for ends in ((20, 2000), (-20, 21)))
        nodes.append(Population(name, sizes[name], shift_lif(syn, mem, level, bias)))
    links = []
    for name, pre, post in _LINKS:
        weights = rng.integers(-90, 128, (sizes[pre], sizes[post]))
        mask = rng.random(weights.shape) < 0.7  # of 56 neurons some 40; a neuron takes 63
        links.append(Projection(name, pre, post, weights, mask=mask))
    network = Network((Source("input", sizes["input"]), *nodes), tuple(links), _DT)
    new = {p.name: 1.0 * rng.permuted(p.weights) for p in links} if learns else {}
    return Vector(network, {"input": raster}, rewritten=new)


CHIPS = {"loihi": _on_loihi, "xylo": _on_xylo}
"""Map each chip to what makes its vectors; whether they learn comes last."""
