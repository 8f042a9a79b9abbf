"""Test agents that learn by gradients: what they learn, and that no bit of it is ever lost."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from resumed import same

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'neurorl[torch]'")

from neurorl import ReparameterizedActorCritic, SpikingActorCritic  # noqa: E402
from neurorl.agents.episodes import take_up  # noqa: E402
from neurorl.agents.evaluation import evaluate  # noqa: E402
from neurorl.agents.group import GroupPlan  # noqa: E402
from neurorl.backends.spec import BackendSpec  # noqa: E402
from neurorl.errors import ArgumentError, DivergenceError, RunError  # noqa: E402
from neurorl.models.defaults.presets import make_config  # noqa: E402
from neurorl.models.features import Fourier, OneHot  # noqa: E402
from neurorl.reparameterization.replicas import GradientReplicas, make_gradient_group  # noqa: E402
from neurorl.tasks.environments import make_env  # noqa: E402
from neurorl.tasks.groups import VectorEnvs  # noqa: E402

CARTPOLE = "CartPole-v1"
SMALL: dict[str, Any] = {"actors": 2, "hidden": 2}
FEW = {"environments": 2, "steps": 8}
SEEDS = (3, 11, 4)


def replicas(
    seeds: tuple[int, ...],
    arithmetic: str = "float",
    gradient: dict[str, Any] | None = None,
    **fields: Any,
) -> GradientReplicas:
    env = make_env(CARTPOLE)
    config = make_config(env, "lif", {**SMALL, **fields})
    chosen = {**FEW, **(gradient or {})}
    plan = GroupPlan(env, CARTPOLE, config, seeds, BackendSpec("torch", arithmetic), chosen)
    group = make_gradient_group(plan)
    assert isinstance(group, GradientReplicas)
    return group


def played(agents: GradientReplicas, k: int) -> list[Any]:
    return [(e.episode, e.ret, e.length, e.env_steps, e.discounted) for e in agents.episodes[k]]


KINDS = [
    pytest.param({}, id="float"),
    pytest.param({"arithmetic": "loihi"}, id="chip"),
    pytest.param({"carries": True, "window": 4}, id="carries"),
    pytest.param({"policy.repeats": 3}, id="repeats"),
    pytest.param(
        {
            "carries": True,
            "window": 4,
            "input_recalls": (1, 3),
            "hidden_recalls": (2,),
            "critic.changes": 2,
            "features": Fourier([-1.0] * 12, [1.0] * 12, 1, 1),
            "gradient": {"horizon": 2},
        },
        id="recalls",
    ),
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_seed_learns_the_same_whoever_learns_beside_it(kind: dict[str, Any]) -> None:
    together = replicas(SEEDS, **kind)
    together.learn(total_episodes=6)
    for k, seed in enumerate(SEEDS):
        alone = replicas((seed,), **kind)
        alone.learn(total_episodes=6)
        assert played(together, k) == played(alone, 0)
        assert same(together.state(k), alone.state(0))
    assert played(together, 0) != played(together, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_restored_between_any_two_updates_it_goes_on_the_same(kind: dict[str, Any]) -> None:
    """Agents go on also in the midst of episodes, which are played again up to where they were."""
    whole = replicas((5,), **kind)
    kept = []
    whole.learn(total_episodes=7, callback=lambda k, e: kept.append((e.episode, whole.state(k))))
    assert [episode for episode, _ in kept] == list(range(7))
    assert any(state["running.length"].max() > 0 for _, state in kept)
    for _, state in kept[::3]:
        resumed = replicas((5,), **kind)
        resumed.restore(0, state)
        resumed.learn(total_episodes=7)
        assert played(resumed, 0) == played(whole, 0)
        assert same(resumed.state(0), whole.state(0))


def test_more_episodes_later_are_those_of_a_longer_run() -> None:
    whole, extended = replicas((8,)), replicas((8,))
    whole.learn(total_episodes=6)
    for total in (1, 2, 4, 6):
        extended.learn(total_episodes=total)
        assert len(extended.episodes[0]) == total
    assert played(extended, 0) == played(whole, 0)
    assert same(extended.state(0), whole.state(0))


def test_env_steps_are_those_of_all_environments() -> None:
    agents = replicas((5,))
    agents.learn(total_episodes=9)
    steps = [e.env_steps for e in agents.episodes[0]]
    assert steps == sorted(steps)
    assert all(n % FEW["environments"] == 0 for n in steps)
    running = agents.state(0)["running.length"].sum() + sum(e.length for e in agents._ended[0])
    assert sum(e.length for e in agents.episodes[0]) + running == int(agents.state(0)["steps"])


def test_episodes_of_a_rollout_are_counted_one_call_after_the_other() -> None:
    """Episodes have one step: a rollout of 16 of them is more than is asked for."""
    agent = ReparameterizedActorCritic("neurorl/Bandit-v0", gradient=FEW, **SMALL)
    for n in range(1, 4):
        assert [e.episode for e in agent.learn(total_episodes=n)] == [n - 1]
    agent.close()


def test_weights_stay_in_their_bounds() -> None:
    env = make_env(CARTPOLE)
    config = make_config(env, "lif", {**SMALL, "weight_bound": 0.25})
    fast = {**FEW, "learning_rate": 0.2}
    agents = make_gradient_group(GroupPlan(env, CARTPOLE, config, (1,), BackendSpec("torch"), fast))
    agents.learn(total_episodes=4)
    largest = max(np.abs(w).max() for w in agents.weights(0).values())
    assert largest == 0.25


def test_a_checkpoint_of_another_network_is_refused() -> None:
    agents = replicas((1,))
    agents.learn(total_episodes=1)
    other = replicas((1,), hidden=3)
    with pytest.raises(RunError, match="checkpoint"):
        other.restore(0, agents.state(0))
    with pytest.raises(RunError, match="another network"):
        other.adopt(0, agents.state(0))


def test_silenced_it_learns_as_one_that_has_no_delays() -> None:
    """Weights that nothing arrives by stay as they are, and change nothing."""
    silenced, plain = (
        replicas((5,), carries=False, window=4, input_recalls=agos) for agos in ((1, 2), ())
    )
    silenced.learn(total_episodes=8)
    plain.learn(total_episodes=8)
    assert played(silenced, 0) == played(plain, 0)
    weights, expected = silenced.weights(0), plain.weights(0)
    assert all(np.array_equal(weights[name], w) for name, w in expected.items())
    fresh = replicas((5,), carries=False, window=4, input_recalls=(1, 2)).weights(0)
    others = weights.keys() - expected.keys()
    assert others == {"input_hidden_delay5", "input_hidden_delay9"}
    assert all(np.array_equal(weights[name], fresh[name]) for name in others)


@pytest.mark.parametrize("arithmetic", ["float", "loihi"])
def test_a_horizon_cuts_gradients_and_nothing_else(arithmetic: str) -> None:
    """One update by the same rollout gives the same spikes, of every stretch of decisions.

    Back to the beginning of all, a gradient comes over the recalled spikes of hidden units; back to
    the last decision only, none.
    """
    kind: dict[str, Any] = {"carries": True, "window": 4, "hidden_recalls": (1,)}
    found = {}
    for horizon in (None, 8, 4, 1):
        agents = replicas((5,), arithmetic, {"horizon": horizon}, **kind)
        learner, rollout = agents._learners[0], agents._rollout
        agents._stage.open([0])
        agents._play([0])
        log_pi = learner._described(rollout, 0)
        log_pi[:2].sum().backward(retain_graph=True)  # type: ignore[no-untyped-call]
        # Of the first step, whose past is silence.
        first = learner.module.weight("hidden_delay5").grad
        assert first is None or not first.any()
        learner.module.zero_grad()
        log_pi.sum().backward()  # type: ignore[no-untyped-call]
        weights = {n: learner.module.weight(n).grad for n in learner.weights()}
        found[horizon] = (log_pi.detach(), weights)
    for log_pi, weights in found.values():
        assert torch.allclose(log_pi, found[None][0], rtol=1e-5, atol=1e-6)
        assert all(w is not None and w.any() for w in weights.values())
    grad = {horizon: weights["input_hidden"] for horizon, (_, weights) in found.items()}
    assert torch.equal(grad[None], grad[8])
    assert not torch.allclose(grad[8], grad[4])
    assert not torch.allclose(grad[4], grad[1])


class Drifting(gym.Env[Any, Any]):
    """Forget the seed."""

    def __init__(self) -> None:
        self.observation_space = gym.spaces.Box(-1.0, 1.0, (4,))
        self.action_space = gym.spaces.Discrete(2)
        self._rng = np.random.default_rng()

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return self._rng.uniform(-1, 1, 4).astype(np.float32), {}

    def step(self, action: Any) -> Any:
        return self._rng.uniform(-1, 1, 4).astype(np.float32), 1.0, False, False, {}


gym.register("neurorl-tests/Drifting-v0", lambda **_: Drifting(), max_episode_steps=6)


def test_an_environment_that_does_not_repeat_itself_is_told_of() -> None:
    env_id = "neurorl-tests/Drifting-v0"
    agent = ReparameterizedActorCritic(env_id, gradient=FEW, **SMALL)
    agent.learn(total_episodes=1)
    resumed = ReparameterizedActorCritic(env_id, gradient=FEW, **SMALL)
    resumed.restore(agent.state())
    with pytest.raises(RunError, match="doesn't repeat itself"):
        resumed.learn(total_episodes=5)


@pytest.mark.parametrize("vector", [False, True])
def test_episodes_are_taken_up_where_they_were(vector: bool) -> None:
    """Environments are separate ones, or one vector environment that steps all together."""
    actions = {0: [1, 0, 1, 1], 1: [], 2: [0, 1]}
    seeds = {0: 5, 1: 6, 2: 7}
    expected = {}
    for i, taken in actions.items():
        env = make_env(CARTPOLE)
        expected[i], _ = env.reset(seed=seeds[i])
        for action in taken:
            expected[i] = env.step(action)[0]
    if vector:
        disabled = gym.vector.AutoresetMode.DISABLED
        made = [lambda: gym.make(CARTPOLE)] * 3
        envs: Any = VectorEnvs(gym.vector.SyncVectorEnv(made, autoreset_mode=disabled))
    else:
        from neurorl.tasks.groups import SeparateEnvs

        envs = SeparateEnvs([make_env(CARTPOLE) for _ in range(3)])
    steps = take_up(envs, {i: (seeds[i], actions[i]) for i in actions})
    seen = {i: observation for i, observation, _ in steps}
    for i in actions:
        assert np.array_equal(seen[i], expected[i])


class Mirror(gym.Env[Any, Any]):
    """Pay 1 for the action that is the observation, for 4 steps."""

    def __init__(self) -> None:
        self.observation_space = gym.spaces.Discrete(3)
        self.action_space = gym.spaces.Discrete(3, start=5)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._state = int(self.np_random.integers(3))
        return self._state, {}

    def step(self, action: Any) -> Any:
        reward = float(action == self._state + 5)
        self._state = int(self.np_random.integers(3))
        return self._state, reward, False, False, {}


gym.register("neurorl-tests/Mirror-v0", lambda **_: Mirror(), max_episode_steps=4)
MIRROR: dict[str, Any] = {
    "cells": OneHot(3),
    "features": OneHot(3),
    "reward_scale": 1.0,
    "gamma": 0.5,
}


@pytest.mark.parametrize("estimator", ["concrete", "slope"])
@pytest.mark.parametrize(("model", "rate", "beta"), [("lif", 0.01, 0.5), ("glm", 0.02, 1.0)])
@pytest.mark.filterwarnings("ignore::neurorl.PopulationWarning")  # slow at first, as it may be
def test_it_learns(estimator: str, model: str, rate: float, beta: float) -> None:
    """The return grows from 4/3 to nearly 4, with a layer of hidden neurons, on every backend."""
    agent = ReparameterizedActorCritic(
        "neurorl-tests/Mirror-v0",
        model=model,
        seed=1,
        gradient={"estimator": estimator, "learning_rate": rate, "steps": 4},
        **{**MIRROR, "actors": 4, "hidden": 4, "policy.beta": beta},
    )
    agent.learn(total_episodes=700)
    assert np.mean([e.ret for e in agent.episodes[:40]]) < 2.2
    assert np.mean([e.ret for e in agent.episodes[-100:]]) > 3.3
    assert evaluate(agent, 20, backend="reference")["mean_return"] > 3.3


def test_the_units_of_the_papers_learn_with_their_preset() -> None:
    """CartPole goes from some 15 steps to hundreds; the chip plays what is learned in float."""
    agent = ReparameterizedActorCritic(CARTPOLE, model="glm", seed=101)
    agent.learn(total_episodes=60)
    assert np.mean([e.ret for e in agent.episodes[:20]]) < 40.0
    assert np.mean([e.ret for e in agent.episodes[-20:]]) > 200.0
    for arithmetic in ("float", "loihi"):
        found = evaluate(agent, 1, backend="reference", arithmetic=arithmetic)
        assert found["mean_return"] > 400.0


def test_saved_and_loaded_it_plays_the_same_everywhere(tmp_path: Path) -> None:
    agent = ReparameterizedActorCritic(CARTPOLE, seed=2, gradient=FEW, **SMALL)
    agent.learn(total_episodes=3)
    agent.save(tmp_path / "agent.npz")
    again = ReparameterizedActorCritic.load(tmp_path / "agent.npz")
    assert again.episodes == agent.episodes
    assert [e.ret for e in agent.learn(total_episodes=6)] == [
        e.ret for e in again.learn(total_episodes=6)
    ]
    assert same(agent.state(), again.state())
    local = SpikingActorCritic.load(tmp_path / "agent.npz", backend="native")
    assert not local.episodes
    loaded = ReparameterizedActorCritic.load(tmp_path / "agent.npz")
    for name, weights in loaded.weights.items():
        assert np.allclose(local.backend.weights(name), weights, atol=1e-9)
    assert evaluate(local, 3) == {**evaluate(loaded, 3), "backend": "native"}
    local.learn(total_episodes=2)  # by its own rule
    assert any((local.backend.weights(k) != w).any() for k, w in loaded.weights.items())


def test_a_local_agent_is_no_gradient_agent_but_its_weights_are_a_start(tmp_path: Path) -> None:
    local = SpikingActorCritic(CARTPOLE, seed=2, **SMALL)
    local.learn(total_episodes=2)
    local.save(tmp_path / "agent.npz")
    with pytest.raises(RunError, match="learned by a local rule"):
        ReparameterizedActorCritic.load(tmp_path / "agent.npz")
    agent = ReparameterizedActorCritic(CARTPOLE, seed=2, gradient=FEW, **SMALL)
    agent.adopt(local.state())
    for name, weights in agent.weights.items():
        assert np.allclose(local.backend.weights(name), weights, atol=1e-6)
    assert len(agent.learn(total_episodes=2)) == 2


def test_bad_arguments() -> None:
    agent = ReparameterizedActorCritic(CARTPOLE, gradient=FEW, **SMALL)
    with pytest.raises(ArgumentError, match="whole number"):
        agent.learn(total_episodes=1.5)  # type: ignore[arg-type]


def test_the_example_of_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the example with fewer episodes."""
    monkeypatch.chdir(tmp_path)
    page = Path(__file__).parents[2] / "docs" / "reparameterization.md"
    _, example = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    assert "learn(total_episodes=200)" in example
    made: dict[str, Any] = {}
    exec(example.replace("200", "2"), made)
    assert len(made["agent"].episodes) == 2
    assert made["on_chip"].arithmetic == "loihi"


def test_who_diverges_is_told_of_the_rate_by_gradients() -> None:
    agent = ReparameterizedActorCritic("CartPole-v1", seed=3, gradient={"temperature": 1e-100})
    with pytest.raises(DivergenceError, match="by gradients learning_rate"):
        agent.learn(total_timesteps=200)
