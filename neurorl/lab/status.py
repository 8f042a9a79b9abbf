"""Read how far a sweep has come, from the files that its units leave in its folder."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neurorl.errors import RunError
from neurorl.lab.sweep import Unit
from neurorl.runs.directory import RunDirectory
from neurorl.storage.files import write_json
from neurorl.storage.plain import Named
from neurorl.storage.reading import FilePlace, read_json

PLAN, ROWS, FAILED = "sweep.json", "rows.json", "failed.txt"
QUIET = 300.0
"""Call a unit stopped if none of its files has changed for so many seconds."""
LARGEST = 64 * 2**20
"""Limit the bytes of a file of a sweep."""


@dataclass(frozen=True)
class UnitStatus:
    """Hold how far a unit has come.

    state: done, failed, running, stopped or waiting. share: of its episodes or steps that are done,
    0 to 1. seconds: what these took. problem: why it failed. ended: when it was done, in seconds of
    the system's clock.
    """

    name: str
    values: Named
    state: str
    share: float
    seconds: float
    problem: str = ""
    ended: float | None = None


@dataclass(frozen=True)
class SweepStatus:
    """Hold how far the units of a sweep have come; total: how many there will be."""

    units: tuple[UnitStatus, ...]
    total: int

    def count(self, state: str) -> int:
        """Return how many units are in a state."""
        if state == "waiting":
            return self.total - sum(unit.state != "waiting" for unit in self.units)
        return sum(unit.state == state for unit in self.units)

    @property
    def is_over(self) -> bool:
        """Return whether every unit is done or failed."""
        return self.count("done") + self.count("failed") == self.total

    @property
    def seconds_left(self) -> float | None:
        """Return how long the rest takes, in seconds; None before anything can be known.

        By how quickly the last units ended one after another; before there are some, by what
        training took for its share, with as many units at a time as run now.
        """
        over = self.count("done") + self.count("failed")
        left = self.total - over - sum(u.share for u in self.units if u.state in _UNFINISHED)
        at_once = self.count("running")
        if not at_once:
            return None
        ended = sorted(unit.ended for unit in self.units if unit.ended is not None)[-_RECENT:]
        if len(ended) > at_once + 1 and ended[-1] > ended[0]:
            return left * (ended[-1] - ended[0]) / (len(ended) - 1)
        share = sum(unit.share for unit in self.units)
        took = sum(unit.seconds for unit in self.units)
        return took / share * left / at_once if took else None


_UNFINISHED = ("running", "stopped")
_RECENT = 20


def write_plan(out: Path, units: Sequence[Unit], total: int) -> None:
    """Write which units a sweep has; total: how many there will be."""
    plan = {unit.name: dataclasses.asdict(unit) for unit in units}
    write_json(out / PLAN, {"total": total, "units": plan})


def sweep_status(out: str | Path) -> SweepStatus:
    """Return how far the sweep in a folder has come. Raises RunError if there is none."""
    place = FilePlace(f"sweep {out}", PLAN, remedy="name the folder that neurorl sweep printed")
    plan = read_json(Path(out) / PLAN, place, LARGEST)
    units = plan.get("units") if isinstance(plan, dict) else None
    if not isinstance(units, dict) or not isinstance(plan.get("total"), int):
        raise place.wrong("is damaged")
    found = tuple(_status(Path(out) / "units" / name, unit) for name, unit in units.items())
    return SweepStatus(found, plan["total"])


def _status(folder: Path, unit: Named) -> UnitStatus:
    runs = [folder / f"seed{seed}" for seed in unit["seeds"]]
    seen = [_progress(RunDirectory(path), unit) for path in runs]
    share, seconds = (float(np.mean(x)) for x in zip(*seen, strict=True))
    problem, ended = "", None
    failed, done = (_written(folder / name) for name in (FAILED, ROWS))
    if failed is not None and failed >= (done or 0.0):  # what another process did later counts
        state, problem = "failed", (folder / FAILED).read_text(errors="replace")
    elif done is not None:
        state, share, ended = "done", 1.0, done
    elif not folder.exists():
        state = "waiting"
    else:
        state = "running" if time.time() - _last_change(folder) < QUIET else "stopped"
    return UnitStatus(folder.name, unit["values"], state, share, seconds, problem, ended)


def _written(path: Path) -> float | None:
    """Return when a file was last written, in seconds of the system's clock; None if it isn't."""
    return path.stat().st_mtime if path.exists() else None


def _progress(run: RunDirectory, unit: Named) -> tuple[float, float]:
    """Return the share of a run that is done, and the seconds that it took."""
    try:
        columns = run.read_episodes()
    except RunError:  # it hasn't begun, or is writing
        return 0.0, 0.0
    done = len(columns["episode"])
    if unit["steps"]:
        share = columns["env_steps"][-1] / unit["steps"] if done else 0.0
    else:
        share = done / unit["episodes"] if unit["episodes"] else 0.0
    return min(share, 1.0), sum(columns["wall_s"])


def _last_change(folder: Path) -> float:
    """Return when a file of a unit last changed, in seconds of the system's clock."""
    times = [folder.stat().st_mtime]
    for path in folder.rglob("*"):
        try:
            times.append(path.stat().st_mtime)
        except OSError:  # a temporary file that is gone
            continue
    return max(times)
