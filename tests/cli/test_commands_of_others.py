"""Find commands of other distributions by their entry points, sound and broken ones."""

from __future__ import annotations

import importlib.metadata
import sys
from types import ModuleType
from typing import Any

import pytest

from neurorl.cli import GROUP, main

SOUND: dict[str, Any] = {
    "HELP": "say what it is given",
    "add_arguments": lambda parser: parser.add_argument("word"),
    "run": lambda arguments: print(arguments.word) or 0,
}


@pytest.fixture(autouse=True)
def others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Offer a command, one without a name that it needs, one of no module, one of our name."""
    for name, holds in (("sound", SOUND), ("lacking", {**SOUND, "run": None})):
        module = ModuleType(f"others_{name}")
        vars(module).update({key: value for key, value in holds.items() if value})
        monkeypatch.setitem(sys.modules, module.__name__, module)
    offered = {"echo": "others_sound", "lacking": "others_lacking", "gone": "others_gone"}
    points = [
        importlib.metadata.EntryPoint(name, value, GROUP)
        for name, value in (*offered.items(), ("train", "others_sound"))
    ]
    found = importlib.metadata.entry_points

    def entry_points(**asked: str) -> Any:
        return points if asked.get("group") == GROUP else found(**asked)

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)


def test_a_command_of_others_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["echo", "hello"]) == 0
    assert capsys.readouterr().out == "hello\n"


@pytest.mark.parametrize(
    ("name", "said"),
    [("lacking", "has no run"), ("gone", "doesn't import: No module named 'others_gone'")],
)
def test_a_broken_one_says_why_and_breaks_no_other(
    name: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"neurorl: command {name}: others_{name} {said}")
    assert error.count("\n") == 1
    assert main(["zoo", "--json"]) == 0


def test_none_takes_a_name_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    assert "--episodes" in capsys.readouterr().out
