"""Draw neurons by equations, which stay finite."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
from random_expressions import NAMES, random_tree

from neurorl.expressions.linear import substituted
from neurorl.expressions.nodes import TEXT, Name, render
from neurorl.models.neurons.equations import Equations

_STATE = ("v", "int", "ms", "old_v")  # names that C++, Brian2 and we have too
_METHODS = ("euler", "exponential_euler", "exact", "")


def random_neuron(seed: int, size: int) -> Equations:
    """Return a neuron of 1 to 4 variables, by any method or an update of its own."""
    rng = random.Random(seed)
    state = _STATE[: rng.randint(1, 4)]
    method = _METHODS[seed % 4]
    lines = []
    for x in state:
        # What the exponential Euler method needs is linear in x.
        others = [y for y in state if y != x or method != "exponential_euler"]
        if method == "exact":
            other = rng.choice(state)
            lines.append(f"d{x}/dt = (g*q - {x} + 0.3*{other}*k)/tau")
        elif method:
            lines.append(f"d{x}/dt = (g*q + {_bounded(rng, others)} - {x}*(1 + k*k))/tau")
        else:
            lines.append(f"{x} = 0.9*{x} + 0.1*g*q + 0.2*{_bounded(rng, others)}*k/(1 + tau)")
    rng_numbers = np.random.default_rng(seed)
    is_input = rng.random() < 0.3
    return Equations(
        "\n".join(lines),
        threshold=f"v + 0.1*{state[-1]} > 0.4",
        reset=f"v = 0.5*v - 0.3; {state[-1]} += 0.1*v",
        method=method,
        parameters={
            "g": rng_numbers.normal(1, 0.3, size),
            "k": 0.5,
            "tau": rng_numbers.uniform(2e-3, 2e-2, size),
        },
        initial={x: rng.choice([0, rng.random()]) for x in state},
        refractory=rng.choice([0, 1e-3, 3e-3]),
        noise=rng.choice([0, 0.1]),
        inputs=("q", state[0]) if is_input else ("q",),
    )


def _bounded(rng: random.Random, state: Sequence[str]) -> str:
    """Return a random formula of the state and the parameters, from -1 to 1."""
    names = {name: Name(rng.choice([*state, "tau", "k", "g", "q"])) for name in NAMES}
    text = render(substituted(random_tree(rng, rng.randint(1, 8)), names), TEXT)
    return f"where(abs({text}) <= 1, {text}, 0.5)"
