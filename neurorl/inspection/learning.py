"""Describe how an agent learns: which rule changes which weights, by what, and how fast."""

from __future__ import annotations

from typing import Any, TypedDict

from neurorl.learning.plan import LearningPlan
from neurorl.models.config import AgentConfig
from neurorl.network.description import Network

__all__ = ["Learned", "LearningReport", "learning_report"]

_PARTS = (
    *("encoder", "policy", "critic", "modulator", "learning", "writes", "write_every"),
    *("gamma", "lambda_actor", "lambda_critic", "alpha_critic", "reward_scale"),
    *("modulator_limit", "normalises"),
)


class Learned(TypedDict):
    """Say how a projection learns.

    factor: the text of what a neuron adds to the eligibilities of its synapses in a step, None of a
    function. trace_kept: what a step leaves of the trace of presynaptic spikes, eligibility_kept:
    what a decision leaves of an eligibility; 0 to 1. rate: alpha. low, high: bounds of its weights.
    """

    projection: str
    population: str
    rule: str
    factor: str | None
    trace_kept: float
    eligibility_kept: float
    rate: float
    low: float
    high: float


class LearningReport(TypedDict):
    """Say how an agent learns. parts: its encoder, critic, modulator, ... and their numbers."""

    projections: list[Learned]
    parts: dict[str, Any]


def learning_report(network: Network, config: AgentConfig) -> LearningReport:
    """Return how the agent *config* learns in *network*."""
    rows: list[Learned] = []
    for layer in LearningPlan.of(network, config).layers:
        for projection in layer.into:
            rows.append(
                {
                    "projection": projection.name,
                    "population": layer.name,
                    "rule": layer.rule.name,
                    "factor": layer.rule.text_of(layer.name).text if layer.rule.is_text else None,
                    "trace_kept": projection.trace_decay,
                    "eligibility_kept": layer.keep,
                    "rate": layer.alpha,
                    "low": projection.low,
                    "high": projection.high,
                }
            )
    plain = config.to_dict()
    return {"projections": rows, "parts": {name: plain[name] for name in _PARTS if name in plain}}
