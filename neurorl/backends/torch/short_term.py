"""Step short-term plasticity in torch; gradients go straight through the rounding of releases."""

from __future__ import annotations

import torch
from torch import Tensor

from neurorl.backends.torch.state import Released
from neurorl.network.short_term import RELEASE_GRID, TsodyksMarkram

__all__ = ["ShortTerm"]


class ShortTerm:
    """Compute what the presynaptic neurons of a projection release, as the reference does.

    described: the parameters. dt: of a step, in seconds. depth: steps for which releases are kept.
    """

    def __init__(self, described: TsodyksMarkram, dt: float, depth: int) -> None:
        self._use, (self._keep_u, self._keep_used) = described.U, described.decays(dt)
        self._depth = depth

    def rest(self, spikes: Tensor) -> Released:
        """Return the state at rest, for neurons with spikes ``(n_replicas, steps, batch, n)``."""
        zero = torch.zeros_like(spikes[:, 0])
        return Released(zero, zero, zero.unsqueeze(1).repeat(1, self._depth, 1, 1))

    def step(self, state: Released, spikes: Tensor) -> tuple[Tensor, Released]:
        """Return what these spikes of one step release, and the state after it.

        spikes: 0 or 1, or between for relaxed ones. The state's `past` stays as it is.
        """
        u, used = self._keep_u * state.u, self._keep_used * state.used
        rise = self._use * (1.0 - u)
        released = (u + rise) * (1.0 - used)
        rounded = torch.floor(released.detach() / RELEASE_GRID + 0.5) * RELEASE_GRID
        sent = spikes * (released + (rounded - released).detach())
        return sent, Released(u + spikes * rise, used + spikes * released, state.past)

    def run(self, state: Released, spikes: Tensor) -> tuple[Tensor, Released]:
        """Return the same of a window, ``(n_replicas, steps, batch, n)``."""
        steps = []
        for now in spikes.unbind(1):
            sent, state = self.step(state, now)
            steps.append(sent)
        sent = torch.stack(steps, dim=1)
        return sent, self.after(state, sent)

    def after(self, state: Released, sent: Tensor) -> Released:
        """Return the state with what was released in a window."""
        past = torch.cat([state.past, sent], dim=1)[:, -self._depth :]
        return state._replace(past=past)
