"""Test what all scripts share: options, one line for bad input, and what they leave alone."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path
from typing import Any

import pytest
from load_script import load_script
from test_versions import digest_of

from experiments.options import docs_of, experiment_parser, names_of, places_of, plan_of, results_of
from neurorl.cli.status import exit_status
from neurorl.errors import ArgumentError

BAD = {
    "bench_brian2_step": ["--rounds", "0"],
    "bench_first_example": ["--rounds", "0"],
    "bench_loop": ["--rounds", "0"],
    "bench_pes": ["--rounds", "-1"],
    "benchmark": ["--rounds", "0"],
    "chip_parity": ["--backends", "neuron"],
    "comparison": ["--only", "speed"],
    "deploy": ["--only", "pong"],
    "growth": ["--quick", "--backends", "neuron"],
    "pes": ["--episodes", "0"],
    "reparameterization": ["--only", "cartpole"],
    "reproduce": ["--seeds", "a..b"],
    "soak": ["--backends", "neuron"],
    "tables": ["--only", "pong"],
    "tune": ["--only", "pong"],
    "validate_backends": ["--models", "pong"],
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_status_2(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_script(name).main(BAD[name]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"{name}: ")
    assert "got" in lines[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (None, 3, ""),
        (ArgumentError("x: wrong,\n  got 3"), 2, "grow: x: wrong, got 3\n"),
        (KeyboardInterrupt(), 130, "grow: stopped; goes on\n"),
    ],
)
def test_status_and_line_of_an_error(
    error: BaseException | None, status: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @exit_status("grow", "goes on")
    def main(arguments: list[str] | None = None) -> int:
        assert arguments == ["a"]
        if error:
            raise error
        return 3

    assert main(["a"]) == status
    assert capsys.readouterr().err == line


def test_an_error_that_is_ours_is_not_hidden() -> None:
    @exit_status("grow")
    def main(arguments: list[str] | None = None) -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        main([])


def parsed(*words: str) -> Any:
    return experiment_parser("", "grown").parse_args(words)


def test_where_things_go() -> None:
    options = parsed()
    assert (plan_of(options).out, results_of(options), docs_of(options)) == (
        *(Path("runs/grown"), Path("results"), Path("docs")),
    )
    quick = parsed("--quick")
    base = Path("runs/grown-quick")
    assert plan_of(quick).out == base
    assert (results_of(quick), docs_of(quick)) == (base / "results", base / "docs")
    named = parsed("--quick", "--out", "a", "--results", "b", "--docs", "c")
    assert plan_of(named).out == Path("a")
    assert (results_of(named), docs_of(named)) == (Path("b"), Path("c"))


def test_how_much_is_run() -> None:
    whole, quick = plan_of(parsed()), plan_of(parsed("--quick"))
    assert (whole.seeds, whole.episodes, whole.backend) == (tuple(range(20)), None, None)
    assert (quick.seeds, quick.episodes, quick.backend) == ((0, 1), 3, "reference")
    assert quick.evaluation_episodes == 2
    some = plan_of(parsed("--seeds", "4..6", "--episodes", "7", "--evaluation-episodes", "9"))
    assert (some.seeds, some.episodes, some.evaluation_episodes) == ((4, 5, 6), 7, 9)
    with pytest.raises(ArgumentError, match=r"--evaluation-episodes: out of range \(got 0"):
        plan_of(parsed("--evaluation-episodes", "0"))


def test_what_a_page_says_made_it() -> None:
    options = parsed("--quick", "--seeds", "0..1", "--episodes", "2", "--only", "a,b")
    assert places_of(options, "grow").command == "grow --quick --seeds 0..1 --episodes 2"
    assert names_of(options) == ["a", "b"]
    assert names_of(parsed()) is None


def test_the_demo_leaves_out_what_nobody_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    demo = load_script("demo")
    rows = [
        {"name": "reference", "available": True},
        {"name": "brian2", "available": False},
        {"name": "torch", "available": False},
    ]
    monkeypatch.setattr(demo, "available_backends", lambda: rows)
    arguments = ["--episodes", "2", "--evaluation-episodes", "1", "--out", str(tmp_path / "demo")]
    assert demo.main(arguments) == 0
    printed = capsys.readouterr().out
    assert "torch" not in printed
    assert [line.split()[2] for line in printed.splitlines() if "brian2" in line] == ["missing"]


def test_an_sdist_is_known_by_what_its_files_hold(tmp_path: Path) -> None:
    """`make test-versions` installs another one again, and the same at another time not."""
    digests = []
    for text, time in (("1\n", 1e9), ("1\n", 2e9), ("2\n", 1e9)):
        (tmp_path / "file").write_text(text)
        os.utime(tmp_path / "file", (time, time))
        with tarfile.open(tmp_path / "sdist.tar.gz", "w:gz") as archive:
            archive.add(tmp_path / "file", "neurorl-1/file")
        digests.append(digest_of(tmp_path / "sdist.tar.gz"))
    assert digests[0] == digests[1] != digests[2]
