"""Make the page of learning: every table of it from the CSV under ``results/``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from experiments.catalogue import ARITHMETIC, EXPERIMENTS, TASKS, Experiment, Task
from experiments.checks import CheckRow, read_checks
from experiments.markup import span, table_head, table_row
from experiments.matrix import learned, matrix
from experiments.others import controls_section, others_section
from experiments.tables import Row, Summary, read_rows, summary
from experiments.tuning_page import tuning_section
from neurorl.lab.compare import WINDOW, bootstrap_interval, interquartile_mean

Rows = dict[str, list[Row]]
_LIF = [e for e in EXPERIMENTS if e.name.endswith("-lif")]

_HEAD = """# Learning

`{command}`

Made by this command from the CSV in `results/`; [REPRODUCING.md](../REPRODUCING.md) has the
command of each table and on which seeds the presets were tuned. Every seed that was run is listed
and counted.

![learning curves](learning.png)

Line: mean over seeds of the running mean of {window} training episodes; band: interquartile range
over seeds.

*Greedy*: mean over the evaluation's episodes, without learning, of the action with the most votes,
with noise of its own. Tasks are drawn by seeds of 31 bits; no agent of these tables was played on
one that its training had (`tests/agents/test_evaluation_seeds.py`). *Played*: for how many
episodes, 100, and on the gridworld 1,000 by the presets (rule in bold) and 100 by the other rules:
the standard error of a seed's figure is about 0.01 in the former and 0.03 in the latter. *IQM*:
interquartile mean over seeds with its 95 % bootstrap interval, after Agarwal et al. 2021
([arXiv:2108.13264](https://arxiv.org/abs/2108.13264)). *Learned*: the episode at which the mean of
{window} training episodes first reached the threshold; {window} is the least there can be.
*Spikes* are of neurons, *synops* the synapses that spikes of neurons and inputs reach; both of one
decision. *Chip* is the arithmetic of `--arithmetic loihi`. All is run on Brian2, with `--quick` on
the reference, which gives the same bits.
"""


def markdown(results: Path, command: str) -> str:
    """Return the page, from ``results/NAME.csv`` and ``checks.csv``; missing ones are named."""
    rows: Rows = {}
    for experiment in EXPERIMENTS:
        file = results / f"{experiment.name}.csv"
        if file.exists():
            rows[experiment.name] = read_rows(file)
    lines = [_HEAD.format(command=command, window=WINDOW)]
    lines += [*_aggregate(rows), "", *matrix(rows), ""]
    presets = {e.task.env: [row.greedy for row in rows[e.name]] for e in _LIF if e.name in rows}
    lines += [*controls_section(results, presets), ""]
    lines += [*tuning_section(results / "tuning"), ""]
    checks = read_checks(results / "checks.csv")
    for task in TASKS:
        lines += [*_task(task, rows, checks), ""]
    lines += others_section()
    return "\n".join(lines).rstrip() + "\n"


def _aggregate(rows: Rows) -> list[str]:
    """List interquartile means of scores over all tasks, for networks that did them all."""
    lines = [
        "## All tasks together",
        "",
        "Interquartile mean of the normalised greedy scores of all seeds of all tasks, with its",
        "95 % interval by stratified bootstrap (seeds are drawn again within their task). Scores: "
        + "; ".join(f"{task.env}: {task.scale}" for task in TASKS)
        + ".",
        "",
        *table_head(("network", "rule", "arithmetic", "IQM", "95 % interval", "runs", "failures")),
    ]
    for variant in dict.fromkeys(e.variant for e in EXPERIMENTS):
        alike = [e for e in EXPERIMENTS if e.variant == variant]
        if all(e.name in rows for e in alike):
            lines.append(_aggregate_row(alike, rows))
    return lines


def _aggregate_row(alike: Sequence[Experiment], rows: Rows) -> str:
    strata = [
        (np.array([row.greedy for row in rows[e.name]]) - e.task.zero) / (e.task.one - e.task.zero)
        for e in alike
    ]
    low, high = bootstrap_interval(strata)
    failures = sum(summary(e, rows[e.name]).failures for e in alike)
    iqm = float(interquartile_mean(np.concatenate(strata)))
    runs = sum(len(stratum) for stratum in strata)
    first = (alike[0].label, alike[0].rule, ARITHMETIC[alike[0].arithmetic])
    return table_row(*first, f"{iqm:.3f}", f"{low:.3f} to {high:.3f}", str(runs), str(failures))


def _task(task: Task, by_name: Rows, checks: Sequence[CheckRow]) -> list[str]:
    of_task = [e for e in EXPERIMENTS if e.task is task]
    done = [(e, by_name[e.name]) for e in of_task if e.name in by_name]
    lines = [f"## {task.env}", ""]
    lines += [
        f"Figure: {task.figure}. Threshold: {task.threshold:g} over {WINDOW} training episodes.",
        f"A seed below {task.floor:g} in greedy play is a failure.",
        "",
    ]
    missing = [e.name for e in of_task if e.name not in by_name]
    lines += [f"Not run: {', '.join(missing)}.", ""] if missing else []
    if done:
        lines += [*_summaries(task, done), ""]
        lines += _seeds(task, [(e, rows) for e, rows in done if e.is_default])
        lines += _seeds_of_rules(task, [(e, rows) for e, rows in done if not e.is_default])
    lines += _checks([row for row in checks if row.experiment in {e.name for e in of_task}])
    lines += _published(task)
    return lines


def _summaries(task: Task, done: Sequence[tuple[Experiment, list[Row]]]) -> list[str]:
    columns = [
        "network",
        "rule",
        "arithmetic",
        "seeds",
        "episodes",
        "played",
        "mean",
        "min",
        "max",
        "IQM [95 %]",
    ]
    columns += ["last 100 in training", "learned: median (range)", "env steps", "spikes", "synops"]
    return [
        *table_head([*columns, "failures"]),
        *(_summary_row(task, e, rows, summary(e, rows)) for e, rows in done),
    ]


def _summary_row(task: Task, experiment: Experiment, rows: Sequence[Row], figures: Summary) -> str:
    n = _number(task)

    def mean(value: Callable[[Row], float]) -> float:
        return float(np.mean([value(row) for row in rows]))

    return table_row(
        experiment.label,
        experiment.rule,
        ARITHMETIC[experiment.arithmetic],
        str(figures.seeds),
        span([row.episodes for row in rows]),
        span([row.evaluation_episodes for row in rows]),
        f"**{n(figures.mean)}**",
        n(figures.min),
        n(figures.max),
        f"{n(figures.iqm)} [{n(figures.iqm_low)}, {n(figures.iqm_high)}]",
        n(mean(lambda row: row.last_100)),
        learned(rows),
        f"{mean(lambda row: row.env_steps):,.0f}",
        f"{mean(lambda row: row.spikes_per_decision):,.0f}",
        f"{mean(lambda row: row.synops_per_decision):,.0f}",
        f"{figures.failures}" + f" (seeds {figures.failed_seeds})" * bool(figures.failures),
    )


def _seeds(task: Task, done: Sequence[tuple[Experiment, list[Row]]]) -> list[str]:
    """Format every seed's greedy figure and episode of learning: the presets."""
    n = _number(task)
    columns = []
    for experiment, _ in done:
        columns += [f"{experiment.label}, {ARITHMETIC[experiment.arithmetic]}", "learned"]

    def cells(row: Row | None) -> list[str]:
        return ["", ""] if row is None else [n(row.greedy), _episode(row)]

    return _by_seed("Every seed, greedy over {evaluated} episodes:", columns, done, cells)


def _seeds_of_rules(task: Task, done: Sequence[tuple[Experiment, list[Row]]]) -> list[str]:
    """Format every seed's greedy figure with the other rules."""
    n = _number(task)
    columns = [f"{experiment.label}, {experiment.rule}" for experiment, _ in done]

    def cells(row: Row | None) -> list[str]:
        return ["" if row is None else n(row.greedy)]

    return _by_seed("The other rules, greedy over {evaluated} episodes:", columns, done, cells)


def _by_seed(
    head: str,
    columns: Sequence[str],
    done: Sequence[tuple[Experiment, list[Row]]],
    cells: Callable[[Row | None], list[str]],
) -> list[str]:
    if not done:
        return []
    evaluated = span([row.evaluation_episodes for _, rows in done for row in rows])
    lines = [head.format(evaluated=evaluated), "", *table_head(["seed", *columns])]
    tables = [{row.seed: row for row in rows} for _, rows in done]
    for seed in sorted({seed for table in tables for seed in table}):
        lines.append(table_row(str(seed), *(c for table in tables for c in cells(table.get(seed)))))
    return [*lines, ""]


def _episode(row: Row) -> str:
    return str(row.episodes_to_threshold) if row.episodes_to_threshold else "never"


def _checks(rows: Sequence[CheckRow]) -> list[str]:
    if not rows:
        return []
    lines = table_head(("trained again on another backend", "seed", "episodes", "same episodes"))
    for row in rows:
        what = f"{row.experiment} on {row.backend}"
        lines.append(table_row(what, str(row.seed), str(row.episodes), row.same))
    return [*lines, ""]


def _published(task: Task) -> list[str]:
    lines = ["Figures of others; tasks, budgets and seeds differ as said:", ""]
    lines += table_head(("what", "figure", "source"))
    return [*lines, *(table_row(p.what, p.figure, p.source) for p in task.published)]


def _number(task: Task) -> Callable[[float], str]:
    return lambda x: f"{x:.{task.digits}f}"
