"""Test spikes as pairs of neuron and step: the same as rasters, in and out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from neurorl import Network, Population, Projection, Recording, Source, SpikeTimes, load, step_times
from neurorl.backends import spike_times
from neurorl.errors import ArgumentError, DescriptionError, UnknownNameError
from neurorl.models import LIF

NETWORK = Network(
    (
        Source("input", 7),
        Source("level", 2, "current"),
        Population("cells", 20, LIF(tau_mem=5e-3, noise=0.2)),
        Population("others", 3, LIF()),
    ),
    (
        Projection("into", "input", "cells", 0.3),
        Projection("lifts", "level", "cells", 0.05),
        Projection("on", "cells", "others", 0.2, delay=3e-3),
    ),
)


@given(arrays(np.bool_, array_shapes(min_dims=2, max_dims=2, max_side=9)), st.randoms())
def test_a_raster_and_back(raster: Any, rng: Any) -> None:
    spikes = SpikeTimes.of_raster(raster)
    assert len(spikes) == raster.sum()
    assert np.array_equal(spikes.raster(), raster)
    order = list(range(len(spikes)))
    rng.shuffle(order)
    twice = np.array(order + order[:2], dtype=int)
    again = SpikeTimes(spikes.i[twice], spikes.t[twice], spikes.size, spikes.n_steps)
    assert np.array_equal(again.i, spikes.i)
    assert np.array_equal(again.t, spikes.t)
    middle = len(raster) // 2
    assert np.array_equal(spikes.raster(middle), raster[middle:])
    assert np.array_equal(spikes.raster(0, middle), raster[:middle])


@pytest.mark.parametrize("backend", ["reference", "native"])
@pytest.mark.parametrize("seed", [4, [4, 5]])
def test_a_network_steps_as_by_rasters(
    backend: str, seed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in parts, whose number a recording doesn't see."""
    n = 1 if seed == 4 else 2
    raster = np.random.default_rng(0).random((150, 7 * n)) < 0.2
    level = np.full(2 * n, 0.5)
    voltage = ["cells.voltage"]
    with load(backend, NETWORK, seed=seed) as loaded, Recording(loaded, voltage) as whole:
        wanted = loaded.step({"input": raster, "level": level}, 150)
    monkeypatch.setattr(spike_times, "_BYTES", 400)
    for given_as in (raster, SpikeTimes.of_raster(raster)):
        with load(backend, NETWORK, seed=seed) as loaded, Recording(loaded, voltage) as parts:
            found = step_times(loaded, {"input": given_as, "level": level}, 150)
        assert found.keys() == wanted.keys()
        for name, spikes in found.items():
            assert np.array_equal(spikes.raster(), wanted[name])
        assert np.array_equal(parts["cells.voltage"], whole["cells.voltage"])
    assert wanted["others"].sum() > 20


def test_seconds_and_steps() -> None:
    seconds = [0.0, 0.1, 0.3, 0.2999999999999, 0.30009, 0.7]
    spikes = SpikeTimes.of_seconds([0, 1, 2, 3, 4, 5], seconds, 1e-4, 6, 7001)
    by_neuron = dict(zip(spikes.i.tolist(), spikes.t.tolist(), strict=True))
    assert by_neuron == {0: 0, 1: 1000, 2: 3000, 3: 3000, 4: 3000, 5: 7000}
    assert spikes.seconds(1e-4)[-1] == pytest.approx(0.7)


def test_neo_and_back() -> None:
    neo = pytest.importorskip("neo", reason="neo is not installed: pip install neo")
    raster = np.random.default_rng(3).random((500, 9)) < 0.05
    raster[:, 4] = False
    spikes = SpikeTimes.of_raster(raster)
    trains = spikes.to_neo(1e-3)
    assert all(isinstance(train, neo.SpikeTrain) for train in trains)
    assert float(trains[0].t_stop) == 0.5
    assert [len(train) for train in trains] == raster.sum(axis=0).tolist()
    assert np.array_equal(SpikeTimes.of_neo(trains, 1e-3, 500).raster(), raster)
    in_ms = [neo.SpikeTrain([3.0, 7.5], units="ms", t_stop=10.0)]
    assert SpikeTimes.of_neo(in_ms, 1e-3, 10).t.tolist() == [3, 7]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: SpikeTimes([0, 9], [0, 1], 9, 5),
            "SpikeTimes.i: out of range .got 9, limit 0 to 8",
        ),
        (lambda: SpikeTimes([0], [-1], 9, 5), "SpikeTimes.t: out of range .got -1"),
        (lambda: SpikeTimes([0, 1], [1], 9, 5), "of two lengths .got 2 and 1"),
        (lambda: SpikeTimes([0.5], [1], 9, 5), "SpikeTimes.i: are no whole numbers"),
        (lambda: SpikeTimes([[0]], [1], 9, 5), "more than one dimension"),
        (lambda: SpikeTimes([np.nan], [1], 9, 5), "SpikeTimes.i"),
        (lambda: SpikeTimes([], [], -1, 5), "SpikeTimes, size and n_steps"),
        (lambda: SpikeTimes([], [], 3, 2**31), "SpikeTimes, size and n_steps"),
        (lambda: SpikeTimes.of_seconds([0], [np.nan], 1e-3, 1, 10), "not all are finite .got nan"),
        (lambda: SpikeTimes.of_seconds([0], ["x"], 1e-3, 1, 10), "not an array of numbers"),
        (lambda: SpikeTimes.of_raster([1, 0]), "is no raster"),
        (lambda: SpikeTimes.of_seconds([0], [9.0], 1e-3, 1, 10), "SpikeTimes.t: out of range"),
    ],
)
def test_what_is_refused(make: Any, message: str) -> None:
    with pytest.raises((ArgumentError, DescriptionError), match=message):
        make()


def test_a_step_takes_them_as_a_raster() -> None:
    raster = np.random.default_rng(1).random((20, 7)) < 0.3
    level = np.full(2, 0.5)
    with load("reference", NETWORK) as backend, load("reference", NETWORK) as other:
        spikes = backend.step({"input": SpikeTimes.of_raster(raster), "level": level}, 20)
        wanted = other.step({"input": raster, "level": level}, 20)
        assert np.array_equal(spikes["cells"], wanted["cells"])
        with pytest.raises(ArgumentError, match=r"wrong shape .got .20, 7., limit .19, 7."):
            backend.step({"input": SpikeTimes.of_raster(raster), "level": level}, 19)


def test_inputs_of_another_shape_are_refused() -> None:
    with load("reference", NETWORK) as backend:
        for spikes in (SpikeTimes([], [], 7, 9), SpikeTimes([], [], 6, 10), np.zeros((9, 7), bool)):
            with pytest.raises(ArgumentError, match="input 'input': wrong shape"):
                step_times(backend, {"input": spikes}, 10)
        for n_steps in (10, 9):
            with pytest.raises(UnknownNameError, match="did you mean 'input'"):
                step_times(backend, {"inputs": SpikeTimes([], [], 7, n_steps)}, 10)
        with pytest.raises(ArgumentError, match="input 'input': wrong shape"):
            step_times(backend, {"input": np.True_}, 10)
        assert int(backend.state()["t"]) == 0
