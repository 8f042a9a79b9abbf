"""Kill, refuse or hold up processes at a chosen moment, many a second.

`Attacker` starts one process that has imported everything; each attack is a child that it forks.
The moment is set in the child itself, so that none is missed: a timer whose signal nobody handles,
or an audit hook that counts the events of files under a folder.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

EVENTS = {
    *("open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "os.chmod", "os.truncate"),
    *("os.link", "os.symlink", "os.listdir", "os.scandir", "shutil.rmtree", "shutil.copyfile"),
    *("tempfile.mkstemp", "tempfile.mkdtemp"),
}
_READS = {"os.listdir", "os.scandir"}
_REMOVALS = {"os.remove", "os.rmdir", "shutil.rmtree"}  # a full disk allows them
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


@dataclass(frozen=True)
class Attack:
    """Say what a child does, and what is done to it.

    call: of ``_CALLS``, with *options*. watched: the folder whose events are counted. kill_at,
    refuse_at: number of the event, from 1, before which it is killed, or from which on writes are
    refused with *error*. cpu: seconds of it after which it is killed. file_size: the largest that
    it may write. user: an id that it takes first.
    """

    call: str
    options: dict[str, Any] = field(default_factory=dict)
    watched: str = ""
    kill_at: int = 0
    refuse_at: int = 0
    error: int = errno.ENOSPC
    cpu: float = 0.0
    file_size: int = 0
    user: int = 0


@dataclass(frozen=True)
class Outcome:
    """Hold what became of a child.

    status: of its exit, negative for a signal. said: on stderr. events: how many it came to. cpu:
    seconds.
    """

    status: int
    said: str
    events: int
    cpu: float

    @property
    def was_killed(self) -> bool:
        return self.status in (-signal.SIGKILL, -signal.SIGPROF)


class Attacker:
    """Run the process that forks; a context manager. modules: what it imports beforehand."""

    def __init__(self, modules: Sequence[str] = ()) -> None:
        self._modules = list(modules)

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, __file__, *self._modules],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def run(self, attack: Attack) -> Outcome:
        """Return what becomes of one child."""
        return self.together([attack])[0]

    def together(self, attacks: Sequence[Attack]) -> list[Outcome]:
        """Return what becomes of children that run at the same time."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([asdict(a) for a in attacks]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process that forks has ended")
        return [Outcome(**found) for found in json.loads(line)]


def hashes(run: Path) -> dict[str, str]:
    """Return SHA-256 of each file of a run, without wall times of episodes and its own path."""
    found = {}
    for path in sorted(run.iterdir()):
        data = path.read_bytes()
        if path.name == "episodes.csv":
            rows = list(csv.DictReader(data.decode().splitlines()))
            for row in rows:
                assert float(row.pop("wall_s")) >= 0
            data = json.dumps(rows).encode()
        if path.name == "summary.json":
            data = json.dumps({**json.loads(data), "run": None}).encode()
        found[path.name] = hashlib.sha256(data).hexdigest()
    return found


def count_differences(folder: Path, whole: Path, seeds: Sequence[int]) -> int:
    """Return how many files of all runs differ, by hash, or are there in one alone."""
    count = 0
    for seed in seeds:
        a, b = hashes(folder / f"seed{seed}"), hashes(whole / f"seed{seed}")
        count += sum(a.get(name) != b.get(name) for name in a | b)
    return count


# What follows runs in the process that forks and in its children.


def _train(options: dict[str, Any]) -> int:
    from neurorl.runs import session, training

    session.CHECKPOINT_SECONDS = 0.0
    if options.pop("within", False):  # checkpoints within episodes, too
        session.EPISODE_SECONDS = session._SHOWN_SECONDS = 0.02
    runs = [(seed, Path(path)) for seed, path in options.pop("runs")]
    training.train_seeds(options.pop("env"), runs, **options)
    return 0


def _train_for(options: dict[str, Any]) -> int:
    """Train one run, until a timer ends it *delay* seconds after *kill_after* more episodes."""
    from neurorl.runs import session, training

    session.CHECKPOINT_SECONDS = 0.0
    left, delay = options.pop("kill_after"), options.pop("delay")

    def count(_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            signal.setitimer(signal.ITIMER_REAL, delay)

    training.train(options.pop("env"), Path(options.pop("path")), callback=count, **options)
    return 0


def _command(options: dict[str, Any]) -> int:
    from neurorl.cli import main

    return main(options["arguments"])


def _save(options: dict[str, Any]) -> int:
    from neurorl import SpikingActorCritic

    SpikingActorCritic("neurorl/GridWorld-v0", actors=2, hidden=2).save(options["path"])
    return 0


def _write_nir(options: dict[str, Any]) -> int:
    from neurorl import SpikingActorCritic
    from neurorl.nir import to_nir

    agent = SpikingActorCritic("neurorl/GridWorld-v0", actors=2, hidden=2)
    to_nir(agent.network, agent.weights, options["path"])
    return 0


def _compile(options: dict[str, Any]) -> int:
    from neurorl.native import build

    if "compiler" in options:
        os.environ["CXX"] = options["compiler"]
    build.cache_folder = lambda: Path(options["folder"])
    path = Path(options["source"])
    source = build.CppSource(f'#include "{path.name}"', (path.parent,))
    library = build.compiled(source, "small library", "give up")
    return 0 if library.answer() == 42 else 1


_CALLS = {
    "train": _train,
    "train_for": _train_for,
    "command": _command,
    "save": _save,
    "write_nir": _write_nir,
    "compile": _compile,
}


class _Hook:
    """Count events under a folder, and do at the chosen one what was asked for."""

    def __init__(self, attack: Attack) -> None:
        self._attack = attack
        self.count = 0

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event not in EVENTS or not self._is_watched(arguments):
            return
        self.count += 1
        attack = self._attack
        if self.count == attack.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)
        if attack.refuse_at and self.count >= attack.refuse_at and _writes(event, arguments):
            if attack.error == errno.ENOSPC and event in _REMOVALS:
                return
            raise OSError(attack.error, os.strerror(attack.error))

    def _is_watched(self, arguments: tuple[Any, ...]) -> bool:
        kinds = (str, bytes, os.PathLike)
        names = (os.fsdecode(name) for name in arguments if isinstance(name, kinds))
        return any(name.startswith(self._attack.watched) for name in names)


def _writes(event: str, arguments: tuple[Any, ...]) -> bool:
    if event == "open":
        flags = arguments[2]
        return isinstance(flags, int) and bool(flags & _WRITING)
    return event not in _READS


def _child(attack: Attack, out: int) -> None:
    import resource

    from neurorl.cli.status import exit_status

    if attack.user:
        os.setgroups([])
        os.setgid(attack.user)
        os.setuid(attack.user)
    if attack.file_size:
        resource.setrlimit(resource.RLIMIT_FSIZE, (attack.file_size, attack.file_size))
    hook = _Hook(attack)
    if attack.watched:
        sys.addaudithook(hook)
    if attack.cpu:
        signal.setitimer(signal.ITIMER_PROF, attack.cpu)
    call = _CALLS[attack.call]
    status = exit_status("attack")(lambda arguments=None: call(dict(attack.options)))()
    signal.setitimer(signal.ITIMER_PROF, 0.0)
    os.write(out, str(hook.count).encode())
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _fork(attack: Attack) -> tuple[int, int, int]:
    """Hold a process id, and where it says what it says and how many events it came to."""
    (said, says), (counted, counts) = os.pipe(), os.pipe()
    process = os.fork()
    if process:
        os.close(says)
        os.close(counts)
        return process, said, counted
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.dup2(says, 2)
        for descriptor in (said, says, counted):
            os.close(descriptor)
        _child(attack, counts)
    except BaseException:
        import traceback

        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(1)


def _serve(modules: Sequence[str]) -> None:
    import importlib
    import warnings

    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for name in ("neurorl.runs.training", "neurorl.testing", "neurorl.agents.evaluation", *modules):
        importlib.import_module(name)
    from neurorl.native import build, toolchain
    from neurorl.tasks.environments import make_env

    make_env("neurorl/GridWorld-v0").close()
    if toolchain.problem() is None:
        build.library()
    for line in sys.stdin:
        found = _together([Attack(**attack) for attack in json.loads(line)])
        answers.write(json.dumps([asdict(outcome) for outcome in found]) + "\n")
        answers.flush()


def _together(attacks: Sequence[Attack]) -> list[Outcome]:
    found = []
    for process, said, counted in [_fork(attack) for attack in attacks]:
        with os.fdopen(said, errors="replace") as stderr, os.fdopen(counted) as counts:
            text, events = stderr.read(), int(counts.read() or 0)
        _, code, used = os.wait4(process, 0)
        cpu = used.ru_utime + used.ru_stime
        found.append(Outcome(os.waitstatus_to_exitcode(code), text, events, cpu))
    return found


if __name__ == "__main__":
    _serve(sys.argv[1:])
