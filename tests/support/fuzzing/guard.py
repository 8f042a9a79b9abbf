"""Forbid attempts to end otherwise than by our errors, to run code, or to take much memory."""

from __future__ import annotations

import contextlib
import faulthandler
import resource
import signal
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from fuzzing.values import TRAP
from neurorl.errors import NeurorlError

MEMORY = 500 * 2**20
SECONDS = 10.0


@dataclass
class Tally:
    """Count what came of many attempts. slowest: in seconds. failures: a line each."""

    inputs: int = 0
    refused: int = 0
    slowest: float = 0.0
    peak_mb: float = 0.0
    failures: list[str] = field(default_factory=list)


def set_trap(folder: Path) -> None:
    """Make a module that can be imported and leaves a mark if it is."""
    mark = folder / "mark"
    (folder / f"{TRAP}.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def tried(attempt: Callable[[Any], None], value: Any, tally: Tally, folder: Path) -> None:
    """Attempt it; raise AssertionError if it ends as it may not."""
    tally.inputs += 1
    before, begun = _forget_peak(), time.perf_counter()
    try:
        with warnings.catch_warnings(), limited_memory():
            warnings.simplefilter("ignore")
            attempt(value)
    except NeurorlError as exc:
        tally.refused += 1
        if len(str(exc)) > 3000:
            raise AssertionError(f"an error of {len(str(exc))} letters") from exc
    except SystemExit as exc:
        tally.refused += 1
        if exc.code not in (0, 2):
            raise AssertionError(f"ended with status {exc.code!r}") from exc
    finally:
        tally.slowest = max(tally.slowest, time.perf_counter() - begun)
        tally.peak_mb = max(tally.peak_mb, (_in_memory("VmHWM") - before) / 1024)
    ran = TRAP in sys.modules or (folder / "mark").exists()
    sys.modules.pop(TRAP, None)
    (folder / "mark").unlink(missing_ok=True)
    assert not ran, "code of the input was run"


@contextlib.contextmanager
def limited_memory(extra: int = MEMORY) -> Iterator[None]:
    """Let this process take no more than so many bytes beside what it has: a MemoryError else."""
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + extra, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


@contextlib.contextmanager
def limited_time(seconds: float = SECONDS) -> Iterator[None]:
    """Raise TimeoutError after so long; if nothing heeds it, end the process with its stacks."""

    def late(_: int, __: FrameType | None) -> None:
        raise TimeoutError(f"took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, late)
    faulthandler.dump_traceback_later(3 * seconds, exit=True, file=2)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, before)


def _forget_peak() -> int:
    """Return what this process takes now, in KiB, which from here on counts as the most."""
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")
    return _in_memory("VmHWM")


def _in_memory(key: str) -> int:
    text = Path("/proc/self/status").read_text()
    return int(text[text.index(key) :].split(None, 2)[1])
