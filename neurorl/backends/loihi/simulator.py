"""Define `LoihiSimulator`: a network on Loihi, emulated by nengo-loihi or on a chip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Literal, get_args

import numpy as np

from neurorl.arithmetic.chip_noise import NOISE_MODES
from neurorl.arithmetic.rounding import ChipArithmetic
from neurorl.backends.capabilities import Capabilities
from neurorl.backends.checks import Errors, Inputs, learned_populations
from neurorl.backends.loihi.delays import relayed
from neurorl.backends.loihi.emulator import EmulatorEngine
from neurorl.backends.loihi.engine import EMULATE, ChipEngine
from neurorl.backends.loihi.limits import CHIPS, CORES, chip_problems, source_text, usage
from neurorl.backends.loihi.model import ChipModel, compile_network
from neurorl.backends.loihi.pes import mantissas_learned, pes_problems
from neurorl.backends.loihi.placement import CoreLimits, place
from neurorl.backends.loihi.quick import QuickEngine, quick_simulator
from neurorl.backends.loihi.silence import silence
from neurorl.backends.loihi.vendor import has_nxsdk, version
from neurorl.backends.meter import Meter
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.simulator import Simulator, State
from neurorl.backends.window import Raster
from neurorl.errors import (
    BackendUnavailableError,
    FallbackWarning,
    UnsupportedError,
    check_name,
    warn_of,
)
from neurorl.network.description import Network
from neurorl.network.initial_weights import initial_weights
from neurorl.network.replicate import on_chip
from neurorl.network.serialization import number
from neurorl.numerics.arrays import Array, FloatArray, Int32Array
from neurorl.numerics.random import derive
from neurorl.storage.plain import PlainData, check_count

ENGINES = ("native", "stock")
"""Name the ways in which the emulated chip runs, the default one first."""

Target = Literal["auto", "emulator", "loihi"]
_WANTS_CHIP: dict[Target, bool | None] = {"auto": None, "emulator": False, "loihi": True}
"""Say whether it must be a chip; None takes one if there is one."""

Learning = Literal["host", "pes"]

_OF_A_STEP = (
    *("step", "window", "reset", "restore", "state", "time"),
    *("write_weights", "write_bias", "memory", "held", "levels"),
)

_ROUNDINGS = 0x504553  # purpose from which the seed of stochastic rounding is derived


class LoihiSimulator(Simulator):
    """Run a network in the chip's integers; a population takes as many cores as it needs.

    No two populations share a core. Each replica is a network with an engine of its own, as all
    replicas as one network might not fit a chip.

    target: ``'emulator'``, ``'loihi'`` (a chip, through NxSDK) or ``'auto'``: a chip if NxSDK is
        installed and a board answers, else the emulator, with a FallbackWarning if NxSDK is there.
    engine: how the emulated chip runs. ``'native'``: by the program of the network on the chip's
        integers (`neurorl.backends.loihi.quick`); nengo-loihi builds, places and checks the model.
        ``'stock'``: by nengo-loihi's emulator, some hundred times slower, with the same bits.
    chips: number of chips, of 128 cores each.
    core: the resources of a core; None for Loihi's own limits.
    learning: ``'host'``: the caller learns and writes weights. ``'pes'``: plastic projections learn
        on the chip, by `learn`, see `neurorl.backends.loihi.pes`.
    pes_magnitude: increment of a trace by a spike, 0 to 127; learning is faster in proportion.

    Delays of several steps are relays (`neurorl.backends.loihi.delays`), which take cores of their
    own. Escape noise, ``noise='exact'``, works on the emulator only, and there through the
    threshold; a chip takes ``'chip'`` or ``'chip+coins'``.

    `build` raises UnsupportedError naming all that doesn't fit, or BackendUnavailableError if there
    is no chip.

    engines: one for each replica.
    placement: which neurons are on which core.
    delays: the network that runs, with relays in place of delays.
    arithmetic: the chip integers of that network.
    """

    name: ClassVar[str] = "loihi"
    capabilities: ClassVar[Capabilities] = Capabilities(
        arithmetics=("loihi",),
        exact_arithmetics=("loihi",),
        core_weights=100_000,  # of 9 bits, and headers, in 2**20 bits
        engines=ENGINES,
        noises=NOISE_MODES,
        learnings=("host", "pes"),
        sparse=True,
        synapse_delays=True,
    )
    learning_steps: ClassVar[tuple[int, int]] = (4, 2)

    unverified: ClassVar[str | None] = (
        "target 'loihi' has not run on a chip: its calls of NxSDK are checked with a stand-in"
    )
    shown = ("target", "engine", "chips", "core", "pes_magnitude", "chip_table")

    def __init__(
        self,
        target: Target = "auto",
        engine: str = ENGINES[0],
        chips: int = CHIPS,
        core: CoreLimits | None = None,
        learning: Learning = "host",
        pes_magnitude: float = 20.0,
    ) -> None:
        check_name("target", target, get_args(Target))
        wants_chip = _WANTS_CHIP[target]
        if wants_chip and not has_nxsdk():
            raise BackendUnavailableError("target loihi", "NxSDK is not installed", remedy=EMULATE)
        self.target: str = self.default_target() if wants_chip is None else target
        self._may_fall_back = wants_chip is None and has_nxsdk()
        self.chips, self.core = check_count("chips", chips), core or CoreLimits()
        check_name("engine", engine, ENGINES)
        self._emulation = engine
        check_name("learning", learning, get_args(Learning))
        self.learning = learning
        self.pes_magnitude = number("pes_magnitude", pes_magnitude, low=0.0, high=127.0)
        self.learns_by_itself = learning in self.capabilities.learnings[1:]
        self._pes = self.pes_magnitude if self.learns_by_itself else None

    @classmethod
    def problems(
        cls, network: Network, arithmetic: str, core: CoreLimits | None = None, chips: int = CHIPS
    ) -> list[str]:
        """Return why the chip can't run *network*, one line for each reason; empty if it can.

        core: what one core has room for; None for Loihi's own limits.
        chips: how many chips there are.
        """
        network = on_chip(network)
        problems = super().problems(network, arithmetic)
        for p in network.projections:
            synapses = network.synapses(p.name)
            if synapses is not None and synapses.has_multapses():
                remedy = "add their weights"
                problems.append(f"projection {p.name!r} of several synapses a pair ({remedy})")
        if any(not p.is_integrator(network.dt) for p in network.populations):
            return problems  # what else doesn't fit can't be counted
        return problems + chip_problems(network, core, chips)

    def refusals(self, network: Network, arithmetic: str) -> list[str]:
        return self.problems(network, arithmetic, self.core, self.chips)

    @classmethod
    def default_target(cls) -> str:
        """Return ``'loihi'`` if NxSDK is installed, else ``'emulator'``."""
        return "loihi" if has_nxsdk() else "emulator"

    @property
    def engine(self) -> str:
        """Name what runs: an emulation, or the chip."""
        return self._emulation if self.target == EmulatorEngine.target else self.target

    def build(self, simulated: SimulatedNetwork) -> None:
        """Compile an engine for each replica; without a chip, emulate it if allowed."""
        self.simulated = simulated
        assert isinstance(simulated.arithmetic, ChipArithmetic)
        self._described = simulated.arithmetic  # without relays
        self.delays = relayed(self._described.network)
        network = self.delays.network
        wrong = [] if self._pes is None else pes_problems(network, self.core, CORES * self.chips)
        if wrong:
            problem, remedy = f"can't learn {'; '.join(wrong)}", "use learning='host'"
            raise UnsupportedError("learning 'pes'", problem, remedy=remedy)
        is_plain = network is self._described.network
        self.arithmetic = self._described if is_plain else ChipArithmetic(network, simulated.noise)
        learned = frozenset() if self._pes is None else learned_populations(network)
        self.placement = place(network, self.arithmetic.chip, self.core, learned)
        try:
            self.engines = self._make_engines()
        except BackendUnavailableError as exc:
            if not self._may_fall_back:
                raise
            notice = "no chip answers, so the emulator runs"
            warn_of(FallbackWarning, "target auto", notice, got=exc.__cause__)
            self.target = EmulatorEngine.target
            self.engines = self._make_engines()
        if self._is_quick and not self.learns_by_itself:
            quick = quick_simulator(simulated)  # which does all that a step needs
            for name in _OF_A_STEP:
                setattr(self, name, getattr(quick, name))

    @property
    def _is_quick(self) -> bool:
        return self.target == EmulatorEngine.target and self._emulation == ENGINES[0]

    def _make_engines(self) -> list[ChipEngine]:
        """Return an engine for each replica; none is left open if one can't be made."""
        engines: list[ChipEngine] = []
        n = self.simulated.n_replicas
        if self._is_quick and not self.learns_by_itself:  # a model is checked, but none runs
            compile_network(self.arithmetic, self.weights_of(0), self.placement)
            return engines
        layouts = self.placement.layouts.items()
        self._tables = {name: np.zeros((n, *one.shape), dtype=np.int32) for name, one in layouts}
        try:
            for k in range(n):
                tables = {name: of_all[k] for name, of_all in self._tables.items()}
                weights = self.weights_of(k)
                model = compile_network(self.arithmetic, weights, self.placement, self._pes, tables)
                engines.append(self._engine_of(model, k))
        except BaseException:
            for engine in engines:
                engine.close()
            raise
        return engines

    def _engine_of(self, compiled: ChipModel, replica: int) -> ChipEngine:
        """Return an emulator or a chip that runs one replica."""
        simulated, network = self.simulated, (compiled, self.delays, self.simulated, replica)
        if self.target == EmulatorEngine.target:
            seed = derive(simulated.seeds[replica], _ROUNDINGS)
            if self._is_quick:
                return QuickEngine(simulated, replica, compiled, seed)
            return EmulatorEngine(*network, seed)
        from neurorl.backends.loihi.hardware import HardwareEngine, LearningHardwareEngine

        made = HardwareEngine if self._pes is None else LearningHardwareEngine
        return made(*network, self.chips, silence(self.arithmetic, self.weights_of(replica)))

    def weights_of(self, replica: int) -> dict[str, FloatArray]:
        """Return the effective weights of one replica by projection, including those of relays."""
        network = self.delays.network
        weights = {name: self._weights_of(name, replica) for name in self.simulated.weights}
        for name, parts in self.delays.parts.items():
            whole = weights.pop(name)
            weights |= {part: whole[numbers] for part, numbers in parts.items()}
        links = [p.name for p in network.projections if p.name not in weights]
        return weights | {name: initial_weights(network, name, 0) for name in links}

    def _weights_of(self, projection: str, replica: int) -> FloatArray:
        """Return the effective weights of one replica's projection."""
        shape = self.simulated.network.weight_shape(projection)
        weights = self.simulated.weights[projection]
        one: FloatArray = weights.reshape(self.simulated.n_replicas, *shape)[replica]
        return one

    def step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        return self.learn(inputs, {}, n_steps)

    def learn(self, inputs: Inputs, errors: Errors, n_steps: int) -> dict[str, Raster]:
        """Advance each replica, and join their rasters; errors are rounded to 1/127."""
        simulated = self.simulated
        rasters = {s.name: inputs[s.name] for s in simulated.network.spiking.sources}
        parts = []
        for k in range(simulated.n_replicas):
            own = {n: v[:, simulated.columns(n, k)] for n, v in rasters.items()}
            own_errors = {n: v[:, simulated.columns(n, k)] for n, v in errors.items()}
            parts.append(self.engines[k].run(own, own_errors, n_steps))
        return {name: np.hstack([part[name] for part in parts]) for name in simulated.record}

    def learning_gain(self, population: str) -> float:
        """Return the largest change of a weight, see `Backend.learning_gain`.

        Each projection has a resolution of its own; this is for the coarsest into *population*.
        """
        into = [p.name for p in self.simulated.network.projections if p.post == population]
        unit = max(self._described.chip.projections[name].unit for name in into)
        return unit * mantissas_learned(self.pes_magnitude)

    def reset(self, replicas: Sequence[int]) -> None:
        for k in replicas:
            self.engines[k].reset()

    def write_weights(self, projection: str) -> None:
        for k, engine in enumerate(self.engines):
            weights = self._weights_of(projection, k)
            mantissa = self._described.mantissa(projection, weights)
            engine.write_weights(projection, weights, mantissa)

    def write_bias(self, population: str, bias: Array) -> None:
        for k, engine in enumerate(self.engines):
            engine.write_bias(population, bias[self.simulated.columns(population, k)])

    def memory(self, projection: str) -> Int32Array | None:
        """Lend the memory of all engines, or None where writing it would not be enough."""
        p = self.simulated.network.projection(projection)
        is_stored_otherwise = p.mask is not None or p.is_sparse
        if self._learns(projection) or p.signed or is_stored_otherwise:
            return None
        lends = self.engines[0].lends_memory
        return self._tables[projection].reshape(-1) if lends else None

    def held(self, projection: str) -> Array | None:
        """Return the transmitted weights, read from the engines for a projection that learns."""
        if not self._learns(projection):
            return self.memory(projection)
        parts = [engine.learned_weights(projection).ravel() for engine in self.engines]
        return np.concatenate(parts).astype(np.float64)

    def _learns(self, projection: str) -> bool:
        """Return whether a projection learns on the chip."""
        plasticity = self.simulated.network.projection(projection).plasticity
        return self._pes is not None and plasticity is not None

    def time(self, replica: int) -> int:
        return self.engines[replica].steps

    def state(self, replica: int) -> State:
        return self.engines[replica].state()

    def restore(self, state: State, replica: int) -> None:
        self.engines[replica].restore(state)

    def refuse(self, verb: str) -> None:
        for engine in self.engines[:1]:
            engine.refuse(verb)

    def chip_table(self) -> list[PlainData]:
        """Return the resources of the chip that each population takes, one row per population.

        Relays, which stand for delays of several steps, have rows and cores of their own.
        Keys: population, cores, compartments, axons_in, axons_out, synapse_bits (totals over its
        cores), and compartments_percent, ... (of the limit, on its fullest core).
        """
        return usage(self.placement)

    def source(self) -> str:
        """Return `chip_table`, and the integers of all populations and projections, as text."""
        chip, weights = self.arithmetic, self.weights_of(0)
        biases = {p.name: chip.bias(p.name, weights) for p in chip.network.populations}
        dt, n_replicas = self.simulated.network.dt, self.simulated.n_replicas
        head = f"nengo-loihi {version()}, target {self.target}, steps of {dt:g} s"
        if n_replicas > 1:
            head += f"\n{n_replicas} networks side by side; this is the first"
        return source_text(chip, self.placement, biases, head, self.delays.later, self.chips)

    def meter(self, simulated: SimulatedNetwork) -> Meter:
        """Return SANA-FE's model of Loihi, with the cores that `build` would take."""
        problems = self.refusals(simulated.arithmetic.network, simulated.arithmetic_name)
        problems += ["learning on the chip (take learning='host')"] * self.learns_by_itself
        problems += ["the coins of 'chip+coins' (take noise='chip')"] * bool(simulated.coins)
        if problems:
            raise UnsupportedError("energy on Loihi", f"can't measure {'; '.join(problems)}")
        try:
            from neurorl.backends.loihi.sana_fe import SanaFe
        except ImportError as exc:
            what, remedy = "the package sanafe can't be imported", "pip install 'neurorl[energy]'"
            raise BackendUnavailableError("energy", what, got=exc, remedy=remedy) from exc
        delays = relayed(simulated.network)
        chip = ChipArithmetic(delays.network, simulated.noise).chip
        return SanaFe(delays, place(delays.network, chip, self.core))

    def close(self) -> None:
        for engine in self.engines:
            engine.close()
        # Bound methods of an engine, taken as attributes, would keep it in memory.
        for name in ("engines", *_OF_A_STEP):
            self.__dict__.pop(name, None)
