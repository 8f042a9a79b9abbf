"""Choose the loop that an agent gets: in C++, in NumPy, or on a chip."""

from __future__ import annotations

from collections.abc import Sequence

from neurorl.backends.base import Backend
from neurorl.errors import UnsupportedError, check_name
from neurorl.learning.loops.base import Loop
from neurorl.learning.loops.checks import is_users, not_compiled, warned
from neurorl.learning.loops.numpy import NumpyLoop
from neurorl.learning.loops.onchip import OnChipLoop
from neurorl.models.config import AgentConfig
from neurorl.native import toolchain
from neurorl.native.background import Building, begin_building
from neurorl.native.build import has_library

__all__ = ["LOOPS", "make_loop"]

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
    `Loop.successor` goes on in C++, with the same bits. It needs a C++ compiler, a rule of texts,
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
    if loop is None and learns and _may_wait(config) and not has_library():
        return _Meanwhile(config, backend, n_actions, begin_building())
    return _native(config, backend, n_actions, greedy, learns)


class _Meanwhile(NumpyLoop):
    """Learn in NumPy until the library of the loop in C++ is compiled."""

    def __init__(
        self,
        config: AgentConfig,
        backend: Backend,
        n_actions: int | Sequence[int],
        building: Building,
    ) -> None:
        super().__init__(config, backend, n_actions)
        self._building = building
        self.waits = True

    def successor(self) -> Loop | None:
        if not self.waits or not self._building.is_over():
            return None
        self.waits = False
        if warned(self._building.problem):
            return None
        loop = _native(self.config, self.backend, self.groups)
        loop.go_on_from(self)
        return loop


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
