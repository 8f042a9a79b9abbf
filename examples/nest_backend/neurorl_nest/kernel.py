"""Build a network in the kernel of this process: its own neurons, and the synapses onto them.

NEST gives node number k to virtual process ``k % n`` of n, the threads of all processes, and this
to process ``k % n_processes``. Parts begin at multiples of n; so neuron i of every part, and what
sends its spikes later, belongs to process ``i % n_processes`` and to one thread there.
"""

from __future__ import annotations

import ctypes
import importlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import nest
import numpy as np
import numpy.typing as npt

from neurorl_nest.shared import Described

__all__ = ["Kernel"]

CHUNK = 2**20  # synapses that are connected at once, so that copies of them stay small
POINTERS = (
    *("current", "voltage", "dead", "spikes", "arrived"),
    *("current_decay", "membrane_decay", "threshold", "bias", "noise_width"),
    *("refractory", "seeds", "steps"),
)
NUMBERS = ("size", "width", "depth", "stream")
NEURON, SOURCE, LATER, IDLE = range(4)
Arrays = Mapping[str, npt.NDArray[Any]]


class Part(ctypes.Structure):
    """Mirror the structure of the same name in ``nodes.cpp``."""

    _fields_ = [(name, ctypes.c_void_p) for name in POINTERS] + [
        (name, ctypes.c_int64) for name in NUMBERS
    ]


class Kernel:
    """Run windows of a network in this process's kernel, together with the other processes'.

    described, arrays: what `neurorl_nest.simulator` says of the network. The arrays are of all
    neurons, and stay where they are; this reads and writes its own.
    """

    def __init__(self, described: Described, arrays: Arrays) -> None:
        self._resolution, self._arrays, self._step = described["resolution"], arrays, 0
        nest.set_verbosity("M_ERROR")
        nest.resolution = self._resolution
        nest.local_num_threads = described["threads"]
        self.rank, self.n_ranks = nest.Rank(), nest.NumProcesses()
        self.library = _library(described, arrays)
        self._first: dict[tuple[str, int], int] = {}
        self._nodes(described["parts"], self._laters(described["parts"]))
        for projection in described["projections"]:
            self._connect(projection)
        nest.Prepare()

    def run(self, n_steps: int, is_taken: bool) -> None:
        """Run a window. is_taken: whether ``POPULATION.arrived`` says what arrives first."""
        self.library.neurorl_window(ctypes.c_int64(self._step), ctypes.c_int64(is_taken))
        nest.Run(n_steps * self._resolution)
        self._step += n_steps

    def gather(self, own: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
        """Return the bytes of all processes, ``(n_ranks, n)``; all give as many."""
        sent, got = np.ascontiguousarray(own), np.empty((self.n_ranks, own.size), np.uint8)
        pointers = (ctypes.c_void_p(array.ctypes.data) for array in (sent, got))
        self.library.neurorl_gather(next(pointers), ctypes.c_int64(own.size), *pointers)
        return got

    def _laters(self, parts: Mapping[str, Mapping[str, Any]]) -> dict[str, list[int]]:
        """Return how many steps later each part's spikes are sent to the neurons of any process.

        All processes have to create the same nodes, and the delays of their synapses may differ.
        """
        longest = np.array([max(max(part["laters"]) for part in parts.values())], np.int64)
        n = int(self.gather(longest.view(np.uint8)).view(np.int64).max()) + 1
        wanted = np.zeros((len(parts), n), np.uint8)
        for row, part in zip(wanted, parts.values(), strict=True):
            row[part["laters"]] = 1
        union = self.gather(wanted.ravel()).max(axis=0).reshape(wanted.shape)
        return {name: np.flatnonzero(row).tolist() for name, row in zip(parts, union, strict=True)}

    def _nodes(
        self, parts: Mapping[str, Mapping[str, Any]], laters: Mapping[str, Sequence[int]]
    ) -> None:
        """Create all nodes, each part from a multiple of the number of virtual processes on."""
        made, n = 0, nest.total_num_virtual_procs

        def create(size: int, **parameters: int) -> int:
            nonlocal made
            nest.SetDefaults("neurorl_node", {"first": made + 1, **parameters})
            nest.Create("neurorl_node", size)
            made += size
            return made + 1 - size

        # Every process has a synapse, of nodes that do nothing: NEST waits forever for one without.
        idle = np.arange(create(n, kind=IDLE), made + 1, dtype=np.int64)
        own = idle[idle % self.n_ranks == self.rank]
        self._connect_nodes(own, own, np.zeros(len(own)))
        for k, (name, part) in enumerate(parts.items()):
            for later in laters[name]:
                if wanting := -(made + 1) % n:
                    create(wanting, kind=IDLE)
                kind = LATER if later else SOURCE if part["is_source"] else NEURON
                first = create(part["size"], kind=kind, part=k, later=later)
                self._first[name, later] = first

    def _connect(self, projection: Mapping[str, Any]) -> None:
        """Connect this process's synapses of a projection."""
        for later, pre, post, places in self._own(projection):
            first = self._first[projection["pre"], later], self._first[projection["post"], 0]
            ends = pre + np.int64(first[0]), post + np.int64(first[1])
            self._connect_nodes(*ends, places.astype(float))

    def _connect_nodes(self, *ends_and_places: npt.NDArray[Any]) -> None:
        # By the compiled function, as nest.Connect sorts what it is given to look for repeats.
        connect = importlib.import_module("nest.nestkernel_api").llapi_connect_arrays
        delays = np.full(len(ends_and_places[0]), self._resolution)
        connect(*ends_and_places, delays, "neurorl_synapse", None, None)

    def _own(self, projection: Mapping[str, Any]) -> Iterator[tuple[int, Any, Any, Any]]:
        """Yield steps later, both ends and places in the table, of some own synapses at a time."""
        name, arrays = projection["name"], self._arrays
        pre, post = arrays[f"{name}.pre"], arrays[f"{name}.post"]
        there, delays = arrays.get(f"{name}.there"), arrays.get(f"{name}.delays")
        for begin in range(0, len(post), CHUNK):
            part = slice(begin, begin + CHUNK)
            own = post[part] % self.n_ranks == self.rank
            if there is not None:
                own &= there[part]
            for later in projection["laters"]:
                of = own if delays is None else own & (delays[part] == later + 1)
                numbers = begin + np.flatnonzero(of)
                if len(numbers):
                    yield later, pre[numbers], post[numbers], projection["begin"] + numbers


def _library(described: Described, arrays: Arrays) -> ctypes.CDLL:
    """Load the models, and say where their arrays are."""
    kernel = importlib.import_module("nest.nestkernel_api").__file__
    ctypes.CDLL(kernel, mode=ctypes.RTLD_GLOBAL)  # whose names the models need
    library = ctypes.CDLL(described["library"], mode=ctypes.RTLD_GLOBAL)
    parts = (Part * len(described["parts"]))()
    for part, (name, numbers) in zip(parts, described["parts"].items(), strict=True):
        for key in POINTERS:
            if f"{name}.{key}" in arrays:
                setattr(part, key, arrays[f"{name}.{key}"].ctypes.data)
        for key in NUMBERS:
            setattr(part, key, numbers[key])
    pointers = [ctypes.c_void_p(arrays[name].ctypes.data) for name in ("table", "logistic")]
    library.neurorl_register(parts, ctypes.c_int64(len(parts)), *pointers)
    return library
