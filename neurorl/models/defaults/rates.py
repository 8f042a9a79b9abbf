"""Choose scales of rewards, a critic's features, and rates of an agent that learns a table."""

from __future__ import annotations

from collections.abc import Mapping

import gymnasium as gym
import numpy as np

from neurorl.models.defaults.hidden_state import flags_of_actions, left_over
from neurorl.models.defaults.memory_search import rewards_of
from neurorl.models.features import Concat, Features, HashedStates, Multiply, OneHot, Select, Tiles
from neurorl.models.features.image_cells import ImageCells
from neurorl.numerics.arrays import FloatArray
from neurorl.storage.plain import Named, PlainData
from neurorl.tasks.first_play import FirstPlay, first_play
from neurorl.tasks.kinds import Environment
from neurorl.tasks.patience import PATIENCE_S

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
_SPREAD = 0.15
"""Let the scale of varied rewards be at least this over their standard deviation: of returns that
are large because rewards are all alike, actions decide little. Chosen on Taxi-v4, an inventory, an
elevator and an admission to servers, seed 100."""
_TINY = 1e-25
_OF_STATES = 0.01
"""Say that rewards follow from actions alone if these, their sizes and squares leave less."""
_MOST_VALUE = 5.0
"""Begin with no larger value. A battery (-5.3) and a market maker (-21) stay with what costs least,
and earn -8.7 and 52, from 0 -4.4 and 141, seeds 100 and 101; values of 1.9 to 4.2 help."""


def reward_scale(
    play: FirstPlay, gamma: float, unseen: float = UNSEEN, is_choice: bool = False
) -> float:
    """Return the factor that brings values near 1: 1, 2 or 5 times a power of ten.

    It is 1 over the largest discounted return from any step on, and at least 0.025 over the usual
    reward (the median of rewards other than 0), since random play may earn far less than a trained
    agent. The usual reward doesn't count if there was a prize, a return that no number of usual
    rewards makes. The scale is doubled where rewards are rare, and *unseen* if none was seen. It is
    at most *unseen* if there were only costs, and steps without a cost: a reward worth these costs
    is still to come. is_choice: whether actions are choices; then it is at least 0.15 over the
    deviation of rewards whose quartiles differ, unless there was a prize.
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
    scale = more * max(1.0 / largest, 0.0 if is_prize else _SMALLEST / usual)
    if is_choice and not is_prize and _vary(rewards):
        scale = max(scale, _SPREAD / float(rewards.std()))
    scale = _round(scale)
    is_only_costs = rewards.max() == 0.0
    return min(scale, unseen) if is_only_costs else scale


def _vary(rewards: FloatArray) -> bool:
    """Return whether the quartiles of rewards differ."""
    return bool(np.ptp(np.quantile(rewards, (0.25, 0.75))) > 0.0)


def value_of_random_play(play: FirstPlay, gamma: float, scale: float) -> float:
    """Return the value of every state that leaves no TD error of random play in the mean.

    It is 0 where rewards follow from actions alone, as costs do before a goal is found, and where
    it would be large: there, what disappoints an agent lets it explore. scale: factor of rewards.
    """
    if not play.steps:
        return 0.0
    rewards, actions = rewards_of(play), flags_of_actions(play)
    if not np.ptp(rewards) > 0.0 or left_over(actions, rewards, abs(actions)).max() < _OF_STATES:
        return 0.0
    mean = sum(map(sum, play.rewards)) / play.steps
    lost = 1.0 - gamma * (1.0 - play.n_terminated / play.steps)  # of a value, in each step
    value = scale * mean / lost if lost > 0.0 else 0.0
    return float(f"{value:.3g}") if abs(value) <= _MOST_VALUE else 0.0


def scale_of_wrapped(env: Environment, env_id: str, usual: float) -> tuple[float, int]:
    """Return the scale for a task whose rewards a wrapper or an argument changes.

    The second number counts the steps taken to find it, in both environments.

    If the task pays less by a factor, the scale is larger by that factor. env_id: id of the bare
    task. usual: the scale for the bare task.
    """
    bare = gym.make(env_id)
    try:
        plays = [first_play(e, seconds=PATIENCE_S / 2.0) for e in (env, bare)]
    finally:
        bare.close()
    here, there = (reward_scale(play, LEAST_GAMMA) for play in plays)
    return float(f"{usual * here / there:.3g}"), sum(play.steps for play in plays)


def _round(number: float) -> float:
    """Return the next of 1, 2 and 5 times powers of ten, by ratio."""
    power = 10.0 ** np.floor(np.log10(number))
    steps = [(m, abs(np.log(number / (m * power)))) for m in (1.0, 2.0, 5.0, 10.0)]
    return float(f"{min(steps, key=lambda step: step[1])[0] * power:.1g}")


_DARK, _LOOKS = 1 / 24, 400
"""Scale features if, among 400 observations, the smallest ``|x|**2`` is less than 1/24 of the
largest, as on a screen that is dark between flashes. 1/4 would change MinAtar's games and Catch."""
_DIGITS = 4


def critic_features(features: Features, rows: FloatArray) -> Features:
    """Return *features* for a critic, scaled if hardly any are active at times.

    Unscaled, a critic of flashes on a dark screen diverges; see `Multiply`.
    rows: the observations of the first play, ``(n, d)``.
    """
    looks = rows[:: -(-len(rows) // _LOOKS)]
    sizes = [float(np.square(features(row)).sum()) for row in looks]
    if min(sizes) >= _DARK * max(sizes):
        return features
    return Multiply(features, float(f"{max(sizes) ** -0.5:.{_DIGITS}g}"))


TABLES: Mapping[str, Named] = {
    "lif": {
        "alpha_output": 0.3,
        "policy.beta": 0.1,
        "initial_output": 0.02,
        "critic.alpha": 0.1,
        "lambda_actor": 0.2,
        "critic.lambda_": 0.8,
    },
    "glm": {"alpha_output": 1.0, "policy.beta": 0.5, "initial_output": 0.1, "window": 2},
    "lif-spiking-critic": {"alpha_output": 0.15, "policy.beta": 0.1, "initial_output": 0.02},
}
"""Map each model to its defaults for tasks where each state has cells of its own. The output learns
a table, so there are no hidden units, and no bias, which would spike in every step and drown the
state. Short eligibilities, of the critic too, chosen on slippery lakes and cliffs and a windy grid,
seeds 100 to 119."""

_HASHED: Mapping[str, Named] = {
    **TABLES,
    "lif": {**TABLES["lif"], "lambda_actor": 0.5, "critic.lambda_": 0.9},
}
"""Let eligibilities last longer for observations that come back: one observation may belong to
several states, such as a view in a maze, so the critic can't predict what comes next."""
_CRITIC_OF_VARIED = {"critic.alpha": 0.05, "critic.lambda_": 0.5}
"""Let a critic of states learn slowly if rewards vary, some are gains, and no episode ends by
itself. States come back within a few steps, so what they learn adds up, and values would follow
what was paid last. Chosen on a lift, a bus, a boiler, a workshop and a shop, seeds 100 to 102; of
costs alone an agent of Taxi-v4 learns sooner from long eligibilities."""
LAMBDA_OF_NUMBERS = 0.9
"""Let a critic's eligibilities last so long where hidden layers see whole numbers one by one."""
LAMBDA_OF_ENDS = 0.8
"""Let an actor's last so long there if episodes pay at their ends alone, as most board games do.
Chosen on noughts and crosses, three in a column, Nim, Pig, an exam and lights to turn off, seeds
100 to 102."""
LAMBDA_OF_TILES = 0.85
"""Let eligibilities of tiles last so long where no discount looks further ahead."""
_TILED: Mapping[str, Named] = {
    **TABLES,
    "lif": {**_HASHED["lif"], "alpha_output": 0.6, "lambda_actor": LAMBDA_OF_TILES},
}
_MOST_GRIDS = 24
"""Let rates fall as 1 over the number of sets of tilings, from so many sets on."""
_IMAGES: Mapping[str, Named] = {**TABLES, "lif": {**_TILED["lif"], "lambda_actor": 0.9}}
_OF_IMAGES = 0.33
"""Multiply rates by this for images, whose cells are redundant over several scales. With the rate
of tiles an agent of Catch (10 x 10 pixels) settled on an action before it had learned."""
_NUMBERS = {"alpha_hidden": 5.0, "critic.alpha": 0.1, "lambda_actor": 0.8}
"""Set the rates for actions that are numbers, with an `alpha_output` of 1 for few tiles; chosen on
Pendulum-v1, seed 100."""
_NATURAL, _NATURAL_FALL, _LEAST_NATURAL = 6.0, 1.25, 0.8
"""Multiply that `alpha_output` by 6 (100 / horizon)**1.25, at least by 0.8, if feedback shrinks
with exploration: noise of TD errors adds up over a horizon. Chosen on Pendulum-v1, Reacher-v5, a
crane, a dish, an arm and two tanks, seeds 100 and 101, with a critic that begins at the value of
random play: 3 earns less in most, 12 on the crane.
"""


def fields_of(cells: Features, model: str) -> PlainData:
    """Return the fields that follow from the cells of an agent that learns a table."""
    rates = _of_kind(cells)[model]
    alpha = round(rates["alpha_output"] * _share(cells), 3)
    both = {"cells": cells, "features": cells}
    return {**rates, "alpha_output": alpha, "hidden": 0, "bias": False, **both}


def critic_of(chosen: Named, play: FirstPlay) -> PlainData:
    """Return the fields of a critic of states that a first play changes, of those that are chosen.

    It learns slowly where rewards vary, some are gains, and no episode ended by itself.
    """
    is_of_states = isinstance(chosen.get("cells"), (OneHot, HashedStates)) and "trunk" not in chosen
    if not is_of_states or "critic.lambda_" not in chosen or not play.steps or play.n_terminated:
        return {}
    rewards = rewards_of(play)
    return {**_CRITIC_OF_VARIED} if rewards.max() > 0.0 and _vary(rewards) else {}


def _of_kind(cells: Features) -> Mapping[str, Named]:
    if isinstance(cells, ImageCells):
        return _IMAGES
    if isinstance(cells, Select):
        return _TILED
    return _HASHED if isinstance(cells, HashedStates) else TABLES


def rates_of_numbers(cells: Features | None, gamma: float | None) -> PlainData:
    """Return the rates for actions that are numbers.

    gamma: the discount, if feedback shrinks with the exploration; None if it doesn't.
    """
    if gamma is None:
        return {**_NUMBERS, "alpha_output": _share(cells)}
    near = min(1.0, max(0.0, 1.0 - gamma) / (1.0 - LEAST_GAMMA))
    rate = max(_NATURAL * near**_NATURAL_FALL, _LEAST_NATURAL)
    return {**_NUMBERS, "alpha_output": round(rate * _share(cells), 3)}


def _share(cells: Features | None) -> float:
    """Return the factor of rates, 1 for few tiles."""
    if isinstance(cells, ImageCells):
        return _OF_IMAGES
    parts = cells.of.parts if isinstance(cells, Select) and isinstance(cells.of, Concat) else ()
    grids = sum(isinstance(part, Tiles) for part in parts)
    return round(min(1.0, _MOST_GRIDS / grids), 2) if grids else 1.0
