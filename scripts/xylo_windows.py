"""Compare random networks of Xylo's integers on all simulators, step by step.

    python scripts/xylo_windows.py [--windows 1000] [--backends native,xylo] [--json]

A window is 20 steps of a random network, recurrent, with input of its own; 10 windows of a network
follow each other, with other weights in between. In every step all spikes, how often each neuron
spiked, all currents and all membranes are compared with the reference's. Limits are touched on
purpose: currents and membranes saturate, neurons spike 31 times, decays are of all shifts.
Exit status 1 on any difference.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.xylo import XyloArithmetic
from neurorl.arithmetic.xylo_integers import MANTISSA_MAX, MOST_HIDDEN, STATE_MAX
from neurorl.backends.base import Backend
from neurorl.backends.registry import load
from neurorl.cli.status import exit_status
from neurorl.models import CubaLIF, FixedProbability, shift_lif
from neurorl.network.description import (
    Network,
    Neuron,
    Node,
    Population,
    Projection,
    Source,
)
from neurorl.testing import rasters, same_state

N_STEPS, IN_A_ROW, ALIKE = 20, 10, 5
"""Count the steps of a window, windows of a network, and networks of one structure."""

_DT = 1e-3
_EDGES = (STATE_MAX, -STATE_MAX - 1)
Array = npt.NDArray[np.generic]


@dataclass
class Tally:
    """Count what was compared and what was touched.

    different: by backend, windows with a difference. first: where each began. several, most:
    neurons and steps with more than one spike, and with 31.
    """

    windows: int = 0
    steps: int = 0
    spikes: int = 0
    several: int = 0
    most: int = 0
    saturated_currents: int = 0
    saturated_membranes: int = 0
    different: dict[str, int] = field(default_factory=dict)
    first: dict[str, str] = field(default_factory=dict)

    def add(self, backend: Backend) -> None:
        """Count the limits that a state touches."""
        for key, values in backend.state().items():
            name = key.rpartition(".")[2]
            if name == "release":
                self.several += int((values > 1).sum())
                self.most += int((values == MOST_HIDDEN).sum())
            elif name == "current":
                self.saturated_currents += _decayed_edges(backend, key.rpartition(".")[0], values)
            elif name == "voltage":
                self.saturated_membranes += int(np.isin(values, _EDGES).sum())


def _decayed_edges(backend: Backend, population: str, currents: Array) -> int:
    """Return how many currents are what is left of the largest or least one after a decay."""
    assert isinstance(backend.arithmetic, XyloArithmetic)
    shift = backend.arithmetic.chip.populations[population].shift_syn
    return sum(int((currents == edge - (edge >> shift)).sum()) for edge in _EDGES)


def random_xylo_network(structure: int, seed: int) -> Network:
    """Return inputs, one to three hidden populations and often an output population.

    structure: seeds what is connected, and sizes. seed: of all numbers.
    """
    plan, rng = np.random.default_rng(structure), np.random.default_rng([structure, seed])
    described = bool(plan.random() < 0.3)
    names = [f"hidden{k}" for k in range(int(plan.integers(1, 4)))]
    sizes = {"input": int(plan.integers(2, 17))} | {x: int(plan.integers(3, 14)) for x in names}
    pairs = [("input", name) for name in names if name == names[0] or plan.random() < 0.5]
    pairs += [(a, b) for a in names for b in names if plan.random() < 0.6]
    if plan.random() < 0.8:
        sizes["output"] = int(plan.integers(1, 9))
        pairs.append((names[-1], "output"))
    nodes: list[Node] = [Source("input", sizes["input"])]
    nodes += [
        Population(name, size, _neuron(rng, size, described))
        for name, size in sizes.items()
        if name != "input"
    ]
    drawn = _Synapses(plan, rng, 4.0 if described else 2.0 ** rng.integers(0, 8))
    order = plan.permutation(len(pairs))
    projections = tuple(drawn.between(pairs[k][0], pairs[k][1], sizes) for k in order)
    return Network(tuple(nodes[k] for k in plan.permutation(len(nodes))), projections, _DT)


def _neuron(rng: np.random.Generator, size: int, described: bool) -> Neuron:
    """Return neurons with parameters of their own, as people describe them or in integers."""
    if described:
        tau_syn, tau_mem = rng.uniform(1e-3, 4e-2, (2, size))
        return CubaLIF(tau_syn, tau_mem, rng.uniform(0.5, 9.0, size), rng.normal(0, 0.2, size))
    high = int(rng.choice([40, 400, 4000, STATE_MAX]))
    return shift_lif(
        shift_syn=rng.integers(1, 16, size),
        shift_mem=rng.integers(0, 16, size),
        threshold=rng.integers(1, high + 1, size),
        bias=rng.integers(-high // 8, high // 8 + 1, size) * (rng.random(size) < 0.5),
    )


@dataclass
class _Synapses:
    """Draw projections: *plan* draws which synapses there are, *rng* their weights."""

    plan: np.random.Generator
    rng: np.random.Generator
    step: float

    def between(self, pre: str, post: str, sizes: dict[str, int]) -> Projection:
        name, shape = f"{pre}_to_{post}", (sizes[pre], sizes[post])
        kind = self.plan.random()
        if kind < 0.2:
            seed = int(self.plan.integers(99))
            network = FixedProbability(0.5, seed=seed)
            weight = float(self.step * self.rng.integers(1, MANTISSA_MAX + 1))
            return Projection(name, pre, post, weight, connect=network)
        mask = self.plan.random(shape) < (0.15 if kind < 0.35 else 0.7) if kind < 0.6 else None
        return Projection(name, pre, post, self.step * _mantissas(self.rng, shape), mask=mask)


def _mantissas(rng: np.random.Generator, shape: tuple[int, ...]) -> npt.NDArray[np.float64]:
    most = int(rng.choice([12, 60, MANTISSA_MAX]))
    return rng.integers(-most, most + 1, shape).astype(np.float64)


def compare_network(network: Network, backends: list[str], seed: int, tally: Tally) -> None:
    """Run windows of a network on the reference and on *backends*, and count them."""
    rng = np.random.default_rng(seed)
    named = {name: load(name, network, arithmetic="xylo") for name in ("reference", *backends)}
    for window in range(IN_A_ROW):
        if window % 4 == 3:
            for backend in named.values():
                backend.reset()
        inputs = rasters(network, N_STEPS, int(rng.integers(2**31)), float(rng.uniform(0.02, 0.9)))
        wrong = dict[str, str]()
        for t in range(N_STEPS):
            now = {name: raster[t : t + 1] for name, raster in inputs.items()}
            spikes = {name: backend.step(now, 1) for name, backend in named.items()}
            tally.add(named["reference"])
            tally.spikes += sum(int(x.sum()) for x in spikes["reference"].values())
            for name in backends:
                found = _differences(named["reference"], named[name], spikes, name)
                if found:
                    wrong.setdefault(name, f"step {t}: {', '.join(found)}")
        for name, where in wrong.items():
            tally.different[name] = tally.different.get(name, 0) + 1
            tally.first.setdefault(name, f"network {seed}, {where}")
        tally.windows, tally.steps = tally.windows + 1, tally.steps + N_STEPS
        for p in network.projections:
            scale = float(np.abs(named["reference"].weights(p.name)).max(initial=0.0))
            weights = scale * rng.uniform(-1, 1, network.weight_shape(p.name))
            for backend in named.values():
                backend.set_weights(p.name, weights)
    for backend in named.values():
        backend.close()


def _differences(
    one: Backend, other: Backend, spikes: dict[str, dict[str, npt.NDArray[np.bool_]]], name: str
) -> list[str]:
    expected = spikes["reference"]
    wrong = [x for x in expected if not np.array_equal(expected[x], spikes[name][x])]
    return wrong + same_state(other.state(), one.state())


def compare_windows(n_windows: int, backends: list[str], first: int = 0) -> Tally:
    """Return the tally of at least *n_windows* windows, from network *first* on."""
    tally = Tally(different=dict.fromkeys(backends, 0))
    for k in range(first, first + -(-n_windows // IN_A_ROW)):
        compare_network(random_xylo_network(k // ALIKE, k), backends, k, tally)
    return tally


@exit_status("xylo_windows")
def main(arguments: list[str] | None = None) -> int:
    """Compare and print what was found."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--windows", type=int, default=1000)
    parser.add_argument("--first", type=int, default=0, help="the number of the first network")
    parser.add_argument("--backends", default="native,xylo")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    tally = compare_windows(options.windows, options.backends.split(","), options.first)
    if options.json:
        print(json.dumps(vars(tally)))
    else:
        for name, wrong in tally.different.items():
            print(f"{name}: {tally.windows - wrong:,} of {tally.windows:,} windows equal")
        print(f"{tally.steps:,} steps, {tally.spikes:,} spiking neurons (counted in each step)")
        print(f"several spikes in {tally.several:,} of these, {MOST_HIDDEN} in {tally.most:,}")
        print(
            f"saturated: {tally.saturated_currents:,} currents,"
            f" {tally.saturated_membranes:,} membranes"
        )
        for name, where in tally.first.items():
            print(f"first difference of {name}: {where}")
    return int(any(tally.different.values()))


if __name__ == "__main__":
    raise SystemExit(main())
