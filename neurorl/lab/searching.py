"""Run the trials of a search, batch by batch, and put them into one table."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from neurorl.agents.arguments import check_count
from neurorl.errors import UnsupportedError
from neurorl.lab.search import SAMPLERS, Search
from neurorl.lab.sweep import Unit
from neurorl.lab.sweeping import Outcome, Row, results_of, write_table
from neurorl.runs.children import end_if_importing_main
from neurorl.storage.files import make_folder, write_json

_STARTUP = 4  # complete trials before any is pruned


@dataclass
class _Trial:
    """Hold a trial: Optuna's object, its values, and its rows so far."""

    asked: Any
    values: dict[str, Any]
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
    while len(done) < search.trials:
        batch = [_asked(study, search) for _ in range(min(search.batch, search.trials - len(done)))]
        for seeds in search.rungs:
            trials = [trial for trial in batch if trial.goes_on]
            units = [search.unit(trial.values, seeds) for trial in trials]
            places = {_place(out, unit): unit for unit in units}
            results = dict(results_of(places, jobs, executor))
            for trial, unit in zip(trials, units, strict=True):
                _hear(search, trial, results[_place(out, unit)])
        for trial in batch:
            _tell(study, search, trial)
            done.append(trial)
            if callback is not None:
                callback(search.unit(trial.values, search.base.seeds))
        write_table(out, [row for trial in done for row in trial.table()])
    whole = [trial for trial in done if trial.goes_on]
    if whole:
        best = max(whole, key=lambda trial: trial.mean(search.metric))
        fields = {name.removeprefix("set."): value for name, value in best.values.items()}
        write_json(out / "best.json", fields)
    rows = tuple(row for trial in done for row in trial.table())
    failed = {f"trial {t.asked.number}": t.problem for t in done if t.problem}
    return Outcome(rows, failed)


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


def _asked(study: Any, search: Search) -> _Trial:
    asked = study.ask()
    return _Trial(asked, {p.axis: p.ask(asked) for p in search.space})


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
    try:
        import optuna
    except ImportError as exc:
        remedy = "pip install 'neurorl[optuna]'"
        raise UnsupportedError("sweep, search", "needs Optuna", remedy=remedy) from exc
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = getattr(optuna.samplers, SAMPLERS[search.sampler])(seed=search.seed)
    pruner = optuna.pruners.MedianPruner(n_startup_trials=_STARTUP)
    return optuna.create_study(direction="maximize", sampler=sampler, pruner=pruner)
