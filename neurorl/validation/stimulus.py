"""Make the input of every backend once: windows of spikes (and currents)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from neurorl.agents.player import Player
from neurorl.backends.checks import Inputs
from neurorl.backends.registry import load
from neurorl.numerics.arrays import FloatArray
from neurorl.numerics.random import derive
from neurorl.testing import rasters
from neurorl.validation.subject import Subject

_RESET = 5  # purpose of derived seeds
_PLAIN_WINDOW = 20  # steps, of a network without an agent
_PROBABILITIES = (0.05, 0.15, 0.3, 0.6)


class InputWindow(NamedTuple):
    """Hold the inputs of *n_steps* steps; *fresh* windows start from silence.

    writes: projections and weights to write to them before it.
    """

    inputs: Inputs
    n_steps: int
    fresh: bool
    writes: Sequence[tuple[str, FloatArray]] = ()


def make_stimulus(subject: Subject, n_steps: int, seed: int, arithmetic: str) -> list[InputWindow]:
    """Make windows of at least *n_steps* steps of input.

    Of an agent, what it sees while the reference plays its environment by its policy, in
    *arithmetic*; else random spikes of several rates.
    """
    if subject.config is None:
        return _random(subject, n_steps, seed)
    return _played(subject, n_steps, seed, arithmetic)


def _random(subject: Subject, n_steps: int, seed: int) -> list[InputWindow]:
    windows = []
    for k, start in enumerate(range(0, n_steps, _PLAIN_WINDOW)):
        length = min(_PLAIN_WINDOW, n_steps - start)
        probability = _PROBABILITIES[k % len(_PROBABILITIES)]
        inputs = rasters(subject.network, length, derive(seed, _RESET, k), probability)
        windows.append(InputWindow(inputs, length, False))
    return windows


def _played(subject: Subject, n_steps: int, seed: int, arithmetic: str) -> list[InputWindow]:
    config, env = subject.config, subject.env
    assert config is not None
    assert env is not None
    first_action = int(env.action_space.start)  # type: ignore[attr-defined]
    windows: list[InputWindow] = []
    with load("reference", subject.network, seed=seed, arithmetic=arithmetic) as backend:
        for name, weights in subject.weights.items():
            backend.set_weights(name, weights)
        player = Player(config, backend, subject.n_actions, explore=True)
        done, episode, observation = True, 0, None
        while config.window * len(windows) < n_steps:
            begins = done
            if begins:
                reset_seed = derive(seed, _RESET, episode) & 0x7FFFFFFF
                observation, _ = env.reset(seed=reset_seed)
                player.begin()
                episode += 1
            move = player.move(observation)
            inputs = {name: np.array(values) for name, values in move.inputs.items()}
            windows.append(InputWindow(inputs, config.window, begins or not config.carries))
            observation, _, terminated, truncated, _ = env.step(move.action + first_action)
            done = terminated or truncated
    return windows
