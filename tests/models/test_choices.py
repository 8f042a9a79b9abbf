"""Test choices of several groups, masks, and population codes of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neurorl.errors import DescriptionError, EnvError, UnsupportedError
from neurorl.models.agent.gaussian_policy import Gaussian, normal
from neurorl.models.agent.policies import Greedy, Policy, Softmax, choose, greedy, softmax
from neurorl.numerics.random import uniforms
from neurorl.tasks.actions import allowed_actions

VOTES = np.array([3.0, 0.0, 5.0, 2.0, 2.0, 7.0, 1.0])
GROUPS = (3, 4)


def test_each_group_is_chosen_as_if_alone() -> None:
    policy = Softmax(0.4, 0.1)
    u = np.array([0.3, 0.95])
    choice = policy.decide(VOTES, GROUPS, None, u)
    for part, one, of_u in ((slice(0, 3), 0, 0.3), (slice(3, 7), 1, 0.95)):
        p = softmax(VOTES[part], 0.4, 0.1)
        assert choice.policy[part].tolist() == p.tolist()
        action = choose(p, of_u)
        assert choice.actions[one] == action
        taken = np.arange(len(p)) == action
        assert np.array_equal(choice.phi[part], taken - p)
        assert choice.t[part].tolist() == np.where(taken, 1.0, -1.0).tolist()
        assert abs(choice.phi[part].sum()) < 1e-12


@pytest.mark.parametrize("policy", [Softmax(0.4, 0.1), Softmax(1.0), Greedy()])
def test_what_is_masked_has_no_say(policy: Policy) -> None:
    """The policy is that of the votes left: never what isn't allowed, whatever is drawn."""
    rng = np.random.default_rng(5)
    for _ in range(200):
        allowed = rng.random(7) < 0.5
        allowed[[rng.integers(3), 3 + rng.integers(4)]] = True
        u = rng.choice([1e-10, 0.5, 1.0 - 2.0**-33], 2)
        choice = policy.decide(VOTES, GROUPS, allowed, u)
        for first, size, action in ((0, 3, choice.actions[0]), (3, 4, choice.actions[1])):
            mine = np.arange(first, first + size)[allowed[first : first + size]]
            assert first + action in mine
            assert np.array_equal(choice.policy[mine], policy.distribution(VOTES[mine]))
        for numbers in (choice.policy, choice.phi, choice.t):
            assert not numbers[~allowed].any()


def test_a_mask_that_allows_all_changes_nothing() -> None:
    u = np.array([0.4, 0.6])
    one, other = (Softmax().decide(VOTES, GROUPS, m, u) for m in (None, np.ones(7, dtype=bool)))
    for name in ("policy", "actions", "phi", "t"):
        assert np.array_equal(getattr(one, name), getattr(other, name))


def test_normal_numbers() -> None:
    """The draws have the moments of the normal distribution, and none is infinite."""
    u, v = uniforms(1, 2, 20_000, 0), uniforms(1, 2, 20_000, 1)
    z = np.array([normal(a, b) for a, b in zip(u, v, strict=True)])
    assert abs(z.mean()) < 0.03
    assert abs(z.std() - 1.0) < 0.02
    assert abs((z**4).mean() - 3.0) < 0.2
    assert abs((np.abs(z) < 1.0).mean() - 0.6827) < 0.01
    assert np.isfinite([normal(2.0**-33, 0.5), normal(1.0 - 2.0**-33, 2.0**-33)]).all()


def test_numbers_by_hand() -> None:
    """Votes (1, 3) for -1 and 1 code 0.5; (2, 0, 2) code 0, (0, 1, 0) the middle."""
    u = np.array([0.2, 0.1, 0.7, 0.3])
    choice = Gaussian(0.5, population=2).decide(np.array([1.0, 3.0, 4.0, 0.0]), (2, 2), None, u)
    z = normal(0.2, 0.1), normal(0.7, 0.3)
    assert choice.actions.tolist() == [
        min(0.5 + 0.5 * z[0], 1.0),
        max(-1.0 + 0.5 * z[1], -1.0),
    ]
    assert choice.phi.tolist() == [z[0] * -1.5, z[0] * 0.5, z[1] * 0.0, z[1] * 2.0]
    assert choice.policy.tolist() == [0.25, 0.75, 1.0, 0.0]
    mean = Gaussian(0.5, population=3).at_best()
    for votes, coded in (((2, 0, 2), 0.0), ((0, 1, 0), 0.0), ((0, 2, 2), 0.5), ((0, 0, 0), 0.0)):
        got = mean.decide(np.array(votes, dtype=float), (3,), None, u[:2])
        assert got.actions.tolist() == [coded]


def test_feedback_is_the_score() -> None:
    """phi is the derivative of log p(a) by the votes, times sigma and their number."""
    sigma, votes, step = 0.4, np.array([4.0, 1.0, 6.0, 3.0]), 1e-6
    centres = np.linspace(-1, 1, 4)
    choice = Gaussian(sigma, population=4).decide(votes, (4,), None, np.array([0.3, 0.8]))

    def mean(n: np.ndarray) -> float:
        return float(n @ centres / n.sum())

    a = mean(votes) + sigma * normal(0.3, 0.8)
    for m in range(4):
        more, less = votes.copy(), votes.copy()
        more[m] += step
        less[m] -= step
        logs = [-((a - mean(n)) ** 2) / (2 * sigma**2) for n in (more, less)]
        score = (logs[0] - logs[1]) / (2 * step)
        assert abs(score * sigma * votes.sum() - choice.phi[m]) < 1e-6


def test_natural_feedback_shrinks_with_the_exploration() -> None:
    """Compare by the same votes and draws: phi shrinks as sigma does, actions stay."""
    votes, u = np.array([1.0, 3.0]), np.array([0.2, 0.1])
    usual = Gaussian(0.5, 0.1, decisions=8)
    natural = Gaussian(0.5, 0.1, decisions=8, natural=True)
    for decision, share in ((0, 1.0), (4, 0.3 / 0.5), (8, 0.1 / 0.5), (99, 0.1 / 0.5)):
        one, other = (p.decide(votes, (2,), None, u, decision) for p in (usual, natural))
        assert other.phi == pytest.approx(one.phi * share, rel=1e-14, abs=0)
        assert (other.actions == one.actions).all()
    assert np.isfinite(natural.at_best().decide(votes, (2,), None, u).phi).all()


def test_exploration_falls_with_decisions() -> None:
    policy = Gaussian(0.5, 0.1, decisions=8)
    widths = [policy.width(t) for t in (0, 4, 8, 9, 10**9)]
    assert widths == pytest.approx([0.5, 0.3, 0.1, 0.1, 0.1], rel=1e-15, abs=0)
    assert policy.at_best().width(0) == policy.at_best().width(10**6) == 0.0  # type: ignore[attr-defined]


def test_numbers_out_of_range() -> None:
    few = ({"population": 1}, {"population": 2.5}, {"hold": 0})
    for bad in (*few, {"sigma": -0.1}, {"natural": 1}):
        with pytest.raises(DescriptionError, match=r"agent\.policy"):
            Gaussian(**bad)
    with pytest.raises(UnsupportedError, match="no mask"):
        Gaussian().decide(np.ones(2), (2,), np.ones(2, dtype=bool), np.array([0.5, 0.5]))


_NAN, _NO_BITS = float("nan"), [2, -1, 0.5, float("inf"), 1 + 1j, "1", None, object()]


@pytest.mark.parametrize(
    "mask",
    [None, [1, 0], [1, 0, 2, "x"], [0, 0, 0], object(), np.array([1, 0, 1], object)]
    + [[odd, 0, 1] for odd in (_NAN, *_NO_BITS)],
)
def test_masks_that_are_none(mask: object) -> None:
    with pytest.raises(EnvError, match="action_mask"):
        allowed_actions({} if mask is None else {"action_mask": mask}, (3,), "here")


@pytest.mark.parametrize("kind", [bool, np.int8, np.uint64, np.float32, list])
def test_masks_of_every_type(kind: Any) -> None:
    mask = [1, 0.0, True] if kind is list else np.array([1, 0, 1], kind)
    assert allowed_actions({"action_mask": mask}, (3,), "here").tolist() == [True, False, True]


def test_masks_of_several_groups() -> None:
    flat = allowed_actions({"action_mask": np.array([1, 0, 0, 1], np.int8)}, (2, 2), "here")
    parts = allowed_actions({"action_mask": ([1, 0], np.array([0, 1]))}, (2, 2), "here")
    assert flat.tolist() == parts.tolist() == [True, False, False, True]
    with pytest.raises(EnvError, match="allows nothing"):
        allowed_actions({"action_mask": [1, 1, 0, 0]}, (2, 2), "here")
    assert greedy(VOTES).argmax() == 5
