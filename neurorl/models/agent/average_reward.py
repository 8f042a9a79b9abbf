"""Learn from the difference to the average reward, for tasks without an end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from neurorl.models.agent.modulators import Modulator
from neurorl.network.serialization import number
from neurorl.numerics.arrays import FloatArray

__all__ = ["DifferentialTD"]


@dataclass(frozen=True, eq=False)
class DifferentialTD(Modulator):
    """Compute the TD error of rewards less their running mean.

    ``M = r - m + gamma V(next) - V`` also trains the critic, and ``m <- m + mean_rate M``. With
    ``gamma=1`` values are differences to the average reward, and no future is discounted; with
    ``gamma < 1`` rewards are centred, so values stay near 0 for any horizon. A terminal state
    is worth 0, the average, so this is for tasks without one. Runs in the NumPy loop.

    mean_rate: step size of m.
    Source: Sutton & Barto 2018, section 10.3, differential semi-gradient TD.
    """

    name: ClassVar[str] = "differential-td"
    kernel: ClassVar[str | None] = None
    is_td_error: ClassVar[bool] = True
    needs_linear: ClassVar[bool] = True

    mean_rate: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        number("agent.modulator.mean_rate", self.mean_rate, 0.0, 1.0)

    def heard(self, reward: float, mean: FloatArray) -> float:
        return reward - float(mean[0])

    def signal(self, reward: float, td_error: float, mean: FloatArray, step: float) -> float:
        mean[0] += self.mean_rate * td_error
        return td_error
