"""Step the environments of all replicas, and keep the episodes that run in them."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

import numpy as np

from neurorl.agents.episodes import (
    SCORES,
    UNSEEN,
    OpenEpisode,
    State,
    empty_actions,
    prefixed,
    read_running,
    restore_statistics,
    strip_prefix,
)
from neurorl.agents.midway import play_again
from neurorl.errors import RunError
from neurorl.learning.finite import NotFiniteError, bad_reward, bad_sum, explained
from neurorl.learning.loops.sight import Sight
from neurorl.learning.memory import kind_of
from neurorl.network.restoring import take, take_count, take_counts, take_shown
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.numerics.random import derive
from neurorl.reparameterization.choices import Choices
from neurorl.reparameterization.rollout import Rollout
from neurorl.tasks.actions import MASK
from neurorl.tasks.groups import EnvGroup

_RESET = 1  # purpose of derived seeds
_ENV = "environment"


class Stage(Sight):
    """Hold *size* environments for each of *seeds*, one replica's together; row i is the i-th.

    cells_flat: what the cells see in each, ``(n, n_inputs)``. steps: of each replica, in all of its
    environments. A replica heeds masks if there was one when it began; an agent that began without,
    as all did before there were any, goes on so.
    """

    def __init__(self, envs: EnvGroup, choices: Choices, seeds: Sequence[int], size: int) -> None:
        self.envs, self._choices, self._seeds, self._size = envs, choices, seeds, size
        self.config, self.n = choices.config, envs.n
        self._hold_choices(self.config.policy, choices.groups)
        self._hold_seen()
        self.cells_flat = self._cells_flat
        self.steps = [0 for _ in seeds]
        self._begun = [0 for _ in seeds]
        self._running: dict[int, OpenEpisode] = {}  # by row
        self._elsewhere: set[int] = set()  # rows whose environments aren't in their episodes
        self._x = np.zeros((envs.n, self.config.features.size))

    def go_to(self, envs: EnvGroup) -> None:
        """Go on in other environments, as many, with first episodes."""
        self.envs = envs
        self._running.clear()
        self._elsewhere.clear()

    def rows(self, active: Sequence[int]) -> list[int]:
        """Return the rows of these replicas' environments."""
        return [k * self._size + e for k in active for e in range(self._size)]

    def heeds_masks(self, k: int) -> bool:
        """Return whether the actions of replica *k* are masked."""
        return bool(self.masked[k * self._size])

    def open(self, active: Sequence[int]) -> None:
        """Begin first episodes, or play those that were running up to where they were.

        Raises RunError if an environment doesn't repeat itself.
        """
        rows = self.rows(active)
        new = [i for i in rows if i not in self._running]
        for k in {i // self._size for i in new}:
            self._begun[k] = 0
        for i in new:
            self._begin(i)
        cut_off = sorted(self._elsewhere.intersection(rows).difference(new))
        episodes = {i: (self._reset_seed(i), self._running[i]) for i in cut_off}
        play_again(self.envs, self, episodes, self._named)
        self._elsewhere.difference_update(rows)
        self._x[rows] = self._features(rows)

    def longest(self, k: int) -> int:
        """Return the steps of the longest episode that replica *k* is in."""
        return int(self.decided[self.rows([k])].max())

    def step(self, rollout: Rollout, t: int, rows: list[int]) -> list[int]:
        """Take the actions of step *t*, after `due`, and note what comes of them.

        Returns the rows whose episodes are over; see `end`. Raises EnvError for a reward or an
        observation that isn't finite.
        """
        scale, ended = self.config.reward_scale, []
        rollout.x[t] = self._x.reshape(rollout.x[t].shape)
        chosen = rollout.actions[t].reshape(-1, *self._choices.template.shape)
        repeated = [i for i in rows if not rollout.chosen[t].flat[i]]
        chosen[repeated] = self.actions[repeated]
        actions = self._choices.taken(chosen)
        for i, observation, raw, terminated, truncated, info in self.envs.step(actions, rows):
            at, reward, running = (t, *divmod(i, self._size)), float(raw), self._running[i]
            running.add(actions[i], reward, self.config.gamma)
            self.go_on(i, running.actions)
            rollout.rewards[at] = scaled = scale * reward
            if not isfinite(scaled):
                raise bad_reward(self._where(i), reward, scale)
            self.paid[i] = reward
            self.see(i, observation)
            self._check(i)
            rollout.terminated[at] = terminated
            rollout.over[at] = terminated or truncated
            if terminated or truncated:
                ended.append(i)
            elif self.masked[i]:
                self.restrict(i, info, self._where(i))
        for k in {i // self._size for i in rows}:
            self.steps[k] += self._size
        self._x[rows] = self._features(rows)
        rollout.next_x[t] = self._x.reshape(rollout.next_x[t].shape)
        return ended

    def due(self, rollout: Rollout, t: int, rows: list[int]) -> set[int]:
        """Note what is allowed in step *t*, and where an action is chosen and not repeated.

        Returns the replicas that choose one in any of their environments.
        """
        rollout.has_masks = self.has_masks
        rollout.allowed[t] = self.allowed.reshape(rollout.allowed[t].shape)
        for i in rows:
            rollout.chosen[t].flat[i] = not self._repeats(i, self.policy.repeats)
        return {i // self._size for i in rows if rollout.chosen[t].flat[i]}

    def end(self, i: int) -> OpenEpisode:
        """Return the episode of row *i*, which is over, and begin the next one.

        Raises EnvError if its return isn't finite.
        """
        over = self._running[i]
        if not isfinite(over.total) or not isfinite(over.discounted):
            raise bad_sum(self._where(i), over.total)
        self._begin(i)
        self._x[[i]] = self._features([i])
        return over

    def state(self, k: int) -> State:
        """Return what replica *k* is doing, as arrays."""
        rows = self.rows([k])
        open_ = [self._running[i] for i in rows if i in self._running]
        masks = {"masked": np.array(True), "allowed": self.allowed[rows]}
        return {
            **prefixed(running=_arrays(open_, self._choices.template) if open_ else {}),
            **prefixed(**{f"{_ENV}{n}": self.envs.statistics(i) for n, i in enumerate(rows)}),
            "steps": np.array(self.steps[k]),
            "begun": np.array(self._begun[k]),
            "observations": self._cells_flat[rows],
            "changes": self._history.changes[rows],
            **(masks if self.heeds_masks(k) else {}),
        }

    def restore(self, k: int, state: State) -> None:
        """Go on from `state` when `open` is called. Raises RunError."""
        steps, begun = take_count(state, "steps"), take_count(state, "begun")
        rows, running = self.rows([k]), strip_prefix(state, "running.")
        episodes = self._read(running, begun) if running else []
        cells = take_shown(state, "observations", self._cells_flat[rows].shape)
        changes = np.zeros_like(self._history.changes[rows])
        if "changes" in state:  # older runs had none
            changes = take_shown(state, "changes", changes.shape)
        heeds, allowed = "masked" in state, self.allowed[rows]
        if heeds:
            allowed = take(state, "allowed", allowed.shape, "bool")
            if not np.logical_or.reduceat(allowed, self._first_of, axis=-1).all():
                raise RunError("allowed", "leaves nothing to choose")
        self.steps[k], self._begun[k] = steps, begun
        self._cells_flat[rows], self._history.changes[rows] = cells, changes
        for i, mask in zip(rows, allowed, strict=True):
            self.allow(i, mask if heeds else None)
            self._running.pop(i, None)
        for i, episode in zip(rows, episodes, strict=False):
            self._running[i] = episode
            self.go_on(i, episode.actions)
        for n, i in enumerate(rows):
            restore_statistics(self.envs, i, strip_prefix(state, f"{_ENV}{n}."))
        self._elsewhere.update(rows)

    def _read(self, state: State, begun: int) -> list[OpenEpisode]:
        """Return the episodes of `_arrays`, of one replica. Raises RunError.

        begun: number of episodes begun so far, the running ones last.
        """
        n, template = self._size, self._choices.template
        lengths = take_counts(state, "length", n)
        numbers = take(state, "number", (n,), "whole", 0, begun - 1)
        shape = (int(lengths.sum()), *template.shape)
        actions = take(state, "actions", shape, kind_of(template))
        parts: dict[str, Sequence[Array]] = {
            name: [*take_shown(state, name, (n,))] for name in SCORES
        }
        parts["actions"] = np.split(actions, np.cumsum(lengths)[:-1])
        each = [{name: part[e] for name, part in parts.items()} for e in range(n)]
        own = self.n_actions, template
        return [read_running(int(i), held, *own) for i, held in zip(numbers, each, strict=True)]

    def _begin(self, i: int) -> None:
        """Begin an episode in row *i*."""
        k, actions = i // self._size, empty_actions(self.n_actions, self._choices.template)
        self._running[i] = OpenEpisode(self._begun[k], actions=actions, digest=UNSEEN)
        self._begun[k] += 1
        self.decided[i] = 0
        self.see_first(i, self.envs.reset(i, self._reset_seed(i)))
        self._check(i)
        info = self.envs.info(i)
        if MASK in info and not self.steps[k]:
            self.masked[self.rows([k])] = True
        if self.masked[i]:
            self.restrict(i, info, self._where(i))

    def _check(self, i: int) -> None:
        """Raise EnvError unless all that is seen in row *i* is finite."""
        try:
            self._check_seen(i)
        except NotFiniteError as exc:
            raise explained(self._where(i), exc) from exc

    def _reset_seed(self, i: int) -> int:
        seed, number = self._seeds[i // self._size], self._running[i].number
        return derive(seed, _RESET, number) & 0x7FFFFFFF

    def _named(self, i: int) -> str:
        return f"environment {i % self._size} of seed {self._seeds[i // self._size]}"

    def _where(self, i: int) -> str:
        """Say which agent and when, for an error; step 0 is the reset."""
        running, seed = self._running[i], self._seeds[i // self._size]
        return f"seed {seed}, episode {running.number}, step {len(running.actions)}"

    def _features(self, rows: list[int]) -> FloatArray:
        return self.config.features.of_all(self._features_flat[rows])


def _arrays(running: Sequence[OpenEpisode], template: Array) -> State:
    """Return the episodes of one replica as arrays.

    template: an action of zeros, with the shape and dtype of those that were taken.
    """
    actions = [np.asarray(r.actions, template.dtype).reshape(-1, *template.shape) for r in running]
    return {
        "number": np.array([r.number for r in running], dtype=np.int64),
        "length": np.array([len(r.actions) for r in running], dtype=np.int64),
        "actions": np.concatenate(actions),
        **{name: np.array([getattr(r, name) for r in running]) for name in SCORES},
    }
