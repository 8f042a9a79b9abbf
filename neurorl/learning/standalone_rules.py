"""Find the rules of `neurorl.Learning` and their post factors, and read what its caller tells."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Backend, Raster
from neurorl.errors import ArgumentError, DescriptionError, UnsupportedError, check_name, quoted
from neurorl.learning.finite import NotFiniteError, are_no_factors, check_factors, explained
from neurorl.learning.plan import Layer
from neurorl.learning.tags import PostFactors
from neurorl.network.description import Network
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.elementary import on_grid
from neurorl.rules import Decision, Rule, find_rule

_OF_AGENTS = ("V", "y", "t", "M")


def found_rule(rule: object) -> Rule:
    """Return the rule of a name, or a rule that learns without an agent.

    Raises UnsupportedError for one that only agents can serve.
    """
    found = find_rule(rule) if isinstance(rule, str) else rule
    if not isinstance(found, Rule):
        raise ArgumentError("Learning.rule", "neither a name nor a Rule", got=quoted(rule))
    if not found.is_text:
        what = "is a function of an agent's decision"
        remedy = "a Rule of texts, output= and hidden="
        raise UnsupportedError(found.where(), what, remedy=remedy)
    for name in _OF_AGENTS:
        if found.names(name):
            what = f"needs {name}, which only agents have"
            remedy = "a rule of spike, phi, n and W, such as 'spikes-only'"
            raise UnsupportedError(found.where(name), what, remedy=remedy)
    return found


def rules_by_projection(
    network: Network, rule: Rule, rules: Mapping[str, str | Rule]
) -> dict[str, Rule]:
    """Return the rule of each projection that learns: *rule*, or what *rules* has for it."""
    plastic = [p.name for p in network.projections if p.plasticity is not None]
    for name in rules:
        check_name("Learning.rules, plastic projection", name, plastic)
    chosen = {name: found_rule(rules[name]) if name in rules else rule for name in plastic}
    known: dict[str, Rule] = {}
    for one in chosen.values():
        if known.setdefault(one.name, one) is not one:
            what, remedy = "two rules of one name", "a name for each"
            raise DescriptionError("Learning.rules", what, got=one.name, remedy=remedy)
    return chosen


def check_constants(rules: Collection[Rule], named: Mapping[str, tuple[object, object]]) -> None:
    """Raise ArgumentError for a constant that no rule takes from `Learning`.

    named: by its name, what was given, and what it is by default.
    """
    for name, (got, usual) in named.items():
        takers = [rule for rule in rules if getattr(rule, name) is None]
        if name == "eligibility_tau":
            takers = [rule for rule in takers if rule.eligibility_keep is None]
        else:
            takers = [rule for rule in takers if rule.pairs_spikes]
        if got != usual and not takers:
            own = [repr(rule.name) for rule in rules if getattr(rule, name) is not None]
            why = (
                f"rule {' or '.join(own)} has its own"
                if own
                else "no rule takes it: none pairs spikes"
            )
            if name == "eligibility_tau" and not own:
                why = "the rule keeps a share of each window"
            raise ArgumentError(f"Learning.{name}", why, got=quoted(got), remedy="leave it out")


def rules_by_population(targets: Sequence[Layer]) -> dict[str, list[Rule]]:
    return {t.name: [other.rule for other in targets if other.name == t.name] for t in targets}


def check_backend(who: str, backend: Backend, ends: Collection[str]) -> None:
    """Raise an error unless the weights are the caller's to write, and what learns is recorded.

    who: the name of what learns. ends: nodes at the ends of projections that learn.
    """
    if not ends:
        remedy = "Projection(..., plasticity=Plasticity(...))"
        raise DescriptionError(who, "no projection of the network learns", remedy=remedy)
    if backend.simulator.learns_by_itself:
        what, remedy = "learns by a rule of its own", "load it without learning="
        raise UnsupportedError(f"backend {backend.name}", what, remedy=remedy)
    backend.check_can("set_weights", "weights")
    missing = sorted(
        {p.name for p in backend.network.populations}.intersection(ends) - {*backend.record}
    )
    if missing:
        what, remedy = "must be recorded to learn", "leave record= out, or add them"
        raise ArgumentError(f"{who}, record", what, got=missing, remedy=remedy)


def post_factors(
    layer: Layer, raster: Raster, named: Mapping[str, FloatArray | float]
) -> tuple[PostFactors, FloatArray | None]:
    """Return the post factors, and what gates depression ``(N * n,)``, None for 1.

    named: what the rule names beyond spikes; ``phi`` is 1 if it isn't there.
    Factors that aren't finite are left for the caller to find; gates, and gains for each spike, are
    those of neurons without a spike, and 0.
    """
    phi = np.broadcast_to(named.get("phi", 1.0), (raster.shape[1],))
    decision = Decision(0, phi, output=raster, output_from=0, output_named=named)
    if "p" in named:
        decision = replace(decision, output_p=np.asarray(named["p"]))
    if not layer.text.is_gain:
        factors = on_grid(layer.text.factors(decision, decision.output_layer))
        return PostFactors(raster, factors, is_gain=False), None
    gain = on_grid(layer.text.gain(decision, decision.output_layer))
    odd = are_no_factors(gain)
    gate = None
    if layer.rule.gates_depression:
        gate = np.where(odd, 0.0, gain)
    if odd.any():
        gain[odd & ~raster.any(axis=0)] = 0.0
    return PostFactors(raster, gain, is_gain=True), gate


def check_windows(posts: Sequence[tuple[str, str, PostFactors]], n_replicas: int) -> None:
    """Raise DivergenceError for a post factor of a window that isn't finite, with its place.

    posts: the rule's name, the population's and its factors, of replicas side by side.
    """
    if not any(are_no_factors(post.numbers).any() for _, _, post in posts):
        return
    for k in range(n_replicas):
        for rule, population, post in posts:
            try:
                check_factors(rule, {population: post.of(k, n_replicas).factors}, k)
            except NotFiniteError as problem:
                raise explained(f"replica {k}", problem) from None


Numbers = npt.ArrayLike | Mapping[str, npt.ArrayLike]
"""Accept a number, an array, or a mapping of names to these."""


def read_modulators(
    modulator: Numbers, names: Sequence[str | None], n_replicas: int
) -> dict[str | None, list[float]]:
    """Return the modulator of each replica by the *names* that rules have for it.

    A plain number or array is that of all rules; else every name needs one. Raises ArgumentError.
    """
    if not isinstance(modulator, Mapping):
        one = _per_replica("reinforce, modulator", modulator, n_replicas)
        return dict.fromkeys(names, one)
    if None in names:
        what, remedy = "a rule names no modulator", "a number, or modulator= of every rule"
        raise ArgumentError("reinforce, modulator", what, got=[*modulator], remedy=remedy)
    if set(modulator) != set(names):
        what, got = "by the names that rules have", list(modulator)
        raise ArgumentError("reinforce, modulator", what, got=got, limit=list(names))
    return {
        name: _per_replica(f"reinforce, modulator {name!r}", value, n_replicas)
        for name, value in modulator.items()
    }


def _per_replica(where: str, modulator: npt.ArrayLike, n: int) -> list[float]:
    values = _finite(where, modulator)
    if values.shape not in ((), (n,)):
        limit = f"a number, or {n} for the replicas"
        raise ArgumentError(where, "wrong shape", got=values.shape, limit=limit)
    return [float(value) for value in np.broadcast_to(values, n)]


def read_signal(
    where: str,
    name: str,
    signal: Numbers,
    sizes: Mapping[str, int],
    others: Collection[str],
    n_replicas: int,
    n_steps: int | None,
) -> dict[str, FloatArray]:
    """Return a signal of each neuron by population.

    signal: a number, ``(size,)`` or ``(n_replicas, size)`` for the whole window; unless *n_steps*
        is None also ``(n_steps, n_replicas * size)``, as rasters are. By population if they differ.
    sizes: of the populations that need it. others: those that may be named beside them.
    Returns ``(n_replicas, 1 or n_steps, size)``. Raises ArgumentError.
    """
    if not isinstance(signal, Mapping):
        signal = dict.fromkeys(sizes, signal)
    if not set(sizes) <= set(signal) <= {*sizes, *others}:
        raise ArgumentError(f"{where}, {name}", "by population", got=[*signal], limit=[*sizes])
    return {
        population: _spread(
            f"{name} of {population!r}", signal[population], size, n_replicas, n_steps
        )
        for population, size in sizes.items()
    }


def _spread(
    where: str, signal: npt.ArrayLike, size: int, n_replicas: int, n_steps: int | None
) -> FloatArray:
    values, shape = _finite(where, signal), (n_replicas, size)
    if values.shape in ((), (size,), shape):
        return np.broadcast_to(values, shape)[:, None, :]
    in_steps = None if n_steps is None else (n_steps, n_replicas * size)
    if in_steps is not None and values.shape == in_steps:
        return values.reshape(in_steps[0], n_replicas, size).transpose(1, 0, 2)
    limit = f"a number, {(size,)} or {shape}" + (f" or {in_steps}" if in_steps else "")
    raise ArgumentError(where, "wrong shape", got=values.shape, limit=limit)


def _finite(where: str, values: npt.ArrayLike) -> FloatArray:
    """Return finite numbers as float64. Raises ArgumentError."""
    array = np.asarray(values)
    if array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise ArgumentError(where, "not finite numbers", got=quoted(values))
    return array.astype(np.float64)
