"""Hold what happened in some environment steps of all replicas, as an update needs it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from neurorl.agents.episodes import State
from neurorl.backends.torch import ModuleState, SpikingModule
from neurorl.backends.torch.inputs import Batch, draw_words
from neurorl.learning.memory import kind_of
from neurorl.models.agent.config import AgentConfig
from neurorl.network.description import Network
from neurorl.network.restoring import take_shown
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.reparameterization.choices import Choices


def replica_of(state: ModuleState, k: int) -> ModuleState:
    """Return replica *k*'s own state, without its past."""
    return state.map(lambda x: x[k : k + 1]).detach()


def replica_arrays(state: ModuleState, k: int) -> State:
    """Return replica *k*'s own state as arrays."""
    return {name: x.cpu().numpy().copy() for name, x in _named(replica_of(state, k)).items()}


def with_replica(state: ModuleState, k: int, arrays: Mapping[str, Array]) -> ModuleState:
    """Return *state* with these `replica_arrays` in replica *k*'s place. Raises RunError."""
    whole = state.map(torch.clone)
    for name, tensor in _named(replica_of(whole, k)).items():
        kind = kind_of(tensor.cpu().numpy())
        tensor.copy_(torch.from_numpy(take_shown(arrays, name, tuple(tensor.shape), kind)))
    return whole


def _named(part: ModuleState) -> dict[str, Tensor]:
    named = {f"{name}.{x}": v for name, c in part.cells.items() for x, v in c.variables.items()}
    named |= {f"{name}.blocked": c.blocked.transpose(0, 1) for name, c in part.cells.items()}
    return {**named, **{f"{name}.spikes": s for name, s in part.spikes.items()}}


def draws_shape(config: AgentConfig) -> tuple[int, ...]:
    """Return the shape of the uniform draws that the spikes of one observation need."""
    return config.encoder.draws(config.window), config.cells.size


def encode(config: AgentConfig, flat: FloatArray, u: Tensor) -> Tensor:
    """Return what source ``input`` gets of observations, as the encoder defines it.

    flat: ``(n, n_inputs)``. u: ``(n, *draws_shape)``, in (0, 1). Returns spikes ``(window, n,
    cells)``, or the currents ``(n, cells)``; float32.
    """
    x, encoder = config.encoder.peak * config.cells.of_all(flat), config.encoder
    if encoder.kernel in _OF_ALL:  # in float32, as these draws are
        of_all = encoder.encode(x.astype(np.float32), u.transpose(0, 1).numpy(), config.window)
        return torch.from_numpy(of_all.astype(np.float32))
    rows = zip(x, u.double().numpy(), strict=True)
    made = np.array([encoder.encode(*row, config.window) for row in rows], dtype=np.float32)
    return torch.from_numpy(made if encoder.flows else made.swapaxes(0, 1))


_OF_ALL = ("quiet", "bernoulli")
"""Name encoders of the library that take a batch of observations at once."""


class Inputs:
    """Prepare what the sources of a network get, as a module has it.

    rows: of a batch. The source ``bias`` spikes in every step, or is a current of 1; any other but
    ``input`` is silent.
    """

    def __init__(self, module: SpikingModule, config: AgentConfig, rows: int) -> None:
        self._steps, self._flows = config.window, config.encoder.flows
        self._like = next(iter(module.rest(1).spikes.values()))
        lead = (module.n_replicas, rows)
        shape = lead if self._flows else (module.n_replicas, config.window, rows)
        self._rest = {
            s.name: self._like.new_full((*shape, s.size), float(s.name == "bias"))
            for s in module.network.sources
            if s.name != "input"
        }

    def batch(self, inputs: Tensor) -> Batch:
        """Return a batch.

        inputs: of ``input``, ``(R, W, rows, size)``, or ``(R, rows, size)`` for currents; with so
        many rows, or fewer.
        """
        rows = inputs.shape[-2]
        others = {name: x[..., :rows, :] for name, x in self._rest.items()}
        whole = {"input": inputs.to(self._like), **others}
        spikes, currents = ({}, whole) if self._flows else (whole, {})
        return Batch(self._steps, rows, spikes, currents)


Rows = tuple[Tensor, Mapping[str, Tensor], Tensor | None]
"""Represent a batch: the source's inputs, the noise, and which votes are allowed; None is all."""


class Rollout:
    """Hold T steps of E environments in each of R replicas; *lead*: ``(T, R, E)``.

    choices: of actions.
    inputs: of source ``input``, ``(R, W, T, E, size)``, or ``(R, T, E, size)`` of currents. x,
    next_x: the critic's features of the state and of that which followed, ``(T, R, E, size)``.
    actions: ``(T, R, E)``, of numbers ``(T, R, E, numbers)``. rewards (scaled), terminated, over:
    ``(T, R, E)``. chosen: False where the previous action was repeated, ``(T, R, E)``.
    widths: of exploration, ``(T, R)``. allowed: masks of votes, ``(T, R, E, n_actions)``, if any
    replica *has_masks*. states: of the networks before each step; none for one that begins every
    decision from silence.
    Draws, of which each replica makes its own: noise: by population, ``(R, W, T, E, size)``, see
    `neurorl.backends.torch.inputs.draw_words`. u_cells: ``(T, R, E, *draws_shape)``. u_actions:
    ``(T, R, E, *draws)``, float64; *draws*: of `neurorl.reparameterization.choices.Choices`.
    """

    def __init__(self, network: Network, choices: Choices, lead: tuple[int, int, int]) -> None:
        config, template = choices.config, choices.template
        steps, replicas, environments = lead
        size = (steps, environments, config.cells.size)
        flows = config.encoder.flows
        self.inputs = torch.zeros(replicas, *(size if flows else (config.window, *size)))
        self.x, self.next_x = np.zeros((2, *lead, config.features.size))
        self.actions: Array = np.zeros((*lead, *template.shape), dtype=template.dtype)
        self.widths, self.rewards = np.zeros(lead[:2]), np.zeros(lead)
        self.terminated, self.over = np.zeros((2, *lead), dtype=np.bool_)
        self.chosen = np.ones(lead, dtype=np.bool_)
        self.allowed, self.has_masks = np.ones((*lead, choices.n_actions), dtype=np.bool_), False
        self.states: list[ModuleState] = []
        words = replicas, config.window, steps, environments
        noisy = (p for p in network.populations if p.is_noisy(network.dt))
        self.noise = {p.name: torch.zeros(*words, p.size, dtype=torch.int16) for p in noisy}
        self.u_cells = torch.zeros(*lead, *draws_shape(config))
        self.u_actions = torch.zeros(*lead, *choices.draws, dtype=torch.float64)

    def draw(self, k: int, generator: torch.Generator) -> None:
        """Make the draws of replica *k* anew."""
        for noise in self.noise.values():
            noise[k] = draw_words(noise[k].shape, generator, noise.device)
        for uniform in (self.u_cells, self.u_actions):
            numbers = uniform[:, k]
            numbers.copy_(torch.rand(numbers.shape, generator=generator, dtype=numbers.dtype))

    def allowed_at(self, t: int) -> Tensor | None:
        """Return what is allowed in step *t*, ``(R, E, n_actions)``; None if all is."""
        return torch.from_numpy(self.allowed[t]) if self.has_masks else None

    def rows(self, k: int, steps: slice, of: Tensor | None = None) -> Rows:
        """Return what replica *k* had in these steps, as one batch.

        of: numbers of the rows to take, step by step and in each by environment; None takes all.
        """
        inputs = self.inputs[k : k + 1, ..., steps, :, :].flatten(-3, -2)
        noise = {n: x[k : k + 1, :, steps].flatten(2, 3) for n, x in self.noise.items()}
        allowed = None
        if self.has_masks and not self.allowed[:, k].all():
            allowed = torch.from_numpy(self.allowed[steps, k]).flatten(0, 1)
        if of is None:
            return inputs, noise, allowed
        noise = {n: x[..., of, :] for n, x in noise.items()}
        return inputs[..., of, :], noise, None if allowed is None else allowed[of]

    def states_of(self, k: int, steps: slice) -> ModuleState:
        """Return what the networks of replica *k* carried into these steps, in the same batch."""
        first, *others = (replica_of(state, k) for state in self.states[steps])
        return first.map(lambda *x: torch.cat(x, dim=-2), *others)
