"""Measure the bias and noise of local rules and reparameterization, as training goes on.

An agent is stopped at some points of its training. In states of its own play, each action is given
an advantage once and for all, by its own critic: ``A(s, a) = r + gamma V(s') - V``, s' what the
environment does next, V so that the mean of A over the policy in s is 0. Then many decisions are
made in these states, and from each of them every estimator says what it would add to the weights,
for each action, counted by its probability. What is wanted is the gradient of
`experiments.comparison.exact_gradient`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict

import torch

from experiments.catalogue import GRIDWORLD, TASKS
from experiments.comparison.decisions import Frozen, Sampler
from experiments.comparison.measured import ESTIMATORS, Measured, centred
from experiments.comparison.points import Point, freeze, points_of
from experiments.comparison.quality import ALL, COSINE, Amount, QualityRow
from experiments.comparison.sources import Source, sources_of
from experiments.run import Plan
from neurorl.agents.episodes import Episode
from neurorl.backends.torch import keep_freed_memory, one_thread
from neurorl.network.description import Network
from neurorl.numerics.random import derive
from neurorl.storage.files import write_json

SEEDS = tuple(range(3))
_SAMPLES = 9  # purpose of derived seeds


def stopped() -> list[Source]:
    """Return the LIF presets by both approaches, and GLM ones that have a hidden layer."""
    both = [sources_of(task, "lif") for task in TASKS]
    return [source for sources in both for source in (sources[0], sources[-1])] + [
        sources_of(GRIDWORLD, "glm")[0]
    ]


def measure(
    source: Source,
    plan: Plan,
    amount: Amount,
    callback: Callable[[Episode], None] | None = None,
) -> Iterator[list[QualityRow]]:
    """Yield the rows of one point after the other; earlier measurements stay with the run."""
    sampler: Sampler | None = None
    keep_freed_memory()
    for point in points_of(source, plan, callback):
        file = point.run / f"quality-{point.share}.json"
        if not file.exists():
            with one_thread():
                agent = freeze(point, plan.backend or "native", amount)
                sampler = sampler or Sampler(agent.network, amount.size)
                write_json(file, [asdict(r) for r in _rows(source, point, agent, sampler, amount)])
        yield [QualityRow(**row) for row in json.loads(file.read_text())]


def _rows(
    source: Source, point: Point, agent: Frozen, sampler: Sampler, amount: Amount
) -> list[QualityRow]:
    generator = torch.Generator().manual_seed(derive(point.seed, _SAMPLES, point.share))
    agent, certainty = centred(agent, sampler, generator, amount.parts)
    measured = Measured(sampler, agent, generator, amount.parts)
    return [
        QualityRow(
            task=source.task.name,
            model=source.model,
            approach=source.approach,
            point=point.share,
            seed=point.seed,
            returns=_short(point.returns),
            certainty=_short(certainty) or 0.0,
            estimator=name,
            layer=layer,
            exact=_short(measured.exact(into)) or 0.0,
            **_figures(measured, name, into),
        )
        for name in ESTIMATORS
        for layer, into in _layers(agent.network).items()
    ]


def _layers(network: Network) -> dict[str, list[str]]:
    """Return projections by layer, but for biases, and all."""
    layers: dict[str, list[str]] = {}
    for p in network.projections:
        if p.pre != "bias":
            layers.setdefault(p.post, []).append(p.name)
    return {**layers, ALL: [p.name for p in network.projections]}


def _figures(measured: Measured, name: str, into: Sequence[str]) -> dict[str, float | None]:
    q = measured.quality(name, into)
    figures = {key: _short(value) for key, value in asdict(q).items()}
    return {**figures, "to_half": _short(q.samples(COSINE))}


def _short(x: float | None) -> float | None:
    """Round to the digits that mean something; None if there is no such number."""
    return float(f"{x:.4g}") if x is not None and math.isfinite(x) else None
