"""A run directory of an older version: it loads, and goes on to the same bits wherever it does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from neurorl.errors import DefinitionWarning, RunError
from neurorl.runs.directory import RunDirectory
from neurorl.runs.training import train

GRID = "neurorl/GridWorld-v0"
STORED = Path(__file__).parent / "stored"  # stopped after 230 steps, within an episode
WHOLE = "c0101faf1b03b70fefc2edf03f94c79d13eba5429c457a4243dd616612ea862c"
"""Compare with the checkpoint after 420 steps, by the definition of learning of this version."""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return Path(shutil.copytree(STORED, tmp_path / "run"))


def test_it_goes_on(run: Path) -> None:
    with pytest.warns(DefinitionWarning, match="seed 7: was begun by another definition"):
        assert train(GRID, run, steps=420, resume=True)["digest"] == WHOLE
    before, after = (json.loads((at / "config.json").read_text()) for at in (STORED, run))
    assert after == {**before, "steps": 420}
    assert list(after) == list(before)


def test_its_config_is_written_in_the_form_of_now_and_read_again(run: Path) -> None:
    before = json.loads((STORED / "config.json").read_text())
    versions = before.pop("versions")
    assert "numpy" in versions
    after = RunDirectory(STORED).read_config().to_dict()
    assert {k: v for k, v in after.items() if k != "agent"} == {
        k: v for k, v in before.items() if k != "agent"
    }
    assert after["agent"] != before["agent"]  # parts are objects, not fields of the agent
    (run / "config.json").write_text(json.dumps({**after, "versions": versions}))
    assert RunDirectory(run).read_config().to_dict() == after


@pytest.mark.parametrize(
    ("name", "value", "was"),
    [
        ("backend", "native", "reference"),
        ("arithmetic", "loihi", "float"),
        ("noise", "chip", "exact"),
        ("model", "glm", "lif"),
        ("learning", "pes", "host"),
        ("approach", "reparameterization", "local"),
        ("start", "elsewhere", None),
        ("env_args", {"slippery": True}, {}),
        ("seed", 8, 7),
    ],
)
def test_another_option_is_refused(name: str, value: object, was: object, run: Path) -> None:
    with pytest.raises(RunError) as caught:
        train(GRID, run, resume=True, **{name: value})  # type: ignore[arg-type]
    said = str(caught.value)
    assert f"was started with another {name}" in said
    assert f"got {value}" in said
    assert was is None or str(was) in said
    assert not (run / ".lock").exists()


def test_what_no_run_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LookupError, match=r"episods.*episodes"):
        train(GRID, tmp_path / "run", episods=3)  # type: ignore[call-arg]
    assert not (tmp_path / "run").exists()
