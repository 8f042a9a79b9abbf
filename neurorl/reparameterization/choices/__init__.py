"""Choose by votes what an environment takes, and say which loss learns from it."""

from __future__ import annotations

from collections.abc import Sequence

from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.gaussian_policy import Gaussian
from neurorl.reparameterization.choices.alternatives import OneOfEach, OneOfSeveral
from neurorl.reparameterization.choices.base import Choices
from neurorl.reparameterization.choices.numbers import NumberChoices

__all__ = ["Choices", "NumberChoices", "OneOfEach", "OneOfSeveral", "choices_for"]


def choices_for(config: AgentConfig, groups: Sequence[int]) -> Choices:
    """Return how an agent chooses that `check_agent` has let pass. groups: sizes, in modules."""
    if isinstance(config.policy, Gaussian):
        return NumberChoices(config, config.policy, len(groups))
    sizes = tuple(groups)
    return OneOfSeveral(config, *sizes) if len(sizes) == 1 else OneOfEach(config, sizes)
