"""Train for long, and check that memory, file handles, temporary files and threads don't grow.

Each backend trains in a process of its own, with a run directory and checkpoints as ``neurorl
train`` has them, and is looked at after 10, 50 and 100 % of its environment steps. What is kept on
purpose is the record of each episode; its size is measured and taken off.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from neurorl.errors import ArgumentError, BackendError, UnsupportedError, format_message
from neurorl.runs.children import child_environment, module_command

STEPS = {"native": 1_000_000, "loihi": 300_000, "torch": 100_000}
"""Run this many environment steps on each backend."""

SHARES = (0.1, 0.5, 1.0)
BOUND_MIB = 4.0
"""Limit the growth of resident memory between the first look and the last, less what records
take."""

_ENV = "CartPole-v1"
_PROC = Path("/proc/self")


@dataclass(frozen=True)
class Look:
    """Hold a process's use at a moment. rss_mib: memory; records_mib: of it, records of episodes.

    temp_files: in the folder for temporary files, and left over in the run directory.
    """

    backend: str
    steps: int
    episodes: int
    rss_mib: float
    records_mib: float
    file_handles: int
    temp_files: int
    threads: int


def soak(backend: str, steps: int) -> list[Look]:
    """Train for *steps* environment steps in a new process, and return what it looked like.

    Raises UnsupportedError where there is no /proc, and BackendError if training fails.
    """
    if not _PROC.exists():
        raise UnsupportedError("soak", "needs /proc", got=sys.platform, limit="Linux")
    if steps < 1000:
        raise ArgumentError("soak, steps", "too few", got=steps, limit=">= 1000")
    with tempfile.TemporaryDirectory() as folder:
        command = module_command("benchmarks.soak", backend, str(steps), folder)
        environment = {**child_environment(), "TMPDIR": str(Path(folder) / "tmp")}
        Path(environment["TMPDIR"]).mkdir()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise BackendError(f"soak on {backend}", "training failed", got=last)
    return [Look(**json.loads(line)) for line in done.stdout.splitlines()]


def growth(looks: list[Look], *, with_records: bool) -> float:
    """Return MiB per 100,000 steps from the first look to the last."""
    first, last = looks[0], looks[-1]
    grown = last.rss_mib - first.rss_mib
    if not with_records:
        grown -= last.records_mib - first.records_mib
    return grown / (last.steps - first.steps) * 1e5


def problems(looks: list[Look], bound_mib: float = BOUND_MIB) -> list[str]:
    """Return a line for everything that has grown from the first look to the last."""
    first, last = looks[0], looks[-1]
    reasons = []
    grown = last.rss_mib - last.records_mib - (first.rss_mib - first.records_mib)
    if grown > bound_mib:
        reasons.append(
            format_message(first.backend, "memory grows, MiB", got=f"{grown:.1f}", limit=bound_mib)
        )
    for name in ("file_handles", "temp_files", "threads"):
        before, after = getattr(first, name), getattr(last, name)
        if after > before:
            reasons.append(format_message(first.backend, f"{name} grow", got=after, limit=before))
    return reasons


class _DoneError(Exception):
    """Stop training: enough steps have been made."""


def _train(backend: str, steps: int, folder: Path, report: Callable[[Look], None]) -> None:
    """Train in *folder* until *steps* are made, and report at each of `SHARES`."""
    from neurorl.agents.episodes import Episode
    from neurorl.runs.training import train

    left = [round(share * steps) for share in SHARES]
    kept: list[int] = []  # bytes of records

    def look(episode: Episode) -> None:
        kept.append(_size_of(asdict(episode)))
        if episode.env_steps >= left[0]:
            left.pop(0)
            report(_look(backend, episode, sum(kept), folder))
            if not left:
                raise _DoneError

    try:
        train(_ENV, folder / "run", backend=backend, seed=1, episodes=steps, callback=look)
    except _DoneError:
        return


def _size_of(record: Mapping[str, Any]) -> int:
    """Return the bytes of an episode's record: its numbers, and its place in a list."""
    return sum(sys.getsizeof(value) for value in record.values()) + 64


def _look(backend: str, episode: Any, kept: int, folder: Path) -> Look:
    gc.collect()
    status = dict(
        line.split(":", 1) for line in (_PROC / "status").read_text().splitlines() if ":" in line
    )
    temporary = [p for p in (folder / "tmp").rglob("*") if p.is_file()]
    left_over = list((folder / "run").rglob("*.tmp"))
    return Look(
        backend=backend,
        steps=episode.env_steps,
        episodes=episode.episode + 1,
        rss_mib=int(status["VmRSS"].split()[0]) / 1024,
        records_mib=kept / 2**20,
        file_handles=len(os.listdir(_PROC / "fd")),
        temp_files=len(temporary) + len(left_over),
        threads=int(status["Threads"]),
    )


def _main() -> int:
    backend, steps, folder = sys.argv[1:]
    out = os.dup(1)
    os.dup2(2, 1)  # whatever else is printed

    def report(look: Look) -> None:
        os.write(out, (json.dumps(asdict(look)) + "\n").encode())

    _train(backend, int(steps), Path(folder), report)
    return 0


if __name__ == "__main__":
    sys.exit(_main())
