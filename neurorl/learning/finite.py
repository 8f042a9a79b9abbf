"""Report infinities and NaN, from which nothing is learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neurorl.errors import (
    ArgumentError,
    DivergenceError,
    EnvError,
    NeurorlError,
    format_message,
    quoted,
)
from neurorl.numerics.arrays import Array, BoolArray, FloatArray
from neurorl.rules.decision import Decision, Factors

LARGEST_FACTOR = 2.0**40
"""Bound a post factor, so that no sum of such is too large for float32."""

_FINITE = "finite numbers"
_REPAIR = "nothing is learned from it; repair the environment"
_LOWER = "lower the agent's step sizes (alpha_..., by gradients learning_rate), or its reward_scale"


class NotFiniteError(ArgumentError):
    """Tell which agent met a number that isn't finite; its caller knows what that agent does.

    replica: the agent's number. seen: a number of its observation that isn't finite; None if that
    is all right, but what it would learn isn't finite. factor: where a post factor is that isn't.
    """

    def __init__(self, replica: int, seen: float | None, factor: str | None = None) -> None:
        what = "learning" if seen is None else "observation"
        super().__init__(format_message(factor or what, "is not finite", got=seen, limit=_FINITE))
        self.replica, self.seen, self.factor = replica, seen, factor


def explained(where: str, exc: NotFiniteError) -> NeurorlError:
    """Return the error for the user. where: which agent and when."""
    if exc.factor is not None:
        what = f"the post factor of {exc.factor} is not finite, or beyond 2**40"
        return DivergenceError(where, what, remedy="guard what the rule divides by")
    if exc.seen is None:
        return DivergenceError(where, "what is learned is not finite", remedy=_LOWER)
    what = "the observation is not finite"
    return EnvError(where, what, got=exc.seen, limit=_FINITE, remedy=_REPAIR)


def bad_reward(where: str, reward: float, scale: float = 1.0) -> EnvError:
    """Return the error for a reward that isn't finite, or isn't when multiplied by *scale*."""
    scaled = f" times reward_scale {scale:g}" if np.isfinite(reward) else ""
    what = f"the reward{scaled} is not finite"
    return EnvError(where, what, got=reward, limit=_FINITE, remedy=_REPAIR)


def bad_sum(where: str, total: float) -> EnvError:
    """Return the error for an episode whose rewards are finite, but not their sum."""
    what = "the sum of the episode's rewards is not finite"
    return EnvError(where, what, got=total, limit=_FINITE, remedy="scale the rewards down")


def first_not_finite(numbers: FloatArray) -> float | None:
    """Return the first of *numbers* that is infinite or NaN."""
    odd = numbers[~np.isfinite(numbers)]
    return float(odd[0]) if odd.size else None


def are_no_factors(f: FloatArray) -> BoolArray:
    """Return which numbers can't be post factors: those not finite or beyond `LARGEST_FACTOR`."""
    return np.asarray(~(np.abs(f) <= LARGEST_FACTOR))


def check_factors(rule: str, factors: Mapping[str, FloatArray], replica: int) -> None:
    """Raise NotFiniteError if a post factor isn't finite, or beyond `LARGEST_FACTOR`.

    factors: ``(W, n)`` by population.
    """
    for name, f in factors.items():
        odd = are_no_factors(f)
        if odd.any():
            step, neuron = (int(i) for i in np.argwhere(odd)[0])
            place = f"rule {rule!r}, {name}, step {step}, neuron {neuron}"
            raise NotFiniteError(replica, None, place)


def check_shapes(rule: str, factors: Any, decision: Decision) -> Factors:
    """Return what a user's function of post factors answered.

    Raises ArgumentError unless there are as many as neurons and steps, of each layer.
    """
    where, limit = f"rule {rule!r}, post_factors", "neurorl.rules.decision.Factors"
    if not isinstance(factors, Factors):
        raise ArgumentError(where, "answers no factors", got=quoted(factors), limit=limit)
    layers: list[tuple[str, Any, Any]] = [("output", factors.output, decision.output)]
    for n, hidden in enumerate(decision.hidden):
        of_layer = factors.hidden[n] if n < len(factors.hidden) else None
        layers.append((f"hidden[{n}]", of_layer, hidden.spikes))
    for name, answer, spikes in layers:
        values = np.asarray(answer)
        if values.dtype.kind not in "biuf" or values.shape != spikes.shape:
            what, got = f"answers another array for {name}", f"{values.dtype} {values.shape}"
            raise ArgumentError(where, what, got=got, limit=f"numbers {spikes.shape}")
    return factors


def check_learned(where: str, arrays: Mapping[str, Array]) -> None:
    """Raise DivergenceError if an array of what was learned isn't finite."""
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise DivergenceError(where, f"{name} is not finite", remedy=_LOWER)
