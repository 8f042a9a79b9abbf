"""Test agents that learn actions that are numbers by gradients."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from resumed import check_saved_goes_on

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'neurorl[torch]'")

from neurorl import ReparameterizedActorCritic, SpikingActorCritic  # noqa: E402
from neurorl.agents.evaluation import evaluate  # noqa: E402
from neurorl.errors import RunError, UnsupportedError  # noqa: E402
from neurorl.models.agent.config import AgentConfig  # noqa: E402
from neurorl.models.agent.gaussian_policy import Gaussian  # noqa: E402
from neurorl.models.defaults.presets import make_config  # noqa: E402
from neurorl.reparameterization.choices import Taken, choices_for  # noqa: E402

FEW = {"environments": 2, "steps": 8}


class Levers(gym.Env[Any, Any]):
    """Pay 1 less the distance of two numbers to those that depend on what is shown."""

    observation_space, action_space = Discrete(2), Box(-2.0, 2.0, (2,), np.float32)
    best = np.array([[1.2, -0.6], [-0.6, 0.0]])

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[int, dict[str, Any]]:
        super().reset(seed=seed)
        self._context = int(self.np_random.integers(2))
        return self._context, {}

    def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:
        distance = float(np.abs(action - self.best[self._context]).mean())
        return self._context, 1.0 - distance, True, False, {}


gym.register("neurorl-tests/Levers-v0", lambda **_: Levers(), max_episode_steps=1)


def config(**policy: Any) -> AgentConfig:
    return make_config(gym.make("Pendulum-v1"), "lif", {"policy": Gaussian(**policy)})


def test_it_chooses_as_the_local_rule_does() -> None:
    """Means, shares and noise are the policy's; environments get clipped numbers."""
    made = config(sigma=0.4, population=3)
    choices = choices_for(made, (3, 3))
    votes = np.array([[[4.0, 1.0, 3.0, 0.0, 0.0, 0.0]]])
    u = np.array([[[[0.3, 0.8], [0.6, 0.1]]]])
    ours = choices.choose(torch.tensor(votes), torch.tensor(u), np.array([choices.width(0)]))
    # The definition takes the logarithm of u, here it is of 1 - u.
    flat = np.stack([1.0 - u[..., 0], u[..., 1]], axis=-1).ravel()
    choice = made.policy.decide(votes[0, 0], (3, 3), None, flat)
    assert choices.taken(ours[0]) == [pytest.approx(choice.actions.tolist(), abs=1e-12)]
    assert np.allclose(choices.shares(torch.tensor(votes))[0, 0], choice.policy)
    assert choices.taken(np.array([[3.0, -0.5]])) == [[1.0, -0.5]]


def test_the_gradient_is_that_of_the_log_density() -> None:
    choices = choices_for(config(sigma=0.4), (2, 2))
    votes = torch.tensor([[3.0, 1.0, 2.0, 2.0], [1.0, 5.0, 0.0, 1.0]], dtype=torch.float64)
    actions, advantage = np.array([[0.7, -2.0], [0.1, 0.2]]), torch.tensor([2.0, -1.0]).double()
    widths = np.array([0.4, 0.2])

    def expected() -> Any:
        mean = torch.stack([votes[:, 1] - votes[:, 0], votes[:, 3] - votes[:, 2]], -1)
        mean = mean / torch.stack([votes[:, :2].sum(-1), votes[:, 2:].sum(-1)], -1)
        normal = torch.distributions.Normal(mean, torch.tensor(widths)[:, None])
        return -(advantage * normal.log_prob(torch.tensor(actions)).sum(-1)).mean()

    votes.requires_grad_(True)
    loss = choices.loss(choices.describe(votes), Taken(actions, widths, advantage), 0.3)
    (ours,) = torch.autograd.grad(loss, votes)
    (theirs,) = torch.autograd.grad(expected(), votes)
    assert torch.allclose(ours, theirs, atol=1e-12)


@pytest.mark.filterwarnings("ignore::neurorl.PopulationWarning")
@pytest.mark.parametrize("arithmetic", ["float", "loihi"])
def test_levers_are_learned(arithmetic: str) -> None:
    agent = ReparameterizedActorCritic(
        "neurorl-tests/Levers-v0",
        arithmetic=arithmetic,
        seed=100,
        reward_scale=1.0,
        policy=Gaussian(0.4, 0.1, decisions=3000),
        gradient={"learning_rate": 0.01},
    )
    agent.learn(total_episodes=4000)
    played = evaluate(agent, 100, backend="reference", arithmetic=arithmetic)
    assert played["mean_return"] > 0.75  # 0.05 by chance


def test_saved_between_updates_it_goes_on_the_same(tmp_path: Path) -> None:
    policy = Gaussian(0.4, hold=4)
    agent, whole = (
        ReparameterizedActorCritic("Pendulum-v1", seed=2, actors=2, gradient=FEW, policy=policy)
        for _ in range(2)
    )
    check_saved_goes_on(agent, whole, tmp_path / "agent.npz", 230, 700)
    local = SpikingActorCritic.load(tmp_path / "agent.npz")
    assert local.predict(np.array([1.0, 0.0, 0.0], np.float32)).shape == (1,)


def make_far(**_: Any) -> gym.Env[Any, Any]:
    """Show Pendulum's observations times 1e35, as no description may have them."""
    env = gym.make("Pendulum-v1")
    return gym.wrappers.TransformObservation(env, lambda x: x * 1e35, Box(-1e38, 1e38, (3,)))


gym.register("neurorl-tests/Far-v0", make_far)


def test_numbers_far_from_0_are_taken_up(tmp_path: Path) -> None:
    agent, whole = (
        ReparameterizedActorCritic("neurorl-tests/Far-v0", seed=2, actors=2, gradient=FEW)
        for _ in range(2)
    )
    check_saved_goes_on(agent, whole, tmp_path / "agent.npz", 48, 96)
    with pytest.raises(RunError, match="observations"):
        agent.restore({**agent.state(), "observations": np.full((2, 3), np.inf)})


def test_what_never_explores_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="explores no more"):
        ReparameterizedActorCritic("Pendulum-v1", gradient=FEW, policy=Gaussian(0.4, 0.0))
