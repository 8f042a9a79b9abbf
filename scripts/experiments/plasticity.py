"""Check rules of plasticity against what was published about them, by `SynapseRule`s.

    python scripts/experiments/plasticity.py measure [--checks NAME...] [--seeds 0..19]
    python scripts/experiments/plasticity.py table
    python scripts/experiments/plasticity.py figure

`measure` writes a row for each seed to results/tables/plasticity.csv: the number that the check
looks at, and whether it is as published. `table` and `figure` write what docs/plasticity.md shows.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])

from experiments.markup import put_between, table_head, table_row
from experiments.plasticity_rules import BCM, CAPTURE, MS, OJA, REWIRED, SONG, TRIPLET, VOGELS
from neurorl import Network, Plasticity, Population, Projection, Source, SynapseLearning, load
from neurorl.models import LIF, Equations, FixedInDegree, FixedProbability, OneToOne
from neurorl.numerics.arrays import FloatArray
from neurorl.rules import SynapseRule
from neurorl.runs.training import read_seeds

__all__ = ["CHECKS", "Check", "main"]

FILE, PAGE = Path("results/tables/plasticity.csv"), Path("docs/plasticity.md")


@dataclass(frozen=True)
class Check:
    """Hold a rule's check. run: from a seed to what is looked at. holds: whether that is right.

    claim: what was published. measured: what the number is.
    """

    run: Callable[[int], float]
    holds: Callable[[float], bool]
    claim: str
    measured: str


def _learner(network: Network, rule: SynapseRule, seed: int) -> SynapseLearning:
    return SynapseLearning(load("native", network, seed=seed), rule)


def oja(seed: int) -> float:
    """Return the cosine between learned weights and the first component of what came in.

    Rates of 10 inputs follow two slow waves of other sizes; traces' second moments are measured.
    """
    rng, n, steps = np.random.default_rng(seed), 10, 400_000
    cell = Population("cell", 1, LIF(tau_mem=0.0, threshold=1.0, noise=0.25))
    into = Projection("into", "input", "cell", 0.3, plasticity=Plasticity(0.02, 0.0, 3.0))
    learning = _learner(Network((Source("input", n), cell), (into,)), OJA, seed)
    mixed = np.abs(rng.normal(0, 1, (2, n))) * [[1.0], [0.5]]
    trace, moments = np.zeros(n), np.zeros((n, n))
    for _ in range(steps // 2000):
        hidden = np.repeat(rng.random((20, 2)), 100, axis=0) ** 2
        spikes = rng.random((2000, n)) < 0.04 * hidden @ mixed
        learning.window({"input": spikes}, 2000)
        for row in spikes:
            trace = trace * (1 - 1 / 20) + row
            moments += np.outer(trace, trace)
    first = np.abs(np.linalg.eigh(moments)[1][:, -1])
    w = learning.weights("into")[:, 0]
    return float(w @ first / np.linalg.norm(w))


def vogels(seed: int) -> float:
    """Return the correlation of inhibitory weights with the excitatory ones of the same signals."""
    rng, groups, each = np.random.default_rng(seed), 8, 10
    n = groups * each
    strong = 0.35 * np.exp(-((np.arange(groups) - rng.integers(groups)) ** 2) / 4) + 0.05
    cell = Equations(
        "dv/dt = (0.5*(e - i) - v)/tau_m\nde/dt = -e/tau_s; di/dt = -i/tau_s",
        threshold="v > 1",
        reset="v = 0",
        method="exact",
        refractory=5e-3,
        parameters={"tau_m": 20 * MS, "tau_s": 5 * MS},
        inputs=("e", "i"),
    )
    excites = 4 * np.repeat(strong, each)[:, None]
    nodes = (Source("signal", n), Source("inhibition", n), Population("cell", 1, cell))
    network = Network(
        nodes,
        (
            Projection("excites", "signal", "cell", excites, target="e"),
            Projection(
                "inhibits",
                "inhibition",
                "cell",
                0.1,
                target="i",
                plasticity=Plasticity(0.02, 0.0, 10.0),
            ),
        ),
    )
    learning = _learner(network, VOGELS, seed)
    level = np.zeros(groups)
    for _ in range(600):
        rates = np.empty((500, groups))
        for t in range(500):
            level += 0.02 * (rng.normal(0, 5, groups) - level)
            rates[t] = np.maximum(level, 0.0) * 0.05 + 0.005
        chance = np.repeat(rates, each, axis=1)
        spikes = {name: rng.random((500, n)) < chance for name in ("signal", "inhibition")}
        learning.window(spikes, 500)
    mean = learning.weights("inhibits").reshape(groups, each).mean(axis=1)
    return float(np.corrcoef(mean, strong)[0, 1])


def bcm(seed: int) -> float:
    """Return how selective a cell becomes among four patterns: 1 - mean / largest response."""
    rng, patterns, each = np.random.default_rng(seed), 4, 10
    cell = Population("cell", 1, LIF(tau_mem=0.0, threshold=1.0, noise=0.2))
    weights = rng.uniform(0.05, 0.15, (patterns * each, 1))
    into = Projection("into", "input", "cell", weights, plasticity=Plasticity(0.02, 0.0, 1.0))
    learning = _learner(Network((Source("input", patterns * each), cell), (into,)), BCM, seed)
    for _ in range(3000):
        shown = np.repeat(np.arange(patterns) == rng.integers(patterns), each)
        spikes = rng.random((200, patterns * each)) < np.where(shown, 0.1, 0.002)
        learning.window({"input": spikes}, 200)
    drive = learning.weights("into").reshape(patterns, each).sum(axis=1)
    return float(1 - drive.mean() / drive.max())


PAIRINGS = ((10 * MS, (0.1, 10, 20, 40, 50)), (-10 * MS, (0.1, 10, 20, 40, 50)))
SJOSTROM = np.array([[-0.04, 0.14, 0.29, 0.53, 0.56], [-0.29, -0.41, -0.34, 0.56, 0.75]])
ERRORS = np.array([[0.05, 0.10, 0.14, 0.11, 0.26], [0.08, 0.11, 0.10, 0.32, 0.19]])
"""Hold the changes of weights by 60 pairs, and their standard errors (Sjöström et al. 2001, as in
Pfister & Gerstner 2006, table 1), for spikes 10 ms after and before, at rates in Hz."""


def pairings() -> FloatArray:
    """Return the changes of weights by 60 pairs at each delay and rate."""
    changes = np.empty((2, 5))
    cells = Population("cell", 1, LIF(tau_mem=0.0, threshold=1.0))
    network = Network(
        (Source("input", 1), Source("teacher", 1), cells),
        (
            Projection("into", "input", "cell", 0.0, plasticity=Plasticity(0.02, -9.0, 9.0)),
            Projection("says", "teacher", "cell", 2.0, connect=OneToOne()),
        ),
        dt=1 * MS,
    )
    for row, (after, rates) in enumerate(PAIRINGS):
        for column, rate in enumerate(rates):
            learning = _learner(network, TRIPLET, 0)
            gap, shift = round(1 / rate / MS), round(after / MS)
            n = min(gap, 2000)  # traces are gone after 2 s
            steps = 61 * n
            spikes = {name: np.zeros((steps, 1), dtype=bool) for name in ("input", "teacher")}
            spikes["input"][np.arange(60) * n + n // 2] = True
            spikes["teacher"][np.arange(60) * n + n // 2 + shift] = True
            learning.window(spikes, steps)
            changes[row, column] = learning.weights("into")[0, 0]
    return changes


def triplet(_: int) -> float:
    """Return the root mean square of the differences from the data, in standard errors."""
    return float(np.sqrt(np.mean(((pairings() - SJOSTROM) / ERRORS) ** 2)))


def capture(seed: int) -> float:
    """Return how much more synapses keep that were tagged 1 s before dopamine than 12 s before."""
    rng, n = np.random.default_rng(seed), 20
    cell = Population("cell", 1, LIF(tau_mem=0.0, threshold=1.0))
    network = Network(
        (Source("input", n), Source("teacher", 1), cell),
        (
            Projection("into", "input", "cell", 0.0, plasticity=Plasticity(0.02, 0.0, 1.0)),
            Projection("says", "teacher", "cell", 99.0, connect=OneToOne()),
        ),
    )
    learning = _learner(network, CAPTURE, seed)
    for second in range(20):
        chance = np.full(n, 0.001)
        if second in (0, 11):  # early and late group, with acetylcholine
            chance[: n // 2] = 0.05 if second == 0 else 0.001
            chance[n // 2 :] = 0.05 if second == 11 else 0.001
        spikes = {"input": rng.random((1000, n)) < chance, "teacher": rng.random((1000, 1)) < 0.03}
        told = {"acetylcholine": float(second in (0, 11)), "dopamine": float(second in (12, 13))}
        learning.window(spikes, 1000, signals=told)
    w = learning.weights("into")[:, 0]
    return float(w[n // 2 :].mean() / max(w[: n // 2].mean(), 1e-9))


def song(seed: int) -> float:
    """Return the ratio of weights in the rarer outer bin, of ten, and in the rarest inner one."""
    rng, n, dt, high = np.random.default_rng(seed), 1000, 0.5 * MS, 0.01
    cell = Equations(
        "dv/dt = (g*(0 - v) + -74 - v)/tau_m\ndg/dt = -g/tau_g",
        threshold="v > -54",
        reset="v = -60",
        method="exponential_euler",
        parameters={"tau_m": 10 * MS, "tau_g": 5 * MS},
        initial={"v": -74.0},
        inputs=("g",),
    )
    weights = rng.uniform(0, high, (n, 1))
    into = Projection("into", "input", "cell", weights, plasticity=Plasticity(0.02, 0.0, high))
    network = Network((Source("input", n), Population("cell", 1, cell)), (into,), dt=dt)
    learning = _learner(network, SONG, seed)
    for _ in range(2000):
        learning.window({"input": rng.random((200, n)) < 15 * dt}, 200)
    counts = np.histogram(learning.weights("into"), 10, (0.0, high))[0]
    return float(min(counts[0], counts[-1]) / max(counts[1:-1].min(), 1))


def rewiring(seed: int) -> float:
    """Return the share of synapses from inputs that fire together, 0.15 of all inputs.

    Every second, synapses with less than a fifth of the largest weight move to other pairs.
    """
    rng, n, together, high = np.random.default_rng(seed), 400, 60, 0.1
    into = Projection(
        "into",
        "input",
        "cells",
        high / 2,
        connect=FixedInDegree(60, seed=seed),
        plasticity=Plasticity(0.02, 0.0, high),
    )
    cells = Population("cells", 4, LIF(tau_mem=20 * MS))
    learning = _learner(Network((Source("input", n), cells), (into,)), REWIRED, seed)
    for _ in range(200):
        common, spikes = rng.random((1000, 1)) < 0.01, rng.random((1000, n)) < 0.01
        copied = rng.random((1000, together)) < 0.5
        spikes[:, :together] = np.where(copied, common, spikes[:, :together])
        learning.window({"input": spikes}, 1000)
        weak = learning.weights("into") < 0.2 * high
        synapses = learning.rewire("into", FixedProbability(1.0), weak, weights=high / 2)
    return float(np.mean(synapses.pre < together))


CHECKS: Mapping[str, Check] = {
    "Oja": Check(oja, lambda x: x > 0.95, "weights become the first principal component", "cosine"),
    "Vogels": Check(
        vogels,
        lambda x: x > 0.9,
        "inhibition comes to mirror excitation, signal by signal",
        "correlation of weights",
    ),
    "BCM": Check(
        bcm, lambda x: x > 0.5, "a cell becomes selective for one of four patterns", "selectivity"
    ),
    "triplets": Check(
        triplet,
        lambda x: x < 2.0,
        "60 pairs at 0.1 to 50 Hz change weights as in Sjöström et al. 2001",
        "error, in standard errors",
    ),
    "tags": Check(
        capture,
        lambda x: x > 4.0,
        "dopamine consolidates what was tagged shortly before, not long before",
        "ratio of weights",
    ),
    "Song": Check(
        song, lambda x: x > 2.0, "weights become bimodal", "outer bin over the rarest inner one"
    ),
    "rewiring": Check(
        rewiring,
        lambda x: x > 0.6,
        "weak synapses that move gather on inputs that fire together",
        "share of synapses, 0.15 at first",
    ),
}


def read() -> list[dict[str, str]]:
    """Return the rows that were measured."""
    if not FILE.exists():
        return []
    with FILE.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def measure(names: Sequence[str], seeds: Sequence[int]) -> None:
    """Add the rows that are missing."""
    for name in names:
        for seed in seeds:
            if any((row["check"], row["seed"]) == (name, str(seed)) for row in read()):
                continue
            value = CHECKS[name].run(seed)
            row = {"check": name, "seed": seed, "value": f"{value:.4g}"}
            is_new = not FILE.exists()
            with FILE.open("a", newline="", encoding="utf-8") as lines:
                writer = csv.DictWriter(lines, [*row], lineterminator="\n")
                if is_new:
                    writer.writeheader()
                writer.writerow(row)
            print(name, seed, row["value"], CHECKS[name].holds(value), flush=True)


def lines_of_checks() -> list[str]:
    """Return the table of docs/plasticity.md."""
    table = table_head(("rule", "published", "measured", "median (least to largest)", "seeds"))
    for name, check in CHECKS.items():
        values = [float(row["value"]) for row in read() if row["check"] == name]
        if values:
            spread = f"{np.median(values):.3g} ({min(values):.3g} to {max(values):.3g})"
            held = f"{sum(map(check.holds, values))} of {len(values)}"
            table.append(table_row(name, check.claim, check.measured, spread, held))
    return table


def draw(to: Path) -> None:
    """Draw the pairings of triplets beside the data."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(5.0, 3.2))
    for row, (label, color) in enumerate((("10 ms after", "C0"), ("10 ms before", "C1"))):
        rates = PAIRINGS[row][1]
        ax.errorbar(rates, SJOSTROM[row], ERRORS[row], fmt="o", color=color, capsize=3)
        ax.plot(rates, pairings()[row], color=color, label=f"postsynaptic spike {label}")
    ax.axhline(0.0, color="gray", linewidth=0.5)
    ax.set_xlabel("pairs a second (Hz)")
    ax.set_ylabel("change of the weight")
    ax.legend(frameon=False)
    figure.tight_layout()
    figure.savefig(to, dpi=90)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, or write the table and the figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=("measure", "table", "figure"))
    parser.add_argument("--checks", nargs="+", choices=CHECKS, default=[*CHECKS])
    parser.add_argument("--seeds", type=read_seeds, default=range(20), metavar="N..M")
    options = parser.parse_args(arguments)
    if options.what == "measure":
        measure(options.checks, options.seeds)
    elif options.what == "table":
        put_between(PAGE, "checks", lines_of_checks())
    else:
        draw(PAGE.with_name("plasticity.png"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
