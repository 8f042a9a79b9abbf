"""One suite over every backend, engine and arithmetic; also writes the table of features."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from neurorl.backend import load
from neurorl.backends.base import Backend
from neurorl.description import Network


@dataclass(frozen=True)
class Case:
    """One way to run a network."""

    backend: str
    arithmetic: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        engine = self.options.get("engine")
        return "-".join([self.backend, *([engine] if engine else []), self.arithmetic])

    def make(self, network: Network, **options: Any) -> Backend:
        return load(self.backend, network, arithmetic=self.arithmetic, **self.options, **options)


CASES = [
    Case("reference", "float"),
    Case("reference", "loihi"),
    Case("brian2", "float", {"engine": "compiled"}),
    Case("brian2", "loihi", {"engine": "compiled"}),
    Case("brian2", "float", {"engine": "numpy"}),
    Case("brian2", "loihi", {"engine": "numpy"}),
    Case("brian2", "float", {"engine": "cython"}),
    Case("brian2", "loihi", {"engine": "cython"}),
    Case("loihi", "loihi"),
]

_features: dict[str, dict[str, str]] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--feature-table", metavar="FILE", help="write what each backend ran, as JSON")


def pytest_sessionfinish(session: pytest.Session) -> None:
    target = session.config.getoption("--feature-table", default=None)
    if target:
        Path(target).write_text(json.dumps(_features, indent=1) + "\n")


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    param: Case = request.param
    return param


@pytest.fixture
def record_feature(case: Case) -> Callable[[str, str], None]:
    """Note what the suite saw: ``record_feature('LIF', 'exact')``."""

    def record(feature: str, verdict: str) -> None:
        _features.setdefault(feature, {})[case.name] = verdict

    return record
