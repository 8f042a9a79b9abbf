"""Compare NeuroBench's counts of a torch network with `neurorl.network.cost`.

NeuroBench needs PyTorch and much else (1.3 GB), so it isn't among what the tests install; the
example of its documentation is counted in ``tests/inspection/test_cost.py`` without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neurorl.backends.registry import load
from neurorl.models import LIF
from neurorl.network.cost import Tally
from neurorl.network.description import Network, Population, Projection, Source, Uniform
from neurorl.testing import rasters

Measured = Callable[[str, str, float, float], None]

WITNESS = "NeuroBench 2.3"
WINDOW, DECISIONS = 12, 40

pytestmark = pytest.mark.witness("neurobench")


def network() -> Network:
    """Return currents and spikes into one population, a mask, a loop, and weights that are 0."""
    rng = np.random.default_rng(0)
    weights = rng.uniform(-0.5, 1.0, (6, 9)) * (rng.random((6, 9)) < 0.7)
    return Network(
        (
            Source("level", 4, kind="current"),
            Source("input", 6),
            Population("middle", 9, LIF(5e-3, 0.5)),
            Population("last", 3, LIF(5e-3, 0.4)),
        ),
        (
            Projection("flow", "level", "middle", Uniform(-0.1, 0.3)),
            Projection("first", "input", "middle", weights),
            Projection("loop", "middle", "middle", Uniform(-0.3, 0.1)),
            Projection(
                "second", "middle", "last", Uniform(0.0, 0.5), mask=rng.random((9, 3)) < 0.6
            ),
        ),
    )


def replay_model(net: Network, weights: dict[str, Any]) -> Any:
    """Return a torch model in which the same spikes meet the same weights, for NeuroBench."""
    torch: Any = pytest.importorskip("torch")
    from neurobench.models import TorchModel

    class Spikes(torch.nn.Module):  # type: ignore[misc]
        def forward(self, x: Any) -> Any:
            return x.clone()

    class Replay(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.populations = torch.nn.ModuleDict({p.name: Spikes() for p in net.populations})
            self.projections = torch.nn.ModuleDict()
            for p in net.projections:
                linear = torch.nn.Linear(*weights[p.name].shape, bias=False)
                linear.weight.data = torch.tensor(weights[p.name].T, dtype=torch.float32)
                self.projections[p.name] = linear

        def forward(self, window: dict[str, Any]) -> Any:
            x = {name: torch.tensor(r, dtype=torch.float32) for name, r in window.items()}
            for p in net.projections:
                rows = x[p.pre][None] if p.pre in net.currents else x[p.pre]
                for row in rows:
                    self.projections[p.name](row[None])
            for name, module in self.populations.items():
                for row in x[name]:
                    module(row[None])
            return x

    model = TorchModel(Replay())
    model.add_activation_module(Spikes)
    model.register_hooks()
    return model


def test_operations_and_sparsity_are_neurobenchs(measured: Measured) -> None:
    torch: Any = pytest.importorskip("torch")
    from neurobench.metrics.workload import ActivationSparsity, SynapticOperations

    net = network()
    with load("reference", net) as backend, torch.no_grad():
        weights = {p.name: backend.weights(p.name) for p in net.projections}
        model, tally = replay_model(net, weights), Tally(net, weights)
        operations, sparsity, quiet = SynapticOperations(), ActivationSparsity(), []
        for seed in range(DECISIONS):
            given = rasters(net, WINDOW, seed)
            window = {**given, **backend.step(given, WINDOW)}
            assert all(window[p.name].any() for p in net.populations)
            model.reset_hooks()
            predictions = model(window)
            found = operations(model, predictions, (torch.zeros(1), None))
            quiet.append(sparsity(model, predictions, None))
            tally.add(window, WINDOW)
    ours = tally.per_decision()
    pairs = [
        ("effective ACs", ours["effective_acs_per_decision"], found["Effective_ACs"]),
        ("effective MACs", ours["effective_macs_per_decision"], found["Effective_MACs"]),
        ("dense operations", ours["dense_synops_per_decision"], found["Dense"]),
        ("activation sparsity", ours["activation_sparsity"], np.mean(quiet)),
    ]
    for what, mine, theirs in pairs:
        assert mine > 0
        measured(WITNESS, f"{what} of {DECISIONS} decisions", abs(mine - float(theirs)), 1e-9)
