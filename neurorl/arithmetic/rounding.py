"""Round weights in the arithmetics that a network can run in.

``float``: float64 membranes. Weights are held on a grid of 2**-32 of the postsynaptic membrane's
scale, so every sum of weights is exact in float64 and no order of summation (BLAS, a queue of
spikes, a loop) can change a bit, so all simulators agree.
A current is a sum of weights times activations, multiples of 2**-8, and exact too: its weights may
add up to 2**11 of the membrane's scale (2**19 for spikes), 8 + 32 + 11 bits in all.
A spike of a projection with short-term plasticity transmits a weight times its release, a multiple
of 2**-16; such weights are on a grid of 2**-24, and weights of all spikes into the same neurons may
add up to 2**11, 16 + 24 + 11 bits in all. Weights of values are the same, see
`neurorl.arithmetic.values`.

``loihi``: the chip's integers, from `neurorl.arithmetic.quantiser`. ``xylo``: those of another, by
`neurorl.arithmetic.xylo`, which joins `ARITHMETICS`.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic import quantiser
from neurorl.arithmetic.chip_noise import NOISE_MODES, find_noise
from neurorl.arithmetic.fitting import Weights, fit_bounds
from neurorl.arithmetic.xylo_integers import XyloNetwork
from neurorl.errors import ArgumentError, UnsupportedError, check_name
from neurorl.network.description import CURRENT_GRID, Network, Population, Projection
from neurorl.network.limits import refuse_units
from neurorl.network.plasticity import RELEASE_GRID
from neurorl.numerics.arrays import Array, FloatArray, Int32Array
from neurorl.storage.plain import real_array

GRID_BITS = 32
_SHORT_GRID_BITS = 24  # used with short-term plasticity and values
_SUM_BITS = 20  # 52 bits of mantissa minus GRID_BITS


@dataclass(frozen=True)
class Rounding:
    """Hold a projection's rounding as numbers, for C++ and for arrays of many projections.

    ``n = clip(rint(w * inverse), -limit, limit)``; the weight in force is ``n * unit``, and a spike
    transmits ``n * transmitted_unit``. The latter is a power of two, so n can be recovered exactly.
    """

    inverse: float
    limit: float
    unit: float
    transmitted_unit: float

    def of_unit(self, unit: float) -> Rounding:
        """Return the same with another *unit*; both are powers of two."""
        return Rounding(1.0 / unit, self.limit, unit, self.transmitted_unit * (unit / self.unit))

    def whole(self, weights: FloatArray) -> FloatArray:
        """Return n of each weight; any shape."""
        rounded = np.asarray(np.multiply(weights, self.inverse))
        np.rint(rounded, out=rounded)
        if self.limit != np.inf:
            np.clip(rounded, -self.limit, self.limit, out=rounded)
        return rounded

    def round(self, weights: FloatArray) -> FloatArray:
        """Return the weights in force; any shape."""
        rounded = self.whole(weights)
        rounded *= self.unit
        return rounded

    def in_force(self, transmitted: FloatArray) -> FloatArray:
        """Return the weights in force from transmitted weights; exact, any shape."""
        return np.multiply(transmitted, 1.0 / self.transmitted_unit) * self.unit


class Arithmetic(abc.ABC):
    """Define how a network's weights are rounded, and what a spike transmits then.

    name: name for users. title: name in reports.
    is_chip: whether membranes are a chip's integers.
    is_fine: whether the grid of weights is so fine that the weights in force learn themselves; if
        not, float weights learn, and their rounded copies are in force.
    number: dtype of membranes and currents.
    counts_spikes: whether neurons may spike several times a step; a state then says how often.
    noises: kinds of escape noise that it has, see `neurorl.arithmetic.chip_noise`.
    noise: name of the escape noise or its replacement, see `neurorl.arithmetic.chip_noise`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    is_chip: ClassVar[bool]
    is_fine: ClassVar[bool]
    number: ClassVar[type[np.generic]]
    counts_spikes: ClassVar[bool] = False
    noises: ClassVar[tuple[str, ...]] = ("exact",)

    @classmethod
    def problems(cls, network: Network) -> Iterable[str]:
        """Yield a line for each part of *network* that it has no numbers for."""
        return ()

    @classmethod
    def fitted(cls, network: Network, weights: Weights) -> Network:
        """Return *network* with bounds of plasticity that suit *weights*, which won't learn."""
        return network

    def __init__(self, network: Network, noise: str = "exact") -> None:
        self.network = network
        self.noise = find_noise(noise)
        self._rounding = dict[str, Rounding]()
        self._limits = dict[str, float]()  # of accepted weights; those beyond a range are clipped

    def rounding(self, name: str) -> Rounding:
        """Return the numbers by which a projection's weights are rounded."""
        return self._rounding[name]

    def round(self, name: str, weights: FloatArray) -> FloatArray:
        """Return the weights in force, in the description's units. Same shape."""
        return self.rounding(name).round(weights)

    @abc.abstractmethod
    def transmitted(self, name: str, rounded: FloatArray) -> Array:
        """Return what a spike adds to ``q``: 2w if signed; chip integers in ``loihi``."""

    @abc.abstractmethod
    def bias(
        self, population: str, rounded: dict[str, FloatArray], current: FloatArray | None = None
    ) -> Array:
        """Return a population's bias minus sum(w) of its signed projections, ``(size,)``.

        rounded: weights in force of every projection. current: sums of transmitted currents for
        each neuron, added to the bias before it is rounded, in ``loihi`` to one that the chip has.
        """

    @abc.abstractmethod
    def threshold(self, population: str) -> Array:
        """Return the thresholds of an integrator's membranes, in units of its biases."""

    def bias_unit(self, population: str) -> float:
        """Return how much of a bias is one unit of a population's membrane in the description."""
        return 1.0

    def exponent(self, name: str) -> int:
        """Return the exponent of 2 by which a chip multiplies the mantissas of a projection."""
        return int(np.log2(self.rounding(name).transmitted_unit))

    def membrane_unit(self, population: str) -> float | FloatArray:
        """Return how much of a membrane is one unit of it in the description, ``(size,)`` or one.

        It is `bias_unit` where a bias is added to the membrane as it is.
        """
        return self.bias_unit(population)

    def check(
        self, name: str, weights: npt.ArrayLike, replicas: tuple[int, ...] = ()
    ) -> FloatArray:
        """Return *weights* as float64.

        replicas: leading axes, ``(n_replicas,)`` or none.
        Raises ArgumentError for a wrong shape or numbers that are too large.
        """
        where = f"weights of {name!r}"
        if type(weights) is np.ndarray and weights.dtype == np.float64:
            array = weights
        else:
            refuse_units(where, weights)
            array = real_array(where, weights, ArgumentError)
        shape = (*replicas, *self.network.weight_shape(name))
        if array.shape != shape:
            raise ArgumentError(where, "wrong shape", got=array.shape, limit=shape)
        largest = float(np.maximum(array.max(initial=0.0), -array.min(initial=0.0)))
        limit = self._limits.get(name, float(np.finfo(np.float64).max))
        if not largest <= limit:
            if not np.isfinite(array).all():
                raise ArgumentError(where, "not finite", got=array[~np.isfinite(array)][0])
            raise ArgumentError(where, "too large", got=f"{largest:g}", limit=f"{limit:g}")
        return array

    def masked(self, name: str, weights: FloatArray) -> FloatArray:
        """Return *weights* with 0 where the projection has no synapse."""
        mask = self.network.projection(name).mask
        return weights if mask is None else np.where(mask, weights, 0.0)

    def signed_into(self, population: str) -> list[str]:
        """Return the names of the signed projections into a population."""
        return [p.name for p in self.network.projections if p.signed and p.post == population]


class FloatArithmetic(Arithmetic):
    """Round float64 weights to a grid fine enough to learn and coarse enough to sum exactly."""

    name, title = "float", "float"
    is_chip, is_fine, number = False, True, np.float64

    def __init__(self, network: Network, noise: str = "exact") -> None:
        super().__init__(network, noise)
        values = {p.name for p in network.projections if network.analog.get(p.pre) == "values"}
        releasing = {p.post for p in network.projections if p.short_term}
        finer = RELEASE_GRID * 2.0 ** (GRID_BITS - _SHORT_GRID_BITS)
        self._bias = dict[str, FloatArray]()  # 0 for equations, to which it is added
        for population in network.populations:
            bias = population.plan(network.dt).bias
            self._bias[population.name] = np.zeros(population.size) if bias is None else bias
        for p in network.projections:
            scale, is_short = _scale(network, p), p.short_term or p.name in values
            unit = 2.0 ** -(_SHORT_GRID_BITS if is_short else GRID_BITS) * scale
            sent = unit * (2.0 if p.signed else 1.0)
            self._rounding[p.name] = Rounding(1.0 / unit, np.inf, unit, sent)
            fan_in = sum(network.fan_in(r.name) for r in network.projections if r.post == p.post)
            self._limits[p.name] = scale * 2.0 ** (_SUM_BITS - 1) / max(fan_in, 1)
            if p.pre in network.currents:
                self._limits[p.name] *= CURRENT_GRID
            elif p.post in releasing or p.name in values:
                self._limits[p.name] *= finer

    def threshold(self, population: str) -> Array:
        node = self.network.node(population)
        assert isinstance(node, Population)
        return node.integrator(self.network.dt).threshold

    def transmitted(self, name: str, rounded: FloatArray) -> Array:
        return np.multiply(rounded, 2.0) if self.network.projection(name).signed else rounded

    def bias(
        self, population: str, rounded: dict[str, FloatArray], current: FloatArray | None = None
    ) -> Array:
        bias = self._bias[population]
        for name in self.signed_into(population):
            bias = bias - self.network.sums_into(name, rounded[name])
        return bias if current is None else bias + current


class IntegerArithmetic(Arithmetic):
    """Round weights to a chip's integers; `chip` has those of neurons."""

    is_chip, is_fine, number = True, False, np.int64
    chip: quantiser.ChipNetwork | XyloNetwork

    def threshold(self, population: str) -> Array:
        return self.chip.populations[population].threshold

    def bias_unit(self, population: str) -> float:
        return self.chip.populations[population].unit

    def round(self, name: str, weights: FloatArray) -> FloatArray:
        return super().round(name, weights) + 0.0  # + 0.0, as integers have no -0

    def transmitted(self, name: str, rounded: FloatArray) -> Array:
        rounding = self.rounding(name)
        return (rounding.whole(rounded) * rounding.transmitted_unit).astype(np.int64)


class ChipArithmetic(IntegerArithmetic):
    """Round weights to Loihi's integers; noise as in `quantise`."""

    name, title = "loihi", "chip"
    noises = NOISE_MODES
    chip: quantiser.ChipNetwork

    @classmethod
    def fitted(cls, network: Network, weights: Weights) -> Network:
        return fit_bounds(network, weights)

    def __init__(self, network: Network, noise: str = "exact") -> None:
        super().__init__(network, noise)
        for p in network.populations:
            if not p.is_integrator(network.dt):
                what = "neurons by equations have no chip arithmetic"
                raise UnsupportedError(f"population {p.name!r}", what, limit="CubaLIF, LIF")
        for projection in network.projections:
            if projection.more_than_weights:
                where, what = f"projection {projection.name!r}", projection.more_than_weights
                raise UnsupportedError(where, f"no chip arithmetic has {what}", limit="none")
        self.chip = quantiser.quantise(network, noise)
        most = quantiser.MANTISSA_MAX / 2
        for name, held in self.chip.projections.items():
            sent = 2 * 2.0 ** (6 + held.exponent)
            self._rounding[name] = Rounding(0.5 / held.unit, most, 2 * held.unit, sent)

    def exponent(self, name: str) -> int:
        return self.chip.projections[name].exponent

    def mantissa(self, name: str, weights: FloatArray) -> Int32Array:
        """Return the mantissas that the chip stores."""
        return quantiser.weight_integers(self.chip.projections[name], weights)

    def bias(
        self, population: str, rounded: dict[str, FloatArray], current: FloatArray | None = None
    ) -> Array:
        bias: Array = self.chip.populations[population].bias
        signed = self.signed_into(population)
        if not signed and current is None:
            return bias
        for name in signed:
            mantissa = self.mantissa(name, rounded[name])
            total = self.network.sums_into(name, mantissa)
            bias = bias + quantiser.signed_offset(self.chip.projections[name], total)
        return quantiser.bias_integers(bias if current is None else bias + current)


ARITHMETICS: dict[str, type[Arithmetic]] = {a.name: a for a in (FloatArithmetic, ChipArithmetic)}
"""Map the name of each arithmetic to its class."""


def find_arithmetic(name: str) -> type[Arithmetic]:
    """Return the arithmetic of this name. Raises UnknownNameError."""
    check_name("arithmetic", name, ARITHMETICS)
    return ARITHMETICS[name]


def make_arithmetic(name: str, network: Network, noise: str = "exact") -> Arithmetic:
    """Return the arithmetic of a network. Raises UnknownNameError or UnsupportedError.

    noise: one of its `Arithmetic.noises`.
    """
    return find_arithmetic(name)(network, noise)


def _scale(network: Network, projection: Projection) -> float:
    """Return a power of two near the membrane's scale (threshold or noise), 1 if both are 0.

    Equations may be in any units, so their scale follows from weights to the same input.
    """
    node = network.node(projection.post)
    assert isinstance(node, Population)
    if node.is_integrator(network.dt):
        neurons = node.integrator(network.dt)
        size = max(float(np.abs(neurons.threshold).max()), float(neurons.noise_width.max()))
    else:
        target = network.target(projection)
        alike = [p for p in network.projections if p.post == node.name]
        size = max(_largest(p) for p in alike if network.target(p) == target)
    return 2.0 ** np.ceil(np.log2(size)) if size > 0 else 1.0


def _largest(projection: Projection) -> float:
    """Return the largest initial or learnable |weight| of a projection."""
    rule = projection.plasticity
    bounds = () if rule is None else (rule.low, rule.high)
    return float(max(abs(w) for w in (quantiser.largest_initial(projection), *bounds)))
