"""Run one measurement in a process of its own: ``python -m neurorl.bench.child JSON``.

The argument is a `Job` as JSON. Prints one JSON line: the figures, or ``{"error": ...}``.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurorl.storage.plain import PlainData

_SLOW = 0.05  # seconds an environment step, from which a short warm-up must do


@dataclass(frozen=True)
class Job:
    """Describe one measurement.

    candidate: a `neurorl.bench.candidates.Candidate` as plain data. seconds: CPU seconds. steps:
    loop steps at most; 0 only starts. spawned: `time.time` at which the process was started.
    """

    candidate: PlainData
    size: str
    replicas: int
    seconds: float
    steps: int | None
    spawned: float


def main(arguments: list[str] | None = None) -> int:
    """Measure one job; the exit status is 0 unless the process itself breaks."""
    out = separate_stdout()
    (text,) = sys.argv[1:] if arguments is None else arguments
    try:
        result = _measure(Job(**json.loads(text)))
    except Exception as exc:  # any library may raise anything; it becomes a note
        traceback.print_exc()
        lines = str(exc).strip().splitlines() or [""]
        result = {"error": f"{type(exc).__name__}: {lines[0]}"}
    os.write(out, (json.dumps(result) + "\n").encode())
    return 0


def separate_stdout() -> int:
    """Return a descriptor of the real stdout; all other output goes to stderr from now on."""
    out = os.dup(1)
    os.dup2(2, 1)
    if hasattr(os, "sched_setaffinity"):  # one core, the last of those allowed
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    return out


def _measure(job: Job) -> PlainData:
    from neurorl.bench.candidates import make_loop, read_candidate
    from neurorl.bench.workload import get_size

    loop = make_loop(read_candidate(job.candidate), get_size(job.size), job.replicas)
    loop.step()
    result: PlainData = {"engine": loop.engine, "arithmetic": loop.arithmetic}
    result["start_s"] = time.time() - job.spawned
    if job.steps != 0:
        before = time.process_time()
        loop.step()
        slow = time.process_time() - before > _SLOW
        for _ in range(1 if slow else 18):
            loop.step()
        result["env_steps_per_s"] = rate(loop.step, job.seconds, job.steps)
    result["peak_mb"] = peak_mb()
    loop.close()
    return result


def rate(step: Any, seconds: float, most: int | None) -> float:
    """Return environment steps a CPU second of this process, all threads, over *seconds*.

    step: returns how many it did. most: calls after which to stop all the same.
    The clock costs as much as a step of a quick loop takes, so it is asked seldom.
    """
    done, calls, chunk = 0, 0, 1
    start = time.process_time()
    while True:
        for _ in range(chunk):
            done += step()
        calls += chunk
        spent = time.process_time() - start
        if spent >= seconds or (most is not None and calls >= most):
            return done / max(spent, 1e-9)
        per_call = max(spent / calls, 1e-9)
        chunk = max(1, min(2 * chunk, int(seconds / 50 / per_call)))
        if most is not None:
            chunk = min(chunk, most - calls)


def peak_mb() -> float:
    """Return the most memory that this process has had, MiB.

    Linux keeps the parent's maximum in ``ru_maxrss`` over a fork and exec, so VmHWM comes first.
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / (2**20 if sys.platform == "darwin" else 2**10)
    match = re.search(r"VmHWM:\s+(\d+) kB", status)
    return int(match[1]) / 1024 if match else 0.0


if __name__ == "__main__":
    sys.exit(main())
