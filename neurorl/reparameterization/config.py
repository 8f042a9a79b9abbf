"""Configure learning by gradients beside an `AgentConfig`, and choose it for a task."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from neurorl.backends.spec import BackendSpec
from neurorl.errors import DescriptionError, UnsupportedError, check_name
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.critics import Linear, Optimistic
from neurorl.models.agent.gaussian_policy import Gaussian, GaussianReadout
from neurorl.models.agent.modulators import TDError
from neurorl.models.agent.policies import AnnealedSoftmax, Softmax
from neurorl.models.deep.feedback import Own, Random, Signs, Symmetric
from neurorl.models.deep.trunk import Shared
from neurorl.models.defaults.images import MOST_ACTIVE
from neurorl.models.features import Features, Select
from neurorl.models.features.image_cells import ImageCells
from neurorl.network.limits import MAX_ROLLOUT, check_limit
from neurorl.network.serialization import (
    Count,
    Described,
    NotNegative,
    Range,
    Share,
    number,
    positive,
)
from neurorl.storage.plain import Named, PlainData
from neurorl.tasks.known import GRID_ID, POSITION_ONLY_ID

ESTIMATORS = ("concrete", "slope")
_Rolled = Annotated[int, Range(1, MAX_ROLLOUT)]
_Entropy = Annotated[float, Range(0.0, 1e6)]  # whose squares in Adam can be saved


@dataclass(frozen=True, eq=False)
class GradientConfig(Described):
    """Configure an actor-critic that learns by gradients through stochastic spikes.

    A rollout is *steps* environment steps of each of *environments*. After it, with advantages A of
    `neurorl.reparameterization.learner`, the weights take a step of Adam down the gradient of::

        - mean(A log pi(a | votes)) - entropy mean(H(pi))

    which passes from the votes through the spikes by *estimator*, ``'concrete'`` (of *temperature*)
    or ``'slope'``, see `neurorl.backends.torch.estimators`.

    learning_rate: Adam's, in units of weights; falls linearly to ``rate_end`` times itself over the
    first ``rate_episodes`` episodes. beta1, beta2: Adam's. lambda_advantage: of the mean of n-step
    advantages, 0 for one step only. alpha_critic: step of the linear critic, a fraction of the
    error removed at once; 1 / environments at the most. detach_reset: whether the reset after a
    spike is a constant to the gradient. horizon: decisions through which the gradient of a network
    that carries its state on is followed back, a divisor of *steps*; None for all of the rollout.
    With 1, what a decision was left by those before it is a constant: enough to learn from past
    inputs that arrive late, and as quick as without a state, for all decisions are one batch.

    Of the `AgentConfig`, the network, cells, features, window, encoder, policy, gamma and
    reward_scale count; its rule and the rates of that don't. Where the policy repeats an action,
    the loss is of the steps in which one was chosen; the critic learns in each.

    Agents with the trunk ``'shared'`` learn otherwise, see `neurorl.reparameterization.decisions`:
    in one environment, by ``'slope'``, whose surrogate is the trunk's, and their schedule scales
    the rate too. Their entropy is the trunk's if none is named.
    """

    _place = "gradient"
    environments: _Rolled = 4
    steps: _Rolled = 16
    learning_rate: NotNegative = 3e-3
    beta1: Share = 0.9
    beta2: Share = 0.999
    estimator: str = "concrete"
    temperature: NotNegative = 1.0
    detach_reset: bool = True
    horizon: int | None = None
    lambda_advantage: Share = 0.9
    entropy: _Entropy = 0.0
    alpha_critic: float = 0.1
    rate_end: Share = 1.0
    rate_episodes: Count = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_limit("gradient", "steps of a rollout", self.steps * self.environments, MAX_ROLLOUT)
        number("gradient.alpha_critic", self.alpha_critic, 0.0, 1.0 / self.environments)
        if self.horizon is not None and self.steps % positive("gradient.horizon", self.horizon):
            what = "must divide the steps of a rollout"
            raise DescriptionError(
                "gradient.horizon", what, got=self.horizon, limit=f"a divisor of {self.steps}"
            )
        check_name("estimator", self.estimator, ESTIMATORS)

    def rate(self, episode: int) -> float:
        """Return the factor of the learning rate after this many episodes."""
        return 1.0 - (1.0 - self.rate_end) * min(1.0, episode / self.rate_episodes)


def check_agent(config: AgentConfig) -> None:
    """Raise UnsupportedError for an agent that can't be trained by gradients."""
    where = "approach 'reparameterization'"
    for kind, classes, what in (
        ("critic", (Linear, Optimistic), "has a linear critic only"),
        # The beta of an annealed policy stays as it is at first.
        ("policy", (Softmax, AnnealedSoftmax), "needs a policy with a derivative"),
        ("modulator", (TDError,), "learns from advantages"),
    ):
        part = config.parts[kind]
        if isinstance(part, Gaussian):
            if not min(part.sigma, part.sigma_end) > 0.0:
                fault = "explores no more, so there is nothing to learn from"
                limit = "sigma, sigma_end > 0"
                raise UnsupportedError(where, fault, got=part.sigma_end, limit=limit)
        elif type(part) not in classes:
            remedy = f"{kind}={classes[0].name!r}"
            raise UnsupportedError(where, what, got=part.name, remedy=remedy)


def check_shared(config: AgentConfig, gradient: GradientConfig, spec: BackendSpec) -> None:
    """Raise UnsupportedError for what can't be with shared hidden layers and gradients."""
    trunk, policy = config.trunk, config.policy
    assert isinstance(trunk, Shared)
    device, arithmetic = spec.options.get("device", "cpu"), spec.arithmetic
    n, by = gradient.environments, gradient.estimator
    is_known = type(trunk.feedback) in (Own, Random, Signs, Symmetric)
    is_graded = type(policy) in (Softmax, AnnealedSoftmax, GaussianReadout)
    policies, step = "policy='softmax', or for numbers 'gaussian-readout'", trunk.step_size
    for is_right, what, got, remedy in (
        (arithmetic in (None, "float"), "learns floats", arithmetic, "'float'"),
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


def softmax_of(config: AgentConfig) -> tuple[float, float]:
    """Return beta and exploration of an agent that `check_agent` has let pass."""
    assert isinstance(config.policy, Softmax)
    return config.policy.beta, config.policy.exploration


_FEW_ACTIVE = 12
"""Let the learning rate fall as 1 over the number of active cells, from so many on: Adam moves the
weight of each by the rate, whatever the others do. Chosen on Acrobot-v1 and LunarLander-v3; of
numbers Pendulum-v1, with 24 active cells, learned the same at half the rate."""
_CHOICES, _LONGEST = 4, 128
"""Let a rollout be of four choices in each environment, where each is repeated: with longer ones,
updates are too few. At most of so many steps, as all their inputs are kept."""

# Memoryless units without filters: spikes of one step only, for which the slope has the least noise
# and hardly any bias, and which bear larger steps.
_MODELS: dict[str, PlainData] = {"glm": {"estimator": "slope", "learning_rate": 1e-2}}

_DEEP: PlainData = {"environments": 1, "estimator": "slope", "learning_rate": 1e-3}
"""Learn shared hidden layers in one environment, as the local rule does. The rate was chosen on
CartPole-v1, seeds 100 and 101: with three times as much, agents fell back after 80,000 steps."""

_TASKS: dict[tuple[str, str], PlainData] = {
    # Where rewards are rare or always the same, Adam makes much of little: entropy keeps the policy
    # from an early certainty.
    (GRID_ID, "lif"): {"entropy": 1e-2},
    ("MountainCar-v0", "lif"): {
        "learning_rate": 1e-3,
        "entropy": 1e-3,
        "rate_end": 0.1,
        "rate_episodes": 900,
    },
    (POSITION_ONLY_ID, "lif"): {
        "environments": 8,
        "alpha_critic": 0.125,
        "entropy": 1e-3,
        "horizon": 1,
        "rate_end": 0.1,
        "rate_episodes": 1400,
    },
    (GRID_ID, "glm"): {"entropy": 1e-2},
    ("MountainCar-v0", "glm"): {"rate_end": 0.1, "rate_episodes": 900},
}


def make_gradient(
    config: AgentConfig, env_id: str, overrides: Named | None = None
) -> GradientConfig:
    """Return the configuration for an agent on an environment.

    It is that of the model, of the cells and the policy, the task's preset, then *overrides*.

    overrides: fields by name, or a whole configuration as plain data. env_id: of a task with its
    own spaces, see `neurorl.tasks.known.task_of`.
    Raises UnknownNameError for another field.
    """
    if overrides and "type" in overrides:
        return GradientConfig.from_dict(overrides)
    known = {field.name for field in dataclasses.fields(GradientConfig)}
    for key in overrides or {}:
        check_name("gradient option", key, known)
    task = _TASKS.get((env_id, config.model), {})
    return GradientConfig(**{**_of_agent(config), **task, **(overrides or {})})


def _of_agent(config: AgentConfig) -> PlainData:
    """Return what follows from the model, the cells and how often actions are repeated.

    With longer rollouts there are fewer updates, so these step as much further.
    """
    if isinstance(config.trunk, Shared):
        return {**_DEEP, "entropy": config.trunk.entropy}
    chosen = dict(_MODELS.get(config.model, {}))
    usual = GradientConfig(**chosen)
    steps = max(usual.steps, min(_CHOICES * config.policy.repeats, _LONGEST))
    if steps > usual.steps:
        chosen |= {"steps": steps, "lambda_advantage": round(1.0 - 1.0 / steps, 2)}
    active = _active(config.cells)
    if active > _FEW_ACTIVE and not isinstance(config.policy, Gaussian):
        rate = usual.learning_rate * _FEW_ACTIVE / active * steps / usual.steps
        chosen["learning_rate"] = round(rate, 5)
    return chosen


def _active(cells: Features) -> float:
    """Return how many cells are active at once where the default chose them; 0 for others."""
    if isinstance(cells, ImageCells):
        return MOST_ACTIVE
    if isinstance(cells, Select):
        return float(cells.of_all(np.zeros((1, cells.n_inputs))).sum())
    return 0.0
