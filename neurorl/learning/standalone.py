"""Learn by a rule in a loop of one's own, without an agent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Backend, Raster
from neurorl.backends.checks import Inputs
from neurorl.backends.poisson import Poisson
from neurorl.backends.recording import Callback, WindowRecords, read_names
from neurorl.errors import ArgumentError
from neurorl.learning.in_c import LONGEST, parted
from neurorl.learning.membranes import Membranes
from neurorl.learning.plan import Layer, RuleConstants
from neurorl.learning.standalone_rules import (
    Numbers,
    check_backend,
    check_constants,
    check_windows,
    found_rule,
    post_factors,
    read_modulators,
    read_signal,
    rules_by_population,
    rules_by_projection,
)
from neurorl.learning.tags import PostFactors
from neurorl.learning.weights import SynapticWeights
from neurorl.network.description import Network
from neurorl.network.rewiring import Rewiring
from neurorl.network.serialization import number
from neurorl.numerics.arrays import Array, FloatArray, IntArray
from neurorl.rules import Rule
from neurorl.storage.plain import check_count

_CONSTANTS, _USUAL = ("eligibility_tau", "post_tau", "depression"), (1.0, 0.02, 1.0)


@dataclass(frozen=True)
class _Window:
    """Hold a window that eligibilities have yet to take in.

    nodes: spikes by node. read: by population, what was read of membranes. told: by name and
    population, what was broadcast.
    """

    nodes: Inputs
    n_steps: int
    read: Mapping[str, Mapping[str, FloatArray]]
    told: Mapping[str, Mapping[str, FloatArray]]


class Learning(SynapticWeights):
    """Step a backend, remember by a rule which synapses took part, and reinforce them.

    backend: from `neurorl.load`; its network's projections with ``plasticity=`` learn. With a
        sequence of seeds, replicas learn side by side, each as it would alone.
    rule: a name, or a `neurorl.rules.Rule` of texts; those that name V, y, t or M, which only
        agents have, are refused. The population ``output`` learns by the text *output*, every
        other by *hidden*; ``b`` is 1, and n and W are counted in each window.
    rules: by projection, of those that learn by another rule.
    rate: eta in ``w <- clip(w + eta M e)``.
    eligibility_tau: time constant in seconds of the eligibility; None keeps it until `reset`.
    post_tau, depression: time constant of the neurons' own traces, and A, how much they depress;
        for rules that pair spikes. A rule's own constants take the place of these three; one that
        no rule would take is refused.

    Traces, eligibilities and spikes in flight carry on from window to window. Until `close`, or
    until nobody holds it, this alone may step, reset or restore the backend, and no other may learn
    there; weights that others write by `Backend.set_weights` are taken as by `set_weights` here.

    Raises UnsupportedError for a rule or backend that can't learn so, and DescriptionError for a
    number out of range or a network where nothing learns.
    """

    def __init__(
        self,
        backend: Backend,
        rule: str | Rule = "reward-stdp",
        *,
        rules: Mapping[str, str | Rule] | None = None,
        rate: float = 1.0,
        eligibility_tau: float | None = _USUAL[0],
        post_tau: float = _USUAL[1],
        depression: float = _USUAL[2],
    ) -> None:
        self.rule = found_rule(rule)
        self.rate = number("Learning.rate", rate)
        self.rules = rules_by_projection(backend.network, self.rule, rules or {})
        used = {r.name: r for r in self.rules.values()} or {self.rule.name: self.rule}
        self._rule_names = list(used)
        if eligibility_tau is not None:
            eligibility_tau = number("Learning.eligibility_tau", eligibility_tau, low=0.0)
        post_tau = number("Learning.post_tau", post_tau, low=0.0)
        depression = number("Learning.depression", depression)
        taus, dt = (eligibility_tau, post_tau, depression), backend.network.dt
        check_constants(
            used.values(), dict(zip(_CONSTANTS, zip(taus, _USUAL, strict=True), strict=True))
        )
        constants = {name: RuleConstants(r, dt, *taus) for name, r in used.items()}
        self._constants = constants
        layers = self._layers_of(backend.network)
        ends = {name for layer in layers for name in (layer.name, *(p.pre for p in layer.into))}
        check_backend("Learning", backend, ends)
        self._membranes = Membranes(backend, rules_by_population(layers))
        backend.own(self)
        super().__init__(backend, layers)
        self._in_c, self._in_numpy = parted(self._layers, self._synapses)
        self._modulators = list(dict.fromkeys(r.modulator for r in used.values()))
        self._broadcast = {
            name: layer.rule
            for layer in self._layers
            for name in ("phi", *layer.rule.signals)
            if name in layer.text.expression.names
        }
        self._waiting: _Window | None = None
        self._records: list[WindowRecords] = []
        self._n_windows = 0

    def window(
        self,
        inputs: Mapping[str, npt.ArrayLike | Poisson],
        n_steps: int,
        signals: Mapping[str, Numbers] | None = None,
    ) -> dict[str, Raster]:
        """Advance *n_steps*, add what happened to the eligibilities, and return the rasters.

        inputs, returns: as of `Backend.step`. signals: by the names that rules have for them, a
        number, ``(size,)``, ``(n_replicas, size)``, or as rasters have it ``(n_steps, n_replicas *
        size)``; by population if they differ. If a rule names ``phi`` or a signal that isn't
        given here, the window waits for the `reinforce` that gives it.
        """
        self._check_open("window")
        self._check_none_waits("window")
        n_steps = check_count("Learning.window, n_steps", n_steps)
        told = self._read("window", self._by_name(signals), n_steps)
        checked = self.backend.checked(inputs, n_steps)
        self._take_records()
        with self.backend.owner_acts():
            rasters, read = self._membranes.step(checked, n_steps)
        self._n_windows += 1
        nodes = {**checked, **rasters}
        kept = {p.pre for layer in self._layers for p in layer.into}
        kept.update(layer.name for layer in self._layers)
        window = _Window({name: nodes[name] for name in sorted(kept)}, n_steps, read, told)
        if self._due(window):
            copies = {name: np.array(raster) for name, raster in window.nodes.items()}
            self._waiting = replace(window, nodes=copies)
        else:
            self._remember(window)
        return rasters

    def reinforce(
        self,
        modulator: Numbers,
        phi: Numbers | None = None,
        rate: float | None = None,
        signals: Mapping[str, Numbers] | None = None,
    ) -> None:
        """Let ``w <- clip(w + rate modulator e)`` and write the weights.

        modulator: a number, or one for each replica; by name where rules name their modulators.
        rate: None is that of the whole.
        phi, signals: those that rules name and the window before wasn't told, as of `window`; None
            if all is said.

        Raises ArgumentError for a wrong shape, DivergenceError for what isn't finite; nothing is
        learned then.
        """
        self._check_open("reinforce")
        eta = self.rate if rate is None else number("reinforce, rate", rate)
        thirds = read_modulators(modulator, self._modulators, self._n)
        self._hear({**self._by_name(signals), **({} if phi is None else {"phi": phi})})
        pairs = [(layer, p) for layer in self._layers for p in layer.into]
        changes = {p.name: (eta, np.array(thirds[layer.rule.modulator])) for layer, p in pairs}
        self._change(changes)

    def record(
        self, names: Sequence[str], every: int = 1, callback: Callback | None = None
    ) -> WindowRecords:
        """Return what records weights and eligibilities, window by window, in a ``with`` block.

        names: ``PROJECTION.weights`` (learned) and ``PROJECTION.eligibility``. every, callback: see
        `neurorl.backends.recording.WindowRecords`. Raises UnknownNameError.
        """
        shown = {"weights": self.weights, "eligibility": self.eligibility}
        told = {
            f"{n}.{kind}": partial(show, n) for n in self._plastic for kind, show in shown.items()
        }
        chosen = read_names(names, [*told])
        of = {name: told[name] for name in chosen}
        return WindowRecords(of, lambda: self._n_windows, self._records, every, callback)

    def _forget(self) -> None:
        self._take_records()
        self._waiting = None
        self._synapses.forget()

    def _prepare(self, verb: str) -> None:
        self._check_open(verb)
        self._check_none_waits(verb)
        if verb != "state":
            self._take_records()

    def _check_wires(self, name: str, wires: IntArray) -> None:
        if any(of.startswith(f"{name}.") for records in self._records for of in records.names):
            what, remedy = "is being recorded", "change synapses outside of the block"
            raise ArgumentError(f"projection {name!r}", what, remedy=remedy)

    def _follow(self, name: str, rewiring: Rewiring) -> None:
        old, was = self._synapses, self._plastic[name]
        layers = self._layers_of(self.backend.network)
        with self.backend.owner_acts():
            self._membranes = Membranes(self.backend, rules_by_population(layers))
        self._begin(layers)
        self._in_c, self._in_numpy = parted(self._layers, self._synapses)
        self._carry(old, was, rewiring)

    def _layers_of(self, network: Network) -> list[Layer]:
        return [*Layer.all_of(network, self.rules, lambda rule: self._constants[rule.name])]

    def _take_records(self) -> None:
        """Let those who record take what the last window, which is over, has left."""
        for records in self._records:
            records.take()

    def _held(self, k: int) -> Iterator[tuple[str, Array]]:
        """Yield all that a replica's synapses remember, by ``KIND.NAME``."""
        for kind, arrays in vars(self._synapses).items():
            yield from ((f"{kind}.{name}", array[k]) for name, array in arrays.items())

    def _check_none_waits(self, verb: str) -> None:
        if self._waiting is not None:
            name, rule = self._due(self._waiting)[0]
            what = f"rule {rule.name!r} names {name}, which the window before still needs"
            say_it = "phi=..." if name == "phi" else f"signals={{{name!r}: ...}}"
            remedy = f"reinforce(modulator, {say_it}) first; modulator 0 learns nothing"
            raise ArgumentError(f"Learning.{verb}", what, remedy=remedy)

    def _due(self, window: _Window) -> list[tuple[str, Rule]]:
        """Return what a window has yet to hear, and a rule that names each."""
        return [item for item in self._broadcast.items() if item[0] not in window.told]

    def _read(
        self, where: str, signals: Mapping[str, Numbers], n_steps: int | None
    ) -> dict[str, dict[str, FloatArray]]:
        """Return signals by name and population. Raises ArgumentError for one of no rule."""
        for name in signals:
            if name not in self._broadcast:
                names = " or ".join(repr(layer) for layer in self._rule_names)
                what = f"rule {names} doesn't name {name}"
                raise ArgumentError(f"{where}, {name}", what, remedy="leave it out")
        read, others = {}, [layer.name for layer in self._layers]
        for name, x in signals.items():
            named = {t.name: t.size for t in self._layers if name in t.text.expression.names}
            steps = None if name == "phi" else n_steps
            read[name] = read_signal(where, name, x, named, others, self._n, steps)
        return read

    def _hear(self, signals: Mapping[str, Numbers]) -> None:
        """Let the window that waits hear what it waits for."""
        window = self._waiting
        due = [] if window is None else [name for name, _ in self._due(window)]
        told = self._read("reinforce", signals, None if window is None else window.n_steps)
        for name in (*due, *told):
            if (name in due) != (name in told):
                what = "is missing" if name in due else "no window waits for it"
                remedy = f"one {name} for each window"
                raise ArgumentError(f"reinforce, {name}", what, remedy=remedy)
        if window is not None:
            self._remember(replace(window, told={**window.told, **told}))
            self._waiting = None

    def _remember(self, window: _Window) -> None:
        """Let eligibilities take a window in, of all replicas or of none."""
        posts = [(t, *self._post_factors(t, window)) for t in self._layers]
        factors = [(layer.rule.name, layer.name, post) for layer, post, _ in posts]
        check_windows(factors, self._n)
        is_in_c = self._in_c is not None and window.n_steps <= LONGEST
        in_c, layers = (self._in_c, self._in_numpy) if is_in_c else (None, self._layers)
        if in_c is not None:
            in_c.remember(window.nodes, {layer.key: post for layer, post, _ in posts})
        for layer, (_, post, gate) in zip(layers, posts, strict=True):
            if layer.into:
                self._synapses.remember(layer, window.nodes, post, gate)
            self._synapses.go_on(layer, post.raster)
        if in_c is not None:
            in_c.settle()
        self._synapses.deliver(window.nodes)

    def _post_factors(self, layer: Layer, window: _Window) -> tuple[PostFactors, FloatArray | None]:
        """Return the post factors and gates of all replicas."""
        raster = window.nodes[layer.name]
        named: dict[str, FloatArray] = dict(window.read.get(layer.name, {}))
        for name, told in window.told.items():
            if layer.name in told:
                of_steps = told[layer.name].transpose(1, 0, 2).reshape(-1, self._n * layer.size)
                named[name] = of_steps[0] if len(of_steps) == 1 else of_steps
        if layer.rule.names("slow"):
            named["slow"] = self._synapses.slow(layer, raster)
        return post_factors(layer, raster, named)
