"""Choose the fields of an agent of a task that has no preset, by its spaces and its first play."""

from __future__ import annotations

import functools
from collections.abc import Collection
from typing import Any

import gymnasium as gym
import numpy as np

from neurorl.models.features import Features, JointStates, OneHot
from neurorl.tasks.first_play import FirstPlay, first_play

__all__ = ["NUMBERED", "are_numbered", "reward_scale", "task_defaults"]

NUMBERED: dict[str, Any] = {
    "hidden": 0,
    "bias": False,
    "initial_output": 0.02,
    "beta": 0.1,
    "alpha_output": 0.3,
    "alpha_critic": 0.1,
}
"""Where each state has a cell, the output learns a table: what states share would drown it."""

_SMALLEST = 0.025
"""Of the scale, for rewards of 1 in every step."""
_GAMMA = 0.99


def task_defaults(
    env: gym.Env[Any, Any], cells: Features | None, named: Collection[str], gamma: float = _GAMMA
) -> dict[str, Any]:
    """Return the fields that follow from the task, but for those that are *named*.

    cells: of the agent.
    """
    seen = functools.cache(lambda: first_play(env))
    chosen: dict[str, Any] = {}
    if are_numbered(cells) and not _CHANGES.intersection(named):
        chosen |= NUMBERED
    if "reward_scale" not in named:
        chosen["reward_scale"] = reward_scale(seen(), gamma)
    return {name: value for name, value in chosen.items() if name not in named}


_CHANGES = frozenset({"hidden", "bias", "description"})
"""Who names one of these has another network, to which `NUMBERED` doesn't apply."""


def are_numbered(cells: Features | None) -> bool:
    """Return whether there is a cell for each state."""
    return isinstance(cells, (OneHot, JointStates))


def reward_scale(play: FirstPlay, gamma: float) -> float:
    """Return the factor that brings values near 1: 1, 2 or 5 times a power of ten.

    It is 1 over the largest return seen, discounted, from any step on; but at least 0.025 over the
    usual reward (the median of those that aren't 0), as random play may do far worse than one that
    learns; and 1 if no reward was seen.
    """
    sizes = np.abs([r for rewards in play.rewards for r in rewards])
    sizes = sizes[sizes > 0]
    if not len(sizes):
        return 1.0
    largest = float(np.abs(play.returns(gamma)).max())
    return _round(max(1.0 / largest, _SMALLEST / float(np.median(sizes))))


def _round(number: float) -> float:
    """Return the next of 1, 2 and 5 times powers of ten, by ratio."""
    power = 10.0 ** np.floor(np.log10(number))
    steps = [(m, abs(np.log(number / (m * power)))) for m in (1.0, 2.0, 5.0, 10.0)]
    return float(f"{min(steps, key=lambda step: step[1])[0] * power:.1g}")
