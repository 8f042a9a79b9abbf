"""Time many agents in one native program on threads, over the same on one thread.

    python scripts/replica_threads.py [--replicas 1000] [--threads 2] [--agents cartpole deep catch]
        [--warm 600] [--blocks 10] [--steps 50] [--json]

Agents learn, a seed each, on a vector of environments: *cartpole* is the preset of CartPole-v1,
*deep* sees its raw numbers, and *catch* the 100 pixels of a ball that falls and a paddle below.
After *warm* steps, blocks of *steps* alternate between both; the ratio is the median of those of
pairs of blocks. in_c: the share of a step on one thread that is no Python. Exit status 1 unless all
agents know the same in the end, in every bit.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space

from neurorl import SpikingActorCritic
from neurorl.agents.budget import Budget
from neurorl.agents.replicas import Replicas
from neurorl.cli.output import print_table
from neurorl.cli.status import exit_status
from neurorl.tasks.groups import env_group

_CARTPOLE, _SIDE = "CartPole-v1", 10
Vector = gym.vector.VectorEnv[Any, Any, Any]


class Catch(gym.vector.VectorEnv[Any, Any, Any]):
    """Let balls fall through *n* images of 10 x 10 pixels; actions move the paddle that catches."""

    def __init__(self, n: int) -> None:
        self.num_envs = n
        self.metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP}
        self.single_observation_space = gym.spaces.Box(0, 1, (_SIDE, _SIDE, 1), np.bool_)
        self.single_action_space = gym.spaces.Discrete(3)
        self.observation_space = batch_space(self.single_observation_space, n)
        self.action_space = batch_space(self.single_action_space, n)
        self.row = np.full(n, _SIDE - 1)
        self.column, self.paddle = np.zeros((2, n), dtype=int)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        """Begin all episodes."""
        super().reset(seed=seed)
        return self._begin(np.ones(self.num_envs, dtype=bool)), {}

    def step(self, actions: Any) -> Any:
        """Let balls fall by a row; an episode ends as its ball arrives, with 1 or -1."""
        fresh = self.row == _SIDE - 1
        self.row += 1
        self.paddle = np.clip(self.paddle + np.asarray(actions) - 1, 0, _SIDE - 1)
        seen = self._begin(fresh)
        ended = self.row == _SIDE - 1
        caught = np.where(self.paddle == self.column, 1.0, -1.0)
        return seen, np.where(ended, caught, 0.0), ended, np.zeros_like(ended), {}

    def _begin(self, fresh: Any) -> Any:
        """Begin some episodes, and return what all show."""
        self.row[fresh], self.paddle[fresh] = 0, _SIDE // 2
        self.column[fresh] = self.np_random.integers(_SIDE, size=int(fresh.sum()))
        seen, k = np.zeros((self.num_envs, _SIDE, _SIDE, 1), bool), np.arange(self.num_envs)
        seen[k, self.row, self.column] = seen[k, -1, self.paddle] = True
        return seen


def _cartpole(n: int) -> Vector:
    return gym.make_vec(_CARTPOLE, num_envs=n, vectorization_mode="vector_entry_point")


AGENTS: dict[str, tuple[Callable[[int], Vector], str]] = {
    "cartpole": (_cartpole, "lif"),
    "deep": (_cartpole, "deep"),
    "catch": (Catch, "deep"),
}
"""Map agents to their environments and model."""


class _Shown(gym.Env[Any, Any]):
    """Have the spaces of one of several environments, from which an agent's parts are chosen."""

    def __init__(self, envs: Vector) -> None:
        self.observation_space = envs.single_observation_space
        self.action_space = envs.single_action_space


class Timed:
    """Hold agents that learn step by step, and the seconds of it that C took."""

    def __init__(self, name: str, replicas: int, threads: int, steps: int) -> None:
        make, model = AGENTS[name]
        envs = make(replicas)
        one = SpikingActorCritic(_CARTPOLE if name == "cartpole" else _Shown(envs), model, seed=0)
        n_actions = int(envs.single_action_space.n)  # type: ignore[attr-defined]
        self.agents = Replicas(
            env_group(envs),
            one.config,
            n_actions,
            range(replicas),
            backend="native",
            options={"threads": threads},
        )
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


def measure(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return a row of figures."""
    total = options.warm + options.blocks * options.steps + 5
    runs = {t: Timed(name, options.replicas, t, total) for t in (1, options.threads)}
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
        "agents": name,
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
    """Print a row for each kind of agents."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--replicas", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--agents", nargs="+", choices=AGENTS, default=[*AGENTS])
    parser.add_argument("--warm", type=int, default=600, help="steps before the first block")
    parser.add_argument("--blocks", type=int, default=10)
    parser.add_argument("--steps", type=int, default=50, help="of a block")
    parser.add_argument("--json", action="store_true", help="print one JSON object a row")
    options = parser.parse_args(arguments)
    rows = [measure(name, options) for name in options.agents]
    if options.json:
        for row in rows:
            print(json.dumps(row))
    else:
        print_table((*rows[0],), [[str(cell) for cell in row.values()] for row in rows])
    return int(not all(row["equal"] for row in rows))


if __name__ == "__main__":
    raise SystemExit(main())
