"""Test runs whose budget is in environment steps, and checkpoints within an episode."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import pytest

from neurorl.agents.checkpoint import digest, read_checkpoint
from neurorl.cli import main
from neurorl.errors import ArgumentError, EnvironmentWarning, RunError
from neurorl.models.defaults import tasks as task_defaults
from neurorl.runs import session
from neurorl.runs.training import train, train_seeds
from neurorl.tasks.first_play import FirstPlay
from neurorl.tasks.groups import has_time_limit

SMALL: dict[str, Any] = {"actors": 2, "hidden": 3}
WAYS: dict[str, dict[str, Any]] = {
    "reference": {},
    "chip arithmetic": {"arithmetic": "loihi"},
    "native": {"backend": "native"},
    "carries": {"backend": "native", "overrides": {**SMALL, "carries": True}},
    "spiking critic": {"model": "lif-spiking-critic"},
    "pes": {"backend": "loihi", "learning": "pes"},
    "gradients": {
        "approach": "reparameterization",
        "gradient": {"environments": 2, "steps": 8},
    },
}
KEYS = {"env", "backend", "model", "seed", "episodes", "env_steps", "mean_return_last_100"}
KEYS |= {"solved_at_episode", "run"}


class EndlessEnv(gym.Env[Any, Any]):
    """Go on for ever. at: what is raised, in which step; noise: added to what is shown."""

    at: ClassVar[dict[int, BaseException | signal.Signals]] = {}
    noise: ClassVar[float] = 0.0

    def __init__(self, **_: Any) -> None:
        self.observation_space = gym.spaces.Box(-1.0, 1.0, (2,))
        self.action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self._step = 0
        return self._seen(), {}

    def step(self, action: Any) -> Any:
        self._step += 1
        event = self.at.pop(self._step, None)  # once
        if isinstance(event, signal.Signals):
            signal.raise_signal(event)
        elif event is not None:
            raise event
        return self._seen(), float(action), False, False, {}

    def _seen(self) -> Any:
        seen = self.np_random.uniform(-0.9, 0.9, 2) + self.noise * (self._step == 3)
        return seen.astype(np.float32)


@pytest.fixture
def endless(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(EndlessEnv, "at", {})
    # Its events are of learning, so no first play meets them.
    monkeypatch.setattr(task_defaults, "first_play", lambda env: FirstPlay())
    gym.register("Endless-v0", EndlessEnv)
    yield "Endless-v0"
    gym.registry.pop("Endless-v0")


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write a checkpoint after every step."""
    monkeypatch.setattr(session, "EPISODE_SECONDS", 0.0)
    monkeypatch.setattr(session, "_SHOWN_SECONDS", 0.0)


def options(way: str) -> dict[str, Any]:
    if way == "gradients":
        pytest.importorskip("torch", reason="torch is not installed: pip install 'neurorl[torch]'")
    return {"overrides": SMALL, **WAYS[way]}


@pytest.mark.parametrize("way", WAYS)
def test_a_prefix_and_its_extension(way: str, tmp_path: Path) -> None:
    """A run of so many steps is the beginning of a longer one, file by file, and goes on as it."""
    chosen = options(way)
    for steps in (32, 112):
        train("CartPole-v1", tmp_path / f"whole{steps}", seed=3, steps=steps, **chosen)
    found = train("CartPole-v1", tmp_path / "run", seed=3, steps=32, **chosen)
    assert found["env_steps"] == 32
    files = [tmp_path / name / "checkpoint.npz" for name in ("run", "whole32", "whole112")]
    assert digest(files[0]) == digest(files[1])
    assert any(key.startswith("running.") for key in read_checkpoint(files[0])[1])
    again = train("CartPole-v1", tmp_path / "run", resume=True)
    assert {**again, "warnings": 0} == {**found, "warnings": 0}
    assert digest(files[0]) == digest(files[1])
    found = train("CartPole-v1", tmp_path / "run", steps=112, resume=True)
    assert found["env_steps"] == 112
    assert digest(files[0]) == digest(files[2])
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["steps"], config["episodes"]) == (112, None)
    episodes = found["episodes"] + 2
    train("CartPole-v1", tmp_path / "run", episodes=episodes, resume=True)
    train("CartPole-v1", tmp_path / "by_episodes", seed=3, episodes=episodes, **chosen)
    assert digest(files[0]) == digest(tmp_path / "by_episodes" / "checkpoint.npz")


@pytest.mark.parametrize("way", ["reference", "native", "gradients"])
def test_several_seeds(way: str, tmp_path: Path) -> None:
    """Each of several seeds goes on as if alone, though one had had more steps."""
    chosen = options(way)
    runs: list[tuple[int | None, Path]] = [(s, tmp_path / f"seed{s}") for s in (0, 1, 2)]
    train("CartPole-v1", runs[1][1], seed=1, steps=64, **chosen)
    train_seeds("CartPole-v1", runs, steps=48, resume=True, **chosen)
    train_seeds("CartPole-v1", runs, steps=80, resume=True)
    for seed, out in runs:
        train("CartPole-v1", tmp_path / f"alone{seed}", seed=seed, steps=80, **chosen)
        assert digest(out / "checkpoint.npz") == digest(
            tmp_path / f"alone{seed}" / "checkpoint.npz"
        )


@pytest.mark.parametrize("way", ["reference", "native", "carries", "pes", "gradients"])
def test_a_task_without_an_end(
    way: str, endless: str, always: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed again and again, a run goes on within its only episode."""
    chosen, out = options(way), tmp_path / "run"
    for at in (30, 31, 50):
        monkeypatch.setattr(EndlessEnv, "at", {at: SystemExit()})
        with pytest.raises(SystemExit):
            train(endless, out, seed=3, steps=128, resume=out.exists(), **chosen)
        described = read_checkpoint(out / "checkpoint.npz")[1]
        assert len(described["running.actions"]) > at - 20
        assert not (out / "summary.json").exists()
    monkeypatch.setattr(EndlessEnv, "at", {})
    found = train(endless, out, resume=True)
    assert found.keys() >= KEYS
    assert (found["episodes"], found["env_steps"]) == (0, 128)
    assert found["mean_return_last_100"] is None
    assert found["mean_discounted_return_last_100"] is None
    train(endless, tmp_path / "whole", seed=3, steps=128, **chosen)
    assert digest(out / "checkpoint.npz") == digest(tmp_path / "whole" / "checkpoint.npz")


def test_one_that_does_not_repeat_itself(
    endless: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "run"
    command = ["train", endless, "--out", str(out), "--json"]
    assert main([*command, "--steps", "20"]) == 0
    assert json.loads(capsys.readouterr().out)["mean_return_last_100"] is None
    kept = (out / "checkpoint.npz").read_bytes()
    monkeypatch.setattr(EndlessEnv, "noise", 1e-3)
    assert main([*command, "--steps", "40", "--resume"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "doesn't repeat itself" in line
    assert "--from" in line
    assert (out / "checkpoint.npz").read_bytes() == kept
    again = ["train", endless, "--steps", "40", "--out", str(tmp_path / "next")]
    assert main([*again, "--from", str(out)]) == 0
    assert main(["evaluate", str(out), "--episodes", "0"]) == 2
    assert main(["plot", str(out)]) == 2
    assert main(["show", str(out)]) == 0


@pytest.mark.parametrize("way", ["reference", "gradients"])
def test_control_c_keeps_what_was_learned(
    way: str,
    endless: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, chosen = tmp_path / "run", options(way)
    train(endless, out, seed=3, steps=16, **chosen)
    monkeypatch.setattr(EndlessEnv, "at", {37: signal.SIGINT})
    command = ["train", endless, "--steps", "128", "--out", str(out), "--resume"]
    assert main(command) == 130
    captured = capsys.readouterr()
    assert captured.err == "neurorl: stopped; a run goes on with --resume\n"
    arrays = read_checkpoint(out / "checkpoint.npz")[1]
    taken = len(arrays["running.actions"])
    assert taken == (80 if way == "gradients" else 37)  # of two environments
    monkeypatch.setattr(EndlessEnv, "at", {})
    assert main(command) == 0
    train(endless, tmp_path / "whole", seed=3, steps=128, **chosen)
    assert digest(out / "checkpoint.npz") == digest(tmp_path / "whole" / "checkpoint.npz")


def test_a_task_without_a_limit_is_told_of(
    endless: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gym.register("Limited-v0", lambda **_: gym.wrappers.TimeLimit(EndlessEnv(), 9))
    try:
        with pytest.warns(EnvironmentWarning, match="Blackjack-v1: has no time limit; if an epis"):
            train("Blackjack-v1", tmp_path / "blackjack", episodes=1)
        assert main(["train", "Blackjack-v1", "--episodes", "1", "--out", str(tmp_path / "b")]) == 0
        assert "neurorl: warning: environment Blackjack-v1: has no time limit" in (
            capsys.readouterr().err
        )
        train("Limited-v0", tmp_path / "limited", episodes=1)
        train(endless, tmp_path / "steps", steps=5)
    finally:
        gym.registry.pop("Limited-v0")
    assert not has_time_limit(gym.make("Blackjack-v1"))
    assert has_time_limit(gym.make("CartPole-v1"))
    assert has_time_limit(gym.make("neurorl/Bandit-v0"))
    assert has_time_limit(gym.make("CartPole-v1", max_episode_steps=7))


def test_bad_budgets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["train", "CartPole-v1", "--out", str(tmp_path / "run")]
    for bad in (["--steps", "0"], ["--steps", "-3"], ["--steps", "5", "--episodes", "5"]):
        assert main([*command, *bad]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "run").exists()
    with pytest.raises(ArgumentError, match="must be a whole number"):
        train("CartPole-v1", tmp_path / "run", steps=1.5)  # type: ignore[arg-type]
    runs: list[tuple[int | None, Path]] = [(s, tmp_path / f"seed{s}") for s in (0, 1)]
    train("CartPole-v1", runs[0][1], seed=0, steps=5, overrides=SMALL)
    train("CartPole-v1", runs[1][1], seed=1, episodes=1, overrides=SMALL)
    with pytest.raises(RunError, match="name --episodes or --steps"):
        train_seeds("CartPole-v1", runs, resume=True)
    train_seeds("CartPole-v1", runs, steps=6, resume=True)


def test_runs_of_before_there_were_steps(tmp_path: Path) -> None:
    train("CartPole-v1", tmp_path / "run", episodes=2, overrides=SMALL)
    file = tmp_path / "run" / "config.json"
    config = json.loads(file.read_text())
    assert config.pop("steps", "") is None
    file.write_text(json.dumps(config))
    assert train("CartPole-v1", tmp_path / "run", resume=True)["episodes"] == 2
    mean = train("CartPole-v1", tmp_path / "run", resume=True)["mean_return_last_100"]
    assert mean is not None
    assert np.isfinite(mean)
