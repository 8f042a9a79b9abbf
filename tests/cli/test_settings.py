"""Set fields of agents from the command line and from files: typed, kept, resumed, or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from neurorl.cli import main
from neurorl.errors import ArgumentError, DescriptionError
from neurorl.models import CubaLIF
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.options import option_types
from neurorl.models.agent.past import PAST
from neurorl.models.agent.policies import Softmax
from neurorl.models.deep.normalisation import Pool
from neurorl.models.deep.trunk import Shared
from neurorl.models.defaults.presets import make_config
from neurorl.runs.settings import read_settings
from neurorl.runs.training import train
from neurorl.tasks.environments import make_env

BANDIT = "neurorl/Bandit-v0"


def trained(out: Path, *flags: str, episodes: str = "3", env: str = BANDIT) -> int:
    """Train for some episodes, without printing anything of use."""
    return main(["train", env, "--episodes", episodes, "--out", str(out), "--json", *flags])


def agent_of(run: Path) -> AgentConfig:
    """Return the agent that a run's config.json has."""
    return AgentConfig.from_dict(json.loads((run / "config.json").read_text())["agent"])


def kept(run: Path) -> dict[str, bytes]:
    """Return the files of a run that say nothing of seconds."""
    return {name: (run / name).read_bytes() for name in ("config.json", "checkpoint.npz")}


def test_fields_are_set_and_kept_as_from_python(tmp_path: Path) -> None:
    flags = ["--set", "policy.beta=0.2", "--set", "hidden=[4,3]", "--set", "actors=2"]
    flags += ["--set", "neuron.tau_mem=0.005", "--set", "policy=softmax", "--rule", "coagent"]
    assert trained(tmp_path / "flags", *flags) == 0
    agent = agent_of(tmp_path / "flags")
    assert (agent.policy, agent.hidden) == (Softmax(0.2), (4, 3))
    assert (agent.actors, agent.rule) == (2, "coagent")
    assert isinstance(agent.neuron, CubaLIF)
    assert agent.neuron.tau_mem == 0.005
    overrides: dict[str, Any] = {
        "policy.beta": 0.2,
        "hidden": (4, 3),
        "actors": 2,
        "rule": "coagent",
    }
    overrides["neuron.tau_mem"] = 0.005
    train(BANDIT, tmp_path / "python", episodes=3, overrides=overrides)
    assert kept(tmp_path / "flags") == kept(tmp_path / "python")


def test_a_run_with_settings_goes_on_as_one_without_a_break(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--set", "policy.beta=0.2", "--set", "neuron.noise=0.4"]
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert trained(whole, *flags, episodes="6") == 0
    assert trained(broken, *flags) == 0
    assert trained(broken, "--resume", episodes="6") == 0  # nobody needs to say it again
    assert kept(whole) == kept(broken)
    assert trained(broken, "--resume", *flags, episodes="6") == 0
    capsys.readouterr()
    for others, words in (
        (["--set", "policy.beta=0.3"], "was started with another policy.beta"),
        (["--set", "neuron.noise=0.1"], "was started with another neuron.noise"),
        (["--rule", "coagent"], "was started with another rule"),
        (["--set", "gradient.steps=4"], "was started with another gradient.steps"),
    ):
        assert trained(broken, "--resume", *others, episodes="6") == 2
        error = capsys.readouterr().err
        assert words in error
        assert error.count("\n") == 1
    assert kept(whole) == kept(broken)


def test_every_field_can_be_set_to_what_it_is() -> None:
    """Each value goes through text, as the command line and config.json have it, and comes back."""
    config = make_config(make_env("CartPole-v1"))
    data = {**config.to_dict(), "trunk": config.trunk.to_dict(), "looks_at": []}
    data |= {name: getattr(config, name) for name in PAST}  # which files name only where used
    for name in option_types():
        kind, dot, field = name.partition(".")
        value = data[kind].get(field) if dot else data[kind]
        value = config.parts[name].name if name in config.parts else value
        text = value if isinstance(value, str) else json.dumps(value)
        try:
            assert config.changed(**read_settings([f"{name}={text}"])) == config, name
        except (ArgumentError, DescriptionError) as exc:
            is_missing = dot and field not in data[kind]
            assert is_missing or "nothing of this agent reads it" in str(exc)  # noqa: PT017


WRONG = [
    ("--set", "gama=0.2", "did you mean 'gamma'"),
    ("--set", "policy.bta=0.2", "did you mean 'beta'"),
    ("--set", "gamma", "is not FIELD=VALUE"),
    ("--set", "=1", "is not FIELD=VALUE"),
    ("--set", "model=glm", "unknown name"),
    ("--set", "policy.beta=large", "--set policy.beta: of another type (got 'large', limit float)"),
    ("--set", "policy.beta=-1", "agent.policy.beta: out of range"),
    ("--set", "actors=2.5", "of another type"),
    ("--set", "carries=1", "limit bool"),
    ("--set", "carries=yes", "limit bool"),
    ("--set", "hidden=eight", "limit int or list of int"),
    ("--set", "neuron=LIF", "of another type"),
    ("--set", "neuron.tau_mm=1", "did you mean 'tau_mem'"),
    ("--set", "neuron.tau_mem=true", "not an array of numbers"),
    ("--set", "neuron.tau_mem=[1,", "not an array of numbers"),
    ("--set", "window.size=1", "unknown name"),
    ("--set", "rule=hebian", "known: agreement"),
    ("--set", "policy=no_such_module:Mine", "module 'no_such_module': doesn't import"),
    ("--rule", "no_such_module:MINE", "module 'no_such_module': doesn't import"),
    ("--set", "gradient.steps=4", "has no gradient options"),
    ("--set", 'neuron={"type":"LIFF"}', "did you mean"),
    ("--config", "nothing.toml", "can't be read"),
    *(
        ("--set", f"{name}={'9' * 400}", "out of range")
        for name in ("policy.beta", "gamma", "solved_at")
    ),
    *(("--set", f"solved_at={text}", "out of range") for text in ("NaN", "1e999", "-1e999")),
]


@pytest.mark.parametrize(("flag", "text", "words"), WRONG)
def test_a_wrong_setting_is_one_line_and_status_2(
    flag: str, text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trained(tmp_path / "run", flag, text) == 2
    seen = capsys.readouterr()
    assert words in seen.err
    assert (seen.out, seen.err.count("\n")) == ("", 1)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("empty.toml", "[1]\n"),
        ("empty.toml", "gamma = 0.2\n[neuron]\n"),
        ("empty.json", '{"gradient": {}}'),
        ("number.toml", "[1]\nbeta = 0.2\n"),
        ("inner.toml", "[neuron.tau_mem]\n"),
    ],
)
def test_a_table_of_nothing_is_one_line_and_status_2(
    name: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / name).write_text(text)
    assert trained(tmp_path / "run", "--config", str(tmp_path / name)) == 2
    seen = capsys.readouterr()
    assert (seen.out, seen.err.count("\n")) == ("", 1)
    assert not (tmp_path / "run").exists()


def test_a_field_is_set_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert trained(tmp_path / "run", "--rule", "coagent", "--set", "rule=coagent") == 2
    assert "is given twice" in capsys.readouterr().err


def test_a_rule_and_a_policy_of_ones_own_are_imported_from_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own_parts_of_mine.py").write_text(
        "from dataclasses import dataclass\n"
        "from neurorl.models.agent.policies import Softmax\n"
        "from neurorl.rules import Rule\n"
        'MINE = Rule("mine", output="spike*phi", hidden="spike*phi*b")\n'
        "@dataclass(frozen=True, eq=False)\n"
        "class Sharper(Softmax):\n"
        "    beta: float = 0.7\n"
    )
    monkeypatch.chdir(tmp_path)
    flags = ["--rule", "own_parts_of_mine:MINE", "--set", "policy=own_parts_of_mine:Sharper"]
    assert trained(tmp_path / "run", *flags, "--set", "policy.beta=0.6") == 0
    agent = agent_of(tmp_path / "run")
    assert agent.learning_rule.name == "mine"
    assert agent.policy.name == "own_parts_of_mine:Sharper"
    assert vars(agent.policy)["beta"] == 0.6


def test_the_default_folder_says_what_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.toml").write_text("actors = 2\n")
    flags = ["--set", "policy.beta=0.2", "--rule", "coagent", "--config", "own.toml"]
    assert main(["train", BANDIT, "--episodes", "1", "--seed", "4", "--json", *flags]) == 0
    (run,) = (tmp_path / "runs").iterdir()
    assert run.name == "neurorl-Bandit-v0-reference-lif-policy.beta=0.2-rule=coagent-own-seed4"


TOML = """
actors = 2
alpha_output = 1
rule = "coagent"
hidden = [4, 3]
[neuron]
noise = 0.4
"""


def test_a_file_of_fields_is_as_flags(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(TOML)
    fields = {"actors": 2, "alpha_output": 1, "rule": "coagent", "hidden": [4, 3]}
    (tmp_path / "mine.json").write_text(json.dumps({**fields, "neuron": {"noise": 0.4}}))
    flags = [f"--set={name}={value}" for name, value in fields.items()]
    assert trained(tmp_path / "flags", *flags, "--set", "neuron.noise=0.4") == 0
    assert trained(tmp_path / "toml", "--config", str(tmp_path / "mine.toml")) == 0
    assert trained(tmp_path / "json", "--config", str(tmp_path / "mine.json")) == 0
    assert kept(tmp_path / "flags") == kept(tmp_path / "toml") == kept(tmp_path / "json")
    assert (
        trained(tmp_path / "two", "--config", str(tmp_path / "mine.toml"), "--set", "actors=1") == 0
    )
    assert agent_of(tmp_path / "two").actors == 1


def test_another_runs_config_is_a_config(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--model", "glm", "--set", "policy.beta=0.2", "--backend", "native:loihi"]
    assert trained(tmp_path / "first", *flags) == 0
    config = ["--config", str(tmp_path / "first" / "config.json")]
    again = ["train", BANDIT, "--json", *config]
    assert main([*again, "--out", str(tmp_path / "same")]) == 0
    assert kept(tmp_path / "first") == kept(tmp_path / "same")
    assert main([*again, "--out", str(tmp_path / "same"), "--resume", "--episodes", "4"]) == 0
    assert (
        main([*again, "--seed", "1", "--set", "policy.beta=0.3", "--out", str(tmp_path / "seed")])
        == 0
    )
    sharper: dict[str, Any] = {"policy.beta": 0.3}
    assert agent_of(tmp_path / "seed") == agent_of(tmp_path / "first").changed(**sharper)
    said = json.loads((tmp_path / "seed" / "config.json").read_text())
    assert [said[name] for name in ("backend", "arithmetic", "model", "episodes", "seed")] == [
        *("native", "loihi", "glm", 3, 1)
    ]
    assert main([*again, "--backend", "reference", "--out", str(tmp_path / "moved")]) == 0
    said = json.loads((tmp_path / "moved" / "config.json").read_text())
    assert (said["backend"], said["arithmetic"]) == ("reference", "float")
    capsys.readouterr()
    for others, words in (
        (["--model", "lif"], "another than that of --config"),
        (["--from", str(tmp_path / "first")], "not both"),
    ):
        assert main([*again, *others, "--out", str(tmp_path / "not")]) == 2
        assert words in capsys.readouterr().err
    assert main(["train", "CartPole-v1", *config, "--out", str(tmp_path / "not")]) == 2
    assert "is a run of another environment" in capsys.readouterr().err


def test_a_file_imports_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.toml").write_text('rule = "nowhere_imported:MINE"\n')
    assert trained(tmp_path / "run", "--config", str(tmp_path / "mine.toml")) == 2
    assert "import nowhere_imported first" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("actors = ", "is no TOML"),
        ("actor = 2", "did you mean 'actors'"),
        ("actors = 'two'", "of another type"),
        ("actors = 2001-01-01", "of another type"),
        ("solved_at = inf", "out of range"),
        ("policy.beta = nan", "out of range"),
        ("[actors]\nn = 2", "unknown name"),
    ],
)
def test_a_wrong_file_is_one_line(
    text: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.toml").write_text(text)
    assert trained(tmp_path / "run", "--config", str(tmp_path / "mine.toml")) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_gradients_take_their_own_options(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    flags = ["--approach", "reparameterization", "--set", "gradient.steps=8"]
    assert trained(tmp_path / "run", *flags, "--set", "policy.beta=0.2") == 0
    said = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (said["gradient"]["steps"], said["agent"]["policy"]["beta"]) == (8, 0.2)
    assert trained(tmp_path / "run", *flags, "--resume", episodes="5") == 0
    config = ["--config", str(tmp_path / "run" / "config.json")]
    assert main(["train", BANDIT, *config, "--out", str(tmp_path / "again"), "--json"]) == 0
    assert kept(tmp_path / "run") == kept(tmp_path / "again")


FLOOR = "trunk.normalisation.floor"
POOL = ("--set", "hidden=8", "--set", "trunk.normalisation=pool")
"""Come after a field of the part, as flags may stand in any order."""


def test_fields_of_parts_within_parts_are_set_and_kept(tmp_path: Path) -> None:
    flags = ["--model", "deep", "--set", f"{FLOOR}=0.2", *POOL]
    assert trained(tmp_path / "flags", *flags, env="CartPole-v1") == 0
    trunk = agent_of(tmp_path / "flags").trunk
    assert isinstance(trunk, Shared)
    assert isinstance(trunk.normalisation, Pool)
    assert trunk.normalisation.floor == 0.2
    (tmp_path / "mine.toml").write_text(f'hidden = 8\ntrunk.normalisation = "pool"\n"{FLOOR}"=0.2')
    mine = ["--model", "deep", "--config", str(tmp_path / "mine.toml")]
    assert trained(tmp_path / "toml", *mine, env="CartPole-v1") == 0
    assert kept(tmp_path / "flags") == kept(tmp_path / "toml")
    assert trained(tmp_path / "toml", "--resume", *flags[2:], env="CartPole-v1", episodes="4") == 0


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (f"{FLOOR}s=0.3", "did you mean 'floor'"),
        (f"{FLOOR}.of=0.3", "did you mean 'floor'"),
        (f"{FLOOR}=-1", f"agent.{FLOOR}: out of range"),
        ("trunk.spread.floor=1", "did you mean 'spread'"),
        ("trunk.step_size.limit=1", "it is for step_size 'bounded'"),
        ("trunk..floor=1", "unknown name"),
    ],
)
def test_a_wrong_field_of_a_part_within_a_part_is_one_line(
    setting: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--model", "deep", "--set", setting]
    assert trained(tmp_path / "run", *flags, env="CartPole-v1") == 2
    seen = capsys.readouterr()
    assert words in seen.err
    assert (seen.out, seen.err.count("\n")) == ("", 1)
