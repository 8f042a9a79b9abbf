"""Sweeps: what files may say, who runs their units, and that the table is the same bytes."""

from __future__ import annotations

import importlib
import json
import multiprocessing
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from neurorl.cli import main
from neurorl.errors import NeurorlError, RunError, UnsupportedError
from neurorl.lab.clusters import dask_jobqueue
from neurorl.lab.search import read_sweep
from neurorl.lab.sweep import Sweep
from neurorl.lab.sweeping import run_sweep, run_unit
from neurorl.runs.children import child_environment

GRID: dict[str, Any] = {
    "env": "neurorl/Bandit-v0",
    "seeds": "0..1",
    "episodes": 40,
    "evaluate": 2,
    "rule": ["spikes-only", "td-stdp"],
    "set": {"alpha_output": [0.1, 0.2]},
}


def tables(out: Path) -> list[bytes]:
    return [file.read_bytes() for file in sorted(out.glob("table.*"))]


def test_a_grid_has_a_unit_for_each_setting_with_all_seeds() -> None:
    sweep = Sweep.grid(GRID)
    assert sweep.axes == ("env", "rule", "set.alpha_output")
    assert len({unit.name for unit in sweep.units}) == 4
    assert {unit.seeds for unit in sweep.units} == {(0, 1)}
    again = Sweep.grid({**GRID, "rule": ["spikes-only-hebbian", *GRID["rule"]]})
    assert {unit.name for unit in sweep.units} < {unit.name for unit in again.units}


def test_the_table_is_the_same_whoever_runs_it(tmp_path: Path) -> None:
    sweep = Sweep.grid(GRID)
    serial = run_sweep(sweep, tmp_path / "serial")
    assert not serial.failed
    assert [(row["rule"], row["set.alpha_output"], row["seed"]) for row in serial.rows] == [
        (rule, alpha, seed) for rule in GRID["rule"] for alpha in (0.1, 0.2) for seed in (0, 1)
    ]
    assert run_sweep(sweep, tmp_path / "two", jobs=2) == serial
    assert tables(tmp_path / "two") == tables(tmp_path / "serial")


def test_what_is_missing_is_done_and_the_rest_is_not(tmp_path: Path) -> None:
    sweep = Sweep.grid(GRID)
    first = run_sweep(sweep, tmp_path)
    table = tables(tmp_path)
    kept, gone = (tmp_path / "units" / unit.name / "rows.json" for unit in sweep.units[:2])
    gone.unlink()
    (tmp_path / "table.csv").unlink()
    before = kept.stat().st_mtime_ns
    assert run_sweep(sweep, tmp_path) == first
    assert kept.stat().st_mtime_ns == before
    assert tables(tmp_path) == table


def test_environments_and_evaluations_of_units(tmp_path: Path) -> None:
    counted = {"environments": [1, 3], "eval_every": 20, "eval_episodes": 1}
    rest = {"env": "CartPole-v1", "seeds": "0..1", "steps": 40, "evaluate": 0}
    outcome = run_sweep(Sweep.grid({**rest, **counted}), tmp_path)
    assert [(row["environments"], row["env_steps"]) for row in outcome.rows] == [
        *((1, 40), (1, 40), (3, 42), (3, 42))
    ]
    tables = [*tmp_path.glob("units/*/seed?/evaluations.csv")]
    assert [path.read_text().count("\n") for path in tables] == [3] * 4
    for wrong in ("3", 2.5, 0, True):
        with pytest.raises(NeurorlError, match="whole number"):
            Sweep.grid({**rest, "environments": wrong})


def test_a_unit_that_fails_leaves_the_others_alone(tmp_path: Path) -> None:
    sweep = Sweep.grid({**GRID, "set": {}})
    place = tmp_path / "units" / sweep.units[0].name
    place.mkdir(parents=True)
    (place / "seed0").write_text("in the way")
    outcome = run_sweep(sweep, tmp_path)
    assert list(outcome.failed) == [sweep.units[0].name]
    assert {row["rule"] for row in outcome.rows} == {"td-stdp"}


DEADLY = """
    import os, signal
    from pathlib import Path
    import gymnasium as gym

    class Deadly(gym.Env):
        observation_space = gym.spaces.Discrete(2)
        action_space = gym.spaces.Discrete(2)
        def __init__(self, mark=""):
            self.mark, self.n = Path(mark), 0
        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            return 0, {}
        def step(self, action):
            self.n += 1
            if self.n == 50 and not self.mark.exists() and "MainProcess" not in str(NAME()):
                self.mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            return self.n % 2, float(action == self.n % 2), self.n % 10 == 0, False, {}

    def NAME():
        import multiprocessing
        return multiprocessing.current_process().name

    gym.register("Deadly-v0", Deadly)
"""


def deadly(folder: Path, monkeypatch: pytest.MonkeyPatch, mark: Path) -> Sweep:
    """Return a sweep whose environment kills the first worker that plays it."""
    (folder / "deadly_env.py").write_text(textwrap.dedent(DEADLY))
    monkeypatch.syspath_prepend(str(folder))
    return Sweep.grid(
        {
            "env": "deadly_env:Deadly-v0",
            "env_args": {"mark": str(mark)},
            "seeds": "0..1",
            "episodes": 12,
            "evaluate": 0,
            "rule": ["spikes-only", "td-stdp"],
        }
    )


@pytest.mark.filterwarnings("ignore::neurorl.EnvironmentWarning")
def test_a_killed_worker_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep = deadly(tmp_path, monkeypatch, tmp_path / "killed")
    outcome = run_sweep(sweep, tmp_path / "two", jobs=2)
    assert (tmp_path / "killed").exists()
    assert run_sweep(sweep, tmp_path / "serial") == outcome
    assert tables(tmp_path / "two") == tables(tmp_path / "serial")


OWN_POOL = """
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as own:
    run_sweep(SWEEP, "out", executor=own)
"""
UNGUARDED = {
    "a sweep": 'run_sweep(SWEEP, "out", jobs=2)',
    "a pool of its own": OWN_POOL,
    "seeds": "train_seeds(BANDIT, [(0, 'runs/0'), (1, 'runs/1')], jobs=2, episodes=3)",
}


@pytest.mark.parametrize("call", UNGUARDED.values(), ids=UNGUARDED)
def test_a_script_without_a_guard_is_told_so_at_once(call: str, tmp_path: Path) -> None:
    """Each new process imports the script, which must not begin all anew there."""
    begin = f"""
        from pathlib import Path
        from neurorl.lab.sweep import Sweep
        from neurorl.lab.sweeping import run_sweep
        from neurorl.runs.training import train_seeds
        BANDIT = "neurorl/Bandit-v0"
        SWEEP = Sweep.grid({{**{GRID!r}, "set": {{}}}})
        print(__name__)
    """
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(begin) + call)
    done = subprocess.run(
        [sys.executable, str(script)],
        env=child_environment(),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    lines = done.stderr.splitlines()
    assert sum(line.startswith("Traceback") for line in lines) == 1
    assert lines[-1].startswith("neurorl.errors.RunError")
    assert 'if __name__ == "__main__"' in lines[-1]
    assert done.stdout.count("__main__") == 1


@contextmanager
def processes_of_dask() -> Iterator[Any]:
    """Run two workers as Dask starts them on one machine."""
    distributed = pytest.importorskip("distributed", reason="a cluster needs Dask")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with distributed.LocalCluster(**options, silence_logs=50) as cluster:
        yield cluster


@contextmanager
def jobs_of_a_queue() -> Iterator[Any]:
    """Run two workers as jobs of a queue, by the one of dask-jobqueue that needs no queue."""
    try:
        dask_jobqueue()
    except UnsupportedError as exc:
        pytest.skip(str(exc))
    local = importlib.import_module("dask_jobqueue.local")
    quiet = {"dashboard_address": None}
    with local.LocalCluster(
        cores=1, processes=1, memory="4GB", scheduler_options=quiet, silence_logs=50
    ) as cluster:
        cluster.scale(2)
        yield cluster


@pytest.mark.parametrize("workers", [processes_of_dask, jobs_of_a_queue])
@pytest.mark.filterwarnings("ignore::neurorl.EnvironmentWarning")
@pytest.mark.filterwarnings("ignore::ResourceWarning")  # of dask-jobqueue's jobs
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the same
def test_a_cluster_makes_the_same_table_when_a_worker_is_killed(
    workers: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = deadly(tmp_path, monkeypatch, tmp_path / "killed")
    with workers() as cluster:
        from distributed import Client

        with Client(cluster) as client:
            client.wait_for_workers(2)
            executor = client.get_executor(pure=False, retries=3)
            outcome = run_sweep(sweep, tmp_path / "dask", executor=executor)
    assert (tmp_path / "killed").exists()
    assert not outcome.failed
    assert run_sweep(sweep, tmp_path / "serial") == outcome
    assert tables(tmp_path / "dask") == tables(tmp_path / "serial")


@pytest.mark.parametrize("kind", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_any_executor_makes_the_same_table(kind: type[Executor], tmp_path: Path) -> None:
    sweep = Sweep.grid({**GRID, "set": {}})
    spawned = {"mp_context": multiprocessing.get_context("spawn")}
    with kind(2, **(spawned if kind is ProcessPoolExecutor else {})) as executor:  # type: ignore[call-arg]
        outcome = run_sweep(sweep, tmp_path / "executor", executor=executor)
    assert run_sweep(sweep, tmp_path / "serial") == outcome
    assert tables(tmp_path / "executor") == tables(tmp_path / "serial")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# of mine\n[sweep]\nenv = 'CartPole-v1'\n", ["line 2", "sweep: unknown name"]),
        ("env = 'CartPole-v1'\nseed = 3\n", ["line 2", "seed"]),
        ("env = 'CartPole-v1'\n\n[set]\ngama = 0.1\n", ["line 4", "gama", "gamma"]),
        ("env = 'CartPole-v1'\nepisodes = -3\n", ["line 2", "episodes", "-3"]),
        ("env = 'CartPole-v1'\nrule = ['hebian']\n", ["hebian"]),
        ("env = 'CartPole-v1'\nmodel = 'lof'\n", ["line 2", "lof"]),
        ("env = 'CartPole-v1'\nbackend = 'brian3'\n", ["line 2", "brian3"]),
        ("env = 'CartPole-v1'\nseeds = '9..1'\n", ["seeds"]),
        ("seeds = '0..1'\n", ["names no env"]),
        ("env = 'CartPole-v1'\nrule = []\n", ["line 2", "no values"]),
        ("env = ['A', 'A']\n", ["line 1", "twice"]),
        ("env = 'CartPole-v1'\n[set]\nbeta = = 3\n", ["no TOML", "line 3"]),
        ("env = 3\n", ["line 1", "no text"]),
        ("env = 'CartPole-v1'\nset = 3\n", ["line 2", "no table"]),
        ("env = 'CartPole-v1'\n[set]\nbeta = 0.1\n[set.neuron]\n", ["an empty table", "neuron"]),
    ],
)
def test_what_is_wrong_in_a_file_is_one_line_with_its_place(
    text: str, words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "wrong.toml"
    file.write_text(text)
    with pytest.raises(NeurorlError) as caught:
        read_sweep(file)
    assert all(word in str(caught.value) for word in words)
    assert main(["sweep", str(file), "--out", str(tmp_path / "out")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_yaml_says_the_same(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml", reason="YAML files need PyYAML")
    file = tmp_path / "grid.yaml"
    file.write_text(yaml.safe_dump(GRID))
    assert read_sweep(file) == Sweep.grid(GRID)
    file.write_text("env: [\n")
    with pytest.raises(RunError, match=r"no YAML.*line 2"):
        read_sweep(file)
    file.write_text("!!python/object/apply:os.system ['true']\n")
    with pytest.raises(RunError, match="no YAML"):
        read_sweep(file)


def test_the_command_prints_a_line_for_each_setting(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "grid.toml"
    file.write_text("env = 'neurorl/GridWorld-v0'\nepisodes = 2\n[set]\npolicy.beta = [0.1, 0.2]\n")
    assert main(["sweep", str(file), "--out", str(tmp_path / "out"), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert [row["set.policy.beta"] for row in data["rows"]] == [0.1, 0.2]
    assert main(["sweep", str(file), "--out", str(tmp_path / "out")]) == 0
    assert "set.policy.beta" in capsys.readouterr().out


def test_a_cluster_that_is_not_there_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "grid.toml"
    file.write_text("env = 'CartPole-v1'\n")
    assert main(["sweep", str(file), "--scheduler", "nowhere"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_damaged_rows_are_named(tmp_path: Path) -> None:
    unit = Sweep.grid(GRID).units[0]
    (tmp_path / "rows.json").write_text("[1, 2")
    with pytest.raises(NeurorlError, match=r"rows\.json"):
        run_unit(unit, str(tmp_path))
