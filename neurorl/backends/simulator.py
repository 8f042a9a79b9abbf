"""Define the contract that a simulator fulfils; docs/backends.md is its recipe."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from neurorl.arithmetic.chip_noise import with_coin_sources
from neurorl.arithmetic.rounding import find_arithmetic, make_arithmetic
from neurorl.backends.capabilities import Capabilities
from neurorl.backends.checks import (
    Errors,
    Inputs,
    check_arithmetic,
    check_noise,
    check_record,
    check_seeds,
)
from neurorl.backends.meter import Meter
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.window import Raster, WindowCall
from neurorl.errors import UnsupportedError
from neurorl.network.description import Network
from neurorl.network.replicate import on_chip
from neurorl.numerics.arrays import Array, FloatArray, Int32Array
from neurorl.rules.synapse_rule import SynapseRule

__all__ = ["VARIABLES", "ScriptedRule", "Simulator", "State"]

State = dict[str, Array]

VARIABLES = ("current", "voltage", "refractory")
"""Name the state of a population: its current, its membrane and its refractory steps left."""


class ScriptedRule(NamedTuple):
    """Hold how a projection learns, for `Simulator.write_script`.

    weights: learned ones at the beginning, flat. there: 0 where there is no synapse, else 1. low,
    high: bounds of weights. unit: their grid. window: its steps. given: for each window, whether
    modulators arrive at its end, 1 or 0. rewards: these, ``(n_windows,)``, by name. signals: by
    name, ``(n_steps, n_post)``.
    """

    rule: SynapseRule
    weights: FloatArray
    there: FloatArray
    low: float
    high: float
    unit: float
    window: int
    given: FloatArray
    rewards: Mapping[str, FloatArray]
    signals: Mapping[str, FloatArray]


class Simulator(abc.ABC):
    """Run one network on one simulator, behind `neurorl.backends.base.Backend`.

    Its constructor checks and keeps its own options only; `build` does all the work. The
    backend has checked every argument of the other methods, has rounded the weights and turned
    currents into biases. Replicas are neurons side by side: neuron i of replica k is number
    ``k * size + i`` of all.

    Order inside a step: spikes of earlier steps arrive -> current -> membrane -> refractory ->
    spike -> reset.
    """

    name: ClassVar[str]
    capabilities: ClassVar[Capabilities]
    unverified: ClassVar[str | None] = None  # which part of it nobody could try yet
    shown: ClassVar[tuple[str, ...]] = ()  # names of its own that users find on the backend
    learning: str = "host"  # the name of who changes the weights
    learns_by_itself: bool = False
    """Tell whether the simulator changes plastic weights itself: `learn` then replaces `step`."""
    learning_steps: ClassVar[tuple[int, int]] = (1, 0)
    """Set period and phase of the steps t in which the simulator learns: ``t % period ==
    phase``."""

    # What a simulator must have.

    @abc.abstractmethod
    def build(self, simulated: SimulatedNetwork) -> None:
        """Compile ``simulated.whole`` with its weights and biases in force; at rest, step 0."""

    @abc.abstractmethod
    def step(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        """Advance; return the raster ``(n_steps, n_replicas * size)`` of each recorded population.

        inputs: a raster for each source of spikes. Its other entries act through biases.
        """

    @abc.abstractmethod
    def reset(self, replicas: Sequence[int]) -> None:
        """Silence these replicas: currents, membranes, dead steps and spikes in flight become 0."""

    @abc.abstractmethod
    def write_weights(self, projection: str) -> None:
        """Use ``simulated.weights[projection]`` for spikes that arrive from now on.

        If it is signed, a call of `write_bias` follows. Not called for a projection from a source
        of currents.
        """

    @abc.abstractmethod
    def write_bias(self, population: str, bias: Array) -> None:
        """Use biases ``(n_replicas * size,)`` from now on; integers in chip arithmetic."""

    def biases(self, population: str) -> FloatArray | None:
        """Return the memory of a population's biases if it may be written to, or None."""
        return None

    @abc.abstractmethod
    def time(self, replica: int) -> int:
        """Return how many steps a replica made since the start; `restore` sets it."""

    @abc.abstractmethod
    def state(self, replica: int) -> State:
        """Return a replica's variables and spikes in flight, in its own shapes.

        Keys: ``POPULATION.current``, ``.voltage``, ``.refractory`` (dead steps left), ``(size,)``,
        and ``NODE.spikes``, ``(simulated.depths[node], size)``, newest last. With short-term
        plasticity also ``PROJECTION.u`` and ``.used``, ``(n_pre,)``, and ``.release``, ``(delay,
        n_pre)``, newest last, 0 where there was no spike.
        """

    @abc.abstractmethod
    def restore(self, state: State, replica: int) -> None:
        """Go on from what `state` returned, at step ``state["t"]``; weights are in force."""

    # What a simulator may have.

    threads: int = 1
    """Count the threads of a window; a loop in C++ learns with as many."""

    @classmethod
    def problems(cls, network: Network, arithmetic: str) -> list[str]:
        """Return why this class can't run *network*, one line for each unsupported part."""
        return cls.capabilities.problems(network, arithmetic)

    @classmethod
    def hindrance(cls) -> str | None:
        """Return why it runs slower here than elsewhere, such as for want of a compiler."""
        return None

    def refusals(self, network: Network, arithmetic: str) -> list[str]:
        """Return why this simulator, with its options, can't run *network*; see `problems`."""
        return self.problems(network, arithmetic)

    @classmethod
    def default_target(cls) -> str:
        """Return the hardware it would run on here: ``'cpu'``, ``'emulator'``, ..."""
        return "cpu"

    def variables(self, population: str) -> State:
        """Return the state variables of neurons by equations; needed if it runs such.

        Arrays ``(n_replicas * size,)`` by name; they may be those of the simulator itself.
        Raises UnsupportedError if it runs none.
        """
        raise UnsupportedError(f"backend {self.name}", "has no neurons by equations")

    def window(self, inputs: Inputs, rasters: dict[str, Raster], n_steps: int) -> WindowCall | None:
        """Return a call that runs a window in these arrays, in place; None to use `step`."""
        return None

    def memory(self, projection: str) -> Array | None:
        """Return the flat memory of a projection's transmitted weights, in C order, or None.

        A caller may write to it in place of `write_weights`, so there is none for a signed
        projection, whose weights change a bias. Always the same array.
        """
        return None

    def levels(self, projection: str, unit: float) -> Int32Array | None:
        """Hold a projection's weights as whole multiples of *unit* from now on; return these.

        They are as of `neurorl.backends.base.Backend.levels`; None of a simulator that can't.
        `memory` is then None, until `write_weights` says weights that are no such multiples.
        """
        return None

    def held(self, projection: str) -> Array | None:
        """Return a projection's transmitted weights, if only the simulator knows them.

        It knows them if it learns by itself or rounds further. None if the written weights are in
        force.
        """
        return self.memory(projection)

    def held_part(self, projection: str, part: slice) -> Array | None:
        """Return a part of what `held` returns, flat; to be quicker for one of many replicas."""
        held = self.held(projection)
        return None if held is None else held.reshape(-1)[part]

    def learn(self, inputs: Inputs, errors: Errors, n_steps: int) -> dict[str, Raster]:
        """Advance as `step` does while the simulator's own rule learns.

        Raises UnsupportedError if only the host learns.
        """
        raise self.learns_on_host()

    def learning_gain(self, population: str) -> float:
        """Return the largest change of a weight into *population*, for error -1 and trace 1.

        Raises UnsupportedError if only the host learns.
        """
        raise self.learns_on_host()

    def learns_on_host(self) -> UnsupportedError:
        """Return the error for a simulator that leaves learning to the caller."""
        remedy = "load('loihi', ..., learning='pes')"
        return UnsupportedError(f"backend {self.name}", "learns on the host", remedy=remedy)

    def refuse(self, verb: str) -> None:  # noqa: B027  (most allow all)
        """Raise UnsupportedError if *verb*, a method of the backend, can't work here."""

    def source(self) -> str | None:
        """Return the network as this simulator runs it, for a reader; None for a plain list."""
        return None

    def write_script(
        self, folder: Path, inputs: Inputs, n_steps: int, lessons: Mapping[str, ScriptedRule]
    ) -> None:
        """Write the network, from rest, as a script of the simulator's own, which needs no other.

        inputs: a raster of *n_steps* for each source of spikes. lessons: how projections learn.
        Raises UnsupportedError if there is no such script.
        """
        remedy = "backend='brian2'"
        raise UnsupportedError(f"backend {self.name}", "writes no script", remedy=remedy)

    def meter(self, simulated: SimulatedNetwork) -> Meter:
        """Return a model of what spikes cost on one replica's chip. Raises UnsupportedError."""
        raise UnsupportedError(f"backend {self.name}", "has no model of energy")

    def close(self) -> None:  # noqa: B027  (most hold nothing)
        """Release resources that are not garbage-collected; called once, as the last method."""

    def put_in_force(self, simulated: SimulatedNetwork) -> None:
        """Write all biases and weights, at the end of `build`."""
        for population in simulated.network.populations:
            self.write_bias(population.name, simulated.bias(population.name))
        for projection in simulated.network.spiking.projections:
            self.write_weights(projection.name)


def prepare(
    simulator: Simulator,
    network: Network,
    seed: int | Sequence[int],
    arithmetic: str | None,
    record: Sequence[str] | None,
    noise: str,
) -> SimulatedNetwork:
    """Return the network for *simulator* to build, without weights; arguments as in `Backend`.

    Raises UnsupportedError naming every part of the network that the simulator can't run.
    """
    seeds, name = check_seeds(seed), check_arithmetic(arithmetic, simulator.capabilities)
    check_noise(simulator.name, noise, name, simulator.capabilities)
    if find_arithmetic(name).is_chip:
        network = on_chip(network)
    with_coins, coins = with_coin_sources(network, noise)
    problems = simulator.refusals(with_coins, name)
    if problems:
        where = f"backend {simulator.name}"
        raise UnsupportedError(where, f"can't run {'; '.join(problems)}")
    made = make_arithmetic(name, with_coins, noise)
    axes = () if isinstance(seed, (int, np.integer)) else (len(seeds),)
    kept = check_record(record, network)
    return SimulatedNetwork(network, seeds, axes, name, made, noise, kept, coins)
