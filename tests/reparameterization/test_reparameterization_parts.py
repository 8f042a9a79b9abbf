"""Test the parts of learning by gradients, against numbers worked out by hand or another way."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.gradients_page import put_table
from neurorl.errors import DescriptionError, RunError, UnknownNameError, UnsupportedError
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.encoders import Encoder, bernoulli_spikes, constant_currents, quiet_spikes
from neurorl.models.agent.policies import AnnealedSoftmax, Softmax, softmax
from neurorl.models.defaults.presets import make_config
from neurorl.models.features import OneHot
from neurorl.network.serialization import Described
from neurorl.reparameterization import GradientConfig, make_gradient
from neurorl.reparameterization.config import check_agent, softmax_of
from neurorl.reparameterization.learner import LinearValues, advantages
from neurorl.tasks.environments import make_env

NO = np.zeros((3, 1), dtype=bool)
REWARDS = np.array([[1.0], [0.0], [2.0]])
VALUES, NEXT = np.array([[0.5], [1.0], [0.0]]), np.array([[1.0], [0.0], [4.0]])


def found(lambda_: float, terminated: Any = NO, over: Any = NO) -> list[float]:
    a = advantages(REWARDS, VALUES, NEXT, terminated, over, 0.5, lambda_)
    return [float(x) for x in a[:, 0]]


def test_advantages_of_one_step_are_td_errors() -> None:
    assert found(0.0) == [1.0 + 0.5 * 1.0 - 0.5, 0.0 - 1.0, 2.0 + 0.5 * 4.0 - 0.0]


def test_advantages_add_up_what_follows() -> None:
    assert found(1.0) == [1.0 + 0.5 * (-1.0 + 0.5 * 4.0), -1.0 + 0.5 * 4.0, 4.0]
    assert found(0.5) == [1.0 + 0.25 * (-1.0 + 0.25 * 4.0), -1.0 + 0.25 * 4.0, 4.0]


def test_advantages_stop_at_the_end_of_an_episode() -> None:
    end = np.array([[True], [False], [False]])
    assert found(1.0, over=end)[0] == 1.0 + 0.5 * 1.0 - 0.5  # cut off: the next state still counts
    assert found(1.0, terminated=end, over=end)[0] == 1.0 - 0.5  # over: it is worth nothing
    assert found(1.0, over=end)[1:] == found(1.0)[1:]


def test_with_lambda_1_advantage_and_value_are_the_discounted_return() -> None:
    rng = np.random.default_rng(0)
    r, v = rng.normal(size=(6, 4)), rng.normal(size=(7, 4))
    none = np.zeros((6, 4), dtype=bool)
    a = advantages(r, v[:-1], v[1:], none, none, 0.9, 1.0)
    powers = 0.9 ** np.arange(6)
    expected = (powers[:, None] * r).sum(axis=0) + 0.9**6 * v[-1]
    assert np.allclose(a[0] + v[0], expected)


def test_values_may_begin_elsewhere_than_at_0() -> None:
    critic = LinearValues(2, alpha=0.25, initial=-3.0)
    x = np.array([[[1.0, 0.0]]])
    assert critic(x) == -3.0
    critic.learn(x, np.array([[-3.0]]))
    assert not critic.weights.any()
    critic.learn(x, np.array([[1.0]]))
    assert critic(x) == -2.0


def test_the_critic_moves_a_fraction_of_the_error_at_once() -> None:
    critic = LinearValues(2, alpha=0.25)
    critic.learn(np.array([[[2.0, 0.0]]]), np.array([[4.0]]))
    assert critic.weights.tolist() == [0.25 * 4.0 * 2.0 / 4.0, 0.0]
    assert critic(np.array([2.0, 0.0])) == 0.25 * 4.0


def test_the_critic_does_not_overshoot_in_a_state_seen_again_and_again() -> None:
    critic = LinearValues(3, alpha=0.25)
    critic.learn(np.tile([1.0, 0.0, 0.0], (50, 4, 1)), np.full((50, 4), 2.0))
    assert critic.weights.tolist() == pytest.approx([2.0, 0.0, 0.0])


def test_a_configuration_is_its_own_data() -> None:
    config = GradientConfig(environments=2, learning_rate=0.01, estimator="slope")
    data = json.loads(json.dumps(config.to_dict()))
    assert Described.from_dict(data) == config
    assert Described.from_dict(data) != GradientConfig()


@pytest.mark.parametrize(
    "fields",
    [
        {"environments": 0},
        {"steps": 1.5},
        {"learning_rate": -1.0},
        {"lambda_advantage": 1.1},
        {"alpha_critic": 0.3},  # more than 1 / environments
        {"horizon": 0},
        {"entropy": 2e6},
        {"horizon": 3},  # of 16 steps
    ],
)
def test_what_makes_no_sense_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(DescriptionError, match=f"gradient.{next(iter(fields))}"):
        GradientConfig(**fields)


def test_the_learning_rate_falls_over_the_first_episodes() -> None:
    config = GradientConfig(rate_end=0.2, rate_episodes=100)
    assert [config.rate(n) for n in (0, 50, 100, 1000)] == pytest.approx([1.0, 0.6, 0.2, 0.2])


def test_a_preset_is_that_of_the_model_and_the_task() -> None:
    def found(task: str, model: str, **options: Any) -> GradientConfig:
        return make_gradient(make_config(make_env(task), model), task, options)

    grid, cart, car = "neurorl/GridWorld-v0", "CartPole-v1", "MountainCar-v0"
    assert found(cart, "lif").to_dict() == GradientConfig().to_dict()
    glm: dict[str, Any] = {"estimator": "slope", "learning_rate": 1e-2}
    assert found(cart, "glm").to_dict() == GradientConfig(**glm).to_dict()
    entropic = GradientConfig(**glm, entropy=1e-2)
    assert found(grid, "glm").to_dict() == entropic.to_dict()
    assert found(grid, "lif").to_dict() == GradientConfig(entropy=1e-2).to_dict()
    for model in ("lif", "glm"):  # over all episodes of the experiment
        assert found(car, model).rate(450) == pytest.approx(0.55)
    assert found(car, "glm", estimator="concrete", rate_end=0.5).rate(900) == 0.5
    assert found(car, "glm", estimator="concrete").estimator == "concrete"


def test_unknown_names_have_a_remedy() -> None:
    config = make_config(make_env("CartPole-v1"))
    with pytest.raises(UnknownNameError, match="learning_rate"):
        make_gradient(config, "CartPole-v1", {"learning_rat": 0.1})
    with pytest.raises(UnknownNameError, match="concrete"):
        GradientConfig(estimator="concret")


@pytest.mark.parametrize(
    ("fields", "remedy"),
    [
        ({"critic": "spiking", "features": OneHot(4)}, "critic='linear'"),
        ({"policy": "greedy"}, "policy='softmax'"),
        ({"modulator": "reward"}, "modulator='td-error'"),
    ],
)
def test_agents_that_have_no_such_gradient_are_refused(fields: Any, remedy: str) -> None:
    with pytest.raises(UnsupportedError, match=remedy):
        check_agent(make_config(make_env("CartPole-v1"), "lif", fields))


def test_the_table_of_the_page(tmp_path: Path) -> None:
    columns = "seed,greedy,on_chip,episodes_to_threshold,steps_to_threshold,env_steps"
    rows = ["0,500.0,490.0,120,3000,5000,10.0", "1,400.0,500.0,,,7000,20.0"]
    text = "\n".join([f"{columns},spikes_per_decision", *rows])
    (tmp_path / "cartpole-lif-gradients.csv").write_text(text)
    page = tmp_path / "page.md"
    with pytest.raises(RunError, match="can't be read"):
        put_table(page, tmp_path)
    page.write_text("before\n")
    with pytest.raises(RunError, match="no marks"):
        put_table(page, tmp_path)
    page.write_text("before\n<!-- gradients: begin -->\nold\n<!-- gradients: end -->\nafter\n")
    for _ in range(2):
        put_table(page, tmp_path)
        before, begin, _, _, row, end, after = page.read_text().splitlines()
        assert (before, after) == ("before", "after")
        marks = ["<!-- gradients: begin -->", "<!-- gradients: end -->"]
        assert [begin, end] == marks
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[:5] == ["CartPole-v1", "LIF", "gradients", "float", "2"]
        assert cells[5:7] == ["**450.0** (400.0)", "**495.0** (490.0)"]
        assert cells[7:] == ["-", "-", "6,000", "15"]  # half of the seeds never got there


torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'neurorl[torch]'")


def small(**fields: Any) -> AgentConfig:
    return make_config(make_env("CartPole-v1"), "lif", {"actors": 2, "hidden": 2, **fields})


def test_input_spikes_are_those_of_the_encoder() -> None:
    from neurorl.reparameterization.rollout import draws_shape, encode

    flat = np.random.default_rng(0).normal(0.0, 0.3, (5, 4))
    for encoder in ("quiet", "bernoulli", "current"):
        config = small(encoder=encoder, window=9)
        u = torch.rand(5, *draws_shape(config), generator=torch.Generator().manual_seed(1))
        spikes = encode(config, flat, u).numpy()
        for e, row in enumerate(flat):
            x = config.cells.values(row)
            drawn = u[e].double().numpy()
            if encoder == "current":
                assert np.array_equal(spikes[e], constant_currents(x))
            elif encoder == "quiet":
                assert np.array_equal(spikes[:, e], quiet_spikes(x, drawn, 9))
            else:
                assert np.array_equal(spikes[:, e], bernoulli_spikes(x, drawn))


@dataclasses.dataclass(frozen=True, eq=False)
class Doubled(Encoder):
    """A spike comes in at most two steps out of three, if the mean of two draws is below x."""

    def draws(self, window: int) -> int:
        return 2

    def encode(self, activation: Any, u: Any, window: int) -> Any:
        return (u.mean(axis=0) < activation) & (np.arange(window) % 3 < 2)[:, None]


def test_an_encoder_of_a_user_encodes_and_a_policy_of_one_is_refused() -> None:
    from neurorl.reparameterization.rollout import draws_shape, encode

    @dataclasses.dataclass(frozen=True, eq=False)
    class Colder(Softmax):
        def distribution(self, votes: Any) -> Any:
            return softmax(votes, 2 * self.beta)

    config = small(encoder=Doubled(0.8), window=5)
    check_agent(config)
    flat = np.random.default_rng(0).normal(0.0, 0.3, (4, 4))
    u = torch.rand(4, *draws_shape(config), generator=torch.Generator().manual_seed(1))
    spikes = encode(config, flat, u).numpy()
    assert spikes.shape == (5, 4, config.cells.size)
    assert spikes.any()
    for e, row in enumerate(flat):
        expected = config.encoder.encode(0.8 * config.cells.values(row), u[e].numpy(), 5)
        assert np.array_equal(spikes[:, e], expected)
    with pytest.raises(UnsupportedError, match=r"needs a policy.*'softmax'"):
        check_agent(small(policy=Colder()))


def test_by_gradients_a_beta_that_would_grow_stays() -> None:
    annealed, plain = small(policy=AnnealedSoftmax(0.2)), small(policy=Softmax(0.2))
    check_agent(annealed)
    assert softmax_of(annealed) == softmax_of(plain) == (0.2, 0.0)


def test_votes_and_policy_are_those_of_the_local_agents() -> None:
    from neurorl.models.agent import policies as policy
    from neurorl.reparameterization.choices import log_policy, votes

    raster = np.random.default_rng(0).random((7, 2, 12)) < 0.4
    n = votes(torch.from_numpy(raster).double(), 3, 2)
    for e in range(2):
        expected = policy.votes(raster[:, e], 3, 2)
        assert np.array_equal(n[e].numpy(), expected)
        for exploration in (0.0, 0.1):
            pi = log_policy(n, 0.3, exploration)[e].exp().numpy()
            assert np.allclose(pi, policy.softmax(expected, 0.3, exploration))


def test_the_loss_has_the_policy_gradient() -> None:
    """The gradient by the votes is ``- beta A (1[a] - pi)``; the entropy's is by differences."""
    from neurorl.reparameterization.choices import log_policy, policy_loss

    n = torch.tensor([[3.0, 1.0, 0.0], [2.0, 2.0, 5.0]], dtype=torch.float64, requires_grad=True)
    a, adv = torch.tensor([0, 1]), torch.tensor([2.0, -1.0], dtype=torch.float64)

    def loss(entropy: float) -> Any:
        return policy_loss(log_policy(n, 0.5), a, adv, entropy)

    (gradient,) = torch.autograd.grad(loss(0.0), n)
    pi = torch.softmax(0.5 * n, dim=-1).detach()
    expected = -0.5 * adv[:, None] * (torch.eye(3)[a] - pi) / 2
    assert torch.allclose(gradient, expected)
    assert torch.autograd.gradcheck(lambda n: policy_loss(log_policy(n, 0.5), a, adv, 0.7), (n,))
    entropy = -(pi * pi.log()).sum(-1).mean()
    assert loss(0.7).item() == pytest.approx(loss(0.0).item() - 0.7 * entropy.item())
