"""Learn by a rule of statements in a loop of one's own: `SynapseLearning`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Backend, Raster, State
from neurorl.backends.checks import check_replica, check_steps
from neurorl.backends.poisson import Poisson
from neurorl.backends.simulator import Lesson
from neurorl.errors import (
    ArgumentError,
    DescriptionError,
    DivergenceError,
    UnsupportedError,
    quoted,
    unknown_name_error,
)
from neurorl.learning.kept import kept, take_up
from neurorl.learning.standalone_rules import Numbers, read_modulators, read_signal
from neurorl.learning.synapse_events import SynapseEvents, Wiring
from neurorl.network.description import Projection
from neurorl.network.limits import check_delay
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.rules.synapse_rule import SynapseRule


class SynapseLearning:
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
        self.backend, self.rule, self._n = backend, rule, backend.n_replicas
        network = backend.network
        self._plastic = {p.name: p for p in network.projections if p.plasticity is not None}
        for name in rules or {}:
            if name not in self._plastic:
                where = "SynapseLearning.rules, plastic projection"
                raise unknown_name_error(where, name, self._plastic)
        self.rules = {name: (rules or {}).get(name, rule) for name in self._plastic}
        self._check()
        backend.own(self)
        self._events = {name: self._begun(p) for name, p in self._plastic.items()}
        depth = {p.pre: 0 for p in self._plastic.values()}
        for name, p in self._plastic.items():
            depth[p.pre] = max(depth[p.pre], network.delay_steps(name))
            late = self._late(name)
            if late:
                depth[p.post] = max(depth.get(p.post, 0), late)
        self._last = {
            pre: np.zeros((steps, network.node(pre).size * self._n), dtype=np.bool_)
            for pre, steps in depth.items()
        }

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
        check_steps("SynapseLearning.window", n_steps)
        told = self._signals(dict(signals or {}), n_steps)
        checked = self.backend.checked(inputs, n_steps)
        with self.backend.owner_acts():
            rasters = self.backend.step(checked, n_steps)
        nodes = {**checked, **rasters}
        for name, p in self._plastic.items():
            self._learn(name, p, nodes, told)
        for pre, last in self._last.items():
            last[:] = np.concatenate([last, nodes[pre][-len(last) :]])[-len(last) :]
        self._write([name for name, rule in self.rules.items() if rule.changes_in_steps])
        return rasters

    def reinforce(self, modulator: Numbers) -> None:
        """Run the lines ``on_reward`` of all rules, and write the weights.

        modulator: a number, or one for each replica; by name where rules have several.
        """
        self._check_open("reinforce")
        thirds = self._thirds(modulator)
        for name, events in self._events.items():
            events.reward({x: np.array(thirds[x]) for x in self.rules[name].modulators})
        self._write()

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
        check_steps("SynapseLearning.write_script, window", window)
        backend, n_steps = self.backend, window * len(modulators)
        if self._n > 1 or backend.arithmetic.name != "float":
            what, remedy = "one seed, and arithmetic float, has a script", "load it so"
            raise UnsupportedError("SynapseLearning.write_script", what, remedy=remedy)
        told = self._signals(dict(signals or {}), n_steps)
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
            lessons[name] = Lesson(rule, *ends, given, rewards, heard)
        backend.write_script(folder, inputs, n_steps, lessons)

    def weights(self, name: str) -> FloatArray:
        """Return a copy of a projection's learned weights, shaped as `Backend.weights`."""
        self._check_open("weights")
        return self._shaped(name, self._of(name).weights)

    def variable(self, name: str, variable: str) -> FloatArray:
        """Return a copy of a rule's variable at a projection.

        Of synapses it is shaped as weights, of neurons ``(size,)``, or with several seeds
        ``(n_replicas, size)``.
        """
        self._check_open("variable")
        events = self._of(name)
        if variable not in events.variables:
            raise unknown_name_error("SynapseLearning.variable", variable, events.variables)
        values = events.variables[variable]
        if variable in self.rules[name].of("synapse"):
            return self._shaped(name, values)
        return values.reshape(*self.backend.simulated.axes, -1).copy()

    def set_weights(
        self, name: str, weights: npt.ArrayLike, replica: int | None = None
    ) -> FloatArray:
        """Go on from these weights, clipped to low..high; return those in force."""
        self._check_open("set_weights")
        events, p = self._of(name), self._plastic[name].plasticity
        assert p is not None
        shape = self.backend.network.weight_shape(name)
        new = events.weights.reshape(self._n, *shape)
        which = slice(None) if replica is None else check_replica(replica, self._n)
        axes = self.backend.simulated.axes if replica is None else ()
        checked = self.backend.arithmetic.check(name, weights, axes)
        new[which] = np.clip(checked.reshape(new[which].shape), p.low, p.high)
        self._write()
        return self.backend.weights(name)

    def learns(self, name: str) -> bool:
        """Return whether a projection learns here."""
        return name in self._plastic

    def reset(self) -> None:
        """Silence the network, and let variables begin again; weights stay."""
        self._check_open("reset")
        with self.backend.owner_acts():
            self.backend.reset()
        for events in self._events.values():
            events.reset()
        for last in self._last.values():
            last[:] = False

    def close(self) -> None:
        """Let go of the backend, which keeps its weights and may then be stepped by anyone."""
        if self.backend.owner is self:
            self.backend.disown()

    def state(self, replica: int = 0) -> State:
        """Return all that `restore` needs of a replica, the backend's state included, as arrays."""
        self._check_open("state")
        k = check_replica(replica, self._n)
        return kept(self.backend, k, self._held(k))

    def restore(self, state: Mapping[str, npt.ArrayLike], replica: int = 0) -> None:
        """Go on from a state, exactly, on any backend of the same arithmetic.

        Raises RunError or ArgumentError if it doesn't fit; nothing has changed then.
        """
        self._check_open("restore")
        k = check_replica(replica, self._n)
        take_up(self.backend, k, dict(self._held(k)), state)
        self._write()

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
        post = nodes[p.post]
        if late := self._late(name):
            kept = self._last[p.post]
            post = np.concatenate([kept[len(kept) - late :], post])[:n_steps]
        events.window(arrived, post, signals)
        if not np.isfinite(events.weights).all():
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
        assert p.plasticity is not None
        network = self.backend.network
        weights = self.backend.weights(p.name).ravel().copy()
        bounds = p.plasticity.low, p.plasticity.high
        wiring = Wiring.of(network, p, self._n)
        return SynapseEvents(self.rules[p.name], wiring, weights, bounds, network.dt)

    def _write(self, names: Iterable[str] | None = None) -> None:
        """Bring learned weights into force; on a fine grid they become those in force.

        names: of their projections; None for all.
        """
        arithmetic = self.backend.arithmetic
        for name in self._events if names is None else names:
            events = self._events[name]
            shape = self.backend.network.weight_shape(name)
            new = arithmetic.masked(name, events.weights.reshape(self._n, *shape))
            with self.backend.owner_acts():
                held = self.backend.write(name, new.reshape(*self.backend.simulated.axes, *shape))
            events.weights[:] = np.ravel(held if arithmetic.is_fine else new)

    def _shaped(self, name: str, values: FloatArray) -> FloatArray:
        shape = self.backend.network.weight_shape(name)
        return values.reshape(*self.backend.simulated.axes, *shape).copy()

    def _thirds(self, modulator: Numbers) -> Mapping[str | None, Sequence[float]]:
        """Return modulators of each replica by name."""
        names = dict.fromkeys(name for rule in self.rules.values() for name in rule.modulators)
        return read_modulators(modulator, [*names], self._n)

    def _late(self, name: str) -> int:
        """Return the steps from a spike to the lines ``on_post``."""
        return round(self.rules[name].post_delay / self.backend.network.dt)

    def _of(self, name: str) -> SynapseEvents:
        if name not in self._events:
            raise unknown_name_error("plastic projection", name, self._events)
        return self._events[name]

    def _held(self, k: int) -> Iterator[tuple[str, Array]]:
        """Yield all that a replica's synapses remember, by ``KIND.NAME``."""
        for name, events in self._events.items():
            yield f"weights.{name}", events.weights.reshape(self._n, -1)[k]
            for x, values in events.variables.items():
                yield f"{x}.{name}", values.reshape(self._n, -1)[k]
        for pre, last in self._last.items():
            yield f"last.{pre}", last.reshape(len(last), self._n, -1)[:, k]

    def _check_open(self, verb: str) -> None:
        self.backend.check_open()
        if self.backend.owner is not self:
            what, remedy = "is closed", "a new SynapseLearning(backend, rule)"
            raise ArgumentError(f"SynapseLearning.{verb}", what, remedy=remedy)

    def _check(self) -> None:
        """Refuse rules, projections and backends that this can't serve."""
        backend, network = self.backend, self.backend.network
        for rule in {id(rule): rule for rule in (self.rule, *self.rules.values())}.values():
            if not isinstance(rule, SynapseRule):
                raise ArgumentError("SynapseLearning.rule", "no SynapseRule", got=quoted(rule))
        if not self._plastic:
            remedy = "Projection(..., plasticity=Plasticity(...))"
            what = "no projection of the network learns"
            raise DescriptionError("SynapseLearning", what, remedy=remedy)
        if backend.simulator.learns_by_itself:
            what, remedy = "learns by a rule of its own", "load it without learning="
            raise UnsupportedError(f"backend {backend.name}", what, remedy=remedy)
        backend.check_can("set_weights", "weights")
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
        used = {end for p in self._plastic.values() for end in (p.pre, p.post)}
        missing = sorted(used & {p.name for p in network.populations} - {*backend.record})
        if missing:
            what, remedy = "must be recorded to learn", "leave record= out, or add them"
            raise ArgumentError("SynapseLearning, record", what, got=missing, remedy=remedy)
