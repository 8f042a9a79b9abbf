"""Episodes of an evaluation side by side: the same figures however many are played at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from neurorl import SpikingActorCritic, evaluate
from neurorl.cli import main
from neurorl.errors import ArgumentError, RunError
from neurorl.tasks.cartpole import CartPoleVariantEnv

EPISODES = 5
BACKENDS = [
    ("reference", "float", {}),
    ("reference", "loihi", {}),
    ("native", "float", {}),
    ("brian2", "float", {"engine": "numpy"}),
    ("loihi", "loihi", {}),
    ("torch", "float", {}),
]


def agent(**others: Any) -> SpikingActorCritic:
    """Return a small agent that has learned nothing."""
    return SpikingActorCritic("CartPole-v1", seed=3, actors=2, hidden=3, **others)


def played(one: SpikingActorCritic, replicas: int | None, **others: Any) -> tuple[Any, Any]:
    """Return the figures, and what the callback was told."""
    told: list[tuple[int, float]] = []
    figures = evaluate(
        one,
        EPISODES,
        seed=2,
        replicas=replicas,
        callback=lambda k, total: told.append((k, total)),
        **others,
    )
    return dict(figures), told


@pytest.mark.parametrize(("backend", "arithmetic", "options"), BACKENDS)
def test_any_number_at_once(backend: str, arithmetic: str, options: dict[str, Any]) -> None:
    one = agent()
    where = {"backend": backend, "arithmetic": arithmetic, "backend_options": options}
    alone = played(one, 1, **where)
    assert [number for number, _ in alone[1]] == list(range(EPISODES))
    assert len({total for _, total in alone[1]}) > 1
    for n in (3, 100):
        assert played(one, n, **where) == alone
    reference = played(one, 2, backend="reference", arithmetic=arithmetic)
    assert reference[1] == alone[1]
    assert {**reference[0], "backend": backend} == alone[0]


@pytest.mark.parametrize(
    "others",
    [
        {"carries": True},
        {"loop": "numpy"},
        {"model": "glm", "rule": "spikes-only", "arithmetic": "loihi", "noise": "chip+coins"},
    ],
    ids=["carries", "numpy", "coins"],
)
def test_any_kind_of_agent(others: dict[str, Any]) -> None:
    one = agent(**others)
    assert played(one, 1, explore=True) == played(one, 3, explore=True)
    assert played(one, 2) != played(one, 2, explore=True)


def test_an_episode_is_of_its_number() -> None:
    one = agent()
    few, more = [], []
    evaluate(one, 2, replicas=2, callback=lambda _, total: few.append(total))
    evaluate(one, 4, replicas=3, callback=lambda _, total: more.append(total))
    assert more[:2] == few


def test_numbers_are_drawn_as_at_the_end_of_learning() -> None:
    one = SpikingActorCritic("Pendulum-v1", seed=1, actors=1, hidden=3)
    assert evaluate(one, 2, replicas=1, explore=True) == evaluate(one, 2, replicas=2, explore=True)


def test_masks_are_heeded() -> None:
    one = SpikingActorCritic("Taxi-v4", seed=1, actors=1, hidden=0)
    assert evaluate(one, 3, replicas=1) == evaluate(one, 3, replicas=3)


@pytest.mark.parametrize("replicas", [0, -1, 2.0, True, "2", 5000])
def test_odd_numbers_are_refused(replicas: Any) -> None:
    with pytest.raises(ArgumentError, match=r"evaluate, replicas: .*limit 1 to 4,096"):
        evaluate(agent(), 2, replicas=replicas)


def test_an_environment_without_copies_is_refused() -> None:
    one = SpikingActorCritic(CartPoleVariantEnv(), seed=1, actors=1, hidden=3)
    with pytest.raises(RunError, match=r"can't be made again .*give a function"):
        evaluate(one, 2, replicas=2)
    assert evaluate(one, 2, replicas=1)["episodes"] == 2


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    agent().save(tmp_path / "agent.npz")
    shown = []
    for n in ("1", "2"):
        arguments = [str(tmp_path / "agent.npz"), "--episodes", "3", "--replicas", n, "--json"]
        assert main(["evaluate", *arguments]) == 0
        shown.append(json.loads(capsys.readouterr().out))
    assert shown[0] == shown[1]
    assert main(["evaluate", str(tmp_path / "agent.npz"), "--replicas", "0"]) == 2
    assert "replicas" in capsys.readouterr().err
