"""Split batches of observations and masks of several environments."""

from __future__ import annotations

from typing import Any

from gymnasium import spaces
from gymnasium.vector.utils import batch_space, iterate

from neurorl.errors import ArgumentError, quoted
from neurorl.tasks.kinds import Space
from neurorl.tasks.observations import UnfitError

__all__ = ["each_mask", "each_observation"]


def each_observation(space: Space, observations: Any) -> list[Any]:
    """Return the observations of a batch one by one.

    space: of one observation. observations: from a vector of environments, ``(n, ...)``; in Dict
    and Tuple spaces each part is ``(n, ...)``. Raises UnfitError if they are no batch.
    """
    try:
        n = _length(space, observations)
        return list(iterate(batch_space(space, n), observations)) if n else []
    except Exception as exc:  # foreign objects may raise anything
        what, limit = "is no batch of observations", f"several of {space}"
        raise UnfitError(what, quoted(observations), limit) from exc


def each_mask(masks: Any, n: int, groups: int) -> list[Any]:
    """Return the masks of *n* observations one by one, None for each if *masks* is None.

    masks: ``(n, n_actions)``, or a tuple with an array ``(n, size)`` for each of several *groups*.
    Raises ArgumentError if there aren't *n*.
    """
    if masks is None:
        return [None] * n
    try:
        if isinstance(masks, tuple) and groups > 1:
            each: list[Any] = list(zip(*masks, strict=True))
        else:
            each = list(masks)
    except (TypeError, ValueError):
        each = []
    if len(each) != n:
        what, limit = "is not a mask for each observation", f"{n} masks"
        raise ArgumentError("action_masks", what, got=quoted(masks), limit=limit)
    return each


def _length(space: Space, observations: Any) -> int:
    """Return how many observations a batch has, by their first part."""
    while isinstance(space, (spaces.Dict, spaces.Tuple)):
        first: Any = next(iter(space.spaces)) if isinstance(space, spaces.Dict) else 0
        space, observations = space[first], observations[first]
    return len(observations)
