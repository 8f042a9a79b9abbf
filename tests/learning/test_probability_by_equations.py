"""Test p of neurons by equations without an agent: against the draws, on backends, refusals."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from random_equation_networks import random_equation_network

from neurorl import Learning, TsodyksMarkram, load
from neurorl.errors import NeurorlError
from neurorl.learning.membranes import Replay
from neurorl.models import ADAPTIVE_LIF, Equations, Synapses
from neurorl.network.description import Network, Plasticity, Population, Projection, Source, Uniform
from neurorl.rules import Rule
from neurorl.testing import rasters


def noisy(network: Network) -> list[str]:
    """Return the populations with noise."""
    return [p.name for p in network.populations if p.is_noisy(network.dt)]


def check_draws(seed: int, backend_name: str, **options: Any) -> int:
    """Check that each spike, or none, is what its p and its draw make it; return how many are.

    Over windows, shorter than delays too, with weights written and a replica's reset between them.
    """
    network = random_equation_network(seed)
    names, rng = noisy(network), np.random.default_rng(seed)
    seeds = [seed, seed + 1] if seed % 2 else seed
    n, count = 1 + seed % 2, 0
    if not names:
        return 0
    with load(backend_name, network, seed=seeds, **options) as backend:
        replay = Replay(backend, names)
        for window in range(4):
            n_steps, start = int(rng.integers(1, 12)), [backend.time(k) for k in range(n)]
            parts = [rasters(network, n_steps, 9 * seed + k + window, 0.4) for k in range(n)]
            inputs = {k: np.concatenate([p[k] for p in parts], axis=-1) for k in parts[0]}
            replay.begin()
            spikes = backend.step(inputs, n_steps)
            told = replay.probabilities(inputs, spikes, n_steps)
            for name in names:
                draws = backend.simulated.draws(name)
                u = [
                    np.concatenate([d(t0 + t) for d, t0 in zip(draws, start, strict=True)])
                    for t in range(n_steps)
                ]
                with np.errstate(divide="ignore"):
                    opens = np.stack(u) > -np.log(told[name] / (1.0 - told[name]))
                assert np.array_equal(opens, spikes[name]), (name, window)
                count += int(spikes[name].sum())
            p = network.projections[int(rng.integers(len(network.projections)))].name
            backend.set_weights(p, backend.weights(p) * rng.uniform(-0.5, 1.5))
            if window == 1:
                backend.reset([n - 1])
    return count


@pytest.mark.parametrize("seed", range(12))
def test_p_and_the_draws_make_the_spikes(seed: int) -> None:
    check_draws(seed, "reference")


CELL = dataclasses.replace(ADAPTIVE_LIF.with_parameters(v_t=0.5, tau_m=4e-3), noise=0.1)
OWN = Equations(
    "dv/dt = (ge*(3 - v) + level - v)/tau; dge/dt = -ge/tau_e",
    threshold="v - 0.1*ge > 0.4",
    reset="v = 0.1",
    method="exponential_euler",
    parameters={"tau": 6e-3, "tau_e": 3e-3},
    initial={"v": 0.0, "ge": 0.0},
    inputs=("ge", "level"),
    refractory=2e-3,
    noise=0.08,
)
RULE = Rule("mine", output="trace*(spike - p)", hidden="trace*(spike*v - p)", eligibility_tau=0.05)


def layers() -> Network:
    """Return two layers that learn: signed, delayed, recurrent, with a current that flows in."""
    plastic = Plasticity(trace_tau=0.01)
    listed = Synapses([0, 0, 1, 2, 3], [0, 1, 1, 0, 1])
    delays = np.array([1, 3, 2, 5, 1]) * 1e-3
    return Network(
        nodes=(
            Source("in", 4),
            Source("level", 2, "current"),
            Population("cells", 3, OWN),
            Population("output", 2, CELL),
        ),
        projections=(
            Projection("up", "in", "cells", Uniform(0, 0.6), target="ge", plasticity=plastic),
            Projection("lift", "level", "cells", Uniform(0, 0.5), target="level"),
            Projection("out", "cells", "output", 0.2, signed=True, delay=4e-3, plasticity=plastic),
            Projection(
                "skip",
                "in",
                "output",
                Uniform(0, 0.7),
                connect=listed,
                delay=delays,
                plasticity=plastic,
            ),
            Projection(
                "fixed", "in", "output", 0.3, delay=3e-3, short_term=TsodyksMarkram(0.5, 0.05)
            ),
            Projection("back", "output", "cells", -0.1, target="ge", plasticity=plastic),
        ),
        dt=1e-3,
    )


def trained(backend_name: str, cuts: tuple[int, ...]) -> dict[str, Any]:
    """Return all that windows of these lengths leave, of two replicas."""
    with load(backend_name, layers(), seed=[4, 5]) as backend:
        learning = Learning(backend, RULE, rate=0.05)
        rng = np.random.default_rng(0)
        for n_steps in cuts:
            level = np.round(rng.random(4) * 64) / 64
            learning.window({"in": rng.random((n_steps, 8)) < 0.4, "level": level}, n_steps)
            learning.reinforce(float(rng.normal()))
        return {f"{name} {k}": x for k in (0, 1) for name, x in learning.state(k).items()}


@pytest.mark.parametrize("name", ["native", "torch"])
def test_every_backend_learns_the_same(name: str) -> None:
    cuts = (7, 1, 3, 12, 2, 9)
    if name == "torch":
        pytest.importorskip("torch", reason="torch is not installed")
    expected, got = trained("reference", cuts), trained(name, cuts)
    assert np.abs(expected["eligibility.out 0"]).max() > 0.01
    assert got.keys() == expected.keys()
    for key, value in expected.items():
        assert np.array_equal(got[key], value), key


def test_what_has_no_probability_is_refused() -> None:
    """Neurons without noise are, in one line, and what projects into others must be recorded."""
    still = Population("output", 2, dataclasses.replace(CELL, noise=0.0))
    network = layers()
    quiet = dataclasses.replace(network, nodes=(*network.nodes[:3], still))
    for name in ("reference", "torch"):
        with (
            load(name, quiet) as backend,
            pytest.raises(
                NeurorlError, match=r"character 16 \(p .*and 'output' has no noise; noise"
            ),
        ):
            Learning(backend, RULE)
    with (
        load("reference", network, record=["output"]) as backend,
        pytest.raises(NeurorlError, match=r"recorded for p of.*got \['cells'\]"),
    ):
        Replay(backend, ["output"])
