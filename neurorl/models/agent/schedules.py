"""Change the step sizes of learning from episode to episode."""

from __future__ import annotations

import abc
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from neurorl.models.agent.answers import Check, finite_number
from neurorl.models.agent.parts import Part, Registry
from neurorl.network.serialization import Count, Share

__all__ = ["SCHEDULES", "HarmonicDecay", "LinearFall", "Schedule"]


def _factor(where: str, answer: object, *_: object) -> float:
    return finite_number(where, answer, 0.0)


@dataclass(frozen=True, eq=False)
class Schedule(Part, abc.ABC):
    """Return a rate that multiplies all step sizes of an episode, the critic's too."""

    answers: ClassVar[Mapping[str, Check]] = {"rate": _factor, "rate_after": _factor}
    _place = "agent.schedule"

    @abc.abstractmethod
    def rate(self, episode: int) -> float:
        """Return the factor for an episode, counted from 0: finite, at least 0."""

    def rate_after(self, episode: int, decisions: int) -> float:
        """Return the factor for an episode that begins after so many decisions of the agent.

        It is `rate`, unless a class counts decisions.
        """
        return self.rate(episode)


@dataclass(frozen=True, eq=False)
class LinearFall(Schedule, called="linear"):
    """Fall from 1 to *end* over the first *episodes* episodes, then stay there."""

    end: Share = 1.0
    episodes: Count = 1

    def rate(self, episode: int) -> float:
        return 1.0 - (1.0 - self.end) * min(1.0, episode / self.episodes)


@dataclass(frozen=True, eq=False)
class HarmonicDecay(Schedule, named="Slowing", called="slowing"):
    """Stay at 1 for the agent's first *decisions*, then fall as 1 over their number.

    After twice as many it is a half. Such steps meet the conditions of stochastic approximation
    (Robbins and Monro, 1951). The rate changes between episodes only.
    """

    decisions: Count = 300_000

    def rate(self, episode: int) -> float:
        """Return 1, the rate before any decision."""
        return 1.0

    def rate_after(self, episode: int, decisions: int) -> float:
        return self.decisions / max(self.decisions, decisions)


SCHEDULES = Registry("schedule", Schedule, LinearFall, HarmonicDecay, compiled=False)  # type: ignore[type-abstract]
"""Map the name of each schedule to its class; ``SCHEDULES.register`` adds one."""
