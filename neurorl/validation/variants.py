"""Describe variants of the described step: what one population does if something is other.

Everything that a hypothesis may change is a field of `Variant`; the default of each is what the
description says. `neurorl.validation.evidence` predicts a history with it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from neurorl.backends.base import Raster
from neurorl.network.description import Projection
from neurorl.validation.history import History
from neurorl.validation.observed import Array, Observed

__all__ = ["PLAIN", "Array", "Variant", "changed", "latest"]


def _same(x: Any) -> Any:
    return x


def _unchanged(_: str, weights: Array) -> Array:
    return weights


def arrivals(evidence: Observed, projection: Projection) -> Raster:
    """Return spikes that arrive in each step, as described."""
    return evidence.arrived(projection.pre, evidence.network.delay_steps(projection.name))


def latest(history: History, name: str, call: int) -> int:
    """Return the number of the weights that the last write before a call brought."""
    return history.version(name, history.calls[call].writes)


def described_weights(history: History, name: str, version: int) -> Array:
    """Return those that should be in force."""
    return history.versions[name][version]


def described_draws(evidence: Observed) -> Array:
    """Return the noise of each step, ``(steps, size)``."""
    return evidence.draws(evidence.t)


def silence_after_reset(evidence: Observed, variable: str, before: Array) -> Array:
    """Return the state from which each call starts, ``(calls, size)``: 0 after a reset."""
    return np.where(evidence.fresh[:, None], 0, before)


def as_it_ends(evidence: Observed, variable: str, after: Array) -> Array:
    """Return the state that is seen after each call, ``(calls, size)``: that of its last step."""
    return after


@dataclass(frozen=True)
class Variant:
    """Says what is other than described; by default nothing.

    cause: a word for it. detail: a sentence. freedom: how much of it was fitted to the backend: 0
    nothing, 1 a number, 2 numbers of each neuron, 4 of each synapse.
    parameters: of the neurons. mixins: classes before theirs. bias: what becomes of it.
    arrivals: spikes of a projection that arrive in each step. version: number of the weights in
    force, of those of the history; bias_version: of those in the bias of signed projections;
    late_by: steps by which both come later.
    values: these weights. weights: what they become, for transmission and bias; transmit: what a
    spike transmits. draws: noise of each step. start, finish: of each variable before each call
    and after it.
    """

    cause: str
    detail: str
    parameters: Callable[[Any], Any] = _same
    mixins: tuple[type, ...] = ()
    bias: Callable[[Array], Array] = _same
    arrivals: Callable[[Observed, Projection], Raster] = arrivals
    version: Callable[[History, str, int], int] = latest
    bias_version: Callable[[History, str, int], int] = latest
    values: Callable[[History, str, int], Array] = described_weights
    weights: Callable[[str, Array], Array] = _unchanged
    transmit: Callable[[str, Array], Array] = _unchanged
    draws: Callable[[Observed], Array] = described_draws
    start: Callable[[Observed, str, Array], Array] = silence_after_reset
    finish: Callable[[Observed, str, Array], Array] = as_it_ends
    late_by: int = 0
    freedom: int = 0


def changed(cause: str, mixin: Any, freedom: int = 0) -> Variant:
    """Return the variant of a mixin of `neurorl.validation.hypotheses.neurons`."""
    return Variant(cause, mixin.detail, mixins=(mixin,), freedom=freedom)


PLAIN = Variant("", "")
"""The description itself."""
