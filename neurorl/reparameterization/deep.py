"""Train agents with shared hidden layers by gradients: they act as those of the local rule do."""

from __future__ import annotations

import dataclasses

from neurorl.agents.algorithms import REPARAMETERIZATION
from neurorl.agents.group import GroupPlan
from neurorl.agents.replicas import Replicas
from neurorl.errors import UnsupportedError
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.gaussian_policy import GaussianReadout
from neurorl.models.agent.policies import AnnealedSoftmax, Softmax
from neurorl.models.deep.feedback import Own, Random, Signs, Symmetric
from neurorl.models.deep.trunk import Shared
from neurorl.reparameterization.config import GradientConfig
from neurorl.reparameterization.decisions import learn_by_gradients


class DeepGradientReplicas(Replicas):
    """Let agents act as `Replicas` does, and learn by `neurorl.reparameterization.decisions`.

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
        _check(plan, gradient)
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


def _check(plan: GroupPlan, gradient: GradientConfig) -> None:
    """Raise UnsupportedError for what can't be with shared hidden layers and gradients."""
    trunk, policy = plan.config.trunk, plan.config.policy
    assert isinstance(trunk, Shared)
    device, n, by = (
        plan.spec.options.get("device", "cpu"),
        gradient.environments,
        gradient.estimator,
    )
    is_known = type(trunk.feedback) in (Own, Random, Signs, Symmetric)
    is_graded = type(policy) in (Softmax, AnnealedSoftmax, GaussianReadout)
    policies, step = "policy='softmax', or for numbers 'gaussian-readout'", trunk.step_size
    for is_right, what, got, remedy in (
        (plan.spec.arithmetic in (None, "float"), "learns floats", plan.spec.arithmetic, "'float'"),
        (device == "cpu", "decides one by one, on the CPU", device, "device='cpu'"),
        (n == 1, "learns in one environment", n, "gradient={'environments': 1}"),
        (by == "slope", "has neurons without noise", by, "gradient={'estimator': 'slope'}"),
        (is_graded, "needs a policy with a derivative", policy.name, policies),
        (is_known, "sends gradients back, and no feedback", trunk.feedback.name, "leave it out"),
        (step.kernel is not None, "takes steps of Adam", step.name, "leave it out"),
    ):
        if not is_right:
            where = "approach 'reparameterization', trunk 'shared'"
            raise UnsupportedError(where, what, got=got, remedy=remedy)
