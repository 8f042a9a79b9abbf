"""An agent that has played enough stays as it is while others go on, whatever was done before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from neurorl.agents.checkpoint import read_checkpoint
from neurorl.agents.sharding import ReplicaGroups, side_by_side
from neurorl.models.defaults.presets import make_config
from neurorl.runs.training import train, train_seeds
from neurorl.tasks.environments import make_env
from neurorl.tasks.groups import SeparateEnvs

SMALL: dict[str, Any] = {"overrides": {"actors": 2, "hidden": 3}}
# The agent carries its state on, so that any step too many shows in its membranes too.
CARRIES: dict[str, Any] = {"overrides": {"actors": 2, "hidden": 3, "carries": True}}
PES: dict[str, Any] = {"backend": "loihi", "learning": "pes", **SMALL}
GRADIENTS: dict[str, Any] = {
    "approach": "reparameterization",
    "gradient": {"environments": 2, "steps": 8},
    **SMALL,
}
WAYS: dict[str, dict[str, Any]] = {
    "reference": SMALL,
    "reference, carries": CARRIES,
    "native": {"backend": "native", **SMALL},
    "native, carries": {"backend": "native", **CARRIES},
    "loihi": {"backend": "loihi", **SMALL},
    "torch": {"backend": "torch", **SMALL},
    "pes": PES,
    "gradients": GRADIENTS,
}
NEEDS_TORCH = ("torch", "gradients")
Arrays = dict[str, npt.NDArray[Any]]


def saved(run: Path) -> Arrays:
    return read_checkpoint(run / "checkpoint.npz")[1]


def same(ours: Arrays, theirs: Arrays) -> None:
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        if key.endswith("wall_s"):
            continue
        assert ours[key].dtype == value.dtype, key
        assert ours[key].tobytes() == value.tobytes(), key


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("way", WAYS)
def test_one_is_done_and_another_is_not(
    way: str, grouped: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resumed and then extended, both agents are as if alone and in one go."""
    if way in NEEDS_TORCH:
        pytest.importorskip("torch", reason="torch is not installed: pip install 'neurorl[torch]'")
    if grouped:
        monkeypatch.setattr(
            "neurorl.agents.sharding.CACHE_BYTES", 10_000
        )  # of three, two side by side
    options = WAYS[way]
    runs: list[tuple[int | None, Path]] = [(s, tmp_path / f"seed{s}") for s in (0, 1, 2)]
    for (seed, out), episodes in zip(runs, (4, 2, 4), strict=True):
        train("CartPole-v1", out, seed=seed, episodes=episodes, **options)
    done = saved(runs[0][1])
    train_seeds("CartPole-v1", runs, episodes=4, resume=True)
    same(saved(runs[0][1]), done)
    train_seeds("CartPole-v1", runs, episodes=4, resume=True)  # nothing is left to do
    same(saved(runs[0][1]), done)
    train_seeds("CartPole-v1", runs, episodes=6, resume=True)
    for seed, out in runs:
        train("CartPole-v1", tmp_path / f"whole{seed}", seed=seed, episodes=6, **options)
        same(saved(out), saved(tmp_path / f"whole{seed}"))


@pytest.mark.parametrize("backend", ["reference", "native"])
@pytest.mark.parametrize("grouped", [False, True])
def test_states_are_brought_back_in_any_order(
    backend: str, grouped: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent is brought back while others rest, and rests again when they are."""
    if grouped:
        monkeypatch.setattr("neurorl.agents.sharding.CACHE_BYTES", 10_000)
    config = make_config(make_env("CartPole-v1"), "lif", SMALL["overrides"])
    seeds = (4, 0, 7)
    envs = SeparateEnvs([make_env("CartPole-v1") for _ in seeds])
    together = side_by_side(envs, config, 2, seeds, backend=backend)
    assert isinstance(together, ReplicaGroups) == grouped
    states: dict[tuple[int, int], Arrays] = {}
    for episodes in (1, 3, 5):
        together.learn(total_episodes=episodes)
        states |= {(k, episodes): _copied(together.state(k)) for k in range(3)}
    for back in ((0, 1), (2, 3), (1, 1)):
        together.restore(back[0], states[back])
        together.learn(total_episodes=3)  # of those that have played 5, nothing may change
        for k in range(3):
            now = len(together.episodes[k])
            same(_copied(together.state(k)), states[k, now])
    together.learn(total_episodes=5)
    for k in range(3):
        same(_copied(together.state(k)), states[k, 5])


def _copied(state: Arrays) -> Arrays:
    return {key: value.copy() for key, value in state.items()}


def test_weights_on_a_chip_outlive_another_agents_return(tmp_path: Path) -> None:
    """To bring one agent back, the weights of all are written: those that the chip has by now."""
    config = make_config(make_env("CartPole-v1"), "lif", {**SMALL["overrides"], "learning": "pes"})
    envs = SeparateEnvs([make_env("CartPole-v1") for _ in range(2)])
    agents = side_by_side(envs, config, 2, (0, 1), backend="loihi")
    agents.learn(total_episodes=1)
    first = _copied(agents.state(0))
    agents.learn(total_episodes=2)
    agents.restore(0, first)
    after = _copied(agents.state(1))
    agents.learn(total_episodes=2)
    same(_copied(agents.state(1)), after)
    agents.close()
    train("CartPole-v1", tmp_path / "alone", seed=1, episodes=2, **PES)
    whole = saved(tmp_path / "alone")
    assert all(np.array_equal(after[key], whole[key]) for key in whole if "weights" in key)
