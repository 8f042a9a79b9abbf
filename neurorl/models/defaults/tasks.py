"""Choose the fields of an agent for a task without a preset, by its spaces and first play."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable
from typing import Any

import gymnasium as gym
import numpy as np

from neurorl.errors import EnvironmentWarning, warn_of
from neurorl.models.agent.critics import Optimistic
from neurorl.models.agent.fields import LOOKED_AT, AgentFields
from neurorl.models.agent.gaussian_policy import Gaussian
from neurorl.models.agent.past import NOTHING, PAST, sees_past
from neurorl.models.agent.schedules import HarmonicDecay
from neurorl.models.defaults.deep import deep_on, has_patches
from neurorl.models.defaults.few_values import number_cells
from neurorl.models.defaults.layers import (
    is_kept_up,
    lambda_of,
    misses_what_is_joint,
    numbers_apart,
    of_layers,
    of_modules,
    shows_images,
    suits_layers,
)
from neurorl.models.defaults.observations import default_cells, default_features
from neurorl.models.defaults.rates import (
    LAMBDA_OF_ENDS,
    LAMBDA_OF_NUMBERS,
    LEAST_GAMMA,
    TABLES,
    UNSEEN,
    UNSEEN_OF_TILES,
    critic_features,
    fields_of,
    rates_of_numbers,
    reward_scale,
    value_of_random_play,
)
from neurorl.models.defaults.tables import is_table, past_for_table, table_cells
from neurorl.models.features import Features, HashedStates, JointStates, OneHot, Select
from neurorl.models.features.image_cells import ImageCells
from neurorl.network.serialization import checks_of
from neurorl.storage.plain import Named, PlainData
from neurorl.tasks.first_play import FirstPlay, first_play
from neurorl.tasks.groups import most_steps
from neurorl.tasks.kinds import Environment, Space

_LONGEST_HOLD, _HOLDS = 8, 25
"""Explore the same way for up to 8 decisions, at least 25 times in an episode."""
_NARROWS, _STAYS = 40_000, 0.2
"""Let the exploration of numbers narrow over so many decisions, to this width. Over 100,000, agents
of 48,000 steps earn less in training (Reacher-v5 -19, a shower -24; else -12, -10), seeds 100 to
102; narrowed to 0.1, two of seven seeds of Pendulum-v1 have -200 and -256 after 200,000 steps, one
of ten with 0.2, seeds 100 to 109."""
_LONG, _DRAWN, _MOST_REPEATS = 500, 125, 8
"""Draw some 125 actions in an episode that can have more than 500 steps, and take each of them
several times, at most 8. Chosen on LunarLander-v3, seeds 103 to 109; Acrobot-v1, of 500 steps, is
learned a little worse with 2."""
_FALLING = 300_000
"""Let these repeats fall to 1 over so many decisions: once an agent has found the actions that pay
only if they go on for long, it does better by deciding in every step. Chosen on LunarLander-v3,
seeds 100 to 109."""
_FALLING_SOON = 100_000
"""Let repeats by which hidden layers search fall sooner. Chosen on Acrobot-v1, seeds 104 to 112."""
_SEARCHING = 4
"""Take each action at least so often if the first play saw no reward and cells are tiles: single
steps cancel out before a pole that hangs is up. Chosen on a swing-up and on MountainCar with a
reward at its goal alone, seeds 100 to 102; with hidden layers on Acrobot-v1 and MountainCar-v0,
seeds 104 to 112, where each step costs 1."""
_HORIZONS, _LARGEST_GAMMA = 2, 0.999
"""Make the longest episode two horizons long; horizons are 100 to 1,000 steps."""
_GAMMA_AT_ONCE = 0.9
"""Look so far ahead where what was done and paid last tells what pays now: what is told pays at
once. Chosen on three bandits, seeds 100 to 102, where 0.5 earns as much, and 0.996 a third less in
two of them; of 19, buttons whose wiring is hidden earn 18.5 by it, and 11.7 by 0.99."""
_OF_LARGE_TABLES, _LARGE = 2.0, 150
"""Double the scale of rewards that were seen, for a table of more cells than this: each is learned
from seldom. Chosen on Taxi-v4 and a warehouse, seeds 100 to 104; smaller ones gain nothing."""
_OF_TABLES: Named = {"hidden": 0, "bias": False, "description": None}
_OTHER_NETWORK = ("neuron", "encoder", "rule")
"""Choose no table if the user names one of these, as it wouldn't fit their network."""
_OTHER_CELLS = frozenset({"critic.changes", "input_recalls", "hidden_recalls", "carries"})

_NEEDED_BY_LOOKS = frozenset({"cells", "features"})
_OF_REPEATS = frozenset({"policy", "policy.repeats"})
_OF_FALLING = frozenset({"schedule", "schedule.end", "schedule.episodes"})

_LOOKS, _VARIES, _LEAST_VARYING = 200, 0.1, 0.2
"""Warn if fewer than 0.2 of the cells change by 0.1 over 200 observations."""


def task_defaults(
    env: Environment, model: str, named: Named, *, spiking_critic: bool, can_share: bool = False
) -> PlainData:
    """Return the fields that follow from the task, except those that are *named*.

    spiking_critic: whether spiking neurons compute the value; its features must be few cells.
    can_share: whether hidden layers may serve all actions, as they do where images, more numbers
        than cells tell together, or tiles are seen.
    There is a first play only if a field depends on it.
    """
    play = functools.cache(lambda: first_play(env))
    shares = can_share and not spiking_critic and not of_modules(named)
    may_share = shares and not isinstance(env.observation_space, gym.spaces.Discrete)
    is_other, chosen = _is_other({**named, "hidden": 0} if may_share else named), {}
    shares_whole, gamma = shares and not sees_past(named), _gamma(env, named)
    traces, others = _traces(named), {**named, "traces": ()}
    is_seen_by_layers = (shares and not sees_past(others)) and (
        has_patches(env.observation_space) if traces else shows_images(env, play)
    )
    if not (is_other or is_seen_by_layers):
        chosen = _table(env, model, named, play, spiking_critic)
        if _tells_at_once(chosen) and "gamma" not in named:
            gamma = _GAMMA_AT_ONCE
        is_seen_by_layers = shares_whole and (
            misses_what_is_joint(env.observation_space, chosen, play)
            or is_kept_up(env, chosen, play)
        )
    if is_seen_by_layers:
        return _left_by(named, of_layers(env, chosen, gamma, play(), traces))
    if shares_whole and (apart := numbers_apart(env, chosen, named, play)) is not None:
        lambda_ = LAMBDA_OF_ENDS if play().pays_at_ends else TABLES[model]["lambda_actor"]
        chosen = deep_on(apart, lambda_, LAMBDA_OF_NUMBERS, {})
    elif isinstance(chosen.get("cells"), (Select, ImageCells)):
        has_layers = shares and suits_layers(env, chosen, play)
        chosen = _of_tiles(env, chosen, named, gamma, has_layers, play)
    if "trunk" not in chosen and _is_other(named):
        chosen, gamma = {}, _gamma(env, named)  # hidden layers of modules see no table
    if gamma != LEAST_GAMMA:
        chosen["gamma"] = gamma
    if isinstance(env.action_space, gym.spaces.Box):
        chosen |= _for_numbers(chosen, play, gamma, "policy" in named)
    if not (spiking_critic or "features" in chosen or "features" in named):
        chosen |= _of_flags(env.observation_space, play)
    is_choice = not isinstance(env.action_space, gym.spaces.Box)
    if "reward_scale" not in {*named, *chosen}:
        unseen = UNSEEN_OF_TILES if isinstance(chosen.get("cells"), Select) else UNSEEN
        scale = reward_scale(play(), gamma, unseen, is_choice)
        chosen["reward_scale"] = _OF_LARGE_TABLES * scale if _is_large(chosen, play()) else scale
        if ("cells" not in chosen or "cells" in named) and not sees_past(named):
            _warn_of_still_cells(env.observation_space, named.get("cells"), play())
    if not (is_choice or spiking_critic or "critic" in {*named, *chosen}):
        scale = {**chosen, **checked(named, ("reward_scale",))}["reward_scale"]
        value = value_of_random_play(play(), gamma, scale)
        chosen |= {"critic": Optimistic.name, "critic.initial_value": value}
    if play.cache_info().currsize:
        chosen["first_play_steps"] = play().steps
        chosen["looks_at"] = _looks_at(env.observation_space, chosen, named, spiking_critic)
    return _left_by(named, chosen)


def _tells_at_once(chosen: Named) -> bool:
    """Return whether the last action, no mean of them, tells an agent what its next one is paid."""
    is_last = 0.9 not in chosen.get("memories", ())
    return bool(chosen.get("sees_rewards") or (chosen.get("sees_actions") and is_last))


def _of_tiles(
    env: Environment,
    chosen: Named,
    named: Named,
    gamma: float,
    has_layers: bool,
    play: Callable[[], FirstPlay],
) -> PlainData:
    """Return the fields of an agent whose cells are *chosen*, with hidden layers or without."""
    cells = chosen["cells"]
    repeats = _repeats(env, named, isinstance(cells, Select), has_layers, play)
    fields = {**chosen, **lambda_of(chosen, gamma), **_schedule(env, named), **repeats}
    if not has_layers:
        return fields
    of_policy = {name.partition(".")[2]: value for name, value in repeats.items()}
    kept = {name: chosen[name] for name in PAST if name in chosen}
    lambda_ = fields["lambda_actor"]
    return {**deep_on(cells, lambda_, lambda_, of_policy), **kept}


def _is_large(chosen: Named, play: FirstPlay) -> bool:
    """Return whether an output learns a table of many states, of which some were seen to pay."""
    cells = chosen.get("cells")
    return (
        isinstance(cells, (OneHot, HashedStates)) and cells.size > _LARGE and not play.pays_nothing
    )


def _left_by(named: Named, chosen: Named) -> PlainData:
    """Return what is *chosen* but not *named*; no schedule if a field of a linear fall is."""
    taken = {*named, "schedule"} if _OF_FALLING.intersection(named) else named
    return {name: value for name, value in chosen.items() if name not in taken}


def _looks_at(space: Space, chosen: Named, named: Named, spiking_critic: bool) -> tuple[str, ...]:
    """Return the fields that looks may change, as a user would have them: those *chosen* here."""
    is_own = is_table(chosen.get("cells")) and not (_NEEDED_BY_LOOKS | _OTHER_CELLS).intersection(
        named
    )
    if chosen.get("trunk") is not None:
        of_numbers = PAST if is_own and chosen["cells"] == number_cells(space) else ()
        return ("cells", *of_numbers) if is_own else ()
    free = LOOKED_AT if is_own else ("reward_scale",)
    return tuple(name for name in free if name not in named and not spiking_critic)


def _is_other(named: Named) -> bool:
    """Return whether the user names a network that can't learn a table."""
    others = (name in named and named[name] != only for name, only in _OF_TABLES.items())
    return any(others) or any(name in named for name in _OTHER_NETWORK)


def _gamma(env: Environment, named: Named) -> float:
    """Return the *named* discount, or one that looks half of the longest episode ahead.

    It is 0.99 without a time limit. The configuration refuses a named one that is out of range.
    """
    gamma = named.get("gamma")
    if isinstance(gamma, (int, float)) and 0 <= gamma <= 1:
        return gamma
    gamma = round(1.0 - _HORIZONS / (most_steps(env) or 1), 3)
    return min(max(LEAST_GAMMA, gamma), _LARGEST_GAMMA)


def _schedule(env: Environment, named: Named) -> PlainData:
    """Return a schedule that falls after many decisions, unless actions are numbers."""
    if isinstance(env.action_space, gym.spaces.Box) or _OF_FALLING.intersection(named):
        return {}
    return {"schedule": HarmonicDecay.name}


def _repeats(
    env: Environment,
    named: Named,
    is_tiled: bool,
    has_layers: bool,
    play: Callable[[], FirstPlay],
) -> PlainData:
    """Return how often each action is repeated, if episodes are long or tiles have to search.

    Long episodes have no repeats if actions that were held surely cost more in the first play;
    tiles search if it saw no reward, and hidden layers on them if it saw one cost in every step and
    held actions led as far as others.
    Repeats fall as the agent learns.
    """
    if isinstance(env.action_space, gym.spaces.Box) or not named.keys().isdisjoint(_OF_REPEATS):
        return {}
    steps = most_steps(env) or 0
    is_long = steps > _LONG and not play().holding_costs
    repeats, falling = min(steps // _DRAWN, _MOST_REPEATS) if is_long else 1, _FALLING
    searches = has_layers and play().costs_alike and play().holding_explores
    if is_tiled and (play().pays_nothing or searches):
        falling = _FALLING_SOON if has_layers and not is_long else _FALLING
        repeats = max(repeats, _SEARCHING)
    return {"policy.repeats": repeats, "policy.repeats_decisions": falling} if repeats > 1 else {}


def _for_numbers(chosen: Named, play: Any, gamma: float, is_named: bool) -> PlainData:
    """Return the fields for actions that are numbers, with a policy unless one is named."""
    rates = rates_of_numbers(chosen.get("cells"), None if is_named else gamma)
    if is_named:
        return rates
    length = play().steps / max(1, len(play().rewards))
    hold = int(np.clip(length / _HOLDS, 1, _LONGEST_HOLD))
    explores = Gaussian(sigma_end=_STAYS, decisions=_NARROWS, hold=hold, natural=True)
    return {**rates, "policy": explores}


def _table(
    env: Environment, model: str, named: Named, play: Any, spiking_critic: bool
) -> PlainData:
    """Return the fields of an agent that learns a table, if its cells make one possible."""
    space, cells = env.observation_space, named.get("cells")
    past = NOTHING
    if cells is None and not _OTHER_CELLS.intersection(named):
        if "memories" not in named and not spiking_critic:
            chooses = {name for name in PAST if named.get(name, True)}
            past = past_for_table(space, play, "features" in named, chooses)
        past = dataclasses.replace(past, **checked(named, PAST))
        is_fine = not (spiking_critic or isinstance(env.action_space, gym.spaces.Box))
        cells = table_cells(space, play, past, is_fine)
    if not isinstance(cells, (OneHot, JointStates, HashedStates, Select, ImageCells)):
        return {}
    fields = {**fields_of(cells, model), **past.named}
    if spiking_critic and isinstance(cells, (Select, ImageCells)):
        del fields["features"]
    elif isinstance(cells, ImageCells) and "cells" not in named:
        fields["features"] = critic_features(cells, play().all_numbers())
    return fields


def _traces(named: Named) -> tuple[float, ...] | None:
    """Return the traces that are *named*, or none if who says what is seen names none."""
    says = not named.keys().isdisjoint(("memories", "trunk", "trunk.patches"))
    return checked(named, ("traces",)).get("traces", () if says else None)


def checked(named: Named, names: Iterable[str]) -> PlainData:
    """Return what is named of these. Raises DescriptionError for other types and ranges."""
    checks = checks_of(AgentFields)
    return {name: checks[name](f"agent.{name}", named[name]) for name in names if name in named}


def _of_flags(space: Space, play: Any) -> PlainData:
    """Return the features of a critic of many flags, as a field, if hardly any are set at times."""
    if not isinstance(space, gym.spaces.MultiBinary) or play().all_numbers() is None:
        return {}
    usual = default_features(space)
    features = critic_features(usual, play().all_numbers())
    return {} if features is usual else {"features": features}


def _warn_of_still_cells(space: Space, cells: Features | None, play: FirstPlay) -> None:
    """Warn if most cells of a Box have the same activation for all observations."""
    rows = play.of(())
    if rows is None or not isinstance(space, gym.spaces.Box) or len(rows) < _LOOKS:
        return
    rows = rows[:: len(rows) // _LOOKS]
    if not np.isfinite(rows).all() or (rows == rows[0]).all():
        return
    cells = cells or default_cells(space)
    activations = np.array([cells(row.reshape(space.shape)).copy() for row in rows])
    varying = int((np.ptp(activations, axis=0) > _VARIES).sum())
    if varying < _LEAST_VARYING * cells.size:
        what = "hardly any changed in the first play"
        remedy = "cells= with the ranges that are seen, as GaussianCells(low, high)"
        limit = f">= {_LEAST_VARYING:.0%} of {cells.size}"
        warn_of(EnvironmentWarning, "cells", what, got=varying, limit=limit, remedy=remedy)
