"""Hold the fields of an agent's configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from neurorl.errors import DescriptionError, quoted
from neurorl.models.agent.critics import CRITICS, Critic
from neurorl.models.agent.encoders import ENCODERS, Encoder
from neurorl.models.agent.gaussian_policy import Gaussian, GaussianReadout
from neurorl.models.agent.modulators import MODULATORS, Modulator
from neurorl.models.agent.parts import Part, Registry
from neurorl.models.agent.past import PAST, Past
from neurorl.models.agent.policies import POLICIES, Policy
from neurorl.models.agent.schedules import SCHEDULES, Schedule
from neurorl.models.agent.writes import PLACES, WRITES, Place, Writes
from neurorl.models.deep.trunk import TRUNKS, Trunk
from neurorl.models.features import Features
from neurorl.network.description import Network, Neuron
from neurorl.network.limits import MAX_DELAY, MAX_SIZE, MAX_TAPS
from neurorl.network.serialization import (
    Described,
    Flag,
    NotNegative,
    Number,
    Range,
    Share,
    several,
)
from neurorl.rules import Rule, SynapseRule
from neurorl.rules.registry import find_any_rule, saved

POLICIES.register("gaussian", Gaussian)
POLICIES.register("gaussian-readout", GaussianReadout)

KINDS: Mapping[str, Registry[Any]] = {
    registry.kind: registry
    for registry in (ENCODERS, POLICIES, CRITICS, WRITES, MODULATORS, SCHEDULES, PLACES, TRUNKS)
}
"""Map each field that holds a part to the registry of its classes."""

LOOKED_AT = (
    *("alpha_output", "cells", "critic.lambda_", "features", "lambda_actor"),
    *("reward_scale", *PAST),
)
"""List the fields that an agent may choose anew while it learns."""

NAMED = ("rules", "modulators")
"""List the fields that hold several choices, each by a name of its own."""


@dataclass(frozen=True, eq=False)
class AgentFields(Described):
    """Hold what an agent is made of.

    Network: ``actors`` x actions modules of ``hidden`` units of the model ``neuron`` (or hidden
    layers, from the input to the output, such as ``(8, 4)``), answering in a ``window`` of steps;
    ``bias``, ``signed``, ``trace_tau`` (s), ``weight_bound``, ``initial_hidden``,
    ``initial_output``, ``stimulus_lags``, ``history_lags`` and ``history`` are arguments of
    `neurorl.models.actor.actor_network`. Or a ``description`` with a source ``input`` and a
    population ``output`` of one or more neurons for each action (optionally a source ``bias`` of
    one channel that spikes in every step, and ``hidden``, below it ``hidden_2`` and so on); the
    fields above then only say how its rule learns. With ``carries``, membranes, traces and
    eligibilities go on from one decision to the next; else each begins from silence.
    ``input_recalls`` and ``hidden_recalls`` use this as a memory: projections with delays of so
    many windows bring the spikes of the input, or of the first hidden layer, so many decisions ago
    to that layer. With ``memories``, ``cells`` and ``features`` also read how far each number of an
    observation is from its running means, one for each kept share, or from what it was a whole
    number of steps before, or (-1, -2, ...) some changes before
    (`neurorl.models.agent.memories.Memories`), and with ``traces`` how much is left of each, one
    for each decay. With ``sees_actions``, what was chosen last in the
    episode is among these numbers, after those of the observation, and with ``sees_rewards`` what
    that was paid is the last of them. ``held_by`` names some of these numbers by their places, from
    0: what the others were when that one had each of its values last (0 to 7: which firm quotes a
    price, which lever was pulled) is seen, too. ``summed_by`` has instead their sums, over the last
    steps in a row in which it had the value, and their number, or with -1 over the episode
    (`neurorl.models.agent.past.Past`). ``cues``, the place of a number and values of it, shows
    which of these came last. ``tally``, the place of a number, or also values of it, shows the sum
    of that number, or the count of steps with these values, since and until what ``tally_since``
    and ``tally_until`` name (`neurorl.models.agent.tally.RunningSum`).

    Learning: ``rule`` is a name of `neurorl.rules.RULES`, or a `Rule` or `SynapseRule` of your own;
    files can hold rules that consist of texts. A `SynapseRule` says all that its synapses do, and
    reads none of the numbers below. Per decision
    ``e <- gamma lambda_actor e + tag`` and ``dw = alpha rate M e / N``, M the modulator, alpha
    ``alpha_output`` or ``alpha_hidden``, N the running mean of the squared trace of the layer's
    inputs: alpha is the change of a neuron's drive for M = 1. Without ``normalises``, N is 1. Rules
    of spike timing have instead ``eligibility_tau`` and ``post_tau`` (s) and ``depression``
    (`neurorl.learning.learner`), and learn in every population. Rewards are multiplied by
    ``reward_scale`` so that values stay near 1.

    ``rules`` maps single projections to rules that replace ``rule``. A rule that names a modulator
    gets that one of ``modulators``, other rules get ``modulator``.

    Parts: ``encoder`` of the activations of ``cells``, ``policy``, ``critic`` on ``features``,
    ``writes``, ``modulator``, ``schedule``, ``learning`` (the place) and ``trunk`` (whose hidden
    layers they are) are objects, which explain their own fields. With the trunk ``'shared'``, all
    actions have the same hidden layers, which learn as `neurorl.learning.deep.rule` says.

    first_play_steps: random steps played before the agent existed, to choose fields that the user
    didn't name (`neurorl.tasks.first_play`).
    looks_at: fields that a first play chose and that looks in training may change; empty for none
    (`neurorl.models.defaults.looks`). looked: what they have changed, a text for each look.
    solved_at: mean return of 100 episodes (discounted if ``solved_discounted``) of a solved task.
    """

    model: str
    neuron: Neuron
    rule: str | Rule | SynapseRule
    cells: Features
    features: Features
    window: Annotated[int, Range(1, MAX_DELAY)]
    encoder: Encoder = field(default_factory=ENCODERS.default)
    policy: Policy = field(default_factory=POLICIES.default)
    critic: Critic = field(default_factory=CRITICS.default)
    writes: Writes = field(default_factory=WRITES.default)
    modulator: Modulator = field(default_factory=MODULATORS.default)
    schedule: Schedule = field(default_factory=SCHEDULES.default)
    learning: Place = field(default_factory=PLACES.default)
    trunk: Trunk = field(default_factory=TRUNKS.default)
    actors: Annotated[int, Range(1, MAX_SIZE)] = 10
    hidden: int | tuple[int, ...] = 8
    rules: Mapping[str, str | Rule | SynapseRule] | None = None
    modulators: Mapping[str, Modulator] | None = None
    bias: Flag = True
    signed: Flag = False
    trace_tau: NotNegative = 0.0
    weight_bound: Number = 1.0
    initial_hidden: Number = 0.2
    initial_output: Number = 0.2
    stimulus_lags: int = 1
    history_lags: int = 0
    history: tuple[float, ...] = ()
    input_recalls: Annotated[tuple[int, ...], Range(1, 2**53)] = ()
    hidden_recalls: Annotated[tuple[int, ...], Range(1, 2**53)] = ()
    alpha_output: NotNegative = 0.1
    alpha_hidden: NotNegative = 0.5
    gamma: Share = 0.99
    lambda_actor: Share = 0.9
    reward_scale: Number = 0.02
    normalises: Flag = True
    eligibility_tau: NotNegative = 0.1
    post_tau: NotNegative = 0.02
    depression: NotNegative = 0.5
    carries: Flag = False
    memories: Annotated[tuple[float, ...], Range(-MAX_TAPS, MAX_TAPS)] = ()
    traces: Annotated[tuple[float, ...], Range(0, 1)] = ()
    sees_actions: Flag = False
    sees_rewards: Flag = False
    held_by: Annotated[tuple[int, ...], Range(0, MAX_SIZE)] = ()
    summed_by: Annotated[tuple[int, ...], Range(-1, MAX_SIZE)] = ()
    cues: Annotated[tuple[int, ...], Range(-(2**53), 2**53)] = ()
    tally: Annotated[tuple[int, ...], Range(-(2**53), 2**53)] = ()
    tally_since: Annotated[tuple[int, ...], Range(-(2**53), 2**53)] = ()
    tally_until: Annotated[tuple[int, ...], Range(-(2**53), 2**53)] = ()
    description: Network | None = None
    solved_at: float | None = None
    solved_discounted: Flag = False
    first_play_steps: Annotated[int, Range(0, 2**53)] = 0
    looks_at: Annotated[tuple[str, ...], _texts] = ()
    looked: Annotated[tuple[str, ...], _texts] = ()

    _place = "agent"

    @property
    def past(self) -> Past:
        """Return what is seen beside the last observation."""
        return Past.of(self)

    def __post_init__(self) -> None:
        super().__post_init__()
        if unknown := sorted({*self.looks_at} - {*LOOKED_AT}):
            what, limit = "no look changes it", f"some of {', '.join(LOOKED_AT)}, or () for none"
            raise DescriptionError("agent.looks_at", what, got=unknown[0], limit=limit)
        object.__setattr__(self, "rule", saved(self.rule))
        object.__setattr__(self, "rules", _named("rules", self.rules, saved))
        object.__setattr__(self, "modulators", _named("modulators", self.modulators, _modulator))

    @property
    def learning_rule(self) -> Rule | SynapseRule:
        """Return the rule that *rule* is or names. Raises UnknownNameError."""
        return find_any_rule(self.rule)

    @property
    def all_rules(self) -> list[Rule]:
        """Return ``rule`` and all of ``rules``, each once, but for those of statements.

        Raises UnknownNameError.
        """
        return [rule for rule in self._every_rule().values() if isinstance(rule, Rule)]

    @property
    def statement_rules(self) -> list[SynapseRule]:
        """Return those of ``rule`` and ``rules`` that consist of statements, each once."""
        return [rule for rule in self._every_rule().values() if isinstance(rule, SynapseRule)]

    def _every_rule(self) -> dict[str, Rule | SynapseRule]:
        """Return ``rule`` and all of ``rules`` by name."""
        every: dict[str, Rule | SynapseRule] = {}
        for rule in (self.rule, *(self.rules or {}).values()):
            one = find_any_rule(rule)
            if every.setdefault(one.name, one) != one:
                what, remedy = "two rules of one name", "a name for each"
                raise DescriptionError("agent.rules", what, got=one.name, remedy=remedy)
        return every

    def rules_of(self, network: Network) -> dict[str, Rule]:
        """Return the rule of each projection of *network* that learns, but not by statements."""
        every = self._every_rule_of(network)
        return {name: rule for name, rule in every.items() if isinstance(rule, Rule)}

    def statements_of(self, network: Network) -> dict[str, SynapseRule]:
        """Return the rule of each projection of *network* that learns by statements."""
        every = self._every_rule_of(network)
        return {name: rule for name, rule in every.items() if isinstance(rule, SynapseRule)}

    def _every_rule_of(self, network: Network) -> dict[str, Rule | SynapseRule]:
        by_name, own = self._every_rule(), self.rules or {}
        plastic = (p.name for p in network.projections if p.plasticity is not None)
        return {name: by_name[find_any_rule(own.get(name, self.rule)).name] for name in plastic}

    def modulator_of(self, rule: Rule) -> Modulator:
        """Return the modulator that scales the eligibilities of a rule."""
        return (self.modulators or {}).get(rule.modulator or "", self.modulator)

    @property
    def needs_critic(self) -> bool:
        """Return whether a modulator reads the critic's TD error."""
        every = (self.modulator, *(self.modulators or {}).values())
        return any(one.needs_critic for one in every)

    def where_rule(self, *names: str, rule: Rule | None = None) -> str:
        """Return a rule's name for errors; in a user's texts the first of these *names*, too.

        rule: None is ``rule``.
        """
        of = (self.rule, *(self.rules or {}).values())
        own = [one for one in of if isinstance(one, Rule) and (rule is None or one == rule)]
        if rule is None and not isinstance(self.rule, Rule):
            return f"rule {self.rule!r}"
        return own[0].where(*names) if own else f"rule {rule.name if rule else self.rule!r}"

    @property
    def parts(self) -> dict[str, Part]:
        """Return the parts of the agent by field."""
        return {kind: getattr(self, kind) for kind in KINDS}


def _texts(where: str, texts: object) -> tuple[str, ...]:
    """Return several texts. Raises DescriptionError for anything else."""
    every = several(where, texts)
    if not all(isinstance(text, str) for text in every):
        raise DescriptionError(where, "not texts", got=quoted(texts), limit="names, or () for none")
    return tuple(every)


def _named(where: str, choices: object, made: Callable[[Any], object]) -> dict[str, object] | None:
    """Return choices by name, None if there are none. Raises DescriptionError."""
    if choices is None:
        return None
    if not isinstance(choices, Mapping) or not all(isinstance(name, str) for name in choices):
        what, remedy = "not by name", f"{where}={{NAME: ...}}"
        raise DescriptionError(f"agent.{where}", what, got=quoted(choices), remedy=remedy)
    return {name: made(choice) for name, choice in choices.items()} or None


def _modulator(choice: object) -> Modulator:
    """Return a modulator given as an object or by name; a named one doesn't clip."""
    return MODULATORS.make(choice, {})
