"""Callbacks hear of training, may end it, and change nothing of it."""

from __future__ import annotations

import csv
import errno
import sys
import types
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from neurorl import ReparameterizedActorCritic, SpikingActorCritic
from neurorl.agents.episodes import Episode
from neurorl.callbacks import (
    Callback,
    CheckpointEvery,
    CsvFile,
    EvaluateEvery,
    LogTo,
    Progress,
    StopAt,
    TensorBoard,
)
from neurorl.errors import ArgumentError, RunError

GRID = "neurorl/GridWorld-v0"


class Hears(Callback):
    """Note each call, and end training when *until* says so."""

    def __init__(self, until: tuple[str, int] | None = None) -> None:
        self.until = until
        self.calls: list[str] = []
        self.steps: list[int] = []

    def note(self, name: str) -> bool | None:
        """Note a call; return False when it is the last."""
        self.calls.append(name)
        return (name, self.calls.count(name)) != self.until

    def on_start(self) -> bool | None:
        return self.note("start")

    def on_step(self, steps: int) -> bool | None:
        self.steps.append(steps)
        return self.note("step")

    def on_update(self, updates: int) -> bool | None:
        return self.note("update")

    def on_episode(self, episode: Episode) -> bool | None:
        return self.note("episode")

    def on_evaluation(self, steps: int, evaluation: Any) -> bool | None:
        return self.note("evaluation")

    def on_end(self) -> bool | None:
        return self.note("end")


def agent(backend: str = "reference", seed: int = 3, **options: Any) -> SpikingActorCritic:
    return SpikingActorCritic(GRID, backend=backend, seed=seed, **options)


def assert_equal(one: Any, other: Any) -> None:
    assert one.episodes == other.episodes
    for name, weights in one.weights.items():
        assert np.array_equal(weights, other.weights[name]), name


@pytest.mark.parametrize("options", [{}, {"environments": 3}], ids=["one", "several"])
def test_training_is_the_same_with_callbacks(options: dict[str, Any], tmp_path: Path) -> None:
    alone, heard = agent(**options), agent(**options)
    alone.learn(total_episodes=6)
    hears = Hears()
    evaluates = EvaluateEvery(150, episodes=1, best=tmp_path / "best.npz")
    heard.learn(
        total_episodes=6,
        callback=[hears, evaluates, CheckpointEvery(100, tmp_path / "saved"), Progress()],
    )
    assert_equal(alone, heard)
    assert hears.calls.count("episode") == len(heard.episodes)
    assert hears.calls.count("step") == hears.calls.count("update") > 0
    assert hears.calls[0] == "start"
    assert hears.calls[-1] == "end"
    assert hears.steps[-1] == heard.steps_taken
    assert len(evaluates.evaluations) == hears.calls.count("evaluation") > 1
    assert len(list((tmp_path / "saved").iterdir())) > 1


@pytest.mark.parametrize("when", [("start", 1), ("step", 5), ("update", 17), ("episode", 2)])
def test_false_ends_training_and_the_next_call_goes_on(when: tuple[str, int]) -> None:
    alone, stopped = agent(), agent()
    alone.learn(total_episodes=5)
    hears = Hears(when)
    stopped.learn(total_episodes=5, callback=hears)
    assert hears.calls.count(when[0]) == when[1]
    assert stopped.steps_taken < alone.steps_taken
    stopped.learn(total_episodes=5)
    assert_equal(alone, stopped)


def test_what_numpy_calls_false_ends_training_too() -> None:
    class Below(Callback):
        def on_episode(self, episode: Episode) -> bool | None:
            return np.float64(episode.ret) < -np.inf  # type: ignore[return-value]

    trained = agent()
    trained.learn(total_episodes=3, callback=Below())
    assert len(trained.episodes) == 1


@pytest.mark.parametrize("answer", [False, np.bool_(False), True, None, 0, "", [], 2.5])
def test_false_of_a_function_ends_training_and_nothing_else_does(answer: object) -> None:
    trained = agent()
    trained.learn(total_episodes=3, callback=[lambda episode: answer, lambda episode: True])
    assert len(trained.episodes) == (
        1 if isinstance(answer, (bool, np.bool_)) and not answer else 3
    )


def test_by_gradients_too() -> None:
    pytest.importorskip("torch", reason="learning by gradients needs PyTorch")
    alone, heard = (ReparameterizedActorCritic(GRID, seed=2) for _ in range(2))
    alone.learn(total_episodes=20)
    hears = Hears(("update", 1))
    heard.learn(total_episodes=20, callback=hears)
    assert hears.calls.count("update") == 1
    assert heard.env_steps <= alone.env_steps
    heard.learn(total_episodes=20)
    assert_equal(alone, heard)


def test_end_is_told_when_something_is_raised() -> None:
    class Fails(Hears):
        def on_episode(self, episode: Episode) -> bool | None:
            raise ZeroDivisionError

    hears, alone, trained = Fails(), agent(), agent()
    with pytest.raises(ZeroDivisionError):
        trained.learn(total_episodes=2, callback=hears)
    assert hears.calls[-1] == "end"
    trained.learn(total_episodes=2)
    alone.learn(total_episodes=2)
    assert_equal(alone, trained)


def test_the_best_agent_is_kept_and_ends_training(tmp_path: Path) -> None:
    evaluates = EvaluateEvery(50, episodes=5, best=tmp_path / "best.npz", stop_at=-1e9)
    agent().learn(total_episodes=50, callback=evaluates)
    assert len(evaluates.evaluations) == 1
    steps, evaluation = evaluates.evaluations[0]
    assert steps == 50
    assert evaluation["mean_return"] == evaluates.best_return
    assert SpikingActorCritic.load(tmp_path / "best.npz").steps_taken == 50


def fallen(**options: Any) -> SpikingActorCritic:
    """Return an agent that learns where episodes are short at first, and differ."""
    return SpikingActorCritic("CartPole-v1", **{"seed": 4, **options})


def learner(kind: str) -> SpikingActorCritic | ReparameterizedActorCritic:
    """Return a new agent, always the same one of its kind."""
    if kind == "gradients":
        pytest.importorskip("torch", reason="learning by gradients needs PyTorch")
        return ReparameterizedActorCritic("CartPole-v1", seed=4)
    return fallen(environments=2 if kind == "several" else 1)


def best_of(folder: Path) -> EvaluateEvery:
    folder.mkdir(exist_ok=True)
    return EvaluateEvery(40, episodes=3, best=folder / "best.npz")


@pytest.mark.filterwarnings("ignore:learn. trains nothing")  # gradients end after their update
@pytest.mark.parametrize(("kind", "steps"), [("one", 400), ("several", 400), ("gradients", 340)])
def test_a_new_callback_goes_on_from_the_best_that_is_kept(
    kind: str, steps: int, tmp_path: Path
) -> None:
    whole, kept = learner(kind), best_of(tmp_path / "whole")
    whole.learn(total_steps=steps, callback=kept)
    means = [evaluation["mean_return"] for _, evaluation in kept.evaluations]
    assert max(means) > means[-1]  # so that to begin anew would be seen
    at = kept.evaluations[means.index(max(means))][0]
    broken, first, later = learner(kind), best_of(tmp_path / "broken"), best_of(tmp_path / "broken")
    broken.learn(total_steps=at + 20, callback=first)
    broken.save(tmp_path / "broken" / "saved.npz")
    again = type(broken).load(tmp_path / "broken" / "saved.npz")
    again.learn(total_steps=steps, callback=later)
    assert_equal(whole, again)
    assert later.best_return == kept.best_return == max(means)
    assert [*first.evaluations, *later.evaluations] == kept.evaluations
    assert (tmp_path / "broken/best.npz").read_bytes() == (tmp_path / "whole/best.npz").read_bytes()


def test_a_best_agent_that_is_ahead_of_the_checkpoint_is_the_one_to_beat(tmp_path: Path) -> None:
    trained, ahead = fallen(), best_of(tmp_path)
    trained.save(tmp_path / "before.npz")
    trained.learn(total_steps=400, callback=ahead)
    kept = (tmp_path / "best.npz").read_bytes()
    again, later = SpikingActorCritic.load(tmp_path / "before.npz"), best_of(tmp_path)
    again.learn(total_steps=40, callback=later)  # killed before it has come as far again
    assert later.best_return == ahead.best_return
    assert (tmp_path / "best.npz").read_bytes() == kept


@pytest.mark.parametrize("other", [{"seed": 5}, {"policy.beta": 0.3}, {"backend": "native"}])
def test_the_best_of_another_training_is_replaced(other: dict[str, Any], tmp_path: Path) -> None:
    fallen(**other).learn(total_steps=400, callback=best_of(tmp_path))
    before = (tmp_path / "best.npz").read_bytes()
    evaluates = best_of(tmp_path)
    fallen().learn(total_steps=40, callback=evaluates)
    assert evaluates.best_return == evaluates.evaluations[0][1]["mean_return"]
    assert (tmp_path / "best.npz").read_bytes() != before


def test_a_file_that_is_no_agent_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "best.npz").write_text("my thesis")
    with pytest.raises(RunError, match=r"best\.npz"):
        fallen().learn(total_steps=40, callback=best_of(tmp_path))
    assert (tmp_path / "best.npz").read_text() == "my thesis"


def test_checkpoints_of_steps(tmp_path: Path) -> None:
    agent().learn(total_steps=100, callback=CheckpointEvery(20, tmp_path / "saved", keep=2))
    assert {p.name for p in (tmp_path / "saved").iterdir()} == {"agent-80.npz", "agent-100.npz"}
    whole, again = agent(), SpikingActorCritic.load(tmp_path / "saved" / "agent-80.npz")
    whole.learn(total_steps=150)
    again.learn(total_steps=150)
    assert_equal(whole, again)


def test_training_ends_when_the_mean_return_is_reached() -> None:
    trained = agent()
    trained.learn(total_episodes=50, callback=StopAt(-1e9, episodes=4))
    assert len(trained.episodes) == 4


def test_figures_go_to_functions_and_files(tmp_path: Path) -> None:
    passed: list[tuple[dict[str, float], int]] = []
    log, file = (
        LogTo(lambda values, step: passed.append((dict(values), step))),
        tmp_path / "log.csv",
    )
    trained = agent()
    trained.learn(total_episodes=3, callback=[EvaluateEvery(10**9), log, CsvFile(file)])
    assert [step for _, step in passed] == [e.env_steps for e in trained.episodes]
    rows = list(csv.DictReader(file.read_text().splitlines()))
    returns = [float(row["value"]) for row in rows if row["name"] == "episode/return"]
    assert returns == [e.ret for e in trained.episodes]


def test_rows_are_in_the_file_as_they_come(tmp_path: Path) -> None:
    file, seen = tmp_path / "log.csv", []

    def look(episode: Episode) -> None:
        seen.append(len(file.read_text().splitlines()))

    log, trained = CsvFile(file), agent()
    trained.learn(total_episodes=2, callback=[log, look])
    trained.learn(total_episodes=3, callback=[log, look])
    assert seen == [4, 7, 10]
    with pytest.warns(UserWarning, match="trains nothing"):
        trained.learn(total_episodes=3, callback=CsvFile(file))
    assert file.read_text() == "steps,name,value\n"


@pytest.mark.parametrize("callback", [CsvFile, TensorBoard, lambda path: CheckpointEvery(5, path)])
def test_a_place_that_cannot_be_written_is_one_line(callback: Any, tmp_path: Path) -> None:
    if callback is TensorBoard:
        pytest.importorskip("tensorboardX", reason="the callback needs tensorboardX")
    (tmp_path / "file").write_text("in the way")
    place = tmp_path / "file" if callback is not CsvFile else tmp_path / "file" / "log.csv"
    with pytest.raises(RunError, match="file"):
        agent().learn(total_episodes=1, callback=[callback(place), Progress()])


def test_the_bar_ends_where_training_did(capsys: pytest.CaptureFixture[str]) -> None:
    trained = agent()
    trained.learn(total_steps=30, callback=Progress())
    assert "30/30" in capsys.readouterr().out


def test_tensorboard_reads_them(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="the callback for TensorBoard needs tensorboardX")
    agent().learn(total_episodes=2, callback=TensorBoard(tmp_path / "board"))
    (events,) = (tmp_path / "board").iterdir()
    assert b"episode/return" in events.read_bytes()


def test_an_environment_that_cannot_be_made_again_is_named() -> None:
    class Own(gym.Env[Any, Any]):
        observation_space = gym.spaces.Discrete(2)
        action_space = gym.spaces.Discrete(2)

        def reset(self, *, seed: Any = None, options: Any = None) -> tuple[int, dict[str, Any]]:
            super().reset(seed=seed)
            return 0, {}

        def step(self, action: Any) -> tuple[int, float, bool, bool, dict[str, Any]]:
            return 1, 1.0, True, False, {}

    trained = SpikingActorCritic(Own(), seed=1)
    with pytest.raises(RunError, match="can't be made again"):
        trained.learn(total_episodes=20, callback=EvaluateEvery(2, episodes=1))
    evaluates = EvaluateEvery(2, episodes=1, env=Own())
    trained.learn(total_episodes=20, callback=evaluates)
    assert evaluates.evaluations


@pytest.mark.parametrize("wrong", [3, "print", [print, 3], object(), Progress])
def test_what_is_no_callback_is_named(wrong: Any) -> None:
    with pytest.raises(ArgumentError, match="learn, callback"):
        agent().learn(total_episodes=1, callback=wrong)


@pytest.mark.parametrize("steps", [0, -1, 1.5, "10"])
def test_wrong_numbers_are_named(steps: Any) -> None:
    with pytest.raises(ArgumentError, match="EvaluateEvery, steps"):
        EvaluateEvery(steps)


@pytest.mark.parametrize(
    "make",
    [
        lambda: EvaluateEvery(5, stop_at="475"),  # type: ignore[arg-type]
        lambda: EvaluateEvery(5, stop_at=float("nan")),
        lambda: EvaluateEvery(5, seed=-1),
        lambda: StopAt("475"),  # type: ignore[arg-type]
        lambda: StopAt(float("nan")),
        lambda: StopAt(475, episodes=0),
        lambda: CheckpointEvery(5, "saved", prefix=3),  # type: ignore[arg-type]
        lambda: CheckpointEvery(5, "saved", keep=0),
    ],
)
def test_wrong_options_are_named_at_once(make: Any) -> None:
    with pytest.raises(ArgumentError, match=r"(EvaluateEvery|StopAt|CheckpointEvery), "):
        make()


def test_progress_is_html_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[dict[str, str]] = []

    class Handle:
        def update(self, data: dict[str, str], raw: bool) -> None:
            shown.append(data)

    def display(data: dict[str, str], raw: bool, display_id: bool) -> Handle:
        shown.append(data)
        return Handle()

    notebook = types.ModuleType("IPython.display")
    notebook.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", notebook)
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    agent().learn(total_episodes=3, callback=Progress())
    assert [data["text/plain"][:6] for data in shown] == ["0 of 3", "1 of 3", "2 of 3", "3 of 3"]
    assert '<progress value="3" max="3">' in shown[-1]["text/html"]


@pytest.mark.parametrize("fails", ["add_scalar", "close"])
def test_a_full_disk_under_tensorboard_names_its_folder(
    fails: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writers = pytest.importorskip(
        "tensorboardX", reason="the callback for TensorBoard needs tensorboardX"
    )

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(writers.SummaryWriter, fails, full)
    said = rf"folder {tmp_path / 'board'}: .*No space left.*make room on its disk"
    with pytest.raises(RunError, match=said):
        agent().learn(total_episodes=2, callback=TensorBoard(tmp_path / "board"))
