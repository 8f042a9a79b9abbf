"""Compare learning on the chip with the host's rule: experiments, tuning, and docs/pes.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from experiments.catalogue import BANDIT, CARTPOLE, GRIDWORLD, Experiment, Task
from experiments.grid import Grid, Overrides, seeds
from experiments.markup import span, table_head, table_row
from experiments.tables import Row, read_curve, read_rows, summary
from experiments.tuning import read_tuning
from neurorl.backends.spec import BackendSpec
from neurorl.models.agent.config import AgentConfig
from neurorl.models.defaults.presets import make_config, on_chip
from neurorl.storage.files import make_folder, write_bytes
from neurorl.tasks.environments import make_env

_EPISODES = {BANDIT: 800, GRIDWORLD: 300, CARTPOLE: 150}
_PRESET_EPISODES = {GRIDWORLD: 600, CARTPOLE: 250}  # as `experiments.catalogue` has them
_EVALUATION = {BANDIT: 1000, GRIDWORLD: 300, CARTPOLE: 30}
_TUNING = {BANDIT: (800, 8), GRIDWORLD: (240, 4)}  # episodes, seeds
_LABELS = {"lif-pes": "PES, on the chip", "lif-pes-host": "host, same network", "lif-chip": "host"}
_RULE = "spikes-only"


def _experiments(task: Task) -> tuple[Experiment, ...]:
    """Return PES, the host's rule on its network, and the host's preset; in chip integers."""
    host = on_chip(task.env)
    ways = {
        "lif-pes": ("loihi", {"learning": "pes"}),
        "lif-pes-host": ("native", host),
        "lif-chip": ("native", {}),
    }
    experiments = []
    for variant, (backend, overrides) in ways.items():
        is_theirs = variant == "lif-chip" and task in _PRESET_EPISODES
        experiments.append(
            Experiment(
                name=f"{task.name}-{variant}",
                label=_LABELS[variant],
                rule=_RULE,
                task=task,
                model="lif",
                spec=BackendSpec(backend, "loihi"),
                episodes=_PRESET_EPISODES[task] if is_theirs else _EPISODES[task],
                overrides=overrides,
                evaluation_episodes=None if is_theirs else _EVALUATION[task],
            )
        )
    return tuple(experiments)


COMPARED = tuple(experiment for task in _EPISODES for experiment in _experiments(task))


_OTHERS = {
    "tau5": {"trace_tau": 5e-3},
    "tau20": {"trace_tau": 20e-3},
    "weak": {"learning.magnitude": 5.0},
    "strong": {"learning.magnitude": 60.0},
}


def _rates(config: AgentConfig) -> tuple[str, ...]:
    """Return the names of the rates that an agent reads."""
    return ("alpha_output", "alpha_hidden") if config.hidden else ("alpha_output",)


def _other_rates(task: Task) -> dict[str, Overrides]:
    """Return half and twice the learning rates of the preset."""
    config = make_config(make_env(task.env), "lif", {"learning": "pes"})
    return {
        name: {key: factor * getattr(config, key) for key in _rates(config)}
        for name, factor in (("half", 0.5), ("twice", 2.0))
    }


def _grid(task: Task) -> Grid:
    episodes, n = _TUNING[task]
    others = _OTHERS if task is BANDIT else {}
    return Grid(
        name=f"{task.name}-lif-pes",
        task=task.name,
        model="lif",
        arithmetic="loihi",
        rule=_RULE,
        episodes=episodes,
        seeds=seeds(n),
        settings={
            name: {"learning": "pes", **other}
            for name, other in {"preset": {}, **_other_rates(task), **others}.items()
        },
        chosen="preset",
        reported_episodes=_EPISODES[task],
        evaluation_episodes=300,
    )


GRIDS = tuple(_grid(task) for task in _TUNING)

_HEAD = """# Learning on the chip, against the host's rule

Made by `python scripts/pes.py`, with `--seeds 0..9` where a table has those; `results/` has a row
for each seed in `TASK-lif-pes.csv`, `TASK-lif-pes-host.csv` and `TASK-lif-chip.csv`.

Three agents of LIF neurons in the chip's integers, with the rule spikes-only and a linear critic on
the host:

- **PES, on the chip** (`--backend loihi --learning pes`): the emulated chip learns, by errors that
  the host tells it once a decision ([loihi.md](loihi.md#learning-on-the-chip)).
- **host, same network**: network and settings are the same, but the host learns, with float shadows
  of the weights, from the traces of the whole window. It remembers no earlier decision either
  (`lambda_actor = 0`).
- **host**: the preset `lif`, whose eligibilities outlive decisions (`lambda_actor = 0.9`).

The return is that of greedy play after training, its mean over seeds first; IQM is the
interquartile mean with its 95 % bootstrap interval; *learned* the median number of episodes until
the mean of 100 in a row reached the threshold; *training* the mean return of those episodes. Where
the third agent was trained for longer, its rows are those of [learning.md](learning.md).
"""


def _last_100(experiment: Experiment, rows: list[Row], results: Path) -> str:
    """Format the mean training return of 100 episodes, after as many as agents on the chip had."""
    episodes = _EPISODES[experiment.task]
    mean = float(np.mean([row.last_100 for row in rows]))
    if experiment.episodes != episodes:
        points = read_curve(results / "curves" / f"{experiment.name}.csv")
        (mean,) = (point.mean for point in points if point.episode == episodes)
    return f"{mean:.{experiment.task.digits}f}"


def write_pes_page(results: Path, docs: Path) -> Path:
    """Write the page from those CSV that are in *results*; return its path."""
    lines = [*_HEAD.split("\n")]
    for task in _EPISODES:
        measured = [e for e in COMPARED if e.task is task and (results / f"{e.name}.csv").exists()]
        if measured:
            lines += _section(task, measured, results)
    lines += _tuning(results / "tuning")
    page = docs / "pes.md"
    make_folder(docs)
    write_bytes(page, ("\n".join(lines).rstrip() + "\n").encode())
    return page


def _section(task: Task, measured: list[Experiment], results: Path) -> list[str]:
    columns = ["who learns", task.figure, "min", "max", "IQM", f"below {task.floor:g}", "learned"]
    columns += [f"training, episodes {_EPISODES[task] - 99} to {_EPISODES[task]}"]
    columns += ["seeds", "episodes", "of evaluation"]
    scale = f"{task.scale[0].upper()}{task.scale[1:]}. Learned: {task.threshold:g}."
    rows = [_row(e, read_rows(results / f"{e.name}.csv"), results) for e in measured]
    return [f"## {task.env}", "", scale, "", *table_head(columns), *rows, ""]


def _row(experiment: Experiment, rows: list[Row], results: Path) -> str:
    figures, digits = summary(experiment, rows), experiment.task.digits
    learned = float(np.median([row.episodes_to_threshold or np.inf for row in rows]))
    failed = f"{figures.failures} (seeds {figures.failed_seeds})" if figures.failures else "0"
    mean, low, high, iqm, iqm_low, iqm_high = (
        f"{x:.{digits}f}"
        for x in (
            figures.mean,
            figures.min,
            figures.max,
            figures.iqm,
            figures.iqm_low,
            figures.iqm_high,
        )
    )
    return table_row(
        experiment.label,
        f"**{mean}**",
        low,
        high,
        f"{iqm} [{iqm_low}, {iqm_high}]",
        failed,
        f"{learned:g}" if np.isfinite(learned) else "never",
        _last_100(experiment, rows, results),
        f"{rows[0].seed}..{rows[-1].seed}",
        span([row.episodes for row in rows]),
        span([row.evaluation_episodes for row in rows]),
    )


def _tuning(results: Path) -> list[str]:
    grids = [grid for grid in GRIDS if (results / f"{grid.name}.csv").exists()]
    if not grids:
        return []
    head = (
        "`python scripts/pes.py --tune`: what was tried for PES, on seeds that aren't reported."
        " CartPole has the rates of the host's preset; nothing else was tried there."
    )
    columns = ["task", "setting", "seeds", "episodes", "mean", "min", "learned", "taken"]
    lines = ["## Tuning", "", head, "", *table_head(columns)]
    for grid in grids:
        for row in read_tuning(results / f"{grid.name}.csv"):
            learned = "never" if row.learned is None else f"{row.learned:g}"
            setting = row.overrides.split("learning=pes", 1)[-1].strip() or "the preset"
            figures = (f"{row.mean:.4g}", f"{row.min:.4g}", learned, row.chosen)
            lines.append(
                table_row(grid.task, f"`{setting}`", row.seeds, str(row.episodes), *figures)
            )
    return lines
