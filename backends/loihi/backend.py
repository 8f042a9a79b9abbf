"""Define `LoihiBackend`: a network on Loihi, emulated by nengo-loihi or on a chip."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, cast, get_args

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.chip_noise import NOISE_MODES, UniformRows, coin_rows
from neurorl.arithmetic.rounding import ChipArithmetic, initial_weights
from neurorl.backends.base import Backend, Capabilities, Raster, State
from neurorl.backends.checks import Inputs, check_steps
from neurorl.backends.loihi.delays import relayed
from neurorl.backends.loihi.emulator import EmulatorEngine
from neurorl.backends.loihi.engine import EMULATE, Engine
from neurorl.backends.loihi.limits import CHIPS, CORES, chip_problems, usage
from neurorl.backends.loihi.model import compile_network
from neurorl.backends.loihi.pes import (
    check_errors,
    learned_populations,
    mantissas_learned,
    pes_problems,
)
from neurorl.backends.loihi.placement import CoreLimits, place
from neurorl.backends.loihi.report import source_text
from neurorl.backends.loihi.silence import silence
from neurorl.backends.loihi.vendor import has_nxsdk, version
from neurorl.errors import (
    ArgumentError,
    BackendUnavailableError,
    FallbackWarning,
    UnsupportedError,
    say,
    unknown,
)
from neurorl.network.description import Network
from neurorl.network.serialization import FloatArray, number
from neurorl.numerics.random import NoiseRows, derive

__all__ = ["Learning", "LoihiBackend", "Target"]

Target = Literal["auto", "emulator", "loihi"]
Learning = Literal["host", "pes"]

_ROUNDINGS = 0x504553  # purpose from which the seed of stochastic rounding is derived


class LoihiBackend(Backend):
    """Runs a network in the chip's integers; a population takes as many cores as it needs.

    No two populations share a core. Arguments not listed are those of
    `neurorl.backends.base.Backend`.

    target: ``'emulator'``, ``'loihi'`` (a chip, through NxSDK) or ``'auto'``: a chip if NxSDK is
        installed and a board answers, else the emulator, with a FallbackWarning if NxSDK is there.
    accelerate: whether to use vectorised loops in the emulator; equal in every bit.
    chips: how many chips there are, of 128 cores each.
    core: what a core has room for; None for Loihi's own limits.
    learning: ``'host'``: the caller learns and writes weights. ``'pes'``: plastic projections learn
        on the chip, by `learn`, see `neurorl.backends.loihi.pes`.
    pes_magnitude: what a spike then adds to its trace, 0 to 127; the speed of learning is in
        proportion.

    Delays of several steps are relays (`neurorl.backends.loihi.delays`), which take cores of their
    own. Escape noise, ``noise='exact'``, works on the emulator only, and there through the
    threshold; a chip takes ``'chip'`` or ``'chip+coins'``.

    Raises UnsupportedError naming all that doesn't fit, or BackendUnavailableError if there is no
    chip.
    """

    name: ClassVar[str] = "loihi"
    capabilities: ClassVar[Capabilities] = Capabilities(
        arithmetics=("loihi",),
        exact_arithmetics=("loihi",),
        engines=("emulator",),
        noises=NOISE_MODES,
        learnings=("host", "pes"),
    )
    learning_steps: ClassVar[tuple[int, int]] = (4, 2)

    unverified: ClassVar[str | None] = (
        "target 'loihi' has not run on a chip: its calls of NxSDK are checked with a stand-in"
    )

    def __init__(
        self,
        network: Network,
        *,
        seed: int | Sequence[int] = 0,
        arithmetic: str | None = None,
        record: Sequence[str] | None = None,
        noise: str = "exact",
        weights: Mapping[str, npt.ArrayLike] | None = None,
        target: Target = "auto",
        accelerate: bool = True,
        chips: int = CHIPS,
        core: CoreLimits | None = None,
        learning: Learning = "host",
        pes_magnitude: float = 20.0,
    ) -> None:
        self.target = self._choose_target(target)
        self._may_fall_back = target == "auto"
        if not isinstance(chips, int) or chips < 1:
            raise ArgumentError(say("chips", "not a number of chips", got=chips, limit=">= 1"))
        self.chips, self.core = chips, core or CoreLimits()
        self.accelerate = accelerate
        self.learning = self._check_learning(learning)
        self._errors: dict[str, FloatArray] = {}  # errors of the steps that are being made
        self.pes_magnitude = number("pes_magnitude", pes_magnitude, low=0.0, high=127.0)
        super().__init__(
            network, seed=seed, arithmetic=arithmetic, record=record, noise=noise, weights=weights
        )

    @classmethod
    def problems(
        cls,
        network: Network,
        arithmetic: str,
        core: CoreLimits | None = None,
        chips: int = CHIPS,
    ) -> list[str]:
        """Return why the chip can't run *network*, one line for each reason; empty if it can.

        core: what one core has room for; None for Loihi's own limits.
        chips: how many chips there are.
        """
        return super().problems(network, arithmetic) + chip_problems(network, core, chips)

    def _problems(self) -> list[str]:
        return self.problems(self._coined, self.arithmetic_name, self.core, self.chips)

    def _check_capabilities(self) -> None:
        super()._check_capabilities()
        if self.learning == "pes":
            run = relayed(self._coined).network
            problems = pes_problems(run, self.core, CORES * self.chips)
            if problems:
                problem = f"can't learn {'; '.join(problems)}"
                raise UnsupportedError(say("learning 'pes'", problem, remedy="use learning='host'"))

    def _check_learning(self, learning: str) -> Learning:
        """Return *learning*; raise UnknownNameError if there is no such choice."""
        if learning not in get_args(Learning):
            raise unknown("learning", learning, get_args(Learning))
        return cast("Learning", learning)

    def learn(
        self,
        inputs: Mapping[str, npt.ArrayLike],
        errors: Mapping[str, npt.ArrayLike],
        n_steps: int,
    ) -> dict[str, Raster]:
        """Learn as in `Backend.learn`; errors are clipped to -1..1, and rounded to 1/127."""
        if self.learning == "host":
            raise self._learns_on_host()
        self.check_open()
        check_steps("learn", n_steps)
        sizes = {k: self._whole.node(k).size for k in learned_populations(self.network)}
        self._errors = check_errors(errors, sizes, n_steps)
        try:
            return self.step(inputs, n_steps)
        finally:
            self._errors = {}

    def learning_gain(self, population: str) -> float:
        """Return the largest change of a weight, see `Backend.learning_gain`.

        Each projection has a resolution of its own; this is for the coarsest into *population*.
        """
        if self.learning == "host":
            raise self._learns_on_host()
        into = [p.name for p in self.network.projections if p.post == population]
        unit = max(self._chip.chip.projections[name].unit for name in into)
        return unit * mantissas_learned(self.pes_magnitude)

    @classmethod
    def default_target(cls) -> str:
        """Return ``'loihi'`` if NxSDK is installed, else ``'emulator'``."""
        return "loihi" if has_nxsdk() else "emulator"

    def check_can(self, *verbs: str) -> None:
        super().check_can(*verbs)
        for verb in verbs:
            self._allow(verb)

    def set_weights(self, name: str, weights: npt.ArrayLike) -> FloatArray:
        """Write a projection's weights, see `Backend.set_weights`; a running chip refuses."""
        self._allow("set_weights")
        return super().set_weights(name, weights)

    def restore(self, state: Mapping[str, npt.ArrayLike], replica: int = 0) -> None:
        """Go on from *state*, see `Backend.restore`; a running chip refuses."""
        self._allow("restore")
        super().restore(state, replica)

    def close(self) -> None:
        if not self._closed:
            for engine in self._engines:
                engine.close()
            del self._engines
        super().close()

    def chip_table(self) -> list[dict[str, Any]]:
        """Return what each population takes of the chip, one row a population.

        Relays, which stand for delays of several steps, have rows and cores of their own.
        Keys: population, cores, compartments, axons_in, axons_out, synapse_bits (totals over its
        cores), and compartments_percent, ... (of the limit, on its fullest core).
        """
        return usage(self._placement)

    def source(self) -> str:
        """Return `chip_table`, and the integers of all populations and projections, as text."""
        chip = self._run_chip
        weights = self._of(0)
        biases = {p.name: chip.bias(p.name, weights) for p in chip.network.populations}
        head = f"nengo-loihi {version()}, target {self.target}, steps of {self.network.dt:g} s"
        if self.n_replicas > 1:
            head += f"\n{self.n_replicas} networks side by side; this is the first"
        return source_text(chip, self._placement, biases, head, self._delays.later, self.chips)

    @classmethod
    def _choose_target(cls, target: str) -> str:
        """Return the target to try first.

        Raises UnknownNameError for an unknown one, BackendUnavailableError for a chip without
        NxSDK.
        """
        if target not in get_args(Target):
            raise unknown("target", target, get_args(Target))
        if target == "loihi" and not has_nxsdk():
            raise BackendUnavailableError(
                say("target loihi", "NxSDK is not installed", remedy=EMULATE)
            )
        return cls.default_target() if target == "auto" else target

    @property
    def _chip(self) -> ChipArithmetic:
        """Return the arithmetic, which is always the chip's."""
        assert isinstance(self.arithmetic, ChipArithmetic)
        return self.arithmetic

    def _build(self) -> None:
        """Compile an engine for each replica; without a chip, emulate it if allowed."""
        self._delays = relayed(self._coined)
        network = self._delays.network
        is_plain = network is self._coined
        self._run_chip = self._chip if is_plain else ChipArithmetic(network, self.noise)
        learned = learned_populations(network) if self.learning == "pes" else frozenset()
        self._placement = place(network, self._run_chip.chip, self.core, learned)
        # A chip has no room to spare for one large network, so each replica is a network, with an
        # engine, of its own.
        engines: list[Engine] = []
        try:
            engines += (self._make_engine(k) for k in range(self.n_replicas))
        except BackendUnavailableError as exc:
            for engine in engines:
                engine.close()
            if self.target != "loihi" or not self._may_fall_back:
                raise
            message = say("target auto", "no chip answers, so the emulator runs", got=exc.__cause__)
            warnings.warn(message, FallbackWarning, stacklevel=4)
            self.target = "emulator"
            engines = [self._make_engine(k) for k in range(self.n_replicas)]
        self._engines = engines

    def _transmitted_memory(self, name: str) -> npt.NDArray[np.int32] | None:
        """Lend the memory of an engine, or None where writing it would not be enough."""
        p = self.network.projection(name)
        if (
            self._learns(name)
            or self.n_replicas > 1
            or p.signed
            or p.mask is not None
            or "_engines" not in self.__dict__
        ):
            return None
        return self._engines[0].weight_memory(name)

    def _learns(self, name: str) -> bool:
        """Return whether a projection learns on the chip, which then holds its true weights."""
        return self.learning == "pes" and self.network.projection(name).plasticity is not None

    def _in_force(self, name: str) -> FloatArray:
        """Return effective weights; those that learn on the chip are read from the engines."""
        if not self._learns(name) or "_engines" not in self.__dict__:
            return super()._in_force(name)
        held = np.concatenate([engine.learned_weights(name).ravel() for engine in self._engines])
        weights = self.arithmetic.rounding(name).in_force(held.astype(np.float64))
        return weights.reshape(self._rounded[name].shape) + 0.0  # -0 becomes 0: integers have no -0

    def _of(self, replica: int) -> dict[str, FloatArray]:
        """Return the effective weights of one replica by projection, those of relays too."""
        shape = self.network.weight_shape
        rounded = {
            name: w.reshape(self.n_replicas, *shape(name))[replica]
            for name, w in self._rounded.items()
        }
        network = self._delays.network
        links = [p.name for p in network.projections if p.name not in rounded]
        return rounded | {name: initial_weights(network, name, 0) for name in links}

    def _make_engine(self, replica: int) -> Engine:
        """Return the engine that runs one replica."""
        seed = self.seeds[replica]
        coins = coin_rows(self.network, self._coins, seed)
        pes = self.pes_magnitude if self.learning == "pes" else None
        compiled = compile_network(self._run_chip, self._of(replica), self._placement, pes)
        if self.target == "loihi":
            from neurorl.backends.loihi.hardware import HardwareEngine
            from neurorl.backends.loihi.hardware_learning import LearningHardwareEngine

            on_chip = HardwareEngine if pes is None else LearningHardwareEngine
            quiet = silence(self._run_chip, self._of(replica))
            return on_chip(compiled, self._delays, coins, self.record, self.chips, quiet)
        rows = NoiseRows if self.noise == "exact" else UniformRows
        noise = {
            p.name: rows(seed, self.network.index(p.name), p.size) for p in self.network.populations
        }
        return EmulatorEngine(
            compiled,
            self._delays,
            noise,
            coins,
            self.record,
            accelerate=self.accelerate,
            seed=derive(seed, _ROUNDINGS),
        )

    def _allow(self, verb: str) -> None:
        """Raise BackendError if closed, UnsupportedError if the engines can't do *verb*."""
        self.check_open()
        self._engines[0].refuse(verb)

    def _step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        """Advance replica after replica, and join their rasters."""
        if self.n_replicas == 1:
            return self._run(0, inputs, n_steps)
        rasters = {s.name: inputs[s.name] for s in self.network.spiking.sources}
        parts = [
            self._run(k, {n: v[:, self._columns(n, k)] for n, v in rasters.items()}, n_steps)
            for k in range(self.n_replicas)
        ]
        return {name: np.hstack([part[name] for part in parts]) for name in self.record}

    def _run(self, k: int, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        """Advance replica *k*, with learning if errors have been given."""
        if not self._errors:
            return self._engines[k].run(inputs, n_steps)
        errors = {name: rows[:, self._columns(name, k)] for name, rows in self._errors.items()}
        return self._engines[k].learn(inputs, errors, n_steps)

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
            inflow = None if current is None else current[self._columns(population, k)]
            engine.write_bias(population, self._chip.bias(population, self._of(k), inflow))

    def _time(self, replica: int) -> int:
        return self._engines[replica].steps

    def _dynamic_state(self, replica: int) -> State:
        return self._engines[replica].state()

    def _restore_dynamic(self, state: State, replica: int) -> None:
        self._engines[replica].restore(state)
