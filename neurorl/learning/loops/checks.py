"""Check what must hold between an agent and its backend, and which loop can run it."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Mapping
from typing import Any

from neurorl.backends.base import Backend
from neurorl.backends.registry import backend_class
from neurorl.backends.simulator import Simulator
from neurorl.errors import FallbackWarning, UnsupportedError, format_message, warn_of
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.fields import KINDS
from neurorl.models.agent.parts import Part, Registry
from neurorl.models.deep.trunk import INNER, Shared
from neurorl.network.description import Network
from neurorl.rules import Rule


def check_probability(config: AgentConfig, backend: Backend) -> None:
    """Raise UnsupportedError for a rule that needs spike probabilities if p is no sigmoid."""
    for rule in config.rules_of(backend.network).values():
        if rule.needs_probability and not backend.arithmetic.noise.is_exact:
            needs = "needs spike probabilities, which are those of escape noise"
            remedy = "noise='exact', or the rule spikes-only"
            what = f"{config.where_rule('p', rule=rule)} {needs}"
            raise UnsupportedError(f"noise {backend.noise!r}", what, remedy=remedy)


def check_learning(config: AgentConfig, backend: Backend) -> None:
    """Raise UnsupportedError for a backend whose weights learn otherwise than the agent's."""
    if backend.learning != config.learning.name:
        what = f"the agent learns by {config.learning.name!r}"
        remedy = f"SpikingActorCritic(..., learning={backend.learning!r})"
        raise UnsupportedError(
            f"backend {backend.name}, learning {backend.learning!r}", what, remedy=remedy
        )


def learning_options(config: AgentConfig, backend: str | type[Simulator]) -> dict[str, Any]:
    """Return options of a backend in which weights learn. Raises UnsupportedError for others."""
    if not config.learning.on_chip:
        return {}
    cls = backend_class(backend) if isinstance(backend, str) else backend
    if config.learning.name not in cls.capabilities.learnings:
        what = f"can't learn {config.learning.name!r} by itself"
        remedy = "backend 'loihi', or learning 'host'"
        raise UnsupportedError(f"backend {cls.name}", what, remedy=remedy)
    return config.learning.backend_options()


def not_compiled(config: AgentConfig, network: Network) -> str | None:
    """Name the part of an agent that has no compiled form, such as a rule's function, or None."""
    from neurorl.learning.loops.native_features import is_compiled

    if isinstance(config.trunk, Shared):
        told = {kind: config.parts[kind] for kind in ("encoder", "policy", "modulator")}
        return _not_in_c({**KINDS, **INNER}, {**told, **config.trunk.inner})
    for statements in config.statement_rules:
        return f"an agent's rule of statements ({statements.name!r})"
    rules: dict[str, Rule] = {}
    for name, rule in config.rules_of(network).items():
        post = network.projection(name).post
        if rules.setdefault(post, rule) is not rule:
            return f"learning by several rules into one population ({post!r})"
    if config.modulators:
        return "learning by named modulators"
    for p in network.projections:
        own = rules.get(p.post)
        reads_drives = own is not None and (own.needs_probability or own.needs_membrane)
        if p.is_sparse and p.plasticity is not None and any(r.needs_paths for r in rules.values()):
            return f"V behind a list of synapses ({p.name!r})"
        if p.is_sparse and reads_drives:
            return f"p or v behind a list of synapses ({p.name!r})"
        if p.is_sparse and p.plasticity is not None and not config.writes.has_shadow:
            return f"writes {config.writes.name!r} into a list of synapses ({p.name!r})"
        if p.short_term is not None and reads_drives:
            return f"p or v behind short-term plasticity ({p.name!r})"
    for rule in rules.values():
        if not rule.is_text:
            return config.where_rule(rule=rule)
    if (part := _not_in_c(KINDS, config.parts)) is not None:
        return part
    if config.critic.changes and not is_compiled(config.features):
        return f"{type(config.features).__name__} of changes"
    return None


def _not_in_c(kinds: Mapping[str, Registry[Any]], parts: Mapping[str, Part]) -> str | None:
    """Name the first part that the compiled loop has to know, and doesn't, or None."""
    for kind, part in parts.items():
        if kinds[kind].compiled and part.kernel is None:
            return f"{kind} {part.name!r}"
    return None


@functools.cache
def is_users(own: str | None) -> bool:
    """Return whether something has no compiled form; warn of each once."""
    if own is not None:
        what = "has no compiled form, so all runs in NumPy, several times slower"
        warn_of(FallbackWarning, own, what)
    return own is not None


@functools.cache
def warned(problem: str | None) -> bool:
    """Return whether there is a problem; warn of each once."""
    if problem is not None:
        what, remedy = "runs in NumPy, several times slower", "install a C++ compiler"
        message = format_message("learning loop", what, got=problem, remedy=remedy)
        warnings.warn(message, RuntimeWarning, stacklevel=2)
    return problem is not None
