"""Report infinities and NaN, from which nothing is learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.errors import ArgumentError, DivergenceError, EnvError, NeurorlError, say

__all__ = [
    "NotFiniteError",
    "bad_reward",
    "bad_sum",
    "check_learned",
    "explained",
    "first_not_finite",
]

_FINITE = "finite numbers"
_REPAIR = "nothing is learned from it; repair the environment"
_LOWER = "lower the agent's step sizes (alpha_...), or its reward_scale"


class NotFiniteError(ArgumentError):
    """Tell which agent met a number that isn't finite; its caller knows what that agent does.

    replica: the agent's number. seen: a number of its observation that isn't finite; None if that
    is all right, but what it would learn isn't finite.
    """

    def __init__(self, replica: int, seen: float | None) -> None:
        what = "learning" if seen is None else "observation"
        super().__init__(say(what, "is not finite", got=seen, limit=_FINITE))
        self.replica, self.seen = replica, seen


def explained(where: str, exc: NotFiniteError) -> NeurorlError:
    """Return the error for the user. where: which agent and when."""
    if exc.seen is None:
        return DivergenceError(say(where, "what is learned is not finite", remedy=_LOWER))
    what = "the observation is not finite"
    return EnvError(say(where, what, got=exc.seen, limit=_FINITE, remedy=_REPAIR))


def bad_reward(where: str, reward: float, scale: float = 1.0) -> EnvError:
    """Return the error for a reward that isn't finite, or isn't when multiplied by *scale*."""
    scaled = f" times reward_scale {scale:g}" if np.isfinite(reward) else ""
    what = f"the reward{scaled} is not finite"
    return EnvError(say(where, what, got=reward, limit=_FINITE, remedy=_REPAIR))


def bad_sum(where: str, total: float) -> EnvError:
    """Return the error for an episode whose rewards are finite, but not their sum."""
    what = "the sum of the episode's rewards is not finite"
    return EnvError(say(where, what, got=total, limit=_FINITE, remedy="scale the rewards down"))


def first_not_finite(numbers: npt.NDArray[np.float64]) -> float | None:
    """Return the first of *numbers* that is infinite or NaN."""
    odd = numbers[~np.isfinite(numbers)]
    return float(odd[0]) if odd.size else None


def check_learned(where: str, arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Raise DivergenceError if an array of what was learned isn't finite."""
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise DivergenceError(say(where, f"{name} is not finite", remedy=_LOWER))
