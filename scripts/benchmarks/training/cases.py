"""Define the networks and batches whose update is measured, the same for everyone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from neurorl.models import LIF, CubaLIF, actor_network
from neurorl.network.description import Network, Plasticity, Projection, Uniform
from neurorl.reparameterization.choices import log_policy, policy_loss, votes

_TAU_SYN, _TAU_MEM, _THRESHOLD = 1.44e-3, 4.48e-3, 0.5
_BETA = 0.15
_RATE = 0.3  # of the inputs, spikes per step
N_ACTIONS = 2


@dataclass(frozen=True)
class Case:
    """Describe ``n_inputs -> 2 actors modules of hidden units -> an output each``, *window* steps.

    batch: rows, environments times steps of a rollout. recurrent: whether all hidden units lead to
    each other, a step later. replicas: networks with weights of their own, trained side by side.
    currents: whether inputs decay (`CubaLIF`, else `LIF`). noise: width of the escape noise of our
    neurons; 0, and for all others, a hard threshold. decisions: how many are made before each
    update, of so many equal parts of its rows, as in a rollout; 0 measures the update alone.
    """

    name: str
    n_inputs: int = 40
    actors: int = 10
    hidden: int = 8
    batch: int = 64
    window: int = 12
    recurrent: bool = False
    replicas: int = 1
    currents: bool = True
    noise: float = 0.5
    decisions: int = 0

    @property
    def modules(self) -> int:
        return self.actors * N_ACTIONS

    @property
    def shape(self) -> str:
        """Return the sizes as ``40 -> 160 -> 20``."""
        return f"{self.n_inputs} -> {self.modules * self.hidden} -> {self.modules}"


_CARTPOLE, _WIDE = Case("cartpole"), Case("wide", n_inputs=128, actors=32, hidden=16)
_RECURRENT = Case("recurrent", recurrent=True)
CASES = {
    case.name: case
    for case in (
        *(
            replace(case, name=f"{case.name}, batch {batch}", batch=batch)
            for case in (_CARTPOLE, _WIDE, _RECURRENT)
            for batch in (1, 64, 512)
        ),
        Case("lif, batch 64", currents=False),
        Case("20 seeds, batch 64", replicas=20),
        Case("rollout, cartpole", decisions=16),
        Case("rollout, lif", currents=False, decisions=16),
        Case("rollout, recurrent", recurrent=True, decisions=16),
        Case("rollout, 20 seeds", replicas=20, decisions=16),
    )
}
"""List the cases. ``cartpole`` is the network of that preset; 64 rows are its rollout, 16 steps of
4."""


@dataclass(frozen=True)
class Data:
    """Hold inputs ``(window, batch, n_inputs)``, 0 or 1, and actions, advantages ``(batch,)``."""

    inputs: Tensor
    actions: Tensor
    advantages: Tensor


def make_network(case: Case) -> Network:
    """Return the description; every synapse learns, and spikes take a step."""
    neuron: LIF | CubaLIF = LIF(_TAU_MEM, _THRESHOLD, 0.0, case.noise)
    if case.currents:
        neuron = CubaLIF(_TAU_SYN, _TAU_MEM, _THRESHOLD, 0.0, case.noise)
    network = actor_network(
        case.n_inputs,
        N_ACTIONS,
        neuron=neuron,
        actors=case.actors,
        hidden=case.hidden,
        initial_output=0.2,
    )
    if not case.recurrent:
        return network
    plastic = Plasticity(0.0, -1.0, 1.0)
    among = Projection("hidden_hidden", "hidden", "hidden", Uniform(-0.1, 0.1), plasticity=plastic)
    return replace(network, projections=(*network.projections, among))


def make_data(case: Case) -> Data:
    """Draw the data by seed 0."""
    generator = torch.Generator().manual_seed(0)
    shape = (case.window, case.batch, case.n_inputs)
    inputs = (torch.rand(shape, generator=generator) < _RATE).float()
    actions = torch.randint(N_ACTIONS, (case.batch,), generator=generator)
    return Data(inputs, actions, torch.randn(case.batch, generator=generator))


def get_loss(output: Tensor, data: Data) -> Tensor:
    """Return training's loss for output spikes ``(window, [replicas,] batch, modules)``.

    That of replicas is the sum of theirs, so each gets its own gradient.
    """
    log_pi = log_policy(votes(output, N_ACTIONS, 2), _BETA)
    if log_pi.dim() == 2:
        return policy_loss(log_pi, data.actions, data.advantages, 0.0)
    n = len(log_pi)
    actions, advantages = data.actions.repeat(n), data.advantages.repeat(n)
    return n * policy_loss(log_pi.flatten(0, 1), actions, advantages, 0.0)


def choose(output: Tensor) -> Tensor:
    """Draw actions by the policy from output spikes; ``([replicas,] batch)``."""
    policies = log_policy(votes(output, N_ACTIONS, 2), _BETA).exp().cumsum(-1)
    return (policies < torch.rand_like(policies[..., :1])).sum(-1)
