"""Describe how an agent learns: which rule changes which weights, by what, and how fast."""

from __future__ import annotations

from typing import TypedDict

from neurorl.learning.plan import LearningPlan
from neurorl.models.agent.config import AgentConfig
from neurorl.network.description import Network
from neurorl.storage.plain import PlainData

_NUMBERS = ("gamma", "lambda_actor", "reward_scale", "normalises")


class LearningRow(TypedDict):
    """Say how a projection learns.

    factor: the text of what a neuron adds to the eligibilities of its synapses in a step, None of a
    function. trace_kept: what a step leaves of the trace of presynaptic spikes, eligibility_kept:
    what a decision leaves of an eligibility; 0 to 1. rate: alpha. low, high: bounds of its weights.
    A rule of statements has the lines of a reward for its factor, and none of these numbers.
    """

    projection: str
    population: str
    rule: str
    factor: str | None
    trace_kept: float | None
    eligibility_kept: float | None
    rate: float | None
    low: float
    high: float


class LearningReport(TypedDict):
    """Say how an agent learns. parts: its encoder, critic, modulator, ... and their numbers."""

    projections: list[LearningRow]
    parts: PlainData


def learning_report(network: Network, config: AgentConfig) -> LearningReport:
    """Return how the agent *config* learns in *network*."""
    rows: list[LearningRow] = []
    plan = LearningPlan(network, config)
    for layer in plan.layers:
        for projection in layer.into:
            row: LearningRow = {
                "projection": projection.name,
                "population": layer.name,
                "rule": layer.rule.name,
                "factor": layer.rule.text_of(layer.name).text if layer.rule.is_text else None,
                "trace_kept": projection.trace_decay,
                "eligibility_kept": layer.constants.left(config.window),
                "rate": layer.alpha,
                "low": projection.low,
                "high": projection.high,
            }
            rows.append(row)
    for one in plan.statements:
        row = {
            "projection": one.into.name,
            "population": one.name,
            "rule": one.rule.name,
            "factor": one.rule.on_reward,
            **dict.fromkeys(("trace_kept", "eligibility_kept", "rate")),  # type: ignore[typeddict-item]
            "low": one.into.low,
            "high": one.into.high,
        }
        rows.append(row)
    return {"projections": rows, "parts": _parts(config)}


def _parts(config: AgentConfig) -> PlainData:
    """Return the agent's parts by name, their fields as ``PART.FIELD``, and its numbers."""
    parts: PlainData = {}
    for kind, part in config.parts.items():
        fields = {f"{kind}.{name}": value for name, value in part.to_dict().items()}
        parts |= {**fields, f"{kind}.type": part.name}
    return parts | {name: getattr(config, name) for name in _NUMBERS}
