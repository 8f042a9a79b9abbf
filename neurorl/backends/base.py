"""Define `Backend`: a network on a simulator, as every caller of neurorl sees it."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from neurorl.backends.capabilities import Capabilities
from neurorl.backends.checks import (
    Errors,
    Inputs,
    check_errors,
    check_finite,
    check_inputs,
    check_state,
    learned_populations,
)
from neurorl.backends.lookup import backend_class
from neurorl.backends.meter import METERED, Metering
from neurorl.backends.ownership import Ownable
from neurorl.backends.poisson import Poisson, with_drawn
from neurorl.backends.recording import Recording, advance_recorded
from neurorl.backends.simulator import ScriptedRule, Simulator, State, prepare
from neurorl.backends.weights import EffectiveWeights
from neurorl.backends.window import Raster, Window, WindowCall
from neurorl.errors import ArgumentError, UnsupportedError
from neurorl.network.cost import Weights
from neurorl.network.description import Network
from neurorl.numerics.arrays import Array, FloatArray, Int32Array, carry_newest
from neurorl.storage.plain import check_count

__all__ = ["Backend", "Capabilities", "Raster", "State", "Window"]


class Backend(Ownable):
    """Run one network on one simulator; a context manager, and several may coexist.

    `neurorl.load` makes it. It does what is the same for every simulator: checks, replicas,
    rounding, currents, shapes.

    simulator: a new one, with its options; `build` is called here.
    network: the description.
    seed: key of every draw (initial weights, escape noise), or a sequence of keys, one for each
        replica of the network. A replica has weights, draws and a step counter of its own, and
        equals in every bit a backend with that seed. Rasters then have ``n_replicas * size``
        columns, neuron i of replica k in column ``k * size + i``, and weights have an axis of
        replicas first.
    arithmetic: ``'float'``, ``'loihi'`` or ``'xylo'``; None takes the simulator's default. On chips
        neurons by equations that are LIF or CubaLIF run as these, and `network` has them.
    record: populations whose rasters `step` returns; None for all.
    noise: ``'exact'`` is the described escape noise; ``'chip'`` and ``'chip+coins'`` are what Loihi
        has in its place, see `neurorl.arithmetic.chip_noise`.
    weights: by projection, in place of the initial ones; shapes as in `set_weights`.

    described: the network as it was given; `network` may have other synapses since, see `rebuild`.

    ``step(a); step(b)`` gives the same spikes as ``step(a + b)``.
    Weights may be written between calls of `step`; they act on spikes that arrive from then on.
    Attributes listed in `Simulator.shown`, such as Loihi's `chip_table`, are available here too.

    Raises UnsupportedError naming every part of the network that the simulator can't run.
    """

    def __new__(cls, simulator: Simulator, *_: object, **__: object) -> Backend:
        """Return a backend that also has the attributes that the simulator shows."""
        return super().__new__(_with_doors(type(simulator)))

    def __init__(
        self,
        simulator: Simulator,
        network: Network,
        *,
        seed: int | Sequence[int] = 0,
        arithmetic: str | None = None,
        record: Sequence[str] | None = None,
        noise: str = "exact",
        weights: Mapping[str, npt.ArrayLike] | None = None,
    ) -> None:
        self.closed = False
        self.recordings: list[Recording] = []  # those in whose blocks this is
        self.name, self.capabilities = simulator.name, simulator.capabilities
        self.simulated = prepare(simulator, network, seed, arithmetic, record, noise)
        self.network = self.described = self.simulated.network
        self.seeds = self.simulated.seeds
        self.n_replicas = self.simulated.n_replicas
        self.arithmetic = self.simulated.arithmetic
        self.arithmetic_name, self.noise = self.simulated.arithmetic_name, noise
        self.record = self.simulated.record
        self._sources = {source.name: source for source in self.simulated.whole.sources}
        self.simulator, self._unbuilt = simulator, copy.copy(simulator)
        self._weights = EffectiveWeights(self.simulated, self.simulator, weights or {})
        self._equations = {
            p.name: p.size for p in self.network.populations if not p.is_integrator(network.dt)
        }
        self._offsets: dict[str, FloatArray] = {}  # of biases, as `set_offset` has them
        self.simulator.build(self.simulated)

    @property
    def learning(self) -> str:
        """Return who changes the weights: ``'host'``, the caller, or a rule of the simulator."""
        return self.simulator.learning

    @property
    def learning_steps(self) -> tuple[int, int]:
        """Return the period and phase of the steps in which the simulator learns."""
        return self.simulator.learning_steps

    @property
    def unverified(self) -> str | None:
        """Return which part of the simulator has never been tried; None if all was."""
        return self.simulator.unverified

    @property
    def seed(self) -> int:
        """Return the seed of the first replica."""
        return self.seeds[0]

    @property
    def t(self) -> int:
        """Return the number of steps since the start; `reset` keeps it, so noise never repeats."""
        return self.time()

    def time(self, replica: int = 0) -> int:
        """Return `t` of a replica; `restore` sets it."""
        self.check_open()
        return self.simulator.time(check_count("replica", replica, 0, self.n_replicas - 1))

    def step(
        self, inputs: Mapping[str, npt.ArrayLike | Poisson], n_steps: int
    ) -> dict[str, Raster]:
        """Advance *n_steps* and return the raster ``(n_steps, size)`` of each recorded population.

        inputs: for each source of spikes, a raster of booleans ``(n_steps, size)``, or `Poisson`
            with its rates; for each source of currents, activations ``(size,)`` in [0, 1] for all
            these steps, which are rounded to multiples of
            `neurorl.network.description.CURRENT_GRID`; for each source of values, numbers
            ``(n_steps, size)`` up to 1e30. A source left out is silent.

        With a sequence of seeds, ``n_replicas * size`` takes the place of size.
        Raises ArgumentError for a wrong name, shape or kind.
        """
        self.check_free("backend.step", "learning.window")
        n_steps = check_count("step, n_steps", n_steps)
        checked = self.checked(inputs, n_steps)
        self.flow(checked)
        rasters = self._advance(checked, None, n_steps)
        if self._equations:
            self.check_neurons()
        return rasters

    def checked(self, inputs: Mapping[str, npt.ArrayLike | Poisson], n_steps: int) -> Inputs:
        """Return rasters and activations of all sources for the next steps, as `step` takes them.

        Raises ArgumentError for a wrong name, shape or kind.
        """
        replicas = [(seed, self.simulator.time(k)) for k, seed in enumerate(self.seeds)]
        drawn = with_drawn(inputs, self.network, replicas, n_steps)
        return check_inputs(drawn, self._sources, n_steps)

    def write_script(
        self,
        folder: str | Path,
        inputs: Mapping[str, npt.ArrayLike | Poisson],
        n_steps: int,
        lessons: Mapping[str, ScriptedRule] | None = None,
    ) -> None:
        """Write the network, with the weights of now and at rest, as a script for its simulator.

        Backend *brian2* writes ``network.py``, which runs in plain Brian2, by Cython or by its C++
        standalone device, and what that reads. inputs: as of `step`, of sources of spikes.

        Raises UnsupportedError for a simulator that has no script, or analog sources; RunError if
        the folder can't be written to.
        """
        self.check_open()
        n_steps = check_count("write_script, n_steps", n_steps)
        if self.network.analog:
            what, remedy = "a script has no currents or values", "take sources of spikes"
            raise UnsupportedError(f"backend {self.name}", what, remedy=remedy)
        checked = self.checked(inputs, n_steps)
        self.simulator.write_script(Path(folder), checked, n_steps, lessons or {})

    def learn(
        self, inputs: Mapping[str, npt.ArrayLike], errors: Mapping[str, npt.ArrayLike], n_steps: int
    ) -> dict[str, Raster]:
        """Advance as `step` does; weights change by ``-gain error x`` in the `learning_steps`.

        x is what is left of a presynaptic neuron's spikes, 1 for one of just now; for gain see
        `learning_gain`.

        errors: by population that plastic projections enter, -1 to 1 (clipped), ``(n_steps,
            size)``, or ``(size,)`` for all these steps; 0 where left out. With a sequence of seeds,
            ``n_replicas * size`` takes the place of size.

        Raises UnsupportedError if the weights are the caller's to change, ArgumentError for a wrong
        shape or a number that isn't finite.
        """
        self.check_free("backend.learn", "learning.window")
        self._check_learns()
        n_steps = check_count("learn, n_steps", n_steps)
        whole = self.simulated.whole
        sizes = {name: whole.node(name).size for name in learned_populations(self.network)}
        clipped = check_errors(errors, sizes, n_steps)
        checked = check_inputs(inputs, self._sources, n_steps)
        self.flow(checked)
        return self._advance(checked, clipped, n_steps)

    def learning_gain(self, population: str) -> float:
        """Return the largest change of a weight into *population* in one learning step.

        It is reached at error -1 and x = 1.
        """
        self.check_open()
        self._check_learns()
        return self.simulator.learning_gain(population)

    def window(self, n_steps: int) -> Window:
        """Return a window with rasters in a fixed place; `step` may be used beside it."""
        self.check_free("backend.window", "learning.window")
        n_steps = check_count("window, n_steps", n_steps)
        whole, inputs = self.simulated.whole, check_inputs({}, self._sources, n_steps)
        given = inputs | self._weights.currents.drives(n_steps)
        rasters = {
            name: np.zeros((n_steps, whole.node(name).size), dtype=bool) for name in self.record
        }
        call = None if self.recordings else self.simulator.window(given, rasters, n_steps)
        call = call or WindowCall(self._copy_window, (given, rasters, n_steps))
        if self._equations:
            call = call._replace(function=self._checked(call.function))
        return Window(self, call, inputs, rasters, given if self.network.analog else {})

    def reset(self, replicas: Sequence[int] | None = None) -> None:
        """Silence the network: currents, membranes, refractory times and spikes in flight become 0.

        Weights and the step counter `t` stay.

        replicas: which replicas; None for all.
        """
        self.check_free("backend.reset", "learning.reset")
        chosen = range(self.n_replicas) if replicas is None else np.atleast_1d(replicas)
        self.simulator.reset([check_count("replica", k, 0, self.n_replicas - 1) for k in chosen])

    def set_offset(self, population: str, offset: FloatArray) -> None:
        """Add *offset* to the biases of a population's neurons, until the next call.

        offset: in the description's units, ``(n_replicas * size,)``, multiples of 2**-20 in float
            arithmetic, so that every sum with a weight is exact.
        """
        self.check_free("backend.set_offset", "learning.window")
        unit = self.arithmetic.bias_unit(population)
        self._offsets[population] = offset * unit
        if population not in self._weights.currents.entered:
            bias = self.simulated.bias(population, self._offsets[population])
            self.simulator.write_bias(population, bias)

    def metering(self, weights: Weights, carries: bool) -> Metering:
        """Return what measures windows by a model of the chip; arguments as of `Metering`.

        Raises UnsupportedError for other integers, or what doesn't fit; BackendUnavailableError.
        """
        if self.arithmetic_name != METERED:
            what = f"there is no model of a chip with {self.arithmetic_name} arithmetic"
            remedy = f"backend={METERED!r}, to play in that chip's integers"
            raise UnsupportedError("energy", what, limit=METERED, remedy=remedy)
        chip = self.simulator if self.name == METERED else backend_class(METERED)()
        return Metering(chip.meter(self.simulated), self.network, weights, carries)

    def biases(self, population: str) -> FloatArray | None:
        """Return the memory in which the simulator keeps a population's biases, or None.

        float64, ``(n_replicas * size,)``, in units of the membrane: what `set_offset` takes if the
        description's bias is 0, in chip arithmetic a bias of the chip's. What currents add
        belongs to it, see `neurorl.backends.window.Window.steps`. Valid while it is open.
        """
        self.check_free("backend.biases", "learning.reset")
        return self.simulator.biases(population)

    def weights(self, name: str) -> FloatArray:
        """Return a copy of a projection's effective weights, in the description's units.

        These are in force, after rounding. Shape ``(n_replicas, *shape)`` with a sequence of seeds,
        else ``shape``.
        """
        self.check_open()
        self._weights.check(name)
        return self._weights.copy(name)

    def write(self, name: str, weights: npt.ArrayLike) -> FloatArray:
        """Do what `set_weights` does, without a word to the owner."""
        self.check_open()
        self.simulator.refuse("set_weights")
        self._weights.check(name)
        return self._weights.write(name, weights)

    def transmitted(self, name: str) -> Array | None:
        """Return the memory in which the simulator keeps what a spike transmits, or None.

        None if it has no such memory. It is flat, of ``(n_replicas, *shape)`` in C order, float64,
        int32 or int16. It may be written with whole multiples of
        ``arithmetic.rounding(name).transmitted_unit`` (0 where a mask leaves no synapse); nothing
        is checked, and `weights` and `state` follow. Valid until the backend is closed.
        """
        self.check_free("backend.transmitted", "learning.set_weights")
        self._weights.check(name)
        return self._weights.memory(name)

    def levels(self, name: str, unit: float) -> Int32Array | None:
        """Return the memory in which the simulator keeps weights as multiples of *unit*, or None.

        It keeps them so from then on, and `transmitted` returns None. It is flat, of
        ``(n_replicas, *shape)`` in C order, and may be written with numbers up to 2**28; nothing is
        checked, and `weights` and `state` follow. Weights must be multiples of *unit* now, and
        whenever `set_weights` writes others, this is to be called again. Valid until the backend is
        closed.
        """
        self.check_free("backend.levels", "learning.set_weights")
        self._weights.check(name)
        is_flow = name in self._weights.currents.weights
        return None if is_flow else self.simulator.levels(name, unit)

    def rebuild(self, network: Network, weights: Mapping[str, npt.ArrayLike]) -> None:
        """Go on with other synapses: run *network*, of the same nodes, from the state of now.

        weights: of the projections whose synapses differ. Spikes on their way arrive at synapses
        that are there then; a node remembers as many steps as its longest delay was. Memory and
        windows of before are the old network's. Raises UnsupportedError if the simulator can't,
        ArgumentError while something records; nothing has changed then.
        """
        self.check_free("backend.rebuild", "learning.rewire")
        self.check_can("state", "restore", "set_weights")
        if self.recordings:
            what, remedy = "is being recorded", "change synapses outside of the block"
            raise ArgumentError(f"backend {self.name}", what, remedy=remedy)
        made = Backend(
            copy.copy(self._unbuilt),
            network,
            seed=self.seeds if self.simulated.axes else self.seed,
            arithmetic=self.arithmetic_name,
            record=self.record,
            noise=self.noise,
            weights=weights,
        )
        for k in range(self.n_replicas):
            now = made.state(k)
            for key, value in self.state(k).items():
                if key.endswith(".spikes"):
                    carry_newest(value, now[key])
                elif key.removesuffix(".weights") not in weights:
                    now[key] = value
            made.restore(now, k)
        for name in self._offsets.keys() - self._weights.currents.entered.keys():
            made.simulator.write_bias(name, made.simulated.bias(name, self._offsets[name]))
        self.simulator.close()
        kept = {name: vars(self)[name] for name in ("described", "recordings", "_offsets")}
        vars(self).update(vars(made) | kept)

    def __reduce_ex__(self, protocol: object) -> str:
        """Refuse to be copied or pickled: a backend holds what runs."""
        remedy = "load another one, and restore(backend.state())"
        raise UnsupportedError(f"backend {self.name}", "can't be copied or pickled", remedy=remedy)

    def state(self, replica: int = 0) -> State:
        """Return all that `restore` needs, as arrays: variables, spikes in flight, weights.

        Keys: ``t``; ``POPULATION.current``, ``.voltage``, ``.refractory`` (dead steps left);
        ``NODE.spikes``, the last steps' spikes, newest last; ``PROJECTION.weights``; with
        short-term plasticity ``PROJECTION.u``, ``.used`` (1 - x) and ``.release``, of the last
        spikes. They are the same on every backend of the same arithmetic and of any replica, so a
        state moves between them.
        """
        self.check_open()
        k = check_count("replica", replica, 0, self.n_replicas - 1)
        # Zeros have a sign in some memories; in none do they mean anything by it.
        shown = self.network.projections
        weights = {f"{p.name}.weights": self._weights.one(p.name, k) + 0.0 for p in shown}
        t = np.array(self.simulator.time(k), dtype=np.int64)
        return {"t": t, **self.simulator.state(k), **weights}

    def restore(self, state: Mapping[str, npt.ArrayLike], replica: int = 0) -> None:
        """Go on from a state of this network, exactly; raise ArgumentError if it doesn't fit."""
        self.check_free("backend.restore", "learning.restore")
        self.check_can("restore")
        arrays = check_state(state, self.state(replica))
        for p in self.network.projections:
            self._weights.write_one(p.name, arrays[f"{p.name}.weights"], replica)
        self.simulator.restore(arrays, replica)
        for recording in self.recordings:
            recording.moved()

    def begin_at(self, t: int, replica: int = 0) -> None:
        """Silence a replica as `reset` does, and let its next step be *t*, which keys its draws."""
        self.check_free("backend.begin_at", "learning.reset")
        self.check_can("restore")
        k = check_count("replica", replica, 0, self.n_replicas - 1)
        self.simulator.reset([k])
        self.simulator.restore({**self.simulator.state(k), "t": np.array(t, dtype=np.int64)}, k)
        for recording in self.recordings:
            recording.moved()

    def source(self) -> str:
        """Return the network as this simulator runs it, as text for a reader."""
        self.check_open()
        return self.simulator.source() or self.simulated.text()

    def check_can(self, *verbs: str) -> None:
        """Raise UnsupportedError for a method that can't work here, naming an alternative.

        So a caller that will need it can say so before the run.

        verbs: names of methods.
        """
        self.check_open()
        for verb in verbs:
            self.simulator.refuse(verb)

    def check_neurons(self) -> None:
        """Raise DivergenceError if a state variable of neurons by equations is nan or infinite.

        `step` and windows do so; whoever runs windows in C calls it now and then.
        """
        for name, size in self._equations.items():
            when = f"by step {self.simulator.time(0) - 1}"
            check_finite(name, self.simulator.variables(name), size, when)

    def _checked(self, run: Callable[..., object]) -> Callable[..., None]:
        """Return what runs a window and then looks at the neurons."""

        def run_and_check(*arguments: object) -> None:
            run(*arguments)
            self.check_neurons()

        return run_and_check

    def _free(self) -> None:
        self.simulator.close()

    def flow(self, inputs: Inputs) -> None:
        """Let currents flow into biases until the next call; write what values add to *inputs*."""
        self._weights.currents.drive(inputs)
        for population, current in self._weights.currents.into(inputs):
            if population in self._offsets:
                current = current + self._offsets[population]
            self.simulator.write_bias(population, self.simulated.bias(population, current))

    def _copy_window(
        self, fresh: bool, inputs: Inputs, rasters: dict[str, Raster], n_steps: int
    ) -> None:
        """Run a window by `step`, and copy the rasters that it returns."""
        if fresh:
            self.simulator.reset(range(self.n_replicas))
        for name, raster in self._advance(inputs, None, n_steps).items():
            rasters[name][:] = raster

    def _advance(self, inputs: Inputs, errors: Errors | None, n_steps: int) -> dict[str, Raster]:
        """Let the simulator learn from errors, or step if these are None, and recordings read."""
        if self.recordings:
            return advance_recorded(self.recordings, self.simulator, inputs, errors, n_steps)
        if errors is None:
            return self.simulator.step(inputs, n_steps)
        return self.simulator.learn(inputs, errors, n_steps)

    def _check_learns(self) -> None:
        """Raise UnsupportedError if the weights are the caller's to change."""
        if not self.simulator.learns_by_itself:
            raise self.simulator.learns_on_host()


@functools.cache
def _with_doors(simulator: type[Simulator]) -> type[Backend]:
    """Return a subclass of `Backend` with a property for each name in `Simulator.shown`.

    A method ``__getattr__`` would do the same, and make every attribute slower to find.
    """

    def door(name: str) -> property:
        return property(lambda backend: getattr(backend.simulator, name))

    doors: dict[str, object] = {name: door(name) for name in simulator.shown}
    return type("Backend", (Backend,), {"__module__": __name__, **doors})
