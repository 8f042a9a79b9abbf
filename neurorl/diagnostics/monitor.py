"""Watch an agent's populations while it trains, and warn of populations lost to learning.

At the end of each episode `Monitor` records the spikes and the policy of its last decision; every
`JUDGE_EVERY` episodes it judges, also by the weights. It changes nothing.
`neurorl.diagnostics.verdicts` defines what counts as wrong.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TypedDict

import numpy as np

from neurorl.diagnostics.verdicts import (
    DRIFT_AFTER,
    KINDS,
    OF_RETURNS,
    STUCK,
    WINDOW,
    EpisodeRecord,
    RecentFigures,
    Returns,
    Standing,
    message,
    message_of_returns,
    rate_of,
    standing,
    verdicts,
)
from neurorl.models.agent.config import AgentConfig
from neurorl.models.deep.trunk import Shared
from neurorl.network.description import Network, Population, Projection
from neurorl.network.restoring import MOST_STEPS, take, take_shown
from neurorl.numerics.arrays import Array, BoolArray, FloatArray
from neurorl.tasks.kinds import Shown

_ALIKE = 0.9  # share of an episode's actions
_AT_BOUND = 0.01  # share of the range: chip arithmetic may stop one quantum before a bound


class Site:
    """Measure one population of one agent.

    chances: neuron-steps of a window in which input can have arrived.
    """

    def __init__(
        self, network: Network, population: Population, config: AgentConfig, replica: int
    ) -> None:
        name, size = population.name, population.size
        self.name, self.population = name, population
        first = 0 if config.carries else min(network.depth(name), config.window - 1)
        self._neurons = slice(first, None), slice(replica * size, (replica + 1) * size)
        self._raster: BoolArray | None = None
        self.chances = (config.window - first) * size
        dead_steps = population.plan(network.dt).refractory_steps
        self.ceiling = float(np.mean(1.0 / (1.0 + dead_steps)))
        self._into = [
            _Synapses(p) for p in network.projections if p.post == name and p.plasticity is not None
        ]
        self.acts = network.steps(name, "output") is not None
        sizes = [int(np.prod(network.weight_shape(s.name))) for s in self._into]
        bounds = sum(s.bound * n for s, n in zip(self._into, sizes, strict=True))
        self.bound = bounds / max(sum(sizes), 1)

    def count(self, rasters: Mapping[str, BoolArray]) -> int:
        raster = rasters[self.name]
        if raster is not self._raster:  # mostly the same array
            self._raster, self._own = raster, raster[self._neurons]
        return int(np.count_nonzero(self._own))

    def mean_abs(self, weights: Mapping[str, FloatArray]) -> float | None:
        """Return the mean |w| of its plastic input weights; None if none learns."""
        plastic = [synapses.of(weights) for synapses in self._into]
        n = sum(w.size for w in plastic)
        return sum(float(np.abs(w).sum()) for w in plastic) / n if n else None

    def at_bounds(self, weights: Mapping[str, FloatArray]) -> float | None:
        """Return the share of its plastic input weights at their bounds; None if none learns."""
        n = sum(synapses.of(weights).size for synapses in self._into)
        return sum(synapses.at_bounds(weights) for synapses in self._into) / n if n else None


class _Synapses:
    """Hold a plastic projection, and the values from which its weights count as at a bound."""

    def __init__(self, p: Projection) -> None:
        assert p.plasticity is not None
        low, high = p.plasticity.low, p.plasticity.high
        margin = _AT_BOUND * (high - low)
        self.name, self.mask = p.name, p.mask
        self.low = low + margin if low else -math.inf
        self.high = high - margin if high else math.inf
        self.bound = max(abs(low), abs(high))

    def of(self, weights: Mapping[str, FloatArray]) -> FloatArray:
        w = weights[self.name]
        return w if self.mask is None else w[self.mask]

    def at_bounds(self, weights: Mapping[str, FloatArray]) -> int:
        w = self.of(weights)
        if w.size == 0 or (w.min() > self.low and w.max() < self.high):
            return 0
        return int(np.count_nonzero((w <= self.low) | (w >= self.high)))


JUDGE_EVERY = 20

State = dict[str, Array]


class Finding(TypedDict):
    """Report a population lost to learning, or a problem of returns (population ``''``)."""

    population: str
    kind: str
    since_episode: int
    value: float
    limit: float
    message: str


class PopulationRow(TypedDict):
    """Describe a population now: spikes per step, weights (None if fixed), verdict."""

    population: str
    rate: float | None
    mean_abs_weight: float | None
    share_at_bounds: float | None
    verdict: str


class Diagnostics(TypedDict):
    """Describe an agent's populations, and its mean policy (entropy 1: all actions are alike)."""

    episodes: int
    populations: list[PopulationRow]
    policy: list[float]
    policy_entropy: float | None
    warnings: list[Finding]


class Monitor:
    """Diagnose one agent; set `is_quiet` to suppress warnings.

    replica: index of the agent, which gives the place of its neurons in joint rasters.
    weights: returns its float weights; called now, before learning, and later when needed.
    first_action: the task's number of action 0.
    learning_rate: rate of an agent that learns by gradients.
    groups: sizes of the groups of actions; the policy adds up to 1 in each. Empty: one group of
        all actions.
    """

    def __init__(
        self,
        network: Network,
        config: AgentConfig,
        seed: int,
        replica: int,
        weights: Callable[[], Mapping[str, FloatArray]],
        first_action: int = 0,
        learning_rate: float | None = None,
        groups: Sequence[int] = (),
    ) -> None:
        self._groups, self.is_quiet = tuple(groups), False
        self._config, self._seed, self._first_action = config, seed, first_action
        self._learning_rate = learning_rate
        self._weights = weights
        self._sites = [Site(network, p, config, replica) for p in network.populations]
        self.begin()
        self._spikes: list[deque[int]] = [deque(maxlen=WINDOW) for _ in self._sites]
        self._policies: deque[list[float]] = deque(maxlen=WINDOW)
        trunk = config.trunk
        is_scaled = isinstance(trunk, Shared) and trunk.scales_rewards
        self._returns = Returns(None if is_scaled else config.reward_scale)
        # By number of a site, one more for returns, and kind: since, value, limit, top action.
        self._found: dict[tuple[int, str], tuple[float, float, float, float]] = {}

    def begin(self) -> None:
        """Take the current weights for those before learning, from which drift is measured."""
        self._start = [site.mean_abs(self._weights()) or 0.0 for site in self._sites]

    def look(
        self,
        rasters: Mapping[str, BoolArray],
        policy: FloatArray,
        played: Sequence[EpisodeRecord],
        taken: Sequence[Shown] = (),
    ) -> list[str]:
        """Record the last decision of the last episode *played*; return new warnings.

        rasters: spikes of all replicas, ``(steps, replicas * size)``. policy: ``(n_actions,)``.
        taken: all actions of the episode, if known. A last decision that is sure of what others
        weren't, as the one that ends every episode, is recorded as the shares of these actions.
        """
        is_choice = len(self._groups) < 2 and not self._config.policy.is_continuous
        if is_choice and len(taken) and policy.max() > STUCK:
            shares = np.bincount(taken, minlength=len(policy)) / len(taken)
            policy = shares if shares.max() < _ALIKE else policy
        for site, spikes in zip(self._sites, self._spikes, strict=True):
            spikes.append(site.count(rasters))
        self._policies.append(policy.tolist())
        if self.is_quiet or len(played) % JUDGE_EVERY or len(self._policies) < WINDOW:
            return []
        messages, now = [], standing(played)
        judged = [verdicts(figures) for figures in self._seen(played, now)]
        for k, wrong in enumerate([*judged, self._returns.verdicts(played, now)]):
            for kind, (value, limit) in wrong.items():
                if (k, kind) not in self._found:
                    top = float(np.argmax(self._mean_policy()))
                    self._found[k, kind] = played[-1].episode, float(value), float(limit), top
                    messages.append(self._finding(k, kind)["message"])
        return messages

    def has_moved(self) -> bool:
        """Return whether the mean size of learned weights has changed since the start, if any.

        Shared hidden layers decide nothing as long as the weights of their readout are 0.
        """
        weights, only = self._weights(), ("output",) if self._config.trunk.is_shared else None
        pairs = [
            (present, start)
            for site, start in zip(self._sites, self._start, strict=True)
            if only is None or site.name in only
            if (present := site.mean_abs(weights)) is not None
        ]
        return not pairs or any(present != start for present, start in pairs)

    @property
    def rate(self) -> str:
        """Return the name and value of the rate at which the output learns."""
        return rate_of("output", self._config, self._learning_rate)

    def warnings(self) -> list[Finding]:
        """Return every warning: population, kind, since_episode, value, limit, message."""
        kinds = [*KINDS, *OF_RETURNS]
        places = sorted(self._found, key=lambda at: (self._found[at][0], at[0], kinds.index(at[1])))
        return [self._finding(*place) for place in places]

    def table(self, played: Sequence[EpisodeRecord]) -> Diagnostics:
        """Return the agent's present condition as plain data."""
        return {
            "episodes": len(played),
            "populations": self._rows(played),
            "policy": self._mean_policy(),
            "policy_entropy": _mean_entropy(self._policies, self._groups),
            "warnings": self.warnings(),
        }

    def state(self) -> State:
        """Return the arrays that later judgements depend on."""
        sites = len(self._sites)
        since, value = np.full((sites, len(KINDS)), -1), np.zeros((sites, len(KINDS), 3))
        of_returns = np.full((len(OF_RETURNS), 3), -1.0)
        for (k, kind), (first, *numbers) in self._found.items():
            if k < sites:
                since[k, KINDS.index(kind)], value[k, KINDS.index(kind)] = first, numbers
            else:
                of_returns[OF_RETURNS.index(kind)] = first, *numbers[:2]
        return {
            "spikes": np.array([list(s) for s in self._spikes], dtype=np.int64).reshape(
                sites, len(self._policies)
            ),
            "policies": np.array([list(p) for p in self._policies], dtype=np.float64),
            "start": np.array(self._start, dtype=np.float64),
            "since": since,
            "value": value,
            **({"returns": of_returns} if (of_returns >= 0).any() else {}),
        }

    def restore(self, state: State, n_actions: int | None = None) -> None:
        """Continue from `state`; an empty one forgets everything.

        n_actions: number of actions, if known. Raises RunError if the state doesn't fit.
        """
        for spikes in self._spikes:
            spikes.clear()
        self._policies.clear()
        self._found.clear()
        self._returns.forget()
        if not state:
            return
        sites = len(self._sites)
        since = take(state, "since", (sites, len(KINDS)), "whole", -1, MOST_STEPS)
        value = take_shown(state, "value", (sites, len(KINDS), 3))
        start = take(state, "start", (sites,), low=0.0)
        counts = take(state, "spikes", (sites, None), "whole", 0, MOST_STEPS)
        n = counts.shape[1]
        shape = (n, n_actions) if n else (0,)
        policies = take(state, "policies", shape, low=0.0, high=1.0)
        for spikes, of_one in zip(self._spikes, counts.tolist(), strict=True):
            spikes.extend(of_one)
        self._policies.extend(policies.tolist())
        self._start = start.tolist()
        for k, column in np.argwhere(since >= 0).tolist():
            self._found[k, KINDS[column]] = int(since[k, column]), *value[k, column].tolist()
        of_returns = (
            take_shown(state, "returns", (len(OF_RETURNS), 3)) if "returns" in state else ()
        )
        for kind, row in zip(OF_RETURNS, of_returns, strict=False):
            if row[0] >= 0:
                self._found[sites, kind] = *row.tolist(), 0.0

    def _seen(self, played: Sequence[EpisodeRecord], now: Standing) -> list[RecentFigures]:
        """Return every population's figures over the last episodes, one or more."""
        weights = self._weights()
        may_drift = len(played) >= DRIFT_AFTER and now.surely_no_better
        return [
            RecentFigures(
                rate=None
                if site.name in self._config.trunk.readouts
                else sum(spikes) / (len(spikes) * site.chances),
                ceiling=site.ceiling,
                mean_abs=site.mean_abs(weights) if may_drift and site.acts else None,
                at_bounds=site.at_bounds(weights),
                start=start,
                bound=site.bound,
                top=self._top() if site.name == "output" else None,
                episodes=len(played),
                better=now.better,
                surely_no_better=may_drift,
            )
            for site, spikes, start in zip(self._sites, self._spikes, self._start, strict=True)
        ]

    def _rows(self, played: Sequence[EpisodeRecord]) -> list[PopulationRow]:
        weights = self._weights()
        figures: Sequence[RecentFigures | None] = [None] * len(self._sites)
        if self._policies:
            figures = self._seen(played, standing(played))
        judges = len(self._policies) == WINDOW
        return [
            {
                "population": site.name,
                "rate": None if now is None else now.rate,
                "mean_abs_weight": site.mean_abs(weights),
                "share_at_bounds": site.at_bounds(weights),
                "verdict": (", ".join(verdicts(now)) or "healthy")
                if now and judges
                else "too early",
            }
            for site, now in zip(self._sites, figures, strict=True)
        ]

    def _top(self) -> float:
        """Return the largest mean probability of an action, without exploration.

        With several groups of actions, return the least certain group's. Return 0 for actions that
        are numbers, which are always explored.
        """
        share = self._config.policy.exploration
        if share >= 1.0 or self._config.policy.is_continuous:
            return 0.0
        groups = _split(self._mean_policy(), self._groups)
        return min((max(policy) - share / len(policy)) / (1.0 - share) for policy in groups)

    def _mean_policy(self) -> list[float]:
        n = len(self._policies)
        return [sum(column) / n for column in zip(*self._policies, strict=True)]

    def _finding(self, k: int, kind: str) -> Finding:
        """Return a finding of a site, or of returns, which have no site."""
        since, value, limit, action = self._found[k, kind]
        site = self._sites[k] if k < len(self._sites) else None
        found: Finding = {
            "population": "" if site is None else site.name,
            "kind": kind,
            "since_episode": int(since),
            "value": value,
            "limit": limit,
            "message": "",
        }
        if site is None:
            return {**found, "message": message_of_returns(self._config, self._seed, found)}
        text = message(
            site.population,
            self._config,
            self._seed,
            found,
            from_start=since < WINDOW,
            action=int(action) + self._first_action,
            learning_rate=self._learning_rate,
        )
        return {**found, "message": text}


def _split(policy: Sequence[float], groups: Sequence[int]) -> list[Sequence[float]]:
    """Return the policy of each group; of several groups, those with one action are left out."""
    ends = np.cumsum(groups or (len(policy),)).tolist()
    parts = [policy[end - n : end] for end, n in zip(ends, groups or (len(policy),), strict=True)]
    return [part for part in parts if len(part) > 1] or parts[:1]


def _mean_entropy(policies: Sequence[Sequence[float]], groups: Sequence[int] = ()) -> float | None:
    """Return the mean entropy relative to the uniform policy; None without policies or choice."""
    if not policies:
        return None
    parts = _split(policies[0], groups)
    most = sum(math.log(len(part)) for part in parts)
    if not most:
        return None
    entropies = [
        -sum(p * math.log(p) for part in _split(policy, groups) for p in part if p > 0)
        for policy in policies
    ]
    return sum(entropies) / len(entropies) / most
