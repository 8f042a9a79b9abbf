"""Compare the loop in C with the loop in NumPy: everything an agent knows, bit for bit."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from configs import config_of
from sampled import sampled

from neurorl import Network, Plasticity, Population, Projection, SpikingActorCritic, Uniform
from neurorl.errors import ArgumentError, UnknownNameError
from neurorl.learning.loops.native import NativeLoop
from neurorl.learning.loops.numpy import NumpyLoop
from neurorl.models import LIF
from neurorl.models.agent.config import AgentConfig
from neurorl.models.features import (
    RBF,
    BinnedCombinations,
    Combinations,
    Concat,
    Features,
    Fourier,
    GaussianCells,
    OneHot,
    Tiles,
)
from neurorl.native import toolchain
from neurorl.network.description import Source
from neurorl.rules import RULES, find_rule

compiled = pytest.mark.skipif(
    toolchain.problem() is not None, reason="no C++ compiler: there is only the loop in NumPy"
)

LOW, HIGH = (-2.4, -3.0, -0.21, -3.0), (2.4, 3.0, 0.21, 3.0)
pytestmark = pytest.mark.usefixtures("quickest_backend")

CELLS = GaussianCells(LOW, HIGH, cells=6)


class Halves(Features):
    """Compute features that C has no twin of."""

    @property
    def size(self) -> int:
        return 4

    def __call__(self, observation: Any) -> Any:
        return np.clip(0.5 + 0.5 * np.asarray(observation, dtype=float), 0.0, 1.0)


def own_network(masked: bool = False, delay: float | None = None) -> Network:
    """Return 32 -> 20 -> 4 with a recurrent population that is neither output nor hidden."""
    plastic = Plasticity(trace_tau=5e-3, low=-0.4, high=0.6)
    rng = np.random.default_rng(3)
    mask = rng.random((24, 20)) < 0.7 if masked else None
    cell = LIF(tau_mem=10e-3, threshold=0.8, noise=0.1, refractory=2e-3)
    return Network(
        (
            Source("input", 24),
            Population("hidden", 20, cell),
            Population("pool", 6, cell),
            Population("output", 4, cell),
        ),
        (
            Projection("a", "input", "hidden", Uniform(0.0, 0.6), mask=mask, plasticity=plastic),
            Projection("b", "hidden", "output", Uniform(0.0, 0.5), delay=delay, plasticity=plastic),
            Projection("c", "hidden", "pool", Uniform(-0.1, 0.6), plasticity=plastic),
            Projection("d", "pool", "output", Uniform(0.0, 0.3), plasticity=plastic),
            Projection("e", "pool", "hidden", -0.1),
        ),
    )


def all_to_all(kind: str = "spikes") -> Network:
    """Return 24 -> 6 -> 4, every hidden neuron to every output."""
    plastic, cell = Plasticity(trace_tau=5e-3), LIF(tau_mem=5e-3, threshold=0.5, noise=0.4)
    return Network(
        (
            Source("input", 24, kind),
            Population("hidden", 6, cell),
            Population("output", 4, cell),
        ),
        (
            Projection("a", "input", "hidden", Uniform(-0.2, 0.4), plasticity=plastic),
            Projection("b", "hidden", "output", Uniform(-0.5, 0.5), plasticity=plastic),
        ),
    )


def loose() -> Network:
    """Return 24 -> 6 -> 4 -> 4, in modules above, all to all below and past the hidden layer."""
    plastic, cell = Plasticity(trace_tau=5e-3), LIF(tau_mem=5e-3, threshold=0.5, noise=0.4)
    sizes = {"hidden_2": 6, "hidden": 4, "output": 4}
    return Network(
        (Source("input", 24), *(Population(name, n, cell) for name, n in sizes.items())),
        (
            Projection("a", "input", "hidden_2", Uniform(-0.2, 0.4), plasticity=plastic),
            Projection("b", "hidden_2", "hidden", Uniform(-0.5, 0.5), plasticity=plastic),
            Projection("c", "hidden", "output", Uniform(-0.5, 0.5), blocks=4, plasticity=plastic),
            Projection("d", "hidden_2", "output", Uniform(-0.2, 0.2), plasticity=plastic),
        ),
    )


def fixed_filters() -> Network:
    """Return 24 -> 8 -> 4 in modules, with refractory taps and shortcuts that don't learn."""
    plastic, cell = Plasticity(trace_tau=5e-3), LIF(tau_mem=5e-3, threshold=0.5, noise=0.4)
    mask = np.random.default_rng(3).random((24, 4)) < 0.7
    return Network(
        (Source("input", 24), Population("hidden", 8, cell), Population("output", 4, cell)),
        (
            Projection("late", "hidden", "output", 0.1, blocks=4, delay=3e-3, signed=True),
            Projection("a", "input", "hidden", Uniform(-0.2, 0.4), plasticity=plastic),
            Projection("own", "hidden", "hidden", -0.7, blocks=8),
            Projection("own_2", "hidden", "hidden", -0.3, blocks=8, delay=2e-3),
            Projection("b", "hidden", "output", Uniform(-0.5, 0.5), blocks=4, plasticity=plastic),
            Projection("short", "input", "output", Uniform(-0.1, 0.1), mask=mask, delay=2e-3),
            Projection("across", "output", "output", Uniform(-0.3, 0.0)),
        ),
    )


def own_config(network: Network, **options: Any) -> AgentConfig:
    chosen = {"neuron": LIF(), "cells": CELLS, "features": CELLS, "window": 8}
    return config_of(**{**chosen, "description": network, **options})


def stdp(network: Network, **options: Any) -> AgentConfig:
    chosen = {
        "rule": "reward-stdp",
        "window": 10,
        "modulator": "reward",
        "policy": "greedy",
        "encoder": "bernoulli",
        "encoder.peak": 0.4,
        "normalises": False,
        "carries": True,
        "alpha_output": 1e-3,
        "alpha_hidden": 1e-3,
    }
    return own_config(network, **{**chosen, **options})


CASES: dict[str, dict[str, Any]] = {
    "lif on CartPole": {"env": "CartPole-v1"},
    "lif on the grid": {"env": "neurorl/GridWorld-v0"},
    "lif on MountainCar": {"env": "MountainCar-v0", "episodes": 1},
    "glm on CartPole": {"env": "CartPole-v1", "model": "glm"},
    "glm on the grid": {"env": "neurorl/GridWorld-v0", "model": "glm"},
    "glm with hidden units": {"env": "CartPole-v1", "model": "glm", "hidden": 4},
    "lif without hidden units": {"env": "CartPole-v1", "hidden": 0, "trace_tau": 4e-3},
    "a tuple": {"env": "Blackjack-v1"},
    "no limit, a falling rate": {
        "env": "CartPole-v1",
        "modulator.limit": None,
        "schedule.end": 0.1,
        "schedule.episodes": 3,
    },
    "tiles, Fourier, one-hot": {
        "env": "CartPole-v1",
        "cells": Tiles(LOW, HIGH, 3, 2),
        "features": Fourier(LOW, HIGH, 2, 3),
    },
    "combinations": {
        "env": "neurorl/GridWorld-v0",
        "cells": Combinations(100, 2, 5, start=1, groups=3),
    },
    "binned combinations": {"env": "CartPole-v1", "cells": BinnedCombinations(LOW, HIGH)},
    "features without a twin": {"env": "CartPole-v1", "cells": Halves(), "features": Halves()},
    "currents": {"env": "CartPole-v1", "encoder": "current"},
    "currents and a trace, no hidden units": {
        "env": "CartPole-v1",
        "encoder": "current",
        "hidden": 0,
        "trace_tau": 4e-3,
        "window": 2,
    },
    "currents, glm": {"env": "CartPole-v1", "model": "glm", "encoder": "current", "hidden": 4},
    "currents, surrogate in chip arithmetic": {
        "env": "CartPole-v1",
        "encoder": "current",
        "rule": "surrogate",
        "arithmetic": "loihi",
    },
    "currents, native": {"env": "CartPole-v1", "encoder": "current", "backend": "native"},
    "currents, emulator": {"env": "CartPole-v1", "encoder": "current", "backend": "loihi"},
    "currents that carry on": {
        "env": "CartPole-v1",
        "encoder": "current",
        "carries": True,
    },
    "currents of a network of one's own, coagent": {
        "env": "CartPole-v1",
        "config": own_config(all_to_all("current"), rule="coagent", encoder="current"),
    },
    "currents, a spiking critic": {
        "env": "CartPole-v1",
        "encoder": "current",
        "critic": "spiking",
        "features": CELLS,
    },
    "chip arithmetic": {"env": "CartPole-v1", "arithmetic": "loihi"},
    "glm in chip arithmetic": {
        "env": "neurorl/GridWorld-v0",
        "model": "glm",
        "arithmetic": "loihi",
    },
    "native backend": {"env": "CartPole-v1", "backend": "native"},
    "brian2, numpy": {
        "env": "CartPole-v1",
        "backend": "brian2",
        "backend_options": {"engine": "numpy"},
    },
    "emulator": {"env": "CartPole-v1", "backend": "loihi"},
    "reward-stdp": {"env": "CartPole-v1", "config": stdp(own_network())},
    "reward-stdp, masked, delayed": {
        "env": "CartPole-v1",
        "config": stdp(own_network(masked=True, delay=3e-3)),
    },
    "reward-stdp with a critic": {
        "env": "CartPole-v1",
        "config": stdp(own_network(), modulator="td-error", policy="softmax", encoder="quiet"),
    },
    "reward-stdp from silence, normalised": {
        "env": "CartPole-v1",
        "config": stdp(own_network(), carries=False, normalises=True),
    },
    "reward-stdp in chip arithmetic": {
        "env": "CartPole-v1",
        "config": stdp(own_network()),
        "arithmetic": "loihi",
    },
}

CRITIC = {"critic": "spiking", "features": RBF(LOW, HIGH, cells=3), "critic.neurons": 12}
CASES |= {
    "RBF features": {"env": "CartPole-v1", "features": RBF(LOW, HIGH, cells=3)},
    "spiking critic": {"env": "CartPole-v1", **CRITIC},
    "exploration": {"env": "CartPole-v1", "policy.exploration": 0.3},
    "epsilon-greedy": {"env": "CartPole-v1", "policy": "epsilon-greedy", "policy.epsilon": 0.3},
    "epsilon-greedy, emulator": {
        "env": "CartPole-v1",
        "backend": "loihi",
        "policy": "epsilon-greedy",
    },
    "annealed softmax": {
        "env": "CartPole-v1",
        "policy": "annealed-softmax",
        "policy.beta_end": 0.9,
        "policy.beta_decisions": 40,
    },
    "repeated actions": {"env": "CartPole-v1", "policy.repeats": 3},
    "repeated actions, ever less": {
        "env": "CartPole-v1",
        "policy.repeats": 5,
        "policy.repeats_decisions": 60,
    },
    "repeated actions, emulator": {"env": "CartPole-v1", "backend": "loihi", "policy.repeats": 2},
    "repeated actions, agreement": {"env": "CartPole-v1", "rule": "agreement", "policy.repeats": 2},
    "repeated actions, spiking critic": {"env": "CartPole-v1", "policy.repeats": 4, **CRITIC},
    "optimistic critic": {
        "env": "CartPole-v1",
        "critic": "optimistic",
        "critic.initial_value": 0.7,
    },
    "optimistic critic of the grid": {
        "env": "neurorl/GridWorld-v0",
        "critic": "optimistic",
        "policy": "epsilon-greedy",
        "modulator.limit": None,
    },
    "spiking critic, native": {"env": "CartPole-v1", "backend": "native", **CRITIC},
    "spiking critic in chip arithmetic": {"env": "CartPole-v1", "arithmetic": "loihi", **CRITIC},
    "spiking critic, emulator": {"env": "CartPole-v1", "backend": "loihi", **CRITIC},
    "spiking critic, Bernoulli": {"env": "CartPole-v1", "encoder": "bernoulli", **CRITIC},
    "spiking critic that carries on": {"env": "CartPole-v1", "carries": True, **CRITIC},
    "spiking critic, not normalised": {
        "env": "CartPole-v1",
        "normalises": False,
        "alpha_output": 1e-3,
        "alpha_hidden": 1e-3,
        "critic.alpha": 1e-3,
        **CRITIC,
    },
    "spiking critic of glm units": {
        "env": "CartPole-v1",
        "model": "glm",
        "window": 4,
        **CRITIC,
        "cells": CELLS,
        "hidden": 3,
    },
    "spiking critic with td-stdp": {
        "env": "CartPole-v1",
        "rule": "td-stdp",
        "normalises": False,
        **CRITIC,
        "alpha_output": 1e-3,
        "alpha_hidden": 1e-3,
        "critic.alpha": 1e-3,
    },
}

GRID = "neurorl/GridWorld-v0"
STDP_RATES = {"normalises": False, "alpha_output": 1e-3, "alpha_hidden": 1e-3}
for _rule in ("coagent", "agreement", "surrogate", "spikes-only-hebbian"):
    CASES[f"{_rule}, lif"] = {"env": "CartPole-v1", "rule": _rule}
    CASES[f"{_rule}, glm"] = {"env": GRID, "model": "glm", "rule": _rule, "episodes": 2}
    CASES[f"{_rule} without hidden units"] = {"env": "CartPole-v1", "rule": _rule, "hidden": 0}
CASES |= {
    "centred-feedback, lif": {"env": "CartPole-v1", "rule": "centred-feedback"},
    "spikes-only, glm": {"env": GRID, "model": "glm", "rule": "spikes-only", "episodes": 2},
    "surrogate in chip arithmetic": {
        "env": "CartPole-v1",
        "rule": "surrogate",
        "arithmetic": "loihi",
        "modulator.limit": None,
    },
    "surrogate with weights told to the backend": {
        "env": "CartPole-v1",
        "backend": "loihi",
        "rule": "surrogate",
    },
    "coagent in a network without modules": {
        "env": "CartPole-v1",
        "config": own_config(all_to_all(), rule="coagent"),
    },
    **{
        f"{rule} in modules": {
            "env": "CartPole-v1",
            "rule": rule,
            **STDP_RATES,
        }
        for rule in ("reward-stdp", "td-stdp")
    },
    "td-stdp in a network without modules": {
        "env": "CartPole-v1",
        "config": stdp(own_network(), rule="td-stdp", modulator="td-error"),
    },
}
for _rule in (name for name in RULES if not find_rule(name).signals):
    for _arithmetic in ("float", "loihi"):
        CASES[f"{_rule} in three layers, {_arithmetic}"] = {
            "env": "CartPole-v1",
            "model": "lif" if "stdp" in _rule or "spikes" in _rule or _rule == "e-prop" else "glm",
            "rule": _rule,
            "hidden": (3, 2),
            "actors": 4,
            "window": 8,
            "arithmetic": _arithmetic,
            **(STDP_RATES if "stdp" in _rule else {}),
        }
CASES |= {
    "surrogate in four layers, weights told": {
        "env": "CartPole-v1",
        "backend": "loihi",
        "rule": "surrogate",
        "hidden": (4, 3, 2),
        "actors": 4,
    },
    "three layers and a spiking critic": {
        "env": "CartPole-v1",
        "model": "glm",
        "rule": "surrogate",
        "window": 6,
        "actors": 4,
        **CRITIC,
        "cells": CELLS,
        "hidden": (3, 2),
    },
    "three layers moved by currents": {
        "env": "CartPole-v1",
        "rule": "centred-feedback",
        "encoder": "current",
        "actors": 4,
        "hidden": (3, 2),
    },
    "three layers in 8-bit weights": {
        "env": "CartPole-v1",
        "arithmetic": "loihi",
        "writes": "stochastic",
        "actors": 4,
        "hidden": (3, 2),
    },
    "coagent in hidden layers without modules": {
        "env": "CartPole-v1",
        "config": own_config(loose(), rule="coagent"),
    },
    "td-stdp in modules of one hidden layer of two": {
        "env": "CartPole-v1",
        "config": stdp(loose(), rule="td-stdp", modulator="td-error"),
    },
}

for _writes in ("stochastic", "accumulate", "register"):
    _chip: dict[str, Any] = {"env": "CartPole-v1", "arithmetic": "loihi", "writes": _writes}
    _every = {"writes.every": 5} if _writes == "accumulate" else {}
    CASES |= {
        f"{_writes}, lif": _chip,
        f"{_writes}, glm": {**_chip, "env": GRID, "model": "glm", "episodes": 2},
        f"{_writes}, centred-feedback, lif": {**_chip, "rule": "centred-feedback"},
        f"{_writes}, surrogate, large steps": {
            **_chip,
            "rule": "surrogate",
            "modulator.limit": None,
            "alpha_hidden": 50.0,
            **_every,
        },
        f"{_writes}, spiking critic": {**_chip, **CRITIC, **_every},
        f"{_writes}, spiking critic, native": {**_chip, **CRITIC, "backend": "native"},
        f"{_writes}, currents": {**_chip, "encoder": "current"},
        f"{_writes}, native": {**_chip, "backend": "native"},
        f"{_writes}, emulator": {**_chip, "backend": "loihi"},
        f"{_writes}, masked, delayed": {
            "env": "CartPole-v1",
            "arithmetic": "loihi",
            "config": stdp(own_network(masked=True, delay=3e-3), writes=_writes),
        },
        f"{_writes}, masked, native": {
            "env": "CartPole-v1",
            "arithmetic": "loihi",
            "backend": "native",
            "config": stdp(own_network(masked=True), writes=_writes, **_every),
        },
    }


FILTERS: dict[str, Any] = {"stimulus_lags": 2, "history_lags": 2}
CASES |= {
    "glm with filters": {"env": "CartPole-v1", "model": "glm", **FILTERS},
    "glm with hidden units and filters": {
        "env": "CartPole-v1",
        "model": "glm",
        "hidden": 4,
        **FILTERS,
        "history": (-1.0, 0.5),
    },
    "glm with filters in chip arithmetic": {
        "env": "CartPole-v1",
        "model": "glm",
        "hidden": 4,
        "arithmetic": "loihi",
        **FILTERS,
    },
    "lif with filters": {"env": "CartPole-v1", **FILTERS},
    "td-stdp with filters": {
        "env": "CartPole-v1",
        "rule": "td-stdp",
        "normalises": False,
        "alpha_output": 1e-3,
        "alpha_hidden": 1e-3,
        "carries": True,
        **FILTERS,
    },
    "currents with filters": {
        "env": "CartPole-v1",
        "model": "glm",
        "hidden": 2,
        "encoder": "current",
        "cells": CELLS,
        "arithmetic": "loihi",
        **FILTERS,
    },
    "two hidden layers with filters": {
        "env": "CartPole-v1",
        "model": "glm",
        "hidden": (3, 2),
        "actors": 4,
        "cells": CELLS,
        **FILTERS,
    },
    "filters on the emulator": {
        "env": "CartPole-v1",
        "model": "glm",
        "hidden": 2,
        "backend": "loihi",
        "cells": CELLS,
        **FILTERS,
    },
}
for _rule in ("coagent", "agreement", "centred-feedback", "surrogate"):
    CASES[f"{_rule} with filters"] = {
        "env": "CartPole-v1",
        "model": "glm",
        "hidden": 2,
        "rule": _rule,
        **FILTERS,
    }
    for _arithmetic in ("float", "loihi"):
        CASES[f"{_rule} with fixed filters, {_arithmetic}"] = {
            "env": "CartPole-v1",
            "config": own_config(fixed_filters(), rule=_rule),
            "arithmetic": _arithmetic,
        }


def learned(loop: str, env: str, episodes: int = 4, **options: Any) -> Any:
    agent = SpikingActorCritic(env, seed=5, loop=loop, **options)
    played = [(e.ret, e.length, e.discounted) for e in agent.learn(total_episodes=episodes)]
    agent.memory.decisions[:] += 0  # views
    state = agent.state()
    eligibility = {name: e.copy() for name, e in agent.memory.eligibility.items()}
    spikes = sum(int(r.sum()) for r in agent._replicas.loop.window.rasters.values())
    agent.close()
    return played, {k: v for k, v in state.items() if "wall" not in k}, eligibility, spikes


@compiled
@pytest.mark.parametrize("case", sampled(CASES, 2))
def test_native_and_numpy_agree_in_every_bit(case: str) -> None:
    native, numpy = learned("native", **CASES[case]), learned("numpy", **CASES[case])
    assert native[0] == numpy[0]
    for ours, theirs in ((native[1], numpy[1]), (native[2], numpy[2])):
        assert ours.keys() == theirs.keys()
        for key, value in ours.items():
            assert np.array_equal(value, theirs[key]), key
    assert native[3] == numpy[3] > 0
    learning = [e.any() for e in native[2].values()]
    assert all(learning) if "three layers" in case else any(learning)


def test_concatenated_features_are_flattened_alike() -> None:
    """A map of maps sees a Dict's parts in its own order."""
    space = gym.spaces.Dict(where=gym.spaces.Discrete(3), what=gym.spaces.Box(-1, 1, (2,)))
    cells = Concat((OneHot(3), GaussianCells([-1, -1], [1, 1], 4)), ("where", "what"))
    seen = {"where": 2, "what": np.array([0.5, -0.25])}
    assert space.contains({**seen, "what": np.array([0.5, -0.25], dtype=np.float32)})
    flat = cells.flat(seen)
    assert flat.tolist() == [2.0, 0.5, -0.25]
    assert np.array_equal(cells.values(flat), cells(seen))


class Lost(gym.Env[Any, Any]):
    """Show a state that the space doesn't have."""

    observation_space = gym.spaces.Discrete(3)
    action_space = gym.spaces.Discrete(2)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return 1, {}

    def step(self, action: Any) -> Any:
        return 7, 0.0, False, False, {}


@pytest.mark.parametrize("loop", [pytest.param("native", marks=compiled), "numpy"])
def test_a_state_that_no_cell_knows(loop: str) -> None:
    agent = SpikingActorCritic(Lost(), loop=loop, actors=2, hidden=2)
    with pytest.raises(ArgumentError, match="state"):
        agent.learn(total_episodes=1)


@compiled
def test_the_native_loop_is_the_default() -> None:
    agent = SpikingActorCritic("CartPole-v1", actors=2, hidden=2)
    assert isinstance(agent._replicas.loop, NativeLoop)
    with pytest.raises(UnknownNameError, match="native"):
        SpikingActorCritic("CartPole-v1", loop="nativ")


def test_without_a_compiler_the_loop_is_numpys_and_says_so_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("neurorl.native.toolchain.problem", lambda: "no compiler at all")
    small: dict[str, Any] = {"actors": 2, "hidden": 2, "backend": "reference"}
    with pytest.warns(RuntimeWarning, match="no compiler at all"):
        agent = SpikingActorCritic("CartPole-v1", **small)
    again = SpikingActorCritic("CartPole-v1", **small)  # a warning would be an error
    assert isinstance(agent._replicas.loop, NumpyLoop)
    assert isinstance(again._replicas.loop, NumpyLoop)
