"""Train a response to a stimulus, and extinguish it: the second study of Izhikevich (2007).

Four stimuli, groups of inputs that spike together, come in random order. A fifth of a second after
stimulus 0 there is a reward (doi 10.1093/cercor/bhl152 has a hundred stimuli, and a reward within a
second). What the cells answer in 20 ms, in spikes of each, is what the network expects; dopamine is
what the reward is more or less than that, and acts on what is eligible. As in the paper the
response to the rewarded stimulus grows above all others; and dopamine moves from the reward to the
stimulus, with a dip when the reward is left out, as Schultz, Dayan & Montague (1997, doi
10.1126/science.275.5306.1593) describe it of dopamine neurons. Without rewards it all goes back.

    python examples/conditioning.py [--backend native] [--seeds 0 1 2] [--figures FOLDER]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from study import Array, Study, parser, save, verdict

from neurorl import Network, Plasticity, Population, Projection, Source
from neurorl.models import CubaLIF

STIMULI, INPUTS, CELLS = 4, 20, 20
STEPS, DELAY = 20, 180  # ms: in which a response is counted, and from then to the outcome
REWARD = 1.0


def network() -> Network:
    """Return inputs that project to noisy cells, weakly at first."""
    cell = CubaLIF(tau_syn=5e-3, tau_mem=10e-3, threshold=1.0, noise=0.15)
    plasticity = Plasticity(trace_tau=0.02, low=0.0, high=0.06)
    return Network(
        nodes=(Source("stimuli", STIMULI * INPUTS), Population("cells", CELLS, cell)),
        projections=(Projection("learns", "stimuli", "cells", 0.006, plasticity=plasticity),),
        dt=1e-3,
    )


class Conditioning(Study):
    """Show a stimulus, count the response, and teach by what comes of it.

    rewarded: how many trials have rewards, the first ones; done counts trials.
    """

    def __init__(
        self, backend: str, seeds: Sequence[int], rewarded: int = 300, rate: float = 0.003
    ) -> None:
        super().__init__(backend, network(), seeds, rate=rate, depression=1.5)
        self.rewarded = rewarded

    def advance(self) -> tuple[Array, Array]:
        """Return which stimulus each seed was shown, and the response in spikes of a cell."""
        rng = self.draws()
        shown = np.array([r.integers(STIMULI) for r in rng])
        volley = np.zeros((STEPS, self.n, STIMULI, INPUTS), dtype=bool)
        volley[0, np.arange(self.n), shown] = True
        spikes = self.learning.window({"stimuli": volley.reshape(STEPS, -1)}, STEPS)["cells"]
        response = self.by_seed(spikes).sum(axis=(0, 2)) / CELLS
        self.learning.window({}, DELAY)
        pays = (shown == 0) & (self.done < self.rewarded)
        self.learning.reinforce(REWARD * pays - response)
        self.learning.window({}, 300)
        self.done += 1
        return shown, np.asarray(response)


@dataclass(frozen=True)
class Result:
    """Hold a seed's trials: the stimulus, and the response to it."""

    shown: Array
    response: Array
    paid: int  # trials with rewards, the first ones

    def of(self, stimulus: int, first: int, last: int) -> Array:
        """Return the responses to a stimulus in trials *first* to *last*."""
        return np.asarray(self.response[first:last][self.shown[first:last] == stimulus])

    @property
    def figures(self) -> dict[str, float]:
        """Return mean responses: to the first 5 and last 10 of stimulus 0, and the others last."""
        paid, end = self.paid, len(self.shown)
        before, after = self.of(0, 0, paid), self.of(0, paid, end)
        others = [self.of(k, paid * 4 // 5, paid).mean() for k in range(1, STIMULI)]
        return {
            "first": float(before[:5].mean()),
            "acquired": float(before[-10:].mean()),
            "others": float(np.max(others)),
            "left out": float(-after[:1].mean()),
            "extinguished": float(after[-10:].mean()),
        }

    @property
    def holds(self) -> bool:
        """Return whether the response came, to this stimulus only, and went."""
        f = self.figures
        came = f["acquired"] > max(2 * f["first"], 3 * f["others"])
        return came and abs(REWARD - f["acquired"]) < 0.25 and f["extinguished"] < f["acquired"] / 3


def run(
    backend: str, seeds: Sequence[int], trials: int, extinction: int, rate: float = 0.003
) -> list[Result]:
    """Teach all seeds side by side, and return what each did."""
    with Conditioning(backend, seeds, trials, rate) as study:
        both = [study.advance() for _ in range(trials + extinction)]
    shown, response = (np.stack(part) for part in zip(*both, strict=True))
    return [Result(shown[:, k], response[:, k], trials) for k in range(len(seeds))]


def plot(results: Sequence[Result], folder: str) -> None:
    """Draw responses and dopamine in blocks of 20 trials, the mean of all seeds."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), sharex=True)
    n, paid = len(results[0].shown), results[0].paid
    starts = range(0, n - 19, 20)

    def mean(stimulus: int) -> Array:
        blocks = ([r.of(stimulus, t, t + 20) for r in results] for t in starts)
        return np.array([np.concatenate(block).mean() for block in blocks])

    for k in range(STIMULI):
        color, label = ("C3", "rewarded") if k == 0 else ("0.6", "others" if k == 1 else None)
        left.plot(starts, mean(k), color=color, label=label)
    left.set(xlabel="trial", ylabel="response (spikes of a cell)")
    left.legend()
    expected = mean(0)
    right.plot(starts, expected, color="C0", label="at the stimulus")
    surprise = REWARD * (np.array(starts) < paid) - expected
    right.plot(starts, surprise, color="C1", label="at the reward's time")
    right.set(xlabel="trial", ylabel="dopamine")
    right.legend()
    for ax in (left, right):
        ax.axvline(paid, color="k", lw=0.5)
    save(figure, folder, "conditioning")
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> list[Result]:
    """Run from the command line, and print a row for each seed."""
    options = parser("classical conditioning and extinction")
    options.add_argument("--trials", type=int, default=300)
    options.add_argument("--extinction", type=int, default=200)
    options.add_argument("--rate", type=float, default=0.003)
    args = options.parse_args(arguments)
    results = run(args.backend, args.seeds, args.trials, args.extinction, args.rate)
    print("      response to the rewarded   to the best  dopamine at the reward     response")
    print("seed  stimulus, first -> last    other, last  first -> last, left out    extinguished")
    for seed, f in zip(args.seeds, (r.figures for r in results), strict=True):
        print(
            f"{seed:4}  {f['first']:5.2f} -> {f['acquired']:4.2f}            {f['others']:6.2f}"
            f"       {REWARD - f['first']:5.2f} -> {REWARD - f['acquired']:5.2f},"
            f" {f['left out']:5.2f}     {f['extinguished']:5.2f}"
        )
    print(verdict("comes to this stimulus only, and goes", args.seeds, [r.holds for r in results]))
    if args.figures:
        plot(results, args.figures)
    return results


if __name__ == "__main__":
    main()
