"""Compare an agent in two settings, on the same observations: what it loses by being moved.

A setting is a backend, an arithmetic and a noise, as `SpikingActorCritic.player` takes them. Both
play with the same seed: the same input spikes, ties drawn alike, and (of noise ``'exact'``) the
same draws, so that what differs is due to the setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

import numpy as np

from neurorl.agents.local import SpikingActorCritic
from neurorl.agents.player import Player
from neurorl.errors import ArgumentError
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.random import derive, read_seed

_PLAY, _RESET = 5, 6  # purposes of derived seeds


class Rates:
    """Average the spikes of each neuron over the steps in which input can have reached it."""

    def __init__(self, player: Player) -> None:
        network = player.backend.network
        self._from = {p.name: network.depth(p.name) - 1 for p in network.populations}
        self._spikes = {p.name: np.zeros(p.size) for p in network.populations}
        self._steps = dict.fromkeys(self._spikes, 0)

    def add(self, rasters: Mapping[str, Any]) -> None:
        """Add one decision, ``(window, size)`` of each population."""
        for name, spikes in self._spikes.items():
            raster = rasters[name][self._from[name] :]
            spikes += raster.sum(axis=0)
            self._steps[name] += len(raster)

    def of(self, population: str) -> FloatArray:
        """Return spikes per step, ``(size,)``, 0 to 1."""
        return np.asarray(self._spikes[population] / max(1, self._steps[population]))


class Comparison(TypedDict):
    """Say how alike two settings decide, see `compare`."""

    decisions: int
    agreement: float
    populations: list[dict[str, Any]]


def compare(
    agent: SpikingActorCritic,
    decisions: int = 2000,
    *,
    first: Mapping[str, Any],
    second: Mapping[str, Any],
    seed: int = 0,
    other_seed: int | None = None,
) -> Comparison:
    """Return how alike two settings are, over decisions of greedy play in the *first* one.

    The second is shown the observations of the first, and its actions are not taken.
    other_seed: gives the second one other noise and ties: how far two runs of one setting differ
    by draws alone.
    Returns agreement (the share of decisions with the same action), decisions, and for each
    population a row of ``populations``: rate and other_rate (spikes of a neuron per step, first
    and second), error_percent (of the mean rate; None if that is 0) and rms (of the neurons' own
    differences, spikes per step). Raises ArgumentError for decisions out of range.
    """
    if decisions < 1:
        raise ArgumentError("compare", "decisions out of range", got=decisions, limit=">= 1")
    seed = read_seed(seed, "compare.seed")
    other_seed = None if other_seed is None else read_seed(other_seed, "compare.other_seed")
    seeds = [
        derive(k, _PLAY, agent.seed) for k in (seed, seed if other_seed is None else other_seed)
    ]
    players = [
        agent.player(key, **setting)
        for key, setting in zip(seeds, (dict(first), dict(second)), strict=True)
    ]
    rates = [Rates(player) for player in players]
    same = done = episode = 0
    with players[0].backend, players[1].backend:
        while done < decisions:
            observation, _ = agent.env.reset(seed=derive(seed, _RESET, episode) & 0x7FFFFFFF)
            episode += 1
            over = False
            for player in players:
                player.begin()
            while not over and done < decisions:
                actions = []
                for player, rate in zip(players, rates, strict=True):
                    move = player.move(observation)
                    rate.add(move.rasters)
                    actions.append(move.action)
                same += actions[0] == actions[1]
                done += 1
                observation, _, terminated, truncated, _ = agent.env.step(
                    agent.actions.taken(actions[0])
                )
                over = terminated or truncated
    return {
        "decisions": decisions,
        "agreement": same / decisions,
        "populations": [_row(p.name, *rates) for p in agent.network.populations],
    }


def _row(population: str, first: Rates, second: Rates) -> dict[str, Any]:
    a, b = first.of(population), second.of(population)
    rate, other = float(a.mean()), float(b.mean())
    return {
        "population": population,
        "rate": rate,
        "other_rate": other,
        "error_percent": 100 * (other - rate) / rate if rate else None,
        "rms": float(np.sqrt(np.mean((a - b) ** 2))),
    }
