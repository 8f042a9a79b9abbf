"""What must hold between an agent and the backend that it learns on."""

from __future__ import annotations

from typing import Any

from neurorl.backend import backend_class
from neurorl.backends.base import Backend
from neurorl.config import AgentConfig
from neurorl.errors import UnsupportedError, say

__all__ = ["check_learning", "check_probability", "learning_options"]


def check_probability(config: AgentConfig, backend: Backend) -> None:
    """Raises UnsupportedError for a rule that needs spike probabilities if p is no sigmoid."""
    if config.learning_rule.needs_probability and backend.noise != "exact":
        what = f"rule {config.rule!r} needs spike probabilities, which are those of escape noise"
        remedy = "noise='exact', or the rule spikes-only"
        raise UnsupportedError(say(f"noise {backend.noise!r}", what, remedy=remedy))


def check_learning(config: AgentConfig, backend: Backend) -> None:
    """Raises UnsupportedError for a backend whose weights learn otherwise than the agent's."""
    if backend.learning != config.learning:
        what = f"the agent learns by {config.learning!r}"
        remedy = f"SpikingActorCritic(..., learning={backend.learning!r})"
        raise UnsupportedError(
            say(f"backend {backend.name}, learning {backend.learning!r}", what, remedy=remedy)
        )


def learning_options(config: AgentConfig, backend: str | type[Backend]) -> dict[str, Any]:
    """What a backend must be told if weights learn in it. Raises UnsupportedError if they can't."""
    if config.learning == "host":
        return {}
    cls = backend_class(backend) if isinstance(backend, str) else backend
    if config.learning not in cls.capabilities.learnings:
        what = f"can't learn {config.learning!r} by itself"
        remedy = "backend 'loihi', or learning 'host'"
        raise UnsupportedError(say(f"backend {cls.name}", what, remedy=remedy))
    return {"learning": config.learning, "pes_magnitude": config.pes_magnitude}
