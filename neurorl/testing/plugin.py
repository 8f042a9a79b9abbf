"""Run `neurorl.testing.contract` on any backend, as a plug-in of pytest.

    pytest -p neurorl.testing.plugin --pyargs neurorl.testing.contract --neurorl-backend NAME

runs the suite in every arithmetic and on every engine of that backend. Without a name it runs on
the library's own backends.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neurorl.arithmetic.rounding import find_arithmetic
from neurorl.backends.base import Backend
from neurorl.backends.registry import BACKENDS, variants
from neurorl.backends.spec import BackendSpec
from neurorl.errors import BackendUnavailableError, NeurorlError, UnsupportedError
from neurorl.network.description import Network
from neurorl.testing.networks import plain_network, random_network


class Case(BackendSpec):
    """Run networks in tests, on a backend in one of its arithmetics and on one of its engines."""

    @property
    def name(self) -> str:
        """Return the name for reports and for the table of features."""
        return self.label.replace(":", "-")

    @property
    def compiles(self) -> bool:
        """Return whether a network takes seconds to compile, so that tests should use few."""
        return self.chosen_engine.compiles

    def random_network(self, seed: int, currents: bool = False) -> Network:
        """Return a random network, without what the backend or its arithmetic never has."""
        network = random_network(seed, self.backend_class.capabilities.delays, currents)
        counts = find_arithmetic(self.chosen_arithmetic).counts_spikes
        return plain_network(network) if counts else network

    def make(self, network: Network, *needs: str, **options: object) -> Backend:
        """Load a network; skip the test if the backend refuses it, or a method that it *needs*."""
        problems = self.problems(network)
        if problems:
            pytest.skip(f"{self.backend} refuses {'; '.join(problems)}")
        backend = self.load(network, **options)
        try:
            backend.check_can(*needs)
        except UnsupportedError as exc:
            backend.close()
            pytest.skip(str(exc))
        return backend

    def reference(self, network: Network, **options: object) -> Backend:
        """Load the reference that it must equal; skip the test if it doesn't promise to."""
        if not self.is_exact:
            pytest.skip(f"{self.backend} promises no equal spikes in {self.arithmetic} arithmetic")
        return Case("reference", self.arithmetic).load(network, **options)


def cases(name: str) -> list[Case]:
    """Return every way to run networks on a backend. Raises BackendUnavailableError."""
    return [Case(spec.backend, spec.arithmetic, engine=spec.engine) for spec in variants(name)]


_features: dict[str, dict[str, str]] = {}


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("neurorl")
    group.addoption(
        "--neurorl-backend", metavar="NAME", action="append", help="run the contract suite on it"
    )
    group.addoption("--feature-table", metavar="FILE", help="write what each backend ran, as JSON")


def pytest_sessionfinish(session: pytest.Session) -> None:
    target = session.config.getoption("--feature-table")
    if target:
        Path(target).write_text(json.dumps(_features, indent=1) + "\n")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    # A test that has cases of its own by that name keeps them.
    marks = metafunc.definition.iter_markers("parametrize")
    own = {name for mark in marks for name in _names(mark)}
    for fixture in ({"case", "quick_case"} & set(metafunc.fixturenames)) - own:
        params = _params(metafunc.config)
        if fixture == "quick_case":
            params = [p for p in params if not (p.values[0] and p.values[0].compiles)]
        metafunc.parametrize(fixture, params, indirect=True)


def _names(mark: pytest.Mark) -> list[str]:
    """Return the argument names of a ``pytest.mark.parametrize``."""
    names = mark.args[0] if mark.args else mark.kwargs["argnames"]
    return [n.strip() for n in names.split(",")] if isinstance(names, str) else list(names)


def _params(config: pytest.Config) -> list[Any]:
    named = config.getoption("--neurorl-backend")
    params: list[Any] = []
    for name in named or BACKENDS:
        try:
            params += [pytest.param(case, id=case.name) for case in cases(name)]
        except BackendUnavailableError as exc:
            if named:
                raise pytest.UsageError(str(exc)) from exc
            params.append(pytest.param(None, id=name, marks=pytest.mark.skip(reason=str(exc))))
        except NeurorlError as exc:
            raise pytest.UsageError(str(exc)) from exc
    return params


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Case:
    """Return the backend and arithmetic that a test runs on."""
    param: Case = request.param
    return param


quick_case = case  # of those that don't compile for seconds


@pytest.fixture
def record_feature(case: Case) -> Callable[[str, str], None]:
    """Return a function that records a verdict: ``record_feature('LIF', 'exact')``."""

    def record(feature: str, verdict: str) -> None:
        _features.setdefault(feature, {})[case.name] = verdict

    return record
