"""What was tried, and on which seeds: the grids of settings behind presets and rates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["GRIDS", "Grid", "Rates", "rule_grid", "words"]

Overrides = dict[str, Any]
Rates = tuple[float, ...]

FIRST_SEED = 100


@dataclass(frozen=True)
class Grid:
    """Settings of one network and rule on one task, by name: fields of `AgentConfig`.

    chosen: the setting in use. episodes: of training, maybe fewer than the reported_episodes of the
    experiment that takes the setting.
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


def words(overrides: Overrides) -> str:
    """``alpha_output=0.1 beta=0.5``."""
    return " ".join(f"{key}={value}" for key, value in overrides.items())


def seeds(n: int, first: int = FIRST_SEED) -> tuple[int, ...]:
    return tuple(range(first, first + n))


def rates(*each: Rates) -> dict[str, Overrides]:
    """A setting for each ``(alpha_output,)`` or ``(alpha_output, alpha_hidden)``."""
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
) -> Grid:
    """Rates of a rule that is not the model's own, on 5 seeds; episodes: tuning's, reported."""
    (setting,) = rates(chosen)
    return Grid(
        name=f"{task}-{model}-{rule}",
        task=task,
        model=model,
        arithmetic="float",
        rule=rule,
        episodes=episodes[0],
        seeds=seeds(5),
        settings=rates(*each),
        chosen=setting,
        reported_episodes=episodes[1],
    )


PRESET_GRIDS: tuple[Grid, ...] = ()
# Per task: episodes that rates are tried for, and that are reported.
_EPISODES = {"gridworld": (300, 400), "cartpole": (150, 200), "mountaincar": (300, 400)}
# Rates of layers that learn with a hidden layer, and of the output alone without one.
_RATES: dict[str, dict[str, tuple[Rates, ...]]] = {
    "glm": {
        "coagent": ((0.03, 0.01), (0.1, 0.03), (0.3, 0.1)),
        "agreement": ((0.03, 0.03), (0.1, 0.1), (0.3, 0.3)),
        "surrogate": ((0.5, 0.5), (1.5, 1.5), (5.0, 5.0)),
    },
    "glm-alone": {
        "coagent": ((0.03,), (0.1,), (0.3,)),
        "agreement": ((0.1,), (0.3,), (1.0,)),
        "surrogate": ((1.0,), (4.0,), (12.0,)),
    },
    "lif": {
        "spikes-only-hebbian": ((0.03, 0.3), (0.1, 0.6), (0.2, 1.2)),
        "surrogate": ((0.1, 3.0), (0.3, 6.0), (0.6, 12.0)),
        "coagent": ((0.01, 0.05), (0.03, 0.15), (0.1, 0.5)),
        "reward-stdp": ((0.01, 0.05), (0.05, 0.25), (0.2, 1.0)),
        "td-stdp": ((0.01, 0.05), (0.05, 0.25), (0.2, 1.0)),
    },
}
_CHOSEN: dict[str, int] = {}


def _rule_grids() -> Iterator[Grid]:
    for task, episodes in _EPISODES.items():
        for model in ("glm", "lif"):
            alone = model == "glm" and task != "gridworld"
            for rule, each in _RATES["glm-alone" if alone else model].items():
                chosen = each[_CHOSEN.get(f"{task}-{model}-{rule}", 1)]
                yield rule_grid(task, model, rule, each, chosen, episodes)


RULE_GRIDS = tuple(_rule_grids())
GRIDS = PRESET_GRIDS + RULE_GRIDS
