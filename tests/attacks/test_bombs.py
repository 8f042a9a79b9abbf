"""Small files that ask for much memory or time are refused before anything is made."""

from __future__ import annotations

import copy
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from fuzzing.guard import limited_memory

from neurorl import SpikingActorCritic
from neurorl.agents.checkpoint import read_checkpoint, write_checkpoint
from neurorl.cli import main
from neurorl.errors import NeurorlError, RunError
from neurorl.runs.settings import read_config
from neurorl.runs.training import train
from neurorl.storage.reading import FilePlace, parse_json
from neurorl.tasks.loading import MAX_ARGUMENTS, MAX_NUMBER, MAX_WRAPPERS, saved_env
from neurorl.tasks.specification import describe_env

SMALL: dict[str, Any] = {"hidden": 2, "actors": 1, "window": 4}
Change = Callable[[dict[str, Any]], object]


def wrapper(name: str, **arguments: Any) -> dict[str, Any]:
    place = f"{getattr(gym.wrappers, name).__module__}:{name}"
    return {"name": name, "entry_point": place, "kwargs": arguments}


def wrapped(*wrappers: dict[str, Any]) -> Change:
    return lambda spec: spec.update(additional_wrappers=list(wrappers))


BOMBS: dict[str, tuple[Change, str]] = {
    "many frames": (
        wrapped(wrapper("FrameStackObservation", stack_size=10**9)),
        "too large an argument 'stack_size'",
    ),
    "frames of frames": (
        wrapped(*[wrapper("FrameStackObservation", stack_size=1000)] * 3),
        "too large an observation",
    ),
    "a large picture": (
        wrapped(wrapper("ResizeObservation", shape={"$": "tuple", "of": [10**5, 10**5]})),
        "too large an observation",
    ),
    "many bins": (wrapped(wrapper("DiscretizeObservation", bins=10**10)), "argument 'bins'"),
    "many wrappers": (
        wrapped(*[wrapper("TimeLimit", max_episode_steps=9)] * 2000),
        "too many wrappers",
    ),
    "a long text": (
        lambda spec: spec.update(kwargs={"desc": ["F" * 3000] * 3000}),
        "too many numbers and letters",
    ),
    "many keys": (
        lambda spec: spec.update(kwargs={f"key{k}": k for k in range(10**5)}),
        "too many numbers and letters",
    ),
    "a large number": (lambda spec: spec.update(kwargs={"size": 10**9}), "argument 'size'"),
    "a large array": (
        lambda spec: spec.update(
            kwargs={"x": {"$": "array", "of": [0], "dtype": "int8", "shape": [10**12]}}
        ),
        "argument 'x'|argument 'shape'",
    ),
}


@pytest.mark.parametrize("name", BOMBS)
def test_an_environment_of_a_file_is_bounded(name: str) -> None:
    change, message = BOMBS[name]
    spec = describe_env(gym.make("FrozenLake-v1"))
    change(spec)
    described = {"env": "FrozenLake-v1", "env_spec": spec}
    tracemalloc.start()
    try:
        with limited_memory(), pytest.raises(RunError, match=message) as raised:
            saved_env(described, "agent x.npz")
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()
    assert "trust_env=True" in str(raised.value)


def test_a_checkpoint_of_many_frames_is_refused(tmp_path: Path) -> None:
    agent = SpikingActorCritic("CartPole-v1", **SMALL)
    agent.save(tmp_path / "agent.npz")
    described, arrays = read_checkpoint(tmp_path / "agent.npz")
    BOMBS["many frames"][0](described["env_spec"])
    write_checkpoint(tmp_path / "agent.npz", described, arrays)
    with limited_memory(), pytest.raises(RunError, match="too large an argument"):
        SpikingActorCritic.load(tmp_path / "agent.npz")


FRAMES = "gymnasium.wrappers:FrameStackObservation,stack_size="
ASKED: dict[str, tuple[dict[str, Any], str]] = {
    "a large number": ({"env_args": {"sutton_barto_reward": 10**9}}, "too large an argument"),
    "many keys": ({"env_args": {f"key{k}": k for k in range(10**5)}}, "too many numbers"),
    "many frames": ({"wrappers": [f"{FRAMES}{10**9}"]}, "too large an argument 'stack_size'"),
    "frames of frames": ({"wrappers": [f"{FRAMES}1000"] * 3}, "too large an observation"),
    "many wrappers": ({"wrappers": [f"{FRAMES}1"] * 99}, "too many wrappers"),
    "a video": (
        {"wrappers": ["gymnasium.wrappers:RecordVideo,video_folder=stolen"]},
        "writes files where the file says",
    ),
}
"""Give what a stranger's run asks of its environment, and what is said of it."""


@pytest.mark.parametrize("name", ASKED)
def test_the_environment_of_a_strangers_run_is_bounded(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither a run that goes on nor one that takes its configuration makes it."""
    asked, message = ASKED[name]
    monkeypatch.chdir(tmp_path)
    train("CartPole-v1", Path("run"), steps=4, backend="reference")
    config = json.loads(Path("run/config.json").read_text())
    Path("run/config.json").write_text(json.dumps({**config, **asked}))
    tracemalloc.start()
    try:
        with pytest.raises(RunError, match=f"run run: .*{message}.*--env-arg, --wrap"):
            train("CartPole-v1", Path("run"), resume=True, steps=8)
        with pytest.raises(RunError, match=f"--config run.*{message}.*TOML"):
            read_config(Path("run/config.json"), "CartPole-v1")
        assert tracemalloc.get_traced_memory()[1] < 50e6
    finally:
        tracemalloc.stop()
    assert not Path("stolen").exists()


def test_what_the_user_names_again_is_made(tmp_path: Path) -> None:
    run, wrap = tmp_path / "run", ["--wrap", f"{FRAMES}1"]
    for _ in range(MAX_WRAPPERS):
        wrap += wrap[:2]
    begin = ["train", "CartPole-v1", "--out", str(run), "--steps", "4", *wrap, "--json"]
    assert main(begin) == 0
    assert main(["train", "CartPole-v1", "--out", str(run), "--resume"]) == 2
    assert main([*begin, "--resume"]) == 0


def test_what_is_within_the_limits_is_made_and_trust_lifts_them() -> None:
    env = gym.make("CartPole-v1")
    for _ in range(MAX_WRAPPERS + 1):
        env = gym.wrappers.TimeLimit(env, 50)
    described = {"env": "CartPole-v1", "env_spec": describe_env(env)}
    with pytest.raises(RunError, match="too many wrappers"):
        saved_env(described, "agent")
    assert describe_env(saved_env(described, "agent", trust=True)) == described["env_spec"]
    stacked = gym.wrappers.FrameStackObservation(gym.make("CartPole-v1"), 8)
    described = {"env": "CartPole-v1", "env_spec": describe_env(stacked)}
    assert saved_env(described, "agent").observation_space == stacked.observation_space
    assert MAX_ARGUMENTS < MAX_NUMBER


def _numbers(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return where the numbers of nested data are."""
    if isinstance(value, bool):
        return []
    if isinstance(value, (int, float)):
        return [path]
    if isinstance(value, dict):
        return [where for key, part in value.items() for where in _numbers(part, (*path, key))]
    parts = enumerate(value) if isinstance(value, list) else ()
    return [where for key, part in parts for where in _numbers(part, (*path, key))]


@pytest.mark.filterwarnings("ignore::neurorl.errors.GridWarning")
@pytest.mark.parametrize("task", ["CartPole-v1", "Pendulum-v1"])
def test_no_number_of_a_configuration_takes_memory(task: str, tmp_path: Path) -> None:
    """Every number of a file's configuration is made huge in turn; its arrays stay small."""
    agent = SpikingActorCritic(task, seed=1)
    agent.save(tmp_path / "agent.npz")
    agent.close()
    described, arrays = read_checkpoint(tmp_path / "agent.npz")
    places = _numbers(described["config"])
    assert len(places) > 20
    for place in places:
        forged = copy.deepcopy(described)
        inner = forged["config"]
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = 10**9
        write_checkpoint(tmp_path / "forged.npz", forged, arrays)
        try:
            with limited_memory():
                SpikingActorCritic.load(tmp_path / "forged.npz").close()
        except NeurorlError:
            pass
        except Exception as exc:
            raise AssertionError(f"{place}: {exc!r}") from exc


@pytest.mark.parametrize("levels", [60, 1000, 10**5])
def test_nested_json_is_refused(levels: int) -> None:
    text = b"[" * levels + b"]" * levels
    with limited_memory(), pytest.raises(RunError, match="damaged"):
        parse_json(text, FilePlace("file x"))
