"""Programs that name modules as version 0.1.0 had them still run, on the same objects."""

from __future__ import annotations

import importlib
import sys

import pytest

import neurorl
from neurorl._moved import MOVED, install


@pytest.mark.parametrize("old", sorted(MOVED))
def test_an_old_name_is_the_module_itself(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, old, raising=False)
    new = importlib.import_module(MOVED[old])
    spec = new.__spec__
    assert importlib.import_module(old) is new
    assert new.__spec__ is spec
    assert new.__name__ == MOVED[old]


def test_what_the_first_readme_taught_still_runs() -> None:
    from neurorl.evaluation import evaluate  # type: ignore[import-not-found]

    assert evaluate is neurorl.evaluate
    for package in ("arithmetic", "diagnostics"):
        assert importlib.import_module(f"neurorl.{package}").__all__
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("neurorl.evaluations")


def test_finders_are_installed_once() -> None:
    before = len(sys.meta_path)
    install()
    assert len(sys.meta_path) == before
