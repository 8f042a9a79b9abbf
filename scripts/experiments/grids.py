"""List what was tried, and on which seeds: the grids behind presets and rates."""

from __future__ import annotations

from collections.abc import Iterator

from experiments.grid import Grid, Overrides, Rates, rule_grid, words
from experiments.preset_grids import PRESET_GRIDS

__all__ = ["GRIDS", "PRESET_GRIDS", "RULE_GRIDS", "Grid", "Rates", "rule_grid", "words"]

# Per task: episodes that rates are tried for, and that are reported.
_EPISODES = {"cartpole": (150, 200), "mountaincar": (300, 400), "gridworld": (300, 400)}
# Of rules that don't get off the ground with LIF neurons; more episodes are more of the same.
_FEW_EPISODES = {"cartpole": (150, 200), "mountaincar": (100, 200), "gridworld": (100, 150)}
_FEW = ("lif-coagent", "lif-reward-stdp")
# As published: potentiation alone.
_ALWAYS: dict[str, Overrides] = {"td-stdp": {"depression": 0.0}}
# Networks without a hidden layer.
_ALONE = ("cartpole-glm", "mountaincar-glm")
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
        "td-stdp": ((0.03, 0.3), (0.1, 0.6), (0.2, 1.2)),
    },
}
# Which of them is taken, where it isn't the second.
_CHOSEN: dict[str, int] = {
    "cartpole-glm-coagent": 2,
    "cartpole-lif-coagent": 2,
    "cartpole-lif-reward-stdp": 2,
    "cartpole-lif-td-stdp": 2,
    "mountaincar-glm-coagent": 2,
    "mountaincar-glm-agreement": 2,
    "mountaincar-lif-spikes-only-hebbian": 2,
    "mountaincar-lif-surrogate": 2,
    "mountaincar-lif-td-stdp": 2,
    "gridworld-glm-agreement": 2,
}


def _rule_grids() -> Iterator[Grid]:
    for task, episodes in _EPISODES.items():
        for model in ("glm", "lif"):
            alone = "-alone" * (f"{task}-{model}" in _ALONE)
            for rule, each in _RATES[f"{model}{alone}"].items():
                chosen = each[_CHOSEN.get(f"{task}-{model}-{rule}", 1)]
                many = _FEW_EPISODES[task] if f"{model}-{rule}" in _FEW else episodes
                always = _ALWAYS.get(rule, {})
                yield rule_grid(task, model, rule, each, chosen, many, always)


RULE_GRIDS = tuple(_rule_grids())
GRIDS = PRESET_GRIDS + RULE_GRIDS
