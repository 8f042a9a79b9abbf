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


def random_driven_neuron(seed: int, size: int) -> Equations:
    """Return a neuron with time, waves, white noise, and intermediate lines in any order.

    Every method that takes noise is used, and `rk4` without it.
    """
    rng = random.Random(seed)
    state = _STATE[: rng.randint(1, 3)]
    method = ("euler", "heun", "rk4", "exponential_euler", "exact")[seed % 5]
    noises = [] if method == "rk4" else rng.sample(["xi", "xi_other"], rng.randint(1, 2))
    lines = [f"drive = level + {rng.random():.3f}*sin(80*t)*k", "level = g*q + 0.2*cos(7*t)"]
    for x in state:
        noise = " + ".join(f"0.02*{name}" for name in noises if rng.random() < 0.7) or "0"
        others = [y for y in state if y != x or method != "exponential_euler"]
        pulled = f"0.3*{rng.choice(state)}*k" if method == "exact" else _bounded(rng, others)
        lines.append(f"d{x}/dt = (drive + {pulled} - {x})/tau + ({noise})")
    if noises and not any(name in line for name in noises for line in lines):
        lines[-1] += f" + 0.02*{noises[0]}"
    rng.shuffle(lines)
    late, chance = rng.random() < 0.5, rng.random() < 0.4
    return Equations(
        "\n".join(lines),
        threshold=f"v > 0.4{' + 0.1*sin(t)' if late else ''}{' + 0.2*rand' if chance else ''}",
        reset=f"v = 0.5*v - 0.3{'*cos(30*t)' if late else ''}",
        method=method,
        parameters={"g": np.random.default_rng(seed).normal(1, 0.3, size), "k": 0.5, "tau": 9e-3},
        refractory=rng.choice([0, 2e-3]),
        noise=rng.choice([0, 0.1]),
    )


def _bounded(rng: random.Random, state: Sequence[str]) -> str:
    """Return a random formula of the state and the parameters, from -1 to 1."""
    names = {name: Name(rng.choice([*state, "tau", "k", "g", "q"])) for name in NAMES}
    text = render(substituted(random_tree(rng, rng.randint(1, 8)), names), TEXT)
    return f"where(abs({text}) <= 1, {text}, 0.5)"
