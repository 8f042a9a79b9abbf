"""Test that learners of a rule are compared number by number, and mistakes named."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint

import numpy as np
import pytest
from faults.learners import LEARNERS, LEARNERS_HELD_OUT, Mistake, judge
from load_script import load_script

from neurorl.backends.spec import BackendSpec
from neurorl.cli import main
from neurorl.errors import UnknownNameError, UnsupportedError
from neurorl.testing.rules import RULES, lessons_of, rule_network
from neurorl.validation.courses import Course, RuleReplay, Way, course
from neurorl.validation.plasticity import GROUP, compare_courses, validate_rule

QUICK = {"reward late", "posts first", "tau longer", "reward halved", "nearest"}
UNKNOWN = {"hard bound", "forgets"}
UNSEEN = {"posts first, Oja", "low bound", "no bound"}
SPECS = [BackendSpec("reference", "float"), BackendSpec("native", "float")]


@pytest.mark.parametrize("rule", RULES)
def test_backends_learn_alike(rule: str) -> None:
    found = validate_rule(rule, SPECS, seed=3, delay=3e-3)
    assert found.verdict == "exact"
    assert {r["quantity"] for r in found.rows} >= {"learning: w"}


def assert_named(mistake: Mistake) -> None:
    verdict, told = judge(mistake)
    name = mistake.name
    expected = "unknown" if name in UNKNOWN else "not seen" if name in UNSEEN else "rightly"
    assert verdict == expected, told


@pytest.mark.parametrize("mistake", [m for m in LEARNERS if m.name in QUICK], ids=lambda m: m.name)
def test_a_mistake_is_named(mistake: Mistake) -> None:
    assert_named(mistake)


@pytest.mark.slow
@pytest.mark.parametrize(
    "mistake",
    [m for m in (*LEARNERS, *LEARNERS_HELD_OUT) if m.name not in QUICK],
    ids=lambda m: m.name,
)
def test_each_other_mistake_is_named(mistake: Mistake) -> None:
    assert_named(mistake)


def test_other_spikes_are_no_mistake_of_the_rule() -> None:
    """A learner that is as described, of spikes of its own, follows."""
    network, rule = rule_network(), RULES["pairs"]()
    lessons, others = (lessons_of(network, rule, seed=seed) for seed in (1, 2))
    one, two = (course(network, rule, x, SPECS[0]) for x in (lessons, others))
    rows = compare_courses(network, rule, lessons, [one, two])
    assert {r["cause"] for r in rows} == {"follows"}


def test_several_changes_of_time_are_named_together() -> None:
    """Synapses of a dendritic delay, whose dopamine comes a step late, as NEST's."""
    network, rule = rule_network(2e-3), RULES["dopamine"]()
    lessons = lessons_of(network, rule, seed=4)
    right = course(network, rule, lessons, SPECS[0])
    shifted = {"input": -2, "cells": 2, "teacher": 0}
    spikes = {n: np.roll(x, shifted[n], axis=0) for n, x in right.spikes.items()}
    moved = [
        type(x)(x.inputs, x.n_steps, {"dopamine": np.roll(x.signals["dopamine"], 1, axis=0)})
        for x in lessons
    ]
    way = Way(rule, is_rounded=False)
    replay = RuleReplay(network, network.projection("learns"), way, right.first["learns"])
    made = replay.course(Course("other", spikes, right.first, {}), moved)
    other = Course("other", right.spikes, right.first, {("learns", x): made[x] for x in "cnw"})
    (row, *_) = compare_courses(network, rule, lessons, [right, other])
    assert row["cause"] == "delay"
    assert "the delay is dendritic" in row["detail"]
    assert "signals count 1 step(s) later" in row["detail"]


def test_rules_are_compared_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "reward", "--learn", "--backends", "reference,native", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["verdict"], len(found["rows"])) == ("exact", 4)
    assert main(["validate", "reward"]) == 2
    assert "--learn, without --report" in capsys.readouterr().err


def test_what_cannot_be_compared_is_refused() -> None:
    with pytest.raises(UnknownNameError):
        validate_rule("hebb", SPECS)
    with pytest.raises(UnsupportedError, match="in float"):
        validate_rule("pairs", [SPECS[0], BackendSpec("reference", "loihi")])


@pytest.mark.slow
def test_nest_has_the_same_equations_at_other_times() -> None:
    pytest.importorskip("nest", reason="needs nest-simulator")
    script = load_script("validate_plasticity")
    found = validate_rule("dopamine", SPECS[:1], others=script._others()[:1])
    (row, *_) = found.rows
    assert (row["cause"], row["verdict"]) == ("delay", "different")
    for words in ("dendritic", "signals count 1 step(s) later", "spikes that meet in a step"):
        assert words in row["detail"]


def _shy(*_: object) -> Course:
    """Learn nothing at all."""
    raise UnsupportedError("shy", "learns no rule")


def _copied(_: object, __: object, ___: object, first: Course) -> Course:
    """Learn as the first did, but that a weight is lost."""
    values = {key: rows.copy() for key, rows in first.values.items()}
    values["learns", "w"][3:, 7] = 0.0
    return Course("copied", first.spikes, first.first, values)


def test_learners_of_other_packages_are_found_by_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    points = [EntryPoint(x, f"{__name__}:_{x}", GROUP) for x in ("shy", "copied", "gone")]
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: points)
    command = ["validate", "pairs", "--learn", "--backends"]
    assert main([*command, "reference,copied"]) == 1
    assert "reference:float and copied" in capsys.readouterr().out
    assert main([*command, "shy"]) == 2
    assert "shy: learns no rule" in capsys.readouterr().err
    assert main([*command, "reference,gone"]) == 2
    assert "install its distribution again" in capsys.readouterr().err
