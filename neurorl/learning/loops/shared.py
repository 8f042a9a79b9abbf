"""Let all replicas of a loop learn into one set of weights.

All decide with the same weights. When their environments have answered, the replicas learn one
after the other, from the first on: each begins with the weights, the critic and the running means
that the one before it has left, so its TD error comes from a critic that has learned from those
before it. Eligibilities, traces and draws are each replica's own. The weights that the last one
leaves are put in force for all. With one replica nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from neurorl.errors import UnsupportedError
from neurorl.learning.loops.base import Loop
from neurorl.numerics.arrays import Array


def share(loop: Loop, rate: Callable[[], float]) -> None:
    """Make the replicas of *loop* one agent, which begins with what the first replica has.

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
    loop.settle()
    loop.write(k)


def _shared(loop: Loop) -> Iterator[Array]:
    memory = loop.memory
    for by_name in (loop.learned(), memory.norm, memory.accumulator, memory.means):
        yield from by_name.values()
    yield from (memory.value, memory.mean_reward, *memory.lasting_arrays().values())
