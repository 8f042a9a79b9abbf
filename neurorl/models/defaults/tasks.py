"""Choose the fields of an agent for a task without a preset, by its spaces and first play."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable

import gymnasium as gym
import numpy as np

from neurorl.errors import EnvironmentWarning, warn_of
from neurorl.models.agent.critics import Optimistic
from neurorl.models.agent.fields import LOOKED_AT, AgentFields
from neurorl.models.agent.gaussian_policy import Gaussian
from neurorl.models.agent.past import NOTHING, PAST, sees_past
from neurorl.models.agent.schedules import HarmonicDecay
from neurorl.models.defaults import layers, rates
from neurorl.models.defaults.deep import deep_on, has_patches
from neurorl.models.defaults.few_values import number_cells
from neurorl.models.defaults.observations import default_cells, default_features
from neurorl.models.defaults.tables import is_table, past_for_table, suiting, table_cells
from neurorl.models.defaults.tally_search import FIELDS as SUMMED
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
    return _left_by(named, _Task(env, model, named, spiking_critic, can_share).fields())


class _Task:
    """Choose the fields of agents of one environment; arguments as of `task_defaults`."""

    def __init__(
        self, env: Environment, model: str, named: Named, spiking_critic: bool, can_share: bool
    ) -> None:
        self._env, self._model, self._named, self._is_spiking = env, model, named, spiking_critic
        self._space, self._play = env.observation_space, functools.cache(lambda: first_play(env))
        self._is_choice = not isinstance(env.action_space, gym.spaces.Box)
        self._shares = can_share and not spiking_critic and not layers.of_modules(named)
        self._gamma = _gamma(env, named)

    def fields(self) -> PlainData:
        """Return all fields that are chosen, those that are named among them."""
        named, play, traces, table = self._named, self._play, _traces(self._named), PlainData()
        shares_whole = self._shares and not sees_past(named)
        sees_images = (self._shares and not sees_past({**named, "traces": ()})) and (
            has_patches(self._space) if traces else layers.shows_images(self._env, play)
        )
        is_joint = False
        if not (sees_images or self._is_other()):
            table = self._table()
            if _tells_at_once(table) and "gamma" not in named:
                self._gamma = _GAMMA_AT_ONCE
            is_joint = shares_whole and (
                layers.misses_what_is_joint(self._space, table, play)
                or layers.is_kept_up(self._env, table, play)
            )
        if sees_images or is_joint:
            return layers.of_layers(self._env, table, self._gamma, play(), traces)
        return self._completed(self._on_cells(table, shares_whole))

    def _is_other(self) -> bool:
        """Return whether neither a table nor shared hidden layers go with what is named."""
        may_share = self._shares and not isinstance(self._space, gym.spaces.Discrete)
        return _is_other({**self._named, "hidden": 0} if may_share else self._named)

    def _table(self) -> PlainData:
        """Return the fields of an agent that learns a table, if its cells make one possible."""
        named, space, play, past = self._named, self._space, self._play, NOTHING
        cells = named.get("cells")
        if cells is None and not _OTHER_CELLS.intersection(named):
            if "memories" not in named and not self._is_spiking:
                free = (name for name in PAST if named.get(name, True))
                chooses = suiting(free, self._env.action_space)
                chooses -= SUMMED if SUMMED & named.keys() else set()  # one choice in three fields
                past = past_for_table(space, play, "features" in named, chooses)
            past = dataclasses.replace(past, **checked(named, PAST))
            cells = table_cells(space, play, past, self._is_choice and not self._is_spiking)
        if not isinstance(cells, (OneHot, JointStates, HashedStates, Select, ImageCells)):
            return {}
        fields = {**rates.fields_of(cells, self._model), **past.named}
        if self._is_spiking and isinstance(cells, (Select, ImageCells)):
            del fields["features"]
        elif isinstance(cells, ImageCells) and "cells" not in named:
            rows = play().all_numbers()
            assert rows is not None  # they have chosen these cells
            fields["features"] = rates.critic_features(cells, rows)
        return fields

    def _on_cells(self, table: PlainData, shares_whole: bool) -> PlainData:
        """Return the fields of an agent that learns a *table*, or the same by hidden layers.

        shares_whole: whether hidden layers may see numbers one by one.
        """
        env, named, play = self._env, self._named, self._play
        if shares_whole and (apart := layers.numbers_apart(env, table, named, play)) is not None:
            usual = rates.TABLES[self._model]["lambda_actor"]
            lambda_ = rates.LAMBDA_OF_ENDS if play().pays_at_ends else usual
            return deep_on(apart, lambda_, rates.LAMBDA_OF_NUMBERS, {})
        if isinstance(table.get("cells"), (Select, ImageCells)):
            table = self._of_tiles(table, self._shares and layers.suits_layers(env, table, play))
        if "trunk" not in table and _is_other(named):
            self._gamma = _gamma(env, named)
            return {}  # hidden layers of modules see no table
        return table

    def _of_tiles(self, table: PlainData, has_layers: bool) -> PlainData:
        """Return the fields of an agent with tiles or pixels, by hidden layers or without."""
        cells = table["cells"]
        repeats = self._repeats(isinstance(cells, Select), has_layers)
        fields = {**table, **layers.lambda_of(table, self._gamma), **repeats}
        if self._is_choice and not _OF_FALLING.intersection(self._named):
            fields["schedule"] = HarmonicDecay.name
        if not has_layers:
            return fields
        of_policy = {name.partition(".")[2]: value for name, value in repeats.items()}
        kept = {name: table[name] for name in PAST if name in table}
        lambda_ = fields["lambda_actor"]
        return {**deep_on(cells, lambda_, lambda_, of_policy), **kept}

    def _repeats(self, is_tiled: bool, has_layers: bool) -> PlainData:
        """Return how often each action is repeated, if episodes are long or tiles have to search.

        Long episodes have no repeats if actions that were held surely cost more in the first play;
        tiles search if it saw no reward, and hidden layers on them if it saw one cost in every step
        and held actions led as far as others.
        Repeats fall as the agent learns.
        """
        if not self._is_choice or not self._named.keys().isdisjoint(_OF_REPEATS):
            return {}
        play, steps = self._play, most_steps(self._env) or 0
        is_long = steps > _LONG and not play().holding_costs
        repeats, falling = min(steps // _DRAWN, _MOST_REPEATS) if is_long else 1, _FALLING
        searches = has_layers and play().costs_alike and play().holding_explores
        if is_tiled and (play().pays_nothing or searches):
            falling = _FALLING_SOON if has_layers and not is_long else _FALLING
            repeats = max(repeats, _SEARCHING)
        both = {"policy.repeats": repeats, "policy.repeats_decisions": falling}
        return both if repeats > 1 else {}

    def _completed(self, chosen: PlainData) -> PlainData:
        """Return what is *chosen* with the fields that follow from it and from the first play."""
        space, named, play, gamma = self._space, self._named, self._play, self._gamma
        if gamma != rates.LEAST_GAMMA:
            chosen["gamma"] = gamma
        if not self._is_choice:
            chosen |= self._for_numbers(chosen.get("cells"))
        if not (self._is_spiking or "features" in chosen or "features" in named):
            chosen |= self._of_flags()
        if "reward_scale" not in {*named, *chosen}:
            is_tiled = isinstance(chosen.get("cells"), Select)
            unseen = rates.UNSEEN_OF_TILES if is_tiled else rates.UNSEEN
            scale = rates.reward_scale(play(), gamma, unseen, self._is_choice)
            if _is_large(chosen.get("cells"), play()):
                scale *= _OF_LARGE_TABLES
            chosen["reward_scale"] = scale
            if ("cells" not in chosen or "cells" in named) and not sees_past(named):
                _warn_of_still_cells(space, named.get("cells"), play())
        if not (self._is_choice or self._is_spiking or "critic" in {*named, *chosen}):
            scale = {**chosen, **checked(named, ("reward_scale",))}["reward_scale"]
            value = rates.value_of_random_play(play(), gamma, scale)
            chosen |= {"critic": Optimistic.name, "critic.initial_value": value}
        if play.cache_info().currsize:
            chosen |= rates.critic_of(chosen, play())
            chosen["first_play_steps"] = play().steps
            chosen["looks_at"] = self._looks_at(chosen)
        return chosen

    def _for_numbers(self, cells: Features | None) -> PlainData:
        """Return the fields for actions that are numbers, with a policy unless one is named."""
        if "policy" in self._named:
            return rates.rates_of_numbers(cells, None)
        play = self._play()
        length = play.steps / max(1, len(play.rewards))
        hold = int(np.clip(length / _HOLDS, 1, _LONGEST_HOLD))
        explores = Gaussian(sigma_end=_STAYS, decisions=_NARROWS, hold=hold, natural=True)
        return {**rates.rates_of_numbers(cells, self._gamma), "policy": explores}

    def _of_flags(self) -> PlainData:
        """Return features of a critic of many flags, as a field, if hardly any are set at times."""
        if not isinstance(self._space, gym.spaces.MultiBinary):
            return {}
        rows, usual = self._play().all_numbers(), default_features(self._space)
        features = usual if rows is None else rates.critic_features(usual, rows)
        return {} if features is usual else {"features": features}

    def _looks_at(self, chosen: Named) -> tuple[str, ...]:
        """Return the fields that looks may change, as a user has them: those *chosen* here."""
        named, others = self._named, _NEEDED_BY_LOOKS | _OTHER_CELLS
        is_own = is_table(chosen.get("cells")) and not others.intersection(named)
        if chosen.get("trunk") is not None:
            of_numbers = PAST if is_own and chosen["cells"] == number_cells(self._space) else ()
            return ("cells", *of_numbers) if is_own else ()
        free = LOOKED_AT if is_own else ("reward_scale",)
        return tuple(name for name in free if name not in named and not self._is_spiking)


def _tells_at_once(chosen: Named) -> bool:
    """Return whether the last action, no mean of them, tells an agent what its next one is paid."""
    is_last = 0.9 not in chosen.get("memories", ())
    return bool(chosen.get("sees_rewards") or (chosen.get("sees_actions") and is_last))


def _is_large(cells: Features | None, play: FirstPlay) -> bool:
    """Return whether an output learns a table of many states, of which some were seen to pay."""
    is_many = isinstance(cells, (OneHot, HashedStates)) and cells.size > _LARGE
    return is_many and not play.pays_nothing


def _left_by(named: Named, chosen: Named) -> PlainData:
    """Return what is *chosen* but not *named*; no schedule if a field of a linear fall is."""
    taken = {*named, "schedule"} if _OF_FALLING.intersection(named) else named
    return {name: value for name, value in chosen.items() if name not in taken}


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
    return min(max(rates.LEAST_GAMMA, gamma), _LARGEST_GAMMA)


def _traces(named: Named) -> tuple[float, ...] | None:
    """Return the traces that are *named*, or none if who says what is seen names none."""
    says = not named.keys().isdisjoint(("memories", "trunk", "trunk.patches"))
    return checked(named, ("traces",)).get("traces", () if says else None)


def checked(named: Named, names: Iterable[str]) -> PlainData:
    """Return what is named of these. Raises DescriptionError for other types and ranges."""
    checks = checks_of(AgentFields)
    return {name: checks[name](f"agent.{name}", named[name]) for name in names if name in named}


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
