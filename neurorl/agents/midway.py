"""Resume episodes that were cut off: save and restore the agents' places in them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from neurorl.agents.budget import LONG_EPISODE
from neurorl.agents.episodes import (
    UNSEEN,
    Episode,
    OpenEpisode,
    State,
    empty_actions,
    not_repeatable,
    rate_after,
    read_running,
    take_up,
)
from neurorl.learning.finite import NotFiniteError, explained
from neurorl.learning.loops.base import Loop
from neurorl.learning.loops.sight import Sight
from neurorl.models.agent.config import AgentConfig
from neurorl.network.restoring import take, take_count, take_shown
from neurorl.numerics.random import derive_several
from neurorl.storage.plain import Named
from neurorl.tasks.actions import MASK
from neurorl.tasks.groups import EnvGroup

_RESET = 1  # purpose of derived seeds
_AT_ONCE = 32  # how many episodes' seeds are derived together


class OpenEpisodes:
    """Hold the unfinished episodes of agents.

    episodes: finished episodes by agent; the next one's number follows from them. loop: the loop
    they play in. running: unfinished episodes by agent, if any. The environment may be elsewhere,
    if an earlier process played the episode, or if other code has used the environment since.
    """

    def __init__(
        self,
        envs: EnvGroup,
        loop: Loop,
        config: AgentConfig,
        seeds: Sequence[int],
        episodes: Sequence[Sequence[Episode]],
    ) -> None:
        self.running: dict[int, OpenEpisode] = {}
        self._envs, self.loop, self._config = envs, loop, config
        self._seeds, self._episodes = seeds, episodes
        self._elsewhere: set[int] = set()
        self._told_of_length: set[int] = set()
        self._reset_seeds: list[tuple[int, list[int]]] = [(0, []) for _ in seeds]

    def where(self, k: int) -> str:
        """Return agent, episode and step for an error; step 0 is the reset."""
        return f"seed {self._seeds[k]}, episode {len(self._episodes[k])}, step {self.length(k)}"

    def length(self, k: int) -> int:
        """Return the steps of agent k's unfinished episode, or 0."""
        return len(self.running[k].actions) if k in self.running else 0

    def begin(self, k: int) -> None:
        """Begin an episode of agent k, whose environment must be ready.

        Raises NeurorlError if the observation isn't finite.
        """
        loop = self.loop
        actions = empty_actions(loop.n_actions, loop.actions[k])
        running = OpenEpisode(len(self._episodes[k]), actions=actions)
        loop.rate[k] = rate_after(self._episodes[k], self._config.schedule)
        loop.see_first(k, self._envs.reset(k, self._reset_seed(k)))
        running.see(*loop.seen(k))
        self._allow_first(k)
        try:
            loop.begin(k)
        except NotFiniteError as exc:
            raise explained(self.where(k), exc) from exc
        self.running[k] = running

    def allow(self, k: int, info: Named) -> None:
        """Restrict agent k, whose actions are masked, to the actions allowed now."""
        self.loop.restrict(k, info, self.where(k))

    def _allow_first(self, k: int) -> None:
        """Mask agent k's actions if its environment gives a mask.

        An agent that has played without masks, as in older versions, continues without.
        """
        info = self._envs.info(k)
        if self.loop.masked[k] or (MASK in info and not self._episodes[k]):
            self.allow(k, info)

    def break_off(self, playing: Collection[int], exc: BaseException) -> None:
        """Forget the episodes of playing agents, in the middle of a step that has failed.

        Raises a better explained error in place of *exc*, if there is one.
        """
        told = explained(self.where(exc.replica), exc) if isinstance(exc, NotFiniteError) else None
        for k in playing:
            self.forget(k)
        if told is not None:
            raise told from exc

    def forget(self, k: int) -> None:
        """Forget agent k's unfinished episode."""
        self.running.pop(k, None)
        self._elsewhere.discard(k)

    def leave(self, k: int) -> None:
        """Let other code use agent k's environment."""
        if self._envs.resets_itself:  # can't be brought back to this episode
            self.forget(k)
        elif k in self.running:
            self._elsewhere.add(k)

    def too_long(self, k: int) -> bool:
        """Return whether agent k's episode is very long; true only once for each agent."""
        if self.length(k) < LONG_EPISODE or k in self._told_of_length:
            return False
        self._told_of_length.add(k)
        return True

    def arrays(self, k: int) -> State:
        """Return the arrays that agent k keeps between steps, but not between episodes."""
        if k not in self.running or self.running[k].is_over or self._envs.resets_itself:
            return {}
        loop = self.loop
        observed = {f"seen.{n}": numbers.copy() for n, numbers in enumerate(loop.seen(k))}
        told = {"reward": np.array(loop.reward[k]), "discount": np.array(loop.discount[k])}
        masks = {"allowed": loop.allowed[k].copy()} if loop.masked[k] else {}
        passing = loop.memory.of(k).passing()
        return {**self.running[k].arrays(loop.actions[k]), **passing, **observed, **told, **masks}

    def restore(self, k: int, number: int, arrays: State) -> None:
        """Bring agent k back to `arrays`, in episode *number*.

        Raises RunError if they don't fit.
        """
        loop = self.loop
        running = read_running(number, arrays, loop.n_actions, loop.actions[k])
        running.digest = take_count(arrays, "digest", 2**32 - 1)
        if "allowed" in arrays:
            loop.allow(k, take(arrays, "allowed", (loop.n_actions,), "bool"))
        loop.memory.of(k).restore_passing(arrays)
        for n, numbers in enumerate(loop.seen(k)):
            numbers[...] = take_shown(arrays, f"seen.{n}", numbers.shape)
        loop.reward[k] = float(take_shown(arrays, "reward", ()))
        loop.discount[k] = float(take(arrays, "discount", (), low=0.0, high=1.0))
        loop.go_on(k, running.actions)
        self.running[k] = running
        self._elsewhere.add(k)

    def take_up(self, playing: Collection[int]) -> None:
        """Bring the environments of *playing* agents to the present step of their episodes.

        Raises RunError if an environment behaves differently than before.
        """
        playing_on = self.running.keys() & set(playing)
        elsewhere = self._elsewhere & playing_on
        if self._envs.together and elsewhere:
            elsewhere = playing_on  # they are only stepped together
        if elsewhere:
            episodes = {k: (self._reset_seed(k), self.running[k]) for k in sorted(elsewhere)}
            play_again(self._envs, self.loop, episodes, "the environment of agent {}".format)
        self._elsewhere -= elsewhere

    def _reset_seed(self, k: int) -> int:
        """Return the seed of agent k's present or next episode."""
        number = len(self._episodes[k])
        first, derived = self._reset_seeds[k]
        if not first <= number < first + len(derived):
            first, derived = number, derive_several(self._seeds[k], _RESET, number, _AT_ONCE)
            self._reset_seeds[k] = first, derived
        # Some environments take seeds of 31 bits only.
        return derived[number - first] & 0x7FFFFFFF


def play_again(
    envs: EnvGroup,
    sight: Sight,
    episodes: Mapping[int, tuple[int, OpenEpisode]],
    named: Callable[[int], str],
) -> None:
    """Play episodes again up to where they are, without decisions or learning.

    episodes: seed and episode by agent. named: names an agent's environment, for errors.
    Raises RunError if an environment behaves differently than before. What is known to have been
    seen is what agents see afterwards: the cells, and of an episode with a digest all.
    """
    before, again = {}, {k: OpenEpisode(0) for k in episodes}
    for k, (_, episode) in episodes.items():
        known = sight.seen(k)[: 1 if episode.digest == UNSEEN else None]
        before[k] = [numbers.copy() for numbers in known]
    actions = {k: (seed, episode.actions) for k, (seed, episode) in episodes.items()}
    try:
        for k, observation, reward in take_up(envs, actions):
            if reward is None:
                sight.see_first(k, observation)
            else:
                sight.actions[k] = episodes[k][1].actions[len(again[k].actions)]
                sight.paid[k] = reward
                sight.see(k, observation)
                again[k].add(0, reward, sight.config.gamma)
            again[k].see(*sight.seen(k))
        for k, (_, episode) in episodes.items():
            alike = map(np.array_equal, sight.seen(k), before[k])
            if not again[k].is_like(episode) or not all(alike):
                raise not_repeatable(named(k))
    finally:
        for k, shown in before.items():
            for numbers, kept in zip(sight.seen(k), shown, strict=False):
                numbers[...] = kept
