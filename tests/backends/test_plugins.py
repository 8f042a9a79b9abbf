"""Test backends of other distributions: found by entry points, checked, run by the suite."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from neurorl import Network, Population, Projection, Source, load
from neurorl.backends.lookup import import_class
from neurorl.backends.plugins import plugins
from neurorl.backends.registry import available_backends
from neurorl.cli import main
from neurorl.errors import BackendUnavailableError, UnknownNameError, UnsupportedError
from neurorl.models import LIF

EXAMPLE = Path(__file__).parents[2] / "examples" / "backend"
SUITE = "pytest -p neurorl.testing.plugin --pyargs neurorl.testing.contract --neurorl-backend"


def install(source: Path, target: Path) -> None:
    """Install a package from its source into a folder, as pip does into an environment."""
    options = "--quiet --no-deps --no-index --no-build-isolation --disable-pip-version-check"
    command = [sys.executable, "-m", "pip", "install", *options.split(), "--target", str(target)]
    subprocess.run([*command, str(source)], check=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder where the example backend is installed."""
    folder = tmp_path_factory.mktemp("example")
    install(shutil.copytree(EXAMPLE, folder / "source"), folder / "site")
    return folder / "site"


def run(site: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ``python -m`` something where the packages of *site* are installed."""
    environment = {**os.environ, "PYTHONPATH": str(site), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", *arguments]
    return subprocess.run(
        command, env=environment, cwd=cwd, capture_output=True, text=True, check=False
    )


def test_the_example_is_found_and_passes_the_suite(site: Path, tmp_path: Path) -> None:
    listed = run(site, tmp_path, "neurorl", "backends", "--json")
    row = json.loads(listed.stdout)["rows"][-1]
    assert (row["name"], row["distribution"], row["version"]) == (
        "events",
        "neurorl-events",
        "0.1.0",
    )
    assert row["available"]
    assert row["remedy"] is None
    done = run(site, tmp_path, *SUITE.split(), "events", "-q", "-rs", "-p", "no:nengo")
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
    assert "events refuses signed projection" in done.stdout
    assert "failed" not in done.stdout


def test_an_agent_learns_on_the_example_as_on_the_reference(site: Path, tmp_path: Path) -> None:
    train = ["neurorl", "train", "neurorl/GridWorld-v0", "--episodes", "3", "--seed", "5"]
    for name in ("events", "reference"):
        done = run(site, tmp_path, *train, "--backend", name, "--out", name)
        assert done.returncode == 0, done.stderr
    columns = [
        [
            line.split(",")[:4]
            for line in (tmp_path / name / "episodes.csv").read_text().splitlines()
        ]
        for name in ("events", "reference")
    ]
    assert columns[0] == columns[1]  # all but the time it took
    assert len(columns[0]) == 4


@pytest.mark.parametrize(
    ("old", "new", "test"),
    [
        ("level > d.threshold", "level >= d.threshold - 0.2", "test_equals_the_reference"),
        ("self.v[spikes] = 0.0", "self.v[spikes] -= d.threshold[spikes]", "test_random_networks"),
        ("        self._t[replica] = int(state", "        _ = int(state", "test_restore_is_exact"),
    ],
    ids=["threshold", "reset", "time"],
)
def test_the_suite_finds_what_is_wrong(
    old: str, new: str, test: str, site: Path, tmp_path: Path
) -> None:
    source = (EXAMPLE / "neurorl_events.py").read_text()
    assert source.count(old) == 1
    shutil.copytree(site, tmp_path / "site")
    (tmp_path / "site" / "neurorl_events.py").write_text(source.replace(old, new))
    options = ["events", "-q", "-x", "-p", "no:nengo", "-k", test]
    done = run(tmp_path / "site", tmp_path, *SUITE.split(), *options)
    assert done.returncode == 1, done.stdout


@pytest.mark.parametrize(
    ("name", "words"), [("evnets", "did you mean 'events'"), ("brian3", "did you mean 'brian2'")]
)
def test_the_suite_of_an_unknown_backend(name: str, words: str, site: Path, tmp_path: Path) -> None:
    done = run(site, tmp_path, *SUITE.split(), name, "-q", "-p", "no:nengo")
    assert done.returncode not in (0, 1)
    assert words in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_network_that_the_example_refuses(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(site))
    network = Network(
        (Source("input", 1), Population("cells", 1, LIF())),
        (Projection("slow", "input", "cells", 0.5, delay=5e-3),),
    )
    with pytest.raises(UnsupportedError, match="backend events: can't run projection 'slow'"):
        load("events", network)


def offer(folder: Path, distribution: str, *points: str, module: str = "") -> None:
    """Write a distribution of these entry points, as an installer leaves it."""
    info = folder / f"{distribution.replace('-', '_')}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("\n".join(["[neurorl.backends]", *points]) + "\n")
    if module:
        (folder / f"{distribution.replace('-', '_')}.py").write_text(module)


BASE = "from neurorl.backends.capabilities import Capabilities\n"
BASE += "from neurorl.backends.simulator import Simulator\n"
CAN = "    capabilities = Capabilities(('float',), ())\n"

BROKEN = [
    ("odd", "odd = not_there:Backend", "", r"odd doesn't import \(got No module named 'not_there'"),
    ("odd", "odd = odd:Backend", "1 / 0", r"odd doesn't import \(got division by zero"),
    ("odd", "odd = odd:Backend", "", "no attribute 'Backend'"),
    ("odd", "odd = odd", "", "malformed entry point 'odd', not module:Class"),
    ("odd", "odd = odd:x", "x = 3", "3 is no subclass of neurorl.backends.simulator.Simulator"),
    ("odd", "odd = odd:A", BASE + "class A(Simulator):\n" + CAN, "A lacks build, reset"),
    ("odd", "odd = two words", "", "malformed entry point 'two words'"),
]


@pytest.mark.parametrize(("distribution", "point", "module", "words"), BROKEN)
def test_a_broken_plug_in_is_one_clear_line(
    distribution: str,
    point: str,
    module: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    offer(tmp_path, distribution, point, module=module or "\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "odd", raising=False)
    with pytest.raises(BackendUnavailableError, match=words):
        load("odd", one_cell())
    row = available_backends()[-1]
    assert (row["name"], row["available"]) == ("odd", False)
    assert "\n" not in row["remedy"]
    assert "pip install --upgrade odd" in row["remedy"]
    assert main(["train", "CartPole-v1", "--backend", "odd"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    monkeypatch.delitem(sys.modules, "odd", raising=False)


def one_cell() -> Network:
    return Network((Source("input", 1), Population("cells", 1, LIF())))


REAL = "neurorl.backends.reference:ReferenceSimulator"


def test_a_class_of_another_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(tmp_path, "odd", f"odd = {REAL}")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(BackendUnavailableError, match="calls itself 'reference'"):
        load("odd", one_cell())


def test_a_class_within_another_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = "from neurorl.backends.reference import ReferenceSimulator\n"
    module += "class Outer:\n    class Inner(ReferenceSimulator):\n        name = 'within'\n"
    offer(tmp_path, "nested", "within = nested:Outer.Inner", module=module)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert import_class("within", dict(plugins(()))["within"]).__qualname__ == "Outer.Inner"
    assert load("within", one_cell()).simulator.name == "within"


def test_two_of_one_name_clash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(tmp_path, "one-thing", f"odd = {REAL}")
    offer(tmp_path, "other-thing", f"odd = {REAL}")
    monkeypatch.syspath_prepend(str(tmp_path))
    words = "backend odd: offered by one-thing and other-thing; uninstall all but one"
    with pytest.raises(BackendUnavailableError, match=words):
        load("odd", one_cell())
    rows = [row for row in available_backends() if row["name"] == "odd"]
    assert [row["distribution"] for row in rows] == ["one-thing", "other-thing"]
    assert all(words in row["remedy"] for row in rows)


def test_the_librarys_own_names_stay_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(tmp_path, "odd", "reference = odd:Backend")
    monkeypatch.syspath_prepend(str(tmp_path))
    with load("reference", one_cell()) as backend:
        assert type(backend.simulator).__module__.startswith("neurorl.backends.reference")
    rows: list[dict[str, Any]] = [r for r in available_backends() if r["name"] == "reference"]
    assert [(r["distribution"], r["available"]) for r in rows] == [("numpy", True), ("odd", False)]
    assert "offers a backend of a name that is neurorl's own; uninstall odd" in rows[1]["remedy"]


def test_an_unknown_name_lists_plug_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer(tmp_path, "odd", f"spikier = {REAL}")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(UnknownNameError, match="did you mean 'spikier'"):
        load("spikiest", one_cell())
