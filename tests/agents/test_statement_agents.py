"""Agents learn by rules of statements: with the same bits everywhere, and on from files."""

from __future__ import annotations

import dataclasses
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorl import (
    Network,
    Plasticity,
    Population,
    Projection,
    SpikingActorCritic,
    Uniform,
    evaluate,
)
from neurorl.agents.checkpoint import read_agent
from neurorl.errors import DescriptionError, DivergenceError, UnsupportedError
from neurorl.lab.learning import learning_report
from neurorl.learning.synapse_events import SynapseEvents
from neurorl.models import LIF, FixedProbability
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.modulators import Reward
from neurorl.network.description import Source
from neurorl.rules import Rule, SynapseRule
from neurorl.runs.training import train, train_seeds
from neurorl.validation import validate

SOFT = SynapseRule(
    "soft bounds, and a threshold of its own",
    equations="""
    dx_pre/dt = -x_pre/tau
    dslow_post/dt = -slow_post/tau_slow
    de/dt = -e/tau_e
    """,
    on_pre="x_pre += 1; e -= 0.1*slow_post*b; w += decay*(low + high - w)",
    on_post="slow_post += 1; e += x_pre*phi*b*(1 - n/W)",
    on_reward="w += rate*M*e*(high - w)*(w - low); e *= 0.5",
    parameters={"tau": 5e-3, "tau_slow": 50e-3, "tau_e": 0.2, "rate": 0.2, "decay": 1e-4},
    initial={"slow_post": 0.25},
    signals=("phi", "b", "n", "W"),
)
SIZE: dict[str, Any] = {"actors": 2, "hidden": 3, "seed": 3}


def agent(rule: Any = SOFT, **options: Any) -> SpikingActorCritic:
    return SpikingActorCritic("CartPole-v1", rule=rule, **{**SIZE, **options})


def learned(steps: int = 40, **options: Any) -> dict[str, Any]:
    """Return all that an agent knows after some steps, in the midst of an episode."""
    with closing(agent(**options)) as one:
        one.learn(total_steps=steps)
        return one.state()


def check_same(one: dict[str, Any], other: dict[str, Any], but: str = "backend.") -> None:
    """Compare all arrays but those of the simulator itself."""
    keys = [key for key in one if not key.startswith(but)]
    assert keys == [key for key in other if not key.startswith(but)]
    for key in keys:
        assert np.array_equal(one[key], other[key], equal_nan=one[key].dtype.kind == "f"), key


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    return learned(backend="reference")


@pytest.mark.parametrize("backend", ["native", "brian2:numpy", "torch"])
def test_the_same_bits_on_every_backend(backend: str, expected: dict[str, Any]) -> None:
    if backend in ("brian2:numpy", "torch"):
        name = backend.partition(":")[0]
        pytest.importorskip(name, reason=f"{name} is not installed: pip install 'neurorl[{name}]'")
    check_same(expected, learned(backend=backend))
    begun = learned(steps=1, backend="reference")
    for name in ("input_hidden", "hidden_output"):
        key = f"learner.weights.{name}"
        assert not np.array_equal(expected[key], begun[key])
        assert np.std(expected[f"running.variables.e.{name}"]) > 0


def test_the_same_bits_without_a_compiler(
    expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = SynapseEvents.__init__

    def in_numpy(self: SynapseEvents, *arguments: Any) -> None:
        plain(self, *arguments)
        self._compiles = False

    monkeypatch.setattr(SynapseEvents, "__init__", in_numpy)
    check_same(expected, learned(backend="reference"))


def test_it_learns_as_the_same_rule_of_a_post_factor() -> None:
    """Compare with a rule whose eligibility decays in each step, computed by other code."""
    tau, rate = 0.1, 1e-4  # small, as a rounding that moves one spike moves all that follows
    statements = SynapseRule(
        "as a post factor",
        equations="dx_pre/dt = -x_pre/tau_x; de/dt = -e/tau",
        on_pre="x_pre += 1",
        on_post="e += x_pre*phi*b",
        on_reward="w += rate*M*e",
        parameters={"tau_x": 4e-3, "tau": tau, "rate": rate},
        signals=("phi", "b"),
    )
    factor = Rule("factor", output="spike*phi*b", eligibility_tau=tau)
    plain: dict[str, Any] = {
        "alpha_output": rate,
        "alpha_hidden": rate,
        "normalises": False,
        "trace_tau": 4e-3,
    }
    alike: dict[str, Any] = {"carries": True, "backend": "native"}
    one = learned(rule=statements, **alike)
    other = learned(rule=factor, **alike, **plain)
    begun = learned(0, backend="native")
    assert np.array_equal(one["running.actions"], other["running.actions"])
    for name in ("input_hidden", "hidden_output", "bias_hidden"):
        wanted = other[f"running.eligibility.{name}"].ravel()
        assert np.allclose(one[f"running.variables.e.{name}"], wanted, atol=1e-4), name
        assert np.abs(wanted).max() > 1.0
        key = f"learner.weights.{name}"
        assert np.abs(one[key] - other[key]).max() < 1e-7, name
        assert np.abs(one[key] - begun[key]).max() > 1e-5


def test_variables_begin_again_with_each_episode() -> None:
    with closing(agent(backend="native")) as one:
        one.learn(total_episodes=2)
        one.learn(total_steps=int(one.state()["episodes.length"].sum()) + 1)  # of the third
        weights = one.weights
        one.memory.forget()
        slow = one.memory.variables["slow_post.hidden_output"]
        assert (slow == 0.25).all()
        assert (one.memory.variables["e.hidden_output"] == 0.0).all()
        for name, w in one.weights.items():
            assert np.array_equal(w, weights[name])


def test_saved_in_the_midst_and_gone_on_elsewhere(tmp_path: Path) -> None:
    with closing(agent(backend="native")) as one:
        one.learn(total_steps=33)
        one.save(tmp_path / "agent")
        one.learn(total_steps=80)
        with closing(SpikingActorCritic.load(tmp_path / "agent")) as other:
            assert other.config == one.config
            other.learn(total_steps=80)
            check_same(one.state(), other.state(), but="none")
    with closing(SpikingActorCritic.load(tmp_path / "agent", "reference")) as moved:
        moved.learn(total_steps=60)  # from the episode's beginning
        assert np.isfinite(moved.weights["input_hidden"]).all()


def test_files_have_the_rule() -> None:
    with closing(agent(rules={"bias_output": "spikes-only"})) as one:
        data = one.config.to_dict()
        assert data["rule"]["on_reward"] == SOFT.on_reward
        assert AgentConfig.from_dict(json.loads(json.dumps(data))) == one.config


def test_runs_resume_and_agents_are_as_alone(tmp_path: Path) -> None:
    overrides = {"actors": 2, "hidden": 3, "rule": SOFT}
    runs = [(seed, tmp_path / f"seed{seed}") for seed in (0, 1, 2)]
    train_seeds("CartPole-v1", runs, episodes=4, overrides=overrides)
    train("CartPole-v1", tmp_path / "alone", seed=1, episodes=2, overrides=overrides)
    train("CartPole-v1", tmp_path / "alone", resume=True, episodes=4)
    check_same(read_agent(tmp_path / "seed1")[1], read_agent(tmp_path / "alone")[1])


def test_several_environments_teach_one_agent(tmp_path: Path) -> None:
    one, other = (
        learned(60, backend=backend, environments=3) for backend in ("native", "reference")
    )
    check_same(one, other, but="env0.backend")
    with closing(agent(environments=3)) as whole:
        whole.learn(total_steps=30)
        whole.save(tmp_path / "agent")
        with closing(SpikingActorCritic.load(tmp_path / "agent")) as again:
            for each in (whole, again):
                each.learn(total_steps=60)
            check_same(whole.state(), again.state(), but="none")


def test_projections_by_statements_stand_beside_others() -> None:
    """Others learn as they would alone, while no weight moves."""
    still = dataclasses.replace(SOFT, parameters={**SOFT.parameters, "rate": 0.0, "decay": 0.0})
    plain: dict[str, Any] = {"rule": "spikes-only", "alpha_output": 0.0, "alpha_hidden": 0.0}
    alone = learned(**plain)
    mixed = learned(**plain, rules={"hidden_output": still})
    for name in ("input_hidden", "bias_output"):
        key = f"running.eligibility.{name}"
        assert np.array_equal(alone[key], mixed[key])
    assert "running.eligibility.hidden_output" not in mixed
    every = learned(rule=still)
    key = "running.variables.e.hidden_output"
    assert np.array_equal(mixed[key], every[key])


def test_in_a_chips_integers_float_weights_learn() -> None:
    one = learned(backend="native", arithmetic="loihi")
    check_same(one, learned(backend="reference", arithmetic="loihi"))
    with closing(agent(backend="native", arithmetic="loihi")) as other:
        other.learn(total_steps=40)
        shadow, held = other.weights["input_hidden"], other.backend.weights("input_hidden")
        assert 0 < np.abs(shadow - held).max() < 0.02


def listed(sparse: bool) -> AgentConfig:
    """Return an agent with a hidden layer that its output drives, and delays over windows."""
    cell, plastic = LIF(tau_mem=8e-3, threshold=0.6, noise=0.2), Plasticity(0.0, -1.0, 1.2)
    connect = FixedProbability(0.7, seed=5) if sparse else None
    with closing(agent()) as one:
        size = one.config.cells.size
        ends = (("input", "cells", 3), ("cells", "output", 11), ("output", "cells", 2))
        into = tuple(
            Projection(
                f"p{k}",
                pre,
                post,
                Uniform(-0.3, 0.6),
                delay=d * 1e-3,
                plasticity=plastic,
                connect=connect,
            )
            for k, (pre, post, d) in enumerate(ends)
        )
        nodes = (Source("input", size), Population("cells", 6, cell), Population("output", 4, cell))
        fields = {f.name: getattr(one.config, f.name) for f in dataclasses.fields(one.config)}
    network = {"description": Network(nodes, into), "hidden": 8, "carries": True}
    return AgentConfig(**{**fields, **network, "window": 8})


@pytest.mark.parametrize("sparse", [False, True])
def test_they_learn_in_any_network(sparse: bool, tmp_path: Path) -> None:
    """Spikes come back, and some are on their way from one window to the next."""
    made = listed(sparse)
    for backend in ("native", "reference"):
        with closing(SpikingActorCritic("CartPole-v1", config=made, backend=backend)) as agent:
            agent.learn(total_steps=50)
            agent.save(tmp_path / backend)
            assert np.std(agent.memory.variables["e.p1"]) > 0
    one, other = (read_agent(tmp_path / backend)[1] for backend in ("native", "reference"))
    check_same(one, other)
    with closing(SpikingActorCritic.load(tmp_path / "native")) as again:
        again.learn(total_steps=90)
        with closing(SpikingActorCritic("CartPole-v1", config=made, backend="native")) as whole:
            whole.learn(total_steps=90)
            check_same(again.state(), whole.state(), but="none")


TWO = dataclasses.replace(
    SOFT,
    on_reward="w += rate*food*e; w -= 0.01*pain*w",
    modulators=("food", "pain"),
)


def test_a_rule_hears_several_modulators() -> None:
    heard = {"food": Reward(), "pain": "td-error"}
    with closing(agent(TWO, modulators=heard)) as one:
        one.learn(total_steps=40)
        assert one.state()["learner.mean.food"] > 0
        both = one.weights["hidden_output"]
    still = learned(rule=TWO, modulators={**heard, "pain": Reward(limit=0.0)})
    assert not np.array_equal(both, still["learner.weights.hidden_output"])


SMALL = SynapseRule(
    "small", "de/dt = -e", on_post="e += phi", on_reward="w += 0.1*M*e", signals=("phi",)
)


def test_what_is_not_finite_is_told_with_the_step() -> None:
    wild = dataclasses.replace(SMALL, on_post="e = phi/(w - w)")
    with closing(agent(wild)) as one, pytest.raises(DivergenceError, match="episode 0, step"):
        one.learn(total_episodes=1)


def changed(**fields: Any) -> SynapseRule:
    return dataclasses.replace(SMALL, **fields)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rule": changed(on_reward="e = 0")}, "no line sets w"),
        ({"rule": changed(on_reward="w += ach*e", modulators=("ach", "M"))}, "has none for"),
        (
            {"rule": changed(on_post="e += food", signals=("food",))},
            "food, which agents don't have",
        ),
        ({"rule": changed(post_delay=1e-3)}, "post_delay: is of neurorl.SynapseLearning"),
        ({"critic": "spiking", "model": "lif-spiking-critic"}, "agent.critic: can't be with"),
        ({"writes": "stochastic", "arithmetic": "loihi"}, "agent.writes: can't be with"),
        ({"learning": "pes", "backend": "loihi"}, "agent.learning: can't be with"),
        ({"encoder": "current"}, "of which a current has none"),
        ({"signed": True, "model": "glm"}, "of which signed synapses have none"),
        ({"loop": "native"}, "an agent's rule of statements"),
        ({"alpha_output": 0.2}, "rules of post factors, as statements say all"),
        ({"lambda_actor": 0.2}, "nothing of this agent reads it"),
        ({"trunk": "shared"}, "trunk"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises((DescriptionError, UnsupportedError)) as problem:
        agent(**options).close()
    assert words in str(problem.value)
    assert "\n" not in str(problem.value)


def test_backends_on_which_an_agent_learns_by_it_are_compared(tmp_path: Path) -> None:
    overrides = {"actors": 2, "hidden": 3, "rule": SOFT}
    train("CartPole-v1", tmp_path, backend="reference", episodes=1, overrides=overrides)
    result = validate(str(tmp_path), "reference,native", steps=40, updates=15, learn=True)
    verdicts = {row["quantity"]: row["verdict"] for row in result.rows}
    assert {*verdicts.values()} == {"exact"}
    assert {"learning: variables", "learning: weights", "learning: in force"} <= {*verdicts}


def test_the_table_of_what_learns_has_it() -> None:
    with closing(agent(rules={"bias_output": "spikes-only"})) as one:
        rows = learning_report(one.network, one.config)["projections"]
    rules = {row["projection"]: (row["rule"], row["factor"]) for row in rows}
    assert rules["hidden_output"] == (SOFT.name, SOFT.on_reward)
    assert rules["bias_output"] == ("spikes-only", "spike*(1 - n/W)*(phi*b)")


def test_it_plays_on_the_chip() -> None:
    with closing(agent(arithmetic="loihi")) as one:
        one.learn(total_steps=30)
        played = {name: evaluate(one, 2, backend=name) for name in ("native", "loihi")}
    assert played["native"]["mean_return"] == played["loihi"]["mean_return"]
