"""Make a film of an agent at its task (``neurorl watch``)."""

from __future__ import annotations

import argparse

from neurorl.cli.options import add_backend, add_trust, beside, chosen_backend, look_here, path
from neurorl.cli.options import run as run_path

HELP = "make a film of an agent at its task, beside its spikes"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", type=run_path, metavar="RUN", help="or zoo:NAME, see neurorl zoo")
    parser.add_argument(
        "--out", type=path, metavar="FILE", help="gif or mp4 (default: watch.gif in RUN)"
    )
    add_backend(parser)
    add_trust(parser)
    parser.add_argument("--steps", type=int, default=200, metavar="N", help="decisions at most")
    parser.add_argument("--fps", type=int, default=10, metavar="N", help="frames a second")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of noise and task")


def run(arguments: argparse.Namespace) -> int:
    from neurorl.lab.watch import play_frames, watch
    from neurorl.runs.evaluation import load_to_play

    asked = chosen_backend(arguments)
    if arguments.trust_env:
        look_here()
    setting = asked.backend, asked.arithmetic, asked.noise
    agent, chosen = load_to_play(arguments.run, *setting, trust_env=arguments.trust_env)
    frames = play_frames(agent, arguments.steps, seed=arguments.seed, **chosen)
    print(watch(frames, arguments.out or beside(arguments.run, "watch.gif"), fps=arguments.fps))
    return 0
