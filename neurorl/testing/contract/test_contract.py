"""Test what every backend promises. A feature that a backend lacks must be refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from neurorl.backends.registry import backend_class
from neurorl.errors import ArgumentError, BackendError, UnknownNameError, UnsupportedError
from neurorl.models import LIF
from neurorl.network.description import Network, Population, Projection, Source
from neurorl.testing import FEATURES, rasters, same_state
from neurorl.testing.plugin import Case

WINDOWS = (7, 1, 12, 5)
STATEFUL = ["escape noise", "refractory period", "delays of several steps", "currents"]
STATEFUL += ["values for each step", "gap junctions"]
TURNED = r"wrong shape \(got \(12, 6\), limit \(6, 12\)\)"


def run(backend: Any, network: Network, seed: int = 0, rewrite: bool = False) -> list[Any]:
    """Return rasters and states of several windows; rewrite: whether weights change between."""
    pairs = []
    rng = np.random.default_rng(seed + 1)
    for k, n_steps in enumerate(WINDOWS):
        pairs.append((backend.step(rasters(network, n_steps, seed + k), n_steps), backend.state()))
        for projection in network.projections if rewrite else ():
            shape = network.weight_shape(projection.name)
            backend.set_weights(projection.name, rng.uniform(-0.9, 0.9, shape))
    return pairs


def stepped(backend: Any, inputs: Any, n_steps: int) -> list[Any]:
    return [(backend.step(inputs, n_steps), backend.state())]


def assert_same(a: list[Any], b: list[Any]) -> None:
    for k, ((rasters_a, state_a), (rasters_b, state_b)) in enumerate(zip(a, b, strict=True)):
        for n in rasters_a:
            assert np.array_equal(rasters_a[n], rasters_b[n]), f"window {k}: rasters of {n}"
        assert same_state(state_a, state_b) == [], f"window {k}"


def test_it_runs_the_plainest_network_and_says_in_which_arithmetics(case: Case) -> None:
    assert case.problems(FEATURES["LIF"]()) == []
    with case.load(FEATURES["LIF"]()) as backend:
        can = backend.capabilities
        assert isinstance(backend.simulator, backend_class(case.backend))
        assert backend.name == case.backend
        assert backend.arithmetic_name == case.arithmetic
        assert set(can.exact_arithmetics) <= set(can.arithmetics)
        assert can.noises[0] == "exact"
        assert "input" in backend.source()


@pytest.mark.parametrize("feature", FEATURES)
def test_equals_the_reference(
    feature: str, case: Case, record_feature: Callable[[str, str], None]
) -> None:
    network = FEATURES[feature]()
    if refuses(case, network):
        record_feature(feature, "refused")
        return
    record_feature(feature, "exact" if case.is_exact else "runs")
    rewrite = feature == "weights written between windows"
    for seed in (0, 2**40 + 1):
        with case.make(network, seed=seed) as backend:
            with case.reference(network, seed=seed) as reference:
                expected = run(reference, network, rewrite=rewrite)
            pairs = run(backend, network, rewrite=rewrite)
        assert any(raster.any() for window, _ in expected for raster in window.values())
        assert_same(pairs, expected)


def refuses(case: Case, network: Network) -> bool:
    """Return whether the backend can't run a network; if so, check that its error says why."""
    problems = case.problems(network)
    if problems:
        with pytest.raises(UnsupportedError) as error:
            case.load(network)
        assert all(problem in str(error.value) for problem in problems)
    return bool(problems)


@pytest.mark.parametrize("feature", ["recurrent projection", *STATEFUL])
def test_two_steps_equal_one_of_both_lengths(feature: str, case: Case) -> None:
    network = FEATURES[feature]()
    inputs = rasters(network, 20, 3, 0.4)
    first = {k: x if k in network.currents else x[:13] for k, x in inputs.items()}
    second = {k: x if k in network.currents else x[13:] for k, x in inputs.items()}
    with case.make(network) as whole, case.make(network) as parts:
        expected = whole.step(inputs, 20)
        pieces = parts.step(first, 13), parts.step(second, 7)
        for name, raster in expected.items():
            assert raster.any() or feature != "currents"
            assert np.array_equal(raster, np.vstack([part[name] for part in pieces]))
        assert same_state(whole.state(), parts.state()) == []


def test_reset_silences_but_keeps_weights_and_time(case: Case) -> None:
    network = FEATURES["refractory period"]()
    with case.make(network) as backend:
        backend.set_weights("first", np.full((6, 12), 0.5))
        backend.step(rasters(network, 9, 0, 0.8), 9)
        weights = backend.weights("first")
        backend.reset()
        state = backend.state()
        assert backend.t == 9
        assert np.array_equal(backend.weights("first"), weights)
        for key, value in state.items():
            if not key.endswith("weights") and key != "t":
                assert not value.any(), key
        with case.reference(network) as reference:
            reference.restore(state)
            inputs = rasters(network, 10, 1)
            assert_same(stepped(backend, inputs, 10), stepped(reference, inputs, 10))


@pytest.mark.parametrize("feature", ["weights written between windows", *STATEFUL])
def test_restore_is_exact_in_the_same_and_in_a_fresh_instance(feature: str, case: Case) -> None:
    network = FEATURES[feature]()
    name = network.projections[0].name
    with case.make(network, "restore", seed=5) as backend, case.make(network, seed=5) as fresh:
        backend.step(rasters(network, 8, 0, 0.5), 8)
        backend.set_weights(name, np.full(network.weight_shape(name), 0.7))
        saved = backend.state()
        inputs = rasters(network, 15, 1)
        expected = stepped(backend, inputs, 15)
        backend.step(rasters(network, 4, 2, 0.9), 4)
        backend.restore(saved)
        assert same_state(backend.state(), saved) == []
        assert_same(stepped(backend, inputs, 15), expected)
        fresh.restore(saved)
        assert_same(stepped(fresh, inputs, 15), expected)
        backend.reset()
        for key, value in backend.state().items():
            assert key == "t" or key.endswith("weights") or not value.any(), key
        spikes = backend.step({}, 12).values()
        assert feature != "delays of several steps" or not any(x.any() for x in spikes)


@pytest.mark.parametrize("feature", ["recurrent projection", "delays of several steps"])
def test_a_reference_state_moves_to_it(feature: str, case: Case) -> None:
    network = FEATURES[feature]()
    inputs = rasters(network, 12, 1)
    with case.make(network, "restore", seed=3) as backend, case.reference(network, seed=3) as other:
        other.step(rasters(network, 11, 0), 11)
        backend.restore(other.state())
        assert_same(stepped(backend, inputs, 12), stepped(other, inputs, 12))


def test_weights_read_back_as_rounded(case: Case) -> None:
    network = FEATURES["weights written between windows"]()
    value = np.linspace(-1.3, 1.3, 48).reshape(6, 8)
    with case.make(network) as backend:
        in_force = backend.set_weights("drive", value)
        assert np.array_equal(backend.weights("drive"), in_force)
        limit = 1.0 if case.is_chip else 1.3
        step = 1 / 127 if case.is_chip else 2.0**-30
        assert np.abs(in_force).max() == pytest.approx(limit, rel=1e-6)
        assert np.abs(in_force - np.clip(value, -limit, limit)).max() <= step / 2 + 1e-12
        assert np.array_equal(backend.set_weights("drive", in_force), in_force)


def test_weights_given_at_the_start_are_in_force(case: Case) -> None:
    network = FEATURES["LIF"]()
    value = np.linspace(-0.5, 1.0, 72).reshape(6, 12)
    inputs = rasters(network, 20, 0, 0.5)
    with case.make(network, weights={"first": value}) as fresh, case.make(network) as written:
        expected = written.set_weights("first", value)
        assert np.array_equal(fresh.weights("first"), expected)
        assert same_state(fresh.state(), written.state()) == []
        assert_same(stepped(fresh, inputs, 20), stepped(written, inputs, 20))
    with pytest.raises(UnknownNameError, match="did you mean 'first'"):
        case.make(network, weights={"frist": value})
    with pytest.raises(ArgumentError, match="wrong shape"):
        case.make(network, weights={"first": value.T})


def test_weights_are_copies(case: Case) -> None:
    with case.make(FEATURES["LIF"]()) as backend:
        backend.weights("first")[:] = 0
        assert backend.weights("first").any()


@pytest.mark.parametrize(
    ("method", "first", "second", "error", "words"),
    [
        ("set_weights", "first", np.zeros((12, 6)), ArgumentError, TURNED),
        ("set_weights", "first", np.full((6, 12), np.nan), ArgumentError, "not finite"),
        ("set_weights", "frist", np.zeros((6, 12)), UnknownNameError, "did you mean 'first'"),
        ("step", {"inptu": np.zeros((5, 6), bool)}, 5, UnknownNameError, "did you mean 'input'"),
        ("step", {"input": np.zeros((4, 6), bool)}, 5, ArgumentError, "wrong shape"),
        ("step", {"input": np.zeros((5, 6))}, 5, ArgumentError, "not a raster of booleans"),
        ("step", {}, 0, ArgumentError, "n_steps"),
    ],
)
def test_a_bad_call_changes_nothing(
    method: str, first: Any, second: Any, error: type[Exception], words: str, case: Case
) -> None:
    feature = "LIF" if method == "set_weights" else "escape noise"
    with case.make(FEATURES[feature]()) as backend:
        before = backend.state()
        with pytest.raises(error, match=words):
            getattr(backend, method)(first, second)
        assert same_state(backend.state(), before) == []


def test_instances_do_not_disturb_each_other(case: Case) -> None:
    network = FEATURES["escape noise"]()
    with case.make(network, seed=1) as alone:
        expected = run(alone, network)
    with case.make(network, seed=1) as one, case.make(network, seed=2) as other:
        other.set_weights("first", np.ones((6, 12)))
        pairs = []
        for k, n_steps in enumerate(WINDOWS):
            other.step(rasters(network, 3, 50 + k), 3)
            pairs.append((one.step(rasters(network, n_steps, k), n_steps), one.state()))
            other.reset()
    assert_same(pairs, expected)


def test_seed_decides_weights_and_noise(case: Case) -> None:
    network = FEATURES["escape noise"]()
    with case.make(network, seed=1) as a, case.make(network, seed=2) as b:
        assert not np.array_equal(a.weights("first"), b.weights("first"))
        for p in network.projections:
            b.set_weights(p.name, a.weights(p.name))
        inputs = rasters(network, 40, 0)
        assert not np.array_equal(a.step(inputs, 40)["middle"], b.step(inputs, 40)["middle"])


def test_record_limits_what_is_returned(case: Case) -> None:
    network = FEATURES["LIF"]()
    with case.make(network) as whole, case.make(network, record=("last",)) as part:
        inputs = rasters(network, 30, 0, 0.6)
        everything, something = whole.step(inputs, 30), part.step(inputs, 30)
    assert set(everything) == {"middle", "last"}
    assert set(something) == {"last"}
    assert np.array_equal(everything["last"], something["last"])
    with pytest.raises(UnknownNameError, match="did you mean 'last'"):
        case.make(network, record=("lst",))


def test_a_closed_backend_says_so(case: Case) -> None:
    backend = case.make(FEATURES["LIF"]())
    backend.close()
    backend.close()
    name = backend.network.projections[0].name
    calls = backend.reset, backend.state, lambda: backend.step({}, 1), lambda: backend.weights(name)
    for call in calls:
        with pytest.raises(BackendError, match="closed"):
            call()


def test_another_networks_state_is_refused(case: Case) -> None:
    with case.make(FEATURES["LIF"]()) as a, case.make(FEATURES["several sources"]()) as b:
        before = b.state()
        with pytest.raises(ArgumentError, match="another network"):
            b.restore(a.state())
        assert same_state(b.state(), before) == []


def test_everything_unsupported_is_named_at_once(case: Case) -> None:
    cls = type(case.make(FEATURES["LIF"]()).simulator)
    limit = cls.capabilities.max_population
    size = 5 if limit is None else limit + 1
    network = Network(
        (Source("input", 1), Population("crowd", size, LIF())),
        (Projection("slow", "input", "crowd", 0.5, delay=5e-3),),
    )
    problems = cls.problems(network, "imaginary")
    assert any("imaginary" in p for p in problems)
    assert (limit is None) != any("'crowd'" in p for p in problems)
    assert cls.capabilities.delays != any("'slow'" in p for p in problems)


def test_input_takes_one_step_for_each_hop(case: Case) -> None:
    """Check that a spike of step t acts in step t + 1, so that two hops need three steps."""
    cell = LIF(tau_mem=0.0, threshold=0.5)
    network = Network(
        (Source("input", 1), Population("a", 1, cell), Population("b", 1, cell)),
        (Projection("ia", "input", "a", 1.0), Projection("ab", "a", "b", 1.0)),
    )
    spike = np.zeros((4, 1), bool)
    spike[0] = True
    with case.make(network) as backend:
        out = backend.step({"input": spike}, 4)
    assert out["a"].ravel().tolist() == [False, True, False, False]
    assert out["b"].ravel().tolist() == [False, False, True, False]
