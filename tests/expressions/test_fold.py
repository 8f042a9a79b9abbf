"""Test what is computed once of constants: the same bits, and nothing of them left in a step."""

from __future__ import annotations

import dataclasses
import random

import numpy as np
import pytest
from random_expressions import NAMES, random_tree, same_bits, values
from random_neurons import random_neuron
from stepwise.equations import EquationNeurons, after_reset, before_reset

from neurorl.expressions import Expression
from neurorl.expressions.linear import Constants
from neurorl.expressions.nodes import Name, Number, Unary, kind_of, names_in, nodes_of
from neurorl.models import ADAPTIVE_LIF, ADEX, COBA_LIF, IZHIKEVICH, Equations
from neurorl.network.neuron import StepPlan

SIZE, STEPS = 11, 60
PUBLISHED = [IZHIKEVICH, ADEX, COBA_LIF, ADAPTIVE_LIF]


def formulas(plan: StepPlan) -> list[Expression]:
    """Return what a step computes."""
    return [plan.threshold, *(line.value for line in (*plan.update, *plan.reset))]


def left_over(plan: StepPlan) -> list[object]:
    """Return the operations of constants alone that a plan computes in every step."""
    return [
        node
        for formula in formulas(plan)
        for node in nodes_of(formula.tree)
        if not isinstance(node, Name | Number)
        and kind_of(node) == "number"
        and not (isinstance(node, Unary) and isinstance(node.operand, Number))
        and set(names_in(node)) <= set(plan.constants)
    ]


def test_a_folded_formula_has_the_same_bits() -> None:
    changed = 0
    for seed in range(300):
        rng = random.Random(seed)
        formula = Expression.of(random_tree(rng, rng.randint(1, 12)))
        names = values(seed, 40)
        constants = Constants({x: names[x] for x in NAMES[: rng.randint(1, 4)]}, NAMES)
        folded = constants.folded(formula)
        changed += folded != formula
        got = folded.evaluate({**names, **constants.values})
        assert same_bits(got, formula.evaluate(names)), formula.text
    assert changed > 100


@pytest.mark.parametrize("neuron", [*PUBLISHED, *(random_neuron(seed, SIZE) for seed in range(24))])
def test_a_hoisted_plan_has_the_same_bits_and_computes_nothing_twice(neuron: Equations) -> None:
    """The reference runs the hoisted plan; beside it the plan as it is described."""
    plan, rng = neuron.plan(SIZE, 1e-3), np.random.default_rng(0)
    assert left_over(plan.hoisted()) == []
    neurons = EquationNeurons(plan)
    state, dead = dict(plan.initial), np.zeros(SIZE, dtype=np.int64)
    for _ in range(STEPS):
        arrived = {x: rng.normal(0.3, 0.5, SIZE) for x in plan.inputs}
        draws = rng.logistic(size=SIZE) if plan.is_noisy else None
        names, expected = before_reset(plan, state, dead, arrived, draws)
        state, dead = after_reset(plan, names, dead, expected)
        assert np.array_equal(neurons.step(arrived, draws), expected)
        for x, value in state.items():
            assert same_bits(neurons.state[x], value)


def test_what_a_step_of_conductances_computes() -> None:
    """Only v's own exp is left; those of the conductances are constants."""
    plan = COBA_LIF.plan(1, 1e-4).hoisted()
    calls = [formula.text.count("exp(") for formula in formulas(plan)]
    assert sum(calls) == 1
    assert [str(line) for line in plan.update[3:]] == [
        "next_ge = ge * fixed_0",
        "next_gi = gi * fixed_1",
        "v = next_v",
        "ge = next_ge",
        "gi = next_gi",
    ]
    assert plan.constants["fixed_0"] == Expression("exp(-1/0.005*0.0001)").evaluate({})
    assert "tau_e" not in plan.constants


def test_names_sides_and_lines() -> None:
    """A user's name is kept, a side that all neurons take is taken, a constant line is one."""
    neuron = Equations(
        "y = fixed_0*2; z = where(a > 0, y + v, -(a*a)); x = where(y > 0, v, 1/a); v = x + z + q",
        threshold="v > 2*fixed_0",
        reset="v = -fixed_0",
        parameters={"fixed_0": 3.0, "a": [-1.0, 1.0]},
        initial={"v": 0.0},
    )
    plan = neuron.plan(2, 1e-3).hoisted()
    assert [str(line) for line in plan.update] == [
        "z = where(a > 0.0, y + v, fixed_1)",
        "x = v",
        "v = x + z + q",
    ]
    assert (plan.threshold.text, str(plan.reset[0])) == ("v > fixed_3", "v = fixed_2")
    constants = {name: value.tolist() for name, value in plan.constants.items()}
    assert constants["y"] == constants["fixed_3"] == [6.0, 6.0]
    assert constants["fixed_1"] == [-1.0, -1.0]
    moved = dataclasses.replace(plan, constants=dict.fromkeys(plan.constants, np.zeros(2)))
    assert moved.hoisted().update[1] == plan.update[1]
