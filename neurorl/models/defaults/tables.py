"""Choose cells of which each observation sets a few, and memories that they need."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

import gymnasium as gym
import numpy as np

from neurorl.models.agent.memories import as_seen
from neurorl.models.agent.past import KEYS, NOTHING, Past
from neurorl.models.defaults import memory_search as search
from neurorl.models.defaults.boxes import MOST_JOINT, BoxRanges, box_cells, box_of
from neurorl.models.defaults.cue_search import cues_by_table
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
from neurorl.models.defaults.observations import default_cells, seen_parts
from neurorl.models.defaults.table_search import Question, told_by_table
from neurorl.models.defaults.tally_search import sums_of_numbers, tally_by_table
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
_KNOWN: dict[tuple[bytes, bool, frozenset[str]], tuple[Space, Past]] = {}
"""Remember the last answers: agents of one task with other seeds have the same first play."""
_MOST_KNOWN = 32
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
    return HashedStates(rows.shape[1], tuple(places), keys=tuple(seen_parts(space)))


def seen_once(rows: FloatArray) -> float:
    """Return the share of observations that came once only."""
    times = np.unique(rows, axis=0, return_counts=True)[1]
    return float((times == 1).sum() / len(rows))


def suiting(chooses: Iterable[str], actions: Space) -> frozenset[str]:
    """Return the fields that may be chosen for these actions: numbers can't be seen as actions."""
    are_numbers = isinstance(actions, gym.spaces.Box)
    return frozenset(name for name in chooses if not (are_numbers and name == "sees_actions"))


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
    asked = _Asked(space, play, rows, chooses, _OF_LOOKS)
    return asked.with_own(Past(memories=asked.with_memories((), True)))


def past_for_table(space: Space, play: Any, has_features: bool, chooses: Collection[str]) -> Past:
    """Return what the agent of a task that hides something sees of the past.

    has_features: whether the user names features, which can't read what rewards ask for. chooses:
    the fields that may be chosen.
    """
    is_box = isinstance(space, gym.spaces.Box)
    rows = play().all_numbers() if is_box or not has_features else None
    if rows is None:
        return NOTHING
    key = play().digest, has_features, frozenset(chooses)
    known = _KNOWN.pop(key, None) if key[0] else None
    if known is None or known[0] != space:
        known = space, _found(_Asked(space, play(), rows, chooses), has_features)
    _KNOWN[key] = known
    if len(_KNOWN) > _MOST_KNOWN:
        del _KNOWN[next(iter(_KNOWN))]
    return known[1]


def _found(asked: _Asked, has_features: bool) -> Past:
    """Return the answer of `past_for_table` to what is *asked*."""
    rows, chooses, is_box = asked.rows, asked.chooses, isinstance(asked.space, gym.spaces.Box)
    keeps = memories_for(asked.play, rows, MOST_JOINT) if is_box else ()
    if has_features:
        return Past(memories=keeps)
    best = search.missing_memories(asked.play, rows, NOTHING, is_box)[:1] if keeps else ()
    if any(keep < 0 for keep in best):
        keeps = ()  # of a cue that is over, what it was tells more than a mean
    keeps = asked.with_memories(keeps, is_box)
    sums = sums_of_numbers(asked.play, rows, chooses)
    held = filter(asked.are_held, search.kept_by_values(asked.play, rows, keeps, chooses, sums))
    past = next(held, Past(memories=keeps))  # a key in place of memories, if it tells much more
    question = Question(asked.play, rows, chooses)
    past = told_by_table(question, asked.with_own(past), asked.is_hashed)
    past = cues_by_table(question, past, asked.is_hashed)
    return tally_by_table(question, past, asked.are_held)


@dataclass(frozen=True)
class _Asked:
    """Ask a play what an agent has to see of the past.

    rows: all observations of the *play*. chooses: the fields that may be chosen. least: the share
    of rewards that they have to tell, at least; a look asks for more.
    """

    space: Space
    play: FirstPlay
    rows: FloatArray
    chooses: Collection[str]
    least: float = 0.0

    def cells(self, past: Past) -> Features | None:
        """Return the cells of an agent with this past."""
        return table_cells(self.space, lambda: self.play, past)

    def is_hashed(self, past: Past) -> bool:
        """Return whether a table holds all that is seen."""
        return isinstance(self.cells(past), HashedStates)

    def are_held(self, past: Past) -> bool:
        """Return whether a table, or pairs of few numbers, hold all that is seen."""
        cells, seen = self.cells(past), as_seen(self.play, self.rows, past)
        in_pairs = np.ptp(seen, axis=0).astype(bool).sum() <= MOST_JOINT
        return isinstance(cells, HashedStates) or (cells is not None and bool(in_pairs))

    def with_own(self, past: Past) -> Past:
        """Return *past*, with own actions, and what these were paid, where these tell rewards."""
        acts, paid = "sees_actions" in self.chooses, "sees_rewards" in self.chooses
        asked, of_actions = (self.play, self.rows), max(self.least, search.OF_ACTIONS)
        is_new = acts and not past.sees_actions  # a tally of own actions shows them already
        if is_new and search.acts_tell(*asked, past, of_actions):
            keeps, kept = past.memories, search.KEPT_OF_ACTIONS
            for more in (kept, kept[1:], kept[:1], ()):
                memories = (*keeps, *(keep for keep in more if keep not in keeps))
                both = replace(past, memories=memories, sees_actions=True)
                if self.are_held(both) and (more or self.is_hashed(both)):
                    past = both
                    break
        elif is_new and search.again_tells(*asked, past, of_actions):
            alone = replace(past, sees_actions=True)
            past = alone if self.are_held(alone) else past
        if acts and paid and search.rewards_tell(*asked, past, max(self.least, search.OF_PAID)):
            one = replace(past, sees_rewards=True)
            paid_too = replace(one, sees_actions=True)
            by_action = replace(paid_too, held_by=(*past.held_by, self.rows.shape[1]))
            pasts = [by_action, paid_too, one]
            if self.play.last_actions.max() >= KEYS:
                pasts.remove(by_action)  # which would hold some of them only
            return next(filter(self.are_held, pasts), past)
        return past

    def with_memories(self, keeps: tuple[float, ...], is_box: bool) -> tuple[float, ...]:
        """Return *keeps*, and a memory that rewards ask for, or (if not *is_box*) what comes next.

        After a first memory another cue is asked for. One without cells that hold it isn't taken.
        """
        n_varying = np.ptp(self.rows, axis=0).astype(bool).sum()
        in_pairs = (2 + len(keeps)) * n_varying <= MOST_JOINT
        if not (in_pairs or hashed_cells(self.space, self.rows) is not None):
            return keeps
        least = max(self.least, search.OF_REWARDS)
        for keep in search.missing_memories(self.play, self.rows, Past(keeps), is_box, least):
            found = (*keeps, keep)
            cells = self.cells(Past(found))
            if isinstance(cells, HashedStates) or (cells is not None and in_pairs):
                return found if keeps else self._with_another_cue(found)
        return keeps

    def _with_another_cue(self, keeps: tuple[float, ...]) -> tuple[float, ...]:
        """Return *keeps*, and what was before a change, if rewards need both and a table holds it.

        Others would tell the time: that the first eight steps are over, of which a lag knows
        nothing.
        """
        missing = search.missing_memories(self.play, self.rows, Past(keeps), True)
        every = ((*keeps, cue) for cue in missing if cue < 0.0)
        return next((both for both in every if self.is_hashed(Past(both))), keeps)
