"""Test networks in files: exact, small, and refused if damaged or hostile."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import neurorl
from neurorl.errors import ArgumentError, DescriptionError, NeurorlError, RunError
from neurorl.models import LIF, FixedInDegree, FixedProbability, Synapses
from neurorl.network.description import Network, Population, Projection, Source
from neurorl.storage import archive
from neurorl.testing import FEATURES


@pytest.mark.parametrize("feature", FEATURES)
def test_every_feature_comes_back_exactly(feature: str, tmp_path: Path) -> None:
    described = FEATURES[feature]()
    one, other = tmp_path / "one.npz", tmp_path / "other.npz"
    neurorl.save_network(one, described)
    again = neurorl.load_network(one)
    assert again == described
    neurorl.save_network(other, again)
    assert one.read_bytes() == other.read_bytes()


def listed(n: int) -> Network:
    """Return a network of *n* listed synapses with weights and delays."""
    k = np.arange(n)
    connect = Synapses(k // 100, k % 100)
    return Network(
        (Source("input", n // 100), Population("cells", 100, LIF())),
        (Projection("p", "input", "cells", k / n, connect=connect, delay=1e-3 * (1 + k % 3)),),
    )


def test_lists_are_arrays_and_rules_are_rules(tmp_path: Path) -> None:
    path = tmp_path / "network.npz"
    neurorl.save_network(path, listed(20_000))
    with zipfile.ZipFile(path) as file:
        text = json.loads(file.read("network.json.npy")[128:])
    assert len(json.dumps(text)) < 2000
    assert path.stat().st_size < 20_000 * 25
    nodes = (Source("input", 10**5), Population("cells", 10**5, LIF()))
    drawn = Projection("p", "input", "cells", 0.1, connect=FixedProbability(1e-4))
    neurorl.save_network(path, Network(nodes, (drawn,)))
    assert path.stat().st_size < 5_000


def rewritten(path: Path, change: Any) -> None:
    """Change the arrays of a file, and sign it."""
    arrays = archive.read_arrays(path.read_bytes())
    change(arrays)
    path.write_bytes(archive.packed(arrays))


def as_text(data: Any) -> Any:
    return np.frombuffer(json.dumps(data).encode(), dtype=np.uint8)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a.update({"network.json": as_text([1])}), "not data of a description|another"),
        (lambda a: a.pop("network.json"), "is not a network's"),
        (lambda a: a.pop("array_0"), "array: is not in the file"),
        (lambda a: a.update(array_2=a["array_2"] + np.int32(10**6)), "isn't there"),
        (lambda a: a.update(array_0=np.full(20_000, np.nan)), "isn't finite|whole numbers"),
        (lambda a: a.update(array_0=a["array_0"][:-1]), "of two lengths|wrong shape"),
    ],
)
def test_hostile_files_are_refused_in_a_line(change: Any, words: str, tmp_path: Path) -> None:
    path = tmp_path / "network.npz"
    neurorl.save_network(path, listed(20_000))
    rewritten(path, change)
    with pytest.raises(NeurorlError, match=words) as caught:
        neurorl.load_network(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_small_file_of_many_synapses_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "network.npz"
    nodes = (Source("input", 2**22), Population("cells", 2**22, LIF()))
    projection = Projection("p", "input", "cells", connect=FixedInDegree(1))
    neurorl.save_network(path, Network(nodes, (projection,)))

    def many(arrays: Any) -> None:
        text = bytes(arrays["network.json"]).replace(b'"n": 1,', b'"n": 4000000,')
        arrays["network.json"] = np.frombuffer(text, dtype=np.uint8)

    rewritten(path, many)
    with pytest.raises(DescriptionError, match="too many synapses"):
        neurorl.load_network(path)


def test_what_is_missing_or_damaged_says_so(tmp_path: Path) -> None:
    path = tmp_path / "network.npz"
    with pytest.raises(RunError, match="can't be read"):
        neurorl.load_network(path)
    neurorl.save_network(path, listed(200))
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(RunError, match="is damaged: its digest doesn't match"):
        neurorl.load_network(path)
    with pytest.raises(ArgumentError, match="not a Network"):
        neurorl.save_network(path, "net")  # type: ignore[arg-type]
