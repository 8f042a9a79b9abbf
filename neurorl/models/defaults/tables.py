"""Choose cells of which each observation sets a few, and memories that they need."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Collection
from typing import Any

import gymnasium as gym
import numpy as np

from neurorl.models.agent.memories import as_seen
from neurorl.models.agent.past import KEYS, NOTHING, Past
from neurorl.models.defaults.boxes import MOST_JOINT, BoxRanges, box_cells, box_of
from neurorl.models.defaults.few_values import pair_cells
from neurorl.models.defaults.hidden_state import (
    changed,
    delays,
    left_out,
    memories_for,
    seeing_changes,
    tell_more,
)
from neurorl.models.defaults.images import image_cells, is_image
from neurorl.models.defaults.memory_search import (
    KEPT_OF_ACTIONS,
    OF_ACTIONS,
    OF_PAID,
    OF_REWARDS,
    acts_tell,
    again_tells,
    kept_by_values,
    missing_memories,
    rewards_tell,
)
from neurorl.models.defaults.observations import default_cells, seen_parts
from neurorl.models.defaults.table_search import told_by_table
from neurorl.models.features import Features, HashedStates, JointStates, OneHot, Select
from neurorl.numerics.arrays import FloatArray
from neurorl.tasks.first_play import FirstPlay
from neurorl.tasks.kinds import Space

_MOST_SHOWN, _MOST_IMAGES = 500, 250
"""Give each observation a cell if the first play showed at most so many different ones; fewer for
images, since random play sees little more than how a game begins."""
_NEW = 0.02
"""Give few numbers no such table if the first play saw more than this share of its observations
once only: that is how often the next one is new (Good 1953). Chosen on a dice game and a foraging
task with a memory, seeds 100 and 101, where tiles of pairs earn nearly three times and twice as
much."""
_OF_LOOKS = 0.25
"""Let a memory that a look finds tell this share of rewards. Of an agent's own play, falls off a
slippery cliff seemed to be told 8 % by what was seen four steps before; a cue tells 60 %."""


def is_table(cells: object) -> bool:
    """Return whether each observation makes some cells 1 and all others 0."""
    return isinstance(cells, (OneHot, JointStates, HashedStates, Select))


def table_cells(
    space: Space, play: Any, past: Past = NOTHING, is_fine: bool = True
) -> Features | None:
    """Return cells from which the output can learn a table; None if there are none.

    play: returns the first play, which numbered states don't need. past: what agents see beside
    the last observation, which adds numbers to it. is_fine: see `box_cells`.
    """
    cells, is_more = default_cells(space), bool(past)
    if not is_more and isinstance(cells, (OneHot, JointStates)):
        return cells
    if not (is_more or isinstance(space, (gym.spaces.Box, gym.spaces.Tuple, gym.spaces.Dict))):
        return pair_cells(space, lambda: play().all_numbers())
    rows = play().all_numbers()
    shows_own = past.sees_actions or past.sees_rewards
    if rows is None or (shows_own and len(rows) != sum(play().lengths)):
        return None
    shown, rows = rows.shape[1], as_seen(play(), rows, past)
    is_whole = not any(0.0 < keep < 1.0 for keep in past.memories)
    hashed = hashed_cells(space, rows) if is_whole else None
    if hashed is None and is_whole and shows_own and past.memories:
        n = shown + past.own(play().last_actions.shape[1])
        hashed = hashed_cells(space, _without_own_before(rows, shown, n, len(past.memories)))
    if hashed is not None:
        return hashed
    if isinstance(space, gym.spaces.Box) and not is_more:
        return _cells_of_box(space, play(), rows, is_fine)
    pairs, whole = None if is_more else pair_cells(space, lambda: rows), box_of(space)
    has_others = whole is not None and not is_more and whole.shape != rows.shape[1:]
    if pairs is not None or whole is None or has_others:
        return pairs
    ranges = BoxRanges.of(whole, rows, play().is_better(len(rows)))
    return box_cells(ranges, is_fine, tuple(seen_parts(space)))


def _without_own_before(rows: FloatArray, shown: int, n: int, memories: int) -> FloatArray:
    """Return *rows* as an agent sees them, with 0 for memories of its own actions and rewards.

    No table reads a number that never varies. shown, n: how many numbers an observation has, and
    has with those of its own, of which so many *memories* follow.
    """
    fewer = rows.copy()
    for k in range(1, 1 + memories):
        fewer[:, k * n + shown : (k + 1) * n] = 0.0
    return fewer


def _cells_of_box(
    space: gym.spaces.Box, play: FirstPlay, rows: FloatArray, is_fine: bool
) -> Features | None:
    """Return pixels or tiles of a box; tiles of changes, too, where these tell what is hidden."""
    better = play.is_better(len(rows))
    ranges = BoxRanges.of(space, rows, better)
    if len(ranges.places) > MOST_JOINT and is_image(space, rows, play.lengths):
        return image_cells(space, rows)
    delayed = delays(rows, play.lengths)
    if not delayed:
        return box_cells(ranges, is_fine)
    if not tell_more(play, rows, delayed):
        return box_cells(BoxRanges.of(space, left_out(rows, delayed), better), is_fine)
    tiles = box_cells(BoxRanges.of(*changed(space, rows, delayed), better), is_fine)
    return seeing_changes(tiles, delayed) if isinstance(tiles, Select) else None


def hashed_cells(space: Space, rows: Any) -> HashedStates | None:
    """Return a table of observations, if the first play showed only a few different ones.

    None also if too few were kept to tell, as for large observations.
    """
    is_image = isinstance(space, gym.spaces.Box) and len(space.shape) > 1
    most = _MOST_IMAGES if is_image else _MOST_SHOWN
    if len(rows) < 2 * _MOST_SHOWN:
        return None
    places = np.flatnonzero((rows != rows[0]).any(axis=0)).tolist()
    if not places:
        return None
    goes_on = len(places) <= MOST_JOINT and seen_once(rows) > _NEW
    if goes_on or len(np.unique(rows[:, places], axis=0)) > most:
        return None
    parts = seen_parts(space)
    if any(seen_parts(part) for part in parts.values()):
        return None  # nested parts
    return HashedStates(rows.shape[1], tuple(places), keys=tuple(parts))


def seen_once(rows: FloatArray) -> float:
    """Return the share of observations that came once only."""
    times = np.unique(rows, axis=0, return_counts=True)[1]
    return float((times == 1).sum() / len(rows))


def past_of(space: Space, play: FirstPlay, chooses: Collection[str]) -> Past:
    """Return what the rewards of *play* ask an agent to see of the past.

    chooses: the fields that may be chosen.

    What is shown next isn't asked about. Observations have to come back: then the mean reward of
    each observation and action is known, whatever actions follow from, and only what is hidden is
    left. Of other numbers least squares miss some, and a memory tells where an agent is.
    """
    rows = play.all_numbers()
    if rows is None:
        return NOTHING
    keeps = _of_rewards(space, lambda: play, rows, (), True, _OF_LOOKS)
    return _with_own(space, lambda: play, rows, Past(memories=keeps), _OF_LOOKS, chooses)


def past_for_table(space: Space, play: Any, has_features: bool, chooses: Collection[str]) -> Past:
    """Return what the agent of a task that hides something sees of the past.

    has_features: whether the user names features, which can't read what rewards ask for. chooses:
    the fields that may be chosen.
    """
    is_box = isinstance(space, gym.spaces.Box)
    rows = play().all_numbers() if is_box or not has_features else None
    if rows is None:
        return NOTHING
    keeps = memories_for(play(), rows, MOST_JOINT) if is_box else ()
    if has_features:
        return Past(memories=keeps)
    if keeps and any(keep < 0 for keep in missing_memories(play(), rows, NOTHING, is_box)[:1]):
        keeps = ()  # of a cue that is over, what it was tells more than a mean
    keeps = _of_rewards(space, play, rows, keeps, is_box)
    found = kept_by_values(play(), rows, keeps, chooses)
    held = (past for past in found if _are_held(space, play, rows, past))
    past = next(held, Past(memories=keeps))  # a key in place of memories, if it tells much more
    past = _with_own(space, play, rows, past, 0.0, chooses)
    return told_by_table(play(), rows, past, chooses, lambda one: _is_hashed(space, play, one))


def _are_held(space: Space, play: Callable[[], FirstPlay], rows: FloatArray, past: Past) -> bool:
    """Return whether a table, or pairs of few numbers, hold all that is seen."""
    cells, seen = table_cells(space, play, past), as_seen(play(), rows, past)
    in_pairs = np.ptp(seen, axis=0).astype(bool).sum() <= MOST_JOINT
    return isinstance(cells, HashedStates) or (cells is not None and bool(in_pairs))


def _with_own(
    space: Space,
    play: Callable[[], FirstPlay],
    rows: FloatArray,
    past: Past,
    least: float,
    chooses: Collection[str],
) -> Past:
    """Return *past*, with own actions, and what these were paid, where they tell what is paid.

    least: the share of rewards that they have to tell, at least; a look asks for more.
    """
    acts, paid = "sees_actions" in chooses, "sees_rewards" in chooses
    if acts and acts_tell(play(), rows, past, max(least, OF_ACTIONS)):
        keeps = past.memories
        for more in (KEPT_OF_ACTIONS, KEPT_OF_ACTIONS[1:], KEPT_OF_ACTIONS[:1], ()):
            memories = (*keeps, *(keep for keep in more if keep not in keeps))
            both = dataclasses.replace(past, memories=memories, sees_actions=True)
            if _are_held(space, play, rows, both) and (more or _is_hashed(space, play, both)):
                past = both
                break
    elif acts and again_tells(play(), rows, past, max(least, OF_ACTIONS)):
        alone = dataclasses.replace(past, sees_actions=True)
        past = alone if _are_held(space, play, rows, alone) else past
    if acts and paid and rewards_tell(play(), rows, past, max(least, OF_PAID)):
        paid_too = dataclasses.replace(past, sees_actions=True, sees_rewards=True)
        by_action = dataclasses.replace(paid_too, held_by=(*past.held_by, rows.shape[1]))
        one = dataclasses.replace(past, sees_rewards=True)
        pasts = [by_action, paid_too, one]
        if play().last_actions.max() >= KEYS:
            pasts.remove(by_action)  # which would hold some of them only
        return next((both for both in pasts if _are_held(space, play, rows, both)), past)
    return past


def _is_hashed(space: Space, play: Callable[[], FirstPlay], past: Past) -> bool:
    return isinstance(table_cells(space, play, past), HashedStates)


def _of_rewards(
    space: Space,
    play: Callable[[], FirstPlay],
    rows: FloatArray,
    keeps: tuple[float, ...],
    is_box: bool,
    least: float = OF_REWARDS,
) -> tuple[float, ...]:
    """Return *keeps*, and a memory that rewards ask for, or (if not *is_box*) what is shown next.

    After a first memory another cue is asked for. One without cells that hold it isn't taken.
    least: the share of rewards that it has to tell.
    """
    in_pairs = (2 + len(keeps)) * np.ptp(rows, axis=0).astype(bool).sum() <= MOST_JOINT
    can_hold = in_pairs or hashed_cells(space, rows) is not None
    for keep in missing_memories(play(), rows, Past(keeps), is_box, least) if can_hold else ():
        found = (*keeps, keep)
        cells = table_cells(space, play, Past(memories=found))
        if isinstance(cells, HashedStates) or (cells is not None and in_pairs):
            return found if keeps else _with_another_cue(space, play, rows, found)
    return keeps


def _with_another_cue(
    space: Space, play: Callable[[], FirstPlay], rows: FloatArray, keeps: tuple[float, ...]
) -> tuple[float, ...]:
    """Return *keeps*, and what was before a change, if rewards ask for both and a table holds them.

    Others would tell the time: that the first eight steps are over, of which a lag knows nothing.
    """
    cues = (keep for keep in missing_memories(play(), rows, Past(keeps), True) if keep < 0.0)
    every = ((*keeps, cue) for cue in cues)
    held = (both for both in every if _is_hashed(space, play, Past(memories=both)))
    return next(held, keeps)
