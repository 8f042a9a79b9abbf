"""Hypotheses are changes of a program: the same for built-in neurons, equations and a chip."""

from __future__ import annotations

import numpy as np
import pytest

from neurorl.arithmetic.rounding import make_arithmetic
from neurorl.models import CubaLIF, Equations, shift_lif
from neurorl.network.description import Network, Neuron, Population, Projection, Source
from neurorl.program import NodeProgram
from neurorl.program.lowering import lower_node
from neurorl.validation.rewriting import (
    changed,
    counting,
    reading,
    sides,
    spelled,
    table,
    with_threshold,
    without_overflow,
)

OWN = Equations(
    "u = a*u + q; v = b*v + u",
    "v > v_t",
    reset="v = 0",
    parameters={"a": 0.5, "b": 0.9, "v_t": 0.7},
    initial={"u": 0.0, "v": 0.0},
    refractory=2e-3,
    noise=0.1,
)
BUILT_IN = CubaLIF(2e-3, 9e-3, 0.7, 0.05, 0.1, refractory=2e-3)


def lowered(neuron: Neuron, arithmetic: str = "float") -> NodeProgram:
    cells = Population("cells", 3, neuron)
    drive = Projection("drive", "input", "cells", 0.3)
    network = Network((Source("input", 2), cells), (drive,))
    return lower_node(network, make_arithmetic(arithmetic, network), cells)


@pytest.mark.parametrize("arithmetic", ["float", "loihi"])
def test_a_change_leaves_all_else_as_it_is(arithmetic: str) -> None:
    node = lowered(BUILT_IN, arithmetic)
    other = reading("bias", "0*bias")(node)
    changed = [(x, y) for x, y in zip(node.update, other.update, strict=True) if x != y]
    ((described, now),) = changed
    assert (described.variable, now.value.names) == (now.variable, described.value.names)
    assert (other.threshold, other.reset, other.constants) == (
        node.threshold,
        node.reset,
        node.constants,
    )


def test_registers_that_wrap_are_found_by_their_form() -> None:
    node = lowered(BUILT_IN, "loihi")
    free, held = (without_overflow(holds)(node) for holds in (False, True))
    assert [len(x.update) for x in (node, free, held)] == [6, 3, 6]
    assert "q = clip(q, -2097152, 2097151)" in map(str, held.update)
    assert without_overflow(True)(lowered(OWN)).update == lowered(OWN).update


def test_the_sides_of_a_threshold_are_those_of_its_first_comparison() -> None:
    both = with_threshold("met_level > met_threshold or met_level < -met_threshold")
    for neuron in (BUILT_IN, OWN):
        node = lowered(neuron)
        assert sides(both(node)) == sides(node) is not None


@pytest.mark.parametrize("neuron", [BUILT_IN, OWN])
def test_dead_steps_are_statements_of_the_step_that_is_spelled_out(
    neuron: CubaLIF | Equations,
) -> None:
    node = lowered(neuron)
    told = spelled(node, node)
    assert (told.refractory, told.held) == (None, ())
    assert np.array_equal(told.constants["refractory_steps"], [2, 2, 2])
    assert {"refractory", "met_level", "met_moved", "met_threshold"} <= {*told.initial}
    assert "v = where(was_dead > 0.0, 0.0, v)" in map(str, told.update)


def test_other_lines_run_instead_of_a_programs_own() -> None:
    """Each part replaces the line of its last variable; one of sums runs first."""
    node = counting(lowered(shift_lif(shift_syn=2, shift_mem=3), "xylo"))
    other = changed("once summed: u = 2*u | full = 3; count = full")(node)
    texts = [str(line) for line in other.update]
    assert texts[0] == "u = 2*u"
    assert texts[-3:-1] == ["full = 3", "count = full"]
    assert texts[1:-3] == [str(line) for line in node.update[:-2]]
    assert (other.limits, changed("v = level")(node).limits) == (None, node.limits)


def test_a_table_is_of_sentences_and_changes() -> None:
    """A line that is indented goes on with the one before; a sentence may have an arrow back."""
    told = table("""
u <- d (u + q), not d u + q -> before: u = u + q
nothing is reset
    -> on spike: | after: v = 2*v
""")
    assert told == {
        "u <- d (u + q), not d u + q": "before: u = u + q",
        "nothing is reset": "on spike: | after: v = 2*v",
    }


@pytest.mark.parametrize("neuron", [BUILT_IN, OWN])
def test_a_text_says_where_lines_go(neuron: CubaLIF | Equations) -> None:
    node = lowered(neuron)
    own = [str(line) for line in node.update]
    text = "before: q = 2*q | after u: u = max(u, low) | after: v = v - met_threshold | on spike:"
    other = changed(text, low=-1.0)(node)
    texts = [str(line) for line in other.update]
    at = max(k for k, line in enumerate(node.update, 1) if line.variable == "u")
    assert texts == ["q = 2*q", *own[:at], "u = max(u, low)", *own[at:], texts[-1]]
    assert texts[-1] in ("v = v - threshold", "v = v - v_t")
    assert (other.reset, float(other.constants["low"])) == ((), -1.0)
    assert changed("also on spike: u = 0")(node).reset[:-1] == node.reset


def test_a_formula_is_read_in_place_of_a_name() -> None:
    node = lowered(BUILT_IN)
    (before,) = [line for line in node.update if "bias" in line.value.names]
    (after,) = [x for x in changed("reads bias: 2*bias")(node).update if "bias" in x.value.names]
    assert str(after).replace(" ", "") == str(before).replace(" ", "").replace("bias", "2.0*bias")
    assert (
        changed("membrane reads u: was_u")(node).update
        == reading("u", "was_u", but="u")(node).update
    )
    with pytest.raises(KeyError, match="nowhere"):
        changed("nowhere: v = 0")
