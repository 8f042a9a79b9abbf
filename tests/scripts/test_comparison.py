"""Test the comparison of approaches: numbers by hand, what is perturbed, a small run."""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from load_script import load_script

from experiments.comparison.efficiency import (
    EfficiencyRow,
    StepPoint,
    Trained,
    area,
    cut,
    step_curve,
)
from experiments.comparison.page import put_tables
from experiments.comparison.perturbations import PERTURBATIONS, noisier, perturbed
from experiments.comparison.robustness import BOTH, ON_CHIP, RECOVERED, RecoveryRow, cases
from experiments.comparison.tasks import engine_car, long_pole, noisy_cart
from experiments.tables import read_table, write_table
from neurorl import SpikingActorCritic
from neurorl.agents.checkpoint import read_agent
from neurorl.agents.evaluation import evaluate, load_to_play
from neurorl.errors import DescriptionError, RunError
from neurorl.models import GLM, LIF, CubaLIF, Lesion, actor_network
from neurorl.runs.training import train
from neurorl.tasks.environments import make_env

ROOT = Path(__file__).parents[2]
CARTPOLE = {p.name: p for p in PERTURBATIONS if p.task.name == "cartpole"}


def trained(*episodes: tuple[float, float]) -> Trained:
    return Trained(*(np.array(column) for column in zip(*episodes, strict=True)))


def test_returns_by_environment_steps_by_hand() -> None:
    run = trained((10, 1.0), (20, 3.0), (40, 8.0))
    assert [cut(run, steps) for steps in (0, 9, 10, 39, 40, 99)] == [0, 0, 1, 2, 3, 3]
    # Until step 10 and from there to 20 it is 1, then (1 + 3) / 2, and 4 at the very end.
    assert area(run, 20) == pytest.approx((199 * 1 + 2) / 200)
    assert area(run, 40) == pytest.approx((99 * 1 + 100 * 2 + 4) / 200)
    assert area(run, 41) is None
    other = trained((40, 6.0), (80, 0.0))
    assert step_curve([run, other])[-1] == StepPoint(40, 5.0, 4.5, 5.5)
    assert step_curve([run, other])[0] == StepPoint(0, 3.5, 2.25, 4.75)


def test_a_long_pole_is_that_of_the_task() -> None:
    assert make_env(long_pole(2.0)).unwrapped.length == 2.0  # type: ignore[attr-defined]


def test_an_engine_pushes_with_its_share_of_the_force() -> None:
    """By hand, a step's velocity is (action - 1) force - 0.0025 cos(3 position)."""
    env = make_env(engine_car(0.8))
    start, _ = env.reset(seed=3)
    for action in (0, 1, 2):
        env.reset(seed=3)
        seen, reward, *_ = env.step(action)
        speed = (action - 1) * 0.0008 - 0.0025 * np.cos(3 * float(start[0]))
        assert float(seen[1]) == pytest.approx(speed, abs=1e-8)
        assert reward == -1.0
    assert env.spec is not None
    assert env.spec.max_episode_steps == 200


@pytest.mark.parametrize(("engine", "steps"), [(0.8, 157), (1.2, 85)])
def test_pushing_as_the_car_moves_takes_so_long(engine: float, steps: int) -> None:
    """Random play returns what docs/comparison.md compares with, a mean of 100 starts."""
    env = make_env(engine_car(engine))
    taken = []
    for seed in range(100):
        observation, _ = env.reset(seed=seed)
        done, n = False, 0
        while not done:
            action = 2 if observation[1] > 0 else 0
            observation, _, terminated, truncated, _ = env.step(action)
            done, n = terminated or truncated, n + 1
        taken.append(n)
    assert np.mean(taken) == pytest.approx(steps, abs=0.5)


def test_noise_on_observations_is_seeded_and_of_the_size_said() -> None:
    plain, noisy = gym.make("CartPole-v1"), make_env(noisy_cart(0.2))
    first = [noisy.reset(seed=5)[0], *(noisy.step(0)[0] for _ in range(5))]
    again = [noisy.reset(seed=5)[0], *(noisy.step(0)[0] for _ in range(5))]
    np.testing.assert_array_equal(first, again)
    errors = np.array([noisy.reset(seed=k)[0] - plain.reset(seed=k)[0] for k in range(400)]) / (
        2.4,
        3.0,
        0.21,
        3.0,
    )
    assert errors.std() == pytest.approx(0.2, rel=0.05)  # 1600 draws: +-2 %
    assert abs(errors.mean()) < 0.02


def test_noise_of_neurons_is_widened() -> None:
    network = noisier(actor_network(5, 2, neuron=CubaLIF(noise=0.5)), 4.0)
    assert {p.neuron.noise for p in network.populations} == {2.0}  # type: ignore[attr-defined]
    with pytest.raises(DescriptionError, match="no width"):
        noisier(actor_network(5, 2, neuron=GLM()), 2.0)
    assert noisier(actor_network(5, 2, neuron=LIF()), 2.0) == actor_network(5, 2, neuron=LIF())


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run") / "seed3"
    overrides = {"actors": 1, "hidden": 4}
    train("CartPole-v1", out, seed=3, backend="reference", episodes=2, overrides=overrides)
    return out


def test_a_perturbed_run_is_played_and_started_from(run: Path, tmp_path: Path) -> None:
    lesioned = perturbed(run, CARTPOLE["lesion-75"], tmp_path / "lesion" / "seed3")
    assert perturbed(run, CARTPOLE["none"], lesioned) == lesioned  # what is there stays
    agent, chosen = load_to_play(lesioned)
    hidden = agent.network.node("hidden")
    assert isinstance(hidden.neuron, Lesion)  # type: ignore[union-attr]
    assert len(hidden.neuron.silent) == 6  # type: ignore[union-attr]
    assert evaluate(agent, 1, **chosen)["env"] == "CartPole-v1"
    pole = perturbed(run, CARTPOLE["length-0.1"], tmp_path / "pole" / "seed3")
    env_id = long_pole(0.1)
    on = train(env_id, tmp_path / "on", seed=3, start=pole.parent, backend="reference", episodes=1)
    assert on["env"] == env_id
    begun = SpikingActorCritic.load(tmp_path / "on").config
    assert begun == SpikingActorCritic.load(run).config


def test_noise_on_weights_has_their_size_and_the_seeds_own_draws(run: Path, tmp_path: Path) -> None:
    before = read_agent(run)[1]
    after = read_agent(perturbed(run, CARTPOLE["weights-200"], tmp_path / "seed3"))[1]
    name = "learner.weights.input_hidden"
    change = after[name] - before[name]
    rms = float(np.sqrt((before[name] ** 2).mean()))
    assert change.std() == pytest.approx(2 * rms, rel=0.15)  # 320 draws: +-4 %
    same = read_agent(perturbed(run, CARTPOLE["none"], tmp_path / "none"))[1]
    assert all(np.array_equal(same[key], before[key], equal_nan=True) for key in before)


def test_cases_learn_on_where_it_is_said() -> None:
    found = cases([CARTPOLE[name] for name in ("length-2", "lesion-90")])
    names = [case.name for case in found]
    assert len(set(names)) == len(names) == 2 + 10
    assert "cartpole-length-2-local-then-none" in names
    assert "cartpole-lesion-90-gradients-then-local-chip" in names
    known = {(p.task.name, p.name) for p in PERTURBATIONS}
    for table in (RECOVERED, BOTH, ON_CHIP):
        assert {(task, name) for task, of in table.items() for name in of} <= known


def efficiency_row(seed: int, steps: int | None, greedy: float, at: float | None) -> EfficiencyRow:
    reached = None if at is None else 900
    return EfficiencyRow(
        *("cartpole-lif", "local", "spikes-only", seed, 1000, steps, 200, 500, 40.0, greedy),
        *(reached, at, 600.0, 9000.0, 700.0),
    )


def recovery_row(seed: int, learner: str, greedy: float, recovered: int | None) -> RecoveryRow:
    frozen = learner == "none"
    mean = None if frozen else 100.0
    steps = None if recovered is None else 10 * recovered
    return RecoveryRow(
        *("cartpole", "lesion-90", "loihi", "local", learner, seed, greedy, mean, mean),
        *(recovered, steps, 0 if frozen else 50, 0 if frozen else 800, 20),
    )


def test_tables_of_the_page_by_hand(tmp_path: Path) -> None:
    folder, page = tmp_path / "comparison", tmp_path / "page.md"
    rows = [efficiency_row(0, 300, 500.0, 490.0), efficiency_row(1, None, 400.0, None)]
    write_table(folder / "efficiency.csv", rows)
    assert read_table(folder / "efficiency.csv", EfficiencyRow) == rows
    recovery = [recovery_row(k, "none", 50.0 + k, None) for k in range(3)]
    recovery += [recovery_row(k, "local", 490.0, n) for k, n in enumerate((12, 14, None))]
    write_table(folder / "robustness.csv", recovery)
    assert read_table(folder / "robustness.csv", RecoveryRow) == recovery
    with pytest.raises(RunError, match="can't be read"):
        put_tables(page, tmp_path)
    marks = [
        f"<!-- {n}: begin -->\n<!-- {n}: end -->"
        for n in ("efficiency", "spikes", "robustness", "recovery")
    ]
    page.write_text("\n".join(marks))
    put_tables(page, tmp_path)
    text = page.read_text()
    assert (
        "| CartPole-v1 | LIF | spikes-only | 2 | -, never in 1 | 200 | 40.0 (500) | 1,000 "
        "| **450.0** (400.0) | 1 (1) | **490.0** (490.0), 1 seeds |"
    ) in text
    assert "| CartPole-v1 | LIF | spikes-only | 600 | 9,000 | 700 |" in text
    assert (
        "| CartPole-v1 | 90 % of the hidden neurons dead | chip | local rule | **51.0** (50.0) "
        "| local rule | 100.0 | 100.0 | 14 (140), never in 1 | **490.0** (490.0) |"
    ) in text


def test_quick_makes_all_tables_and_figures_in_one_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="torch is not installed: pip install 'neurorl[torch]'")
    monkeypatch.chdir(tmp_path)
    kept = ROOT / "docs" / "comparison.md"
    page = kept.read_bytes()
    arguments = ["--quick", "--tasks", "cartpole", "--episodes", "1", "--evaluation-episodes", "1"]
    main = load_script("comparison").main
    assert main(arguments) == 0
    out = tmp_path / "runs" / "comparison-quick"
    assert [list(tmp_path.iterdir()), list(out.parent.iterdir())] == [[out.parent], [out]]
    assert kept.read_bytes() == page != (out / "docs" / "comparison.md").read_bytes()
    folder = out / "results" / "comparison"
    found = {path.name for path in folder.glob("*.csv")}
    assert found >= {
        *("efficiency.csv", "cost.csv", "memory.csv"),
        *("robustness.csv", "recovery.csv", "gradients.csv"),
    }
    rows = read_table(folder / "robustness.csv", RecoveryRow)
    assert {(row.start, row.learner) for row in rows} == {
        (start, learner)
        for start in ("local", "gradients")
        for learner in ("none", "local", "gradients")
    }
    assert (out / "docs" / "comparison-robustness.png").read_bytes().startswith(b"\x89PNG")
    before = (folder / "robustness.csv").read_bytes()
    assert main([*arguments, "--only", "robustness"]) == 0  # all of it is there
    assert (folder / "robustness.csv").read_bytes() == before


def test_a_part_that_isnt_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert load_script("comparison").main(["--only", "speed"]) == 2
    assert "comparison: part: unknown name" in capsys.readouterr().err
