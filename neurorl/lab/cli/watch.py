"""Make a film of an agent at its task (``neurorl watch``)."""

from __future__ import annotations

import argparse

from neurorl.cli.options import BACKEND, TRUST, added, beside, chosen_backend, look_here

HELP = "make a film of an agent at its task, beside its spikes"


add_arguments = added(f"""
run RUN run            or zoo:NAME, see neurorl zoo
--out FILE path        gif or mp4 (default: watch.gif in RUN)
{BACKEND}
{TRUST}
--steps N int =200     decisions at most
--fps N int =10        frames a second
--seed N int =0        of noise and task
""")


def run(arguments: argparse.Namespace) -> int:
    from neurorl.agents.evaluation import load_to_play
    from neurorl.lab.watch import play_frames, watch

    asked = chosen_backend(arguments)
    if arguments.trust_env:
        look_here()
    setting = asked.backend, asked.arithmetic, asked.noise
    agent, chosen = load_to_play(arguments.run, *setting, trust_env=arguments.trust_env)
    frames = play_frames(agent, arguments.steps, seed=arguments.seed, **chosen)
    print(watch(frames, arguments.out or beside(arguments.run, "watch.gif"), fps=arguments.fps))
    return 0
