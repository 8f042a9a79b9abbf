"""Take learned arrays out of an agent's state by name, and put others in their place."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from neurorl.agents.arguments import check_options
from neurorl.agents.episodes import State
from neurorl.errors import ArgumentError, quoted, unknown_name_error
from neurorl.numerics.arrays import Array

_WHERE = "set_parameters"
_BEGINNINGS = (
    *("learner.weights.", "learner.signs", "learner.accumulator.", "learner.mean."),
    *("critic", "mean_reward", "deep."),
)


def parameters_in(state: State) -> dict[str, Array]:
    """Return copies of the learned arrays of an agent's state, by name.

    These are weights, critic and running means, and all that the layers of deep agents keep; not
    counters, episodes, places in them, nor the moments of an optimiser.
    """
    return {name: np.array(a) for name, a in state.items() if name.startswith(_BEGINNINGS)}


def with_parameters(
    state: State, parameters: Mapping[str, npt.ArrayLike], exact_match: bool
) -> State:
    """Return *state* with these arrays in place of its own.

    exact_match: whether none may be missing. Raises ArgumentError for an array that doesn't fit or
    is missing, UnknownNameError for a name that the agent doesn't have.
    """
    check_options(_WHERE, parameters)
    own = parameters_in(state)
    missing = sorted(own.keys() - parameters.keys())
    if exact_match and missing:
        what, remedy = "lacks arrays", "exact_match=False keeps the agent's own"
        raise ArgumentError(_WHERE, what, got=", ".join(missing), remedy=remedy)
    return {**state, **{name: _fitting(name, a, own) for name, a in parameters.items()}}


def _fitting(name: str, value: npt.ArrayLike, own: Mapping[str, Array]) -> Array:
    """Return *value* as an array like the agent's own of this *name*."""
    if name not in own:
        raise unknown_name_error(f"{_WHERE}, array", name, own)
    where, like = f"{_WHERE}, {name}", own[name]
    try:
        given: Array = np.asarray(value)
    except ValueError:  # rows of several lengths
        given = np.array(None)
    if given.dtype.kind not in "biuf" or not np.can_cast(given.dtype, like.dtype, "same_kind"):
        got, limit = f"{quoted(value)}, {given.dtype}", like.dtype
        raise ArgumentError(where, "is of another type", got=got, limit=limit)
    if given.shape != like.shape:
        raise ArgumentError(where, "has another shape", got=given.shape, limit=like.shape)
    if not np.isfinite(given).all():
        raise ArgumentError(where, "isn't finite", got=quoted(value))
    return given.astype(like.dtype)
