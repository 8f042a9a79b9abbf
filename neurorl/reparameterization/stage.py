"""Step the environments of all replicas, and keep the episodes that run in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from math import isfinite
from typing import Any

import numpy as np

from neurorl.agents.episodes import (
    SCORES,
    OpenEpisode,
    State,
    not_repeatable,
    strip_prefix,
    take_up,
)
from neurorl.learning.finite import NotFiniteError, bad_reward, bad_sum, explained, first_not_finite
from neurorl.models.agent.checks import check_remembered
from neurorl.models.agent.memories import ObservationHistory, remembering
from neurorl.network.restoring import take, take_count, take_counts, take_shown
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.numerics.random import derive
from neurorl.reparameterization.choices import Choices
from neurorl.reparameterization.masks import Masks
from neurorl.reparameterization.rollout import Rollout
from neurorl.tasks.groups import EnvGroup
from neurorl.tasks.kinds import Shown


def running_state(running: Sequence[OpenEpisode], template: Array) -> State:
    """Return the episodes of one replica as arrays.

    template: an action of zeros, with the shape and dtype of those that were taken.
    """
    actions = np.array([a for r in running for a in r.actions], dtype=template.dtype)
    return {
        "number": np.array([r.number for r in running], dtype=np.int64),
        "length": np.array([len(r.actions) for r in running], dtype=np.int64),
        "actions": actions.reshape(-1, *template.shape),
        **{name: np.array([getattr(r, name) for r in running]) for name in SCORES},
    }


def running_from(state: State, n: int, choices: Choices, begun: int) -> list[OpenEpisode]:
    """Return what `running_state` described, of *n* environments. Raises RunError.

    begun: number of episodes begun so far, the running ones last.
    """
    template = choices.template
    lengths = take_counts(state, "length", n)
    numbers = take(state, "number", (n,), "whole", 0, begun - 1)
    shape = (int(lengths.sum()), *template.shape)
    if template.dtype.kind == "f":
        actions = take(state, "actions", shape, low=-1.0, high=1.0)
    else:
        actions = take(state, "actions", shape, "whole", 0, choices.n_actions - 1)
    scores = {name: take(state, name, (n,)) for name in SCORES}
    episodes = []
    for e, taken in enumerate(np.split(actions, np.cumsum(lengths)[:-1])):
        running = OpenEpisode(int(numbers[e]), actions=taken.tolist())
        for name, score in scores.items():
            setattr(running, name, float(score[e]))
        episodes.append(running)
    return episodes


_RESET = 1  # purpose of derived seeds


class Stage:
    """Hold *size* environments for each of *seeds*, one replica's together; row i is the i-th.

    cells_flat: what the cells see in each, ``(n, n_inputs)``. steps: of each replica, in all of its
    environments. masks: of their actions.
    """

    def __init__(self, envs: EnvGroup, choices: Choices, seeds: Sequence[int], size: int) -> None:
        self.envs, self._choices, self._seeds, self._size = envs, choices, seeds, size
        self._config = config = choices.config
        self.steps = [0 for _ in seeds]
        self._begun = [0 for _ in seeds]
        self._running: list[list[OpenEpisode]] = [[] for _ in seeds]
        self._to_take_up: set[int] = set()
        self.cells_flat = np.zeros((envs.n, config.cells.n_inputs))
        self._history = ObservationHistory(config.features, config.critic.changes, envs.n)
        self._memories = remembering(config.memories, config.cells, envs.n)
        self._x = np.zeros((envs.n, config.features.size))
        self.masks = Masks(choices.groups, config.policy.is_continuous, len(seeds), size)

    def go_to(self, envs: EnvGroup) -> None:
        """Go on in other environments, as many, with first episodes."""
        self.envs = envs
        self._running = [[] for _ in self._seeds]
        self._to_take_up.clear()

    def rows(self, active: Sequence[int]) -> list[int]:
        """Return the rows of these replicas' environments."""
        return [k * self._size + e for k in active for e in range(self._size)]

    def open(self, active: Sequence[int]) -> None:
        """Begin first episodes, or play those that were running up to where they were.

        Raises RunError if an environment doesn't repeat itself.
        """
        cut_off = {}
        for k in active:
            if not self._running[k]:
                self._begun[k] = 0
                self._running[k] = [self._begin(k, e) for e in range(self._size)]
            elif k in self._to_take_up:
                for e, running in enumerate(self._running[k]):
                    seed = self._reset_seed(k, running.number)
                    cut_off[k * self._size + e] = (seed, running.actions)
        self._take_up(cut_off)
        self._to_take_up -= set(active)
        rows = self.rows(active)
        self._x[rows] = self._features(rows)

    def _take_up(self, episodes: Mapping[int, tuple[int, Sequence[object]]]) -> None:
        """Play these environments' episodes up to where they were."""
        again = {i: OpenEpisode(0) for i in episodes}
        last: dict[int, Any] = {}
        for i, observation, reward in take_up(self.envs, episodes):
            last[i] = self._remembered(i, observation, is_first=reward is None)
            if reward is not None:
                again[i].add(0, reward, self._config.gamma)
        for i, observation in last.items():
            k, e = divmod(i, self._size)
            before = self._running[k][e]
            same = all(getattr(again[i], name) == getattr(before, name) for name in SCORES)
            flat = self._config.cells.flat(observation)
            if not same or not np.array_equal(flat, self.cells_flat[i]):
                raise not_repeatable(f"environment {e} of seed {self._seeds[k]}")
            self._history.see_again(i, observation)

    def mark(self, k: int) -> Callable[[], None]:
        """Return what brings replica *k* back to where it is; its environments follow in `open`."""
        rows, steps, begun = self.rows([k]), self.steps[k], self._begun[k]
        running = [(copy(episode), len(episode.actions)) for episode in self._running[k]]
        cells, features = self.cells_flat[rows], self._history.flat[rows]
        allowed = self.masks.state(k)

        def back() -> None:
            for episode, length in running:
                del episode.actions[length:]
            self._running[k] = [episode for episode, _ in running]
            self.steps[k], self._begun[k] = steps, begun
            self.cells_flat[rows], self._history.flat[rows] = cells, features
            self.masks.restore(k, allowed)
            self._to_take_up.add(k)

        return back

    def longest(self, k: int) -> int:
        """Return the steps of the longest episode that replica *k* is in."""
        return max((len(running.actions) for running in self._running[k]), default=0)

    def step(self, rollout: Rollout, t: int, rows: list[int]) -> list[tuple[int, int]]:
        """Take the actions of step *t*, after `due`, and note what comes of them.

        Returns the replica and the number of each environment whose episode is over; see `end`.
        Raises EnvError for a reward that isn't finite.
        """
        config = self._config
        rollout.x[t] = self._x.reshape(rollout.x[t].shape)
        self._repeat(rollout, t, rows)
        ended = []
        actions = self._choices.taken(rollout.actions[t].reshape(-1, *self._choices.template.shape))
        for i, observation, raw, terminated, truncated, info in self.envs.step(actions, rows):
            k, e = divmod(i, self._size)
            reward = float(raw)
            running = self._running[k][e]
            running.add(actions[i], reward, config.gamma)
            rollout.rewards[t, k, e] = scaled = config.reward_scale * reward
            if not isfinite(scaled):
                raise bad_reward(self._where(k, running), reward, config.reward_scale)
            self._see(i, observation, running)
            rollout.terminated[t, k, e] = terminated
            rollout.over[t, k, e] = terminated or truncated
            if terminated or truncated:
                ended.append((k, e))
            elif self.masks.heeded[k]:
                self.masks.see(k, e, info, self._where(k, running))
        for k in {i // self._size for i in rows}:
            self.steps[k] += self._size
        self._x[rows] = self._features(rows)
        rollout.next_x[t] = self._x.reshape(rollout.next_x[t].shape)
        return ended

    def due(self, rollout: Rollout, t: int, rows: list[int]) -> set[int]:
        """Note what is allowed in step *t*, and where an action is chosen and not repeated.

        Returns the replicas that choose one in any of their environments.
        """
        rollout.allow(t, self.masks.now())
        if self._choices.repeats == 1:
            return {i // self._size for i in rows}
        for i in rows:
            k, e = divmod(i, self._size)
            rollout.chosen[t, k, e] = self._is_chosen(k, e)
        return {i // self._size for i in rows if rollout.chosen[t].flat[i]}

    def _is_chosen(self, k: int, e: int) -> bool:
        before = self._running[k][e].actions
        if len(before) % self._choices.repeats == 0:
            return True
        return self.masks.heeded[k] and not self.masks.allow(k, e, before[-1])

    def _repeat(self, rollout: Rollout, t: int, rows: list[int]) -> None:
        """Replace actions of step *t* by those before where none was chosen."""
        for i in rows if self._choices.repeats > 1 else ():
            k, e = divmod(i, self._size)
            if not rollout.chosen[t, k, e]:
                rollout.actions[t, k, e] = self._running[k][e].actions[-1]

    def end(self, k: int, e: int) -> OpenEpisode:
        """Return the episode that is over, and begin the next one.

        Raises EnvError if its return isn't finite.
        """
        over = self._running[k][e]
        if not isfinite(over.total) or not isfinite(over.discounted):
            raise bad_sum(self._where(k, over), over.total)
        self._running[k][e] = self._begin(k, e)
        row = [k * self._size + e]
        self._x[row] = self._features(row)
        return over

    def state(self, k: int) -> State:
        """Return what replica *k* is doing, as arrays."""
        rows = self.rows([k])
        open_, template = self._running[k], self._choices.template
        running = running_state(open_, template) if open_ else {}
        return {
            **{f"running.{key}": value for key, value in running.items()},
            "steps": np.array(self.steps[k]),
            "begun": np.array(self._begun[k]),
            "observations": self.cells_flat[rows],
            "changes": self._history.changes[rows],
            **self.masks.state(k),
        }

    def restore(self, k: int, state: State) -> None:
        """Go on from `state` when `open` is called. Raises RunError."""
        steps, begun = take_count(state, "steps"), take_count(state, "begun")
        running = strip_prefix(state, "running.")
        about = self._size, self._choices, begun
        episodes = running_from(running, *about) if running else []
        rows = self.rows([k])
        cells = take_shown(state, "observations", self.cells_flat[rows].shape)
        changes = np.zeros_like(self._history.changes[rows])
        if "changes" in state:  # older runs had none
            changes = take_shown(state, "changes", changes.shape)
        self.masks.restore(k, state)
        self.steps[k], self._begun[k], self._running[k] = steps, begun, episodes
        self.cells_flat[rows], self._history.changes[rows] = cells, changes
        self._to_take_up.add(k)

    def _begin(self, k: int, e: int) -> OpenEpisode:
        """Begin an episode in environment *e* of replica *k*."""
        running = OpenEpisode(self._begun[k])
        self._begun[k] += 1
        i = k * self._size + e
        first = self.envs.reset(i, self._reset_seed(k, running.number))
        self._see(i, first, running, is_first=True)
        info, is_new = self.envs.info(i), not self.steps[k]
        self.masks.see(k, e, info, self._where(k, running), is_new)
        self._history.begin(i)
        return running

    def _reset_seed(self, k: int, number: int) -> int:
        return derive(self._seeds[k], _RESET, number) & 0x7FFFFFFF

    def _remembered(self, i: int, observation: Shown, is_first: bool) -> Shown:
        """Return an observation, with how it came about if the agent has memories."""
        if self._memories is None:
            return observation
        if is_first:
            check_remembered(self._config, self._memories.numbers(observation).size)
            self._memories.begin(i)
        return self._memories.see(i, observation)

    def _see(
        self, i: int, observation: Shown, running: OpenEpisode, is_first: bool = False
    ) -> None:
        observation = self._remembered(i, observation, is_first)
        self.cells_flat[i] = self._config.cells.flat(observation)
        self._history.see(i, observation)
        for flat in (self.cells_flat[i], self._history.flat[i]):
            odd = first_not_finite(flat)
            if odd is not None:
                where = self._where(i // self._size, running)
                raise explained(where, NotFiniteError(i, odd))

    def _where(self, k: int, running: OpenEpisode) -> str:
        """Say which agent and when, for an error; step 0 is the reset."""
        return f"seed {self._seeds[k]}, episode {running.number}, step {len(running.actions)}"

    def _features(self, rows: list[int]) -> FloatArray:
        return self._config.features.of_all(self._history.flat[rows])
