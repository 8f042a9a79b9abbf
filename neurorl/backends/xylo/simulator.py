"""Define `XyloSimulator`: a network on the vendor's simulator of its chips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from neurorl.arithmetic.xylo import XyloArithmetic
from neurorl.backends.capabilities import Capabilities
from neurorl.backends.checks import Inputs
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.simulator import Simulator, State
from neurorl.backends.window import Raster
from neurorl.backends.xylo.limits import DEFAULT, DEVICES, find_device, problems
from neurorl.backends.xylo.specification import lay_out
from neurorl.backends.xylo.vendor import VendorLayer
from neurorl.errors import UnsupportedError
from neurorl.network.description import Network
from neurorl.numerics.arrays import Array


class XyloSimulator(Simulator):
    """Run a network on xylosim, SynSense's simulator of Xylo, a chip for each replica.

    device: the chip whose room is checked, ``'audio3'``, ``'audio2'`` or ``'imu'``.
    """

    name: ClassVar[str] = "xylo"
    capabilities: ClassVar[Capabilities] = Capabilities(
        ("xylo",), ("xylo",), delays=False, signed=False, engines=("xylosim",), sparse=True
    )
    shown: ClassVar[tuple[str, ...]] = ("device",)
    layer = VendorLayer  # what holds a chip; a subclass may have another, such as a board's

    def __init__(self, device: str = DEFAULT) -> None:
        find_device(device)
        self.device = device

    @classmethod
    def problems(cls, network: Network, arithmetic: str, device: str = DEFAULT) -> list[str]:
        return [*super().problems(network, arithmetic), *problems(network, DEVICES[device])]

    def refusals(self, network: Network, arithmetic: str) -> list[str]:
        return self.problems(network, arithmetic, self.device)

    @classmethod
    def default_target(cls) -> str:
        return "emulator"

    def build(self, simulated: SimulatedNetwork) -> None:
        assert isinstance(simulated.arithmetic, XyloArithmetic)
        self.simulated, self.arithmetic = simulated, simulated.arithmetic
        self.layout, n = lay_out(simulated.network, self.arithmetic), simulated.n_replicas
        self.layers, self.steps = [self.layer(self.layout) for _ in range(n)], [0] * n
        sizes = self.layout.sizes.items()  # how often neurons, and inputs, spiked in the last step
        self.counts = {kind: np.zeros((n, size), dtype=np.int64) for kind, size in sizes}
        self.put_in_force(simulated)

    def write_weights(self, projection: str) -> None:
        if wire := self.layout.wires.get(projection):  # else it has no synapse
            rows = self.simulated.weights[projection].reshape(len(self.layers), -1)
            held = self.arithmetic.mantissa(projection, rows)[:, wire.places]
            for layer, row in zip(self.layers, held, strict=True):
                layer.put_weights(projection, row)

    def write_bias(self, population: str, bias: Array) -> None:
        rows = bias.astype(np.int64).reshape(len(self.layers), -1)
        for layer, row in zip(self.layers, rows, strict=True):
            layer.put_bias(*self.layout.places[population], row)

    def step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        parts: dict[str, list[Raster]] = {name: [] for name in self.simulated.record}
        for k, layer in enumerate(self.layers):
            # Input of a step arrives in the next one; here it would arrive at once.
            given = np.zeros((n_steps + 1, self.layout.sizes["input"]), dtype=bool)
            given[0] = self.counts["input"][k]
            for source in self.simulated.network.spiking.sources:
                columns = self.simulated.columns(source.name, k)
                _, numbers = self.layout.places[source.name]
                given[1:, numbers] = inputs[source.name][:, columns]
            counts = {"input": given[1:], **layer.advance(given[:-1])}
            for kind, rows in counts.items():
                self.counts[kind][k] = rows[-1]
            self.steps[k] += n_steps
            for name, rasters in parts.items():
                kind, numbers = self.layout.places[name]
                rasters.append(counts[kind][:, numbers] > 0)
        return {name: np.concatenate(rasters, axis=1) for name, rasters in parts.items()}

    def reset(self, replicas: Sequence[int]) -> None:
        for k in replicas:
            self.layers[k].rest()
            for counts in self.counts.values():
                counts[k] = 0

    def time(self, replica: int) -> int:
        return self.steps[replica]

    def state(self, replica: int) -> State:
        state: State = {}
        for name, (kind, numbers) in self.layout.places.items():
            own = self.counts[kind][replica][numbers]
            state[f"{name}.spikes"] = own[None] > 0
            if kind == "input":
                continue
            state[f"{name}.release"] = own[None].astype(np.float64)
            for variable, values in self.layers[replica].last(kind).items():
                state[f"{name}.{variable}"] = values[numbers] if len(values) else 0 * own
            state[f"{name}.refractory"] = np.zeros_like(own)
        return state

    def restore(self, state: State, replica: int) -> None:
        self.refuse("restore")

    def refuse(self, verb: str) -> None:
        """Raise UnsupportedError for `restore`: the vendor's neurons can't be set."""
        if verb == "restore":
            remedy = "backend='native', arithmetic='xylo', which has the same bits"
            raise UnsupportedError("backend xylo", "can't set a state", remedy=remedy)
