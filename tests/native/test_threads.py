"""Threads that share replicas change no bit, of networks and of agents that learn."""

from __future__ import annotations

import multiprocessing
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deep_agents import Small
from random_equation_networks import random_equation_network
from xylo_windows import random_xylo_network

from neurorl import SpikingActorCritic, load
from neurorl.agents.replicas import Replicas
from neurorl.cli import main
from neurorl.errors import ArgumentError, NeurorlError
from neurorl.network.description import Network
from neurorl.tasks.environments import make_env
from neurorl.tasks.groups import SeparateEnvs
from neurorl.testing import FEATURES, random_network, rasters

SEEDS = (3, 2**62 + 5, 3, 8, 0)
THREADS = (1, 2, 3, 5, 9)
NETWORKS: dict[str, Callable[[], Network]] = {
    **FEATURES,
    **{f"random {k}": partial(random_network, k, k % 2 == 0, k % 3 == 0) for k in range(6)},
    **{f"equations {k}": partial(random_equation_network, k, k % 2 == 0) for k in range(10)},
}
AGENT_KINDS: dict[str, tuple[str, dict[str, Any]]] = {
    "lif": ("CartPole-v1", {"model": "lif", "hidden": 3, "actors": 2}),
    "glm": ("CartPole-v1", {"model": "glm", "hidden": 3, "actors": 2}),
    "spiking critic": (
        "neurorl/GridWorld-v0",
        {"model": "lif", "hidden": 3, "actors": 2, "critic": "spiking", "critic.neurons": 6},
    ),
    "carries": ("CartPole-v1", {"model": "lif", "hidden": 3, "actors": 2, "carries": True}),
    "deep": ("CartPole-v1", {"model": "deep", "hidden": 8, "critic.hidden": 4}),
    "deep board": ("board", {"model": "deep", "hidden": 6, "critic.hidden": 5}),
    "deep, several choices": ("bits several", {"model": "deep", "hidden": 6}),
}


def _ran(network: Network, threads: int, arithmetic: str) -> dict[str, Any]:
    """Return spikes and states of replicas through windows, resets, writes and restored states."""
    rng, computed = np.random.default_rng(5), dict[str, Any]()
    options: dict[str, Any] = {"seed": SEEDS, "arithmetic": arithmetic, "threads": threads}
    with load("native", network, **options) as backend:
        for window in range(5):
            parts = [rasters(network, 7 + window, 100 * window + k, 0.4) for k in range(len(SEEDS))]
            inputs = {name: np.concatenate([p[name] for p in parts], axis=-1) for name in parts[0]}
            for name, raster in backend.step(inputs, 7 + window).items():
                computed[f"{name} {window}"] = raster
            if window == 1:
                backend.reset([1, 4])
            if window == 2:
                backend.restore(backend.state(0), 3)
            name = network.projections[int(rng.integers(len(network.projections)))].name
            backend.set_weights(name, backend.weights(name) * rng.uniform(0.5, 1.2))
        for k in range(len(SEEDS)):
            computed |= {f"{k} {name}": x for name, x in backend.state(k).items()}
    return computed


def _same(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        assert "wall" in name or ours[name].tobytes() == value.tobytes(), name


@pytest.mark.parametrize("arithmetic", ["float", "loihi"])
@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name: str, arithmetic: str) -> None:
    network = NETWORKS[name]()
    try:
        one = _ran(network, 1, arithmetic)
    except NeurorlError as exc:
        pytest.skip(f"{arithmetic} has no such parts: {str(exc)[:80]}")
    for threads in THREADS[1:]:
        _same(_ran(network, threads, arithmetic), one)


@pytest.mark.parametrize("structure", range(4))
def test_networks_of_xylo(structure: int) -> None:
    network = random_xylo_network(structure, 3)
    one = _ran(network, 1, "xylo")
    assert any(value.any() for name, value in one.items() if value.dtype == bool)
    for threads in THREADS[1:]:
        _same(_ran(network, threads, "xylo"), one)


def _made(kind: str, threads: int, arithmetic: str, seeds: Sequence[int] = SEEDS) -> Replicas:
    of, options = AGENT_KINDS[kind]
    seen, _, taken = of.partition(" ")
    envs = [make_env(of) if "-v" in of else Small(seen, taken or "one") for _ in range(len(seeds))]
    one = SpikingActorCritic(envs[0], arithmetic=arithmetic, **options)
    return Replicas(
        SeparateEnvs(envs),
        one.config,
        sum(one._replicas.loop.groups),
        seeds,
        backend="native",
        arithmetic=arithmetic,
        options={"threads": threads},
    )


def _learned(agents: Replicas, steps: Sequence[int]) -> dict[str, Any]:
    for total in steps:
        agents.learn(total_steps=total)
    states = {
        f"{k} {name}": np.array(value)
        for k in range(len(agents.seeds))
        for name, value in agents.state(k).items()
    }
    agents.close()
    return states


@pytest.mark.parametrize("arithmetic", ["float", "loihi"])
@pytest.mark.parametrize("kind", AGENT_KINDS)
def test_agents(kind: str, arithmetic: str) -> None:
    one = _learned(_made(kind, 1, arithmetic), (60,))
    for threads in (2, 5):
        _same(_learned(_made(kind, threads, arithmetic), (60,)), one)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("kind", AGENT_KINDS)
def test_learning_in_parts_is_learning_at_once(kind: str, threads: int) -> None:
    """Between two calls of `learn`, agents rest and wake."""
    whole = _learned(_made(kind, threads, "float"), (75,))
    _same(_learned(_made(kind, threads, "float"), (10, 25, 26, 75)), whole)


def test_an_agent_alone_needs_one() -> None:
    with load("native", NETWORKS["random 0"](), seed=1, threads=8) as backend:
        assert backend.simulator.threads == 1


def test_two_callers_at_once() -> None:
    """Each Python thread has helpers of its own."""
    one, found = _learned(_made("lif", 1, "float"), (60,)), list[dict[str, Any]]()
    made = [_made("lif", 3, "float") for _ in range(4)]
    callers = [
        threading.Thread(target=lambda a=agents: found.append(_learned(a, (60,))))
        for agents in made
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(found) == len(made)
    for computed in found:
        _same(computed, one)


def _in_child(to: Any) -> None:
    to.send(_learned(_made("lif", 3, "float"), (60,)))


def test_a_forked_process() -> None:
    """A child has none of its parent's threads, and starts its own."""
    one = _learned(_made("lif", 3, "float"), (60,))
    here, there = multiprocessing.Pipe()
    child = multiprocessing.get_context("fork").Process(target=_in_child, args=(there,))
    child.start()
    assert here.poll(120)
    _same(here.recv(), one)
    child.join()


@pytest.mark.parametrize("threads", [0, -1, 1.5, "two", True, 10**6])
def test_bad_numbers_of_threads_are_refused(threads: object) -> None:
    with pytest.raises(ArgumentError, match="threads"):
        load("native", NETWORKS["random 0"](), seed=1, threads=threads)
    with pytest.raises(ArgumentError, match="threads"):
        SpikingActorCritic("CartPole-v1", backend="native", backend_options={"threads": threads})


@pytest.mark.parametrize("threads", ["0", "two", "1.5", "-3", "1000000"])
def test_a_command_with_bad_threads_ends_with_a_line(
    threads: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "CartPole-v1", "--episodes", "1", "--seeds", "0..1"]
    out = ["--out", str(tmp_path / "run"), "--backend", f"native:threads={threads}"]
    assert main([*command, *out]) == 2
    said = capsys.readouterr().err
    assert "threads: must be a whole number" in said
    assert len(said.splitlines()) == 1
