"""Tell hidden neurons how they bear on what comes above them."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from neurorl.models.agent.answers import Check, like_first
from neurorl.models.agent.parts import Part, Registry
from neurorl.network.serialization import flag
from neurorl.numerics.arrays import Array


@dataclass(frozen=True, eq=False)
class Feedback(Part, abc.ABC):
    """Carry the signals of a layer to the one below; derive kinds of feedback from this class.

    A hidden neuron i hears ``L_i = sum_j B_ij f_j`` of the neurons j of the layer above, of the
    readout the scores of all actions. B are synapses of their own.

    learns: whether B gets the same increments as the forward synapses.
    is_forward: whether the forward weights stand in for B: no synapses of their own.
    """

    answers: ClassVar[Mapping[str, Check]] = {"first": like_first}
    attributes: ClassVar[Mapping[str, Check]] = dict.fromkeys(("learns", "is_forward"), flag)
    learns: ClassVar[bool] = False
    is_forward: ClassVar[bool] = False

    @abc.abstractmethod
    def first(self, draws: Array) -> Array:
        """Return B before learning, ``(n_pre, n_post)``; draws: of that shape, in (0, 1)."""


@dataclass(frozen=True, eq=False)
class Random(Feedback, called="random"):
    """Draw feedback synapses within +-1 / sqrt(n_pre), and leave them so.

    Source: Lillicrap et al. 2016, doi:10.1038/ncomms13276.
    """

    def first(self, draws: Array) -> Array:
        return np.asarray((2.0 * draws - 1.0) / np.sqrt(len(draws)))


@dataclass(frozen=True, eq=False)
class Signs(Random, called="signs"):
    """Draw feedback synapses of +-1 / sqrt(n_pre), and leave them so."""

    def first(self, draws: Array) -> Array:
        return np.asarray(np.where(draws < 0.5, -1.0, 1.0) / np.sqrt(len(draws)))


@dataclass(frozen=True, eq=False)
class Own(Random, called="own"):
    """Draw feedback synapses as `Random`, and let each learn what its forward synapse learns.

    A pair has the same signals before and behind it, so both change by the same, which is local.
    Source: Kolen & Pollack 1994, doi:10.1109/ICNN.1994.374486, without its decay of weights.
    """

    learns: ClassVar[bool] = True


@dataclass(frozen=True, eq=False)
class Symmetric(Random, called="symmetric"):
    """Use the forward weights themselves: backpropagation, as a yardstick; it isn't local."""

    is_forward: ClassVar[bool] = True


FEEDBACKS = Registry("feedback", Feedback, Own, Random, Signs, Symmetric, compiled=False)  # type: ignore[type-abstract]
"""Map the name of each kind of feedback to its class; ``FEEDBACKS.register`` adds one."""
