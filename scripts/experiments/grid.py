"""Define a grid of settings: what is tried, and on which seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Any

from neurorl.arithmetic.rounding import ARITHMETICS
from neurorl.models.features import Features

Overrides = dict[str, Any]
Rates = tuple[float, ...]

FIRST_SEED = 100
EVALUATION = {"gridworld": 300, "cartpole": 20, "mountaincar": 100}
RULE_EVALUATION = {"gridworld": 100, "cartpole": 20, "mountaincar": 50}
"""Count the episodes of greedy play: fewer than are reported where that tells settings apart."""


@dataclass(frozen=True)
class Grid:
    """Hold settings of one network and rule on one task, by name: fields of `AgentConfig`.

    chosen: the setting in use, empty if it is none of these. episodes: of training, maybe fewer
    than the reported_episodes of the experiment that takes the setting. evaluation_episodes: 0 for
    as many as are reported.
    """

    name: str
    task: str
    model: str
    arithmetic: str
    rule: str
    episodes: int
    seeds: tuple[int, ...]
    settings: Mapping[str, Overrides]
    chosen: str
    reported_episodes: int = 0
    evaluation_episodes: int = 0


def words(overrides: Overrides) -> str:
    """Format as ``alpha_output=0.1 beta=0.5``, or ``as it is`` for the preset."""
    return " ".join(f"{key}={_word(value)}" for key, value in overrides.items()) or "as it is"


def _word(value: Any) -> str:
    """Format a value; features without their ranges, which no setting changes."""
    if not (isinstance(value, Features) and is_dataclass(value)):
        return str(value)
    named = (f.name for f in fields(value) if f.name not in ("low", "high"))
    parts = (f"{name}={getattr(value, name)}" for name in named)
    return f"{type(value).__name__}({', '.join(parts)})"


def seeds(n: int, first: int = FIRST_SEED) -> tuple[int, ...]:
    return tuple(range(first, first + n))


def rates(*each: Rates) -> dict[str, Overrides]:
    """Return a setting for each ``(alpha_output,)`` or ``(alpha_output, alpha_hidden)``."""
    names = ("alpha_output", "alpha_hidden")
    return {
        "-".join(f"{rate:g}" for rate in one): dict(zip(names, one, strict=False)) for one in each
    }


def rule_grid(
    task: str,
    model: str,
    rule: str,
    each: tuple[Rates, ...],
    chosen: Rates,
    episodes: tuple[int, int],
    always: Overrides | None = None,
) -> Grid:
    """Return rates of a rule that is not the model's own, on 5 seeds.

    episodes: tuning's, reported. always: what all settings have besides.
    """
    (setting,) = rates(chosen)
    return Grid(
        name=f"{task}-{model}-{rule}",
        task=task,
        model=model,
        arithmetic="float",
        rule=rule,
        episodes=episodes[0],
        seeds=seeds(5),
        settings={name: {**(always or {}), **setting} for name, setting in rates(*each).items()},
        chosen=setting,
        reported_episodes=episodes[1],
        evaluation_episodes=RULE_EVALUATION[task],
    )


def preset_grid(
    name: str, episodes: int, seeds: tuple[int, ...], settings: dict[str, Overrides], chosen: str
) -> Grid:
    """Return settings of the preset of ``TASK-VARIANT``, named by all that differs."""
    task, model, *rest = name.split("-")
    named = [cls.name for cls in ARITHMETICS.values() if cls.title in rest]
    rule = {"lif": "spikes-only", "glm": "centred-feedback"}[model]
    return Grid(
        name=name,
        task=task,
        model=model,
        arithmetic=named[0] if named else "float",
        rule=rule,
        episodes=episodes,
        seeds=seeds,
        settings=settings,
        chosen=chosen,
        evaluation_episodes=EVALUATION[task],
    )
