"""Keep, and take up again, what a backend and those who learn on it remember of a replica."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Backend, State
from neurorl.network.restoring import take
from neurorl.numerics.arrays import Array

_BACKEND = "backend."


def kept(backend: Backend, replica: int, held: Iterable[tuple[str, Array]]) -> State:
    """Return copies of all that a learner holds, and the backend's state as ``backend.NAME``."""
    of_backend = {f"{_BACKEND}{x}": np.asarray(a) for x, a in backend.state(replica).items()}
    return of_backend | {name: array.copy() for name, array in held}


def take_up(
    backend: Backend, replica: int, held: Mapping[str, Array], state: Mapping[str, npt.ArrayLike]
) -> None:
    """Write what `kept` returned into the backend and the arrays that its owner holds.

    Raises RunError or ArgumentError if it doesn't fit; nothing has changed then.
    """
    arrays = {name: np.asarray(value) for name, value in state.items()}
    for name, array in held.items():
        take(arrays, name, array.shape, "bool" if array.dtype == bool else "float")
    of_backend = {x.removeprefix(_BACKEND): a for x, a in arrays.items() if x.startswith(_BACKEND)}
    with backend.owner_acts():
        backend.restore(of_backend, replica)
    for name, array in held.items():
        array[...] = arrays[name]
