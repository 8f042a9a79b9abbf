"""Train the presets of three tasks in Xylo's integers: results/tables/xylo.csv.

    python scripts/xylo_presets.py [--tasks gridworld,cartpole,mountaincar] [--seeds 0..19]

Networks are the presets of model lif but for their neurons, which have no noise, decays that are
shifts, and no bias; they are larger than the chip has room for. Figures are those of
docs/learning.md, after as many episodes: means of greedy play, of the gridworld discounted.
Seeds that the table has aren't run again. Beside them stand the same seeds of the presets
themselves, which learned in floats, with noise.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from xylo_agents import chip_neuron

from experiments.catalogue import CARTPOLE, GRIDWORLD, MOUNTAINCAR, Task
from experiments.run import evaluation_seed
from experiments.tables import Row, read_table, write_table
from neurorl import SpikingActorCritic, evaluate
from neurorl.cli.output import show
from neurorl.cli.status import GOES_ON, exit_status
from neurorl.errors import check_name
from neurorl.runs.training import read_seeds

THRESHOLD = 0.5
"""Set the threshold of all neurons: the presets' own."""
EPISODES = {"gridworld": 600, "cartpole": 250, "mountaincar": 1000}
PLAYED = {"gridworld": 1000, "cartpole": 20, "mountaincar": 100}
TASKS: dict[str, Task] = {task.name: task for task in (GRIDWORLD, CARTPOLE, MOUNTAINCAR)}
RESULTS = Path(__file__).parents[1] / "results"


@dataclass(frozen=True)
class XyloRow:
    """Hold the figure of one seed in greedy play."""

    task: str
    seed: int
    greedy: float


def learned(task: Task, seed: int) -> SpikingActorCritic:
    """Return an agent that learned in Xylo's integers."""
    agent = SpikingActorCritic(
        task.env,
        backend="native:xylo",
        seed=seed,
        neuron=chip_neuron(THRESHOLD),
        bias=False,
    )
    agent.learn(EPISODES[task.name])
    return agent


def row_of(task: Task, seed: int) -> XyloRow:
    """Train and play one seed."""
    agent = learned(task, seed)
    played = evaluate(agent, PLAYED[task.name], seed=evaluation_seed(seed))
    agent.close()
    figure = played["mean_discounted_return" if task.discounted else "mean_return"]
    return XyloRow(task.name, seed, round(float(figure), task.digits + 2))


def summary(task: Task, rows: list[XyloRow]) -> str:
    """Return what the rows of one task come to, with the worst seed in brackets."""
    presets = read_table(RESULTS / f"{task.name}-lif.csv", Row)
    beside = [row.greedy for row in presets if row.seed in {row.seed for row in rows}]
    shown = [
        f"{np.mean(x):.{task.digits}f} ({min(x):.{task.digits}f})"
        for x in ([row.greedy for row in rows], beside)
    ]
    return f"{task.name}, {len(rows)} seeds: in Xylo's integers {shown[0]}, in floats {shown[1]}"


@exit_status("xylo_presets", GOES_ON)
def main(arguments: list[str] | None = None) -> int:
    """Run the seeds that are missing, write each, and print a line for each task."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--seeds", metavar="N..M", default="0..19")
    parser.add_argument("--table", type=Path, default=RESULTS / "tables" / "xylo.csv")
    options = parser.parse_args(arguments)
    seeds = read_seeds(options.seeds)
    for name in options.tasks.split(","):
        check_name("task", name, TASKS)
        for seed in seeds:
            rows = list[XyloRow]()
            if options.table.exists():
                rows = read_table(options.table, XyloRow)
            if not any((row.task, row.seed) == (name, seed) for row in rows):
                rows.append(row_of(TASKS[name], seed))
                rows.sort(key=lambda row: (row.task, row.seed))
                write_table(options.table, rows)
        rows = read_table(options.table, XyloRow)
        chosen = [row for row in rows if row.task == name and row.seed in seeds]
        show(summary(TASKS[name], chosen))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
