"""Make the table of docs/exchange.md: what of a description each other tool holds, and how well.

    python scripts/exchange_table.py                       measure all cells, write the page
    python scripts/exchange_table.py --columns NIR nengo   measure these, keep the others
    python scripts/exchange_table.py --check               exit status 1 if the page says otherwise

Every cell is measured: equal spikes, measures of how far they are, or refused with the reason.
Columns of a package that isn't installed stay as they are.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import neurorl
from neurorl import Plasticity, TsodyksMarkram, Uniform
from neurorl.backends.base import Raster
from neurorl.errors import BackendUnavailableError, UnsupportedError
from neurorl.models import ADAPTIVE_LIF, ADEX, COBA_LIF, IZHIKEVICH, CubaLIF, FixedInDegree
from neurorl.nengo import to_nengo
from neurorl.nengo.imported import load_nengo
from neurorl.network.description import Network, Population, Projection, Source
from neurorl.nir import from_nir, to_nir
from neurorl.testing import FEATURES, rasters
from neurorl.validation.elsewhere import validate_on
from neurorl.validation.tolerance import measured

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "exchange.md"
START, END = "<!-- exchange: start -->\n", "<!-- exchange: end -->"
STEPS, SEED, LONGEST = 200, 3, 110

Spikes = dict[str, Raster]


def main(arguments: list[str] | None = None) -> int:
    """Measure, and write or compare the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--columns", nargs="+", choices=COLUMNS, default=list(COLUMNS))
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS))
    options = parser.parse_args(arguments)
    page = PAGE.read_text()
    old = read(page)
    new = dict(old)
    for column in options.columns:
        if not is_installed(column):
            print(f"{column}: not installed, its cells stay as they are")
            continue
        for row in options.rows:
            new[row, column] = cell(row, column)
            print(f"{row} | {column} | {new[row, column]}", flush=True)
    if not options.check:
        PAGE.write_text(replaced(page, new))
        return 0
    differing = [key for key in new if old.get(key) != new[key]]
    for row, column in differing:
        print(f"docs/exchange.md: {row}, {column}: {old.get((row, column))}")
    return int(bool(differing))


def small(neuron: Any, weight: float = 0.2, **loop: Any) -> Callable[[], Network]:
    """Return a maker of a small network with a loop, of two steps if nothing else is said."""

    def make() -> Network:
        rng = np.random.default_rng(5)
        weights = rng.uniform(0.2, 1.0, (8, 12)) * weight
        more = {"weights": rng.uniform(-0.2, 0.2, (12, 12)) * weight, "delay": 2e-3, **loop}
        target = loop.get("target")
        return Network(
            (Source("input", 8), Population("cells", 12, neuron)),
            (
                Projection("drive", "input", "cells", weights, target=target),
                Projection("loop", "cells", "cells", **more),
            ),
        )

    return make


def feature(name: str, has_noise: bool = False) -> Callable[[], Network]:
    """Return a maker of a feature's network, without noise and plasticity that aren't its point."""

    def make() -> Network:
        network = FEATURES[name]()
        nodes = list(network.nodes)
        for k, node in enumerate(nodes):
            if isinstance(node, Population) and hasattr(node.neuron, "noise") and not has_noise:
                neuron = dataclasses.replace(node.neuron, noise=0.0)  # type: ignore[type-var]
                nodes[k] = dataclasses.replace(node, neuron=neuron)
        projections = tuple(
            dataclasses.replace(p, plasticity=None, weights=drawn(p, network))
            for p in network.projections
        )
        return dataclasses.replace(network, nodes=tuple(nodes), projections=projections)

    return make


def drawn(p: Projection, network: Network) -> Any:
    """Return the weights of a projection, drawn if they are to be."""
    if not isinstance(p.weights, Uniform):
        return p.weights
    with neurorl.load("reference", network, seed=SEED) as backend:
        return backend.weights(p.name)


CELLS = CubaLIF(bias=0.02)
ROWS: dict[str, Callable[[], Network]] = {
    "LIF": feature("LIF"),
    "CubaLIF": feature("CUBA-LIF"),
    "parameters for each neuron": small(CubaLIF(threshold=np.linspace(0.7, 1.2, 12))),
    "bias": small(CubaLIF(bias=0.1)),
    "refractory period": feature("refractory period"),
    "escape noise": feature("escape noise", has_noise=True),
    "GLM": feature("stochastic GLM unit", has_noise=True),
    "signed units": feature("signed units (+-1)", has_noise=True),
    "equations: AdaptiveLIF": small(ADAPTIVE_LIF, 0.5),
    "equations: Izhikevich": small(IZHIKEVICH, 10.0),
    "equations: AdEx": small(ADEX, 3000.0),
    "equations: COBA": small(COBA_LIF, 4.0, target="ge", weights=0.05),
    "several sources": feature("several sources"),
    "sources of currents": feature("currents"),
    "mask": feature("sparse projection (mask)"),
    "blocks": feature("modules (blocks)"),
    "connector, list of synapses": small(CELLS, connect=FixedInDegree(4), weights=0.1),
    "loop of one step": small(CELLS, delay=None),
    "delays of several steps": feature("delays of several steps"),
    "a delay for each synapse": small(
        CELLS, connect=FixedInDegree(4), weights=0.1, delay=np.arange(48) % 5 * 1e-3 + 2e-3
    ),
    "drawn delays": small(CELLS, connect=FixedInDegree(4), weights=0.1, delay=Uniform(2e-3, 8e-3)),
    "short-term plasticity": small(
        CELLS, connect=FixedInDegree(4), weights=0.1, short_term=TsodyksMarkram()
    ),
    "plasticity, not learning": small(CELLS, plasticity=Plasticity(low=-1.0, high=1.0)),
}
"""Hold the features of a description, each as a network that needs it."""


def ours(network: Network) -> tuple[dict[str, Any], Spikes]:
    """Return random inputs, and the spikes of the reference."""
    inputs = rasters(network, STEPS, SEED)
    with neurorl.load("reference", network, seed=SEED) as backend:
        return inputs, backend.step(inputs, STEPS)


def held(network: Network) -> dict[str, Any]:
    """Return the weights that the reference has."""
    with neurorl.load("reference", network, seed=SEED) as backend:
        return {p.name: backend.weights(p.name) for p in network.projections}


def compared(expected: Spikes, found: Spikes, note: str = "") -> str:
    """Return a cell: equal spikes, or the worst of the measures over the populations."""
    n = sum(int(raster.sum()) for raster in expected.values())
    assert n, "a silent network shows nothing"
    if all(np.array_equal(expected[name], found[name]) for name in expected):
        return f"equal spikes ({n}){note}"
    worst: dict[str, float] = {}
    for name, raster in expected.items():
        for one in measured(raster, found[name]):
            worst[one.quantity] = max(worst.get(one.quantity, 0.0), one.difference)
    said = ", ".join(f"{name} {value:.2g}" for name, value in worst.items())
    return f"{said}{note}"


def on_pynn(target: str) -> Callable[[Network], str]:
    def make(network: Network) -> str:
        found = validate_on(network, target, steps=STEPS, seed=SEED)
        if found.verdict == "exact":
            n = sum(row["spikes_a"] for row in found.rows if row["quantity"] == "rate")
            return f"equal spikes ({n})"
        worst: dict[str, float] = {}
        for row in found.rows:
            worst[row["quantity"]] = max(worst.get(row["quantity"], 0.0), row["difference"])
        said = ", ".join(f"{name} {value:.2g}" for name, value in worst.items())
        return f"{said}: {found.explanations[0].cause}"

    return make


def on_backend(name: str, reference: str) -> Callable[[Network], str]:
    def make(network: Network) -> str:
        inputs = rasters(network, STEPS, SEED)
        found = []
        for one in (name, reference):
            with neurorl.load(one, network, seed=SEED) as backend:
                found.append(backend.step(inputs, STEPS))
        return compared(found[1], found[0])

    return make


def in_nengo(network: Network) -> str:
    inputs, expected = ours(network)
    exported = to_nengo(network, inputs, seed=SEED)
    with load_nengo().Simulator(exported.network, progress_bar=False) as simulator:
        simulator.run_steps(STEPS)
    return compared(expected, exported.spikes(simulator))


def in_nir(network: Network) -> str:
    """Write a file, read it again, and play both."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        written = to_nir(network, held(network), Path(folder) / "file.nir")
        again = from_nir(Path(folder) / "file.nir")
    if written.dropped:
        return f"refused: {written.dropped[0]}"
    inputs, expected = ours(network)
    with neurorl.load("reference", again, seed=SEED) as backend:
        return compared(expected, backend.step(inputs, STEPS))


class Column(NamedTuple):
    """Hold how a column is measured, and the packages it needs."""

    measure: Callable[[Network], str]
    packages: Sequence[str] = ()


COLUMNS: dict[str, Column] = {
    "NIR": Column(in_nir, ("nir",)),
    "nengo": Column(in_nengo, ("nengo",)),
    "nengo-loihi": Column(on_backend("loihi", "reference:loihi"), ("nengo_loihi",)),
    "pyNN.nest": Column(on_pynn("pynn.nest"), ("pyNN", "nest")),
    "pyNN.brian2": Column(on_pynn("pynn.brian2"), ("pyNN", "brian2")),
    "sPyNNaker": Column(on_pynn("pynn.spiNNaker")),
    "BrainScaleS": Column(on_pynn("pynn.brainscales")),
    "NEST": Column(on_backend("nest", "reference"), ("nest", "neurorl_nest")),
}


def is_installed(column: str) -> bool:
    """Return whether the packages of a column are there."""
    return all(importlib.util.find_spec(name) for name in COLUMNS[column].packages)


def cell(row: str, column: str) -> str:
    """Return what a cell says."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a package says of bits that it loses
            return COLUMNS[column].measure(ROWS[row]())
    except (UnsupportedError, BackendUnavailableError) as exc:
        return refused(str(exc))


def refused(message: str) -> str:
    """Return the reason of a refusal, in a table's words: without where, and what to do."""
    reason = message.partition("; ")[0]
    for mark in ("can't hold this (got ", "can't run ", "pynn.spiNNaker: ", "pynn.brainscales: "):
        reason = reason.rpartition(mark)[2]
    reason = " ".join(reason.replace("|", "/").split())
    if reason.count(")") > reason.count("("):  # the message's own
        reason = reason.removesuffix(")")
    if len(reason) > LONGEST:
        reason = reason[:LONGEST].rsplit(" ", 1)[0] + " ..."
    return f"refused: {reason}"


def read(page: str) -> dict[tuple[str, str], str]:
    """Return the cells of a page."""
    lines = page.partition(START)[2].partition(END)[0].strip().splitlines()
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    if not rows:
        return {}
    head, _, *body = rows
    return {
        (row[0], column): text
        for row in body
        for column, text in zip(head[1:], row[1:], strict=True)
    }


def replaced(page: str, cells: dict[tuple[str, str], str]) -> str:
    """Return the page with another table."""
    lines = [f"| feature | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for row in ROWS:
        texts = [cells.get((row, column), "not measured") for column in COLUMNS]
        lines.append(f"| {row} | {' | '.join(texts)} |")
    before, start, rest = page.partition(START)
    return f"{before}{start}" + "\n".join(lines) + f"\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    sys.exit(main())
