"""Tell two spike patterns apart by their reward, as Legenstein, Pecevski & Maass (2008) predict.

One neuron, 200 inputs, two patterns: a fifth of a second of Poisson spikes at 8 Hz, drawn once for
each seed and shown with a jitter of 2 ms. A fifth of a second after a pattern comes the reward: as
much as there were spikes, for the other pattern as much less than none. With reward-modulated STDP
the neuron comes to fire for the one and to be silent for the other, though rates of inputs are the
same (doi 10.1371/journal.pcbi.1000180, where a neuron learns to classify temporal patterns).

    python examples/spike_patterns.py [--backend native] [--seeds 0 1 2] [--figures FOLDER]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from study import Array, Study, parser, save, verdict

from neurorl import Network, Plasticity, Population, Projection, Source
from neurorl.models import LIF

INPUTS, SHOWN, DELAY, REST = 200, 200, 200, 100  # ms
RATE_HZ, JITTER = 8.0, 2.0
BLOCK = 50
"""Average each figure over this many trials."""


def network() -> Network:
    """Return inputs that project to one noisy neuron."""
    plasticity = Plasticity(trace_tau=0.02, low=0.0, high=0.1)
    cell = LIF(tau_mem=0.02, threshold=1.0, noise=0.05)
    return Network(
        nodes=(Source("input", INPUTS), Population("cell", 1, cell)),
        projections=(Projection("learns", "input", "cell", 0.025, plasticity=plasticity),),
        dt=1e-3,
    )


class SpikePatterns(Study):
    """Show one of the two patterns, and reward the spikes. done counts trials."""

    def __init__(self, backend: str, seeds: Sequence[int], rate: float = 5e-4) -> None:
        super().__init__(backend, network(), seeds, rate=rate, eligibility_tau=0.4, depression=1.05)
        self.times = [_spikes(seed) for seed in self.seeds]

    def advance(self) -> tuple[Array, Array]:
        """Return which pattern each seed was shown, 1 for that which pays, and its spikes."""
        rng = self.draws()
        shown = np.array([r.integers(2) for r in rng])
        raster = np.zeros((self.n, SHOWN, INPUTS), dtype=bool)
        for k, r in enumerate(rng):
            t, i = self.times[k][shown[k]]
            late = np.rint(t + JITTER * r.standard_normal(len(t))).astype(int)
            raster[k, np.clip(late, 0, SHOWN - 1), i] = True
        inputs = np.moveaxis(raster, 0, 1).reshape(SHOWN, -1)
        count = self.by_seed(self.learning.window({"input": inputs}, SHOWN)["cell"]).sum((0, 2))
        self.learning.window({}, DELAY)
        self.learning.reinforce(np.where(shown == 1, 1.0, -1.0) * count)
        self.learning.window({}, REST)
        self.done += 1
        return shown, np.asarray(count)


def _spikes(seed: int) -> list[tuple[Array, Array]]:
    """Return the times and the inputs of the spikes of both patterns."""
    rng = np.random.default_rng([seed, 2])
    rasters = rng.random((2, SHOWN, INPUTS)) < RATE_HZ / 1000
    return [(t, i) for t, i in (np.nonzero(raster) for raster in rasters)]


@dataclass(frozen=True)
class Result:
    """Hold a seed's trials: which pattern, and how many spikes came."""

    shown: Array
    count: Array

    def means(self, first: int, last: int) -> tuple[float, float]:
        """Return the mean spikes for the pattern that pays and for the other in some trials."""
        shown, count = self.shown[first:last], self.count[first:last]
        return float(count[shown == 1].mean()), float(count[shown == 0].mean())

    @property
    def right(self) -> float:
        """Return in how many of the last trials the best threshold of spikes tells them apart."""
        shown, count = self.shown[-2 * BLOCK :] == 1, self.count[-2 * BLOCK :]
        return float(max(((count > c) == shown).mean() for c in range(int(count.max()) + 1)))

    @property
    def holds(self) -> bool:
        """Return whether it tells them apart, and fires twice as often for the one that pays."""
        pays, other = self.means(-2 * BLOCK, len(self.count))
        return pays > 2 * other and self.right >= 0.9


def run(backend: str, seeds: Sequence[int], trials: int, rate: float = 5e-4) -> list[Result]:
    """Teach all seeds side by side, and return what each did."""
    with SpikePatterns(backend, seeds, rate) as study:
        both = [study.advance() for _ in range(trials)]
    shown, count = (np.stack(part) for part in zip(*both, strict=True))
    return [Result(shown[:, k], count[:, k]) for k in range(len(seeds))]


def plot(results: Sequence[Result], folder: str) -> None:
    """Draw the spikes for both patterns in blocks of trials, thin lines for the seeds."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(5, 3.5))
    starts = range(0, len(results[0].count) - BLOCK + 1, BLOCK)
    means = np.array([[r.means(t, t + BLOCK) for t in starts] for r in results])
    for k, (label, color) in enumerate((("pays", "C3"), ("costs", "C0"))):
        ax.plot(starts, means[:, :, k].T, color=color, lw=0.4, alpha=0.6)
        ax.plot(starts, means[:, :, k].mean(axis=0), color=color, lw=2, label=label)
    ax.set(xlabel="trial", ylabel="spikes for the pattern that")
    ax.legend()
    save(figure, folder, "spike_patterns")
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> list[Result]:
    """Run from the command line, and print a row for each seed."""
    options = parser("spike patterns told apart by their reward")
    options.add_argument("--trials", type=int, default=800)
    options.add_argument("--rate", type=float, default=5e-4)
    args = options.parse_args(arguments)
    results = run(args.backend, args.seeds, args.trials, args.rate)
    print("      spikes, first trials   last trials     told apart,")
    print("seed  pays / costs           pays / costs    last trials")
    for seed, r in zip(args.seeds, results, strict=True):
        first, last = r.means(0, BLOCK), r.means(-2 * BLOCK, len(r.count))
        print(
            f"{seed:4}  {first[0]:5.2f} / {first[1]:5.2f}         {last[0]:5.2f} / {last[1]:5.2f}"
            f"   {r.right:10.0%}"
        )
    what = "90 % told apart, twice the spikes where they pay"
    print(verdict(what, args.seeds, [r.holds for r in results]))
    if args.figures:
        plot(results, args.figures)
    return results


if __name__ == "__main__":
    main()
