"""Write the card of a trained agent: what it is, how it plays, and how it was made.

It is a README.md as shown by model hubs, with YAML front matter whose values are JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from neurorl._version import __version__
from neurorl.models.agent.config import AgentConfig
from neurorl.runs.config import RunConfig
from neurorl.runs.cost import FIGURES
from neurorl.runs.directory import RunDirectory
from neurorl.runs.evaluation import Evaluation
from neurorl.storage.reading import FilePlace, check_fields, read_json

_LARGEST = 2**20
_PARTS = 10
_COSTS = {
    "spikes_per_decision": "spikes",
    "synops_per_decision": "synaptic operations",
    "neuron_updates_per_decision": "neuron updates",
    "energy_per_decision_j": "joules on Loihi, as published costs of its operations add up",
}


@dataclass(frozen=True)
class Notes:
    """Hold what a card says beyond the run's own files.

    use: the command that plays the agent. made_by: the command that trains it again. verdicts:
    verdicts of `neurorl.validate` by arithmetic. others: sentences on the other seeds.
    """

    use: str
    made_by: str = ""
    verdicts: Mapping[str, str] | None = None
    others: Sequence[str] = ()


def card(name: str, run: RunDirectory, evaluations: Sequence[Evaluation], notes: Notes) -> str:
    """Return the card of a run. Raises RunError if it is damaged."""
    config = run.read_config()
    agent = AgentConfig.from_dict(config.agent or {})
    columns = run.read_episodes()
    kind = "discounted_return" if agent.solved_discounted else "return"
    returns, steps = columns[kind], columns["env_steps"]
    network = "one of its own" if agent.description is not None else f"`{agent.model}`"
    learned = f"{len(returns)} episodes, {steps[-1] if steps else 0:,.0f} environment steps"
    lines = [
        *_front(name, config, evaluations),
        f"# {name}",
        "",
        f"A network of spiking neurons ({network}) that learned {config.env} by "
        f"{rule_of(config)}, in {config.arithmetic} arithmetic: seed {config.seed}, {learned}. "
        f"Made with neurorl {__version__}.",
        "",
        "```sh",
        notes.use,
        "```",
        *_played(evaluations),
        *_learned(returns, kind.replace("_", " ")),
        *_noted(notes),
    ]
    return "\n".join(lines) + "\n"


def rule_of(config: RunConfig) -> str:
    """Return the rule of a run, or its algorithm if that has no rule."""
    if config.algorithm.config is not None:
        return config.approach
    rule = (config.agent or {}).get("rule")
    named = rule.get("name") if isinstance(rule, Mapping) else rule
    return f"the rule {named}"


def read_evaluation(file: Path) -> Evaluation:
    """Read an evaluation kept as JSON. Raises RunError for another file."""
    place = FilePlace(f"file {file}", remedy="remove it")
    kinds: dict[str, type] = dict.fromkeys(Evaluation.__annotations__, float)
    kinds |= dict.fromkeys(("env", "backend", "arithmetic", "noise"), str)
    kinds |= dict.fromkeys(("seed", "episodes"), int)
    data = check_fields(read_json(file, place, _LARGEST), place, kinds, {})
    kept: Evaluation = {name: data[name] for name in kinds}  # type: ignore[assignment]
    return kept


def _front(name: str, config: RunConfig, evaluations: Sequence[Evaluation]) -> list[str]:
    """Return the front matter, as in Hugging Face's model cards."""
    tags = ["reinforcement-learning", "spiking-neural-network", "neuromorphic", config.env]
    lines = [
        "---",
        "library_name: neurorl",
        "license: bsd-3-clause",
        f"tags: {json.dumps(tags)}",
    ]
    if not evaluations:
        return [*lines, "---", ""]
    first = evaluations[0]
    value = f"{first['mean_return']:.2f} +/- {first['std_return']:.2f}"
    env = json.dumps(config.env)
    return [
        *lines,
        "model-index:",
        f"- name: {json.dumps(name)}",
        "  results:",
        "  - task: {type: reinforcement-learning, name: reinforcement-learning}",
        f"    dataset: {{name: {env}, type: {env}}}",
        f"    metrics: [{{type: mean_reward, name: mean_reward, value: {json.dumps(value)}, "
        "verified: false}]",
        "---",
        "",
    ]


def _played(evaluations: Sequence[Evaluation]) -> list[str]:
    if not evaluations:
        return []
    columns = "| backend | arithmetic | episodes | mean return | standard deviation | discounted |"
    lines = ["", "## Greedy play", "", columns, "|---|---|---|---|---|---|"]
    for each in evaluations:
        figures = [each["mean_return"], each["std_return"], each["mean_discounted_return"]]
        cells = [each["backend"], each["arithmetic"], str(each["episodes"])]
        lines.append(f"| {' | '.join([*cells, *(f'{f:.4g}' for f in figures)])} |")
    cost = {name: dict(evaluations[0])[name] for name in FIGURES if name in _COSTS}
    lines += ["", "A decision costs:", ""]
    return lines + [f"- {cost[name]:.4g} {what}" for name, what in _COSTS.items()]


def _learned(returns: Sequence[float], kind: str) -> list[str]:
    """Return the curve: the mean of each tenth of training."""
    if not returns:
        return []
    lines = ["", "## Learning", "", f"| episodes | mean {kind} |", "|---|---|"]
    first = 1
    for part in np.array_split(np.array(returns), min(_PARTS, len(returns))):
        lines.append(f"| {first} to {first + len(part) - 1} | {part.mean():.4g} |")
        first += len(part)
    return lines


def _noted(notes: Notes) -> list[str]:
    lines = []
    for arithmetic, verdict in (notes.verdicts or {}).items():
        lines.append(f"- in {arithmetic} arithmetic: {verdict}")
    if lines:
        lines = ["", "## Agreement of backends, by `neurorl validate`", "", *lines]
    if notes.others or notes.made_by:
        lines += ["", "## Where it is from", ""]
    if notes.others:
        lines += [*notes.others, ""]
    if notes.made_by:
        lines += ["```sh", notes.made_by, "```"]
    return lines
