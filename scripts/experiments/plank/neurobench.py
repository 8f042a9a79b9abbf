"""Count what NeuroBench counts of an agent in its loop, and let NeuroBench count the same.

Operations and activation sparsity are `neurorl.network.cost`'s. Each window of a decision is also
replayed for NeuroBench's own hooks: a torch network in which the same spikes meet the same weights.
NeuroBench (Yik et al. 2025, doi:10.1038/s41467-025-56739-4) and PyTorch are imported by
`neurobench_figures` only.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import gymnasium as gym
import numpy as np

from neurorl import SpikingActorCritic
from neurorl.backends.base import Backend
from neurorl.network.cost import Tally
from neurorl.network.description import Network
from neurorl.numerics.arrays import Array, FloatArray

BITS = {"float": 32, "loihi": 9, "xylo": 8}
"""Map an arithmetic to the bits of a weight: NeuroBench's float32, mantissas with their signs."""

Weights = Mapping[str, FloatArray]
Window = dict[str, Array]


def weights_in_force(agent: SpikingActorCritic, arithmetic: str) -> dict[str, FloatArray]:
    """Return the weights that an agent plays with, by projection; masked ones are 0."""
    player = agent.player(0, backend="native", arithmetic=arithmetic)
    with player.backend as backend:
        return _weights(backend)


def _weights(backend: Backend) -> dict[str, FloatArray]:
    return {p.name: np.asarray(backend.weights(p.name)) for p in backend.network.projections}


def footprint(weights: Weights, arithmetic: str) -> int:
    """Return the bytes of all weights, those of 0 too."""
    return math.ceil(sum(w.size for w in weights.values()) * BITS[arithmetic] / 8)


def connection_sparsity(weights: Weights) -> float:
    """Return the share of weights that are 0."""
    total = sum(w.size for w in weights.values())
    return sum(int((w == 0).sum()) for w in weights.values()) / total


def windows(
    agent: SpikingActorCritic,
    env: gym.Env[Any, Any],
    arithmetic: str,
    decisions: int,
    seed: int = 1,
) -> Iterator[tuple[Network, dict[str, FloatArray], Window]]:
    """Play greedily, and yield for each decision the network, its weights and all its rasters."""
    player = agent.player(seed, backend="native", arithmetic=arithmetic)
    with player.backend as backend:
        weights, over = _weights(backend), True
        for _ in range(decisions):
            if over:
                observation, _ = env.reset(seed=seed)
                player.begin()
            move = player.move(observation)
            window = {
                name: np.array(raster) for name, raster in {**move.inputs, **move.rasters}.items()
            }
            yield backend.network, weights, window
            observation, _, fallen, truncated, _ = env.step(move.action)
            over = fallen or truncated


def our_figures(
    played: Iterable[tuple[Network, Weights, Window]], n_steps: int
) -> dict[str, float]:
    """Return NeuroBench's figures by this library: means over decisions of *n_steps* steps."""
    tally = None
    for network, weights, window in played:
        tally = tally or Tally(network, weights)
        tally.add(window, n_steps)
        held = weights
    assert tally is not None
    found = tally.per_decision()
    return {
        "footprint": footprint(held, "float"),
        "connection_sparsity": round(connection_sparsity(held), 4),  # as NeuroBench rounds it
        "activation_sparsity": found["activation_sparsity"],
        "dense": found["dense_synops_per_decision"],
        "effective_macs": found["effective_macs_per_decision"],
        "effective_acs": found["effective_acs_per_decision"],
    }


def neurobench_figures(played: Iterable[tuple[Network, Weights, Window]]) -> dict[str, float]:
    """Return the same as NeuroBench's metrics count them. Needs neurobench and PyTorch."""
    import torch
    from neurobench.metrics.static import ConnectionSparsity, Footprint
    from neurobench.metrics.workload import ActivationSparsity, SynapticOperations

    operations, sparsity, quiet = SynapticOperations(), ActivationSparsity(), []
    model: Any = None
    with torch.no_grad():
        for network, weights, window in played:
            model = model or replayed(network, weights)
            model.reset_hooks()
            predictions = model(window)
            found = operations(model, predictions, (torch.zeros(1), None))
            quiet.append(sparsity(model, predictions, None))
    return {
        "footprint": float(Footprint()(model)),
        "connection_sparsity": float(ConnectionSparsity()(model)),
        "activation_sparsity": float(np.mean(quiet)),
        "dense": float(found["Dense"]),
        "effective_macs": float(found["Effective_MACs"]),
        "effective_acs": float(found["Effective_ACs"]),
    }


def replayed(network: Network, weights: Weights) -> Any:
    """Return a NeuroBench model in which a window's spikes meet the weights; blocks each by one."""
    import torch
    from neurobench.models import TorchModel

    class Spikes(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return x.clone()

    class Replay(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.populations = torch.nn.ModuleDict({p.name: Spikes() for p in network.populations})
            self.projections: Any = torch.nn.ModuleDict()
            for p in network.projections:
                layers: Any = torch.nn.ModuleList()
                self.projections[p.name] = layers
                for block in weights[p.name].reshape(p.blocks, -1, weights[p.name].shape[-1]):
                    n_pre, n_post = block.shape
                    linear = torch.nn.Linear(n_pre, n_post, bias=False)
                    linear.weight.data = torch.tensor(block.T, dtype=torch.float32)
                    layers.append(linear)

        def forward(self, window: Window) -> Any:
            x = {name: torch.tensor(raster, dtype=torch.float32) for name, raster in window.items()}
            for p in network.projections:
                for row in x[p.pre][None] if p.pre in network.currents else x[p.pre]:
                    for linear, part in zip(
                        self.projections[p.name], row.reshape(p.blocks, -1), strict=True
                    ):
                        linear(part[None])
            for name, module in self.populations.items():
                for row in x[name]:
                    module(row[None])
            return x

    model = TorchModel(Replay())
    model.add_activation_module(Spikes)
    model.register_hooks()
    return model
