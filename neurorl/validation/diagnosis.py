"""Find why a backend deviates: the variant that predicts all that it did and does.

What was recorded is enacted again, by the same calls and by single steps, and so are probes of
other seeds. A variant is named only if it predicts every spike and variable of all of these, and
if a probe that it wasn't fitted to shows the fault too.

Probes do only what the recorded history did too: a backend's reset is not asked about if nobody
called it. Windows of the stimulus are taken in another order, so that what drove the network
drives it here, with random spikes between them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from neurorl.arithmetic.rounding import find_arithmetic
from neurorl.backends.spec import BackendSpec
from neurorl.errors import NeurorlError
from neurorl.network.description import Population
from neurorl.network.initial_weights import initial_weights
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.random import derive
from neurorl.testing import rasters
from neurorl.validation.evidence import Evidence
from neurorl.validation.history import History, Scenario, begins_as, enact, parts
from neurorl.validation.hypotheses import FAMILIES, Family
from neurorl.validation.hypotheses.noise import other_draws
from neurorl.validation.hypotheses.steps import AT_THRESHOLD
from neurorl.validation.observed import MOST, Mask
from neurorl.validation.subject import PROBABILITIES, InputWindow, Subject
from neurorl.validation.variants import Gate, Labels, Variant, gates

_LENGTH = 12  # steps of a random window


def probe(
    subject: Subject,
    stimulus: Sequence[InputWindow],
    seed: int,
    before: int,
    n_steps: int,
    whole: bool = False,
) -> list[InputWindow]:
    """Return windows of about *n_steps* steps, in calls of one step and of several.

    before: steps before these, by windows as in the stimulus, so that as much has happened.
    whole: whether each call is of a window.
    """
    rng = np.random.default_rng(seed)
    network = subject.network
    resets = any(w.fresh for w in stimulus)
    writes = bool(subject.weights) or any(w.writes for w in stimulus)
    made: list[InputWindow] = []
    done = 0
    while done < before:
        window = stimulus[int(rng.integers(len(stimulus)))]
        made.append(window._replace(writes=_writes(subject, seed, rng) if window.writes else ()))
        done += window.n_steps
    while done < before + n_steps:
        window = stimulus[0]
        if rng.random() < 0.5:
            window = stimulus[int(rng.integers(len(stimulus)))]
            inputs, length = window.inputs, window.n_steps
        else:
            length = _LENGTH
            probability = float(rng.choice(PROBABILITIES))
            inputs = rasters(network, length, int(rng.integers(2**31)), probability)
        now = writes and done and rng.random() < 0.4
        written = _writes(subject, seed, rng) if now else ()
        fresh = resets and rng.random() < 0.4
        window = InputWindow(inputs, length, fresh, written, window.offsets)
        made += [window] if whole else parts(network, window, _lengths(length, rng))
        done += length
    return made


def _lengths(length: int, rng: np.random.Generator) -> list[int]:
    """Return the calls of a window, mostly of one step, or of several, or one."""
    kind = rng.random()
    if kind < 0.7:
        return [1] * length
    lengths = [length] if kind < 0.85 else []
    while sum(lengths) < length:
        lengths.append(min(int(rng.integers(1, 6)), length - sum(lengths)))
    return lengths


def _writes(subject: Subject, seed: int, rng: np.random.Generator) -> list[tuple[str, FloatArray]]:
    """Return new weights of some projections, each up to 30 % from the initial ones."""
    network = subject.network
    plastic = [p for p in network.projections if p.plasticity is not None]
    writes = []
    for p in plastic or network.projections:
        if rng.random() < 0.7:
            base = subject.weights.get(p.name)
            first = initial_weights(network, p.name, seed) if base is None else base
            scale = float(np.abs(first).max(initial=0.0)) or 0.1
            other = first * rng.uniform(0.7, 1.3, first.shape)
            other += rng.uniform(-0.1, 0.1, first.shape) * scale
            if p.plasticity is not None:
                other = np.clip(other, p.plasticity.low, p.plasticity.high)
            writes.append((p.name, other))
    return writes


_PROBE = 11  # purpose of derived seeds
_BEFORE = 250  # steps of a probe before the first that may be odd
_STEPS = 300  # after it
_MORE, _MORE_STEPS = 12, 2000  # probes of a fault that is rare, and their steps
_REACH = 4  # steps after which spikes may arrive at the latest, of delays that are tried
_SINGLE_ERROR = 1e4  # times float error
_ALTERNATIVES = 3  # that are told, of one cause
_ENOUGH = 8  # bits of a probe that only a variant explains
_BITS, _MANY = {"refractory": 2}, 10


@dataclass(frozen=True)
class Diagnosis:
    """Hold a cause, as a word, and a sentence. is_open: whether nothing that was tried fits."""

    cause: str
    detail: str
    is_open: bool = False


@dataclass
class _Files:
    """Hold evidence on a backend: the history to fit, others to explain, and some to confirm."""

    fitted: Evidence
    others: list[Evidence]
    confirming: list[Evidence]

    @property
    def all(self) -> list[Evidence]:
        return [self.fitted, *self.others, *self.confirming]


@dataclass(frozen=True)
class _Laboratory:
    """Enact histories on one backend, and observe one population in them."""

    scenario: Scenario
    spec: BackendSpec
    population: Population

    def observe(self, history: History, most: int = MOST) -> Evidence:
        return Evidence(self.scenario.network, self.population, history, most, _REACH)

    def probe(self, number: int, first: int, length: int = _STEPS) -> Evidence:
        """Run other windows with another seed, *length* steps beyond the first unpredicted one."""
        scenario, other = self.scenario, derive(self.scenario.seed, _PROBE, number) & 0x7FFFFFFF
        before = max(first - _BEFORE, 0)
        n_steps = length + first - before
        # Of a whole call nobody knows how often neurons spiked in each step.
        whole = length > _STEPS and not find_arithmetic(self.spec.chosen_arithmetic).counts_spikes
        drawn = probe(scenario.subject, scenario.stimulus, other, before, n_steps, whole)
        made = enact(scenario.subject, self.spec, other, drawn)
        return self.observe(made, length + _BEFORE)

    def examine(self, own: list[Evidence], first: int) -> _Files:
        """Probe the backend, and choose the history to which variants are fitted."""
        study, exam, last = (self.probe(k, first) for k in range(3))
        if study.odd[study.lengths == 1].any():
            return _Files(study, own, [exam, last])
        return _Files(own[0], [own[1], study], [exam, last])


def diagnose(
    scenario: Scenario, recording: History, population: Population, window: int
) -> Diagnosis | None:
    """Explain why a backend deviates in a population, or None if within float error.

    scenario: up to the windows that differ, as `Scenario.until`. window: the first of them.
    """
    lab = _Laboratory(scenario, recording.spec, population)
    recorded, again = (scenario.record(recording.spec) for _ in range(2))
    if not recorded.same(again) or not begins_as(recording, recorded.rasters):
        detail = "from the same start and by the same calls it does something else the second time"
        return Diagnosis("not repeatable", detail)
    own = [lab.observe(history) for history in (scenario.replay(recorded, window), recorded)]
    firsts = (int(e.starts[int(e.odd.any(axis=1).argmax())]) for e in own if e.odd.any())
    first = min(firsts, default=recorded.n_steps)
    try:
        files = lab.examine(own, first)
    except NeurorlError as exc:  # of a backend that can't do what a probe asks
        known = _unnamed(_Files(own[0], own[1:], []))
        return Diagnosis("unknown", f"{known.detail}; a probe failed: {exc}", is_open=True)
    if not any(e.odd.any() for e in files.all):
        return _at_threshold(files)
    fits = _search(files)
    if fits and _bits(files.confirming) < _ENOUGH:
        for number in range(3, 3 + _MORE):
            more = lab.probe(number, first, _MORE_STEPS)
            if more.odd.any() or number == 3:
                files.confirming.append(more)
            if _bits(files.confirming) >= _ENOUGH:
                break
        families = {family.about for _, _, family in fits}
        fits = _search(files, families) if _bits(files.confirming) >= _ENOUGH else []
    return _named(fits, files) or _unnamed(files)


Found = tuple[Variant, Gate, Family]


def _search(files: _Files, families: Collection[str] | None = None) -> list[Found]:
    """Return the variants that predict everything, with their gates; None tries all families."""
    for evidence in files.all:
        evidence.siblings = files.all
    some = [f for f in FAMILIES if families is None or f.about in families]
    tried = ((x, _gate(x, files), f) for f in some for x in f.propose(files.fitted))
    return [(variant, gate, family) for variant, gate, family in tried if gate is not None]


def _gate(variant: Variant, files: _Files) -> Gate | None:
    """Return the simplest gate with which a variant predicts everything, or None."""
    if any(evidence.contradicts(variant) for evidence in files.all):
        return None
    labels = []
    for evidence in files.all:
        unpredicted = _unpredicted(evidence, variant)
        neither = unpredicted & evidence.odd
        if neither[evidence.lengths == 1].any():
            return None
        labels.append(Labels(evidence, unpredicted & ~evidence.odd, evidence.odd & ~unpredicted))
    for gate in gates(labels, variant.of_all):
        holds = ((e, gate.holds and gate.holds(e)) for e in files.all)
        if not any(_unpredicted(e, variant, mask).any() for e, mask in holds):
            return gate
    return None


def _unpredicted(evidence: Evidence, variant: Variant, holds: Mask | None = None) -> Mask:
    """Return the calls and neurons of which a variant says something else than what happened."""
    unpredicted = evidence.odd_calls(evidence.predict(variant, holds))
    return unpredicted & (evidence.lengths == 1)[:, None] if variant.of_steps else unpredicted


def _bits(evidences: Sequence[Evidence]) -> float:
    """Return the bits of surprise in a variant predicting all deviations of some evidence.

    A variable counts some bits for each value predicted. Spikes alone count the chance to pick the
    deviating ones among all steps in which a spike was seen or described.
    """
    total, odd_spikes, candidates = 0.0, 0, 0
    for evidence in evidences:
        deviating = evidence.odd_states(evidence.plain)
        for name in evidence.variables:
            total += _BITS.get(name, _MANY) * int((deviating[name] & ~deviating["spikes"]).sum())
        neurons = deviating["spikes"].any(axis=0)
        either = (evidence.spikes | evidence.plain["spikes"])[evidence.kept_rows]
        odd_spikes += int(deviating["spikes"].sum())  # in a call, the first brings about the others
        candidates += int(either[:, neurons].sum())
    chances = math.lgamma(candidates + 1) - math.lgamma(odd_spikes + 1)
    return total + (chances - math.lgamma(candidates - odd_spikes + 1)) / math.log(2)


def _named(fits: list[Found], files: _Files) -> Diagnosis | None:
    """Diagnose by the simplest fit, naming all causes if several are equally simple."""
    if not fits:
        return None
    least = min(gate.cost + variant.freedom for variant, gate, _ in fits)
    simplest = [(v, g) for v, g, _ in fits if g.cost + v.freedom == least]
    # One number that only some neurons have says more than a number for each.
    fewest = {
        v.cause: min(w.freedom for w, _ in simplest if w.cause == v.cause) for v, _ in simplest
    }
    simplest = [(v, g) for v, g in simplest if v.freedom == fewest[v.cause]]
    deviates = np.logical_or.reduce([e.odd.any(axis=0) for e in files.all])
    neurons = "" if deviates.all() else f"seen in {int(deviates.sum())} of {len(deviates)} neurons"
    if deviates.sum() == 1 < len(deviates):
        neurons = f"seen in neuron {int(deviates.argmax())} only"
    details: dict[str, list[str]] = {}
    for variant, gate in simplest:
        where = f" ({words})" if (words := gate.words or neurons) else ""
        known = details.setdefault(variant.cause, [])
        if len(known) < _ALTERNATIVES and variant.detail + where not in known:
            known.append(variant.detail + where)
    if len(details) == 1:
        cause, alike = next(iter(details.items()))
        return Diagnosis(cause, "; or, which does the same here, ".join(alike))
    told = "; or ".join(f"{cause}: {alike[0]}" for cause, alike in details.items())
    return Diagnosis("unknown", f"one of several that nothing tried tells apart: {told}")


def _at_threshold(files: _Files) -> Diagnosis | None:
    """Diagnose a comparison that includes the threshold, which looks like float error."""
    if all(e.follows for e in files.all):
        return None
    if any(e.odd_calls(e.predict(AT_THRESHOLD), exact=True).any() for e in files.all):
        return None
    return Diagnosis(AT_THRESHOLD.cause, AT_THRESHOLD.detail)


def _unnamed(files: _Files) -> Diagnosis:
    """Return a diagnosis without a variant that fits."""
    if files.fitted.limit:
        near = max(_error(e) for e in files.all)
        if near <= _SINGLE_ERROR * files.fitted.limit:
            told = f"{near / (files.fitted.limit * 1e9):.1g} of the scale"
            detail = f"follows the equations to single precision only, {told}"
            return Diagnosis("float error", detail)
    if other := other_draws(files.all):
        return Diagnosis("noise source", other)
    return Diagnosis("unknown", _where(files), is_open=True)


def _error(evidence: Evidence) -> float:
    """Return the largest error of a predicted variable in calls of one step, inf if of spikes."""
    plain, single = evidence.plain, evidence.single
    rows = evidence.starts[single]
    agrees = (evidence.spikes == plain["spikes"])[rows]
    margin = np.abs(plain["met_level"] - plain["met_threshold"])[rows][~agrees]
    if (margin > _SINGLE_ERROR * evidence.limit).any():
        return float("inf")
    apart = [np.abs(evidence.after[v][single] - plain[v][rows]) for v in evidence.variables]
    return max(float(np.where(agrees, x, 0.0).max(initial=0.0)) for x in apart)


def _where(files: _Files) -> str:
    """Name the first variable that deviates in the recorded histories, with step and neuron."""
    own = [*files.others, files.fitted]
    evidence = next((e for e in own if e.odd.any()), own[-1])
    deviating = evidence.odd_states(evidence.plain)
    call = int(evidence.odd.any(axis=1).argmax())
    name = next(v for v in (*evidence.variables, "spikes") if deviating[v][call].any())
    neuron = int(deviating[name][call].argmax())
    its = "its spikes aren't" if name == "spikes" else f"its {name} isn't"
    where = f"from step {evidence.starts[call]} on, first in neuron {neuron}"
    return f"{its} as described {where}, and no change that was tried fits"
