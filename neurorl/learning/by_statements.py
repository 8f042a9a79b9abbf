"""Learn by a rule of statements in a loop of one's own: `SynapseLearning`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Backend, Raster
from neurorl.backends.poisson import Poisson
from neurorl.backends.simulator import ScriptedRule
from neurorl.errors import ArgumentError, DivergenceError, UnsupportedError, check_name, quoted
from neurorl.learning.on_backend import LearnsOnBackend
from neurorl.learning.standalone_rules import Numbers, check_backend, read_modulators, read_signal
from neurorl.learning.synapse_events import SynapseEvents, Wiring, check_arrivals
from neurorl.native import toolchain
from neurorl.network.description import Projection
from neurorl.network.limits import check_delay
from neurorl.network.rewiring import Rewiring
from neurorl.numerics.arrays import Array, FloatArray, IntArray, carry_newest
from neurorl.rules.synapse_rule import SynapseRule
from neurorl.storage.plain import check_count


class SynapseLearning(LearnsOnBackend):
    """Step a backend, and let synapses learn by a `neurorl.rules.SynapseRule`.

    backend: from `neurorl.load`; its network's projections with ``plasticity=`` learn, between its
    ``low`` and ``high``. rule: of all of them. rules: by projection, in its place.

    Weights change in every step, as the rule says, and are in force from the end of the window on.
    Until `close` this alone may step, reset or restore the backend.

    Raises UnsupportedError for a projection that can't learn so, DescriptionError where nothing
    learns.
    """

    def __init__(
        self, backend: Backend, rule: SynapseRule, rules: Mapping[str, SynapseRule] | None = None
    ) -> None:
        super().__init__(backend)
        self.rule = rule
        network = backend.network
        learn = (p for p in network.projections if p.plasticity is not None)
        self._plastic: dict[str, Projection] = {p.name: p for p in learn}
        for name in rules or {}:
            check_name("SynapseLearning.rules, plastic projection", name, self._plastic)
        self.rules = {name: (rules or {}).get(name, rule) for name in self._plastic}
        self._check()
        backend.own(self)
        self._events = {name: self._begun(p) for name, p in self._plastic.items()}
        self._last = self._none_last()

    def window(
        self,
        inputs: Mapping[str, npt.ArrayLike | Poisson],
        n_steps: int,
        signals: Mapping[str, Numbers] | None = None,
    ) -> dict[str, Raster]:
        """Advance *n_steps*, let synapses learn from what happened, and return the rasters.

        inputs, returns: as of `Backend.step`. signals: by the names that rules have for them, as of
        `neurorl.Learning.window`.
        """
        self._check_open("window")
        n_steps = check_count("SynapseLearning.window, n_steps", n_steps)
        told = self._signals(self._by_name(signals), n_steps)
        checked = self.backend.checked(inputs, n_steps)
        with self.backend.owner_acts():
            rasters = self.backend.step(checked, n_steps)
        nodes = {**checked, **rasters}
        for name, p in self._plastic.items():
            self._learn(name, p, nodes, told)
        for pre, last in self._last.items():
            last[:] = np.concatenate([last, nodes[pre][-len(last) :]])[-len(last) :]
        self._bring(name for name, rule in self.rules.items() if rule.changes_in_steps)
        return rasters

    def reinforce(self, modulator: Numbers) -> None:
        """Run the lines ``on_reward`` of all rules, and write the weights.

        modulator: a number, or one for each replica; by name where rules have several.
        """
        self._check_open("reinforce")
        thirds = self._thirds(modulator)
        for name, events in self._events.items():
            events.in_force = self._memory(name)
            events.reward({x: np.array(thirds[x]) for x in self.rules[name].modulators})
        self._bring(self._events)

    def write_script(
        self,
        folder: str | Path,
        inputs: Mapping[str, npt.ArrayLike | Poisson],
        window: int,
        modulators: Sequence[Numbers | None],
        signals: Mapping[str, Numbers] | None = None,
    ) -> None:
        """Write network and rules, with the weights of now and from rest, as a Brian2 script.

        It learns as this does in windows of *window* steps, one for each of *modulators*: what
        `reinforce` gets behind it, or None. inputs, signals: of all steps, as of `window`. See
        `Backend.write_script`.

        Raises UnsupportedError for another backend, for replicas and for a chip's arithmetic.
        """
        self._check_open("write_script")
        window = check_count("SynapseLearning.write_script, window", window)
        backend, n_steps = self.backend, window * len(modulators)
        if self._n > 1 or backend.arithmetic.name != "float":
            what, remedy = "one seed, and arithmetic float, has a script", "load it so"
            raise UnsupportedError("SynapseLearning.write_script", what, remedy=remedy)
        told = self._signals(self._by_name(signals), n_steps)
        given = np.array([float(one is not None) for one in modulators])
        thirds = [self._thirds(0.0 if one is None else one) for one in modulators]
        lessons = {}
        for name, p in self._plastic.items():
            rule, shape = self.rules[name], (n_steps, backend.network.node(p.post).size)
            weights = self.weights(name).ravel()
            there = backend.arithmetic.masked(name, np.ones(backend.network.weight_shape(name)))
            rewards = {x: np.array([third[x][0] for third in thirds]) for x in rule.modulators}
            heard = {x: np.broadcast_to(told[x][p.post][0], shape) for x in rule.signals}
            assert p.plasticity is not None
            bounds = p.plasticity.low, p.plasticity.high
            unit = backend.arithmetic.rounding(name).unit
            ends = (weights, there.ravel(), *bounds, unit, window)
            lessons[name] = ScriptedRule(rule, *ends, given, rewards, heard)
        backend.write_script(folder, inputs, n_steps, lessons)

    def variable(self, name: str, variable: str) -> FloatArray:
        """Return a copy of a rule's variable at a projection.

        Of synapses it is shaped as weights, of neurons ``(size,)``, or with several seeds
        ``(n_replicas, size)``.
        """
        self._check_open("variable")
        events = self._of(name)
        check_name("SynapseLearning.variable", variable, events.variables)
        values = events.variables[variable]
        if variable in self.rules[name].of("synapse"):
            return self._shown(values.reshape(self._weights_of(name).shape))
        return values.reshape(*self.backend.simulated.axes, -1).copy()

    def _learn(
        self,
        name: str,
        p: Projection,
        nodes: Mapping[str, Raster],
        told: Mapping[str, Mapping[str, FloatArray]],
    ) -> None:
        """Let a projection learn from a window."""
        events = self._events[name]
        last = self._last[p.pre]
        seen, depth, n_steps = np.concatenate([last, nodes[p.pre]]), len(last), len(nodes[p.pre])
        arrived = {int(d): seen[depth - d : depth - d + n_steps] for d in events.delays}
        signals = {
            x: told[x][p.post].transpose(1, 0, 2).reshape(-1, nodes[p.post].shape[1])
            for x in self.rules[name].signals
        }
        events.in_force = self._memory(name)
        post = nodes[p.post]
        if late := self._late(name):
            kept = self._last[p.post]
            post = np.concatenate([kept[len(kept) - late :], post])[:n_steps]
        events.window(arrived, post, signals)
        if self.rules[name].changes_in_steps and not np.isfinite(events.weights).all():
            raise DivergenceError(f"weights of {name!r}", "are not finite")

    def _signals(
        self, signals: Mapping[str, Numbers], n_steps: int
    ) -> dict[str, dict[str, FloatArray]]:
        """Return signals of each neuron, by name and population. Raises ArgumentError."""
        named = dict.fromkeys(x for rule in self.rules.values() for x in rule.signals)
        if {*signals} != {*named}:
            what, limit = "not the names that rules have", [*named]
            raise ArgumentError("window, signals", what, got=[*signals], limit=limit)
        network = self.backend.network
        populations = {p.name: p.size for p in network.populations}
        told = {}
        for x, signal in signals.items():
            sizes = {
                p.post: populations[p.post]
                for name, p in self._plastic.items()
                if x in self.rules[name].signals
            }
            others = [name for name in populations if name not in sizes]
            told[x] = read_signal("window", x, signal, sizes, others, self._n, n_steps)
        return told

    def _begun(self, p: Projection) -> SynapseEvents:
        network, learns = self.backend.network, p.plasticity
        assert learns is not None
        weights, bounds = self.backend.weights(p.name).ravel().copy(), (learns.low, learns.high)
        wiring, rounding = Wiring.of(network, p, self._n), self.backend.arithmetic.rounding(p.name)
        return SynapseEvents(self.rules[p.name], wiring, weights, bounds, rounding, network.dt)

    def _bring(self, names: Iterable[str]) -> None:
        """Bring learned weights of projections into force, or look at them if they are."""
        arithmetic, axes = self.backend.arithmetic, self.backend.simulated.axes
        for name in names:
            weights, held = self._weights_of(name), self._events[name].in_force
            if held is None:
                self._write(name, arithmetic.masked(name, weights))
            else:
                arithmetic.check(name, held.reshape(*axes, *weights.shape[1:]), axes)

    def _memory(self, name: str) -> FloatArray | None:
        """Return the backend's memory of weights, if compiled code may write to it."""
        is_all = self.backend.network.projection(name).mask is None
        if not (is_all and self.backend.arithmetic.is_fine and toolchain.problem() is None):
            return None
        with self.backend.owner_acts():
            memory = self.backend.transmitted(name)
        return memory if memory is not None and memory.dtype == np.float64 else None

    def _weights_of(self, name: str) -> FloatArray:
        shape = self.backend.network.weight_shape(name)
        return self._of(name).weights.reshape(self._n, *shape)

    def _forget(self) -> None:
        for events in self._events.values():
            events.reset()
        for last in self._last.values():
            last[:] = False

    def _settle(self) -> None:
        for events in self._events.values():
            events.in_force = None  # so that they are written
        self._bring(self._events)

    def _check_wires(self, name: str, wires: IntArray) -> None:
        check_arrivals(self.rules[name], len(np.unique(wires[2])))

    def _follow(self, name: str, rewiring: Rewiring) -> None:
        self._plastic[name] = self.backend.network.projection(name)
        old, last = self._events[name].variables, self._last
        self._events[name] = self._begun(self._plastic[name])
        for x, to in self._events[name].variables.items():
            if x in self.rules[name].of("synapse"):
                rewiring.carry(*(values.reshape(self._n, -1) for values in (old[x], to)))
            else:
                to[:] = old[x]
        self._last = self._none_last()
        for pre, steps in self._last.items():
            carry_newest(last[pre], steps)

    def _none_last(self) -> dict[str, Raster]:
        """Return that no spikes are on their way, by presynaptic node, ``(steps, N * n)``."""
        network, depth = self.backend.network, dict[str, int]()
        for name, p in self._plastic.items():
            depth[p.pre] = max(depth.get(p.pre, 0), network.delay_steps(name))
            if late := self._late(name):
                depth[p.post] = max(depth.get(p.post, 0), late)
        return {
            pre: np.zeros((steps, network.node(pre).size * self._n), dtype=np.bool_)
            for pre, steps in depth.items()
        }

    def _thirds(self, modulator: Numbers) -> Mapping[str | None, Sequence[float]]:
        """Return modulators of each replica by name."""
        names = dict.fromkeys(name for rule in self.rules.values() for name in rule.modulators)
        return read_modulators(modulator, [*names], self._n)

    def _late(self, name: str) -> int:
        """Return the steps from a spike to the lines ``on_post``."""
        return round(self.rules[name].post_delay / self.backend.network.dt)

    def _of(self, name: str) -> SynapseEvents:
        check_name("plastic projection", name, self._events)
        return self._events[name]

    def _held(self, k: int) -> Iterator[tuple[str, Array]]:
        """Yield all that a replica's synapses remember, by ``KIND.NAME``."""
        for name, events in self._events.items():
            yield f"weights.{name}", events.weights.reshape(self._n, -1)[k]
            for x, values in events.variables.items():
                yield f"{x}.{name}", values.reshape(self._n, -1)[k]
        for pre, last in self._last.items():
            yield f"last.{pre}", last.reshape(len(last), self._n, -1)[:, k]

    def _check(self) -> None:
        """Refuse rules, projections and backends that this can't serve."""
        backend, network = self.backend, self.backend.network
        for rule in {id(rule): rule for rule in (self.rule, *self.rules.values())}.values():
            if not isinstance(rule, SynapseRule):
                raise ArgumentError("SynapseLearning.rule", "no SynapseRule", got=quoted(rule))
        ends = {end for p in self._plastic.values() for end in (p.pre, p.post)}
        check_backend("SynapseLearning", backend, ends)
        for name, p in self._plastic.items():
            if self._late(name):
                check_delay(
                    f"rule {self.rules[name].name!r}, post_delay",
                    self.rules[name].post_delay,
                    network.dt,
                )
            if p.signed or p.pre in network.currents:
                what = "signed synapses and currents have no spikes to learn from"
                raise UnsupportedError(f"SynapseLearning, projection {name!r}", what)
