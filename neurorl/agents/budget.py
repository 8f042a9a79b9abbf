"""Say how long agents train: until a total of episodes or environment steps, or until Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from neurorl.errors import ArgumentError, ChangeWarning, RunError, quoted, warn_of
from neurorl.storage.plain import check_count

LONG_EPISODE = 100_000
"""Warn after this many steps of one episode that it may have no end."""

TIME_LIMIT = "give the task a time limit (gymnasium.wrappers.TimeLimit), or train by steps"


@dataclass(frozen=True)
class Budget:
    """Say how long to train, by one of the two fields; the other is None."""

    episodes: int | None = None
    steps: int | None = None

    def is_spent(self, episodes: int, steps: int) -> bool:
        """Return whether an agent that has played so much must stop."""
        if self.steps is not None:
            return steps >= self.steps
        assert self.episodes is not None
        return episodes >= self.episodes

    def takes(self, episodes: int) -> bool:
        """Return whether another finished episode counts after so many."""
        return self.episodes is None or episodes < self.episodes

    def steps_left(self, steps: int) -> int:
        """Return after how many more steps to ask again."""
        return LONG_EPISODE if self.steps is None else min(LONG_EPISODE, self.steps - steps)


def joint_budget(budgets: Sequence[Budget]) -> Budget:
    """Return the largest of several budgets. Raises RunError if both kinds occur."""
    episodes = max((b.episodes for b in budgets if b.episodes is not None), default=None)
    steps = max((b.steps for b in budgets if b.steps is not None), default=None)
    if None not in (episodes, steps):
        what = "train for numbers of episodes and of environment steps"
        raise RunError("runs", what, remedy="name --episodes or --steps")
    return Budget(episodes, steps)


def check_budget(where: str, episodes: object, steps: object, least: int = 0) -> Budget:
    """Return the budget of these arguments. Raises ArgumentError unless one is a whole number."""
    if (episodes is None) == (steps is None):
        what = "takes a number of episodes or of environment steps"
        raise ArgumentError(where, what, got="both" if steps is not None else "neither")
    name, number = ("episodes", episodes) if steps is None else ("steps", steps)
    number = check_count(f"{where}, {name}", number, least, 2**53)
    return Budget(number) if steps is None else Budget(None, number)


_told_of_bare = threading.Event()


def warn_of_bare(number: object) -> None:
    """Warn once in a process of a number that `learn` got without a name, which meant episodes."""
    if _told_of_bare.is_set():
        return
    what = "a bare number counts environment steps and adds them"
    got = f"{quoted(number)}; once it was episodes in all"
    remedy = f"total_episodes={quoted(number)} for those"
    warn_of(ChangeWarning, "learn", what, got=got, remedy=remedy)
    _told_of_bare.set()


def warn_of_budget(budget: Budget, episodes: int, steps: int) -> None:
    """Warn of a budget that an agent has spent already.

    episodes, steps: how much it has played.
    """
    kind, asked, done, so_far = "steps", budget.steps, steps, "agent.steps_taken"
    if asked is None:
        kind, asked, done, so_far = "episodes", budget.episodes, episodes, "len(agent.episodes)"
    if asked and budget.is_spent(episodes, steps):
        what = f"trains nothing: the total counts earlier calls, and {done:,} {kind} are done"
        got, remedy = f"total_{kind}={asked}", f"learn(total_{kind}={so_far} + {asked})"
        warn_of(UserWarning, "learn", what, got=got, remedy=remedy)


@dataclass(slots=True)
class Interrupt:
    """Say whether the user has asked to stop."""

    requested: bool = False


def _is_usual(handler: object) -> bool:
    """Return whether Ctrl-C raises KeyboardInterrupt; Brian2's handler calls the previous one."""
    while handler is not None and handler is not signal.default_int_handler:
        handler = getattr(handler, "previous_handler", None)
    return handler is not None


@contextmanager
def held_interrupts() -> Iterator[Interrupt]:
    """Note a Ctrl-C instead of raising KeyboardInterrupt; a second one raises it at once.

    Code inside checks `Interrupt.requested` where it can stop; at the end KeyboardInterrupt is
    raised at the latest. This works only in the main thread and without other handlers of Ctrl-C;
    otherwise nothing is noted.
    """
    interrupt = Interrupt()
    usual = signal.getsignal(signal.SIGINT)
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or not _is_usual(usual):
        yield interrupt
        return

    def note(number: int, frame: FrameType | None) -> None:
        if interrupt.requested:
            signal.default_int_handler(number, frame)
        interrupt.requested = True

    signal.signal(signal.SIGINT, note)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, usual)
    if interrupt.requested:
        raise KeyboardInterrupt
