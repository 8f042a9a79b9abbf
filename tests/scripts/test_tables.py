"""Test scripts/tables.py: files, pages, and conversions between steps."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import numpy as np
import pytest
from load_script import load_script

from experiments.smaller import SMALLER
from experiments.time_step import Rates, converted, measure, network
from neurorl.models import CubaLIF
from neurorl.network.description import Network

ROOT = Path(__file__).parents[2]


def test_pages_are_those_of_the_files(tmp_path: Path) -> None:
    """Every table in the docs is what its CSV says."""
    for table in load_script("tables").TABLES.values():
        page = tmp_path / table.page
        if not page.exists():
            shutil.copy(ROOT / "docs" / table.page, page)
        table.write_page(ROOT / "results" / "tables", tmp_path)
        assert page.read_text() == (ROOT / "docs" / table.page).read_text(), table.page


@pytest.mark.parametrize("name", ["time-step", "deep", "lost-populations"])
def test_each_is_measured_in_small(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load_script("tables").main(["--quick", "--only", name]) == 0
    page = tmp_path / "runs" / "tables-quick" / "docs" / SMALLER[name].page
    assert page.read_text() != (ROOT / "docs" / SMALLER[name].page).read_text()
    assert list((tmp_path / "runs" / "tables-quick" / "results" / "tables").iterdir())
    assert {p.name for p in tmp_path.iterdir()} == {"runs"}


def test_converted_networks_fire_alike_and_others_do_not() -> None:
    one, half, quarter = measure(seconds=2.0, seeds=1)
    assert one.same == one.converted
    assert one.same_noisy == one.converted_noisy
    for rates in (half, quarter):
        assert rates.converted == pytest.approx(one.same, rel=0.05)
        assert rates.converted_noisy == pytest.approx(one.same_noisy, rel=0.05)
        assert rates.same > 1.5 * one.same
    assert isinstance(one, Rates)


def one_spike(dt: float, tau_syn: float) -> float:
    """Return the most that a membrane gets of one spike, at steps of *dt*, converted from 1 ms."""
    neuron = CubaLIF(tau_syn=tau_syn, tau_mem=20e-3, threshold=1e9)
    made = converted(_with_neuron(network(0.0), neuron), dt)
    (cells,) = made.populations
    decays = cells.neuron.integrator(1, dt)
    w = float(np.asarray(made.projection("drive").weights)[0, 0])
    u, v, seen = w, w, []
    for _ in range(round(0.1 / dt)):
        seen.append(v)
        u = decays.current_decay[0] * u
        v = decays.membrane_decay[0] * v + u
    return max(seen)


def _with_neuron(described: Network, neuron: CubaLIF) -> Network:
    (cells,) = described.populations
    changed = dataclasses.replace(cells, neuron=neuron)
    return dataclasses.replace(described, nodes=(*described.sources, changed))


@pytest.mark.parametrize("tau_syn", [0.0, 5e-3])
def test_a_converted_spike_moves_the_membrane_as_much(tau_syn: float) -> None:
    assert one_spike(0.25e-3, tau_syn) == pytest.approx(one_spike(1e-3, tau_syn), rel=0.12)


def test_a_converted_bias_comes_to_the_same_membrane() -> None:
    described = network(0.0)
    levels = []
    for made in (described, converted(described, 0.5e-3)):
        dynamics = made.populations[0].neuron.integrator(1, made.dt)
        levels.append(dynamics.bias[0] / (1.0 - dynamics.membrane_decay[0]))
    assert levels[0] == pytest.approx(levels[1], rel=1e-9)


def test_an_unknown_table_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert load_script("tables").main(["--only", "depth"]) == 2
    assert "unknown name" in capsys.readouterr().err
