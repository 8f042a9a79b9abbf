"""No flag of the command line is without effect: it changes what is printed, is refused, or listed.

The flags are those of the parsers, so a new one fails here until it has words to be tried with, or
a reason in `ELSEWHERE`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from neurorl.cli import _parser, main

SMALL = ["--set", "hidden=0", "--set", "actors=1", "--set", "window=4"]
TRAIN = ["train", "CartPole-v1", "--episodes", "3", *SMALL]
CHANGES: Mapping[str, tuple[list[str], Mapping[str, list[str]]]] = {
    "train": (
        TRAIN,
        {
            "--env-arg": ["sutton_barto_reward=true"],
            "--wrap": ["gymnasium.wrappers:TimeLimit,max_episode_steps=4"],
            "--environments": ["2"],
            "--eval-every": ["0"],
            "--eval-episodes": ["3"],
            "--callback": ["neurorl.callbacks:StopAt,mean_return=1.0,episodes=1"],
            "--arithmetic": ["loihi"],
            "--noise": ["chip", "--arithmetic", "loihi"],
            "--target": ["emulator"],
            "--device": ["cpu"],
            "--set": ["policy.beta=2.0"],
            "--rule": ["coagent"],
            "--config": ["fields.toml"],
            "--model": ["glm"],
            "--learning": ["pes"],
            "--approach": ["reparameterization"],
            "--from": ["run"],
            "--seed": ["1"],
            "--seeds": ["1,2"],
            "--jobs": ["2"],
            "--episodes": ["2"],
            "--steps": ["9"],
            "--resume": [],
        },
    ),
    "evaluate": (
        ["evaluate", "run", "--episodes", "3"],
        {
            "--arithmetic": ["loihi"],
            "--noise": ["chip", "--arithmetic", "loihi"],
            "--target": ["emulator"],
            "--device": ["cpu"],
            "--env": ["MountainCar-v0"],
            "--env-arg": ["sutton_barto_reward=true"],
            "--wrap": ["gymnasium.wrappers:TimeLimit,max_episode_steps=4"],
            "--episodes": ["2"],
            "--seed": ["1"],
            "--sample": [],
            "--stochastic": [],
            "--energy": [],
        },
    ),
    "validate": (
        ["validate", "run", "--backends", "reference,brian2:numpy", "--steps", "20"],
        {
            "--backends": ["reference,torch"],
            "--arithmetic": ["loihi"],
            "--target": ["emulator"],
            "--without-noise": [],
            "--steps": ["30"],
            "--seed": ["1"],
            "--learn": ["--updates", "3"],
            "--updates": ["3"],
            "--env": ["Acrobot-v1"],
            "--dt": ["0.002"],
        },
    ),
    "show": (
        ["show", "run"],
        {
            "--arithmetic": ["loihi"],
            "--noise": ["chip", "--arithmetic", "loihi"],
            "--target": ["emulator"],
            "--device": ["cpu"],
            "--learning": [],
            "--env": ["Acrobot-v1"],
            "--dt": ["0.002"],
        },
    ),
    "sweep": (["sweep", "missing.toml", "--jobs", "2"], {"--scheduler": ["tcp://localhost:1"]}),
}
"""Map each command to words that run it, and its flags to other values of them."""
ELSEWHERE: Mapping[str, str] = {
    "--help": "prints help",
    "--json": "prints one object in place of a table; all commands here have it",
    "--out": "names the file or folder that is written; tests/runs and tests/zoo",
    "--tensorboard": "writes a folder; tests/runs/test_callbacks_of_runs.py",
    "--trust-env": "imports an environment's package; tests/tasks/test_saved_env.py",
    "--report": "writes a page; tests/validation",
    "--backend": "has the same bits: tests/cli/test_backend_flags.py",
    "evaluate --replicas": "has the same figures: tests/agents/test_evaluation_replicas.py",
    "sweep --jobs": "has the same rows by several processes: tests/runs/test_sweep.py",
    "sweep --cluster": "starts jobs of a batch system: tests/runs/test_clusters.py",
    **dict.fromkeys(
        ("status --page", "status --every"), "show it again: tests/runs/test_status.py"
    ),
    **dict.fromkeys(("compare --by", "compare --score"), "group rows: tests/runs/test_compare.py"),
    **dict.fromkeys(
        ("--size", "--backends", "--arithmetic", "--cold", "--replicas", "--rounds", "--seconds"),
        "say what is timed: tests/bench",
    ),
    **dict.fromkeys(("watch --fps", "watch --steps", "watch --seed"), "make a film: tests/runs"),
    **dict.fromkeys(
        ("watch --noise", "watch --target", "watch --device"), "are read as evaluate reads them"
    ),
    "plot --seeds": "shows runs as one: tests/runs",
}
"""Give the reason why a flag, of all commands or of one, isn't tried here."""


def flags() -> dict[str, list[str]]:
    """Return the flags of each command."""
    parsers = _parser().commands
    return {name: [*parser.flags] for name, parser in parsers.items()}


def test_every_flag_is_here() -> None:
    for command, names in flags().items():
        tried = CHANGES.get(command, ([], {}))[1]
        for flag in names:
            listed = flag in ELSEWHERE or f"{command} {flag}" in ELSEWHERE
            assert flag in tried or listed, f"neurorl {command} {flag}"


@pytest.fixture
def printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Any:
    """Return a function that runs a command where a small run is, and returns what it prints."""
    monkeypatch.chdir(tmp_path)
    assert main([*TRAIN, "--out", "run", "--json"]) == 0
    Path("fields.toml").write_text("[agent]\nbeta = 2.0\n")
    capsys.readouterr()

    def run(words: list[str], place: str) -> str | None:
        out = ["--out", place] if words[0] == "train" else []
        if main([*words, *out, "--json"]) == 2:
            return None
        return without_places(json.loads(capsys.readouterr().out))

    return run


def without_places(data: Any) -> str:
    """Return what was printed, without folders and times."""
    if isinstance(data, dict):
        data = {k: v for k, v in data.items() if k not in ("run", "wall_s", "rows_of", "out")}
    return json.dumps(data, sort_keys=True)


CASES = [(command, flag) for command, (_, tried) in CHANGES.items() for flag in tried]


@pytest.mark.parametrize(("command", "flag"), CASES, ids=lambda x: x.lstrip("-"))
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_flag_changes_what_is_printed_or_is_refused(
    command: str, flag: str, printed: Any
) -> None:
    words, tried = CHANGES[command]
    usual = printed(words, "usual")
    changed = printed([*words, flag, *tried[flag]], "changed")
    assert changed is None or changed != usual
