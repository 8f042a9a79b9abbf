"""`predict` answers one observation or several, with the state in between if it is named."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.classic_control.cartpole import CartPoleEnv

from neurorl import LinearActorCritic, SpikingActorCritic
from neurorl.errors import ArgumentError
from neurorl.models.agent.policies import Softmax

SMALL: dict[str, Any] = {"actors": 1, "hidden": 2, "backend": "reference"}
CARTPOLE = "CartPole-v1"
SEEN = np.random.default_rng(1).uniform(-0.1, 0.1, (6, 4)).astype(np.float32)


def spiking(**options: Any) -> SpikingActorCritic:
    return SpikingActorCritic(CARTPOLE, seed=1, **SMALL, **options)


class Positions(gym.ObservationWrapper[Any, Any, Any]):
    """Show positions without velocities, so that an agent gets a memory."""

    def __init__(self) -> None:
        super().__init__(gym.wrappers.TimeLimit(CartPoleEnv(), 200))
        limits = self.env.observation_space.high[::2]  # type: ignore[attr-defined]
        self.observation_space = gym.spaces.Box(-limits, limits, dtype=np.float32)

    def observation(self, observation: Any) -> Any:
        return observation[::2]


PLACES = SEEN[:, :2]


def remembering() -> LinearActorCritic:
    config = LinearActorCritic(Positions, seed=1).config.changed(memories=(0.5,))
    agent = LinearActorCritic(Positions, seed=1, config=config)
    agent.learn(total_timesteps=300)
    return agent


def test_a_batch_is_answered_row_by_row() -> None:
    agent, other, paired = spiking(), spiking(), spiking()
    actions = agent.predict(SEEN)
    assert actions.tolist() == [other.predict(row) for row in SEEN]
    again, state = paired.predict(SEEN, state=None)
    assert again.tolist() == actions.tolist()
    assert state is None
    assert agent.predict(SEEN[:1]) in (0, 1)
    one, _ = agent.predict(SEEN[:1], state=None)
    assert one.shape == (1,)
    assert agent.predict(SEEN, deterministic=False).shape == (6,)


def test_a_batch_of_states_and_of_numbers() -> None:
    grid = SpikingActorCritic("neurorl/GridWorld-v0", seed=1, **SMALL)
    assert grid.predict([1, 2, 3]).shape == (3,)
    arm = SpikingActorCritic("Pendulum-v1", seed=1, **SMALL)
    seen = np.ones((2, 3), np.float32)
    assert arm.predict(seen[0]).shape == (1,)
    action, _ = arm.predict(seen, state=None)
    assert action.shape == (2, 1)
    assert all(arm.env.action_space.contains(one) for one in action)


@pytest.mark.parametrize("name", ["action_mask", "action_masks"])
def test_masks_of_one_and_of_a_batch(name: str) -> None:
    agent: Any = spiking()
    masks = np.array([[0, 1], [1, 0]] * 3)
    assert agent.predict(SEEN[0], **{name: [0, 1]}) == 1
    assert agent.predict(SEEN, **{name: masks}, deterministic=False).tolist() == [1, 0] * 3
    action, _ = agent.predict(SEEN, state=None, **{name: masks})
    assert action.tolist() == [1, 0] * 3
    with pytest.raises(ArgumentError, match="limit 6 masks"):
        agent.predict(SEEN, **{name: masks[:2]})


def test_states_keep_two_episodes_apart() -> None:
    """Interleave two episodes, then play them as a batch; each is as it is alone."""
    agent = remembering()
    there, back = np.tile(PLACES, (5, 1)), np.tile(PLACES[::-1], (5, 1))

    def alone(episode: Any) -> tuple[list[int], Any]:
        state, actions = None, []
        for row in episode:
            action, state = agent.predict(row, state=state)
            actions.append(action)
        return actions, state

    expected = [alone(episode) for episode in (there, back)]
    states: list[Any] = [None, None]
    mixed: list[list[int]] = [[], []]
    for rows in zip(there, back, strict=True):
        for k, row in enumerate(rows):
            action, states[k] = agent.predict(row, state=states[k])
            mixed[k].append(action)
    batch: list[list[int]] = []
    both: Any = None
    for rows in zip(there, back, strict=True):
        actions, both = agent.predict(np.array(rows), state=both)
        batch.append(actions.tolist())
    for k, (actions, state) in enumerate(expected):
        assert mixed[k] == actions == [row[k] for row in batch]
        assert np.array_equal(states[k]["means"], state["means"])
        assert np.array_equal(both[k]["means"], state["means"])
    agent.predict(there[0], episode_start=True)
    told = [agent.predict(row, episode_start=False) for row in there[1:]]
    assert told == expected[0][0][1:]
    memoryless = [agent.predict(row, episode_start=True) for row in there]
    assert memoryless != expected[0][0]


def test_the_start_of_an_episode_forgets() -> None:
    agent = remembering()
    _, state = agent.predict(PLACES[:2], state=None)
    _, fresh = agent.predict(PLACES[2:4], state=None)
    _, mixed = agent.predict(PLACES[2:4], state=state, episode_start=np.array([True, False]))
    assert np.array_equal(mixed[0]["means"], fresh[0]["means"])
    assert not np.array_equal(mixed[1]["means"], fresh[1]["means"])
    _, all_new = agent.predict(PLACES[2:4], state=state, episode_start=True)
    assert all(np.array_equal(a["means"], b["means"]) for a, b in zip(all_new, fresh, strict=True))


def test_a_network_goes_on_from_its_state() -> None:
    agent = spiking(carries=True, input_recalls=(2,))
    _, state = agent.predict(SEEN[0], state=None)
    _, later = agent.predict(SEEN[1], state=state)
    player = agent.player(seed=3)
    player.remember(later)
    kept: Any = player.remembered()
    assert kept is not None
    assert kept.keys() == later.keys()
    assert all(np.array_equal(kept[name], array) for name, array in later.items())
    player.remember(None)
    kept = player.remembered()
    assert not all(np.array_equal(kept[name], array) for name, array in later.items())


def test_repeated_actions_belong_to_their_episode() -> None:
    agent = spiking(policy=Softmax(repeats=3))
    actions: list[list[int]] = []
    state = None
    for rows in np.random.default_rng(2).uniform(-0.2, 0.2, (30, 2, 4)):
        taken, state = agent.predict(rows, state=state, deterministic=False)
        actions.append(taken.tolist())
    for column in zip(*actions, strict=True):
        blocks = [set(column[k : k + 3]) for k in range(0, 30, 3)]
        assert all(len(block) == 1 for block in blocks)
        assert len(set(column)) == 2


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("predict, state", {"state": (None,)}),
        ("predict, state", {"state": "much"}),
        ("predict, state", {"state": ({"much": 1},) * 6}),
        ("episode_start", {"episode_start": [True]}),
        ("episode_start", {"episode_start": "now"}),
        ("observation", {"state": None, "observation": np.zeros((2, 3))}),
    ],
)
def test_what_does_not_fit_is_refused(said: str, wrong: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match=said) as raised:
        remembering().predict(**{"observation": PLACES, **wrong})
    assert "\n" not in str(raised.value)


def test_the_evaluation_of_another_library_plays_an_agent() -> None:
    evaluation = pytest.importorskip(
        "stable_baselines3.common.evaluation",
        reason="needs Stable-Baselines3: pip install 'neurorl[baselines]'",
    )
    mean, _ = evaluation.evaluate_policy(remembering(), Positions(), 3, warn=False)
    assert mean > 5
