"""What a chip can't do is refused before it runs; without a board, 'auto' takes the emulator."""

from __future__ import annotations

import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nxsdk.arch.n2a.n2board import N2Board
from simulators import loihi_of

from neurorl.backends.recording import Recording
from neurorl.backends.registry import available_backends, load
from neurorl.cli import main
from neurorl.errors import BackendError, BackendUnavailableError, FallbackWarning, UnsupportedError
from neurorl.testing import FEATURES, rasters


@pytest.fixture
def no_board(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(N2Board, "answers", False)
    monkeypatch.setattr(time, "sleep", lambda s: None)  # it tries three times, a second apart


def test_what_works_on_no_running_chip() -> None:
    with load("loihi", FEATURES["LIF"](), seed=1) as backend:
        weights = backend.weights("first")
        calls: list[tuple[str, Any]] = [
            ("state", backend.state),
            ("restore", lambda: backend.restore({})),
            ("set_weights", lambda: backend.set_weights("first", np.ones((6, 12)))),
        ]
        for verb, call in calls:
            with pytest.raises(UnsupportedError, match=f"^target loihi: {verb} can't work on a"):
                call()
            with pytest.raises(UnsupportedError, match="target='emulator'"):
                call()
        with pytest.raises(UnsupportedError, match=r"weights=.*learning='pes'"):
            backend.set_weights("first", weights)
        assert np.array_equal(backend.weights("first"), weights)
        assert not N2Board.last.runs


def test_a_recording_of_a_chip_has_spikes_and_refuses_states() -> None:
    network = FEATURES["LIF"]()
    with load("loihi", network, seed=1) as backend:
        with (
            pytest.raises(UnsupportedError, match=r"recording 'last.voltage': target loihi: state"),
            Recording(backend, ["last.spikes", "last.voltage"]),
        ):
            pass
        assert backend.recordings == []
        with Recording(backend, ["last.spikes", "first.weights"], every=3) as recording:
            spikes = backend.step(rasters(network, 9, 2, 0.9), 9)["last"]
        assert np.array_equal(recording["last.spikes"], spikes)
        assert recording["first.weights"].shape == (3, 6, 12)


@pytest.mark.parametrize(
    ("feature", "words"),
    [
        ("escape noise", "population 'middle' with escape noise.*noise='chip' or 'chip\\+coins'"),
        ("currents", "source 'level' of currents, as biases can't be rewritten.*encoder 'quiet'"),
    ],
)
def test_what_no_chip_has(feature: str, words: str) -> None:
    with pytest.raises(UnsupportedError, match=words):
        load("loihi", FEATURES[feature]())


def test_a_chip_that_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise OSError("power")

    with load("loihi", FEATURES["LIF"]()) as backend:
        monkeypatch.setattr(N2Board, "run", fail)
        with pytest.raises(BackendError, match="target loihi: the chip failed: power"):
            backend.step({}, 3)


@pytest.mark.usefixtures("no_board")
def test_a_board_that_does_not_answer_is_an_error_if_a_chip_was_asked_for() -> None:
    with pytest.raises(BackendUnavailableError, match=r"no chip answers.*target='emulator'"):
        load("loihi", FEATURES["LIF"](), target="loihi")


@pytest.mark.usefixtures("no_board")
@pytest.mark.parametrize("seed", [3, (3, 4)])
def test_auto_falls_back_to_the_emulator_with_a_warning(seed: Any) -> None:
    network = FEATURES["recurrent projection"]()
    options: dict[str, Any] = {"seed": seed, "noise": "chip"}
    with pytest.warns(FallbackWarning, match="target auto: no chip answers, so the emulator runs"):
        backend = load("loihi", network, **options)
    with backend, load("reference", network, arithmetic="loihi", **options) as reference:
        assert loihi_of(backend).target == "emulator"
        inputs = rasters(reference.simulated.whole, 20, 0)
        expected, seen = reference.step(inputs, 20), backend.step(inputs, 20)
        assert all(np.array_equal(seen[name], expected[name]) for name in expected)
        backend.reset()


def test_the_list_of_backends_says_what_has_not_met_a_chip() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (row,) = (row for row in available_backends() if row["name"] == "loihi")
    assert row["target"] == "loihi"
    assert "'loihi' has not run on a chip" in row["unverified"]


def test_the_command_line_can_ask_for_the_emulator(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = str(tmp_path / "run")
    train = ["train", "neurorl/Bandit-v0", "--backend", "loihi", "--episodes", "2", "--out", run]
    assert main(train) == 2
    assert "use target='emulator' (--target emulator)" in capsys.readouterr().err
    assert not Path(run).exists()
    assert main([*train, "--target", "emulator"]) == 0
    assert main([*train[:-2], "--out", run, "--resume", "--target", "emulator"]) == 0
    assert main(["evaluate", run, "--episodes", "2", "--target", "emulator"]) == 0
    assert main(["show", run, "--target", "emulator"]) == 0
    assert "target emulator" in capsys.readouterr().out
    assert not N2Board.last.runs
