"""Make networks for readers of NIR, with inputs and what they gave here."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl import Network, Population, Projection, Source, SpikingActorCritic, load
from neurorl.models import LIF, CubaLIF
from neurorl.nir.discretise import tau_of
from neurorl.numerics.arrays import FloatArray

DT = 1e-3
DECISIONS = 100
Rng = np.random.Generator
Raster = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Played:
    """Hold inputs ``(steps, batch, n_in)`` of ordinary sources, output ``(steps, batch, n)``."""

    network: Network
    weights: Mapping[str, FloatArray]
    inputs: Raster
    output: Raster


@dataclass(frozen=True)
class Case:
    """Describe a case. title: in the table. refused: why, by reader. named: what is left out."""

    title: str
    play: Callable[[], Played]
    refused: Mapping[str, str] = field(default_factory=dict)
    named: str = ""


def tau(keep: float) -> float:
    """Return the time constant of a neuron that keeps so much in a step."""
    return float(tau_of(np.array([keep]), DT)[0])


def neuron(kind: str, **parameters: Any) -> LIF | CubaLIF:
    """Return factors of few bits, and a threshold that no sum of such weights comes near soon.

    So what float32 rounds is from long ago, and small.
    """
    given = {"tau_mem": tau(0.75), "threshold": 97 / 96, **parameters}
    return LIF(**given) if kind == "LIF" else CubaLIF(**{"tau_syn": tau(0.5), **given})


def drawn(rng: Rng, n_pre: int, n_post: int, fan_in: int) -> FloatArray:
    """Draw multiples of 1/32, of both signs, on average a little above 0."""
    return np.asarray(np.rint(rng.normal(0.4, 1.0, (n_pre, n_post)) * 32 / fan_in**0.5) / 32)


def layered(seed: int, kind: str, sizes: tuple[int, ...], loops: bool, **more: Any) -> Network:
    """Return layers of these sizes behind 6 channels, and a bias that begins with each layer."""
    rng = np.random.default_rng(seed)
    nodes: list[Source | Population] = [Source("input", 6), Source("bias", 1)]
    projections = []
    strength = 1.0 if kind == "LIF" else 3.0
    for k, n in enumerate(sizes, 1):
        name = "output" if k == len(sizes) else f"layer{k}"
        pre, n_pre = nodes[-1].name if k > 1 else "input", nodes[-1].size if k > 1 else 6
        nodes.append(Population(name, n, neuron(kind, **more)))
        weights = drawn(rng, n_pre, n, 2) / (1.0 if kind == "LIF" else 2.0)
        projections.append(Projection(f"w{k}", pre, name, weights))
        bias = np.rint(rng.uniform(-1, 4, (1, n)) / strength) / 16
        projections.append(Projection(f"b{k}", "bias", name, bias, delay=k * DT))
        if loops:
            projections.append(Projection(f"r{k}", name, name, drawn(rng, n, n, 8 * n)))
    return Network(tuple(nodes), tuple(projections), DT)


def random_case(title: str, network: Network, **more: Any) -> Case:
    """Return the network with 4 random inputs of 150 steps."""

    def play() -> Played:
        rng = np.random.default_rng(1)
        sizes = {s.name: s.size for s in network.sources if s.name != "bias"}
        inputs = {name: rng.random((4, 150, n)) < 0.4 for name, n in sizes.items()}
        always = {s.name: np.ones((150, 1), bool) for s in network.sources if s.name == "bias"}
        rows = []
        with load("reference", network, arithmetic="float") as backend:
            for k in range(4):
                backend.reset()
                given = {name: raster[k] for name, raster in inputs.items()}
                rows.append(backend.step({**given, **always}, 150)["output"].copy())
        together = np.concatenate(list(inputs.values()), axis=2).transpose(1, 0, 2)
        return Played(network, {}, together, np.array(rows).transpose(1, 0, 2))

    return Case(title, lru_cache(play), **more)


def calm(network: Network) -> Network:
    """Return the network without the escape noise of its neurons."""

    def quiet(node: Source | Population) -> Source | Population:
        if isinstance(node, Source):
            return node
        assert isinstance(node.neuron, CubaLIF)
        return dataclasses.replace(node, neuron=dataclasses.replace(node.neuron, noise=0.0))

    return dataclasses.replace(network, nodes=tuple(map(quiet, network.nodes)))


def agent_case(env: str, episodes: int, first: int) -> Case:
    """Return the preset's network after so many episodes, noise off, each decision from silence.

    first: the seed of the observations' first episode.
    """
    trained = f"after {episodes} episodes" if episodes else "as drawn"

    def play() -> Played:
        agent = SpikingActorCritic(env, seed=0)
        if episodes:
            agent.learn(total_episodes=episodes)
        network, player = calm(agent.network), agent.player(seed=1)
        observation, _ = agent.env.reset(seed=first)
        windows: list[dict[str, Raster]] = []
        while len(windows) < DECISIONS:
            move = player.move(observation)
            windows.append({name: np.array(raster) for name, raster in move.inputs.items()})
            observation, _, done, late, _ = agent.env.step(move.action + agent.first_action)
            if done or late:
                observation, _ = agent.env.reset()
        rows = []
        with load("reference", network, arithmetic="float", weights=agent.weights) as backend:
            for window in windows:
                backend.reset()
                rows.append(backend.step(window, agent.config.window)["output"].copy())
        inputs = np.array([window["input"] for window in windows])
        output = np.array(rows)
        weights = {name: np.array(w) for name, w in agent.weights.items()}
        return Played(network, weights, inputs.transpose(1, 0, 2), output.transpose(1, 0, 2))

    return Case(f"{env}, {trained}", lru_cache(play), named="plasticity")


def with_skip(cycle: bool) -> Network:
    """Connect input -> a -> output and input -> output, a step each; with *cycle* output -> a."""
    rng = np.random.default_rng(11)
    projections = [
        Projection("ia", "input", "a", drawn(rng, 6, 8, 2)),
        Projection("ao", "a", "output", drawn(rng, 8, 5, 4)),
        Projection("io", "input", "output", drawn(rng, 6, 5, 6)),
    ]
    if cycle:
        projections.append(Projection("oa", "output", "a", drawn(rng, 5, 8, 20)))
    nodes = (
        Source("input", 6),
        Population("a", 8, neuron("LIF")),
        Population("output", 5, neuron("LIF")),
    )
    return Network(nodes, tuple(projections), DT)


def slow_chain(loop_delay: int = 1) -> Network:
    """Return two sources, whose spikes take 3 steps and those of the layer 2; a loop."""
    rng = np.random.default_rng(12)
    nodes = (
        Source("left", 3),
        Source("right", 4),
        Population("a", 8, neuron("CubaLIF")),
        Population("output", 5, neuron("LIF", threshold=145 / 96)),
    )
    projections = (
        Projection("la", "left", "a", drawn(rng, 3, 8, 4), delay=3 * DT),
        Projection("ra", "right", "a", drawn(rng, 4, 8, 6), delay=3 * DT),
        Projection("aa", "a", "a", drawn(rng, 8, 8, 60), delay=loop_delay * DT),
        Projection("ao", "a", "output", drawn(rng, 8, 5, 4), delay=2 * DT),
    )
    return Network(nodes, projections, DT)


def of_each_its_own(bias: bool) -> Network:
    """Return two layers, with a bias of their own or constants that differ in a layer."""
    rng = np.random.default_rng(13)
    k = np.arange(8)
    keep = np.where(k % 2, 0.75, 0.5)
    parameters = (
        {"bias": np.where(k % 3, 0.0625, -0.125)}
        if bias
        else {"threshold": 73 / 96 + k / 16, "tau_mem": tau_of(keep, DT)}
    )
    nodes = (
        Source("input", 6),
        Population("a", 8, neuron("LIF", **parameters)),
        Population("output", 8, neuron("LIF", **parameters)),
    )
    projections = (
        Projection("ia", "input", "a", drawn(rng, 6, 8, 2)),
        Projection("ao", "a", "output", drawn(rng, 8, 8, 4)),
    )
    return Network(nodes, projections, DT)


def of_two_kinds() -> Network:
    """Return a cycle of CubaLIF and LIF, whose time constants differ from neuron to neuron."""
    rng = np.random.default_rng(15)
    uneven = tau_of(np.array([0.5, 0.75, 0.875, 0.0] * 2), DT)
    nodes = (
        Source("input", 6),
        Population("a", 8, neuron("CubaLIF", tau_syn=uneven)),
        Population("output", 8, neuron("LIF", tau_mem=uneven)),
    )
    projections = (
        Projection("ia", "input", "a", drawn(rng, 6, 8, 6)),
        Projection("ao", "a", "output", drawn(rng, 8, 8, 4)),
        Projection("oa", "output", "a", drawn(rng, 8, 8, 60)),
    )
    return Network(nodes, projections, DT)


def integrators() -> Network:
    """Return a layer that forgets nothing."""
    rng = np.random.default_rng(14)
    nodes = (Source("input", 6), Population("output", 8, neuron("LIF", tau_mem=1e30)))
    return Network(nodes, (Projection("io", "input", "output", drawn(rng, 6, 8, 4)),), DT)


LATE_LOOP = "the loop 'aa' takes more than a step"
CASES = {
    "cartpole": agent_case("CartPole-v1", 0, 4),
    "cartpole-trained": agent_case("CartPole-v1", 30, 3),
    "gridworld-trained": agent_case("neurorl/GridWorld-v0", 40, 0),
    "mountaincar": agent_case("MountainCar-v0", 0, 0),
    "mountaincar-trained": agent_case("MountainCar-v0", 10, 4),
    "lif-1": random_case("1 layer of LIF", layered(1, "LIF", (9,), False)),
    "lif-2": random_case("2 layers of LIF", layered(2, "LIF", (12, 7), False)),
    "lif-3": random_case("3 layers of LIF", layered(3, "LIF", (10, 20, 6), False)),
    "cuba-1": random_case("1 layer of CubaLIF", layered(4, "CubaLIF", (9,), False)),
    "cuba-2": random_case("2 layers of CubaLIF", layered(5, "CubaLIF", (15, 8), False)),
    "cuba-3": random_case("3 layers of CubaLIF", layered(6, "CubaLIF", (10, 14, 6), False)),
    "lif-loop": random_case("1 layer of LIF with a loop", layered(7, "LIF", (12,), True)),
    "lif-loops": random_case("2 layers of LIF with loops", layered(8, "LIF", (12, 7), True)),
    "cuba-loops": random_case(
        "2 layers of CubaLIF with loops", layered(9, "CubaLIF", (9, 8), True)
    ),
    "skip": random_case("LIF, a projection that skips a layer", with_skip(False)),
    "cycle": random_case("LIF, a cycle of two populations", with_skip(True)),
    "delays": random_case("CubaLIF and LIF, delays of 3 and 2 steps", slow_chain()),
    "late-loop": random_case(
        "the same, with a loop of 2 steps",
        slow_chain(2),
        refused=dict.fromkeys(("snntorch", "spikingjelly", "norse"), LATE_LOOP),
    ),
    "bias": random_case("LIF, biases of their own", of_each_its_own(True)),
    "uneven": random_case(
        "LIF, constants that differ in a layer",
        of_each_its_own(False),
        refused={
            "snntorch": "thresholds differ in 'a'",
            "spikingjelly": "membrane time constants differ in 'a'",
        },
    ),
    "two-kinds": random_case(
        "CubaLIF and LIF in a cycle, time constants that differ",
        of_two_kinds(),
        refused={"spikingjelly": "synaptic time constants differ in the neurons"},
    ),
    "if": random_case(
        "integrators",
        integrators(),
        refused={"snntorch": "membranes of 'output' keep everything"},
    ),
}
