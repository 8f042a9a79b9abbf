"""Test that a recording changes no bit, and has what `step` and `state` return."""

from __future__ import annotations

import numpy as np
import pytest

from neurorl.backends.recording import Recording
from neurorl.storage.plain import PlainData
from neurorl.testing import FEATURES, rasters, same_state
from neurorl.testing.plugin import Case

WINDOWS = (7, 1, 12)
RECORDED = ("CUBA-LIF", "delays of several steps", "neurons by equations", "values for each step")


def variables_of(state: PlainData) -> list[str]:
    return [name for name in state if not name.endswith((".spikes", ".weights")) and name != "t"]


@pytest.mark.parametrize("feature", RECORDED)
def test_a_recorded_run_equals_one_that_is_not(feature: str, case: Case) -> None:
    network = FEATURES[feature]()
    inputs = [rasters(network, n, k) for k, n in enumerate(WINDOWS)]
    with case.make(network, "state", seed=4) as plain, case.make(network, seed=4) as recorded:
        first = plain.state()
        names = [name for name in first if name not in ("t", "level.spikes")]
        expected = [plain.step(x, n) for x, n in zip(inputs, WINDOWS, strict=True)]
        with Recording(recorded, names, every=3) as recording:
            made = [recorded.step(x, n) for x, n in zip(inputs, WINDOWS, strict=True)]
        for one, other in zip(expected, made, strict=True):
            assert one.keys() == other.keys()
            assert all(np.array_equal(one[name], other[name]) for name in one)
        assert same_state(plain.state(), recorded.state()) == []

        for name in expected[0]:
            joined = np.concatenate([one[name] for one in expected])
            assert np.array_equal(recording[f"{name}.spikes"], joined)
        for source in network.spiking.sources:
            joined = np.concatenate([x[source.name] for x in inputs])
            assert np.array_equal(recording[f"{source.name}.spikes"], joined)
        for name in variables_of(first):
            assert recording.times(name).tolist() == [3, 6, 9, 12, 15, 18]
        assert recording[names[-1]].shape == (6, *first[names[-1]].shape)


def test_rows_are_the_states_after_these_steps(case: Case) -> None:
    network = FEATURES["CUBA-LIF"]()
    inputs = rasters(network, 8, 1)
    with case.make(network, "restore", "state", record=["last"]) as backend:
        first = backend.state()
        names = ["middle.spikes", *variables_of(first), "second.weights"]
        with Recording(backend, names, every=2) as recording:
            backend.step(inputs, 8)
        backend.restore(first)
        for t in range(8):
            backend.step({name: raster[t : t + 1] for name, raster in inputs.items()}, 1)
            state = backend.state()
            assert np.array_equal(recording["middle.spikes"][t], state["middle.spikes"][-1])
            for name in names[1:] if t % 2 else ():
                assert np.array_equal(recording[name][t // 2], state[name]), name
