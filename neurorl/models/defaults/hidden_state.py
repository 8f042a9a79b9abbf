"""Find out from a first play whether memories predict what the last observation doesn't."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neurorl.models.agent.memories import extended
from neurorl.tasks.first_play import FirstPlay

__all__ = ["memories_for"]

Numbers = npt.NDArray[np.float64]

_KEEPS = (0.0, 0.9)
"""Try these memories: the step before, for velocities; some 10 steps, for evidence."""
_HIDDEN = 0.4
"""Take a change for hidden if more than this share of it isn't predicted without a memory."""
_TOLD = 0.005
"""Give a memory only if it predicts more than this share of a hidden change in both halves of the
rows. A memory of mere noise makes predictions of rows that weren't fitted worse."""
_LEAST_ROWS = 500
_BLOCK = 25
"""Fit every second block of so many rows and predict the others, then the reverse."""
_RIDGE = 1e-3


def memories_for(play: FirstPlay, rows: Numbers, most: int) -> tuple[float, ...]:
    """Return the memory that predicts changes best, or none if they are predicted without one.

    rows: every observation of the play, ``(n, d)``. most: limit of varying numbers and memories.

    Least squares predict the change of each number to the next step from the observation, the
    action and their products, with and without each memory; the mean error after the same
    observation and action is added. The error is measured on rows that weren't fitted. CartPole's
    positions leave half of their changes unpredicted, 7 % with a memory of the step before; tasks
    that show their state leave a few percent, or random draws, so they get no memory. The memory
    that predicts more of all hidden changes is taken.
    """
    lengths = [len(rewards) + 1 for rewards in play.rewards]
    if len(rows) < _LEAST_ROWS or len(rows) != sum(lengths) or len(play.actions) != play.steps:
        return ()
    rows = rows[:, rows.max(axis=0) > rows.min(axis=0)]
    if not 0 < rows.shape[1] <= most // 2:
        return ()
    last = np.cumsum(lengths) - 1
    now = np.setdiff1d(np.arange(len(rows)), last)
    change = rows[now + 1] - rows[now]
    change = change[:, change.max(axis=0) > change.min(axis=0)]
    seen = np.concatenate([rows[now], _of_actions(play)], axis=1)
    left = _left_over(seen, change)
    is_hidden = left.mean(axis=0) > _HIDDEN
    best: tuple[float, ...] = ()
    most_told = 0.0
    for keep in _KEEPS:
        more = extended(rows, lengths, (keep,))[now, rows.shape[1] :]
        gains = (left - _left_over(seen, change, more)).min(axis=0)[is_hidden]
        told = float(gains[gains > 0.0].sum())
        if gains.max(initial=0.0) > _TOLD and told > most_told:
            best, most_told = (keep,), told
    return best


def _of_actions(play: FirstPlay) -> Numbers:
    """Return the actions as numbers, ``(steps, k)``: a choice among n is n flags."""
    actions = np.array([np.ravel(action) for action in play.actions])
    if actions.dtype.kind not in "iu":
        return np.asarray(actions, dtype=np.float64)
    columns = [column[:, None] == np.unique(column) for column in actions.T]
    return np.asarray(np.concatenate(columns, axis=1), dtype=np.float64)


def _left_over(seen: Numbers, change: Numbers, more: Numbers | None = None) -> Numbers:
    """Return the share of each change that isn't predicted in each half, ``(2, d)`` in [0, 1].

    seen: observations and actions, ``(n, k)``. more: further predictors, without products.
    """
    kinds = np.unique(seen, axis=0, return_inverse=True)[1].ravel()
    seen = _scaled(seen)
    squares = np.triu_indices(seen.shape[1])
    terms = [np.ones((len(seen), 1)), seen, seen[:, squares[0]] * seen[:, squares[1]]]
    x = np.concatenate(terms if more is None else [*terms, _scaled(more)], axis=1)
    is_first = np.arange(len(x)) // _BLOCK % 2 == 0
    predicted = np.zeros_like(change)
    for fits in (is_first, ~is_first):
        a, b = x[fits].T @ x[fits], x[fits].T @ change[fits]
        solved = np.linalg.solve(a + _RIDGE * np.eye(len(a)), b)
        fitted = x @ solved
        off = _means(kinds[fits], change[fits] - fitted[fits], int(kinds.max()) + 1)
        predicted[~fits] = fitted[~fits] + off[kinds[~fits]]
    predicted = np.clip(predicted, change.min(axis=0), change.max(axis=0))
    squares_left = (change - predicted) ** 2 / change.var(axis=0)
    share = np.array([squares_left[half].mean(axis=0) for half in (is_first, ~is_first)])
    return np.asarray(np.minimum(share, 1.0))


def _means(kinds: npt.NDArray[np.intp], numbers: Numbers, n: int) -> Numbers:
    """Return the mean of the rows of each kind, ``(n, d)``, nearer to 0 where a kind has few."""
    counts = np.bincount(kinds, minlength=n) + 1.0
    sums = [np.bincount(kinds, column, minlength=n) for column in numbers.T]
    return np.array(sums).T / counts[:, None]


def _scaled(numbers: Numbers) -> Numbers:
    """Return the columns that vary, scaled to mean 0 and standard deviation 1."""
    spread = numbers.std(axis=0)
    varies = spread > 0.0
    return np.asarray((numbers - numbers.mean(axis=0))[:, varies] / spread[varies])
