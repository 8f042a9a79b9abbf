"""Agents whose projections learn by rules of their own, and hear modulators by name."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorl import SpikingActorCritic
from neurorl.agents.checkpoint import read_agent
from neurorl.errors import DescriptionError, UnknownNameError, UnsupportedError
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.modulators import Reward, TDError
from neurorl.rules import RULES, Rule
from neurorl.runs.training import train, train_seeds

SLOW = Rule("of-slow", output="spike*(phi - 0.1*slow)", slow_tau=0.05)
SIZE: dict[str, Any] = {"actors": 2, "hidden": 3, "model": "lif", "seed": 3}
STDP: dict[str, Any] = {"normalises": False, "alpha_output": 1e-3, "alpha_hidden": 1e-3}

pytestmark = pytest.mark.filterwarnings("ignore::neurorl.errors.FallbackWarning")


def agent(**options: Any) -> SpikingActorCritic:
    return SpikingActorCritic("CartPole-v1", **{**SIZE, **options})


def learned(steps: int = 30, **options: Any) -> dict[str, Any]:
    """Return all that an agent knows after some steps, by kind and name."""
    with closing(agent(**options)) as one:
        one.learn(total_steps=steps)
        memory = one.memory
        kinds = ("weights", "eligibility", "trace")
        return {
            f"{kind}.{name}": array.copy()
            for kind in kinds
            for name, array in getattr(memory, kind).items()
        }


def check_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for key, values in one.items():
        assert np.array_equal(values, other[key], equal_nan=values.dtype.kind == "f"), key


PROJECTIONS = ("input_hidden", "bias_hidden", "hidden_output", "bias_output")


@pytest.mark.parametrize("rule", ["coagent", "surrogate", "random-feedback", SLOW], ids=str)
def test_one_rule_for_every_projection_is_the_rule(rule: str | Rule) -> None:
    """Compare the compiled loop with the same rule by another way, there and in NumPy."""
    alone = learned(rule=rule)
    for loop in ("native", "numpy"):
        rules = dict.fromkeys(PROJECTIONS, rule)
        check_same(alone, learned(rule="spikes-only", rules=rules, loop=loop))


OWN = [
    {"hidden": "surrogate", "hidden_2": "coagent", "output": "td-stdp"},
    {"hidden": "reward-stdp", "hidden_2": "surrogate", "output": "spikes-only"},
    {"hidden": SLOW, "hidden_2": "random-feedback", "output": "e-prop"},
]


@pytest.mark.parametrize("by_population", OWN)
@pytest.mark.parametrize("arithmetic", ["float", "loihi"])
def test_populations_learn_by_their_own_rules_in_the_compiled_loop(
    by_population: dict[str, str | Rule], arithmetic: str
) -> None:
    options: dict[str, Any] = {**STDP, "hidden": (3, 2), "arithmetic": arithmetic}
    with closing(agent(**options)) as plain:
        into = {p.name: p.post for p in plain.network.projections if p.plasticity is not None}
    rules = {name: by_population[post] for name, post in into.items()}
    native, numpy = (learned(rules=rules, loop=loop, **options) for loop in ("native", "numpy"))
    check_same(native, numpy)


@pytest.mark.parametrize("rules", [("spikes-only", "surrogate"), ("reward-stdp", SLOW)], ids=str)
def test_each_projection_learns_by_its_own(rules: tuple[str | Rule, str | Rule]) -> None:
    """Weights stay, so that each eligibility is that of an agent of its rule alone."""
    still = {**STDP, "alpha_output": 0.0, "alpha_hidden": 0.0}
    first, second = (learned(rule=rule, **still) for rule in rules)
    mixed = {"input_hidden": rules[1], "hidden_output": rules[1]}  # beside biases, of rules[0]
    both = learned(rule=rules[0], rules=mixed, **still)
    for name in PROJECTIONS:
        key = f"eligibility.{name}"
        wanted, other = (second, first) if name in mixed else (first, second)
        assert np.array_equal(both[key], wanted[key]), name
        assert not np.array_equal(both[key], other[key]), name


def test_rules_learn_the_same_on_every_backend() -> None:
    mixed = {"rule": "reward-stdp", "rules": {"hidden_output": SLOW}, **STDP}
    expected = learned(**mixed)
    check_same(expected, learned(backend="native", **mixed))


FOOD = Rule("food", output="spike*phi", hidden="spike*phi*b", modulator="food")


def test_a_named_modulator_is_what_it_would_be_alone() -> None:
    limit: dict[str, Any] = {"modulator.limit": None}
    alone = learned(rule=FOOD, modulator="td-error", **limit)
    named = learned(rule=FOOD, modulator="reward", modulators={"food": "td-error"}, **limit)
    check_same(alone, named)
    other = learned(rule=FOOD, modulator="td-error", modulators={"food": Reward()}, **limit)
    alone = learned(rule=FOOD, modulator="reward", **limit)
    assert np.array_equal(alone["weights.hidden_output"], other["weights.hidden_output"])


def test_modulators_differ_by_rule() -> None:
    """One that is always 0 leaves the projections of its rule as they are."""
    rules = {"hidden_output": FOOD}
    none = learned(rules=rules, modulators={"food": TDError(limit=0.0)})
    begun = learned(steps=1, rules=rules, modulators={"food": TDError(limit=0.0)})
    key = "weights.hidden_output"
    assert np.array_equal(none[key], begun[key])
    assert not np.array_equal(none["weights.input_hidden"], begun["weights.input_hidden"])


MIXED: dict[str, Any] = {
    "rule": SLOW,
    "rules": {"hidden_output": FOOD, "bias_output": "spikes-only"},
    "modulators": {"food": Reward()},
}


def test_saved_in_the_midst_and_gone_on(tmp_path: Path) -> None:
    with closing(agent(**MIXED)) as one:
        one.learn(total_steps=25)
        one.save(tmp_path / "agent")
        with closing(SpikingActorCritic.load(tmp_path / "agent")) as other:
            assert other.config == one.config
            for each in (one, other):
                each.learn(total_steps=60)
            check_same(one.state(), other.state())
            assert one.state()["learner.mean.food"] != 0.0


def test_runs_resume_and_agents_are_as_alone(tmp_path: Path) -> None:
    overrides = {"actors": 2, "hidden": 3, **MIXED}
    runs = [(seed, tmp_path / f"seed{seed}") for seed in (0, 1)]
    train_seeds("CartPole-v1", runs, episodes=4, overrides=overrides)
    train("CartPole-v1", tmp_path / "alone", seed=1, episodes=2, overrides=overrides)
    train("CartPole-v1", tmp_path / "alone", resume=True, episodes=4)
    check_same(read_agent(tmp_path / "seed1")[1], read_agent(tmp_path / "alone")[1])


def test_files_have_them(tmp_path: Path) -> None:
    with closing(agent(**MIXED)) as one, closing(agent()) as plain:
        data = one.config.to_dict()
        assert AgentConfig.from_dict(json.loads(json.dumps(data))) == one.config
        assert data["rules"]["bias_output"] == "spikes-only"
        assert "learner.mean.food" not in plain.state()


def test_one_of_them_is_changed_by_its_name(tmp_path: Path) -> None:
    overrides = {"actors": 2, "rules.hidden_output": "coagent", "rules.bias_output": "coagent"}
    train("CartPole-v1", tmp_path, seed=1, steps=20, overrides=overrides)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["agent"]["rules"] == dict.fromkeys(("hidden_output", "bias_output"), "coagent")


def refusal(kind: type[Exception], **options: Any) -> str:
    with pytest.raises(kind) as problem:
        agent(**options)
    assert "\n" not in str(problem.value)
    return str(problem.value)


def test_what_is_refused() -> None:
    message = refusal(UnknownNameError, rules={"nothing": SLOW})
    assert "agent.rules, plastic projection: unknown name (got 'nothing')" in message
    namesake = Rule("of-slow", output="spike*phi")
    message = refusal(DescriptionError, rule=SLOW, rules={"bias_output": namesake})
    assert "two rules of one name (got of-slow)" in message
    own = Rule("own", RULES["spikes-only"])
    message = refusal(DescriptionError, rules={"bias_output": own})
    assert "can't be found again by a name" in message
    message = refusal(DescriptionError, rules={"bias_output": "random-feedback"}, rule="surrogate")
    assert "b of 'output' is drawn for one rule and a path's sign for another" in message
    message = refusal(DescriptionError, rules={"bias_hidden": "td-stdp"}, modulator="reward")
    assert "rule 'td-stdp' is modulated by the TD error" in message
    message = refusal(UnsupportedError, rules={"bias_output": SLOW}, loop="native")
    assert "learning by several rules into one population ('output') is not compiled" in message
    message = refusal(UnknownNameError, rule=FOOD, modulators={"drink": "reward"})
    assert "modulator of a rule: unknown name (got 'drink')" in message
    message = refusal(UnknownNameError, rule=FOOD, modulators={"food": "none"})
    assert "modulator" in message
    assert "'none'" in message
    options = {"critic": "spiking", "rule": FOOD, "modulators": {"food": "reward"}}
    message = refusal(DescriptionError, **{**options, "model": "lif-spiking-critic"})
    assert "a spiking critic's modulator comes a decision later" in message
    message = refusal(DescriptionError, rules=["spikes-only"])
    assert "agent.rules: not by name" in message
