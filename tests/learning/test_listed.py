"""Compiled windows of lists and matrices: NumPy's bits, whatever rule, delays and replicas."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from neurorl import Learning, Network, Plasticity, Population, Projection, Source, Uniform, load
from neurorl.learning import in_c, standalone, weights
from neurorl.learning.levels import Levels
from neurorl.learning.synapses import SynapseMemory
from neurorl.models import CubaLIF, FixedProbability
from neurorl.models import Synapses as Pairs
from neurorl.native import toolchain
from neurorl.rules import Rule

DT = 1e-3
OWN = Rule("own", output="trace*(spike - 0.1)*attention", signals=("attention",))
RULES = ["spikes-only", "reward-stdp", "td-stdp", "triplet-stdp", OWN]

KINDS = [pytest.param(False, id="lists"), pytest.param(True, id="dense")]

Arrays = dict[str, npt.NDArray[Any]]

pytestmark = pytest.mark.skipif(toolchain.problem() is not None, reason="needs a C++ compiler")


def network(seed: int, dense: bool = False) -> Network:
    """Return a recurrent network of lists, or of matrices, one masked and one of blocks."""
    rng = np.random.default_rng(seed)
    sizes = {name: 3 * int(rng.integers(1, 47)) for name in ("in", "a", "b")}
    mask = rng.random((sizes["a"], sizes["b"])) < 0.5
    cells = [Population(name, sizes[name], CubaLIF(3e-3, 10e-3, 0.4, noise=0.1)) for name in "ab"]
    lists = [
        Projection(
            f"{pre}_{post}",
            pre,
            post,
            Uniform(-0.3, 0.9),
            connect=None if dense else FixedProbability(float(rng.uniform(0.05, 0.6))),
            mask=mask if dense and (pre, post) == ("a", "b") else None,
            blocks=3 if dense and (pre, post) == ("b", "a") else 1,
            delay=DT * int(rng.integers(1, 30)),
            plasticity=Plasticity(float(rng.choice([0.0, 0.02])), -1.0, 1.0),
        )
        for pre, post in (("in", "a"), ("a", "b"), ("b", "a"), ("in", "b"))
    ]
    return Network((Source("in", sizes["in"]), *cells), tuple(lists), DT)


def learned(
    seed: int,
    rule: str | Rule,
    dense: bool,
    arithmetic: str = "float",
    backend_name: str = "reference",
) -> Arrays:
    """Return all that two replicas hold after windows of several lengths, and what is in force."""
    rng = np.random.default_rng(seed + 100)
    described = network(seed, dense)
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


@pytest.mark.parametrize("dense", KINDS)
def test_where_the_backend_has_the_weights(dense: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    in_numpy = learned(3, "reward-stdp", dense)
    monkeypatch.setattr(in_c, "WORTH", 0)
    compiled = learned(3, "reward-stdp", dense, backend_name="native")
    assert all(np.array_equal(compiled[key], array) for key, array in in_numpy.items())


def test_steps_of_weights() -> None:
    rng, levels = np.random.default_rng(1), Levels.of(2.0**-32, -0.4, 0.9)
    weights = levels.nearest(rng.uniform(-0.4, 0.9, 1001))
    e = (rng.normal(size=1001) * 10.0 ** rng.integers(-12, 30, 1001)).astype(np.float32)
    for step in (0.3, -1e-5, 0.0, 1e9):
        changed = levels.changed(weights, e, step)
        here = weights.copy()
        in_c.reinforce(here, e, levels, step)
        assert here.tobytes() == changed.tobytes()


@pytest.mark.parametrize("dense", KINDS)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: getattr(rule, "name", rule))
@pytest.mark.parametrize("seed", range(3))
def test_bits(seed: int, rule: str | Rule, dense: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    in_numpy = learned(seed, rule, dense)
    monkeypatch.setattr(in_c, "WORTH", 0)
    compiled = learned(seed, rule, dense)
    assert compiled.keys() == in_numpy.keys()
    for key, array in in_numpy.items():
        assert np.array_equal(compiled[key], array), key
    assert any(array.any() for key, array in in_numpy.items() if "eligibility" in key)


@pytest.mark.parametrize("dense", KINDS)
def test_chip_arithmetic(dense: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    in_numpy = learned(5, "reward-stdp", dense, "loihi")
    monkeypatch.setattr(in_c, "WORTH", 0)
    compiled = learned(5, "reward-stdp", dense, "loihi")
    assert all(np.array_equal(compiled[key], array) for key, array in in_numpy.items())


@pytest.mark.parametrize("dense", KINDS)
def test_compiled_code_runs(dense: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Count windows, and changes: 4 for 4 projections of 2 replicas, none in NumPy."""
    done: list[str] = []

    def counted(call: Any) -> Any:
        def count(*arguments: Any) -> Any:
            done.append(call.__name__)
            return call(*arguments)

        return count

    monkeypatch.setattr(in_c, "WORTH", 0)
    for owner, name in (
        (in_c.WindowsInC, "remember"),
        (weights, "reinforce"),
        (SynapseMemory, "remember"),
    ):
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))
    learned(0, "reward-stdp", dense)
    assert done.count("reinforce") == 4 * 4 * 2
    assert done.count("remember") == 4


def test_a_dense_projection_is_the_list_of_its_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    plastic, held = Plasticity(0.02, -1.0, 1.0), []
    monkeypatch.setattr(in_c, "WORTH", 0)
    for connect in (None, Pairs(np.arange(300) // 15, np.arange(300) % 15)):
        up = Projection("up", "in", "a", Uniform(0, 0.6), connect=connect, plasticity=plastic)
        nodes = Source("in", 20), Population("a", 15, CubaLIF(3e-3, 10e-3, 0.4))
        with load("reference", Network(nodes, (up,), DT)) as backend:
            learning = Learning(backend, rate=0.01)
            for k in range(5):
                learning.window({"in": np.random.default_rng(k).random((30, 20)) < 0.2}, 30)
                learning.reinforce(0.5)
            held.append(learning.state())
    assert held[0].keys() == held[1].keys()
    assert all(np.array_equal(held[0][key].ravel(), held[1][key].ravel()) for key in held[0])
    assert np.unique(held[0]["weights.up"]).size > 50


@pytest.mark.parametrize(("worth", "longest"), [(1500, 2**15), (0, 20)], ids=["sizes", "windows"])
@pytest.mark.parametrize("dense", KINDS)
@pytest.mark.parametrize("rule", ["td-stdp", "triplet-stdp"])
def test_some_in_c_and_some_in_numpy(
    rule: str, dense: bool, worth: int, longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Let large projections alone, or short windows, be compiled."""
    in_numpy = learned(2, rule, dense)
    sizes = [np.prod(network(2, dense).weight_shape(p.name)) for p in network(2, dense).projections]
    assert min(sizes) < 1500 <= max(sizes)
    monkeypatch.setattr(in_c, "WORTH", worth)
    monkeypatch.setattr(standalone, "LONGEST", longest)
    compiled = learned(2, rule, dense)
    for key, array in in_numpy.items():
        assert np.array_equal(compiled[key], array), key
