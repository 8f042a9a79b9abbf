"""Solve the distal reward problem of Izhikevich (2007, doi 10.1093/cercor/bhl152), his figure 1.

Neurons fire at random, once a second. Whenever one of them fires within 20 ms after another that it
has a synapse from, a reward follows 1 to 3 s later, with all that fired in between. The synapse's
eligibility remembers; dopamine turns it into weight: from 0 to the limit of 4 mV, and hardly
another one grows. Time constants, dopamine, A- / A+ = 1.5, the limit and the interval are those of
the paper's program, which has 1000 neurons, 100 synapses each, an hour and twice this rate; here
are 50 neurons, 10 synapses each, and two hours. Cells are LIF with escape noise, which the emulator
of Loihi runs too; ``--neuron izhikevich`` has the paper's, slower. ``--every 4`` makes the two
fire one after the other every 4 s too, which takes minutes and shows less: something of a pair is
then always eligible.

    python examples/distal_reward.py [--backend native] [--seeds 0 1 2] [--figures FOLDER]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from study import Array, Study, parser, save, verdict

from neurorl import Network, Plasticity, Population, Projection, Source
from neurorl.models import IZHIKEVICH, LIF

N_E, N_I, IN_DEGREE = 40, 10, 10
STEPS = 50  # ms, a window
PRE, POST = 0, 1
INTERVAL, LATEST = 20, 3000  # ms: of a pair that is rewarded, and until the reward
LEFT, PULSE, TONIC = 0.995, 0.5, 0.002  # of dopamine after 1 ms, by a reward, always there
LIMIT = 4.0  # mV
RATE = 0.5  # a pair of spikes changes a weight by so much of the paper's 0.1 mV in 10 ms
CELL = LIF(tau_mem=0.01, threshold=1.0, noise=0.145)  # fires once a second
CELLS = {
    "lif": (CELL, CELL, 1 / 16),
    "izhikevich": (IZHIKEVICH, IZHIKEVICH.with_parameters(a=0.1, d=2.0), 1.0),
}
"""Map each model to its excitatory and inhibitory neuron, and what one mV is in their units."""


def network(neuron: str = "lif") -> Network:
    """Return excitatory and inhibitory cells, each excitatory one with ten inputs of its kind."""
    rng = np.random.default_rng(2007)
    mask = np.zeros((N_E, N_E), dtype=bool)
    for j in range(N_E):
        mask[rng.choice(np.delete(np.arange(N_E), j), IN_DEGREE, replace=False), j] = True
    mask[PRE, POST] = True
    excitatory, inhibitory, mv = CELLS[neuron]
    weights = np.where(mask, mv, 0.0)
    weights[PRE, POST] = 0.0  # it begins without any
    plasticity = Plasticity(trace_tau=0.02, low=0.0, high=LIMIT * mv)
    driven = 30.0 * mv * np.eye(N_E + N_I)
    return Network(
        nodes=(
            Source("drive", N_E + N_I),
            Population("e", N_E, excitatory),
            Population("i", N_I, inhibitory),
        ),
        projections=(
            Projection("drive_e", "drive", "e", driven[:, :N_E]),
            Projection("drive_i", "drive", "i", driven[:, N_E:]),
            Projection("ee", "e", "e", weights, mask=mask, plasticity=plasticity),
            Projection("ei", "e", "i", mv),
            Projection("ie", "i", "e", -mv),
        ),
        dt=1e-3,
    )


class DistalReward(Study):
    """Pay for the post neuron's spikes soon after the pre neuron's, 1 to 3 s later.

    every: let the two fire one after the other each so many seconds too; 0: by chance only.
    """

    def __init__(
        self,
        backend: str,
        seeds: Sequence[int],
        neuron: str = "lif",
        rate: float = RATE,
        every: float = 0,
    ) -> None:
        mv = CELLS[neuron][-1]
        per_window = 0.1 * STEPS / 10 * rate * mv
        super().__init__(backend, network(neuron), seeds, rate=per_window, depression=1.5)
        self.every = every
        self.is_driven = CELLS[neuron][0] is not CELL  # which fires by its own noise
        self.host = {
            "due": np.zeros((self.n, LATEST + STEPS), dtype=np.int64),  # rewards, by ms from now
            "last": np.full(self.n, -INTERVAL - 1),  # when PRE fired, in ms from now
            "dopamine": np.zeros(self.n),
            "paid": np.zeros(self.n, dtype=np.int64),
        }

    def advance(self) -> None:
        """Go through a window."""
        rng = self.draws()
        spikes = self.by_seed(self.learning.window({"drive": self._drive(rng)}, STEPS)["e"])
        self._watch(spikes[:, :, PRE], spikes[:, :, POST], rng)
        self.learning.reinforce(TONIC + self._dopamine())
        self.done += 1

    def _drive(self, rng: list[np.random.Generator]) -> Array:
        """Return what makes neurons fire, ``(STEPS, all neurons)``."""
        shape = (STEPS, N_E + N_I)
        drive = np.zeros((STEPS, self.n, shape[1]), dtype=bool)
        if self.is_driven:
            drive[:] = np.stack([r.random(shape) < 1e-3 for r in rng], axis=1)
        if self.every and self.done % round(self.every * 1000 / STEPS) == 0:
            drive[5, :, PRE] = drive[10, :, POST] = True
        return drive.reshape(STEPS, -1)

    def _watch(self, pre: Array, post: Array, rng: list[np.random.Generator]) -> None:
        """Note the rewards that pairs of spikes of a window, ``(STEPS, seeds)``, earn."""
        due, last = self.host["due"], self.host["last"]
        for t, k in np.argwhere(pre | post):
            if post[t, k] and 0 < t - last[k] < INTERVAL:
                due[k, t + rng[k].integers(1000, LATEST)] += 1
            if pre[t, k]:
                last[k] = t
        np.maximum(last - STEPS, -INTERVAL - 1, out=last)

    def _dopamine(self) -> Array:
        """Return the mean dopamine of a window, ``(seeds,)``."""
        host, decays = self.host, LEFT ** np.arange(STEPS + 1)
        now = host["due"][:, :STEPS].copy()
        host["due"] = np.pad(host["due"][:, STEPS:], ((0, 0), (0, STEPS)))
        host["paid"] += now.sum(axis=1)
        lasting = np.cumsum(decays)[STEPS - 1 :: -1]  # of what comes in each step, to the end
        total = host["dopamine"] * decays[1:].sum() + PULSE * (now * lasting).sum(axis=1)
        arrived = PULSE * (now * decays[STEPS - 1 :: -1]).sum(axis=1)
        host["dopamine"] = host["dopamine"] * decays[STEPS] + arrived
        return np.asarray(total / STEPS)


@dataclass(frozen=True)
class Result:
    """Hold the rewarded synapse's weight and the others' over time, in mV, of one seed."""

    rewarded: Array
    others: Array
    rewards: int

    @property
    def rank(self) -> int:
        """Return how many of the other synapses have become as strong as the rewarded one."""
        return int((self.others[-1] >= self.rewarded[-1]).sum())

    @property
    def holds(self) -> bool:
        """Return whether it grew to 3 mV at least, and is among the strongest hundredth."""
        return bool(self.rewarded[-1] >= 3.0 and self.rank <= 0.01 * self.others.shape[1])


def run(
    backend: str,
    seeds: Sequence[int],
    seconds: float,
    neuron: str = "lif",
    rate: float = RATE,
    every: float = 0,
) -> list[Result]:
    """Simulate all seeds side by side, and return what each came to."""
    mask = np.asarray(network(neuron).projection("ee").mask)
    other = mask.copy()
    other[PRE, POST] = False
    windows = round(seconds * 1000 / STEPS)
    noted = max(windows // 100, 1)
    with DistalReward(backend, seeds, neuron, rate, every) as study:
        history = [study.weights("ee")]
        for window in range(windows):
            study.advance()
            if (window + 1) % noted == 0:
                history.append(study.weights("ee"))
        paid = study.host["paid"]
    weights = np.stack(history) / CELLS[neuron][-1]
    return [
        Result(weights[:, k, PRE, POST], weights[:, k, other], int(paid[k]))
        for k in range(len(seeds))
    ]


def plot(results: Sequence[Result], seconds: float, folder: str) -> None:
    """Draw the rewarded synapse of every seed over time, and where all weights end."""
    import matplotlib.pyplot as plt

    figure, (over_time, at_the_end) = plt.subplots(1, 2, figsize=(9, 3.5))
    for k, result in enumerate(results):
        t = np.linspace(0, seconds / 60, len(result.rewarded))
        first = k == 0
        label = "others, mean" if first else None
        over_time.plot(t, result.others.mean(axis=1), color="0.6", lw=0.8, label=label)
        label = "rewarded, each seed" if first else None
        over_time.plot(t, result.rewarded, color="C3", lw=0.8, label=label)
    over_time.set(xlabel="minutes", ylabel="weight (mV)", ylim=(0, 1.05 * LIMIT))
    over_time.legend()
    bins = np.linspace(0, LIMIT, 41)
    for color, values in (
        ("0.6", np.concatenate([r.others[-1] for r in results])),
        ("C3", np.array([r.rewarded[-1] for r in results])),
    ):
        share = np.full(len(values), 1 / len(values))
        at_the_end.hist(values, bins, weights=share, color=color, alpha=0.8)
    at_the_end.set(xlabel="weight at the end (mV)", ylabel="share of synapses")
    save(figure, folder, "distal_reward")
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> list[Result]:
    """Run from the command line, and print a row for each seed."""
    options = parser("the distal reward problem")
    options.add_argument("--seconds", type=float, default=7200)
    options.add_argument("--neuron", choices=CELLS, default="lif")
    options.add_argument("--rate", type=float, default=RATE, help="as a share of the paper's")
    options.add_argument("--every", type=float, default=0, help="pair the two so often too, s")
    args = options.parse_args(arguments)
    results = run(args.backend, args.seeds, args.seconds, args.neuron, args.rate, args.every)
    print("seed  rewards  rewarded  others: mean  strongest  as strong")
    for seed, r in zip(args.seeds, results, strict=True):
        print(
            f"{seed:4}  {r.rewards:7}  {r.rewarded[-1]:8.2f}  {r.others[-1].mean():12.2f}"
            f"  {r.others[-1].max():9.2f}  {r.rank:2} of {r.others.shape[1]}"
        )
    print(
        verdict("grows to 3 mV and is among the first 1 %", args.seeds, [r.holds for r in results])
    )
    if args.figures:
        plot(results, args.seconds, args.figures)
    return results


if __name__ == "__main__":
    main()
