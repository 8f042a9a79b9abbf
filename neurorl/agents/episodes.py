"""Hold episodes that have been played, and those that aren't over, which can be resumed.

The state of an environment can't be saved in general. So an episode cut off by the end of a process
is played again up to the same step, by its seed and its actions; a checksum tells whether the
environment behaved the same.
"""

from __future__ import annotations

import time
from array import array
from collections.abc import Iterator, Mapping, MutableSequence, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np

from neurorl.errors import EnvironmentWarning, RunError, warn_of
from neurorl.models.agent.schedules import Schedule
from neurorl.network.restoring import take, take_counts, take_shown
from neurorl.numerics.arrays import Array
from neurorl.tasks.groups import EnvGroup
from neurorl.tasks.kinds import Shown

State = dict[str, Array]


@dataclass(frozen=True, slots=True)
class Episode:
    """Hold the results of one episode; env_steps counts from the start of training.

    wall_s: its duration, s, ignored by comparisons; 0.0 after loading, as files of equal agents are
    equal and have no times. ``episodes.csv`` keeps them.
    """

    episode: int
    ret: float
    length: int
    env_steps: int
    discounted: float
    wall_s: float = field(compare=False)


def rate_after(episodes: Sequence[Episode], schedule: Schedule) -> float:
    """Return the factor of step sizes in the episode after *episodes*."""
    return schedule.rate_after(len(episodes), episodes[-1].env_steps if episodes else 0)


def strip_prefix(state: State, prefix: str) -> State:
    """Return the arrays whose names begin with *prefix*, without it."""
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def prefixed(**parts: State) -> State:
    """Join the arrays of several parts, named ``part.name``."""
    return {f"{part}.{name}": v for part, arrays in parts.items() for name, v in arrays.items()}


_COLUMNS = {
    "return": "ret",
    "length": "length",
    "env_steps": "env_steps",
    "discounted": "discounted",
}


def episode_columns(played: Sequence[Episode]) -> State:
    """Return episodes as arrays, without wall times: equal agents have equal states."""
    return {
        key: np.array([getattr(e, name) for e in played], dtype=float)
        for key, name in _COLUMNS.items()
    }


def episodes_from(columns: State, first: int = 0) -> list[Episode]:
    """Return the episodes of `episode_columns`, numbered from *first*. Raises RunError."""
    n = len(take_shown(columns, "return", (None,)))
    if "wall_s" not in columns:  # older files have the times
        columns = {**columns, "wall_s": np.zeros(n)}
    counts = {"length": 1, "env_steps": 0}
    checked = (
        take_counts(columns, key, n, counts[key])
        if key in counts
        else take_shown(columns, key, (n,))
        for key in (*_COLUMNS, "wall_s")
    )
    rows = zip(*checked, strict=True)
    return [
        Episode(n, float(ret), int(length), int(steps), float(discounted), float(wall))
        for n, (ret, length, steps, discounted, wall) in enumerate(rows, first)
    ]


SCORES = ("total", "discounted", "factor")
"""List the fields of `OpenEpisode` that hold its rewards."""
UNSEEN = -1


@dataclass(slots=True)
class OpenEpisode:
    """Hold an episode so far: its number, which its seed is derived from, and its actions.

    digest: checksum of observations; `UNSEEN` if none is made. is_over: whether it has ended but
    isn't counted yet.
    """

    number: int
    started: float = field(default_factory=time.perf_counter)
    total: float = 0.0
    discounted: float = 0.0
    factor: float = 1.0
    actions: MutableSequence[Shown] = field(default_factory=list)
    digest: int = 0
    is_over: bool = False

    def add(self, action: object, reward: float, gamma: float) -> None:
        """Add a step."""
        self.actions.append(action)
        self.total += reward
        self.discounted += self.factor * reward
        self.factor *= gamma

    def see(self, *numbers: Any) -> None:
        """Add an observation to the checksum."""
        for row in numbers:
            self.digest = crc32(row, self.digest)

    def is_like(self, other: OpenEpisode) -> bool:
        """Return whether the environment behaved here as in another, as far as that was seen."""
        return other.digest in (UNSEEN, self.digest) and self._answers() == other._answers()

    def _answers(self) -> tuple[float, ...]:
        return len(self.actions), *(getattr(self, name) for name in SCORES)

    def episode(self, number: int, env_steps: int) -> Episode:
        """Return it as a finished episode, the *number*-th to end."""
        wall = time.perf_counter() - self.started
        return Episode(number, self.total, len(self.actions), env_steps, self.discounted, wall)

    def arrays(self, one: Array) -> State:
        """Return the arrays for `read_running`; *one*: as in `empty_actions`."""
        dtype = self.actions.typecode if isinstance(self.actions, array) else one.dtype
        return {
            "actions": np.array(self.actions, dtype=dtype).reshape(-1, *one.shape),
            "digest": np.array(self.digest, dtype=np.uint32),
            **{name: np.array(getattr(self, name)) for name in SCORES},
        }


def empty_actions(n_actions: int, one: Array) -> MutableSequence[Shown]:
    """Return a list for actions that takes little memory, as endless episodes are kept completely.

    n_actions: number of actions. one: one choice of an agent, of shape ``()`` or ``(groups,)``.
    """
    if one.ndim:
        return []
    return array("B" if n_actions <= 1 << 8 else "H" if n_actions <= 1 << 16 else "L")


def read_running(
    number: int, arrays: Mapping[str, Array], n_actions: int, one: Array
) -> OpenEpisode:
    """Return the episode of `OpenEpisode.arrays`, but for its digest.

    n_actions, one: as in `empty_actions`. Raises RunError if the arrays are wrong.
    """
    actions = empty_actions(n_actions, one)
    shape = (None, *one.shape)
    if one.dtype.kind == "f":
        taken = take(arrays, "actions", shape, low=-1.0, high=1.0)
    else:
        taken = take(arrays, "actions", shape, "whole", 0, n_actions - 1)
    actions.extend(taken.tolist())
    running = OpenEpisode(number, actions=actions, digest=UNSEEN)
    for name in SCORES:
        setattr(running, name, float(take_shown(arrays, name, ())))
    return running


def take_up(
    envs: EnvGroup, episodes: Mapping[int, tuple[int, Sequence[object]]]
) -> Iterator[tuple[int, Shown, float | None]]:
    """Play episodes again; yield environment, observation and reward of each step.

    episodes: seed and actions by environment. The reward is None after a reset. All end in the same
    step, as a vector environment is stepped as a whole. Raises RunError if one ends before.
    """
    longest = max((len(actions) for _, actions in episodes.values()), default=0)
    chosen, playing = [envs.actions.idle] * envs.n, []
    for step in range(longest + 1):
        for i, (seed, actions) in episodes.items():
            if longest - len(actions) == step:
                playing.append(i)
                yield i, envs.reset(i, seed, again=True), None
        if step == longest:
            break
        for i in playing:
            actions = episodes[i][1]
            chosen[i] = actions[step - longest + len(actions)]
        if playing:
            for i, observation, reward, *over in envs.step(chosen, sorted(playing)):
                if any(over[:2]):
                    raise not_repeatable()
                yield i, observation, float(reward)


def restore_statistics(envs: EnvGroup, k: int, given: State) -> None:
    """Let environment k go on from the statistics of a state. Raises RunError if they don't fit."""
    own = envs.statistics(k)
    if own and not given:
        what = "begins its running statistics anew, which the file doesn't hold"
        warn_of(EnvironmentWarning, f"environment {k}", what)
    elif own:
        taken = {name: take_shown(given, name, like.shape) for name, like in own.items()}
        envs.put_statistics(k, taken)


def not_repeatable(where: str = "environment") -> RunError:
    """Return the error for an environment that behaves differently when it is played again."""
    what = "doesn't repeat itself for the same seed and actions, so its episode can't go on"
    remedy = (
        "a run of it can't be resumed within an episode; --from begins another with its weights"
    )
    return RunError(where, what, remedy=remedy)
