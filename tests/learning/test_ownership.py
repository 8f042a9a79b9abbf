"""Whoever else writes, steps or resets a backend that learns is followed, or refused by name."""

from __future__ import annotations

import copy
import gc
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from neurorl import Learning, Network, Plasticity, Population, Projection, Recording, Source, load
from neurorl.backends.base import Backend
from neurorl.errors import ArgumentError, BackendError, UnknownNameError, UnsupportedError
from neurorl.learning import in_c
from neurorl.models import CubaLIF, FixedProbability
from neurorl.rules import Rule

LOW, HIGH = -0.5, 1.0
PLACES = [("reference", "float"), ("native", "float"), ("loihi", "loihi"), ("torch", "float")]


def network() -> Network:
    """Return a list, a mask and blocks that learn, and a projection that doesn't."""
    plastic = Plasticity(0.02, LOW, HIGH)
    mask = np.arange(48).reshape(8, 6) % 5 != 2
    some = FixedProbability(0.6)
    return Network(
        (Source("in", 8), Population("a", 6, CubaLIF(3e-3, 10e-3, 0.4))),
        (
            Projection("listed", "in", "a", 0.3, connect=some, plasticity=plastic),
            Projection("masked", "in", "a", 0.3, mask=mask, plasticity=plastic),
            Projection("blocks", "in", "a", 0.2, blocks=2, plasticity=plastic),
            Projection("fixed", "in", "a", 0.1),
        ),
        1e-3,
    )


def raster(seed: int, n_steps: int = 12, size: int = 8) -> dict[str, npt.NDArray[np.bool_]]:
    return {"in": np.random.default_rng(seed).random((n_steps, size)) < 0.3}


def loaded(name: str, arithmetic: str, **options: Any) -> Backend:
    if name == "torch":
        pytest.importorskip("torch", reason="backend torch needs PyTorch, which isn't installed")
    return load(name, network(), arithmetic=arithmetic, **options)


def rewritten(
    name: str, arithmetic: str, write: Callable[[Learning, str, npt.NDArray[np.float64]], object]
) -> dict[str, npt.NDArray[Any]]:
    """Return what is held after windows between which others wrote weights."""
    with loaded(name, arithmetic) as backend:
        learning = Learning(backend, "reward-stdp", rate=0.1)
        for k in range(3):
            learning.window(raster(k), 12)
            learning.reinforce(0.7)
            for p in ("listed", "masked", "blocks"):
                before, wanted = learning.eligibility(p), 0.5 * backend.weights(p)
                write(learning, p, wanted)
                assert np.array_equal(learning.eligibility(p), before)
                assert np.abs(backend.weights(p) - wanted).max() < 0.02
                in_force = backend.weights(p)
                learning.reinforce(0.0)
                assert np.array_equal(backend.weights(p), in_force)
        held = {f"{p} in force": backend.weights(p) for p in ("listed", "masked", "blocks")}
        return {**held, **learning.state()}


@pytest.mark.parametrize("worth", [0, 10**9], ids=["compiled", "in NumPy"])
@pytest.mark.parametrize(("name", "arithmetic"), PLACES)
def test_weights_that_others_write_are_followed(
    name: str, arithmetic: str, worth: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def restore(learning: Learning, p: str, w: npt.NDArray[np.float64]) -> None:
        learning.restore({**learning.state(), f"weights.{p}": w})

    monkeypatch.setattr(in_c, "WORTH", worth)
    by_backend = rewritten(name, arithmetic, lambda ln, p, w: ln.backend.set_weights(p, w))
    by_learning = rewritten(name, arithmetic, lambda ln, p, w: ln.set_weights(p, w))
    assert by_backend.keys() == by_learning.keys()
    assert all(np.array_equal(by_learning[key], array) for key, array in by_backend.items())
    if arithmetic == "float":  # in the chip's, a state says weights in force and learned apart
        restored = rewritten(name, arithmetic, restore)
        assert all(np.array_equal(restored[key], array) for key, array in by_backend.items())


@pytest.mark.parametrize(("name", "arithmetic"), PLACES[:3])
def test_weights_of_one_replica(name: str, arithmetic: str) -> None:
    with loaded(name, arithmetic, seed=[1, 2]) as backend:
        learning = Learning(backend, rate=0.1)
        learning.window(raster(1, size=16), 12)
        before = learning.weights("masked")
        learning.set_weights("masked", np.full((8, 6), 0.25), replica=1)
        after = learning.weights("masked")
        assert np.array_equal(after[0], before[0])
        mask = np.asarray(network().projection("masked").mask)
        assert (after[1] == np.where(mask, 0.25, 0.0)).all()
        backend.set_weights("blocks", np.full((2, 2, 4, 3), 0.5))
        learning.reinforce([0.0, 1.0])
        assert (learning.weights("blocks")[0] == 0.5).all()
        assert (learning.weights("blocks")[1] != 0.5).any()


@pytest.mark.parametrize(("name", "arithmetic"), PLACES[:3])
def test_weights_out_of_bounds_are_clipped_and_others_refused(name: str, arithmetic: str) -> None:
    with loaded(name, arithmetic) as backend:
        learning = Learning(backend)
        for write in (backend.set_weights, learning.set_weights):
            in_force = write("blocks", np.full((2, 4, 3), 3.0))
            assert np.array_equal(in_force, backend.weights("blocks"))
            assert np.abs(in_force - HIGH).max() < 0.02
            assert np.array_equal(learning.weights("blocks"), np.full((2, 4, 3), HIGH))
            with pytest.raises(ArgumentError, match=r"'blocks'.*not finite"):
                write("blocks", np.full((2, 4, 3), np.nan))
            with pytest.raises(ArgumentError, match=r"'blocks'.*wrong shape"):
                write("blocks", np.zeros(3))
        assert np.array_equal(learning.weights("blocks"), np.full((2, 4, 3), HIGH))
        backend.set_weights("fixed", np.full((8, 6), 0.2))
        with pytest.raises(UnknownNameError, match="plastic projection"):
            learning.set_weights("fixed", np.zeros((8, 6)))


def advances(backend: Backend) -> dict[str, Callable[[], object]]:
    """Return every call that advances or silences a backend, or opens its memory."""
    window, state = backend.window(3), backend.state()
    return {
        "backend.step": lambda: backend.step({}, 3),
        "backend.learn": lambda: backend.learn({}, {}, 3),
        "backend.window": lambda: backend.window(3),
        "Window.run": lambda: window.run(fresh=False),
        "backend.reset": backend.reset,
        "backend.restore": lambda: backend.restore(state),
        "backend.begin_at": lambda: backend.begin_at(7),
        "backend.transmitted": lambda: backend.transmitted("masked"),
        "backend.levels": lambda: backend.levels("masked", 2.0**-20),
        "backend.set_offset": lambda: backend.set_offset("a", np.zeros(6)),
        "backend.biases": lambda: backend.biases("a"),
        "backend.rebuild": lambda: backend.rebuild(backend.network, {}),
    }


READS_OR_FOLLOWED = {
    *(
        "check_can",
        "check_free",
        "checked",
        "check_neurons",
        "check_open",
        "close",
        "disown",
        "flow",
        "own",
    ),
    *(
        "learning_gain",
        "metering",
        "owner_acts",
        "set_weights",
        "source",
        "state",
        "time",
        "weights",
    ),
    *("write", "write_script"),
}


@pytest.mark.parametrize(("name", "arithmetic"), PLACES[:3])
def test_others_do_not_advance_it(name: str, arithmetic: str) -> None:
    with loaded(name, arithmetic) as backend:
        calls = advances(backend)
        learning = Learning(backend)
        learning.window(raster(1), 12)
        before = learning.state()
        for what, call in calls.items():
            match = f"{what}: a neurorl.Learning learns on this backend.*learning"
            with pytest.raises(ArgumentError, match=match):
                call()
        assert all(np.array_equal(learning.state()[key], value) for key, value in before.items())
        learning.close()
        backend.step({}, 3)
        calls["Window.run"]()
        for call in (lambda: learning.window({}, 3), lambda: learning.reinforce(1.0)):
            with pytest.raises(ArgumentError, match=r"is closed; a new Learning\(backend\)"):
                call()


def test_every_method_of_a_backend_is_refused_followed_or_only_reads() -> None:
    methods = {n for n in dir(Backend) if n[0] != "_" and callable(getattr(Backend, n))}
    with loaded("reference", "float") as backend:
        refused = {what.removeprefix("backend.") for what in advances(backend)}
    assert methods == READS_OR_FOLLOWED | refused - {"Window.run"}


def test_a_second_one_waits_for_the_first() -> None:
    with loaded("reference", "float") as backend:
        first: Learning | None = Learning(backend)
        with pytest.raises(ArgumentError, match=r"Learning\(backend\).*learning.close\(\) first"):
            Learning(backend)
        assert first is not None
        first.close()
        first.close()
        second = Learning(backend)
        first.close()  # lets go of nothing that is the second's
        second.window(raster(1), 12)
        with pytest.raises(ArgumentError, match=r"Learning\.weights: is closed"):
            first.weights("masked")
        gc.disable()  # no cycle keeps it
        try:
            del second
            backend.step({}, 1)
        finally:
            gc.enable()


def test_a_refused_second_one_changes_nothing() -> None:
    with loaded("reference", "float") as backend:
        learning = Learning(backend)
        learning.set_weights("blocks", np.full((2, 4, 3), 0.1))
        in_force = backend.weights("blocks")
        with pytest.raises(ArgumentError):
            Learning(backend)
        assert np.array_equal(backend.weights("blocks"), in_force)
        assert np.array_equal(learning.weights("blocks"), in_force)


@pytest.mark.parametrize("name", ["reference", "native"])
def test_nothing_is_written_to_a_closed_backend(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_c, "WORTH", 0)
    backend = loaded(name, "float")
    learning = Learning(backend)
    learning.window(raster(1), 12)
    backend.close()
    for call in (lambda: learning.reinforce(1.0), lambda: learning.weights("listed")):
        with pytest.raises(BackendError, match="is closed"):
            call()


def test_recordings_and_membranes_step_for_the_owner() -> None:
    with loaded("reference", "float") as backend:
        learning = Learning(backend, Rule("v", output="spike*v"))
        written = []

        def write(*_: object) -> None:
            written.append(backend.set_weights("blocks", np.full((2, 4, 3), 0.125)))

        with Recording(backend, ["a.voltage"]) as recording:
            learning.window(raster(1), 12)
        with Recording(backend, ["a.voltage"], callback=write):
            learning.window(raster(2), 12)
        assert len(recording["a.voltage"]) == 12
        learning.reinforce(0.0)
        assert written
        assert (backend.weights("blocks") == 0.125).all()


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, pickle.dumps])
def test_no_copy_shares_what_a_backend_runs(copied: Callable[[object], object]) -> None:
    with load("reference", network(), seed=1) as backend:
        for held in (backend, [Learning(backend)]):
            if copied is copy.copy and held is not backend:
                continue
            with pytest.raises(UnsupportedError, match="backend reference: can't be copied"):
                copied(held)
