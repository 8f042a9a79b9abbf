"""Train agents in Xylo's integers, and play them on the vendor's simulator of the chip.

    python scripts/xylo_agents.py [--seeds 10] [--episodes 200] [--played 5] [--json]

Both networks fit XyloAudio 3: at most 16 inputs, 128 hidden neurons that these reach, 32 output
neurons, deterministic neurons whose decays are shifts. Actions are drawn by a softmax over spike
counts, so exploration needs no noise of the chip. Played: the actions of most spikes, on native and
on xylosim, whose episodes must be equal; and agents that learned in floats, in Xylo's integers.
Exit status 1 if an episode differs.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
from typing import Any

import numpy as np

from experiments.deploy_xylo import chip_neuron
from neurorl import SpikingActorCritic, evaluate
from neurorl.cli.status import exit_status
from neurorl.models.defaults.presets import make_config
from neurorl.tasks.environments import make_env

TASKS = {"CartPole-v1": (1.0, {"cells": 3}, 8), "neurorl/GridWorld-v0": (0.35, {"per_side": 4}, 4)}
"""Map each task to the threshold of its neurons, its cells and how many actors vote."""


def agent(task: str, seed: int, backend: str, loop: str | None = None) -> SpikingActorCritic:
    """Return an agent whose network fits the chip."""
    threshold, cells, actors = TASKS[task]
    shipped: Any = make_config(make_env(task), "lif").cells
    own = dataclasses.replace(shipped, **cells)
    return SpikingActorCritic(
        task,
        backend=backend,
        seed=seed,
        loop=loop,
        neuron=chip_neuron(threshold),
        cells=own,
        actors=actors,
        bias=False,
    )


def played(one: SpikingActorCritic, episodes: int, backend: str) -> list[float]:
    """Return the return of each episode."""
    returns: list[float] = []
    arithmetic = "xylo"
    evaluate(
        one,
        episodes,
        seed=1,
        backend=backend,
        arithmetic=arithmetic,
        callback=lambda _, total: returns.append(total),
    )
    return returns


def trained(task: str, seed: int, episodes: int, n_played: int, backends: list[str]) -> Any:
    """Return what an agent reached: in training, then played on each backend."""
    learner = agent(task, seed, "native:xylo")
    in_training = [episode.ret for episode in learner.learn(total_episodes=episodes)]
    row: dict[str, Any] = {"seed": seed, "last": float(np.mean(in_training[-50:]))}
    row |= {backend: played(learner, n_played, backend) for backend in backends}
    in_floats = agent(task, seed, "native:float")
    row["float_last"] = float(
        np.mean([x.ret for x in in_floats.learn(total_episodes=episodes)][-50:])
    )
    row["float_on_chip"] = played(in_floats, n_played, "native")
    return row


@exit_status("xylo_agents")
def main(arguments: list[str] | None = None) -> int:
    """Train, play and print a line for each task."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--episodes", type=int, default=200)
    parser.add_argument("--played", type=int, default=5, help="episodes on each backend")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    has_vendor = importlib.util.find_spec("xylosim") is not None
    backends = ["native", *["xylo"] * has_vendor]
    found = {
        task: [
            trained(task, seed, options.episodes, options.played, backends)
            for seed in range(options.seeds)
        ]
        for task in TASKS
    }
    different = 0
    for task, rows in found.items():
        wrong = [row["seed"] for row in rows if has_vendor and row["native"] != row["xylo"]]
        different += len(wrong)
        if options.json:
            continue
        means = {key: np.mean([row[key] for row in rows]) for key in rows[0] if key != "seed"}
        shown = ", ".join(f"{key} {mean:.1f}" for key, mean in means.items())
        print(f"{task}, {len(rows)} seeds: {shown}; worst {min(row['last'] for row in rows):.1f}")
        print(f"  xylosim's episodes differ for seeds {wrong}" if has_vendor else "  no xylosim")
    if options.json:
        print(json.dumps({"rows": found, "different": different}))
    return int(bool(different))


if __name__ == "__main__":
    raise SystemExit(main())
