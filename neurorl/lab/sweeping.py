"""Train the units of a sweep, or the trials of a search, and put them into one table.

A unit is a pure function of its setting: it resumes from the checkpoints in its folder and writes
``rows.json`` when it is done, so it doesn't matter where it runs, how often it was killed, or how
many run at once.
"""

from __future__ import annotations

import contextlib
import json
import math
import multiprocessing
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

from neurorl.agents.evaluation import evaluate, load_to_play
from neurorl.errors import NeurorlError, RunError, format_message
from neurorl.lab.clusters import Losses, is_lost_worker
from neurorl.lab.search import SAMPLERS, Search
from neurorl.lab.status import FAILED, LARGEST, ROWS, write_plan
from neurorl.lab.sweep import Sweep, Unit
from neurorl.runs.children import GUARD, end_if_importing_main, end_with
from neurorl.runs.directory import LockedRunError, RunDirectory
from neurorl.runs.training import train_seeds
from neurorl.storage.files import as_csv, import_extra, make_folder, write_bytes, write_json
from neurorl.storage.plain import PlainData, check_count
from neurorl.storage.reading import FilePlace, read_json

Row = PlainData
_RETRIES = 3
_PATIENCE = 120.0
"""Give a cluster's lost worker so long, in seconds, to end."""
_FIGURES = (
    *("seed", "episodes", "env_steps", "first_play_steps", "mean_return_last_100"),
    *("mean_discounted_return_last_100", "solved_at_episode", "digest"),
)


@dataclass(frozen=True)
class Outcome:
    """Hold the results of a sweep: a row for each unit and seed, and errors by unit."""

    rows: tuple[Row, ...]
    failed: dict[str, str]


def run_unit(unit: Unit, folder: str, search_path: Sequence[str] = ()) -> list[Row]:
    """Train and evaluate one setting with all its seeds; return a row for each seed.

    folder: folder of this unit; complete parts aren't repeated, and killed ones are resumed.
    search_path: further places to look for the user's modules, in another process.
    """
    sys.path += [place for place in search_path if place not in sys.path]
    place = Path(folder)
    done = place / ROWS
    if done.exists():
        return _rows_of(done)
    make_folder(place)
    runs = [(seed, place / f"seed{seed}") for seed in unit.seeds]
    has_begun = any(not RunDirectory(path).is_free() for _, path in runs)
    summaries = train_seeds(unit.env, runs, resume=has_begun, **unit.options())
    rows = []
    for (seed, path), summary in zip(runs, summaries, strict=True):
        figures: Row = {**summary}
        row = {**unit.values, **{name: figures[name] for name in _FIGURES}}
        row["warnings"] = len(summary["warnings"])
        if unit.evaluate:
            agent, setting = load_to_play(path)
            played = evaluate(agent, unit.evaluate, seed=1_000_000 + seed, **setting)
            row["greedy_return"] = played["mean_return"]
            row["greedy_discounted_return"] = played["mean_discounted_return"]
            agent.close()
        rows.append(row)
    write_json(done, {"rows": rows})
    return rows


def _rows_of(path: Path) -> list[Row]:
    place = FilePlace(f"file {path}", remedy="remove it")
    data = read_json(path, place, LARGEST)
    rows = data.get("rows") if isinstance(data, dict) else None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise place.wrong("has no rows")
    return rows


def run_sweep(
    sweep: Sweep,
    out: str | Path,
    *,
    jobs: int = 1,
    executor: Executor | None = None,
    callback: Callable[[Unit], None] | None = None,
) -> Outcome:
    """Train all unfinished units; write ``table.csv`` with finished ones; return the outcome.

    jobs: processes on this machine; if one is killed, another resumes its unit from its
    checkpoints. executor: replaces them, any that runs pickled functions, such as
    ``dask.distributed.Client(...).get_executor()``; it must see the same folder. callback: called
    with each finished unit. ``table.parquet`` is also written if PyArrow is installed.

    A unit that fails doesn't affect others. The table has the same bytes for every executor. In a
    script with processes call it under ``if __name__ == "__main__"``: they import the script.
    Raises RunError for a script that doesn't, and if processes are killed again and again.
    """
    end_if_importing_main()
    out = Path(out)
    check_count("sweep, jobs", jobs)
    make_folder(out / "units")
    units = {_place(out, unit): unit for unit in sweep.units}
    write_plan(out, sweep.units, len(sweep.units))
    made: dict[str, list[Row]] = {}
    failed: dict[str, str] = {}
    for place, result in results_of(units, jobs, executor):
        if isinstance(result, str):
            failed[units[place].name] = result
            continue
        made[place] = result
        write_table(out, [row for each in units for row in made.get(each, ())])
        if callback is not None:
            callback(units[place])
    return Outcome(tuple(row for each in units for row in made.get(each, ())), failed)


Results = Iterator[tuple[str, list[Row] | str]]


def results_of(units: Mapping[str, Unit], jobs: int, executor: Executor | None) -> Results:
    """Yield the folder of each unit and its rows or its error, as units finish."""
    if executor is not None:
        return _through_given(executor, units)
    if min(jobs, len(units)) > 1:
        return _through_processes(units, jobs)
    return ((place, _attempt(unit, place)) for place, unit in units.items())


def _attempt(
    unit: Unit, place: str, search_path: Sequence[str] = (), patience: float = 0.0
) -> list[Row] | str:
    """Return the rows of a unit, or its error in one line, which stays in ``failed.txt``.

    patience: how long to wait, in seconds, for another process to leave the unit's runs.
    """
    problem, until = Path(place) / FAILED, time.monotonic() + patience
    while True:
        try:
            problem.unlink(missing_ok=True)
            return run_unit(unit, place, search_path)
        except LockedRunError as exc:
            # A job that is cancelled, or whose scheduler is gone, takes a while to end.
            said = str(exc)
            if time.monotonic() < until:
                time.sleep(1.0)
                continue
        except NeurorlError as exc:
            said = str(exc)
        with contextlib.suppress(RunError):
            write_bytes(problem, said.encode())
        return said


def _through(executor: Executor, units: Mapping[str, Unit], patience: float = 0.0) -> Results:
    """Submit all units to an executor; yield folder and rows of each when it is done."""

    def submit(place: str) -> Future[list[Row] | str]:
        return executor.submit(_attempt, units[place], place, tuple(sys.path), patience)

    waiting = {submit(place): place for place in units}
    losses = {place: Losses(place) for place in units}
    while waiting:
        for future in wait(waiting, return_when=FIRST_COMPLETED).done:
            place = waiting.pop(future)
            try:
                yield place, future.result()
            except BrokenProcessPool:
                raise
            except Exception as exc:  # executors may raise anything
                if is_lost_worker(exc) and losses[place].goes_on():
                    waiting[submit(place)] = place
                    continue
                got = f"{type(exc).__name__}: {exc}"
                yield place, format_message(f"unit {place}", "its worker failed", got=got)


def _through_given(executor: Executor, units: Mapping[str, Unit]) -> Results:
    """Submit all units to the caller's executor, whose processes can't be replaced here."""
    try:
        yield from _through(executor, units, _PATIENCE)
    except BrokenProcessPool:
        what, remedy = "its processes have ended", f"run it again, to go on; {GUARD}"
        raise RunError("sweep, executor", what, remedy=remedy) from None


def _through_processes(units: Mapping[str, Unit], jobs: int) -> Results:
    """Run units in processes on this machine; if one is killed, go on with new ones."""
    left = dict(units)
    context = multiprocessing.get_context("spawn")
    has_begun = context.Event()
    for _ in range(1 + _RETRIES * len(units)):
        theirs, ours = context.Pipe(duplex=False)
        begin = (theirs, has_begun)
        with ours, theirs, ProcessPoolExecutor(jobs, context, _begin_worker, begin) as pool:
            try:
                for place, result in _through(pool, left.copy()):
                    del left[place]
                    yield place, result
            except BrokenProcessPool:
                if has_begun.is_set():
                    continue
                what, remedy = "its processes end before they begin", f"{GUARD}; or take jobs=1"
                raise RunError("sweep, jobs", what, remedy=remedy) from None
            except BaseException:  # such as Ctrl-C, which doesn't reach the processes themselves
                ours.close()
                pool.shutdown(cancel_futures=True)
                raise
        return
    remedy = "look for who kills them (memory?), and run it again"
    raise RunError("sweep", "its processes are killed", remedy=remedy)


def _begin_worker(theirs: Connection, has_begun: Event) -> None:
    """End a new process of a pool together with the process at the other end of *theirs*."""
    end_with(theirs)
    has_begun.set()


def write_table(out: Path, rows: Sequence[Row]) -> None:
    """Write the rows of finished units, in the order of the grid."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    cells = ([_cell(row.get(name)) for name in columns] for row in rows)
    write_bytes(out / "table.csv", as_csv([columns, *cells]))
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError:
        return
    plain = [{name: _plain(row.get(name)) for name in columns} for row in rows]
    buffer = arrow.BufferOutputStream()
    parquet.write_table(arrow.Table.from_pylist(plain), buffer)
    write_bytes(out / "table.parquet", buffer.getvalue().to_pybytes())


def _cell(value: object) -> Any:
    """Return a value as text: numbers with all digits, empty for None, lists as JSON."""
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else _plain(value)


def _plain(value: object) -> Any:
    return json.dumps(value) if isinstance(value, (list, dict)) else value


_STARTUP = 4  # complete trials before any is pruned


@dataclass
class _Trial:
    """Hold a trial: Optuna's object, its values, and its rows so far."""

    asked: Any
    values: PlainData
    rows: list[Row] = field(default_factory=list)
    problem: str = ""
    is_pruned: bool = False

    @property
    def goes_on(self) -> bool:
        """Return whether it is neither pruned nor failed."""
        return not (self.is_pruned or self.problem)

    def table(self) -> list[Row]:
        """Return its rows in the form of the table."""
        first = {"trial": self.asked.number, "pruned": self.is_pruned}
        return [{**first, **row} for row in self.rows]

    def mean(self, metric: str) -> float:
        """Return the mean of a column; NaN if a seed has no value."""
        figures = [math.nan if row[metric] is None else row[metric] for row in self.rows]
        return float(sum(figures) / len(figures))


def run_search(
    search: Search,
    out: str | Path,
    *,
    jobs: int = 1,
    executor: Executor | None = None,
    callback: Callable[[Unit], None] | None = None,
) -> Outcome:
    """Run all trials; write ``table.csv`` and ``best.json``; return the rows.

    jobs, executor: as in `neurorl.lab.sweeping.run_sweep`. callback: called after each trial.
    ``best.json`` is for ``--config``. Raises UnsupportedError without Optuna.
    """
    end_if_importing_main()
    study = _study(search)
    out = Path(out)
    check_count("sweep, jobs", jobs)
    make_folder(out / "units")
    done: list[_Trial] = []
    begun: dict[str, Unit] = {}
    while len(done) < search.trials:
        batch = []
        for _ in range(min(search.batch, search.trials - len(done))):
            asked = study.ask()
            batch.append(_Trial(asked, {p.axis: p.ask(asked) for p in search.space}))
        for seeds in search.rungs:
            trials = [trial for trial in batch if trial.goes_on]
            units = [search.unit(trial.values, seeds) for trial in trials]
            begun |= {unit.name: unit for unit in units}
            write_plan(out, list(begun.values()), search.trials * len(search.rungs))
            results = dict(results_of({_place(out, unit): unit for unit in units}, jobs, executor))
            for trial, unit in zip(trials, units, strict=True):
                _hear(search, trial, results[_place(out, unit)])
        for trial in batch:
            _tell(study, search, trial)
            done.append(trial)
            if callback is not None:
                callback(search.unit(trial.values, search.base.seeds))
        write_table(out, [row for trial in done for row in trial.table()])
    write_plan(out, list(begun.values()), len(begun))  # pruned trials have fewer units
    whole = [trial for trial in done if trial.goes_on]
    if whole:
        best = max(whole, key=lambda trial: trial.mean(search.metric))
        fields = {name.removeprefix("set."): value for name, value in best.values.items()}
        write_json(out / "best.json", fields)
    rows = tuple(row for trial in done for row in trial.table())
    return Outcome(rows, {f"trial {t.asked.number}": t.problem for t in done if t.problem})


def _place(out: Path, unit: Unit) -> str:
    return str(out / "units" / unit.name)


def _hear(search: Search, trial: _Trial, result: list[Row] | str) -> None:
    """Take the rows of some seeds, or their error; prune the trial if it isn't good enough."""
    if isinstance(result, str):
        trial.problem = result
        return
    trial.rows += result
    if len(trial.rows) < len(search.base.seeds):
        trial.asked.report(trial.mean(search.metric), len(trial.rows))
        trial.is_pruned = search.prune and trial.asked.should_prune()


def _tell(study: Any, search: Search, trial: _Trial) -> None:
    from optuna.trial import TrialState

    if trial.problem or math.isnan(trial.mean(search.metric)):
        trial.problem = trial.problem or f"has no {search.metric}"
        study.tell(trial.asked, state=TrialState.FAIL)
    elif trial.is_pruned:
        study.tell(trial.asked, state=TrialState.PRUNED)
    else:
        study.tell(trial.asked, trial.mean(search.metric))


def _study(search: Search) -> Any:
    """Return a new Optuna study in memory. Raises UnsupportedError."""
    optuna = import_extra("optuna", "sweep, search", "Optuna", "optuna")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = getattr(optuna.samplers, SAMPLERS[search.sampler])(seed=search.seed)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=_STARTUP)
    return optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
