"""Show the studies' effects on a few seeds and every backend, and that they go on exactly."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

SEEDS = range(100, 106)
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def example(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the module of an example, by its name."""
    monkeypatch.syspath_prepend(EXAMPLES)
    return importlib.import_module(request.param)


def same(one: Any, other: Any) -> bool:
    """Return whether two states are equal in every bit."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return np.array_equal(one, other)


def distal(example: ModuleType, backend: str, seeds: list[int], rounds: int) -> Any:
    """Return a study of distal rewards after some windows."""
    study = example.DistalReward(backend, seeds, every=1)
    return go_on(study, rounds)


def conditioning(example: ModuleType, backend: str, seeds: list[int], rounds: int) -> Any:
    """Return a study of conditioning after some trials."""
    return go_on(example.Conditioning(backend, seeds), rounds)


def xor(example: ModuleType, backend: str, seeds: list[int], rounds: int) -> Any:
    """Return a study of XOR after some patterns."""
    return go_on(example.XOR(backend, seeds, "time"), rounds)


def patterns(example: ModuleType, backend: str, seeds: list[int], rounds: int) -> Any:
    """Return a study of spike patterns after some trials."""
    return go_on(example.SpikePatterns(backend, seeds), rounds)


def go_on(study: Any, rounds: int) -> Any:
    """Let a study go round, and return it."""
    for _ in range(rounds):
        study.advance()
    return study


def plastic(study: Any) -> list[Any]:
    """Return the projections that learn."""
    return [p for p in study.network.projections if p.plasticity]


STUDIES = [
    pytest.param("distal_reward", distal, 60, id="distal_reward"),
    pytest.param("conditioning", conditioning, 6, id="conditioning"),
    pytest.param("xor", xor, 4, id="xor"),
    pytest.param("spike_patterns", patterns, 4, id="spike_patterns"),
]


@pytest.mark.parametrize(("example", "study", "rounds"), STUDIES, indirect=["example"])
def test_it_goes_on_exactly_elsewhere(example: ModuleType, study: Any, rounds: int) -> None:
    """Run half on the reference and the rest on Brian2: the same as all on the reference."""
    with study(example, "reference", [3, 4], rounds) as whole:
        expected = whole.state()
    with study(example, "reference", [3, 4], rounds // 2) as half:
        noted = half.state()
    with study(example, "brian2:numpy", [3, 4], 0) as other:
        other.restore(noted)
        assert not same(noted, expected)
        assert same(go_on(other, rounds - rounds // 2).state(), expected)


@pytest.mark.parametrize(("example", "study", "rounds"), STUDIES, indirect=["example"])
def test_a_replica_is_what_it_would_be_alone(example: ModuleType, study: Any, rounds: int) -> None:
    with study(example, "reference", [3, 4, 5], rounds) as three:
        expected = three.state()[1]
    with study(example, "reference", [4], rounds) as alone:
        assert same(alone.state()[0], expected)


@pytest.mark.parametrize(("example", "study", "rounds"), STUDIES, indirect=["example"])
def test_the_emulator_runs_it(example: ModuleType, study: Any, rounds: int) -> None:
    """Compare the emulator with the reference in chip arithmetic; something is learned."""
    runs = []
    for backend in ("reference:loihi", "loihi"):
        with study(example, backend, [3], min(rounds, 20)) as made:
            runs.append(made.state())
            assert any(np.ptp(made.learning.eligibility(p.name)) > 0 for p in plastic(made))
    assert same(*[[state["host"] for state in run] for run in runs])


@pytest.mark.parametrize("example", ["distal_reward"], indirect=True)
def test_the_rewarded_synapse_outgrows_the_others(
    example: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """Let the two fire one after the other every second."""
    options = ["--backend", "native", "--seconds", "90", "--every", "1"]
    results = example.main(["--seeds", "0", "1", *options])
    for result in results:
        assert result.rewarded[0] == 0.0
        assert result.holds
        assert result.others[-1].mean() < 1.5
    assert "2 of 2 seeds" in capsys.readouterr().out


@pytest.mark.parametrize("example", ["distal_reward"], indirect=True)
def test_distal_reward_with_izhikevichs_neurons(example: ModuleType) -> None:
    one, other = (
        example.run(name, [0, 1], 3, "izhikevich", every=1)[1] for name in ("reference", "native")
    )
    assert np.ptp(one.others[-1]) > 0
    assert one.rewards == other.rewards > 0
    assert np.array_equal(one.rewarded, other.rewarded)
    assert np.array_equal(one.others, other.others)


@pytest.mark.parametrize("example", ["distal_reward"], indirect=True)
def test_a_reward_is_paid_in_time(example: ModuleType) -> None:
    """Add 0.5 of dopamine by a reward, of which 0.995 is left after each ms."""
    with example.DistalReward("reference", [0]) as study:
        steps = example.STEPS
        study.host["due"][0, steps + 7] = 1  # in the next window but one
        assert study._dopamine().tolist() == [0.0]
        level, levels = 0.0, []
        for t in range(2 * steps):
            level = level * 0.995 + 0.5 * (t == 7)
            levels.append(level)
        assert np.allclose(study._dopamine(), np.mean(levels[:steps]))
        assert np.allclose(study._dopamine(), np.mean(levels[steps:]))
        assert study.host["paid"].tolist() == [1]


@pytest.mark.parametrize("example", ["distal_reward"], indirect=True)
def test_which_pairs_earn_a_reward(example: ModuleType) -> None:
    with example.DistalReward("reference", [0, 1]) as study:
        pre, post = np.zeros((2, example.STEPS, 2), dtype=bool)
        pre[5, 0] = post[24, 0] = True  # 19 ms later
        pre[45, 1] = post[25, 1] = True  # before
        study._watch(pre, post, study.draws())
        earned = np.argwhere(study.host["due"])
        assert earned.tolist() == [[0, earned[0, 1]]]
        assert 1024 <= earned[0, 1] < 3024
        post = np.zeros_like(post)
        post[14] = True  # 19 ms after that of replica 1, in the next window
        study._watch(np.zeros_like(pre), post, study.draws())
        assert [k for k, _ in np.argwhere(study.host["due"])] == [0, 1]


@pytest.mark.parametrize("backend", ["reference", "native"])
@pytest.mark.parametrize("example", ["conditioning"], indirect=True)
def test_a_response_is_acquired_and_extinguished(
    example: ModuleType, backend: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--trials", "100", "--extinction", "60", "--rate", "0.01"]
    (result,) = example.main(["--backend", backend, "--seeds", "0", *options])
    assert result.holds
    assert result.figures["left out"] < -0.5
    assert "1 of 1 seeds" in capsys.readouterr().out


@pytest.mark.parametrize("example", ["xor"], indirect=True)
def test_xor_is_rewarded_and_learned(
    example: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    (result,) = example.main(["--backend", "native", "--seeds", "103", "--epochs", "30"])
    assert result.holds
    assert "1 of 1 seeds" in capsys.readouterr().out


@pytest.mark.parametrize("example", ["xor"], indirect=True)
def test_what_xor_is_shown(example: ModuleType) -> None:
    """Compare rates and times of inputs: a 0 is silent, or another train of the same length."""
    bits = np.array([[0, 1]])
    with example.XOR("reference", [5], "rate") as study:
        (raster,) = study._inputs(bits)
        assert not raster[:, :30].any()
        assert 15 < raster[:, 30:].sum(axis=0).mean() < 25  # 40 Hz
    with example.XOR("reference", [5], "time") as study:
        (one,), (other,) = study._inputs(bits), study._inputs(1 - bits)
        assert (one.sum(axis=0) == 10).all()
        assert (other.sum(axis=0) == 10).all()
        assert (one != other).any(axis=0).all()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("example", "options"),
    [
        ("xor", ["--code", "time", "--epochs", "200"]),
        ("xor", ["--rule", "mstdp", "--epochs", "100"]),
        ("spike_patterns", ["--trials", "800"]),
        ("distal_reward", ["--seconds", "7200"]),
    ],
    indirect=["example"],
)
def test_effects_at_length(example: ModuleType, options: list[str]) -> None:
    """Let an effect hold on two thirds of six seeds: of XOR's, with times, a tenth fails."""
    results = example.main(["--backend", "native", "--seeds", *map(str, SEEDS), *options])
    assert sum(result.holds for result in results) >= 4


@pytest.mark.parametrize("example", ["spike_patterns"], indirect=True)
def test_patterns_are_told_apart(example: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    (result,) = example.main(["--backend", "native", "--seeds", "100", "--trials", "250"])
    assert result.holds
    assert "1 of 1 seeds" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("example", "short"),
    [
        ("distal_reward", ["--seconds", "2"]),
        ("conditioning", ["--trials", "40", "--extinction", "10"]),
        ("xor", ["--epochs", "1"]),
        ("spike_patterns", ["--trials", "60"]),
    ],
    indirect=["example"],
)
def test_figures_are_written(example: ModuleType, short: list[str], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    example.main(["--seeds", "0", "--figures", str(tmp_path / "new"), *short])
    (path,) = (tmp_path / "new").iterdir()
    assert path.stem.startswith(example.__name__)
    assert 1000 < path.stat().st_size < 100_000


def test_a_study_runs_as_a_program() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "distal_reward.py"), "--seconds", "0.1"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "0 of 3 seeds; not on 0, 1, 2" in done.stdout
