"""Define `Distributed`: a network in parts, of which no process holds the whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Raster
from neurorl.errors import RunError
from neurorl.network.description import Network
from neurorl.network.restoring import save_network
from neurorl.numerics.arrays import FloatArray
from neurorl_nest.build import library
from neurorl_nest.checkpoint import complete, whole
from neurorl_nest.crew import Crew
from neurorl_nest.simulator import NestSimulator

__all__ = ["Distributed"]


class Distributed:
    """Run a network in several processes of NEST, each with its own neurons and synapses onto them.

    No process draws or holds more synapses than its own, and this one none, until `weights` or
    `eligibility` asks for them. Spikes, weights and eligibilities equal those of every backend of
    float arithmetic in every bit, for any number of processes and threads. A context manager.

    network: the description. processes, threads: as of `NestSimulator`. seed: of all draws. record:
    populations whose rasters `window` returns; None for all.
    learning: keywords of `neurorl.Learning`, ``{"rule": "reward-stdp", "rate": 0.1}``; None if
        nothing learns.

    Raises UnsupportedError for what NEST can't run, BackendError if a process ends.
    """

    def __init__(
        self,
        network: Network,
        *,
        processes: int = 1,
        threads: int = 1,
        seed: int = 0,
        record: Sequence[str] | None = None,
        learning: Mapping[str, Any] | None = None,
    ) -> None:
        NestSimulator(threads, processes)  # checks both
        library()  # compiled once, before all need it
        self.network = network
        self._crew = Crew("neurorl_nest.rank", processes)
        with tempfile.TemporaryDirectory(prefix="neurorl-nest-") as folder:
            file = f"{folder}/network.npz"
            save_network(file, network)
            told = {"seed": seed, "threads": threads, "record": record, "learning": learning}
            self._ask("begin", network=file, **told)

    def window(
        self,
        inputs: Mapping[str, Any],
        n_steps: int,
        signals: Mapping[str, Any] | None = None,
    ) -> dict[str, Raster]:
        """Advance, let eligibilities take it in, return the rasters; as of `Learning.window`."""
        rasters: dict[str, Raster] = self._ask(
            "window", inputs=inputs, n_steps=n_steps, signals=signals
        )[0]
        return rasters

    def reinforce(self, modulator: Any, **others: Any) -> None:
        """Let all synapses learn, as `Learning.reinforce` says."""
        self._ask("reinforce", modulator=modulator, **others)

    def reset(self) -> None:
        """Silence the network, and forget all but the weights."""
        self._ask("reset")

    def weights(self, name: str) -> FloatArray:
        """Return the weights of a projection, in the shape that they have elsewhere."""
        return self._gathered(name, self._ask("weights", name=name))

    def eligibility(self, name: str) -> FloatArray:
        """Return the eligibilities of a projection, shaped as its weights."""
        return self._gathered(name, self._ask("eligibility", name=name))

    def state(self) -> dict[str, npt.NDArray[Any]]:
        """Return currents, membranes, dead steps and spikes in flight, as of `Backend.state`.

        Of spikes, as many steps as the description's delays may have.
        """
        states = self._ask("state")
        state: dict[str, npt.NDArray[Any]] = states[0]
        for rank, own in enumerate(states):
            for key, value in own.items():
                if not key.endswith(".spikes"):
                    state[key][rank :: len(states)] = value[rank :: len(states)]
        return state

    def time(self) -> int:
        """Return the number of steps since the start; `restore` sets it."""
        return int(self._ask("time")[0])

    def save(self, folder: str | Path) -> None:
        """Write a checkpoint, a file by each process; one that was there stays until it is whole.

        Raises RunError if the system refuses.
        """
        to = Path(folder).absolute()
        partial = to.with_name(f"{to.name}.partial")
        try:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            self._ask("save", folder=str(partial))
            complete(partial, to)
        except OSError as exc:
            raise RunError("checkpoint", "can't be written", got=exc) from exc

    def restore(self, folder: str | Path) -> None:
        """Go on from a checkpoint, which any number of processes wrote.

        Raises RunError if there is none, BackendError for one of another network.
        """
        self._ask("restore", folder=str(whole(Path(folder).absolute())))

    def measure(self) -> list[dict[str, float]]:
        """Return ``peak_mib``, ``synapses`` and the number, ``process``, of each process."""
        measured: list[dict[str, float]] = self._ask("measure")
        return measured

    def close(self) -> None:
        """End the processes."""
        self._crew.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, verb: str, **arguments: Any) -> Any:
        return self._crew.ask((verb, arguments))

    def _gathered(self, name: str, parts: Sequence[tuple[Any, Any, Any]]) -> FloatArray:
        """Return values of all synapses, from the ends and values of each process's."""
        pre, post, values = (np.concatenate(of) for of in zip(*parts, strict=True))
        p = self.network.projection(name)
        if p.is_sparse:
            return np.asarray(values[np.lexsort((post, pre))])
        columns = self.network.node(p.post).size // p.blocks
        whole = np.zeros(self.network.weight_shape(name))
        whole.reshape(-1)[pre * columns + post % columns] = values
        return whole
