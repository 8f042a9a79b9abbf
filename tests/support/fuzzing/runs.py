"""Write files of a run directory that anybody may have written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from hypothesis import strategies as st

from fuzzing.shortcut import nothing_long
from fuzzing.targets import Target
from fuzzing.values import HOSTILE, as_text, changed_bytes, changed_tree, paths_of
from neurorl.agents.evaluation import read_cost
from neurorl.models.agent.config import AgentConfig
from neurorl.runs.directory import RunDirectory
from neurorl.runs.training import train
from neurorl.tasks.loading import saved_env
from neurorl.tasks.specification import describe_env

ENV = "neurorl/Bandit-v0"
SMALL = {"actors": 1, "hidden": 2, "window": 4}


def small_run(path: Path) -> RunDirectory:
    """Return a finished run of a small agent."""
    train(ENV, path, episodes=3, overrides=SMALL)
    return RunDirectory(path)


class ConfigTree(Target):
    """Change some values of a valid ``config.json``."""

    name: ClassVar[str] = "config.json, values"
    weight: ClassVar[int] = 12

    def prepare(self) -> None:
        self.run = small_run(self.folder / "run")
        tree = json.loads(self.run.config.read_text())
        self.inputs = changed_tree(tree, paths_of(tree), raw=True).map(as_text)

    def attempt(self, value: Any) -> None:
        self.run.config.write_bytes(value)
        config = self.run.read_config()
        AgentConfig.from_dict(config.agent or {})
        config.algorithm.read_config(config.gradient)


class ConfigBytes(ConfigTree):
    """Change some bytes of a valid ``config.json``."""

    name = "config.json, bytes"
    weight = 8

    def prepare(self) -> None:
        super().prepare()
        self.inputs = changed_bytes(self.run.config.read_bytes())


class Resumed(ConfigTree):
    """Call ``train --resume`` of a finished run with such a ``config.json``."""

    name = "config.json, resumed"
    weight = 2

    def attempt(self, value: Any) -> None:
        self.run.config.write_bytes(value)
        with nothing_long():  # it may ask for more episodes
            train(ENV, self.run.path, resume=True)


class Environments(Target):
    """Make an environment from a changed description, with wrappers that could be huge."""

    name = "env_spec"
    weight = 4

    def prepare(self) -> None:
        lake = gym.make("FrozenLake-v1", desc=["SF", "FG"], is_slippery=False)
        vector = gym.wrappers.RescaleObservation(
            gym.make("MountainCar-v0"), np.float32(-1), np.float32(1)
        )
        stacked = gym.wrappers.FrameStackObservation(gym.wrappers.TimeLimit(vector, 9), 3)
        trees = [describe_env(lake), describe_env(stacked)]
        self.inputs = st.one_of([changed_tree(tree, paths_of(tree)) for tree in trees])

    def attempt(self, value: Any) -> None:
        env_id = value.get("id", "CartPole-v1") if isinstance(value, dict) else "CartPole-v1"
        saved_env({"env": env_id, "env_spec": value}, "agent").close()


class Episodes(Target):
    """Write ``episodes.csv``: bytes, and rows of anything."""

    name = "episodes.csv"
    weight = 16

    def prepare(self) -> None:
        self.run = small_run(self.folder / "run")
        valid = self.run.episodes.read_bytes()
        cells = HOSTILE.map(lambda v: repr(v)[:2000]) | st.text(max_size=3)
        rows = st.lists(st.lists(cells, max_size=8).map(",".join), max_size=4).map("\n".join)
        header = valid.split(b"\n")[0].decode() + "\n"
        made = rows.map(lambda text: (header + text).encode(errors="surrogatepass"))
        self.inputs = changed_bytes(valid) | made

    def attempt(self, value: Any) -> None:
        self.run.episodes.write_bytes(value)
        self.run.read_episodes()


class Evaluation(Target):
    """Write ``evaluation.json``."""

    name = "evaluation.json"
    weight = 6

    def prepare(self) -> None:
        tree = {"spikes": 3.0, "input_spikes": 2.0, "synaptic_events": 4.0, "env": "x", "rows": [1]}
        made = changed_tree(tree, paths_of(tree), raw=True).map(as_text)
        self.inputs = made | changed_bytes(json.dumps(tree).encode())

    def attempt(self, value: Any) -> None:
        (self.folder / "evaluation.json").write_bytes(value)
        read_cost(self.folder)


TARGETS: tuple[type[Target], ...] = (
    ConfigTree,
    ConfigBytes,
    Resumed,
    Environments,
    Episodes,
    Evaluation,
)
