"""Word the warnings of `neurorl.diagnostics.monitor`: which population, since when, what helps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from neurorl.errors import format_message
from neurorl.models.agent.config import AgentConfig
from neurorl.network.description import Population


def message(
    population: Population,
    config: AgentConfig,
    seed: int,
    verdict: Mapping[str, Any],
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
    alphas = {
        "output": ("alpha_output", config.alpha_output),
        config.critic.population: ("critic.alpha", config.critic.alpha),
    }
    name, now = alphas.get(population.name, ("alpha_hidden", config.alpha_hidden))
    alpha = f"{name} (now {now:g})"
    if learning_rate is not None:
        alpha = f"learning_rate (now {learning_rate:g})"
    bound = f"weight_bound (now {config.weight_bound:g})"
    own = config.description is not None
    if kind == "silent":
        if from_start:
            return f"lower the neurons' {_now(population, 'threshold')}, or raise their bias"
        return f"lower {alpha}"
    if kind == "saturated":
        if from_start:
            return f"lower the neurons' {_now(population, 'bias')}, or raise their threshold"
        return f"lower {alpha} or " + ("the bounds of the weights" if own else bound)
    if kind == "clipped" and population.name == config.critic.population:
        return f"raise {config.critic.widening}"
    if kind == "clipped":
        return f"lower {alpha}, or widen " + ("the bounds of the weights" if own else bound)
    if kind == "drifting":
        rule = config.learning_rule
        if rule.is_centred or learning_rate is not None:
            return f"lower {alpha}"
        return f"lower {alpha}, or take a centred rule such as 'spikes-only' (now {rule.name!r})"
    remedy = f"lower {alpha}" + (f" or {config.policy.remedy}" if config.policy.remedy else "")
    return remedy + memory_hint(config)


def memory_hint(config: AgentConfig) -> str:
    """Return what to try if an observation may not show the whole state, without a memory."""
    if config.memories or config.carries or config.description is not None:
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
