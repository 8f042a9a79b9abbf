"""Look at images in patches: which numbers a neuron sees, and that all positions share weights."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from deep_agents import SEEN, Small, deep_agent, loop_of
from moving_balls import balls

from neurorl import LinearActorCritic, ReparameterizedActorCritic, SpikingActorCritic
from neurorl.errors import DescriptionError
from neurorl.learning.deep.plan import first_copies
from neurorl.models.agent.past import NOTHING
from neurorl.models.deep.normalisation import Pool
from neurorl.models.deep.patches import Patches
from neurorl.models.deep.trunk import Shared
from neurorl.models.defaults.presets import make_config
from neurorl.network.connectors import Ends

SHAPES = [((4, 5, 2), 3, 2), ((3, 3, 1), 3, 1), ((6, 4, 3), 2, 5), ((5, 5, 1), 1, 2)]


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize(("shape", "side", "filters"), SHAPES)
def test_a_synapse_is_where_a_convolution_has_a_weight(
    shape: tuple[int, int, int], side: int, filters: int, images: int
) -> None:
    patches = Patches(shape, side, filters, images)
    rng = np.random.default_rng(0)
    image = rng.random((images, *shape))
    weights = rng.random((images * side * side * shape[2], filters))
    synapses = patches.make(Ends("p", patches.n_inputs, patches.size, is_loop=False))
    assert not synapses.has_multapses()
    got = image.ravel() @ synapses.dense(weights.ravel()[patches.tie])
    expected = [
        image[:, y : y + side, x : x + side].ravel() @ weights
        for y in range(shape[0] - side + 1)
        for x in range(shape[1] - side + 1)
    ]
    np.testing.assert_allclose(got, np.ravel(expected))


@pytest.mark.parametrize("loop", ["numpy", None])
@pytest.mark.parametrize("backend", ["reference", "native"])
def test_copies_of_a_weight_stay_equal_here_and_in_the_simulator(
    backend: str, loop: str | None
) -> None:
    agent = deep_agent(Small("picture"), backend=backend, loop=loop)
    for steps in (30, 60):
        agent.learn(total_steps=steps)
        weights = agent.weights
        for layer in loop_of(agent).layers.layers:
            for p in layer.into:
                tie, held = layer.tie(p.name), agent.backend.weights(p.name)
                assert np.allclose(held, weights[p.name], atol=1e-9)
                if tie is not None:
                    shared = np.ravel(weights[p.name])
                    assert np.array_equal(shared, shared[first_copies(tie)][tie])
                    assert len(np.unique(shared)) > 1 or p.n_pre == 1


@pytest.mark.parametrize("loop", ["numpy", None])
def test_neurons_that_share_weights_share_the_means_of_a_pool(loop: str | None) -> None:
    normalisation = Pool(rate=0.1)
    agent = deep_agent(Small("picture"), loop=loop, **{"trunk.normalisation": normalisation})
    agent.learn(total_steps=30)
    layer = loop_of(agent).layers.halves[0].layers[0]
    assert layer.patches is not None
    means = loop_of(agent).memory.lasting[f"{layer.name}.mean"].reshape(-1, layer.patches.filters)
    assert (means == means[0]).all()
    assert means.any()


def test_weights_that_a_user_changes_are_shared_again() -> None:
    agent = deep_agent(Small("picture"))
    agent.learn(total_steps=10)
    name = "input_hidden_2"
    agent.memory.weights[name][...] = 0.25
    agent.learn(total_steps=11)
    assert np.abs(agent.weights[name] - 0.25).max() < 0.2


@pytest.mark.filterwarnings("ignore::neurorl.errors.EnvironmentWarning")
def test_images_are_learned_by_default_where_nothing_of_modules_is_named() -> None:
    if "deep/Board-v0" not in gym.registry:
        gym.register("deep/Board-v0", entry_point="deep_agents:Small", kwargs={"seen": "board"})
    env = gym.make("deep/Board-v0")
    assert make_config(env).trunk.is_shared
    assert make_config(env, overrides={"gamma": 0.9}).trunk.is_shared
    for named in ({"actors": 2}, {"rule": "coagent"}, {"hidden_recalls": ()}):
        assert not make_config(env, overrides=named).trunk.is_shared, named
    assert not make_config(env, "glm").trunk.is_shared
    for other in (LinearActorCritic, ReparameterizedActorCritic):
        assert not other(env).config.trunk.is_shared


def test_large_images_are_seen_by_blocks() -> None:
    env = Small("shades")
    env.observation_space = gym.spaces.Box(0, 255, (96, 80, 3), np.uint8)
    config = make_config(env, "deep")
    assert isinstance(config.trunk, Shared)
    assert config.trunk.patches is not None
    assert config.trunk.patches.n_inputs == config.cells.size <= 2000
    for shade in (0, 51, 255):
        seen = config.cells(np.full((96, 80, 3), shade, np.uint8))
        np.testing.assert_allclose(seen, shade / 255)
    known_by_both = []
    for loop in ("native", "numpy"):
        agent = deep_agent(env, loop=loop, hidden=4, **{"critic.hidden": 3})
        agent.learn(total_steps=4)
        loop_of(agent).settle()
        seen = loop_of(agent).memory.passing_arrays["hidden_2.x"]
        assert 0.3 < seen.mean() < 0.7  # of random bytes
        known_by_both.append(agent.weights)
    for name, weights in known_by_both[0].items():
        assert np.array_equal(weights, known_by_both[1][name]), name


@pytest.mark.parametrize(
    ("shape", "images", "each"),
    [
        ((4, 20, 20), 4, (20, 20, 1)),
        ((20, 20, 4), 1, (20, 20, 4)),
        ((3, 3, 3), 1, (3, 3, 3)),
        ((2, 9, 8), 2, (9, 8, 1)),
        ((2, 9, 8, 3), 2, (9, 8, 3)),
        ((4, 84, 84), 4, (21, 21, 1)),  # means of blocks
        ((4, 84, 84, 3), 4, (11, 11, 3)),
    ],
)
def test_channels_that_come_first_and_stacked_frames_are_images_side_by_side(
    shape: tuple[int, ...], images: int, each: tuple[int, ...]
) -> None:
    env = Small("shades")
    env.observation_space = gym.spaces.Box(0, 255, shape, np.uint8)
    config = make_config(env, "deep")
    assert isinstance(config.trunk, Shared)
    patches = config.trunk.patches
    assert patches is not None
    assert (patches.images, patches.shape) == (images, each)
    assert patches.n_inputs == config.cells.size


def test_frames_that_a_wrapper_stacks_are_learned_by_patches() -> None:
    stacked = gym.wrappers.FrameStackObservation(balls(), 2)
    agent = SpikingActorCritic(stacked, seed=100)
    assert isinstance(agent.config.trunk, Shared)
    assert agent.config.trunk.patches is not None
    assert (agent.config.trunk.patches.images, agent.config.past) == (2, NOTHING)
    agent.learn(total_timesteps=5_000)
    assert np.mean([episode.ret for episode in agent.episodes[-20:]]) > 15.0  # blind: below 5


@pytest.mark.parametrize(
    "wrong",
    [
        {"shape": (4, 5)},
        {"shape": (4, 5, 0)},
        {"shape": (4, 5, 2), "side": 5},
        {"shape": (4, 5, 2), "filters": 0},
    ],
)
def test_impossible_patches_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(DescriptionError, match="Patches"):
        Patches(**wrong)


def test_patches_of_another_image_are_refused() -> None:
    trunk = Shared(patches=Patches((5, 5, 2)))
    with pytest.raises(DescriptionError, match="patches"):
        deep_agent(Small("picture"), trunk=trunk)
    assert SEEN["picture"].shape == (4, 5, 2)
    with pytest.raises(DescriptionError, match="patches"):
        SpikingActorCritic(Small("bits"), "deep", trunk=trunk)
