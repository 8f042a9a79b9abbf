"""Compiled windows of listed synapses: NumPy's bits, whatever the rule, delays and replicas."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from neurorl import Learning, Network, Plasticity, Population, Projection, Source, Uniform, load
from neurorl.learning import listed
from neurorl.learning.levels import Levels
from neurorl.models import CubaLIF, FixedProbability
from neurorl.native import listed as native
from neurorl.native import toolchain
from neurorl.rules import Rule

DT = 1e-3
OWN = Rule("own", output="trace*(spike - 0.1)*attention", signals=("attention",))
RULES = ["spikes-only", "reward-stdp", "td-stdp", OWN]

Arrays = dict[str, npt.NDArray[Any]]

pytestmark = pytest.mark.skipif(toolchain.problem() is not None, reason="needs a C++ compiler")


def network(seed: int) -> Network:
    """Return a recurrent network whose lists have one delay or several."""
    rng = np.random.default_rng(seed)
    sizes = {name: int(rng.integers(3, 140)) for name in ("in", "a", "b")}
    cells = [Population(name, sizes[name], CubaLIF(3e-3, 10e-3, 0.4, noise=0.1)) for name in "ab"]
    lists = [
        Projection(
            f"{pre}_{post}",
            pre,
            post,
            Uniform(-0.3, 0.9),
            connect=FixedProbability(float(rng.uniform(0.05, 0.6))),
            delay=DT * int(rng.integers(1, 30)),
            plasticity=Plasticity(float(rng.choice([0.0, 0.02])), -1.0, 1.0),
        )
        for pre, post in (("in", "a"), ("a", "b"), ("b", "a"), ("in", "b"))
    ]
    return Network((Source("in", sizes["in"]), *cells), tuple(lists), DT)


def learned(
    seed: int, rule: str | Rule, arithmetic: str = "float", backend_name: str = "reference"
) -> Arrays:
    """Return all that two replicas hold after windows of several lengths, and what is in force."""
    rng = np.random.default_rng(seed + 100)
    described = network(seed)
    n_inputs = 2 * described.node("in").size
    with load(backend_name, described, seed=[1, 2], arithmetic=arithmetic) as backend:
        learning = Learning(backend, rule, rate=0.05, eligibility_tau=0.1)
        named = {"attention": 0.7} if rule is OWN else None
        for n_steps in (20, 1, 7, 33):
            raster = rng.random((n_steps, n_inputs)) < 0.2
            in_columns = np.asfortranarray(raster)
            learning.window({"in": in_columns if n_steps == 7 else raster}, n_steps)
            phi = 0.3 if learning.rule.names("phi") else None
            learning.reinforce(0.5, phi, signals=named)
        states = [learning.state(k) for k in (0, 1)]
        in_force = {p.name: backend.weights(p.name) for p in described.projections}
        for name, weights in in_force.items():
            assert arithmetic == "loihi" or np.array_equal(learning.weights(name), weights)
    assert any(np.unique(weights).size > 50 for weights in in_force.values())
    return {f"{k}.{key}": array for k, held in enumerate(states) for key, array in held.items()}


def test_where_the_backend_has_the_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    in_numpy = learned(3, "reward-stdp")
    monkeypatch.setattr(listed, "WORTH", 0)
    compiled = learned(3, "reward-stdp", backend_name="brian2")
    assert all(np.array_equal(compiled[key], array) for key, array in in_numpy.items())


def test_steps_of_weights() -> None:
    rng, levels = np.random.default_rng(1), Levels.of(2.0**-32, -0.4, 0.9)
    weights = levels.nearest(rng.uniform(-0.4, 0.9, 1001))
    e = (rng.normal(size=1001) * 10.0 ** rng.integers(-12, 30, 1001)).astype(np.float32)
    for step in (0.3, -1e-5, 0.0, 1e9):
        changed = levels.changed(weights, e, step)
        here = weights.copy()
        listed.reinforce(here, e, levels, step)
        assert here.tobytes() == changed.tobytes()


@pytest.mark.parametrize("rule", RULES, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_bits(seed: int, rule: str | Rule, monkeypatch: pytest.MonkeyPatch) -> None:
    in_numpy = learned(seed, rule)
    monkeypatch.setattr(listed, "WORTH", 0)
    compiled = learned(seed, rule)
    assert compiled.keys() == in_numpy.keys()
    for key, array in in_numpy.items():
        assert np.array_equal(compiled[key], array), key
    assert any(array.any() for key, array in in_numpy.items() if "eligibility" in key)


def test_chip_arithmetic(monkeypatch: pytest.MonkeyPatch) -> None:
    in_numpy = learned(5, "reward-stdp", "loihi")
    monkeypatch.setattr(listed, "WORTH", 0)
    compiled = learned(5, "reward-stdp", "loihi")
    assert all(np.array_equal(compiled[key], array) for key, array in in_numpy.items())


def test_compiled_code_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    done = []

    def library() -> Any:
        done.append(1)
        return native.library()

    monkeypatch.setattr(listed, "WORTH", 0)
    monkeypatch.setattr(listed, "library", library)
    learned(0, "reward-stdp")
    assert done
