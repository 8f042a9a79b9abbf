"""Validate all shipped models on all backends: the matrix that must stay green."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from neurorl.agents.local import SpikingActorCritic
from neurorl.arithmetic.rounding import ARITHMETICS
from neurorl.backends.registry import available_backends
from neurorl.backends.spec import BackendSpec
from neurorl.errors import PopulationWarning
from neurorl.models.defaults.presets import ALONE
from neurorl.tasks.known import GRID_ID
from neurorl.validation.report import Validation, read_specs, validate
from neurorl.validation.tolerance import worst

TASKS = (GRID_ID, "CartPole-v1", "MountainCar-v0")
"""List the tasks that models have presets for."""

MIXED = "float | loihi"
TRAINED = "float | loihi, trained"


class Cell(NamedTuple):
    """Describe one validation of the matrix.

    group: an arithmetic that all backends share, `MIXED`, or `TRAINED` for *episodes* before that.
    """

    model: str
    env: str
    group: str
    specs: tuple[BackendSpec, ...]
    seed: int
    episodes: int = 0


def cells(
    backends: str | Sequence[str] | None = None,
    models: Sequence[str] = ALONE,
    tasks: Sequence[str] = TASKS,
    seeds: Sequence[int] = (0,),
    episodes: int = 0,
) -> list[Cell]:
    """Return every model on every task, in each arithmetic on all its backends, and across.

    backends: names with engines, without arithmetics; None takes all that are installed. Across
    arithmetics the reference in float is held against a backend of the chip's alone. Exactness is
    shown with the first seed, agreement with all. episodes: of training, in float arithmetic,
    before another comparison across arithmetics; 0 leaves it out.
    """
    groups = _groups(backends)
    if episodes:
        groups[TRAINED] = groups[MIXED]
    return [
        Cell(model, task, group, specs, seed, episodes if group == TRAINED else 0)
        for group, specs in groups.items()
        for model in models
        for task in tasks
        for seed in (seeds if group in (MIXED, TRAINED) else seeds[:1])
    ]


def _groups(backends: str | Sequence[str] | None) -> dict[str, tuple[BackendSpec, ...]]:
    groups: dict[str, tuple[BackendSpec, ...]] = {}
    for arithmetic in ARITHMETICS:
        specs = read_specs(backends, arithmetic)
        groups[arithmetic] = tuple(x for x in specs if x.arithmetic == arithmetic)
    fine = {spec.backend for spec in groups["float"]}
    only_chips = [spec for spec in groups["loihi"] if spec.backend not in fine]
    mixed = (groups["float"][0], (only_chips or groups["loihi"])[-1])
    shared = {name: specs for name, specs in groups.items() if len(specs) > 1}
    return {**shared, MIXED: mixed}


def run_matrix(
    plan: Sequence[Cell],
    steps: int,
    updates: int,
    advance: Callable[[int, int], None] | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield rows of plain data, one for each cell and backend but the first."""
    for done, cell in enumerate(plan):
        validation = validate(
            _trained(cell) if cell.episodes else cell.model,
            cell.specs,
            steps=steps,
            seed=cell.seed,
            learn=True,
            updates=updates,
            env=cell.env,
        )
        for spec in cell.specs[1:]:
            yield _row(cell, spec, validation)
        if advance is not None:
            advance(done + 1, len(plan))


def _trained(cell: Cell) -> SpikingActorCritic:
    """Return a trained agent of the cell, by the quickest backend; all give the same."""
    installed = {row["name"] for row in available_backends() if row["available"]}
    backend = next(name for name in ("native", "reference") if name in installed)
    agent = SpikingActorCritic(cell.env, cell.model, backend, "float", cell.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PopulationWarning)
        agent.learn(total_episodes=cell.episodes)
    return agent


def _row(cell: Cell, spec: BackendSpec, validation: Validation) -> dict[str, Any]:
    rows = [row for row in validation.rows if row["backend_b"] == spec.label]
    spikes = [row for row in rows if row["quantity"] == "spikes"]
    names = ("decisions", "learning: decisions", "learning: returns")
    decisions, training, returns = (
        next(row for row in rows if row["quantity"] == name) for name in names
    )
    return {
        "model": cell.model,
        "env": cell.env,
        "group": cell.group,
        "backend_a": cell.specs[0].label,
        "backend_b": spec.label,
        "seed": cell.seed,
        "episodes": cell.episodes,
        "verdict": worst(row["verdict"] for row in rows),
        "causes": sorted({str(r["cause"]) for r in rows if r["verdict"] != "exact"} - {"follows"}),
        "steps": sum(window.n_steps for window in validation.stimulus),
        "updates": training["compared"],
        "spikes": sum(row["spikes_a"] for row in spikes),
        "differing_spikes": sum(row["differing_spikes"] for row in spikes),
        "rate_difference": max(row["difference"] for row in spikes),
        "spike_distance": max((r["spike_distance"] or 0.0 for r in spikes), default=0.0),
        "decisions": decisions["decisions"],
        "decision_agreement": decisions["agreement"],
        "equal_until": training["equal_until"],
        "mean_return_a": returns["mean_return_a"],
        "mean_return_b": returns["mean_return_b"],
    }


def merge(old: Sequence[dict[str, Any]], new: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Put *new* rows in the places of the same cells of *old*, in the order of the whole matrix."""
    by_key = {_key(row): row for row in [*old, *new]}
    models, tasks = list(ALONE), list(TASKS)

    def order(row: dict[str, Any]) -> tuple[Any, ...]:
        known = (models.index(row["model"]), tasks.index(row["env"]))
        groups = ("float", "loihi", MIXED, TRAINED)
        return (groups.index(row["group"]), *known, row["seed"], row["backend_b"])

    return sorted(by_key.values(), key=order)


def _key(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[k] for k in ("model", "env", "group", "backend_a", "backend_b", "seed"))
