"""Agents in folders as Hugging Face's hub has them: out and in again, to the last byte."""

from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest

from neurorl.agents.checkpoint import checkpoint_in, digest
from neurorl.cli import main
from neurorl.errors import RunError
from neurorl.lab.exchange import MODEL, export_run, import_run
from neurorl.runs.training import train
from neurorl.storage import files
from neurorl.storage.zoo import find

pytest.importorskip("safetensors", reason="safetensors is not installed")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hub")
    train("neurorl/GridWorld-v0", folder / "run", episodes=2, seed=3)
    return export_run(folder / "run", folder / "my-agent")


def test_a_run_comes_back_as_it_was(exported: Path, tmp_path: Path) -> None:
    run = exported.parent / "run"
    back = import_run(exported, tmp_path / "back")
    for file in ("checkpoint.npz", "config.json", "episodes.csv", "summary.json"):
        assert (back / file).read_bytes() == (run / file).read_bytes()
    train("neurorl/GridWorld-v0", back, episodes=3, resume=True)
    train("neurorl/GridWorld-v0", run, episodes=3, resume=True)
    assert digest(back / "checkpoint.npz") == digest(run / "checkpoint.npz")


def test_others_read_the_file_and_the_card(exported: Path) -> None:
    from safetensors.numpy import load_file

    weights = load_file(exported / MODEL)["learner.weights.input_hidden"]
    assert weights.shape == (49, 320)
    yaml = pytest.importorskip("yaml", reason="yaml is not installed")
    text = (exported / "README.md").read_text()
    front = yaml.safe_load(text.split("---\n")[1])
    assert front["library_name"] == "neurorl"
    assert "neurorl/GridWorld-v0" in front["tags"]
    assert "# my-agent" in text


def test_the_zoo_is_shared_with_its_cards(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    yaml = pytest.importorskip("yaml", reason="yaml is not installed")
    folder, back = tmp_path / "shared", tmp_path / "back"
    assert main(["export", "zoo:gridworld-lif", "--out", str(folder)]) == 0
    assert main(["import", str(folder), "--out", str(back)]) == 0
    assert capsys.readouterr().out.split() == [str(folder), str(back)]
    assert digest(back / "checkpoint.npz") == digest(checkpoint_in(find("gridworld-lif")))
    front = yaml.safe_load((folder / "README.md").read_text().split("---\n")[1])
    (model,) = front["model-index"]
    assert model["results"][0]["metrics"][0]["value"] == "10.00 +/- 0.00"


def test_what_is_damaged_or_another_s_is_refused(exported: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load, save

    whole = (exported / MODEL).read_bytes()
    flipped = bytearray(whole)
    flipped[-1] ^= 1
    header = json.loads(whole[8 : 8 + int.from_bytes(whole[:8], "little")])["__metadata__"]
    more = {**header, "order": json.dumps([*json.loads(header["order"]), "another"])}
    cases = {
        "digest doesn't match": bytes(flipped),
        "is damaged": whole[:-1],
        "no description": save(load(whole)),
        "model.safetensors is damaged": save(load(whole), more),
        "model.safetensors": b"\xff" * 9,
    }
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "config.json").write_bytes((exported / "config.json").read_bytes())
    for said, content in cases.items():
        (folder / MODEL).write_bytes(content)
        with pytest.raises(RunError, match=said):
            import_run(folder, tmp_path / "back")
        assert not (tmp_path / "back").exists()
    with pytest.raises(RunError, match="can't be read"):
        import_run(tmp_path / "nowhere", tmp_path / "back")


def test_nothing_is_written_over(exported: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for there in (tmp_path, tmp_path / "file"):
        with pytest.raises(RunError, match="already exists"):
            import_run(exported, there)
        with pytest.raises(RunError, match="already exists"):
            export_run(exported.parent / "run", there)


@pytest.mark.parametrize("fails", range(1, 5))
@pytest.mark.parametrize("way", ["export", "import"])
def test_a_full_disk_leaves_nothing(
    way: str, fails: int, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full at each file in turn, then there is room again."""
    written = list[Path]()

    def replace(path: Path, data: bytes) -> None:
        written.append(path)
        if len(written) == fails:
            raise OSError(errno.ENOSPC, "No space left on device")
        path.write_bytes(data)

    def write() -> Path:
        if way == "export":
            return export_run(exported.parent / "run", tmp_path / "out")
        return import_run(exported, tmp_path / "out")

    with monkeypatch.context() as patch:
        patch.setattr(files, "replace", replace)
        with pytest.raises(RunError, match=f"folder {tmp_path / 'out'}.*make room on its disk"):
            write()
    assert len(written) == fails
    assert list(tmp_path.iterdir()) == []
    assert {file.name for file in write().iterdir()} >= {"config.json", "episodes.csv"}


def test_a_run_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", "nothing", "--out", "x"]) == 2
    assert "no such run directory; make it by neurorl train\n" in capsys.readouterr().err
