"""Run the default of any task on harder ones: local rule and gradients, float and chip.

What a seed reached stays in ``OUT/NAME/seedN.json`` and isn't run again. Tasks whose package is
missing are named and left out.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from experiments.development_suite import first_play_steps
from experiments.development_tasks import TASKS, Task
from experiments.run import Plan, evaluation_seed, read_json
from experiments.tables import read_table, write_table
from neurorl import SpikingActorCritic, evaluate
from neurorl.lab.compare import WINDOW, bootstrap_interval, interquartile_mean
from neurorl.storage.files import make_folder, write_json

_POINTS = 50
_LAST = 20
"""Draw curves of so many points, each of the mean of the last 20 episodes."""

_NAMES = {
    "frozenlake": "FrozenLake-v1, slippery",
    "minigrid": "MiniGrid-Empty-5x5-v0",
    "acrobot": "Acrobot-v1",
    "lunarlander": "LunarLander-v3",
    "pendulum": "Pendulum-v1",
    "mountaincarcontinuous": "MountainCarContinuous-v0",
    "positions": "positions of CartPole",
}
HARDER_TASKS: Mapping[str, Task] = {
    short: next(task for task in TASKS if task.name == name) for short, name in _NAMES.items()
}
"""Map short names to tasks of the development suite."""
_ARITHMETICS = {"float": "", "loihi": "-chip"}


@dataclass(frozen=True)
class Approach:
    """Hold how an agent learns. make: of environment, arithmetic, backend and seed."""

    make: Callable[[gym.Env[Any, Any], str, str, int], Any]
    needs: str = "neurorl"


def _local(env: gym.Env[Any, Any], arithmetic: str, backend: str, seed: int) -> Any:
    # The network that gradients train, too: tiles without hidden layers.
    return SpikingActorCritic(env, "lif", backend, arithmetic, seed, trunk="modules")


def _by_gradients(env: gym.Env[Any, Any], arithmetic: str, backend: str, seed: int) -> Any:
    from neurorl import ReparameterizedActorCritic  # needs torch

    return ReparameterizedActorCritic(env, arithmetic=arithmetic, seed=seed)


_APPROACHES = {"local": Approach(_local), "gradients": Approach(_by_gradients, "torch")}
_ELSEWHERE = {("positions", "gradients")}
"""Leave out what `experiments.recall` runs."""


@dataclass(frozen=True)
class HarderExperiment:
    """Describe the default of a task; task: its short name."""

    task: str
    approach: str
    arithmetic: str

    @property
    def name(self) -> str:
        return f"{self.task}-{self.approach}{_ARITHMETICS[self.arithmetic]}"


HARDER = tuple(
    HarderExperiment(task, approach, arithmetic)
    for task in HARDER_TASKS
    for approach in _APPROACHES
    for arithmetic in _ARITHMETICS
    if (task, approach) not in _ELSEWHERE
)


@dataclass(frozen=True)
class HarderRow:
    """Hold one seed. greedy: the mean return of so many greedy episodes after training.

    first_play_steps: those of *env_steps* that were taken to choose the agent, before training.
    """

    seed: int
    greedy: float
    last_100: float
    episodes: int
    env_steps: int
    evaluation_episodes: int
    first_play_steps: int = 0


@dataclass(frozen=True)
class CurveRow:
    """Hold the interquartile mean over seeds, with its 95 % interval, after *env_steps*.

    Of each seed it is the mean return of its last 20 episodes; seeds that ended none are left out.
    """

    env_steps: int
    seeds: int
    iqm: float
    low: float
    high: float


def missing(experiment: HarderExperiment) -> str | None:
    """Say what an experiment lacks here; None if nothing."""
    needs = _APPROACHES[experiment.approach].needs
    if importlib.util.find_spec(needs) is None:
        return f"{needs} isn't installed: pip install 'neurorl[{needs}]'"
    task = HARDER_TASKS[experiment.task]
    try:
        task.make().close()
    except (ImportError, gym.error.Error) as exc:
        return f"{task.extra or 'a package'} isn't installed ({exc}): 'neurorl[baselines]'"
    return None


def reproduce(
    experiments: Sequence[HarderExperiment],
    plan: Plan,
    results: Path,
    show: Callable[[str], None],
) -> None:
    """Run, write ``results/harder/NAME.csv`` and its curve, and show a line for each."""
    for experiment in experiments:
        lacks = missing(experiment)
        if lacks is not None:
            show(f"{experiment.name}: left out: {lacks}")
            continue
        found = _of_seeds(experiment, plan)
        rows = counted(experiment.task, [HarderRow(**run["row"]) for run in found])
        folder = results / "harder"
        make_folder(folder / "curves")
        write_table(folder / f"{experiment.name}.csv", rows)
        write_table(folder / "curves" / f"{experiment.name}.csv", curve(found))
        greedy = [row.greedy for row in rows]
        low, high = bootstrap_interval([greedy])
        iqm = f"IQM {interquartile_mean(greedy):.2f} [{low:.2f}, {high:.2f}]"
        shown = f"mean {np.mean(greedy):.2f}, {min(greedy):.2f} to {max(greedy):.2f}"
        show(f"{experiment.name}: {iqm}, {shown}, {len(rows)} seeds")


def counted(task: str, rows: Sequence[HarderRow]) -> list[HarderRow]:
    """Return rows with the steps of the task's first play, which stored runs don't count."""
    first = first_play_steps(HARDER_TASKS[task])
    return [
        replace(row, env_steps=row.env_steps + first, first_play_steps=first)
        if not row.first_play_steps
        else row
        for row in rows
    ]


def count_first_plays(folder: Path, show: Callable[[str], None]) -> None:
    """Count the first plays in the tables of *folder*, by playing these alone."""
    for experiment in HARDER:
        file = folder / f"{experiment.name}.csv"
        lacks = missing(replace(experiment, approach="local"))  # nothing is trained
        if file.exists() and lacks is None:
            write_table(file, counted(experiment.task, read_table(file, HarderRow)))
        elif lacks is not None:
            show(f"{experiment.name}: left out: {lacks}")


def _of_seeds(experiment: HarderExperiment, plan: Plan) -> list[dict[str, Any]]:
    one = partial(_of_seed, experiment, plan)
    if plan.jobs == 1:
        return [one(seed) for seed in plan.seeds]
    with ProcessPoolExecutor(plan.jobs, get_context("spawn")) as pool:
        return list(pool.map(one, plan.seeds))


def _of_seed(experiment: HarderExperiment, plan: Plan, seed: int) -> dict[str, Any]:
    """Return the row of a seed with the ends and returns of its episodes, run or read."""
    task = HARDER_TASKS[experiment.task]
    evaluated = plan.evaluation_episodes or task.episodes
    wanted = {"episodes": plan.episodes, "steps": None if plan.episodes else task.steps}
    wanted |= {"evaluation_episodes": evaluated}
    file = plan.out / "harder" / experiment.name / f"seed{seed}.json"
    if file.exists():
        stored = read_json(file)
        if stored.get("wanted") == wanted:
            return stored
    agent = _agent(experiment, task, plan, seed)
    played = (
        agent.learn(total_episodes=plan.episodes)
        if plan.episodes
        else agent.learn(total_steps=task.steps)
    )
    returns = [float(episode.ret) for episode in played]
    greedy = float(evaluate(agent, evaluated, seed=evaluation_seed(seed))["mean_return"])
    last = float(np.mean(returns[-WINDOW:])) if returns else float("nan")
    trained = agent.env_steps - agent.first_play_steps
    row = HarderRow(seed, greedy, last, len(returns), trained, evaluated)
    agent.close()
    ends = np.cumsum([episode.length for episode in played]).tolist()
    run = {"wanted": wanted, "row": asdict(row), "ends": ends, "returns": returns}
    make_folder(file.parent)
    write_json(file, run)
    return run


def _agent(experiment: HarderExperiment, task: Task, plan: Plan, seed: int) -> Any:
    make = _APPROACHES[experiment.approach].make
    return make(task.make(), experiment.arithmetic, plan.backend or "native", seed)


def curve(runs: Sequence[Mapping[str, Any]]) -> list[CurveRow]:
    """Return the learning curve over environment steps. runs: of the seeds, as they are stored."""
    most = max((run["ends"][-1] for run in runs if run["ends"]), default=0)
    rows = []
    for step in np.unique(np.linspace(most / _POINTS, most, _POINTS).astype(int)).tolist():
        values = []
        for run in runs:
            ended = int(np.searchsorted(run["ends"], step, side="right"))
            if ended:
                values.append(float(np.mean(run["returns"][max(0, ended - _LAST) : ended])))
        if values:
            low, high = bootstrap_interval([values], repetitions=1000)
            rows.append(CurveRow(step, len(values), float(interquartile_mean(values)), low, high))
    return rows
