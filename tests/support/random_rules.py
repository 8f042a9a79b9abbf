"""Draw random rules of all names, and what agents learn by them in every loop."""

from __future__ import annotations

from typing import Any

import numpy as np

from neurorl import SpikingActorCritic
from neurorl.rules import Rule

STDP: dict[str, Any] = {"normalises": False, "alpha_output": 1e-3, "alpha_hidden": 1e-3}
SMALL: dict[str, Any] = {"actors": 3, "hidden": (3, 2), "window": 8}


def learned(rule: Rule | str, loop: str, episodes: int = 2, **options: Any) -> dict[str, Any]:
    """Return what an agent knows and did after some episodes."""
    return known(
        SpikingActorCritic("CartPole-v1", rule=rule, seed=5, loop=loop, **{**SMALL, **options}),
        episodes,
    )


def known(agent: SpikingActorCritic, episodes: int) -> dict[str, Any]:
    """Return the same of an agent, which is closed then."""
    lengths = [(e.ret, e.length) for e in agent.learn(total_episodes=episodes)]
    state = {name: np.array(value) for name, value in agent.state().items() if "wall" not in name}
    eligibility = {f"e {name}": e.copy() for name, e in agent.memory.eligibility.items()}
    agent.close()
    return {"lengths": np.array(lengths), **state, **eligibility}


def check_equal(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Raise AssertionError for anything that differs in a bit."""
    assert one.keys() == other.keys()
    for name, value in one.items():
        assert np.array_equal(value, other[name], equal_nan=value.dtype.kind == "f"), name


def text(rng: np.random.Generator, names: list[str], depth: int) -> str:
    """Return a random text of bounded numbers, all functions and operators."""
    if not depth or rng.random() < 0.1:
        return str(rng.choice([*names, "0.5", "2", "0.125"]))
    a, b, c = (text(rng, names, depth - 1) for _ in range(3))
    shapes = (
        *(f"({a} + {b})", f"({a} - {b})", f"({a})*({b})", f"-({a})", f"({a})/(1 + abs({b}))"),
        *(f"min({a}, {b})", f"max({a}, {b})", f"clip({a}, -1, {b})", f"abs({a})", f"sign({a})"),
        *(f"exp(min({a}, 1))", f"log(1 + abs({a}))", f"sqrt(abs({a}))", f"tanh({a})"),
        *(f"sigmoid({a})", f"floor({a})", f"tanh({a})**3", f"where({a} < {b}, {c}, {a})"),
        f"where({a} >= {b} and not {b} == {c}, {a}, {c})",
    )
    return str(rng.choice(shapes))


def drawn(seed: int) -> tuple[Rule, dict[str, Any]]:
    """Return a random rule, and an agent that can have it."""
    rng = np.random.default_rng(seed)
    pairs, is_gain = bool(rng.random() < 0.3), bool(rng.random() < 0.4)
    names = ["phi", "t", "b", "n", "W", "M", "theta"] + ([] if pairs else ["V"])
    if not is_gain:
        names += ["spike", "p", "v", "slow"] + ([] if pairs else ["y"])

    def one() -> str:
        bounded = f"clip({text(rng, names, 4)}, -2, 2)"
        bounded = f"trace*{bounded}" if rng.random() < 0.3 else bounded
        return f"spike*{bounded}" if is_gain else bounded

    decays, (output, hidden) = int(rng.integers(3)), (one(), one())
    rule = Rule(
        f"drawn {seed}",
        output=output,
        hidden=hidden,
        pairs_spikes=pairs,
        gates_depression=pairs and is_gain and bool(rng.random() < 0.5),
        drops_late=bool(rng.random() < 0.3),
        slow_tau=0.03 if "slow" in output + hidden else None,
        eligibility_tau=0.05 if decays == 1 else None,
        eligibility_keep=0.5 if decays == 2 else None,
    )
    shapes: list[dict[str, Any]] = [{}, {"hidden": 0}, {"hidden": 4}, {"hidden": 18}]
    options = {
        "model": "lif" if pairs or is_gain else "glm",
        "arithmetic": str(rng.choice(["float", "loihi"])),
        **shapes[int(rng.integers(len(shapes)))],
        **(STDP if pairs else {}),
    }
    if options.get("hidden") == 0:
        options.pop("alpha_hidden", None)
    return rule, options


def everywhere(seed: int) -> tuple[Rule, dict[str, Any]]:
    """Return a random rule, and options of an agent that can have it on each backend."""
    rule, options = drawn(seed + 1000)
    return rule, {key: options[key] for key in options if key in ("model", *STDP)}


def of_numpy(rule: Rule, options: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return what is learned in NumPy on the reference, by arithmetic."""
    return {
        arithmetic: learned(rule, "numpy", 1, backend="reference", arithmetic=arithmetic, **options)
        for arithmetic in ("float", "loihi")
    }


ELSEWHERE: dict[str, dict[str, Any]] = {
    "native loop": {"backend": "reference"},
    "torch": {"backend": "torch"},
    "brian2, numpy": {"backend": "brian2", "backend_options": {"engine": "numpy"}},
    "native": {"backend": "native"},
    "native loop, chip arithmetic": {"backend": "reference", "arithmetic": "loihi"},
    "loihi": {"backend": "loihi", "arithmetic": "loihi"},
}
"""Hold where a random rule learns the bits of the loop in NumPy on the reference."""
