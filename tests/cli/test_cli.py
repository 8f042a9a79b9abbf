"""Test the command line: what it prints, what bad input gets, and that it starts quickly."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from neurorl import LinearActorCritic, SpikingActorCritic, evaluate
from neurorl.cli import main
from neurorl.errors import UnsupportedError
from neurorl.native import toolchain
from neurorl.native.build import library

GRID = "neurorl/GridWorld-v0"


def run(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, as a user starts it."""
    return subprocess.run(
        [sys.executable, "-m", "neurorl", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run of three short episodes."""
    out = tmp_path_factory.mktemp("runs") / "run"
    assert main(["train", "CartPole-v1", "--episodes", "3", "--out", str(out), "--json"]) == 0
    return out


def test_no_option_of_train_takes_an_empty_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Refuse what a script passes whose variable isn't set."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    options = set(re.findall(r"--[a-z]+[a-z-]*", capsys.readouterr().out)) - {"--help"}
    assert {"--model", "--backend", "--seed", "--out"} <= options
    for option in sorted(options):
        try:
            status: object = main(["train", GRID, "--episodes", "2", option, ""])
        except SystemExit as exc:  # of argparse, which prints how the command is used, too
            status = exc.code
        told = capsys.readouterr()
        assert (status, told.out) == (2, ""), option
        assert [line[:7] for line in told.err.splitlines()] in (["neurorl"], ["usage: ", "neurorl"])
    assert not any(tmp_path.iterdir())


def test_train_writes_a_run_and_prints_one_json_object(tmp_path: Path) -> None:
    done = run("train", "CartPole-v1", "--episodes", "2", "--out", "r", "--json", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == ""
    summary = json.loads(done.stdout)
    assert {
        "env",
        "backend",
        "model",
        "seed",
        "episodes",
        "env_steps",
        "mean_return_last_100",
        "solved_at_episode",
        "run",
    } <= set(summary)
    assert (summary["episodes"], summary["solved_at_episode"]) == (2, None)
    files = {p.name for p in (tmp_path / "r").iterdir()}
    assert files == {"config.json", "episodes.csv", "checkpoint.npz", "summary.json"}
    assert json.loads((tmp_path / "r" / "summary.json").read_text()) == summary
    rows = (tmp_path / "r" / "episodes.csv").read_text().splitlines()
    assert rows[0].startswith("episode,return,length,env_steps,wall_s")
    assert len(rows) == 3
    assert [p.name for p in tmp_path.iterdir()] == ["r"]


def test_evaluate_prints_the_fixed_keys(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for backend, arithmetic in (("reference", "float"), ("loihi", "loihi")):
        assert (
            main(["evaluate", str(trained), "--backend", backend, "--episodes", "2", "--json"]) == 0
        )
        result = json.loads(capsys.readouterr().out)
        assert (result["backend"], result["arithmetic"]) == (backend, arithmetic)
        assert result["mean_return"] > 0
        assert result["spikes_per_decision"] > 0
    assert main(["evaluate", str(trained), "--episodes", "2"]) == 0
    assert "mean_return" in capsys.readouterr().out


def test_show_and_plot_and_backends(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for what in (str(trained), "lif", "glm"):
        for backend in ("reference", "native", "brian2", "loihi"):
            assert main(["show", what, "--backend", backend]) == 0
            assert "output" in capsys.readouterr().out
    assert main(["plot", str(trained)]) == 0
    assert (trained / "learning_curve.png").read_bytes().startswith(b"\x89PNG")
    capsys.readouterr()
    assert main(["backends", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["name"] for row in rows] == [
        "reference",
        "native",
        "brian2",
        "loihi",
        "xylo",
        "torch",
    ]
    for row in rows:
        assert {"name", "available", "version", "target", "engines", "remedy"} <= set(row)
    unverified = {row["name"]: row["unverified"] for row in rows}
    assert unverified["reference"] is unverified["native"] is None
    assert "has not run on a chip" in unverified["loihi"]
    assert main(["backends"]) == 0
    listed = capsys.readouterr().out
    assert "reference" in listed
    assert "has not run on a chip" in listed


def damaged(trained: Path, tmp_path: Path, how: str) -> Path:
    """Return a copy of the run with something wrong."""
    path = tmp_path / "bad"
    shutil.copytree(trained, path)
    checkpoint = path / "checkpoint.npz"
    data = checkpoint.read_bytes()
    if how == "truncated checkpoint":
        checkpoint.write_bytes(data[: len(data) // 2])
    elif how == "empty checkpoint":
        checkpoint.write_bytes(b"")
    elif how == "no checkpoint":
        checkpoint.unlink()
    elif how == "no config":
        (path / "config.json").unlink()
    elif how == "truncated config":
        (path / "config.json").write_text('{"env": "Cart')
    elif how == "another config":
        (path / "config.json").write_text("[1, 2]")
    return path


@pytest.mark.parametrize("name", ["config.json", "episodes.csv", "summary.json"])
def test_another_file_of_a_run_is_not_called_damaged(
    name: str, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["evaluate", str(trained / name)]) == 2
    said = capsys.readouterr().err
    assert "is another kind of file; name the file that was saved, or its folder" in said
    assert "damaged" not in said


@pytest.mark.parametrize(
    ("how", "command", "words"),
    [
        ("truncated checkpoint", "evaluate", "is damaged: its digest doesn't match"),
        ("truncated checkpoint", "train", "is damaged: its digest doesn't match"),
        ("empty checkpoint", "evaluate", "is damaged"),
        ("no checkpoint", "evaluate", "can't be read"),
        ("no config", "evaluate", "config.json is missing"),
        ("no config", "train", "config.json is missing"),
        ("no config", "plot", "config.json is missing"),
        ("truncated config", "train", "config.json is damaged"),
        ("another config", "train", "config.json is of something else"),
    ],
)
def test_a_damaged_run_is_named(
    how: str,
    command: str,
    words: str,
    trained: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = damaged(trained, tmp_path, how)
    before = {p.name: p.read_bytes() for p in path.iterdir()}
    arguments = {
        "evaluate": ["evaluate", str(path)],
        "train": ["train", "CartPole-v1", "--out", str(path), "--resume"],
        "plot": ["plot", str(path)],
    }[command]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert {p.name: p.read_bytes() for p in path.iterdir()} == before


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only root can be another user")
@pytest.mark.parametrize(("part", "mode"), [("config.json", 0o000), (".", 0o700)])
def test_what_may_not_be_read_is_told_with_a_remedy(
    part: str, mode: int, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        shutil.copytree(trained, Path(name) / "run")
        Path(name).chmod(0o755)
        (Path(name) / "run" / part).chmod(mode)
        command = ["plot", f"{name}/run"]
        assert main(command) == 0  # as root, with all that is imported
        capsys.readouterr()
        os.seteuid(65534)
        try:
            assert main(command) == 2
        finally:
            os.seteuid(0)
    (told,) = capsys.readouterr().err.splitlines()
    assert "Permission denied" in told
    assert "let it and its folder be read" in told


def test_a_run_of_another_network_to_start_from_is_named(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "MountainCar-v0", "--from", str(trained), "--episodes", "1"]
    assert main([*command, "--out", str(tmp_path / "run")]) == 2
    assert f"run {trained}: is of another network" in capsys.readouterr().err


def test_energy_of_what_has_no_neurons_is_refused_by_its_name() -> None:
    agent = LinearActorCritic("neurorl/GridWorld-v0", seed=1)
    with pytest.raises(UnsupportedError, match="has no neurons, which backend and energy are of"):
        evaluate(agent, 1, energy=True)


def test_every_altered_byte_of_a_checkpoint_is_seen(trained: Path, tmp_path: Path) -> None:
    from neurorl.agents.checkpoint import read_checkpoint
    from neurorl.errors import RunError

    data = (trained / "checkpoint.npz").read_bytes()
    copy = tmp_path / "copy.npz"
    places = [*range(0, len(data), max(1, len(data) // 150)), *range(len(data) - 80, len(data))]
    for place in places:
        altered = bytearray(data)
        altered[place] ^= 1
        copy.write_bytes(altered)
        with pytest.raises(RunError, match="damaged"):
            read_checkpoint(copy)


BAD: list[tuple[list[str], str]] = [
    (["train", "CartPole-v1", "--backend", "brain2"], "did you mean 'brian2'"),
    (["train", "CartPol-v1"], "did you mean 'CartPole-v1'"),
    (["train", "CartPole-v1", "--model", "gml"], "did you mean 'glm'"),
    (["train", "CartPole-v1", "--arithmetic", "chip"], "arithmetic"),
    (["train", "CartPole-v1", "--backend", "loihi", "--arithmetic", "float"], "arithmetic 'float'"),
    (["train", "CartPole-v1", "--target", "emulator"], "backend reference: has no such option"),
    (["train", "CartPole-v1", "--backend", "loihi", "--target", "chip"], "auto, emulator, loihi"),
    (["train", "CartPole-v1", "--episodes", "0"], "episodes: must be a whole number"),
    (["train", "CartPole-v1", "--seed", "-1"], "seed"),
    (["train", "CartPole-v1", "--resume", "--out", "nothing"], "no such run directory"),
    (["evaluate", "nothing"], "can't be read"),
    (["plot", "nothing"], "no such run directory; make it by neurorl train\n"),
    (["show", "nothing"], "known: deep, glm, lif"),
]


@pytest.mark.parametrize(("arguments", "words"), BAD, ids=lambda value: str(value)[:60])
def test_bad_input_is_one_line_and_status_2(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    seen = capsys.readouterr()
    assert seen.out == ""
    assert words in seen.err
    assert seen.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [["train"], ["train", "CartPole-v1", "--out", ""], ["show", ""]])
def test_bad_usage_is_status_2(words: list[str]) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "exists" not in done.stderr


def test_a_run_is_not_overwritten(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {p.name: p.read_bytes() for p in trained.iterdir()}
    assert main(["train", "CartPole-v1", "--episodes", "1", "--out", str(trained)]) == 2
    assert "already exists" in capsys.readouterr().err
    for options, words in (
        (["Acrobot-v1"], "started with another env"),
        (["CartPole-v1", "--seed", "9"], "started with another seed"),
        (["CartPole-v1", "--backend", "loihi"], "started with another backend"),
    ):
        assert main(["train", *options, "--out", str(trained), "--resume"]) == 2
        assert words in capsys.readouterr().err
    assert {p.name: p.read_bytes() for p in trained.iterdir()} == before


def test_another_runs_checkpoint_is_refused(trained: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    done = run("train", "CartPole-v1", "--seed", "8", "--episodes", "1", "--out", str(other))
    assert done.returncode == 0
    shutil.copy(trained / "checkpoint.npz", other / "checkpoint.npz")
    done = run("train", "CartPole-v1", "--out", str(other), "--resume")
    assert done.returncode == 2
    assert "is of another run" in done.stderr


@pytest.mark.skipif(toolchain.identity() is None, reason="no C++ compiler")
@pytest.mark.parametrize("backend", ["reference", "native"])
def test_a_cache_that_cannot_be_written_is_named(
    backend: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    library.cache_clear()  # which this process may have loaded from another folder
    out = ["--episodes", "1", "--out", str(tmp_path / "run")]
    try:
        assert main(["train", "CartPole-v1", "--backend", backend, *out]) == 2
    finally:
        library.cache_clear()
    (line,) = capsys.readouterr().err.splitlines()
    assert "can't be written" in line
    assert "set XDG_CACHE_HOME" in line
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "code", ["import neurorl", "from neurorl.cli import main; main(['--help'])"]
)
def test_it_imports_no_simulator(code: str) -> None:
    """Start-up is quick because nothing heavy is imported; its time is measured by hand."""
    check = (
        f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\n"
        "heavy = {'brian2', 'nengo', 'nengo_loihi', 'matplotlib', 'scipy', 'rich', 'torch'}\n"
        "heavy |= {'neurorl.agents', 'neurorl.backends', 'neurorl.models', 'neurorl.network'}\n"
        "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_missing_simulator_leaves_the_others(tmp_path: Path) -> None:
    """Modules that fail to import stand in for simulators that are not installed, or broken."""
    (tmp_path / "brian2.py").write_text("raise ImportError('no such package')\n")
    (tmp_path / "nengo_loihi.py").write_text("raise RuntimeError('built for another NumPy')\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}

    def command(*arguments: str) -> Any:
        return subprocess.run(
            [sys.executable, "-m", "neurorl", *arguments],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )

    rows = {row["name"]: row for row in json.loads(command("backends", "--json").stdout)["rows"]}
    assert [rows[name]["available"] for name in ("reference", "brian2", "loihi")] == [
        True,
        False,
        False,
    ]
    assert "pip install brian2" in rows["brian2"]["remedy"]
    assert "built for another NumPy" in rows["loihi"]["remedy"]
    assert command("train", "CartPole-v1", "--episodes", "1", "--out", "a").returncode == 0
    for name in ("brian2", "loihi"):
        done = command("train", "CartPole-v1", "--backend", name, "--out", "b")
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "pip install" in done.stderr
    assert not (tmp_path / "b").exists()


def test_python_api_reads_what_the_command_line_wrote(trained: Path) -> None:
    agent = SpikingActorCritic.load(trained)
    assert len(agent.episodes) == 3
