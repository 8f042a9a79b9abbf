"""Agents see which of some values of a number came last, whatever was shown after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiDiscrete, Space, Tuple
from hypothesis import given
from hypothesis import strategies as st
from remembering import KINDS, check_goes_on

from neurorl import SpikingActorCritic, evaluate
from neurorl.errors import DescriptionError
from neurorl.models.agent.memories import Memories, extended
from neurorl.models.agent.past import Past
from neurorl.models.defaults.cue_search import last_of
from neurorl.models.defaults.presets import make_config
from neurorl.models.features import HashedStates
from neurorl.models.features.base import PartKey, parts_in

FORMS: dict[str, tuple[Space[Any], Callable[[int], Any]]] = {
    "Discrete": (Discrete(16), lambda symbol: symbol),
    "Discrete from 5": (Discrete(16, start=5), lambda symbol: 5 + symbol),
    "MultiDiscrete": (MultiDiscrete([2, 16]), lambda symbol: np.array([1, symbol])),
    "Dict": (Dict(z=Discrete(16), a=Discrete(2)), lambda symbol: {"z": symbol, "a": 0}),
    "Tuple": (Tuple((Discrete(2), Discrete(16))), lambda symbol: (0, symbol)),
    "Box": (Box(-9.0, 20.0, (1,)), lambda symbol: np.array([symbol - 4], np.float32)),
}
"""Say how a symbol is shown."""


class Mail(gym.Env[Any, Any]):
    """Ask at doors for the last of some letters, which come among other mail.

    form: one of `FORMS`. letters: the symbol of each action. tells: whether doors say which is due.
    """

    door = 15

    def __init__(
        self, form: str = "Discrete", letters: Sequence[int] = (2, 7, 3), tells: bool = False
    ) -> None:
        self.observation_space, self.form = FORMS[form]
        self.action_space = Discrete(len(letters))
        self._letters, self._tells = letters, tells
        self._others = sorted({*range(9)} - {*letters})

    def _next(self) -> Any:
        drawn = self.np_random.random()
        self._asks = drawn > 0.75
        if drawn < 0.15:
            self._last = int(self.np_random.integers(len(self._letters)))
        symbol = self._letters[self._last] if drawn < 0.15 else self.np_random.choice(self._others)
        asked = 9 + self._last if self._tells else self.door
        return self.form(int(asked if self._asks else symbol))

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._step, self._last = 0, int(self.np_random.integers(len(self._letters)))
        self._asks = False
        return self.form(self._letters[self._last]), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        reward = float(self._asks and action == self._last)
        self._step += 1
        return self._next(), reward, False, self._step >= 50, {}


ID = "tests/Mail-v0"
gym.register(ID, Mail)  # type: ignore[arg-type]


def numbers_of(env: Mail, symbol: int, keys: Sequence[PartKey]) -> list[float]:
    """Return the numbers of an observation that shows a symbol."""
    return np.ravel(parts_in(env.form(symbol), keys)).tolist()


@pytest.mark.parametrize(
    "letters",
    [(2, 7, 3), *(pytest.param(x, marks=pytest.mark.slow) for x in ((0, 8), (1, 4, 5, 6, 2)))],
)
@pytest.mark.parametrize("form", FORMS)
def test_letters_among_other_mail_are_remembered(form: str, letters: Sequence[int]) -> None:
    """Find the number and all its values that matter, and no other, in every space."""
    env = Mail(form, letters)
    config = make_config(env)
    assert isinstance(config.cells, HashedStates)
    assert config.past == Past(cues=config.cues)
    place, *values = config.cues
    shown = [numbers_of(env, letter, config.cells.keys)[place] for letter in letters]
    # The last letter may be the one that came if none of the others did.
    assert {*values} <= {*shown}
    assert len(values) >= len(letters) - 1


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_remembered_where_doors_say_which_is_due(form: str) -> None:
    assert not make_config(Mail(form, tells=True)).past


def test_the_default_answers_by_the_last_letter() -> None:
    """Measure it beside an agent without, which counts nothing; a perfect one is always paid."""
    own: dict[str, Any] = {"default": {}, "without": {"cues": (), "tally": ()}}
    reached = {}
    for name, fields in own.items():
        agent = SpikingActorCritic(Mail(), seed=100, **fields)
        agent.learn(total_steps=8_000)
        reached[name] = evaluate(agent, 100, seed=7)["mean_return"]
    assert reached["default"] > 11.0  # of 12.25 doors
    assert reached["without"] < 8.0


def test_a_cue_is_held_until_the_next_one() -> None:
    memories = Memories(Past(cues=(1, 5, 0, -2)), 2)
    shown = [memories.see_numbers(0, np.array([5.0, now]))[-1] for now in (3, 0, 3, 5, 5, -2, 9)]
    assert shown == [0.0, 2.0, 2.0, 1.0, 1.0, 3.0, 3.0]
    assert memories.see_numbers(1, np.array([0.0, 7.0])).tolist() == [0.0, 7.0, 0.0]
    memories.begin(0)
    assert memories.see_numbers(0, np.array([0.0, 3.0]))[-1] == 0.0


@pytest.mark.parametrize("more", [{}, {"memories": (-1.0, 0.9, 3.0)}, {"traces": (0.5,)}])
@given(
    lengths=st.lists(st.integers(1, 9), min_size=1, max_size=5),
    values=st.lists(st.integers(0, 4), min_size=1, max_size=4, unique=True),
    seed=st.integers(0, 99),
)
def test_the_search_sees_what_agents_see(
    more: Any, lengths: list[int], values: list[int], seed: int
) -> None:
    """Compare the cues of whole plays with what agents see step by step."""
    rows = np.random.default_rng(seed).integers(0, 6, (sum(lengths), 2)).astype(float)
    seen = extended(rows, lengths, Past(cues=(1, *values), **more))
    assert np.array_equal(seen[:, -1], last_of(rows[:, 1], lengths, values))
    assert np.array_equal(seen[:, :-1], extended(rows, lengths, Past(**more)))


@pytest.mark.parametrize(
    "kind", [k if k == "table" else pytest.param(k, marks=pytest.mark.slow) for k in KINDS]
)
def test_agents_go_on_within_an_episode(kind: str, tmp_path: Path) -> None:
    check_goes_on(kind, ID, 2_030, 2_500, tmp_path)


@pytest.mark.parametrize("cues", [(0,), (-1, 2), (0, 2, 2)])
def test_cues_without_a_place_or_different_values_are_refused(cues: tuple[int, ...]) -> None:
    with pytest.raises(DescriptionError, match="different values"):
        SpikingActorCritic(Mail(), cues=cues)


def test_the_place_of_no_number_is_refused() -> None:
    with pytest.raises(DescriptionError, match=r"agent\.cues: no number of an observation"):
        SpikingActorCritic(Mail(), cues=(3, 1, 2), cells=HashedStates(2, (0, 1)))
