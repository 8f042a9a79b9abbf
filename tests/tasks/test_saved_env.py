"""An agent's environment is saved as it was, and made again without running what a file names."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import (
    ClipReward,
    FlattenObservation,
    PassiveEnvChecker,
    RescaleObservation,
    TimeLimit,
    TransformObservation,
    TransformReward,
)

from neurorl import SpikingActorCritic
from neurorl.agents.checkpoint import read_checkpoint, write_checkpoint
from neurorl.agents.evaluation import evaluate
from neurorl.cli import main
from neurorl.errors import (
    ArgumentError,
    EnvironmentWarning,
    NeurorlError,
    RunError,
    UnknownNameError,
)
from neurorl.runs.training import train
from neurorl.tasks.arguments import decode, encode, read_env_args
from neurorl.tasks.environments import BanditEnv, make_env
from neurorl.tasks.loading import saved_env
from neurorl.tasks.specification import PROBLEM, copy_env, describe_env

SMALL: dict[str, Any] = {"hidden": 0, "actors": 1, "window": 4}
pytestmark = pytest.mark.filterwarnings("ignore:.*its preset is not used")


class Halved(gym.RewardWrapper[Any, Any], gym.utils.RecordConstructorArgs):
    """Wrap an environment as a user does, and record the arguments."""

    def __init__(self, env: gym.Env[Any, Any], by: float = 2.0) -> None:
        gym.utils.RecordConstructorArgs.__init__(self, by=by)
        gym.RewardWrapper.__init__(self, env)
        self.by = by

    def reward(self, reward: Any) -> float:
        return float(reward) / self.by


class Quiet(gym.RewardWrapper[Any, Any]):
    """Wrap an environment without saying what it was made with."""

    def __init__(self, env: gym.Env[Any, Any], by: float = 0.0) -> None:
        super().__init__(env)
        self.by = by

    def reward(self, reward: Any) -> float:
        return self.by * float(reward)


class Doubled(gym.RewardWrapper[Any, Any]):
    """Wrap an environment, with nothing to say of it."""

    def reward(self, reward: Any) -> float:
        return 2.0 * float(reward)


def frozen_lake(**arguments: Any) -> gym.Env[Any, Any]:
    return gym.make("FrozenLake-v1", **arguments)


def far_cart(**arguments: Any) -> gym.Env[Any, Any]:
    """Make an environment of another one, with a wrapper that no file can hold."""
    env = gym.make("CartPole-v1", **arguments)
    return TransformObservation(env, lambda x: 2.0 * x, None)


def half_lake(**arguments: Any) -> gym.Env[Any, Any]:
    return Halved(frozen_lake(**arguments), 3.0)


for entry_point in (far_cart, half_lake):
    gym.register(f"neurorl-tests/{entry_point.__name__}-v0", entry_point, max_episode_steps=11)


def layers(env: gym.Env[Any, Any]) -> list[str]:
    names = [type(env).__name__]
    while isinstance(env, gym.Wrapper):
        env = env.env
        names.append(type(env).__name__)
    return names


def saved(env: Any, path: Path) -> dict[str, Any]:
    """Return what is in the file of a small agent."""
    agent = SpikingActorCritic(env, **SMALL)
    agent.save(path)
    described: dict[str, Any] = read_checkpoint(path)[0]
    return described


def forge(path: Path, **changes: Any) -> None:
    """Change the file of an agent, as a stranger could."""
    described, arrays = read_checkpoint(path)
    described["env_spec"] = {**described["env_spec"], **changes.pop("env_spec", {})}
    write_checkpoint(path, {**described, **changes}, arrays)


MADE: dict[str, Callable[[], gym.Env[Any, Any]]] = {
    "arguments": lambda: frozen_lake(is_slippery=False, map_name="8x8"),
    "a map": lambda: frozen_lake(desc=["SF", "FG"], render_mode="ansi"),
    "its time limit": lambda: gym.make("CartPole-v1", max_episode_steps=7),
    "no time limit": lambda: gym.make("CartPole-v1", max_episode_steps=-1),
    "no checker": lambda: gym.make("CartPole-v1", disable_env_checker=True),
    "a shorter limit": lambda: TimeLimit(gym.make("CartPole-v1"), 9),
    "a longer limit": lambda: TimeLimit(gym.make("CartPole-v1", max_episode_steps=9), 50),
    "a limit above others": lambda: TimeLimit(ClipReward(gym.make("CartPole-v1"), 0, 1), 9),
    "infinities": lambda: ClipReward(frozen_lake(), -np.inf, cast(Any, np.float32(0.5))),
    "arrays": lambda: RescaleObservation(
        gym.make("MountainCar-v0"), np.array([-1, -2], "float32"), np.array([1, 2], "float32")
    ),
    "made within": lambda: gym.make("neurorl-tests/far_cart-v0"),
    "a limit, made within": lambda: gym.make("neurorl-tests/far_cart-v0", max_episode_steps=5),
    "wrapped, made within": lambda: Halved(gym.make("neurorl-tests/half_lake-v0", map_name="8x8")),
    "checked twice": lambda: PassiveEnvChecker(gym.make("CartPole-v1")),
    "several": lambda: Halved(FlattenObservation(ClipReward(gym.make("CartPole-v1"), 0, 1)), 4.0),
}


@pytest.mark.parametrize("name", MADE)
def test_an_environment_is_made_again_as_it_was(name: str, tmp_path: Path) -> None:
    env = MADE[name]()
    described = saved(env, tmp_path / "agent.npz")
    again = SpikingActorCritic.load(tmp_path / "agent.npz").env
    assert env.spec is not None
    assert again.spec is not None
    assert layers(again) == layers(env) == layers(copy_env(env))
    assert again.spec.max_episode_steps == env.spec.max_episode_steps
    assert again.spec.kwargs == env.spec.kwargs
    assert again.observation_space == env.observation_space
    assert again.render_mode == env.render_mode
    assert describe_env(again) == described["env_spec"] == json.loads(json.dumps(describe_env(env)))
    for k in range(3):
        pair = [e.reset(seed=k)[0] for e in (env, again)]
        np.testing.assert_array_equal(*pair)
        for _ in range(12):
            mine, other = (e.step(k % 2)[:4] for e in (env, again))
            np.testing.assert_array_equal(other[0], mine[0])
            assert other[1:] == mine[1:]
            if mine[2] or mine[3]:
                break


def test_a_plain_one_is_written_as_gymnasium_writes_it() -> None:
    env = FlattenObservation(frozen_lake(is_slippery=False))
    assert env.spec is not None
    theirs = json.loads(env.spec.to_json())
    assert {**describe_env(env), "vector_entry_point": theirs["vector_entry_point"]} == theirs


def test_a_loaded_agent_plays_the_lake_that_it_learned_on(tmp_path: Path) -> None:
    agent = SpikingActorCritic(frozen_lake(is_slippery=False), **SMALL, seed=3)
    agent.learn(total_episodes=20)
    agent.save(tmp_path / "agent.npz")
    loaded = SpikingActorCritic.load(tmp_path / "agent.npz")
    assert evaluate(loaded, 20, seed=1) == evaluate(agent, 20, seed=1)
    other = evaluate(agent, 20, seed=1, env="FrozenLake-v1")
    assert other["spikes_per_decision"] != evaluate(agent, 20, seed=1)["spikes_per_decision"]
    agent.learn(total_episodes=30)
    loaded.learn(total_episodes=30)
    assert [e.length for e in loaded.episodes] == [e.length for e in agent.episodes]


def test_a_wrapper_without_arguments_has_none_to_record(tmp_path: Path) -> None:
    path = tmp_path / "agent.npz"
    env = Doubled(frozen_lake())
    saved(env, path)
    assert layers(SpikingActorCritic.load(path).env) == layers(env)


UNSAVED: dict[str, Callable[[], gym.Env[Any, Any]]] = {
    "made without gymnasium.make": BanditEnv,
    "'func'": lambda: TransformReward(frozen_lake(), lambda r: 2.0 * float(r)),
    "Quiet": lambda: Quiet(frozen_lake()),
    "of the entry point": lambda: Halved(gym.make("neurorl-tests/far_cart-v0")),
}


@pytest.mark.parametrize("why", UNSAVED)
def test_what_cannot_be_saved_is_said_and_asked_for(why: str, tmp_path: Path) -> None:
    path = tmp_path / "agent.npz"
    env = UNSAVED[why]()
    agent = SpikingActorCritic(env, **SMALL)
    with pytest.warns(EnvironmentWarning, match=why) as told:
        agent.save(path)
    assert len(told) == 1
    assert "\n" not in str(told[0].message)
    assert told[0].filename == __file__
    with pytest.raises(RunError, match=rf"(?s){why}.*env="):
        SpikingActorCritic.load(path)
    assert SpikingActorCritic.load(path, env=env).env is env


def test_an_entry_point_without_a_name_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gym.envs.registration, "registry", dict(gym.registry))
    monkeypatch.setattr(gym, "registry", gym.envs.registration.registry)
    gym.register("Test/Nameless-v0", entry_point=cast(Any, lambda: BanditEnv(3, 2)))
    agent = SpikingActorCritic("Test/Nameless-v0", **SMALL)
    with pytest.warns(EnvironmentWarning, match="lambda"):
        agent.save(tmp_path / "agent.npz")
    with pytest.raises(RunError, match=r"(?s)lambda.*env="):
        SpikingActorCritic.load(tmp_path / "agent.npz")
    loaded = SpikingActorCritic.load(tmp_path / "agent.npz", env="Test/Nameless-v0")
    assert loaded.env_id == "Test/Nameless-v0"


def test_an_id_that_means_something_else_here_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gym.envs.registration, "registry", dict(gym.registry))
    monkeypatch.setattr(gym, "registry", gym.envs.registration.registry)
    gym.register("Test/Mine-v0", entry_point=cast(Any, BanditEnv))
    saved("Test/Mine-v0", tmp_path / "agent.npz")
    SpikingActorCritic.load(tmp_path / "agent.npz")
    gym.registry.pop("Test/Mine-v0")
    with pytest.raises(
        RunError, match=r"Test/Mine-v0 is not registered.*import neurorl\.tasks\.environments"
    ):
        SpikingActorCritic.load(tmp_path / "agent.npz")
    gym.register("Test/Mine-v0", entry_point="neurorl.tasks.environments:GridWorldEnv")
    with pytest.raises(RunError, match=r"another one here.*GridWorldEnv"):
        SpikingActorCritic.load(tmp_path / "agent.npz")


def test_old_files_have_an_id_only(tmp_path: Path) -> None:
    path = tmp_path / "agent.npz"
    saved("FrozenLake-v1", path)
    described, arrays = read_checkpoint(path)
    del described["env_spec"]
    write_checkpoint(path, described, arrays)
    assert layers(SpikingActorCritic.load(path).env) == layers(make_env("FrozenLake-v1"))
    write_checkpoint(path, {**described, "env": ""}, arrays)
    with pytest.raises(RunError, match=r"without an environment's id.*env="):
        SpikingActorCritic.load(path)


EVIL = """
import pathlib
pathlib.Path(__file__).with_name("ran").touch()
import gymnasium
from neurorl.tasks.environments import BanditEnv
class Wrapper(gymnasium.Wrapper): pass
gymnasium.register("Evil/Env-v0", entry_point=BanditEnv)
"""


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file that a module leaves if it runs; it is on the path, but not imported."""
    folder = tmp_path / "path"
    folder.mkdir()
    (folder / "a_strangers.py").write_text(EVIL)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "a_strangers", raising=False)
    monkeypatch.setattr(gym.envs.registration, "registry", dict(gym.registry))
    monkeypatch.setattr(gym, "registry", gym.envs.registration.registry)
    return folder / "ran"


def wrapper(place: str, **arguments: Any) -> dict[str, Any]:
    described = {"name": "W", "entry_point": place, "kwargs": arguments}
    return {"env_spec": {"additional_wrappers": [described]}}


HOSTILE: dict[str, dict[str, Any]] = {
    "an id": {"env": "a_strangers:Evil/Env-v0"},
    "an id, as older files have it": {"env": "a_strangers:Evil/Env-v0", "env_spec": None},
    "an entry point": {"env_spec": {"entry_point": "a_strangers:Wrapper"}},
    "an entry point of another id": {
        "env": "Evil/Env-v0",
        "env_spec": {"id": "Evil/Env-v0", "entry_point": "a_strangers:Wrapper"},
    },
    "a wrapper": wrapper("a_strangers:Wrapper"),
    "a wrapper that is a function": wrapper("os:system", command="touch ran"),
    "a wrapper that is a class": wrapper("subprocess:Popen", args="touch ran"),
    "a wrapper of ours": wrapper("gymnasium.wrappers.common:gym"),
    "a wrapper's nested name": wrapper("gymnasium.wrappers:TimeLimit.reset"),
    "no such wrapper": wrapper("gymnasium.wrappers.nothing:W"),
    "a wrapper that writes": wrapper("gymnasium.wrappers:RecordVideo", video_folder="videos"),
    "an older gym's": {
        "env": "GymV21Environment-v0",
        "env_spec": {"id": "GymV21Environment-v0", "kwargs": {"env_id": "a_strangers:Evil-v0"}},
    },
    "wrong types": {"env_spec": {"kwargs": [], "additional_wrappers": {}}},
    "an id of wrong type": {"env": 3},
    "an array of objects": {
        "env_spec": {"kwargs": {"x": {"$": "array", "of": [1], "dtype": "O", "shape": [1]}}}
    },
    "an unknown argument": {"env_spec": {"kwargs": {"no_such": 1}}},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_nothing_runs_that_only_a_file_names(
    name: str, stranger: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "agent.npz"
    saved("CartPole-v1", path)
    changes = dict(HOSTILE[name])
    if "env_spec" in changes and changes["env_spec"] is None:
        described, arrays = read_checkpoint(path)
        write_checkpoint(path, {**described, **changes}, arrays)
    else:
        forge(path, **changes)
    before = set(tmp_path.rglob("*"))
    with pytest.raises(RunError, match="env=") as told:
        SpikingActorCritic.load(path)
    assert "\n" not in str(told.value)
    assert not stranger.exists()
    assert "a_strangers" not in sys.modules
    assert set(tmp_path.rglob("*")) == before


def test_it_is_imported_on_the_users_word(stranger: Path, tmp_path: Path) -> None:
    path = tmp_path / "agent.npz"
    saved("neurorl/Bandit-v0", path)
    forge(path, env="a_strangers:Evil/Env-v0", env_spec={"id": "Evil/Env-v0"})
    with pytest.raises(RunError, match=r"import a_strangers first, or trust_env=True"):
        SpikingActorCritic.load(path)
    assert not stranger.exists()
    loaded = SpikingActorCritic.load(path, trust_env=True)
    assert loaded.env_id == "a_strangers:Evil/Env-v0"
    assert stranger.exists()
    # The process has imported it: no word is needed.
    assert SpikingActorCritic.load(path).env_id == "a_strangers:Evil/Env-v0"


def test_a_wrapper_that_the_user_has_imported_is_used(tmp_path: Path) -> None:
    saved(Halved(frozen_lake(), 8.0), tmp_path / "agent.npz")
    env = SpikingActorCritic.load(tmp_path / "agent.npz").env
    assert isinstance(env, Halved)
    assert env.by == 8.0


@pytest.mark.parametrize(
    "value",
    [1, -2.5, "a", None, True, [1, [2]], (1, (2.0, "b")), {"a": (1,)}, float("inf")],
    ids=repr,
)
def test_arguments_come_back_with_their_types(value: Any) -> None:
    again = decode(json.loads(json.dumps(encode("x", value), allow_nan=False)))
    assert again == value
    assert type(again) is type(value)


def test_arrays_come_back_too() -> None:
    for array in (np.eye(2, dtype="float32"), np.array([np.inf, 1]), np.zeros((0, 3), "int8")):
        again = decode(json.loads(json.dumps(encode("x", array), allow_nan=False)))
        np.testing.assert_array_equal(again, array)
        assert (again.dtype, again.shape) == (array.dtype, array.shape)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("false", False),
        ("True", True),
        ("3", 3),
        ("-1e-3", -1e-3),
        ("8x8", "8x8"),
        ("null", None),
        ('["SF","FG"]', ["SF", "FG"]),
        ("a=b", "a=b"),
        ("", ""),
    ],
)
def test_arguments_of_a_command_line(text: str, value: Any) -> None:
    assert read_env_args([f"k={text}"]) == {"k": value}


@pytest.mark.parametrize("text", ["k", "=1", "2k=1", "id=3", "k=NaN", "k=1e999", "k=[Infinity]"])
def test_bad_arguments_of_a_command_line(text: str) -> None:
    with pytest.raises(ArgumentError):
        read_env_args([text])
    with pytest.raises(ArgumentError, match="twice"):
        read_env_args(["k=1", "k=1"])


def test_a_run_keeps_the_arguments_of_its_environment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    command = ["train", "FrozenLake-v1", "--out", str(run), "--json"]
    calm = ["--env-arg", "is_slippery=false", "--env-arg", "map_name=8x8"]
    assert main([*command, *calm, "--episodes", "3"]) == 0
    config = json.loads((run / "config.json").read_text())
    assert config["env_args"] == {"is_slippery": False, "map_name": "8x8"}
    assert config["env_spec"]["kwargs"] == config["env_args"]
    assert main([*command, "--episodes", "5", "--resume"]) == 0
    assert main([*command, *calm, "--episodes", "6", "--resume"]) == 0
    capsys.readouterr()
    assert main([*command, "--env-arg", "is_slippery=true", "--episodes", "6", "--resume"]) == 2
    assert "another env_args" in capsys.readouterr().err
    env = SpikingActorCritic.load(run).env.unwrapped
    assert env.spec is not None
    assert env.spec.kwargs == {"is_slippery": False, "map_name": "8x8"}
    unbroken = train("FrozenLake-v1", tmp_path / "whole", episodes=6, env_args=config["env_args"])
    mine, whole = (read_checkpoint(path / "checkpoint.npz") for path in (run, tmp_path / "whole"))
    assert mine[0] == whole[0]
    assert all(np.array_equal(mine[1][k], whole[1][k]) for k in whole[1] if "wall" not in k)
    assert unbroken["episodes"] == 6


def test_several_agents_play_the_same_environment(tmp_path: Path) -> None:
    runs = ["train", "FrozenLake-v1", "--env-arg", "is_slippery=false", "--episodes", "4"]
    assert main([*runs, "--seeds", "0..1", "--out", str(tmp_path / "two")]) == 0
    assert main([*runs, "--seed", "1", "--out", str(tmp_path / "one")]) == 0
    rows = [
        [line.split(",")[:4] for line in (tmp_path / where / "episodes.csv").read_text().split()]
        for where in ("two/seed1", "one")
    ]
    assert rows[0] == rows[1]


MINE = """
import gymnasium
from neurorl.tasks.environments import BanditEnv
class Env(BanditEnv):
    pass
gymnasium.register("My/Env-v0", entry_point=Env)
"""


def test_a_module_in_the_current_folder(tmp_path: Path) -> None:
    (tmp_path / "my_env.py").write_text(MINE)

    def neurorl(*words: str) -> subprocess.CompletedProcess[str]:
        code = "import sys; sys.path[:] = [p for p in sys.path if p]; import neurorl.cli as c;"
        code += "sys.exit(c.main(sys.argv[1:]))"
        command = [sys.executable, "-c", code, *words]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    args = ("train", "my_env:My/Env-v0", "--env-arg", "contexts=3", "--out", "run")
    done = neurorl(*args, "--episodes", "3")
    assert (done.returncode, done.stderr) == (0, "")
    again = neurorl(*args, "--episodes", "5", "--resume")
    assert (again.returncode, again.stderr) == (0, "")
    refused = neurorl("evaluate", "run", "--episodes", "2")
    assert refused.returncode == 2
    assert "--trust-env" in refused.stderr
    assert len(refused.stderr.splitlines()) == 1
    played = neurorl("evaluate", "run", "--episodes", "2", "--trust-env", "--json")
    assert (played.returncode, played.stderr) == (0, "")
    assert json.loads(played.stdout)["env"] == "my_env:My/Env-v0"
    named = neurorl(
        *("evaluate", "run", "--episodes", "2", "--json"),
        *("--env", "my_env:My/Env-v0", "--env-arg", "contexts=3"),
    )
    assert json.loads(named.stdout) == json.loads(played.stdout)


@pytest.mark.parametrize(
    ("env_id", "remedy"),
    [
        ("ALE/Breakout-v5", "pip install ale-py, then name it ale_py:ALE/Breakout-v5"),
        ("MiniGrid-Empty-5x5-v0", "minigrid:MiniGrid-Empty-5x5-v0"),
        ("PerceptualDecisionMaking-v0", "install neurogym as docs/environments.md says"),
        ("CartPole-v2", "did you mean 'CartPole-v1'"),
        ("neurorl/Gridworld-v0", "did you mean 'neurorl/GridWorld-v0'"),
        ("other/GridWorld-v0", "MODULE:ID"),
        ("Nothing-like-it", "MODULE:ID"),
        ("", "MODULE:ID"),
        (":", "MODULE:ID"),
        ("a:b:c", "MODULE:ID"),
        ("neurorl:", "MODULE:ID"),
        ("neurorl:No-v0", "MODULE:ID"),
    ],
)
def test_an_unknown_id_says_what_would_work(env_id: str, remedy: str) -> None:
    with pytest.raises(UnknownNameError) as told:
        make_env(env_id)
    assert remedy in str(told.value)
    assert "Ant" not in str(told.value)


@pytest.mark.parametrize("env_id", ["no_such_module_at_all:X-v0", "this:X-v0\n", "1 2:X-v0"])
def test_a_module_that_cannot_be_imported(env_id: str) -> None:
    with pytest.raises(NeurorlError):
        make_env(env_id)


def test_the_problem_is_the_only_key_there(tmp_path: Path) -> None:
    with pytest.warns(EnvironmentWarning):
        described = saved(BanditEnv(), tmp_path / "agent.npz")
    assert list(described["env_spec"]) == [PROBLEM]
    with pytest.raises(RunError):
        saved_env(described, "agent")
