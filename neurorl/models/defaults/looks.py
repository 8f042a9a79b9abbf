"""Test what a first play chose anew, by what an agent has seen while it learned.

Random play misleads where learning gets further: to other ranges, to rewards that were never seen,
to numbers that didn't vary. Only what is clearly wrong changes, and no field that a user named.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import gymnasium as gym
import numpy as np

from neurorl.models.actor import hidden_sizes
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.memories import as_seen
from neurorl.models.agent.past import PAST
from neurorl.models.defaults.few_values import number_cells
from neurorl.models.defaults.hidden_state import delays
from neurorl.models.defaults.rates import fields_of, reward_scale
from neurorl.models.defaults.tables import is_table, past_of, suiting, table_cells
from neurorl.models.features import Concat, Features, HashedStates, Select
from neurorl.numerics.arrays import FloatArray
from neurorl.storage.plain import PlainData
from neurorl.tasks.first_play import FirstPlay
from neurorl.tasks.kinds import Environment

LOOKS = (5_000, 20_000, 50_000)
"""Look at the first end of an episode after so many environment steps of learning."""
WINDOW = 3_000
"""Look at the last steps before, so many and those until that end."""
_TESTED = ("reward_scale", "memories", "cells")
_FACTOR = 5.0
"""Raise the scale of rewards if none were seen at first, and those that are seen now ask for so
many times more. A lower one helped no task, and an agent that had learned to swing up lost half of
it; where rewards were seen at first, no other scale helped."""
_NOTICED = 0.05
"""Choose cells anew if this share of a number lies beyond them, or varies and isn't read."""
_EDGE, _SHARED = 0.01, 0.33
"""Choose tiles anew for actions that are numbers if what is seen of a number, but for a hundredth
at each end, and its finest tiles have less than this share of their ranges in common. Chosen on a
car that keeps to its lane, seeds 100 and 101."""
_ROWS, _SWEEPS, _STEP = 1_000, 5, 0.5
"""Fit new weights to the old agent's drives and values for so many observations, so often."""


@dataclass(frozen=True)
class Look:
    """Hold what a look came to.

    steps: environment steps of learning before it. tested: the fields that it may change. changed:
    those that it did, and how, a text for each; empty if all stays.
    """

    steps: int
    tested: tuple[str, ...]
    changed: tuple[str, ...] = ()


def looks_of(config: AgentConfig, ends: Sequence[int], steps: int) -> list[Look]:
    """Return the looks of an agent that has taken so many *steps*.

    ends: how many it had taken at the ends of its episodes. An agent looks when it plays on.
    """
    at = [next((end for end in ends if end >= due), steps) for due in LOOKS]
    changed = {int(text.partition(":")[0]): text.partition(": ")[2] for text in config.looked}
    tested = tuple(name for name in _TESTED if name in config.looks_at)
    made = [end for end in dict.fromkeys(at) if end < steps or end in changed]
    return [
        Look(end, tested, tuple(changed[end].split("; ")) if end in changed else ())
        for end in (made if tested else ())
    ]


def in_words(old: AgentConfig, new: AgentConfig) -> str:
    """Return how the configuration of an agent has changed, as one line."""
    return "; ".join(
        f"{name} {_short(getattr(old, name))} -> {_short(getattr(new, name))}"
        for name in dict.fromkeys((*_TESTED, *PAST))
        if getattr(old, name) != getattr(new, name)
    )


def _short(value: object) -> str:
    return f"{type(value).__name__} ({value.size})" if isinstance(value, Features) else f"{value}"


def look(
    env: Environment, config: AgentConfig, seen: FirstPlay, first: Callable[[], FirstPlay]
) -> PlainData:
    """Return the fields to change, and their values; empty if nothing must.

    seen: the agent's own last steps. first: returns the first play, which cells are chosen by
    together with these, so that they cover both.
    """
    changes: PlainData = {}
    if config.critic.population is not None:
        return changes  # values that no factor scales
    if "reward_scale" in config.looks_at and not config.trunk.is_shared:
        scale, usual = reward_scale(seen, config.gamma, config.reward_scale), config.reward_scale
        if scale >= _FACTOR * usual and first().pays_nothing:
            changes["reward_scale"] = scale
    rows = seen.all_numbers()
    if "cells" not in config.looks_at or rows is None or not _is_plain(config):
        return changes
    space, past = env.observation_space, config.past
    sees_all = config.cells == number_cells(space)
    if (
        "memories" in config.looks_at
        and not past
        and (sees_all or not isinstance(config.cells, Select))
    ):
        past = past_of(space, seen, suiting(config.looks_at, env.action_space))
    is_fine = not isinstance(env.action_space, gym.spaces.Box)
    has_moved = not is_fine and _has_moved(config, seen)
    if past == config.past and (sees_all or not (has_moved or _is_narrow(config, seen))):
        return changes
    whole = FirstPlay.in_space(space, seen.first)
    for play in (seen,) if has_moved else (first(), seen):
        whole += play
    cells = table_cells(space, lambda: whole, past, is_fine)
    if cells is None or not is_table(cells) or cells == config.cells:
        return changes
    return {**changes, **_of_cells(config, cells), **dataclasses.asdict(past)}


def _is_plain(config: AgentConfig) -> bool:
    """Return whether what cells drive are sums of the weights of active cells."""
    of_now = config.stimulus_lags == 1 and not config.input_recalls and not config.critic.changes
    is_flat = config.description is None and not hidden_sizes(config.hidden)
    is_plain = config.trunk.is_shared or (is_flat and config.features == config.cells)
    return of_now and is_plain and is_table(config.cells)


def _of_cells(config: AgentConfig, cells: Features) -> PlainData:
    """Return the fields of an agent that other *cells* change, of those that looks may change."""
    if config.trunk.is_shared:
        return {"cells": cells}
    old, new = (fields_of(of, config.model) for of in (config.cells, cells))
    now, factor = config.alpha_output, new["alpha_output"] / old["alpha_output"]
    old["alpha_output"], new["alpha_output"] = now, round(now * factor, 3)
    free = {*config.looks_at, "features"}
    return {name: v for name, v in new.items() if name in free and v != old.get(name)}


def _rows(config: AgentConfig, seen: FirstPlay) -> FloatArray:
    """Return observations of a play as the cells of an agent read them, ``(n, d)``."""
    rows = seen.all_numbers()
    assert rows is not None
    return as_seen(seen, rows, config.past)


def _is_narrow(config: AgentConfig, seen: FirstPlay) -> bool:
    """Return whether cells don't tell apart what is seen now.

    Numbers that repeat others were left out on purpose.
    """
    rows, cells = _rows(config, seen), config.cells
    if not isinstance(cells, (HashedStates, Select)):
        return False
    varies = np.flatnonzero((rows != np.median(rows, axis=0)).mean(axis=0) > _NOTICED).tolist()
    left = {*varies} - {*cells.places, *getattr(cells, "before", ())}
    if left and left - delays(rows, seen.lengths).keys():
        return True
    return isinstance(cells, Select) and _beyond(cells, rows) > _NOTICED


def _has_moved(config: AgentConfig, seen: FirstPlay) -> bool:
    """Return whether a number is seen elsewhere than where its tiles are, or in a small part of it.

    Random actions drive a body far from where it is wanted.
    """
    rows, cells = _rows(config, seen), config.cells
    if not isinstance(cells, Select) or not isinstance(cells.of, Concat):
        return False
    flat = np.array([cells.flat(row) for row in rows[:: 1 + len(rows) // _ROWS]])
    first, last = np.quantile(flat, (_EDGE, 1.0 - _EDGE), axis=0)
    ends = ("low", "high")
    low, high = (np.concatenate([getattr(part, end) for part in cells.of.parts]) for end in ends)
    shared = np.minimum(high, last) - np.maximum(low, first)
    whole = np.maximum(high, last) - np.minimum(low, first)
    places = np.array(cells.places)
    shares = shared / np.where(whole > 0.0, whole, 1.0)
    best = [shares[places == place].max() for place in set(cells.places)]
    return bool(min(best) < _SHARED)


def _beyond(cells: Select, rows: FloatArray) -> float:
    """Return the largest share of a number that lies beyond all of its tiles."""
    parts = cells.of.parts if isinstance(cells.of, Concat) else ()
    flat = np.array([cells.flat(row) for row in rows[:: 1 + len(rows) // _ROWS]])
    low, high = (np.concatenate([getattr(part, end) for part in parts]) for end in ("low", "high"))
    beyond = ((flat < low) | (flat > high)).mean(axis=0) * (high > low)
    places = np.array(cells.places)
    return max(float(beyond[places == place].min()) for place in set(cells.places))


def fitted(
    old: AgentConfig, new: AgentConfig, seen: FirstPlay, known: FloatArray, begun: FloatArray
) -> FloatArray:
    """Return weights from the cells of the *new* agent that do as the *old* one's *known* weights.

    known: from the old cells, ``(n, m)``. begun: from the new ones, before they learn, ``(k, m)``.
    A few sweeps over what was *seen* fit the sums of active cells. Weights of cells that were
    never active stay as they begin.
    """
    weights = begun.copy()
    before, after = (_active(config, seen) for config in (old, new))
    wanted = [known[cells].sum(axis=0) for cells in before]
    for _ in range(_SWEEPS):
        for cells, sums in zip(after, wanted, strict=True):
            weights[cells] += _STEP / len(cells) * (sums - weights[cells].sum(axis=0))
    return weights


def _active(config: AgentConfig, seen: FirstPlay) -> list[np.ndarray]:
    """Return the indices of the active cells for some observations, which all are 1."""
    rows, cells = _rows(config, seen), config.cells
    some = rows[:: 1 + len(rows) // _ROWS]
    return [np.flatnonzero(cells(row)) for row in some]
