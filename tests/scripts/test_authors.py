"""Test the papers' programs, as they are run beside ours, by answers that are known."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.authors import (
    PROGRAMS,
    CartPoleActors,
    Fourier,
    GridWorldActors,
    MountainCarActors,
    run,
)


def test_the_cartpole_update_is_that_of_the_program() -> None:
    """Compare with loops over one actor, in the program's own form 2 s / (1 + exp(2 z s))."""
    actors = CartPoleActors(np.random.default_rng(1))
    hidden, output = actors.hidden.copy(), actors.output.copy()
    state = np.array([0.1, -0.5, 0.02, 0.7])
    y = actors.forward(state)[3]
    s = actors._s[3]
    actors.update(0.5, 1, np.nan)
    for i in range(2):
        sign = 1.0 if i == 1 or y[i] < 0 else -1.0
        z, zo = hidden[3, i] @ state, output[3, i] @ s[i]
        factor = 2 * s[i] / (1 + np.exp(2 * z * s[i]))
        grown = hidden[3, i] + sign * 1e-3 * 0.5 * np.outer(factor, state)
        assert np.allclose(actors.hidden[3, i], grown, rtol=0, atol=1e-15)
        grown = output[3, i] + sign * 1e-3 * 0.5 * 2 * y[i] / (1 + np.exp(2 * zo * y[i])) * s[i]
        assert np.allclose(actors.output[3, i], grown, rtol=0, atol=1e-15)


@pytest.mark.parametrize(("recent", "rate"), [(70.0, 1e-3), (71.0, 1e-5), (190.0, 1e-3)])
def test_the_cartpole_rate_follows_the_last_episodes(recent: float, rate: float) -> None:
    actors = CartPoleActors(np.random.default_rng(1))
    before = actors.output.copy()
    actors.forward(np.ones(4))
    actors.update(1.0, 0, recent)
    assert np.abs(actors.output - before).max() == pytest.approx(rate, rel=0.9)


def test_the_mountaincar_code_has_ten_of_twenty_channels_and_spikes_alone_count() -> None:
    actors = MountainCarActors(np.random.default_rng(2))
    output = actors.output.copy()
    y = actors.forward((-0.5, 0.0))
    assert (actors._x > 0).sum() == 10
    # Place (-0.5 + 1.2) / 0.24 is 2, velocity 5: combinations of 10 of those numbers.
    assert np.flatnonzero(actors._x > 0)[:5].tolist() == [0, 1, 2, 3, 6]
    actors.update(-0.5, 2, np.nan)
    assert np.array_equal(actors.output[:, :2], output[:, :2])
    grown = output[:, 2] - 0.05 * y[:, 2, None] * actors._s
    assert np.allclose(actors.output[:, 2], grown, rtol=0, atol=1e-15)


def test_the_gridworld_filters_are_numpys_convolution() -> None:
    actors = GridWorldActors(np.random.default_rng(3))
    actors.forward(42)
    x = -np.ones((3, 5))
    for channel, places in enumerate(actors._codes[42]):
        x[channel, list(places)] = 1
    # Derivatives are y (1 - p) - (1 - y) p times what each tap saw: of all 0 or 1, one a draw.
    p = 1 / (1 + np.exp(-2 * np.convolve(x[1], actors.hidden[0, 2, 1, 1])[2:5]))
    seen = np.stack([x[1, 2:5], x[1, 1:4], x[1, 0:3]])
    draws = [np.array([a, b, c]) for a in (0, 1) for b in (0, 1) for c in (0, 1)]
    assert any(np.allclose(actors._dh[0, 2, 1, 1], seen @ (d - p), atol=1e-12) for d in draws)


def test_the_critic_is_td_of_lambda() -> None:
    critic = Fourier(np.array([0.5, 0.07]), np.array([1.7, 0.14]), 4, 0.01)
    critic.begin()
    assert len(critic.weights) == 25
    assert critic.delta((-0.5, 0.0), (-0.4, 0.01), -1.0) == -1.0
    first = critic._features((-0.5, 0.0))
    assert np.array_equal(critic.weights, -0.01 * first)
    second = critic._features((-0.4, 0.01))
    expected = -1.0 + 0.01 * (first @ second - first @ critic._features((-0.3, 0.02)))
    assert critic.delta((-0.4, 0.01), (-0.3, 0.02), -1.0) == pytest.approx(expected)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_runs_and_depends_on_its_seed_alone(name: str) -> None:
    first = run(PROGRAMS[name], 1, 2)
    assert first == run(PROGRAMS[name], 1, 2)
    assert len(first) == 2
