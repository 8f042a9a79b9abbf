"""Find numbers of a Box that repeat what others showed a step before.

Older observations that a wrapper stacks do so. They are left out if they tell nothing more, else
replaced by changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import gymnasium as gym
import numpy as np
import numpy.typing as npt

from neurorl.models.defaults.hidden_state import memories_for
from neurorl.models.features import Select, SelectChanges
from neurorl.tasks.first_play import FirstPlay

__all__ = ["changed", "delays", "left_out", "seeing_changes", "tell_more"]

_MOST_NEWEST = 20
"""Ask whether older observations tell more only if at most so many numbers of the newest vary."""

_OF_FLAGS = 2
"""Count the values of a flag."""

Numbers = npt.NDArray[np.float64]


def delays(rows: Numbers, lengths: Sequence[int]) -> dict[int, int]:
    """Return which numbers repeat what another showed a step before, as {index: the other's}.

    Numbers that stay the same within episodes don't count, nor do numbers that take turns, such as
    the phases of a clock. Flags count only if other numbers are repeated at the same distance: one
    flag may follow another because it says what time it is.

    rows: every observation of the first play, ``(n, d)``. lengths: the number of rows of each
    episode. Empty if not every observation was kept.
    """
    if len(rows) != sum(lengths):
        return {}
    before = np.setdiff1d(np.arange(len(rows)), np.cumsum(lengths) - 1)
    earlier, later = rows[before] + 0.0, rows[before + 1] + 0.0  # + 0.0 turns -0.0 into 0.0
    moves = np.flatnonzero((earlier != later).any(axis=0)).tolist()
    # Whole columns as keys, so that all pairs are compared in linear time.
    shown = {earlier[:, place].tobytes(): place for place in moves}
    again = {place: later[:, place].tobytes() for place in moves}
    found = {place: shown[numbers] for place, numbers in again.items() if numbers in shown}
    apart = {o - place for place, o in found.items() if len(np.unique(rows[:, place])) > _OF_FLAGS}
    found = {place: other for place, other in found.items() if other - place in apart}
    return {place: other for place, other in found.items() if _ends(place, found)}


def _ends(place: int, found: Mapping[int, int]) -> bool:
    """Return whether the chain from *place* ends at a number that repeats no other."""
    for _ in found:
        if place not in found:
            break
        place = found[place]
    return place not in found


def tell_more(play: FirstPlay, rows: Numbers, delayed: Mapping[int, int]) -> bool:
    """Return whether *delayed* numbers tell what comes next, where the others don't.

    `memories_for` decides it, as for a memory of the step before; true also for too many numbers.
    """
    newest = np.delete(rows, list(delayed), axis=1)
    if (newest != newest[0]).any(axis=0).sum() > _MOST_NEWEST:
        return True
    return bool(memories_for(play, newest, 2 * _MOST_NEWEST))


def left_out(rows: Numbers, delayed: Mapping[int, int]) -> Numbers:
    """Return observations in which no *delayed* number varies."""
    rows = rows.copy()
    rows[:, list(delayed)] = 0.0
    return rows


def changed(
    space: gym.spaces.Box, rows: Numbers, delayed: Mapping[int, int]
) -> tuple[gym.spaces.Box, Numbers]:
    """Return a space and observations with each *delayed* number replaced by the change since it.

    delayed: as `delays` returns it. Changes have no declared range.
    """
    low, high = (end.astype(np.float64).ravel() for end in (space.low, space.high))
    rows, places = rows.copy(), list(delayed)
    rows[:, places] = rows[:, list(delayed.values())] - rows[:, places]
    low[places], high[places] = -np.inf, np.inf
    return gym.spaces.Box(low, high, dtype=np.float64), rows


def seeing_changes(cells: Select, delayed: Mapping[int, int]) -> SelectChanges:
    """Return *cells* made for the result of `changed`, adapted to the observations themselves."""
    places = tuple(delayed.get(place, place) for place in cells.places)
    before = tuple(place if place in delayed else -1 for place in cells.places)
    return SelectChanges(cells.of, places, cells.n, before)
