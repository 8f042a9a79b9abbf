"""Check that the parts of an agent fit together; each part checks its own fields itself."""

from __future__ import annotations

import math

from neurorl.errors import DescriptionError, check_name
from neurorl.models.actor import hidden_sizes, history_taps, least_window
from neurorl.models.agent.fields import AgentFields
from neurorl.models.agent.gaussian_policy import GaussianReadout
from neurorl.models.agent.past import check_places
from neurorl.models.agent.statements import check_spiking, check_statements
from neurorl.models.agent.writes import OnChip
from neurorl.models.features import Features, FromNumbers, HashedStates, Raw, Select
from neurorl.models.features.of_others import BlockMeans
from neurorl.network.description import Network, Population
from neurorl.network.limits import MAX_TAPS, check_limit
from neurorl.network.modules import hidden_layers, module_projections
from neurorl.network.serialization import positive, several
from neurorl.rules import Rule
from neurorl.rules.membrane import noise_problem
from neurorl.rules.post_factor import OF_MODULES
from neurorl.rules.synapse_rule import USUAL


def check_combination(config: AgentFields) -> None:
    """Raise DescriptionError for parts that don't go together, whatever the network is."""
    check_statements(config)
    _check_several(config)
    for rule in config.all_rules:
        _check_names(config, rule)
        modulator = config.modulator_of(rule)
        if rule.needs_td_error and not modulator.is_td_error:
            what = f"{config.where_rule(rule=rule)} is modulated by the TD error"
            got, remedy = repr(modulator.name), "or take 'reward-stdp'"
            raise DescriptionError("agent.modulator", what, got=got, remedy=remedy)
    if not config.modulator.is_td_error and config.critic.population is not None:
        what, got = "a spiking critic has no use", repr(config.modulator.name)
        remedy = "modulator 'td-error', or critic 'linear'"
        raise DescriptionError("agent.modulator", what, got=got, remedy=remedy)
    if config.modulator.needs_linear and config.critic.population is not None:
        what, got = "a spiking critic hears of rewards as they are", repr(config.modulator.name)
        remedy = "critic 'linear', or modulator 'td-error'"
        raise DescriptionError("agent.modulator", what, got=got, remedy=remedy)
    if isinstance(config.policy, GaussianReadout):
        what, got = "reads membranes, and here spikes are counted", repr(config.policy.name)
        remedy = "policy 'gaussian', or trunk 'shared'"
        raise DescriptionError("agent.policy", what, got=got, remedy=remedy)
    if config.learning.on_chip:
        _check_on_chip(config)
    check_memories(config)
    config.critic.check(config.features, config.cells, config.window)


def check_memories(config: AgentFields) -> None:
    """Raise DescriptionError for too many memories, or for features without memories."""
    where, keeps = "agent.memories", config.memories
    check_limit(where, "memories", len(keeps), MAX_TAPS)
    check_limit("agent.traces", "traces", len(config.traces), MAX_TAPS)
    check_limit("agent.held_by", "numbers", len(config.past.keys), MAX_TAPS)
    if config.sees_actions and config.policy.is_continuous:
        limit = "a policy that chooses among alternatives"
        got = repr(config.policy.name)
        raise DescriptionError("agent.sees_actions", "sees no numbers", got=got, limit=limit)
    if not config.past:
        return
    for keep in keeps:
        if not 0.0 <= keep <= 1.0 and keep % 1.0:
            limit = "a share in [0, 1], a number of steps, or below 0 one of changes"
            raise DescriptionError(where, "holds no memory", got=keep, limit=limit)
    for name, features in _that_remember(config).items():
        n = _numbers_of(features)
        is_some = bool(config.past.keys or config.past.last_numbers) or n % config.past.copies == 0
        if not is_some or not isinstance(features, (Select, FromNumbers, Raw)):
            what = f"needs {name} of each number and of its change from each of its means"
            limit = f"a vector, of a multiple of {config.past.copies} numbers"
            raise DescriptionError(where, what, got=f"{type(features).__name__}, {n}", limit=limit)


def check_remembered(config: AgentFields, n: int, actions: int) -> None:
    """Raise DescriptionError unless cells and features read *n* numbers and their memories.

    n: own actions and rewards are among them. actions: of so many choices each.
    """
    check_places(config.past, n)
    limit = config.past.size(n, actions)
    more = limit * (1 + config.critic.changes)
    for name, of in _that_remember(config).items():
        most = more if name == "features" else limit
        if (got := _numbers_of(of)) != most:
            what = f"needs {name} of an observation's numbers and of their memories"
            remedy = "name cells= and features= of so many numbers"
            raise DescriptionError("agent.memories", what, got=got, limit=most, remedy=remedy)


def _that_remember(config: AgentFields) -> dict[str, Features]:
    """Return the cells, and the features of a critic that has no hidden layers to see the cells."""
    linear = {} if config.trunk.is_shared else {"features": config.features}
    return {"cells": config.cells, **linear}


def _numbers_of(features: Features) -> int:
    """Return how many numbers of an observation these features read."""
    if isinstance(features, HashedStates):
        return features.length
    if isinstance(features, BlockMeans):
        return math.prod(features.shape)
    return features.n if isinstance(features, Select) else features.n_inputs


def _check_several(config: AgentFields) -> None:
    """Raise DescriptionError for rules or modulators that exclude each other."""
    for rule in config.all_rules if config.rules else ():
        if not rule.is_text:
            what = f"{rule.where()} is a function of all that a decision has"
            raise DescriptionError(
                "agent.rules", what, remedy="rules of texts, output= and hidden="
            )
    several = any(len(rule.modulators) > 1 for rule in config.statement_rules)
    if not config.modulators and not several:
        return
    if config.critic.population is not None:
        what = "a spiking critic's modulator comes a decision later than others"
        raise DescriptionError("agent.modulators", what, remedy="critic 'linear'")
    named = [rule.modulator for rule in config.all_rules if rule.modulator is not None]
    named += [name for rule in config.statement_rules for name in rule.modulators]
    modulators = config.modulators or {}
    for name in modulators:
        check_name("agent.modulators, modulator of a rule", name, named)
    for name in named:
        if name not in modulators and name != USUAL:
            what, limit = f"has none for a rule's modulator {name!r}", list(modulators)
            raise DescriptionError("agent.modulators", what, limit=limit)


def _check_names(config: AgentFields, rule: Rule) -> None:
    """Raise DescriptionError for a rule that names what an agent hasn't."""
    for name in rule.signals:
        if rule.names(name):
            what = f"needs {name}, which agents don't have"
            raise DescriptionError(rule.where(name), what, remedy="neurorl.Learning")
    if rule.names("M") and config.critic.population is not None:
        what = "M, the modulator, comes a decision later with a spiking critic"
        raise DescriptionError(config.where_rule("M", rule=rule), what, remedy="critic 'linear'")


def _check_on_chip(config: AgentFields) -> None:
    critic, encoder, writes = config.critic, config.encoder, config.writes
    rule = config.learning_rule
    assert isinstance(rule, Rule)  # of statements, `check_statements` has refused it
    has_own = rule.eligibility_tau is not None or bool(rule.eligibility_keep)
    for odd, what, remedy in (
        (config.rules is not None, "rules of projections", "one rule"),
        (config.learning == OnChip(0.0), "a magnitude of 0", "OnChip(magnitude=20)"),
        (rule.pairs_spikes, config.where_rule(), "rule 'spikes-only'"),
        (critic.population is not None, f"critic {critic.name!r}", "critic 'linear'"),
        (config.carries, "carries", "carries=False"),
        (config.signed, "signed units", "signed=False, or model 'lif'"),
        (encoder.flows, f"encoder {encoder.name!r}", "encoder 'quiet'"),
        (not writes.has_shadow, f"writes {writes.name!r}", "leave writes out"),
        (config.lambda_actor > 0, f"lambda_actor {config.lambda_actor:g}", "lambda_actor=0"),
        (rule.names("slow", "M"), config.where_rule("slow", "M"), "a rule without them"),
        (has_own, f"an eligibility of {config.where_rule()}", "leave its eligibility_... out"),
    ):
        if odd:
            where = f"agent.learning {config.learning.name!r}"
            raise DescriptionError(where, f"can't be with {what}", remedy=remedy)


def check_modules(config: AgentFields) -> None:
    """Raise DescriptionError unless modules of this kind can answer in the window.

    Sets ``hidden`` and ``history`` to tuples.
    """
    sizes = hidden_sizes(config.hidden)
    if isinstance(config.hidden, (list, tuple)):
        object.__setattr__(config, "hidden", sizes)
    # A current moves the first layer in the step in which it flows.
    layers = len(sizes) + 1 - config.encoder.flows
    _check_window(config, layers)
    _check_taps(config, layers)
    for rule in config.all_rules if config.encoder.flows else ():
        _check_pairs(config, "agent.encoder", rule)
    for rule in config.all_rules if config.signed else ():
        if rule.pairs_spikes:
            raise DescriptionError(
                "agent.rule", f"{config.where_rule(rule=rule)} has no signed units"
            )


def _check_window(config: AgentFields, layers: int) -> None:
    if config.window < layers + 1:
        what = f"too short for {layers} layers: a spike takes a step for each"
        limit = f">= {layers + 1}"
        raise DescriptionError("agent.window", what, got=config.window, limit=limit)


def _check_taps(config: AgentFields, layers: int) -> None:
    object.__setattr__(config, "history", several("agent.history", config.history))
    positive("agent.stimulus_lags", config.stimulus_lags, most=MAX_TAPS)
    _check_recalls(config)
    if config.stimulus_lags > 1 and not layers:
        what = "a current is the same in every step, so its filter has one tap"
        raise DescriptionError("agent.stimulus_lags", what, got=config.stimulus_lags)
    history_taps(config.history_lags, config.history, config.weight_bound)
    least = least_window(layers, config.stimulus_lags, config.history_lags)
    if config.window < least and not config.carries:
        taps = f"{config.stimulus_lags} stimulus and {config.history_lags} history lags"
        what = f"too short for {taps}: the last taps would see no spike"
        raise DescriptionError("agent.window", what, got=config.window, limit=f">= {least}")


def _check_recalls(config: AgentFields) -> None:
    for name in ("input_recalls", "hidden_recalls"):
        agos = getattr(config, name)
        if len(set(agos)) < len(agos):
            raise DescriptionError(f"agent.{name}", "the same decision twice", got=agos)
    if config.input_recalls and config.encoder.flows:
        what = "a current has no delay"
        raise DescriptionError("agent.input_recalls", what, remedy="encoder 'quiet'")
    if config.hidden_recalls and not hidden_sizes(config.hidden):
        raise DescriptionError("agent.hidden_recalls", "there are no hidden units")


def check_description(config: AgentFields, network: Network) -> None:
    """Raise DescriptionError unless a user's network has what the agent's parts need."""
    where = "agent.description"
    if not isinstance(network, Network):
        raise DescriptionError(where, "not a Network", got=type(network).__name__)
    sources = {source.name: source.size for source in network.sources}
    if sources.get("input") != config.cells.size:
        what = "needs a source 'input' of a channel for each cell"
        got, limit = sources.get("input"), config.cells.size
        raise DescriptionError(where, what, got=got, limit=limit)
    if "output" not in {p.name for p in network.populations}:
        raise DescriptionError(where, "has no population 'output'")
    rules = check_rules(config, where, network)
    for rule in {rule.name: rule for rule in rules.values()}.values():
        if rule.pairs_spikes and any(p.signed for p in network.projections):
            what = f"{config.where_rule(rule=rule)} has no signed projections"
            raise DescriptionError(where, what)
    if any(p.gap for p in network.projections):
        raise DescriptionError(where, "agents have no gap junctions", remedy="neurorl.Learning")
    _check_kinds(config, where, network)
    config.critic.check_network(network, config.features)
    _check_layers(config, where, network)
    check_probability(config, where, network)
    if not config.carries:
        _check_window(config, network.depth("output"))


def _check_kinds(config: AgentFields, where: str, network: Network) -> None:
    kind = config.encoder.source_kind
    for source in network.sources:
        if source.name in ("input", "critic_input") and source.kind != kind:
            needs = f"needs a source {source.name!r} of another kind"
            what = f"encoder {config.encoder.name!r} {needs}"
            raise DescriptionError(where, what, got=repr(source.kind), limit=repr(kind))
    rules = config.rules_of(network)
    for p in network.projections:
        if p.pre in network.currents and p.name in rules:
            _check_pairs(config, where, rules[p.name])


def _check_pairs(config: AgentFields, where: str, rule: Rule) -> None:
    if rule.pairs_spikes:
        what = f"{config.where_rule(rule=rule)} pairs spikes, of which a current has none"
        remedy = "encoder 'quiet', or another rule"
        raise DescriptionError(where, what, remedy=remedy)


def check_rules(config: AgentFields, where: str, network: Network) -> dict[str, Rule]:
    """Return `AgentFields.rules_of`. Raises DescriptionError, or UnknownNameError.

    Rules may be given to projections that learn, but not to those into a spiking critic.
    """
    rules = config.rules_of(network)
    drawn: dict[str, bool] = {}
    check_spiking(config, where, network)
    plastic = [p.name for p in network.projections if p.plasticity is not None]
    for name in config.rules or {}:
        check_name("agent.rules, plastic projection", name, plastic)
        if network.projection(name).post == config.critic.population:
            what = f"{name!r} leads to the critic, which learns in its own way"
            raise DescriptionError("agent.rules", what)
    for name, rule in rules.items():
        post = network.projection(name).post
        if drawn.setdefault(post, rule.random_feedback) != rule.random_feedback:
            what = f"b of {post!r} is drawn for one rule and a path's sign for another"
            raise DescriptionError("agent.rules", what, remedy="one kind into each population")
    return rules


def _check_layers(config: AgentFields, where: str, network: Network) -> None:
    """Check that its rule knows every layer that learns."""
    hidden, rules = hidden_layers(network), config.rules_of(network)
    chain = module_projections(network)
    for p in network.projections:
        rule = rules.get(p.name)
        if rule is None or p.post in ("output", config.critic.population):
            continue
        if p.post not in hidden and not rule.pairs_spikes:
            others = {q.post for q in network.projections if q.plasticity is not None}
            others -= {"output", *hidden, config.critic.population}
            known = "learns only in 'output', 'hidden', below it 'hidden_2'..."
            what = f"{config.where_rule(rule=rule)} {known}"
            raise DescriptionError(where, what, got=sorted(others), remedy="reward-stdp")
        if rule.needs_modules and p.post in hidden and hidden.index(p.post) >= len(chain):
            _refuse_modules(config, where, network, rule)


def _refuse_modules(config: AgentFields, where: str, network: Network, rule: Rule) -> None:
    hidden, chain = hidden_layers(network), module_projections(network)
    what = f"{config.where_rule(*OF_MODULES, rule=rule)} needs modules, of one 'output' neuron each"
    ends = f"{hidden[len(chain)]!r} to {('output', *hidden)[len(chain)]!r}"
    remedy = f"a plastic projection from {ends} of {network.node('output').size} blocks"
    raise DescriptionError(where, what, remedy=remedy)


def check_probability(config: AgentFields, where: str, network: Network) -> None:
    """Raise DescriptionError if a rule needs p or v, and rasters and weights don't tell it."""
    rules = config.rules_of(network)
    for population in network.populations:
        into = [p.name for p in network.projections if p.post == population.name]
        for rule in {rules[p].name: rules[p] for p in into if p in rules}.values():
            _check_told(config, where, network, population, rule)


def _check_told(
    config: AgentFields, where: str, network: Network, population: Population, rule: Rule
) -> None:
    if rule.needs_probability:
        what = f"{config.where_rule('p', rule=rule)} needs spike probabilities"
    elif rule.needs_membrane:
        what = f"{config.where_rule('v', 'theta', rule=rule)} needs membranes"
    else:
        return
    if config.carries:
        raise DescriptionError("agent.carries", f"{what}, which are computed from rest")
    if rule.needs_membrane and not population.is_integrator(network.dt):
        problem = f"{what}, and {population.name!r} has neurons by equations"
        remedy = "LIF, CubaLIF or GLM, or a rule of spikes"
        raise DescriptionError(where, problem, remedy=remedy)
    silent = noise_problem(population, network.dt, what) if rule.needs_probability else None
    if silent is not None:
        raise DescriptionError(where, silent)
