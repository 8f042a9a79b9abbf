"""Measure the parts of an environment step, for the CartPole preset on native.

    python scripts/bench_loop.py [--rounds 7] [--json] [--out FILE]

Each part is called many times alone; rounds are interleaved, medians of CPU time. *python* is the
loop with an environment and an agent that do nothing: its own bookkeeping. *loop* is real training;
*rest* is what that costs beyond the parts, which in turn empty each other's caches.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import write_measured
from neurorl import SpikingActorCritic
from neurorl.agents.budget import Budget
from neurorl.agents.replicas import Replicas
from neurorl.cli.status import exit_status
from neurorl.learning.loops.native import NativeLoop
from neurorl.network.serialization import positive
from neurorl.tasks.environments import make_env

PARTS = ("gymnasium", "see", "encode", "window", "choose", "critic", "rule", "python")
LEAN = ("see", "encode", "choose", "critic", "python")


def measure(rounds: int, calls: int = 2000) -> dict[str, float]:
    """Return microseconds of each part and of the loop; ``lean``: `LEAN` over Gymnasium's step."""
    agent = SpikingActorCritic("CartPole-v1", backend="native", seed=11, loop="native")
    agent.learn(total_episodes=60)  # episodes of some length, spikes as in training
    loop = agent._replicas.loop
    assert isinstance(loop, NativeLoop)
    loop.active[:] = True
    observation = np.array([0.01, 0.2, 0.02, -0.3], dtype=np.float32)
    ways = _ways(loop, observation)
    times: dict[str, list[float]] = {name: [] for name in (*ways, "loop")}
    training = SpikingActorCritic("CartPole-v1", backend="native", seed=11, loop="native")
    # From here on episodes are long, and starting one costs little.
    training.learn(total_episodes=150)
    for number in range(1, rounds + 1):
        for name, way in ways.items():
            times[name].append(_per_call(way, calls))
        before, start = training.env_steps, time.process_time()
        training.learn(total_episodes=150 + 10 * number)
        times["loop"].append((time.process_time() - start) / (training.env_steps - before) * 1e6)
    medians = {name: statistics.median(values) for name, values in times.items()}
    medians["rule"] -= medians["critic"]  # was measured with it
    medians["python"] -= medians["see"]
    medians["rest"] = medians["loop"] - sum(medians[name] for name in PARTS)
    return {**medians, "lean": sum(medians[name] for name in LEAN) / medians["gymnasium"]}


def _ways(loop: NativeLoop, observation: np.ndarray) -> dict[str, Callable[[], object]]:
    env = make_env("CartPole-v1")
    env.reset(seed=0)
    unwrapped = env.unwrapped
    start = unwrapped.state  # type: ignore[attr-defined]

    def step() -> None:
        unwrapped.state = start  # type: ignore[attr-defined]
        env.step(1)

    def critic() -> None:
        layers, loop._agent.n_layers = loop._agent.n_layers, 0
        loop.learn()
        loop._agent.n_layers = layers

    return {
        "gymnasium": step,
        "see": lambda: loop.see(0, observation),
        "encode": loop._encode,
        "window": lambda: loop.window.run(True),
        "choose": loop._choose,
        "critic": critic,
        "rule": loop.learn,
        "python": _idle_loop(observation),
    }


def _idle_loop(observation: np.ndarray) -> Callable[[], object]:
    """Return a step of a loop in which neither the environment nor the agent does anything."""
    agents = SpikingActorCritic("CartPole-v1", backend="native", seed=11, loop="native")._replicas
    assert isinstance(agents, Replicas)
    answer: Any = (0, observation, 1.0, False, False, {})
    agents.envs.step = lambda actions, active: [answer]  # type: ignore[method-assign]
    agents.loop.decide = lambda: agents.loop.actions  # type: ignore[method-assign]
    agents.loop.learn = lambda: None  # type: ignore[method-assign]
    return agents.play(Budget(1)).__next__


def _per_call(way: Callable[[], object], calls: int) -> float:
    start = time.process_time()
    for _ in range(calls):
        way()
    return (time.process_time() - start) / calls * 1e6


@exit_status("bench_loop")
def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7, help="interleaved rounds (default 7)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write it as JSON")
    options = parser.parse_args(arguments)
    positive("--rounds", options.rounds)
    result = measure(options.rounds)
    if options.out:
        command = f"python scripts/bench_loop.py --rounds {options.rounds}"
        write_measured(options.out, command, result)
    if options.json:
        print(json.dumps({name: round(value, 2) for name, value in result.items()}))
        return 0
    for name in (*PARTS, "rest", "loop"):
        print(f"{name:10s} {result[name]:7.2f} us")
    print(f"{' + '.join(LEAN)} = {result['lean']:.2f} of Gymnasium's step")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
