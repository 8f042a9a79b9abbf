"""Learn shared hidden layers by gradients: as the rule with symmetric feedback, and everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deep_agents import REGISTERED, Broken, Parity, Small, deep_agent, differing, loop_of

pytest.importorskip("torch", reason="torch is not installed: pip install 'neurorl[torch]'")

from neurorl import ReparameterizedActorCritic, SpikingActorCritic, evaluate
from neurorl.agents.group import GroupPlan
from neurorl.backends.spec import BackendSpec
from neurorl.errors import ArgumentError, DivergenceError, UnsupportedError
from neurorl.learning.deep.memory import DeepMemory
from neurorl.models.deep.feedback import Random
from neurorl.models.deep.trunk import Shared
from neurorl.native import toolchain
from neurorl.numerics.arrays import Array
from neurorl.reparameterization.config import GradientConfig
from neurorl.reparameterization.decisions import (
    DeepGradientReplicas,
    gradients,
    learn_by_gradients,
)

compiled = pytest.mark.skipif(toolchain.problem() is not None, reason="no C++ compiler")
KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "spikes, homeostasis": ({}, {"hidden": (7, 5), "trunk.normalisation": "homeostasis"}),
    "spikes, pool": ({}, {"trunk.normalisation": "pool", "hidden": (7, 5)}),
    "patches": ({"seen": "picture"}, {}),
    "currents, numbers": ({"seen": "numbers", "taken": "numbers"}, {"hidden": (7, 5)}),
    "masks": ({"masked": True, "taken": "several"}, {}),
}
SMALL: dict[str, Any] = {"hidden": 6, "critic.hidden": 5}


def by_gradients(env: dict[str, Any], seed: int = 1, **options: Any) -> ReparameterizedActorCritic:
    gradient = options.pop("gradient", {"steps": 5, "learning_rate": 0.02})
    return ReparameterizedActorCritic(
        Small(**env), "deep", seed=seed, gradient=gradient, **{**SMALL, **options}
    )


def state(agent: ReparameterizedActorCritic) -> dict[str, Array]:
    return {key: np.array(value) for key, value in agent.state().items()}


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_are_those_of_the_rule_with_symmetric_feedback(kind: str) -> None:
    """Without traces, plain steps of the rule are what gradients say, decision by decision."""
    env, options = KINDS[kind]
    chosen: dict[str, Any] = {"trunk.feedback": "symmetric", "trunk.step_size": "plain"}
    chosen |= {"lambda_actor": 0.0, "critic.lambda_": 0.0, "trunk.centring": 0.0}
    chosen |= {"trunk.entropy": 0.0}  # the rule's tells the readout alone, a gradient all layers
    rates = dict.fromkeys(("alpha_hidden", "alpha_output", "critic.alpha"), 2.0**-6)
    agent = deep_agent(
        Small(**env), backend="reference", loop="numpy", **chosen, **rates, **options
    )
    loop = loop_of(agent)
    config = GradientConfig(environments=1, steps=1, estimator="slope", learning_rate=0.0)
    learn_by_gradients(loop, config, lambda k: 1.0)
    compared = 0
    for step in range(1, 40):
        part = loop.memory.of(0)
        assert isinstance(part, DeepMemory)
        heard = int(part.lasting["rollout.heard"][0])
        before = {name: part.learning(name).copy() for name in part.weights}
        agent.learn(total_steps=step)
        after = {name: part.learning(name).copy() for name in part.weights}
        if int(part.lasting["rollout.heard"][0]) != heard + 1:  # none, or an end too
            continue
        for name, weights in before.items():
            part.learning(name)[...] = weights
        found = gradients(loop.layers, part, part.lasting["rollout.errors"])
        for name, weights in after.items():
            part.learning(name)[...] = weights
            moved = (weights - before[name]) * 2.0**6
            assert np.allclose(found[name].numpy(), moved, rtol=1e-3, atol=2e-5), (step, name)
        compared += 1
    assert compared > 10
    agent.close()


def known(kind: str, backend: str, loop: str) -> dict[str, Array]:
    env, options = KINDS[kind]
    agent = by_gradients(env, **options)
    plan = GroupPlan(Small(**env), "", agent.config, (1,), BackendSpec("torch", "float"))
    group = DeepGradientReplicas(plan, agent.gradient, backend, loop)
    group.learn(total_steps=40)
    made = {key: np.array(value) for key, value in group.state(0).items()}
    made["lengths"] = np.array([episode.length for episode in group.episodes[0]])
    group.close()
    agent.close()
    return {key: value for key, value in made.items() if not key.startswith("backend.")}


@compiled
@pytest.mark.parametrize("kind", KINDS)
def test_backends_and_loops_learn_the_same_bits(kind: str) -> None:
    expected = known(kind, "reference", "numpy")
    assert expected["deep.rollout.heard"] > 25
    others = (("reference", "native"), ("native", "native"), ("native", "numpy"))
    more = (("brian2", "native"), ("torch", "native")) if "hom" in kind or kind == "patches" else ()
    for backend, loop in (*others, *more):
        found = known(kind, backend, loop)
        assert not differing(found, expected), backend


@pytest.mark.filterwarnings("ignore:.*environment")
@pytest.mark.parametrize("kind", KINDS)
def test_saved_anywhere_it_goes_on_the_same(kind: str, tmp_path: Path) -> None:
    env, options = KINDS[kind]
    whole, stopped = (by_gradients(env, **options) for _ in range(2))
    for total in (1, 14, 15, 37):
        stopped.learn(total_steps=total)
        stopped.save(tmp_path / "agent.npz")
        stopped.close()
        stopped = ReparameterizedActorCritic.load(tmp_path / "agent.npz", env=Small(**env))
    stopped.learn(total_steps=70)
    whole.learn(total_steps=70)
    found, expected = state(stopped), state(whole)
    assert not differing(found, expected)
    assert stopped.describe() == whole.describe() | {"env_spec": stopped.describe()["env_spec"]}


def test_side_by_side_each_is_as_it_is_alone() -> None:
    seeds = (4, 0, 2**62)
    chosen: dict[str, Any] = {**SMALL, "gradient": {"steps": 5, "learning_rate": 0.02}}
    alone = [ReparameterizedActorCritic(REGISTERED, "deep", seed=s, **chosen) for s in seeds]
    first = alone[0]
    plan = GroupPlan(first.env, REGISTERED, first.config, seeds, BackendSpec("torch", "float"))
    together = DeepGradientReplicas(plan, first.gradient)
    together.learn(total_episodes=4)
    for k, seed in enumerate(seeds):
        agent = ReparameterizedActorCritic(REGISTERED, "deep", seed=seed, **chosen)
        agent.learn(total_episodes=4)
        ours = {name: np.array(array) for name, array in together.state(k).items()}
        assert not differing(ours, state(agent)), k
        agent.close()
    together.close()


@compiled
def test_players_of_all_backends_do_the_same() -> None:
    options: dict[str, Any] = {"trunk.normalisation": "homeostasis"}
    agent = by_gradients({"seen": "numbers"}, **options)
    agent.learn(total_steps=80)
    found = [
        dict(evaluate(agent, episodes=4, backend=backend, seed=3, arithmetic="float"))
        for backend in ("reference", "native", "brian2", "torch")
    ]
    assert [one.pop("backend") for one in found] == ["reference", "native", "brian2", "torch"]
    assert all(one == found[0] for one in found)
    agent.close()


@pytest.mark.filterwarnings("ignore:.*environment")
def test_the_rule_goes_on_from_what_gradients_have_learned(tmp_path: Path) -> None:
    agent = by_gradients({})
    agent.learn(total_steps=60)
    agent.save(tmp_path / "agent.npz")
    other = SpikingActorCritic.load(tmp_path / "agent.npz", env=Small())
    for name, weights in agent.weights.items():
        assert np.array_equal(other.weights[name], weights), name
    own, theirs = loop_of(other).memory.lasting, agent._replicas.state(0)
    for name in ("seen.mean", "returns", "hidden.variance", "input_hidden.h"):
        assert np.array_equal(own[name][0], theirs[f"deep.{name}"]), name
    other.learn(total_steps=120)
    assert other.env_steps == 120
    agent.close()
    other.close()


@compiled
@pytest.mark.usefixtures("quickest_backend")
def test_hidden_layers_learn_by_gradients() -> None:
    found = []
    for seed in range(100, 103):
        small: dict[str, Any] = {"hidden": 12, "critic.hidden": 8}
        small["gradient"] = {"learning_rate": 0.01}
        agent = ReparameterizedActorCritic(Parity(), "deep", seed=seed, **small)
        found.append(np.mean([episode.ret for episode in agent.learn(total_episodes=3000)[-500:]]))
        agent.close()
    assert np.mean(found) > 0.9


class OwnFeedback(Random):
    """Be feedback that a user made."""


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "own feedback": ({"trunk": Shared(feedback=OwnFeedback())}, "doesn't read trunk.feedback"),
    "feedback": ({"trunk.feedback": "signs"}, "doesn't read trunk.feedback"),
    "a step size": ({"trunk.step_size": "plain"}, "doesn't read trunk.step_size"),
    "a rate": ({"alpha_hidden": 0.0}, "doesn't read alpha_hidden"),
    "the chip's integers": ({"arithmetic": "loihi"}, "learns floats.*got loihi.*'float'"),
    "a GPU": ({"device": "cuda"}, "on the CPU.*device='cpu'"),
    "environments": ({"gradient": {"environments": 2}}, "one environment.*got 2"),
    "noise": ({"gradient": {"estimator": "concrete"}}, "without noise.*got concrete"),
    "no derivative": ({"policy": "epsilon-greedy"}, "a derivative.*got epsilon-greedy"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_gradients_cant_do_is_refused(case: str) -> None:
    options, words = REFUSED[case]
    with pytest.raises((UnsupportedError, ArgumentError), match=words) as refused:
        ReparameterizedActorCritic(Small(), "deep", **{**SMALL, **options})
    assert "\n" not in str(refused.value)


def test_a_users_feedback_in_a_configuration_is_refused() -> None:
    config = deep_agent(**{"trunk.feedback": OwnFeedback()}).config
    with pytest.raises(UnsupportedError, match=r"sends gradients back.*OwnFeedback"):
        ReparameterizedActorCritic(Small(), config=config)


def test_what_isnt_finite_is_no_weight() -> None:
    agent = ReparameterizedActorCritic(Broken(12, paid=1e200), "deep", **SMALL)
    with pytest.raises(DivergenceError):
        agent.learn(total_steps=40)
    assert all(np.isfinite(weights).all() for weights in agent.weights.values())
