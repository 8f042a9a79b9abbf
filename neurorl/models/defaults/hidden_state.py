"""Find out from a first play what observations hide, and which of their numbers they repeat.

Numbers that a wrapper stacks repeat what others showed a step before. They are left out if they
tell nothing more, else replaced by changes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import gymnasium as gym
import numpy as np

from neurorl.models.agent.memories import shown_by_each
from neurorl.models.agent.past import Past
from neurorl.models.defaults.kinds import Kinds, halves
from neurorl.models.features import Select, SelectChanges
from neurorl.numerics.arrays import FloatArray
from neurorl.tasks.first_play import FirstPlay, acted_on, varying

_KEEPS = (0.0, 0.9)
"""Try these memories: the step before, for velocities; some 10 steps, for evidence."""
_HIDDEN = 0.4
"""Take a change for hidden if more than this share of it isn't predicted without a memory."""
_TOLD = 0.005
"""Give a memory only if it predicts more than this share of a hidden change in both halves of the
rows. A memory of mere noise makes predictions of rows that weren't fitted worse."""
_LEAST_ROWS = 500
_RIDGE = 1e-3
_ROWS_OF_TERM = 16
"""Confirm a memory with products of three numbers, if there are so many rows for each term: how a
driven body turns depends on its speed, its direction and its steering wheel."""
_MOST_NEWEST = 20
"""Ask whether older observations tell more only if at most so many numbers of the newest vary."""
_OF_FLAGS, _MOST_VALUES = 2, 32
"""Count the values of a flag, and of a number that takes a few."""
_MOST_FLAGS, _MOST_PRODUCTS = 256, 1000
"""Limit the predictors: least squares take the third power of their number."""


def memories_for(play: FirstPlay, rows: FloatArray, most: int) -> tuple[float, ...]:
    """Return the memory that predicts changes best, or none if they are predicted without one.

    rows: every observation of the play, ``(n, d)``. most: limit of varying numbers and memories.

    Least squares predict the change of each number to the next step from the observation, the
    action and their products, with and without each memory; the mean error after the same
    observation and action is added. The error is measured on rows that weren't fitted. CartPole's
    positions leave half of their changes unpredicted, 7 % with a memory of the step before; tasks
    that show their state leave a few percent, or random draws, so they get no memory. The memory
    that predicts more of all hidden changes is taken, unless none is left to predict for products
    of three numbers.
    """
    lengths = play.lengths
    if not is_long(play, rows):
        return ()
    rows = varying(rows)
    if not 0 < rows.shape[1] <= most // 2:
        return ()
    now = acted_on(lengths)
    change = varying(rows[now + 1] - rows[now])
    seen = np.concatenate([rows[now], flags_of_actions(play)], axis=1)
    shown = shown_by_each(rows, lengths, [Past((keep,)) for keep in _KEEPS])
    past = {keep: one[now] for keep, one in zip(_KEEPS, shown, strict=True)}
    best = _telling(seen, change, past, 2)
    if best and has_rows_for_cubes(seen):
        return best if _telling(seen, change, past, 3) else ()
    if best and has_rows_for_cubes(rows):  # not of actions, which may be many flags
        cubes = products(scaled(rows[now]), 3)[1:]
        return best if _telling(seen, change, past, 2, cubes) else ()
    return best


def is_long(play: FirstPlay, rows: FloatArray) -> bool:
    """Return whether *rows* are all observations of a play, of so many steps, all kept."""
    is_whole = len(rows) == sum(play.lengths) and len(play.actions) == play.steps
    return is_whole and len(rows) >= _LEAST_ROWS


def has_rows_for_cubes(seen: FloatArray) -> bool:
    """Return whether *seen*, ``(n, k)``, has rows enough to fit products of three numbers."""
    return math.comb(seen.shape[1] + 3, 3) <= len(seen) // _ROWS_OF_TERM


def products(numbers: FloatArray, degree: int) -> list[FloatArray]:
    """Return the products of two numbers, and so on up to so many, a column each.

    If these are over 1,000, flags have none, nor have other numbers if theirs alone are.
    """
    found = []
    if math.comb(numbers.shape[1] + degree, degree) > _MOST_PRODUCTS:
        numbers = numbers[:, [len(np.unique(column)) > _OF_FLAGS for column in numbers.T]]
    if math.comb(numbers.shape[1] + degree, degree) > _MOST_PRODUCTS:
        return []
    for n in range(2, degree + 1):
        factors = [*itertools.combinations_with_replacement(range(numbers.shape[1]), n)]
        places = np.array(factors, dtype=np.intp).reshape(-1, n)
        found.append(numbers[:, places].prod(axis=2))
    return found


def _telling(
    seen: FloatArray,
    change: FloatArray,
    past: Mapping[float, FloatArray],
    degree: int,
    more: Sequence[FloatArray] = (),
) -> tuple[float, ...]:
    """Return the keep whose memory predicts most of the hidden changes, or none.

    more: predictors beside the products of what is *seen*, up to this degree, ``(n, k)`` each. Each
    value of a number that takes a few may be followed by something else, as the last hour of a day
    is by the first one.
    """
    values = [(column, np.unique(column)) for column in seen.T]
    few = [column[:, None] == of for column, of in values if _OF_FLAGS < len(of) <= _MOST_VALUES]
    flags = np.concatenate([np.empty((len(seen), 0)), *few, *more], axis=1)
    left = left_over(seen, change, flags, degree)
    is_hidden = left.mean(axis=0) > _HIDDEN
    best: tuple[float, ...] = ()
    most_told = 0.0
    for keep, memory in past.items():
        known = np.concatenate([flags, memory], axis=1)
        gains = (left - left_over(seen, change, known, degree)).min(axis=0)[is_hidden]
        told = float(gains[gains > 0.0].sum())
        if gains.max(initial=0.0) > _TOLD and told > most_told:
            best, most_told = (keep,), told
    return best


def flags_of_actions(play: FirstPlay) -> FloatArray:
    """Return the actions as numbers, ``(steps, k)``: a choice among n is n flags.

    Of more than 256 flags, those of the choices that were taken most often are kept.
    """
    actions = np.array(play.actions).reshape(len(play.actions), -1)
    if actions.dtype.kind not in "iu":
        return np.asarray(actions[:, :_MOST_FLAGS], dtype=np.float64)
    values, counts = zip(*(np.unique(x, return_counts=True) for x in actions.T), strict=True)
    every = [(column, value) for column, of in enumerate(values) for value in of]
    kept = np.sort(np.argsort(-np.concatenate(counts), kind="stable")[:_MOST_FLAGS])
    flags = [actions[:, column] == value for column, value in (every[k] for k in kept)]
    return np.array(flags, dtype=np.float64).T


def left_over(
    seen: FloatArray, change: FloatArray, more: FloatArray | None = None, degree: int = 2
) -> FloatArray:
    """Return the share of each change that isn't predicted in each half, ``(2, d)`` in [0, 1].

    seen: observations and actions, ``(n, k)``. more: further predictors, without products.
    degree: of the products, 2 or 3.
    """
    kinds = np.unique(seen, axis=0, return_inverse=True)[1].ravel()
    seen = scaled(seen)
    terms = [np.ones((len(seen), 1)), seen, *products(seen, degree)]
    x = np.concatenate(terms if more is None else [*terms, scaled(more)], axis=1)
    change = _of_ordinary_size(change)
    squares_left = residuals_of(x, change, [kinds]) ** 2 / change.var(axis=0)
    is_first = halves(len(x))
    share = np.array([squares_left[half].mean(axis=0) for half in (is_first, ~is_first)])
    return np.asarray(np.minimum(share, 1.0))


def residuals_of(x: FloatArray, y: FloatArray, kinds: Sequence[Kinds]) -> FloatArray:
    """Return what is left of *y*, ``(n, c)``, after each half's prediction for the other.

    Least squares are fitted to *x*, ``(n, k)``, then what is left is averaged for each kind of
    rows, by one of *kinds* after the other, ``(n,)`` each.
    """
    is_first, predicted = halves(len(x)), np.zeros_like(y)
    for fits in (is_first, ~is_first):
        of = x[fits]  # once, so that BLAS computes half of a symmetric product
        squares = of.T @ of + _RIDGE * np.eye(x.shape[1])
        fitted = x @ np.linalg.solve(squares, of.T @ y[fits])
        for kind in kinds:
            fitted += _means_of(kind[fits], (y - fitted)[fits], int(kind.max()) + 1)[kind]
        predicted[~fits] = fitted[~fits]
    return np.asarray(y - np.clip(predicted, y.min(axis=0), y.max(axis=0)))


def _means_of(kinds: Kinds, numbers: FloatArray, n: int) -> FloatArray:
    """Return the mean of the rows of each kind, ``(n, d)``, nearer to 0 where a kind has few."""
    counts = np.bincount(kinds, minlength=n) + 1.0
    sums = [np.bincount(kinds, column, minlength=n) for column in numbers.T]
    return np.array(sums).T / counts[:, None]


def scaled(numbers: FloatArray) -> FloatArray:
    """Return the columns that vary, scaled to mean 0 and standard deviation 1."""
    numbers = _of_ordinary_size(numbers)
    spread = numbers.std(axis=0)
    varies = spread > 0.0
    return np.asarray((numbers - numbers.mean(axis=0))[:, varies] / spread[varies])


def _of_ordinary_size(numbers: FloatArray) -> FloatArray:
    """Return each column times a power of two, which is exact, so that its largest is about 1.

    Sums of the largest floats and squares of the smallest ones are no numbers otherwise.
    """
    _, exponents = np.frexp(np.abs(numbers).max(axis=0, initial=0.0))
    return np.asarray(np.ldexp(numbers, -exponents))


def delays(rows: FloatArray, lengths: Sequence[int]) -> dict[int, int]:
    """Return which numbers repeat what another showed a step before, as {index: the other's}.

    Numbers that stay the same within episodes don't count, nor do numbers that take turns, such as
    the phases of a clock. Flags count only if other numbers are repeated at the same distance: one
    flag may follow another because it says what time it is.

    rows: every observation of the first play, ``(n, d)``. lengths: the number of rows of each
    episode. Empty if not every observation was kept.
    """
    if len(rows) != sum(lengths):
        return {}
    before = acted_on(lengths)
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


def tell_more(play: FirstPlay, rows: FloatArray, delayed: Mapping[int, int]) -> bool:
    """Return whether *delayed* numbers tell what comes next, where the others don't.

    `memories_for` decides it, as for a memory of the step before; true also for too many numbers.
    """
    newest = np.delete(rows, list(delayed), axis=1)
    if (newest != newest[0]).any(axis=0).sum() > _MOST_NEWEST:
        return True
    return bool(memories_for(play, newest, 2 * _MOST_NEWEST))


def left_out(rows: FloatArray, delayed: Mapping[int, int]) -> FloatArray:
    """Return observations in which no *delayed* number varies."""
    rows = rows.copy()
    rows[:, list(delayed)] = 0.0
    return rows


def changed(
    space: gym.spaces.Box, rows: FloatArray, delayed: Mapping[int, int]
) -> tuple[gym.spaces.Box, FloatArray]:
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
