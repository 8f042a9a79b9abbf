"""Draw what hidden neurons of Breakout look at as they learn, and how feedback aligns with weights.

    python scripts/experiments/depth_features.py [--steps 300000] [--seed 0] [--out FILE.png]

Above: the effective weights, from each pixel through the filters to four neurons of the actor's
dense layer (the four with the largest synapses to the readout at the end), for each channel, before
learning and after a sixth and all of the steps, each on a scale of its own. Below: the cosine
between feedback synapses and the forward synapses of the same pairs, for feedback that learns
(`own`) and that stays (`random`).
"""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).parents[1])

from experiments.depth import TASKS
from neurorl import SpikingActorCritic

PAGE = Path("docs/depth_features.png")
CHANNELS = ("paddle", "ball", "trail", "brick")
ALIGNED = {"hidden_2_hidden": "patches to hidden", "hidden_output": "hidden to readout"}
"""Name the projections of the actor whose feedback is watched."""
_POINTS, _SHOWN, _NEURONS = 30, (0, 5, 30), 4
_FloatArray = npt.NDArray[np.float64]


@dataclass
class Watched:
    """Hold cosines by projection, one for each point, and effective weights at some points.

    fields: (pixels, neurons) of the dense layer. readout: (neurons, actions), at the end.
    """

    cosines: dict[str, list[float]] = field(default_factory=lambda: {name: [] for name in ALIGNED})
    fields: list[_FloatArray] = field(default_factory=list)
    readout: _FloatArray = field(default_factory=lambda: np.zeros((0, 0)))


def alignment(forward: Any, feedback: Any) -> float:
    """Return the cosine between two arrays of synapses; 0 where either is 0."""
    w, b = np.ravel(forward).astype(np.float64), np.ravel(feedback).astype(np.float64)
    lengths = float(np.linalg.norm(w) * np.linalg.norm(b))
    return float(w @ b) / lengths if lengths else 0.0


def fields_of(agent: Any) -> _FloatArray:
    """Return the products of synapses from each pixel to each neuron of the actor's dense layer."""
    patches = agent.config.trunk.patches
    shape = patches.shape
    filters = agent.memory.lasting["input_hidden_2.tied"]  # (pixels of a patch, filters)
    dense = agent.weights["hidden_2_hidden"]  # (positions * filters, neurons)
    rows, columns = (n - patches.side + 1 for n in shape[:2])
    kernels = filters.reshape(patches.side, patches.side, shape[2], patches.filters)
    above = dense.reshape(rows, columns, patches.filters, -1)
    made = np.zeros((*shape, above.shape[-1]))
    for i in range(patches.side):
        for j in range(patches.side):
            made[i : i + rows, j : j + columns] += np.einsum("cf,xyfn->xycn", kernels[i, j], above)
    return made


def watch(feedback: str, steps: int, seed: int) -> Watched:
    """Train the preset of Breakout with a kind of feedback, and watch its actor."""
    env = TASKS["Breakout"].make()
    options: dict[str, Any] = {"trunk.feedback": feedback}
    agent = SpikingActorCritic(env, "deep", seed=seed, **options)
    memory: Any = agent.memory
    watched = Watched()
    for point in range(_POINTS + 1):
        if point:
            agent.learn(total_steps=steps * point // _POINTS)
        for name, cosines in watched.cosines.items():
            feedback_now = memory.lasting[f"{name}.feedback"]
            cosines.append(alignment(agent.weights[name], feedback_now))
        if point in _SHOWN:
            watched.fields.append(fields_of(agent))
    watched.readout = np.asarray(agent.weights["hidden_output"])
    agent.close()
    return watched


def draw(of: dict[str, Watched], steps: int, to: Path) -> None:
    """Draw fields of the first learner, and the alignment of all."""
    import matplotlib.pyplot as plt

    first = next(iter(of.values()))
    neurons = np.argsort(-np.abs(first.readout).sum(1))[:_NEURONS]
    n_columns = len(first.fields) * len(CHANNELS)
    figure = plt.figure(figsize=(11, 6.2))
    above, below = figure.subfigures(2, 1, height_ratios=(1.7, 1.0))
    axes = above.subplots(_NEURONS, n_columns)
    most = [np.abs(fields[..., neurons]).max() for fields in first.fields]
    for row, neuron in zip(axes, neurons, strict=True):
        for column, ax in enumerate(row):
            shown, channel = divmod(column, len(CHANNELS))
            image = first.fields[shown][..., channel, neuron]
            ax.imshow(image, cmap="RdBu_r", vmin=-most[shown], vmax=most[shown])
            ax.set(xticks=[], yticks=[])
            if ax in axes[0]:
                done = steps * _SHOWN[shown] // _POINTS
                ax.set_title(f"{CHANNELS[channel]}\n{done:,}", fontsize=8)
        row[0].set_ylabel(f"neuron {neuron}", fontsize=8)
    ax = below.subplots()
    x = np.linspace(0, steps, _POINTS + 1)
    for (kind, watched), style in zip(of.items(), ("-", "--"), strict=True):
        for number, (name, cosines) in enumerate(watched.cosines.items()):
            label = f"{ALIGNED[name]}, {kind} feedback"
            ax.plot(x, cosines, style, color=f"C{number}", label=label)
    ax.set(xlabel="environment steps", ylabel="cosine of feedback\nand forward synapses")
    ax.legend(frameon=False, fontsize=8)
    below.subplots_adjust(bottom=0.22, right=0.95)
    figure.savefig(to, dpi=110)
    plt.close(figure)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train with both kinds of feedback, draw, and print the last cosines."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=300_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=PAGE)
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    of = {kind: watch(kind, options.steps, options.seed) for kind in ("own", "random")}
    draw(of, options.steps, options.out)
    for kind, watched in of.items():
        for name, cosines in watched.cosines.items():
            print(f"{kind}: {ALIGNED[name]} {cosines[0]:.2f} to {cosines[-1]:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
