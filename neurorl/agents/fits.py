"""Check a saved agent's arrays against its description, before the agent is made."""

from __future__ import annotations

from collections.abc import Mapping

from neurorl.errors import RunError, UnsupportedError
from neurorl.models.agent.config import AgentConfig
from neurorl.network.restoring import take
from neurorl.numerics.arrays import Array
from neurorl.tasks.actions import Actions

__all__ = ["check_fits", "modules"]


def modules(config: AgentConfig, actions: Actions, where: str) -> tuple[int, ...]:
    """Return how many modules an actor has for each choice of an environment.

    Raises UnsupportedError for a policy that can't make such choices.
    """
    if config.policy.is_continuous != actions.is_continuous:
        kind = "numbers" if actions.is_continuous else "discrete"
        what, got = f"its actions are {kind}", f"policy {config.policy.name!r}"
        numbers = "gaussian-readout" if config.trunk.is_shared else "gaussian"
        remedy = f"policy={numbers if actions.is_continuous else 'softmax'!r}"
        raise UnsupportedError(where, what, got=got, remedy=remedy)
    return actions.groups(config.policy.population)


def check_fits(config: AgentConfig, n_actions: int, state: Mapping[str, Array], where: str) -> None:
    """Raise RunError unless *state* fits an agent of this kind with so many actions.

    This is checked before the agent is made, so that it can't take more memory than the file.
    """
    network = config.network(n_actions)
    try:
        for p in network.projections:
            shape = network.weight_shape(p.name)
            if p.plasticity is not None:
                take(state, f"learner.weights.{p.name}", shape)
            if "backend.t" in state:
                take(state, f"backend.{p.name}.weights", shape)
        take(state, "critic", (config.critic.n_values(config.features),))
    except RunError as exc:
        raise RunError(where, "doesn't fit the agent that it describes", got=exc) from exc
