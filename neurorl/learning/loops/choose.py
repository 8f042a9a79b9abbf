"""Choose the loop that an agent gets: in C++, in NumPy, or on a chip."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from neurorl.backends.base import Backend
from neurorl.errors import NeurorlError, UnsupportedError, check_name
from neurorl.learning.loops.base import Loop
from neurorl.learning.loops.checks import is_users, not_compiled, warned, warned_of_backend
from neurorl.learning.loops.numpy import NumpyLoop
from neurorl.learning.loops.onchip import OnChipLoop
from neurorl.models.config import AgentConfig
from neurorl.native import toolchain
from neurorl.native.background import Building, begin_building
from neurorl.native.build import has_library
from neurorl.network.description import Network

__all__ = ["LOOPS", "make_loop", "may_begin_early"]

LOOPS = ("native", "numpy")


def make_loop(
    config: AgentConfig,
    backend: Backend,
    n_actions: int | Sequence[int],
    *,
    greedy: bool = False,
    learns: bool = True,
    loop: str | None = None,
) -> Loop:
    """Return a loop; *loop* None takes the native one where it can run, and warns if it can't.

    Where its library has still to be compiled, agents that learn begin in NumPy, and
    `Loop.successor` goes on in C++, with the same bits; also when a backend that began early
    (`may_begin_early`) can go over to its own code. It needs a C++ compiler, a rule of texts,
    and parts of the library: functions and parts of users run in NumPy. An agent that learns on a
    chip has the loop in NumPy whatever *loop* is.
    Raises UnknownNameError; if the native one was asked for, UnsupportedError for a user's function
    or part, and BackendError if it doesn't compile.
    """
    if loop is not None:
        check_name("loop", loop, LOOPS)
    if learns and config.learning.on_chip:
        return OnChipLoop(config, backend, n_actions, greedy, learns)
    own = not_compiled(config, backend.network)
    if loop == "native" and own is not None:
        what, remedy = f"{own} is not compiled", "loop='numpy', or leave it out"
        raise UnsupportedError("loop 'native'", what, remedy=remedy)
    if loop == "numpy" or (loop is None and (is_users(own) or warned(toolchain.problem()))):
        return NumpyLoop(config, backend, n_actions, greedy, learns)
    waits = loop is None and learns and _may_wait(config)
    building = begin_building() if waits and not has_library() else None
    kind = _native if building is None else NumpyLoop
    made = kind(config, backend, n_actions, greedy, learns)
    if building is not None or not backend.ready():
        made.later = partial(_successor, building)
    return made


def may_begin_early(config: AgentConfig, network: Network, loop: str | None) -> bool:
    """Return whether agents that learn can go over, between two steps, to a backend's own code."""
    is_free = loop is None and not config.learning.on_chip and toolchain.problem() is None
    return is_free and _may_wait(config) and not_compiled(config, network) is None


def _successor(building: Building | None, loop: Loop) -> Loop | None:
    """Return the compiled loop, on the backend's own code, when both are compiled.

    building: of the loop's library; None if that was there.
    """
    if building is not None and not building.is_over():
        return None
    try:
        if not loop.backend.ready():
            return None
    except NeurorlError as exc:
        warned_of_backend(str(exc))
    loop.later = None
    if building is not None and warned(building.problem):
        return None
    successor = _native(loop.config, loop.backend, loop.groups)
    successor.go_on_from(loop)
    for pass_on in loop.passes_on:
        pass_on(successor)
    return successor


def _native(
    config: AgentConfig,
    backend: Backend,
    n_actions: int | Sequence[int],
    greedy: bool = False,
    learns: bool = True,
) -> Loop:
    from neurorl.learning.loops.native import NativeLoop

    return NativeLoop(config, backend, n_actions, greedy, learns)


def _may_wait(config: AgentConfig) -> bool:
    """Return whether both loops see an agent's observations as the same numbers."""
    from neurorl.learning.loops.native_features import is_compiled

    return is_compiled(config.cells) and is_compiled(config.features)
