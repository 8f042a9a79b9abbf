"""Estimate means of noisy vectors, and the angles between them without the noise's bias.

A set of samples is cut into K parts with means m_k. Noise of different parts is independent, so::

    <m, e> = 1 / (K (K - 1)) sum_{j != k} <m_j, e_k>

is without bias, for two vectors that are estimated by the same samples or for one and itself,
where the square of the whole mean's norm is too large by the mean's own noise.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor


class Moments:
    """Hold the means of K parts of samples, and the mean of their squared norms.

    The weights of samples must add up to 1 in each part.
    """

    def __init__(self, parts: int) -> None:
        self._sums: list[Tensor | None] = [None] * parts
        self._square = 0.0

    def add(self, part: int, samples: Tensor, weights: Tensor) -> None:
        """Add R samples ``(R, ...)`` of these *weights* ``(R,)``."""
        flat = samples.reshape(len(samples), -1)
        self.add_mean(part, weights @ flat)
        self._square += float(weights @ flat.square().sum(dim=1))

    def add_mean(self, part: int, mean: Tensor) -> None:
        """Add a mean of samples, whose norms aren't known, or a part of one."""
        before, now = self._sums[part], mean.ravel().double()
        self._sums[part] = now if before is None else before + now

    @property
    def means(self) -> Tensor:
        """Return the means of the parts, ``(K, d)``."""
        return torch.stack([s for s in self._sums if s is not None])

    @property
    def square(self) -> float:
        """Return the mean of a sample's squared norm."""
        return self._square / len(self._sums)


def inner(products: Tensor) -> float:
    """Return ``<m, e>`` without the bias of their noise. products: ``<m_j, e_k>``, ``(K, K)``."""
    k = len(products)
    return float(products.sum() - products.trace()) / (k * (k - 1))


@dataclass(frozen=True)
class Quality:
    """Compare an estimator with the exact gradient.

    cosine: of its mean with it; error: standard error of that, by leaving out parts. length: of
    the mean over that of the exact gradient. noise: trace of the covariance of one sample over the
    squared norm of the mean. NaN where a squared length isn't above 0.
    """

    cosine: float
    error: float
    length: float
    noise: float

    def samples(self, cosine: float) -> float:
        """Return how many samples' mean has this cosine with the exact gradient; inf if none.

        ``cos = cos_mean / sqrt(1 + noise / n)``
        """
        if not self.cosine > cosine:
            return math.inf
        return self.noise * cosine**2 / (self.cosine**2 - cosine**2)


def quality(aa: Tensor, ae: Tensor, ee: Tensor, square: float) -> Quality:
    """Compare an estimator with means a_j with the exact gradient's e_j.

    aa, ae, ee: products of all parts, ``(K, K)``, of several projections their sums. square: the
    mean squared norm of a sample.
    """
    k = len(aa)
    length, exact = inner(aa), inner(ee)
    left_out = torch.tensor([_cosine(*(_without(x, j) for x in (aa, ae, ee))) for j in range(k)])
    spread = (left_out - left_out.mean()).square().sum()
    return Quality(
        cosine=_cosine(aa, ae, ee),
        error=float(((k - 1) / k * spread).sqrt()),
        length=math.sqrt(length / exact) if min(length, exact) > 0 else math.nan,
        noise=(square - length) / length if length > 0 else math.nan,
    )


def _without(products: Tensor, k: int) -> Tensor:
    kept = [j for j in range(len(products)) if j != k]
    return products[kept][:, kept]


def _cosine(aa: Tensor, ae: Tensor, ee: Tensor) -> float:
    length, exact = inner(aa), inner(ee)
    return inner(ae) / math.sqrt(length * exact) if min(length, exact) > 0 else math.nan
