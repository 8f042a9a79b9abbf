"""Learn shared hidden layers by gradients through their spikes, from decisions that a loop made.

An agent decides as `neurorl.learning.deep.loop` says, and what the local rule would learn from is
kept: of each decision the input x, the spikes, the normalised drives u and their surrogate slopes
psi, the scores phi of the policy, and the TD error delta, clipped as the rule's. After T of them,
with ``A_t = delta_t + gamma lambda A_{t+1}`` in an episode, the weights take a step of Adam up::

    mean_t(A_t phi_t . z_t + entropy dH/dz_t . z_t + A_t V_t)

where z and V are the readouts' sums. Through a spike goes ``ds/dd = psi / scale`` of its drive d,
without what the normalisation makes impossible: with `Pool` this is the derivative of a layer
normalisation. But for the entropy, of which the rule tells the readout alone, this is the local
rule's change with symmetric feedback and no traces.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import cast

import numpy as np
import torch
from torch import Tensor

from neurorl.agents.algorithms import REPARAMETERIZATION
from neurorl.agents.group import GroupPlan
from neurorl.agents.replicas import Replicas
from neurorl.backends.torch import one_thread
from neurorl.learning.deep.loop import DeepLoop
from neurorl.learning.deep.memory import DeepMemory
from neurorl.learning.deep.plan import DeepLayer, DeepPlan
from neurorl.learning.finite import NotFiniteError
from neurorl.learning.loops.base import Loop
from neurorl.models.agent.config import AgentConfig
from neurorl.models.deep.normalisation import Normalisation
from neurorl.models.deep.trunk import Shared
from neurorl.numerics.arrays import Array, zeros_on_lines
from neurorl.reparameterization.config import GradientConfig, check_shared
from neurorl.reparameterization.learner import advantages

_FLOOR = 1e-8  # Adam's


class DeepGradientReplicas(Replicas):
    """Let agents act as `Replicas` does, and learn by `learn_by_gradients`.

    backend: on which they act, with the same bits on each; None is the quickest. Files name
    PyTorch, where they learned. loop: as in `SpikingActorCritic`.
    """

    algorithm = REPARAMETERIZATION
    is_recordable = False
    gradient: GradientConfig

    def __init__(
        self,
        plan: GroupPlan,
        gradient: GradientConfig,
        backend: str | None = None,
        loop: str | None = None,
    ) -> None:
        check_shared(plan.config, gradient, plan.spec)
        envs, config = plan.envs(len(plan.seeds)), _without_rule(plan.config, gradient.entropy)
        super().__init__(
            envs, config, plan.n_actions, plan.seeds, backend=backend, arithmetic="float", loop=loop
        )
        self.config, self.gradient, self.backend_name = plan.config, gradient, "torch"
        learn_by_gradients(self.loop, gradient, self._rate)

    def _rate(self, k: int) -> float:
        """Return the factor of agent k's learning rate now, of its schedule too."""
        return self.gradient.rate(len(self.episodes[k])) * float(self.loop.rate[k])


def _without_rule(config: AgentConfig, entropy: float) -> AgentConfig:
    """Return an agent that acts alike, and learns nothing by the local rule."""
    assert isinstance(config.trunk, Shared)
    return dataclasses.replace(
        config,
        alpha_hidden=0.0,
        alpha_output=0.0,
        critic=dataclasses.replace(config.critic, alpha=0.0),
        trunk=dataclasses.replace(config.trunk, centring=0.0, entropy=entropy),
    )


def learn_by_gradients(loop: Loop, gradient: GradientConfig, rate: Callable[[int], float]) -> None:
    """Let the agents of a *loop* learn by gradients beside its rule.

    rate: returns the factor of an agent's learning rate now.
    """
    assert isinstance(loop, DeepLoop)
    learner = _Learner(loop, gradient, rate)
    learn, learn_late = loop.learn, loop._learn_late
    loop.learn = learner.after(learn, is_late=False)  # type: ignore[method-assign]
    loop._learn_late = learner.after(learn_late, is_late=True)  # type: ignore[method-assign]


class _Learner:
    """Keep the decisions of a loop's agents in its memory, and learn from T of them at once.

    Lasting arrays of the memory are added: ``rollout.L.x`` and so on, ``(N, T, n)``, of the passing
    array ``L.x``; ``rollout.errors`` and ``rollout.first`` ``(N, T)``, whether a decision was its
    episode's first; ``rollout.heard``, a count of all; ``P.mean``, Adam's first moments, beside
    ``P.h``, the second.
    """

    def __init__(
        self, loop: DeepLoop, gradient: GradientConfig, rate: Callable[[int], float]
    ) -> None:
        self._loop, self._gradient, self._rate = loop, gradient, rate
        memory, n, steps = loop.memory, loop.n, gradient.steps
        self._held, lasting = memory.passing_arrays, memory.lasting
        hidden = [layer.name for layer in loop.layers.hidden]
        self._kept = ["scores", "pull", *(f"{layer.name}.x" for layer in loop.layers.layers)]
        self._kept += [f"{name}.{x}" for name in hidden for x in ("u", "slope", "inverse")]
        for name in self._kept:
            shape = n, steps, self._held[name].shape[1]
            lasting[f"rollout.{name}"] = zeros_on_lines(shape, np.float32)
        lasting["rollout.errors"] = np.zeros((n, steps))
        lasting["rollout.first"] = np.zeros((n, steps), dtype=np.bool_)
        lasting["rollout.heard"] = np.zeros((n, 1), dtype=np.int64)
        for name in memory.weights:
            lasting[f"{name}.mean"] = np.zeros_like(lasting[f"{name}.h"])

    def after(self, learn: Callable[[], None], is_late: bool) -> Callable[[], None]:
        """Return what keeps the decisions that *learn* learns from, and calls it.

        is_late: whether these are decisions whose next state has a value now, not the last ones of
        episodes.
        """
        loop = self._loop

        def learn_and_keep() -> None:
            before = self._held["before"][:, 0].copy()
            known = loop.active & ~np.isnan(before) & (is_late | (loop.discount == 0.0))
            chosen: list[int] = np.flatnonzero(known).tolist()
            for k in chosen:
                self._keep(k, is_first=loop.decided[k] - is_late == 1)
            learn()
            for k in chosen:
                ahead = loop.discount[k] * self._held["before"][k, 0] if is_late else 0.0
                self._hear(k, float(loop.reward[k] + ahead - before[k]))

        return learn_and_keep

    def _keep(self, k: int, is_first: bool) -> None:
        lasting = self._loop.memory.lasting
        row = int(lasting["rollout.heard"][k, 0]) % self._gradient.steps
        for name in self._kept:
            lasting[f"rollout.{name}"][k, row] = self._held[name][k]
        lasting["rollout.first"][k, row] = is_first

    def _hear(self, k: int, error: float) -> None:
        """Take the TD error of the decision kept last, and learn if it is the last of T."""
        lasting, limit = self._loop.memory.lasting, self._loop.config.modulator.limit
        count, steps = int(lasting["rollout.heard"][k, 0]), self._gradient.steps
        clipped = error if limit is None else min(max(error, -limit), limit)
        lasting["rollout.errors"][k, count % steps] = clipped
        lasting["rollout.heard"][k, 0] = count + 1
        if (count + 1) % steps == 0:
            with one_thread():
                self._update(k, (count + 1) // steps)
            self._loop._write_all()

    def _update(self, k: int, number: int) -> None:
        """Let agent k's weights take their step of this *number*."""
        loop, gradient = self._loop, self._gradient
        part = cast(DeepMemory, loop.memory.of(k))
        errors, first = part.lasting["rollout.errors"], part.lasting["rollout.first"]
        over, none = np.append(first[1:], True), np.zeros(len(errors))
        gamma, lambda_ = loop.config.gamma, gradient.lambda_advantage
        advantage = advantages(errors, none, none, over, over, gamma, lambda_)
        rate = gradient.learning_rate * self._rate(k)
        shares = 1.0 - gradient.beta1, 1.0 - gradient.beta2
        corrections = 1.0 - gradient.beta1**number, 1.0 - gradient.beta2**number
        found = gradients(loop.layers, part, advantage)
        bounds = {p.name: p.high for layer in loop.layers.layers for p in layer.into}
        for name, g in found.items():
            weights = torch.from_numpy(part.learning(name))
            mean, square = (torch.from_numpy(part.lasting[f"{name}.{x}"]) for x in ("mean", "h"))
            mean.lerp_(g, shares[0])
            square.lerp_(g * g, shares[1])
            scale = (square / corrections[1]).sqrt_().add_(_FLOOR)
            weights.addcdiv_(mean, scale, value=rate / corrections[0])
            weights.clamp_(-bounds[name], bounds[name])
            if not weights.isfinite().all():
                raise NotFiniteError(k, None)


def gradients(plan: DeepPlan, part: DeepMemory, advantage: Array) -> dict[str, Tensor]:
    """Return the gradient of each projection's learned weights, of one agent's rollout.

    part: the agent's memory. advantage: A, ``(T,)``.
    """
    kept = {name: torch.from_numpy(a) for name, a in part.lasting.items() if "rollout" in name}
    weights = {name: torch.from_numpy(part.learning(name)).clone() for name in part.weights}
    learned = {name: w.requires_grad_() for name, w in weights.items()}
    a = torch.from_numpy(advantage).float()[:, None]
    total = torch.zeros(())
    for half in plan.halves:
        x = kept[f"rollout.{half.layers[0].name}.x"]
        for n, layer in enumerate(half.layers):
            drive = _drive(layer, x, learned)
            if layer.is_hidden:
                spikes = kept[f"rollout.{half.layers[n + 1].name}.x"]
                x = _spikes(layer, drive, spikes, kept, plan.trunk.normalisation)
        signals = a
        if half.is_actor:
            signals = a * kept["rollout.scores"] + kept["rollout.pull"]
        total = total + (signals * drive).sum()
    names = [*learned]
    found = torch.autograd.grad(total / len(a), [learned[name] for name in names])
    return dict(zip(names, found, strict=True))


def _drive(layer: DeepLayer, x: Tensor, learned: Mapping[str, Tensor]) -> Tensor:
    """Return the drives of a layer, ``(T, size)``."""
    below, bias = (learned[p.name] for p in layer.into)
    if layer.patches is not None:
        x = x[:, torch.from_numpy(layer.patches.index)]
    return (x @ below + bias[0]).flatten(1)


def _spikes(
    layer: DeepLayer,
    drive: Tensor,
    spikes: Tensor,
    kept: Mapping[str, Tensor],
    normalisation: Normalisation,
) -> Tensor:
    """Return the spikes that there were, through which gradients go on to the drives."""
    u, slope, inverse = (kept[f"rollout.{layer.name}.{x}"] for x in ("u", "slope", "inverse"))

    def project(gradient: Tensor) -> Tensor:
        rows = [
            normalisation.project(g.numpy(), v.numpy()) for g, v in zip(gradient, u, strict=True)
        ]
        return torch.from_numpy(np.stack(rows))

    normalised = drive * inverse
    normalised.register_hook(project)  # type: ignore[no-untyped-call]
    return spikes + slope * (normalised - normalised.detach())
