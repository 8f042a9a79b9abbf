"""Measure populations while agents learn, healthy ones and some that are made to fail.

The limits of `neurorl.diagnostics.verdicts` were chosen by such ranges; docs/diagnostics.md has
their tables.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from experiments.catalogue import ARITHMETIC
from neurorl.agents.local import SpikingActorCritic
from neurorl.diagnostics.monitor import Site
from neurorl.diagnostics.verdicts import WINDOW, standing
from neurorl.errors import PopulationWarning
from neurorl.models import CubaLIF

_GRID, _CART, _CAR = "neurorl/GridWorld-v0", "CartPole-v1", "MountainCar-v0"
_SEEDS = tuple(range(100, 105))
_DRIFTS: dict[str, Any] = {"rule": "agreement", "modulator": "reward", "critic.alpha": 0.0}


@dataclass(frozen=True)
class Case:
    """Describe agents of one kind; overrides: of the preset. provoked: that they should fail."""

    label: str
    env: str
    model: str = "lif"
    arithmetic: str = "float"
    episodes: int = 120
    seeds: tuple[int, ...] = _SEEDS
    overrides: dict[str, Any] = field(default_factory=dict)
    provoked: bool = False


@dataclass(frozen=True)
class Seen:
    """Hold one population of one agent, least and most over blocks of 20 episodes.

    at_bounds: share of the weights into it, the most. top: the largest mean probability of an
    action; top_no_better: the most while the agent was no better than at the start; None if never.
    growth: mean |w| into it over the limit of *drifting*. returns: mean of the last 20 episodes.
    """

    case: str
    provoked: str
    episodes: int
    seed: int
    population: str
    rate_low: float
    rate_high: float
    at_bounds: float
    top_low: float | None
    top_high: float | None
    top_no_better: float | None
    growth_low: float
    growth_high: float
    returns: float
    warnings: str


def _neuron(**changed: float) -> CubaLIF:
    usual = {"tau_syn": 1.44e-3, "tau_mem": 4.48e-3, "threshold": 0.5, "noise": 0.5}
    return CubaLIF(**{**usual, **changed})


def _cases() -> Iterator[Case]:
    for label, env, episodes in (
        ("gridworld", _GRID, 300),
        ("CartPole", _CART, 120),
        ("MountainCar", _CAR, 300),
    ):
        for where, arithmetic in ARITHMETIC.items():
            yield Case(f"{label}, LIF, {arithmetic}", env, "lif", where, episodes)
            if arithmetic == "float" or env == _GRID:
                yield Case(f"{label}, GLM, {arithmetic}", env, "glm", where, episodes)
    thirty = tuple(range(30))
    yield Case("CartPole, LIF, chip, 30 seeds", _CART, "lif", "loihi", 120, thirty)
    for label, env, episodes in (("CartPole", _CART, 120), ("gridworld", _GRID, 150)):
        label = f"{label}, LIF, spiking critic, float"
        yield Case(label, env, "lif-spiking-critic", "float", episodes)
    yield from _provoked()


def _provoked() -> Iterator[Case]:
    for what, changed in (
        ("threshold 50", {"neuron": _neuron(threshold=50.0)}),
        ("bias 5", {"neuron": _neuron(bias=5.0)}),
        ("both alphas times 10", {"alpha_output": 3.6, "alpha_hidden": 24.0}),
    ):
        for where, arithmetic in ARITHMETIC.items():
            label = f"CartPole, LIF, {what}, {arithmetic}"
            yield Case(label, _CART, "lif", where, 120, overrides=changed, provoked=True)
    text = "`agreement`, modulator `reward` without its mean"
    yield Case(f"CartPole, LIF, {text}", _CART, overrides=_DRIFTS, provoked=True)
    with_hidden = {**_DRIFTS, "hidden": 8}
    label = f"CartPole, GLM with hidden units, {text}"
    yield Case(label, _CART, "glm", overrides=with_hidden, provoked=True)
    yield Case(f"gridworld, LIF, {text}", _GRID, overrides=_DRIFTS, provoked=True)


CASES = tuple(_cases())


def measure(
    case: Case, backend: str = "native", advance: Callable[[], None] = lambda: None
) -> list[Seen]:
    """Return a row for each population of each seed of *case*. advance: called after a block."""
    rows: list[Seen] = []
    for seed in case.seeds:
        agent = SpikingActorCritic(
            case.env,
            backend=backend,
            arithmetic=case.arithmetic,
            model=case.model,
            seed=seed,
            **case.overrides,
        )
        start = {row["population"]: row["mean_abs_weight"] or 0.0 for row in _rows(agent)}
        limits = {
            p.name: 1.5 * start[p.name] + 0.02 * Site(agent.network, p, agent.config, 0).bound
            for p in agent.network.populations
        }
        blocks: dict[str, list[dict[str, Any]]] = {name: [] for name in start}
        for total in range(WINDOW, case.episodes + 1, WINDOW):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", PopulationWarning)
                agent.learn(total_episodes=total)
            policy, is_better = agent.diagnostics["policy"], standing(agent.episodes).better
            for row in _rows(agent):
                figures = {**row, "top": max(policy), "better": is_better}
                blocks[row["population"]].append(figures)
            advance()
        for name, of_population in blocks.items():
            rows.append(_seen(case, agent, name, of_population, limits[name]))
    return rows


def _rows(agent: SpikingActorCritic) -> list[dict[str, Any]]:
    return [dict[str, Any](row) for row in agent.diagnostics["populations"]]


def _seen(
    case: Case, agent: SpikingActorCritic, name: str, blocks: list[dict[str, Any]], limit: float
) -> Seen:
    rates = [row["rate"] for row in blocks]
    growth = [(row["mean_abs_weight"] or 0.0) / limit for row in blocks]
    tops = [row["top"] for row in blocks] if name == "output" else []
    no_better = [row["top"] for row in blocks if not row["better"]] if name == "output" else []
    warned = [w for w in agent.diagnostics["warnings"] if w["population"] == name]
    return Seen(
        case=case.label,
        provoked="yes" if case.provoked else "no",
        episodes=case.episodes,
        seed=agent.seed,
        population=name,
        rate_low=min(rates),
        rate_high=max(rates),
        at_bounds=max(row["share_at_bounds"] or 0.0 for row in blocks),
        top_low=min(tops, default=None),
        top_high=max(tops, default=None),
        top_no_better=max(no_better, default=None),
        growth_low=min(growth),
        growth_high=max(growth),
        returns=float(np.mean([e.ret for e in agent.episodes[-WINDOW:]])),
        warnings=", ".join(f"{w['kind']} since {w['since_episode']}" for w in warned),
    )
