"""Make the comparison, part by part: runs, tables, figures, the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from experiments.catalogue import ARITHMETIC, TASKS, Task
from experiments.comparison.cost import (
    REPLICAS,
    ROUNDS,
    STEPS,
    CostRow,
    MemoryRow,
    memory_held,
    times,
)
from experiments.comparison.efficiency import (
    EfficiencyRow,
    efficiency,
    greedy_at,
    read_trained,
    step_curve,
)
from experiments.comparison.figures import draw_efficiency, draw_robustness
from experiments.comparison.gradients_page import draw_gradients
from experiments.comparison.page import put_tables
from experiments.comparison.perturbations import PERTURBATIONS
from experiments.comparison.quality import FULL, Amount, QualityRow
from experiments.comparison.robustness import (
    Case,
    RecoveryPoint,
    RecoveryRow,
    cases,
    recover,
    recovery_curve,
)
from experiments.comparison.sources import APPROACHES, Begin, Source, Sources, sources_of
from experiments.tables import read_table, write_table
from neurorl.storage.files import make_folder

PARTS = ("efficiency", "cost", "robustness", "gradients")
MODELS = ("lif", "glm")


@dataclass(frozen=True)
class Comparison:
    """Say what is run and where it goes.

    rules: whether other rules than the preset's own take part. replicas, rounds, steps: of
    `experiments.comparison.cost`. perturbations: by name; None takes all. tasks: those that
    are looked at. out: of runs that no other script makes.
    """

    sources: Sources
    out: Path
    results: Path
    docs: Path
    begin: Begin
    say_line: Callable[[str], None]
    rules: bool = True
    replicas: Sequence[int] = REPLICAS
    rounds: int = ROUNDS
    steps: int = STEPS
    perturbations: Sequence[str] | None = None
    amount: Amount = FULL
    tasks: Sequence[Task] = TASKS

    @property
    def folder(self) -> Path:
        """Return the folder of the tables."""
        return self.results / "comparison"

    @property
    def seeds(self) -> tuple[int, ...]:
        return self.sources.plan.seeds

    def pairs(self) -> Iterator[tuple[Task, str, list[Source]]]:
        """Return every task and network that both approaches have learned, and its sources."""
        for task in self.tasks:
            for model in MODELS:
                sources = sources_of(task, model)
                if {source.approach for source in sources} == set(APPROACHES):
                    yield task, model, sources if self.rules else [sources[0], sources[-1]]


def run_parts(comparison: Comparison, parts: Sequence[str]) -> None:
    """Run what isn't run yet of *parts*, and write their tables."""
    if "efficiency" in parts:
        _efficiency(comparison)
    if "cost" in parts:
        _cost(comparison)
    if "robustness" in parts:
        _robustness(comparison)
    if "gradients" in parts:
        _gradients(comparison)


def write_page(results: Path, docs: Path) -> list[Path]:
    """Write figures and tables from the CSV that is there; return the paths."""
    folder = results / "comparison"
    make_folder(docs)
    written = []
    if (folder / "efficiency.csv").exists():
        written.append(draw_efficiency(folder, docs / "comparison-efficiency.png"))
    if (folder / "recovery.csv").exists():
        written.append(draw_robustness(folder, docs / "comparison-robustness.png"))
    if (folder / "gradients.csv").exists():
        written.append(draw_gradients(folder / "gradients.csv", docs / "comparison-gradients.png"))
    put_tables(docs / "comparison.md", results)
    return [*written, docs / "comparison.md"]


def _efficiency(comparison: Comparison) -> None:
    plan = replace(comparison.sources.plan, out=comparison.out)
    for task, _, sources in comparison.pairs():
        agents = {
            source.name: comparison.sources.train(source, comparison.begin) for source in sources
        }
        trained = {
            name: [read_trained(task, a.path) for a in runs] for name, runs in agents.items()
        }
        own, gradients = sources[0].name, sources[-1].name
        budget = min(t.total for t in (*trained[own], *trained[gradients]))
        for source in sources:
            curve = step_curve(trained[source.name])
            write_table(comparison.folder / "curves" / f"{source.name}.csv", curve)
            at: list[tuple[int, float] | None] = [None] * len(plan.seeds)
            if source is sources[0]:
                at = greedy_at(source, plan, trained[own], trained[gradients])
            rows = efficiency(source, plan, agents[source.name], budget, at)
            _put(comparison.folder / "efficiency.csv", rows, _experiment)
            comparison.say_line(_efficiency_line(source, rows))


def _efficiency_line(source: Source, rows: Sequence[EfficiencyRow]) -> str:
    reached = sorted(r.steps_to_threshold for r in rows if r.steps_to_threshold is not None)
    middle = f"{reached[len(reached) // 2]:,}" if reached else "never"
    mean = sum(row.greedy for row in rows) / len(rows)
    return f"{source.name}: greedy {mean:.{source.task.digits}f}, steps to threshold {middle}"


def _cost(comparison: Comparison) -> None:
    backend = comparison.sources.plan.backend or "native"
    for task, model, sources in comparison.pairs():
        runs = {
            source.approach: [a.path for a in comparison.sources.train(source, comparison.begin)]
            for source in (sources[0], sources[-1])
        }
        rows = []
        for row in times(
            task, model, runs, comparison.replicas, comparison.rounds, backend, comparison.steps
        ):
            rows.append(row)
            comparison.say_line(
                f"{task.name}-{model}, {row.approach}, {row.replicas} replicas: "
                f"{row.us_per_step:.1f} us an environment step"
            )
        _put(comparison.folder / "cost.csv", rows, _network)
        _put(comparison.folder / "memory.csv", memory_held(task, model, runs), _network)


def _robustness(comparison: Comparison) -> None:
    plan = replace(comparison.sources.plan, out=comparison.out)
    runs: dict[str, list[Path]] = {}
    for case in _cases(comparison):
        source = next(s for s in sources_of(case.task, "lif") if s.approach == case.start)
        if source.name not in runs:
            runs[source.name] = [a.path for a in comparison.sources.train(source, comparison.begin)]
        rows = recover(case, plan, runs[source.name], comparison.begin(case.name, 0))
        _put(comparison.folder / "robustness.csv", rows, _case)
        if case.learner != "none":
            _put(comparison.folder / "recovery.csv", recovery_curve(case, plan), _case)
        mean = sum(row.greedy for row in rows) / len(rows)
        comparison.say_line(f"{case.name}: greedy {mean:.{case.task.digits}f}")


def _gradients(comparison: Comparison) -> None:
    # Needs PyTorch, which tables and figures don't.
    from experiments.comparison.gradients import SEEDS, measure, stopped

    plan = replace(
        comparison.sources.plan,
        out=comparison.out / "points",
        seeds=tuple(seed for seed in comparison.seeds if seed in SEEDS) or comparison.seeds,
    )
    rows: list[QualityRow] = []
    for source in stopped():
        if source.task in comparison.tasks:
            total = (plan.episodes or source.experiment.episodes) * len(plan.seeds)
            for point in measure(
                source, plan, comparison.amount, comparison.begin(source.name, total)
            ):
                rows += point
                where = f"seed {point[0].seed}, {point[0].point} % of its training"
                comparison.say_line(f"{source.name}: {where}")
    _put(comparison.folder / "gradients.csv", rows, _point)


def _put(path: Path, rows: Sequence[Any], place: Callable[[Any], tuple[int, ...]]) -> None:
    """Write *rows* instead of those of the same places; others' stay, all in their order."""
    old = read_table(path, type(rows[0])) if path.exists() else []
    new = {place(row) for row in rows}
    kept = [row for row in old if place(row) not in new]
    write_table(path, sorted([*kept, *rows], key=place))


def _experiment(row: EfficiencyRow) -> tuple[int, ...]:
    names = [s.name for task in TASKS for model in MODELS for s in sources_of(task, model)]
    return (names.index(row.experiment),)


def _network(row: CostRow | MemoryRow) -> tuple[int, ...]:
    return _task(row.task), MODELS.index(row.model)


def _case(row: RecoveryRow | RecoveryPoint) -> tuple[int, ...]:
    names = [(p.task.name, p.name) for p in PERTURBATIONS]
    return (
        names.index((row.task, row.perturbation)),
        list(ARITHMETIC).index(row.arithmetic),
        APPROACHES.index(row.start),
        ("none", *APPROACHES).index(row.learner),
    )


def _point(row: QualityRow) -> tuple[int, ...]:
    approach = APPROACHES.index(row.approach)
    return _task(row.task), MODELS.index(row.model), approach, row.seed, row.point


def _task(name: str) -> int:
    return [task.name for task in TASKS].index(name)


def _cases(comparison: Comparison) -> list[Case]:
    named = comparison.perturbations
    return cases(
        [
            p
            for p in PERTURBATIONS
            if p.task in comparison.tasks and (named is None or p.name in named)
        ]
    )
