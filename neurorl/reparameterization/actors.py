"""Let the networks of all replicas decide in one batch."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import torch
from torch import Tensor

from neurorl.agents.episodes import State
from neurorl.backends.torch import ModuleState, SpikingModule
from neurorl.network.description import Network
from neurorl.numerics.arrays import FloatArray
from neurorl.reparameterization.choices import Choices, votes
from neurorl.reparameterization.rollout import Inputs, Rollout, encode, replica_arrays, with_replica


class Actors:
    """Hold one network for each of *seeds*, for *size* environments each; they don't learn.

    state: what they carry from decision to decision, None if nothing. rasters, policies: by
    population ``(R, W, E, size)``, and ``(R, E, n_actions)``, of each replica's last decision.
    """

    def __init__(
        self,
        network: Network,
        choices: Choices,
        seeds: Sequence[int],
        size: int,
        arithmetic: str,
        device: torch.device,
    ) -> None:
        self._choices, self._config, self._device = choices, choices.config, device
        config, self._lead = choices.config, (len(seeds), size)
        module = SpikingModule(network, seed=tuple(seeds), arithmetic=arithmetic)
        self._module = module.requires_grad_(False).to(device)
        self._inputs = Inputs(self._module, config, size)
        self._first_vote = 0 if config.carries else network.depth("output")
        self._silence = self._module.rest(size)
        self.state: ModuleState | None = self._silence if config.carries else None
        self.rasters: dict[str, Tensor] = {}
        self.policies: FloatArray = np.zeros((*self._lead, choices.n_actions))

    def put(self, k: int, module: SpikingModule) -> None:
        """Let replica *k* play with the weights of a module of one replica."""
        for name, weights in module.named_parameters():
            self._module.get_parameter(name)[k] = weights.detach()[0]

    @torch.no_grad()
    def decide(
        self, rollout: Rollout, t: int, flat: FloatArray, steps: Sequence[int], due: Collection[int]
    ) -> None:
        """Choose the actions of step *t*.

        flat: what the cells see, of all rows. steps: that each replica has taken. due: the replicas
        that choose; others may be passed over.
        """
        config = self._config
        inputs = encode(config, flat, rollout.u_cells[t].flatten(0, 1))
        inputs = inputs.view(*inputs.shape[:-2], *self._lead, -1)
        batch = inputs if config.encoder.flows else inputs.transpose(0, 1)
        rollout.inputs[..., t, :, :] = batch
        before = self._silence if self.state is None else self.state
        noise = {name: drawn[:, :, t].to(self._device) for name, drawn in rollout.noise.items()}
        spiked, after = self._module.advance(self._inputs.batch(batch), before, noise)
        rasters = {name: raster.cpu() for name, raster in spiked.items()}
        if self.state is not None:
            self.state = after
        choices = self._choices
        n = votes(rasters["output"].transpose(0, 1), choices.n_actions, self._first_vote)
        rollout.widths[t] = [choices.width(step) for step in steps]
        u = rollout.u_actions[t - t % choices.hold]
        allowed = rollout.allowed_at(t)
        rollout.actions[t] = choices.choose(n, u, rollout.widths[t], allowed)
        self._show(rasters, choices.shares(n, allowed), due)

    def _show(self, rasters: dict[str, Tensor], policies: FloatArray, due: Collection[int]) -> None:
        """Keep what the networks of these replicas did, whoever else plays beside them."""
        if not self.rasters or len(due) == self._lead[0]:
            self.rasters, self.policies = rasters, policies
            return
        for k in due:
            self.policies[k] = policies[k]
            for name, raster in rasters.items():
                self.rasters[name][k] = raster[k]

    def silence(self, over: np.ndarray[tuple[int, int], np.dtype[np.bool_]]) -> None:
        """Begin the next episode from silence where one is over, ``(R, E)``."""
        if self.state is not None and over.any():
            self.state = self.state.silenced(torch.from_numpy(over).to(self._device))

    def rest(self, before: ModuleState | None, active: Sequence[int]) -> None:
        """Put those that aren't *active* back where they were *before*."""
        if self.state is not None and before is not None:
            for k in set(range(self._lead[0])) - set(active):
                self.state = with_replica(self.state, k, replica_arrays(before, k))

    def state_of(self, k: int) -> State:
        """Return what replica *k* carries, as arrays."""
        return {} if self.state is None else replica_arrays(self.state, k)

    def restore(self, k: int, part: State) -> None:
        """Go on from `part`. Raises KeyError or RuntimeError."""
        if self.state is not None:
            self.state = with_replica(self.state, k, part)
