"""Let agents of random parts learn for some decisions."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
from random_rules import drawn

from neurorl import SpikingActorCritic
from neurorl.errors import DivergenceError, NeurorlError
from neurorl.models import ADAPTIVE_LIF
from neurorl.rules import RULES

_STEPS = 80
_SMALL: dict[str, Any] = {"actors": 3, "hidden": 3, "window": 8}
_DISCRETE = ("CartPole-v1", "neurorl/GridWorld-v0", "MountainCar-v0", "FrozenLake-v1", "Acrobot-v1")
_NUMBERS = ("Pendulum-v1", "MountainCarContinuous-v0")
_OF_SPIKES = ("reward-stdp", "td-stdp", "triplet-stdp", "mstdpet")
_NOT_OF_AGENTS = ("authors-cartpole", "authors-mountaincar", "node-perturbation")
_PLAIN = {"normalises": False, "alpha_output": 1e-3, "alpha_hidden": 1e-3}


class _Heard(gym.Wrapper[Any, Any, Any, Any]):
    """Digest the actions that an environment hears."""

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self.heard = hashlib.sha256()

    def step(self, action: Any) -> Any:
        """Note an action, and take it."""
        self.heard.update(np.asarray(action, dtype=np.float64).tobytes())
        return super().step(action)


def played(agent: SpikingActorCritic, steps: int) -> dict[str, Any]:
    """Return what an agent did and knows after so many more steps; it is closed then."""
    heard = agent.lend_env()
    before = agent.steps_taken
    episodes = agent.learn(total_steps=before + steps)
    computed = {f"weights {name}": w for name, w in agent.weights.items()}
    computed |= {f"eligibility {name}": e for name, e in agent.memory.eligibility.items()}
    computed["value"] = agent.memory.value
    computed["episodes"] = np.array([(e.ret, e.length) for e in episodes])
    if isinstance(heard, _Heard):
        computed["actions"] = np.frombuffer(heard.heard.digest(), dtype=np.uint8)
    computed = {name: np.array(value) for name, value in computed.items()}
    agent.close()
    return computed


def _options(rng: np.random.Generator) -> dict[str, Any]:
    """Draw an agent's parts."""
    rule = str(rng.choice([name for name in RULES if name not in _NOT_OF_AGENTS]))
    options: dict[str, Any] = {**_SMALL, "rule": rule, **(_PLAIN if rule in _OF_SPIKES else {})}
    options["model"] = str(rng.choice(["lif", "glm"])) if rule not in _OF_SPIKES else "lif"
    options["hidden"] = [0, 3, 4, (3, 2)][int(rng.integers(4))]
    choices: list[list[dict[str, Any]]] = [
        [{}, {"encoder": "bernoulli"}, {"encoder": "bernoulli", "encoder.peak": 0.6}],
        [{}, {"critic": "spiking", "critic.neurons": 20}, {"critic": "optimistic"}],
        [{}, {"modulator.limit": 0.5}],
        [
            {},
            {"schedule.end": 0.5, "schedule.episodes": 3},
            {"schedule": "slowing", "schedule.decisions": 60},
        ],
        [{}, {"lambda_actor": 0.5, "critic.lambda_": 0.8}, {"gamma": 0.9, "reward_scale": 0.1}],
    ]
    if rule in _OF_SPIKES:
        choices += [[{}, {"carries": True}, {"carries": True, "input_recalls": (1,)}]]
    for part in choices:
        options |= part[
            int(rng.choice(len(part), p=[0.6, *[0.4 / (len(part) - 1)] * (len(part) - 1)]))
        ]
    if rule in ("reward-stdp", "mstdpet") and options.get("critic") != "spiking":
        options |= [{}, {"modulator": "reward"}][int(rng.integers(2))]
    unread = ["alpha_hidden"] * (options["hidden"] == 0) + ["lambda_actor"] * (rule in _OF_SPIKES)
    unread += ["critic.lambda_"] * (options.get("modulator") == "reward")
    return {name: value for name, value in options.items() if name not in unread}


def _policy(rng: np.random.Generator) -> dict[str, Any]:
    """Draw a policy of discrete actions."""
    every: list[dict[str, Any]] = [
        {"policy.beta": 0.2},
        {"policy.beta": 0.3, "policy.exploration": 0.1},
        {"policy.beta": 0.3, "policy.repeats": 2},
        {"policy": "epsilon-greedy", "policy.epsilon": 0.2},
        {"policy": "annealed-softmax", "policy.beta_end": 0.6, "policy.beta_decisions": 50},
    ]
    return every[int(rng.integers(len(every)))]


def _learn(env_id: str, seed: int, options: Mapping[str, Any], **load: Any) -> dict[str, Any]:
    """Return what an agent learned, or that its parts don't go together."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            env = _Heard(gym.make(env_id))
            agent = SpikingActorCritic(
                env, seed=seed, **{"backend": "reference", **load}, **options
            )
        except NeurorlError:
            return {"refused": np.array(True)}
        try:
            return played(agent, _STEPS)
        except DivergenceError as problem:
            return {"diverged": np.frombuffer(str(problem).encode(), dtype=np.uint8)}


def _drawn(seed: int) -> dict[str, Any]:
    """Learn by random parts, in a random arithmetic, by a random loop."""
    rng = np.random.default_rng(seed)
    options, numbers = _options(rng), rng.random() < 0.2
    env_id = str(rng.choice(_NUMBERS if numbers else _DISCRETE))
    if not numbers:
        options |= _policy(rng)
    on_chip = rng.random() < 0.35
    if on_chip and options["hidden"] != 0 and rng.random() < 0.5:
        writes = ["stochastic", "accumulate", "register"]
        options["writes"] = str(rng.choice(writes))
    load = {"arithmetic": "loihi" if on_chip else "float", "loop": ["native", "numpy"][seed % 2]}
    return _learn(env_id, seed, options, **load)


def _of_text(seed: int) -> dict[str, Any]:
    """Learn by a rule of random texts."""
    rule, options = drawn(seed)
    return _learn("CartPole-v1", seed, {**_SMALL, **options, "rule": rule})


_SHIPPED: dict[str, tuple[str, dict[str, Any]]] = {
    **{
        f"{env_id}, {model}": (env_id, {"model": model})
        for env_id in _DISCRETE[:3]
        for model in ("lif", "glm")
    },
    **{f"default of {env_id}": (env_id, {}) for env_id in (*_DISCRETE[3:], *_NUMBERS)},
    "default of Taxi-v4": ("Taxi-v4", {}),
    "tiles alone on Acrobot-v1": ("Acrobot-v1", {"trunk": "modules"}),
    "memories": ("Acrobot-v1", {"memories": (0.9,), "trunk": "modules"}),
    "memories seen by layers": ("Acrobot-v1", {"memories": (0.9,)}),
    "neurons by equations": ("CartPole-v1", {**_SMALL, "neuron": ADAPTIVE_LIF}),
}


def _shipped(name: str, on_chip: bool) -> dict[str, Any]:
    """Learn as a preset or the default does."""
    env_id, options = _SHIPPED[name]
    return _learn(env_id, 3, options, arithmetic="loihi" if on_chip else "float")


AGENTS: Mapping[str, Callable[[], Mapping[str, Any]]] = {
    **{f"agent {k}": partial(_drawn, k) for k in range(90)},
    **{f"rule of texts {k}": partial(_of_text, k) for k in range(24)},
    **{name: partial(_shipped, name, False) for name in _SHIPPED},
    **{f"{name}, on chip": partial(_shipped, name, True) for name in _SHIPPED},
    "learning on the chip itself": partial(
        _learn, "CartPole-v1", 3, {**_SMALL, "learning": "pes"}, backend="loihi"
    ),
}
"""Map the names of the cases of agents to what computes them."""
