"""Test `neurorl.validate` and the command: verdicts, rows, tolerances, and what is refused."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

import neurorl
from neurorl import SpikingActorCritic
from neurorl.backends.base import Capabilities
from neurorl.backends.reference import ReferenceSimulator
from neurorl.backends.spec import BackendSpec
from neurorl.cli import main
from neurorl.errors import ArgumentError, NeurorlError, UnknownNameError
from neurorl.models import LIF
from neurorl.network.description import Network, Population, Projection, Source
from neurorl.nir import to_nir
from neurorl.testing import FEATURES
from neurorl.validation import Tolerance, read_specs
from neurorl.validation.cli import _print
from neurorl.validation.page import page
from neurorl.validation.tolerance import (
    REMEDY,
    TAU_STEPS,
    missing,
    spike_distance,
    van_rossum,
    worst,
)

needs_distances = pytest.mark.skipif(
    bool(missing()), reason=f"needs {' and '.join(missing())}: {REMEDY}"
)
KEYS = {"quantity", "population", "backend_a", "backend_b", "verdict", "first_divergence", "cause"}


def command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    status = main(["validate", *arguments, "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_one_arithmetic_is_exact(capsys: pytest.CaptureFixture[str]) -> None:
    status, report = command(
        capsys, "lif", "--backends", "reference,brian2:numpy,loihi", "--arithmetic", "loihi",
        "--steps", "60", "--learn", "--updates", "6",
    )  # fmt: skip
    assert (status, report["verdict"]) == (0, "exact")
    assert all(row.keys() >= KEYS for row in report["rows"])
    assert {row["verdict"] for row in report["rows"]} == {"exact"}
    assert report["backends"] == ["reference:loihi", "brian2:numpy:loihi", "loihi:loihi"]
    quantities = {row["quantity"] for row in report["rows"]}
    assert quantities >= {"spikes", "membrane", "weights", "decisions", "learning: returns"}
    assert quantities >= {"learning: trace", "learning: eligibility", "learning: weights"}
    assert sum(row["spikes_a"] for row in report["rows"] if row["quantity"] == "spikes") > 0


def test_a_comparison_of_no_spikes_is_told() -> None:
    silent = Network(
        (Source("in", 2), Population("out", 2, LIF(threshold=9.0))),
        (Projection("to", "in", "out", 1e-3),),
    )
    with pytest.warns(neurorl.PopulationWarning, match="validate: no neuron spiked, so equal"):
        neurorl.validate(silent, "reference,brian2:numpy", steps=20)


@pytest.mark.parametrize("weight", [0.0, 0.3])
def test_a_membrane_that_never_left_0_is_noted(
    weight: float, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = Network(
        (
            Source("in", 2),
            *(Population(name, 2, LIF(threshold=0.5)) for name in ("driven", "idle")),
        ),
        (Projection("to", "in", "driven", 0.9), Projection("on", "in", "idle", weight)),
    )
    result = neurorl.validate(network, "reference:float,native:float", steps=40)
    expected = [] if weight else ["membrane of idle never left 0: a fault of it can't be seen"]
    assert result.verdict == "exact"
    assert result.to_dict()["notes"] == result.notes == expected
    assert ("Note: membrane of idle" in result.write(tmp_path / "x.html").read_text()) == (
        not weight
    )
    _print(result)
    assert capsys.readouterr().out.count("note: membrane of idle") == len(expected)


@needs_distances
def test_float_and_chip_agree_within_a_tolerance(capsys: pytest.CaptureFixture[str]) -> None:
    status, report = command(capsys, "lif", "--backends", "reference:float,loihi", "--steps", "360")
    assert (status, report["verdict"]) == (0, "within")
    spikes = [row for row in report["rows"] if row["quantity"] == "spikes"]
    assert all(row["cause"] in ("quantisation", "follows") for row in spikes)
    assert all(row["van_rossum"] > 0 and 0 < row["spike_distance"] < 1 for row in spikes)
    decisions = report["rows"][-1]
    assert decisions["agreement"] == pytest.approx(1 - decisions["difference"])
    assert report["explanations"][0]["lane"] is None
    assert report["command"].startswith("neurorl validate lif --backends reference:float,loihi")


def test_a_difference_beyond_the_tolerance_is_different() -> None:
    strict = Tolerance(rate=0.0, membrane=0.0)
    report = neurorl.validate("lif", "reference:float,loihi", steps=120, tolerance=strict)
    verdicts = {row["quantity"]: row["verdict"] for row in report.rows}
    assert (verdicts["spikes"], verdicts["membrane"], report.verdict) == ("different",) * 3


def test_a_run_is_validated_with_what_it_learned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "cart"
    assert main(["train", "CartPole-v1", "--episodes", "3", "--out", str(run), "--json"]) == 0
    capsys.readouterr()
    status, report = command(
        capsys, str(run), "--backends", "reference,brian2:numpy", "--steps", "48"
    )
    assert (status, report["verdict"], report["subject"]) == (0, "exact", "run cart")
    assert str(tmp_path) not in json.dumps(report)
    agent = SpikingActorCritic.load(run)
    found = neurorl.validate(agent, "reference,brian2:numpy", steps=24)
    for name, weights in agent.memory.weights.items():
        assert np.array_equal(found.recordings[0].weights[name], weights)


def test_a_graph_of_another_tool_is_a_network_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    network = Network(
        (Source("input", 5), Population("cells", 4, LIF(10e-3, 0.8))),
        (Projection("drive", "input", "cells", 0.4),),
    )
    to_nir(network, {}, tmp_path / "graph.nir")
    specs = ["--backends", "reference,loihi,brian2:numpy", "--arithmetic", "loihi"]
    status, report = command(capsys, str(tmp_path / "graph.nir"), *specs, "--steps", "60")
    assert (status, report["verdict"], report["subject"]) == (0, "exact", "graph.nir")
    assert sum(row["spikes_a"] for row in report["rows"] if row["quantity"] == "spikes") > 0


@pytest.mark.parametrize("feature", ["currents", "delays of several steps", "signed units (+-1)"])
def test_features_are_networks_too(feature: str) -> None:
    report = neurorl.validate(feature, "reference,brian2:numpy,loihi", arithmetic="loihi", steps=60)
    assert report.verdict == "exact"
    assert any(row["spikes_a"] for row in report.rows if row["quantity"] == "spikes")


def test_the_same_call_gives_the_same_report() -> None:
    first, second = (
        neurorl.validate("glm", "reference:float,loihi", steps=40, learn=True, updates=5)
        for _ in range(2)
    )
    assert first.to_dict() == second.to_dict()


def test_a_difference_is_exit_status_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neurorl.backends.spec.BackendSpec.must_equal", lambda *_: True)
    status, report = command(capsys, "lif", "--backends", "reference:float,loihi", "--steps", "48")
    assert (status, report["verdict"]) == (1, "different")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["lif", "--backends", "reference"], "nothing to compare"),
        (["lif", "--backends", "reference,brain2"], "did you mean 'brian2'"),
        (["lif", "--backends", "reference,reference"], "named twice"),
        (["lif", "--backends", "reference,loihi:float"], "another arithmetic"),
        (["lif", "--backends", "reference,brian2:numpi"], "did you mean 'numpy'"),
        (["lif", "--arithmetic", "fixed"], "arithmetic: unknown name"),
        (["glm", "--arithmetic", "xylo"], "xylo: no backend runs in it (got "),
        (["lif", "--backends", "loihi,brian2:numpy", "--arithmetic", "xylo"], "no backend runs"),
        (["lfi"], "did you mean 'lif'"),
        (["lif", "--steps", "0"], "steps"),
        (["lif", "--seed", "-1"], "seed"),
        (["currents", "--learn", "--backends", "reference,loihi"], "can't learn"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", *arguments]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1


def test_a_report_that_cannot_be_written_is_bad_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = str(tmp_path / "none" / "page.html")
    specs = ["--backends", "reference:float,reference:loihi", "--steps", "12"]
    assert main(["validate", "lif", *specs, "--report", target]) == 2
    assert "can't be written" in capsys.readouterr().err


class Picky(ReferenceSimulator):
    """Refuse delays."""

    name: ClassVar[str] = "picky"
    capabilities: ClassVar[Capabilities] = dataclasses.replace(
        ReferenceSimulator.capabilities, delays=False
    )


def test_backends_that_cannot_run_it_are_left_out_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    specs = [BackendSpec(x, "loihi") for x in ("reference", "loihi")]
    picky = BackendSpec("picky", "loihi", cls=Picky)
    monkeypatch.setattr("neurorl.validation.report.read_specs", lambda *_: [*specs, picky])
    found = neurorl.validate("delays of several steps", steps=20)
    assert (found.verdict, len(found.recordings)) == ("exact", 2)
    (skipped,) = found.to_dict()["skipped"]
    assert skipped["backend"] == "picky:loihi"
    assert "'far' with a delay" in skipped["why"]
    assert "Left out: picky:loihi" in page(found)
    monkeypatch.setattr("neurorl.validation.report.read_specs", lambda *_: [specs[0], picky])
    with pytest.raises(ArgumentError, match=r"fewer than two .*picky:loihi: projection 'far'"):
        neurorl.validate("delays of several steps", steps=20)


def test_membranes_are_compared_in_every_step_of_the_first_windows() -> None:
    found = neurorl.validate("lif", "reference,brian2:numpy", steps=300)
    membranes = [row for row in found.rows if row["quantity"] == "membrane"]
    for row in membranes:
        size = found.subject.network.node(row["population"]).size
        assert row["traced_steps"] == 144
        assert row["compared"] == (144 + 25) * 2 * size


def test_a_command_that_would_not_repeat_it_is_not_shown() -> None:
    specs = "reference:float,loihi"
    assert neurorl.validate("glm", specs, steps=4).command is not None
    assert neurorl.validate("glm", specs, steps=4, overrides={"policy.beta": 0.5}).command is None
    assert neurorl.validate("glm", specs, steps=4, tolerance=Tolerance()).command is None


def test_specs_of_names() -> None:
    specs = read_specs("reference:float, brian2:cython,loihi", "loihi")
    assert [(spec.backend, spec.arithmetic, spec.class_options) for spec in specs] == [
        ("reference", "float", {}),
        ("brian2", "loihi", {"engine": "cython"}),
        ("loihi", "loihi", {}),
    ]
    assert not specs[0].must_equal(specs[1])
    assert specs[1].must_equal(specs[2])
    assert {spec.backend for spec in read_specs(None)} >= {"reference", "native", "brian2", "loihi"}


def test_only_known_names_and_numbers() -> None:
    with pytest.raises(UnknownNameError):
        neurorl.validate("nothing", "reference,loihi")
    with pytest.raises(ArgumentError):
        neurorl.validate("lif", "reference,loihi", steps=True)
    with pytest.raises(NeurorlError):
        neurorl.validate("lif", [BackendSpec("reference", "float")])


def test_verdicts_are_ordered() -> None:
    assert worst([]) == "exact"
    assert worst(["exact", "within"]) == "within"
    assert worst(["different", "exact", "within"]) == "different"
    assert Tolerance(rate=0.1).verdict(False, False, 0.1, "rate") == "within"
    assert Tolerance(rate=0.1).verdict(False, True, 0.0, "rate") == "different"


@needs_distances
def test_distances_of_known_trains() -> None:
    """One spike more gives van Rossum's distance 1, as its exponential is normalised."""
    one, two = np.zeros((400, 2), bool), np.zeros((400, 2), bool)
    one[[50, 60], 0] = two[50, 0] = True
    away = van_rossum(one, two, TAU_STEPS)
    assert away == pytest.approx(1 / 2, rel=1e-3)  # of the two neurons, one differs
    shifted = np.roll(two, 3, axis=0)
    expected = np.sqrt(2 * (1 - np.exp(-3 / TAU_STEPS))) / 2
    assert van_rossum(two, shifted, TAU_STEPS) == pytest.approx(expected, rel=1e-3)
    nearer, farther = (spike_distance(one, np.roll(one, k, axis=0)) for k in (1, 4))
    assert nearer is not None
    assert farther is not None
    assert 0 < nearer < farther < 1
    assert van_rossum(one, one) == van_rossum(two, two) == 0
    assert spike_distance(one, one) == 0


def test_without_the_library_only_a_distance_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neurorl.validation.tolerance._pyspike", lambda: None)
    report = neurorl.validate(FEATURES["LIF"](), "reference:float,loihi", steps=60)
    row = report.rows[0]
    assert row["verdict"] in ("within", "different")
    assert row["van_rossum"] > 0
    assert row["spike_distance"] is None
    assert report.to_dict()["missing"] == ["pyspike"]


def test_a_backend_that_nobody_registered() -> None:
    path = Path(__file__).parents[2] / "examples" / "backend" / "neurorl_events.py"
    spec = importlib.util.spec_from_file_location("neurorl_events_to_validate", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    specs = ["reference", module.EventsSimulator]
    found = neurorl.validate("glm", specs, steps=60, learn=True, updates=5)
    assert (found.verdict, found.command) == ("exact", None)
    assert found.recordings[1].spec.label == "events:float"
