"""Train an agent on a Gymnasium environment, in a run directory (``neurorl train``)."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from neurorl.cli.kinds import path
from neurorl.cli.options import add_backend, chosen_backend, look_here
from neurorl.cli.output import cell, print_table, progress, report

__all__ = ["HELP", "add_arguments", "run"]

HELP = "train an agent on a Gymnasium environment"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "env", metavar="ENV_ID", help="of Gymnasium, or MODULE:ID, which imports MODULE first"
    )
    parser.add_argument(
        "--env-arg",
        action="append",
        default=[],
        metavar="K=V",
        help="an argument of the environment, such as is_slippery=false; may be repeated",
    )
    add_backend(parser)
    parser.add_argument("--model", metavar="M", help="lif (default), glm or lif-spiking-critic")
    parser.add_argument(
        "--learning", metavar="L", help="host (default), or pes: by the chip's own engine (loihi)"
    )
    parser.add_argument(
        "--approach",
        metavar="A",
        help="local (default): a three-factor rule; reparameterization: gradients, by PyTorch",
    )
    parser.add_argument(
        "--from",
        dest="start",
        type=path,
        metavar="RUN",
        help="begin with the weights and critic of another run",
    )
    parser.add_argument("--seed", type=int, metavar="N", help="decides everything (default 0)")
    parser.add_argument(
        "--seeds", metavar="N..M", help="several at once, such as 0..19 or 1,4,7; runs in DIR/seedN"
    )
    parser.add_argument("--episodes", type=int, metavar="N", help="in all (default 400)")
    parser.add_argument(
        "--steps",
        type=int,
        metavar="N",
        help="in place of --episodes: environment steps in all, for tasks whose episodes don't end",
    )
    parser.add_argument(
        "--out", type=path, metavar="DIR", help="the run directory (default: in runs/)"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(arguments: argparse.Namespace) -> int:
    from neurorl.errors import ArgumentError
    from neurorl.runs.training import read_seeds, train_seeds
    from neurorl.tasks.arguments import read_env_args

    if ":" in arguments.env:
        look_here()
    backend = chosen_backend(arguments)
    out = arguments.out or _default_out(arguments, backend)
    runs: list[tuple[int | None, Path]] = [(arguments.seed, out)]
    if arguments.seeds is not None:
        if arguments.seed is not None:
            raise ArgumentError("train", "takes --seed or --seeds, not both")
        runs = [(seed, out / f"seed{seed}") for seed in read_seeds(arguments.seeds)]
    with progress("training") as (advance, started):
        summaries = train_seeds(
            arguments.env,
            runs,
            **backend,
            model=arguments.model,
            learning=arguments.learning,
            episodes=arguments.episodes,
            steps=arguments.steps,
            approach=arguments.approach,
            start=arguments.start,
            env_args=read_env_args(arguments.env_arg) or None,
            resume=arguments.resume,
            callback=lambda e: advance(e.ret, e.length),
            started=started,
        )
    if arguments.json:
        print(json.dumps(summaries[0] if arguments.seeds is None else {"rows": summaries}))
        return 0
    rows = [{**row, "warnings": len(row["warnings"])} for row in summaries]
    if arguments.seeds is None:
        report(rows[0], as_json=False)
    else:
        columns = (
            *("seed", "env_steps", "mean_return_last_100", "solved_at_episode"),
            *("warnings", "run"),
        )
        print_table(columns, [[cell(row[name]) for name in columns] for row in rows])
    return 0


def _default_out(arguments: argparse.Namespace, backend: Mapping[str, Any]) -> Path:
    from neurorl.agents.algorithms import LOCAL, find_algorithm

    name = arguments.env.replace("/", "-")
    algorithm = find_algorithm(arguments.approach)
    where = backend["backend"] or "reference" if algorithm is LOCAL else algorithm.name
    parts = [name, where, arguments.model or "lif"]
    arguments_of_env = [re.sub(r"[^\w.+=-]", "_", text)[:40] for text in arguments.env_arg]
    given = (*arguments_of_env, backend["arithmetic"], backend["noise"], arguments.learning)
    parts += [part for part in given if part]
    parts += [] if arguments.seeds else [f"seed{arguments.seed or 0}"]
    return Path("runs") / "-".join(parts)
