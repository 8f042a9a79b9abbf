"""Learn by a rule in a loop of one's own, without an agent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Backend, Raster, State
from neurorl.backends.checks import Inputs, check_inputs, check_replica, check_steps
from neurorl.errors import (
    ArgumentError,
    DescriptionError,
    DivergenceError,
    UnsupportedError,
    quoted,
    unknown_name_error,
)
from neurorl.learning.finite import NotFiniteError, check_factors, explained
from neurorl.learning.synapses import Constants, Synapses, Target, post_factors
from neurorl.network.serialization import FloatArray, number
from neurorl.numerics.elementary import on_grid
from neurorl.rules import Rule, find_rule
from neurorl.rules.three_factor import apply_modulator

__all__ = ["Learning"]

_OF_AGENTS = ("p", "V", "y", "t")
_BACKEND = "backend."


class Learning:
    """Step a backend, remember by a rule which synapses took part, and reinforce them.

    backend: from `neurorl.load`; its network's projections with ``plasticity=`` learn. With a
        sequence of seeds, replicas learn side by side, each as it would alone.
    rule: a name, or a `neurorl.rules.Rule` of texts over ``spike``, ``phi``, ``b``, ``n`` and
        ``W``. The population ``output`` learns by the text *output*, every other by *hidden*; ``b``
        is 1, and n and W are counted in each window.
    rate: eta in ``w <- clip(w + eta M e)``.
    eligibility_tau: time constant in seconds of the eligibility; None keeps it until `reset`.
    post_tau, depression: time constant of the neurons' own traces, and A, how much they depress;
        for rules that pair spikes.

    Traces, eligibilities and spikes in flight carry on from window to window. Nobody else may step
    the backend or write its plastic weights meanwhile.

    Raises UnsupportedError for a rule or backend that can't learn so, and DescriptionError for a
    number out of range or a network where nothing learns.
    """

    def __init__(
        self,
        backend: Backend,
        rule: str | Rule = "reward-stdp",
        *,
        rate: float = 1.0,
        eligibility_tau: float | None = 1.0,
        post_tau: float = 0.02,
        depression: float = 1.0,
    ) -> None:
        self.rule = find_rule(rule) if isinstance(rule, str) else rule
        _check_rule(self.rule)
        self.backend, self.rate = backend, number("Learning.rate", rate)
        if eligibility_tau is not None:
            number("Learning.eligibility_tau", eligibility_tau, low=0.0)
        number("Learning.post_tau", post_tau, low=0.0)
        number("Learning.depression", depression)
        self._constants = Constants.of(backend.network.dt, eligibility_tau, post_tau, depression)
        self._targets = Target.all_of(backend, self.rule)
        _check_backend(backend, self._targets)
        self._replicas = [Synapses.of(backend, self._targets, k) for k in range(backend.n_replicas)]
        self._has_phi = any("phi" in target.text.expression.names for target in self._targets)
        self._waiting: Inputs = {}

    def window(self, inputs: Mapping[str, npt.ArrayLike], n_steps: int) -> dict[str, Raster]:
        """Advance *n_steps*, add what happened to the eligibilities, and return the rasters.

        inputs, returns: as of `Backend.step`. Under a rule that names ``phi`` the window waits for
        the `reinforce` that says it.
        """
        self._check_none_waits("window")
        check_steps("Learning.window", n_steps)
        whole, currents = self.backend.simulated.whole, self.backend.network.currents
        sizes = {source.name: source.size for source in whole.sources}
        checked = check_inputs(inputs, sizes, n_steps, currents)
        rasters = self.backend.step(checked, n_steps)
        nodes = {**checked, **rasters}
        kept = {p.pre for target in self._targets for p in target.into}
        kept.update(target.name for target in self._targets)
        self._waiting = {name: np.array(nodes[name]) for name in sorted(kept)}
        if not self._has_phi:
            window, self._waiting = self._waiting, {}
            self._remember(window, {t.name: self._spread(1.0, t) for t in self._targets})
        return rasters

    def reinforce(
        self,
        modulator: npt.ArrayLike,
        phi: npt.ArrayLike | Mapping[str, npt.ArrayLike] | None = None,
        rate: float | None = None,
    ) -> None:
        """Let ``w <- clip(w + rate modulator e)`` and write the weights.

        modulator: a number, or one for each replica. rate: None is that of the whole.
        phi: for rules that name it, of the window before: a number, one for each neuron, or
            ``(n_replicas, size)``; by population if several learn and differ. None if that is said.

        Raises ArgumentError for a wrong shape, DivergenceError for what isn't finite; nothing is
        learned then.
        """
        eta = self.rate if rate is None else number("reinforce, rate", rate)
        signals = self._modulators(modulator)
        signal = self._phi(phi)
        if signal:
            self._remember(self._waiting, signal)
            self._waiting = {}
        learned: dict[str, list[FloatArray]] = {}
        for synapses, third in zip(self._replicas, signals, strict=True):
            for p in (p for target in self._targets for p in target.into):
                w, e = synapses.weights[p.name], synapses.eligibility[p.name]
                new = apply_modulator(w, e, third, eta, p.low, p.high)
                learned.setdefault(p.name, []).append(self.backend.arithmetic.masked(p.name, new))
        for name, rows in learned.items():
            if not np.isfinite(rows).all():
                remedy = "lower rate or the modulator"
                raise DivergenceError(f"weights of {name!r}", "are not finite", remedy=remedy)
        for name, rows in learned.items():
            self._write(name, np.stack(rows))

    def weights(self, name: str) -> FloatArray:
        """Return a copy of a projection's learned weights, shaped as `Backend.weights`.

        In coarse arithmetic those in force are rounded copies of them.
        """
        return self._shown(name, [s.weights for s in self._replicas])

    def eligibility(self, name: str) -> FloatArray:
        """Return a copy of a projection's eligibilities, shaped as its weights."""
        return self._shown(name, [s.eligibility for s in self._replicas])

    def reset(self) -> None:
        """Silence the network and forget all but the weights."""
        self.backend.reset()
        self._waiting = {}
        for synapses in self._replicas:
            synapses.forget()

    def state(self, replica: int = 0) -> State:
        """Return all that `restore` needs of a replica, the backend's state included, as arrays."""
        self._check_none_waits("state")
        k = check_replica(replica, len(self._replicas))
        held = {f"{_BACKEND}{key}": np.asarray(a) for key, a in self.backend.state(k).items()}
        return {**held, **self._replicas[k].state()}

    def restore(self, state: Mapping[str, npt.ArrayLike], replica: int = 0) -> None:
        """Go on from a state, exactly, on any backend of the same arithmetic.

        Raises RunError or ArgumentError if it doesn't fit; nothing has changed then.
        """
        self._check_none_waits("restore")
        k = check_replica(replica, len(self._replicas))
        arrays = {key: np.asarray(value) for key, value in state.items()}
        self._replicas[k].check(arrays)
        held = {key: a for key, a in arrays.items() if key.startswith(_BACKEND)}
        self.backend.restore({key.removeprefix(_BACKEND): a for key, a in held.items()}, k)
        self._replicas[k].restore(arrays)

    def _check_none_waits(self, verb: str) -> None:
        if self._waiting:
            what = f"rule {self.rule.name!r} names phi, which the window before still needs"
            remedy = "reinforce(modulator, phi=...) first; modulator 0 learns nothing"
            raise ArgumentError(f"Learning.{verb}", what, remedy=remedy)

    def _remember(self, window: Inputs, phi: Mapping[str, FloatArray]) -> None:
        """Let eligibilities take a window in, of all replicas or of none."""
        sizes = {name: self.backend.network.node(name).size for name in window}
        replicas = list(enumerate(self._replicas))
        spikes = [
            {name: a[..., k * sizes[name] : (k + 1) * sizes[name]] for name, a in window.items()}
            for k, _ in replicas
        ]
        posts = [
            {
                t.name: post_factors(t, self.rule, spikes[k][t.name], phi[t.name][k])
                for t in self._targets
            }
            for k, _ in replicas
        ]
        for k, post in enumerate(posts):
            try:
                check_factors(self.rule.name, {name: f for name, (f, _) in post.items()}, k)
            except NotFiniteError as problem:
                raise explained(f"replica {k}", problem) from None
        pairs = self.rule.pairs_spikes
        for k, synapses in replicas:
            for target in self._targets:
                factors, gate = posts[k][target.name]
                observed = (on_grid(factors), gate)
                synapses.remember(target, spikes[k], observed, self._constants, pairs)
            synapses.deliver(spikes[k])

    def _write(self, name: str, weights: FloatArray) -> None:
        shape = self.backend.weights(name).shape
        held = self.backend.set_weights(name, weights.reshape(shape))
        # On a fine grid the weights in force learn; else float weights do, and are copied rounded.
        learned = np.reshape(held, weights.shape) if self.backend.arithmetic.is_fine else weights
        for synapses, w in zip(self._replicas, learned, strict=True):
            synapses.weights[name][...] = w

    def _shown(self, name: str, by_name: Sequence[Mapping[str, FloatArray]]) -> FloatArray:
        if name not in by_name[0]:
            raise unknown_name_error("plastic projection", name, by_name[0])
        stacked = np.stack([arrays[name] for arrays in by_name])
        return stacked.reshape(self.backend.weights(name).shape)

    def _modulators(self, modulator: npt.ArrayLike) -> list[float]:
        n = len(self._replicas)
        signals = _numbers("reinforce, modulator", modulator)
        if signals.shape not in ((), (n,)):
            limit = f"a number, or {n} for the replicas"
            raise ArgumentError(
                "reinforce, modulator", "wrong shape", got=signals.shape, limit=limit
            )
        return [float(signal) for signal in np.broadcast_to(signals, n)]

    def _phi(
        self, phi: npt.ArrayLike | Mapping[str, npt.ArrayLike] | None
    ) -> dict[str, FloatArray]:
        """Return phi ``(n_replicas, size)`` by population, nothing if none is due."""
        if not self._has_phi and phi is not None:
            what = f"rule {self.rule.name!r} doesn't name phi"
            raise ArgumentError("reinforce, phi", what, remedy="leave it out")
        if bool(self._waiting) != (phi is not None):
            what = "is missing" if self._waiting else "no window waits for it"
            raise ArgumentError("reinforce, phi", what, remedy="one phi for each window")
        if phi is None:
            return {}
        names = [target.name for target in self._targets]
        if not isinstance(phi, Mapping):
            phi = dict.fromkeys(names, phi)
        if set(phi) != set(names):
            raise ArgumentError("reinforce, phi", "by population", got=[*phi], limit=names)
        return {target.name: self._spread(phi[target.name], target) for target in self._targets}

    def _spread(self, phi: npt.ArrayLike, target: Target) -> FloatArray:
        where, shape = f"phi of {target.name!r}", (len(self._replicas), target.size)
        numbers = _numbers(where, phi)
        if numbers.shape not in ((), shape[1:], shape):
            limit = f"a number, {shape[1:]} or {shape}"
            raise ArgumentError(where, "wrong shape", got=numbers.shape, limit=limit)
        return np.broadcast_to(numbers, shape)


def _check_rule(rule: object) -> None:
    """Raise UnsupportedError for a rule that only agents can serve."""
    if not isinstance(rule, Rule):
        raise ArgumentError("Learning.rule", "neither a name nor a Rule", got=quoted(rule))
    if not rule.is_text:
        what, remedy = (
            "is a function of an agent's decision",
            "a Rule of texts, output= and hidden=",
        )
        raise UnsupportedError(rule.where(), what, remedy=remedy)
    named = {name for text in rule.texts for name in text.expression.names}
    for name in _OF_AGENTS:
        if name in named:
            what = f"needs {name}, which only agents have"
            remedy = "a rule of spike, phi, n and W, such as 'spikes-only'"
            raise UnsupportedError(rule.where(name), what, remedy=remedy)


def _check_backend(backend: Backend, targets: Sequence[Target]) -> None:
    """Raise an error unless the weights are the caller's to write, and what learns is recorded."""
    if backend.learning != "host":
        what, remedy = "learns by a rule of its own", "load it without learning="
        raise UnsupportedError(f"backend {backend.name}", what, remedy=remedy)
    backend.check_can("set_weights", "weights")
    if not targets:
        remedy = "Projection(..., plasticity=Plasticity(...))"
        raise DescriptionError("Learning", "no projection of the network learns", remedy=remedy)
    populations = {p.name for p in backend.network.populations}
    used = {name for t in targets for name in (t.name, *(p.pre for p in t.into))}
    missing = sorted(used & populations - set(backend.record))
    if missing:
        what, remedy = "must be recorded to learn", "leave record= out, or add them"
        raise ArgumentError("Learning, record", what, got=missing, remedy=remedy)


def _numbers(where: str, values: npt.ArrayLike) -> FloatArray:
    """Return finite numbers as float64. Raises ArgumentError."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise ArgumentError(where, "not finite numbers", got=quoted(values))
    return array.astype(np.float64)
