"""Run ``neurorl bench``: interleave measurements in child processes, print a table or JSON."""

from __future__ import annotations

import argparse
import itertools
import json
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any

from neurorl.backends.plugins import installed_version
from neurorl.backends.registry import BACKENDS
from neurorl.bench.candidates import FLOORS, Candidate, backends
from neurorl.bench.child import Job
from neurorl.bench.workload import DEEP, SIZES, get_size
from neurorl.cli.output import bar, console
from neurorl.errors import ArgumentError, BackendError
from neurorl.runs.children import child_environment, module_command
from neurorl.storage.plain import Named, PlainData

_TIME_LIMIT = 900.0  # seconds of one child
_THREADS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "NUMBA", "VECLIB_MAXIMUM")
_FIGURES = ("env_steps_per_s", "us_per_step", "start_s", "peak_mb")

_CASE = ("size", "replicas", "backend", "engine", "arithmetic")

Sample = PlainData
_key, _where = itemgetter(*_CASE), itemgetter("round", "size", "replicas")


@dataclass(frozen=True)
class Plan:
    """Say what to measure and how long: rounds over all candidates x sizes x replicas.

    seconds: CPU seconds of each measurement. cold: also a start with an empty cache folder, of
    the first number of replicas.
    """

    candidates: Sequence[Candidate]
    sizes: Sequence[str] = ("small", "large")
    replicas: Sequence[int] = (1,)
    rounds: int = 3
    seconds: float = 0.8
    cold: bool = False

    @property
    def cases(self) -> list[tuple[str, int, Candidate]]:
        """Return the cases in the order of a round; floors come first, but for presets.

        Candidates that take seconds for a step are measured at the first number of replicas only.
        """
        all_of_them = dict.fromkeys([*FLOORS, *self.candidates])
        cases = []
        for s, b, c in itertools.product(self.sizes, self.replicas, all_of_them):
            runs = c.is_backend or s in SIZES or (s == DEEP.name and c == FLOORS[0])
            if runs and (b == self.replicas[0] or not c.is_slow):
                cases.append((s, b, c))
        return cases

    @property
    def children(self) -> int:
        """Return how many processes it takes."""
        return len(self.cases) * self.rounds + len(self.cold_cases)

    @property
    def cold_cases(self) -> list[tuple[str, int, Candidate]]:
        """Return the cases whose first start is measured too."""
        first = self.replicas[0]
        return [x for x in self.cases if self.cold and x[2].compiles and x[1] == first]


@dataclass
class Report:
    """Hold the rows, and a line for everything that couldn't be measured.

    rows: as in `rows`. failed: which candidates couldn't, at least once, and why at first.
    """

    rows: list[PlainData] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    failed: dict[Candidate, str] = field(default_factory=dict)


def measure(plan: Plan, advance: Callable[[str], None] = lambda label: None) -> Report:
    """Run a plan; what fails becomes a note. advance: called after each child."""
    samples: list[Sample] = []
    report = Report()
    failed: set[tuple[str, int, Candidate]] = set()
    rounds = [plan.cases] * plan.rounds + [plan.cold_cases]
    for number, cases in enumerate(rounds):
        cold = number == plan.rounds
        for case in cases:
            if case not in failed:
                sample = _sample(case, 0.0 if cold else plan.seconds, cold)
                if "error" in sample:
                    failed.add(case)
                    report.failed.setdefault(case[2], sample["error"])
                    note = f"{case[2].label}: {sample['error']}"
                    report.notes += [] if note in report.notes else [note]
                else:
                    samples.append({**sample, "round": number, "cold": cold})
            advance(case[2].label)
    report.rows = rows(samples)
    return report


def processor() -> str:
    """Return the processor's name and how many cores there are."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.machine()


def rows(samples: Sequence[Sample]) -> list[PlainData]:
    """Return a row for each case: medians over rounds, and the ratio to the floor of that case.

    ratio_to_floor is the row's rate over that of the quicker floor in the same round, at the same
    size and replicas (more is better): the median of rounds, with ratio_min and ratio_max; None
    without a floor. start_s is
    of a warm cache if there was more than one round; start_cold_s of an empty one, or None.
    """
    warm = [s for s in samples if not s["cold"]]
    cold = {_key(s): s["start_s"] for s in samples if s["cold"]}
    floor: dict[tuple[Any, ...], float] = {}
    for s in (s for s in warm if s["backend"] == FLOORS[0].spec.backend):
        floor[_where(s)] = max(s["env_steps_per_s"], floor.get(_where(s), 0.0))
    by_case: dict[tuple[Any, ...], list[Sample]] = {}
    for sample in warm:
        by_case.setdefault(_key(sample), []).append(sample)
    return [_row(same, floor, cold.get(key)) for key, same in by_case.items()]


def _row(
    same: list[Sample], floor: Mapping[tuple[object, ...], float], cold: float | None
) -> PlainData:
    row = {k: same[0][k] for k in _CASE}
    ratios = [s["env_steps_per_s"] / floor[_where(s)] for s in same if _where(s) in floor]
    full = [{**s, "us_per_step": 1e6 / s["env_steps_per_s"]} for s in same]
    median = {name: statistics.median(s[name] for s in full) for name in _FIGURES}
    row |= {"env_steps_per_s": median["env_steps_per_s"], "us_per_step": median["us_per_step"]}
    row["ratio_to_floor"] = statistics.median(ratios) if ratios else None
    row |= {"ratio_min": min(ratios, default=None), "ratio_max": max(ratios, default=None)}
    row |= {"start_s": median["start_s"], "start_cold_s": cold, "peak_mb": median["peak_mb"]}
    return {**row, "rounds": len(same)}


def _sample(case: tuple[str, int, Candidate], seconds: float, cold: bool) -> Sample:
    size, replicas, candidate = case
    job = Job(asdict(candidate), size, replicas, seconds, 0 if cold else None, spawned=time.time())
    where = {"size": size, "replicas": replicas, "backend": candidate.spec.backend}
    if not cold:
        return {**where, **run_child("neurorl.bench.child", asdict(job))}
    with tempfile.TemporaryDirectory() as folder:
        cache = {"XDG_CACHE_HOME": folder}
        return {**where, **run_child("neurorl.bench.child", asdict(job), cache)}


def run_child(module: str, job: Named, environment: Mapping[str, str] | None = None) -> PlainData:
    """Return the last line that ``python -m module JSON`` prints, or ``{"error": ...}``.

    One thread for every library that has a variable for it.
    """
    threads = {f"{name}_NUM_THREADS": "1" for name in _THREADS}
    threads["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    command = module_command(module, json.dumps(job))
    env = {**child_environment(), **threads, **(environment or {})}
    try:
        done = subprocess.run(
            command, env=env, capture_output=True, text=True, timeout=_TIME_LIMIT, check=False
        )
        result: PlainData = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return {"error": f"took more than {_TIME_LIMIT:g} s"}
    except (IndexError, ValueError):
        last = done.stderr.strip().splitlines() or ["nothing printed"]
        return {"error": f"exit status {done.returncode}: {last[-1]}"}
    return result


COLUMNS = {
    "backend": "backend",
    "engine": "engine",
    "arithmetic": "arithmetic",
    "env_steps_per_s": "env steps/s",
    "us_per_step": "us/env step",
    "ratio_to_floor": "of the quicker floor's rate (min-max)",
    "start_s": "start s",
    "start_cold_s": "cold start s",
    "peak_mb": "peak MiB",
}
"""Map each key of a row to its heading; ``rows`` in `neurorl.bench.command` explains them."""


def measure_and_print(options: argparse.Namespace) -> None:
    """Measure and print what the command line says.

    Raises NeurorlError for bad options, and BackendError, when all else has been printed, if
    something that was asked for couldn't be measured.
    """
    plan = make_plan(options)
    with progress(plan.children) as advance:
        report = measure(plan, advance)
    if options.json:
        print(json.dumps({"cpu": processor(), "rows": report.rows, "notes": report.notes}))
    else:
        _show(report)
    wanted = _wanted(options)
    lacking = [f"{c.label}: {why}" for c, why in report.failed.items() if c.spec.backend in wanted]
    if lacking:
        what, remedy = "couldn't be measured", "see neurorl doctor, or leave it out"
        raise BackendError("bench", what, got="; ".join(lacking), remedy=remedy)


def _wanted(options: argparse.Namespace) -> set[str]:
    """Return the backends that must be measured: named by the user, or else all installed."""
    named = set(_names(options.backends) or ())
    if options.backends is None:
        named |= {name for name, info in BACKENDS.items() if installed_version(info.distribution)}
    return {name.partition(":")[0] for name in named}


def make_plan(options: argparse.Namespace) -> Plan:
    """Return the plan for checked options; raises NeurorlError for bad ones."""
    sizes = tuple(SIZES) if options.size is None else (get_size(options.size).name,)
    _check("--replicas", options.replicas, 1)
    _check("--rounds", options.rounds, 1)
    _check("--seconds", options.seconds, 0.01)
    candidates = backends(_names(options.backends), options.arithmetic)
    replicas, rounds = (options.replicas,), options.rounds
    return Plan(candidates, sizes, replicas, rounds, options.seconds, options.cold)


def cells(row: PlainData) -> list[str]:
    """Format a row as text, in the order of `COLUMNS`."""
    texts = []
    for key in COLUMNS:
        value = row[key]
        if value is None:
            texts.append("-")
        elif key == "ratio_to_floor":
            low, high = row["ratio_min"], row["ratio_max"]
            spread = "" if low == high else f" ({low:.3g}-{high:.3g})"
            texts.append(f"{value:.3g}{spread}")
        elif isinstance(value, float):
            texts.append(f"{value:.0f}" if value >= 1000 else f"{value:.3g}")
        else:
            texts.append(str(value))
    return texts


@contextmanager
def progress(total: int) -> Iterator[Callable[[str], None]]:
    """Show a bar on a terminal's stderr; yield a function to call with each measured name."""
    from rich.progress import MofNCompleteColumn, TextColumn

    columns = MofNCompleteColumn(), TextColumn("{task.fields[label]}")
    with bar("measuring", *columns, total=total, label="") as update:
        yield lambda label: update(advance=1, label=label)


def _show(report: Report) -> None:
    from rich.table import Table

    shown = console()
    shown.print(f"cpu: {processor()}", markup=False, highlight=False)
    for size, replicas in dict.fromkeys((r["size"], r["replicas"]) for r in report.rows):
        rows = [r for r in report.rows if (r["size"], r["replicas"]) == (size, replicas)]
        title = f"{size}, {replicas} replica{'s' if replicas > 1 else ''}"
        table = Table(box=None, pad_edge=False, title=title, title_justify="left")
        for heading in COLUMNS.values():
            table.add_column(heading)
        for row in sorted(rows, key=lambda r: -float(r["env_steps_per_s"])):
            table.add_row(*cells(row))
        shown.print(table)
    for note in report.notes:
        shown.print(f"note: {note}", markup=False, highlight=False)


def _names(text: str | None) -> Sequence[str] | None:
    return None if text is None else [name.strip() for name in text.split(",")]


def _check(option: str, value: float, least: float) -> None:
    if not least <= value < 1e6:
        raise ArgumentError(option, "out of range", got=value, limit=f">= {least:g}")
