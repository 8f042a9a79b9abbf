"""The device of training by gradients: the CPU by default, others refused by a line or alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorl import ReparameterizedActorCritic, SpikingActorCritic
from neurorl.cli import main
from neurorl.errors import ArgumentError, BackendUnavailableError

torch = pytest.importorskip("torch", reason="torch is not installed")

SMALL: dict[str, Any] = {"actors": 2, "hidden": 3, "seed": 1}
MISSING = f"cuda:{torch.cuda.device_count()}"


def learned(episodes: int, **options: Any) -> ReparameterizedActorCritic:
    """Return an agent that has learned."""
    agent = ReparameterizedActorCritic("CartPole-v1", **SMALL, **options)
    agent.learn(total_episodes=episodes)
    return agent


def test_the_cpu_is_the_default() -> None:
    one, other = learned(3), learned(3, device="cpu")
    for name, numbers in one.state().items():
        assert np.array_equal(numbers, other.state()[name], equal_nan=True), name


def test_devices_that_are_not_there_are_refused_by_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ArgumentError, match=r"device: .*limit cpu, cuda"):
        learned(1, device="tpu")
    with pytest.raises(BackendUnavailableError, match="no such CUDA device here"):
        learned(1, device=MISSING)
    command = ["train", "CartPole-v1", "--episodes", "1", "--out", f"{tmp_path}/run"]
    assert main([*command, "--approach", "reparameterization", "--device", MISSING]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "no such CUDA device here" in lines[0]


def test_the_command_line_takes_a_device(tmp_path: Path) -> None:
    command = ["train", "CartPole-v1", "--episodes", "1", "--out", f"{tmp_path}/run"]
    command += ["--approach", "reparameterization", "--device", "cpu"]
    assert main(command) == 0


@pytest.mark.slow
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_statistics_are_alike_on_cuda(tmp_path: Path) -> None:
    returns = {}
    for device in ("cpu", "cuda"):
        agent = learned(150, device=device)
        returns[device] = np.mean([episode.ret for episode in agent.episodes[-50:]])
    assert returns["cuda"] > 0.5 * returns["cpu"]
    agent.save(tmp_path / "agent.npz")
    assert SpikingActorCritic.load(tmp_path / "agent.npz").weights.keys() == agent.weights.keys()
