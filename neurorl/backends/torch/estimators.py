"""Define estimators: what may stand in for the derivative of a spike.

A spike is ``s = 1[m > 0]`` with the margin ``m = v + w L - threshold``, L standard logistic, so
that ``P(s = 1) = p = sigmoid((v - threshold) / w)``. Its derivative by v is 0 wherever there is
one, so backpropagation needs something in its place. The spikes are the same with each estimator:

=============  ========================  =========================  ===============================
estimator      value forwards            ``ds/dv`` backwards        mean of the gradient
=============  ========================  =========================  ===============================
`Concrete`     s (or r if not hard)      ``r (1 - r) / (tau w)``    biased; without bias for the
                                                                    relaxed network if not hard
`Slope`        s                         ``p (1 - p) / w``          biased
`Score`        s                         0                          0: learn by ``log P(raster)``,
                                                                    which is without bias
=============  ========================  =========================  ===============================

with the relaxed spike ``r = sigmoid(m / (tau w))``. docs/reparameterization.md says more.
"""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from neurorl.backends.torch.expressions import with_slope
from neurorl.errors import ArgumentError, check_name
from neurorl.network.serialization import number


class Estimator(abc.ABC):
    """Define how gradients pass through stochastic spikes; frozen, so that it can be shared."""

    name: ClassVar[str]

    @property
    def is_hard(self) -> bool:
        """Return whether spikes are 0 or 1."""
        return True

    def __call__(self, v: Tensor, threshold: Tensor, width: Tensor, noise: Tensor | None) -> Tensor:
        """Return spikes, 0 or 1, in the dtype and shape of the membranes *v*.

        threshold: of each neuron, membrane units.
        width: width of the noise of each neuron; without noise, that of the sigmoid that stands for
            its step.
        noise: ``w L``; None for none.
        """
        margin = (v if noise is None else v + noise) - threshold
        if torch.is_grad_enabled() and v.requires_grad:
            with torch.no_grad():
                slope = self._slope(v, margin, threshold, width)
            if slope is not None:
                return with_slope(v, lambda _: (margin > 0).to(v.dtype), lambda _: slope)
        return (margin > 0).to(margin.dtype)

    @abc.abstractmethod
    def _slope(self, v: Tensor, margin: Tensor, threshold: Tensor, width: Tensor) -> Tensor | None:
        """Return what stands for the derivative of spikes by *v*; None for 0."""


@dataclass(frozen=True)
class Concrete(Estimator):
    """Reparameterize spikes: binary concrete spikes, by default with straight-through.

    A logistic draw L makes the spike a function of v and of noise that no weight moves,
    ``s = 1[m > 0]``; its relaxation ``r = sigmoid(m / (tau w))`` tends to s as tau goes to 0.

    temperature: tau, > 0; 1 is the scale of the noise itself. Low ones have less bias and more
        variance.
    hard: whether to use s forward and dr/dv backward (straight-through); else r both ways, and
        spikes are no longer 0 or 1.

    Source: the binary concrete distribution, Maddison, Mnih & Teh 2017 (arXiv:1611.00712, appendix
    B); straight-through Gumbel-softmax, Jang, Gu & Poole 2017 (arXiv:1611.01144, section 2.2).
    """

    temperature: float = 1.0
    hard: bool = True
    name: ClassVar[str] = "concrete"

    def __post_init__(self) -> None:
        if number("Concrete.temperature", self.temperature, 0.0) == 0:
            raise ArgumentError("Concrete.temperature", "must not be 0", got=0, limit="> 0")

    @property
    def is_hard(self) -> bool:
        return self.hard

    def __call__(self, v: Tensor, threshold: Tensor, width: Tensor, noise: Tensor | None) -> Tensor:
        if self.hard:
            return super().__call__(v, threshold, width, noise)
        return self._relaxed((v if noise is None else v + noise) - threshold, width)

    def _relaxed(self, margin: Tensor, width: Tensor) -> Tensor:
        """Return the relaxed spike ``sigmoid(m / (tau w))``."""
        return torch.sigmoid(margin / (self.temperature * width))

    def _slope(self, v: Tensor, margin: Tensor, threshold: Tensor, width: Tensor) -> Tensor:
        r = self._relaxed(margin, width)
        return r * (1.0 - r) / (self.temperature * width)


@dataclass(frozen=True)
class Slope(Estimator):
    """Pass gradients straight through by the slope of the escape probability, ``p (1 - p) / w``.

    The noise decides the spike but isn't in its derivative ``dp/dv``, which has less noise than
    that of a `Concrete` spike of about the same bias. Source: Bengio, Leonard & Courville 2013
    (arXiv:1308.3432, section 4, the straight-through estimator times the derivative of the
    sigmoid); as a surrogate gradient of deterministic neurons Neftci, Mostafa & Zenke 2019
    (arXiv:1901.09948).
    """

    name: ClassVar[str] = "slope"

    def _slope(self, v: Tensor, margin: Tensor, threshold: Tensor, width: Tensor) -> Tensor:
        p = torch.sigmoid((v - threshold) / width)
        return p * (1.0 - p) / width


@dataclass(frozen=True)
class Score(Estimator):
    """Give spikes no derivative: learn by the score function, ``E[R grad log P(raster)]``.

    This has no bias. The log-probability is
    `neurorl.backends.torch.SpikingModule.log_prob`. Source: REINFORCE, Williams 1992 (doi
    10.1007/BF00992696).
    """

    name: ClassVar[str] = "score"

    def _slope(self, v: Tensor, margin: Tensor, threshold: Tensor, width: Tensor) -> None:
        return None


ESTIMATORS: dict[str, type[Estimator]] = {e.name: e for e in (Concrete, Score, Slope)}


def estimator(name: str, **options: Any) -> Estimator:
    """Return the estimator of this name; options are its fields. Raises UnknownNameError.

    >>> estimator("concrete", temperature=0.5)
    Concrete(temperature=0.5, hard=True)
    """
    check_name("estimator", name, ESTIMATORS)
    return ESTIMATORS[name](**options)
