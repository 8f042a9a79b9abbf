"""Teach a response to a stimulus: classical conditioning, figure 2 of Izhikevich (2007).

One of several stimuli, a group of inputs that spike together, comes every 100 to 300 ms. After
stimulus 0 there is a reward within a second, while others come. The cells' response to it, the
spikes in the 20 ms after, grows above those to all other stimuli (doi 10.1093/cercor/bhl152). Here
are 10 stimuli in place of 100, and dopamine is reward less its mean.

    python examples/conditioning.py [--backend brian2] [--seeds 0 1 2] [--trials 400] [--plot FILE]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl import Learning, Network, Plasticity, Population, Projection, Source, load
from neurorl.models import CubaLIF

Array = npt.NDArray[Any]
STIMULI, INPUTS, CELLS = 10, 10, 20
STEPS = 20  # ms in which a response is counted


def network() -> Network:
    """Return inputs that project to noisy cells, weakly at first."""
    cell = CubaLIF(tau_syn=5e-3, tau_mem=10e-3, threshold=1.0, noise=0.15)
    plasticity = Plasticity(trace_tau=0.02, low=0.0, high=0.06)
    return Network(
        nodes=(Source("stimuli", STIMULI * INPUTS), Population("cells", CELLS, cell)),
        projections=(Projection("learns", "stimuli", "cells", 0.02, plasticity=plasticity),),
        dt=1e-3,
    )


def run(
    backend: str, seeds: Sequence[int], trials: int, rate: float = 0.003
) -> tuple[Array, Array]:
    """Return which stimulus came in each trial and its response, each ``(trials, seeds)``.

    Responses are in spikes of a cell.
    """
    gaps, n = np.random.default_rng(0), len(seeds)
    draws = [np.random.default_rng([seed, 1]) for seed in seeds]
    shown, answers = np.zeros((trials, n), dtype=int), np.zeros((trials, n))
    due, mean = np.zeros((trials + 10, n)), np.full(n, 1 / STIMULI)
    with load(backend, network(), seed=list(seeds)) as simulator:
        learning = Learning(simulator, "reward-stdp", rate=rate, depression=1.5)
        for trial in range(trials):
            shown[trial] = [rng.integers(STIMULI) for rng in draws]
            volley = np.zeros((STEPS, n, STIMULI, INPUTS), dtype=bool)
            volley[0, np.arange(n), shown[trial]] = True
            spikes = learning.window({"stimuli": volley.reshape(STEPS, -1)}, STEPS)["cells"]
            answers[trial] = spikes.reshape(STEPS, n, CELLS).sum(axis=(0, 2)) / CELLS
            learning.window({}, int(gaps.integers(80, 280)))
            later = np.array([rng.integers(5) for rng in draws])  # trials of 0.2 s
            due[trial + later, np.arange(n)] += shown[trial] == 0
            learning.reinforce(due[trial] - mean)
            mean += 0.01 * (due[trial] - mean)
    return shown, answers


def responses(shown: Array, answers: Array, trials: slice) -> tuple[Array, Array]:
    """Return the mean response of each seed to stimulus 0 and to the others in some trials."""
    is_first = shown[trials] == 0
    first = (answers[trials] * is_first).sum(axis=0) / is_first.sum(axis=0)
    others = (answers[trials] * ~is_first).sum(axis=0) / (~is_first).sum(axis=0)
    return first, others


def plot(shown: Array, answers: Array, path: str) -> None:
    """Draw the responses of all seeds to stimulus 0 and to the others in parts of 50 trials."""
    import matplotlib.pyplot as plt

    starts = range(0, len(shown) - 49, 50)
    parts = [responses(shown, answers, slice(start, start + 50)) for start in starts]
    figure, ax = plt.subplots()
    for k, (label, colour) in enumerate((("rewarded", "C3"), ("others", "0.5"))):
        ax.plot(starts, [part[k].mean() for part in parts], color=colour, label=label)
    ax.set(xlabel="trial", ylabel="spikes of a cell in 20 ms")
    ax.legend()
    figure.savefig(path)


def main(arguments: Sequence[str] | None = None) -> Array:
    """Run from the command line, and print a row for each seed."""
    parser = argparse.ArgumentParser(description="classical conditioning")
    parser.add_argument("--backend", default="reference")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--trials", type=int, default=400)
    parser.add_argument("--rate", type=float, default=0.003)
    parser.add_argument("--plot")
    options = parser.parse_args(arguments)
    shown, answers = run(options.backend, options.seeds, options.trials, options.rate)
    part = max(options.trials // 5, 1)
    before = responses(shown, answers, slice(part))
    after = responses(shown, answers, slice(-part, None))
    print("spikes of a cell: rewarded stimulus / others")
    for k, seed in enumerate(options.seeds):
        text = [f"{a[k]:.2f} / {b[k]:.2f} = {a[k] / b[k]:.1f}" for a, b in (before, after)]
        print(f"seed {seed}: first {part} trials {text[0]}, last {text[1]}")
    if options.plot:
        plot(shown, answers, options.plot)
    return after[0] / after[1]


if __name__ == "__main__":
    main()
