"""Learn XOR by reward-modulated STDP, as Florian (2007, doi 10.1162/neco.2007.19.6.1468) did.

60 inputs, half of them for each of two bits and half of these inhibitory; 60 hidden cells, one
output; leaky integrate-and-fire, 20 ms, a threshold of 16 mV, weights within 5 mV. Each of four
patterns is shown for half a second in a random order, an epoch. An output spike is rewarded with 1
if the two bits differ, else with -1, and that is all the network hears. The rule is MSTDPET:
``dz/dt = -z/25 ms + STDP``, ``dw = gamma r z``, both windows of STDP 20 ms and A- = A+;
``--rule mstdp`` has no z, so that a reward acts on the spikes of that step only. As in the paper
XOR is learned if the output's rate is higher for both patterns that differ than for both others.

Two codes. ``rate``: a bit that is 1 is 40 Hz of Poisson spikes, one that is 0 none. ``time``: for
either value each input repeats a spike train, drawn once for each seed; rates are all the same, so
that only the spikes' times tell. The paper has two inputs of 50 spikes each for that, here are 60
of ten. It changes weights in each step, here a window's rewards act at its end.

    python examples/xor.py [--code time] [--backend native] [--seeds 0 1 2] [--figures FOLDER]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from study import Array, Study, parser, save, verdict

from neurorl import Network, Plasticity, Population, Projection, Source, Uniform
from neurorl.models import LIF

INPUTS, SHOWN = 60, 500  # ms
PATTERNS = ((0, 0), (0, 1), (1, 0), (1, 1))
LIMIT = 5.0  # mV
CELL = LIF(tau_mem=0.02, threshold=16.0)
HIDDEN = {"rate": 60, "time": 100}
WINDOW = {"mstdpet": 5, "mstdp": 1}  # ms
GAMMA = {"rate": 0.625, "time": 0.25}  # mV, as the paper's for MSTDPET
GAMMA_MSTDP = 0.1
TAU_Z = {"mstdpet": 0.025, "mstdp": 0.0}  # s; 0: no eligibility is kept
SPIKES = 10  # of a train, in the code of times


def network(hidden: int) -> Network:
    """Return excitatory and inhibitory inputs, hidden cells and an output."""
    half = INPUTS // 2
    up = Plasticity(trace_tau=0.02, low=0.0, high=LIMIT)
    down = Plasticity(trace_tau=0.02, low=-LIMIT, high=0.0)
    return Network(
        nodes=(
            Source("plus", half),
            Source("minus", half),
            Population("hidden", hidden, CELL),
            Population("out", 1, CELL),
        ),
        projections=(
            Projection("excite", "plus", "hidden", Uniform(0.0, LIMIT), plasticity=up),
            Projection("inhibit", "minus", "hidden", Uniform(-LIMIT, 0.0), plasticity=down),
            Projection("answer", "hidden", "out", Uniform(0.0, LIMIT), plasticity=up),
        ),
        dt=1e-3,
    )


class XOR(Study):
    """Show patterns, reward output spikes. done counts patterns, four of them an epoch."""

    def __init__(
        self, backend: str, seeds: Sequence[int], code: str = "rate", rule: str = "mstdpet"
    ) -> None:
        tau = TAU_Z[rule]
        options: dict[str, Any] = {
            "rate": GAMMA[code] * 1e-3 / tau if tau else GAMMA_MSTDP,
            "eligibility_tau": tau,
        }
        super().__init__(backend, network(HIDDEN[code]), seeds, **options)
        self.code, self.steps = code, WINDOW[rule]
        self.trains = np.stack([_trains(seed) for seed in self.seeds])

    def advance(self) -> tuple[Array, Array]:
        """Return which pattern each seed was shown, and the output's rate in Hz."""
        epoch, k = divmod(self.done, len(PATTERNS))
        orders = [np.random.default_rng([seed, epoch, 1]).permutation(4) for seed in self.seeds]
        shown = np.array([order[k] for order in orders])
        bits = np.array(PATTERNS)[shown]
        sign = np.where(bits[:, 0] != bits[:, 1], 1.0, -1.0)
        inputs, count = self._inputs(bits), np.zeros(self.n)
        for start in range(0, SHOWN, self.steps):
            part = inputs[:, start : start + self.steps]
            halves = {
                name: np.moveaxis(part[..., first::2], 0, 1).reshape(self.steps, -1)
                for first, name in enumerate(("plus", "minus"))
            }
            spikes = self.by_seed(self.learning.window(halves, self.steps)["out"]).sum(axis=(0, 2))
            if spikes.any():
                self.learning.reinforce(sign * spikes)
            count += spikes
        self.done += 1
        return shown, count * 1e3 / SHOWN

    def _inputs(self, bits: Array) -> Array:
        """Return what inputs spike for two bits of each seed, ``(seeds, SHOWN, INPUTS)``."""
        of_input = np.repeat(bits, INPUTS // 2, axis=1)
        if self.code == "time":
            both = np.where(of_input[:, None] == 1, self.trains[:, 1], self.trains[:, 0])
            return np.asarray(both)
        drawn = np.stack([rng.random((SHOWN, INPUTS)) < 0.04 for rng in self.draws()])
        return np.asarray(drawn & (of_input[:, None] == 1))


def _trains(seed: int) -> Array:
    """Return the spike train of either value for each input, ``(2, SHOWN, INPUTS)``."""
    rng = np.random.default_rng([seed, 2])
    return np.asarray(rng.random((2, SHOWN, INPUTS)).argsort(axis=1).argsort(axis=1) < SPIKES)


@dataclass(frozen=True)
class Result:
    """Hold the output's rate in Hz by epoch and pattern, of one seed."""

    rates: Array

    @property
    def last(self) -> Array:
        """Return the mean rate of the last tenth of all epochs for each pattern."""
        return np.asarray(self.rates[-max(len(self.rates) // 10, 1) :].mean(axis=0))

    @property
    def holds(self) -> bool:
        """Return whether both patterns that differ are answered by more than both others."""
        return bool(self.last[1:3].min() > self.last[[0, 3]].max())


def run(
    backend: str, seeds: Sequence[int], epochs: int, code: str = "rate", rule: str = "mstdpet"
) -> list[Result]:
    """Teach all seeds side by side, and return what each answered."""
    rates = np.zeros((len(seeds), epochs, len(PATTERNS)))
    with XOR(backend, seeds, code, rule) as study:
        for epoch in range(epochs):
            for _ in PATTERNS:
                shown, rate = study.advance()
                rates[np.arange(len(seeds)), epoch, shown] = rate
    return [Result(of_seed) for of_seed in rates]


def plot(results: Sequence[Result], folder: str, name: str) -> None:
    """Draw the output's rate for each pattern, the mean of all seeds, and each seed's last."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5))
    mean = np.mean([r.rates for r in results], axis=0)
    for k, bits in enumerate(PATTERNS):
        color = f"C{3 if bits[0] != bits[1] else 0}"
        label = "".join(map(str, bits))
        left.plot(mean[:, k], color=color, ls="-" if bits[0] else "--", label=label)
        last = [r.last[k] for r in results]
        right.plot(np.full(len(last), k), last, "o", color=color, ms=4, alpha=0.5)
    left.set(xlabel="epoch", ylabel="output (Hz)")
    left.legend()
    right.set(xticks=range(4), xticklabels=["".join(map(str, bits)) for bits in PATTERNS])
    right.set(xlabel="pattern", ylabel="output at the end (Hz), each seed")
    save(figure, folder, name)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> list[Result]:
    """Run from the command line, and print a row for each seed."""
    options = parser("XOR by reward-modulated STDP")
    options.add_argument("--code", choices=("rate", "time"), default="rate")
    options.add_argument("--rule", choices=WINDOW, default="mstdpet")
    options.add_argument("--epochs", type=int, help="default 100, with times 200")
    args = options.parse_args(arguments)
    epochs = args.epochs or {"rate": 100, "time": 200}[args.code]
    results = run(args.backend, args.seeds, epochs, args.code, args.rule)
    print("seed  output for 00     01     10     11 (Hz)")
    for seed, r in zip(args.seeds, results, strict=True):
        print(f"{seed:4}   " + "".join(f"{rate:7.1f}" for rate in (*r.last,)))
    what = f"{args.rule} learns XOR, code of {args.code}s"
    print(verdict(what, args.seeds, [r.holds for r in results]))
    if args.figures:
        plot(results, args.figures, f"xor_{args.code}_{args.rule}")
    return results


if __name__ == "__main__":
    main()
