"""Describe Loihi's own noise, in place of escape noise: uniform, with or without fair coins.

The chip adds ``x 2**(e - 7)`` to a membrane in every step, x drawn evenly from -127..127, e one
number for a core. A unit without memory, whose membrane is z noise widths over its threshold, then
spikes with probability ``clip((z + h) / (2 h), 0, 1)``, h the noise's half-width in noise widths.
The distance to sigmoid(z) is largest at the corner, ``1 - sigmoid(h)``, or where the slopes agree,
``sigmoid'(z) = 1 / (2 h)``; both are 0.056 for h = 2.82. Steps of 1/255 move the best h to 2.80 and
the distance to 0.058.

Coins bend the line towards the sigmoid: sources of the host, one for each neuron and coin, that
spike in every other step on the average and transmit +-m/508 of the noise's reach. The values of
`COINS` were found by search over even mantissas; the distance is then 0.018. So a population is
scaled in such a way that h is met exactly, which costs its weights up to one bit.

What the chip adds stays in a membrane that leaks, until a spike or the leak ends it: the spread of
the sum is ``1 / sqrt(1 - r**2)`` of one step's for a leak by r, and two steps in a row say much the
same, so that a neuron has fewer chances to spike. There the firing rate is kept instead: h is
``(1 - r**2)**(1/4)`` of the above, and the threshold is lowered by ``min(r**2, 0.65)`` noise
widths. Both were found by search, over constant drives of neurons with r from 0.2 to 0.98; no
probability is promised.
Source: nengo-loihi 1.1 (emulator, `NoiseState`), Davies et al. 2018.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from neurorl.errors import UnsupportedError, check_name
from neurorl.network.description import Network, Node, Population, Projection, Source
from neurorl.network.limits import free_name
from neurorl.network.neuron import Integrator
from neurorl.numerics.arrays import Array, BoolArray, FloatArray
from neurorl.numerics.random import U32, DrawRows, Stream


@dataclass(frozen=True)
class Noise:
    """Say what stands for the escape noise of a description.

    half_width: the largest noise of one step, in noise widths of the description; 0 for escape
        noise itself, which has no largest.
    largest_error: what ``|p - sigmoid|`` doesn't exceed for units without memory; found by
        enumeration.
    has_coins: whether coins of the host bend the line towards the sigmoid.
    """

    name: str
    half_width: float = 0.0
    largest_error: float = 0.0
    has_coins: bool = False

    @property
    def is_exact(self) -> bool:
        """Return whether it is escape noise; any other noise needs the chip's arithmetic."""
        return self.half_width == 0


NOISES = {
    "exact": Noise("exact"),
    "chip": Noise("chip", half_width=2.80, largest_error=0.058),
    "chip+coins": Noise("chip+coins", half_width=1.91, largest_error=0.018, has_coins=True),
}
NOISE_MODES = tuple(NOISES)

NOISE_MAX = 127
COINS = (222, 178, 170)
"""Give the mantissas of the coins when the largest noise is 254, `NOISE_MAX` steps of 2."""

_FULL = 254.0
_LOWERED = 0.65


def find_noise(name: str) -> Noise:
    """Return the noise of this name. Raises UnknownNameError."""
    check_name("noise", name, NOISES)
    return NOISES[name]


def half_width(population: str, integrator: Integrator, leak: FloatArray, noise: Noise) -> float:
    """Return the largest noise of one step, in membrane units; 0 for populations without noise.

    leak: the part of the membrane that is left after a step, as the chip has it, ``(size,)``.
    Raises UnsupportedError if its neurons need several half-widths: a core has one.
    """
    noisy = integrator.noise_width > 0
    if not noisy.any():
        return 0.0
    # The root of a root has the same bits everywhere.
    wanted = noise.half_width * (integrator.noise_width * np.sqrt(np.sqrt(1 - leak**2)))[noisy]
    if np.ptp(wanted) > 1e-6 * wanted.max():
        where = f"noise {noise.name!r}, population {population!r}"
        what, got = "neurons of several noise widths", f"{wanted.min():g} to {wanted.max():g}"
        remedy = "take one for all, or split it into several populations"
        raise UnsupportedError(where, what, got=got, limit="one", remedy=remedy)
    return float(wanted[0])


def threshold_reduction(integrator: Integrator, leak: FloatArray) -> FloatArray:
    """Return by how much to lower the threshold, membrane units; leak as in `half_width`."""
    wanted = np.minimum(leak**2, _LOWERED) * integrator.noise_width
    return np.asarray(np.minimum(wanted, np.maximum(integrator.threshold, 0)))


def with_coin_sources(network: Network, mode: str) -> tuple[Network, dict[str, str]]:
    """Return *network* with sources of coins added last, and the source of each noisy population.

    For noise without coins *network* itself. Coin j of neuron i is spike ``len(COINS) * i + j``.
    Raises UnsupportedError for noisy units with a memory.
    """
    noise = find_noise(mode)
    if not noise.has_coins:
        return network, {}
    names = {n.name for n in network.nodes} | {p.name for p in network.projections}
    nodes: list[Node] = list(network.nodes)
    projections = list(network.projections)
    sources: dict[str, str] = {}
    for population in network.populations:
        if not population.is_integrator(network.dt):
            continue  # the chip has no equations, and says so later
        integrator = population.integrator(network.dt)
        if not integrator.noise_width.any():
            continue
        noisy = integrator.noise_width > 0
        if integrator.current_decay[noisy].any() or integrator.membrane_decay[noisy].any():
            where = f"noise {noise.name!r}, population {population.name!r}"
            what, remedy = "units with a memory, in which coins would stay", "noise='chip'"
            raise UnsupportedError(where, what, limit="tau_syn = tau_mem = 0", remedy=remedy)
        source, projection = _coins(noise, population, integrator, names)
        nodes.append(source)
        projections.append(projection)
        sources[population.name] = source.name
    return dataclasses.replace(network, nodes=tuple(nodes), projections=tuple(projections)), sources


def _coins(
    noise: Noise, population: Population, integrator: Integrator, names: set[str]
) -> tuple[Node, Projection]:
    """Return a population's source of coins and its signed projection (silent -w, spike +w)."""
    source, link = (
        free_name(f"{population.name}_{end}", names) for end in ("coins", "coin_weights")
    )
    reach = noise.half_width * integrator.noise_width
    weights = reach[:, None] * (np.array(COINS) / (2 * _FULL))
    size, n = population.size, len(COINS)
    projection = Projection(link, source, population.name, blocks=size, signed=True)
    shape = projection.shape(n * size, size)
    projection = dataclasses.replace(projection, weights=weights.reshape(shape))
    return Source(source, n * size), projection


def _steps_of_noise(drawn: U32) -> Array:
    span = np.uint64(2 * NOISE_MAX + 1)
    scaled = (drawn.astype(np.uint64) * span) >> np.uint64(32)
    return scaled.astype(np.int32) - np.int32(NOISE_MAX)


def tossed(drawn: U32) -> Array:
    """Return words as coins, booleans ``(steps, len(COINS) * n)``."""
    bits = (drawn[..., None] >> np.arange(len(COINS), dtype=np.uint32)) & np.uint32(1)
    return bits.reshape(len(drawn), -1).astype(np.bool_)


UniformRows = functools.partial(DrawRows, convert=_steps_of_noise)
"""Draw x of -127..127, int32, for a population's noise."""


def coin_rows(network: Network, sources: Mapping[str, str], seed: int) -> dict[str, DrawRows]:
    """Return the draws for each source of `with_coin_sources`, for a replica of this seed.

    Of a step, the coins that arrive in it, booleans ``(len(COINS) * n,)``.
    """
    streams = {source: Stream.COINS + network.index(name) for name, source in sources.items()}
    sizes = (network.node(name).size for name in sources)
    pairs = zip(streams.items(), sizes, strict=True)
    return {source: DrawRows(seed, stream, n, tossed) for (source, stream), n in pairs}


def toss(coins: Mapping[str, DrawRows], first_step: int, n_steps: int) -> dict[str, BoolArray]:
    """Return the coins that arrive in *n_steps* steps, a row a step, for each source."""
    return {x: np.asarray(rows.rows(first_step, n_steps), bool) for x, rows in coins.items()}
