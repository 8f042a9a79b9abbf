"""Playing an agent without learning, and what it cost in spikes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from neurorl.agent import SpikingActorCritic, read_agent
from neurorl.description import Network
from neurorl.player import Move
from neurorl.random import derive

__all__ = ["evaluate", "load_to_play"]

_PLAY, _RESET = 3, 4  # purposes of derived seeds


def evaluate(
    agent: SpikingActorCritic,
    episodes: int = 100,
    *,
    seed: int = 0,
    backend: str | None = None,
    arithmetic: str | None = None,
    explore: bool = False,
    callback: Callable[[int, float], None] | None = None,
) -> dict[str, Any]:
    """Mean return over *episodes* with the weights as they are.

    The neurons stay stochastic; the action is the one with the most votes, or drawn from the
    policy if *explore*. seed: of noise and environment, apart from the training's.
    Returns env, backend, arithmetic, seed, episodes, mean_return, std_return,
    mean_discounted_return, spikes_per_decision (of neurons), synops_per_decision (spikes, of
    sources too, times the synapses they reach). A source of currents counts once a decision: a
    multiplication and an addition of the host for each synapse of a cell whose activation isn't 0.
    """
    player = agent.player(derive(seed, _PLAY, agent.seed), backend, arithmetic, explore)
    fan_out = _fan_out(player.backend.network)
    returns, discounted = [], []
    spikes = synops = 0.0
    with player.backend:
        for k in range(episodes):
            reset_seed = derive(seed, _RESET, k) & 0x7FFFFFFF
            observation, _ = agent.env.reset(seed=reset_seed)
            player.begin()
            done, total, total_discounted, factor = False, 0.0, 0.0, 1.0
            while not done:
                move = player.move(observation)
                observation, reward, terminated, truncated, _ = agent.env.step(
                    move.action + agent.first_action
                )
                done = terminated or truncated
                total += float(reward)
                total_discounted += factor * float(reward)
                factor *= agent.config.gamma
                fired, operations = _cost(move, fan_out)
                spikes += fired
                synops += operations
            returns.append(total)
            discounted.append(total_discounted)
            if callback is not None:
                callback(k, total)
    return {
        "env": agent.env_id,
        "backend": player.backend.name,
        "arithmetic": player.backend.arithmetic_name,
        "seed": seed,
        "episodes": episodes,
        "mean_return": float(np.mean(returns)),
        "std_return": float(np.std(returns)),
        "mean_discounted_return": float(np.mean(discounted)),
        "spikes_per_decision": spikes / player.decisions,
        "synops_per_decision": synops / player.decisions,
    }


def load_to_play(
    path: Path, backend: str | None = None, arithmetic: str | None = None
) -> tuple[SpikingActorCritic, str, str | None]:
    """A saved agent that won't learn on, and the backend and arithmetic to play it in.

    None takes those it was trained on; on another backend, that backend's own arithmetic.
    Only what plays is compiled: the reference holds the weights until then.
    """
    described, _ = read_agent(path)
    same = backend is None or backend == described["backend"]
    shadow = described["config"].get("writes", "shadow") == "shadow"
    kept_in = "float" if shadow else described["arithmetic"]
    agent = SpikingActorCritic.load(path, backend="reference", arithmetic=kept_in)
    return (
        agent,
        backend or described["backend"],
        arithmetic or (described["arithmetic"] if same else None),
    )


def _fan_out(network: Network) -> dict[str, float]:
    """Synapses that one spike of each node reaches, on average over its neurons."""
    out = {node.name: 0.0 for node in network.nodes}
    for p in network.projections:
        shape = network.weight_shape(p.name)
        synapses = float(np.prod(shape)) if p.mask is None else float(p.mask.sum())
        out[p.pre] += synapses / network.node(p.pre).size
    return out


def _cost(move: Move, fan_out: dict[str, float]) -> tuple[float, float]:
    fired = {
        name: int(np.count_nonzero(raster))
        for name, raster in {**move.inputs, **move.rasters}.items()
    }
    neurons = float(sum(fired[name] for name in move.rasters))
    return neurons, sum(n * fan_out[name] for name, n in fired.items())
