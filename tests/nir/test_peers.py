"""Test files that other libraries wrote (scripts/peer_files.py), each a row of docs/nir.md."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nir_rows import PAGE
from peer_rows import FOLDER, differences, peer_row

from neurorl.errors import UnknownNameError, UnsupportedError
from neurorl.nir import from_nir, to_nir

nir: Any = pytest.importorskip("nir", reason="pip install 'neurorl[nir]'")
CASES = json.loads((FOLDER / "peers.json").read_text())


@pytest.mark.parametrize("name", CASES)
def test_a_file_of_a_peer_gives_the_spikes_that_the_page_says(name: str, tmp_path: Path) -> None:
    assert peer_row(name, CASES[name], tmp_path) in PAGE.read_text()


@pytest.mark.parametrize("name", [name for name in CASES if not CASES[name]["remark"]])
def test_every_spike_where_the_file_says_all(name: str, tmp_path: Path) -> None:
    other, cells, spikes = differences(name, CASES[name], tmp_path)
    assert (other, cells) == (0, 480)
    assert spikes > 40


def test_a_reset_by_subtraction_must_be_asked_for(tmp_path: Path) -> None:
    """Read as NIR means it, the file gives other spikes; the option takes most of these away."""
    case = CASES["snntorch-subtract"]
    plain = differences("snntorch-subtract", {**case, "reset": "value"}, tmp_path)[0]
    assert plain > 3 * differences("snntorch-subtract", case, tmp_path)[0] > 0
    path = tmp_path / "a.nir"
    path.write_bytes(gzip.decompress((FOLDER / "snntorch-zero.nir.gz").read_bytes()))
    with pytest.raises(UnknownNameError, match="did you mean 'subtract'"):
        from_nir(path, 1e-4, reset="substract")
    with pytest.raises(UnsupportedError, match="its equations are those of no NIR neuron"):
        to_nir(from_nir(path, 1e-4, reset="subtract"))


def test_what_a_spike_adds_is_all_that_rockpools_file_has_otherwise(tmp_path: Path) -> None:
    membrane, synapse = np.exp(-1 / 4), np.exp(-1 / 2)  # of a step of 1 ms
    r = 4 * membrane
    gain = float(synapse / ((1 - synapse) * (1 - membrane) * r))
    assert gain == pytest.approx(2.24, abs=0.005)
    other, cells, spikes = differences("rockpool", CASES["rockpool"], tmp_path, gain)
    assert (other, cells, spikes) == (0, 480, 100)


@pytest.mark.parametrize("reader", ["sinabs", "rockpool"])
def test_importers_that_subtract_are_refused_by_name(reader: str, tmp_path: Path) -> None:
    path = tmp_path / "a.nir"
    path.write_bytes(gzip.decompress((FOLDER / "snntorch-zero.nir.gz").read_bytes()))
    with pytest.raises(UnsupportedError, match=f"NIR for {reader}: its importer makes neurons"):
        to_nir(from_nir(path, 1e-4), reader=reader)
