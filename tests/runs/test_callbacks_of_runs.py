"""Runs with callbacks: evaluated, logged and ended as agents are, and resumed exactly."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from neurorl import SpikingActorCritic
from neurorl.agents.algorithms import ALGORITHMS, LOCAL, Algorithm
from neurorl.agents.checkpoint import read_agent
from neurorl.agents.episodes import Episode
from neurorl.callbacks import EvaluateEvery
from neurorl.cli import main
from neurorl.runs import session
from neurorl.runs.training import train

SMALL = ["--set", "hidden=0", "--set", "actors=1", "--set", "window=4"]
WORDS = ["train", "CartPole-v1", *SMALL, "--backend", "reference"]
EVALUATES = ["--eval-every", "30", "--eval-episodes", "2"]
CODE = """
from neurorl.callbacks import Callback

class Ends(Callback):
    def __init__(self, after=2):
        self.after = after

    def on_episode(self, episode):
        return episode.episode + 1 < self.after

class Doubles(Callback):
    def on_step(self, steps):
        if steps % 10 == 0:
            for weights in self.agent.memory.weights.values():
                weights *= 0.5

class Raises(Callback):
    def on_step(self, steps):
        return 1 / 0

class Notes(Callback):
    def __init__(self):
        self.told = []

    def on_episode(self, episode):
        assert self.agent.episodes[-1] is episode
        self.told.append(episode.episode)
        with open("notes.txt", "a") as file:
            file.write(f"{self.agent.seed} {self.told}\\n")

notes, number = Notes(), 5

def notes_of(after):
    return Ends(after)

def writes(episode):
    with open("written.txt", "a") as file:
        file.write(f"{episode.ret}\\n")
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Work in a folder with a module of the user's own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "followers.py").write_text(CODE)
    yield
    sys.modules.pop("followers", None)


def trained(out: str, *words: str) -> int:
    return main([*WORDS, "--out", out, *words])


def kept(run: str) -> dict[str, bytes]:
    """Return the files of a run, without the seconds in its rows and the names of folders."""
    files = {path.name: path.read_bytes() for path in Path(run).iterdir()}
    rows = [line.split(b",") for line in files["episodes.csv"].splitlines()]
    files["episodes.csv"] = b"\n".join(b",".join([*row[:4], *row[5:]]) for row in rows)
    summary = {**json.loads(files["summary.json"]), "run": ""}
    files["summary.json"] = json.dumps(summary).encode()
    return files


def test_evaluations_are_those_of_the_callback_and_change_nothing() -> None:
    assert trained("plain", "--steps", "100", "--seed", "3") == 0
    assert trained("run", "--steps", "100", "--seed", "3", *EVALUATES) == 0
    plain, run = kept("plain"), kept("run")
    assert run.keys() - plain.keys() == {"evaluations.csv", "best.npz"}
    for name in ("checkpoint.npz", "episodes.csv", "summary.json"):
        assert run[name] == plain[name]
    assert b"eval_" not in plain["config.json"]
    agent = SpikingActorCritic(
        "CartPole-v1", backend="reference", seed=3, hidden=0, actors=1, window=4
    )
    evaluates = EvaluateEvery(30, 2, best="their.npz")
    agent.learn(total_steps=100, callback=evaluates)
    rows = [line.split(",") for line in run["evaluations.csv"].decode().splitlines()]
    assert rows[0] == [
        *("env_steps", "episodes", "mean_return", "std_return", "mean_discounted_return")
    ]
    theirs = [
        [
            *(str(steps), "2", repr(each["mean_return"]), repr(each["std_return"])),
            repr(each["mean_discounted_return"]),
        ]
        for steps, each in evaluates.evaluations
    ]
    assert rows[1:] == theirs
    assert [row[0] for row in rows[1:]] == ["30", "60", "90"]
    ours, arrays = read_agent(Path("run/best.npz"))
    described, best = read_agent(Path("their.npz"))
    assert ours == described
    assert arrays.keys() == best.keys()
    assert main(["evaluate", "run/best.npz", "--episodes", "2", "--json"]) == 0


APPROACHES = {
    "alone": EVALUATES,
    "environments": [*EVALUATES, "--environments", "3"],
    "weights": [*EVALUATES, "--callback", "followers:Doubles"],
    "gradients": [
        *(*EVALUATES, "--approach", "reparameterization"),
        *("--set", "gradient.environments=2", "--set", "gradient.steps=8"),
    ],
}


@pytest.mark.parametrize("words", APPROACHES.values(), ids=list(APPROACHES))
@pytest.mark.parametrize(("budget", "first", "last"), [("steps", 61, 140), ("episodes", 3, 6)])
def test_a_run_goes_on_exactly(budget: str, first: int, last: int, words: list[str]) -> None:
    if "gradient.steps=8" in words:
        pytest.importorskip("torch", reason="learns in PyTorch")
        words = [*words, "--backend", "torch"]
    assert trained("whole", f"--{budget}", str(last), *words) == 0
    assert trained("parts", f"--{budget}", str(first), *words) == 0
    assert trained("parts", f"--{budget}", str(last), *words, "--resume") == 0
    assert kept("parts") == kept("whole")
    assert kept("whole")["evaluations.csv"].count(b"\n") > 2


@pytest.mark.parametrize("environments", [1, 3])
@pytest.mark.parametrize("ended", [1, 2, 4, 5])
def test_a_run_that_is_broken_off_goes_on_exactly(
    monkeypatch: pytest.MonkeyPatch, environments: int, ended: int
) -> None:
    monkeypatch.setattr(session, "CHECKPOINT_SECONDS", 0.0)
    options: Any = {
        "wrappers": ["gymnasium.wrappers:TimeLimit,max_episode_steps=7"],
        "environments": environments,
        "episodes": 7,
        "backend": "reference",
        "overrides": {"hidden": (), "actors": 1, "window": 4},
        "eval_every": 7 * environments,  # when episodes end, too
        "eval_episodes": 1,
    }
    told: list[Episode] = []

    def breaks(episode: Episode) -> None:
        told.append(episode)
        if len(told) == ended:
            raise KeyboardInterrupt

    train("CartPole-v1", Path("whole"), **options)
    with pytest.raises(KeyboardInterrupt):
        train("CartPole-v1", Path("broken"), callback=breaks, **options)
    train("CartPole-v1", Path("broken"), resume=True, **options)
    assert kept("broken") == kept("whole")


def test_rows_and_a_best_agent_of_later_steps_are_made_again() -> None:
    assert trained("whole", "--steps", "200", *EVALUATES) == 0
    assert trained("first", "--steps", "70", *EVALUATES) == 0
    for name in ("evaluations.csv", "best.npz"):  # as if it was killed after these were written
        Path("first", name).write_bytes(Path("whole", name).read_bytes())
    assert trained("first", "--steps", "200", *EVALUATES, "--resume") == 0
    assert kept("first") == kept("whole")


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_each_of_several_runs_ends_by_its_own_callback(jobs: str) -> None:
    words = ["--steps", "300", *EVALUATES, "--callback", "followers:Ends,after=3"]
    assert trained("both", "--seeds", "1,2", "--jobs", jobs, *words) == 0
    for seed in ("1", "2"):
        assert trained(f"seed{seed}", "--seed", seed, *words) == 0
        alone = kept(f"seed{seed}")
        assert kept(f"both/seed{seed}") == alone
        assert alone["episodes.csv"].count(b"\n") == 3  # a head and three rows


def test_objects_functions_and_makers_are_callbacks() -> None:
    words = ["--callback", "followers:notes", "--callback", "followers:writes"]
    assert (
        trained("run", "--episodes", "9", *words, "--callback", "followers:notes_of,after=2") == 0
    )
    rows = Path("run/episodes.csv").read_text().splitlines()[1:]
    assert len(rows) == 2
    assert Path("written.txt").read_text().split() == [row.split(",")[1] for row in rows]
    assert Path("notes.txt").read_text() == "0 [0]\n0 [0, 1]\n"
    assert json.loads(Path("run/config.json").read_text())["callbacks"] == [
        *("followers:notes", "followers:writes", "followers:notes_of,after=2")
    ]


def test_an_object_is_each_runs_own() -> None:
    assert trained("run", "--episodes", "2", "--seeds", "4,5", "--callback", "followers:notes") == 0
    told = sorted(Path("notes.txt").read_text().splitlines())
    assert told == ["4 [0, 1]", "4 [0]", "5 [0, 1]", "5 [0]"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--callback", "followers:Raises"], "on_step: raised (got ZeroDivisionError"),
        (["--callback", "followers:number"], "not to be called (got 5"),
        (["--callback", "followers:nobody"], "callback followers:nobody: is not in its module"),
        (["--callback", "nowhere:x"], "module 'nowhere': doesn't import"),
        (["--callback", "followers:Ends,before=1"], "can't be made (got TypeError"),
        (
            ["--callback", "followers:Ends,after=1,after=2"],
            "followers:Ends: is given twice",
        ),
        (["--callback", "followers"], "limit MODULE:CALLBACK or MODULE:CALLBACK,K=V"),
        (["--eval-every", "0"], "train, eval_every: must be a whole number"),
        (["--eval-every", "9", "--eval-episodes", "0"], "train, eval_episodes: must be"),
        (["--eval-episodes", "3"], "eval_episodes with eval_every only"),
    ],
)
def test_what_has_no_sense_is_refused_in_a_line(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    assert trained("run", "--steps", "9", *words) == 2
    told = capsys.readouterr().err
    assert said in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize("jobs", [["--seeds", "0,1"], ["--seeds", "0,1", "--jobs", "2"]])
def test_figures_go_to_a_folder_for_each_run(jobs: list[str]) -> None:
    pytest.importorskip("tensorboardX", reason="it writes the files")
    words = ["--episodes", "2", *EVALUATES, "--tensorboard", "figures"]
    assert trained("run", *words, *jobs) == 0
    assert {path.name for path in Path("figures/run").iterdir()} == {"seed0", "seed1"}
    assert trained("alone", *words) == 0
    assert [*Path("figures/alone").glob("events*")]
    assert b"tensorboard" not in kept("alone")["config.json"]
    assert trained("alone", "--episodes", "3", "--resume") == 0  # and goes on without them


def test_without_its_package_tensorboard_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    assert trained("run", "--episodes", "2", "--tensorboard", "figures") == 2
    assert capsys.readouterr().err == (
        "neurorl: TensorBoard: needs tensorboardX; pip install 'neurorl[tensorboard]'\n"
    )
    assert not Path("run").exists()


def test_a_file_brings_no_callbacks(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--callback", "followers:Ends"]
    assert trained("run", "--steps", "40", *words) == 0
    assert trained("run", "--steps", "80", "--resume") == 2
    assert "name callbacks= (--callback) again if you know the run" in capsys.readouterr().err
    assert trained("run", "--steps", "80", "--resume", "--callback", "followers:notes") == 2
    assert "with another callbacks" in capsys.readouterr().err
    copied = [*WORDS, "--config", "run/config.json", "--out", "copy"]
    assert main([*copied, "--steps", "40", *EVALUATES]) == 0
    assert b"callbacks" not in kept("copy")["config.json"]


def test_evaluations_of_a_run_stay_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert trained("run", "--steps", "40", *EVALUATES) == 0
    assert trained("run", "--steps", "80", "--resume") == 0  # needs no flag
    assert kept("run")["evaluations.csv"].count(b"\n") == 3
    assert trained("run", "--steps", "90", "--resume", "--eval-every", "20") == 2
    assert "another eval_every (got 20, limit 30)" in capsys.readouterr().err
    Path("run/evaluations.csv").write_text("env_steps\nmany\n")
    assert trained("run", "--steps", "90", "--resume") == 2
    assert "EvaluationRows.on_start: raised (got ValueError" in capsys.readouterr().err


def test_an_algorithm_without_agents_has_no_callbacks(monkeypatch: pytest.MonkeyPatch) -> None:
    mine = Algorithm("mine", LOCAL.maker)
    monkeypatch.setitem(ALGORITHMS, "mine", mine)
    assert trained("plain", "--episodes", "1", "--approach", "mine") == 0
    assert trained("run", "--episodes", "1", "--approach", "mine", *EVALUATES) == 2
    assert not Path("run").exists()
