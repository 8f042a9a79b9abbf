"""Compare the parts of shared hidden layers with small computations of their own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from deep_agents import Small, deep_agent, loop_of

from neurorl.learning.deep.rule import TracedSynapses, centred, longest_silence, surrogate, told
from neurorl.models.agent.gaussian_policy import GaussianReadout
from neurorl.models.agent.policies import Greedy, Softmax
from neurorl.models.deep.feedback import Own, Random, Signs, Symmetric
from neurorl.models.deep.normalisation import Homeostasis, Pool, Unnormalised
from neurorl.models.deep.observations import AsSeen, Standardised
from neurorl.models.deep.step_size import ClippedStep, Plain, RootMeanSquare
from neurorl.models.deep.trunk import Modules, Shared
from neurorl.numerics.arrays import Array

F = np.float32


def draws(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


def synapses(n_pre: int, n_post: int, longest: int, learns: bool = False) -> TracedSynapses:
    def zeros(kind: Any, *shape: int) -> Array:
        return np.zeros(shape, dtype=kind)

    return TracedSynapses(
        zeros(F, n_pre, n_post),
        zeros(F, n_pre, n_post),
        zeros(F, n_pre, n_post),
        zeros(np.int64, n_pre),
        zeros(np.int64, n_pre),
        zeros(np.bool_, n_pre),
        np.ones((n_pre, n_post), F) if learns else None,
        F(0.5),
        longest,
    )


def test_one_synapse_learns_as_the_page_says() -> None:
    """All by hand, one float32 operation after the other; the input falls silent in between."""
    step = RootMeanSquare(keep=0.9, floor=1e-8)
    one, longest = synapses(1, 1, 2), 2
    e = h = w = F(0.0)
    keep, rest, gl, eta = F(0.9), F(1.0 - 0.9), F(0.8), F(0.01)
    age, live, changed = 0, False, 0
    spoke = [1, 0, 1, 0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1]
    for t, x in enumerate(spoke):
        f, delta = F(0.3 + 0.1 * t), F(0.5 - 0.2 * (t % 5))
        one.learn(np.array([x], F), np.array([f]), None, delta, gl, eta, step, t)
        age = 0 if x else age + 1
        if x and not live:
            live, h = True, F(h * F(np.exp((t - changed) * np.log(0.9))))
        if live and age > longest:
            live, e = False, F(0.0)
        if live:
            e = F(F(gl * e) + f) if x else F(gl * e)
            g = F(delta * e)
            h = F(F(keep * h) + F(F(rest * g) * g))
            correction = F(1.0 / (1.0 - 0.9 ** (t + 1)))
            w = F(w + F(eta * F(g / np.sqrt(F(F(h * correction) + F(1e-8))))))
            changed = t + 1
        assert one.trace[0, 0] == e, t
        assert one.live[0] == live, t
        assert one.mean_square[0, 0] == pytest.approx(h, rel=1e-6), t
        assert one.weights[0, 0] == pytest.approx(w, rel=1e-5), t
        assert (one.last[0], one.age[0]) == (changed, age), t
    assert 0.0 < abs(w) < 0.5


def test_a_row_that_slept_has_the_mean_squares_of_one_that_was_visited() -> None:
    """Fading at once is the same, to rounding, as fading in each decision."""
    step, gl = RootMeanSquare(keep=0.95), F(0.01)
    lazy, eager = synapses(1, 3, 1), synapses(1, 3, 10**6)
    for t in range(37):
        x = np.array([t % 13 == 0], F)
        for one in (lazy, eager):
            one.learn(x, np.array([1.0, -0.2, 3.0], F), None, F(0.7), gl, F(0.1), step, t)
    assert not lazy.live[0]
    assert lazy.last[0] < 37
    assert eager.live[0]
    step.fade(lazy.mean_square, 37 - lazy.last)
    assert np.allclose(lazy.mean_square, eager.mean_square, rtol=1e-3)
    assert np.allclose(lazy.weights, eager.weights, atol=2e-2)


def test_weights_stay_in_bounds_and_own_feedback_learns_without() -> None:
    one = synapses(2, 3, 5, learns=True)
    for t in range(10):
        one.learn(np.ones(2, F), np.ones(3, F), None, F(1.0), F(0.0), F(0.2), Plain(), t)
    assert (one.weights == F(0.5)).all()
    assert one.feedback is not None
    assert np.allclose(one.feedback, 3.0)


def test_what_is_added_counts_only_where_inputs_speak() -> None:
    one = synapses(2, 2, 5)
    x, extra = np.array([0.5, 0.0], F), np.array([1.0, -2.0], F)
    one.learn(np.ones(2, F), np.zeros(2, F), None, F(1.0), F(0.5), F(1.0), Plain(), 0)
    one.learn(x, np.zeros(2, F), extra, F(1.0), F(0.5), F(0.1), Plain(), 1)
    assert np.allclose(one.weights, [[0.05, -0.1], [0.0, 0.0]])


@pytest.mark.parametrize(
    ("keep", "faded", "n"), [(0.0, 0.1, 1), (0.5, 1.0, 1), (0.5, 0.1, 4), (1.0, 0.1, 1000)]
)
def test_the_longest_silence_leaves_less_than_the_share(keep: float, faded: float, n: int) -> None:
    assert longest_silence(keep, faded) == n
    if 0.0 < keep < 1.0 and faded < 1.0:
        assert keep**n < faded <= keep ** (n - 1)


def test_homeostasis_is_a_running_mean() -> None:
    """While 1 / (t + 2) is the rate, it is the mean of all drives, and of 0 before them."""
    drives = draws(200, 4) + np.array([0.0, 1.0, -2.0, 5.0])
    mean, variance = np.zeros(4), np.ones(4)
    for t, drive in enumerate(drives):
        Homeostasis(rate=1e-6).heard(drive, mean, variance, t)
    expected = np.vstack([np.zeros(4), drives]).mean(axis=0)
    assert np.allclose(mean, expected, atol=1e-12)
    assert np.allclose(variance, drives.var(axis=0), rtol=0.15)
    shift, scale = Homeostasis(floor=0.5).normal(drives[0], mean, variance)
    assert np.array_equal(shift, mean)
    assert np.array_equal(scale, np.sqrt(variance + 0.5))
    Homeostasis(rate=0.25).heard(np.full(4, 10.0), mean, variance, 10**6)
    assert np.allclose(mean, 0.75 * expected + 2.5)


def test_a_pool_is_layer_normalisation() -> None:
    drive = draws(7) * 3.0 + 2.0
    shift, scale = Pool(floor=1e-9).normal(drive, np.zeros(7), np.ones(7))
    u = (drive - shift) / scale
    assert u.mean() == pytest.approx(0.0, abs=1e-12)
    assert u.std() == pytest.approx(1.0)
    factor = draws(7, seed=1)
    projected = Pool().project(factor, u)
    assert projected.sum() == pytest.approx(0.0, abs=1e-5)
    assert (projected * u).sum() == pytest.approx(0.0, abs=1e-5)
    # It is the gradient: of sum(f u(d)) by d, times the scale.
    step, gradient = 1e-6, []
    for i in range(7):
        moved = drive + step * np.eye(7)[i]
        shift_2, scale_2 = Pool(floor=1e-9).normal(moved, np.zeros(7), np.ones(7))
        gradient.append(factor @ ((moved - shift_2) / scale_2 - u) / step)
    assert np.allclose(projected / scale, gradient, atol=1e-4)
    assert np.array_equal(Unnormalised().normal(drive, drive, drive), [np.zeros(7), np.ones(7)])


def test_a_pool_may_measure_drives_from_their_own_means() -> None:
    drives = draws(200, 4) + np.array([0.0, 1.0, -2.0, 5.0])
    pool, mean, variance = Pool(rate=1e-6), np.zeros(4), np.ones(4)
    for t, drive in enumerate(drives):
        pool.heard(drive, mean, variance, t)
    assert np.allclose(mean, np.vstack([np.zeros(4), drives]).mean(axis=0), atol=1e-12)
    shift, scale = pool.normal(drives[0], mean, variance)
    shift_2, scale_2 = Pool().normal(drives[0] - mean, np.zeros(4), variance)
    assert np.allclose(shift, mean + shift_2)
    assert np.array_equal(scale, scale_2)
    Pool(rate=0.25).heard(np.full(4, 10.0), was := mean.copy(), variance, 10**6)
    assert np.allclose(was, 0.75 * mean + 2.5)
    Pool().heard(np.full(4, 10.0), was := mean.copy(), variance, 3)
    assert np.array_equal(was, mean)


def test_standardised_numbers_are_those_of_numpy() -> None:
    seen = draws(50, 3) * np.array([1.0, 5.0, 0.1]) + np.array([0.0, -3.0, 100.0])
    mean, square, part = np.zeros(3), np.zeros(3), Standardised(limit=2.0)
    for count, row in enumerate(seen):
        part.heard(row, mean, square, count)
        heard = seen[: count + 1]
        deviation = heard.std(axis=0, ddof=1) if count else 1.0
        z = (row - heard.mean(axis=0)) / deviation
        sides = np.clip(np.concatenate([z, -z]) / 2.0, 0.0, 1.0)
        assert np.allclose(part.activation(row, mean, square, count + 1), sides, atol=1e-4)
    assert np.allclose(mean, seen.mean(axis=0))
    assert part.channels(3) == 6
    found = AsSeen().activation(np.array([-1.0, 0.3, 2.0]), mean, square, 50)
    assert np.array_equal(found, [0.0, 0.3, 1.0])


@pytest.mark.parametrize("policy", [Softmax(1.0), Softmax(1.0, exploration=0.0)])
def test_the_entropys_slope_is_its_derivative(policy: Softmax) -> None:
    def entropy(votes: Array) -> float:
        p = policy.distribution(votes)
        return -float((p * np.log(p)).sum())

    votes, step = np.array([0.3, -1.0, 2.0, 0.0]), 1e-6
    numeric = [
        (entropy(votes + step * e) - entropy(votes - step * e)) / (2 * step) for e in np.eye(4)
    ]
    pull = policy.pull(votes, policy.distribution(votes), 3.0)
    assert np.allclose(pull / 3.0, numeric, atol=1e-8)


def test_an_action_that_is_impossible_has_no_slope() -> None:
    p = np.array([0.0, 1.0])
    assert np.array_equal(Greedy().pull(p, p, 1.0), [0.0, 0.0])
    p = np.array([0.5, 0.0, 0.5])
    slopes = Softmax().pull(p, p, 1.0)
    assert slopes == pytest.approx([0.0, 0.0, 0.0])


@pytest.mark.parametrize("width", [-5.0, -1.0, 0.0, 1.0, 9.0])
def test_a_mean_is_pulled_back_from_where_no_draw_is_in_range(width: float) -> None:
    """Do nothing to means within two sigma of the range; sigma is limited as in a decision."""
    far = 1.0 + 2.0 * 0.6 * np.exp(np.clip(width, -3.0, 2.0))
    pulls = {
        mean: GaussianReadout().pull(np.array([mean, width]), np.ones(2), 0.5)
        for mean in (0.0, 1.0, -far + 1e-9, far + 2.0, -far - 3.0)
    }
    assert [pull[0] for pull in pulls.values()] == pytest.approx([0.0, 0.0, 0.0, -2.0, 3.0])
    assert {pull[1] for pull in pulls.values()} == {0.5}


def test_numbers_are_drawn_by_two_readouts() -> None:
    policy, found = GaussianReadout(first=0.2), []
    uniform = np.random.default_rng(5).random((4000, 2))
    for u in uniform:
        choice = policy.decide(np.array([0.1, 0.5]), (2,), None, u)
        found.append((choice.actions[0], *choice.phi))
    numbers, of_mean, of_width = np.array(found).T
    assert numbers.mean() == pytest.approx(0.1, abs=0.02)
    assert numbers.std() == pytest.approx(0.2 * np.exp(0.5), rel=0.05)
    assert of_mean.mean() == pytest.approx(0.0, abs=0.05)
    assert of_width.mean() == pytest.approx(0.0, abs=0.07)
    best = policy.at_best().decide(np.array([0.1, 9.0]), (2,), None, uniform[0])
    assert best.actions[0] == 0.1


def test_centring_is_two_running_means() -> None:
    n, keep, rate = 3, F(0.8), 0.1
    held = [np.zeros(n, F) for _ in range(4)]
    a = c = alpha = kappa = np.zeros(n)
    for t in range(20):
        f, u = (draws(n, seed=10 * t + k).astype(F) for k in range(2))
        delta = F(np.sin(t))
        added = centred(held, f, u, keep, delta, rate)
        a, c = 0.8 * a + f, 0.8 * c + f * u
        alpha, kappa = alpha + 0.1 * (delta * a - alpha), kappa + 0.1 * (delta * c - kappa)
        assert np.allclose(added, -(alpha + kappa * u), atol=1e-5)
    assert np.allclose(held[0], a, atol=1e-5)


def test_the_surrogate_is_a_bump_around_the_threshold() -> None:
    u = np.linspace(-3.0, 5.0, 81)
    psi = surrogate(u, 3.0)
    p = 1.0 / (1.0 + np.exp(-3.0 * (u - 1.0)))
    assert np.allclose(psi[1:-1], (p[2:] - p[:-2]) / (u[2] - u[0]), atol=1e-2)
    assert psi.dtype == F
    assert u[np.argmax(psi)] == pytest.approx(1.0)
    assert psi.max() == pytest.approx(0.75)


def test_what_neurons_are_told_is_a_product() -> None:
    feedback, signals = draws(6, 4).astype(F), draws(4, seed=1).astype(F)
    assert np.allclose(told(feedback, signals), feedback @ signals, atol=1e-6)


def test_first_feedback_and_bounded_steps() -> None:
    uniform = np.random.default_rng(1).random((16, 5))
    assert np.abs(Random().first(uniform)).max() <= 0.25
    assert np.array_equal(np.unique(np.abs(Signs().first(uniform))), [0.25])
    assert (Own().learns, Random().learns, Symmetric().is_forward) == (True, False, True)
    signal = np.array([[-3.0, 0.2, 3.0]], F)
    assert np.array_equal(
        ClippedStep(0.5).steps(signal, signal, 0), np.array([[-0.5, 0.2, 0.5]], F)
    )


def test_own_feedback_becomes_like_the_weights() -> None:
    """Pairs change alike, so their difference stays; symmetric feedback is the weights."""
    agent = deep_agent(Small(), weight_bound=9.0)
    memory = loop_of(agent).memory
    before = memory.lasting["hidden_output.feedback"] - memory.weights["hidden_output"]
    agent.learn(total_steps=80)
    after = memory.lasting["hidden_output.feedback"] - memory.weights["hidden_output"]
    assert np.allclose(after, before, atol=1e-5)
    assert np.abs(memory.weights["hidden_output"]).max() > 0.05
    agent.close()


def test_descriptions_go_to_data_and_back() -> None:
    trunk = Shared(
        normalisation=Homeostasis(rate=0.01, floor=0.2),
        feedback=Signs(),
        step_size=ClippedStep(0.3),
        observations=Standardised(limit=3.0),
        spread=0.5,
        centring=0.2,
        entropy=0.0,
        slope=2.0,
        scales_rewards=False,
        faded=0.1,
    )
    assert Shared.from_dict(trunk.to_dict()) == trunk
    assert Modules.from_dict(Modules().to_dict()) == Modules()
    for part in (Pool(1e-3), Unnormalised(), Own(), Random(), Symmetric(), Plain(), AsSeen()):
        assert type(part).from_dict(part.to_dict()) == part
    agent = deep_agent(Small("numbers", "numbers"), trunk=trunk, hidden=(4, 3))
    data = agent.config.to_dict()
    again = type(agent.config).from_dict(data)
    assert again == agent.config
    assert again.to_dict() == data
    assert again.trunk == trunk
    agent.close()
