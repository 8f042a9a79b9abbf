"""Choose the loop that an agent gets: in C++, in NumPy, or on a chip."""

from __future__ import annotations

from collections.abc import Sequence

from neurorl.backends.base import Backend
from neurorl.errors import BackendError, UnsupportedError, check_name, one_line
from neurorl.learning.deep.loop import DeepLoop
from neurorl.learning.loops.base import Loop
from neurorl.learning.loops.checks import is_users, not_compiled, warned
from neurorl.learning.loops.numpy import NumpyLoop
from neurorl.learning.loops.onchip import OnChipLoop
from neurorl.models.agent.config import AgentConfig
from neurorl.native import toolchain

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

    Its library is compiled in some seconds, once for a machine. It needs a C++ compiler, a rule of
    texts, and parts of the library: functions and parts of users run in NumPy. An agent that learns
    on a chip has the loop in NumPy whatever *loop* is.
    Raises UnknownNameError; if the native one was asked for, UnsupportedError for a user's function
    or part, and BackendError if it doesn't compile; BackendError for a cache that can't be used.
    """
    if loop is not None:
        check_name("loop", loop, LOOPS)
    if learns and config.learning.on_chip:
        return OnChipLoop(config, backend, n_actions, greedy, learns)
    own = not_compiled(config, backend.network)
    if loop == "native" and own is not None:
        what, remedy = f"{own} is not compiled", "loop='numpy', or leave it out"
        raise UnsupportedError("loop 'native'", what, remedy=remedy)
    defined = DeepLoop if config.trunk.is_shared else NumpyLoop
    if loop == "numpy" or (loop is None and (is_users(own) or warned(toolchain.problem()))):
        return defined(config, backend, n_actions, greedy, learns)
    try:
        return _compiled(config)(config, backend, n_actions, greedy, learns)
    except BackendError as exc:
        if loop == "native" or toolchain.trial() is None:  # what fails isn't the compiler
            raise
        warned(one_line(exc))
        return defined(config, backend, n_actions, greedy, learns)


def _compiled(config: AgentConfig) -> type[Loop]:
    """Return the class of the loop in C++."""
    if config.trunk.is_shared:
        from neurorl.learning.deep.native import DeepNativeLoop

        return DeepNativeLoop
    from neurorl.learning.loops.native import NativeLoop

    return NativeLoop
