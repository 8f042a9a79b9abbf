"""Print a network as a backend runs it (``neurorl show``)."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from neurorl.cli.options import BACKEND, TRUST, ChosenBackend, chosen_backend, command, look_here
from neurorl.cli.output import cell, print_rows, report
from neurorl.storage.plain import PlainData

if TYPE_CHECKING:
    from neurorl.agents.checkpoint import Setting
    from neurorl.agents.local import SpikingActorCritic
    from neurorl.backends.base import Backend
    from neurorl.diagnostics.monitor import Diagnostics
    from neurorl.lab.learning import LearningReport
    from neurorl.network.description import Network
    from neurorl.numerics.arrays import FloatArray

_TABLES = {
    "Errors of chip arithmetic, of the threshold (or noise); of decays, of what is left:": (
        "population, threshold_error: threshold, threshold_lowered: lowered, bias_error: bias,"
        " current_decay_error: current decay, membrane_decay_error: membrane decay,"
        " noise_error: noise"
    ),
    "Of the registers, if all inputs spike at once (above 100 % they overflow):": (
        "population, arriving_percent: arriving %, current_percent: current %, bias_percent: bias %"
    ),
    "Weights; errors of the threshold (or noise) they lead to:": (
        "projection, resolution, largest, worst_error: worst error, rms_error: rms,"
        " clipped_percent: clipped %, zeroed_percent: to 0 %"
    ),
}
"""Map titles to what is printed of a `neurorl.lab.quantisation`: its rows of the first column."""

COMPARED = 200
"""Compare chip arithmetic with float over this many decisions of a run."""


@command(f"""
print a network as a backend runs it

what RUN_OR_MODEL      a run, zoo:NAME, lif, glm or a .nir file
{BACKEND}
--learning             also which rule changes which weights, and how
--env ENV_ID =CartPole-v1  task of a MODEL, or of a run without its own
{TRUST}
--dt S float           step of a .nir file, seconds
--json                 print one JSON object
""")
def show(arguments: argparse.Namespace) -> None:
    if arguments.trust_env:
        look_here()
    shown = _shown(arguments)
    if arguments.json:
        print(json.dumps(shown))
    else:
        _print(shown)


def _shown(arguments: argparse.Namespace) -> PlainData:
    """Return what there is to say of a network as a backend runs it: the JSON that is printed."""
    from neurorl.agents.checkpoint import modules
    from neurorl.errors import unknown_name_error
    from neurorl.lab.learning import learning_report
    from neurorl.models.defaults.presets import MODELS, make_config
    from neurorl.storage.zoo import located
    from neurorl.tasks.actions import read_actions
    from neurorl.tasks.environments import make_env
    from neurorl.validation.subject import TASK, check_of_subject

    named = {"env": arguments.env != TASK, "dt": arguments.dt is not None}
    check_of_subject(arguments.what, {**named, "trust_env": arguments.trust_env})
    path, asked = located(arguments.what), chosen_backend(arguments)
    if arguments.what in MODELS:
        env = make_env(arguments.env)
        config = make_config(env, arguments.what)
        network = config.network(sum(modules(config, read_actions(env), arguments.env)))
        shown = _of_network(network, config.window, asked)
        if arguments.learning:
            shown["learning"] = learning_report(network, config)
        return shown
    if path.suffix == ".nir":
        from neurorl.nir import from_nir

        return _of_network(from_nir(path, arguments.dt), None, asked)
    if not path.exists():
        raise unknown_name_error("run directory or model", arguments.what, MODELS)
    return _of_run(path, asked, arguments.env if named["env"] else None, arguments)


def _of_network(network: Network, window: int | None, asked: ChosenBackend) -> PlainData:
    from neurorl.backends.registry import load
    from neurorl.network.cost import static_cost

    options = {**asked.backend_options, "noise": asked.noise or "exact"}
    name = asked.backend or "reference"
    cost = None if window is None else static_cost(network, window)
    with load(name, network, arithmetic=asked.arithmetic, **options) as backend:
        return {**_of_backend(backend), "cost": cost}


def _of_run(
    path: Path, asked: ChosenBackend, env: str | None, arguments: argparse.Namespace
) -> PlainData:
    from neurorl.agents.checkpoint import checkpoint_in, digest
    from neurorl.agents.evaluation import load_to_play, read_cost
    from neurorl.lab.learning import learning_report
    from neurorl.lab.quantisation import compare
    from neurorl.network.cost import static_cost

    setting = asked.backend, asked.arithmetic, asked.noise
    agent, chosen = load_to_play(path, *setting, env=env, trust_env=arguments.trust_env)
    counted = read_cost(path)
    with _as_run(path, agent, chosen, asked.backend_options) as backend:
        shown = _of_backend(backend, agent.weights)
    if shown["quantisation"] is not None:
        described, deployed = {"arithmetic": "float"}, {**chosen, "backend": "reference"}
        compared = compare(agent, COMPARED, first=described, second=deployed)
        shown["quantisation"]["compared"] = compared
    shown["cost"] = {**static_cost(agent.network, agent.config.window), **counted}
    if arguments.learning:
        shown["learning"] = learning_report(agent.network, agent.config)
    return shown | {
        "is_counted": bool(counted),
        "diagnostics": agent.diagnostics if agent.episodes else None,
        "digest": digest(checkpoint_in(path) if path.is_dir() else path),
    }


def _of_backend(backend: Backend, weights: dict[str, FloatArray] | None = None) -> PlainData:
    """Describe a compiled network. weights: before rounding; None for the initial ones."""
    from neurorl.lab.quantisation import quantisation_report

    table, report = getattr(backend, "chip_table", None), None
    setting: PlainData = {"arithmetic": backend.arithmetic_name, "noise": backend.noise}
    shown = {"backend": backend.name, **setting, "source": backend.source()}
    if backend.arithmetic.is_chip:
        report = quantisation_report(backend.network, weights, **setting, seed=backend.seed)
    return {**shown, "quantisation": report, "cores": None if table is None else table()}


def _print(shown: PlainData) -> None:
    print(shown["source"].rstrip())
    if shown["quantisation"]:
        _print_quantisation(shown["quantisation"])
    if shown["cost"]:
        print("\nCost of a decision:")
        report(shown["cost"], as_json=False)
    if "learning" in shown:
        _print_learning(shown["learning"])
    if "digest" not in shown:
        return
    if not shown["is_counted"]:
        print("(what depends on spikes is counted by neurorl evaluate)")
    if shown["diagnostics"]:
        _print_diagnostics(shown["diagnostics"])
    print(f"\nDigest, the same for equal runs: {shown['digest']}")


def _print_learning(learning: LearningReport) -> None:
    """Print a line for each projection that learns, its rule's factors, and the agent's parts."""
    print("\nLearning: an eligibility adds trace * factor in each step, a weight rate * modulator")
    print("* eligibility after each decision (docs/theory.md):")
    kept = "eligibility_kept: kept a decision, trace_kept: trace kept a step"
    print_rows(f"projection, rule, rate, {kept}, low, high", learning["projections"])
    factors = {row["population"]: row["factor"] for row in learning["projections"]}
    for population, factor in factors.items():
        print(f"factor of {population}: {factor or 'a function'}")
    report(learning["parts"], as_json=False)


def _print_quantisation(quantisation: PlainData) -> None:
    for title, columns in _TABLES.items():
        print(f"\n{title}")
        print_rows(columns, quantisation[f"{columns.partition(',')[0]}s"], _short)
    if "compared" in quantisation:
        compared = quantisation["compared"]
        percent = f"{100 * compared['agreement']:.1f} %"
        print(f"\nOf {compared['decisions']} decisions, {percent} are those of float arithmetic:")
        rates = "rate: rate in float, other_rate: rate, error_percent: error %"
        print_rows(f"population, {rates}, rms: rms of neurons", compared["populations"])


def _short(value: object) -> str:
    return f"{value:.2g}" if isinstance(value, float) else cell(value)


def _as_run(
    path: Path, agent: SpikingActorCritic, chosen: Setting, own: Mapping[str, object]
) -> Backend:
    """Compile a saved agent to play, or to learn if it does so on the chip."""
    from neurorl.agents.checkpoint import read_agent
    from neurorl.backends.registry import load
    from neurorl.learning.loops.checks import learning_options

    described, _ = read_agent(path)
    config, name = described.config, chosen["backend"]
    if not config.learning.on_chip or name != described.backend:
        return agent.player(agent.seed, **chosen, backend_options=own).backend
    options = {**learning_options(config, name), **own, "noise": chosen["noise"]}
    return load(name, agent.network, **options)


def _print_diagnostics(diagnostics: Diagnostics) -> None:
    print(f"\nAfter {diagnostics['episodes']} episodes:")
    weights = "mean_abs_weight: mean |w|, share_at_bounds: share at bounds"
    print_rows(f"population, rate, {weights}, verdict", diagnostics["populations"])
    for warning in diagnostics["warnings"]:
        print(warning["message"])
