"""Measure every estimator on the same decisions of one agent, beside the exact gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from experiments.comparison.decisions import Decisions, Frozen, Sampler
from experiments.comparison.estimators import (
    BACKPROPAGATED,
    LOCAL,
    SCORE,
    Changes,
    Rules,
    backpropagated,
    coagent_by_pairs,
    score,
)
from experiments.comparison.exact_gradient import PairedRedraws
from experiments.comparison.moments import Moments, Quality, inner, quality
from neurorl.numerics.arrays import FloatArray

TRAINED = "concrete, tau 1"
ALL_ACTIONS = f"{TRAINED}, all actions"
"""Name the estimate that averages over actions under the policy, for each raster, instead of
drawing one."""

_RULES = (*LOCAL, "coagent")
ESTIMATORS = (*_RULES, *BACKPROPAGATED, ALL_ACTIONS, SCORE)
_EXACT, _PAIRS = "exact", "coagent by pairs"
_MEANS = {SCORE: _EXACT, "coagent": _PAIRS}
"""Map estimators to a less noisy one of the same mean."""


def centred(
    agent: Frozen, sampler: Sampler, generator: torch.Generator, draws: int
) -> tuple[Frozen, float]:
    """Shift advantages to a mean of 0 over the policy in each state, with the sampler's weights.

    draws: of the sampler, for that policy. Also the mean over states of the largest probability.
    """
    agent.put(sampler.one)
    agent.put(sampler.each)
    total: Any = 0.0
    for _ in range(draws):
        d = sampler.draw(agent, generator)
        total = (
            total + d.policy.view(len(agent.flat), -1, agent.n_actions).mean(dim=1).double().numpy()
        )
    policy: FloatArray = total / draws
    mean = (policy * agent.advantages).sum(axis=1, keepdims=True)
    return replace(agent, advantages=agent.advantages - mean), float(policy.max(axis=1).mean())


class Measured:
    """Hold the moments of every estimator in every projection, beside the exact gradient.

    parts: draws of the sampler, whose means are kept apart.
    """

    def __init__(
        self, sampler: Sampler, agent: Frozen, generator: torch.Generator, parts: int
    ) -> None:
        self._sampler, self._agent = sampler, agent
        self._moments: dict[str, dict[str, Moments]] = {}
        self._redraws = PairedRedraws(sampler)
        self._rates: dict[str, float] = {}
        self._known: dict[tuple[str, str], Tensor] = {}
        self._parts = parts
        for part in range(parts):
            d = sampler.draw(agent, generator)
            self._add_samples(part, d)
            self._add_exact(part, d, generator)

    def quality(self, name: str, projections: Sequence[str]) -> Quality:
        """Return an estimator's quality in some projections, local rules times their rates."""
        local = name in _RULES
        products, square = torch.zeros(3, self._parts, self._parts, dtype=torch.float64), 0.0
        for p in projections:
            scale = self._rates[p] if local else 1.0
            products += self._products(name, p) * torch.tensor([[[scale**2]], [[scale]], [[1.0]]])
            square += scale**2 * self._moments[name][p].square
        aa, ae, ee = products
        return quality(aa, ae, ee, square)

    def exact(self, projections: Sequence[str]) -> float:
        """Return the norm of the exact gradient."""
        square = sum(inner(self._products(_EXACT, p)[2]) for p in projections)
        return float(np.sqrt(max(square, 0.0)))

    def _products(self, name: str, projection: str) -> Tensor:
        """Return products of means of parts ``(3, K, K)``: own, with the exact one, of that."""
        key = (name, projection)
        if key not in self._known:
            a = self._moments[_MEANS.get(name, name)][projection].means
            e = self._moments[_EXACT][projection].means
            self._known[key] = torch.stack([a @ a.T, a @ e.T, e @ e.T])
        return self._known[key]

    def _of(self, name: str) -> dict[str, Moments]:
        empty = {p.name: Moments(self._parts) for p in self._agent.network.projections}
        return self._moments.setdefault(name, empty)

    def _add_samples(self, part: int, d: Decisions) -> None:
        agent, rules = self._agent, Rules(self._agent, d)
        self._rates = self._rates or rules.rates()
        share = d.policy / (self._sampler.size)
        for action in range(agent.n_actions):
            gains = dict.fromkeys(self._layers, d.advantages[:, action, None])
            for name in LOCAL:
                self._add(part, name, rules.changes(name, action, gains), share[:, action])
        each = torch.full_like(share[:, 0], 1 / self._sampler.size)
        for name, how in BACKPROPAGATED.items():
            changes: Changes = {}
            for action, change in enumerate(backpropagated(self._sampler, agent, d, how)):
                self._add(part, name, change, share[:, action])
                changes = _plus(changes, change, d.policy[:, action])
            if name == TRAINED:
                self._add(part, ALL_ACTIONS, changes, each)
        # Of these two only the size of samples: what they say depends on the action by A alone.
        size = (d.policy * d.advantages.square()).sum(dim=1).sqrt()
        each = torch.full_like(size, 1 / (self._sampler.size))
        gains = dict.fromkeys(self._layers, size[:, None])
        self._add(part, "coagent", rules.changes("coagent", 0, gains), each)
        self._add(part, SCORE, score(self._sampler, d, size), each)

    def _add(self, part: int, name: str, change: Changes, weights: Tensor) -> None:
        for projection, samples in change.items():
            self._of(name)[projection].add(part, samples, weights)

    def _add_exact(self, part: int, d: Decisions, generator: torch.Generator) -> None:
        pairs = self._redraws.pairs(self._agent, d, generator)
        for name, means in (
            (_EXACT, self._redraws.gradient(d, pairs)),
            (_PAIRS, coagent_by_pairs(self._agent, d, pairs)),
        ):
            for projection, mean in means.items():
                self._of(name)[projection].add_mean(part, mean)

    @property
    def _layers(self) -> list[str]:
        return [p.name for p in self._agent.network.populations]


def _plus(total: Changes, change: Changes, weights: Tensor) -> Changes:
    """Add changes, each decision's times its weight."""
    each = {name: x * weights.view(-1, *[1] * (x.dim() - 1)) for name, x in change.items()}
    return {name: total[name] + x for name, x in each.items()} if total else each
