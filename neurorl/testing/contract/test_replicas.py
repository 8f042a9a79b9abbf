"""Test replicas of a network in one backend: each equals a backend of its own in every bit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from neurorl.backends.base import Backend
from neurorl.errors import ArgumentError, BackendError
from neurorl.network.description import Network
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.storage.plain import PlainData
from neurorl.testing import FEATURES, rasters, same_state
from neurorl.testing.plugin import Case

SEEDS = (3, 2**62 + 5, 3)  # equal seeds are replicas of one another until their inputs differ
N = len(SEEDS)
MOVING = ["escape noise", "refractory period", "delays of several steps", "signed units (+-1)"]
MOVING += ["values for each step", "gap junctions"]


class ReplicaPair:
    """Hold replicas in one backend, and single backends that must equal them."""

    def __init__(self, case: Case, network: Network) -> None:
        self.network = network
        self.many: Backend = case.make(network, "restore", seed=SEEDS)
        self.ones: list[Backend] = [case.make(network, seed=seed) for seed in SEEDS]

    def step(self, n_steps: int, seed: int) -> bool:
        """Advance both, compare them, and return whether any neuron spiked."""
        parts = [rasters(self.network, n_steps, 10 * seed + k, 0.4) for k in range(N)]
        whole = {name: np.hstack([part[name] for part in parts]) for name in parts[0]}
        actual = self.many.step(whole, n_steps)
        expected = [one.step(parts[k], n_steps) for k, one in enumerate(self.ones)]
        for name, raster in actual.items():
            assert np.array_equal(raster, np.hstack([part[name] for part in expected])), name
        for k, one in enumerate(self.ones):
            assert same_state(self.many.state(k), one.state()) == [], k
            assert self.many.time(k) == one.t
        return any(raster.any() for raster in actual.values())

    def rewrite(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        for p in self.network.projections:
            shape = self.network.weight_shape(p.name)
            values = rng.uniform(-0.9, 0.9, (N, *shape))
            in_force = self.many.set_weights(p.name, values)
            expected = [one.set_weights(p.name, values[k]) for k, one in enumerate(self.ones)]
            assert np.array_equal(in_force, np.stack(expected))
            assert np.array_equal(self.many.weights(p.name), in_force)

    def close(self) -> None:
        for backend in (self.many, *self.ones):
            backend.close()


def exercise(pair: ReplicaPair) -> None:
    """Step, write weights, reset some replicas, and move states in every direction."""
    many, ones = pair.many, pair.ones
    active = pair.step(9, 0)
    pair.rewrite(1)
    active |= pair.step(7, 1)
    many.reset([1])
    ones[1].reset()
    pair.step(5, 2)
    saved = ones[0].state()
    ones[0].step(rasters(pair.network, 4, 9), 4)  # ahead of the others
    many.restore(ones[0].state(), 0)
    pair.step(6, 3)
    many.restore(saved, 2)  # behind the others
    ones[2].restore(saved)
    pair.step(6, 4)
    ones[0].restore(many.state(1))
    many.restore(many.state(1), 0)
    pair.step(6, 5)
    many.reset()
    for one in ones:
        one.reset()
    active |= pair.step(8, 6)
    assert active


@pytest.mark.parametrize("feature", FEATURES)
def test_replicas_equal_single_backends(feature: str, case: Case) -> None:
    pair = ReplicaPair(case, FEATURES[feature]())
    exercise(pair)
    pair.close()


def test_replicas_of_a_random_network(case: Case) -> None:
    exercise_quietly(ReplicaPair(case, case.random_network(0)))


@pytest.mark.parametrize("seed", range(1, 6))
def test_replicas_of_random_networks(seed: int, quick_case: Case) -> None:
    exercise_quietly(ReplicaPair(quick_case, quick_case.random_network(seed)))


def exercise_quietly(pair: ReplicaPair) -> None:
    """Step, reset, write and restore replicas of a network whose neurons may never spike."""
    for k in range(3):
        pair.step(5 + k, k)
        pair.many.reset([k])
        pair.ones[k].reset()
        pair.rewrite(k)
        saved = pair.ones[k].state()
        pair.step(3, 10 + k)
        pair.many.restore(saved, k)
        pair.ones[k].restore(saved)
    pair.step(9, 20)
    pair.close()


def test_a_sequence_of_one_has_the_axis(case: Case) -> None:
    network = FEATURES["escape noise"]()
    with case.make(network, seed=[4]) as listed, case.make(network, seed=4) as single:
        assert (listed.seeds, listed.seed, listed.n_replicas) == ((4,), 4, 1)
        assert listed.weights("first").shape == (1, 6, 12)
        assert single.weights("first").shape == (6, 12)
        inputs = rasters(network, 9, 0)
        a, b = listed.step(inputs, 9), single.step(inputs, 9)
        assert np.array_equal(a["middle"], b["middle"])
        assert same_state(listed.state(), single.state()) == []


def test_a_state_moves_to_a_replica_of_another_backend(case: Case) -> None:
    network = FEATURES["recurrent projection"]()
    with (
        case.make(network, "restore", seed=SEEDS) as backend,
        case.reference(network, seed=SEEDS[1]) as reference,
    ):
        reference.step(rasters(network, 11, 0, 0.5), 11)
        backend.step({}, 3)
        backend.restore(reference.state(), 1)
        inputs = {k: np.tile(v, N) for k, v in rasters(network, 9, 1, 0.5).items()}
        actual = backend.step(inputs, 9)["cells"][:, 10:20]
        expected = reference.step(rasters(network, 9, 1, 0.5), 9)["cells"]
        assert expected.any()
        assert np.array_equal(actual, expected)
        assert same_state(backend.state(1), reference.state()) == []


def test_a_run_split_at_any_step_goes_on_in_another_replica(case: Case) -> None:
    """Check replicas at different steps of a group of four, whose noise is drawn together."""
    network = FEATURES["escape noise"]()
    inputs = rasters(network, 20, 0, 0.4)
    with case.make(network, seed=SEEDS[0]) as one, case.make(network, seed=SEEDS) as many:
        states = [one.state()]
        expected = one.step(inputs, 20)
        one.restore(states[0])
        for t in range(12):
            row = one.step({name: raster[t : t + 1] for name, raster in inputs.items()}, 1)
            assert all(np.array_equal(row[name][0], expected[name][t]) for name in row), t
            states.append(one.state())
        for first in range(9):
            starts = (first, 0, (5 * first + 3) % 12)
            for k in (0, 2):  # of the same seed
                many.restore(states[starts[k]], k)
            parts = {
                name: np.hstack([raster[start : start + 7] for start in starts])
                for name, raster in inputs.items()
            }
            for name, raster in many.step(parts, 7).items():
                for k, columns in enumerate(np.hsplit(raster, N)):
                    same = np.array_equal(columns, expected[name][starts[k] : starts[k] + 7])
                    assert same or k == 1, (name, starts)


@pytest.mark.parametrize("feature", MOVING)
@pytest.mark.parametrize("seed", [5, SEEDS])
def test_windows_equal_steps(feature: str, seed: object, case: Case) -> None:
    network = FEATURES[feature]()
    record = [p.name for p in network.populations][-1:]
    options: PlainData = {"seed": seed, "record": record}
    with case.make(network, **options) as stepped, case.make(network, **options) as backend:
        windows = {n: backend.window(n) for n in (8, 3)}
        assert list(windows[8].rasters) == record
        assert not any(raster.any() for raster in windows[8].inputs.values())
        places = [
            id(r) for w in windows.values() for r in (*w.inputs.values(), *w.rasters.values())
        ]
        rng = np.random.default_rng(0)
        for k, fresh in enumerate([True, False, False, True, False]):
            n_steps = (8, 3)[k % 2]
            window = windows[n_steps]
            for raster in window.inputs.values():
                drawn = rng.random(raster.shape)
                raster[:] = drawn < 0.5 if raster.dtype == np.bool_ else drawn
            inputs = {name: raster.copy() for name, raster in window.inputs.items()}
            if fresh:
                stepped.reset()
            expected = stepped.step(inputs, n_steps)
            window.run(fresh)
            for name in record:
                assert np.array_equal(window.rasters[name], expected[name])
            beside = {name: raster[:2] for name, raster in inputs.items()}
            a, b = backend.step(beside, 2), stepped.step(beside, 2)
            assert np.array_equal(a[record[0]], b[record[0]])
            for replica in range(backend.n_replicas):
                assert same_state(backend.state(replica), stepped.state(replica)) == []
        after = [id(r) for w in windows.values() for r in (*w.inputs.values(), *w.rasters.values())]
        assert places == after


def test_a_window_of_a_closed_backend_says_so(case: Case) -> None:
    backend = case.make(FEATURES["LIF"](), seed=SEEDS)
    window = backend.window(3)
    backend.close()
    with pytest.raises(BackendError, match="closed"):
        window.run(True)
    with pytest.raises(BackendError, match="closed"):
        backend.window(3)


@pytest.mark.parametrize("feature", ["LIF", "modules (blocks)", "signed units (+-1)"])
@pytest.mark.parametrize("seed", [5, SEEDS])
def test_weights_written_directly(feature: str, seed: object, case: Case) -> None:
    """Check that weights rounded by hand and put into the memory act as by `set_weights`."""
    network = FEATURES[feature]()
    special = [p.name for p in network.projections if p.signed or p.blocks > 1]
    name = (special or [network.projections[0].name])[-1]
    with case.make(network, seed=seed) as backend, case.make(network, seed=seed) as other:
        memory = backend.transmitted(name)
        if memory is None:
            pytest.skip("the weights are in no memory that may be written to")
        assert not network.projection(name).signed
        values = np.random.default_rng(0).uniform(-1, 1, other.weights(name).shape)
        in_force = other.set_weights(name, values)
        write_directly(backend, name, values, memory)
        assert np.array_equal(backend.weights(name), in_force)
        size = {s.name: s.size * backend.n_replicas for s in network.sources}
        inputs = {k: np.random.default_rng(1).random((12, n)) < 0.6 for k, n in size.items()}
        a, b = backend.step(inputs, 12), other.step(inputs, 12)
        assert any(raster.any() for raster in a.values())
        for population in a:
            assert np.array_equal(a[population], b[population])
        for k in range(backend.n_replicas):
            assert same_state(backend.state(k), other.state(k)) == []
        backend.set_weights(name, 0.5 * values)
        again = backend.transmitted(name)
        assert again is not None
        assert np.shares_memory(again, memory)
        backend.restore(other.state())
        assert same_state(backend.state(), other.state()) == []


def write_directly(backend: Backend, name: str, values: FloatArray, memory: Array) -> None:
    assert memory.shape == (values.size,)
    by = backend.arithmetic.rounding(name)
    n = np.clip(np.rint(values * by.inverse), -by.limit, by.limit)
    mask = backend.network.projection(name).mask
    memory[:] = ((n if mask is None else n * mask) * by.transmitted_unit).ravel()


def test_bad_replicas_and_shapes(case: Case) -> None:
    network = FEATURES["LIF"]()
    with case.make(network, "restore", seed=SEEDS) as backend:
        calls: list[Callable[[], object]]
        calls = [lambda: backend.reset([0, 3]), lambda: backend.state(-1)]
        calls += [lambda: backend.restore({}, 3), lambda: backend.time(3)]
        for call in calls:
            with pytest.raises(ArgumentError, match=r"replica: .*limit 0 to 2"):
                call()
        with pytest.raises(ArgumentError, match=r"wrong shape \(got \(6, 12\), limit \(3, 6, 12\)"):
            backend.set_weights("first", np.zeros((6, 12)))
        with pytest.raises(ArgumentError, match=r"wrong shape \(got \(5, 6\), limit \(5, 18\)"):
            backend.step({"input": np.zeros((5, 6), bool)}, 5)
