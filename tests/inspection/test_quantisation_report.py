"""Test the report of chip arithmetic's errors: by hand, measured, and as `neurorl show` has it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from chip_features import CHIP_FEATURES

from neurorl.cli import main
from neurorl.errors import ArgumentError
from neurorl.lab.quantisation import compare, quantisation_report
from neurorl.models import GLM, LIF, CubaLIF
from neurorl.network.description import Network, Plasticity, Population, Projection, Source
from neurorl.runs.training import train
from neurorl.testing import FEATURES, rasters

GRID = "neurorl/GridWorld-v0"


def network(neuron: Any, n_inputs: int = 4, **projection: Any) -> Network:
    plastic = Plasticity(low=-1.0, high=1.0)
    return Network(
        (Source("input", n_inputs), Population("cells", 2, neuron)),
        (Projection("drive", "input", "cells", plasticity=plastic, **projection),),
    )


def test_errors_by_hand() -> None:
    """A weight of 1 is 254 * 64 = 16256 chip units; each is a whole number of 2/254."""
    tau = -1e-3 / np.log(0.3)
    neuron = CubaLIF(tau_syn=tau, tau_mem=2 * tau, threshold=0.4, bias=np.array([0.01, 1.01]))
    weights = np.array([[0.5, 0.0], [1e-4, 2.0], [-1.0, 1 / 127], [0.25, 0.25]])
    report = quantisation_report(network(neuron), {"drive": weights})
    (cells,), (drive,) = report["populations"], report["projections"]
    assert (cells["population"], cells["scale"], cells["unit"]) == ("cells", 0.4, 16256)
    # 0.4 is 6502.4, the nearest multiple of 64 is 6528; 1.01 is 16418.56, of steps of 8: 16416.
    assert cells["threshold_error"] == pytest.approx((6528 - 6502.4) / 16256 / 0.4)
    assert cells["bias_error"] == pytest.approx((16418.56 - 16416) / 16256 / 0.4)
    assert cells["current_decay_error"] == pytest.approx(round(0.3 * 4096) / 4096 - 0.3, abs=1e-12)
    left = 0.3**0.5
    assert cells["membrane_decay_error"] == pytest.approx(round(left * 4096) / 4096 - left)
    assert cells["noise_error"] == 0.0
    # At the second neuron 254, 2 and 64 times 64 come together (2.0 is cut), of which 0.3 stay.
    assert cells["arriving_percent"] == pytest.approx(100 * 320 * 64 / (2**21 - 1))
    arrive = 320 * 64 / (1 - round(0.3 * 4096) / 4096)
    assert cells["current_percent"] == pytest.approx(100 * (arrive + 16416) / (2**23 - 1))
    assert cells["bias_percent"] == pytest.approx(100 * 16416 / (4095 * 128))
    assert drive["projection"] == "drive"
    assert (drive["exponent"], drive["largest"]) == (0, 1.0)
    assert drive["resolution"] == pytest.approx(2 / 254)
    assert drive["clipped_percent"] == 100 / 8
    assert drive["zeroed_percent"] == 100 / 8
    errors = [64 / 127 - 0.5, 1e-4, 32 / 127 - 0.25, 32 / 127 - 0.25]
    assert drive["worst_error"] == pytest.approx(max(errors) / 0.4)
    assert drive["rms_error"] == pytest.approx(np.sqrt(np.sum(np.square(errors)) / 7) / 0.4)


def test_the_lifted_threshold_of_the_papers_unit_is_no_error() -> None:
    report = quantisation_report(network(GLM(), signed=True), {"drive": np.full((4, 2), 0.5)})
    (cells,) = report["populations"]
    assert (cells["scale"], cells["threshold_error"], cells["bias_error"]) == (0.5, 0.0, 0.0)
    assert cells["noise_error"] == pytest.approx(0.5 / cells["unit"] / 0.5)
    # It transmits 2w = 1, half of the largest, and -w of each is in the bias.
    assert cells["arriving_percent"] == pytest.approx(100 * 4 * 128 * 64 / (2**21 - 1))
    assert cells["bias_percent"] == pytest.approx(100 * (64 + 4 * 64 * 64) / (4095 * 128))


@pytest.mark.parametrize(
    ("neuron", "noise", "error"),
    [
        (GLM(), "chip", 0.058),
        (GLM(), "chip+coins", 0.018),
        (LIF(5e-3, 0.5, noise=0.5), "chip", None),
        (LIF(5e-3, 0.5), "chip", 0.0),
    ],
)
def test_the_chips_own_noise(neuron: Any, noise: str, error: float | None) -> None:
    report = quantisation_report(network(neuron), noise=noise)
    assert report["noise"] == noise
    assert report["populations"][0]["noise_error"] == error
    assert [row["projection"] for row in report["projections"]] == ["drive"]


@pytest.mark.parametrize("feature", CHIP_FEATURES)
def test_every_feature_has_a_report(feature: str) -> None:
    described = FEATURES[feature]()
    report = quantisation_report(described, seed=3)
    assert [row["population"] for row in report["populations"]] == [
        p.name for p in described.populations
    ]
    for row in report["projections"]:
        assert 0 <= row["rms_error"] <= row["worst_error"]
        assert row["clipped_percent"] == 0
    json.dumps(report, allow_nan=False)


def test_rates_are_measured_on_given_input() -> None:
    described = FEATURES["escape noise"]()
    inputs = rasters(described, 400, 1, 0.4)
    report = quantisation_report(described, inputs=inputs, n_steps=400, seed=2)
    for row in report["populations"]:
        assert row["rate"] > 0.05
        error = 100 * (row["chip_rate"] / row["rate"] - 1)
        assert row["rate_error_percent"] == pytest.approx(error)
        assert abs(error) < 5
    silent = Network((Population("cells", 2, LIF()),))
    (row,) = quantisation_report(silent, inputs={}, n_steps=3)["populations"]
    assert (row["rate"], row["rate_error_percent"]) == (0.0, None)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("runs") / "run"
    train(GRID, out, episodes=3, overrides={"actors": 2, "hidden": 2})
    return out


def test_show_has_it(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def shown(*arguments: str) -> dict[str, Any]:
        assert main(["show", *arguments, "--json"]) == 0
        seen = capsys.readouterr()
        assert seen.err == ""
        found: dict[str, Any] = json.loads(seen.out)
        return found

    plain = shown(str(trained))
    assert (plain["arithmetic"], plain["quantisation"], plain["cores"]) == ("float", None, None)
    assert plain["cost"]["neurons"] == 2 * 4 * 3
    assert {row["population"] for row in plain["diagnostics"]["populations"]} == {
        "hidden",
        "output",
    }
    on_chip = shown(str(trained), "--backend", "loihi")
    assert [row["population"] for row in on_chip["cores"]] == ["hidden", "output"]
    compared = on_chip["quantisation"]["compared"]
    assert compared["decisions"] == 200
    assert 0.9 < compared["agreement"] <= 1
    assert shown(str(trained), "--arithmetic", "loihi")["quantisation"] == on_chip["quantisation"]
    assert "compared" not in shown("glm", "--backend", "loihi")["quantisation"]
    assert main(["show", str(trained), "--backend", "loihi"]) == 0
    text = capsys.readouterr().out
    for words in ("membrane decay", "arriving %", "clipped %", "Of 200 decisions, "):
        assert words in text
    assert "…" not in text


def test_a_setting_agrees_with_itself(trained: Path) -> None:
    from neurorl.agents.evaluation import load_to_play

    agent, _ = load_to_play(trained)
    described, chip = {"arithmetic": "float"}, {"arithmetic": "loihi"}
    same = compare(agent, 50, first=described, second={"backend": "native", **described})
    assert same["agreement"] == 1.0
    assert [(row["error_percent"], row["rms"]) for row in same["populations"]] == [(0.0, 0.0)] * 2
    others = compare(agent, 50, first=described, second=described, other_seed=1)
    assert others["agreement"] < 1.0
    assert all(row["rms"] > 0 for row in others["populations"])
    near = compare(agent, 50, first=described, second=chip)
    assert others["agreement"] < near["agreement"]
    with pytest.raises(ArgumentError, match="decisions out of range"):
        compare(agent, 0, first=described, second=chip)


def test_errors_of_xylo_by_hand() -> None:
    """A weight of 1 is 127 * 2**7 = 16256 chip units, of which three quarters reach a membrane."""
    tau = -1e-3 / np.log(0.7)  # the nearest that shifts have is 3/4
    neuron = CubaLIF(tau_syn=tau, tau_mem=tau, threshold=0.4, bias=np.array([0.01, 0.02]))
    weights = np.array([[0.5, 0.0], [1e-4, 2.0], [-1.0, 1 / 127], [0.25, 0.25]])
    report = quantisation_report(network(neuron), {"drive": weights}, arithmetic="xylo")
    (cells,), (drive,) = report["populations"], report["projections"]
    unit = 0.75 * 16256
    assert cells["unit"] == 16256
    assert cells["threshold_error"] == pytest.approx((0.4 * unit - 4876.5) / unit / 0.4)
    assert cells["bias_error"] == pytest.approx((244 - 0.02 * unit) / unit / 0.4)
    assert cells["current_decay_error"] == pytest.approx(0.05)
    assert cells["membrane_decay_error"] == pytest.approx(0.05)
    assert cells["arriving_percent"] == pytest.approx(100 * (127 + 1 + 32) * 128 / 32767)
    assert cells["current_percent"] == pytest.approx(4 * cells["arriving_percent"])
    assert cells["bias_percent"] == pytest.approx(100 * 244 / 32767)
    assert (drive["exponent"], drive["largest"]) == (7, 1.0)
    assert (drive["clipped_percent"], drive["zeroed_percent"]) == (100 / 8, 100 / 8)
