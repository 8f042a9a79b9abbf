"""Define the contract between neurorl and a simulator."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.chip_noise import NOISE_MODES, coined
from neurorl.arithmetic.rounding import Arithmetic, initial_weights, make_arithmetic
from neurorl.backends.checks import Inputs, check_inputs, check_seeds, check_state, check_steps
from neurorl.backends.currents import Currents
from neurorl.backends.window import CopiedWindow, Raster, Window
from neurorl.errors import (
    ArgumentError,
    BackendError,
    UnsupportedError,
    check_name,
    say,
    unknown,
)
from neurorl.network.description import Network, Population
from neurorl.network.replicate import replicate
from neurorl.network.serialization import FloatArray

__all__ = ["Backend", "Capabilities", "Raster", "State", "Window"]

State = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Capabilities:
    """Says what a backend can run; checked before anything is built.

    arithmetics: names of the arithmetics, the default one first. exact_arithmetics: those in which
    it equals the reference in every spike. delays: whether delays may be more than one step.
    signed: whether projections may be signed. currents: whether there may be sources of currents.
    max_population: most neurons of one population; None for no limit. engines: ways to run the same
    network, the preferred one first. noises: what may stand for escape noise, see
    `neurorl.arithmetic.chip_noise`; all but the first in chip
        arithmetic only.
    learnings: who can change the weights, ``'host'`` or a rule of the simulator.
    """

    arithmetics: tuple[str, ...]
    exact_arithmetics: tuple[str, ...]
    delays: bool = True
    signed: bool = True
    currents: bool = True
    max_population: int | None = None
    engines: tuple[str, ...] = ()
    noises: tuple[str, ...] = ("exact",)
    learnings: tuple[str, ...] = ("host",)


class Backend(abc.ABC):
    """Runs one network compiled for one simulator; a context manager, of which several may coexist.

    network: the description.
    seed: key of every draw (initial weights, escape noise), or a sequence of keys, one for each
        replica of the network. A replica has weights, draws and a step counter of its own, and
        equals in every bit a backend with that seed. Rasters then have ``n_replicas * size``
        columns, neuron i of replica k in column ``k * size + i``, and weights have an axis of
        replicas first.
    arithmetic: ``'float'`` or ``'loihi'``; None takes the backend's default.
    record: populations whose rasters `step` returns; None for all.
    noise: ``'exact'`` is the described escape noise; ``'chip'`` and ``'chip+coins'`` are what Loihi
        has in its place, see `neurorl.arithmetic.chip_noise`.
    weights: by projection, in place of the initial ones; shapes as in `set_weights`.

    Order inside a step: spikes of earlier steps arrive -> current -> membrane -> refractory ->
    spike -> reset. What flows from sources of currents joins the bias.
    ``step(a); step(b)`` gives the same spikes as ``step(a + b)``.
    Weights may be written between calls of `step`; they act on spikes that arrive from then on.

    Raises UnsupportedError naming every part of the network that this backend can't run.
    """

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    unverified: ClassVar[str | None] = None  # which part of it nobody could try yet
    learning: str = "host"  # who changes the weights: the caller, or the simulator by itself
    learning_steps: ClassVar[tuple[int, int]] = (1, 0)
    """Period and phase of the steps t in which the simulator learns: ``t % period == phase``."""

    def __init__(
        self,
        network: Network,
        *,
        seed: int | Sequence[int] = 0,
        arithmetic: str | None = None,
        record: Sequence[str] | None = None,
        noise: str = "exact",
        weights: Mapping[str, npt.ArrayLike] | None = None,
    ) -> None:
        self.network = network
        self.seeds = check_seeds(seed)
        self.n_replicas = len(self.seeds)
        # The axes that a caller sees in front of a network's own.
        self._replicas = () if isinstance(seed, (int, np.integer)) else (self.n_replicas,)
        if arithmetic is not None:
            check_name("arithmetic", arithmetic, ("float", "loihi"))
        self.arithmetic_name = arithmetic or self.capabilities.arithmetics[0]
        self._closed = False
        self.noise = self._check_noise(noise)
        # The network with sources of coins, and their names by population; without coins *network*
        # itself.
        self._coined, self._coins = coined(network, noise)
        self._check_capabilities()
        self.arithmetic = make_arithmetic(self.arithmetic_name, self._coined, noise)
        # All replicas as one network, which is what a simulator runs.
        self._whole = replicate(network, self.n_replicas)
        self._sources = {source.name: source.size for source in self._whole.sources}
        self.record = self._check_record(record)
        # Effective weights in the shape of `_whole`. For a projection with `transmitted` memory,
        # the memory is the truth and these may be outdated.
        self._rounded: dict[str, FloatArray] = {}
        for name in weights or {}:
            network.projection(name)
        self._max_delay = {node.name: 1 for node in network.nodes}
        for p in network.projections:
            steps = network.delay_steps(p.name)
            self._max_delay[p.pre] = max(self._max_delay[p.pre], steps)
            self._round(p.name, self._initial(p.name, weights or {}))
        self._currents = Currents(self._whole, self.arithmetic)
        for name in self._currents.weights:
            self._currents.write(name, self._rounded[name])
        self._build()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    @property
    def seed(self) -> int:
        """Return the seed of the first replica."""
        return self.seeds[0]

    @property
    def t(self) -> int:
        """Return the steps since the start; `reset` keeps it, so noise never repeats."""
        return self.time()

    def time(self, replica: int = 0) -> int:
        """Return `t` of a replica; `restore` sets it."""
        self.check_open()
        return self._time(self._check_replica(replica))

    def step(self, inputs: Mapping[str, npt.ArrayLike], n_steps: int) -> dict[str, Raster]:
        """Advance *n_steps* and return the raster ``(n_steps, size)`` of each recorded population.

        inputs: for each source of spikes, a raster of booleans ``(n_steps, size)``; for each source
            of currents, activations ``(size,)`` in [0, 1] for all these steps, which are rounded to
            multiples of `neurorl.network.description.CURRENT_GRID`. A source left out is silent.

        With a sequence of seeds, ``n_replicas * size`` takes the place of size.
        Raises ArgumentError for a wrong name, shape or kind.
        """
        self.check_open()
        check_steps("step", n_steps)
        checked = check_inputs(inputs, self._sources, n_steps, self.network.currents)
        return self._flow_and_step(checked, n_steps)

    def learn(
        self,
        inputs: Mapping[str, npt.ArrayLike],
        errors: Mapping[str, npt.ArrayLike],
        n_steps: int,
    ) -> dict[str, Raster]:
        """Advance as `step` does; weights change by ``-gain error x`` in the `learning_steps`.

        x is what is left of a presynaptic neuron's spikes, 1 for one of just now; for gain see
        `learning_gain`.

        errors: by population that plastic projections enter, -1 to 1, ``(n_steps, size)``, or
            ``(size,)`` for all these steps; 0 where left out. With a sequence of seeds,
            ``n_replicas * size`` takes the place of size.

        Raises UnsupportedError if the weights are the caller's to change, ArgumentError for a wrong
        shape or a number that isn't finite.
        """
        raise self._learns_on_host()

    def learning_gain(self, population: str) -> float:
        """Return how much `learn` changes a weight into *population* at most.

        That is the change for error -1 and x = 1.
        """
        raise self._learns_on_host()

    def _learns_on_host(self) -> UnsupportedError:
        """Return the error for a backend whose weights are the caller's to change."""
        self.check_open()
        remedy = "load('loihi', ..., learning='pes')"
        return UnsupportedError(say(f"backend {self.name}", "learns on the host", remedy=remedy))

    def window(self, n_steps: int) -> Window:
        """Return a window with rasters in a fixed place; `step` may be used beside it."""
        self.check_open()
        check_steps("window", n_steps)
        sizes = {name: self._whole.node(name).size for name in self.record}
        inputs = check_inputs({}, self._sources, n_steps, self.network.currents)
        rasters = {k: np.zeros((n_steps, size), dtype=bool) for k, size in sizes.items()}
        return self._window(inputs, rasters, n_steps)

    def reset(self, replicas: Sequence[int] | None = None) -> None:
        """Silence the network: currents, membranes, refractory times and spikes in flight become 0.

        Weights and the step counter `t` stay.

        replicas: which replicas; None for all.
        """
        self.check_open()
        every = range(self.n_replicas)
        self._reset(every if replicas is None else [self._check_replica(k) for k in replicas])

    def weights(self, name: str) -> FloatArray:
        """Return a copy of a projection's effective weights, in the description's units.

        These are in force, after rounding. Shape ``(n_replicas, *shape)`` with a sequence of seeds,
        else ``shape``.
        """
        self._known(name)
        return self._shown(name, self._in_force(name).copy())

    def set_weights(self, name: str, weights: npt.ArrayLike) -> FloatArray:
        """Write a projection's weights; return those in force (read-only use). See `weights`.

        Raises ArgumentError for a wrong shape, a number that is not finite, or one too large.
        """
        self.check_open()
        self._known(name)
        self._round(name, self.arithmetic.check(name, weights, self._replicas))
        if name in self._currents.weights:
            self._currents.write(name, self._rounded[name])
        else:
            self._write_weights(name)
        return self._shown(name, self._rounded[name])

    def transmitted(self, name: str) -> npt.NDArray[Any] | None:
        """Return the memory in which the simulator keeps what a spike transmits, or None.

        None if it has no such memory. It is flat, of ``(n_replicas, *shape)`` in C order, float64
        or int32. It may be written with whole multiples of
        ``arithmetic.rounding(name).transmitted_unit`` (0 where a mask leaves no synapse); nothing
        is checked, and `weights` and `state` follow. Valid until the backend is closed.
        """
        self.check_open()
        self._known(name)
        return self._memory(name)

    def state(self, replica: int = 0) -> State:
        """Return all that `restore` needs, as arrays: variables, spikes in flight, weights.

        Keys: ``t``; ``POPULATION.current``, ``.voltage``, ``.refractory`` (dead steps left);
        ``NODE.spikes``, the last steps' spikes, newest last; ``PROJECTION.weights``. They are the
        same on every backend of the same arithmetic and of any replica, so a state moves between
        them.
        """
        self.check_open()
        k = self._check_replica(replica)
        # Zeros have a sign in some memories; in none do they mean anything by it.
        weights = {f"{name}.weights": self._stacked(name)[k] + 0.0 for name in self._rounded}
        return {"t": np.array(self._time(k), dtype=np.int64), **self._dynamic_state(k), **weights}

    def restore(self, state: Mapping[str, npt.ArrayLike], replica: int = 0) -> None:
        """Go on from a state of this network, exactly; raise ArgumentError if it doesn't fit."""
        arrays = check_state(state, self.state(replica))
        for name in self._rounded:
            weights = self._stacked(name).copy()
            weights[replica] = arrays[f"{name}.weights"]
            self.set_weights(name, weights if self._replicas else weights[0])
        self._restore_dynamic(arrays, replica)

    def source(self) -> str:
        """Return the network as this simulator runs it, as text for a reader."""
        lines = [f"{self.network.dt:g} s a step, {self.arithmetic_name} arithmetic"]
        lines += [f"{self.n_replicas} replicas of:"] if self._replicas else []
        for node in self.network.nodes:
            model = f" of {node.neuron}" if isinstance(node, Population) else ""
            model = " of currents" if node.name in self.network.currents else model
            lines.append(f"{type(node).__name__} {node.name}: {node.size}{model}")
        for p in self.network.projections:
            shape = " x ".join(str(n) for n in self.network.weight_shape(p.name))
            marks = [f"delay {self.network.delay_steps(p.name)}"]
            marks += ["signed"] if p.signed else []
            marks += ["plastic"] if p.plasticity else []
            lines.append(f"Projection {p.name}: {p.pre} -> {p.post}, {shape}, {', '.join(marks)}")
        return "\n".join(lines)

    def check_can(self, *verbs: str) -> None:
        """Raise UnsupportedError for a method that can't work here, with what would; see Loihi.

        So a caller that will need it can say so before the run.

        verbs: names of methods.
        """
        self.check_open()

    def check_open(self) -> None:
        """Raise BackendError if the backend has been closed."""
        if self._closed:
            raise BackendError(say(f"backend {self.name}", "is closed", remedy="make a new one"))

    def close(self) -> None:
        """Free what the simulator holds; any later call but `close` raises BackendError."""
        self._closed = True

    @classmethod
    def problems(cls, network: Network, arithmetic: str) -> list[str]:
        """Return why this backend can't run *network*, one line for each part; empty if it can."""
        can = cls.capabilities
        problems = []
        if arithmetic not in can.arithmetics:
            problems.append(f"arithmetic {arithmetic!r} (has {', '.join(can.arithmetics)})")
        for population in network.populations:
            if can.max_population is not None and population.size > can.max_population:
                problems.append(
                    f"population {population.name!r} of {population.size} neurons"
                    f" (limit {can.max_population}; split it into several populations)"
                )
        for name in sorted(network.currents if not can.currents else ()):
            problems.append(f"source {name!r} of currents (take the encoder 'quiet')")
        for p in network.projections:
            if network.delay_steps(p.name) > 1 and not can.delays:
                problems.append(
                    f"projection {p.name!r} with a delay of more than one step (leave it out)"
                )
            if p.signed and not can.signed:
                problems.append(f"signed projection {p.name!r}")
        return problems

    @classmethod
    def default_target(cls) -> str:
        """Return what it would run on here: ``'cpu'``, ``'emulator'``, ..."""
        return "cpu"

    # Each backend supplies the methods below; their arguments have been checked.

    @abc.abstractmethod
    def _build(self) -> None:
        """Compile `_whole` with the weights of `_rounded`; at rest, t = 0."""

    @abc.abstractmethod
    def _step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        """Advance; return rasters. *inputs* of sources of currents are already in the biases."""

    @abc.abstractmethod
    def _reset(self, replicas: Sequence[int]) -> None:
        """Silence these replicas."""

    @abc.abstractmethod
    def _write_weights(self, name: str) -> None:
        """Put `_rounded[name]` (and the bias that it changes, if signed) in force.

        Not called for a projection from a source of currents, whose weights act through
        `_write_bias`.
        """

    @abc.abstractmethod
    def _write_bias(self, population: str, current: FloatArray | None = None) -> None:
        """Put a population's biases in force, with the current into each neuron of `_whole`."""

    @abc.abstractmethod
    def _time(self, replica: int) -> int:
        """Return `t` of a replica."""

    @abc.abstractmethod
    def _dynamic_state(self, replica: int) -> State:
        """Return `state` of a replica, without ``t`` and weights."""

    @abc.abstractmethod
    def _restore_dynamic(self, state: State, replica: int) -> None:
        """Go on from *state*, with its ``t``; weights have been restored."""

    def _problems(self) -> list[str]:
        """Return `problems` for the network and arithmetic that this backend was made with."""
        return self.problems(self._coined, self.arithmetic_name)

    def _transmitted_memory(self, name: str) -> npt.NDArray[Any] | None:
        """Return what `transmitted` does; None if signed, as such weights change a bias."""
        return None

    def _memory(self, name: str) -> npt.NDArray[Any] | None:
        """Return the memory of transmitted weights, or of weights from a source of currents."""
        if name in self._currents.weights:
            return self._currents.weights[name].reshape(-1)
        return self._transmitted_memory(name)

    def _window(self, inputs: Inputs, rasters: dict[str, Raster], n_steps: int) -> Window:
        """Return a window on these rasters."""
        return CopiedWindow(self, inputs, rasters, n_steps)

    def _flow(self, inputs: Inputs) -> None:
        """Let the activations of sources of currents flow until the next call."""
        for population, current in self._currents.into(inputs):
            self._write_bias(population, current)

    def _flow_and_step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        """Advance, with the activations of sources of currents among *inputs*."""
        self._flow(inputs)
        return self._step(inputs, n_steps)

    def _columns(self, node: str, replica: int) -> slice:
        """Return where a replica's neurons are among all of a node's."""
        size = self.network.node(node).size
        return slice(replica * size, (replica + 1) * size)

    def _in_force(self, name: str) -> FloatArray:
        """Return a projection's effective weights, in the shape of `_whole`."""
        memory = self._memory(name)
        if memory is None:
            return self._rounded[name]
        weights = self.arithmetic.rounding(name).in_force(memory)
        return weights.reshape(self._rounded[name].shape)

    def _round(self, name: str, weights: FloatArray) -> None:
        """Round *weights*, of one or all replicas, into `_rounded`."""
        rounded = self.arithmetic.round(name, self.arithmetic.masked(name, weights))
        self._rounded[name] = rounded.reshape(self._whole.weight_shape(name))

    def _initial(self, name: str, weights: Mapping[str, npt.ArrayLike]) -> FloatArray:
        """Return a projection's weights before rounding: given, or drawn for each replica."""
        if name in weights:
            return self.arithmetic.check(name, weights[name], self._replicas)
        drawn = np.stack([initial_weights(self.network, name, seed) for seed in self.seeds])
        return self.arithmetic.check(name, drawn, (self.n_replicas,))

    def _rounded_coins(self, arithmetic: Arithmetic) -> dict[str, FloatArray]:
        """Return the weights of coins by projection, in the shape of *arithmetic*'s network."""
        coins, network = set(self._coins.values()), arithmetic.network
        return {
            p.name: arithmetic.round(p.name, initial_weights(network, p.name, 0))
            for p in network.projections
            if p.pre in coins
        }

    def _stacked(self, name: str) -> FloatArray:
        """Return a projection's effective weights, shape ``(n_replicas, *shape)``."""
        return self._in_force(name).reshape(self.n_replicas, *self.network.weight_shape(name))

    def _shown(self, name: str, weights: FloatArray) -> FloatArray:
        """Return weights in the shape that a caller sees."""
        return weights.reshape(*self._replicas, *self.network.weight_shape(name))

    def _check_replica(self, replica: int) -> int:
        """Return *replica*; raise ArgumentError if there is none of this number."""
        if not 0 <= replica < self.n_replicas:
            raise ArgumentError(
                say("replica", "there is no such", got=replica, limit=f"0 to {self.n_replicas - 1}")
            )
        return replica

    def _known(self, name: str) -> FloatArray:
        """Return a projection's rounded weights; raise UnknownNameError without one."""
        if name not in self._rounded:
            raise unknown("projection", name, self._rounded)
        return self._rounded[name]

    def _check_capabilities(self) -> None:
        """Raise UnsupportedError if there are problems."""
        problems = self._problems()
        if problems:
            raise UnsupportedError(say(f"backend {self.name}", f"can't run {'; '.join(problems)}"))

    def _check_noise(self, noise: str) -> str:
        """Return *noise*; raise UnknownNameError or UnsupportedError if it can't be had here."""
        check_name("noise", noise, NOISE_MODES)
        where = f"backend {self.name}"
        if noise not in self.capabilities.noises:
            problem, has = f"can't run noise {noise!r}", ", ".join(self.capabilities.noises)
            raise UnsupportedError(say(where, problem, limit=has))
        if noise != "exact" and self.arithmetic_name != "loihi":
            problem = f"can't run noise {noise!r} in arithmetic {self.arithmetic_name!r}"
            raise UnsupportedError(say(where, problem, remedy="arithmetic='loihi'"))
        return noise

    def _check_record(self, record: Sequence[str] | None) -> tuple[str, ...]:
        """Return the populations to record; raise UnknownNameError for an unknown one."""
        names = [p.name for p in self.network.populations]
        if record is not None and not isinstance(record, (list, tuple)):
            problem = "is no list of populations"
            raise ArgumentError(say("record", problem, got=repr(record)[:60], limit=names))
        for name in record or ():
            check_name("population", name, names)
        return tuple(names if record is None else record)
