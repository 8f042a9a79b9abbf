"""Measure how time and memory grow on each backend; every point is a process of its own.

``python -m benchmarks.growth JSON`` measures one `Point`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from neurorl.bench.candidates import FLOOR, Candidate, backends, make_loop, read_candidate
from neurorl.bench.child import peak_mb, rate, separate_stdout
from neurorl.bench.command import run_child
from neurorl.bench.workload import SIZES
from neurorl.models import LIF
from neurorl.network.description import Network, Population, Projection, Source

AXES: dict[str, tuple[int, ...]] = {
    "neurons": (64, 256, 1024, 4096, 16384),
    "synapses": (1024, 4096, 16384, 65536, 262144, 1048576),
    "replicas": (1, 4, 16, 64),
    "window": (1, 5, 20, 100, 500),
    "env_steps": (100, 1000, 10_000, 100_000, 1_000_000),
}
"""List the values of each axis of growth. neurons: one population with one synapse each. synapses:
onto 256 neurons. replicas: of the small workload. window: steps per call, of 256 neurons with
16,384 synapses. env_steps: of one long run, as many as a backend makes in about two minutes."""

_MOST_STEPS = {
    "reference": 100_000,
    "brian2:cython": 100_000,
    "brian2:numpy": 10_000,
    "loihi": 10_000,
    "loihi:stock": 1000,
}

_QUICK = {"neurons": (16, 64), "synapses": (256, 1024), "replicas": (1,), "window": (1, 20)}
_QUICK |= {"env_steps": (10, 40)}
_NEURONS, _SYNAPSES, _WINDOW = 256, 16384, 20
_P_SPIKE = 0.03


@dataclass(frozen=True)
class Point:
    """Describe one process: values has one number, but all of env_steps, ascending."""

    axis: str
    candidate: Candidate
    values: tuple[int, ...]
    seconds: float

    @property
    def label(self) -> str:
        """Return backend and engine."""
        return str(replace(self.candidate.spec, arithmetic=None))


def points(names: Sequence[str] | None, quick: bool) -> list[Point]:
    """Return what to measure for backends named as in `neurorl bench`; None takes all."""
    seconds, axes = (0.02, _QUICK) if quick else (0.4, AXES)
    planned = []
    for axis, values in axes.items():
        for c in [*backends(names), *([FLOOR] if axis in ("replicas", "env_steps") else [])]:
            whole = Point(axis, c, values, seconds)
            most = _MOST_STEPS.get(whole.label, values[-1])
            long_run = tuple(v for v in values if v <= most)
            groups = [long_run] if axis == "env_steps" else [(v,) for v in values]
            planned += [replace(whole, values=group) for group in groups]
    return planned


def grow(
    plan: Sequence[Point], advance: Callable[[str], None] = lambda label: None
) -> dict[str, Any]:
    """Measure; ``rows`` of axis, backend, engine, value, us_per_step, peak_mb; and ``notes``.

    us_per_step: CPU microseconds of a simulation step; on the axes replicas and env_steps, of an
    environment step of one replica, learning included.
    """
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    for point in plan:
        result = run_child("benchmarks.growth", asdict(point))
        label, spec = point.label, point.candidate.spec
        if "error" in result:
            notes.append(f"{label}, {point.axis} {point.values[-1]}: {result['error']}")
        same = {"axis": point.axis, "backend": spec.backend, "engine": spec.engine}
        rows += [{**same, **row} for row in result.get("rows", [])]
        advance(f"{point.axis}, {label}")
    return {"rows": rows, "notes": notes}


def main(arguments: list[str] | None = None) -> int:
    """Measure one point."""
    out = separate_stdout()
    (text,) = sys.argv[1:] if arguments is None else arguments
    try:
        data = json.loads(text)
        point = Point(**{**data, "candidate": read_candidate(data["candidate"])})
        in_loop = {"replicas": _replicas, "env_steps": _env_steps}
        result: dict[str, Any] = {"rows": in_loop.get(point.axis, _window)(point)}
    except Exception as exc:  # any simulator may raise anything; it becomes a note
        lines = str(exc).strip().splitlines() or [""]
        result = {"error": f"{type(exc).__name__}: {lines[0]}"}
    os.write(out, (json.dumps(result) + "\n").encode())
    return 0


def _window(point: Point) -> list[dict[str, Any]]:
    """Step a network of the wanted size, without a loop around it."""
    (value,) = point.values
    neurons = value if point.axis == "neurons" else _NEURONS
    window = value if point.axis == "window" else _WINDOW
    inputs = {"neurons": 1, "synapses": value // neurons}.get(point.axis, _SYNAPSES // neurons)
    raster = np.random.default_rng(0).random((window, inputs)) < _P_SPIKE
    with point.candidate.spec.load(_network(inputs, neurons)) as backend:

        def step() -> int:
            backend.step({"input": raster}, window)
            return window

        for _ in range(3):
            step()
        return [_row(value, rate(step, point.seconds, None))]


def _network(inputs: int, neurons: int) -> Network:
    population = Population("cells", neurons, LIF(tau_mem=20e-3, threshold=1.0))
    drive = Projection("drive", "input", "cells", 0.5 / max(1.0, _P_SPIKE * inputs))
    return Network((Source("input", inputs), population), (drive,))


def _replicas(point: Point) -> list[dict[str, Any]]:
    (value,) = point.values
    loop = make_loop(point.candidate, SIZES["small"], value)
    for _ in range(3):
        loop.step()
    return [_row(value, rate(loop.step, point.seconds, None))]


def _env_steps(point: Point) -> list[dict[str, Any]]:
    """Run once; return the rate between each count and the next, and the memory until then."""
    loop = make_loop(point.candidate, SIZES["small"], 1)
    loop.step()
    done, rows = 1, []
    for value in point.values:
        rows.append(_row(value, rate(loop.step, 1e9, value - done)))
        done = value
    return rows


def _row(value: int, per_second: float) -> dict[str, Any]:
    return {"value": value, "us_per_step": 1e6 / per_second, "peak_mb": peak_mb()}


if __name__ == "__main__":
    sys.exit(main())
