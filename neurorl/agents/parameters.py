"""Take learned arrays out of an agent's state by name, and put others in their place."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from neurorl.agents.arguments import check_kind, check_options
from neurorl.agents.episodes import State
from neurorl.agents.held import HeldAgent
from neurorl.errors import ArgumentError, quoted, unknown_name_error
from neurorl.numerics.arrays import Array

_WHERE = "set_parameters"
_BEGINNINGS = (
    *("learner.weights.", "learner.signs", "learner.accumulator.", "learner.mean."),
    *("critic", "mean_reward", "deep."),
)


class Parameterized(HeldAgent):
    """Hand out learned arrays by name, and take others over."""

    def get_parameters(self) -> dict[str, Array]:
        """Return copies of learned arrays by name: `neurorl.agents.parameters.parameters_in`."""
        return parameters_in(self.state())

    def set_parameters(
        self, parameters: Mapping[str, npt.ArrayLike], exact_match: bool = True
    ) -> None:
        """Take over arrays of `get_parameters`, of an agent with the same network.

        Episodes, counters and the place in an episode stay. exact_match: whether none may be
        missing. Raises ArgumentError for an array that doesn't fit or is missing, UnknownNameError
        for an unknown one; then nothing is changed.
        """
        check_kind("set_parameters, exact_match", exact_match, bool, optional=False)
        self.restore(with_parameters(self.state(), parameters, exact_match))


def parameters_in(state: State) -> dict[str, Array]:
    """Return copies of the learned arrays of an agent's state, by name.

    These are weights, critic and running means, and all that the layers of deep agents keep; not
    counters, episodes, places in them, nor the moments of an optimiser.
    """
    return {name: np.array(a) for name, a in state.items() if name.startswith(_BEGINNINGS)}


def with_parameters(state: State, given: Mapping[str, npt.ArrayLike], exact_match: bool) -> State:
    """Return *state* with arrays in place of its own; *exact_match*: whether none may be missing.

    Raises ArgumentError for an array that doesn't fit or is missing, UnknownNameError for a name
    that the agent doesn't have.
    """
    check_options(_WHERE, given)
    own, taken = parameters_in(state), dict[str, Array]()
    if exact_match and (missing := sorted(own.keys() - given.keys())):
        remedy = "exact_match=False keeps the agent's own"
        raise ArgumentError(_WHERE, "lacks arrays", got=", ".join(missing), remedy=remedy)
    for name, value in given.items():
        if name not in own:
            raise unknown_name_error(f"{_WHERE}, array", name, own)
        where, like = f"{_WHERE}, {name}", own[name]
        try:
            taken[name] = array = np.array(value, dtype=like.dtype)
        except (TypeError, ValueError) as exc:
            raise ArgumentError(where, "isn't numbers", got=quoted(value)) from exc
        if array.shape != like.shape or not np.isfinite(array).all():
            what, got = "has another shape, or isn't finite", array.shape
            raise ArgumentError(where, what, got=got, limit=like.shape)
    return {**state, **taken}
