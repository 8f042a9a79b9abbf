"""Mark each test against other people's simulators by the package that it needs.

``--witness-table FILE`` writes what was measured, as JSON; scripts/witness_table.py puts it into
docs/witnesses.md.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path

import pytest

REMEDIES = {
    "nest": "pip install 'neurorl[nest]'",
    "brian2": "pip install brian2",
    "brian2_loihi": "pip install brian2-loihi==0.5.2",
    "neurobench": "pip install neurobench",
    "snntorch": "pip install snntorch nirtorch",
    "nirtorch": "pip install snntorch nirtorch",
    "spikingjelly": "pip install spikingjelly nirtorch",
    "norse": "pip install norse",
    "torch": "pip install 'neurorl[torch]'",
}

_rows: list[dict[str, object]] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--witness-table", metavar="FILE", help="write what was measured, as JSON")
    parser.addoption("--nir-table", metavar="FILE", help="write the rows of docs/nir.md, as JSON")


def pytest_sessionfinish(session: pytest.Session) -> None:
    target = session.config.getoption("--witness-table", default=None)
    if target:
        Path(target).write_text(json.dumps(_rows, indent=1) + "\n")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for marker in item.iter_markers("witness"):
        (package,) = marker.args
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}: {REMEDIES[package]}")


@pytest.fixture
def measured(request: pytest.FixtureRequest) -> Callable[[str, str, float, float], None]:
    """Return ``measured(witness, what, worst, tolerance)``, failing if *worst* is larger."""

    def note(witness: str, what: str, worst: float, tolerance: float) -> None:
        row = {"witness": witness, "what": what, "tolerance": tolerance, "worst": float(worst)}
        _rows.append(row | {"test": request.node.nodeid.partition("[")[0]})
        assert worst <= tolerance, f"{witness}, {what}: {worst} > {tolerance}"

    return note
