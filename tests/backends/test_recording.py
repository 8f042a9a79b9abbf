"""Test recordings: rows, files, callbacks, several at once, windows, replicas, refusals."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorl import Learning, Recording, load
from neurorl.errors import ArgumentError, BackendError, RunError, UnknownNameError
from neurorl.testing import FEATURES, rasters

NETWORK = FEATURES["CUBA-LIF"]()
INPUTS = rasters(NETWORK, 12, 3, 0.6)


def test_a_file_has_rows_and_times(tmp_path: Path) -> None:
    with load("reference", NETWORK) as backend:
        with Recording(backend, ["last.spikes", "middle.voltage"], every=5) as recording:
            assert recording["middle.voltage"].shape == (0, 12)
            backend.step(INPUTS, 12)
        recording.to_npz(tmp_path / "a.npz")
        with np.load(tmp_path / "a.npz", allow_pickle=False) as file:
            assert sorted(file) == sorted(
                f"{n}{t}" for n in ("last.spikes", "middle.voltage") for t in ("", ".t")
            )
            assert np.array_equal(file["middle.voltage"], recording["middle.voltage"])
            assert file["middle.voltage.t"].tolist() == [5, 10]
            assert file["last.spikes"].dtype == bool
            assert file["last.spikes.t"].tolist() == list(range(1, 13))
        assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]
        with pytest.raises(RunError, match=r"recording .*can't be written"):
            recording.to_npz(tmp_path / "no" / "a.npz")


def test_steps_after_the_block_are_not_in_it_and_a_second_block_goes_on() -> None:
    with load("reference", NETWORK) as backend:
        recording = Recording(backend, ["last.voltage"], every=2)
        for inside in (True, False, True):
            if inside:
                with recording:
                    backend.step({}, 4)
            else:
                backend.step({}, 4)
        assert recording.times("last.voltage").tolist() == [2, 4, 10, 12]


def test_a_callback_gets_every_row_and_nothing_is_kept() -> None:
    rows: list[tuple[float, str, Any]] = []
    with load("reference", NETWORK) as backend:
        names = ["last.spikes", "first.weights"]
        with Recording(backend, names, 6, lambda *row: rows.append(row)) as recording:
            spikes = backend.step(INPUTS, 12)["last"]
        told = [value for _, name, value in rows if name == "last.spikes"]
        assert np.array_equal(np.stack(told), spikes)
        assert [t for t, name, _ in rows if name == "first.weights"] == [6, 12]
        assert len(recording["last.spikes"]) == 0


def test_two_recordings_each_have_their_own_period() -> None:
    with load("reference", NETWORK) as backend:
        with (
            Recording(backend, ["last.voltage"], every=2) as one,
            Recording(backend, ["last.voltage"], every=3) as other,
        ):
            backend.step(INPUTS, 12)
        assert one.times("last.voltage").tolist() == [2, 4, 6, 8, 10, 12]
        assert other.times("last.voltage").tolist() == [3, 6, 9, 12]
        assert np.array_equal(one["last.voltage"][2::3], other["last.voltage"][1::2])


def test_replicas_stand_side_by_side() -> None:
    names = ["last.voltage", "last.spikes", "first.weights"]
    with load("reference", NETWORK, seed=[4, 5]) as both, Recording(both, names) as recording:
        both.step({"input": np.hstack([INPUTS["input"]] * 2)}, 12)
    for k, seed in enumerate((4, 5)):
        with load("reference", NETWORK, seed=seed) as one, Recording(one, names) as alone:
            one.step(INPUTS, 12)
        for name in names[:2]:
            assert np.array_equal(recording[name][:, 3 * k : 3 * k + 3], alone[name])
        assert np.array_equal(recording["first.weights"][:, k], alone["first.weights"])


def test_windows_made_in_the_block_are_recorded_and_others_are_an_error() -> None:
    with load("native", NETWORK) as b:
        before = b.window(12)
        with Recording(b, ["last.spikes"]) as recording:
            window = b.window(12)
            window.inputs["input"][:] = INPUTS["input"]
            window.run(True)
            assert np.array_equal(recording["last.spikes"], window.rasters["last"])
            assert window.native is None
        with (
            pytest.raises(BackendError, match="steps 13 to 24 are missing"),
            Recording(b, ["last.spikes"]),
        ):
            before.run(True)
        assert b.recordings == []


def test_a_restored_time_is_no_gap() -> None:
    with load("reference", NETWORK) as backend:
        backend.step(INPUTS, 12)
        state = backend.state()
        backend.step(INPUTS, 12)
        with Recording(backend, ["last.voltage"], every=12) as recording:
            backend.restore(state)
            backend.step(INPUTS, 12)
        assert recording.times("last.voltage").tolist() == [24]


def test_learning_of_the_chip_is_recorded_and_stays_the_same() -> None:
    network = FEATURES["weights written between windows"]()
    errors, inputs = {"cells": np.linspace(-1, 1, 8)}, rasters(network, 12, 3, 0.6)
    options: dict[str, Any] = {"learning": "pes", "noise": "chip", "seed": 2}
    with load("loihi", network, **options) as plain, load("loihi", network, **options) as recorded:
        plain.learn(inputs, errors, 12)
        with Recording(recorded, ["drive.weights"], every=4) as recording:
            recorded.learn(inputs, errors, 12)
        assert np.array_equal(plain.weights("drive"), recorded.weights("drive"))
        weights = recording["drive.weights"]
        assert np.array_equal(weights[-1], recorded.weights("drive"))
        assert not np.array_equal(weights[0], weights[-1])


def test_weights_that_learn_without_an_agent_are_recorded() -> None:
    network = FEATURES["weights written between windows"]()
    inputs = rasters(network, 12, 3, 0.6)
    with load("reference", network) as plain, load("reference", network) as recorded:
        with Recording(recorded, ["drive.weights"], every=4) as recording:
            for learning in (Learning(plain), Learning(recorded)):
                for modulator in (0.5, -0.2):
                    learning.window(inputs, 12)
                    learning.reinforce(modulator)
                learning.close()
            recorded.step({}, 4)
        weights = recording["drive.weights"]
        assert np.array_equal(plain.weights("drive"), weights[-1])
        assert len({row.tobytes() for row in weights}) == 3


@pytest.mark.parametrize(
    ("names", "every", "error", "words"),
    [
        (["lst.spikes"], 1, UnknownNameError, "recorded name.*did you mean 'last.spikes'"),
        (["middle.w"], 1, UnknownNameError, "recorded name"),
        ("last.spikes", 1, ArgumentError, "no list of names"),
        ([], 1, ArgumentError, "no list of names"),
        (["last.spikes"], 0, ArgumentError, "Recording, every: must be a whole number .got 0"),
    ],
)
def test_what_is_refused(names: Any, every: int, error: type[Exception], words: str) -> None:
    with load("reference", NETWORK) as backend, pytest.raises(error, match=words):
        Recording(backend, names, every)
