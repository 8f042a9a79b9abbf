"""Turn activations of cells into input spikes, or into currents."""

from __future__ import annotations

import abc
import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from neurorl.models.agent.answers import Check, array, refused, whole_number
from neurorl.models.agent.parts import Part, Registry
from neurorl.network.description import CURRENT_GRID
from neurorl.network.serialization import Share, flag, number
from neurorl.numerics.arrays import Array, BoolArray, FloatArray

__all__ = [
    "ENCODERS",
    "Bernoulli",
    "Current",
    "Encoder",
    "Once",
    "Quiet",
    "bernoulli_spikes",
    "constant_currents",
    "quiet_spikes",
]


def _input(
    where: str, answer: object, encoder: Encoder, activation: FloatArray, u: FloatArray, window: int
) -> Array:
    """Return currents in [0, 1], or a raster of truth values, which may be the numbers 0 and 1."""
    if encoder.flows:
        return array(where, answer, activation.shape, 0.0, 1.0)
    raster = array(where, answer, (window, *activation.shape), 0.0, 1.0)
    spikes = raster.astype(np.bool_)
    if not np.array_equal(spikes, raster):
        got = raster[spikes != raster].flat[0]
        raise refused(where, "answers a part of a spike", got, "True or False", "draw by u")
    return spikes


@dataclass(frozen=True, eq=False)
class Encoder(Part, abc.ABC):
    """Turn the activations of cells into the input of a window; derive encoders from this class.

    peak: factor of all activations, in [0, 1].
    flows: whether it gives currents, constant over a window, instead of spikes.
    """

    answers: ClassVar[Mapping[str, Check]] = {"encode": _input, "draws": whole_number(0)}
    attributes: ClassVar[Mapping[str, Check]] = {
        "flows": flag,
        "peak": functools.partial(number, low=0.0, high=1.0),
    }
    flows: ClassVar[bool] = False
    _place = "agent.encoder"

    peak: Share = 1.0

    @property
    def source_kind(self) -> str:
        """Name the kind of source that it feeds."""
        return "current" if self.flows else "spikes"

    @abc.abstractmethod
    def draws(self, window: int) -> int:
        """Return how many uniform draws each cell needs in a window of so many steps."""

    @abc.abstractmethod
    def encode(self, activation: FloatArray, u: FloatArray, window: int) -> Array:
        """Return the spikes of a window, bool ``(window, n)``, or currents ``(n,)`` if it *flows*.

        activation: ``(n,)`` in [0, peak]. u: ``(draws(window), n)`` in (0, 1), drawn anew for each
        decision from the agent's seed and the number of the decision alone.
        """


@dataclass(frozen=True, eq=False)
class Quiet(Encoder, called="quiet", kernel="quiet"):
    """Spike at regular intervals from a random phase: no sampling noise enters with the input."""

    def draws(self, window: int) -> int:
        return 1

    def encode(self, activation: FloatArray, u: FloatArray, window: int) -> Array:
        return quiet_spikes(activation, u[0], window)


@dataclass(frozen=True, eq=False)
class Bernoulli(Encoder, called="bernoulli", kernel="bernoulli"):
    """Spike in every step with the activation as the probability."""

    def draws(self, window: int) -> int:
        return window

    def encode(self, activation: FloatArray, u: FloatArray, window: int) -> Array:
        return bernoulli_spikes(activation, u)


@dataclass(frozen=True, eq=False)
class Once(Encoder, called="once", kernel="once"):
    """Spike in the window's first step alone, with the activation as the probability.

    A cell of 1 spikes surely, so that an image of ones and zeros enters as it is.
    """

    def draws(self, window: int) -> int:
        return 1

    def encode(self, activation: FloatArray, u: FloatArray, window: int) -> Array:
        raster = np.zeros((window, len(activation)), dtype=np.bool_)
        raster[0] = u[0] < activation
        return raster


@dataclass(frozen=True, eq=False)
class Current(Encoder, called="current", kernel="current"):
    """Let the activation flow into neurons as a part of their bias, for the whole window.

    A `description`'s source ``input`` is then of the kind ``'current'``.
    """

    flows: ClassVar[bool] = True

    def draws(self, window: int) -> int:
        return 0

    def encode(self, activation: FloatArray, u: FloatArray, window: int) -> Array:
        return constant_currents(activation)


ENCODERS = Registry("encoder", Encoder, Quiet, Bernoulli, Current, Once)  # type: ignore[type-abstract]
"""Map the name of each encoder to its class; ``ENCODERS.register`` adds one."""


def constant_currents(activation: FloatArray) -> FloatArray:
    """Return ``rint(256 x) / 256``, the current from each cell in every step of a window.

    activation: ``(n,)`` in [0, 1]. The host multiplies it by the weights and adds the product to
    the neurons' biases, once for a window; nothing is sampled, and no spike enters the network.
    """
    return np.asarray(np.rint(activation * (1.0 / CURRENT_GRID)) * CURRENT_GRID)


def quiet_spikes(activation: FloatArray, phase: FloatArray, n_steps: int) -> BoolArray:
    """Accumulate and fire: ``phase += x`` in every step, a spike and -1 whenever it reaches 1.

    activation: ``(..., n)`` in [0, 1]; a cell of 1 spikes in every step, one of 0 never.
    phase: the same in (0, 1), where the accumulators start. Returns rasters ``(n_steps, ..., n)``.
    A cell spikes ``n_steps x`` times to within one: no sampling noise enters with the input.
    """
    kind = np.result_type(activation, phase)
    steps = np.arange(n_steps + 1, dtype=kind).reshape(-1, *[1] * activation.ndim)
    # Products, not a running sum, whose rounding errors would add up.
    level = np.floor(phase + steps * activation)
    return np.asarray(level[1:] > level[:-1])


def bernoulli_spikes(activation: FloatArray, u: FloatArray) -> BoolArray:
    """Spike with probability x in every step: ``u < x``.

    activation: ``(..., n)`` in [0, 1]. u: draws in (0, 1), of the rasters' shape, with the steps
    first.
    """
    return np.asarray(u < activation)
