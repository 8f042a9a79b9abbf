"""Interleave rounds over all ways of a case, and make rows of them."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

Key = tuple[str, str]


def measure(
    ways: Mapping[Key, Callable[[], None]],
    baseline: str,
    rounds: int,
    seconds: float,
    advance: Callable[[], None] = lambda: None,
) -> list[dict[str, Any]]:
    """Return a row for each name: the form with the least median, over the baseline's.

    seconds: CPU time of each way in a round, about. Ratios are of the same round; above 1 the
    baseline is quicker. advance: called after each measurement.
    """
    calls = {key: max(1, round(seconds / _first(way))) for key, way in ways.items()}
    times: dict[Key, list[float]] = {key: [] for key in ways}
    for _ in range(rounds):
        for key, way in ways.items():
            times[key].append(per_call(way, calls[key]))
            advance()
    best = {name: _best(name, times) for name in dict.fromkeys(name for name, _ in ways)}
    ours = times[best[baseline]]
    return [_row(key, times[key], ours) for key in best.values()]


def per_call(way: Callable[[], None], calls: int) -> float:
    """Return CPU seconds a call."""
    start = time.process_time()
    for _ in range(calls):
        way()
    return (time.process_time() - start) / calls


def _first(way: Callable[[], None]) -> float:
    """Return CPU seconds of a call, after a warm-up."""
    way()
    way()
    return max(per_call(way, 2), 1e-6)


def _best(name: str, times: Mapping[Key, list[float]]) -> Key:
    return min((k for k in times if k[0] == name), key=lambda k: statistics.median(times[k]))


def _row(key: Key, times: list[float], ours: list[float]) -> dict[str, Any]:
    ratios = [own / base for own, base in zip(times, ours, strict=True)]
    return {
        "name": key[0],
        "form": key[1],
        "ms": 1e3 * statistics.median(times),
        "ratio": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
    }
