"""`LoihiBackend`: a network on Loihi, emulated by nengo-loihi or on a chip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, get_args

import numpy.typing as npt

from neurorl.arithmetic import ChipArithmetic
from neurorl.backends.base import Backend, Capabilities, Raster, State
from neurorl.backends.loihi.emulator import EmulatorEngine
from neurorl.backends.loihi.engine import Engine
from neurorl.backends.loihi.limits import chip_problems, usage
from neurorl.backends.loihi.model import Compiled, compile_network
from neurorl.backends.loihi.report import source_text
from neurorl.backends.loihi.vendor import MAX_COMPARTMENTS, has_nxsdk, version
from neurorl.described import FloatArray
from neurorl.description import Network
from neurorl.errors import BackendUnavailableError, say, unknown
from neurorl.random import NoiseRows

__all__ = ["LoihiBackend", "Target"]

Target = Literal["auto", "emulator", "loihi"]


class LoihiBackend(Backend):
    """The chip's integers, one population to a core.

    target: ``'emulator'``, ``'loihi'`` (a chip, through NxSDK) or ``'auto'``: a chip if NxSDK is
    installed, else the emulator. accelerate: vectorised loops in the emulator, equal in every bit.
    Other arguments as in `neurorl.backends.base.Backend`.

    Escape noise works on the emulator only, and there through the threshold.
    Raises UnsupportedError naming all that doesn't fit, or BackendUnavailableError (no chip).
    """

    name: ClassVar[str] = "loihi"
    capabilities: ClassVar[Capabilities] = Capabilities(
        arithmetics=("loihi",),
        exact_arithmetics=("loihi",),
        delays=False,
        max_population=MAX_COMPARTMENTS,
        engines=("emulator",),
    )

    def __init__(
        self,
        network: Network,
        *,
        seed: int = 0,
        arithmetic: str | None = None,
        record: Sequence[str] | None = None,
        target: Target = "auto",
        accelerate: bool = True,
    ) -> None:
        self.target = self._choose_target(target)
        self.accelerate = accelerate
        super().__init__(network, seed=seed, arithmetic=arithmetic, record=record)

    @classmethod
    def problems(cls, network: Network, arithmetic: str) -> list[str]:
        return super().problems(network, arithmetic) + chip_problems(network)

    @classmethod
    def default_target(cls) -> str:
        return "loihi" if has_nxsdk() else "emulator"

    def set_weights(self, name: str, weights: npt.ArrayLike) -> FloatArray:
        self._allow("set_weights")
        return super().set_weights(name, weights)

    def restore(self, state: Mapping[str, npt.ArrayLike]) -> None:
        self._allow("restore")
        super().restore(state)

    def close(self) -> None:
        if not self._closed:
            self._engine.close()
            del self._engine
        super().close()

    def chip_table(self) -> list[dict[str, Any]]:
        """A row for each population: what it takes of its core, and in percent of the limits.

        Keys: population, cores, compartments, axons_in, axons_out, synapse_bits, and
        compartments_percent, ...
        """
        return usage(self.network)

    def source(self) -> str:
        """`chip_table`, and the integers of all populations and projections, as text."""
        chip = self._chip
        biases = {p.name: chip.bias(p.name, self._rounded) for p in self.network.populations}
        head = f"nengo-loihi {version()}, target {self.target}, steps of {self.network.dt:g} s"
        return source_text(chip, biases, head)

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
        self._engine = self._make_engine(compile_network(self._chip, self._rounded))

    def _make_engine(self, compiled: Compiled) -> Engine:
        if self.target == "loihi":
            from neurorl.backends.loihi.hardware import HardwareEngine

            return HardwareEngine(compiled, self.record)
        noise = {
            p.name: NoiseRows(self.seed, self.network.index(p.name), p.size)
            for p in self.network.populations
        }
        return EmulatorEngine(compiled, noise, self.record, accelerate=self.accelerate)

    def _allow(self, verb: str) -> None:
        self._check_open()
        self._engine.refuse(verb)

    def _step(self, inputs: dict[str, Raster], n_steps: int) -> dict[str, Raster]:
        return self._engine.run(inputs, n_steps)

    def _reset(self) -> None:
        self._engine.reset()

    def _write_weights(self, name: str) -> None:
        chip = self._chip
        self._engine.write_weights(name, chip.mantissa(name, self._rounded[name]))
        projection = self.network.projection(name)
        if projection.signed:
            self._engine.write_bias(projection.post, chip.bias(projection.post, self._rounded))

    def _time(self) -> int:
        self._check_open()
        return self._engine.steps

    def _dynamic_state(self) -> State:
        return self._engine.state()

    def _restore_dynamic(self, state: State) -> None:
        self._engine.restore(state)
