"""Find training algorithms of the library, and algorithms that users add, by name."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from neurorl.backends.lookup import quickest
from neurorl.errors import ArgumentError, BackendUnavailableError, unknown_name_error
from neurorl.models.agent.config import AgentConfig, said_in
from neurorl.network.serialization import Described
from neurorl.storage.plain import Named


@dataclass(frozen=True)
class Only:
    """Name the only value of an option that an algorithm accepts, with the reason and a remedy.

    others: further accepted values.
    """

    value: object
    why: str
    remedy: str | None = None
    others: tuple[object, ...] = ()


@dataclass(frozen=True)
class Algorithm:
    """Describe a way to learn. Its code is imported when agents are made.

    name: the value of ``approach`` on the command line and in files.
    maker: ``module:name`` of the function of a `neurorl.agents.group.GroupPlan` that makes agents.
    config: ``module:Class`` of its own options, a `Described`; None if it has none.
    backend: the only backend it trains on; None for any. Agents play on any backend.
    needs: distributions that it needs beyond those of every run.
    only: training options for which it accepts a single value.
    unread: options of agents that it doesn't read, though other algorithms do; read_if_shared:
        those of them that agents with shared hidden layers have a use for.
    stops_exactly: whether it stops after exactly the given environment steps, or some later.
    keeps_floats: whether it learns floats, which an arithmetic only rounds.
    can_share: whether agents have hidden layers that serve all actions by default.
    is_joint: whether an agent learns from as many environments as a `GroupPlan` says.
    agent: ``module:Class`` of the `neurorl.agents.base.LearningAgent` that callbacks of a run see;
        None if a run can't have any.
    """

    name: str
    maker: str
    config: str | None = None
    backend: str | None = None
    needs: tuple[str, ...] = ()
    only: Mapping[str, Only] = field(default_factory=dict)
    unread: frozenset[str] = frozenset()
    read_if_shared: frozenset[str] = frozenset()
    stops_exactly: bool = True
    keeps_floats: bool = False
    can_share: bool = False
    is_joint: bool = False
    agent: str | None = None

    def check(self, **options: object) -> None:
        """Raise ArgumentError if it can't be combined with one of these *options*."""
        for name, got in options.items():
            only = self.only.get(name, Only(got, ""))
            if got != only.value and got not in only.others:
                remedy = only.remedy and only.remedy.format(got=got)
                where = f"approach {self.name!r}"
                raise ArgumentError(where, only.why, got=got, remedy=remedy)

    def check_read(self, named: Named, config: AgentConfig) -> None:
        """Raise ArgumentError for a *named* option of the agents that it ignores."""
        unread = self.unread - (self.read_if_shared if config.trunk.is_shared else frozenset())
        for name in said_in(named):
            if unread.intersection((name, name.partition(".")[0])):
                what, remedy = f"doesn't read {name}", "leave it out, or take approach 'local'"
                raise ArgumentError(f"approach {self.name!r}", what, remedy=remedy)

    def plays_on(self, trained_on: str) -> str:
        """Return the default backend to play on, given the backend of training."""
        return trained_on if self.backend is None else quickest()

    def read_config(self, data: Named | None) -> Described | None:
        """Return the algorithm's own options from plain data, or None if it has none.

        Raises DescriptionError.
        """
        if self.config is None or data is None:
            return None
        cls: type[Described] = self.load(self.config)
        return cls.from_dict(data)

    def load(self, target: str) -> Any:
        """Import the object that *target*, ``module:attribute``, names.

        Raises BackendUnavailableError if a distribution that the algorithm needs doesn't import.
        """
        module, _, attribute = target.partition(":")
        try:
            return getattr(importlib.import_module(module), attribute)
        except ImportError as exc:
            missing = (exc.name or "").partition(".")[0]
            if missing not in self.needs:
                raise
            where, what = f"approach {self.name!r}", f"{missing} doesn't import"
            remedy = f"pip install 'neurorl[{missing}]'"
            raise BackendUnavailableError(where, what, got=exc, remedy=remedy) from exc


LOCAL = Algorithm(
    "local",
    "neurorl.agents.sharding:make_local_group",
    only={"gradient": Only([], "has no gradient options")},
    can_share=True,
    is_joint=True,
    agent="neurorl.agents.local:SpikingActorCritic",
)
"""Learn by a local three-factor rule, on any backend."""

_IN_TORCH = "learns in PyTorch"
REPARAMETERIZATION = Algorithm(
    "reparameterization",
    "neurorl.reparameterization.replicas:make_gradient_group",
    config="neurorl.reparameterization.config:GradientConfig",
    backend="torch",
    needs=("torch",),
    only={
        "backend": Only(
            "torch",
            "trains in PyTorch, and the agent runs on any backend afterwards",
            "leave --backend out, then neurorl evaluate RUN --backend {got}",
        ),
        "learning": Only("host", _IN_TORCH, "approach 'local', or leave --learning out"),
        "noise": Only("exact", "learns with escape noise only", "name a noise in neurorl evaluate"),
        "backend_options": Only(
            [], _IN_TORCH, "name them in neurorl evaluate", others=(["device"],)
        ),
    },
    unread=frozenset(
        (
            *("rule", "rules", "modulator", "modulators", "trace_tau", "schedule", "writes"),
            *("alpha_output", "alpha_hidden", "lambda_actor", "critic.alpha", "critic.lambda_"),
            *("normalises", "eligibility_tau", "post_tau", "depression", "learning.magnitude"),
            *("policy.beta_end", "policy.beta_decisions", "policy.repeats_decisions"),
            *("trunk.feedback", "trunk.step_size", "trunk.faded"),
        )
    ),
    read_if_shared=frozenset(
        (
            *("schedule", "modulator"),
            *("policy.beta_end", "policy.beta_decisions", "policy.repeats_decisions"),
        )
    ),
    stops_exactly=False,
    keeps_floats=True,
    agent="neurorl.reparameterization.agent:ReparameterizedActorCritic",
)
"""Learn by gradients through stochastic spikes, in PyTorch."""

ALGORITHMS: dict[str, Algorithm] = {a.name: a for a in (LOCAL, REPARAMETERIZATION)}
"""Map the name of each algorithm to it."""


def find_algorithm(name: str | None) -> Algorithm:
    """Return the algorithm of this name; None is `LOCAL`. Raises UnknownNameError."""
    if name is None:
        return LOCAL
    if not isinstance(name, str) or name not in ALGORITHMS:
        raise unknown_name_error("approach", name, ALGORITHMS)
    return ALGORITHMS[name]


def register_algorithm(algorithm: Algorithm) -> Algorithm:
    """Make an algorithm known by its name, and return it.

    Raises ArgumentError if another one has the name.
    """
    if ALGORITHMS.setdefault(algorithm.name, algorithm) is not algorithm:
        what, remedy = f"the name {algorithm.name!r} is taken", "choose another name"
        raise ArgumentError("register_algorithm", what, remedy=remedy)
    return algorithm
