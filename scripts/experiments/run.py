"""Train all seeds of an experiment side by side, and evaluate each; what is done stays."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from experiments.catalogue import Check, Experiment
from neurorl.agents.algorithms import find_algorithm
from neurorl.agents.episodes import Episode
from neurorl.agents.evaluation import evaluate, load_to_play
from neurorl.errors import RunError
from neurorl.models.defaults.presets import make_config
from neurorl.runs.directory import RunDirectory
from neurorl.runs.training import train_seeds
from neurorl.storage.files import write_json
from neurorl.tasks.environments import make_env

_FIRST_EVALUATION_SEED = 1_000_000


@dataclass(frozen=True)
class Plan:
    """Say how much of an experiment is run, and where its runs are: ``OUT/name/seedN``.

    None for episodes, evaluation_episodes and backend takes those of the experiment and its task.
    jobs: processes that share the seeds.
    """

    out: Path
    seeds: tuple[int, ...]
    episodes: int | None = None
    backend: str | None = None
    evaluation_episodes: int | None = None
    jobs: int = 1

    def episodes_of(self, experiment: Experiment) -> int:
        return self.episodes or experiment.episodes

    def evaluation_episodes_of(self, experiment: Experiment) -> int:
        usual = experiment.evaluation_episodes or experiment.task.evaluation_episodes
        return self.evaluation_episodes or usual

    def backend_of(self, experiment: Experiment) -> str:
        return self.backend or experiment.backend

    def backend_for(self, approach: str) -> str | None:
        """Return what to train on, or None if the approach has a backend of its own."""
        return None if find_algorithm(approach).backend else self.backend or "native"


def evaluation_seed(seed: int) -> int:
    """Return the seed to evaluate the run of *seed* with: none that any run trains with."""
    return _FIRST_EVALUATION_SEED + seed


def run_path(plan: Plan, name: str, seed: int) -> Path:
    return plan.out / name / f"seed{seed}"


def run(
    experiment: Experiment, plan: Plan, callback: Callable[[Episode], None] | None = None
) -> list[dict[str, Any]]:
    """Train what isn't trained yet and evaluate what isn't evaluated yet; results by seed.

    callback: called after each training episode. Raises RunError if runs in the way are of other
    parameters.
    """
    train(experiment, plan, experiment.name, plan.backend_of(experiment), plan.seeds, callback)
    evaluated = partial(_evaluated, experiment, plan)
    if plan.jobs == 1:
        return [evaluated(seed) for seed in plan.seeds]
    with ProcessPoolExecutor(plan.jobs, get_context("spawn"), _ignore_interrupts) as pool:
        try:
            return list(pool.map(evaluated, plan.seeds))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _ignore_interrupts() -> None:
    """Leave a Ctrl-C to the process that waits."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def check(asked: Check, plan: Plan, callback: Callable[[Episode], None] | None = None) -> bool:
    """Return whether the check's backend plays the episodes of the experiment's first seed."""
    seed = plan.seeds[0]
    train(asked.experiment, plan, asked.name, asked.backend, (seed,), callback)
    paths = [run_path(plan, name, seed) for name in (asked.experiment.name, asked.name)]
    first, second = (RunDirectory(path).read_episodes() for path in paths)
    return all(first[name] == second[name] for name in first if name != "wall_s")


def train(
    experiment: Experiment,
    plan: Plan,
    name: str,
    backend: str,
    seeds: Sequence[int],
    callback: Callable[[Episode], None] | None,
) -> None:
    """Train the seeds whose runs in ``OUT/name`` are not complete; runs that were begun go on."""
    episodes = plan.episodes_of(experiment)
    paths = {seed: run_path(plan, name, seed) for seed in seeds}
    wanted = _wanted(experiment, backend)
    todo = [(s, path) for s, path in paths.items() if not _complete(path, wanted, episodes)]
    if todo:
        train_seeds(
            experiment.task.env,
            todo,
            backend=backend,
            arithmetic=experiment.arithmetic,
            model=experiment.model,
            episodes=episodes,
            overrides=experiment.overrides,
            resume=any(path.exists() for _, path in todo),
            callback=callback,
            jobs=plan.jobs,
        )


def _wanted(experiment: Experiment, backend: str) -> dict[str, Any]:
    config = make_config(make_env(experiment.task.env), experiment.model, experiment.overrides)
    return {
        "env": experiment.task.env,
        "backend": backend,
        "arithmetic": experiment.arithmetic,
        "agent": json.loads(json.dumps(config.to_dict())),
    }


def _complete(path: Path, wanted: dict[str, Any], episodes: int) -> bool:
    """Return whether the run at *path* has all episodes. Raises RunError if it is another run."""
    run = RunDirectory(path)
    if run.is_free():  # or killed before it began
        return False
    config = run.read_config().to_dict()
    for key, value in wanted.items():
        if config.get(key) != value:
            remedy = "remove it, or use another --out"
            raise RunError(f"run {path}", f"was made with another {key}", remedy=remedy)
    if not run.summary.exists():
        return False
    done = int(read_json(run.summary)["episodes"])
    if done > episodes:
        remedy = "use another --out"
        raise RunError(f"run {path}", "has more episodes", got=done, limit=episodes, remedy=remedy)
    return done == episodes


def _evaluated(experiment: Experiment, plan: Plan, seed: int) -> dict[str, Any]:
    """Return the greedy play of one run, from its directory if it is there already."""
    path = run_path(plan, experiment.name, seed)
    file = path / "evaluation.json"
    same = {
        "trained_episodes": plan.episodes_of(experiment),
        "episodes": plan.evaluation_episodes_of(experiment),
        "seed": evaluation_seed(seed),
    }
    if file.exists():
        stored = read_json(file)
        if {key: stored.get(key) for key in same} == same:
            return stored
    agent, chosen = load_to_play(path)
    played = evaluate(agent, same["episodes"], seed=same["seed"], **chosen)
    agent.close()
    write_json(file, {**played, **same})
    return {**played, **same}


def read_json(path: Path) -> dict[str, Any]:
    """Read an object that `write_json` wrote. Raises RunError if it is damaged."""
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError) as exc:
        raise RunError(f"file {path}", "can't be read", got=exc, remedy="remove it") from exc
    if not isinstance(data, dict):
        raise RunError(f"file {path}", "is of something else", remedy="remove it")
    return data
