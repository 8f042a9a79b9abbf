"""Choose the loop that an agent gets: in C++, in NumPy, or on a chip; let replicas share it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from neurorl.backends.base import Backend
from neurorl.errors import BackendError, UnsupportedError, check_name, one_line
from neurorl.learning.deep.loop import DeepLoop
from neurorl.learning.loops.base import Loop
from neurorl.learning.loops.checks import is_users, not_compiled, warned
from neurorl.learning.loops.numpy import NumpyLoop, OnChipLoop
from neurorl.models.agent.config import AgentConfig
from neurorl.native import build, toolchain
from neurorl.numerics.arrays import Array

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

    Its library is compiled in some seconds, once for a machine. It needs a C++ compiler, or a
    wheel that has it, a rule of
    texts, and parts of the library: functions and parts of users run in NumPy. Agents that learn on
    a chip have the loop in NumPy whatever *loop* is, those with rules of statements by themselves.
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
    is_known = bool(config.statement_rules)  # to be so, and its rule is compiled
    if loop is None and (is_known or is_users(own) or warned(build.lacking())):
        loop = "numpy"
    if loop == "numpy":
        return defined(config, backend, n_actions, greedy, learns)
    try:
        return _compiled(config)(config, backend, n_actions, greedy, learns)
    except BackendError as exc:
        if loop == "native" or toolchain.failure() is None:  # what fails isn't the compiler
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


def share(loop: Loop, rate: Callable[[], float]) -> None:
    """Make the replicas of *loop* one agent, which begins with what the first replica has.

    All decide with the same weights. When their environments have answered, the replicas learn one
    after the other: each begins with the weights, the critic and the running means that the one
    before it has left, so its TD error comes from a critic that has learned from those before it.
    Eligibilities, traces and draws are each replica's own. The weights that the last one leaves are
    put in force for all. With one replica nothing changes.

    rate: returns the factor of all step sizes now. Raises UnsupportedError for weights that learn
    on a chip.
    """
    if loop.config.learning.on_chip:
        what = "several environments, and weights that learn on the chip"
        raise UnsupportedError("agent", what, remedy="learning='host', or environments=1")
    for signs in loop.memory.signs.values():
        signs[:] = signs[0]
    _spread(loop, 0)
    loop.learn = _one_by_one(loop, loop.learn, rate)  # type: ignore[method-assign]
    loop._learn_late = _one_by_one(loop, loop._learn_late, rate)  # type: ignore[method-assign]


def _one_by_one(
    loop: Loop, learn: Callable[[], None], rate: Callable[[], float]
) -> Callable[[], None]:
    """Return a function that calls *learn* for each active replica in turn."""

    def learn_in_order() -> None:
        active, before = loop.active.copy(), None
        order = np.flatnonzero(active).tolist()
        loop.rate[:] = rate()
        try:
            for k in order:
                if before is not None:
                    for array in _shared(loop):
                        array[k] = array[before]
                loop.active[:] = False
                loop.active[k] = True
                learn()
                before = k
        finally:
            loop.active[:] = active
        if before is not None and loop.n > 1:
            _spread(loop, before)

    return learn_in_order


def _spread(loop: Loop, k: int) -> None:
    for array in _shared(loop):
        array[:] = array[k]
    loop.put_in_force(k)


def _shared(loop: Loop) -> Iterator[Array]:
    memory = loop.memory
    for by_name in (loop.learned(), memory.norm, memory.accumulator, memory.means):
        yield from by_name.values()
    yield from (memory.value, memory.mean_reward, *memory.lasting_arrays().values())
    yield from loop.arrays_in_force()
