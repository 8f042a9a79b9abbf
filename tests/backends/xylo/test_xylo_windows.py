"""Random networks of Xylo's integers are equal in every bit on all simulators, limits included."""

from __future__ import annotations

import platform
import threading
from typing import Any

import numpy as np
import pytest
import xylo_windows as windows
from xylo_vendor import needs_xylosim

from neurorl.arithmetic.xylo import XyloArithmetic
from neurorl.backends.registry import load
from neurorl.models import shift_lif
from neurorl.native import toolchain
from neurorl.network.description import Network, Population, Projection, Source, Uniform
from neurorl.testing import rasters, same_state

others = pytest.mark.parametrize(
    "backend", ["native", pytest.param("xylo", marks=needs_xylosim)], ids=["native", "xylo"]
)


@others
def test_windows_of_random_networks_are_equal(backend: str) -> None:
    tally = windows.compare_windows(150, [backend])
    assert tally.different == {backend: 0}, tally.first
    # What the comparison is for did happen.
    assert min(tally.several, tally.most) > 1000
    assert min(tally.saturated_currents, tally.saturated_membranes) > 1000


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"),
    reason="other processors have no AVX2 or SSE2 that a compiler could be told to leave out",
)
@pytest.mark.skipif(
    toolchain.problem() is not None,
    reason="native code needs a C++ compiler, and none was found; NumPy's loop is tested",
)
@pytest.mark.parametrize("flags", ["-mno-avx2", "-U__SSE2__ -U__AVX2__"], ids=["narrow", "none"])
def test_windows_are_equal_without_wide_vectors(
    flags: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CXX", f"{' '.join(toolchain.compiler())} {flags}")
    tally = windows.compare_windows(20, ["native"])
    assert tally.different == {"native": 0}, tally.first
    assert tally.most > 100


def test_more_neurons_than_a_stack_holds() -> None:
    cells = Population("cells", 200_000, shift_lif(threshold=9))
    drive = Projection("drive", "cue", "cells", Uniform(5.0, 5.0))
    backend = load("native", Network((Source("cue", 1), cells), (drive,)), arithmetic="xylo")
    rasters = list[Any]()
    before = threading.stack_size(2**18)
    try:
        cue = {"cue": np.ones((4, 1), dtype=bool)}
        thread = threading.Thread(target=lambda: rasters.append(backend.step(cue, 4)["cells"]))
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
        backend.close()
    assert (rasters[0] == rasters[0][:, :1]).all()
    assert rasters[0].any()


def by_hand(network: Network, spikes: Any, weights: dict[str, Any]) -> tuple[Any, Any, Any]:
    """Return counts, currents and membranes of one hidden population by plain Python integers."""
    arithmetic = XyloArithmetic(network)
    chip = arithmetic.chip.populations["cells"]
    n = len(chip.threshold)
    i, v, count, rows = [0] * n, [0] * n, np.zeros(n, dtype=int), list[Any]()
    before = np.zeros(spikes.shape[1], dtype=int)
    for row in spikes.astype(int):
        sent = [(before, weights["drive"]), (count, weights["loop"])]
        for j in range(n):
            for times, w in sent:
                for pre, number in enumerate(times):
                    for _ in range(number):  # one by one, as the chip does
                        i[j] = clipped(i[j] + int(w[pre, j]))
        new = []
        for j in range(n):
            i[j] -= decayed(i[j], int(chip.shift_syn[j]))
            change = clipped(sixteen_bits(-decayed(v[j], int(chip.shift_mem[j]))) + i[j])
            v[j] = clipped(v[j] + clipped(change + int(chip.bias[j])))
            spiked = 0
            while v[j] >= chip.threshold[j] and spiked < 31:
                v[j] -= int(chip.threshold[j])
                spiked += 1
            new.append(spiked)
        before, count = row, np.array(new)
        rows.append((new, list(i), list(v)))
    counts, currents, membranes = (np.array(x) for x in zip(*rows, strict=True))
    return counts, currents, membranes


def clipped(x: int) -> int:
    return max(min(x, 32767), -32768)


def sixteen_bits(x: int) -> int:
    return (x + 32768) % 65536 - 32768


def decayed(x: int, shift: int) -> int:
    return x >> shift or (x > 0) - (x < 0)


@pytest.mark.parametrize("backend", ["reference", "native"])
@pytest.mark.parametrize("seed", range(6))
def test_the_step_is_that_of_plain_integers(backend: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = 5
    neuron = shift_lif(
        rng.integers(1, 16, n), rng.integers(0, 16, n), rng.integers(1, 900, n), -40 * (seed % 3)
    )
    shift = 2.0 ** rng.integers(0, 8)
    weights = {
        "drive": shift * rng.integers(-127, 128, (4, n)),
        "loop": shift * rng.integers(-127, 128, (n, n)),
    }
    network = Network(
        (Source("input", 4), Population("cells", n, neuron)),
        (
            Projection("loop", "cells", "cells", weights["loop"]),
            Projection("drive", "input", "cells", weights["drive"]),
        ),
    )
    spikes = rng.random((60, 4)) < 0.4
    counts, currents, membranes = by_hand(network, spikes, weights)
    with load(backend, network, arithmetic="xylo") as made:
        for t in range(60):
            raster = made.step({"input": spikes[t : t + 1]}, 1)["cells"][0]
            state = made.state()
            np.testing.assert_array_equal(raster, counts[t] > 0)
            np.testing.assert_array_equal(state["cells.release"][0], counts[t])
            np.testing.assert_array_equal(state["cells.current"], currents[t])
            np.testing.assert_array_equal(state["cells.voltage"], membranes[t])


@pytest.mark.parametrize("backend", ["reference", "native"])
def test_a_state_moves_with_how_often_neurons_spiked(backend: str) -> None:
    network = windows.random_xylo_network(3, 3)
    inputs = rasters(network, 30, 1, 0.5)
    halves = [{k: x[part] for k, x in inputs.items()} for part in (slice(15), slice(15, 30))]
    with load("reference", network, arithmetic="xylo") as one:
        one.step(halves[0], 15)
        state = one.state()
        assert max(x.max() for key, x in state.items() if key.endswith("release")) > 1
        expected, end = one.step(halves[1], 15), one.state()
    with load(backend, network, arithmetic="xylo") as other:
        other.restore(state)
        again = other.step(halves[1], 15)
        for name, raster in expected.items():
            np.testing.assert_array_equal(raster, again[name])
        assert same_state(other.state(), end) == []


@others
def test_replicas_are_chips_of_their_own(backend: str) -> None:
    network = windows.random_xylo_network(1, 8)
    inputs = rasters(network, 25, 1, 0.3)
    with load("reference", network, arithmetic="xylo") as one:
        alone, end = one.step(inputs, 25), one.state()
    doubled = {name: np.concatenate([raster] * 2, axis=1) for name, raster in inputs.items()}
    with load(backend, network, arithmetic="xylo", seed=[0, 0]) as two:
        both = two.step(doubled, 25)
        for name, raster in alone.items():
            np.testing.assert_array_equal(both[name], np.concatenate([raster] * 2, axis=1))
        for k in range(2):
            state = two.state(k)
            assert same_state({**state, "t": end["t"]}, end) == []
