"""Hold episodes that have been played, and turn them into arrays and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from neurorl.models.agent.schedules import Schedule
from neurorl.network.restoring import take, take_counts
from neurorl.numerics.arrays import Array

__all__ = [
    "Episode",
    "State",
    "episode_columns",
    "episodes_from",
    "prefixed",
    "rate_after",
    "strip_prefix",
]

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
    n = len(take(columns, "return", (None,)))
    if "wall_s" not in columns:  # older files have the times
        columns = {**columns, "wall_s": np.zeros(n)}
    counts = {"length": 1, "env_steps": 0}
    checked = (
        take_counts(columns, key, n, counts[key]) if key in counts else take(columns, key, (n,))
        for key in (*_COLUMNS, "wall_s")
    )
    rows = zip(*checked, strict=True)
    return [
        Episode(n, float(ret), int(length), int(steps), float(discounted), float(wall))
        for n, (ret, length, steps, discounted, wall) in enumerate(rows, first)
    ]
