"""Change the step sizes of learning from episode to episode."""

from __future__ import annotations

import abc
from dataclasses import dataclass
from typing import ClassVar

from neurorl.models.parts import Part, Registry
from neurorl.network.serialization import number, positive

__all__ = ["SCHEDULES", "LinearFall", "Schedule"]


@dataclass(frozen=True, eq=False)
class Schedule(Part, abc.ABC):
    """Return a rate that multiplies all step sizes of an episode, the critic's too."""

    @abc.abstractmethod
    def rate(self, episode: int) -> float:
        """Return the factor for an episode, counted from 0: finite, at least 0."""


@dataclass(frozen=True, eq=False)
class LinearFall(Schedule):
    """Fall from 1 to *end* over the first *episodes* episodes, then stay there."""

    name: ClassVar[str] = "linear"

    end: float = 1.0
    episodes: int = 1

    def __post_init__(self) -> None:
        number("agent.rate_end", self.end, 0.0, 1.0)
        positive("agent.rate_episodes", self.episodes)

    def rate(self, episode: int) -> float:
        return 1.0 - (1.0 - self.end) * min(1.0, episode / self.episodes)


SCHEDULES: Registry[Schedule] = Registry(
    "schedule",
    Schedule,  # type: ignore[type-abstract]
    LinearFall,
    options={"rate_end": "end", "rate_episodes": "episodes"},
    compiled=False,
)
"""Map the name of each schedule to its class; ``SCHEDULES.register`` adds one."""
