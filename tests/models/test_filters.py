"""Test units with filters of their inputs and of their own spikes: networks, rates, gradients."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from neurorl import SpikingActorCritic
from neurorl.backends.registry import load
from neurorl.errors import DescriptionError
from neurorl.learning.learner import Learner
from neurorl.learning.memory import memory_for
from neurorl.learning.plan import LearningPlan
from neurorl.models import GLM, LIF, actor_network
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.encoders import Current
from neurorl.models.agent.policies import Softmax, softmax, votes
from neurorl.models.features import GaussianCells, OneHot
from neurorl.network.description import Network, Population, Projection, Source
from neurorl.network.initial_weights import initial_weights

Array = npt.NDArray[np.float64]
Spikes = dict[str, npt.NDArray[np.bool_]]

W = 3
INPUT = np.array([[1, 0, 1], [0, 1, 1], [0, 0, 0]], dtype=bool)
REWARD = np.array([0.9, -0.4])
BETA = 0.8


def small(**options: Any) -> Network:
    chosen = {"actors": 1, "hidden": 1, "bound": 2.0, "neuron": GLM(), **options}
    return actor_network(3, 2, **chosen)


def test_plain_defaults_are_the_network_without_filters() -> None:
    plain = actor_network(3, 2, neuron=LIF(), actors=2)
    given = actor_network(3, 2, neuron=LIF(), actors=2, stimulus_lags=1, history_lags=0)
    assert plain == given
    names = ["input_hidden", "bias_hidden", "hidden_output", "bias_output"]
    assert [p.name for p in plain.projections] == names
    assert all(p.delay is None for p in plain.projections)
    config = AgentConfig("lif", LIF(), "spikes-only", OneHot(3), OneHot(3), 3)
    old = {k: v for k, v in config.to_dict().items() if "lags" not in k and k != "history"}
    assert AgentConfig.from_dict(old) == config


def test_filters_are_projections_of_their_own_and_last() -> None:
    plain, network = small(), small(stimulus_lags=3, history_lags=2, history=(-1.0, 0.5))
    own = {p.name: p for p in network.projections}
    assert list(own)[4:] == [
        *("input_hidden_lag2", "input_hidden_lag3", "hidden_history_1", "hidden_history_2"),
        *("hidden_output_lag2", "hidden_output_lag3", "output_history_1", "output_history_2"),
    ]
    for p in plain.projections:
        assert own[p.name] == p
        drawn, again = (initial_weights(n, p.name, 7) for n in (plain, network))
        assert np.array_equal(drawn, again)
    assert [network.delay_steps(name) for name in own][4:] == [2, 3, 1, 2, 2, 3, 1, 2]
    assert network.weight_shape("hidden_output_lag3") == network.weight_shape("hidden_output")
    assert network.weight_shape("output_history_2") == (2, 1, 1)
    assert initial_weights(network, "output_history_1", 0).ravel().tolist() == [-1.0, -1.0]
    assert initial_weights(network, "hidden_history_2", 0).ravel().tolist() == [0.5, 0.5]
    assert own["hidden_output_lag2"].signed == own["hidden_output"].signed
    assert all(p.plasticity == own["input_hidden"].plasticity for p in own.values())


def test_recalls_are_delays_of_whole_decisions() -> None:
    fields: dict[str, Any] = {"actors": 2, "hidden": (3, 2), "carries": True}
    config = AgentConfig("lif", LIF(), "spikes-only", OneHot(5), OneHot(5), 4, **fields)
    recalling = dataclasses.replace(config, input_recalls=(1, 3), hidden_recalls=(2,))
    assert AgentConfig.from_dict(recalling.to_dict()) == recalling
    plain, network = config.network(2), recalling.network(2)
    own = {p.name: p for p in network.projections}
    names = ["input_hidden_2_delay5", "input_hidden_2_delay13", "hidden_2_delay9"]
    assert list(own)[len(plain.projections) :] == names
    assert [network.delay_steps(name) for name in names] == [5, 13, 9]
    assert [network.weight_shape(name) for name in names] == [(5, 12), (5, 12), (12, 12)]
    for p in plain.projections:
        assert own[p.name] == p
        drawn, again = (initial_weights(n, p.name, 7) for n in (plain, network))
        assert np.array_equal(drawn, again)
    for name, spread in zip(names, (0.2, 0.2, 0.2 * (5 / 12) ** 0.5), strict=True):
        assert own[name].plasticity == own["input_hidden_2"].plasticity
        assert 0.8 * spread < initial_weights(network, name, 7).max() <= spread


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"input_recalls": (0,)}, "input_recalls.*>= 1"),
        ({"hidden_recalls": (1, 1)}, "hidden_recalls.*twice"),
        ({"input_recalls": (1,), "encoder": Current()}, "no delay.*'quiet'"),
        ({"hidden_recalls": (1,), "hidden": 0}, "no hidden units"),
    ],
)
def test_recalls_that_make_no_sense(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(DescriptionError, match=words):
        AgentConfig("lif", LIF(), "spikes-only", OneHot(5), OneHot(5), 4, carries=True, **fields)


def test_a_network_answers_to_what_it_saw_decisions_ago() -> None:
    """A network that begins each decision from silence doesn't answer to earlier ones."""
    for carries in (True, False):
        fields: dict[str, Any] = {"actors": 2, "carries": carries, "input_recalls": (2,)}
        config = AgentConfig("lif", LIF(), "spikes-only", OneHot(5), OneHot(5), 4, **fields)
        with load("reference", config.network(2), seed=3) as backend:
            backend.set_weights("input_hidden", np.zeros((5, 32)))
            backend.set_weights("bias_hidden", np.zeros((1, 32)))
            backend.set_weights("input_hidden_delay9", np.ones((5, 32)))
            spikes = []
            for decision in range(4):
                if not carries:
                    backend.reset()
                shown = np.full((4, 5), decision == 0)
                spikes.append(bool(backend.step({"input": shown}, 4)["hidden"].any()))
        assert spikes == [False, False, carries, carries]


def test_loops_do_not_change_the_depth() -> None:
    network = small(stimulus_lags=3, history_lags=3)
    assert [network.depth(name) for name in ("input", "hidden", "output")] == [0, 1, 2]
    assert [network.returns(name) for name in ("input", "hidden", "output")] == [False, True, True]
    assert not small().returns("hidden")


def test_spikes_return_over_other_nodes() -> None:
    nodes: tuple[Any, ...] = (Source("input", 1), *(Population(name, 1, GLM()) for name in "abc"))
    links = [("input", "a"), ("a", "b"), ("b", "c"), ("c", "b")]
    network = Network(nodes, tuple(Projection(x + y, x, y, 1.0) for x, y in links))
    assert [network.returns(name) for name in "abc"] == [False, True, True]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"stimulus_lags": 0}, r"stimulus_lags: must be a whole number"),
        ({"history_lags": -1}, r"history_lags: must be a whole number \(got -1, limit >= 0\)"),
        ({"history_lags": 1.0}, r"history_lags: must be a whole number"),
        ({"history_lags": 2, "history": (0.1,)}, r"one tap for each.*got 1, limit 2"),
        ({"history_lags": 1, "history": (-3.0,)}, r"history: out of range.*-2 to 2"),
    ],
)
def test_taps_that_do_not_fit(options: dict[str, Any], words: str) -> None:
    with pytest.raises(DescriptionError, match=words):
        small(**options)
    cells = OneHot(3)
    with pytest.raises(DescriptionError, match=words):
        AgentConfig("glm", GLM(), "coagent", cells, cells, 9, weight_bound=2.0, **options)


@pytest.mark.parametrize(
    ("hidden", "stimulus", "history", "least"),
    [
        (0, 1, 0, 2),
        (0, 3, 0, 4),
        (0, 1, 1, 3),
        (0, 3, 3, 5),
        (4, 1, 0, 3),
        (4, 2, 3, 6),
        (4, 3, 1, 7),
    ],
)
def test_the_window_has_room_for_the_last_tap(
    hidden: int, stimulus: int, history: int, least: int
) -> None:
    cells = OneHot(3)

    def configured(window: int, **options: Any) -> AgentConfig:
        taps: dict[str, Any] = {
            "hidden": hidden,
            "stimulus_lags": stimulus,
            "history_lags": history,
        }
        return AgentConfig("lif", LIF(), "spikes-only", cells, cells, window, **taps, **options)

    assert configured(least)
    with pytest.raises(DescriptionError, match=rf"window: too short.*limit >= {least}\)"):
        configured(least - 1)
    layers = 2 if hidden else 1
    assert configured(layers + 1, carries=True)


def test_a_current_has_one_tap() -> None:
    network = small(stimulus_lags=2, history_lags=1, currents=True)
    later = [p.name for p in network.projections][4:]
    assert later == ["hidden_history_1", "hidden_output_lag2", "output_history_1"]
    options: dict[str, Any] = {"encoder": Current(), "stimulus_lags": 2}
    cells = OneHot(3)
    assert AgentConfig("lif", LIF(), "spikes-only", cells, cells, 3, **options)
    with pytest.raises(DescriptionError, match="window: too short for 2 stimulus"):
        AgentConfig("lif", LIF(), "spikes-only", cells, cells, 2, **options)
    with pytest.raises(DescriptionError, match="stimulus_lags: a current is the same"):
        AgentConfig("lif", LIF(), "spikes-only", cells, cells, 3, hidden=0, **options)


def test_presets_lengthen_the_window() -> None:
    agent = SpikingActorCritic("CartPole-v1", "glm", stimulus_lags=3, history_lags=3)
    assert agent.config.window == 5
    assert agent.config.to_dict()["history"] == []
    again = AgentConfig.from_dict(agent.config.to_dict())
    assert again == agent.config


def drives(network: Network, w: dict[str, Array], spikes: Spikes, name: str) -> Array:
    """Return u of a population in every step for rasters ``(..., W, n)``, by its definition."""
    total = np.zeros((*spikes[name].shape[:-2], W, network.node(name).size))
    for p in network.projections:
        if p.post != name:
            continue
        lag = round((p.delay or network.dt) / network.dt)
        x = np.zeros((*total.shape[:-1], network.node(p.pre).size))
        x[..., lag:, :] = spikes[p.pre][..., : W - lag, :]
        x = 2.0 * x - 1.0 if p.signed else x
        n_pre, n_post = w[p.name].shape[-2:]
        for b, block in enumerate(w[p.name].reshape(-1, n_pre, n_post)):
            part = x[..., b * n_pre : (b + 1) * n_pre] @ block
            total[..., b * n_post : (b + 1) * n_post] += part
    return total


def probability(network: Network, w: dict[str, Array], spikes: Spikes) -> Array:
    """Return the probability of every outcome: the product over neurons and steps."""
    found: Any = 1.0
    for population in network.populations:
        name = population.name
        p = 1.0 / (1.0 + np.exp(-2.0 * drives(network, w, spikes, name)))
        found = found * np.where(spikes[name], p, 1.0 - p).prod(axis=(-1, -2))
    return np.asarray(found)


def outcomes(network: Network, inputs: npt.NDArray[np.bool_]) -> Spikes:
    """Return all that the populations can do in a window, ``(outcomes, W, n)``."""
    sizes = {p.name: p.size for p in network.populations}
    bits = W * sum(sizes.values())
    patterns = (np.arange(2**bits)[:, None] >> np.arange(bits) & 1).astype(bool)
    found: Spikes = {}
    first = 0
    for name, n in sizes.items():
        found[name] = patterns[:, first : first + W * n].reshape(-1, W, n)
        first += W * n
    found["input"] = np.broadcast_to(inputs, (len(patterns), *inputs.shape))
    found["bias"] = np.ones((len(patterns), W, 1), dtype=bool)
    return found


RUNS = [("reference", "float"), ("reference", "loihi"), ("loihi", "loihi")]


@pytest.mark.parametrize(("backend", "arithmetic"), RUNS)
def test_rates_of_a_unit_with_filters(backend: str, arithmetic: str) -> None:
    """1,000 equal units in 20 windows spike as the enumeration of one unit's 8 outcomes says."""
    lags: dict[str, Any] = {"hidden": 0, "stimulus_lags": 2, "history_lags": 2, "bound": 2.0}
    taps = {
        "input_output": np.array([[0.6], [-0.4], [0.3]]),
        "bias_output": np.array([[-0.2]]),
        "input_output_lag2": np.array([[0.5], [0.7], [-0.9]]),
        "output_history_1": np.array([[-1.1]]),
        "output_history_2": np.array([[0.8]]),
    }
    one = actor_network(3, 1, neuron=GLM(), actors=1, **lags)
    many = actor_network(3, 1, neuron=GLM(), actors=1000, **lags)
    with load(backend, many, arithmetic=arithmetic, seed=4) as b:
        for name, w in taps.items():
            shape = many.weight_shape(name)
            held = b.set_weights(name, np.broadcast_to(w if len(shape) == 2 else w[None], shape))
            taps[name] = held[:, :1] if held.ndim == 2 else held[0]
        window = {"input": INPUT, "bias": np.ones((W, 1), dtype=bool)}
        seen = []
        for _ in range(20):
            b.reset()
            seen.append(b.step(window, W)["output"].T)
    every = outcomes(one, INPUT)
    p = probability(one, taps, every)
    assert p.sum() == pytest.approx(1.0, abs=1e-12)
    # By hand: the second step's u, after a spike in the first and after none.
    u = drives(one, taps, every, "output")[..., 1, 0]
    direct = float(taps["input_output"][[0, 2]].sum() + taps["bias_output"][0, 0])
    after = direct + float(taps["output_history_1"][0, 0])
    assert set(np.round(u, 9)) == set(np.round([direct, after], 9))
    raster = np.vstack(seen)
    drawn = np.array(
        [(raster == pattern).all(axis=1).mean() for pattern in every["output"][..., 0]]
    )
    error = np.sqrt(p * (1 - p) / len(raster))
    assert np.abs(drawn - p).max() / error.max() > 0.01
    assert (np.abs(drawn - p) < 4 * error).all()


def fixed_refractory() -> Network:
    network = small(hidden=0, stimulus_lags=2)
    never = Projection("never_twice", "output", "output", -1.5, blocks=2)
    lateral = Projection("lateral", "output", "output", [[0.0, -0.4], [0.3, 0.0]], delay=2e-3)
    return Network(network.nodes, (*network.projections, never, lateral), network.dt)


NETWORKS = {
    "without hidden units": lambda: small(hidden=0, stimulus_lags=2, history_lags=2),
    "with hidden units": lambda: small(stimulus_lags=2, history_lags=2),
    "signed": lambda: small(stimulus_lags=2, history_lags=1, signed=True),
    "fixed history": fixed_refractory,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_mean_of_coagent_is_the_gradient(name: str) -> None:
    """The mean change of every plastic tap over all outcomes is the central difference."""
    network = NETWORKS[name]()
    rng = np.random.default_rng(5)
    w = {p.name: rng.uniform(-0.8, 0.8, network.weight_shape(p.name)) for p in network.projections}
    w |= {p.name: np.array(p.weights) for p in network.projections if p.plasticity is None}
    w = {k: np.broadcast_to(v, network.weight_shape(k)).copy() for k, v in w.items()}
    every = outcomes(network, INPUT)
    first = network.depth("output")
    chosen = np.array([softmax(votes(r, 2, first), BETA) for r in every["output"]])
    found = mean_change(network, w, every, chosen)
    for p in network.projections:
        if p.plasticity is None:
            continue
        expected = np.zeros(w[p.name].shape)
        for index in np.ndindex(expected.shape):
            returns = []
            for change in (1e-5, -1e-5):
                moved = {**w, p.name: w[p.name].copy()}
                moved[p.name][index] += change
                returns.append(float(probability(network, moved, every) @ chosen @ REWARD))
            expected[index] = (returns[0] - returns[1]) / 2e-5
        # What moves hidden units in the last step only comes too late for the output.
        late = p.post == "hidden" and network.delay_steps(p.name) > 1
        assert (np.abs(expected).max() < 1e-9) == late, p.name
        assert np.abs(found[p.name] - expected).max() < 1e-6, p.name


def mean_change(network: Network, w: dict[str, Array], every: Spikes, chosen: Array) -> Any:
    """Return E[R e] of every plastic projection."""
    cells = OneHot(3)
    options: dict[str, Any] = {"description": network, "policy": Softmax(BETA), "normalises": False}
    config = AgentConfig("own", GLM(), "coagent", cells, cells, W, **options)
    plan = LearningPlan(network, config)
    memory = memory_for(plan, {k: v[None] for k, v in w.items()}).of(0)
    learner = Learner(plan, memory)
    p = probability(network, w, every)
    sources, populations = (
        [n.name for n in nodes] for nodes in (network.sources, network.populations)
    )
    total = {name: np.zeros(e.shape) for name, e in memory.eligibility.items()}
    for k, weight in enumerate(p):
        inputs = {name: every[name][k] for name in sources}
        rasters = {name: every[name][k] for name in populations}
        for action in range(2):
            memory.forget()
            learner.remember(inputs, rasters, action, chosen[k])
            for name, e in memory.eligibility.items():
                total[name] += weight * chosen[k, action] * REWARD[action] * e
    return total


@pytest.mark.parametrize("hidden", [0, 3])
def test_the_same_episodes_on_every_backend(hidden: int) -> None:
    options: dict[str, Any] = {"actors": 3, "hidden": hidden, "stimulus_lags": 3}
    options |= {"history_lags": 3, "history": (-0.5, -0.25, 0.0), "seed": 3}
    options["cells"] = GaussianCells((-2.4, -3.0, -0.21, -3.0), (2.4, 3.0, 0.21, 3.0), 6)
    played, weights = [], []
    for backend, engine in (("reference", {}), ("brian2", {"engine": "numpy"}), ("loihi", {})):
        agent = SpikingActorCritic(
            "CartPole-v1", "glm", backend, "loihi", backend_options=engine, **options
        )
        played.append([(e.ret, e.length) for e in agent.learn(total_episodes=6)])
        weights.append({name: w.copy() for name, w in agent.memory.weights.items()})
        changed = weights[-1]["output_history_3"]
        assert changed.any()
    for other, w in zip(played[1:], weights[1:], strict=True):
        assert other == played[0]
        for name, value in w.items():
            assert np.array_equal(value, weights[0][name]), name
