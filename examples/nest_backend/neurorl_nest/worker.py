"""Run NEST in a process of its own, which has one kernel: ``worker.py SOCKET MEMORY``.

MEMORY is the file of the arrays, which the processes of a machine share. The first command
describes the network; each other is a window.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from neurorl_nest.shared import views

if TYPE_CHECKING:
    from neurorl_nest.kernel import Kernel

__all__ = ["serve"]


def serve(address: str, rank: int, answer: Callable[[Any], object]) -> None:
    """Answer commands until there are no more, as `neurorl_nest.crew.Crew` wants them."""
    with socket.socket(socket.AF_UNIX) as connecting:
        connecting.connect(address)
        connection = Connection(connecting.detach())
    connection.send(rank)
    while True:
        try:
            command = connection.recv()
        except EOFError:
            return
        try:
            connection.send((None, answer(command)))
        except Exception as exc:  # whatever went wrong in NEST, its user has to hear it
            connection.send((_wording(exc), None))


def _wording(exc: Exception) -> str:
    """Return what an error says in one line; those of neurorl are sentences already."""
    text = " ".join(str(exc).split())[:300]
    is_ours = type(exc).__module__.startswith("neurorl.")
    return text if is_ours else f"{type(exc).__name__}: {text}"


class _Worker:
    """Build the network that the first command describes, then run windows."""

    def __init__(self, memory: str) -> None:
        self._memory = memory
        self._kernel: Kernel | None = None

    def __call__(self, command: Any) -> None:
        if self._kernel is not None:
            self._kernel.run(*command)
            return
        from neurorl_nest.kernel import Kernel

        self._kernel = Kernel(command, views(os.open(self._memory, os.O_RDWR), command["plan"]))


def main(address: str, memory: str) -> None:
    """Serve the process that started this one."""
    import nest

    serve(address, nest.Rank(), _Worker(memory))


if __name__ == "__main__":
    main(*sys.argv[1:])
