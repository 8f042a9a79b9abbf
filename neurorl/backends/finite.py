"""Find states of neurons that are no numbers any more."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from neurorl.errors import DivergenceError
from neurorl.numerics.arrays import Array

__all__ = ["check_finite"]


def check_finite(population: str, state: Mapping[str, Array], size: int, when: str) -> None:
    """Raise DivergenceError if a state variable of a population is nan or infinite.

    state: arrays of all replicas, by variable. size: neurons of one replica. when: such as
    ``"step 12"``.
    """
    for name, values in state.items():
        # One sum is quicker than a test of each; it overflows before a value does, so look again.
        with np.errstate(all="ignore"):
            if np.isfinite(values.sum()) or np.isfinite(values).all():
                continue
        first = int(np.argmin(np.isfinite(values)))
        replica = f"replica {first // size}, " if len(values) > size else ""
        where = f"population {population!r}, {replica}neuron {first % size}, {when}"
        what = f"{name} has become {'nan' if np.isnan(values[first]) else 'infinite'}"
        remedy = "look for a division by 0 or a growth without bound, or take a smaller dt"
        raise DivergenceError(where, what, remedy=remedy)
