"""A run goes on with just the flags it was begun with, whatever parts they choose."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from neurorl.cli import main
from neurorl.models.agent.fields import KINDS

PENDULUM, GRID = "Pendulum-v1", "neurorl/GridWorld-v0"
BESIDE = {
    "reward": ["--rule", "coagent"],
    "spiking": ["--set", "critic.neurons=4"],
    "accumulate": ["--set", "writes.every=3"],
    "pes": ["--set", "learning.magnitude=30.0"],
    "differential-td": ["--set", "modulator.mean_rate=0.1", "--set", "modulator.limit=1.5"],
    "gaussian": ["--set", "policy.hold=3"],
    "annealed-softmax": ["--set", "policy.beta_decisions=50", "--set", "policy.beta=0.2"],
}
"""Give what a choice needs, or what is set besides."""
DEEP = ("gaussian-readout", "layers", "shared")
CHOICES = [
    (kind, name)
    for kind, registry in KINDS.items()
    for name in registry
    if registry[name].__module__.startswith("neurorl.")
]


def trained(out: Path, steps: int, kind: str, name: str, *more: str) -> int:
    """Train until so many steps, with flags that choose a part."""
    env = PENDULUM if name.startswith("gaussian") else GRID
    flags = ["--set", f"{kind}={name}", *BESIDE.get(name, [])]
    flags += ["--set", "hidden=8" if name in DEEP else "actors=1"]
    model = "deep" if name in DEEP else "lif-spiking-critic" if name == "spiking" else "lif"
    flags += ["--model", model, "--json"]
    backend = "loihi" if kind in ("writes", "learning") and name not in ("host", "shadow") else ""
    flags += ["--backend", backend or "reference", "--steps", str(steps), "--seed", "5"]
    return main(["train", env, "--out", str(out), *flags, *more])


def kept(run: Path) -> list[bytes]:
    """Return what a run has learned, and what it is."""
    config = json.loads((run / "config.json").read_text())
    return [(run / "checkpoint.npz").read_bytes(), json.dumps(config["agent"]).encode()]


@pytest.mark.parametrize(("kind", "name"), CHOICES)
def test_every_choice_is_resumed_with_the_same_flags(kind: str, name: str, tmp_path: Path) -> None:
    assert trained(tmp_path / "whole", 24, kind, name) == 0
    assert trained(tmp_path / "parts", 12, kind, name) == 0
    assert trained(tmp_path / "parts", 24, kind, name, "--resume") == 0
    assert kept(tmp_path / "parts") == kept(tmp_path / "whole")


def test_another_part_than_the_runs_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert trained(tmp_path, 12, "modulator", "differential-td") == 0
    assert trained(tmp_path, 24, "modulator", "reward", "--resume") == 2
    assert "was started with another" in capsys.readouterr().err
