"""Test two processes on one run, and on one cache entry: one does it, the other harms nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from attacker import Attack, Attacker, hashes

from neurorl.native import toolchain

GRID = "neurorl/GridWorld-v0"
SMALL = {"actors": 2, "hidden": 2}


def training(run: Path, resume: bool, episodes: int = 3) -> Attack:
    new = {} if resume else {"overrides": SMALL}
    options: dict[str, Any] = {"env": GRID, "runs": [[3, str(run)]], "resume": resume, **new}
    return Attack("train", {**options, "episodes": episodes})


@pytest.mark.parametrize("times", [4, pytest.param(100, marks=pytest.mark.slow)])
@pytest.mark.parametrize("processes", [2, 4])
def test_processes_that_start_one_run_together(
    processes: int,
    times: int,
    attacker: Attacker,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    whole = tmp_path / "whole"
    attacker.run(training(whole, False, 4))
    refused, differences = 0, 0
    for k in range(times):
        run = tmp_path / f"{k}"
        for resume, episodes in ((False, 3), (True, 4)):
            found = attacker.together([training(run, resume, episodes)] * processes)
            for outcome in found:
                assert outcome.status in (0, 2), outcome
                if outcome.status == 2:
                    refused += 1
                    assert outcome.said.count("\n") == 1
                    words = ("is being trained by another process", "already exists")
                    assert any(word in outcome.said for word in words), outcome.said
            assert any(outcome.status == 0 for outcome in found)
        differences += hashes(run) != hashes(whole)
    with capsys.disabled():
        starts = 2 * times * processes
        print(f"\n{starts} starts on {times} runs: {refused} refused, {differences} differences")
    assert refused > 0
    assert differences == 0


@pytest.mark.skipif(toolchain.problem() is not None, reason="no C++ compiler")
@pytest.mark.parametrize("times", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_processes_that_compile_one_library_together(
    times: int, attacker: Attacker, tmp_path: Path
) -> None:
    """The entry is compiled once, and all of them load it."""
    source = tmp_path / "src" / "small.cpp"
    source.parent.mkdir()
    source.write_text('extern "C" int answer() { return 42; }\n')
    wrapper, log = tmp_path / "c++", tmp_path / "log"
    compiler = " ".join(toolchain.compiler())
    wrapper.write_text(
        f'#!/bin/sh\ncase "$*" in *library.cpp*) echo built >> {log};; esac\nexec {compiler} "$@"\n'
    )
    wrapper.chmod(0o755)
    for k in range(times):
        folder = tmp_path / f"{k}"
        options = {"source": str(source), "folder": str(folder), "compiler": str(wrapper)}
        found = attacker.together([Attack("compile", options)] * 4)
        assert [outcome.status for outcome in found] == [0] * 4, found
        assert log.read_text().count("built") == k + 1
        kinds = sorted(path.suffix for path in folder.iterdir())
        assert kinds == [".lock", ".sha256", ".so"]
