"""Run the report for owners on the stand-in for a chip: its spikes are compared, not its state."""

from __future__ import annotations

import time

import pytest
from nxsdk.arch.n2a.n2board import N2Board

from neurorl.conformance.__main__ import report


def test_a_chip_is_named_and_what_it_doesnt_learn_is_found() -> None:
    """Find that the stand-in spikes as the reference does, and that it learns nothing."""
    made = report("loihi", n_vectors=6)
    assert {row["target"] for row in made["vectors"]} == {"loihi"}
    assert all(row["compared"] == ["cells.spikes", "last.spikes"] for row in made["vectors"])
    assert [row["result"] for row in made["vectors"]] == ["equal", "differs"] * 3
    assert made["notes"] == []


def test_without_a_board_the_emulator_runs_and_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(N2Board, "answers", False)
    monkeypatch.setattr(time, "sleep", lambda s: None)  # it tries three times, a second apart
    made = report("loihi", n_vectors=1)
    assert [(row["target"], row["result"]) for row in made["vectors"]] == [("emulator", "equal")]
    assert "on emulator;" in made["read"][0]
    assert "no chip answers, so the emulator runs" in made["read"][-1]
    named = report("loihi", "loihi:target=loihi", n_vectors=1)
    assert named["vectors"][0]["result"] == "refused"
