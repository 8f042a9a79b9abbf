"""Judge a population by its activity in the last episodes, and word the warnings.

docs/diagnostics.md has the tables of what is wrong when, and what *no better* and *surely* mean.
Populations are judged by the last `WINDOW` episodes, when as many have been played.

A silent population passes nothing on, and eligibilities are 0 with most rules; spikes of a
saturated one say nothing about the input. A weight at a bound of 0 isn't clipped: it is off, which
sparse networks learn. Only what leads to the output may drift: a critic may learn long before the
actor does. If returns are noisy, as in episodes of one decision, an agent may learn, with weights
that rightly grow, long before it is better beyond noise, so it has to be *surely* no better.
Weights that grow steadily at a constant return are no sign: weights of healthy agents do so for
hundreds of episodes after the task is solved.

Modulators have the size of returns: those of faint returns hardly move a weight, and those of loud
ones are nearly all clipped. Returns in the best quarter so far aren't loud: an agent may learn all
in its first episodes.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from neurorl.errors import format_message
from neurorl.models.agent.config import AgentConfig
from neurorl.network.description import Population
from neurorl.rules import SynapseRule
from neurorl.storage.plain import Named


def message(
    population: Population,
    config: AgentConfig,
    seed: int,
    verdict: Named,
    *,
    from_start: bool,
    action: int,
    learning_rate: float | None = None,
) -> str:
    """Return a warning in one line.

    verdict: kind, since_episode, value and limit. action: action of a stuck policy. learning_rate:
    rate of agents that learn by gradients, in place of the configuration's rates. from_start:
    whether it was so before the agent can have learned much.
    """
    kind, value, limit = verdict["kind"], verdict["value"], verdict["limit"]
    spikes, no_better = f"a spike in {_percent(value)} of the steps", "its return no better than"
    detail, got = {
        "silent": ("", spikes),
        "saturated": ("", spikes),
        "clipped": ("", f"{_percent(value)} of the weights at their bounds"),
        "drifting": (f", {no_better} at the start", f"mean |w| {value:.3g}"),
        "stuck": (
            f", always action {action}, {no_better} at the start",
            f"a mean probability of {_percent(value)}",
        ),
    }[kind]
    return format_message(
        f"population {population.name!r} of seed {seed}",
        f"{kind} since episode {verdict['since_episode']}{detail}",
        got=got,
        limit=f"{limit:.3g}" if kind == "drifting" else _percent(limit),
        remedy=_remedy(population, config, kind, from_start, learning_rate),
    )


def _remedy(
    population: Population,
    config: AgentConfig,
    kind: str,
    from_start: bool,
    learning_rate: float | None,
) -> str:
    alpha = rate_of(population.name, config, learning_rate)
    parameters = {"silent": ("threshold", "bias"), "saturated": ("bias", "threshold")}
    if from_start and kind in parameters:
        high, low = parameters[kind]
        return f"lower the neurons' {_now(population, high)}, or raise their {low}"
    if kind == "clipped" and population.name == config.critic.population:
        return f"raise {config.critic.widening}"
    rule, of_policy = config.learning_rule, config.policy.remedy
    is_centred = isinstance(rule, SynapseRule) or rule.is_centred or learning_rate is not None
    centred = f", or take a centred rule such as 'spikes-only' (now {rule.name!r})"
    bounds = f"weight_bound (now {config.weight_bound:g})"
    if config.description is not None:
        bounds = "the bounds of the weights"
    more = {
        "silent": "",
        "saturated": f" or {bounds}",
        "clipped": f", or widen {bounds}",
        "drifting": "" if is_centred else centred,
        "stuck": (f" or {of_policy}" if of_policy else "") + memory_hint(config),
    }
    return f"lower {alpha}{more[kind]}"


def rate_of(population: str, config: AgentConfig, learning_rate: float | None) -> str:
    """Return the name and value of the rate at which the weights into a population learn."""
    if learning_rate is not None:
        return f"learning_rate (now {learning_rate:g})"
    if isinstance(config.learning_rule, SynapseRule):
        return f"the rates of rule {config.learning_rule.name!r}"
    alphas = {
        "output": ("alpha_output", config.alpha_output),
        config.critic.population: ("critic.alpha", config.critic.alpha),
    }
    name, now = alphas.get(population, ("alpha_hidden", config.alpha_hidden))
    return f"{name} (now {now:g})"


def memory_hint(config: AgentConfig) -> str:
    """Return what to try if an observation may not show the whole state, without a memory."""
    if config.past or config.carries or config.description is not None:
        return ""
    return "; or, if an observation hides what matters, memories=(0.9,) or stacked observations"


def _now(population: Population, parameter: str) -> str:
    """Return the parameter's name, and its value if all neurons share it."""
    if not population.is_integrator(1e-3):
        return f"{parameter}, in their equations,"
    values = np.unique(getattr(population.neuron.integrator(population.size, 1e-3), parameter))
    return f"{parameter} (now {values[0]:g})" if len(values) == 1 else parameter


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


WINDOW = 20
STUCK_AFTER = 40
DRIFT_AFTER = 100
SILENT = 0.001
SATURATED = 0.9
CLIPPED = 0.5
GROWTH = 1.5
STUCK = 0.98
_ERRORS = 2.0
_HIDES, _LEAST_GAIN = 1.5, 0.1
_GROWN_BY = 0.02  # share of the bound: small weights may double by noise
SLIGHT = 0.1
"""Ignore growth below this share of the bound, where weights hardly act."""

KINDS = ("silent", "saturated", "clipped", "drifting", "stuck")

Verdicts = dict[str, tuple[float, float]]


class EpisodeRecord(Protocol):
    """Describe an episode that is over."""

    @property
    def episode(self) -> int: ...
    @property
    def discounted(self) -> float: ...


@dataclass(frozen=True, slots=True)
class RecentFigures:
    """Hold a population's figures over the last episodes, which its verdicts depend on.

    rate: spikes per neuron-step, None if only membranes are read. ceiling: the largest rate its
    refractory periods allow. at_bounds, mean_abs: share at the bounds, and mean |w|, of its plastic
    input weights; None without such weights, or if it can't drift. start, bound: mean |w| before
    learning, and mean of the largest |w| allowed. top: largest mean probability of an action, None
    if it isn't the output. episodes: how many were played. better, surely_no_better: compared with
    the start.
    """

    rate: float | None
    ceiling: float = 1.0
    mean_abs: float | None = None
    at_bounds: float | None = None
    start: float = 0.0
    bound: float = 1.0
    top: float | None = None
    episodes: int = WINDOW
    better: bool = False
    surely_no_better: bool = False


def verdicts(figures: RecentFigures) -> Verdicts:
    """Return ``{kind: (value, limit)}`` for each problem of a population."""
    wrong: Verdicts = {}
    if figures.rate is not None:
        load = min(1.0, figures.rate / figures.ceiling)
        if figures.rate < SILENT:
            wrong["silent"] = figures.rate, SILENT
        if load > SATURATED:
            wrong["saturated"] = load, SATURATED
    if figures.at_bounds is not None and figures.at_bounds > CLIPPED:
        wrong["clipped"] = figures.at_bounds, CLIPPED
    if figures.mean_abs is not None and figures.episodes >= DRIFT_AFTER:
        limit = GROWTH * figures.start + _GROWN_BY * figures.bound
        least = max(limit, SLIGHT * figures.bound)
        if figures.mean_abs > least and figures.surely_no_better:
            wrong["drifting"] = figures.mean_abs, limit
    top = 0.0 if figures.top is None else figures.top
    if top > STUCK and figures.episodes >= STUCK_AFTER and not figures.better:
        wrong["stuck"] = top, STUCK
    return wrong


class Standing(NamedTuple):
    """Compare an agent with its start; the fields are no opposites, see docs/diagnostics.md."""

    better: bool
    surely_no_better: bool


def standing(played: Sequence[EpisodeRecord]) -> Standing:
    """Return whether the mean discounted return has risen, and whether it surely hasn't.

    *better*: it has risen beyond noise. *surely_no_better*: it hasn't risen by a tenth, even with
    noise taken into account.
    """
    (first, first_variance), (last, last_variance) = (
        _moments([e.discounted for e in part]) for part in (played[:WINDOW], played[-WINDOW:])
    )
    error = math.sqrt((first_variance + last_variance) / min(WINDOW, len(played)))
    gain, noise = last - first, _ERRORS * error
    level = max(abs(first), abs(last))
    return Standing(gain > noise, gain + _HIDES * noise <= _LEAST_GAIN * level)


def _moments(values: Sequence[float]) -> tuple[float, float]:
    mean = sum(values) / len(values)
    return mean, sum((value - mean) ** 2 for value in values) / len(values)


JUDGED_FROM = 100
SAME_AFTER = 200
REWARDED_BY = 300
FLAT_AFTER = 500
FAINT = 0.1
LOUD = 20.0
_BEST = 0.25

OF_RETURNS = ("unrewarded", "flat", "faint", "loud")


class Returns:
    """Judge returns as they come, each once.

    scale: scale of rewards; None if what is learned from is divided by their deviation.
    """

    def __init__(self, scale: float | None) -> None:
        self._scale = None if scale is None else abs(scale)
        self.forget()

    def forget(self) -> None:
        """Forget all returns."""
        self._judged, self._least, self._most = 0, float("inf"), float("-inf")
        self._same = 0

    def verdicts(self, played: Sequence[EpisodeRecord], stands: Standing | None = None) -> Verdicts:
        """Return ``{kind: (value, limit)}`` for problems of the returns of *played*.

        stands: result of `neurorl.diagnostics.verdicts.standing` for them; None computes it.
        """
        for k in range(self._judged, len(played)):
            now = played[k].discounted
            self._same = self._same + 1 if k and now == played[k - 1].discounted else 1
            self._least, self._most = min(self._least, now), max(self._most, now)
        self._judged = n = len(played)
        if n < JUDGED_FROM or (stands or standing(played)).better:
            return {}
        return self._wrong(n, played[-1].discounted, [e.discounted for e in played[-WINDOW:]])

    def _wrong(self, n: int, last: float, lately: Sequence[float]) -> Verdicts:
        largest = max(-self._least, self._most, 0.0)
        if largest == 0.0:
            return {"unrewarded": (0.0, REWARDED_BY)} if n >= REWARDED_BY else {}
        wrong: Verdicts = {}
        is_lost = self._same >= FLAT_AFTER and last < self._most
        if is_lost or (self._same == n and n >= SAME_AFTER):
            wrong["flat"] = last, self._same
        if self._scale is None:
            return wrong
        if self._scale * largest < FAINT:
            wrong["faint"] = self._scale * largest, FAINT
        usual = self._scale * statistics.median(map(abs, lately))
        is_low = statistics.median(lately) <= self._most - _BEST * (self._most - self._least)
        if usual > LOUD and is_low:
            wrong["loud"] = usual, LOUD
        return wrong


def message_of_returns(config: AgentConfig, seed: int, verdict: Named) -> str:
    """Return a warning in one line. verdict: kind, since_episode, value and limit."""
    kind, value, limit = verdict["kind"], float(verdict["value"]), float(verdict["limit"])
    scale, explores = config.reward_scale, config.policy.exploration
    longer = f"raise policy.exploration (now {explores:g}), or let episodes be longer, or"
    what, remedy = {
        "unrewarded": (
            f"every return was 0 in {limit:.0f} episodes, so values never left 0",
            f"{longer} reward what leads there",
        ),
        "flat": (
            f"the last {limit:.0f} returns are all the same",
            f"{longer} lower policy.beta or alpha_output{memory_hint(config)}",
        ),
        "faint": (
            "are so small when scaled that weights hardly move",
            f"raise reward_scale (now {scale:g})",
        ),
        "loud": (
            "are so large when scaled that nearly every modulator is clipped",
            f"lower reward_scale (now {scale:g})",
        ),
    }[str(kind)]
    return format_message(
        f"returns of seed {seed}",
        f"{kind} since episode {verdict['since_episode']}: {what}",
        got=f"{value:.3g}",
        limit=f"{limit:g}" if kind in ("faint", "loud") else None,
        remedy=remedy,
    )
