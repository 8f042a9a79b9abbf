"""Choose whether shared hidden layers learn a task without a preset, and what they see of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import gymnasium as gym
import numpy as np

from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.critics import Layers
from neurorl.models.agent.past import PAST, sees_past
from neurorl.models.agent.policies import Softmax
from neurorl.models.deep.observations import Standardised
from neurorl.models.defaults.boxes import MOST_JOINT, BoxRanges, sees_apart, short
from neurorl.models.defaults.deep import (
    DEEP,
    deep_defaults,
    has_patches,
    on_background,
    with_traces,
)
from neurorl.models.defaults.few_values import are_whole, number_cells
from neurorl.models.defaults.hidden_state import flags_of_actions
from neurorl.models.defaults.images import TRACES, hides_motion, is_image
from neurorl.models.defaults.rates import LAMBDA_OF_TILES
from neurorl.models.defaults.tables import hashed_cells, seen_once
from neurorl.models.features import HashedStates, JointStates, Select
from neurorl.numerics.arrays import FloatArray
from neurorl.storage.plain import Named, PlainData
from neurorl.tasks.first_play import FirstPlay
from neurorl.tasks.kinds import Environment, Space

_OF_SHARED = frozenset(
    (
        *("gamma", "lambda_actor", "alpha_hidden", "alpha_output", "hidden", "weight_bound"),
        *("reward_scale", "schedule", "policy", "trunk", "critic", "modulator", "solved_at"),
        "looks_at",
        *PAST,
    )
)
_NEW_OF_MANY = 0.035
"""Learn no table of many numbers if more than this share of what random play saw came once only:
6 % and 4 % in MiniGrid-GoToObject-6x6-N2 and GoToDoor-5x5, 2 % in Dynamic-Obstacles-5x5."""
_MOST_PAIRS = 8
"""Learn no table of many numbers if what random play saw, times the choices it took, are more than
so many for each step: a knapsack with 200 things to take fills a table of 30,000 pairs."""
_LAMBDAS, _LARGEST_LAMBDA = 15, 0.98
"""Let the eligibilities of an actor of many cells last a fifteenth of what the discount looks
ahead. Chosen on LunarLander-v3, seeds 100 to 102."""
_SMALL, _OF_DEVIATION, _LEAST_FLOOR, _OF_ROUNDING = 1e-3, 1e-3, 1e-300, 1e-5
"""Count as constant what varies a thousand times less than a number of a deviation below 1e-3, as
of currents in A. What varies by less than a hundred thousandth of itself may be rounding."""


def of_modules(named: Named) -> bool:
    """Return whether the user names a field that shared hidden layers don't read."""
    return any(name.partition(".")[0] not in _OF_SHARED for name in named)


def shows_images(env: Environment, play: Callable[[], FirstPlay]) -> bool:
    """Return whether the first play showed images, and too many of them for a table."""
    space = env.observation_space
    if not isinstance(space, gym.spaces.Box) or not has_patches(space, is_played=True):
        return False
    rows = play().all_numbers()
    if rows is None or hashed_cells(space, rows) is not None:
        return False
    places = BoxRanges.of(space, rows, play().is_better(len(rows))).places
    is_stack = len(space.shape) == 4
    return len(places) > MOST_JOINT and (is_stack or is_image(space, rows, play().lengths))


def misses_what_is_joint(space: Space, table: Named, play: Callable[[], FirstPlay]) -> bool:
    """Return whether many numbers have no cells, cells of single numbers only, or cells in vain.

    Hidden layers learn which numbers matter together. A table of many numbers, of which nothing is
    learned for what is new, suits tasks alone that random play finds rewards in, and of which it
    saw nearly all, with each action. False for a task that needs a memory.
    """
    cells = table.get("cells")
    is_table = isinstance(cells, HashedStates)
    if sees_past(table) or not (cells is None or is_table or isinstance(cells, Select)):
        return False
    rows = play().all_numbers()
    if rows is None or np.ptp(rows, axis=0).astype(bool).sum() <= MOST_JOINT:
        return False
    if not is_table:
        return cells is None or sees_apart(cells)
    pairs = len(np.unique(rows, axis=0)) * flags_of_actions(play()).shape[1]
    is_too_large = pairs > _MOST_PAIRS * play().steps
    return is_too_large or play().hardly_pays or seen_once(rows) > _NEW_OF_MANY


def is_kept_up(env: Environment, table: Named, play: Callable[[], FirstPlay]) -> bool:
    """Return whether actions are numbers, and what they keep up random play soon lets fall.

    That needs finer actions than votes tell apart. What random play can't fail keeps tiles, whose
    agents explore in one direction for several steps. Chosen on an inverted double pendulum,
    LunarLander-v3 by numbers, Hopper-v5 and Reacher-v5, seeds 100 to 103.
    """
    spaces = env.action_space, env.observation_space
    are_numbers = all(isinstance(space, gym.spaces.Box) for space in spaces)
    has_tiles = isinstance(table.get("cells"), Select) and not sees_past(table)
    return are_numbers and has_tiles and play().soon_fails


def suits_layers(env: Environment, table: Named, play: Callable[[], FirstPlay]) -> bool:
    """Return whether hidden layers can see the tiles of a table, and are worth their time.

    Actions that are numbers keep tiles alone, which explore in one direction for several steps:
    without it MountainCarContinuous-v0 isn't learned. So do episodes of one decision: two levers
    are told apart by 300 of them, and by layers aren't.
    """
    if isinstance(env.action_space, gym.spaces.Box):
        return False
    return isinstance(table["cells"], Select) and max(map(len, play().rewards), default=0) > 1


def numbers_apart(
    env: Environment, table: Named, named: Named, play: Callable[[], FirstPlay]
) -> Select | None:
    """Return cells of whole numbers, one by one or in pairs, for hidden layers; None if unsuited.

    What is learned of one state serves others that share numbers with it, as in a table of all
    states it doesn't. None for a task that needs a memory.
    """
    space, cells = env.observation_space, table.get("cells")
    if "cells" in named or sees_past(table) or not are_whole(space):
        return None
    cells = number_cells(space) if isinstance(cells, JointStates) else cells
    is_suited = isinstance(cells, Select) and suits_layers(env, {"cells": cells}, play)
    return cells if is_suited else None


def of_layers(
    env: Environment, table: Named, gamma: float, play: FirstPlay, traces: tuple[float, ...] | None
) -> PlainData:
    """Return the fields of hidden layers that see what is shown, as no *table* learns it.

    traces: of images; None if the play is asked whether these hide motion.
    """
    is_image = has_patches(env.observation_space) or shows_images(env, lambda: play)
    is_hashed = isinstance(table.get("cells"), HashedStates)
    fields = deep_defaults(env, sees_patches=is_image and not is_hashed)
    chosen = {**DEEP, **fields, "first_play_steps": play.steps}
    patches, rows = chosen["trunk"].patches, play.all_numbers()
    if patches is not None and rows is not None:
        cells = on_background(chosen["cells"], rows, patches.shape[2])
        chosen["cells"] = chosen["features"] = cells
    traced = with_traces(chosen, TRACES if traces is None else traces)
    if traced and (traces or hides_motion(play, chosen["cells"], patches)):
        chosen |= traced
    if isinstance(measured := chosen["trunk"].observations, Standardised):
        if rows is not None and (least := _least_deviation(rows)) < _SMALL:
            floor = max((_OF_DEVIATION * least) ** 2, _LEAST_FLOOR)
            of = replace(measured, floor=float(short([floor])[0]))
            chosen["trunk"] = replace(chosen["trunk"], observations=of)
        if isinstance(chosen["policy"], Softmax):
            chosen |= _of_vectors(chosen["critic"], gamma, play)
    return chosen


def _least_deviation(rows: FloatArray) -> float:
    """Return the least deviation, at most 1, of a number that varies by more than rounding."""
    deviations, largest = rows.std(axis=0), np.abs(rows).max(axis=0, initial=0.0)
    return float(deviations[deviations > _OF_ROUNDING * largest].min(initial=1.0))


def _of_vectors(critic: Layers, gamma: float, play: FirstPlay) -> PlainData:
    """Return eligibilities as long as those of tiles, and smaller errors, for choices by vectors.

    Larger errors than the deviation of returns push an agent of four noisy queues to one action,
    seeds 100 to 103. Where all steps cost alike, what is found once counts in full, and short
    eligibilities find it sooner: Acrobot-v1 with eight random numbers, seeds 100 to 103.
    """
    chosen: PlainData = {"lambda_actor": LAMBDA_OF_TILES}
    if not play.costs_alike:
        chosen |= {"modulator.limit": 1.0, **lambda_of(chosen, gamma)}
    return {**chosen, "critic": replace(critic, lambda_=chosen["lambda_actor"])}


def lambda_of(chosen: Named, gamma: float) -> PlainData:
    """Return the decay of an actor's eligibilities, longer where the discount looks far ahead."""
    usual = chosen.get("lambda_actor", AgentConfig.lambda_actor)
    longest = round(1.0 - _LAMBDAS * (1.0 - gamma), 3)
    return {"lambda_actor": min(longest, _LARGEST_LAMBDA)} if longest > usual else {}
