"""Test the process that networks are built in: it stays, and is replaced when it has ended."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from neurorl.arithmetic.rounding import make_arithmetic
from neurorl.backends.brian2 import builders
from neurorl.backends.brian2.plan import library_plan
from neurorl.native import toolchain
from neurorl.testing import FEATURES

pytestmark = [
    pytest.mark.skipif(toolchain.problem() is not None, reason="no C++ compiler"),
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no builder stays"),
]


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Keep a builder for this test alone."""
    own = builders._Kept()
    monkeypatch.setattr(builders, "_kept", own)
    yield own
    own.end()


def plan() -> dict[str, Any]:
    network = FEATURES["LIF"]()
    depths = {node.name: 1 for node in network.nodes}
    return library_plan(network, make_arithmetic("float", network), depths)


@pytest.fixture
def compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Take a compiler that writes ``$WORD`` where the library is to be."""
    path = tmp_path / "c++"
    path.write_text('#!/bin/sh\nfor last; do :; done\necho "$WORD" > "$last"\n')
    path.chmod(0o755)
    monkeypatch.setenv("CXX", str(path))
    return path


def build(folder: Path) -> int:
    folder.mkdir()
    return builders.run_builder(folder, plan())


def test_a_builder_stays_until_it_is_killed_and_is_left_to_its_owner(
    kept: Any, compiler: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for word in ("one", "two"):  # each build has the environment of its moment
        monkeypatch.setenv("WORD", word)
        assert build(tmp_path / word) == 0
        assert (tmp_path / word / "library.so").read_text() == f"{word}\n"
        made.append(((tmp_path / word / "arrays.json").read_text(), kept._builder._process))
    assert made[0] == made[1]
    compiler.unlink()
    assert build(tmp_path / "refused") == 1
    assert str(compiler) in (tmp_path / "refused" / builders.SAID).read_text()
    process = kept._builder._process
    assert process is made[0][1]
    process.kill()
    assert build(tmp_path / "again") == 1
    assert kept._builder._process is not process
    process = kept._builder._process
    kept.begin_again()  # as in a copy of this process
    assert kept._builder is None
    process.returncode = None  # here nobody else can ask it, so it ends by itself
    assert process.wait() == 0


def test_a_builder_that_cannot_start_says_why(
    kept: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "brian2.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    folder = tmp_path / "built"
    folder.mkdir()
    assert builders.run_builder(folder, plan()) == 1
    assert "is in the place of Brian2" in (folder / builders.SAID).read_text()


def test_an_interrupted_answer_is_never_the_next_ones(
    kept: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(self: Any, request: str) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(builders._Builder, "run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            kept.run("{}", tmp_path)
    assert kept._builder is None


def test_a_program_whose_folder_was_removed_builds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    assert builders._directory(tmp_path) == str(gone)
    gone.rmdir()
    assert builders._directory(tmp_path) == str(tmp_path)
