"""Play agents that learned in float arithmetic in the chip's: what they lose, seed by seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.catalogue import EXPERIMENTS, Experiment
from experiments.checks import CheckRow
from experiments.run import Plan, evaluation_seed, read_json, run, run_path
from experiments.tables import read_table, write_table
from neurorl.agents.episodes import Episode
from neurorl.agents.evaluation import evaluate, load_to_play
from neurorl.errors import unknown_name_error
from neurorl.lab.quantisation import compare
from neurorl.storage.files import write_json

DECISIONS = 2000
"""Compare actions and rates over this many decisions of one seed."""

EMULATED_EPISODES = 10
OTHER_DRAWS = 2_000_000
"""Add this to a seed for draws that are independent of its own."""

NOISES = {"lif": ("exact", "chip"), "glm": ("exact", "chip", "chip+coins")}
DEPLOYED = tuple(
    e for e in EXPERIMENTS if e.is_default and e.arithmetic == "float" and e.model in NOISES
)


@dataclass(frozen=True)
class DeploymentRow:
    """Hold one seed in one noise; agreement: of actions on equal observations, 0 to 1.

    described, deployed: the task's figure in float arithmetic with escape noise, and on the chip.
    unfitted: agreement with integers for all that learning could have made of the weights.
    described_again: that of float arithmetic with itself, with other draws.
    """

    experiment: str
    noise: str
    seed: int
    episodes: int
    described: float
    deployed: float
    agreement: float
    unfitted: float
    described_again: float


@dataclass(frozen=True)
class RateRow:
    """Hold spikes of a neuron per step, described and deployed; rms of the neurons' differences.

    rms_again: that of float arithmetic and itself, with other draws.
    """

    experiment: str
    noise: str
    seed: int
    population: str
    described: float
    deployed: float
    rms: float
    rms_again: float


def chosen_deployments(names: Sequence[str] | None) -> tuple[Experiment, ...]:
    """Return the experiments of these names or tasks; None: all that are deployed."""
    known = {key for e in DEPLOYED for key in (e.name, e.task.name)}
    for name in names or ():
        if name not in known:
            raise unknown_name_error("experiment", name, known)
    return tuple(e for e in DEPLOYED if names is None or e.name in names or e.task.name in names)


def deploy(
    experiment: Experiment, plan: Plan, callback: Callable[[Episode], None] | None = None
) -> tuple[list[DeploymentRow], list[RateRow]]:
    """Train and evaluate what isn't yet, then play every seed in every noise.

    callback: called after each training episode.
    """
    rows, rates = [], []
    for seed, described in zip(plan.seeds, run(experiment, plan, callback), strict=True):
        for noise in NOISES[experiment.model]:
            played = _played(experiment, plan, seed, noise)
            rows.append(_row(experiment, noise, seed, described, played))
            rates += _rate_rows(experiment, noise, seed, played)
    return rows, rates


def emulated(experiment: Experiment, plan: Plan) -> list[CheckRow]:
    """Return whether the emulator plays the first seed's first episodes as the plan's backend."""
    rows, seed = [], plan.seeds[0]
    episodes = min(EMULATED_EPISODES, plan.evaluation_episodes_of(experiment))
    agent, _ = load_to_play(run_path(plan, experiment.name, seed))
    for noise in NOISES[experiment.model]:
        results = []
        for backend in (plan.backend_of(experiment), "loihi"):
            played = evaluate(
                agent, episodes, seed=evaluation_seed(seed), **_on_chip(backend, noise)
            )
            results.append({key: value for key, value in played.items() if key != "backend"})
        same = "yes" if results[0] == results[1] else "no"
        rows.append(CheckRow(f"{experiment.name}, {noise}", "loihi", seed, episodes, same))
    agent.close()
    return rows


def write_deployment(path: Path, rows: Sequence[DeploymentRow] | Sequence[RateRow]) -> Path:
    """Write *rows* in the place of those of the same experiments; others' stay."""
    old = read_table(path, type(rows[0])) if path.exists() else []
    names = {row.experiment for row in rows}
    kept = [row for row in old if row.experiment not in names]
    order = [e.name for e in DEPLOYED]
    every = sorted([*kept, *rows], key=lambda row: order.index(row.experiment))
    return write_table(path, every)


def _on_chip(backend: str, noise: str) -> dict[str, Any]:
    return {"backend": backend, "arithmetic": "loihi", "noise": noise}


def _played(experiment: Experiment, plan: Plan, seed: int, noise: str) -> dict[str, Any]:
    """Return a seed's evaluation and comparison, from its directory if they are there already."""
    path = run_path(plan, experiment.name, seed)
    file = path / f"deployed-{noise}.json"
    backend = plan.backend_of(experiment)
    same = {
        "trained_episodes": plan.episodes_of(experiment),
        "episodes": plan.evaluation_episodes_of(experiment),
        "seed": evaluation_seed(seed),
        "compared": min(DECISIONS, 10 * plan.evaluation_episodes_of(experiment)),
    }
    if file.exists():
        stored = read_json(file)
        if {key: stored.get(key) for key in same} == same:
            return stored
    agent, _ = load_to_play(path)
    described = {"backend": backend, "arithmetic": "float"}
    on_chip = _on_chip(backend, noise)
    alike = {
        name: compare(
            agent, same["compared"], first=described, second=second, seed=same["seed"], **others
        )
        for name, second, others in (
            ("deployed", on_chip, {}),
            ("unfitted", {**on_chip, "fit": False}, {}),
            ("again", described, {"other_seed": OTHER_DRAWS + seed}),
        )
    }
    played = evaluate(agent, same["episodes"], seed=same["seed"], **on_chip)
    agent.close()
    write_json(file, {**played, **alike, **same})
    return {**played, **alike, **same}


def _row(
    experiment: Experiment, noise: str, seed: int, described: dict[str, Any], played: dict[str, Any]
) -> DeploymentRow:
    figure = "mean_discounted_return" if experiment.task.discounted else "mean_return"
    return DeploymentRow(
        experiment=experiment.name,
        noise=noise,
        seed=seed,
        episodes=played["episodes"],
        described=described[figure],
        deployed=played[figure],
        agreement=played["deployed"]["agreement"],
        unfitted=played["unfitted"]["agreement"],
        described_again=played["again"]["agreement"],
    )


def _rate_rows(
    experiment: Experiment, noise: str, seed: int, played: dict[str, Any]
) -> list[RateRow]:
    pairs = zip(played["deployed"]["populations"], played["again"]["populations"], strict=True)
    return [
        RateRow(
            experiment=experiment.name,
            noise=noise,
            seed=seed,
            population=deployed["population"],
            described=deployed["rate"],
            deployed=deployed["other_rate"],
            rms=deployed["rms"],
            rms_again=again["rms"],
        )
        for deployed, again in pairs
    ]
