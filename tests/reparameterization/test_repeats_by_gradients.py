"""Test actions that are chosen in every so many steps, and learned by gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from resumed import check_saved_goes_on

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'neurorl[torch]'")

from neurorl import ReparameterizedActorCritic  # noqa: E402
from neurorl.models.agent.policies import Softmax  # noqa: E402
from neurorl.reparameterization.actors import Actors  # noqa: E402
from neurorl.reparameterization.learner import GradientLearner  # noqa: E402
from neurorl.reparameterization.rollout import Rollout  # noqa: E402

TAKEN = "neurorl-tests/Taken-v0"
FEW = {"environments": 2, "steps": 8}


class Taken(gym.Env[Any, Any]):
    """Keep the actions of each episode, of 2 to 11 steps, in a list that copies share."""

    episodes: list[list[int]] = []  # noqa: RUF012

    def __init__(self) -> None:
        self.observation_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float64)
        self.action_space = gym.spaces.Discrete(4)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._left = int(self.np_random.integers(2, 12))
        self._actions: list[int] = []
        self.episodes.append(self._actions)
        return np.zeros(1), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self._actions.append(int(action))
        self._left -= 1
        return np.zeros(1), float(action == 1), self._left == 0, False, {}


def agent(env: str, **options: Any) -> ReparameterizedActorCritic:
    gradient = {**FEW, **options.pop("gradient", {})}
    return ReparameterizedActorCritic(env, seed=5, actors=2, gradient=gradient, **options)


@pytest.mark.parametrize("carries", [False, True])
def test_an_action_is_taken_until_the_next_is_chosen(carries: bool) -> None:
    """Count within each episode, over the ends of rollouts, whatever the others do."""
    if TAKEN not in gym.registry:
        gym.register(TAKEN, lambda **_: Taken())
    learner = agent(TAKEN, policy=Softmax(0.0, repeats=5), carries=carries, window=4)
    Taken.episodes.clear()
    learner.learn(total_episodes=60)
    changed = False
    for actions in Taken.episodes:
        of_blocks = [set(actions[k : k + 5]) for k in range(0, len(actions), 5)]
        assert all(len(block) == 1 for block in of_blocks)
        changed |= len(set(actions)) > 1
    assert changed


def test_only_chosen_actions_have_a_score(monkeypatch: pytest.MonkeyPatch) -> None:
    """Change what came of the steps that repeat an action: the critic alone may notice.

    With ``lambda_advantage=0`` an advantage is of one step, so theirs move no weight.
    """
    seen: list[np.ndarray[Any, Any]] = []
    learn = GradientLearner.learn

    def changed(self: GradientLearner, rollout: Rollout, k: int, rate: float) -> None:
        seen.append(rollout.chosen[:, k].copy())
        rollout.rewards[~rollout.chosen] += 3.0
        learn(self, rollout, k, rate)

    def after(steps: int) -> dict[str, Any]:
        learner = agent(
            "CartPole-v1", policy=Softmax(repeats=4), gradient={"lambda_advantage": 0.0}
        )
        learner.learn(total_steps=steps)
        return learner.state()

    whole = after(16)
    monkeypatch.setattr(GradientLearner, "learn", changed)
    other = after(16)
    assert np.array_equal(np.flatnonzero(seen[0][:, 0]), [0, 4])
    for name in (name for name in whole if name.startswith("learner.weights")):
        assert np.array_equal(whole[name], other[name]), name
    assert not np.array_equal(whole["critic"], other["critic"])


def test_a_rollout_without_a_choice_moves_no_weight() -> None:
    """Repeat an action for longer than a rollout: only its critic learns in the second one."""
    learner = agent("CartPole-v1", policy=Softmax(repeats=64), gradient={"steps": 2})
    states = [learner.state()]
    for steps in (4, 8):
        learner.learn(total_steps=steps)
        states.append(learner.state())
    names = [name for name in states[0] if name.startswith("learner.weights")]
    begun, one, other = ([state[name] for name in names] for state in states)
    assert not all(map(np.array_equal, begun, one))
    assert all(map(np.array_equal, one, other))
    assert not np.array_equal(states[1]["critic"], states[2]["critic"])


@pytest.mark.parametrize("arithmetic", ["float", "loihi"])
def test_the_gradient_is_that_of_the_whole_rollout(arithmetic: str) -> None:
    """Leaving out the steps that repeat an action changes no log policy but by rounding."""
    learner = agent("CartPole-v1", policy=Softmax(repeats=3), arithmetic=arithmetic)
    learner.learn(total_steps=160)
    rollout, inner = learner._replicas._rollout, learner._replicas._learners[0]
    chosen = rollout.chosen[:, 0].ravel()
    assert 0 < chosen.sum() < chosen.size
    described = inner._described(rollout, 0)
    whole = inner._described_in_all(rollout, 0)[torch.from_numpy(chosen)]
    assert torch.allclose(described, whole, atol=1e-6)
    weights = inner._latent["hidden_output"]
    ours, theirs = (torch.autograd.grad(x[:, 0].sum(), weights)[0] for x in (described, whole))
    assert ours.any()
    assert torch.allclose(ours, theirs, atol=1e-5)


def test_networks_rest_while_actions_are_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """They decide in the first step of a rollout, and where an action is chosen."""
    decided: list[int] = []
    decide = Actors.decide

    def counted(self: Actors, rollout: Rollout, t: int, *others: Any) -> None:
        decided.append(t)
        decide(self, rollout, t, *others)

    monkeypatch.setattr(Actors, "decide", counted)
    for carries, expected in ((False, [0, 3, 6, 0, 1, 4, 7]), (True, [*range(8), *range(8)])):
        learner = agent(
            "MountainCar-v0", policy=Softmax(repeats=3), carries=carries
        )  # no episode ends so soon
        decided.clear()
        learner.learn(total_steps=32)
        assert decided == expected, carries


def test_saved_between_choices_it_goes_on_the_same(tmp_path: Path) -> None:
    stopped, whole = (agent("CartPole-v1", policy=Softmax(repeats=5)) for _ in range(2))
    check_saved_goes_on(stopped, whole, tmp_path / "agent.npz", 48, 400)
