"""The contract between neurorl and a simulator."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic import initial_weights, make_arithmetic
from neurorl.described import FloatArray
from neurorl.description import Network, Population
from neurorl.errors import ArgumentError, BackendError, UnsupportedError, say, unknown

__all__ = ["Backend", "Capabilities", "Raster", "State"]

Raster = npt.NDArray[np.bool_]
State = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Capabilities:
    """What a backend can run; checked before anything is built.

    arithmetics: names of the arithmetics, the default one first. delays: more than one step.
    signed: signed projections. max_population: neurons of one population, None for no limit.
    exact_arithmetics: those in which it equals the reference in every spike.
    engines: ways to run the same network, the preferred first.
    """

    arithmetics: tuple[str, ...]
    exact_arithmetics: tuple[str, ...]
    delays: bool = True
    signed: bool = True
    max_population: int | None = None
    engines: tuple[str, ...] = ()


class Backend(abc.ABC):
    """One network compiled for one simulator; a context manager, of which several may coexist.

    network: the description. seed: key of every draw (initial weights, escape noise).
    arithmetic: ``'float'`` or ``'loihi'``; None takes the backend's default.
    record: populations whose rasters `step` returns; None for all.

    Order inside a step: spikes of earlier steps arrive -> current -> membrane -> refractory ->
    spike -> reset. ``step(a); step(b)`` gives the same spikes as ``step(a + b)``.
    Weights may be written between calls of `step`; they act on spikes that arrive from then on.

    Raises UnsupportedError naming every part of the network that this backend can't run.
    """

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]

    def __init__(
        self,
        network: Network,
        *,
        seed: int = 0,
        arithmetic: str | None = None,
        record: Sequence[str] | None = None,
    ) -> None:
        self.network = network
        self.seed = _check_seed(seed)
        self.arithmetic_name = arithmetic or self.capabilities.arithmetics[0]
        self._closed = False
        self._sources = {source.name: source.size for source in network.sources}
        self._check_capabilities()
        self.arithmetic = make_arithmetic(self.arithmetic_name, network)
        self.record = self._check_record(record)
        self._rounded: dict[str, FloatArray] = {}
        self._max_delay = {node.name: 1 for node in network.nodes}
        for p in network.projections:
            steps = network.delay_steps(p.name)
            self._max_delay[p.pre] = max(self._max_delay[p.pre], steps)
            weights = self.arithmetic.check(p.name, initial_weights(network, p.name, self.seed))
            self._rounded[p.name] = self.arithmetic.round(p.name, weights)
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
    def t(self) -> int:
        """Steps since the start; `reset` does not turn it back, so noise never repeats."""
        return self._time()

    def step(self, inputs: Mapping[str, npt.ArrayLike], n_steps: int) -> dict[str, Raster]:
        """Advance *n_steps* and return the raster ``(n_steps, size)`` of each recorded population.

        inputs: raster ``(n_steps, size)`` of booleans for each source; a source left out is silent.
        Raises ArgumentError for a wrong name, shape or kind.
        """
        self._check_open()
        if isinstance(n_steps, bool) or not isinstance(n_steps, int) or n_steps < 1:
            raise ArgumentError(
                say("step", "n_steps must be a whole number", got=n_steps, limit=">= 1")
            )
        return self._step(self._check_inputs(inputs, n_steps), n_steps)

    def reset(self) -> None:
        """Silence: currents, membranes, refractory times and spikes in flight become 0.

        Weights and the step counter `t` stay.
        """
        self._check_open()
        self._reset()

    def weights(self, name: str) -> FloatArray:
        """A copy of a projection's weights in force, after rounding, in the description's units."""
        return self._known(name).copy()

    def set_weights(self, name: str, weights: npt.ArrayLike) -> FloatArray:
        """Write a projection's weights; returns those in force (read-only use). See `weights`.

        Raises ArgumentError for a wrong shape, a number that is not finite, or one too large.
        """
        self._check_open()
        self._known(name)
        value = self.arithmetic.masked(name, self.arithmetic.check(name, weights))
        rounded = self.arithmetic.round(name, value)
        self._rounded[name] = rounded
        self._write_weights(name)
        return rounded

    def state(self) -> State:
        """Everything that `restore` needs, as arrays: dynamic variables, spikes in flight, weights.

        Keys: ``t``; ``POPULATION.current``, ``.voltage``, ``.refractory`` (dead steps left);
        ``NODE.spikes``, the last steps' spikes, newest last; ``PROJECTION.weights``. The same on
        every backend of the same arithmetic, so a state moves between them.
        """
        self._check_open()
        weights = {f"{k}.weights": w.copy() for k, w in self._rounded.items()}
        return {"t": np.array(self._time(), dtype=np.int64), **self._dynamic_state(), **weights}

    def restore(self, state: Mapping[str, npt.ArrayLike]) -> None:
        """Go on from a state of this network, exactly. Raises ArgumentError if it doesn't fit."""
        self._check_open()
        mine = self.state()
        given = {key: np.asarray(value) for key, value in state.items()}
        if set(given) != set(mine):
            odd = sorted(set(given) ^ set(mine))
            raise ArgumentError(say("restore", "the state of another network", got=odd[:3]))
        for key, value in mine.items():
            if given[key].shape != value.shape:
                raise ArgumentError(
                    say(
                        "restore",
                        f"{key} of another shape",
                        got=given[key].shape,
                        limit=value.shape,
                    )
                )
        for name in self._rounded:
            self.set_weights(name, given[f"{name}.weights"])
        self._restore_dynamic(given)

    def source(self) -> str:
        """The network as this simulator runs it, as text for a reader."""
        lines = [f"{self.network.dt:g} s a step, {self.arithmetic_name} arithmetic"]
        for node in self.network.nodes:
            model = f" of {node.neuron}" if isinstance(node, Population) else ""
            lines.append(f"{type(node).__name__} {node.name}: {node.size}{model}")
        for p in self.network.projections:
            shape = " x ".join(str(n) for n in self.network.weight_shape(p.name))
            marks = [f"delay {self.network.delay_steps(p.name)}"]
            marks += ["signed"] if p.signed else []
            marks += ["plastic"] if p.plasticity else []
            lines.append(f"Projection {p.name}: {p.pre} -> {p.post}, {shape}, {', '.join(marks)}")
        return "\n".join(lines)

    def close(self) -> None:
        """Free what the simulator holds; any later call but `close` raises BackendError."""
        self._closed = True

    @classmethod
    def problems(cls, network: Network, arithmetic: str) -> list[str]:
        """What of *network* this backend can't run, a line each; empty if it can run all."""
        can = cls.capabilities
        found = []
        if arithmetic not in can.arithmetics:
            found.append(f"arithmetic {arithmetic!r} (has {', '.join(can.arithmetics)})")
        for population in network.populations:
            if can.max_population is not None and population.size > can.max_population:
                found.append(
                    f"population {population.name!r} of {population.size} neurons"
                    f" (limit {can.max_population}; split it into several populations)"
                )
        for p in network.projections:
            if network.delay_steps(p.name) > 1 and not can.delays:
                found.append(
                    f"projection {p.name!r} with a delay of more than one step (leave it out)"
                )
            if p.signed and not can.signed:
                found.append(f"signed projection {p.name!r}")
        return found

    @classmethod
    def default_target(cls) -> str:
        """What it would run on here: ``'cpu'``, ``'emulator'``, ..."""
        return "cpu"

    # What a backend supplies; arguments have been checked.

    @abc.abstractmethod
    def _build(self) -> None:
        """Compile `network` with the weights of `_rounded`; at rest, t = 0."""

    @abc.abstractmethod
    def _step(self, inputs: dict[str, Raster], n_steps: int) -> dict[str, Raster]: ...

    @abc.abstractmethod
    def _reset(self) -> None: ...

    @abc.abstractmethod
    def _write_weights(self, name: str) -> None:
        """Put `_rounded[name]` (and the bias it changes, if signed) in force."""

    @abc.abstractmethod
    def _time(self) -> int: ...

    @abc.abstractmethod
    def _dynamic_state(self) -> State: ...

    @abc.abstractmethod
    def _restore_dynamic(self, state: State) -> None: ...

    def _check_open(self) -> None:
        if self._closed:
            raise BackendError(say(f"backend {self.name}", "is closed", remedy="make a new one"))

    def _known(self, name: str) -> FloatArray:
        if name not in self._rounded:
            raise unknown("projection", name, self._rounded)
        return self._rounded[name]

    def _check_capabilities(self) -> None:
        found = self.problems(self.network, self.arithmetic_name)
        if found:
            raise UnsupportedError(say(f"backend {self.name}", f"can't run {'; '.join(found)}"))

    def _check_record(self, record: Sequence[str] | None) -> tuple[str, ...]:
        names = [p.name for p in self.network.populations]
        for name in record or ():
            if name not in names:
                raise unknown("population", name, names)
        return tuple(names if record is None else record)

    def _check_inputs(self, inputs: Mapping[str, npt.ArrayLike], n_steps: int) -> dict[str, Raster]:
        sources = self._sources
        rasters: dict[str, Raster] = {}
        for name, value in inputs.items():
            if name not in sources:
                raise unknown("source", name, sources)
            raster = np.asarray(value)
            if raster.dtype != np.bool_:
                raise ArgumentError(
                    say(f"input {name!r}", "not a raster of booleans", got=str(raster.dtype))
                )
            shape = (n_steps, sources[name])
            if raster.shape != shape:
                raise ArgumentError(
                    say(f"input {name!r}", "wrong shape", got=raster.shape, limit=shape)
                )
            rasters[name] = raster
        for name, size in sources.items():
            if name not in rasters:
                rasters[name] = np.zeros((n_steps, size), dtype=bool)
        return rasters


def _check_seed(seed: int) -> int:
    if isinstance(seed, bool) or not isinstance(seed, (int, np.integer)) or not 0 <= seed < 2**63:
        raise ArgumentError(
            say("seed", "must be a whole number", got=repr(seed), limit="0 to 2**63-1")
        )
    return int(seed)
