"""Share what the studies in this folder have in common: a state, the command line, the report."""

from __future__ import annotations

import abc
import argparse
import copy
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from neurorl import Learning, Network, load
from neurorl.rules import Rule

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Array = npt.NDArray[Any]


class Study(abc.ABC):
    """Let a network learn in a loop, a replica for each seed, each as it would alone.

    backend: as `neurorl.load` takes it. options: of `neurorl.Learning`.
    host: what the loop itself remembers, arrays with a row for each seed. done: how often it went
    round. All that is drawn depends on a seed and on *done* alone, so that a state is all of it.
    """

    def __init__(
        self,
        backend: str,
        network: Network,
        seeds: Sequence[int],
        rule: str | Rule = "reward-stdp",
        **options: Any,
    ) -> None:
        self.seeds, self.n = list(seeds), len(seeds)
        self.network = network
        self.simulator = load(backend, network, seed=self.seeds)
        self.learning = Learning(self.simulator, rule, **options)
        self.host: dict[str, Array] = {}
        self.done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.simulator.close()

    @abc.abstractmethod
    def advance(self) -> Any:
        """Go round once, and return what is to be told."""

    def draws(self) -> list[np.random.Generator]:
        """Return a generator for each seed, of this time round."""
        return [np.random.default_rng([seed, self.done]) for seed in self.seeds]

    def weights(self, name: str) -> Array:
        """Return the weights that a projection has learned, ``(seeds, pre, post)``."""
        shape = self.network.weight_shape(name)
        return self.learning.weights(name).reshape(self.n, *shape)

    def by_seed(self, raster: Array) -> Array:
        """Return a raster of all replicas as ``(steps, seeds, neurons)``."""
        return raster.reshape(len(raster), self.n, -1)

    def state(self) -> list[dict[str, Any]]:
        """Return all that `restore` needs, for each seed."""
        rows = [{name: array[k] for name, array in self.host.items()} for k in range(self.n)]
        return [
            {"learning": self.learning.state(k), "host": copy.deepcopy(rows[k]), "done": self.done}
            for k in range(self.n)
        ]

    def restore(self, state: Sequence[dict[str, Any]]) -> None:
        """Go on from a state, exactly."""
        for k, of_seed in enumerate(state):
            self.learning.restore(of_seed["learning"], k)
            for name, row in of_seed["host"].items():
                self.host[name][k] = row
            self.done = of_seed["done"]


def parser(description: str, seeds: Sequence[int] = range(3)) -> argparse.ArgumentParser:
    """Return a parser with the options that every study has."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--backend", default="reference", help="as in native, brian2:numpy, loihi")
    made.add_argument("--seeds", type=int, nargs="+", default=list(seeds))
    made.add_argument("--figures", metavar="FOLDER", help="write the figure there, as a png")
    return made


def verdict(what: str, seeds: Sequence[int], holds: Sequence[bool]) -> str:
    """Return a line that says on how many seeds something holds, and on which it doesn't."""
    failed = [str(seed) for seed, held in zip(seeds, holds, strict=True) if not held]
    missing = f"; not on {', '.join(failed)}" if failed else ""
    return f"{what}: {len(seeds) - len(failed)} of {len(seeds)} seeds{missing}"


def save(figure: Figure, folder: str, name: str) -> Path:
    """Write a figure as FOLDER/NAME.png, and return the path."""
    path = Path(folder) / f"{name}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path, dpi=80)
    return path
