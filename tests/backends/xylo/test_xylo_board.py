"""Hold the adapter for a XyloAudio 3 board to rockpool's calls, with a stand-in made of xylosim.

The stand-in takes what rockpool 3.1 takes: weights of three axes, vectors of one, and evolves in
place. Of a real board it shows nothing.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xylo_vendor import needs_xylosim

pytestmark = needs_xylosim

ADAPTER = Path(__file__).parents[3] / "conformance" / "adapters" / "run_xylo_board.py"


@pytest.fixture
def adapter() -> Any:
    spec = importlib.util.spec_from_file_location("run_xylo_board", ADAPTER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Board:
    """Take the calls of rockpool's XyloSamna, and hold a network of xylosim."""

    made = 0
    late = False

    def __init__(self, device: object, config: dict[str, Any], dt: float) -> None:
        from xylosim.v2 import XyloLayer, XyloSynapse

        assert device == "board"
        assert dt == 1e-3
        type(self).made += 1
        for name in ("weights_in", "weights_rec"):
            assert config[name].ndim == 3
        assert config["weights_out"].ndim == 2
        # xylosim keeps no reference to Python's synapses.
        self._kept = [
            [[XyloSynapse(int(j), 0, int(row[j])) for j in np.flatnonzero(row)] for row in w]
            for w in (config["weights_in"][..., 0], config["weights_rec"][..., 0])
        ]
        read = config["weights_out"]
        self._kept.append(
            [[XyloSynapse(int(j), 0, int(row[j])) for j in np.flatnonzero(row)] for row in read]
        )
        self._layer = XyloLayer(
            synapses_in=self._kept[0],
            synapses_rec=self._kept[1],
            synapses_out=self._kept[2],
            aliases=[[] for _ in range(len(read))],
            threshold=config["threshold"].tolist(),
            threshold_out=config["threshold_out"].tolist(),
            has_bias=True,
            bias=config["bias_hidden"].tolist(),
            bias_out=config["bias_out"].tolist(),
            weight_shift_inp=config["weight_shift_in"],
            weight_shift_rec=config["weight_shift_rec"],
            weight_shift_out=config["weight_shift_out"],
            dash_mem=config["dash_mem"].tolist(),
            dash_mem_out=config["dash_mem_out"].tolist(),
            dash_syns=config["dash_syn"][:, None].tolist(),
            dash_syns_out=config["dash_syn_out"][:, None].tolist(),
            name="stand-in",
        )

    def evolve(self, raster: np.ndarray, record: bool) -> tuple[Any, dict[str, Any], Any]:
        assert record
        out = np.array(self._layer.evolve(raster.tolist()))
        told = {
            "Spikes": np.array(self._layer.rec_recurrent_spikes),
            "Isyn": np.array(self._layer.rec_i_syn).T,
            "Vmem": np.array(self._layer.rec_v_mem).T + self.late,
            "Isyn_out": np.array(self._layer.rec_i_syn_out).T,
            "Vmem_out": np.array(self._layer.rec_v_mem_out).T,
        }
        return out, {}, told


@pytest.fixture
def board(monkeypatch: pytest.MonkeyPatch) -> type[Board]:
    """Let rockpool be there, with a board that answers."""
    package: Any = types.ModuleType("rockpool.devices.xylo.syns65302")
    package.XyloSamna = Board
    package.config_from_specification = lambda **x: (x, True, "")
    package.xa3_devkit_utils = types.SimpleNamespace(find_xylo_a3_boards=lambda: ["board"])
    for name in ("rockpool", "rockpool.devices", "rockpool.devices.xylo"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    monkeypatch.setitem(sys.modules, package.__name__, package)
    monkeypatch.setattr(Board, "made", 0)
    return Board


def test_a_board_is_configured_with_the_network(
    adapter: Any, board: type[Board], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "report.json"
    assert adapter.main(["--vectors", "4", "--out", str(file)]) == 0
    made = json.loads(file.read_text())
    assert made["backend"] == "XyloBoard"
    assert [row["target"] for row in made["vectors"]] == ["xylo"] * 4
    assert all(len(row["compared"]) == 8 for row in made["vectors"])
    assert board.made == 6  # anew half-way in those that learn
    assert "on xylo;" in capsys.readouterr().out


def test_a_board_that_differs_is_told(
    adapter: Any, board: type[Board], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(board, "late", True)
    file = tmp_path / "report.json"
    assert adapter.main(["--vectors", "1", "--out", str(file)]) == 1
    (row,) = json.loads(file.read_text())["vectors"]
    assert (row["first"]["what"], row["first"]["step"], row["first"]["by"]) == (
        "cells.voltage",
        0,
        1,
    )


def test_without_a_board_xylosim_runs_and_is_named(
    adapter: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "rockpool", None)
    file = tmp_path / "report.json"
    assert adapter.main(["--vectors", "1", "--out", str(file)]) == 0
    told = capsys.readouterr()
    assert "xylosim runs" in told.err
    assert "backend xylo on emulator" in told.out


@pytest.mark.parametrize("words", [["--vectors", "0"], ["--out", "nowhere/x.json"], ["--out", "."]])
def test_bad_usage_is_one_line_and_status_2(
    words: list[str], adapter: Any, capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setattr(adapter, "boards", lambda: ["board"])
    assert adapter.main(words) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
