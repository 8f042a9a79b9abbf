"""Test rules that users add: by object, by name, and by the place where they stand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neurorl import SpikingActorCritic
from neurorl.errors import ArgumentError, DescriptionError, UnknownNameError
from neurorl.models.agent.config import AgentConfig
from neurorl.rules import RULES, Decision, Factors, Rule, find_rule, register_rule
from neurorl.rules.registry import SPIKES_ONLY_HEBBIAN


def halved(decision: Decision) -> Factors:
    """Return half of `spikes_only_hebbian`."""
    whole = SPIKES_ONLY_HEBBIAN(decision)
    return Factors(0.5 * whole.output, tuple(0.5 * f for f in whole.hidden))


HALVED = Rule("halved", halved)
COPY = Rule("copy", lambda decision: SPIKES_ONLY_HEBBIAN(decision))
SMALL = {"actors": 2, "hidden": 2, "window": 4}

pytestmark = pytest.mark.filterwarnings("ignore::neurorl.errors.FallbackWarning")


@pytest.fixture
def registered(monkeypatch: pytest.MonkeyPatch) -> Rule:
    rule = Rule("halved-for-a-test", halved)
    monkeypatch.setattr("neurorl.rules.registry.RULES", RULES)
    monkeypatch.setitem(RULES, rule.name, rule)
    return rule


def agent_with(rule: object, **options: object) -> SpikingActorCritic:
    changed = {**SMALL, **options}
    return SpikingActorCritic("CartPole-v1", rule=rule, seed=5, **changed)  # type: ignore[arg-type]


def test_an_object_a_name_and_a_place_are_the_same_rule(registered: Rule) -> None:
    place = f"{__name__}:HALVED"
    agents = [agent_with(rule) for rule in (HALVED, registered, registered.name, place)]
    assert [agent.config.rule for agent in agents] == [
        place,
        registered.name,
        registered.name,
        place,
    ]
    lengths = [[e.length for e in agent.learn(total_episodes=3)] for agent in agents]
    assert lengths.count(lengths[0]) == 4
    for agent in agents[1:]:
        for name, weights in agent.weights.items():
            assert np.array_equal(weights, agents[0].weights[name])


def test_the_rule_that_is_passed_is_the_one_that_learns() -> None:
    """A copy of ours learns the same in NumPy as ours in C++; half of it learns something else."""
    ours, copy, half = map(agent_with, ("spikes-only-hebbian", COPY, HALVED))
    for agent in (ours, copy, half):
        agent.learn(total_episodes=4)
    for name, weights in ours.weights.items():
        assert np.array_equal(copy.weights[name], weights)
    assert any((half.weights[name] != w).any() for name, w in ours.weights.items())


def test_a_file_names_the_place_and_loading_finds_it(tmp_path: Path) -> None:
    agent = agent_with(HALVED)
    agent.learn(total_episodes=2)
    agent.save(tmp_path / "agent.npz")
    loaded = SpikingActorCritic.load(tmp_path / "agent.npz")
    assert loaded.config.learning_rule is HALVED
    assert [e.length for e in loaded.learn(total_episodes=4)] == [
        e.length for e in agent.learn(total_episodes=4)
    ]


def test_a_module_that_is_not_imported_is_not_imported_for_a_file() -> None:
    data = AgentConfig.to_dict(agent_with("spikes-only").config)
    data["rule"] = "json.tool:RULE"
    with pytest.raises(UnknownNameError, match=r"'json.tool' is not imported.*import json.tool"):
        AgentConfig.from_dict(data)
    data["rule"] = "json:dumps"
    with pytest.raises(UnknownNameError, match="has no such Rule"):
        AgentConfig.from_dict(data)


def test_a_rule_that_nothing_names_is_refused() -> None:
    with pytest.raises(DescriptionError, match=r"can't be found again.*register_rule"):
        agent_with(Rule("of nowhere", halved))


def test_names_are_taken_once() -> None:
    with pytest.raises(ArgumentError, match="'coagent' is taken"):
        register_rule(Rule("coagent", halved))
    for name in ("", "a:b"):
        with pytest.raises(ArgumentError, match="not a name"):
            register_rule(Rule(name, halved))
    assert register_rule(find_rule("coagent")) is find_rule("coagent")
    with pytest.raises(ArgumentError, match="not a Rule"):
        register_rule(halved)  # type: ignore[arg-type]


def test_needs_of_a_users_rule_are_checked_as_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    needy = Rule("needy", halved, needs_probability=True)
    monkeypatch.setitem(RULES, needy.name, needy)
    with pytest.raises(DescriptionError, match="'needy' needs spike probabilities"):
        agent_with(needy, carries=True)
