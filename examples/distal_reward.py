"""Solve the distal reward problem of Izhikevich (2007, doi 10.1093/cercor/bhl152), his figure 1.

Neurons fire at random. Whenever one of them fires within 10 ms after another that it has a synapse
from, a reward follows 1 to 3 s later, with all that fired in between. The synapse's eligibility
remembers; dopamine turns it into weight. In the paper (1000 neurons, an hour) it grows from 0 to
the limit of 4 mV, and hardly another does. Here are 50 neurons and quicker learning. The two are
made to fire so every 4 s, as chance alone (``--every 0``) takes longer and fails more often. Time
constants of traces, eligibility and dopamine are the paper's. Cells are LIF, which the emulator of
Loihi runs too; ``--neuron izhikevich`` has the paper's, slower.

    python examples/distal_reward.py [--backend brian2] [--seeds 0 1 2] [--seconds N] [--plot FILE]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl import Learning, Network, Plasticity, Population, Projection, Source, load
from neurorl.models import IZHIKEVICH, LIF

Array = npt.NDArray[Any]

N_E, N_I, IN_DEGREE = 40, 10, 10
STEPS = 20  # ms, a window
RATE_HZ = 2.0
PRE, POST = 0, 1
CELLS = {
    "lif": (LIF(tau_mem=0.01, threshold=1.0), LIF(tau_mem=0.01, threshold=1.0), 1 / 16),
    "izhikevich": (IZHIKEVICH, IZHIKEVICH.with_parameters(a=0.1, d=2.0), 1.0),
}
"""Excitatory and inhibitory cells, and what one mV is in their units."""


def network(neuron: str = "lif") -> Network:
    """Return excitatory and inhibitory cells, each excitatory one with ten inputs of its kind."""
    rng = np.random.default_rng(2007)
    mask = np.zeros((N_E, N_E), dtype=bool)
    for j in range(N_E):
        others = np.delete(np.arange(N_E), j)
        mask[rng.choice(others, IN_DEGREE, replace=False), j] = True
    mask[PRE, POST] = True
    excitatory, inhibitory, mv = CELLS[neuron]
    weights = np.where(mask, mv, 0.0)
    weights[PRE, POST] = 0.0  # it begins without any
    plasticity = Plasticity(trace_tau=0.02, low=0.0, high=4.0 * mv)
    return Network(
        nodes=(
            Source("noise_e", N_E),
            Source("noise_i", N_I),
            Population("e", N_E, excitatory),
            Population("i", N_I, inhibitory),
        ),
        projections=(
            Projection("drive_e", "noise_e", "e", 20.0 * mv * np.eye(N_E)),
            Projection("drive_i", "noise_i", "i", 20.0 * mv * np.eye(N_I)),
            Projection("ee", "e", "e", weights, mask=mask, plasticity=plasticity),
            Projection("ei", "e", "i", mv),
            Projection("ie", "i", "e", -mv),
        ),
        dt=1e-3,
    )


class Reward:
    """Pay for the post neuron's spikes within 10 ms after the pre neuron's, 1 to 3 s later."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng([seed, 1])
        self._due: list[int] = []
        self._last_pre, self.level, self.paid = -1000, 0.0, 0

    def watch(self, start: int, spikes: Array) -> float:
        """Return the mean dopamine of a window that began at *start* ms, ``(steps, neurons)``."""
        total = 0.0
        for t, (pre, post) in enumerate(spikes[:, [PRE, POST]], start):
            if post and 0 < t - self._last_pre <= 10:
                self._due.append(t + int(self._rng.integers(1000, 3000)))
            if pre:
                self._last_pre = t
            self.level *= 0.995
            if t in self._due:
                self.level, self.paid = self.level + 0.5, self.paid + 1
            total += self.level
        return total / len(spikes)


@dataclass(frozen=True)
class Result:
    """Hold the rewarded synapse's weight and the others' over time, of one seed."""

    rewarded: Array
    others: Array
    rewards: int

    @property
    def rank(self) -> int:
        """Return how many of the other synapses have become as strong as the rewarded one."""
        return int((self.others[-1] >= self.rewarded[-1]).sum())


def run(
    backend: str,
    seeds: Sequence[int],
    seconds: int,
    neuron: str = "lif",
    rate: float = 0.4,
    every: int = 0,
) -> list[Result]:
    """Simulate all seeds side by side, and return what each came to, in mV.

    every: let the two fire one after the other each so many seconds too; 0: by chance only.
    """
    described, mv = network(neuron), CELLS[neuron][-1]
    mask = np.asarray(described.projection("ee").mask)
    other = mask.copy()
    other[PRE, POST] = False
    rewards = [Reward(seed) for seed in seeds]
    draws = [np.random.default_rng([seed, 2]) for seed in seeds]
    history: list[Array] = []
    with load(backend, described, seed=list(seeds)) as simulator:
        learning = Learning(simulator, "reward-stdp", rate=rate * mv, depression=1.5)
        for start in range(0, seconds * 1000, STEPS):
            if start % 10_000 == 0:
                history.append(learning.weights("ee"))
            noise = [rng.random((STEPS, N_E + N_I)) < RATE_HZ / 1000 for rng in draws]
            if every and start % (every * 1000) == 0:
                for n in noise:
                    n[5, PRE] = n[10, POST] = True
            inputs = {
                "noise_e": np.concatenate([n[:, :N_E] for n in noise], axis=1),
                "noise_i": np.concatenate([n[:, N_E:] for n in noise], axis=1),
            }
            spikes = learning.window(inputs, STEPS)["e"]
            dopamine = [
                reward.watch(start, spikes[:, k * N_E : (k + 1) * N_E])
                for k, reward in enumerate(rewards)
            ]
            learning.reinforce(0.002 + np.array(dopamine))
        history.append(learning.weights("ee"))
    weights = np.stack(history) / mv
    return [
        Result(weights[:, k, PRE, POST], weights[:, k, other], reward.paid)
        for k, reward in enumerate(rewards)
    ]


def plot(results: Sequence[Result], path: str) -> None:
    """Draw the rewarded synapse over the others, a row for each seed."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(len(results), squeeze=False, sharex=True)
    for ax, result in zip(axes[:, 0], results, strict=True):
        t = np.arange(len(result.rewarded)) * 10
        ax.plot(t, result.others.mean(axis=1), color="0.5", label="mean of the others")
        ax.plot(t, result.rewarded, color="C3", label="rewarded")
        ax.set(ylabel="weight (mV)", ylim=(0, 4.1))
    axes[-1, 0].set(xlabel="s")
    axes[0, 0].legend()
    figure.savefig(path)


def main(arguments: Sequence[str] | None = None) -> list[Result]:
    """Run from the command line, and print a row for each seed."""
    parser = argparse.ArgumentParser(description="the distal reward problem")
    parser.add_argument("--backend", default="reference")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--seconds", type=int, default=200)
    parser.add_argument("--neuron", choices=CELLS, default="lif")
    parser.add_argument("--rate", type=float, default=0.4)
    parser.add_argument("--every", type=int, default=4, help="pair the two so often too, s")
    parser.add_argument("--plot")
    options = parser.parse_args(arguments)
    results = run(
        options.backend, options.seeds, options.seconds, options.neuron, options.rate, options.every
    )
    print("seed  rewards  rewarded synapse  mean of the others  as strong as it")
    for seed, r in zip(options.seeds, results, strict=True):
        print(
            f"{seed:4}  {r.rewards:7}  {r.rewarded[-1]:16.2f}  {r.others[-1].mean():18.2f}"
            f"  {r.rank:7} of {r.others.shape[1]}"
        )
    if options.plot:
        plot(results, options.plot)
    return results


if __name__ == "__main__":
    main()
