"""Export a trained agent to a folder in the form of Hugging Face's hub, and import it as a run.

The folder holds ``README.md`` (the card), ``model.safetensors`` (every array of the checkpoint and,
as metadata, its description and digest), ``config.json`` and ``episodes.csv`` of the run. An import
gives the checkpoint to the last byte, or is refused. Nothing here uses a network.

The card says what an agent is, how it plays and how it was made: a README.md as shown by model
hubs, with YAML front matter whose values are JSON.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from neurorl._version import __version__
from neurorl.agents.checkpoint import checkpoint_in, digest, packed_text, read_checkpoint, read_text
from neurorl.agents.evaluation import Evaluation
from neurorl.errors import RunError
from neurorl.models.agent.config import AgentConfig
from neurorl.network.cost import FIGURES
from neurorl.numerics.arrays import Array
from neurorl.runs.config import RunConfig
from neurorl.runs.directory import RunDirectory
from neurorl.storage import archive
from neurorl.storage.files import import_extra, write_folder
from neurorl.storage.reading import FilePlace, check_fields, parse_json, read_bytes, read_json
from neurorl.storage.zoo import located

_LARGEST = 2**20
_PARTS = 10
_COSTS = {
    "spikes_per_decision": "spikes",
    "synops_per_decision": "synaptic operations",
    "neuron_updates_per_decision": "neuron updates",
    "energy_per_decision_j": "joules on Loihi, as published costs of its operations add up",
}


def card(name: str, run: RunDirectory, evaluations: Sequence[Evaluation], use: str) -> str:
    """Return the card of a run. use: the command that plays it. Raises RunError if damaged."""
    config = run.read_config()
    agent = AgentConfig.from_dict(config.agent or {})
    columns = run.read_episodes()
    kind = "discounted_return" if agent.solved_discounted else "return"
    returns, steps = columns[kind], columns["env_steps"]
    network = "one of its own" if agent.description is not None else f"`{agent.model}`"
    learned = f"{len(returns)} episodes, {steps[-1] if steps else 0:,.0f} environment steps"
    said = (
        f"A network of spiking neurons ({network}) that learned {config.env} by "
        f"{rule_of(config)}, in {config.arithmetic} arithmetic: seed {config.seed}, {learned}. "
        f"Made with neurorl {__version__}."
    )
    lines = [*_front(name, config, evaluations), f"# {name}", "", said, *code(use)]
    lines += _played(evaluations) + _learned(returns, kind.replace("_", " "))
    return "\n".join(lines) + "\n"


def code(command: str) -> list[str]:
    """Return the lines of a card that show a command."""
    return ["", "```sh", command, "```"]


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
    del kinds["energy"]
    data = check_fields(read_json(file, place, _LARGEST), place, kinds, {})
    kept: Evaluation = {name: data[name] for name in kinds}  # type: ignore[assignment]
    return kept


def _front(name: str, config: RunConfig, evaluations: Sequence[Evaluation]) -> list[str]:
    """Return the front matter, as in Hugging Face's model cards."""
    tags = ["reinforcement-learning", "spiking-neural-network", "neuromorphic", config.env]
    lines = ["---", "library_name: neurorl", "license: bsd-3-clause", f"tags: {json.dumps(tags)}"]
    if not evaluations:
        return [*lines, "---", ""]
    first = evaluations[0]
    value = json.dumps(f"{first['mean_return']:.2f} +/- {first['std_return']:.2f}")
    env, metric = json.dumps(config.env), "type: mean_reward, name: mean_reward"
    lines += ["model-index:", f"- name: {json.dumps(name)}", "  results:"]
    lines += ["  - task: {type: reinforcement-learning, name: reinforcement-learning}"]
    lines += [f"    dataset: {{name: {env}, type: {env}}}"]
    return [*lines, f"    metrics: [{{{metric}, value: {value}, verified: false}}]", "---", ""]


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


MODEL = "model.safetensors"
_KEPT = ("config.json", "episodes.csv", "evaluation.json", "summary.json")
_LARGEST_TEXT = 2**28
_KEYS = ("description", "digest", "order")


def export_run(run: str | Path, folder: str | Path) -> Path:
    """Write a run, or ``zoo:NAME``, to a new *folder*; return its path.

    Raises UnsupportedError without safetensors, RunError for a damaged run or a folder that exists.
    """
    library = _library()
    source, folder = RunDirectory(located(run)), Path(folder)
    source.read_config()
    checkpoint = checkpoint_in(source.path)
    read_checkpoint(checkpoint)  # is it an agent's?
    description, arrays = read_text(checkpoint)
    texts = {"description": description.decode(), "digest": digest(checkpoint)}
    texts["order"] = json.dumps(list(arrays))
    content = library.save({k: np.asarray(v, order="C") for k, v in arrays.items()}, texts)
    kept = {name: source.path / name for name in _KEPT if (source.path / name).exists()}
    text = _card(source, folder.absolute().name)
    places = {name: FilePlace(f"run {source.path}", name) for name in kept}
    files = {name: read_bytes(kept[name], _LARGEST_TEXT, places[name]) for name in kept}
    _check_free(folder)
    write_folder(folder, {**files, "README.md": text, MODEL: content})
    return folder


def import_run(folder: str | Path, run: str | Path) -> Path:
    """Make a run directory from an exported *folder*; return its path.

    Raises UnsupportedError without safetensors; RunError for a folder that is damaged or holds no
    neurorl agent, and for a run that exists.
    """
    _library()
    folder, target = Path(folder), RunDirectory(Path(run))
    content = _checkpoint(folder / MODEL)
    source = RunDirectory(folder)
    source.read_config()
    kept = {}
    for name in _KEPT:
        if os.path.lexists(folder / name):
            place = FilePlace(f"folder {folder}", name)
            kept[name] = read_bytes(folder / name, _LARGEST_TEXT, place)
    _check_free(target.path)
    write_folder(target.path, {**kept, target.checkpoint.name: content})
    return target.path


def _checkpoint(file: Path) -> bytes:
    """Return the bytes of the checkpoint whose arrays *file* holds."""
    place = FilePlace(f"folder {file.parent}", file.name)
    texts, arrays = _read(read_bytes(file, archive.LARGEST_FILE, place), place)
    if not set(_KEYS) <= set(texts):
        raise place.wrong("is not an agent's", f"no {', '.join(sorted({*_KEYS} - set(texts)))}")
    order = parse_json(texts["order"].encode(), place)
    whole = isinstance(order, list) and sorted(map(str, order)) == sorted(arrays)
    if not whole:
        raise place.wrong("is damaged")
    content = packed_text(texts["description"].encode(), {name: arrays[name] for name in order})
    if content[-archive.DIGEST :].decode() != texts["digest"]:
        raise place.wrong("is damaged: its digest doesn't match")
    return content


def _read(data: bytes, place: FilePlace) -> tuple[Mapping[str, str], dict[str, Array]]:
    """Return metadata and arrays of a file in the format safetensors."""
    size = int.from_bytes(data[:8], "little")
    header = parse_json(data[8 : 8 + size], place) if size <= len(data) else None
    texts = header.get("__metadata__", {}) if isinstance(header, dict) else None
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        raise place.wrong("is damaged")
    try:
        return texts, _library().load(data)
    except Exception as exc:  # its errors have no narrower base
        raise place.wrong("is damaged", exc) from exc


def _library() -> Any:
    """Return safetensors for NumPy. Raises UnsupportedError."""
    return import_extra("safetensors.numpy", "exchange of agents", "safetensors", "hub")


def _card(run: RunDirectory, name: str) -> bytes:
    """Return the card of a run from the zoo, or a new one."""
    own = run.path / "README.md"
    if own.exists():
        return read_bytes(own, _LARGEST_TEXT, FilePlace(f"run {run.path}", own.name))
    file = run.path / "evaluation.json"
    evaluations = [read_evaluation(file)] if file.exists() else []
    use = "neurorl import FOLDER --out RUN    # this folder\nneurorl evaluate RUN"
    return card(name, run, evaluations, use).encode()


def _check_free(path: Path) -> None:
    """Raise RunError if something is there already."""
    if os.path.lexists(path) and not (path.is_dir() and not any(path.iterdir())):
        raise RunError(f"folder {path}", "already exists", remedy="name another")
