"""Make the tables of docs/comparison.md from the CSV that is there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.catalogue import ARITHMETIC, EXPERIMENTS, TASKS, Task
from experiments.comparison.cost import CostRow, MemoryRow
from experiments.comparison.efficiency import EfficiencyRow
from experiments.comparison.gradients_page import gradient_table
from experiments.comparison.perturbations import PERTURBATIONS
from experiments.comparison.quality import QualityRow
from experiments.comparison.robustness import RecoveryRow
from experiments.deploy import DeploymentRow
from experiments.gradients import GRADIENTS, GradientRow
from experiments.markup import put_between, table_head, table_row
from experiments.tables import read_rows, read_table

_HOW = {"local": "local rule", "gradients": "gradients"}
_LEARNS_ON = {"local": "the local rule", "reparameterization": "gradients"}
_NEVER = "never"


def put_tables(page: Path, results: Path) -> None:
    """Write the tables of what is in *results* between their marks of *page*."""
    folder = results / "comparison"
    for name, file, kind, lines in _TABLES:
        if (folder / file).exists():
            put_between(page, name, lines(read_table(folder / file, kind)))
    tables = _chip(results)
    if tables:
        put_between(page, "chip", tables)


def _efficiency(rows: Sequence[EfficiencyRow]) -> list[str]:
    head = ["task", "network", "learned by", "seeds", "env steps to threshold", "of 20 episodes"]
    lines = table_head(
        [*head, "mean return up to", "env steps", "greedy", "failures", "greedy at equal steps"]
    )
    for task, name, of_network in _experiments(rows):
        digits, first = task.digits, of_network[0]
        network = name.removeprefix(f"{task.name}-").split("-")[0].upper()
        areas = [row.area for row in of_network if row.area is not None]
        area = (
            f"{np.mean(areas):.{digits}f} ({first.budget:,})"
            if len(areas) == len(of_network)
            else ""
        )
        failed = [row.seed for row in of_network if row.greedy < task.floor]
        equal = [row.greedy_at for row in of_network if row.greedy_at is not None]
        lines.append(
            table_row(
                *(task.env, network, first.rule, str(len(of_network))),
                _steps([row.steps_to_threshold for row in of_network]),
                _steps([row.short_steps for row in of_network]),
                area,
                f"{np.mean([row.env_steps for row in of_network]):,.0f}",
                _score(digits, [row.greedy for row in of_network]),
                _failures(failed, len(of_network)),
                f"{_score(digits, equal)}, {len(equal)} seeds" if equal else "",
            )
        )
    return lines


def _spikes(rows: Sequence[EfficiencyRow]) -> list[str]:
    head = ["task", "network", "learned by", "spikes", "synaptic operations", "energy, nJ"]
    lines = table_head(head)
    for task, name, of_network in _experiments(rows):
        if of_network[0].approach != "gradients" and any(
            e.name == name and e.overrides for e in EXPERIMENTS
        ):
            continue
        network = name.removeprefix(f"{task.name}-").split("-")[0].upper()
        figures = (
            f"{np.mean([getattr(row, f'{name}_per_decision{unit}') for row in of_network]):,.0f}"
            for name, unit in (("spikes", ""), ("synops", ""), ("energy", "_nj"))
        )
        lines.append(table_row(task.env, network, of_network[0].rule, *figures))
    return lines


def _cost(rows: Sequence[CostRow]) -> list[str]:
    head = ["task", "network", "replicas", "local rule, us", "gradients, us"]
    lines = table_head([*head, "gradients / local rule"])
    for key in dict.fromkeys((row.task, row.model, row.replicas) for row in rows):
        turns = [row for row in rows if (row.task, row.model, row.replicas) == key]
        by = {
            how: {row.turn: row.us_per_step for row in turns if row.approach == how} for how in _HOW
        }
        ratios = [by["gradients"][turn] / us for turn, us in by["local"].items()]
        task, model, replicas = key
        lines.append(
            table_row(
                *(_env(task), model.upper(), str(replicas)),
                *(f"{np.median(list(by[how].values())):.1f}" for how in _HOW),
                f"**{np.median(ratios):.1f}** ({min(ratios):.1f} to {max(ratios):.1f})",
            )
        )
    return lines


def _memory(rows: Sequence[MemoryRow]) -> list[str]:
    lines = table_head(["task", "network", "learned by", "kB", "of which"])
    for key in dict.fromkeys((row.task, row.model, row.approach) for row in rows):
        held = [row for row in rows if (row.task, row.model, row.approach) == key]
        parts = ", ".join(f"{row.part} {row.bytes / 1e3:,.0f}" for row in held)
        total = sum(row.bytes for row in held) / 1e3
        lines.append(
            table_row(_env(key[0]), key[1].upper(), _HOW[key[2]], f"**{total:,.0f}**", parts)
        )
    return lines


def _chip(results: Path) -> list[str]:
    """Format both approaches' float-trained agents, and those that learned in chip arithmetic."""
    lines = table_head(["task", "network", "learned by", "float", "on the chip", "lost"])
    deployed = (
        read_table(results / "deployment.csv", DeploymentRow)
        if (results / "deployment.csv").exists()
        else []
    )
    for task in TASKS:
        for model in ("lif", "glm"):
            local = [
                row
                for row in deployed
                if (row.experiment, row.noise) == (f"{task.name}-{model}", "exact")
            ]
            if not (results / f"{task.name}-{model}-gradients.csv").exists():
                continue
            floats, chips = [r.described for r in local], [r.deployed for r in local]
            lines += _chip_line(task, model, "local rule in float", floats, chips)
            own = results / f"{task.name}-{model}-chip.csv"
            if own.exists():
                chips = [row.greedy for row in read_rows(own)]
                lines += _chip_line(task, model, "local rule on the chip", [], chips)
            for e in GRADIENTS:
                file = results / f"{e.name}.csv"
                if (e.task, e.model) == (task, model) and file.exists():
                    rows = read_table(file, GradientRow)
                    floats = [row.greedy for row in rows if row.greedy is not None]
                    on = _LEARNS_ON[e.approach]
                    how = f"gradients in float{f', then {on} on the chip' if e.start else ''}"
                    lines += _chip_line(task, model, how, floats, [row.on_chip for row in rows])
    return lines if len(lines) > 2 else []


def _chip_line(
    task: Task, model: str, how: str, floats: Sequence[float], chips: Sequence[float]
) -> list[str]:
    if not chips:
        return []
    lost = ""
    if floats:
        mean = float(np.mean(floats))
        lost = f"{100 * (mean - float(np.mean(chips))) / abs(mean):.2f} %"
    score = _score(task.digits, floats) if floats else ""
    return [table_row(task.env, model.upper(), how, score, _score(task.digits, chips), lost)]


def _robustness(rows: Sequence[RecoveryRow]) -> list[str]:
    """Format what is left without learning, for all perturbations."""
    lines = table_head(["task", "perturbation", "arithmetic", "local rule", "gradients"])
    frozen = [row for row in rows if row.learner == "none"]
    for key in dict.fromkeys((row.task, row.perturbation, row.arithmetic) for row in frozen):
        seeds = [row for row in frozen if (row.task, row.perturbation, row.arithmetic) == key]
        digits = _task(key[0]).digits
        scores = (_score(digits, [row.greedy for row in seeds if row.start == how]) for how in _HOW)
        lines.append(table_row(_env(key[0]), _label(key), ARITHMETIC[key[2]], *scores))
    return lines


def _recovery(rows: Sequence[RecoveryRow]) -> list[str]:
    """Format what learning on brings back."""
    head = ["task", "perturbation", "arithmetic", "weights by", "frozen", "learns on by"]
    lines = table_head(
        [*head, "first 10", "last 10", "episodes (env steps) to threshold", "greedy after"]
    )
    for key in dict.fromkeys((r.task, r.perturbation, r.arithmetic, r.start) for r in rows):
        seeds = [r for r in rows if (r.task, r.perturbation, r.arithmetic, r.start) == key]
        digits = _task(key[0]).digits
        before = _score(digits, [row.greedy for row in seeds if row.learner == "none"])
        for how in _HOW:
            on = [row for row in seeds if row.learner == how]
            if not on:
                continue
            means = (
                f"{np.mean([getattr(row, name) for row in on]):.{digits}f}"
                for name in ("first", "last")
            )
            lines.append(
                table_row(
                    *(_env(key[0]), _label(key), ARITHMETIC[key[2]], _HOW[key[3]]),
                    *(before, _HOW[how], *means),
                    _recovered(on),
                    _score(digits, [row.greedy for row in on]),
                )
            )
    return lines


_TABLES: tuple[tuple[str, str, type[Any], Callable[[Any], list[str]]], ...] = (
    ("efficiency", "efficiency.csv", EfficiencyRow, _efficiency),
    ("spikes", "efficiency.csv", EfficiencyRow, _spikes),
    ("cost", "cost.csv", CostRow, _cost),
    ("memory", "memory.csv", MemoryRow, _memory),
    ("robustness", "robustness.csv", RecoveryRow, _robustness),
    ("recovery", "robustness.csv", RecoveryRow, _recovery),
    ("gradients", "gradients.csv", QualityRow, gradient_table),
)


def _experiments(
    rows: Sequence[EfficiencyRow],
) -> Iterable[tuple[Task, str, list[EfficiencyRow]]]:
    for name in dict.fromkeys(row.experiment for row in rows):
        yield (
            _task(name.partition("-")[0]),
            name,
            [row for row in rows if row.experiment == name],
        )


def _task(name: str) -> Task:
    (named,) = (task for task in TASKS if task.name == name)
    return named


def _env(task: str) -> str:
    return _task(task).env


def _label(key: tuple[str, ...]) -> str:
    (named,) = (p for p in PERTURBATIONS if (p.task.name, p.name) == tuple(key[:2]))
    return named.label


def _score(digits: int, values: Sequence[float]) -> str:
    return f"**{np.mean(values):.{digits}f}** ({min(values):.{digits}f})" if values else ""


def _steps(values: Sequence[int | None]) -> str:
    """Format the median over seeds, and how many never got there; these count as the slowest."""
    never = sum(value is None for value in values)
    median = float(np.median([np.inf if value is None else value for value in values]))
    if never == len(values):
        return _NEVER
    shown = f"{median:,.0f}" if np.isfinite(median) else "-"
    return f"{shown}, never in {never}" if never else shown


def _recovered(rows: Sequence[RecoveryRow]) -> str:
    """Format the median of the episodes, and of the environment steps."""
    never = sum(row.recovered is None for row in rows)
    episodes, steps = (
        float(np.median([getattr(row, name) or np.inf for row in rows]))
        for name in ("recovered", "steps")
    )
    shown = f"{episodes:,.0f} ({steps:,.0f})" if np.isfinite(episodes) else "-"
    return f"{shown}, never in {never}" if never else shown


def _failures(seeds: Sequence[int], n: int) -> str:
    if not seeds or len(seeds) == n:
        return str(len(seeds))
    return f"{len(seeds)} ({' '.join(map(str, seeds))})"
