"""Choose cells of which each observation sets a few, and memories that they need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from neurorl.models.agent.memories import as_seen
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
    OF_REWARDS,
    acts_tell,
    missing_memories,
)
from neurorl.models.defaults.observations import default_cells, seen_parts
from neurorl.models.features import Features, HashedStates, JointStates, OneHot, Select
from neurorl.numerics.arrays import FloatArray
from neurorl.storage.plain import PlainData
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
    space: Space,
    play: Any,
    memories: Sequence[float] = (),
    is_fine: bool = True,
    sees_actions: bool = False,
) -> Features | None:
    """Return cells from which the output can learn a table; None if there are none.

    play: returns the first play, which numbered states don't need. memories: the keeps of an
    agent's memories, which add numbers to an observation, as its last actions do if it
    *sees_actions*. is_fine: see `box_cells`.
    """
    cells, is_more = default_cells(space), bool(memories) or sees_actions
    if not is_more and isinstance(cells, (OneHot, JointStates)):
        return cells
    if not (is_more or isinstance(space, (gym.spaces.Box, gym.spaces.Tuple, gym.spaces.Dict))):
        return pair_cells(space, lambda: play().all_numbers())
    rows = play().all_numbers()
    if rows is None or (sees_actions and len(rows) != sum(play().lengths)):
        return None
    rows = as_seen(play(), rows, memories, sees_actions)
    is_whole = not any(0.0 < keep < 1.0 for keep in memories)
    if is_whole and (hashed := hashed_cells(space, rows)) is not None:
        return hashed
    if isinstance(space, gym.spaces.Box) and not is_more:
        return _cells_of_box(space, play(), rows, is_fine)
    pairs, whole = None if is_more else pair_cells(space, lambda: rows), box_of(space)
    has_others = whole is not None and not is_more and whole.shape != rows.shape[1:]
    if pairs is not None or whole is None or has_others:
        return pairs
    ranges = BoxRanges.of(whole, rows, play().is_better(len(rows)))
    return box_cells(ranges, is_fine, tuple(seen_parts(space)))


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


def memories_of(space: Space, play: FirstPlay, may_act: bool) -> PlainData:
    """Return the memory that the rewards of *play* ask for, as fields; none if they do without.

    may_act: whether the agent may see its own actions.

    What is shown next isn't asked about. Observations have to come back: then the mean reward of
    each observation and action is known, whatever actions follow from, and only what is hidden is
    left. Of other numbers least squares miss some, and a memory tells where an agent is.
    """
    rows = play.all_numbers()
    if rows is None:
        return {}
    keeps = _of_rewards(space, lambda: play, rows, (), True, _OF_LOOKS)
    return _with_actions(space, lambda: play, rows, keeps, _OF_LOOKS if may_act else None)


def memories_for_table(space: Space, play: Any, has_features: bool, may_act: bool) -> PlainData:
    """Return the memories of an agent of a task that hides something, as fields, if any.

    has_features: whether the user names features, which can't read what rewards ask for. may_act:
    whether the agent may see its own actions.
    """
    is_box = isinstance(space, gym.spaces.Box)
    rows = play().all_numbers() if is_box or not has_features else None
    if rows is None:
        return {}
    keeps = memories_for(play(), rows, MOST_JOINT) if is_box else ()
    if not has_features:
        if keeps and any(keep < 0 for keep in missing_memories(play(), rows, (), is_box)[:1]):
            keeps = ()  # of a cue that is over, what it was tells more than a mean
        keeps = _of_rewards(space, play, rows, keeps, is_box)
    least = OF_ACTIONS if may_act and not has_features else None
    return _with_actions(space, play, rows, keeps, least)


def _with_actions(
    space: Space,
    play: Callable[[], FirstPlay],
    rows: FloatArray,
    keeps: tuple[float, ...],
    least: float | None,
) -> PlainData:
    """Return memories as fields: of own actions, too, if these tell what is paid.

    least: the share of rewards that they have to tell; None asks for none.
    """
    if least is not None and acts_tell(play(), rows, keeps, least):
        n = np.ptp(np.concatenate([rows, play().last_actions], axis=1), axis=0).astype(bool).sum()
        for more in (KEPT_OF_ACTIONS, KEPT_OF_ACTIONS[1:], KEPT_OF_ACTIONS[:1], ()):
            memories = (*keeps, *(keep for keep in more if keep not in keeps))
            cells = table_cells(space, play, memories, sees_actions=True)
            in_pairs = more and (1 + len(memories)) * n <= MOST_JOINT
            if isinstance(cells, HashedStates) or (cells is not None and in_pairs):
                return {"memories": memories, "sees_actions": True}
    return {"memories": keeps} if keeps else {}


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
    for keep in missing_memories(play(), rows, keeps, is_box, least) if can_hold else ():
        cells, found = table_cells(space, play, (*keeps, keep)), (*keeps, keep)
        if isinstance(cells, HashedStates) or (cells is not None and in_pairs):
            return found if keeps else _with_another_cue(space, play, rows, found)
    return keeps


def _with_another_cue(
    space: Space, play: Callable[[], FirstPlay], rows: FloatArray, keeps: tuple[float, ...]
) -> tuple[float, ...]:
    """Return *keeps*, and what was before a change, if rewards ask for both and a table holds them.

    Others would tell the time: that the first eight steps are over, of which a lag knows nothing.
    """
    cues = (keep for keep in missing_memories(play(), rows, keeps, True) if keep < 0.0)
    every = ((*keeps, cue) for cue in cues)
    held = (both for both in every if isinstance(table_cells(space, play, both), HashedStates))
    return next(held, keeps)
