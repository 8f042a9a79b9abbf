"""Choose the scale of rewards by the rewards of a first play."""

from __future__ import annotations

import gymnasium as gym
import numpy as np

from neurorl.tasks.first_play import FirstPlay, first_play
from neurorl.tasks.kinds import Environment

__all__ = ["LEAST_GAMMA", "UNSEEN", "UNSEEN_OF_TILES", "reward_scale", "scale_of_wrapped"]

LEAST_GAMMA = 0.99
"""Discount returns by this where an agent doesn't look further ahead."""
_SMALLEST = 0.025
"""Bound the scale from below, for rewards of 1 in every step."""
_RARE, _MORE_IF_RARE = 0.1, 2.0
"""Double the scale if the mean size of returns is less than this share of the largest: values of
rare rewards begin near 0, so modulators are small, and a table has many cells to learn.
"""
UNSEEN, UNSEEN_OF_TILES = 5.0, 0.2
"""Use these scales if no reward was seen. Rewards of a table will be rare, but a box may pay in
every step later, such as a pole that hangs at first and then stands."""
_TINY = 1e-25


def reward_scale(play: FirstPlay, gamma: float, unseen: float = UNSEEN) -> float:
    """Return the factor that brings values near 1: 1, 2 or 5 times a power of ten.

    It is 1 over the largest discounted return from any step on, and at least 0.025 over the usual
    reward (the median of rewards other than 0), since random play may earn far less than a trained
    agent. The usual reward doesn't count if there was a prize, a return that no number of usual
    rewards makes. The scale is doubled where rewards are rare, and *unseen* if none was seen. It is
    at most *unseen* if there were only costs, and steps without a cost: a reward worth these costs
    is still to come.
    """
    rewards = np.array([r for episode in play.rewards for r in episode])
    sizes = np.abs(rewards)
    sizes = np.sort(sizes[sizes > 0])
    usual = float(sizes[len(sizes) // 2]) if len(sizes) else 0.0
    returns = np.abs(play.returns(gamma))
    largest = float(returns.max(initial=0.0))
    if len(returns) and largest == 0.0:
        return unseen
    if not (_TINY < usual < 1 / _TINY and _TINY < largest < 1 / _TINY):
        return 1.0  # one that no scale helps
    more = _MORE_IF_RARE if returns.mean() < _RARE * largest else 1.0
    highest = float(play.returns(gamma).max(initial=0.0))
    is_prize = highest * (1.0 - gamma) > usual
    scale = _round(more * max(1.0 / largest, 0.0 if is_prize else _SMALLEST / usual))
    is_only_costs = rewards.max() == 0.0
    return min(scale, unseen) if is_only_costs else scale


def scale_of_wrapped(env: Environment, env_id: str, usual: float) -> tuple[float, int]:
    """Return the scale for a task whose rewards a wrapper or an argument changes.

    The second number counts the steps taken to find it, in both environments.

    If the task pays less by a factor, the scale is larger by that factor. env_id: id of the bare
    task. usual: the scale for the bare task.
    """
    bare = gym.make(env_id)
    try:
        plays = [first_play(e) for e in (env, bare)]
    finally:
        bare.close()
    here, there = (reward_scale(play, LEAST_GAMMA) for play in plays)
    return float(f"{usual * here / there:.3g}"), sum(play.steps for play in plays)


def _round(number: float) -> float:
    """Return the next of 1, 2 and 5 times powers of ten, by ratio."""
    power = 10.0 ** np.floor(np.log10(number))
    steps = [(m, abs(np.log(number / (m * power)))) for m in (1.0, 2.0, 5.0, 10.0)]
    return float(f"{min(steps, key=lambda step: step[1])[0] * power:.1g}")
