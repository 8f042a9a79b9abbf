"""Time many agents in one native program on threads, over the same on one thread.

    python scripts/replica_threads.py [--replicas 1000] [--threads 2] [--models lif deep]
        [--warm 600] [--blocks 10] [--steps 50] [--json]

Agents of CartPole-v1 learn on Gymnasium's vector of environments, a seed each. After *warm* steps,
blocks of *steps* alternate between both; the ratio is the median of those of pairs of blocks. In
C: the share of a step on one thread that is no Python. Exit status 1 unless all agents know the
same in the end, in every bit.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import statistics
import time
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np

from neurorl import SpikingActorCritic
from neurorl.agents.budget import Budget
from neurorl.agents.replicas import Replicas
from neurorl.cli.output import print_table
from neurorl.cli.status import exit_status
from neurorl.tasks.groups import env_group

_TASK, _MODE = "CartPole-v1", "vector_entry_point"


class Timed:
    """Hold agents that learn step by step, and the seconds of it that C took."""

    def __init__(self, model: str, replicas: int, threads: int, steps: int) -> None:
        config = SpikingActorCritic(_TASK, model, seed=0).config
        envs = env_group(gym.make_vec(_TASK, num_envs=replicas, vectorization_mode=_MODE))
        of_native = {"backend": "native", "options": {"threads": threads}}
        self.agents = Replicas(envs, config, 2, range(replicas), **of_native)
        self.in_c = 0.0
        loop: Any = self.agents.loop
        loop.decide, loop.learn = self._noting(loop.decide), self._noting(loop.learn)
        self._playing: Iterator[int] = self.agents.play(Budget(None, steps))
        next(self._playing)

    def _noting(self, call: Any) -> Any:
        def noted() -> Any:
            began = time.perf_counter()
            answer = call()
            self.in_c += time.perf_counter() - began
            return answer

        return noted

    def take(self, steps: int) -> float:
        """Let all agents take so many steps; return the seconds."""
        began = time.perf_counter()
        for _ in range(steps):
            next(self._playing)
        return time.perf_counter() - began

    def digest(self) -> str:
        """Let the agents end, and return a digest of what all know."""
        for _ in self._playing:
            pass
        digest = hashlib.sha256()
        for k in range(len(self.agents.seeds)):
            for name, value in sorted(self.agents.state(k).items()):
                if "wall" not in name:
                    digest.update(name.encode() + np.ascontiguousarray(value).tobytes())
        self.agents.close()
        return digest.hexdigest()


def measure(model: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return a row of figures."""
    total = options.warm + options.blocks * options.steps + 5
    runs = {t: Timed(model, options.replicas, t, total) for t in (1, options.threads)}
    for run in runs.values():
        run.take(options.warm)
    seconds: dict[int, list[float]] = {threads: [] for threads in runs}
    before = runs[1].in_c
    for block in range(options.blocks):
        for threads in [*runs][:: 1 - 2 * (block % 2)]:
            seconds[threads].append(runs[threads].take(options.steps))
    share = (runs[1].in_c - before) / sum(seconds[1])
    ratios = [one / many for one, many in zip(seconds[1], seconds[options.threads], strict=True)]
    a_step = {t: 1e6 * statistics.median(s) / options.steps for t, s in seconds.items()}
    lengths = [e.length for played in runs[1].agents.episodes for e in played[-1:]] or [0]
    return {
        "model": model,
        "replicas": options.replicas,
        "threads": options.threads,
        "us_one": round(a_step[1] / options.replicas, 2),
        "us_many": round(a_step[options.threads] / options.replicas, 2),
        "ratio": round(statistics.median(ratios), 3),
        "least": round(min(ratios), 3),
        "most": round(max(ratios), 3),
        "in_c": round(share, 3),
        "episode": round(float(np.mean(lengths)), 1),
        "equal": len({run.digest() for run in runs.values()}) == 1,
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }


@exit_status("replica_threads")
def main(arguments: list[str] | None = None) -> int:
    """Print a row for each model."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replicas", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--models", nargs="+", default=["lif", "deep"])
    parser.add_argument("--warm", type=int, default=600, help="steps before the first block")
    parser.add_argument("--blocks", type=int, default=10)
    parser.add_argument("--steps", type=int, default=50, help="of a block")
    parser.add_argument("--json", action="store_true", help="print one JSON object a row")
    options = parser.parse_args(arguments)
    rows = [measure(model, options) for model in options.models]
    if options.json:
        for row in rows:
            print(json.dumps(row))
    else:
        print_table((*rows[0],), [[str(cell) for cell in row.values()] for row in rows])
    return int(not all(row["equal"] for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
