"""Let one agent learn by gradients: its weights, their optimiser, its critic, its draws."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from neurorl.agents.episodes import State, strip_prefix
from neurorl.backends.torch import ModuleState, SpikingModule, estimator
from neurorl.network.description import Network
from neurorl.network.restoring import take, take_shown
from neurorl.network.serialization import LARGEST
from neurorl.numerics.arrays import BoolArray, FloatArray
from neurorl.numerics.random import derive
from neurorl.reparameterization.choices import Choices, Taken, votes
from neurorl.reparameterization.config import GradientConfig
from neurorl.reparameterization.rollout import Inputs, Rollout, Rows

_NOISE = 5  # purpose of derived seeds
_CPU = torch.device("cpu")


class GradientLearner:
    """Learn from rollouts of `neurorl.reparameterization.replicas.GradientReplicas`.

    It computes by itself, not in a batch with others: so what it learns doesn't depend, in any
    bit, on who learns beside it. arithmetic: as in `neurorl.backends.torch.SpikingModule`; in the
    chip's, float weights learn what their rounded copies do.
    """

    def __init__(
        self,
        network: Network,
        gradient: GradientConfig,
        arithmetic: str,
        choices: Choices,
        seed: int,
        device: torch.device = _CPU,
    ) -> None:
        self._device, self._gradient, self._choices = device, gradient, choices
        self._config = config = choices.config
        options = {"temperature": gradient.temperature} if gradient.estimator == "concrete" else {}
        self.module = SpikingModule(
            network,
            seed=(seed,),
            arithmetic=arithmetic,
            estimator=estimator(gradient.estimator, **options),
            detach_reset=gradient.detach_reset,
        ).to(device)
        learn = (p.name for p in network.projections if p.plasticity is not None)
        self._latent = {name: self.module.weight(name) for name in learn}
        self._optimiser = torch.optim.Adam(
            self._latent.values(), lr=gradient.learning_rate, betas=(gradient.beta1, gradient.beta2)
        )
        n, initial = config.features.size, config.critic.initial_value
        self.values = LinearValues(n, gradient.alpha_critic, initial)
        self.generator = torch.Generator().manual_seed(derive(seed, _NOISE))
        self._first_vote = 0 if config.carries else network.depth("output")
        # Decisions through which gradients go back; all stretches of so many are one batch.
        self._horizon = (gradient.horizon or gradient.steps) if config.carries else 1
        rows = gradient.steps // self._horizon * gradient.environments
        self._inputs = Inputs(self.module, config, rows)
        self._silence = self.module.rest(rows)

    @np.errstate(over="ignore", invalid="ignore")  # an error will say more
    def learn(self, rollout: Rollout, k: int, rate: float) -> None:
        """Learn from replica *k* of a rollout. rate: scales the learning rate."""
        config, gradient = self._config, self._gradient
        x, next_x = rollout.x[:, k], rollout.next_x[:, k]
        values = self.values(x)
        ended = rollout.terminated[:, k], rollout.over[:, k]
        decays = config.gamma, gradient.lambda_advantage
        rewards, ahead = rollout.rewards[:, k], self.values(next_x)
        advantage = advantages(rewards, values, ahead, *ended, *decays)
        self.values.learn(x, values + advantage)
        if rollout.chosen[:, k].any():
            self._follow(self._loss(rollout, k, advantage), rate)

    def _loss(self, rollout: Rollout, k: int, advantage: FloatArray) -> Tensor:
        """Return the loss of the actions that were chosen. advantage: ``(T, E)``."""
        chosen = rollout.chosen[:, k].ravel()
        widths = rollout.widths[:, k].repeat(self._gradient.environments)
        taken = Taken(
            rollout.actions[:, k].reshape(advantage.size, *self._choices.template.shape)[chosen],
            widths[chosen],
            torch.from_numpy(advantage.ravel()[chosen]).to(self._device, self.module.dtype),
        )
        return self._choices.loss(self._described(rollout, k), taken, self._gradient.entropy)

    def _follow(self, loss: Tensor, rate: float) -> None:
        """Let the weights take a step down the gradient of a loss. rate: as in `learn`."""
        gradient = self._gradient
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        for group in self._optimiser.param_groups:
            group["lr"] = rate * gradient.learning_rate
        self._optimiser.step()
        self.module.clip()

    def weights(self) -> dict[str, FloatArray]:
        """Return those of every plastic projection, unrounded, in the description's shape."""
        return {
            name: w.detach().cpu().double().numpy()[0].copy() for name, w in self._latent.items()
        }

    def learned(self) -> State:
        """Return what it has learned by name: weights and critic."""
        return {**self.weights(), "critic": self.values.weights}

    def set_weights(self, weights: dict[str, FloatArray]) -> None:
        """Overwrite weights. Raises RunError for one that is missing or misshapen."""
        with torch.no_grad():
            for name, latent in self._latent.items():
                latent.copy_(torch.from_numpy(take(weights, name, tuple(latent.shape[1:]))))

    def state(self) -> State:
        """Return everything that the next update depends on, as arrays."""
        held = self._optimiser.state_dict()["state"]
        moments = {
            f"adam.{name}.{key}": value.cpu().numpy().copy()
            for name, of_one in zip(self._latent, held.values(), strict=False)
            for key, value in of_one.items()
        }
        return {
            **{f"weights.{name}": w for name, w in self.weights().items()},
            **moments,
            "critic": self.values.weights.copy(),
            "generator": self.generator.get_state().numpy().copy(),
        }

    def restore(self, state: State) -> None:
        """Go on from `state`. Raises RunError or RuntimeError if it doesn't fit."""
        self.set_weights(strip_prefix(state, "weights."))
        fresh = self._optimiser.state_dict()
        fresh["state"] = {
            k: {
                key: torch.from_numpy(take(state, f"adam.{name}.{key}", shape, low=low).copy())
                for key, shape, low in (
                    ("step", (), 1.0),
                    ("exp_avg", tuple(latent.shape), -LARGEST),
                    ("exp_avg_sq", tuple(latent.shape), 0.0),
                )
            }
            for k, (name, latent) in enumerate(self._latent.items())
            if f"adam.{name}.step" in state
        }
        self._optimiser.load_state_dict(fresh)
        self.values.weights[:] = take_shown(state, "critic", self.values.weights.shape)
        size = len(self.generator.get_state())
        generator = take(state, "generator", (size,), "whole", 0, 255).astype(np.uint8)
        self.generator.set_state(torch.from_numpy(generator))

    def _described(self, rollout: Rollout, k: int) -> Tensor:
        """Return log policies or means of all choices, ``(n_chosen, n)``.

        Networks that carry something on run in all steps, others where an action was chosen.
        """
        chosen = rollout.chosen[:, k].ravel()
        numbers = None if chosen.all() else torch.from_numpy(np.flatnonzero(chosen))
        if numbers is None or self._config.carries:
            described = self._described_in_all(rollout, k)
            return described if numbers is None else described[numbers.to(self._device)]
        batch = rollout.rows(k, slice(None), numbers)
        return self._described_in(batch, self.module.rest(len(numbers)))[0]

    def _described_in_all(self, rollout: Rollout, k: int) -> Tensor:
        """Return log policies or means of all steps and environments, ``(T * E, n)``."""
        horizon = self._horizon
        state = rollout.states_of(k, slice(0, None, horizon)) if rollout.states else self._silence
        described = []
        for t in range(horizon):
            steps = slice(t, None, horizon)
            of_step, state = self._described_in(rollout.rows(k, steps), state)
            described.append(of_step.view(-1, self._gradient.environments, of_step.shape[-1]))
            if t + 1 < horizon:
                over = torch.from_numpy(rollout.over[steps, k].reshape(1, -1))
                state = state.silenced(over.to(self._device))
        return torch.stack(described, dim=1).flatten(0, 2)

    def _described_in(self, batch: Rows, state: ModuleState) -> tuple[Tensor, ModuleState]:
        """Return log policies or means of a batch, ``(rows, n)``, and the state after it."""
        inputs, drawn, allowed = batch
        noise = {name: words.to(self._device) for name, words in drawn.items()}
        rasters, state = self.module.advance(self._inputs.batch(inputs), state, noise)
        mask = None if allowed is None else allowed.to(self._device)
        counts = votes(rasters["output"][0], self._choices.n_actions, self._first_vote)
        return self._choices.describe(counts, mask), state


def advantages(
    rewards: FloatArray,
    values: FloatArray,
    next_values: FloatArray,
    terminated: BoolArray,
    over: BoolArray,
    gamma: float,
    lambda_: float,
) -> FloatArray:
    """Return ``A_t = delta_t + gamma lambda (1 - over_t) A_{t+1}``, shaped as *rewards*.

    ``delta_t = r_t + gamma (1 - terminated_t) V(s'_t) - V(s_t)``. All are ``(T, environments)``;
    next_values: of the state that the action led to, also where an episode was cut off and another
    began. ``A + V`` is the lambda-return.
    Source: generalised advantage estimation, Schulman et al. 2016 (arXiv:1506.02438).
    """
    delta = rewards + gamma * np.where(terminated, 0.0, next_values) - values
    advantage = np.empty_like(delta)
    after = np.zeros(delta.shape[1:])
    for t in range(len(delta) - 1, -1, -1):
        after = delta[t] + gamma * lambda_ * np.where(over[t], 0.0, after)
        advantage[t] = after
    return advantage


class LinearValues:
    """Estimate ``V = initial + v . x``: the critic of the local rules, for rollouts.

    weights: v, ``(n_features,)``. alpha: step size, a fraction of the error removed at once.
    initial: the value of every state before anything is learned.
    """

    def __init__(self, n_features: int, alpha: float, initial: float = 0.0) -> None:
        self.weights = np.zeros(n_features)
        self._alpha, self._initial = alpha, initial

    def __call__(self, x: FloatArray) -> FloatArray:
        """Return V of features ``(..., n_features)``."""
        return np.asarray(self._initial + x @ self.weights)

    def learn(self, x: FloatArray, targets: FloatArray) -> None:
        """Learn ``v <- v + alpha sum_e (G_e - V(x_e)) x_e / max(|x_e|**2, 1)``, step by step.

        A step is one of all environments; so a state that is seen again and again can't overshoot.

        x: ``(T, environments, n_features)``. targets: G, ``(T, environments)``.
        """
        steps = self._alpha / np.maximum(np.einsum("tef,tef->te", x, x), 1.0)
        for x_t, g, step in zip(x, targets, steps, strict=True):
            self.weights += (step * (g - self(x_t))) @ x_t
