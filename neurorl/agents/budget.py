"""Say how long agents train: until so many episodes or environment steps in all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from neurorl.errors import ArgumentError, RunError, quoted
from neurorl.plain import plain

__all__ = [
    "LONG_EPISODE",
    "TIME_LIMIT",
    "Budget",
    "check_budget",
    "joint_budget",
]

LONG_EPISODE = 100_000
"""Warn after this many steps of one episode that it may have no end."""

TIME_LIMIT = "give the task a time limit (gymnasium.wrappers.TimeLimit), or train by steps"


@dataclass(frozen=True)
class Budget:
    """Say how long to train: one of the two; the other is None."""

    episodes: int | None = None
    steps: int | None = None

    def is_spent(self, episodes: int, steps: int) -> bool:
        """Return whether an agent that has played so much is to stop."""
        if self.steps is not None:
            return steps >= self.steps
        assert self.episodes is not None
        return episodes >= self.episodes

    def takes(self, episodes: int) -> bool:
        """Return whether one more episode that has ended counts, after so many."""
        return self.episodes is None or episodes < self.episodes

    def steps_left(self, steps: int) -> int:
        """Return after how many more steps to ask again, whatever the episodes do."""
        return LONG_EPISODE if self.steps is None else min(LONG_EPISODE, self.steps - steps)


def joint_budget(budgets: Sequence[Budget]) -> Budget:
    """Return the largest budget of several runs. Raises RunError if they are of both kinds."""
    episodes = max((b.episodes for b in budgets if b.episodes is not None), default=None)
    steps = max((b.steps for b in budgets if b.steps is not None), default=None)
    if None not in (episodes, steps):
        what = "train for numbers of episodes and of environment steps"
        raise RunError("runs", what, remedy="name --episodes or --steps")
    return Budget(episodes, steps)


def check_budget(where: str, episodes: Any, steps: Any, least: int = 0) -> Budget:
    """Return the budget of these arguments. Raises ArgumentError unless one is a whole number."""
    if (episodes is None) == (steps is None):
        what = "takes a number of episodes or of environment steps"
        raise ArgumentError(where, what, got="both" if steps is not None else "neither")
    name, number = ("episodes", episodes) if steps is None else ("steps", steps)
    number = plain(f"{where}, {name}", number)
    if isinstance(number, bool) or not isinstance(number, int):
        raise ArgumentError(where, f"total_{name} is not a whole number", got=quoted(number))
    if not least <= number <= 2**53:
        got, limit = quoted(number), f"{least} to 2**53"
        raise ArgumentError(where, f"{name} out of range", got=got, limit=limit)
    return Budget(int(number)) if steps is None else Budget(None, int(number))
