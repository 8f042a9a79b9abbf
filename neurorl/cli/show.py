"""``neurorl show``: a network as a backend runs it, and what a decision costs."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neurorl.cli.options import add_backend
from neurorl.cli.output import cell, print_table, report

__all__ = ["HELP", "add_arguments", "run"]

HELP = "print a network as a backend runs it"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("what", metavar="RUN_OR_MODEL", help="a run, lif, glm or a .nir file")
    add_backend(parser)
    parser.add_argument("--env", default="CartPole-v1", metavar="ENV_ID", help="task of a MODEL")
    parser.add_argument("--dt", type=float, metavar="S", help="step of a .nir file, seconds")


def run(arguments: argparse.Namespace) -> int:
    from neurorl.backend import load
    from neurorl.cost import static_cost
    from neurorl.envs import discrete_actions, make_env
    from neurorl.errors import unknown
    from neurorl.evaluation import load_to_play, read_cost
    from neurorl.presets import MODELS, make_config

    if arguments.what in MODELS:
        env = make_env(arguments.env)
        config = make_config(env, arguments.what)
        network = config.network(int(discrete_actions(env).n))
        with load(**_asked(arguments), network=network) as compiled:
            print(compiled.source())
        _print_cost(static_cost(network, config.window))
        return 0
    path = Path(arguments.what)
    if path.suffix == ".nir":
        return _show_nir(path, arguments)
    if not path.exists():
        raise unknown("run directory or model", arguments.what, MODELS)
    agent, chosen = load_to_play(path, arguments.backend, arguments.arithmetic, arguments.noise)
    with agent.player(agent.seed, **chosen).backend as compiled:
        print(compiled.source())
    counted = read_cost(path)
    _print_cost({**static_cost(agent.network, agent.config.window), **counted})
    if not counted:
        print("(what depends on spikes is counted by neurorl evaluate)")
    if agent.episodes:
        _print_diagnostics(agent.diagnostics)
    return 0


def _print_diagnostics(found: dict[str, Any]) -> None:
    print(f"\nAfter {found['episodes']} episodes:")
    columns = ("population", "rate", "mean_abs_weight", "share_at_bounds", "verdict")
    titles = ("population", "rate", "mean |w|", "share at bounds", "verdict")
    rows = found["populations"]
    print_table(titles, [[cell(row[name]) for name in columns] for row in rows])
    for warning in found["warnings"]:
        print(warning["message"])


def _show_nir(path: Path, arguments: argparse.Namespace) -> int:
    from neurorl.backend import load
    from neurorl.nir import from_nir

    network = from_nir(path, arguments.dt)
    with load(**_asked(arguments), network=network) as backend:
        print(backend.source())
    return 0


def _asked(arguments: argparse.Namespace) -> dict[str, Any]:
    """Options of `neurorl.load`."""
    return {
        "name": arguments.backend or "reference",
        "arithmetic": arguments.arithmetic,
        "noise": arguments.noise or "exact",
    }


def _print_cost(cost: Mapping[str, float]) -> None:
    print("\nCost of a decision:")
    report(cost, as_json=False)
