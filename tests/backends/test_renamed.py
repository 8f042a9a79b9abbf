"""Run on native what earlier versions called an engine of Brian2, and say so once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neurorl import Network, Population, Projection, Source, SpikingActorCritic, load
from neurorl.agents.checkpoint import read_checkpoint, write_checkpoint
from neurorl.backends import lookup
from neurorl.backends.base import Backend
from neurorl.backends.spec import BackendSpec
from neurorl.errors import FallbackWarning
from neurorl.models import LIF
from neurorl.runs.training import train

NETWORK = Network(
    (Source("input", 3), Population("cells", 2, LIF(10e-3, 0.8))),
    (Projection("all", "input", "cells", 0.5),),
)
GRID = "neurorl/GridWorld-v0"
SMALL: dict[str, Any] = {"actors": 1, "hidden": 2}


@pytest.fixture(autouse=True)
def forgetful() -> None:
    """Say it anew."""
    lookup._say.cache_clear()


WAYS: dict[str, Callable[[], Backend]] = {
    "text": lambda: load("brian2:compiled", NETWORK),
    "text, arithmetic": lambda: load("brian2:compiled:loihi", NETWORK),
    "option": lambda: load("brian2", NETWORK, engine="compiled"),
    "spec": lambda: BackendSpec("brian2", engine="compiled").load(NETWORK),
    "spec, option": lambda: BackendSpec("brian2", options={"engine": "compiled"}).load(NETWORK),
    "spec of options": lambda: BackendSpec.of("brian2", options={"engine": "compiled"}).load(
        NETWORK
    ),
    "agent": lambda: SpikingActorCritic(GRID, backend="brian2:compiled", **SMALL).backend,
}


def said_once(play: Callable[[], Any], where: str) -> Any:
    """Return what it does in a second call, after the first one has warned."""
    with pytest.warns(FallbackWarning, match=f"{where}.* is the backend native now") as warned:
        play()
    assert len(warned) == 1
    return play()


@pytest.mark.parametrize("way", WAYS)
def test_an_engine_that_was_named(way: str) -> None:
    assert said_once(WAYS[way], "brian2:compiled").name == "native"


def test_what_brian2_has_still_is_brian2s() -> None:
    assert BackendSpec.parse("brian2:cython:loihi").backend == "brian2"
    with load("brian2", NETWORK) as backend:
        assert (backend.name, getattr(backend, "engine", None)) == ("brian2", "numpy")


def as_of_before(checkpoint: Path) -> None:
    """Let a checkpoint say that brian2 ran it, as those of earlier versions do."""
    described, arrays = read_checkpoint(checkpoint)
    assert described["backend"] == "native"
    write_checkpoint(checkpoint, {**described, "backend": "brian2"}, arrays)


def test_a_saved_agent_goes_on_within_its_episode(tmp_path: Path) -> None:
    agent = SpikingActorCritic(GRID, backend="native", seed=2, **SMALL)
    agent.learn(total_steps=230)
    agent.save(tmp_path / "agent.npz")
    as_of_before(tmp_path / "agent.npz")
    again = said_once(lambda: SpikingActorCritic.load(tmp_path / "agent.npz"), "saved on brian2")
    assert again.backend_name == "native"
    for one in (agent, again):
        one.learn(total_steps=500)
    expected, got = agent.state(), again.state()
    assert [key for key in expected if expected[key].tobytes() != got[key].tobytes()] == []


def test_a_run_goes_on(tmp_path: Path) -> None:
    def trained(name: str, steps: int, **options: Any) -> dict[str, Any]:
        return dict(train(GRID, tmp_path / name, steps=steps, **options))

    options: dict[str, Any] = {"backend": "native", "seed": 3, "overrides": SMALL}
    whole = trained("whole", 500, **options)
    trained("run", 230, **options)
    as_of_before(tmp_path / "run" / "checkpoint.npz")
    config = tmp_path / "run" / "config.json"
    text = config.read_text()
    assert '"backend": "native"' in text
    config.write_text(text.replace('"backend": "native"', '"backend": "brian2"'))
    with pytest.warns(FallbackWarning, match="saved on brian2"):
        resumed = trained("run", 500, resume=True)
    assert (resumed["backend"], resumed["digest"]) == ("native", whole["digest"])
