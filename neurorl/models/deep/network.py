"""Build networks whose hidden layers serve all actions, and check agents that have them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from neurorl.errors import DescriptionError
from neurorl.models.actor import hidden_sizes
from neurorl.models.agent.checks import check_memories
from neurorl.models.agent.critics import Layers
from neurorl.models.agent.fields import AgentFields
from neurorl.models.agent.gaussian_policy import Gaussian
from neurorl.models.deep.trunk import Shared
from neurorl.network.description import (
    Network,
    Node,
    Plasticity,
    Population,
    Projection,
    Source,
    Uniform,
)
from neurorl.network.modules import hidden_name
from neurorl.network.neuron import Neuron, integrator_of
from neurorl.storage.plain import Named

_DT = 1e-3


def sizes_of(config: AgentFields) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the sizes of the actor's and of the critic's hidden layers, from the input up."""
    assert isinstance(config.critic, Layers)
    assert isinstance(config.trunk, Shared)
    patches = config.trunk.patches
    first = () if patches is None else (patches.size,)
    return (*first, *hidden_sizes(config.hidden)), (*first, *hidden_sizes(config.critic.hidden))


def layers_of(sizes: Sequence[int], prefix: str = "") -> list[str]:
    """Return the names of hidden layers from the input up; *prefix* ``critic_`` for a critic's."""
    return [prefix + hidden_name(below) for below in range(len(sizes), 0, -1)]


def least_steps(fields: Named) -> int:
    """Return the steps in which an input reaches the readouts of an agent with these fields."""
    sizes = fields["hidden"], getattr(fields["critic"], "hidden", 0)
    depth = max(len(hidden_sizes(size)) for size in sizes)
    has_patches = getattr(fields["trunk"], "patches", None) is not None
    return depth + has_patches + 2 - int(fields["encoder"].flows)


def deep_network(config: AgentFields, n_actions: int) -> Network:
    """Build ``input -> hidden layers -> output``, and ``-> critic_hidden layers -> critic``.

    All neurons are ``config.neuron``; there is one output neuron for each action, one of the
    critic, and a source ``bias`` into each layer. The host reads the membranes of ``output`` and
    ``critic``, the sums of what arrives there; whether they spike doesn't matter.
    """
    trunk = config.trunk
    assert isinstance(trunk, Shared)
    kind = config.encoder.source_kind
    n_inputs = trunk.observations.channels(config.cells.size)
    nodes: list[Node] = [Source("input", n_inputs, kind), Source("bias", 1, kind)]
    projections: list[Projection] = []
    plasticity = Plasticity(0.0, -config.weight_bound, config.weight_bound)

    def connect(pre: str, n_pre: int, name: str, size: int) -> None:
        patches = trunk.patches if pre == "input" else None
        seen = n_pre if patches is None else patches.index.shape[1]
        spread = 0.0 if name in ("output", "critic") else trunk.spread / math.sqrt(seen)
        first: Any = Uniform(-spread, spread) if spread else 0.0
        nodes.append(Population(name, size, config.neuron))
        projections.append(
            Projection(f"{pre}_{name}", pre, name, first, plasticity=plasticity, connect=patches)
        )
        projections.append(Projection(f"bias_{name}", "bias", name, 0.0, plasticity=plasticity))

    actor, critic = sizes_of(config)
    for sizes, names in (
        ((*actor, n_actions), (*layers_of(actor), "output")),
        ((*critic, 1), (*layers_of(critic, "critic_"), "critic")),
    ):
        pre, n_pre = "input", n_inputs
        for size, name in zip(sizes, names, strict=True):
            connect(pre, n_pre, name, size)
            pre, n_pre = name, size
    return Network(tuple(nodes), tuple(projections), _DT)


def check_deep(config: AgentFields) -> None:
    """Raise DescriptionError for parts that don't go with hidden layers shared by all actions."""
    where = "agent.trunk 'shared'"
    if not isinstance(config.trunk, Shared):
        what, got = "has no layers that all actions share", type(config.trunk).__name__
        raise DescriptionError("agent.trunk", what, got=got, remedy="derive it from Shared")
    for rule in config.statement_rules:
        what = f"learns in its own way, and not by rule {rule.name!r}"
        raise DescriptionError(where, what, remedy="trunk 'modules'")
    if config.description is not None:
        raise DescriptionError(where, "makes its own network", remedy="leave description out")
    if not isinstance(config.critic, Layers):
        got = f"critic {config.critic.name!r}"
        raise DescriptionError(where, "learns values in layers", got=got, remedy="critic 'layers'")
    if isinstance(config.policy, Gaussian):
        what, got = "counts spikes, and here membranes are read", repr(config.policy.name)
        raise DescriptionError("agent.policy", what, got=got, remedy="policy 'gaussian-readout'")
    if isinstance(config.hidden, (list, tuple)):
        object.__setattr__(config, "hidden", hidden_sizes(config.hidden))
    _check_patches(config)
    check_memories(config)
    plain: dict[str, tuple[object, object]] = {
        "carries": (config.carries, False),
        "learning": (config.learning.name, "host"),
        "modulators": (config.modulators, None),
        "rules": (config.rules, None),
        "signed": (config.signed, False),
        "modulator": (config.modulator.name, "td-error"),
        "writes": (config.writes.name, "shadow"),
    }
    for name, (found, only) in plain.items():
        if found != only:
            what, remedy = f"has no {name} of this kind", f"{name}={only!r}"
            raise DescriptionError(where, what, got=found, remedy=remedy)
    if config.window < (least := least_steps(vars(config))):
        what = "too short: a spike takes a step for each layer"
        raise DescriptionError("agent.window", what, got=config.window, limit=f">= {least}")
    _check_neuron(config.neuron)


def _check_patches(config: AgentFields) -> None:
    """Raise DescriptionError for patches of another image than what enters."""
    assert isinstance(config.trunk, Shared)
    patches, n = config.trunk.patches, config.trunk.observations.channels(config.cells.size)
    if patches is not None and patches.n_inputs != n:
        what = "patches of an image of another size"
        raise DescriptionError("agent.trunk.patches", what, got=patches.n_inputs, limit=n)


def _check_neuron(neuron: Neuron) -> None:
    """Raise DescriptionError for neurons whose spikes aren't decided by this step's drive alone."""
    plan = neuron.plan(1, _DT)
    found = integrator_of(plan)
    forgets = found is not None and not (found.membrane_decay.any() or found.current_decay.any())
    if not forgets or found is None or found.noise_width.any() or found.refractory_steps.any():
        what = "needs neurons that forget within a step, without noise or refractory time"
        raise DescriptionError("agent.neuron", what, remedy="LIF(tau_mem=0.0)")
    if found.threshold[0] != 1.0 or found.bias[0] != 0.0:
        what, got = "needs a threshold of 1 and a bias of 0", float(found.threshold[0])
        raise DescriptionError("agent.neuron", what, got=got, remedy="LIF(tau_mem=0.0)")
