"""Play agents on NEST that learned here, and train one there: returns, decisions, seconds.

    python scripts/nest_agents.py --episodes 10 --out docs/nest.json

Needs ``pip install ./examples/nest_backend``. A row for each of the three presets: greedy returns
on the reference and on NEST with the same seeds, and how many of 300 decisions differ.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np

from neurorl import (
    Network,
    Population,
    Projection,
    Source,
    SpikingActorCritic,
    Uniform,
    evaluate,
    load,
)
from neurorl.models import CubaLIF, FixedInDegree

TASKS = {"neurorl/GridWorld-v0": 100, "CartPole-v1": 60, "MountainCar-v0": 30}
BACKENDS = ("reference", "nest")


def decisions(agent: SpikingActorCritic, backend: str, observations: list[Any]) -> Any:
    """Return what the agent does on *backend* when it sees *observations*, and the seconds."""
    player = agent.player(7, backend)
    began = time.perf_counter()
    actions = [int(player.move(observation).action) for observation in observations]
    return np.array(actions), time.perf_counter() - began


def seen(agent: SpikingActorCritic, n: int) -> list[Any]:
    """Return observations of *n* random steps of the task."""
    env, observations = agent.lend_env(), []
    observation, _ = env.reset(seed=3)
    env.action_space.seed(3)
    for _ in range(n):
        observations.append(observation)
        observation, _, terminated, truncated, _ = env.step(env.action_space.sample())
        if terminated or truncated:
            observation, _ = env.reset()
    return observations


def play(task: str, learned: int, episodes: int) -> dict[str, Any]:
    """Return a row: an agent that learned on the reference, played on both."""
    agent = SpikingActorCritic(task, backend="reference", seed=1)
    agent.learn(total_episodes=learned)
    row: dict[str, Any] = {"task": task, "learned": learned, "episodes": episodes}
    for backend in BACKENDS:
        row[backend] = evaluate(agent, episodes=episodes, backend=backend, seed=5)["mean_return"]
    observations, chosen = seen(agent, 300), {}
    for backend in BACKENDS:
        chosen[backend], seconds = decisions(agent, backend, observations)
        row[f"{backend} ms a decision"] = round(1000 * seconds / len(observations), 3)
    row["decisions that differ"] = int(np.sum(chosen["reference"] != chosen["nest"]))
    row["return lost"] = row["reference"] - row["nest"]
    return row


def train(episodes: int) -> dict[str, Any]:
    """Return how training on NEST compares with training on the reference."""
    agents = [SpikingActorCritic("neurorl/GridWorld-v0", backend=b, seed=2) for b in BACKENDS]
    for agent in agents:
        agent.learn(total_episodes=episodes)
    ours, theirs = (agent.weights for agent in agents)
    largest = max(float(np.abs(ours[name] - theirs[name]).max()) for name in ours)
    returns = [agent.episodes[-1].ret for agent in agents]
    return {"episodes": episodes, "largest difference of a weight": largest, "last": returns}


def large(backend: str, neurons: int, **options: Any) -> dict[str, Any]:
    """Return seconds of building a recurrent network, and of 100 steps of it."""
    cells = Population("cells", neurons, CubaLIF(threshold=1.0, bias=0.06))
    network = Network(
        (Source("input", 1), cells),
        (Projection("loop", "cells", "cells", Uniform(-0.2, 0.2), connect=FixedInDegree(20)),),
    )
    began = time.perf_counter()
    with load(backend, network, seed=1, **options) as made:
        built = time.perf_counter()
        made.step({}, 20)
        warm = time.perf_counter()
        spikes = sum(int(made.step({}, 20)["cells"].sum()) for _ in range(5))
        seconds = time.perf_counter() - warm
    row = {"backend": backend, **options, "neurons": neurons, "spikes": spikes}
    return {**row, "s to build": round(built - began, 2), "s": round(seconds, 3)}


def main() -> None:
    """Print the tables, and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--neurons", type=int, default=100_000, help="of the large network")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    rows = []
    for task, learned in TASKS.items():
        rows.append(play(task, learned, options.episodes))
        print(rows[-1], flush=True)
    trained = train(5)
    print(trained)
    size = options.neurons
    runs: list[tuple[str, dict[str, Any]]] = [
        ("native", {}),
        ("nest", {}),
        ("nest", {"threads": 2}),
    ]
    grown = [large(backend, size, **more) for backend, more in runs]
    print(*grown, sep="\n")
    if options.out:
        options.out.write_text(
            json.dumps({"played": rows, "trained": trained, "large": grown}, indent=1) + "\n"
        )


if __name__ == "__main__":
    main()
