"""Keep the drives of hidden neurons in the range where they spike."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np

from neurorl.models.agent.answers import Check, array, refused
from neurorl.models.agent.parts import Part, Registry
from neurorl.network.serialization import Range, Share, flag
from neurorl.numerics.arrays import FloatArray

_Floor = Annotated[float, Range(1e-12)]


def _normal(where: str, answer: object, _: object, drive: FloatArray, *__: object) -> Any:
    if not isinstance(answer, tuple) or len(answer) != 2:
        raise refused(where, "answers no pair", answer, "(shift, scale)", "return both")
    array(f"{where}, shift", answer[0], drive.shape)
    return answer[0], array(f"{where}, scale", answer[1], drive.shape, 0.0)


@dataclass(frozen=True, eq=False)
class Normalisation(Part, abc.ABC):
    """Turn a neuron's drive d into ``u = (d - shift) / scale``; it spikes where u > 1.

    The host adds ``1 - shift - scale`` to the neuron's bias before each window, as the neuron's own
    threshold is 1. Derive normalisations from this class.

    reads_drive: whether shift and scale depend on the drives of this very decision, which the host
        then computes before the window; else on those of earlier ones.
    shares: whether neurons that share weights, as those of patches do, hear the mean of their
        drives, so that they share running means too.
    """

    answers: ClassVar[Mapping[str, Check]] = {"normal": _normal}
    attributes: ClassVar[Mapping[str, Check]] = dict.fromkeys(("reads_drive", "shares"), flag)
    reads_drive: ClassVar[bool] = False
    shares: ClassVar[bool] = False
    _place = "agent.trunk.normalisation"

    @abc.abstractmethod
    def normal(self, drive: FloatArray, mean: FloatArray, variance: FloatArray) -> Any:
        """Return shift and scale of a layer's neurons, two arrays ``(n,)``.

        drive: ``(n,)``, of this decision, if *reads_drive*. mean, variance: ``(n,)``, running ones
            of each neuron's own drive in earlier decisions.
        """

    def heard(
        self, drive: FloatArray, mean: FloatArray, variance: FloatArray, decisions: int
    ) -> None:
        """Take the drives of a decision into the running mean and variance, in place.

        mean: initially 0. variance: initially 1. decisions: how many the agent learned from before.
        """

    def project(self, factor: FloatArray, u: FloatArray) -> FloatArray:
        """Return a layer's post factors without what the normalisation makes impossible.

        factor, u: float32 ``(n,)``.
        """
        return factor


@dataclass(frozen=True, eq=False)
class Unnormalised(Normalisation, called="none", kernel="none"):
    """Leave drives as they are: shift 0 and scale 1."""

    def normal(self, drive: FloatArray, mean: FloatArray, variance: FloatArray) -> Any:
        return np.zeros(len(mean)), np.ones(len(mean))


@dataclass(frozen=True, eq=False)
class Homeostasis(Normalisation, called="homeostasis", kernel="homeostasis"):
    """Let each neuron take off the running mean of its own drive, and divide by its deviation.

    ``u = (d - m) / sqrt(q + floor)``, with ``m <- m + r (d - m)`` and
    ``q <- q + r ((d - m)**2 - q)`` after each decision t, ``r = max(rate, 1 / (t + 2))``. On a chip
    this is a bias of each neuron, which changes slowly.
    rate: in (0, 1]. floor: added to the variance, > 0.
    """

    rate: Share = 1e-4
    floor: _Floor = 1e-3

    def normal(self, drive: FloatArray, mean: FloatArray, variance: FloatArray) -> Any:
        return mean, np.sqrt(variance + self.floor)

    def heard(
        self, drive: FloatArray, mean: FloatArray, variance: FloatArray, decisions: int
    ) -> None:
        rate = max(self.rate, 1.0 / (decisions + 2.0))
        mean += rate * (drive - mean)
        deviation = drive - mean
        variance += rate * (deviation * deviation - variance)


@dataclass(frozen=True, eq=False)
class Pool(Normalisation, called="pool", kernel="pool"):
    """Let a layer's inhibitory pool broadcast two numbers, the mean and deviation of its drives.

    This is layer normalisation: ``u = (d - mean) / sqrt(variance + floor)`` over the layer, and two
    more broadcast means, of the post factors alone and times u, are taken off what neurons learn.
    Source: Ba et al., arXiv:1607.06450. Sums run in the order of the neurons.

    With a *rate*, drives are measured from running means of their own, ``m <- m + r (d - m)`` after
    each decision t, ``r = max(rate, 1 / (t + 2))``. Without, what differs between neurons for good
    may outgrow what differs between observations, so that each is silent or spikes always.
    floor: added to the variance, > 0. rate: in [0, 1]; with 0 the means stay 0.
    """

    reads_drive: ClassVar[bool] = True
    shares: ClassVar[bool] = True

    floor: _Floor = 1e-5
    rate: Share = 0.0

    def normal(self, drive: FloatArray, mean: FloatArray, variance: FloatArray) -> Any:
        off = drive - mean
        middle = _mean(off)
        scale = np.sqrt(_mean((off - middle) * (off - middle)) + self.floor)
        return mean + middle, np.full(len(drive), scale)

    def heard(
        self, drive: FloatArray, mean: FloatArray, variance: FloatArray, decisions: int
    ) -> None:
        if self.rate:
            mean += max(self.rate, 1.0 / (decisions + 2.0)) * (drive - mean)

    def project(self, factor: FloatArray, u: FloatArray) -> FloatArray:
        return np.asarray((factor - _mean(factor)) - u * _mean(factor * u))


def _mean(x: FloatArray) -> Any:
    """Return the mean of *x*, in its own precision and added in its order."""
    return np.add.accumulate(x)[-1] / x.dtype.type(len(x))


NORMALISATIONS = Registry("normalisation", Normalisation, Homeostasis, Pool, Unnormalised)  # type: ignore[type-abstract]
"""Map the name of each normalisation to its class; ``NORMALISATIONS.register`` adds one."""
