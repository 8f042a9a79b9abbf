"""Test diagnostics: hand-made spikes and weights, provoked and healthy runs, the command line."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from configs import config_of

from neurorl import Network, Plasticity, Population, Projection, Source, SpikingActorCritic
from neurorl.cli import main
from neurorl.diagnostics.monitor import Monitor, Site
from neurorl.diagnostics.verdicts import RecentFigures, message, standing, verdicts
from neurorl.errors import PopulationWarning
from neurorl.models import LIF, CubaLIF, Synapses
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.policies import Greedy, Policy, Softmax
from neurorl.models.defaults.presets import make_config
from neurorl.models.features import OneHot
from neurorl.runs.training import train, train_seeds
from neurorl.tasks.environments import make_env

SILENT: dict[str, Any] = {"neuron": CubaLIF(1.44e-3, 4.48e-3, threshold=50.0, noise=0.5)}
SATURATED: dict[str, Any] = {"neuron": CubaLIF(1.44e-3, 4.48e-3, 0.5, bias=5.0, noise=0.5)}
# At twice the preset's beta, so that the agent soon takes but one action.
TOO_FAST: dict[str, Any] = {
    "alpha_output": 3.6,
    "alpha_hidden": 24.0,
    "policy.beta": 0.3,
    "critic.alpha": 0.05,
}
DRIFTING: dict[str, Any] = {"rule": "agreement", "modulator": "reward", "critic.alpha": 0.0}
GRID, CART, CAR = "neurorl/GridWorld-v0", "CartPole-v1", "MountainCar-v0"


@dataclass
class Past:
    episode: int
    discounted: float


HEALTHY = RecentFigures(
    rate=0.3,
    mean_abs=0.1,
    at_bounds=0.1,
    start=0.1,
    bound=1.0,
    top=0.9,
    episodes=200,
    better=False,
    surely_no_better=True,
)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {}),
        ({"rate": 0.001}, {}),
        ({"rate": 0.0009}, {"silent": (0.0009, 0.001)}),
        ({"rate": 0.9}, {}),
        ({"rate": 0.91}, {"saturated": (0.91, 0.9)}),
        ({"rate": 0.47, "ceiling": 0.5}, {"saturated": (0.94, 0.9)}),
        ({"rate": 0.6, "ceiling": 0.5}, {"saturated": (1.0, 0.9)}),
        ({"at_bounds": 0.5}, {}),
        ({"at_bounds": 0.51}, {"clipped": (0.51, 0.5)}),
        ({"at_bounds": None, "mean_abs": None}, {}),
        ({"mean_abs": 0.16}, {}),
        ({"mean_abs": 0.18}, {"drifting": (0.18, 0.17)}),
        ({"mean_abs": 0.18, "bound": 2.0}, {}),
        ({"mean_abs": 0.18, "surely_no_better": False}, {}),
        ({"mean_abs": 0.18, "episodes": 99}, {}),
        ({"top": 0.98}, {}),
        ({"top": 0.99}, {"stuck": (0.99, 0.98)}),
        ({"top": 0.99, "better": True}, {}),
        ({"top": 0.99, "episodes": 39}, {}),
        ({"top": None}, {}),
        ({"rate": 0.0, "top": 1.0}, {"silent": (0.0, 0.001), "stuck": (1.0, 0.98)}),
    ],
)
def test_verdicts(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    fields = {name: getattr(HEALTHY, name) for name in HEALTHY.__slots__}
    found = verdicts(RecentFigures(**{**fields, **changes}))
    assert list(found) == list(expected)
    for kind, numbers in expected.items():
        assert found[kind] == pytest.approx(numbers)


def past(*returns: float) -> list[Past]:
    return [Past(k, ret) for k, ret in enumerate(returns)]


def test_better_compares_the_last_twenty_with_the_first() -> None:
    assert not standing(past(*[1.0] * 60)).better
    assert standing(past(*[1.0] * 40, *[1.1] * 20)).better
    assert not standing(past(*[1.0] * 20, 9.0, *[1.0] * 20)).better
    assert not standing(past(*map(float, range(60, 0, -1)))).better
    # Means 10 and 10.6, variances 1 and 1: the standard error is sqrt(2 / 20) = 0.316.
    assert not standing(past(*[9.0, 11.0] * 10, *[9.6, 11.6] * 10)).better
    assert standing(past(*[9.0, 11.0] * 10, *[9.7, 11.7] * 10)).better


def test_surely_no_better_is_said_only_where_noise_can_not_hide_it() -> None:
    assert standing(past(*[1.0] * 60)).surely_no_better
    assert not standing(past(*[1.0] * 40, *[1.2] * 20)).surely_no_better
    # Variances 1 and 1: three times the standard error of the difference is 0.95.
    assert standing(past(*[9.0, 11.0] * 20)).surely_no_better
    assert not standing(past(*[9.0, 11.0] * 10, *[9.1, 11.1] * 10)).surely_no_better
    assert not standing(past(*[0.0, 2.0] * 20)).surely_no_better
    assert not standing(past(*[0.0, 2.0] * 10, *[-0.8, 1.2] * 10)).surely_no_better
    assert standing(past(*[0.0, 2.0] * 10, *[-0.9, 1.1] * 10)).surely_no_better


def network(**plasticity: float) -> Network:
    """Connect input (2) -> hidden (3) -> output (2), and hidden -> aside (1), a dead end."""
    rule = Plasticity(**plasticity)
    mask = np.array([[True, False, True], [True, True, False]])
    return Network(
        (
            Source("input", 2),
            Population("hidden", 3, LIF(noise=0.1, refractory=1e-3)),
            Population("output", 2, LIF(noise=0.1)),
            Population("aside", 1, LIF(noise=0.1)),
        ),
        (
            Projection("first", "input", "hidden", 0.1, mask=mask, plasticity=rule),
            Projection("second", "hidden", "output", 0.1, plasticity=rule),
            Projection("third", "hidden", "aside", 0.1),
        ),
    )


def config(description: Network, **fields: Any) -> AgentConfig:
    given = {"cells": OneHot(2), "features": OneHot(2), "window": 5, "rule": "reward-stdp"}
    return config_of(neuron=LIF(), description=description, **{**given, **fields})


def sites(**plasticity: float) -> dict[str, Site]:
    net = network(**plasticity)
    return {p.name: Site(net, p, config(net), replica=1) for p in net.populations}


def test_spikes_are_counted_of_the_own_replica_from_the_step_that_input_reaches() -> None:
    found = sites()
    hidden = np.zeros((5, 6), dtype=bool)
    hidden[0, 3:] = True  # before any input
    hidden[:, :3] = True  # the other replica's
    hidden[1, 3] = hidden[4, 5] = True
    output = np.zeros((5, 4), dtype=bool)
    output[:, 2:] = True
    rasters = {"hidden": hidden, "output": output, "aside": output[:, 2:]}
    assert [site.count(rasters) for site in found.values()] == [2, 6, 3]
    assert [site.chances for site in found.values()] == [12, 6, 3]
    assert [site.ceiling for site in found.values()] == [0.5, 1.0, 1.0]
    assert [site.acts for site in found.values()] == [True, True, False]
    net = network()
    carried = Site(net, net.populations[1], config(net, carries=True), 1)
    assert (carried.count(rasters), carried.chances) == (10, 10)


def test_weights_without_a_synapse_or_at_a_bound_of_0_do_not_count() -> None:
    first = np.array([[1.0, 1.0, -0.985], [-0.5, 0.0, 1.0]])
    weights = {"first": first, "second": np.zeros((3, 2))}
    both = sites(low=-1.0, high=1.0)
    assert both["hidden"].mean_abs(weights) == pytest.approx((1.0 + 0.985 + 0.5 + 0.0) / 4)
    assert both["hidden"].at_bounds(weights) == 0.5
    assert both["output"].at_bounds(weights) == 0.0
    assert (both["aside"].mean_abs(weights), both["aside"].at_bounds(weights)) == (None, None)
    positive = sites(low=0.0, high=1.0)
    assert positive["hidden"].at_bounds(weights) == 0.25
    assert positive["output"].at_bounds(weights) == 0.0


def monitor(weights: dict[str, Any]) -> Monitor:
    net = network(low=-1.0, high=1.0)
    return Monitor(net, config(net, reward_scale=1.0), 7, 0, lambda: weights, first_action=1)


def play(m: Monitor, first: int, last: int, played: list[Past], p: float = 0.5) -> list[str]:
    """Return episodes *first* to *last* (excluded) with spikes in hidden and output, none aside."""
    rng = np.random.default_rng(first)
    found = []
    for k in range(first, last):
        rasters = {name: rng.random((5, n)) < 0.4 for name, n in (("hidden", 3), ("output", 2))}
        rasters["aside"] = np.zeros((5, 1), dtype=bool)
        played.append(Past(k, 1.0))
        found += m.look(rasters, np.array([1 - p, p]), played)
    return found


def fresh() -> dict[str, Any]:
    return {"first": np.full((2, 3), 0.1), "second": np.full((3, 2), 0.1)}


def test_a_monitor_warns_once_of_each_kind_and_names_the_population() -> None:
    weights, played = fresh(), past()
    m = monitor(weights)
    assert play(m, 0, 19, played) == []
    assert {row["verdict"] for row in m.table(played)["populations"]} == {"too early"}
    (silent,) = play(m, 19, 30, played)
    assert "population 'aside' of seed 7: silent since episode 19 (got a spike in 0 %" in silent
    assert "threshold (now 1)" in silent
    (stuck,) = play(m, 30, 60, played, p=0.999)
    assert "population 'output' of seed 7: stuck since episode 59, always action 2" in stuck
    assert "alpha_output (now 0.1) or policy.beta (now 0.3)" in stuck
    weights["second"][:] = -0.5
    (drifting,) = play(m, 60, 110, played)
    assert "population 'output' of seed 7: drifting since episode 99" in drifting
    assert "got mean |w| 0.5, limit 0.17" in drifting
    weights["first"][:] = 1.0
    clipped = play(m, 110, 120, played)
    assert [line.split(" since")[0] for line in clipped] == [
        "population 'hidden' of seed 7: clipped",
        "population 'hidden' of seed 7: drifting",
    ]
    kinds = [(w["population"], w["kind"], w["since_episode"]) for w in m.warnings()]
    assert kinds == [
        ("aside", "silent", 19),
        ("output", "stuck", 59),
        ("output", "drifting", 99),
        ("hidden", "clipped", 119),
        ("hidden", "drifting", 119),
    ]
    table = m.table(played)
    assert json.loads(json.dumps(table)) == table
    assert [row["verdict"] for row in table["populations"]] == [
        "clipped, drifting",
        "drifting",
        "silent",
    ]
    assert table["policy_entropy"] == 1.0
    assert table["populations"][2]["mean_abs_weight"] is None


@pytest.mark.parametrize(("others", "stuck"), [(0, True), (1, True), (5, False)])
def test_what_ends_every_episode_is_not_a_stuck_policy(others: int, stuck: bool) -> None:
    """The policy of the last decision says little of an episode's other ones."""
    net, played = network(), past()
    m = Monitor(net, config(net), 7, 0, fresh)
    found: list[str] = []
    rasters = {n: np.ones((5, k), dtype=bool) for n, k in (("hidden", 3), ("output", 2))}
    rasters["aside"] = np.ones((5, 1), dtype=bool)
    for k in range(60):
        played.append(Past(k, 1.0))
        taken = [0] * others + [1] * (12 - others)
        found += m.look(rasters, np.array([0.001, 0.999]), played, taken)
    assert any("output" in line and "stuck" in line for line in found) == stuck
    share = m.table(played)["policy"][1]
    assert share == pytest.approx(0.999 if stuck else 7 / 12)


@pytest.mark.parametrize(("policy", "stuck"), [(Softmax(0.3, 0.1), True), (Greedy(), False)])
def test_what_exploration_adds_does_not_hide_a_stuck_policy(policy: Policy, stuck: bool) -> None:
    net = network()
    m = Monitor(net, config(net, policy=policy), 7, 0, fresh)
    found = play(m, 0, 40, past(), p=0.9 * 0.999 + 0.05)
    assert any("output" in line and "stuck" in line for line in found) == stuck


def test_a_clipped_critic_is_told_of_its_scale() -> None:
    population = Population("critic", 2, LIF())
    agent = make_config(make_env(CART), "lif-spiking-critic")
    found = {"kind": "clipped", "since_episode": 39, "value": 0.6, "limit": 0.5}
    line = message(population, agent, 5, found, from_start=False, action=0)
    assert line == (
        "population 'critic' of seed 5: clipped since episode 39 (got 60 % of the weights at their "
        "bounds, limit 50 %); raise critic.scale (now 6)"
    )


def test_a_restored_monitor_goes_on_as_the_one_it_was() -> None:
    for when in (0, 10, 25, 45, 60):
        before = past()
        m = monitor(fresh())
        play(m, 0, when, before, p=0.999)
        state = m.state()
        weights = {"first": np.ones((2, 3)), "second": np.ones((3, 2))}
        restored = monitor(weights)
        weights.update(fresh())
        restored.restore(state)
        whole, played = monitor(fresh()), past()
        play(whole, 0, when, played, p=0.999)
        assert play(restored, when, 80, before, p=0.999) == play(whole, when, 80, played, p=0.999)
        assert restored.warnings() == whole.warnings()
        for key, value in whole.state().items():
            assert np.array_equal(restored.state()[key], value), key
    restored.restore({})
    assert restored.warnings() == []
    with pytest.raises(ValueError, match="another shape"):
        restored.restore({**state, "since": np.zeros((9, 5), dtype=np.int64)})


def warned(episodes: int, env: str = CART, **options: Any) -> tuple[SpikingActorCritic, set[Any]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", PopulationWarning)
        agent = SpikingActorCritic(env, seed=100, **options)
        agent.learn(total_episodes=episodes)
    mine = [w for w in caught if issubclass(w.category, PopulationWarning)]
    assert [str(w.message) for w in mine] == [w["message"] for w in agent.diagnostics["warnings"]]
    assert {w.filename for w in mine} <= {__file__}
    return agent, {(w["population"], w["kind"]) for w in agent.diagnostics["warnings"]}


@pytest.mark.parametrize("arithmetic", ["float", "loihi"])
@pytest.mark.parametrize(("overrides", "kind"), [(SILENT, "silent"), (SATURATED, "saturated")])
def test_silent_and_saturated_runs(overrides: dict[str, Any], kind: str, arithmetic: str) -> None:
    agent, found = warned(20, arithmetic=arithmetic, **overrides)
    assert found == {("hidden", kind), ("output", kind)}
    rates = [row["rate"] or 0.0 for row in agent.diagnostics["populations"]]
    assert all((rate > 0.99) if kind == "saturated" else (rate == 0.0) for rate in rates)


@pytest.mark.parametrize(("backend", "arithmetic"), [("reference", "loihi"), ("native", "float")])
def test_rates_ten_times_too_high_end_in_one_action(backend: str, arithmetic: str) -> None:
    agent, found = warned(120, backend=backend, arithmetic=arithmetic, **TOO_FAST)
    assert ("output", "stuck") in found
    entropy = agent.diagnostics["policy_entropy"]
    assert entropy is not None
    assert entropy < 0.1


def test_an_uncentred_rule_without_a_mean_drifts() -> None:
    _, found = warned(100, **DRIFTING)
    assert found == {("output", "stuck"), ("output", "drifting")}


@pytest.mark.parametrize(
    ("env", "model", "arithmetic"),
    [
        (GRID, "lif", "float"),
        (GRID, "glm", "float"),
        (CART, "lif", "float"),
        (CART, "lif", "loihi"),
        (CART, "lif-spiking-critic", "float"),
        (CAR, "glm", "float"),
    ],
)
def test_presets_are_healthy(env: str, model: str, arithmetic: str) -> None:
    agent, found = warned(40, env, model=model, arithmetic=arithmetic, backend="native")
    assert found == set()
    assert {row["verdict"] for row in agent.diagnostics["populations"]} == {"healthy"}


def test_seeds_side_by_side_have_the_diagnostics_of_each_alone(tmp_path: Path) -> None:
    runs: list[tuple[int | None, Path]] = [(seed, tmp_path / f"s{seed}") for seed in (100, 101)]
    with pytest.warns(PopulationWarning):
        rows = train_seeds(CART, runs, episodes=45, overrides=TOO_FAST)
    for row in rows:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PopulationWarning)
            path = tmp_path / f"alone{row['seed']}"
            alone = train(CART, path, seed=row["seed"], episodes=45, overrides=TOO_FAST)
        assert row["warnings"] == alone["warnings"]
        assert json.loads(Path(row["run"], "summary.json").read_text()) == row
    assert all(f"of seed {row['seed']}:" in w["message"] for row in rows for w in row["warnings"])


@pytest.fixture
def begun(tmp_path: Path) -> Path:
    """The command line resumes a silent run that was too short for a verdict."""
    train(CART, tmp_path / "run", seed=3, episodes=5, overrides=SILENT)
    return tmp_path / "run"


def resume(run: Path, episodes: int, *options: str) -> list[str]:
    return ["train", CART, "--out", str(run), "--resume", "--episodes", str(episodes), *options]


def test_the_command_line_warns_on_stderr(begun: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(resume(begun, 30, "--json")) == 0
    seen = capsys.readouterr()
    lines = seen.err.splitlines()
    assert [line.split(" since")[0] for line in lines] == [
        "neurorl: warning: population 'hidden' of seed 3: silent",
        "neurorl: warning: population 'output' of seed 3: silent",
    ]
    summary = json.loads(seen.out)
    assert [set(w) for w in summary["warnings"]] == [
        {"population", "kind", "since_episode", "value", "limit", "message"}
    ] * 2
    assert [f"neurorl: warning: {w['message']}" for w in summary["warnings"]] == lines
    assert json.loads((begun / "summary.json").read_text()) == summary

    assert main(resume(begun, 40)) == 0  # not again
    seen = capsys.readouterr()
    assert seen.err == ""
    assert ["warnings", "2"] in [line.split() for line in seen.out.splitlines()]
    assert main(["show", str(begun)]) == 0
    shown = capsys.readouterr().out
    rows = [line.split() for line in shown.splitlines()]
    assert [row[-1] for row in rows if row[:1] in (["hidden"], ["output"])][-2:] == ["silent"] * 2
    assert all(w["message"] in shown for w in summary["warnings"])


def test_a_warning_is_a_line_of_its_own_above_the_bar(begun: Path) -> None:
    reader, writer = os.openpty()
    command = [sys.executable, "-m", "neurorl", *resume(begun, 40, "--json")]
    environment = {**os.environ, "COLUMNS": "80", "TERM": "xterm"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=writer, env=environment) as done:
        os.close(writer)
        shown = b"".join(iter(lambda: _read(reader), b""))
        os.close(reader)
        assert done.stdout is not None
        summary = json.loads(done.stdout.read())
    assert done.returncode == 0
    lines = shown.decode().replace("\r", "\n").split("\n")
    for warning in summary["warnings"]:
        ends = [line for line in lines if line.endswith(warning["message"])]
        assert len(ends) == 1
        assert "training" not in ends[0]
    assert any("training" in line and "40/40" in line for line in lines)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux's word for: closed at the other end
        return b""


def test_a_run_of_an_older_version_is_resumed_without_its_diagnostics(begun: Path) -> None:
    from neurorl.agents.checkpoint import read_checkpoint, write_checkpoint

    described, arrays = read_checkpoint(begun / "checkpoint.npz")
    older = {key: value for key, value in arrays.items() if not key.startswith("diagnostics.")}
    assert len(older) < len(arrays)
    write_checkpoint(begun / "checkpoint.npz", described, older)
    with pytest.warns(PopulationWarning, match="silent since episode 39"):
        summary = train(CART, begun, episodes=40, resume=True)
    assert [w["kind"] for w in summary["warnings"]] == ["silent", "silent"]


def test_a_list_without_synapses_is_no_trouble() -> None:
    agent = SpikingActorCritic("CartPole-v1", seed=1, hidden=0)
    nothing = Projection(
        "empty", "input", "output", 0.1, plasticity=Plasticity(), connect=Synapses((), ())
    )
    network = dataclasses.replace(agent.network, projections=(*agent.network.projections, nothing))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        agent = SpikingActorCritic("CartPole-v1", seed=1, description=network)
        agent.learn(total_steps=50)
    assert agent.diagnostics["populations"][0]["share_at_bounds"] == 0.0
