"""Test `neurorl bench`: rows from numbers made by hand, what it prints and refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks import peers
from neurorl.backends.spec import BackendSpec
from neurorl.bench import candidates as c
from neurorl.bench import command as measure_module
from neurorl.bench.child import rate
from neurorl.bench.command import Plan, cells, measure, processor, rows
from neurorl.bench.workload import SIZES, get_size
from neurorl.cli import main
from neurorl.errors import UnsupportedError

KEYS = {"size", "replicas", "backend", "engine", "arithmetic", "env_steps_per_s", "us_per_step"}
KEYS |= {"ratio_to_floor", "start_s", "peak_mb"}


def sample(backend: str, number: int, speed: float, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "backend": backend,
        "engine": "dense",
        "arithmetic": "float",
        "size": "small",
    }
    found |= {"replicas": 1, "round": number, "cold": False, "env_steps_per_s": speed}
    return {**found, "start_s": 1.0 + number, "peak_mb": 40.0, **more}


def test_ratios_are_taken_inside_a_round() -> None:
    samples = [sample("c-floor", k, f) for k, f in enumerate((1000.0, 500.0, 2000.0))]
    samples += [sample("x", k, f, engine="e") for k, f in enumerate((100.0, 100.0, 100.0))]
    samples += [sample("x", 0, 50.0, engine="e", size="large")]
    samples += [sample("x", 3, 0.0, engine="e", cold=True, start_s=9.0)]
    floor, x, large = rows(samples)
    assert (floor["ratio_to_floor"], floor["env_steps_per_s"]) == (1.0, 1000.0)
    assert (x["ratio_to_floor"], x["ratio_min"], x["ratio_max"]) == (0.1, 0.05, 0.2)
    assert (x["us_per_step"], x["start_s"], x["start_cold_s"]) == (10_000.0, 2.0, 9.0)
    assert x["rounds"] == 3
    assert large["ratio_to_floor"] is None
    assert large["start_cold_s"] is None
    assert cells(x)[3:] == ["100", "10000", "0.1 (0.05-0.2)", "2", "9", "40"]
    assert cells(large)[5] == "-"


def test_ratios_are_to_the_quicker_floor_of_the_round() -> None:
    samples = [sample("c-floor", k, f) for k, f in enumerate((100.0, 400.0))]
    samples += [sample("c-floor", k, f, engine="block") for k, f in enumerate((200.0, 200.0))]
    samples += [sample("x", k, f, engine="e") for k, f in enumerate((100.0, 100.0))]
    dense, block, x = rows(samples)
    assert (dense["ratio_min"], dense["ratio_max"]) == (0.5, 1.0)
    assert (block["ratio_min"], block["ratio_max"]) == (0.5, 1.0)
    assert (x["ratio_to_floor"], x["ratio_min"], x["ratio_max"]) == (0.375, 0.25, 0.5)


def test_rate_counts_replicas_and_stops() -> None:
    calls = []

    def step() -> int:
        calls.append(1)
        return 4

    assert rate(step, 60.0, 7) > 0
    assert len(calls) == 7
    assert rate(step, 0.01, None) > 4


def test_names_are_those_of_the_backends() -> None:
    found = c.backends(["brian2:cython", "loihi:stock"], "loihi")
    assert [x.label for x in found] == ["brian2:cython:loihi", "loihi:stock:loihi"]
    assert [x.label for x in c.backends(None, "float")] == [
        "reference:float",
        "native:float",
        "brian2:float",
        "torch:float",
    ]
    assert len(set(c.everything())) == len(c.everything()) == 9


def test_what_fails_becomes_a_note() -> None:
    plan = Plan([c.Candidate(BackendSpec("loihi", "float"))], ("small",), (2,), 2, 0.05)
    report = measure(plan)
    assert [row["backend"] for row in report.rows] == ["c-floor", "c-floor"]
    assert len(report.notes) == 1
    assert report.notes[0].startswith("loihi:float: UnsupportedError: backend loihi: can't run")


@pytest.mark.parametrize("name", list(peers.PEERS))
def test_a_peer_that_is_missing_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    found, notes = peers.candidates([name])
    assert [x.label for x in found] == ["c-floor:block"]
    assert notes == [f"{name}: not installed (pip install {peers.PEERS[name].distributions[0]})"]


@pytest.mark.parametrize("name", [n for n in peers.PEERS if n not in ("netrun", "bindsnet")])
@pytest.mark.parametrize("replicas", [1, 2])
def test_peers_step(name: str, replicas: int) -> None:
    if peers.missing(name):
        pytest.skip(f"{name} is not installed")
    (_, candidate), _ = peers.candidates([name])
    if name == "spikingjelly" and replicas > 1:
        with pytest.raises(UnsupportedError, match="one replica only"):
            c.make_loop(candidate, SIZES["small"], replicas)
        return
    loop = c.make_loop(candidate, SIZES["small"], replicas)
    assert [loop.step() for _ in range(30)] == [replicas] * 30
    loop.close()


def test_the_command_prints_rows(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bench", "--size", "small", "--backends", "reference"]
    command += ["--seconds", "0.2", "--rounds", "1"]
    assert main([*command, "--json"]) == 0
    seen = capsys.readouterr()
    assert seen.err == ""
    result = json.loads(seen.out)
    assert [row["backend"] for row in result["rows"]] == ["c-floor", "c-floor", "reference"]
    for row in result["rows"]:
        assert set(row) >= KEYS
        assert row["us_per_step"] > 0
    assert result["notes"] == []
    assert result["cpu"] == processor()
    assert main(command) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("cpu: ")
    assert "env steps/s" in shown
    assert "dense" in shown


def test_a_preset_has_no_floor() -> None:
    reference = c.Candidate(BackendSpec("reference"))
    plan = Plan([reference, c.Candidate(BackendSpec("x"), "x.y")], ("small", "cartpole"), (2,))
    assert [case[2] for case in plan.cases if case[0] == "cartpole"] == [reference]
    loop = c.make_loop(reference, get_size("cartpole"), 2)
    assert [loop.step() for _ in range(3)] == [2, 2, 2]
    loop.close()


BAD = [
    (["--size", "smal"], "did you mean 'small'"),
    (["--backends", "brain2"], "did you mean 'brian2'"),
    (["--backends", "brian2:c"], "known: cython, float, loihi, numpy"),
    (["--backends", "reference:stock"], "part of reference"),
    (["--backends", "loihi", "--arithmetic", "float"], "another arithmetic"),
    (["--arithmetic", "chip"], "arithmetic: unknown name"),
    (["--replicas", "0"], "--replicas: out of range"),
    (["--rounds", "0"], "--rounds: out of range"),
    (["--seconds", "nan"], "--seconds: out of range"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD, ids=lambda value: str(value)[:40])
def test_bad_input_is_one_line_and_status_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *arguments]) == 2
    seen = capsys.readouterr()
    assert seen.out == ""
    assert words in seen.err
    assert seen.err.count("\n") == 1


QUICK = ["bench", "--size", "small", "--seconds", "0.05", "--rounds", "1"]


def break_children(monkeypatch: pytest.MonkeyPatch, *broken: str) -> None:
    """No process is started: these backends are broken, others have a figure."""

    def run_child(module: str, job: Any, environment: Any = None) -> dict[str, Any]:
        spec = job["candidate"]["spec"]
        if spec["backend"] in broken:
            return {"error": "ImportError: broken"}
        figure = {"env_steps_per_s": 1e3, "start_s": 1.0, "peak_mb": 1.0}
        return {"engine": spec["engine"], "arithmetic": spec["arithmetic"], **figure}

    monkeypatch.setattr(measure_module, "run_child", run_child)


def test_a_backend_that_was_asked_for_and_is_not_measured_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    break_children(monkeypatch, "brian2", "c-floor")
    assert main([*QUICK, "--backends", "reference,brian2:numpy"]) == 2
    seen = capsys.readouterr()
    assert "reference" in seen.out  # what could be measured isn't lost
    assert seen.err.count("\n") == 1
    assert "brian2:numpy:float: ImportError: broken" in seen.err
    assert "c-floor" not in seen.err
    assert main([*QUICK, "--backends", "reference"]) == 0
    assert main(QUICK) == 2  # all that is installed
    assert "brian2:float: ImportError: broken" in capsys.readouterr().err


def test_a_backend_that_nobody_asked_for_may_be_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    break_children(monkeypatch, "torch")
    monkeypatch.setattr(
        "neurorl.bench.command.installed_version", lambda name: None if name == "torch" else "1"
    )
    assert main(QUICK) == 0
    assert "note: torch:float: ImportError: broken" in capsys.readouterr().out
    assert main([*QUICK, "--backends", "torch"]) == 2


def test_another_neurorl_in_the_current_folder_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Import as in a checkout, whose folder ``neurorl`` alone isn't the package."""
    (tmp_path / "neurorl").mkdir()
    (tmp_path / "neurorl" / "__init__.py").write_text("raise ImportError('another one')")
    monkeypatch.chdir(tmp_path)
    assert main([*QUICK, "--backends", "reference", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert [row["backend"] for row in result["rows"]] == ["c-floor", "c-floor", "reference"]
    assert result["notes"] == []
