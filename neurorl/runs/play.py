"""Play the episodes of an evaluation, one after the other or side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from neurorl.agents.base import LearningAgent
from neurorl.agents.player import Player
from neurorl.errors import EnvironmentWarning, format_message, warn_outside
from neurorl.learning.finite import NotFiniteError, bad_reward, bad_sum, explained
from neurorl.runs.cost import Tally
from neurorl.tasks.actions import MASK
from neurorl.tasks.groups import SeparateEnvs

LONG = 100_000
"""Warn after this many steps of one episode that it may have no end."""


@dataclass(slots=True)
class _Episode:
    """Hold an episode so far; has_masks: whether its environment gives action masks."""

    number: int
    has_masks: bool
    step: int = 0
    total: float = 0.0
    discounted: float = 0.0
    factor: float = 1.0

    def __str__(self) -> str:
        """Return episode and step for an error; step 0 is the reset."""
        return f"evaluation, episode {self.number}, step {self.step}"

    def add(self, reward: float, gamma: float) -> None:
        """Add a step. Raises EnvError for a reward that isn't finite."""
        if not math.isfinite(reward):
            raise bad_reward(str(self), reward)
        self.total += reward
        self.discounted += self.factor * reward
        self.factor *= gamma


@dataclass
class Play:
    """Play an agent's episodes, each on the first free replica.

    envs, player: as many environments as the player has replicas. tally: counts decisions. seeds:
    seed of the environment for each episode. is_by_number: whether draws follow from the episode's
    number; if not, one stream goes through the episodes of the only replica.
    """

    agent: LearningAgent
    envs: SeparateEnvs
    player: Player
    tally: Tally
    seeds: Sequence[int]
    is_by_number: bool
    _running: dict[int, _Episode] = field(default_factory=dict)  # by replica
    _begun: int = 0

    def scores(self, callback: Callable[[int, float], None] | None) -> list[tuple[float, float]]:
        """Return the return of each episode, and the discounted one.

        callback: called with number and return of an episode once all earlier ones have ended.
        Raises EnvError for a return that isn't finite.
        """
        over: dict[int, tuple[float, float]] = {}
        told, running = 0, self._running
        for k in range(self.envs.n):
            self._begin_next(k)
        while running:
            for k, last in self._step():
                if not math.isfinite(last.total):
                    raise bad_sum(str(last), last.total)
                over[last.number] = last.total, last.discounted
                while told in over:
                    if callback is not None:
                        callback(told, over[told][0])
                    told += 1
                self._begin_next(k)
        return [over[number] for number in range(len(over))]

    def _begin_next(self, k: int) -> None:
        """Begin the next episode on replica k, or let it rest if none is left."""
        self._running.pop(k, None)
        number, player = self._begun, self.player
        if number == len(self.seeds):
            player.rest(k)
            return
        self._begun += 1
        observation = self.envs.reset(k, self.seeds[number])
        if self.is_by_number:
            player.begin_episode(k, number)
        else:
            player.begin(k)
        mask = self.envs.info(k).get(MASK)
        episode = self._running[k] = _Episode(number, mask is not None and self.agent.is_masked)
        player.see(k, observation, mask if episode.has_masks else None)

    def _step(self) -> list[tuple[int, _Episode]]:
        """Step all replicas that play; return the replicas and episodes that ended."""
        player, running, config = self.player, self._running, self.agent.config
        try:
            chosen = player.decide()
        except NotFiniteError as exc:
            raise explained(str(running[exc.replica]), exc) from exc
        playing, ended = list(running), []
        answers = self.envs.step(chosen, playing)
        for k, observation, reward, terminated, truncated, info in answers:
            episode = running[k]
            episode.step += 1
            if episode.step == LONG:
                self._warn_of_long()
            episode.add(float(reward), config.gamma)
            if terminated or truncated:
                ended.append((k, episode))
                continue
            mask = info.get(MASK) if episode.has_masks and isinstance(info, Mapping) else None
            player.see(k, observation, mask)
        replicas = playing if self.is_by_number else None
        self.tally.add({**player.inputs, **player.rasters}, config.window, replicas)
        return ended

    def _warn_of_long(self) -> None:
        what, remedy = f"has lasted {LONG} steps", "wrap it in gymnasium.wrappers.TimeLimit"
        message = format_message(f"{self.envs.where}, an episode", what, remedy=remedy)
        warn_outside(message, EnvironmentWarning)
