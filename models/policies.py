"""From votes to an action."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neurorl.errors import DescriptionError, say
from neurorl.network.serialization import FloatArray
from neurorl.numerics.elementary import exp

__all__ = ["POLICIES", "check_exploration", "choose", "greedy", "softmax", "votes"]

POLICIES = ("softmax", "greedy")


def check_exploration(policy: str, exploration: float) -> None:
    """Raise DescriptionError for a share of even actions that a policy would not take."""
    if policy == "greedy" and exploration > 0:
        what, remedy = "is for policy 'softmax'", "exploration=0, or policy 'softmax'"
        raise DescriptionError(say("agent.exploration", what, got=exploration, remedy=remedy))


def votes(output: npt.NDArray[np.bool_], n_actions: int, first_step: int) -> FloatArray:
    """Spikes of each action's modules over all actors, from *first_step* on: ``(n_actions,)``.

    output: raster ``(W, actors * n_actions)``, actors in the outer order.
    """
    counts = output[first_step:].sum(axis=0).reshape(-1, n_actions).sum(axis=0)
    return np.asarray(counts, dtype=np.float64)


def softmax(n: FloatArray, beta: float, exploration: float = 0.0) -> FloatArray:
    """``pi_m = (1 - exploration) exp(beta n_m) / sum + exploration / A``, shape ``(A,)`` of *n*."""
    z = exp(beta * (n - n.max()))
    share = exploration / len(n)
    return np.asarray((1.0 - exploration) * (z / np.add.accumulate(z)[-1]) + share)


def greedy(n: FloatArray) -> FloatArray:
    """All probability on the most votes, shared evenly by ties."""
    best = n == n.max()
    return np.asarray(best / best.sum())


def choose(policy: FloatArray, u: float) -> int:
    """The action at *u* in (0, 1) of the cumulated policy."""
    return min(int(np.searchsorted(np.add.accumulate(policy), u)), len(policy) - 1)
