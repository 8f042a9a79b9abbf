"""Kill runs at random moments, again and again: their files are those of undisturbed runs."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attacker import Attack, Attacker, count_differences

from neurorl.native import toolchain

GRID = "neurorl/GridWorld-v0"
CARTPOLE = "CartPole-v1"
SMALL = {"actors": 2, "hidden": 2}
SEED = 13
"""Seed the moments."""


@dataclass(frozen=True)
class Case:
    """Describe how agents train. new: options of a run that begins."""

    env: str = GRID
    seeds: tuple[int, ...] = (3,)
    episodes: int | None = 12
    options: dict[str, Any] = field(default_factory=dict)
    new: dict[str, Any] = field(default_factory=lambda: {"overrides": SMALL})


CASES = {
    "reference": Case(),
    "within episodes": Case(seeds=(3, 4), options={"within": True}),
    "steps": Case(episodes=None, options={"within": True, "steps": 150}),
    "reference, glm": Case(options={"model": "glm"}),
    "reference, registers": Case(
        options={"arithmetic": "loihi"}, new={"overrides": {**SMALL, "writes": "accumulate"}}
    ),
    "seeds": Case(CARTPOLE, seeds=(3, 4, 5)),
    "native": Case(options={"backend": "native"}),
    "native, chip": Case(options={"backend": "native", "arithmetic": "loihi"}),
    "native, glm, seeds": Case(seeds=(3, 4), options={"backend": "native", "model": "glm"}),
    "native, within": Case(seeds=(3, 4), options={"backend": "native", "within": True}),
    "loihi": Case(options={"backend": "loihi"}),
    "loihi, within": Case(options={"backend": "loihi", "within": True}, episodes=3),
    "loihi, glm": Case(options={"backend": "loihi", "model": "glm"}),
    "pes": Case(options={"backend": "loihi", "learning": "pes"}),
    "torch": Case(options={"backend": "torch"}, episodes=6),
    "gradients": Case(
        CARTPOLE,
        seeds=(3, 4),
        options={"approach": "reparameterization"},
        new={"overrides": SMALL, "gradient": {"environments": 2, "steps": 16}},
    ),
}
SHORT = ("within episodes", "steps", "loihi", "gradients")
KILLS = 16
"""Kill each case this often, 256 times in all."""


def missing(name: str) -> str | None:
    """Return why a case can't be tried here, or None."""
    if name in ("torch", "gradients") and importlib.util.find_spec("torch") is None:
        return "torch is not installed"
    if "native" in name and toolchain.problem() is not None:
        return "no C++ compiler"
    return None


def training(case: Case, folder: Path, resume: bool) -> Attack:
    runs = [[seed, str(folder / f"seed{seed}")] for seed in case.seeds]
    options = {"env": case.env, "runs": runs, "episodes": case.episodes, **case.options}
    return Attack("train", {**options, "resume": resume, **({} if resume else case.new)})


def is_there(folder: Path, case: Case) -> bool:
    """Return whether a run is there to be resumed, as its owner sees it."""
    return any((folder / f"seed{seed}" / "config.json").exists() for seed in case.seeds)


def kill(case: Case, attacker: Attacker, tmp_path: Path, kills: int) -> tuple[int, int]:
    """Kill runs four times each, and finish them: how often it was, and how many files differ."""
    rng = np.random.default_rng(SEED)
    done, other, different = 0, 0, 0
    folder = tmp_path / "whole"
    first = attacker.run(training(case, folder, False))
    assert first.status == 0, first.said
    longest = first.cpu
    while done < kills:
        run = tmp_path / f"{done}-{other}"
        for _ in range(4):
            attack = training(case, run, is_there(run, case))
            found = attacker.run(replace(attack, cpu=float(rng.uniform(1e-3, longest))))
            assert found.was_killed or found.status == 0, found.said
            done += found.was_killed
            if not found.was_killed:
                other += 1
                longest = min(longest, found.cpu)
                break
        last = attacker.run(training(case, run, is_there(run, case)))
        assert last.status == 0, last.said
        different += count_differences(run, folder, case.seeds)
        assert other < 20 * kills
    return done, different


@pytest.mark.parametrize(
    ("name", "kills"),
    [
        *((name, 1 if name == "gradients" else 3) for name in SHORT),
        *(pytest.param(name, KILLS, marks=pytest.mark.slow) for name in CASES),
    ],
)
def test_killed_at_random_moments(
    name: str, kills: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    why = missing(name)
    if why is not None:
        pytest.skip(why)
    backend = CASES[name].options.get("backend", "reference")
    with Attacker([f"neurorl.backends.{backend}"]) as attacker:
        killed, different = kill(CASES[name], attacker, tmp_path, kills)
    with capsys.disabled():
        print(f"\n{name}: {killed} kills, moments of seed {SEED}: {different} differences")
    assert killed >= kills
    assert different == 0
