"""Define `XyloSimulator`: a network on the vendor's simulator of its chips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.xylo import XyloArithmetic
from neurorl.arithmetic.xylo_integers import MEMORIES
from neurorl.backends.capabilities import Capabilities
from neurorl.backends.checks import Inputs
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.simulator import Simulator, State
from neurorl.backends.window import Raster
from neurorl.backends.xylo.layout import XyloLayout, lay_out
from neurorl.backends.xylo.limits import DEFAULT, DEVICES, find_device, problems
from neurorl.backends.xylo.vendor import Cells, VendorLayer
from neurorl.errors import UnsupportedError
from neurorl.network.description import Network
from neurorl.numerics.arrays import Array
from neurorl.program import lower


class XyloSimulator(Simulator):
    """Run a network on xylosim, SynSense's simulator of Xylo, a chip for each replica.

    device: the chip whose room is checked, ``'audio3'``, ``'audio2'`` or ``'imu'``.
    """

    name: ClassVar[str] = "xylo"
    capabilities: ClassVar[Capabilities] = Capabilities(
        arithmetics=("xylo",),
        exact_arithmetics=("xylo",),
        delays=False,
        signed=False,
        engines=("xylosim",),
        sparse=True,
    )
    shown: ClassVar[tuple[str, ...]] = ("device",)

    def __init__(self, device: str = DEFAULT) -> None:
        self.device = find_device(device).name

    @classmethod
    def problems(cls, network: Network, arithmetic: str) -> list[str]:
        return cls._problems(network, arithmetic, DEFAULT)

    def refusals(self, network: Network, arithmetic: str) -> list[str]:
        return self._problems(network, arithmetic, self.device)

    @classmethod
    def _problems(cls, network: Network, arithmetic: str, device: str) -> list[str]:
        return [*super().problems(network, arithmetic), *problems(network, DEVICES[device])]

    @classmethod
    def default_target(cls) -> str:
        return "emulator"

    def build(self, simulated: SimulatedNetwork) -> None:
        """Make a chip for each replica, at rest."""
        assert isinstance(simulated.arithmetic, XyloArithmetic)
        self.simulated, self.arithmetic = simulated, simulated.arithmetic
        self.program = lower(
            simulated.network, self.arithmetic, simulated.depths, simulated.seeds[:1]
        )
        self.layout = lay_out(self.program, self.arithmetic)
        n = simulated.n_replicas
        self.layers = [self._layer(self.layout) for _ in range(n)]
        self.steps = [0] * n
        # Input of a step arrives in the next one; here it would arrive at once.
        self.coming = np.zeros((n, self.layout.sizes["input"]), dtype=bool)
        self.counts = [
            {kind: np.zeros(self.layout.sizes[kind], np.int64) for kind in ("hidden", "output")}
            for _ in range(n)
        ]
        self.put_in_force(simulated)

    def _layer(self, layout: XyloLayout) -> VendorLayer:
        wires = [
            (_joined([w.pre for w in held]), _joined([w.post for w in held]))
            for held in (
                [w for w in layout.wires.values() if w.memory == memory] for memory in MEMORIES
            )
        ]
        shifts = [self.arithmetic.chip.shifts[memory] for memory in MEMORIES]
        hidden, output = (self._cells(layout, kind) for kind in ("hidden", "output"))
        return VendorLayer(layout.sizes["input"], hidden, output, wires, shifts)

    def _cells(self, layout: XyloLayout, kind: str) -> Cells:
        names = [name for name, of in layout.kind.items() if of == kind]
        chips = [self.arithmetic.chip.populations[name] for name in names]
        fields = ("threshold", "bias", "shift_mem", "shift_syn")
        return Cells(*(_joined([getattr(chip, x) for chip in chips]) for x in fields))

    def write_weights(self, projection: str) -> None:
        wire = self.layout.wires.get(projection)
        if wire is None:  # it has no synapse
            return
        values = self.arithmetic.mantissa(projection, self.simulated.weights[projection])
        rows = values.reshape(len(self.layers), -1)
        for layer, row in zip(self.layers, rows, strict=True):
            layer.put_weights(MEMORIES.index(wire.memory), wire.first, row[wire.places])

    def write_bias(self, population: str, bias: npt.NDArray[np.generic]) -> None:
        is_output = self.layout.kind[population] == "output"
        rows = bias.astype(np.int64).reshape(len(self.layers), -1)
        for layer, row in zip(self.layers, rows, strict=True):
            layer.put_bias(is_output, self.layout.first[population], row)

    def step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        """Advance all chips, each by its own input."""
        parts = dict[str, list[Raster]]()
        for k, layer in enumerate(self.layers):
            given = np.zeros((n_steps + 1, self.layout.sizes["input"]), dtype=bool)
            given[0] = self.coming[k]
            for source in self.simulated.network.spiking.sources:
                columns = self.simulated.columns(source.name, k)
                given[1:, self._numbers(source.name)] = inputs[source.name][:, columns]
            counts = dict(zip(("hidden", "output"), layer.advance(given[:-1]), strict=True))
            self.coming[k] = given[-1]
            self.counts[k] = {kind: rows[-1] for kind, rows in counts.items()}
            self.steps[k] += n_steps
            for name in self.simulated.record:
                rows = counts[self.layout.kind[name]][:, self._numbers(name)]
                parts.setdefault(name, []).append(rows > 0)
        return {name: np.concatenate(rows, axis=1) for name, rows in parts.items()}

    def reset(self, replicas: Sequence[int]) -> None:
        for k in replicas:
            self.layers[k].rest()
            self.coming[k] = False
            for counts in self.counts[k].values():
                counts[:] = 0

    def time(self, replica: int) -> int:
        return self.steps[replica]

    def state(self, replica: int) -> State:
        state: State = {}
        variables, counts = self.layers[replica].last(), self.counts[replica]
        n_hidden = self.layout.sizes["hidden"]
        for node in self.program.nodes:
            kind, numbers = self.layout.kind[node.name], self._numbers(node.name)
            if node.is_source:
                state[f"{node.name}.spikes"] = self.coming[replica][None, numbers].copy()
                continue
            own = counts[kind][numbers]
            state[f"{node.name}.spikes"] = own[None] > 0
            state[f"{node.name}.release"] = own[None].astype(np.float64)
            begin = numbers.start + n_hidden * (kind == "output")
            for name, values in variables.items():
                part = values[begin : begin + node.size]
                state[f"{node.name}.{name}"] = part if len(values) else np.zeros_like(own)
            state[f"{node.name}.refractory"] = np.zeros_like(own)
        return state

    def restore(self, state: State, replica: int) -> None:
        self.refuse("restore")

    def refuse(self, verb: str) -> None:
        """Raise UnsupportedError for `restore`: the vendor's neurons can't be set."""
        if verb == "restore":
            remedy = "backend='native', arithmetic='xylo', which has the same bits"
            raise UnsupportedError("backend xylo", "can't set a state", remedy=remedy)

    def _numbers(self, node: str) -> slice:
        return self.layout.slice_of(self.program, node)


def _joined(parts: Sequence[Array]) -> npt.NDArray[np.int64]:
    return np.asarray(np.concatenate([np.zeros(0), *parts]), dtype=np.int64)
