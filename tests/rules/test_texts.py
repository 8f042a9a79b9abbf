"""Test rules as texts: the bits of the functions that they were, what follows, errors."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import numpy as np
import pytest

from neurorl import SpikingActorCritic
from neurorl.errors import DescriptionError
from neurorl.models.agent.config import AgentConfig
from neurorl.rules import RULES, Decision, Factors, HiddenLayer, Rule, feedback, find_rule
from neurorl.rules.post_factor import NAMES, PostFactor

SMALL: dict[str, Any] = {"actors": 2, "hidden": 2, "window": 5}

# Of `digest` with the functions of NumPy that the rules were before they were texts.
DIGESTS = {
    "agreement": "d8040c61cbdac5d4",
    "centred-feedback": "416f9f2f09ef1412",
    "coagent": "37a8b9a48d8a3eb2",
    "reward-stdp": "440b5dce359e4f4d",
    "spikes-only": "7157769995fbed04",
    "spikes-only-hebbian": "4335f70073eab27f",
    "surrogate": "548e50b7121980f7",
    "td-stdp": "b58ad61976f691b8",
}


def drawn(rng: np.random.Generator) -> Decision:
    """Draw a decision of random modules with two hidden layers."""
    actions, actors, width = (int(rng.integers(2, 5)) for _ in range(3))
    window, modules = int(rng.integers(5, 15)), actions * actors
    action = int(rng.integers(actions))

    def hidden(size: int, lag: int, first: int) -> HiddenLayer:
        n = modules * size
        return HiddenLayer(
            spikes=rng.random((window, n)) < 0.3,
            first=first,
            lag=lag,
            signs=rng.choice([-1.0, 1.0], n),
            p=rng.random((window, n)),
            paths=rng.normal(size=n),
        )

    return Decision(
        action=action,
        phi=feedback(action, rng.dirichlet(np.ones(actions))),
        output=rng.random((window, modules)) < 0.3,
        output_from=3,
        hidden=(hidden(width, 1, 2), hidden(2 * width, 2, 1)),
        output_p=rng.random((window, modules)),
    )


def digest(rule: Any, cases: int = 40) -> str:
    rng, sha = np.random.default_rng(3), hashlib.sha256()
    for _ in range(cases):
        factors = rule(drawn(rng))
        for f in (factors.output, *factors.hidden):
            sha.update((f + 0.0).tobytes())  # without signs of zeros, which no sum has
    return sha.hexdigest()[:16]


@pytest.mark.parametrize("name", DIGESTS)
def test_texts_have_every_bit_of_the_functions_that_they_were(name: str) -> None:
    assert digest(find_rule(name)) == DIGESTS[name]


NEEDS = {  # p, paths, modules; gains: output, hidden
    "agreement": (True, False, True, False),
    "centred-feedback": (True, False, True, False),
    "coagent": (True, False, False, False),
    "random-feedback": (False, False, True, True),
    "reward-stdp": (False, False, False, True),
    "spikes-only": (False, False, True, True),
    "spikes-only-hebbian": (False, False, True, True),
    "surrogate": (True, True, True, False),
    "td-stdp": (False, False, False, True),
    "e-prop": (False, False, True, False),
    "triplet-stdp": (False, False, False, False),
    "mstdpet": (False, False, False, True),
    "authors-cartpole": (True, False, True, False),
    "authors-mountaincar": (False, False, False, False),
    "node-perturbation": (False, False, False, False),
}


@pytest.mark.parametrize("name", RULES)
def test_needs_follow_from_names(name: str) -> None:
    rule = find_rule(name)
    found = (rule.needs_probability, rule.needs_paths, rule.needs_modules)
    assert (*found, rule.texts[0].is_gain) == NEEDS[name]
    assert rule.texts[0].is_gain == rule.texts[1].is_gain


@pytest.mark.parametrize(
    ("text", "is_gain"),
    [
        ("spike", True),
        ("-spike*phi/(1 + n)", True),
        ("phi*(1 - n/W)*spike*2", True),
        ("spike*spike", True),
        ("phi/spike", False),
        ("spike*p", False),
        ("spike*y", False),
        ("spike*(1 - spike)", False),
        ("spike + phi", False),
        ("spike*phi + 0", False),
        ("phi*exp(-n)", False),
    ],
)
def test_what_is_a_gain_for_each_spike(text: str, is_gain: bool) -> None:
    assert PostFactor(text, "rule").is_gain == is_gain


def test_a_gain_counts_with_spikes_only_whatever_it_is() -> None:
    """1/n is infinite for a neuron without spikes, which has no factor."""
    decision = drawn(np.random.default_rng(0))
    factors = Rule("mine", output="spike/n")(decision)
    for f, spikes, first in (
        (factors.output, decision.output, 3),
        (factors.hidden[0], decision.hidden[0].spikes, 2),
    ):
        assert np.allclose(f.sum(axis=0), spikes[first:].any(axis=0))


def test_a_text_leaves_what_it_reads_as_it_is() -> None:
    decision = drawn(np.random.default_rng(0))
    assert decision.output_p is not None
    before = decision.output_p.copy()
    assert not Rule("mine", output="p")(decision).output[:3].any()
    assert np.array_equal(decision.output_p, before)


def test_outside_of_modules_nothing_is_broadcast() -> None:
    hidden = drawn(np.random.default_rng(0)).hidden[0]
    odd = HiddenLayer(hidden.spikes[:, :5], 0, 0, np.ones(0), in_modules=False)
    decision = Decision(0, np.array([0.5, -0.5]), hidden.spikes[:, :2], 0, (odd,))
    factors = Rule("mine", output="spike*(phi*b)*t*2", pairs_spikes=True)(decision)
    assert np.array_equal(factors.hidden[0], 2.0 * odd.spikes)


def refused(match: str, **options: Any) -> None:
    with pytest.raises(DescriptionError, match=match):
        Rule("mine", **options)


def test_errors_name_the_rule_the_text_and_the_character() -> None:
    unknown = r"rule 'mine', output, character 7: unknown name 'phy' .*did you mean 'phi'"
    refused(unknown, output="spike*phy")
    refused(r"rule 'mine', hidden, character 1: unknown name 'u'", output="spike", hidden="u")
    refused(r"output, character 1: a boolean where a number is needed", output="spike > 0")
    refused(r"output, character 10: .*isn't in the language", output="spike*phi.real")
    refused(
        r"hidden, character 7: 'V' needs modules",
        output="spike",
        hidden="spike*V",
        pairs_spikes=True,
    )
    refused("gates_depression", output="spike*p", pairs_spikes=True, gates_depression=True)
    refused("gates_depression", output="spike", gates_depression=True)
    refused("output= is no text", output=3)
    refused("output= is no text")
    refused("hidden= is no text", output="spike", hidden=3)
    refused("function of post factors, or the texts", post_factors=len, output="spike")
    refused("must be True or False", output="spike", pairs_spikes="yes")
    with pytest.raises(DescriptionError, match="is no name"):
        Rule(3, output="spike")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "character", "what"),
    [
        ("trace*trace*spike", 7, "trace times trace"),
        ("spike*(trace*phi)*(trace + 0)", 20, "trace times trace"),
        ("trace*spike - 0.1", 15, "a term without trace beside one with it"),
        ("phi*n + spike*trace", 1, "a term without trace"),
        ("where(spike > 0, trace, 1)", 25, "a term without trace"),
        ("where(trace > 1, spike, 0)", 7, "trace in a condition"),
        ("spike/trace", 7, "trace in a divisor"),
        ("spike*exp(trace)", 11, "trace in a function"),
        ("trace**2", 1, "trace in a power"),
        ("spike*w", 7, "'w': a text can't depend on the synapse's weight"),
        ("0*trace + spike", 1, "trace is named, but isn't a factor"),
    ],
)
def test_what_a_text_may_say_of_the_trace(text: str, character: int, what: str) -> None:
    refused(f"rule 'mine', output, character {character}: {what}.*every term is trace", output=text)


@pytest.mark.parametrize(
    "text",
    [
        "trace*spike*phi",
        "-(spike*trace)/2*phi",
        "trace*(spike*phi - 0.1*n) + 0.5*trace",
        "where(spike > 0, trace*phi, 0)",
        "trace**1*spike*phi + 0",
    ],
)
def test_trace_multiplies_the_whole_whether_it_is_named_or_not(text: str) -> None:
    decision, plain = drawn(np.random.default_rng(0)), text.replace("trace", "1")
    for one, other in (
        (Rule("mine", output=text)(decision), Rule("mine", output=plain)(decision)),
    ):
        assert np.array_equal(one.output, other.output)
        assert one.output.any()
    assert PostFactor("trace*spike*phi", "rule").is_gain


def test_signals_have_names_of_their_own() -> None:
    refused(
        "character 7: unknown name 'dopamin' .*'dopamine'",
        output="spike*dopamin",
        signals=("dopamine",),
    )
    for name in ("spike", "exp", "trace"):
        refused("signals: is a name already", output="spike", signals=(name,))
    refused("signals: is a name already", output="spike", signals=("a", "a"))
    refused("signals: must be letters", output="spike", signals=("a b",))
    refused("signals: must be a tuple", output="spike", signals="dopamine")
    assert not PostFactor("spike*dopamine", "rule", ("dopamine",)).is_gain


def function(_: Decision) -> Factors:
    raise AssertionError


TEXT, CALLED = {"output": "spike*phi"}, {"post_factors": function}
PAIRS = {**TEXT, "pairs_spikes": True}

# By field: what it may be with, and what it would have no effect with.
FIELDS: dict[str, tuple[Any, list[dict[str, Any]], list[dict[str, Any]]]] = {
    "name": ("mine", [TEXT, CALLED], []),
    "post_factors": (function, [{}], [PAIRS, TEXT]),
    "needs_probability": (True, [CALLED, {"output": "spike*p"}], [TEXT]),
    "needs_paths": (True, [CALLED, {"output": "spike*V"}], [TEXT]),
    "needs_modules": (False, [CALLED, {"output": "spike"}, PAIRS], [TEXT]),
    "pairs_spikes": (True, [TEXT], [CALLED]),
    "gates_depression": (True, [PAIRS], [TEXT, CALLED]),
    "needs_td_error": (True, [TEXT, CALLED], []),
    "counts_returns": (True, [TEXT, CALLED], []),
    "is_centred": (True, [TEXT, CALLED], []),
    "drops_late": (True, [TEXT], [CALLED]),
    "random_feedback": (True, [CALLED, {**TEXT, "hidden": "spike*b"}], [TEXT]),
    "output": ("spike", [{}], [CALLED]),
    "hidden": ("spike", [TEXT], [CALLED]),
    "signals": (("told",), [{"output": "spike*told"}], [TEXT, CALLED]),
    "modulator": ("told", [TEXT, CALLED], []),
    "eligibility_tau": (0.1, [TEXT, CALLED], [{**TEXT, "eligibility_keep": 0.5}]),
    "eligibility_keep": (0.0, [TEXT, CALLED], [{**TEXT, "eligibility_tau": 0.5}]),
    "post_tau": (0.0, [PAIRS], [TEXT, CALLED]),
    "depression": (0.0, [PAIRS], [TEXT, CALLED]),
    "slow_tau": (0.1, [{"output": "spike*slow"}], [TEXT, PAIRS, CALLED]),
}


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(Rule)])
def test_no_field_is_without_effect(field: str) -> None:
    value, beside, without_effect = FIELDS[field]
    for others in beside:
        rule = Rule(**{"name": "mine", **others, field: value})
        assert getattr(rule, field) == value
        assert dataclasses.replace(rule) == rule
    for others in without_effect:
        refused("rule 'mine'", **{**others, field: value})


def test_what_has_no_effect_is_said() -> None:
    refused(
        "pairs_spikes: has no effect: a function.*True.*leave it out", **CALLED, pairs_spikes=1 > 0
    )
    refused("post_tau: has no effect: spikes aren't paired .got 0.1", **TEXT, post_tau=0.1)
    refused("signals: has no effect: a name that no text has", **TEXT, signals=("told",))


def test_constants_of_a_rule_are_checked() -> None:
    refused("character 7: 'slow' has no time constant", output="spike*slow")
    refused("slow_tau: out of range", output="spike*slow", slow_tau=-1.0)
    refused("eligibility_keep: out of range", output="spike", eligibility_keep=1.5)
    refused("post_tau: not a number", output="spike", post_tau="long")
    refused("modulator: must be letters", output="spike", modulator=3)
    refused(
        "in every step, or with every window",
        output="spike",
        eligibility_keep=1.0,
        eligibility_tau=1.0,
    )


PES = {"backend": "loihi", "learning": "pes", "lambda_actor": 0}


@pytest.mark.parametrize(
    ("texts", "options", "match"),
    [
        (
            {"output": "spike*dopamine", "signals": ("dopamine",)},
            {},
            r"character 7 .*needs dopamine, which agents don't",
        ),
        (
            {"output": "M*spike"},
            {"critic": "spiking", "critic.neurons": 12},
            r"character 1 .*M, the modulator, comes a decision later",
        ),
        ({"output": "spike*v"}, {"carries": True}, r"character 7 .*needs membranes"),
        ({"output": "spike*M"}, PES, r"can't be with rule 'mine', output, character 7"),
        (
            {"output": "spike", "eligibility_tau": 0.1},
            PES,
            r"can't be with an eligibility of rule 'mine'",
        ),
    ],
)
def test_what_agents_do_not_have_is_refused_with_the_character(
    texts: dict[str, Any], options: dict[str, Any], match: str
) -> None:
    with pytest.raises(DescriptionError, match=match):
        agent_with(Rule("mine", **texts), **options)


def agent_with(rule: Any, **options: Any) -> SpikingActorCritic:
    return SpikingActorCritic(
        "CartPole-v1", rule=rule, seed=5, loop="numpy", **{**SMALL, **options}
    )


def test_what_a_network_lacks_is_said_with_the_character() -> None:
    noisy = Rule("mine", output="spike*phi", hidden="spike*(phi*b)*(1 - p)")
    match = r"rule 'mine', hidden, character 20 \(p in '.*'\), needs spike probabilities"
    with pytest.raises(DescriptionError, match=match + ", which are computed from rest"):
        agent_with(noisy, carries=True)
    paired = Rule("mine", output="spike*n", pairs_spikes=True)
    with pytest.raises(DescriptionError, match="can't be with rule 'mine'"):
        agent_with(paired, backend="loihi", learning="pes")


def test_a_file_holds_the_texts_of_a_users_rule_and_the_name_of_ours() -> None:
    rule = Rule("mine", output="spike*phi", hidden="spike*phi*b*0.5", is_centred=True)
    config = agent_with(rule).config
    data = json.loads(json.dumps(config.to_dict()))
    assert data["rule"]["output"] == "spike*phi"
    assert set(data["rule"]) == {
        *("type", "name", "output", "hidden", "pairs_spikes", "gates_depression"),
        *("needs_td_error", "counts_returns", "is_centred", "drops_late", "random_feedback"),
    }
    again = AgentConfig.from_dict(data)
    assert again.learning_rule == rule
    assert again == config
    assert agent_with("spikes-only").config.to_dict()["rule"] == "spikes-only"
    assert agent_with(find_rule("spikes-only")).config.to_dict()["rule"] == "spikes-only"


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"output": "__import__('os')"}, "rule 'mine', output, character"),
        ({"output": 3}, "Rule.output: of another type"),
        ({"post_factors": "os:system"}, "rule 'mine': has a function"),
        ({"name": None}, "Rule.name"),
        ({"pairs_spikes": 1}, "Rule.pairs_spikes"),
        ({"hidden": "-" * 5000 + "p"}, "rule 'mine', hidden"),
        ({"other": 1}, "wrong or missing fields"),
    ],
)
def test_a_file_may_hold_any_text(changed: dict[str, Any], match: str) -> None:
    data = AgentConfig.to_dict(agent_with(Rule("mine", output="spike*phi")).config)
    data["rule"] = {**data["rule"], **changed}
    with pytest.raises(DescriptionError, match=match):
        AgentConfig.from_dict(json.loads(json.dumps(data)))


def test_a_rule_with_the_name_of_ours_is_its_own() -> None:
    copy = Rule("spikes-only", output="spike*phi*0")
    agent = agent_with(copy)
    assert agent.config.rule is copy
    before = {name: w.copy() for name, w in agent.weights.items()}
    agent.learn(total_episodes=1)
    assert all(np.array_equal(w, before[name]) for name, w in agent.weights.items())


def test_names_are_those_of_the_documentation() -> None:
    from neurorl.rules import post_factor

    assert all(f"``{name}``" in (post_factor.__doc__ or "") for name in NAMES)


def test_a_file_may_have_fields_without_effect() -> None:
    """Before they were refused, files took them; what such a rule learns was never changed."""
    plain = Rule("mine", output="spike*phi")
    data = {**plain.to_dict(), "slow_tau": 0.1, "post_tau": 0.2}
    assert Rule.from_dict(data) == plain
    with pytest.raises(DescriptionError, match="has no effect"):
        Rule("mine", output="spike*phi", slow_tau=0.1)
