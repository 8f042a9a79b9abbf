"""Films show each decision: the task, the spikes of its window, and the return so far."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorl import SpikingActorCritic
from neurorl.cli import main
from neurorl.errors import ArgumentError, UnsupportedError
from neurorl.lab.watch import play_frames, watch


def trained(env: str = "neurorl/GridWorld-v0", **options: Any) -> SpikingActorCritic:
    agent = SpikingActorCritic(env, seed=1, **options)
    agent.learn(total_episodes=2)
    return agent


def test_a_frame_for_each_decision_of_one_episode() -> None:
    agent = trained("CartPole-v1")
    frames = play_frames(agent, 12, seed=4)
    assert [frame.step for frame in frames] == list(range(len(frames)))
    assert [frame.total for frame in frames] == [float(k + 1) for k in range(len(frames))]
    assert {frame.action for frame in frames} <= {0, 1}
    assert all(frame.rasters["output"].any() for frame in frames)
    again = play_frames(agent, 12, seed=4)
    for one, other in zip(frames, again, strict=True):
        assert np.array_equal(one.rasters["hidden"], other.rasters["hidden"])


def test_a_task_that_shows_itself_as_text_does() -> None:
    frames = play_frames(trained(), 3)
    assert "G" in frames[0].picture


def test_training_goes_on_as_if_nobody_had_watched() -> None:
    alone, watched = trained(), trained()
    play_frames(watched, 5)
    alone.learn(total_episodes=4)
    watched.learn(total_episodes=4)
    assert alone.episodes == watched.episodes


def test_films_are_files_of_the_kind_that_is_named(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image", reason="gifs are read by Pillow")
    frames = play_frames(trained(), 3)
    film = watch(frames, tmp_path / "film.gif")
    with image.open(film) as read:
        assert read.n_frames == len(frames)
    assert [path.name for path in tmp_path.iterdir()] == ["film.gif"]
    with pytest.raises(ArgumentError, match=r"unknown kind .got \.txt"):
        watch(frames, tmp_path / "film.txt")
    with pytest.raises(ArgumentError, match="no frames"):
        watch([], tmp_path / "film.gif")
    with pytest.raises(ArgumentError, match="nowhere"):
        watch(frames, tmp_path / "nowhere" / "film.gif")


def test_mp4_without_ffmpeg_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib import animation

    monkeypatch.setattr(animation.writers, "is_available", lambda name: False)
    with pytest.raises(UnsupportedError, match="ffmpeg"):
        watch(play_frames(trained(), 1), tmp_path / "film.mp4")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, out = tmp_path / "run", tmp_path / "film.gif"
    assert main(["train", "CartPole-v1", "--episodes", "2", "--out", str(run)]) == 0
    assert main(["watch", str(run), "--steps", "2", "--out", str(out)]) == 0
    assert out.stat().st_size > 1000
    capsys.readouterr()
    assert main(["watch", str(tmp_path / "nothing")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
