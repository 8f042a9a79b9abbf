"""Scale a vector with a range for each dimension, or see its numbers as they are."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt

from neurorl.errors import ArgumentError, DescriptionError
from neurorl.models.features.base import Features, FromNumbers, numbers_of
from neurorl.network.limits import MAX_FEATURES, check_limit, refuse_units
from neurorl.network.serialization import Range, frozen_array
from neurorl.numerics.arrays import FloatArray
from neurorl.storage.plain import real_array

__all__ = ["RangeFeatures", "Raw", "scaled_to_one"]


@dataclass(frozen=True, eq=False)
class RangeFeatures(FromNumbers):
    """Map a vector with a range for each dimension to features.

    low, high: ``(d,)``; a dimension in which either is infinite is squashed to (0, 1) by
    ``(1 + x / (1 + |x|)) / 2``, any other is scaled to [0, 1] and clipped.
    """

    low: Any
    high: Any

    def __post_init__(self) -> None:
        super().__post_init__()
        low, high = (self._bound(name) for name in ("low", "high"))
        if low.shape != high.shape:
            what = "low and high are of different lengths"
            got, limit = len(high), len(low)
            raise DescriptionError(f"{type(self).__name__}.high", what, got=got, limit=limit)
        bounded = np.isfinite(low) & np.isfinite(high)
        # NaN is not JSON; 0 and 0 mark a dimension without a range.
        low, high = np.where(bounded, low, 0.0), np.where(bounded, high, 0.0)
        if (low > high).any():
            raise DescriptionError(f"{type(self).__name__}.high", "must not be below low")
        object.__setattr__(self, "low", frozen_array("low", low, low.shape))
        object.__setattr__(self, "high", frozen_array("high", high, low.shape))

    def _bound(self, name: str) -> FloatArray:
        where, value = f"{type(self).__name__}.{name}", getattr(self, name)
        refuse_units(where, value)
        return real_array(where, value).ravel()

    def _check_size(self) -> None:
        """Raise DescriptionError for too many features."""
        check_limit(type(self).__name__, "features", self.size, MAX_FEATURES)

    @property
    def n_inputs(self) -> int:
        return len(self.low)

    def __call__(self, observation: Any) -> FloatArray:
        numbers = self.flat(observation)
        if len(numbers) != self.n_inputs:  # one would be taken for each dimension
            what, got = "is of another size", len(numbers)
            where = f"{type(self).__name__}, observation"
            raise ArgumentError(where, what, got=got, limit=self.n_inputs)
        return self.values(numbers)

    def unit(self, flat: FloatArray) -> FloatArray:
        """Scale an observation to [0, 1]; shape of *flat*, ``(..., d)``."""
        return scaled_to_one(flat, self.low, self.gain, self.squashed)

    @functools.cached_property
    def squashed(self) -> npt.NDArray[np.bool_]:
        """Return which dimensions have no range."""
        return np.asarray(self.high == self.low)

    @functools.cached_property
    def gain(self) -> FloatArray:
        """Return 1 over the range of each dimension."""
        with np.errstate(over="ignore"):
            return np.asarray(1.0 / np.where(self.squashed, 1.0, self.high - self.low))


def scaled_to_one(
    flat: FloatArray, low: FloatArray, gain: FloatArray, squashed: npt.NDArray[np.bool_]
) -> FloatArray:
    """Scale numbers to [0, 1], as `RangeFeatures` says; shape of *flat*, ``(..., d)``.

    low, gain, squashed: for each dimension, ``(d,)``, as in `RangeFeatures`.
    """
    scaled = (flat - low) * gain
    if squashed.any():
        x = flat[..., squashed]
        scaled[..., squashed] = 0.5 + 0.5 * x / (1.0 + np.abs(x))
    return np.asarray(np.minimum(np.maximum(scaled, 0.0), 1.0))


@dataclass(frozen=True, eq=False)
class Raw(Features):
    """See the n numbers of an array, one after the other, each divided by *unit*.

    n: numbers of an observation. unit: such as 255 for bytes of an image, > 0.
    """

    n: Annotated[int, Range(1, MAX_FEATURES)]
    unit: Annotated[float, Range(1e-30)] = 1.0

    are_cells = False

    @property
    def size(self) -> int:
        return self.n

    def __call__(self, observation: Any) -> FloatArray:
        return numbers_of("Raw", observation, self.n) / self.unit
