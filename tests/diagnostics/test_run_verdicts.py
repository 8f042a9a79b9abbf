"""Runs that fail for a known cause are told it, and runs that learn are said to have learned."""

from __future__ import annotations

import dataclasses
import functools
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import numpy.typing as npt
import pytest
from gymnasium import spaces
from sampled import sampled

from neurorl import SpikingActorCritic
from neurorl.agents.checkpoint import Setting
from neurorl.agents.evaluation import warn_of_greedy
from neurorl.cli import main
from neurorl.diagnostics.causes import CAUSES, judge, worse_greedily
from neurorl.diagnostics.monitor import Finding
from neurorl.diagnostics.observed import Hidden
from neurorl.diagnostics.outcome import Facts, RunVerdict, exceeds, trend
from neurorl.errors import PopulationWarning
from neurorl.models import CubaLIF
from neurorl.models.defaults.presets import make_config
from neurorl.models.features import GaussianCells, Select
from neurorl.runs.training import train

Numbers = npt.NDArray[np.float64]


class Random(gym.Env[Any, Any]):
    """Show two random numbers, for ten steps."""

    action_space: spaces.Space[Any] = spaces.Discrete(2)
    observation_space: spaces.Space[Any] = spaces.Box(0.0, 1.0, (2,), np.float64)
    length = 10

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.t, self.last_action, self.opens, self.streak = 0, 0, True, 0
        self.now: Numbers = self.np_random.random(2)
        self.before = self.now
        self.first = self.now
        return self.shown(), {}

    def step(self, action: int) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.t += 1
        reward = float(self.reward(action))
        self.last_action = action
        self.before, self.now = self.now, self.np_random.random(2)
        return self.shown(), reward, self.t >= self.length, False, {}

    def shown(self) -> Any:
        return self.now

    def reward(self, action: int) -> float:
        return float(action == (self.now[0] > 0.5))


class Bandit(Random):
    length = 1

    def reward(self, action: int) -> float:
        return self.np_random.random() < (0.8 if action else 0.2)


class Never(Random):
    def reward(self, action: int) -> float:
        return 0.0


class EachStepCosts(Random):
    def reward(self, action: int) -> float:
        return -1.0


class Lock(Random):
    """Pay for one sequence of 12 actions out of 16 million."""

    action_space: spaces.Space[Any] = spaces.Discrete(4)
    length = 12

    def reward(self, action: int) -> float:
        self.opens = self.opens and action == 3
        return self.opens and self.t == self.length


class Previous(Random):
    def reward(self, action: int) -> float:
        return float(action == (self.before[0] > 0.5))


class LongBefore(Random):
    """Show one of three names, and pay for the name of four steps before."""

    observation_space: spaces.Space[Any] = spaces.Discrete(3)
    action_space: spaces.Space[Any] = spaces.Discrete(3)
    length = 30

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        self.names: list[int] = []
        return super().reset(seed=seed)

    def shown(self) -> Any:
        self.names.append(int(self.np_random.integers(3)))
        return self.names[-1]

    def reward(self, action: int) -> float:
        return float(len(self.names) > 4 and action == self.names[-5])


class Cue(Random):
    """Show at first what pays at the end, five steps later."""

    length = 6

    def shown(self) -> Numbers:
        return self.now if self.t == 0 else np.array([0.5, self.t / 6.0])

    def reward(self, action: int) -> float:
        return float(self.t == self.length and action == (self.first[0] > 0.5))


class Alternate(Random):
    def reward(self, action: int) -> float:
        return action != self.last_action


class Streak(Random):
    """Pay for action 1, and end when it was taken four times in a row."""

    length = 40

    def shown(self) -> Numbers:
        return np.array([0.5, 0.5])

    def reward(self, action: int) -> float:
        self.streak = action * (self.streak + 1 if self.t > 1 else 1)
        self.t = self.length if self.streak == 4 else self.t
        return float(action)


class Noise(Random):
    def reward(self, action: int) -> float:
        return float(self.np_random.normal())


class Wide(Random):
    observation_space = spaces.Box(-1e6, 1e6, (2,), np.float64)


class Large(Wide):
    def shown(self) -> Numbers:
        return 100.0 * self.now


class Said(Random):
    """Say in words what matters."""

    observation_space = spaces.Dict(
        {"noise": spaces.Box(0.0, 1.0, (1,), np.float64), "word": spaces.Text(1, charset="ab")}
    )

    def shown(self) -> dict[str, Any]:
        return {"noise": self.now[1:], "word": "ab"[int(self.now[0] > 0.5)]}


class Sure(Random):
    """Pay for one action, whatever is shown."""

    def reward(self, action: int) -> float:
        return float(action == 1)


class Mission(Said):
    """Say the same in words at all times."""

    def shown(self) -> dict[str, Any]:
        return {"noise": self.now[:1], "word": "a"}


def positions() -> gym.Env[Any, Any]:
    """Return CartPole without its velocities."""
    low, high = np.array([-4.8, -0.42]), np.array([4.8, 0.42])
    hiding = spaces.Box(low, high, dtype=np.float64)
    cart = gym.make("CartPole-v1")
    return gym.wrappers.TransformObservation(cart, lambda o: o[::2].astype(np.float64), hiding)


def cart() -> gym.Env[Any, Any]:
    return gym.make("CartPole-v1")


TILES_ALONE = {"trunk": "modules"}
"""Have no hidden layers, which scale rewards by themselves."""


def short_car() -> gym.Env[Any, Any]:
    return gym.make("MountainCar-v0", max_episode_steps=20)


SILENT, SATURATED = (
    {"neuron": CubaLIF(1.44e-3, 4.48e-3, threshold=50.0, noise=0.5), "hidden": 2, "actors": 1},
    {"neuron": CubaLIF(1.44e-3, 4.48e-3, 0.5, bias=5.0, noise=0.5), "hidden": 2, "actors": 1},
)
HOT = {"alpha_output": 3.6, "alpha_hidden": 24.0, "policy.beta": 0.3}
FAR, NEAR = GaussianCells([-1e6] * 2, [1e6] * 2), GaussianCells([0.0] * 2, [1.0] * 2)
BLIND = Select(GaussianCells([0.0], [1.0]), (1,), 2)

FAULTS: list[tuple[Callable[[], gym.Env[Any, Any]], dict[str, Any], int, str, str]] = [
    (Never, {}, 60, "unrewarded", "policy.exploration"),
    (EachStepCosts, {}, 60, "unrewarded", "reward what leads there"),
    (Lock, {}, 100, "unrewarded", "policy.exploration"),
    (short_car, {}, 40, "unrewarded", "episodes be longer"),
    (Previous, {"memories": ()}, 100, "memory", "memories=(0,)"),
    (LongBefore, {"memories": ()}, 60, "memory", "memories=(4,)"),
    (Cue, {"memories": ()}, 100, "memory", "memories="),
    (positions, {"memories": (), "hidden": 2, "actors": 1}, 60, "memory", "memories="),
    (Alternate, {"sees_actions": False}, 100, "memory", "sees_actions=True"),
    (Noise, {}, 200, "powerless", "action space"),
    (Wide, {"cells": FAR}, 60, "range", "observation[0]"),
    (Large, {"cells": NEAR}, 60, "range", "observation[0] lie beyond"),
    (Said, {}, 60, "unseen", "observation['word']"),
    (Mission, {"alpha_output": 1e-6}, 60, "short", "--episodes"),
    (Random, {"cells": BLIND}, 60, "unseen", "observation[0]"),
    (Random, {"alpha_output": 0.0}, 60, "unmoved", "alpha_output (now 0)"),
    (Random, {"alpha_output": 0.0, **TILES_ALONE}, 60, "unmoved", "alpha_output (now 0)"),
    (Random, {"alpha_output": 1e-6}, 60, "short", "--episodes"),
    (Random, {"alpha_output": 1e-4, **TILES_ALONE}, 60, "short", "--episodes"),
    (Random, {"reward_scale": 1e-4, **TILES_ALONE}, 120, "faint", "reward_scale (now 0.0001)"),
    (cart, SILENT, 40, "silent", "threshold (now 50)"),
    (cart, SATURATED, 40, "saturated", "bias (now 5)"),
    (cart, HOT, 80, "stuck", "alpha_output (now 3.6)"),
    (cart, {}, 10, "early", "--episodes"),
]


def trained(
    env: Callable[[], gym.Env[Any, Any]], options: dict[str, Any], episodes: int, seed: int = 1
) -> SpikingActorCritic:
    agent = SpikingActorCritic(env(), seed=seed, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        agent.learn(total_episodes=episodes)
    return agent


@pytest.mark.parametrize(
    ("env", "options", "episodes", "kind", "words"),
    FAULTS,
    ids=[f"{env.__name__}-{kind}" for env, _, _, kind, _ in FAULTS],
)
@pytest.mark.filterwarnings("ignore")
def test_a_run_that_fails_is_told_its_cause(
    env: Callable[[], gym.Env[Any, Any]],
    options: dict[str, Any],
    episodes: int,
    kind: str,
    words: str,
) -> None:
    agent = trained(env, options, episodes)
    verdict = agent.verdict()
    assert verdict.kind == kind, verdict.words
    assert words in verdict.words
    assert "\n" not in verdict.words
    assert not verdict.has_learned


@pytest.mark.parametrize(
    ("env", "options", "episodes"),
    [(Bandit, {}, 300), (Random, {}, 200), (cart, {}, 40), (Previous, {"memories": (0.0,)}, 300)],
    ids=["bandit", "random", "cart", "memory"],
)
@pytest.mark.parametrize("seed", sampled([2, 1]))
@pytest.mark.filterwarnings("ignore")
def test_a_run_that_learns_is_said_to_have_learned(
    env: Callable[[], gym.Env[Any, Any]], options: dict[str, Any], episodes: int, seed: int
) -> None:
    verdict = trained(env, options, episodes, seed).verdict()
    assert verdict.kind == "learned", verdict.words
    assert verdict.has_learned
    assert verdict.random is not None
    assert verdict.last is not None
    assert verdict.first is not None
    assert verdict.last > max(verdict.first, verdict.random)


@pytest.mark.filterwarnings("ignore")
def test_one_action_is_told_where_something_else_was_seen() -> None:
    said = [trained(env, {}, 300).verdict() for env in (Sure, Bandit, Random)]
    assert {verdict.kind for verdict in said} == {"learned"}
    only = "has learned no more than to take action 1, whatever it sees"
    told = [only in verdict.words for verdict in said]
    assert told == [True, False, False]


def test_a_verdict_does_not_change_the_agent() -> None:
    agent, other = (trained(Random, {}, 30) for _ in range(2))
    assert agent.verdict() == agent.verdict()
    for each in (agent, other):
        each.learn(total_episodes=40)
    assert agent.episodes == other.episodes


CONFIG = make_config(Random())


def facts(returns: Any, random: Any = (), greedy: Any = (), **others: Any) -> Facts:
    plays = np.array(random, float), np.array(greedy, float)
    made = Facts(
        CONFIG, 3, "return", np.array(returns, float), 10_000, random=plays[0], greedy=plays[1]
    )
    return dataclasses.replace(made, **others)


def verdict(*measures: Facts) -> RunVerdict:
    return judge(measures)


def finding(kind: str) -> Finding:
    words = f"population 'output' of seed 3: {kind}; lower alpha"
    return Finding(population="", kind=kind, since_episode=9, value=0.0, limit=0.0, message=words)


SETTING: Setting = {"backend": "reference", "arithmetic": "float", "noise": "exact"}
CHANCE = np.linspace(9.0, 60.0, 80).tolist()
LONG = [70.0, 80.0, 400.0, 71.0, 90.0, 65.0]
NOISE = np.random.default_rng(1).normal(size=400)


@pytest.mark.parametrize(
    ("of", "kind"),
    [
        (facts(NOISE[:19] + 9.0, random=NOISE[:30]), "early"),
        (facts(NOISE[:20] + 9.0, random=NOISE[:30]), "learned"),
        (facts(NOISE + np.linspace(0.0, 4.0, 400)), "learned"),
        (facts([0.0] * 99 + [1.0], random=[0.0] * 30), "unrewarded"),
        (facts([0.0] * 96 + [1.0] * 4, random=[0.0] * 30), "unrewarded"),
        (facts([0.0] * 94 + [1.0] * 6, random=[0.0] * 30), "short"),
        (facts(NOISE + np.repeat([0.0, 5.0, 0.0], [50, 250, 100]), random=NOISE[:30]), "diverged"),
        (
            facts(NOISE + np.repeat([0.0, 5.0], [50, 350]), random=NOISE[:9], greedy=NOISE[:9]),
            "greedy",
        ),
        (
            facts(NOISE + np.repeat([0.0, 5.0], [50, 350]), random=NOISE[:9], greedy=[5.0] * 9),
            "learned",
        ),
        (
            # Actions that have raised what is paid do something, whatever some steps tell.
            facts(
                NOISE + np.repeat([0.0, 5.0], [50, 350]),
                random=NOISE[:9],
                greedy=NOISE[:9],
                look=lambda: Hidden(effect=0.0),
            ),
            "greedy",
        ),
        (facts(NOISE, random=NOISE[:30] + 0.1), "short"),
        (facts(NOISE, random=NOISE[:30] + 0.1, look=lambda: Hidden(effect=0.0)), "powerless"),
        (facts([1.0] * 100, random=[0.0, 1.0] * 20), "learned"),
        (facts(CHANCE[:19] + LONG, random=CHANCE), "learned"),
        (facts([*CHANCE[:19], -999.0, *LONG[:5]], random=CHANCE), "short"),
    ],
)
def test_figures_decide(of: Facts, kind: str) -> None:
    assert verdict(of).kind == kind, verdict(of).words


def test_who_learned_is_told_what_was_better_before() -> None:
    def words(*levels: float) -> str:
        returns = NOISE + np.repeat([0.0, *levels], 400 // (1 + len(levels)))
        found = verdict(facts(returns, random=NOISE[:30]))
        assert found.kind == "learned"
        return found.words

    assert "better before: return 8.9" in words(9.0, 1.0, 6.0)
    for levels in ((6.0, 6.0, 6.0), (2.0, 4.0, 6.0), (6.5, 1.0, 6.0)):
        assert "better before" not in words(*levels)


def test_a_finding_is_a_cause_in_its_own_words() -> None:
    found = facts(NOISE, random=NOISE[:30], findings=[finding("silent"), finding("loud")])
    assert (verdict(found).kind, verdict(found).words) == ("loud", finding("loud")["message"])
    hides = functools.partial(facts, NOISE, random=NOISE[:30], look=lambda: Hidden(memory=0.3))
    assert verdict(hides(findings=[finding("stuck")])).kind == "memory"
    assert verdict(hides(findings=[finding("silent")])).kind == "silent"
    learned = facts(NOISE + 9.0, random=NOISE[:30], findings=[finding("silent")])
    assert verdict(learned).kind == "learned"


def test_a_long_run_without_a_cause_is_unknown() -> None:
    long = Facts(CONFIG, 0, "return", NOISE, 50_000, random=NOISE[:30])
    assert verdict(long).kind == "unknown"


def test_discounted_returns_decide_where_returns_do_not() -> None:
    same = facts([1.0] * 100, random=[1.0] * 20)
    rises = facts(np.linspace(0.0, 9.0, 100), random=[0.0] * 20)
    assert verdict(same).kind == "unrewarded"
    assert verdict(same, rises).kind == "learned"


def test_the_last_cause_is_always_found() -> None:
    assert CAUSES[-1].find(facts(NOISE)) is not None


def test_standard_errors_are_those_of_two_means() -> None:
    # Variances 2 and 2 over 20 each: the error of the difference is 0.447, three of them 1.34.
    low = np.array([-1.0, 1.0] * 10) * np.sqrt(1.9)
    assert exceeds(low + 1.35, low)
    assert not exceeds(low + 1.33, low)
    assert not exceeds(np.empty(0), low)
    assert not exceeds(low, np.empty(0))
    assert exceeds(np.array([1.0]), np.zeros(20))
    assert not exceeds(np.zeros(3), np.zeros(3))
    assert trend(np.linspace(0.0, 10.0, 11)) == pytest.approx((10.0, 0.0))


@pytest.mark.parametrize(
    ("returns", "is_bad"), [([0.0] * 20, True), ([1.5, 2.5] * 10, True), ([9.0] * 20, False)]
)
@pytest.mark.filterwarnings("ignore")
def test_greedy_play_that_is_worse_is_warned_of(returns: list[float], is_bad: bool) -> None:
    agent = trained(Random, {}, 100)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_of_greedy(agent, returns, SETTING)
    said = [str(w.message) for w in caught if w.category is PopulationWarning]
    assert [("--stochastic" in line) for line in said] == [True] * is_bad


def test_what_is_as_bad_in_training_is_not_said_of_greedy_play() -> None:
    assert worse_greedily(facts([0.0, 0.1] * 50, random=[5.0] * 20, greedy=[0.0] * 20)) is None
    assert worse_greedily(facts([5.0, 5.1] * 50, random=[5.0] * 20, greedy=[0.0] * 20))


def test_a_run_ends_with_its_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert main(["train", "CartPole-v1", "--episodes", "30", "--out", str(out)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    kept = json.loads((out / "summary.json").read_text())["verdict"]
    assert last == kept["words"]
    assert kept["kind"] == "learned"
    assert SpikingActorCritic.load(out).verdict().to_dict() == kept
    again = train("CartPole-v1", out, episodes=30, resume=True)
    assert again["verdict"] == kept


def test_json_has_the_verdict_and_several_runs_have_each(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "neurorl/GridWorld-v0", "--episodes", "20", "--seeds", "0,1"]
    assert main([*command, "--out", str(tmp_path / "a"), "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert main([*command, "--out", str(tmp_path / "b")]) == 0
    lines = capsys.readouterr().out.splitlines()[-2:]
    assert lines == [row["verdict"]["words"] for row in rows]


def test_a_policy_that_collapsed_at_the_end_is_no_fault_of_greedy_play(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "run")
    command = ["train", "CartPole-v1", "--arithmetic", "loihi", "--episodes", "40", "--out", out]
    assert main([*command, "--json"]) == 0
    kept = json.loads(capsys.readouterr().out)["verdict"]
    assert kept["kind"] == "diverged"
    assert kept["greedy"] < kept["random"] < kept["last"]
    assert "alpha_output (now" in kept["words"]
    assert main(["evaluate", out, "--episodes", "10"]) == 0
    assert "--stochastic" not in capsys.readouterr().err


def test_evaluate_says_that_greedy_play_is_worse(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gym.register("tests/Streak-v0", f"{__name__}:Streak")
    out = str(tmp_path / "run")
    fields = ("--set", "gamma=0.0", "--set", "policy.beta=0.005")
    try:
        command = ["train", "tests/Streak-v0", *fields, "--episodes", "60", "--out", out]
        assert main(command) == 0
        assert capsys.readouterr().out
        assert main(["evaluate", out, "--episodes", "20"]) == 0
        assert "play with --stochastic" in capsys.readouterr().err
        assert main(["evaluate", out, "--episodes", "20", "--stochastic"]) == 0
        assert "--stochastic" not in capsys.readouterr().err
    finally:
        del gym.registry["tests/Streak-v0"]
