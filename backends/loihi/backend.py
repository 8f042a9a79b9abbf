"""`LoihiBackend`: a network on Loihi, emulated by nengo-loihi or on a chip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic import ChipArithmetic, initial_weights
from neurorl.backends.base import Backend, Capabilities, Raster, State
from neurorl.backends.checks import Inputs
from neurorl.backends.loihi.delays import relayed
from neurorl.backends.loihi.emulator import EmulatorEngine
from neurorl.backends.loihi.engine import Engine
from neurorl.backends.loihi.limits import CHIPS, chip_problems, usage
from neurorl.backends.loihi.model import compile_network
from neurorl.backends.loihi.placement import CoreLimits, place
from neurorl.backends.loihi.report import source_text
from neurorl.backends.loihi.vendor import has_nxsdk, version
from neurorl.described import FloatArray
from neurorl.description import Network
from neurorl.errors import ArgumentError, BackendUnavailableError, say, unknown
from neurorl.random import NoiseRows

__all__ = ["LoihiBackend", "Target"]

Target = Literal["auto", "emulator", "loihi"]


class LoihiBackend(Backend):
    """The chip's integers; a population takes as many cores as it needs, and shares none.

    target: ``'emulator'``, ``'loihi'`` (a chip, through NxSDK) or ``'auto'``: a chip if NxSDK is
    installed, else the emulator. accelerate: vectorised loops in the emulator, equal in every bit.
    chips: how many there are, of 128 cores each. core: what a core has room for, Loihi's or less.
    Other arguments as in `neurorl.backends.base.Backend`.

    Delays of several steps are relays (`neurorl.backends.loihi.delays`), which take cores of their
    own. Escape noise works on the emulator only, and there through the threshold.
    Raises UnsupportedError naming all that doesn't fit, or BackendUnavailableError (no chip).
    """

    name: ClassVar[str] = "loihi"
    capabilities: ClassVar[Capabilities] = Capabilities(
        arithmetics=("loihi",),
        exact_arithmetics=("loihi",),
        engines=("emulator",),
    )

    def __init__(
        self,
        network: Network,
        *,
        seed: int | Sequence[int] = 0,
        arithmetic: str | None = None,
        record: Sequence[str] | None = None,
        target: Target = "auto",
        accelerate: bool = True,
        chips: int = CHIPS,
        core: CoreLimits | None = None,
    ) -> None:
        self.target = self._choose_target(target)
        if not isinstance(chips, int) or chips < 1:
            raise ArgumentError(say("chips", "not a number of chips", got=chips, limit=">= 1"))
        self.chips, self.core = chips, core or CoreLimits()
        self.accelerate = accelerate
        super().__init__(network, seed=seed, arithmetic=arithmetic, record=record)

    @classmethod
    def problems(
        cls,
        network: Network,
        arithmetic: str,
        core: CoreLimits | None = None,
        chips: int = CHIPS,
    ) -> list[str]:
        return super().problems(network, arithmetic) + chip_problems(network, core, chips)

    def _problems(self) -> list[str]:
        return self.problems(self.network, self.arithmetic_name, self.core, self.chips)

    @classmethod
    def default_target(cls) -> str:
        return "loihi" if has_nxsdk() else "emulator"

    def set_weights(self, name: str, weights: npt.ArrayLike) -> FloatArray:
        self._allow("set_weights")
        return super().set_weights(name, weights)

    def restore(self, state: Mapping[str, npt.ArrayLike], replica: int = 0) -> None:
        self._allow("restore")
        super().restore(state, replica)

    def close(self) -> None:
        if not self._closed:
            for engine in self._engines:
                engine.close()
            del self._engines
        super().close()

    def chip_table(self) -> list[dict[str, Any]]:
        """A row for each population: what it takes of its cores, and of the fullest in percent.

        Relays, which stand for delays of several steps, have rows and cores of their own.
        Keys: population, cores, compartments, axons_in, axons_out, synapse_bits, and
        compartments_percent, ...
        """
        return usage(self._placement)

    def source(self) -> str:
        """`chip_table`, and the integers of all populations and projections, as text."""
        chip = self._run_chip
        weights = self._of(0)
        biases = {p.name: chip.bias(p.name, weights) for p in chip.network.populations}
        head = f"nengo-loihi {version()}, target {self.target}, steps of {self.network.dt:g} s"
        if self.n_replicas > 1:
            head += f"\n{self.n_replicas} networks side by side; this is the first"
        return source_text(chip, self._placement, biases, head, self._delays.later, self.chips)

    @classmethod
    def _choose_target(cls, target: str) -> str:
        if target not in get_args(Target):
            raise unknown("target", target, get_args(Target))
        if target == "loihi" and not has_nxsdk():
            raise BackendUnavailableError(
                say("target loihi", "NxSDK is not installed", remedy="use target='emulator'")
            )
        return cls.default_target() if target == "auto" else target

    @property
    def _chip(self) -> ChipArithmetic:
        assert isinstance(self.arithmetic, ChipArithmetic)
        return self.arithmetic

    def _build(self) -> None:
        self._delays = relayed(self.network)
        network = self._delays.network
        self._run_chip = self._chip if network is self.network else ChipArithmetic(network)
        self._placement = place(network, self._run_chip.chip, self.core)
        # A chip has no room to spare for one large network, so each replica is one of its own.
        self._engines = [self._make_engine(k) for k in range(self.n_replicas)]

    def _transmitted_memory(self, name: str) -> npt.NDArray[np.int32] | None:
        p = self.network.projection(name)
        if self.n_replicas > 1 or p.signed or p.mask is not None or "_engines" not in self.__dict__:
            return None
        return self._engines[0].weight_memory(name)

    def _of(self, replica: int) -> dict[str, FloatArray]:
        """The weights of one replica that are to be in force, those of relays too."""
        shape = self.network.weight_shape
        mine = {
            name: w.reshape(self.n_replicas, *shape(name))[replica]
            for name, w in self._rounded.items()
        }
        network = self._delays.network
        links = [p.name for p in network.projections if p.name not in mine]
        return mine | {name: initial_weights(network, name, 0) for name in links}

    def _make_engine(self, replica: int) -> Engine:
        compiled = compile_network(self._run_chip, self._of(replica), self._placement)
        if self.target == "loihi":
            from neurorl.backends.loihi.hardware import HardwareEngine

            return HardwareEngine(compiled, self._delays, self.record, self.chips)
        noise = {
            p.name: NoiseRows(self.seeds[replica], self.network.index(p.name), p.size)
            for p in self.network.populations
        }
        return EmulatorEngine(
            compiled, self._delays, noise, self.record, accelerate=self.accelerate
        )

    def _allow(self, verb: str) -> None:
        self.check_open()
        self._engines[0].refuse(verb)

    def _step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        if self.n_replicas == 1:
            return self._engines[0].run(inputs, n_steps)
        rasters = {s.name: inputs[s.name] for s in self.network.spiking.sources}
        parts = [
            engine.run({k: v[:, self._columns(k, replica)] for k, v in rasters.items()}, n_steps)
            for replica, engine in enumerate(self._engines)
        ]
        return {name: np.hstack([part[name] for part in parts]) for name in self.record}

    def _reset(self, replicas: Sequence[int]) -> None:
        for k in replicas:
            self._engines[k].reset()

    def _write_weights(self, name: str) -> None:
        chip, projection = self._chip, self.network.projection(name)
        for k, engine in enumerate(self._engines):
            engine.write_weights(name, chip.mantissa(name, self._of(k)[name]))
        if projection.signed:
            self._write_bias(projection.post)

    def _write_bias(self, population: str, current: FloatArray | None = None) -> None:
        for k, engine in enumerate(self._engines):
            mine = None if current is None else current[self._columns(population, k)]
            engine.write_bias(population, self._chip.bias(population, self._of(k), mine))

    def _time(self, replica: int) -> int:
        return self._engines[replica].steps

    def _dynamic_state(self, replica: int) -> State:
        return self._engines[replica].state()

    def _restore_dynamic(self, state: State, replica: int) -> None:
        self._engines[replica].restore(state)
