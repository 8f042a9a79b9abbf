"""Choose cells and features for any observation space where the user names none."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np

from neurorl.errors import UnsupportedError
from neurorl.models.features import (
    RBF,
    Concat,
    Features,
    Fourier,
    GaussianCells,
    JointStates,
    OneHot,
    Select,
    SelectParts,
)
from neurorl.models.features.base import PartKey
from neurorl.models.features.of_others import BlockMeans, blocks_for, pooled
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.tasks.kinds import OF_NUMBERS, Space, parts_of

_MAX_CELLS = 400
_MAX_FEATURES = 1024
_MAX_SEEN = 1024
"""Average observations of more numbers than this in blocks."""
_MAX_STATES = 2**16
_MAX_JOINT = 4096
"""Limit the combinations; with more, each number has cells of its own."""
_MAX_BITS = 8


def default_cells(space: Space) -> Features:
    """Return input cells for any Discrete, Box, MultiDiscrete, MultiBinary, Tuple or Dict space."""
    return _for_space(space, _gaussian)


def _gaussian(low: Any, high: Any) -> Features:
    return GaussianCells(low, high, int(np.clip(_MAX_CELLS // len(low), 1, 10)))


def default_features(space: Space) -> Features:
    """Return a critic's features for the same spaces: one-hot, or Fourier as far as it fits."""

    def box(low: Any, high: Any) -> Features:
        for order, coupled in ((3, 4), (2, 4), (3, 2), (2, 2), (1, 2)):
            if _fourier_size(len(low), order, coupled) <= _MAX_FEATURES:
                return Fourier(low, high, order, coupled)
        return Fourier(low, high, 1, 1)

    return _for_space(space, box)


def default_joint_cells(space: Space) -> Features:
    """Return cells for a spiking critic: as many joint cells as fit, or `default_cells`."""

    def box(low: Any, high: Any) -> Features:
        for cells in (4, 3, 2):
            if cells ** len(low) <= _MAX_CELLS:
                return RBF(low, high, cells)
        return _gaussian(low, high)

    return _for_space(space, box)


def _fourier_size(d: int, order: int, coupled: int) -> int:
    return sum(math.comb(d, k) * order**k for k in range(min(coupled, d) + 1))


def _of_box(low: Array, high: Array, box: Any) -> Features:
    """Return features of each number, or of means of blocks if there are very many."""
    features: Features
    if low.size <= _MAX_SEEN:
        features = box(low.ravel(), high.ravel())
        return features
    blocks = blocks_for(low.shape, _MAX_CELLS)
    ends = (pooled(end.astype(np.float64), blocks).ravel() for end in (low, high))
    return BlockMeans(box(*ends), low.shape, blocks)


def _check_states(space: Space, n: int) -> None:
    if n > _MAX_STATES:
        what, remedy = "has too many states for a cell each", "choose cells= and features="
        raise UnsupportedError(
            "observation space", what, got=space, limit=_MAX_STATES, remedy=remedy
        )


def _is_empty(space: Space) -> bool:
    """Return whether there is nothing to see."""
    if isinstance(space, (gym.spaces.Tuple, gym.spaces.Dict)):
        return not len(space.spaces)
    return space.shape is not None and 0 in space.shape


def is_seen(space: Space) -> bool:
    """Return whether there are cells for a part of an observation; text has none."""
    if isinstance(space, (gym.spaces.Tuple, gym.spaces.Dict)):
        return _is_empty(space) or any(map(is_seen, parts_of(space).values()))
    return isinstance(space, OF_NUMBERS)


def seen_parts(space: Space) -> dict[PartKey, Space]:
    """Return the parts of a Tuple or Dict that there are cells for, and in place of one its own."""
    found = dict[PartKey, Space]()
    for key, part in parts_of(space).items():
        for inner, leaf in (seen_parts(part) or {(): part}).items():
            path = (key, *(inner if isinstance(inner, tuple) else (inner,)))
            if is_seen(leaf):
                found[path if len(path) > 1 else key] = leaf
    return found


def selecting(of: Features, places: tuple[int, ...], n: int, keys: Iterable[PartKey]) -> Select:
    """Return features *of* some of n numbers, of the parts with these keys if there are any."""
    parts = tuple(keys)
    return SelectParts(of, places, n, parts) if parts else Select(of, places, n)


def unseen(space: Space, where: str = "") -> list[str]:
    """Name the parts of a Tuple or Dict that there are no cells for."""
    if not isinstance(space, (gym.spaces.Tuple, gym.spaces.Dict)):
        return [] if is_seen(space) else [f"{where} ({type(space).__name__})"]
    parts = parts_of(space).items()
    return [name for key, part in parts for name in unseen(part, f"{where}[{key!r}]")]


def whole_ends(space: Space) -> tuple[FloatArray, FloatArray] | None:
    """Return the first value of each number and how many it takes; None if they aren't whole."""
    if isinstance(space, gym.spaces.Discrete):
        return np.array([float(space.start)]), np.array([float(space.n)])
    if isinstance(space, gym.spaces.MultiDiscrete):
        first, counts = (np.ravel(ends) for ends in (space.start, space.nvec))
        return first.astype(np.float64), counts.astype(np.float64)
    if isinstance(space, gym.spaces.MultiBinary):
        n = int(np.prod(space.shape))
        return np.zeros(n), np.full(n, 2.0)
    return None


def _joint_states(space: Space) -> JointStates | None:
    """Return a cell for each combination of several numbers, if there are few enough."""
    named = seen_parts(space)
    parts = named.values()
    is_row = isinstance(space, gym.spaces.MultiDiscrete) and space.nvec.ndim == 1
    if isinstance(space, gym.spaces.MultiBinary):
        is_row = len(space.shape) == 1 and space.shape[0] <= _MAX_BITS
    if not is_row and not (parts and all(isinstance(p, gym.spaces.Discrete) for p in parts)):
        return None
    ends = [pair for pair in map(whole_ends, parts or [space]) if pair is not None]
    starts, sizes = (np.concatenate(side).astype(int).tolist() for side in zip(*ends, strict=True))
    if math.prod(sizes) > _MAX_JOINT:
        return None
    return JointStates(tuple(sizes), tuple(starts), _keys(space, named))


def _keys(space: Space, parts: Mapping[PartKey, Space]) -> tuple[PartKey, ...]:
    """Return the keys of *parts*; none if they are those of a whole Tuple, in its order."""
    is_whole = isinstance(space, gym.spaces.Tuple) and [*parts] == [*range(len(space.spaces))]
    return () if is_whole else tuple(parts)


def _for_space(space: Space, box: object) -> Features:
    if _is_empty(space):
        remedy = "wrap the environment in a Gymnasium ObservationWrapper"
        raise UnsupportedError("observation space", "is empty", got=space, remedy=remedy)
    joint = _joint_states(space)
    if joint is not None:
        return joint
    if isinstance(space, gym.spaces.Discrete):
        _check_states(space, int(space.n))
        return OneHot(int(space.n), int(space.start))
    if isinstance(space, gym.spaces.Box):
        return _of_box(space.low, space.high, box)
    if isinstance(space, gym.spaces.MultiDiscrete):
        _check_states(space, int(space.nvec.sum(dtype=np.float64)))
        n, start = space.nvec.ravel(), np.asarray(space.start).ravel()
        return Concat(tuple(OneHot(int(k), int(s)) for k, s in zip(n, start, strict=True)))
    if isinstance(space, gym.spaces.MultiBinary):
        zeros = np.zeros(space.shape)
        return _of_box(zeros, zeros + 1.0, lambda low, high: GaussianCells(low, high, 1))
    if isinstance(space, (gym.spaces.Tuple, gym.spaces.Dict)):
        left = seen_parts(space)
        if left:
            parts = tuple(_for_space(part, box) for part in left.values())
            return Concat(parts, _keys(space, left))
    raise UnsupportedError(
        "observation space",
        "no default cells for it",
        got=type(space).__name__,
        limit="Box, Discrete, MultiDiscrete, MultiBinary, Tuple, Dict",
        remedy="wrap the environment in a Gymnasium ObservationWrapper",
    )
