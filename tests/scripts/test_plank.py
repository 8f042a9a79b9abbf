"""Hold the levels of Plank's CartPole to what its authors published, and its figures to counts."""

from __future__ import annotations

import csv
import importlib.util
import warnings
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given
from hypothesis import strategies as st
from load_script import SCRIPTS, load_script

from experiments.plank.levels import PUBLISHED

PLANK: Any = load_script("plank")
LEVELS: Any = PLANK.LEVELS
NAMES = tuple(LEVELS)

STATE, OTHER = PUBLISHED
# What follows them in TENNLab-UTK/framework-open: testing/42, testing/44 and vrisp_testing/44, 43.
STEPS = [
    (STATE, 1, (-1.16858, 0.397361, -0.0605656, 0.0889857)),
    (STATE, 0, (-1.16858, 0.00725172, -0.0605656, 0.672773)),
    (OTHER, 2, (0.851852, -0.00784449, 0.00487151, -0.65292)),
    (OTHER, 1, (0.851852, 0.187273, 0.00487151, -0.945548)),
]


@pytest.mark.parametrize(("state", "action", "then"), STEPS)
def test_a_step_is_that_of_the_authors(state: Any, action: int, then: Any) -> None:
    env = gym.make("plank/Medium-v0", state=state)
    assert env.reset(seed=0)[0] == pytest.approx(state)
    assert env.step(action)[0] == pytest.approx(then, rel=5e-6, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "seen", "actions"),
    [("easy", 4, 2), ("medium", 4, 3), ("hard", 2, 3), ("hardest", 2, 2)],
)
def test_a_level_shows_and_lets_do_what_it_says(name: str, seen: int, actions: int) -> None:
    env = gym.make(LEVELS[name].env)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that velocities have no bounds
        check_env(env.unwrapped, skip_render_check=True)
    assert env.observation_space.shape == (seen,)
    assert env.action_space == gym.spaces.Discrete(actions)
    assert env.spec is not None
    assert env.spec.max_episode_steps == 15_000
    whole = gym.make("plank/Easy-v0")
    of_whole, _ = whole.reset(seed=5)
    assert np.array_equal(env.reset(seed=5)[0], of_whole if seen == 4 else of_whole[[0, 2]])


def test_starts_fill_their_ranges() -> None:
    env = gym.make("plank/Easy-v0")
    starts = np.abs([env.reset(seed=k)[0] for k in range(400)])
    high = np.array([1.2, 0.05, 0.10475, 0.05])
    assert (starts <= high).all()
    assert (starts.max(axis=0) > 0.97 * high).all()


@given(name=st.sampled_from(NAMES), seed=st.integers(0, 999), rests=st.floats(0, 1))
def test_rewards_add_up_to_the_score(name: str, seed: int, rests: float) -> None:
    """Play at random until the pole falls; only Medium pays less for fewer rests."""
    level, rng = LEVELS[name], np.random.default_rng(seed)
    env, total, steps, rested, over = gym.make(level.env), 0.0, 0, 0, False
    env.reset(seed=seed)
    while not over and steps < 200:
        rest = level.can_rest and rng.random() < rests
        _, reward, over, _, _ = env.step(2 if rest else int(rng.integers(2)))
        total, steps, rested = total + float(reward), steps + 1, rested + rest
    assert total == pytest.approx(min(steps, rested / 0.75) if name == "medium" else steps)


def test_achievements_are_parts_of_fifteen_thousand() -> None:
    shares = {name: level.achievement / 15_000 for name, level in LEVELS.items()}
    assert shares == {"easy": 0.95, "medium": 0.8, "hard": 0.6, "hardest": 0.4}


def test_rows_that_are_measured_make_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ["--quick", "--seeds", "0..0", "--episodes", "1"]
    assert PLANK.main([*words, "--levels", "hardest"]) == 0
    assert PLANK.main([*words, "--levels", "easy"]) == 0  # rows of others stay
    capsys.readouterr()
    file = Path("runs/plank-quick/results/tables/plank.csv")
    with file.open(newline="") as lines:
        read = list(csv.DictReader(lines))
    assert [(r["level"], r["played_in"]) for r in read] == [
        (name, arithmetic)
        for name in ("easy", "hardest")
        for arithmetic in ("float", "loihi", "xylo")
    ]
    by = {(r["level"], r["played_in"]): r for r in read}
    weights = int(by["easy", "float"]["footprint"]) / 4
    assert int(by["easy", "loihi"]["footprint"]) == -(-weights * 9 // 8)
    assert all(float(r["dense"]) >= float(r["effective_acs"]) for r in read)
    page = tmp_path / "page.md"
    page.write_text(
        "".join(f"<!-- {x}: begin -->\n<!-- {x}: end -->\n" for x in ("scores", "costs"))
    )
    PLANK.write_page(PLANK.read_table(file, PLANK.PlankRow), page)
    assert page.read_text().count("| easy |") == 4
    assert "| medium | 12,000 | - | - | - |" in page.read_text()


def test_the_page_has_the_rows_that_are_stored(tmp_path: Path) -> None:
    page = SCRIPTS.parent / "docs" / "plank.md"
    copy = tmp_path / "plank.md"
    copy.write_text(page.read_text())
    stored = PLANK.read_table(SCRIPTS.parent / "results" / "tables" / "plank.csv", PLANK.PlankRow)
    PLANK.write_page(stored, copy)
    assert copy.read_text() == page.read_text()


@pytest.mark.skipif(
    importlib.util.find_spec("neurobench") is None or importlib.util.find_spec("torch") is None,
    reason="needs neurobench and torch: pip install neurobench",
)
@pytest.mark.parametrize("name", ["easy", "hard"])
def test_neurobench_counts_the_same_in_the_loop(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert PLANK.main(["--neurobench", "--quick", "--levels", name]) == 0
    said = capsys.readouterr().out.splitlines()
    assert len(said) == 12
    assert all(line.endswith(": equal") for line in said)
