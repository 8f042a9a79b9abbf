"""Test that agents of neurons by equations learn the same by p in every loop and on backends."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from typing import Any

import numpy as np
import pytest
from random_neurons import random_neuron

from neurorl import (
    Network,
    Plasticity,
    Population,
    Projection,
    SpikingActorCritic,
    TsodyksMarkram,
    Uniform,
)
from neurorl.models import Equations
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.encoders import Current, Quiet
from neurorl.models.features import GaussianCells
from neurorl.network.description import Node, Source
from neurorl.rules import Decision, Factors, Rule

CELLS = GaussianCells((-2.4, -3.0, -0.21, -3.0), (2.4, 3.0, 0.21, 3.0), cells=6)
DT = 1e-3
TEXT = Rule("mine", output="(spike - p)*phi", hidden="(spike - 0.5*p)*phi*b + 0.1*p")
ON_CHIP = Equations(
    "i = 0.6*i + q\nv = 0.8*v + i + 0.05",
    threshold="v > 0.7",
    reset="v = 0",
    initial={"i": 0.0, "v": 0.0},
    noise=0.1,
)


def random_agent(seed: int, short_term: bool = False, **options: Any) -> AgentConfig:
    """Return an agent of noisy neurons by random equations.

    Projections are signed, delayed, recurrent or from currents, into any input, learning or not.
    """
    rng = np.random.default_rng(seed)
    kind = "current" if rng.random() < 0.3 else "spikes"
    neurons = [random_neuron(7 * seed + k, size) for k, size in enumerate((4, 2))]
    noise = float(rng.uniform(0.05, 0.3))
    if options.get("arithmetic") == "loihi":
        neurons = [ON_CHIP, ON_CHIP]
    hidden, output = (
        Population(name, size, dataclasses.replace(neuron, noise=noise))
        for name, size, neuron in zip(("hidden", "output"), (4, 2), neurons, strict=True)
    )
    nodes: tuple[Node, ...] = (Source("input", 24, kind), hidden, output)
    ends = [("input", "hidden"), ("hidden", "output"), ("input", "output"), ("output", "hidden")]
    biased = {p.name: str(rng.choice(p.neuron.inputs)) for p in (hidden, output)}
    projections = []
    for k, (pre, post) in enumerate(ends):
        flows, signed = pre == "input" and kind == "current", bool(rng.random() < 0.4)
        neuron = hidden.neuron if post == "hidden" else output.neuron
        signed &= not flows
        target = biased[post] if flows or signed else str(rng.choice(neuron.inputs))
        learns = Plasticity(float(rng.choice([0.0, 5e-3])), -1.0, 1.2)
        delay = None if flows else DT * int(rng.integers(1, 5))
        projections.append(
            Projection(
                f"p{k}",
                pre,
                post,
                Uniform(-0.2, 0.6),
                blocks=2 if k == 1 else 1,
                signed=signed,
                delay=delay,
                target=target,
                plasticity=learns if k < 2 or rng.random() < 0.5 else None,
            )
        )
    if short_term:
        released = TsodyksMarkram(0.4, 0.03, 0.01)
        projections.append(
            Projection(
                "released",
                "output",
                "hidden",
                0.7,
                delay=3e-3,
                target=biased["hidden"],
                short_term=released,
            )
        )
    network = Network(nodes, tuple(projections), DT)
    chosen: dict[str, Any] = {"model": "own", "neuron": output.neuron, "cells": CELLS}
    chosen |= {"features": CELLS, "window": int(rng.integers(6, 12)), "description": network}
    chosen["encoder"] = Current() if kind == "current" else Quiet()
    return AgentConfig(**chosen, rule=str(rng.choice(RULES)) if seed % 2 else TEXT)


RULES = ("coagent", "agreement", "centred-feedback", "surrogate")


def learned(config: AgentConfig, backend: str, loop: str | None, **options: Any) -> dict[str, Any]:
    """Return what an agent did and knows after two episodes."""
    with closing(
        SpikingActorCritic(
            "CartPole-v1", config=config, backend=backend, loop=loop, seed=3, **options
        )
    ) as agent:
        episodes = [(e.ret, e.length) for e in agent.learn(total_episodes=2)]
        eligibility = {f"e {name}": e.copy() for name, e in agent.memory.eligibility.items()}
        return {"episodes": np.array(episodes), **eligibility, **dict(agent.weights)}


def check(seed: int, places: dict[str, dict[str, Any]], **options: Any) -> None:
    """Compare each place with the loop in NumPy on the reference, in every bit."""
    config = random_agent(seed, **options)
    expected = learned(config, "reference", "numpy", **options)
    assert any(x.any() for name, x in expected.items() if name.startswith("e "))
    for where, place in places.items():
        got = learned(
            config,
            where.split(":")[0],
            place.get("loop"),
            **options,
            **{k: v for k, v in place.items() if k != "loop"},
        )
        for name, value in expected.items():
            assert np.array_equal(got[name], value), (where, name)


PLACES: dict[str, dict[str, Any]] = {
    "torch": {"loop": "native"},
    "brian2": {"loop": "native", "backend_options": {"engine": "numpy"}},
}


@pytest.mark.parametrize("seed", range(6))
def test_the_loop_in_c_learns_the_same(seed: int) -> None:
    check(seed, {"reference": {"loop": "native"}})


@pytest.mark.parametrize("seed", [3, 5])
def test_backends_learn_the_same(seed: int) -> None:
    check(seed, PLACES)


@pytest.mark.parametrize("seed", [0, 3])
def test_in_chip_arithmetic_too(seed: int) -> None:
    """Equations that are a compartment of the chip run as it."""
    check(seed, {"reference": {"loop": "native"}, "loihi": {}, "torch": {}}, arithmetic="loihi")


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6, 40))
def test_more_of_them_everywhere(seed: int) -> None:
    check(seed, {"reference": {"loop": "native"}, **PLACES})


DECISIONS: list[dict[str, tuple[Any, Any]]] = []


def keep_it(decision: Decision) -> Factors:
    """Keep what a rule is told, and learn nothing."""
    layers = {"output": (decision.output_p, decision.output)}
    (hidden,) = decision.hidden
    layers["hidden"] = hidden.p, hidden.spikes
    DECISIONS.append({name: (p, spikes.copy()) for name, (p, spikes) in layers.items()})
    return Factors(np.zeros(decision.output.shape), (np.zeros(hidden.spikes.shape),))


SPY = Rule("spy", keep_it, needs_probability=True)


@pytest.mark.parametrize(("seed", "short_term"), [(3, False), (4, True), (5, False), (6, False)])
def test_p_and_the_draws_make_the_spikes_of_agents(seed: int, short_term: bool) -> None:
    DECISIONS.clear()
    config = dataclasses.replace(random_agent(seed, short_term), rule=SPY)
    with closing(
        SpikingActorCritic("CartPole-v1", config=config, backend="reference", loop="numpy", seed=3)
    ) as agent:
        draws = {name: agent.backend.simulated.draws(name)[0] for name in ("hidden", "output")}
        agent.learn(total_episodes=2)
    some, t = False, 0
    for layers in DECISIONS:
        for name, (p, spikes) in layers.items():
            u = np.stack([draws[name](t + k).copy() for k in range(len(spikes))])
            with np.errstate(divide="ignore"):
                assert np.array_equal(u > -np.log(p / (1.0 - p)), spikes), name
        t += len(spikes)
        some |= all(spikes.any() for _, spikes in layers.values())
    assert some
