"""Translate a description to the integers of Loihi, by one function that all backends share.

The chip's neuron, per step, all integers (``>>`` of a magnitude, so towards zero)::

    q = wrap21(sum of weights of arriving spikes)
    u = wrap23(sign(u) (|u| (4095 - current_decay) >> 12) + q)
    v = sign(v) (|v| (4096 - voltage_decay) >> 12) + wrap23(u + bias)
    v = clip(v, -(2**23 - 1), 2**23 - 1);  v = 0 in a dead step
    spike if v + noise > threshold;  then v = 0

This is escape noise, which the chip doesn't have; with its own noise
(`neurorl.arithmetic.chip_noise`) it is ``wrap23(u + bias + x 2**(noise_exponent - 7))`` instead, x
of -127..127.

Weights are ``mantissa * 2**(6 + exponent)``, mantissa even in -254..254 (8 bits with sign).
Thresholds are multiples of 64, biases ``m * 2**e`` with |m| <= 4095 and e in 0..7.
Source: nengo-loihi 1.1 (emulator and hardware builder), Davies et al. 2018.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.chip_noise import (
    NOISE_MAX,
    Noise,
    find_noise,
    half_width,
    threshold_reduction,
)
from neurorl.errors import UnsupportedError
from neurorl.network.description import Network, Population, Projection, Uniform
from neurorl.network.neuron import Integrator
from neurorl.numerics.arrays import Array, FloatArray, Int32Array, IntArray

MANTISSA_MAX = 254
CURRENT_BITS = 21  # of q, and a sign
CURRENT_SUM_BITS = 23  # of u
VOLTAGE_MAX = 2**23 - 1
THRESHOLD_UNIT = 64
NOISE_BITS = 7
THRESHOLD_MAX = 131071 * THRESHOLD_UNIT
BIAS_MANTISSA = 4095
BIAS_MAX = BIAS_MANTISSA * 2**7
REFRACTORY_MAX = 63
_ROUNDING = 1e-9
_LOGISTIC_REACH = 10.4  # the largest entry of neurorl.numerics.random.LOGISTIC_TABLE


@dataclass(frozen=True)
class ChipPopulation:
    """Hold the integers of one population; arrays of shape ``(size,)``.

    unit: chip integers to one unit of the description's membrane variable.
    refractory: the chip's register, dead steps + 1. noise_width: chip units, a float.
    noise_exponent: of the chip's own noise, for neurons with a noise_width; 0 for escape noise.
    """

    name: str
    unit: float
    current_decay: IntArray
    voltage_decay: IntArray
    threshold: IntArray
    bias: IntArray
    refractory: IntArray
    noise_width: FloatArray
    noise_exponent: int = 0

    @property
    def escapes(self) -> bool:
        """Return whether the population has escape noise."""
        return self.noise_exponent == 0 and bool(self.noise_width.any())

    @property
    def noise_step(self) -> IntArray:
        """Return the factor of x in the chip's own noise, ``(size,)``; 0 without."""
        step = 2 ** (self.noise_exponent - NOISE_BITS) if self.noise_exponent else 0
        return np.where(self.noise_width > 0, step, 0)


@dataclass(frozen=True)
class ChipProjection:
    """Hold the resolution of one projection: weights are ``mantissa * 2**(6+exponent)``.

    unit: the weight (in the description's units) that one unit of mantissa stands for.
    """

    name: str
    exponent: int
    unit: float


@dataclass(frozen=True)
class ChipNetwork:
    """Hold all integers but the weights, which `weight_integers` makes when they change."""

    populations: dict[str, ChipPopulation]
    projections: dict[str, ChipProjection]


def quantise(network: Network, noise: str = "exact") -> ChipNetwork:
    """Return the chip integers of *network*. Raises UnsupportedError naming what has none.

    noise: ``'exact'`` for escape noise, or one of the chip's own, see
    `neurorl.arithmetic.chip_noise`; if that has coins, so has *network*.
    """
    kind = find_noise(noise)
    populations = {p.name: _population(network, p, kind) for p in network.populations}
    projections = {
        p.name: _projection(network, p, populations[p.post].unit) for p in network.projections
    }
    return ChipNetwork(populations, projections)


def weight_integers(projection: ChipProjection, weights: FloatArray) -> Int32Array:
    """Return mantissas ``2 rint(w / (2 unit))``, clipped to -254..254; int32, same shape."""
    half = np.rint(np.asarray(weights) * (0.5 / projection.unit))
    return np.asarray(2 * np.clip(half, -127, 127), dtype=np.int32)


def bias_integers(bias: npt.ArrayLike) -> IntArray:
    """Return the nearest biases ``m * 2**e``, |m| <= 4095, e in 0..7; beyond, the largest."""
    value = np.asarray(bias, dtype=np.float64)
    step, most = bias_steps(value), BIAS_MANTISSA
    return np.asarray(np.clip(np.rint(value / step), -most, most) * step, dtype=np.int64)


def bias_steps(bias: FloatArray) -> FloatArray:
    """Return the step ``2**e`` of the grid on which each bias is rounded."""
    exponent = np.zeros(bias.shape, dtype=np.int64)
    for e in range(7):
        exponent += np.rint(np.abs(bias) / 2**e) > BIAS_MANTISSA
    return np.asarray(2.0**exponent)


def signed_offset(projection: ChipProjection, total: Array) -> IntArray:
    """Return ``-sum(w)`` of each postsynaptic neuron, in chip units, for signed projections.

    total: the sum of the mantissas of the transmitted 2w, ``(n_post,)``.
    """
    return np.asarray(-(total * 2.0 ** (6 + projection.exponent)) / 2, dtype=np.int64)


def weight_range(projection: Projection) -> float:
    """Return the largest weight to be represented, as transmitted (2w if signed)."""
    rule = projection.plasticity
    reach = largest_initial(projection) if rule is None else max(abs(rule.low), abs(rule.high))
    return (2 if projection.signed else 1) * reach


def largest_initial(projection: Projection) -> float:
    """Return the largest initial |weight| that a projection may have."""
    weights = projection.weights
    if isinstance(weights, Uniform):
        return max(abs(weights.low), abs(weights.high))
    return float(np.abs(weights).max(initial=0.0))


def _membrane_unit(network: Network, population: Population) -> float:
    """Return the chip integers in a membrane unit, so that the widest projection has exponent 0.

    Lower exponents are taken while the threshold, the noise or the bias would not fit.
    """
    integrator = population.integrator(network.dt)
    into = [p for p in network.projections if p.post == population.name]
    widest = max([weight_range(p) for p in into], default=0.0)
    level = np.abs(integrator.threshold) + _LOGISTIC_REACH * integrator.noise_width
    widest = widest or float(level.max()) or 1.0
    unit = MANTISSA_MAX * 2.0**6 / widest
    offset = float(np.abs(integrator.bias).max())
    for _ in range(13):
        if level.max() * unit <= VOLTAGE_MAX / 2 and offset * unit <= BIAS_MAX:
            return unit
        unit /= 2
    unit *= 2  # the coarsest that was tried
    is_offset = offset / BIAS_MAX > level.max() / (VOLTAGE_MAX / 2)
    largest = (BIAS_MAX if is_offset else VOLTAGE_MAX / 2) / unit
    over = (offset if is_offset else level.max()) / largest
    raise UnsupportedError(
        f"chip arithmetic, population {population.name!r}",
        f"{'bias' if is_offset else 'threshold and noise'} too large against the weights",
        got=f"{offset if is_offset else level.max():g}",
        limit=f"{_below(largest):g} for weights up to {widest:g}",
        remedy=f"scale it down to that, or the range of the weights up to "
        f"{_above(widest * over):g}",
    )


def _check_fixed(
    population: Population, integrator: Integrator, unit: float, is_exact: bool
) -> None:
    """Raise UnsupportedError if registers can't hold what a neuron says in chip units."""
    where = f"chip arithmetic, population {population.name!r}"
    for name, values, most in (
        ("threshold", integrator.threshold, THRESHOLD_MAX),
        ("bias", integrator.bias, BIAS_MAX),
    ):
        largest = float(np.abs(values).max()) * unit
        if largest > most:
            raise UnsupportedError(where, f"{name} too large", got=f"{largest:g}", limit=most)
    if not is_exact and integrator.noise_width.any():
        remedy = "leave InChipUnits out, or take noise='exact'"
        raise UnsupportedError(where, "the chip's own noise sets the unit itself", remedy=remedy)


def _fit_noise(
    network: Network, population: Population, unit: float, noise: Noise
) -> tuple[float, int]:
    """Return a unit, at most half as large, at which the noise has its width, and its exponent."""
    integrator = population.integrator(network.dt)
    reach = half_width(population.name, integrator, kept(integrator), noise)
    if not reach:
        return unit, 0
    # Far below the register's 23, as a unit in which the noise is too wide has been refused.
    exponent = NOISE_BITS + int(np.floor(np.log2(reach * unit / NOISE_MAX)))
    if exponent < NOISE_BITS:
        # Half-widths are in proportion to widths; the least is NOISE_MAX chip units.
        width = float(integrator.noise_width.max())
        nearest = width * NOISE_MAX / (reach * unit)
        raise UnsupportedError(
            f"noise {noise.name!r}, population {population.name!r}",
            "noise too narrow against the weights",
            got=f"{width:g}",
            limit=f">= {_above(nearest):g}",
            remedy=f"take {_above(nearest):g}, or a range of weights "
            f"{_below(width / nearest):g} times as wide",
        )
    return NOISE_MAX * 2.0 ** (exponent - NOISE_BITS) / reach, exponent


def kept(integrator: Integrator) -> FloatArray:
    """Return the part of a membrane that the chip leaves after a step, ``(size,)``."""
    if not integrator.membrane_decay[integrator.noise_width > 0].any():
        return np.zeros(len(integrator.bias))  # what the register leaves, 1/4096, is no memory
    return np.asarray((4096 - _voltage_decay(integrator)) / 4096)


def _voltage_decay(integrator: Integrator) -> IntArray:
    return _integers(4096 - np.rint(4096 * integrator.membrane_decay), 0, 4095)


def _population(network: Network, population: Population, noise: Noise) -> ChipPopulation:
    d = population.integrator(network.dt)
    fixed, noise_exponent = population.neuron.chip_unit, 0
    if fixed is not None:
        _check_fixed(population, d, fixed, noise.is_exact)
    unit = _membrane_unit(network, population) if fixed is None else fixed
    wanted = d.threshold
    if not noise.is_exact:
        unit, noise_exponent = _fit_noise(network, population, unit, noise)
        wanted = wanted - threshold_reduction(d, kept(d))
    where = f"chip arithmetic, population {population.name!r}"
    if (d.threshold < 0).any():
        lowest = d.threshold.min()
        remedy = f"take 0, and {-lowest:g} more bias, which is the same for units without memory"
        got, limit = f"{lowest:g}", ">= 0"
        raise UnsupportedError(where, "negative threshold", got=got, limit=limit, remedy=remedy)
    if d.refractory_steps.max() >= REFRACTORY_MAX:
        what, got = "refractory period too long", f"{d.refractory_steps.max()} steps"
        limit = f"{REFRACTORY_MAX - 1} steps"
        remedy = f"take {(REFRACTORY_MAX - 1) * network.dt:g} s, or a longer dt"
        raise UnsupportedError(where, what, got=got, limit=limit, remedy=remedy)
    threshold = THRESHOLD_UNIT * np.rint(wanted * unit / THRESHOLD_UNIT)
    # The chip's lowest threshold is one unit; a bias of the same size makes it 0 in effect.
    lifted = np.maximum(threshold, THRESHOLD_UNIT)
    return ChipPopulation(
        name=population.name,
        unit=unit,
        current_decay=_integers(4095 - np.rint(4096 * d.current_decay), 0, 4095),
        voltage_decay=_voltage_decay(d),
        threshold=_integers(lifted, THRESHOLD_UNIT, THRESHOLD_MAX),
        bias=bias_integers(d.bias * unit + (lifted - threshold)),
        refractory=d.refractory_steps + 1,
        # The chip's own noise of a membrane without a leak has the width 0, `half_width` says.
        noise_width=d.noise_width * unit * (noise.is_exact or noise_exponent > 0),
        noise_exponent=noise_exponent,
    )


def _projection(network: Network, projection: Projection, unit: float) -> ChipProjection:
    reach = weight_range(projection) * unit
    exponent = 0
    post = network.node(projection.post)
    assert isinstance(post, Population)
    if post.neuron.chip_unit is not None:  # else the widest has exponent 0
        while exponent < 7 and reach > MANTISSA_MAX * 2.0 ** (6 + exponent):
            exponent += 1
    while exponent > -7 and reach <= MANTISSA_MAX * 2.0 ** (6 + exponent - 1):
        exponent -= 1
    n_pre = network.fan_in(projection.name)
    worst = n_pre * MANTISSA_MAX * 2.0 ** (6 + exponent) / 2
    if projection.signed and worst > BIAS_MAX:
        raise UnsupportedError(
            f"chip arithmetic, projection {projection.name!r}",
            "a signed projection of this fan-in overflows the bias",
            got=n_pre,
            limit=int(BIAS_MAX / worst * n_pre),
            remedy="use blocks, an unsigned projection, or split the presynaptic population",
        )
    one = 2.0 ** (6 + exponent) / unit / (2 if projection.signed else 1)
    return ChipProjection(projection.name, exponent, one)


def _below(x: float) -> float:
    """Return the largest number of 4 digits below x > 0, a limit that holds when repeated."""
    step = 10.0 ** (np.floor(np.log10(x)) - 3)
    return float(step * np.floor((1 - _ROUNDING) * x / step))


def _above(x: float) -> float:
    """Return the least number of 4 digits above x > 0."""
    step = 10.0 ** (np.floor(np.log10(x)) - 3)
    return float(step * np.ceil((1 + _ROUNDING) * x / step))


def _integers(value: FloatArray, low: int, high: int) -> IntArray:
    return np.asarray(np.clip(value, low, high), dtype=np.int64)
