"""Update a case by `SpikingModule` and Adam: our own way."""

from __future__ import annotations

import torch
from torch import Tensor

from benchmarks.training.cases import Case, choose, get_loss, make_data, make_network
from neurorl.backends.torch import SpikingModule


class Ours:
    """Update a case our way. arithmetic, engine, detach_reset: as in `SpikingModule`.

    loop: replicas one after the other.
    """

    def __init__(
        self,
        case: Case,
        *,
        arithmetic: str = "float",
        engine: str | None = None,
        detach_reset: bool = True,
        loop: bool = False,
    ) -> None:
        network, seeds = make_network(case), tuple(range(case.replicas))
        groups = [(seed,) for seed in seeds] if loop else [seeds]
        self.modules = [
            SpikingModule(
                network,
                seed=group[0] if case.replicas == 1 else group,
                arithmetic=arithmetic,
                engine=engine,
                detach_reset=detach_reset,
            )
            for group in groups
        ]
        self._optimisers = [torch.optim.Adam(m.parameters(), lr=1e-3) for m in self.modules]
        self._data = make_data(case)
        self._inputs = [self._given(m) for m in self.modules]
        self._parts = [self._split(inputs, case) for inputs in self._inputs]

    def __call__(self) -> None:
        """Make the decisions of a rollout, and one update of all weights."""
        for k, optimiser in enumerate(self._optimisers):
            self._decide(k)
            optimiser.zero_grad()
            loss = get_loss(self.rasters(k)["output"], self._data)
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()

    @torch.no_grad()
    def _decide(self, k: int) -> None:
        for part in self._parts[k]:
            rasters, _ = self.modules[k](part)
            choose(rasters["output"])

    def rasters(self, k: int = 0) -> dict[str, Tensor]:
        """Return the window's rasters of module *k*; noise is drawn anew."""
        recorded, _ = self.modules[k](self._inputs[k])
        return dict(recorded)

    def _given(self, module: SpikingModule) -> dict[str, Tensor]:
        inputs = self._data.inputs.to(module.dtype)
        bias = torch.ones(*inputs.shape[:2], 1, dtype=module.dtype)
        sources = {"input": inputs, "bias": bias}
        if not module.has_replicas:
            return sources
        lead = module.n_replicas
        return {k: x[:, None].expand(-1, lead, -1, -1).contiguous() for k, x in sources.items()}

    def _split(self, sources: dict[str, Tensor], case: Case) -> list[dict[str, Tensor]]:
        """Split by rows, for each decision."""
        if not case.decisions:
            return []
        parts = {name: x.chunk(case.decisions, dim=-2) for name, x in sources.items()}
        return [
            {name: part[k].contiguous() for name, part in parts.items()}
            for k in range(case.decisions)
        ]
