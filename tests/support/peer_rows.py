"""Play files that other libraries wrote, and format what comes out for docs/nir.md."""

from __future__ import annotations

import dataclasses
import gzip
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from neurorl import load
from neurorl.nir import from_nir

FOLDER = Path(__file__).parents[1] / "nir" / "peers"
HEAD = (
    "| written by | network | read with | cells that differ here | the file doesn't say"
    " | written here, read there |"
)


def differences(
    name: str, case: Mapping[str, Any], folder: Path, gain: float = 1.0
) -> tuple[int, int, int]:
    """Return the cells of the output that differ from the library's, all cells, and its spikes.

    gain: what weights between layers are multiplied by.
    """
    path = folder / "peer.nir"
    path.write_bytes(gzip.decompress((FOLDER / f"{name}.nir.gz").read_bytes()))
    with np.load(FOLDER / f"{name}.npz") as arrays:
        inputs, outputs = arrays["inputs"], arrays["outputs"]
    more = {"discretisation": case["discretisation"], "reset": case["reset"]}
    network = from_nir(path, case["dt"], **more)
    scaled = [
        p if p.pre == p.post else dataclasses.replace(p, weights=gain * np.asarray(p.weights))
        for p in network.projections
    ]
    network = dataclasses.replace(network, projections=tuple(scaled))
    layers = [p.name for p in network.populations if not p.name.startswith("clock")]
    late, n = len(layers), len(inputs)
    given = np.vstack([inputs, np.zeros((late, inputs.shape[1]), bool)])
    with load("reference", network, arithmetic="float") as backend:
        played = backend.step({network.sources[0].name: given}, n + late)[layers[-1]][late:]
    return int((played != outputs).sum()), outputs.size, int(outputs.sum())


def peer_row(name: str, case: Mapping[str, Any], folder: Path) -> str:
    """Return the row of the page."""
    other, cells, _ = differences(name, case, folder)
    said = [f"dt={case['dt']:g}"]
    if case["discretisation"] != "euler":
        said.append(case["discretisation"])
    if case["reset"] != "value":
        said.append(f'reset="{case["reset"]}"')
    return (
        f"| {case['library']} {case['version']} | {case['network']} | {', '.join(said)}"
        f" | {other} of {cells} | {case['remark']} | {case['back']} |"
    )
