"""SIGKILL before every event of a file: training goes on, and ends as if nothing had been."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from attacker import Attack, Attacker, Outcome, count_differences

from neurorl.native import toolchain

BANDIT = "neurorl/Bandit-v0"  # of one step: it is files that are attacked
SMALL = {"actors": 2, "hidden": 2}


def training(folder: Path, seeds: Sequence[int], episodes: int | None, **options: Any) -> Attack:
    """Return the training of one run, or of several with a checkpoint after every episode."""
    runs = [[seed, str(folder / f"seed{seed}")] for seed in seeds]
    new = {} if options.get("resume") else {"overrides": SMALL}
    return Attack(
        "train",
        {"env": BANDIT, "runs": runs, "episodes": episodes, **new, **options},
        watched=str(folder),
    )


def at(attack: Attack, event: int) -> Attack:
    """Return the same attack, killed before that event."""
    return Attack(**{**attack.__dict__, "kill_at": event})


def go_on(attacker: Attacker, attack: Attack, resume: bool) -> list[Outcome]:
    """Resume or start as a user does; if a line says what works instead, do that."""
    options = {**attack.options, "resume": resume}
    first = attacker.run(Attack("train", options))
    if first.status == 0:
        return [first]
    assert first.status == 2, first
    assert first.said.count("\n") == 1, first.said
    assert ("without --resume" if resume else "use --resume") in first.said
    second = attacker.run(Attack("train", {**options, "resume": not resume}))
    assert second.status == 0, second
    return [first, second]


@pytest.mark.parametrize(
    ("seeds", "episodes", "apart"),
    [
        ((3,), 2, 1),
        ((3, 4), 2, 8),
        pytest.param((3,), 4, 1, marks=pytest.mark.slow),
        pytest.param((3, 4, 5), 2, 1, marks=pytest.mark.slow),
    ],
)
def test_killed_at_every_event_both_ways_go_on(
    seeds: tuple[int, ...],
    episodes: int,
    apart: int,
    attacker: Attacker,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = tmp_path / "whole"
    events = attacker.run(training(whole, seeds, episodes)).events
    assert events > 20 * len(seeds)
    differences = 0
    for event in range(1, events + 1, apart):
        killed = tmp_path / f"{event}"
        attack = training(killed, seeds, episodes)
        assert attacker.run(at(attack, event)).status == -signal.SIGKILL
        other = tmp_path / f"{event}-other"
        if killed.exists():
            shutil.copytree(killed, other)
        go_on(attacker, attack, resume=True)
        go_on(attacker, training(other, seeds, episodes), resume=False)
        differences += count_differences(killed, whole, seeds) + count_differences(
            other, whole, seeds
        )
    with capsys.disabled():
        kills = len(range(1, events + 1, apart))
        print(f"\n{len(seeds)} seeds: {events} events, {kills} kills: {differences} differences")
    assert differences == 0


@pytest.mark.parametrize("apart", [10, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_at_every_event_while_it_is_resumed(
    apart: int, attacker: Attacker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, begun, seeds = tmp_path / "whole", tmp_path / "begun", (3, 4)
    events = attacker.run(training(whole, seeds, 3)).events
    attacker.run(at(training(begun, seeds, 3), events // 2))
    shutil.copytree(begun, tmp_path / "counted")
    resumed = training(tmp_path / "counted", seeds, None, resume=True)
    left = attacker.run(resumed).events
    differences = 0
    for event in range(1, left + 1, apart):
        killed = tmp_path / f"{event}"
        shutil.copytree(begun, killed)
        attack = training(killed, seeds, None, resume=True)
        assert attacker.run(at(attack, event)).status == -signal.SIGKILL
        assert attacker.run(attack).status == 0
        differences += count_differences(killed, whole, seeds)
    with capsys.disabled():
        print(f"\nresumed, 2 seeds: {left} events: {differences} differences")
    assert differences == 0


@pytest.mark.parametrize("apart", [3, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_at_every_event_while_it_is_extended(
    apart: int, attacker: Attacker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A plain resume goes on to what config.json says; the same command, to its own end."""
    seeds = (3,)
    ends = {episodes: tmp_path / f"whole{episodes}" for episodes in (2, 4)}
    for episodes, whole in ends.items():
        attacker.run(training(whole, seeds, episodes))
    shutil.copytree(ends[2], tmp_path / "counted")
    events = attacker.run(training(tmp_path / "counted", seeds, 4, resume=True)).events
    differences, reached = count_differences(tmp_path / "counted", ends[4], seeds), []
    for event in range(1, events + 1, apart):
        plain, same = tmp_path / f"{event}-plain", tmp_path / f"{event}-same"
        for folder, asked in ((plain, None), (same, 4)):
            shutil.copytree(ends[2], folder)
            attack = training(folder, seeds, 4, resume=True)
            assert attacker.run(at(attack, event)).status == -signal.SIGKILL
            assert attacker.run(training(folder, seeds, asked, resume=True)).status == 0
        plain_rows = (plain / "seed3" / "episodes.csv").read_text().count("\n") - 1
        reached.append(plain_rows)
        differences += count_differences(plain, ends[plain_rows], seeds)
        differences += count_differences(same, ends[4], seeds)
    with capsys.disabled():
        print(f"\nextended: {events} events: {differences} differences")
    assert differences == 0
    assert reached == sorted(reached)  # once config.json says so, it is so
    assert set(reached) == {2, 4}


@pytest.mark.skipif(toolchain.problem() is not None, reason="no C++ compiler")
@pytest.mark.parametrize("apart", [4, pytest.param(1, marks=pytest.mark.slow)])
def test_killed_at_every_event_of_a_cache(
    apart: int, attacker: Attacker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "src" / "small.cpp"
    source.parent.mkdir()
    source.write_text('extern "C" int answer() { return 42; }\n')

    def compiling(folder: Path, **options: Any) -> Attack:
        return Attack(
            "compile", {"source": str(source), "folder": str(folder)}, str(folder), **options
        )

    events = attacker.run(compiling(tmp_path / "whole")).events
    assert events > 12
    expected = {path.name for path in (tmp_path / "whole").iterdir()}
    for event in range(1, events + 1, apart):
        folder = tmp_path / f"{event}"
        assert attacker.run(compiling(folder, kill_at=event)).status == -signal.SIGKILL
        for path in folder.glob("loading*"):  # as if that was a while ago
            _make_old(path)
        assert attacker.run(compiling(folder)).status == 0
        assert {path.name for path in folder.iterdir()} == expected
    with capsys.disabled():
        print(f"\ncompiled: {events} events: built again, nothing left over")


def _make_old(path: Path) -> None:
    then = path.stat().st_mtime - 3600
    os.utime(path, (then, then))
