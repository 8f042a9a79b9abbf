"""Words and habits of other libraries get one line that says what to write here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from neurorl import LinearActorCritic, SpikingActorCritic, evaluate
from neurorl.cli import main
from neurorl.errors import ArgumentError, UnknownNameError
from neurorl.models.agent.hints import HINTS
from neurorl.models.agent.options import option_types
from neurorl.runs.training import train

SMALL: dict[str, Any] = {"actors": 1, "hidden": 2}
TAKEN = {"deterministic": "predict", "total_timesteps": "learn", "progress_bar": "learn"}
"""Map a word that one call takes to this call."""


@pytest.fixture(scope="module")
def agent() -> SpikingActorCritic:
    return SpikingActorCritic("CartPole-v1", **SMALL)


def test_no_hint_hides_an_option() -> None:
    assert not set(HINTS) & option_types().keys()


@pytest.mark.parametrize("word", HINTS)
def test_each_word_is_answered_where_it_is_written(word: str, agent: SpikingActorCritic) -> None:
    said: dict[str, Any] = {word: 1}
    calls: dict[str, Callable[[], object]] = {
        "agent": lambda: SpikingActorCritic("CartPole-v1", **said),
        "learn": lambda: agent.learn(total_episodes=1, **said),
        "predict": lambda: agent.predict([0.0] * 4, **said),
        "evaluate": lambda: evaluate(agent, 1, **said),
        "load": lambda: SpikingActorCritic.load("agent.npz", **said),
        "load linear": lambda: LinearActorCritic.load("agent.npz", **said),
    }
    calls.pop(TAKEN.get(word, ""), None)
    for call in calls.values():
        with pytest.raises(UnknownNameError) as raised:
            call()
        assert str(raised.value).endswith(HINTS[word])
        assert "\n" not in str(raised.value)


def test_other_words_are_refused_by_name(agent: SpikingActorCritic) -> None:
    with pytest.raises(UnknownNameError, match=r"keyword of learn: .*did you mean 'total_steps'"):
        agent.learn(totalsteps=5)  # type: ignore[arg-type]
    with pytest.raises(UnknownNameError, match=r"keyword of evaluate: .*did you mean 'episodes'"):
        evaluate(agent, episode=5)  # type: ignore[arg-type]


def test_a_policy_is_no_environment() -> None:
    with pytest.raises(ArgumentError, match=r"no environment but a policy.*leave it out"):
        SpikingActorCritic("MlpPolicy", "CartPole-v1")


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["train", "CartPole-v1", "--total-timesteps", "5"], "total_timesteps"),
        (["train", "CartPole-v1", "--learning-rate=5"], "learning_rate"),
        (["train", "CartPole-v1", "--set", "learning_rate=3e-4"], "learning_rate"),
        (["train", "CartPole-v1", "--set", "ent_coef=0.1"], "ent_coef"),
        (["evaluate", "zoo:gridworld-lif", "--deterministic"], "deterministic"),
    ],
)
def test_the_command_line_says_the_same(
    words: list[str], hint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        status = main(words)
    except SystemExit as exc:
        status = int(str(exc.code))
    assert status == 2
    assert HINTS[hint] in capsys.readouterr().err


def test_a_second_call_that_trains_nothing_says_so() -> None:
    agent = SpikingActorCritic("CartPole-v1", **SMALL)
    agent.learn(total_steps=10)
    said = r"trains nothing: .* 10 steps are done .*learn\(total_steps=agent.steps_taken \+ 10\)"
    with pytest.warns(UserWarning, match=said):
        assert agent.learn(total_steps=10) == []
    agent.learn(total_steps=agent.steps_taken + 5)
    assert agent.steps_taken == 15
    agent.learn(total_episodes=1)
    with pytest.warns(UserWarning, match=r"learn\(total_episodes=len\(agent.episodes\) \+ 1\)"):
        agent.learn(total_episodes=1)
    agent.learn(total_episodes=0)  # asks for nothing


def test_a_finished_run_is_resumed_without_a_word(tmp_path: Path) -> None:
    for resume in (False, True):
        train("CartPole-v1", tmp_path / "run", episodes=1, resume=resume, overrides=SMALL)
