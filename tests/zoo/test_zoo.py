"""Pretrained agents: found by name wherever a run is, whole, and as their cards say."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import neurorl
from neurorl.agents.checkpoint import read_agent
from neurorl.cli import main
from neurorl.errors import RunError, UnknownNameError
from neurorl.lab.exchange import read_evaluation
from neurorl.storage import archive, zoo
from neurorl.storage.reading import FilePlace
from neurorl.storage.zoo import AGENTS, agents, find

NAME = "gridworld-lif"


def printed(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    """Return what a command prints with --json."""
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    shown: dict[str, object] = json.loads(capsys.readouterr().out)
    return shown


def test_every_agent_is_what_the_list_says() -> None:
    assert len(agents()) >= 1
    assert {path.name for path in AGENTS.iterdir()} == set(agents())
    for name, agent in agents().items():
        folder = find(name)
        assert {path.name for path in folder.iterdir()} == set(agent.files)
        described, _ = read_agent(folder)
        assert (described.env, described.seed) == (agent.env, agent.seed)
        assert described.arithmetic == agent.arithmetic
        played = read_evaluation(folder / "evaluation.json")
        kind = f"mean_{agent.figure.replace(' ', '_')}"
        assert dict(played)[kind] == next(iter(agent.returns.values()))
        text = (folder / "README.md").read_text()
        assert text.startswith("---\nlibrary_name: neurorl\n")
        assert f"zoo:{name}" in text


def test_all_together_are_small() -> None:
    assert sum(path.stat().st_size for path in AGENTS.rglob("*")) < 180e3 * len(agents())


def test_it_plays_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("evaluate", f"zoo:{NAME}", "--episodes", "3")
    played = printed(capsys, *words)
    assert (played["backend"], played["mean_return"]) == ("reference", 10.0)
    assert printed(capsys, *words, "--backend", "loihi")["mean_return"] == 10.0
    agent = neurorl.SpikingActorCritic.load(f"zoo:{NAME}")
    assert neurorl.evaluate(agent, 3)["spikes_per_decision"] == played["spikes_per_decision"]


def test_files_that_commands_make_of_it_are_the_users(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["plot", f"zoo:{NAME}"]) == 0
    assert main(["watch", f"zoo:{NAME}", "--steps", "2"]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        f"{NAME}-learning_curve.png",
        f"{NAME}-watch.gif",
    }
    assert printed(capsys, "show", f"zoo:{NAME}")["cost"]
    start = ("train", agents()[NAME].env, "--from", f"zoo:{NAME}", "--episodes", "1")
    printed(capsys, *start, "--out", "more")
    assert json.loads(Path("more/config.json").read_text())["start"] == f"zoo:{NAME}"
    _, before = read_agent(find(NAME))
    _, after = read_agent(Path("more"))
    weights = "learner.weights.input_hidden"
    assert abs(before[weights] - after[weights]).mean() < 0.01


def test_validate_takes_it(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("validate", f"zoo:{NAME}", "--backends", "reference:loihi,loihi", "--steps", "24")
    assert printed(capsys, *words)["verdict"] == "exact"


@pytest.mark.parametrize("file", ["checkpoint.npz.xz", "config.json", "README.md"])
def test_a_damaged_one_is_refused_in_one_line(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    file: str,
) -> None:
    shutil.copytree(AGENTS / NAME, tmp_path / NAME)
    monkeypatch.setattr(zoo, "AGENTS", tmp_path)
    agents()  # of the installation
    path = tmp_path / NAME / file
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(RunError, match="is damaged: its digest doesn't match"):
        find(NAME)
    with pytest.raises(SystemExit) as status:
        main(["evaluate", f"zoo:{NAME}"])
    assert status.value.code == 2
    said = capsys.readouterr().err.splitlines()
    assert f"zoo:{NAME}: {file} is damaged" in said[-1]
    path.unlink()
    with pytest.raises(RunError, match="can't be read"):
        find(NAME)


def test_another_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'gridworld-lif'"):
        find("zoo:gridword-lif")
    assert main(["zoo", "gridword-lif"]) == 2
    assert "did you mean" in capsys.readouterr().err


def test_the_command_lists_and_prints_cards(capsys: pytest.CaptureFixture[str]) -> None:
    rows = printed(capsys, "zoo")["rows"]
    assert isinstance(rows, list)
    assert [row["name"] for row in rows] == list(agents())
    assert main(["zoo", NAME]) == 0
    assert capsys.readouterr().out.startswith(f"# {NAME}\n")
    assert main(["zoo"]) == 0
    assert f"zoo:{NAME}" in capsys.readouterr().out


def test_a_small_file_takes_no_large_memory(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint.npz.xz"
    for data in (archive.compressed(bytes(2**24 + 1)), b"no", archive.compressed(b"x")[:-3]):
        file.write_bytes(data)
        with pytest.raises(RunError, match="is damaged"):
            archive.read_signed(file, FilePlace("checkpoint"), "")
