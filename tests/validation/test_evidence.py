"""Test histories: what is predicted of them, where a variant holds, what a probe may do."""

from __future__ import annotations

import injected_faults as injected
import numpy as np
import pytest

from neurorl.backends.spec import BackendSpec
from neurorl.testing import FEATURES, random_network
from neurorl.validation.diagnosis import probe
from neurorl.validation.evidence import Evidence
from neurorl.validation.history import enact, windows_of
from neurorl.validation.hypotheses import FAMILIES
from neurorl.validation.hypotheses.noise import simplest
from neurorl.validation.rewriting import reading
from neurorl.validation.subject import Subject, make_stimulus, make_subject
from neurorl.validation.variants import Labels, Variant, gates

SPECS = [
    BackendSpec("reference", "float"),
    BackendSpec("reference", "loihi"),
    BackendSpec("loihi", "loihi"),
]


def probed(subject: Subject, spec: BackendSpec, seed: int = 4, lengths: int = 3) -> list[Evidence]:
    """Predict every population, in a history with calls of all lengths, resets and writes."""
    stimulus = make_stimulus(subject, 60, seed, spec.chosen_arithmetic)
    weights = {p.name: np.array(0.1) for p in subject.network.projections}
    written = {
        n: np.broadcast_to(w, subject.network.weight_shape(n)).copy() for n, w in weights.items()
    }
    stimulus[0] = stimulus[0]._replace(fresh=True, writes=list(written.items()))
    windows = probe(subject, stimulus, seed, 40, 120)
    assert {w.fresh for w in windows} == {bool(w.writes) for w in windows} == {False, True}
    history = enact(subject, spec, seed, windows)
    assert len({call.n_steps for call in history.calls}) >= lengths
    return [Evidence(subject.network, p, history) for p in subject.network.populations]


# Steps of neurons by equations are compared, not predicted (test_equation_neurons_validated.py).
UNPREDICTED = {
    *("more neurons than a core", "neurons by equations"),
    *("synapses as a list", "a delay for each synapse"),  # nor those of listed synapses
    *("short-term plasticity", "values for each step", "gap junctions"),
}


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.label)
@pytest.mark.parametrize("feature", sorted(set(FEATURES) - UNPREDICTED))
def test_a_sound_lane_is_predicted_whatever_the_calls(feature: str, spec: BackendSpec) -> None:
    for evidence in probed(make_subject(feature), spec):
        assert not evidence.odd_calls(evidence.plain, exact=True).any(), evidence.population.name
        assert evidence.n_steps >= 160


@pytest.mark.parametrize("seed", range(6))
def test_so_are_random_networks(seed: int) -> None:
    subject = Subject("random", random_network(seed, delays=True, currents=seed % 2 == 0))
    for evidence in probed(subject, SPECS[seed % 2], seed):
        assert not evidence.odd_calls(evidence.plain, exact=True).any()


def of_fault(name: str) -> Evidence:
    fault = next(f for f in injected.FAULTS if f.name == name and f.arithmetic == "float")
    subject = make_subject(fault.network())
    stimulus = make_stimulus(subject, 120, 3, "float")
    spec = BackendSpec("faulty", "float", cls=fault.cls)
    history = enact(subject, spec, 3, windows_of(subject.network, stimulus, 0))
    return Evidence(subject.network, subject.network.populations[0], history)


def test_a_variant_is_the_description_with_one_thing_changed() -> None:
    """The right variant leaves none of the odd steps, and the wrong ones leave some."""
    evidence = of_fault("Subtracts")
    assert evidence.odd.any()
    proposed = (v for family in FAMILIES for v in family.propose(evidence))
    right = [v for v in proposed if not evidence.odd_calls(evidence.predict(v)).any()]
    assert {v.cause for v in right} == {"reset"}
    assert any("subtracts the threshold" in v.detail for v in right)
    assert not any(evidence.contradicts(v) for v in right)


def test_every_family_proposes_something_or_nothing_but_never_fails() -> None:
    evidence = of_fault("Leaks")
    for family in FAMILIES:
        for variant in family.propose(evidence):
            assert variant.cause, family.about
            assert variant.detail, family.about


def test_a_gate_parts_steps_and_neurons() -> None:
    evidence = of_fault("Subtracts")
    calls, size = evidence.odd.shape
    described, other = np.zeros((calls, size), bool), np.zeros((calls, size), bool)
    described[:50, 2] = other[50:, 2] = True
    described[:, 0] = True
    (words, *_) = [g.words for g in gates([Labels(evidence, described, other)])]
    assert words == "of neuron 2 only, from step 50 on"
    only = np.zeros((calls, size), bool)
    only[:, 2] = True
    (first, *_) = gates([Labels(evidence, described & ~only, only)])
    assert (first.words, first.cost) == ("of neuron 2 only", 1)
    mixed = only & (np.arange(calls) % 3 == 0)[:, None]
    assert not list(gates([Labels(evidence, only & ~mixed, mixed)]))


def test_a_gated_variant_holds_where_the_gate_says() -> None:
    evidence = of_fault("Subtracts")
    other = Variant("bias", "", reading("bias", "bias + 1"))
    gate = np.zeros((evidence.n_steps, evidence.population.size), bool)
    gate[30:, 1] = True
    found = evidence.predict(other, gate)
    plain, changed = evidence.plain, evidence.predict(other)
    assert np.array_equal(found["met_moved"][~gate], plain["met_moved"][~gate])
    assert np.array_equal(found["met_moved"][gate], changed["met_moved"][gate])
    assert not np.array_equal(changed["met_moved"][gate], plain["met_moved"][gate])


def test_long_histories_are_predicted_at_their_end_only() -> None:
    evidence = of_fault("Subtracts")
    short = Evidence(evidence.network, evidence.population, evidence.history, most=40)
    assert (int(short.kept.sum()), short.n_steps) == (40, 120)
    assert np.array_equal(short.odd[80:], evidence.odd[80:])
    assert not short.odd[:80].any()


@pytest.mark.parametrize(
    ("least", "most", "value"),
    [(1.0034, 1.0171, 1.01), (0.96, 0.981, 0.97), (1.7, 2.6, 2.0), (-0.055, -0.049, -0.05)],
)
def test_the_simplest_number_of_a_range(least: float, most: float, value: float) -> None:
    assert simplest(least, most) == pytest.approx(value, abs=1e-12)


def test_a_probe_does_only_what_was_done() -> None:
    """A history has no resets and writes where none were, and other spikes with another seed."""
    subject = make_subject(injected.plain())
    stimulus = make_stimulus(subject, 60, 0, "float")
    windows = probe(subject, stimulus, 1, 0, 100)
    assert not any(w.fresh or w.writes for w in windows)
    others = probe(subject, stimulus, 2, 0, 100)
    assert any(
        one.n_steps != two.n_steps or not np.array_equal(one.inputs["input"], two.inputs["input"])
        for one, two in zip(windows, others, strict=False)
    )
    fresh = [w._replace(fresh=True) for w in stimulus]
    assert any(w.fresh for w in probe(subject, fresh, 1, 0, 200))
