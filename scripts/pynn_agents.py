"""Play pretrained agents on PyNN's simulators: returns, and decisions on what they see there.

    python scripts/pynn_agents.py [--targets nest brian2] [--agents cartpole-lif] [--episodes 10]
    python scripts/pynn_agents.py --page

Agents play greedily, several episodes side by side, each decision from silence. The reference sees
all that is seen there, with the same draws, and says what it would do; it also plays the same
episodes by itself. Rows are kept in docs/pynn.json; the table is in docs/pynn.md. --page only
writes the table.
"""

from __future__ import annotations

import argparse
import importlib
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from neurorl import SpikingActorCritic, load
from neurorl.agents.player import Player
from neurorl.backends.base import Backend
from neurorl.backends.checks import Inputs
from neurorl.backends.reference.simulator import ReferenceSimulator
from neurorl.backends.simulator import Simulator
from neurorl.backends.window import Raster, WindowCall
from neurorl.learning.loops.choose import make_loop
from neurorl.numerics.random import derive
from neurorl.pynn import Windows
from neurorl.tasks.specification import copy_env

ROOT = Path(__file__).parents[1]
DATA, PAGE = ROOT / "docs" / "pynn.json", ROOT / "docs" / "pynn.md"
START, END = "<!-- agents: start -->\n", "<!-- agents: end -->"
AGENTS = ("gridworld-lif", "cartpole-lif", "mountaincar-lif", "gridworld-glm")
TARGETS = ("nest", "brian2")
SEED = 5
CHUNK = 50  # decisions for which a network is built


class OnPynn(ReferenceSimulator):
    """Play windows on PyNN, and keep their time; each begins from silence.

    module: PyNN's. kept: weights of one replica, by projection.
    """

    name: ClassVar[str] = "pynn"

    def __init__(self, module: Any, kept: dict[str, Any]) -> None:
        self.module, self.kept = module, kept
        self._windows: Windows | None = None

    def window(self, inputs: Inputs, rasters: dict[str, Raster], n_steps: int) -> WindowCall | None:
        return None

    def step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        simulated = self.simulated
        begins = [self.time(k) for k in range(simulated.n_replicas)]
        if self._windows is None or not self._follow(self._windows, begins):
            self._windows = Windows(
                simulated.network,
                self.module,
                n_steps,
                CHUNK,
                self.kept,
                simulated.seeds[0],
                begins,
            )
        super().step(inputs, n_steps)
        theirs = self._windows.play({name: inputs[name] for name in inputs})
        return {name: theirs[name] for name in simulated.record}

    def _follow(self, windows: Windows, begins: Sequence[int]) -> bool:
        """Return whether these are the steps of the next window."""
        steps = windows.played * windows.n_steps
        return windows.played < windows.n_windows and begins == [b + steps for b in windows.begins]


def player(agent: SpikingActorCritic, simulator: type[Simulator], replicas: int, **o: Any) -> Any:
    """Return a greedy player of so many episodes side by side, and its backend."""
    seed = derive(SEED, 3, agent.seed)
    weights = {name: np.stack([w] * replicas) for name, w in agent.weights.items()}
    backend: Backend = load(simulator, agent.network, seed=(seed,) * replicas, weights=weights, **o)
    n_actions = int(agent.env.action_space.n)  # type: ignore[attr-defined]
    return Player(make_loop(agent.config, backend, n_actions, greedy=True, learns=False))


def play(
    agent: SpikingActorCritic, episodes: int, playing: Any, watching: Any = None
) -> tuple[list[float], int, int]:
    """Return discounted and undiscounted returns, the decisions made, and those that differ.

    watching: sees the same, and decides too.
    """
    envs = [agent.lend_env(), *(copy_env(agent.env, is_quiet=True) for _ in range(episodes - 1))]
    players = [playing] if watching is None else [playing, watching]
    returns, made, differing = [0.0] * episodes, 0, 0
    start = int(envs[0].action_space.start)  # type: ignore[attr-defined]
    for k, env in enumerate(envs):
        observation, _ = env.reset(seed=derive(SEED, 4, k) & 0x7FFFFFFF)
        for one in players:
            one.begin_episode(k, k)
            one.see(k, observation)
    running, factors = set(range(episodes)), [1.0] * episodes
    discount = agent.config.gamma if "GridWorld" in agent.env_id else 1.0
    while running:
        decided = [one.decide() for one in players]
        for k in sorted(running):
            made += 1
            differing += decided[0][k] != decided[-1][k]
            observation, reward, terminated, truncated, _ = envs[k].step(decided[0][k] + start)
            returns[k] += factors[k] * float(reward)
            factors[k] *= discount
            for one in players:
                if terminated or truncated:
                    one.rest(k)
                else:
                    one.see(k, observation)
            if terminated or truncated:
                running.discard(k)
    for env in envs[1:]:
        env.close()
    return returns, made, differing


def row(name: str, target: str, episodes: int) -> dict[str, Any]:
    """Return what an agent does on a target, and on the reference."""
    agent = SpikingActorCritic.load(f"zoo:{name}")
    module = importlib.import_module(f"pyNN.{target}")
    brian2: Any = sys.modules.get("brian2")
    if brian2 is not None:  # no compiling: it takes longer than it saves
        brian2.prefs.codegen.target = "numpy"
    watching = player(agent, ReferenceSimulator, episodes)
    there = player(agent, OnPynn, episodes, module=module, kept=agent.weights)
    began = time.perf_counter()
    theirs, made, differing = play(agent, episodes, there, watching)
    seconds = time.perf_counter() - began
    ours, _, _ = play(agent, episodes, player(agent, ReferenceSimulator, episodes))
    here, elsewhere = float(np.mean(ours)), float(np.mean(theirs))
    return {
        "agent": name,
        "target": target,
        "episodes": episodes,
        "decisions": made,
        "differing": differing,
        "reference": round(here, 4),
        "there": round(elsewhere, 4),
        "lost": round((here - elsewhere) / abs(here), 5),
        "seconds": round(seconds, 1),
    }


def elsewhere(name: str, target: str, episodes: int) -> dict[str, Any]:
    """Return a row, from a process of its own: PyNN's simulators keep state, and write much."""
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        command = [sys.executable, __file__, "--one", file.name, "--targets", target]
        command += ["--agents", name, "--episodes", str(episodes)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        found: dict[str, Any] = json.loads(Path(file.name).read_text())
        return found


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Format the rows."""
    lines = [
        "| agent | target | episodes | decisions that differ | return: reference, there | lost |\n",
        "|---|---|---|---|---|---|\n",
    ]
    for r in rows:
        share = f"{r['differing']} of {r['decisions']} ({r['differing'] / r['decisions']:.2%})"
        cells = [f"`zoo:{r['agent']}`", f"pyNN.{r['target']}", str(r["episodes"]), share]
        cells += [f"{r['reference']:.4g}, {r['there']:.4g}", f"{r['lost']:.2%}"]
        lines.append(f"| {' | '.join(cells)} |\n")
    return "".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Play, and write the rows and the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--targets", nargs="+", choices=TARGETS, default=list(TARGETS))
    parser.add_argument("--agents", nargs="+", metavar="NAME", default=list(AGENTS))
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--page", action="store_true")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one:
        warnings.simplefilter("ignore")  # of the simulators
        found = row(options.agents[0], options.targets[0], options.episodes)
        options.one.write_text(json.dumps(found))
        return 0
    rows = json.loads(DATA.read_text()) if DATA.exists() else []
    for name in () if options.page else options.agents:
        for target in options.targets:
            found = elsewhere(name, target, options.episodes)
            print(found, flush=True)
            rows = [r for r in rows if (r["agent"], r["target"]) != (name, target)] + [found]
            order = [*AGENTS, *sorted({r["agent"] for r in rows} - set(AGENTS))]
            rows.sort(key=lambda r: (order.index(r["agent"]), TARGETS.index(r["target"])))
            DATA.write_text(json.dumps(rows, indent=1) + "\n")
    before, _, rest = PAGE.read_text().partition(START)
    PAGE.write_text(f"{before}{START}{table(rows)}{END}{rest.partition(END)[2]}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
