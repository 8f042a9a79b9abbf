"""Fit chip integers to a network that doesn't learn, as fine as its weights allow.

`neurorl.arithmetic.quantiser` takes the range of a projection from the bounds of its plasticity, as
learning may use all of it. Fixed weights seldom do, and a narrower range gives all of a
population's numbers (weights, threshold, bias) a finer unit. The price is room: the chip sums input
in 21 bits, and wraps around beyond them.

A grid that is too coarse makes weights 0, or steps of learning: here is what warns of those that
matter. Small losses by rounding are no reason to warn, as some weights may be negligible.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from neurorl.arithmetic.quantiser import (
    BIAS_MAX,
    CURRENT_BITS,
    CURRENT_SUM_BITS,
    ChipNetwork,
    quantise,
    signed_offset,
    weight_integers,
)
from neurorl.errors import GridWarning, UnsupportedError, warn_of
from neurorl.network.description import Network
from neurorl.numerics.arrays import FloatArray

Weights = Mapping[str, FloatArray]


def fit_bounds(network: Network, weights: Weights) -> Network:
    """Return *network* with bounds of plasticity no wider than *weights* need.

    weights: weights of every projection, in the description's units and shapes. Where all inputs
    spiking at once could overflow, the bounds into that population are widened again by powers of
    two, at most to the described bounds. Projections without plasticity keep their described range.
    """
    for population in network.populations:
        network = _fit(network, population.name, weights)
    return network


class Sums(NamedTuple):
    """Hold the largest sums in a neuron of a population, as shares of the registers.

    arriving: input of one step, in 21 bits. current: input left over from all steps, plus the bias,
    in 23 bits. bias: bias with signed projections and currents, relative to the largest bias. Up to
    1 nothing wraps around or is clipped.
    """

    arriving: float
    current: float
    bias: float


def largest_sums(network: Network, chip: ChipNetwork, population: str, weights: Weights) -> Sums:
    """Return the sums if all presynaptic neurons of one sign spike in every step."""
    own = chip.populations[population]
    most, least, offset = (np.zeros(len(own.threshold)) for _ in range(3))
    for p in network.projections:
        if p.post != population:
            continue
        held = chip.projections[p.name]
        mantissa = weight_integers(held, weights[p.name])
        arriving = mantissa * 2.0 ** (6 + held.exponent)
        top = network.sums_into(p.name, np.maximum(arriving, 0))
        bottom = network.sums_into(p.name, np.minimum(arriving, 0))
        if p.pre in network.currents:
            offset += np.maximum(top, -bottom)
            continue
        most += top
        least += bottom
        if p.signed:
            offset += np.abs(signed_offset(held, network.sums_into(p.name, mantissa)))
    q, bias = np.maximum(most, -least), np.abs(own.bias) + offset
    u = q / (1 - (4095 - own.current_decay) / 4096) + bias
    return Sums(
        arriving=float(q.max()) / (2**CURRENT_BITS - 1),
        current=float(u.max()) / (2**CURRENT_SUM_BITS - 1),
        bias=float(bias.max()) / BIAS_MAX,
    )


def _fit(network: Network, population: str, weights: Weights) -> Network:
    """Narrow the bounds of plasticity into one population."""
    plastic = [p for p in network.projections if p.post == population and p.plasticity]
    reach = {p.name: float(np.abs(weights[p.name]).max(initial=0.0)) for p in plastic}
    some = [r for r in reach.values() if r > 0]
    bounds = {p.name: p.plasticity for p in plastic if p.plasticity is not None}
    described = {name: max(abs(rule.low), abs(rule.high)) for name, rule in bounds.items()}
    factor = 1.0
    while some:
        # Zeros fit any range.
        wanted = {name: factor * (r or min(some)) for name, r in reach.items()}
        if all(wanted[name] >= described[name] for name in reach):
            break
        # A user may write weights beyond the bounds; they are not clipped.
        tried = bounded(
            network, {n: max(reach[n], min(bound, described[n])) for n, bound in wanted.items()}
        )
        with contextlib.suppress(UnsupportedError):
            if max(largest_sums(tried, quantise(tried), population, weights)) <= 1:
                return tried
        factor *= 2
    return network


def bounded(network: Network, bounds: Mapping[str, float]) -> Network:
    """Return *network* with other bounds of plasticity, by projection, below and above 0."""
    projections = []
    for p in network.projections:
        if p.name in bounds and p.plasticity is not None:
            both = {"low": -bounds[p.name], "high": bounds[p.name]}
            p = dataclasses.replace(p, plasticity=dataclasses.replace(p.plasticity, **both))
        projections.append(p)
    return dataclasses.replace(network, projections=tuple(projections))


_NOTABLE = 2.0**-8  # share of the largest weight
_SMALL_STEP = 2.0**-10  # modulator times eligibility


def warn_of_lost_weights(
    name: str, weights: FloatArray, unit: float, *, levels: float | None, every: bool = False
) -> None:
    """Warn with a `GridWarning` if rounding to multiples of *unit* makes relevant weights 0.

    name: name of the projection. weights: before rounding, 0 where there is no synapse. levels: the
    least number of units up to a bound of learning; None if the unit doesn't follow from bounds.
    every: whether only the loss of all weights matters, as on a chip's few levels.
    """
    sizes = np.abs(weights)
    largest = float(sizes.max(initial=0.0))
    if largest > unit / 2 and (every or unit / 2 <= _NOTABLE * largest):
        return
    lost = sizes[(sizes > 0) & (sizes <= unit / 2)]
    if not lost.size or lost.max() <= _NOTABLE * largest:
        return
    what = f"the grid of its weights makes {lost.size:,} of {np.count_nonzero(sizes):,} into 0"
    remedy = f"the least that stays is {unit:g}; the grid is in proportion to the membrane's scale"
    if levels is not None:
        remedy = _bounds_remedy(largest if every else 2 * _NOTABLE * largest, levels)
    _warn(name, what, f"steps of {unit:g}, weights up to {largest:g}", remedy)


def warn_of_lost_steps(name: str, alpha: float, unit: float, levels: float) -> None:
    """Warn with a `GridWarning` if steps of learning are too small for a grid of *unit*.

    alpha: the size of a step with modulator and eligibility 1; their product may be a thousandth.
    levels: as in `warn_of_lost_weights`.
    """
    least = abs(alpha) * _SMALL_STEP
    if 0 < least <= unit / 2:
        what = "the grid of its weights is too coarse for the steps of learning"
        got = f"steps of {unit:g}, a learning rate of {alpha:g}"
        _warn(name, what, got, _bounds_remedy(2 * least, levels))


def _bounds_remedy(unit: float, levels: float) -> str:
    """Return the bounds, *levels* units wide, that give a grid of at most *unit*."""
    bound = 10.0 ** math.floor(math.log10(unit * levels))
    return f"take bounds of at most {bound:g} (Plasticity low and high, an agent's weight_bound)"


def _warn(name: str, what: str, got: str, remedy: str) -> None:
    where = f"projection {name!r}"
    warn_of(GridWarning, where, what, got=got, remedy=remedy)
