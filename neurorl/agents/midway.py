"""Agents in the midst of an episode: where they are in it, as arrays, and back where they were."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.agents.budget import LONG_EPISODE
from neurorl.agents.running import Running, not_repeatable, read_running, take_up
from neurorl.learning.loops.base import Loop
from neurorl.network.restoring import take
from neurorl.tasks.groups import EnvGroup

__all__ = ["Unfinished"]

Arrays = dict[str, npt.NDArray[Any]]


class Unfinished:
    """The episodes that agents are in.

    running: by agent; one that is in none is left out. Of some, the environment may be elsewhere:
    those of a process before this one, or of which somebody else has used the environment.
    """

    def __init__(self, envs: EnvGroup, loop: Loop, gamma: float) -> None:
        self.running: dict[int, Running] = {}
        self._envs, self._loop, self._gamma = envs, loop, gamma
        self._elsewhere: set[int] = set()
        self._told_of_length: set[int] = set()

    def length(self, k: int) -> int:
        """Steps of the episode that agent k is in, or 0."""
        return len(self.running[k].actions) if k in self.running else 0

    def forget(self, k: int) -> None:
        """Agent k is in no episode any more."""
        self.running.pop(k, None)
        self._elsewhere.discard(k)

    def leave(self, k: int) -> None:
        """Somebody else will use agent k's environment."""
        if k in self.running:
            self._elsewhere.add(k)

    def too_long(self, k: int) -> bool:
        """Whether the episode of agent k goes on for very long; true once for each agent."""
        if self.length(k) < LONG_EPISODE or k in self._told_of_length:
            return False
        self._told_of_length.add(k)
        return True

    def arrays(self, k: int) -> Arrays:
        """All that agent k keeps between two steps of an episode, and not between two episodes."""
        if k not in self.running or self.running[k].is_over:
            return {}
        loop = self._loop
        seen = {f"seen.{n}": numbers.copy() for n, numbers in enumerate(loop.seen(k))}
        told = {"reward": np.array(loop.reward[k]), "discount": np.array(loop.discount[k])}
        return {**self.running[k].arrays(), **loop.memory.of(k).passing(), **seen, **told}

    def restore(self, k: int, number: int, arrays: Arrays) -> None:
        """Bring agent k back to `arrays`, in the episode of this number.

        Raises RunError if they don't fit.
        """
        loop = self._loop
        running = read_running(number, arrays, loop.n_actions)
        loop.memory.of(k).restore_passing(arrays)
        for n, numbers in enumerate(loop.seen(k)):
            numbers[...] = take(arrays, f"seen.{n}", numbers.shape)
        loop.reward[k] = float(take(arrays, "reward", ()))
        loop.discount[k] = float(take(arrays, "discount", (), low=0.0, high=1.0))
        self.running[k] = running
        self._elsewhere.add(k)

    def take_up(self, playing: Collection[int], seeds: Mapping[int, int]) -> None:
        """Bring environments to where the episodes of agents that are to play are.

        seeds: of their resets. Raises RunError if an environment answers otherwise than before.
        """
        mine = self.running.keys() & set(playing)
        elsewhere = self._elsewhere & mine
        if self._envs.together and elsewhere:
            elsewhere = mine  # as all of them are stepped
        if elsewhere:
            self._play_again({k: seeds[k] for k in sorted(elsewhere)})
        self._elsewhere -= elsewhere

    def _play_again(self, seeds: Mapping[int, int]) -> None:
        """Up to where the episodes were; nothing is decided or learned."""
        loop = self._loop
        before = {k: [numbers.copy() for numbers in loop.seen(k)] for k in seeds}
        again = {k: Running(0) for k in seeds}
        actions = {k: (seed, self.running[k].actions) for k, seed in seeds.items()}
        try:
            for k, observation, reward in take_up(self._envs, actions):
                if reward is None:
                    loop.see_first(k, observation)
                else:
                    loop.see(k, observation)
                    again[k].add(0, reward, self._gamma)
                again[k].see(*loop.seen(k))
            for k, shown in before.items():
                alike = [np.array_equal(a, b) for a, b in zip(loop.seen(k), shown, strict=True)]
                if not again[k].is_like(self.running[k]) or not all(alike):
                    raise not_repeatable(f"the environment of agent {k}")
        finally:
            for k, shown in before.items():
                for numbers, kept in zip(loop.seen(k), shown, strict=True):
                    numbers[...] = kept
