"""Who names no backend gets the quickest that works here, with the same bits."""

from __future__ import annotations

import json
import stat
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorl import Network, Population, Projection, Source, SpikingActorCritic, load
from neurorl.backends import lookup as module
from neurorl.backends.lookup import BACKENDS, VARIABLE, quickest
from neurorl.backends.native import NativeSimulator
from neurorl.cli import main
from neurorl.errors import BackendUnavailableError, FallbackWarning, UnknownNameError
from neurorl.models import LIF
from neurorl.network.description import TsodyksMarkram
from neurorl.runs.training import train

pytestmark = pytest.mark.usefixtures("quickest_backend")

GRID = "neurorl/GridWorld-v0"
SMALL: dict[str, Any] = {"actors": 1, "hidden": 2, "seed": 2}


@pytest.fixture(autouse=True)
def forgetful() -> None:
    """Warn anew."""
    module._warn.cache_clear()


def network() -> Network:
    nodes = (Source("input", 2), Population("cells", 3, LIF(threshold=0.5)))
    kind = TsodyksMarkram(U=0.6, tau_rec=50e-3)
    return Network(nodes, (Projection("all", "input", "cells", 0.3, short_term=kind),))


def test_the_quickest_is_taken_and_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    best = max(BACKENDS, key=lambda name: BACKENDS[name].speed)
    agent = SpikingActorCritic(GRID, **SMALL)
    assert agent.backend_name == best == quickest()
    assert train(GRID, tmp_path / "run", episodes=1, overrides={"actors": 1})["backend"] == best
    assert main(["backends", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["default"] == best
    agent.save(tmp_path / "agent.npz")
    assert SpikingActorCritic.load(tmp_path / "agent.npz").backend_name == best


def test_a_saved_agent_stays_where_it_learned(tmp_path: Path) -> None:
    SpikingActorCritic(GRID, backend="reference", **SMALL).save(tmp_path / "agent.npz")
    assert SpikingActorCritic.load(tmp_path / "agent.npz").backend_name == "reference"


def test_the_bits_are_those_of_the_reference() -> None:
    default, reference = (
        SpikingActorCritic(GRID, backend=backend, **SMALL) for backend in (None, "reference")
    )
    for agent in (default, reference):
        agent.learn(total_episodes=3)
    assert [e.ret for e in default.episodes] == [e.ret for e in reference.episodes]
    for name, weights in reference.weights.items():
        assert default.weights[name].tobytes() == weights.tobytes()


def test_what_it_cannot_run_goes_to_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    described = network()
    with load(described) as backend:
        assert backend.name == quickest() == "native"
    monkeypatch.setattr(NativeSimulator, "problems", lambda *_: ["this network"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with load(described) as backend, load("reference", described) as reference:
            assert backend.name == "reference"
            spikes = np.ones((50, 2), dtype=bool)
            got, expected = (b.step({"input": spikes}, 50)["cells"] for b in (backend, reference))
    assert np.array_equal(got, expected)


@pytest.mark.parametrize("kind", ["missing", "failing"])
def test_without_a_compiler_it_is_the_next_and_says_so_once(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiler = tmp_path / "c++"
    if kind == "failing":
        compiler.write_text('#!/bin/sh\n[ "$1" = -v ] && exit 0\necho "error: no luck"\nexit 1\n')
        compiler.chmod(compiler.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("CXX", str(compiler))
    monkeypatch.setattr("neurorl.native.build.has_library", lambda: False)
    said = "no C\\+\\+ compiler" if kind == "missing" else "can't compile: error: no luck"
    with pytest.warns(FallbackWarning, match=f"native isn't taken, so all is slower .*{said}"):
        assert quickest() == "reference"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert quickest() == "reference"


def test_where_it_does_not_import_it_is_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(name: str) -> object:
        raise BackendUnavailableError(f"backend {name}", "doesn't import")

    monkeypatch.setattr(module, "backend_class", broken)
    with pytest.warns(FallbackWarning, match=r"backend native: doesn't import"):
        assert quickest() == "reference"


def test_a_variable_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "reference")
    assert SpikingActorCritic(GRID, **SMALL).backend_name == "reference"
    monkeypatch.setenv(VARIABLE, "brain2")
    with pytest.raises(UnknownNameError, match="did you mean 'brian2'"):
        SpikingActorCritic(GRID, **SMALL)
