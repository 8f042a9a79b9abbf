"""Make configurations of agents from options, as constructors of agents take them."""

from __future__ import annotations

from typing import Any

from neurorl import AgentConfig
from neurorl.models.agent.fields import KINDS
from neurorl.models.agent.options import with_options


def config_of(model: str = "own", **options: Any) -> AgentConfig:
    """Return the agent of these options, without a preset; those that nothing reads may be named.

    Parts may be named, and their fields dotted.
    """
    parts = {kind: registry.default() for kind, registry in KINDS.items()}
    return AgentConfig(model, **with_options(parts, options))
