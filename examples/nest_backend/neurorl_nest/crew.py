"""Start the processes in which NEST runs, and talk to them."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Sequence
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import IO

from neurorl.errors import BackendError, BackendUnavailableError
from neurorl_nest.build import own_nest

__all__ = ["Crew"]

WHERE = "backend nest"
_PATIENCE = 10.0  # seconds for the others once one has gone wrong
_POLL = 0.2  # seconds between looks at whether the processes have ended before they said a word


class Crew:
    """Hold *n* processes that run ``python -m MODULE SOCKET ARGUMENTS``; several by mpirun.

    Each connects, says its rank, and answers every command once; an answer is ``(what went wrong,
    or None, value)``. They end when this closes its ends, or is gone.

    ``NEURORL_MPIRUN`` is the command that starts several, to which ``-n N`` is added; default that
    of Open MPI. Raises BackendUnavailableError without it or without MPI in NEST, BackendError if
    processes end.
    """

    def __init__(self, module: str, n: int, arguments: Sequence[str] = ()) -> None:
        start = [] if n == 1 else [*_mpirun(), "-n", str(n)]
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  (as long as the processes)
        # A folder that none but this user may enter, so that nobody else is let in.
        with tempfile.TemporaryDirectory(prefix="neurorl-nest-") as folder:
            address = f"{folder}/socket"
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(address)
                listening.listen(n)
                self.process = subprocess.Popen(
                    [*start, sys.executable, "-m", module, address, *arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,  # NEST greets
                    stderr=self._errors,
                    env=_environment(n),
                )
                listening.settimeout(_POLL)
                found = [self._accepted(listening) for _ in range(n)]
                ranked = {self._received(connection): connection for connection in found}
        self._connections = [ranked[rank] for rank in sorted(ranked)]
        if len(ranked) < n:  # each believes that it is alone
            remedy = "a NEST that scripts/build_nest.sh builds, and NEURORL_NEST=..."
            raise BackendUnavailableError(WHERE, "this NEST has no MPI", remedy=remedy)
        self.close = weakref.finalize(self, _end, self.process, self._connections, self._errors)

    def ask(self, command: object) -> list[object]:
        """Send all processes a command; return their answers, by rank.

        Raises BackendError if one has ended, or says that it can't.
        """
        try:
            for connection in self._connections:
                connection.send(command)
        except OSError:
            raise self._ended() from None
        answers = dict[Connection, tuple[str | None, object]]()
        patience = None
        while pending := [c for c in self._connections if c not in answers]:
            ready = wait(pending, patience)
            if not ready:  # others wait for the one that went wrong
                self.process.kill()
                break
            for connection in pending:
                if connection in ready:
                    answers[connection] = self._received(connection)
            if any(wrong for wrong, _ in answers.values()):
                patience = _PATIENCE
        for wrong, _ in answers.values():
            if wrong is not None:
                raise BackendError(WHERE, wrong)
        return [answers[connection][1] for connection in self._connections]

    def _accepted(self, listening: socket.socket) -> Connection:
        while self.process.poll() is None:
            with contextlib.suppress(TimeoutError):
                return Connection(listening.accept()[0].detach())
        raise self._ended()

    def _received(self, connection: Connection):  # type: ignore[no-untyped-def]
        try:
            return connection.recv()
        except (EOFError, OSError):
            raise self._ended() from None

    def _ended(self) -> BackendError:
        """Return the error for processes of which one has ended, with what was said of it."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()
        self.process.wait()
        self._errors.seek(0)
        text = self._errors.read().decode(errors="replace")
        # Of a signal mpirun tells, between lines of dashes; else a process's last line says more.
        told = [" ".join(part.split()) for part in re.findall(r"-{9,}\n(.*?)-{9,}", text, re.S)]
        own = re.sub(r"-{9,}\n.*?-{9,}", "", text, flags=re.S).split("\n")
        lines = [line.strip() for line in own if line.strip()]
        noticed = [part for part in told if "process rank" in part]
        said = (noticed or lines[-1:] or told or ["nothing said"])[0]
        return BackendError(WHERE, "a process of NEST has ended", got=said)


def _mpirun() -> list[str]:
    """Return the command that starts several processes. Raises BackendUnavailableError."""
    own = shlex.split(os.environ.get("NEURORL_MPIRUN", ""))
    command = own or ["mpirun", "--oversubscribe", "--bind-to", "none"]
    if not own and os.geteuid() == 0:
        command.append("--allow-run-as-root")
    if shutil.which(command[0]) is None:
        remedy = "apt-get install openmpi-bin, or say another in NEURORL_MPIRUN"
        raise BackendUnavailableError(
            WHERE, "there is no such command", got=command[0], remedy=remedy
        )
    return command


def _environment(n: int) -> dict[str, str]:
    """Return the environment of processes, which find NEST first, then what this process finds."""
    here = [str(Path(folder or ".").absolute()) for folder in sys.path]
    path = os.pathsep.join([*filter(None, [own_nest()]), *here])
    # Threads that wait in a loop keep cores from other processes, as there may be too few.
    waiting = {"OMP_WAIT_POLICY": "passive"} if n > 1 else {}
    return {**waiting, **os.environ, "PYTHONPATH": path, "PYTHONSAFEPATH": "1"}


def _end(
    process: subprocess.Popen[bytes], connections: Sequence[Connection], errors: IO[bytes]
) -> None:
    """End processes, which have nothing more to read."""
    for connection in connections:
        connection.close()
    process.wait()
    errors.close()
