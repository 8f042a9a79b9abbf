"""Find out from a first play whether an observation hides what memories of earlier ones tell."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neurorl.models.memories import extended
from neurorl.tasks.first_play import FirstPlay

__all__ = ["memories_for"]

Numbers = npt.NDArray[np.float64]

_KEEPS = (0.0, 0.9)
"""Try these memories: the step before, for velocities; some 10 steps, for evidence."""
_HIDDEN = 0.4
"""Suspect something hidden from this share of a change on that nothing now foretells."""
_TOLD = 0.005
"""Ask a memory to foretell at least this share of a change, in either half of the rows. Noise alone
makes one foretell less than nothing where it wasn't fitted."""
_LEAST_ROWS = 500
_BLOCK = 25
"""Foretell blocks of so many rows, every second one, from the others."""
_RIDGE = 1e-3


def memories_for(play: FirstPlay, rows: Numbers, most: int) -> tuple[float, ...]:
    """Return the memory by which changes are best foretold, if without one much of them isn't.

    rows: every observation of the play, ``(n, d)``. most: numbers that may vary.

    The change of each number to the next step is foretold by least squares from the observation,
    the action and products of these, with and without each memory; what is left over is measured
    where it wasn't fitted. Of CartPole's positions half is left, with a memory of the step before
    7 %; of tasks that show their state a few percent, so they get none.
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
    told = _TOLD
    for keep in _KEEPS:
        more = extended(rows, lengths, (keep,))[now, rows.shape[1] :]
        gain = (left - _left_over(seen, change, more)).min(axis=0)
        most_told = float(np.max(gain[is_hidden], initial=0.0))
        if most_told > told:
            best, told = (keep,), most_told
    return best


def _of_actions(play: FirstPlay) -> Numbers:
    """Return what was done in each step as numbers: of a choice among n, one for each."""
    actions = np.array([np.ravel(action) for action in play.actions])
    if actions.dtype.kind not in "iu":
        return np.asarray(actions, dtype=np.float64)
    columns = [column[:, None] == np.unique(column) for column in actions.T]
    return np.asarray(np.concatenate(columns, axis=1), dtype=np.float64)


def _left_over(seen: Numbers, change: Numbers, more: Numbers | None = None) -> Numbers:
    """Return the share of each change that isn't foretold in each half, ``(2, d)`` in [0, 1].

    more: numbers that are fitted too, without their products.
    """
    seen = _scaled(seen)
    squares = np.triu_indices(seen.shape[1])
    terms = [np.ones((len(seen), 1)), seen, seen[:, squares[0]] * seen[:, squares[1]]]
    x = np.concatenate(terms if more is None else [*terms, _scaled(more)], axis=1)
    is_first = np.arange(len(x)) // _BLOCK % 2 == 0
    foretold = np.zeros_like(change)
    for fits in (is_first, ~is_first):
        a, b = x[fits].T @ x[fits], x[fits].T @ change[fits]
        solved = np.linalg.solve(a + _RIDGE * np.eye(len(a)), b)
        foretold[~fits] = x[~fits] @ solved
    foretold = np.clip(foretold, change.min(axis=0), change.max(axis=0))
    squares_left = (change - foretold) ** 2 / change.var(axis=0)
    share = np.array([squares_left[half].mean(axis=0) for half in (is_first, ~is_first)])
    return np.asarray(np.minimum(share, 1.0))


def _scaled(numbers: Numbers) -> Numbers:
    """Return numbers that vary, of mean 0 and width 1."""
    spread = numbers.std(axis=0)
    varies = spread > 0.0
    return np.asarray((numbers - numbers.mean(axis=0))[:, varies] / spread[varies])
