"""Describe how an agent learns: which rule changes which weights, by what, and how fast."""

from __future__ import annotations

from typing import NamedTuple, TypedDict

from neurorl.learning.plan import LearningPlan
from neurorl.models.agent.config import AgentConfig
from neurorl.network.description import Network
from neurorl.storage.plain import PlainData

_NUMBERS = ("gamma", "lambda_actor", "reward_scale", "normalises")


class LearningRow(NamedTuple):
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
    """Say how an agent learns. parts: its encoder, critic, modulator, ... and their numbers.

    projections: each `LearningRow` by name.
    """

    projections: list[PlainData]
    parts: PlainData


def learning_report(network: Network, config: AgentConfig) -> LearningReport:
    """Return how the agent *config* learns in *network*."""
    rows: list[LearningRow] = []
    plan = LearningPlan(network, config)
    for layer in plan.layers:
        factor = layer.rule.text_of(layer.name).text if layer.rule.is_text else None
        learns, kept = (layer.name, layer.rule.name, factor), layer.constants.left(config.window)
        for p in layer.into:
            rows.append(
                LearningRow(p.name, *learns, p.trace_decay, kept, layer.alpha, p.low, p.high)
            )
    for one in plan.statements:
        learns, into = (one.name, one.rule.name, one.rule.on_reward), one.into
        rows.append(LearningRow(into.name, *learns, None, None, None, into.low, into.high))
    return {"projections": [row._asdict() for row in rows], "parts": _parts(config)}


def _parts(config: AgentConfig) -> PlainData:
    """Return the agent's parts by name, their fields as ``PART.FIELD``, and its numbers."""
    parts: PlainData = {}
    for kind, part in config.parts.items():
        fields = {f"{kind}.{name}": value for name, value in part.to_dict().items()}
        parts |= {**fields, f"{kind}.type": part.name}
    return parts | {name: getattr(config, name) for name in _NUMBERS}
