"""Print a network as a backend runs it (``neurorl show``)."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurorl.cli.options import add_backend, add_trust, chosen_backend, look_here
from neurorl.cli.output import cell, print_table, report

if TYPE_CHECKING:
    from neurorl.agents.local import SpikingActorCritic
    from neurorl.agents.saved import Setting
    from neurorl.backends.base import Backend
    from neurorl.network.serialization import FloatArray

__all__ = ["HELP", "add_arguments", "run"]

HELP = "print a network as a backend runs it"

# What is printed of a `neurorl.inspection.quantisation`: title, rows, and keys with their column.
_TABLES: tuple[tuple[str, str, dict[str, str]], ...] = (
    (
        "Errors of chip arithmetic, of the threshold (or noise); of decays, of what is left:",
        "population",
        {
            "threshold_error": "threshold",
            "threshold_lowered": "lowered",
            "bias_error": "bias",
            "current_decay_error": "current decay",
            "membrane_decay_error": "membrane decay",
            "noise_error": "noise",
        },
    ),
    (
        "Of the registers, if all inputs spike at once (above 100 % they overflow):",
        "population",
        {
            "arriving_percent": "arriving %",
            "current_percent": "current %",
            "bias_percent": "bias %",
        },
    ),
    (
        "Weights; errors of the threshold (or noise) they lead to:",
        "projection",
        {
            "resolution": "resolution",
            "largest": "largest",
            "worst_error": "worst error",
            "rms_error": "rms",
            "clipped_percent": "clipped %",
            "zeroed_percent": "to 0 %",
        },
    ),
)

COMPARED = 200
"""Decisions of a run over which chip arithmetic is compared with float."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", metavar="RUN_OR_MODEL", help="a run, lif, glm or a .nir file")
    add_backend(parser)
    parser.add_argument("--env", default="CartPole-v1", metavar="ENV_ID", help="task of a MODEL")
    add_trust(parser)
    parser.add_argument("--dt", type=float, metavar="S", help="step of a .nir file, seconds")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    if arguments.trust_env:
        look_here()
    found = _found(arguments)
    if arguments.json:
        print(json.dumps(found))
    else:
        _print(found)
    return 0


def _found(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what there is to say, as plain data."""
    from neurorl.errors import unknown_name_error
    from neurorl.models.presets import MODELS, make_config
    from neurorl.tasks.environments import discrete_actions, make_env

    path = Path(arguments.what)
    if arguments.what in MODELS:
        env = make_env(arguments.env)
        config = make_config(env, arguments.what)
        return _of_network(config.network(int(discrete_actions(env).n)), config.window, arguments)
    if path.suffix == ".nir":
        from neurorl.nir import from_nir

        return _of_network(from_nir(path, arguments.dt), None, arguments)
    if not path.exists():
        raise unknown_name_error("run directory or model", arguments.what, MODELS)
    return _of_run(path, arguments)


def _of_network(network: Any, window: int | None, arguments: argparse.Namespace) -> dict[str, Any]:
    from neurorl.backends.registry import load
    from neurorl.inspection.cost import static_cost

    asked = chosen_backend(arguments)
    options = {**asked["backend_options"], "noise": asked["noise"] or "exact"}
    name = asked["backend"] or "reference"
    with load(name, network, arithmetic=asked["arithmetic"], **options) as backend:
        found = _of_backend(backend)
    return {**found, "cost": None if window is None else static_cost(network, window)}


def _of_run(path: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    from neurorl.agents.checkpoint import digest
    from neurorl.inspection.cost import static_cost
    from neurorl.inspection.deployment import compare
    from neurorl.runs.evaluation import load_to_play, read_cost

    asked = chosen_backend(arguments)
    options = asked.pop("backend_options")
    agent, chosen = load_to_play(path, **asked, trust_env=arguments.trust_env)
    with _as_run(path, agent, chosen, options) as backend:
        found = _of_backend(backend, agent.weights)
    counted = read_cost(path)
    found["cost"] = {**static_cost(agent.network, agent.config.window), **counted}
    found["is_counted"] = bool(counted)
    if found["quantisation"]:
        described, deployed = {"arithmetic": "float"}, {**chosen, "backend": "reference"}
        found["quantisation"]["compared"] = compare(
            agent, COMPARED, first=described, second=deployed
        )
    found["diagnostics"] = agent.diagnostics if agent.episodes else None
    found["digest"] = digest(path / "checkpoint.npz" if path.is_dir() else path)
    return found


def _of_backend(backend: Backend, weights: dict[str, FloatArray] | None = None) -> dict[str, Any]:
    """Describe a compiled network. weights: before rounding; None for the initial ones."""
    from neurorl.inspection.quantisation import quantisation_report

    found: dict[str, Any] = {
        "backend": backend.name,
        "arithmetic": backend.arithmetic_name,
        "noise": backend.noise,
        "source": backend.source(),
    }
    found["quantisation"] = (
        quantisation_report(backend.network, weights, noise=backend.noise, seed=backend.seed)
        if backend.arithmetic.is_chip
        else None
    )
    table = getattr(backend, "chip_table", None)
    return {**found, "cores": None if table is None else table()}


def _print(found: dict[str, Any]) -> None:
    print(found["source"].rstrip())
    if found["quantisation"]:
        _print_quantisation(found["quantisation"])
    if found["cost"]:
        print("\nCost of a decision:")
        report(found["cost"], as_json=False)
    if not found.get("is_counted", True):
        print("(what depends on spikes is counted by neurorl evaluate)")
    if found.get("diagnostics"):
        _print_diagnostics(found["diagnostics"])
    if found.get("digest"):
        print(f"\nDigest, the same for equal runs: {found['digest']}")


def _print_quantisation(found: dict[str, Any]) -> None:
    for title, kind, keys in _TABLES:
        print(f"\n{title}")
        rows = [[row[kind], *(_short(row[key]) for key in keys)] for row in found[f"{kind}s"]]
        print_table((kind, *keys.values()), rows)
    compared = found.get("compared")
    if compared is None:
        return
    percent = f"{100 * compared['agreement']:.1f} %"
    print(f"\nOf {compared['decisions']} decisions, {percent} are those of float arithmetic:")
    columns = ("population", "rate", "other_rate", "error_percent", "rms")
    titles = ("population", "rate in float", "rate", "error %", "rms of neurons")
    rows = [[cell(row[name]) for name in columns] for row in compared["populations"]]
    print_table(titles, rows)


def _short(value: object) -> str:
    return f"{value:.2g}" if isinstance(value, float) else cell(value)


def _as_run(path: Path, agent: SpikingActorCritic, chosen: Setting, own: dict[str, Any]) -> Backend:
    """Compile a saved agent to play, or to learn if it does so on the chip."""
    from neurorl.agents.saved import read_agent
    from neurorl.backends.registry import load
    from neurorl.learning.loops.checks import learning_options

    described, _ = read_agent(path)
    config, name = described.config, chosen["backend"]
    if not config.learning.on_chip or name != described.backend:
        return agent.player(agent.seed, **chosen, backend_options=own).backend
    options = {**learning_options(config, name), **own, "noise": chosen["noise"]}
    return load(name, agent.network, **options)


def _print_diagnostics(found: dict[str, Any]) -> None:
    print(f"\nAfter {found['episodes']} episodes:")
    columns = ("population", "rate", "mean_abs_weight", "share_at_bounds", "verdict")
    titles = ("population", "rate", "mean |w|", "share at bounds", "verdict")
    rows = found["populations"]
    print_table(titles, [[cell(row[name]) for name in columns] for row in rows])
    for warning in found["warnings"]:
        print(warning["message"])
