"""Build the same network from tensors, with the cells of any library.

Each layer's input is one matrix product for the whole window wherever that is possible, and the
second layer, which is block-diagonal, takes the form that is quicker: so a peer is measured by its
cells, in the best form that we know of.
"""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor, nn

from benchmarks.training.cases import Case, choose, get_loss, make_data, make_network
from neurorl.backends.torch import SpikingModule

State = tuple[Tensor, ...]


class Cells(Protocol):
    """Define neurons of a layer, from silence; their input q is ``(window, ..., n)``, as spikes."""

    def window(self, q: Tensor) -> Tensor:
        """Return the spikes of a window whose input is known."""

    def rest(self, like: Tensor) -> State:
        """Return the silent state, for `step`."""

    def step(self, q: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the spikes of a step, and the state after it."""


class Layered(nn.Module):
    """Hold a case's network and its update.

    in_blocks: the second layer as sums within modules, else as a dense masked matrix. seeds: of the
    initial weights, which are those of `SpikingModule`.
    """

    def __init__(self, case: Case, cells: Cells, in_blocks: bool, seeds: tuple[int, ...]) -> None:
        super().__init__()
        self._case, self._cells, self._in_blocks = case, cells, in_blocks
        drawn = SpikingModule(make_network(case), seed=seeds, engine="eager")
        hidden = torch.cat([drawn.weight("input_hidden"), drawn.weight("bias_hidden")], dim=1)
        self.hidden = nn.Parameter(self._without_replicas(hidden))
        self.output = nn.Parameter(self._without_replicas(drawn.weight("hidden_output").squeeze(3)))
        self.bias = nn.Parameter(self._without_replicas(drawn.weight("bias_output")))
        self.among: Tensor | None = None
        if case.recurrent:
            self.among = nn.Parameter(self._without_replicas(drawn.weight("hidden_hidden")))
        self._data = make_data(case)
        self._arrived = self._delayed_inputs(seeds)
        parts = self._arrived.chunk(case.decisions, dim=-2) if case.decisions else ()
        self._parts = [part.contiguous() for part in parts]
        self._mask = torch.eye(case.modules)[:, None, :]
        self._optimiser = torch.optim.Adam(self.parameters(), lr=1e-3)

    def update(self) -> None:
        """Make the decisions of a rollout, and one update of all weights."""
        self._decide()
        self._optimiser.zero_grad()
        loss = get_loss(self.rasters()["output"], self._data)
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()

    @torch.no_grad()
    def _decide(self) -> None:
        for part in self._parts:
            choose(self.rasters(part)["output"])

    def rasters(self, arrived: Tensor | None = None) -> dict[str, Tensor]:
        """Return both layers' ``(window, [replicas,] batch, n)``; arrived: None takes all rows."""
        q = self._product(self._arrived if arrived is None else arrived, self.hidden)
        hidden = self._cells.window(q) if self.among is None else self._recurrent(q, self.among)
        q = self._blocks(hidden[:-1])
        silence = torch.zeros_like(q[:1])  # in the first step nothing has arrived
        return {"hidden": hidden, "output": self._cells.window(torch.cat([silence, q]))}

    def _recurrent(self, q: Tensor, among: Tensor) -> Tensor:
        state = self._cells.rest(q[0])
        spikes: list[Tensor] = []
        for q_t in q.unbind(0):
            now = q_t + self._product(spikes[-1], among) if spikes else q_t
            s, state = self._cells.step(now, state)
            spikes.append(s)
        return torch.stack(spikes)

    def _product(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return ``x @ weight`` of all rows, of each replica."""
        if weight.dim() == 2:
            return torch.matmul(x, weight)
        if x.dim() == 3:  # a step
            return torch.bmm(x, weight)
        rows = x.transpose(0, 1)
        q = torch.bmm(rows.flatten(1, 2), weight)
        return q.view(*rows.shape[:-1], -1).transpose(0, 1)

    def _blocks(self, x: Tensor) -> Tensor:
        if self._in_blocks:
            split = x.view(*x.shape[:-1], self._case.modules, -1)
            weight = self.output if self.output.dim() == 2 else self.output.unsqueeze(1)
            return (split * weight).sum(-1) + self.bias
        dense = (self.output.unsqueeze(-1) * self._mask).flatten(-3, -2)
        return self._product(x, dense) + self.bias

    def _delayed_inputs(self, seeds: tuple[int, ...]) -> Tensor:
        """Return inputs and the bias that spikes in every step, a step later."""
        inputs = self._data.inputs
        biased = torch.cat([inputs, torch.ones(*inputs.shape[:2], 1)], dim=-1)
        arrived = torch.cat([torch.zeros_like(biased[:1]), biased[:-1]])
        if len(seeds) == 1:
            return arrived
        return arrived[:, None].expand(-1, len(seeds), -1, -1).contiguous()

    def _without_replicas(self, weight: Tensor) -> Tensor:
        copy = weight.detach().clone()
        return copy[0] if len(copy) == 1 else copy
