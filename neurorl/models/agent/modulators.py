"""Make the third factor, by which the change of every eligible weight is multiplied."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, ClassVar

from neurorl.models.agent.answers import Check, finite_number
from neurorl.models.agent.parts import Part, Registry
from neurorl.network.serialization import Share, flag, number
from neurorl.numerics.arrays import FloatArray


def _signal(where: str, answer: Any, _: object, reward: float, *others: Any) -> Any:
    """Return a modulator, which must be finite if reward and TD error are."""
    error = others[0] if len(others) > 1 else 0.0
    is_lost = not (isfinite(reward) and isfinite(error))
    return answer if is_lost else finite_number(where, answer)


def _limit(where: str, value: object) -> None:
    if value is not None:
        number(where, value, 0.0)


@dataclass(frozen=True, eq=False)
class Modulator(Part, abc.ABC):
    """Compute the third factor of learning; derive modulators from this class.

    limit: for the actor, the modulator is clipped to +-limit; None doesn't clip. Else one rare
        reward far above the usual error could decide the policy.
    is_td_error: whether it is the critic's TD error, as some rules and every spiking critic need.
    needs_critic: whether it reads the TD error; if not, no critic is computed. needs_linear:
        whether it needs a linear critic, which is trained on the rewards that `heard` returns.
    """

    answers: ClassVar[Mapping[str, Check]] = {"signal": _signal, "heard": _signal}
    attributes: ClassVar[Mapping[str, Check]] = {
        "limit": _limit,
        **dict.fromkeys(("is_td_error", "needs_critic", "needs_linear"), flag),
    }
    is_td_error: ClassVar[bool] = False
    needs_critic: ClassVar[bool] = True
    needs_linear: ClassVar[bool] = False

    _place = "agent.modulator"

    limit: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        _limit("agent.modulator.limit", self.limit)

    def heard(self, reward: float, mean: FloatArray) -> float:
        """Return the scaled reward that trains a linear critic; mean: as in `signal`."""
        return reward

    @abc.abstractmethod
    def signal(self, reward: float, td_error: float, mean: FloatArray, step: float) -> float:
        """Return the modulator of a decision.

        reward: the scaled reward after it. td_error: error of the linear critic, which learns from
        it; 0 unless *needs_critic*. mean: one number, ``(1,)``, initially 0, that this method may
        change and that checkpoints store. step: the critic's step size.
        """


@dataclass(frozen=True, eq=False)
class TDError(Modulator, called="td-error", kernel="td-error"):
    """Compare the reward with what the critic expected: ``r + gamma V(next) - V``."""

    is_td_error: ClassVar[bool] = True

    def signal(self, reward: float, td_error: float, mean: FloatArray, step: float) -> float:
        return td_error


@dataclass(frozen=True, eq=False)
class Reward(Modulator, called="reward", kernel="reward"):
    """Compare the reward with its mean in all states: ``M = r - m``, ``m <- m + step M``."""

    needs_critic: ClassVar[bool] = False

    def signal(self, reward: float, td_error: float, mean: FloatArray, step: float) -> float:
        surprise = reward - float(mean[0])
        mean[0] += step * surprise
        return surprise


@dataclass(frozen=True, eq=False)
class DifferentialTD(Modulator, called="differential-td"):
    """Compute the TD error of rewards less their running mean.

    ``M = r - m + gamma V(next) - V`` also trains the critic, and ``m <- m + mean_rate M``. With
    ``gamma=1`` values are differences to the average reward, and no future is discounted; with
    ``gamma < 1`` rewards are centred, so values stay near 0 for any horizon. A terminal state
    is worth 0, the average, so this is for tasks without one. Runs in the NumPy loop.

    mean_rate: step size of m.
    Source: Sutton & Barto 2018, section 10.3, differential semi-gradient TD.
    """

    is_td_error: ClassVar[bool] = True
    needs_linear: ClassVar[bool] = True

    mean_rate: Share = 0.01

    def heard(self, reward: float, mean: FloatArray) -> float:
        return reward - float(mean[0])

    def signal(self, reward: float, td_error: float, mean: FloatArray, step: float) -> float:
        mean[0] += self.mean_rate * td_error
        return td_error


MODULATORS = Registry("modulator", Modulator, TDError, Reward, DifferentialTD)  # type: ignore[type-abstract]
"""Map the name of each modulator to its class; ``MODULATORS.register`` adds one."""
