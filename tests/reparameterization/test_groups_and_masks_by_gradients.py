"""Test agents by gradients that choose several things at once, or only what is allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from choosing import KINDS, Task
from gymnasium.spaces import Discrete, MultiDiscrete
from resumed import check_saved_goes_on, same

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'neurorl[torch]'")

from neurorl import ReparameterizedActorCritic, SpikingActorCritic  # noqa: E402
from neurorl.agents.evaluation import evaluate  # noqa: E402
from neurorl.errors import EnvError, RunError, UnsupportedError  # noqa: E402
from neurorl.models.agent.config import AgentConfig  # noqa: E402
from neurorl.models.agent.policies import Softmax  # noqa: E402
from neurorl.models.defaults.presets import make_config  # noqa: E402
from neurorl.reparameterization.choices import Choices, GroupChoices, Taken, choices_for  # noqa: E402

FEW = {"environments": 2, "steps": 8}
GROUPS = [(4,), (3, 1, 4)]
DISCRETE = [kind for kind in KINDS if kind != "numbers"]
CODES = "neurorl-tests/Codes-v0"


class Codes(gym.Env[Any, Any]):
    """Pay for two digits that depend on what is shown; a third of the first one is forbidden."""

    observation_space, action_space = Discrete(3), MultiDiscrete([3, 2])

    def _told(self) -> dict[str, Any]:
        allowed = np.ones(5, dtype=np.int8)
        allowed[self._shown] = 0
        return {"action_mask": allowed}

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._shown = int(self.np_random.integers(3))
        return self._shown, self._told()

    def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:
        assert action[0] != self._shown
        right = action[0] == (self._shown + 1) % 3, action[1] == self._shown % 2
        return self._shown, sum(right) / 2, True, False, self._told()


gym.register(CODES, lambda **_: Codes(), max_episode_steps=1)


def config(**policy: Any) -> AgentConfig:
    return make_config(gym.make("CartPole-v1"), "lif", {"policy": Softmax(**policy)})


def agent(kind: str, **options: Any) -> ReparameterizedActorCritic:
    env = f"neurorl-tests/Choosing-{kind}-v0"
    options = {"reward_scale": 0.1, "gradient": FEW, **options}
    return ReparameterizedActorCritic(env, seed=3, actors=2, **options)


def masks_of(groups: tuple[int, ...], n: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Return *n* masks that leave something of each group."""
    masks = rng.random((n, sum(groups))) < 0.5
    for first, size in zip(np.cumsum([0, *groups[:-1]]), groups, strict=True):
        masks[np.arange(n), first + rng.integers(size, size=n)] = True
    return masks


@pytest.mark.parametrize("exploration", [0.0, 0.2])
@pytest.mark.parametrize("is_masked", [False, True])
@pytest.mark.parametrize("groups", GROUPS)
def test_it_chooses_as_the_local_rule_does(
    groups: tuple[int, ...], is_masked: bool, exploration: float
) -> None:
    """Policies and actions are those of models/agent/policies.py, also at the ends of [0, 1)."""
    made = config(beta=0.7, exploration=exploration)
    choices, rng = choices_for(made, groups), np.random.default_rng(4)
    n = 60
    votes = rng.integers(0, 9, (n, 1, sum(groups))).astype(float)
    masks = masks_of(groups, n, rng) if is_masked else None
    u = rng.random((n, 1, len(groups)))
    u[:2], u[2:4] = 0.0, 1.0 - 2.0**-53
    tensor, draws = torch.tensor(votes), torch.tensor(u.reshape(n, 1, *choices.draws))
    allowed = None if masks is None else torch.tensor(masks[:, None])
    ours = choices.choose(tensor, draws, np.zeros(n), allowed).reshape(n, len(groups))
    shares = choices.shares(tensor, allowed)
    for k in range(n):
        mask = None if masks is None else masks[k]
        theirs = made.policy.decide(votes[k, 0], groups, mask, np.maximum(u[k, 0], 1e-300))
        assert ours[k].tolist() == theirs.actions.tolist()
        assert np.allclose(shares[k, 0], theirs.policy, atol=1e-12)
        if mask is not None:
            assert not shares[k, 0][~mask].any()


def test_sums_that_fall_short_of_one_end_at_an_allowed_action() -> None:
    """In float32 the policies' sums do, and the largest draws lie above them."""
    choices, rng = choices_for(config(beta=0.7), (4,)), np.random.default_rng(1)
    masks = torch.tensor(masks_of((4,), 200, rng))
    votes = torch.tensor(rng.integers(0, 9, (200, 4)), dtype=torch.float32)
    assert (choices.describe(votes, masks).exp().double().sum(-1) < 1.0 - 2.0**-53).any()
    u = torch.full((200,), 1.0 - 2.0**-53, dtype=torch.float64)
    actions = choices.choose(votes, u, np.zeros(200), masks)
    assert masks.numpy()[np.arange(200), actions].all()


def _log_density_loss(
    choices: Choices, votes: Any, masks: Any, actions: Any, advantage: Any, entropy: float
) -> Any:
    """Return the loss by PyTorch's own distributions, one for each group."""
    total, first = 0.0, 0
    for g, size in enumerate(choices.groups):
        part = slice(first, first + size)
        logits = torch.where(masks[:, part], 0.7 * votes[:, part], -1e9)
        drawn = torch.distributions.Categorical(logits=logits)
        taken = torch.tensor(actions[:, g])
        total = (
            total - (advantage * drawn.log_prob(taken)).mean() - entropy * drawn.entropy().mean()
        )
        first += size
    return total


@pytest.mark.parametrize("groups", GROUPS)
def test_the_gradient_is_that_of_the_log_probability_and_the_entropy(
    groups: tuple[int, ...],
) -> None:
    choices, rng = choices_for(config(beta=0.7), groups), np.random.default_rng(7)
    masks = torch.tensor(masks_of(groups, 30, rng))
    votes = torch.tensor(rng.integers(0, 9, masks.shape), dtype=torch.float64, requires_grad=True)
    widths, advantage = np.zeros(30), torch.tensor(rng.normal(size=30))
    u = torch.tensor(rng.random((30, *choices.draws)))
    actions = choices.choose(votes.detach(), u, widths, masks)
    loss = choices.loss(choices.describe(votes, masks), Taken(actions, widths, advantage), 0.3)
    theirs = _log_density_loss(
        choices, votes, masks, actions.reshape(30, -1), advantage, entropy=0.3
    )
    assert torch.allclose(loss, theirs, atol=1e-12)
    (ours,), (expected,) = (torch.autograd.grad(x, votes) for x in (loss, theirs))
    assert torch.allclose(ours, expected, atol=1e-12)


def test_exploration_of_what_is_allowed_has_a_finite_gradient() -> None:
    choices = choices_for(config(beta=0.7, exploration=0.1), (4,))
    votes = torch.tensor([[3.0, 1.0, 2.0, 0.0]], dtype=torch.float64, requires_grad=True)
    mask, ones = torch.tensor([[True, False, True, False]]), torch.ones(1, dtype=torch.float64)
    loss = choices.loss(choices.describe(votes, mask), Taken(np.array([2]), np.zeros(1), ones), 0.1)
    (gradient,) = torch.autograd.grad(loss, votes)
    assert torch.isfinite(gradient).all()
    assert not gradient[~mask].any()
    assert gradient[mask].any()


@pytest.mark.parametrize("repeats", [1, 3])
@pytest.mark.parametrize("arithmetic", ["float", "loihi"])
@pytest.mark.parametrize("kind", DISCRETE)
def test_saved_between_updates_it_goes_on_the_same(
    kind: str, arithmetic: str, repeats: int, tmp_path: Path
) -> None:
    """The tasks take only what is in their spaces and what their masks allow."""
    stopped, whole = (
        agent(kind, arithmetic=arithmetic, policy=Softmax(0.0, repeats=repeats)) for _ in range(2)
    )
    check_saved_goes_on(stopped, whole, tmp_path / "agent.npz", 56, 200)
    local = SpikingActorCritic.load(tmp_path / "agent.npz", env=Task(kind))
    assert local.is_masked
    evaluate(local, 3)


@pytest.mark.parametrize("kind", ["several", "masks"])
def test_it_plays_the_same_on_every_backend(kind: str) -> None:
    learner = agent(kind, arithmetic="loihi")
    learner.learn(total_steps=160)
    ways = [("reference", {}), ("brian2", {"engine": "numpy"}), ("torch", {}), ("loihi", {})]
    returns = [
        evaluate(learner, 4, seed=1, backend=backend, arithmetic="loihi", backend_options=options)
        for backend, options in ways
    ]
    assert len({played["mean_return"] for played in returns}) == 1


@pytest.mark.filterwarnings("ignore::neurorl.PopulationWarning")
@pytest.mark.parametrize("arithmetic", ["float", "loihi"])
def test_codes_are_learned(arithmetic: str) -> None:
    learner = ReparameterizedActorCritic(
        CODES, arithmetic=arithmetic, seed=100, gradient={"learning_rate": 0.01}
    )
    learner.learn(total_episodes=3000)
    played = evaluate(learner, 100, backend="reference", arithmetic=arithmetic)
    assert played["mean_return"] > 0.9  # 0.5 by chance


def test_an_action_is_taken_until_it_is_forbidden() -> None:
    """Some actions are taken again, and none that a mask forbids."""
    learner = agent("masked", policy=Softmax(0.0, repeats=1000))
    learner.learn(total_steps=160)  # the task refuses what isn't allowed
    rollout = learner._replicas._rollout
    assert rollout.allowed is not None
    taken = np.take_along_axis(rollout.allowed, rollout.actions[..., None], axis=-1)
    assert taken.all()
    assert rollout.chosen.mean() < 1.0


@pytest.mark.parametrize("repeats", [1, 3])
def test_weights_learn_from_the_policy_of_what_was_allowed(
    repeats: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In each update the log policies are -inf where an action was forbidden, else finite."""
    learner, seen = agent("masked", policy=Softmax(repeats=repeats)), []
    usual = GroupChoices.loss

    def loss(self: GroupChoices, described: Any, *others: Any) -> Any:
        seen.append(described.detach().numpy())
        return usual(self, described, *others)

    monkeypatch.setattr(GroupChoices, "loss", loss)
    learner.learn(total_steps=16)
    rollout = learner._replicas._rollout
    assert rollout.allowed is not None
    expected = rollout.allowed[:, 0].reshape(-1, 4)[rollout.chosen[:, 0].ravel()]
    assert np.array_equal(np.isfinite(seen[-1]), expected)


class Fails(Task):
    """Raise once, after so many steps of all copies."""

    left = -1

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        type(self).left -= 1
        if self.left == 0:
            raise OSError("no answer")
        return super().step(action)


gym.register("neurorl-tests/Choosing-fails-v0", lambda **_: Fails("masked"))


def test_after_an_environment_that_raises_it_goes_on_the_same() -> None:
    broken, whole = agent("fails"), agent("fails")
    whole.learn(total_steps=120)
    Fails.left = 75  # within a rollout and within episodes
    with pytest.raises(EnvError, match="no answer"):
        broken.learn(total_steps=120)
    broken.learn(total_steps=120)
    assert same(broken.state(), whole.state())


def test_who_learned_without_masks_goes_on_without() -> None:
    """Agents saved before gradients heeded masks go on as they did."""
    learner = agent("masked")
    learner.learn(total_steps=160)
    assert learner.is_masked
    state = {k: v for k, v in learner.state().items() if k not in ("masked", "allowed")}
    learner.restore(state)
    assert not learner.is_masked


def test_a_file_that_allows_nothing_is_refused() -> None:
    learner = agent("masks")
    learner.learn(total_steps=160)
    state = learner.state()
    state["allowed"][0, 3:] = False
    with pytest.raises(RunError, match="leaves nothing to choose"):
        learner.restore(state)


class Forgets(Task):
    """Show a mask beside the first observation alone."""

    def _told(self) -> dict[str, Any]:
        return {}


class Strange(Task):
    """Show a mask for numbers."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        return super().reset(seed=seed)[0], {"action_mask": np.ones(4)}


gym.register("neurorl-tests/Choosing-forgets-v0", lambda **_: Forgets("masked"))
gym.register("neurorl-tests/Choosing-strange-v0", lambda **_: Strange("numbers"))


def test_what_does_not_go_together() -> None:
    with pytest.raises(EnvError, match=r"seed 3, episode 0, step 1.*no mask"):
        agent("forgets").learn(total_episodes=1)
    with pytest.raises(UnsupportedError, match="numbers have no mask"):
        agent("strange").learn(total_episodes=1)
