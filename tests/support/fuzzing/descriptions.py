"""Change plain data of descriptions, as a checkpoint or a configuration holds it."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
from hypothesis import strategies as st

from fuzzing.targets import Target
from fuzzing.values import HOSTILE, changed_tree, paths_of
from neurorl.models import GLM, LIF, CubaLIF
from neurorl.models.agent.config import AgentConfig
from neurorl.models.defaults.presets import make_config
from neurorl.models.features import BinnedCombinations, Combinations, Concat, OneHot, PlaceCells
from neurorl.models.neurons.leaky import Lesion
from neurorl.network.description import Network, Plasticity, Population, Projection, Source, Uniform
from neurorl.network.serialization import Described
from neurorl.reparameterization.config import GradientConfig


def descriptions() -> list[dict[str, Any]]:
    """Draw valid descriptions, of every class."""
    env = gym.make("CartPole-v1")
    presets = [make_config(env, model) for model in ("lif", "glm", "lif-spiking-critic")]
    grid = make_config(gym.make("neurorl/GridWorld-v0"), "lif")
    neuron = Lesion(CubaLIF(noise=np.array([0.1, 0.2, 0.3])), (0, 2))
    network = Network(
        (Source("input", 4), Source("flow", 2, "current"), Population("output", 3, neuron)),
        (
            Projection("a", "input", "output", np.ones((4, 3)), mask=np.eye(4, 3), delay=3e-3),
            Projection("b", "output", "output", Uniform(-1, 1), 3, plasticity=Plasticity(1e-2)),
            Projection("c", "flow", "output", 0.5),
        ),
    )
    parts = (
        OneHot(3),
        PlaceCells(3, 4),
        Combinations(6, 2, 4),
        BinnedCombinations([0], [1], 4, 2, 4),
    )
    made: list[Described] = [*presets, grid, network, Concat(parts), GradientConfig(), GLM(), LIF()]
    return [json.loads(json.dumps(one.to_dict())) for one in made]


class Descriptions(Target):
    """Call `from_dict` with valid data, some of it changed, or with anything."""

    name: ClassVar[str] = "from_dict"
    weight: ClassVar[int] = 40

    def prepare(self) -> None:
        changed = [changed_tree(tree, paths_of(tree)) for tree in descriptions()]
        anything = st.recursive(HOSTILE, lambda inner: st.dictionaries(st.text(max_size=3), inner))
        self.inputs = st.one_of(*changed, *changed, anything)

    def attempt(self, value: Any) -> None:
        made = Described.from_dict(value)
        if isinstance(made, AgentConfig):
            made.network(2)
        made.to_dict()


TARGETS: tuple[type[Target], ...] = (Descriptions,)
