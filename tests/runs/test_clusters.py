"""Sweeps as jobs of a batch system: its files, its refusals, and jobs that are lost."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import warnings
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from load_script import load_script

from neurorl.cli import main
from neurorl.errors import FallbackWarning, UnsupportedError
from neurorl.lab import clusters, sweeping
from neurorl.lab.clusters import ATTEMPTS
from neurorl.lab.status import sweep_status
from neurorl.lab.sweep import Sweep
from neurorl.lab.sweeping import run_sweep

distributed = pytest.importorskip(
    "distributed", reason="Dask is not installed: pip install 'neurorl[cluster]'"
)
try:
    vendor = clusters.dask_jobqueue()
except UnsupportedError as exc:
    pytest.skip(str(exc), allow_module_level=True)

local = load_script("slurm_sweep")
needs_slurm = pytest.mark.skipif(bool(local.missing()), reason=f"no SLURM: {local.missing()}")
GRID = 'env = "neurorl/Bandit-v0"\nepisodes = 3\n'


@pytest.mark.parametrize(
    ("named", "text", "words"),
    [
        ("slum", "jobs: 1\n", ["slum", "slurm"]),
        ("slurm", "jobs: 0\n", ["jobs", "0"]),
        ("slurm", "job: 1\n", ["unknown name", "job", "jobs"]),
        ("slurm", "[]\n", ["fields by name"]),
        ("slurm", "jobs: [\n", ["no YAML", "line"]),
        ("slurm", None, ["can't be read"]),
        ("slurm", "jobs: 1\n", ["can't be started", "cores"]),
    ],
)
def test_what_is_wrong_in_a_cluster_file_is_one_line(
    named: str, text: str | None, words: list[str], tmp_path: Path, capsys: Any
) -> None:
    grid, file = tmp_path / "grid.toml", tmp_path / "jobs.yaml"
    grid.write_text(GRID)
    if text is not None:
        file.write_text(text)
    command = ["sweep", str(grid), "--out", str(tmp_path / "out"), "--cluster", f"{named}:{file}"]
    assert main(command) == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert all(word in said for word in words), said


def test_one_place_to_run_is_enough(tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "grid.toml").write_text(GRID)
    for others in (["--jobs", "2"], ["--scheduler", "tcp://here:1"]):
        command = ["sweep", str(tmp_path / "grid.toml"), "--cluster", "slurm:x.yaml", *others]
        assert main(command) == 2
        assert "one of --jobs, --scheduler and --cluster" in capsys.readouterr().err


class Losing:
    """Stand for an executor whose workers are lost, writing a checkpoint before or not."""

    def __init__(self, losses: int, checkpoints: bool) -> None:
        self.losses, self.checkpoints, self.calls = losses, checkpoints, 0

    def submit(self, work: Any, unit: Any, place: str, *others: Any) -> Future[Any]:
        self.calls += 1
        future: Future[Any] = Future()
        if self.calls > self.losses:
            future.set_result(work(unit, place, *others))
            return future
        if self.checkpoints:
            file = Path(place) / "elsewhere" / "checkpoint.npz"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.unlink(missing_ok=True)
            file.write_bytes(bytes(self.calls))
        future.set_exception(distributed.KilledWorker("task", SimpleNamespace(address="there"), 0))
        return future


def one_unit() -> Sweep:
    return Sweep.grid({"env": "neurorl/Bandit-v0", "episodes": 3, "evaluate": 0})


def test_a_unit_goes_on_as_often_as_it_comes_further(tmp_path: Path) -> None:
    losing: Any = Losing(4 * ATTEMPTS, checkpoints=True)
    assert not run_sweep(one_unit(), tmp_path, executor=losing).failed


def test_a_unit_that_comes_no_further_fails(tmp_path: Path) -> None:
    losing: Any = Losing(10**6, checkpoints=False)
    failed = run_sweep(one_unit(), tmp_path, executor=losing).failed
    assert losing.calls == ATTEMPTS
    assert "its worker failed" in next(iter(failed.values()))


def test_a_run_that_another_process_still_holds_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeping, "_PATIENCE", 20.0)
    unit = one_unit().units[0]
    run = tmp_path / "units" / unit.name / "seed0"
    run.mkdir(parents=True)
    hold = (
        "import sys, time; from pathlib import Path; from neurorl.runs.directory import RunLock; "
        "assert RunLock(Path(sys.argv[1])).acquire(); print('held', flush=True); time.sleep(2)"
    )
    command = [sys.executable, "-c", hold, str(run / ".lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert not run_sweep(one_unit(), tmp_path, executor=Losing(0, checkpoints=False)).failed  # type: ignore[arg-type]


@needs_slurm
def test_killed_jobs_of_slurm_change_no_byte(tmp_path: Path) -> None:
    found = local.measure(tmp_path, runs=6, kills=2, jobs=2, every=4.0)
    assert found["equal"]
    assert found["status"] == 0
    assert found["runs"] == 6
    assert sweep_status(tmp_path / "slurm-out").is_over


@needs_slurm
def test_slurm_runs_a_job_whose_files_lie_deep(tmp_path: Path) -> None:
    with local.slurm(tmp_path / ("long" * 30), 1) as system:
        assert "deep" in system.call("srun", "echo", "deep")


@needs_slurm
def test_a_slurm_that_runs_no_job_says_why_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (far := tmp_path / ("far" * 40)).mkdir()
    monkeypatch.setattr(local.tempfile, "mkdtemp", lambda prefix: str(far))
    monkeypatch.setattr(local.Slurm.try_job, "__defaults__", (5.0,))
    with (
        pytest.raises(RuntimeError, match=r"runs no job.*too long"),
        local.slurm(tmp_path / "a", 1),
    ):
        pass


@needs_slurm
def test_a_drained_node_is_taken_back(tmp_path: Path) -> None:
    with local.slurm(tmp_path / "slurm", 1) as system:
        drain = ("scontrol", "update", "NodeName=node", "State=DRAIN", "Reason=test")
        system.call(*drain)
        assert "drain" in system.call("sinfo", "-h", "-o", "%T")
        system.resume()
        system.wait()


@needs_slurm
def test_a_job_that_slurm_refuses_is_one_line(
    tmp_path: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.write_files(tmp_path, 2, 1)
    (tmp_path / "jobs.yaml").write_text("cores: 1\nmemory: 1GB\nqueue: nowhere\n")
    with local.slurm(tmp_path / "slurm", 2) as system:
        monkeypatch.setenv("SLURM_CONF", system.env["SLURM_CONF"])
        named = f"slurm:{tmp_path / 'jobs.yaml'}"
        command = ["sweep", str(tmp_path / "grid.toml"), "--out", str(tmp_path / "out")]
        assert main([*command, "--cluster", named]) == 2
    said = capsys.readouterr().err
    assert "refuses a job" in said
    assert "nvalid partition" in said
    assert len(said.splitlines()) == 1


def test_a_refusal_after_the_first_job_is_a_warning() -> None:
    class Job:
        async def start(self) -> None:
            if next(refusals):
                raise RuntimeError("Command exited\nstderr:\nsbatch: error: QOSMaxSubmitJobLimit\n")

    refusals, answers = iter([False, True, True]), list[str | None]()
    kind: Any = SimpleNamespace(job_cls=Job)
    made = clusters._telling(kind, answers, "cluster slurm:x.yaml")
    asyncio.run(made().start())
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for _ in range(2):
            with pytest.raises(RuntimeError):
                asyncio.run(made().start())
    assert [w.category for w in told] == [FallbackWarning]
    assert "cluster slurm:x.yaml: refuses a further job" in str(told[0].message)
    assert "SubmitJobLimit" in str(told[0].message)


def test_the_systems_named_are_those_of_dask_jobqueue() -> None:
    for system in clusters.SYSTEMS:
        assert hasattr(vendor, f"{system.upper()}Cluster")
