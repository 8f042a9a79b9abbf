"""The examples show their effects with few seeds, the same on the reference and on Brian2."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def example(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of an example, by its name."""
    spec = importlib.util.spec_from_file_location(request.param, EXAMPLES / f"{request.param}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("example", ["distal_reward"], indirect=True)
def test_the_rewarded_synapse_outgrows_the_others(
    example: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """These are the figures of docs/learning-without-an-agent.md."""
    results = example.main(["--backend", "brian2", "--seconds", "200", "--every", "4"])
    assert len(results) == 3
    for result in results:
        assert result.rewarded[0] == 0.0
        assert result.rewarded[-1] > 3.5
        assert result.others[-1].mean() < 1.0
        assert result.rank < 0.02 * result.others.shape[1]
    assert len(capsys.readouterr().out.splitlines()) == 4


@pytest.mark.parametrize("neuron", ["lif", "izhikevich"])
@pytest.mark.parametrize("example", ["distal_reward"], indirect=True)
def test_distal_reward_is_the_same_on_brian2(example: ModuleType, neuron: str) -> None:
    one, other = (
        example.run(name, [0, 1], 2 + 2 * (neuron == "lif"), neuron, every=1)[1]
        for name in ("reference", "brian2")
    )
    assert np.ptp(one.others[-1]) > 0
    assert one.rewards == other.rewards
    assert np.array_equal(one.rewarded, other.rewarded)
    assert np.array_equal(one.others, other.others)


@pytest.mark.parametrize("backend", ["reference", "brian2"])
@pytest.mark.parametrize("example", ["conditioning"], indirect=True)
def test_the_response_to_the_rewarded_stimulus_grows(example: ModuleType, backend: str) -> None:
    (ratio,) = example.main(["--backend", backend, "--seeds", "0", "--trials", "150"])
    shown, answers = example.run(backend, [0], 30)
    first, others = example.responses(shown, answers, slice(30))
    assert ratio > 2.0 > first[0] / others[0]


@pytest.mark.parametrize("example", ["conditioning"], indirect=True)
def test_conditioning_is_the_same_everywhere(example: ModuleType) -> None:
    expected = example.run("reference", [0, 1], 20)
    for one, other in zip(expected, example.run("brian2", [0, 1], 20), strict=True):
        assert np.array_equal(one, other)
    shown, answers = example.run("loihi", [0], 5)
    assert np.array_equal(shown[:, 0], expected[0][:5, 0])
    assert answers.sum() > 0


@pytest.mark.parametrize("example", ["conditioning", "distal_reward"], indirect=True)
def test_plots_are_written(example: ModuleType, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / "figure.png"
    short = ["--trials", "60"] if example.__name__ == "conditioning" else ["--seconds", "2"]
    example.main(["--seeds", "0", "--plot", str(path), *short])
    assert path.stat().st_size > 1000
