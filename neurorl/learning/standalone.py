"""Learn by a rule in a loop of one's own, without an agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Backend, Raster, State
from neurorl.backends.checks import Inputs, check_inputs, check_replica, check_steps
from neurorl.errors import (
    ArgumentError,
    unknown_name_error,
)
from neurorl.learning import listed
from neurorl.learning.broadcasts import Numbers, read_modulators, read_signal
from neurorl.learning.constants import RuleConstants
from neurorl.learning.finite import check_steps_of_weights, check_windows
from neurorl.learning.levels import levels_of
from neurorl.learning.listed import PostFactors
from neurorl.learning.membranes import Membranes
from neurorl.learning.plan import Plastic
from neurorl.learning.standalone_rules import (
    check_backend,
    check_constants,
    found_rule,
    rules_by_population,
    rules_by_projection,
)
from neurorl.learning.synapses import Synapses, Target, post_factors
from neurorl.network.serialization import number
from neurorl.numerics.arrays import FloatArray
from neurorl.rules import Rule
from neurorl.rules.three_factor import apply_modulator

__all__ = ["Learning"]

_BACKEND = "backend."
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


class Learning:
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
        self.backend, self.rate = backend, number("Learning.rate", rate)
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
        constants = {name: RuleConstants.of(r, dt, *taus) for name, r in used.items()}
        self._targets = Target.all_of(backend.network, self.rules, constants)
        check_backend(backend, self._targets)
        self._membranes = Membranes(backend, rules_by_population(self._targets))
        backend.own(self)
        self._synapses, self._n = Synapses.of(backend, self._targets), backend.n_replicas
        plastic = [p for target in self._targets for p in target.into]
        self._plastic = {p.name: p for p in plastic}
        self._levels = levels_of(backend.arithmetic, plastic)
        self._take_levels()
        with backend.owner_acts():
            self._lent = self._borrow(plastic)
        self._modulators = list(dict.fromkeys(r.modulator for r in used.values()))
        self._broadcast = {
            name: target.rule
            for target in self._targets
            for name in ("phi", *target.rule.signals)
            if name in target.text.expression.names
        }
        self._waiting: _Window | None = None

    def window(
        self,
        inputs: Mapping[str, npt.ArrayLike],
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
        check_steps("Learning.window", n_steps)
        told = self._read("window", signals or {}, n_steps)
        whole, currents = self.backend.simulated.whole, self.backend.network.currents
        sizes = {source.name: source.size for source in whole.sources}
        checked = check_inputs(inputs, sizes, n_steps, currents)
        with self.backend.owner_acts():
            rasters, read = self._membranes.step(checked, n_steps)
        nodes = {**checked, **rasters}
        kept = {p.pre for target in self._targets for p in target.into}
        kept.update(target.name for target in self._targets)
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
        self._hear(dict(signals or {}) | ({} if phi is None else {"phi": phi}))
        pairs = [(target, p) for target in self._targets for p in target.into]
        steps = {p.name: np.multiply(eta, thirds[target.rule.modulator]) for target, p in pairs}
        for name, step in steps.items() if self._levels else ():
            check_steps_of_weights(name, self._levels[name].factor(step))
        learned: dict[str, FloatArray] = {}
        for target, p in pairs:
            w, e = self._synapses.weights[p.name], self._synapses.eligibility[p.name]
            if p.name in self._lent:
                for k, step in enumerate(steps[p.name]):
                    listed.reinforce(w[k], e[k], self._levels[p.name], float(step))
                if self._lent[p.name] is not None:
                    np.copyto(w, 0.0, where=self._lent[p.name])
                continue
            shape = (-1,) + (1,) * (w.ndim - 1)
            if self._levels:
                new = self._levels[p.name].changed(w, e, np.reshape(steps[p.name], shape))
            else:
                third = np.reshape(thirds[target.rule.modulator], shape)
                new = apply_modulator(w, e, third, eta, p.low, p.high)
                check_steps_of_weights(p.name, new)
            learned[p.name] = self.backend.arithmetic.masked(p.name, new)
        for name, rows in learned.items():
            self._write(name, rows)

    def weights(self, name: str) -> FloatArray:
        """Return a copy of a projection's learned weights, shaped as `Backend.weights`.

        In coarse arithmetic those in force are rounded copies of them.
        """
        return self._shown(name, self._synapses.weights)

    def set_weights(
        self, name: str, weights: npt.ArrayLike, replica: int | None = None
    ) -> FloatArray:
        """Go on from these weights, each clipped to low..high; return those in force.

        Eligibilities, traces and spikes in flight stay. `Backend.set_weights` does the same.

        weights: shaped as `weights` returns them. replica: the one whose they are, in the shape
        that it would have alone; None for all.
        Raises ArgumentError for a wrong shape or a number that isn't finite.
        """
        self._check_open("set_weights")
        new, arithmetic = self._of(name, self._synapses.weights).copy(), self.backend.arithmetic
        which = slice(None) if replica is None else check_replica(replica, self._n)
        axes = self.backend.simulated.axes if replica is None else ()
        new[which] = arithmetic.check(name, weights, axes).reshape(new[which].shape)
        p = self._plastic[name]
        levels = self._levels.get(name)
        within = np.clip(new, p.low, p.high) if levels is None else levels.nearest(new)
        self._write(name, arithmetic.masked(name, within))
        return self.backend.weights(name)

    def learns(self, name: str) -> bool:
        """Return whether a projection learns here."""
        return name in self._plastic

    def eligibility(self, name: str) -> FloatArray:
        """Return a copy of a projection's eligibilities, shaped as its weights."""
        return self._shown(name, self._synapses.eligibility)

    def reset(self) -> None:
        """Silence the network and forget all but the weights."""
        self._check_open("reset")
        with self.backend.owner_acts():
            self.backend.reset()
        self._waiting = None
        self._synapses.forget()

    def close(self) -> None:
        """Let go of the backend, which keeps its weights and may then be stepped by anyone."""
        if self.backend.owner is self:
            self.backend.disown()

    def state(self, replica: int = 0) -> State:
        """Return all that `restore` needs of a replica, the backend's state included, as arrays."""
        self._check_open("state")
        self._check_none_waits("state")
        k = check_replica(replica, self._n)
        held = {f"{_BACKEND}{key}": np.asarray(a) for key, a in self.backend.state(k).items()}
        return {**held, **self._synapses.state(k)}

    def restore(self, state: Mapping[str, npt.ArrayLike], replica: int = 0) -> None:
        """Go on from a state, exactly, on any backend of the same arithmetic.

        Raises RunError or ArgumentError if it doesn't fit; nothing has changed then.
        """
        self._check_open("restore")
        self._check_none_waits("restore")
        k = check_replica(replica, self._n)
        arrays = {key: np.asarray(value) for key, value in state.items()}
        self._synapses.check(arrays, k)
        held = {key: a for key, a in arrays.items() if key.startswith(_BACKEND)}
        with self.backend.owner_acts():
            self.backend.restore({key.removeprefix(_BACKEND): a for key, a in held.items()}, k)
        self._synapses.restore(arrays, k)
        self._take_levels()

    def _check_open(self, verb: str) -> None:
        """Raise an error if the backend is closed, or this has let go of it."""
        self.backend.check_open()
        if self.backend.owner is not self:
            what, remedy = "is closed", "a new Learning(backend)"
            raise ArgumentError(f"Learning.{verb}", what, remedy=remedy)

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
                names = " or ".join(repr(target) for target in self._rule_names)
                what = f"rule {names} doesn't name {name}"
                raise ArgumentError(f"{where}, {name}", what, remedy="leave it out")
        return {name: self._read_one(where, name, x, n_steps) for name, x in signals.items()}

    def _read_one(
        self, where: str, name: str, signal: Numbers, n_steps: int | None
    ) -> dict[str, FloatArray]:
        named = {t.name: t.size for t in self._targets if name in t.text.expression.names}
        others = [target.name for target in self._targets]
        n_steps = None if name == "phi" else n_steps
        return read_signal(where, name, signal, named, others, self._n, n_steps)

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
        posts = [(t, *self._post_factors(t, window)) for t in self._targets]
        factors = [(target.rule.name, target.name, post) for target, post, _ in posts]
        check_windows(factors, self._n)
        for target, post, gate in posts:
            self._synapses.remember(target, window.nodes, post, gate)
        self._synapses.deliver(window.nodes)

    def _post_factors(
        self, target: Target, window: _Window
    ) -> tuple[PostFactors, FloatArray | None]:
        """Return the post factors and gates of all replicas."""
        raster = window.nodes[target.name]
        named: dict[str, FloatArray] = dict(window.read.get(target.name, {}))
        for name, told in window.told.items():
            if target.name in told:
                of_steps = told[target.name].transpose(1, 0, 2).reshape(-1, self._n * target.size)
                named[name] = of_steps[0] if len(of_steps) == 1 else of_steps
        if target.rule.names("slow"):
            named["slow"] = self._synapses.slow(target, raster)
        return post_factors(target, raster, named)

    def _take_levels(self) -> None:
        """Bring weights that aren't on their levels there, as others' may be, and into force."""
        for name, levels in self._levels.items():
            weights = self._synapses.weights[name]
            levels.warn_of_lost(name, weights, self.backend.arithmetic)
            self._write(name, self.backend.arithmetic.masked(name, levels.nearest(weights)))

    def _borrow(self, plastic: Sequence[Plastic]) -> dict[str, npt.NDArray[np.bool_] | None]:
        """Let large projections learn where the backend has their weights.

        Returns by name where they have no synapse, None if they have all.
        """
        lent = dict[str, npt.NDArray[np.bool_] | None]()
        for p in plastic if self._levels else ():
            memory = self.backend.transmitted(p.name) if listed.is_compiled(p, 1) else None
            if memory is None or memory.dtype != np.float64:
                continue
            mask = self.backend.network.projection(p.name).mask
            lent[p.name] = None if mask is None else ~np.asarray(mask)
            self._synapses.weights[p.name] = memory.reshape(self._n, *p.shape)
        return lent

    def _write(self, name: str, weights: FloatArray) -> None:
        shape = (*self.backend.simulated.axes, *self.backend.network.weight_shape(name))
        held = self.backend.write(name, weights.reshape(shape))
        # On a fine grid the weights in force learn; else float weights do, and are copied rounded.
        learned = np.reshape(held, weights.shape) if self.backend.arithmetic.is_fine else weights
        self._synapses.weights[name][...] = learned

    def _shown(self, name: str, by_name: Mapping[str, FloatArray]) -> FloatArray:
        self._check_open("weights")
        held = self._of(name, by_name)
        return held.reshape(*self.backend.simulated.axes, *held.shape[1:]).copy()

    def _of(self, name: str, by_name: Mapping[str, FloatArray]) -> FloatArray:
        if name not in by_name:
            raise unknown_name_error("plastic projection", name, by_name)
        return by_name[name]
