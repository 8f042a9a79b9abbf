"""Words of the command line: wrappers, completion, how an agent learns, and short errors."""

from __future__ import annotations

import json
import shutil
import subprocess
import textwrap
from pathlib import Path

import pytest

from neurorl.cli import main
from neurorl.errors import NeurorlError
from neurorl.runs.training import train

WRAPPERS = """
    import gymnasium as gym

    class Doubled(gym.RewardWrapper):
        def reward(self, reward):
            return 2.0 * reward

    class Scaled(gym.RewardWrapper, gym.utils.RecordConstructorArgs):
        def __init__(self, env, by):
            gym.utils.RecordConstructorArgs.__init__(self, by=by)
            super().__init__(env)
            self.by = by
        def reward(self, reward):
            return self.by * reward
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my_wrappers.py").write_text(textwrap.dedent(WRAPPERS))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def shown(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, object]:
    """Return what a command prints with --json."""
    capsys.readouterr()
    assert main([*words, "--json"]) == 0
    printed: dict[str, object] = json.loads(capsys.readouterr().out)
    return printed


def test_wrappers_are_around_the_task_and_kept(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wraps = ("--wrap", "my_wrappers:Doubled", "--wrap", "my_wrappers:Scaled,by=3.0")
    limit = ("--wrap", "gymnasium.wrappers:TimeLimit,max_episode_steps=4")
    words = ("train", "CartPole-v1", *wraps, *limit, "--out", "run")
    assert shown(capsys, *words, "--episodes", "2")["mean_return_last_100"] == 24.0
    config = json.loads((folder / "run" / "config.json").read_text())
    assert config["wrappers"] == [*wraps[1::2], limit[1]]
    assert shown(capsys, *words, "--episodes", "3", "--resume")["episodes"] == 3
    again = ("train", "CartPole-v1", "--out", "run", "--resume", "--episodes", "4")
    assert shown(capsys, *again)["mean_return_last_100"] == 24.0
    assert main(["train", "CartPole-v1", *wraps, "--out", "run", "--resume"]) == 2
    assert "another wrappers" in capsys.readouterr().err
    played = shown(capsys, "evaluate", "run", "--trust-env", "--episodes", "2")
    assert played["mean_return"] == 24.0
    other = ("evaluate", "run", "--env", "CartPole-v1", *wraps[:2], *limit, "--episodes", "2")
    assert shown(capsys, *other)["mean_return"] == 8.0


def test_processes_wrap_it_too(folder: Path) -> None:
    import my_wrappers  # type: ignore[import-not-found]  # noqa: F401

    from neurorl.runs.training import train_seeds

    runs = [(seed, folder / "two" / f"seed{seed}") for seed in (0, 1)]
    limit = "gymnasium.wrappers:TimeLimit,max_episode_steps=4"
    wrappers = ["my_wrappers:Doubled", limit]
    summaries = train_seeds("CartPole-v1", runs, episodes=1, wrappers=wrappers, jobs=2)
    assert [summary["mean_return_last_100"] for summary in summaries] == [8.0, 8.0]


def test_runs_without_wrappers_say_nothing_of_them(tmp_path: Path) -> None:
    train("neurorl/GridWorld-v0", tmp_path / "run", episodes=1)
    assert "wrappers" not in json.loads((tmp_path / "run" / "config.json").read_text())


@pytest.mark.parametrize(
    ("wrapper", "words"),
    [
        ("my_wrappers", "MODULE:WRAPPER"),
        ("my_wrappers:Missing", "no gymnasium.Wrapper"),
        ("my_wrappers:gym", "no gymnasium.Wrapper"),
        ("nowhere_at_all:Wrapper", "doesn't import"),
        ("my_wrappers:Scaled", "can't be made"),
        ("my_wrappers:Scaled,by", "MODULE:WRAPPER"),
    ],
)
def test_a_wrapper_that_is_none_is_one_line(
    folder: Path, wrapper: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", "CartPole-v1", "--wrap", wrapper, "--out", "run"]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1
    assert not (folder / "run").exists()


def test_a_file_alone_imports_no_wrapper(tmp_path: Path) -> None:
    train("neurorl/GridWorld-v0", tmp_path / "run", episodes=1)
    file = tmp_path / "run" / "config.json"
    config = {**json.loads(file.read_text()), "wrappers": ["antigravity:Wrapper"]}
    file.write_text(json.dumps(config))
    with pytest.raises(NeurorlError, match="import antigravity first"):
        train("neurorl/GridWorld-v0", tmp_path / "run", episodes=2, resume=True)
    file.write_text(json.dumps({**config, "wrappers": [3]}))
    with pytest.raises(NeurorlError, match="isn't named"):
        train("neurorl/GridWorld-v0", tmp_path / "run", episodes=2, resume=True)


@pytest.mark.parametrize(
    ("words", "usage", "said"),
    [
        (["train"], "usage: neurorl train ENV_ID [options]", "ENV_ID"),
        (["trian"], "usage: neurorl COMMAND ...", "did you mean train?"),
        (["evaluate", "x", "--episode-s", "3"], "neurorl evaluate RUN", "did you mean --episodes?"),
        (["evaluate", "x", "--seed", "a"], "usage: neurorl evaluate RUN [options]", "--seed"),
        (["zoo", "--nothing"], "usage: neurorl zoo [NAME] [options]", "--nothing"),
    ],
)
def test_wrong_words_are_two_short_lines(
    words: list[str], usage: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as status:
        main(words)
    assert status.value.code == 2
    first, second = capsys.readouterr().err.splitlines()
    assert usage in first
    assert said in second
    assert "--help" in second


def test_it_shows_how_an_agent_learns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    learning = shown(capsys, "show", "lif", "--learning")["learning"]
    assert isinstance(learning, dict)
    rows = {row["projection"]: row for row in learning["projections"]}
    assert set(rows) == {"input_hidden", "bias_hidden", "hidden_output", "bias_output"}
    assert rows["input_hidden"]["factor"] == "spike*(1 - n/W)*(phi*b)"
    assert rows["hidden_output"]["factor"] == "spike*(1 - n/W)*(phi*b)"
    assert rows["hidden_output"]["eligibility_kept"] == pytest.approx(0.99 * 0.9)
    assert learning["parts"]["modulator.type"] == "td-error"
    assert "learning" not in shown(capsys, "show", "lif")
    run = str(tmp_path / "run")
    train("neurorl/GridWorld-v0", Path(run), episodes=1, overrides={"rule": "coagent"})
    assert main(["show", run, "--learning"]) == 0
    assert "factor of output: " in capsys.readouterr().out
    assert main(["show", "glm", "--learning"]) == 0


def test_validate_names_a_target(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("validate", "lif", "--steps", "24", "--arithmetic", "loihi")
    backends = ("--backends", "reference,loihi", "--target", "emulator")
    data = shown(capsys, *words, *backends)
    assert data["verdict"] == "exact"
    assert "target=emulator" in str(data["command"])
    wrong = ("--backends", "reference,brian2:numpy", "--target", "emulator")
    assert main([*words, *wrong]) == 2
    assert "no backend has one" in capsys.readouterr().err


def completed(script: str, *words: str) -> list[str]:
    """Return what bash offers for the last of these words."""
    line = " ".join(f"'{word}'" for word in words)
    ask = f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _neurorl"
    program = f"{script}\n{ask}\nprintf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_bash_completes_commands_options_and_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if shutil.which("bash") is None:
        pytest.skip("there is no bash")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cartwheel").touch()
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    assert completed(script, "neurorl", "ev") == ["evaluate"]
    assert completed(script, "neurorl", "train", "--see") == ["--seed", "--seeds"]
    assert "cartpole-lif" in completed(script, "neurorl", "zoo", "cartp")
    assert completed(script, "neurorl", "plot", "cart") == ["cartwheel"]
    assert main(["completion", "zsh"]) == 0
    assert script in capsys.readouterr().out
    assert main(["completion", "fish"]) == 0
    assert "__fish_seen_subcommand_from train" in capsys.readouterr().out
