"""Compare NEST's stdp_dopamine_synapse with the rule, on the same spikes.

NEST integrates between spikes: ``dc/dt = -c/tau_c``, ``dn/dt = -n/tau_n``, ``dw/dt = c (n - b)``.
Over a step in which both decay that is ``dw = c (k_n n - k_b b)``, the modulator of a step, with
k_n = (1 - exp(-dt/tau)) tau, 1/tau = 1/tau_c + 1/tau_n, and k_b = (1 - exp(-dt/tau_c)) tau_c.

A delay of NEST is dendritic: the postsynaptic spike comes to the synapse *delay* later, the
presynaptic one at once. Ours is on the axon. Only the difference of both times counts, so
presynaptic spikes of NEST leave our delay plus NEST's later. What NEST shows at a time has the
postsynaptic spikes of that time, not yet the presynaptic ones, which come at the start of the next.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from witnesses import WINDOW, learner_of, observe, relative, rounding_bound

from neurorl.rules.three_factor import apply_modulator, arrivals, eligibility, trace

Array = npt.NDArray[Any]
Measured = Callable[[str, str, float, float], None]

RUNNER = Path(__file__).with_name("nest_run.py")
N_PRE, N_POST, STEPS = 12, 10, 300
LEAST = 3  # steps that a spike needs in NEST before it can be where it is wanted

pytestmark = pytest.mark.witness("nest")


@dataclass(frozen=True)
class Trial:
    """Draw rasters of our steps and the parameters; times in ms, a step is 1 ms.

    delay: ours, of the projection. nest_delay: of NEST's synapse. dopamine: spikes in each step.
    """

    pre: Array
    post: Array
    dopamine: Array
    delay: int
    nest_delay: int
    tau_minus: float
    weight: float
    synapse: dict[str, float]

    @property
    def first(self) -> int:
        """Return NEST's time, in ms, of our step 0."""
        return LEAST + self.nest_delay

    def for_nest(self) -> tuple[dict[str, Any], list[Array]]:
        duration = self.first + len(self.pre)
        settings = {
            "delay": float(self.nest_delay),
            "duration": duration,
            "weight": self.weight,
            "tau_minus": self.tau_minus,
            "synapse": self.synapse,
        }
        late = [self.first + self.delay, self.first - self.nest_delay, self.first - 1]
        rasters = [self.pre, self.post, self.dopamine[:, None]]
        return settings, [_moved(r, k - 1, duration) for r, k in zip(rasters, late, strict=True)]


def _moved(raster: Array, late: int, length: int) -> Array:
    """Return *raster* *late* steps later, of another length."""
    moved = np.zeros((length, raster.shape[1]), dtype=np.int64)
    moved[late : late + len(raster)] = raster[: length - late]
    return moved


def run_nest(trials: list[Trial], folder: Path) -> list[dict[str, Array]]:
    """Return ``c``, ``n`` and ``weight`` of each trial at our steps, ``(steps, n_pre, n_post)``."""
    given: dict[str, Any] = {}
    settings = []
    for k, trial in enumerate(trials):
        one, rasters = trial.for_nest()
        settings.append(one)
        named = zip(("pre", "post", "dopamine"), rasters, strict=True)
        given |= {f"{name}_{k}": raster for name, raster in named}
    np.savez(folder / "in.npz", trials=json.dumps(settings), **given)
    command = [sys.executable, str(RUNNER), str(folder / "in.npz"), str(folder / "out.npz")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    out = np.load(folder / "out.npz")
    return [
        {name: out[f"{name}_{k}"][trial.first - 1 :][:STEPS] for name in ("c", "n", "weight")}
        for k, trial in enumerate(trials)
    ]


def random_trial(seed: int) -> Trial:
    """Draw trains, rates, time constants and delays; bounds are reached in every third."""
    rng = np.random.default_rng(seed)
    bounded = seed % 3 == 0
    synapse = {
        "A_plus": rng.uniform(0.1, 2.0),
        "A_minus": rng.uniform(0.1, 2.0),
        "tau_plus": rng.uniform(5, 40),
        "tau_c": rng.uniform(50, 1000),
        "tau_n": rng.uniform(20, 200),
        "b": 0.0 if bounded else rng.uniform(0.0, 0.02),
        "Wmin": 1.5 if bounded else -1e6,
        "Wmax": 2.5 if bounded else 1e6,
    }
    return Trial(
        pre=rng.random((STEPS, N_PRE)) < rng.uniform(0.01, 0.2),
        post=rng.random((STEPS, N_POST)) < rng.uniform(0.01, 0.2),
        dopamine=rng.poisson(0.03, STEPS),
        delay=int(rng.integers(1, 6)),
        nest_delay=int(rng.integers(1, 6)),
        tau_minus=rng.uniform(5, 40),
        weight=2.0,
        synapse=synapse,
    )


def by_the_rule(trial: Trial) -> dict[str, Array]:
    """Compute them by `neurorl.rules.three_factor`; pairs of the same step don't count."""
    s = trial.synapse
    keep_x, keep_y, keep_c, keep_n = (
        np.exp(-1 / tau) for tau in (s["tau_plus"], trial.tau_minus, s["tau_c"], s["tau_n"])
    )
    rate = 1 / s["tau_c"] + 1 / s["tau_n"]
    of_n, of_b = -np.expm1(-rate) / rate, -np.expm1(-1 / s["tau_c"]) * s["tau_c"]
    arrived = arrivals(trial.pre, trial.delay)
    x, y, n = np.zeros(N_PRE), np.zeros(N_POST), np.zeros(1)
    e, w = np.zeros((N_PRE, N_POST)), np.full((N_PRE, N_POST), trial.weight)
    seen: dict[str, list[Array]] = {"c": [], "n": [], "weight": []}
    for came, spiked, doses in zip(arrived, trial.post, trial.dopamine, strict=True):
        modulator = float(of_n * n[0] - of_b * s["b"])
        w = apply_modulator(w, e, modulator, 1.0, s["Wmin"], s["Wmax"])
        n = trace(n, np.array([doses / s["tau_n"]]), keep_n)
        e = eligibility(e, keep_x * x, s["A_plus"] * spiked, keep_c)
        for name, value in (("c", e), ("n", np.full_like(e, n[0])), ("weight", w)):
            seen[name].append(value)
        e = eligibility(e, came, -s["A_minus"] * keep_y * y, 1.0)
        x, y = trace(x, came, keep_x), trace(y, spiked, keep_y)
    return {name: np.stack(values) for name, values in seen.items()}


def test_the_rule_equals_nest(tmp_path: Path, measured: Measured) -> None:
    """Compare 12 trials of 12 x 10 synapses, so 264 random trains, for 300 ms."""
    trials = [random_trial(seed) for seed in range(12)]
    theirs = run_nest(trials, tmp_path)
    ours = [by_the_rule(trial) for trial in trials]
    assert len({trial.delay - trial.nest_delay for trial in trials}) > 4
    for name, what in (("c", "eligibility"), ("n", "dopamine"), ("weight", "weight")):
        pairs = [(o[name], t[name]) for o, t in zip(ours, theirs, strict=True)]
        assert all(np.ptp(t) > 0 for _, t in pairs)
        worst = max(relative(o, t) for o, t in pairs)
        measured("NEST stdp_dopamine_synapse", f"functions of the rule: {what}", worst, 1e-6)
    bounded = [
        t["weight"] for t, trial in zip(theirs, trials, strict=True) if trial.synapse["b"] == 0
    ]
    assert all((w == 2.5).any() and (w == 1.5).any() for w in bounded)


def phasic_trial(seed: int) -> Trial:
    """Dopamine is gone within a step, at ends of windows; no two spikes meet in a step."""
    rng = np.random.default_rng(seed)
    trial = random_trial(seed)
    step = np.arange(STEPS)
    came = (step % 2 == 0)[:, None] & (rng.random((STEPS, N_PRE)) < 0.2)
    pre = np.zeros_like(came)
    pre[: STEPS - trial.delay] = came[trial.delay :]
    ends = (step + 1) % WINDOW == 0
    return replace(
        trial,
        pre=pre,
        post=(step % 2 == 1)[:, None] & (rng.random((STEPS, N_POST)) < 0.2),
        dopamine=np.where(ends, rng.poisson(0.5, STEPS), 0),
        synapse=trial.synapse | {"A_plus": 1.0, "tau_n": 0.01, "b": 0.0},
    )


def by_an_agent(trial: Trial) -> dict[str, Array]:
    """Return eligibility at each window's end, and the weights that come of it."""
    s = trial.synapse
    learner, memory = learner_of(
        N_PRE,
        N_POST,
        tau_plus=s["tau_plus"],
        tau_minus=trial.tau_minus,
        tau_c=s["tau_c"],
        depression=s["A_minus"],
        delay=trial.delay,
        weight=trial.weight,
        low=s["Wmin"],
        high=s["Wmax"],
    )
    rate = 1 / s["tau_c"] + 1 / s["tau_n"]
    of_dose = -np.expm1(-rate) / rate / s["tau_n"]
    seen: dict[str, list[Array]] = {"c": [], "weight": []}
    for start in range(0, STEPS, WINDOW):
        window = slice(start, start + WINDOW)
        observe(learner, trial.pre[window], trial.post[window])
        learner.learn(of_dose * trial.dopamine[window][-1], 1.0)
        seen["c"].append(memory.eligibility["learned"].copy())
        seen["weight"].append(memory.weights["learned"].copy())
    return {name: np.stack(values) for name, values in seen.items()}


@pytest.fixture(scope="module")
def phasic(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Trial], list[dict[str, Array]]]:
    """Return trials, and what NEST makes of them at the windows' ends."""
    trials = [phasic_trial(seed) for seed in range(100, 106)]
    found = run_nest(trials, tmp_path_factory.mktemp("nest"))
    ends = np.arange(WINDOW - 1, STEPS - WINDOW, WINDOW)
    # A dose acts in the step after it.
    return trials, [{"c": f["c"][ends], "weight": f["weight"][ends + 1]} for f in found]


def rounding_bounds(trial: Trial, grid: float) -> dict[str, Array]:
    """Bound how far `by_an_agent` may be from exact."""
    s = trial.synapse
    c = rounding_bound(
        trial.pre,
        trial.post,
        delay=trial.delay,
        tau_plus=s["tau_plus"],
        tau_minus=trial.tau_minus,
        depression=s["A_minus"],
        grid=grid,
    )
    doses = trial.dopamine[WINDOW - 1 :: WINDOW][:, None, None]
    return {"c": c, "weight": np.cumsum(doses * c, axis=0)}  # a dose changes w by less than c


@pytest.mark.parametrize("grid", [2.0**20, 2.0**40], ids=["2^-20", "2^-40"])
def test_an_agent_that_learns_equals_nest(
    grid: float,
    phasic: tuple[list[Trial], list[dict[str, Array]]],
    measured: Measured,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is left is the grid of `neurorl.numerics.elementary`; on a finer one it is less."""
    monkeypatch.setattr("neurorl.numerics.elementary._GRID", grid)
    trials, theirs = phasic
    ours = [by_an_agent(trial) for trial in trials]
    bounds = [rounding_bounds(trial, grid) for trial in trials]
    for name, what in (("c", "eligibility"), ("weight", "weight")):
        worst = limit = 0.0
        for o, t, bound in zip(ours, theirs, bounds, strict=True):
            n = len(t[name])
            assert np.all(np.abs(o[name][:n] - t[name]) <= bound[name][:n] + 1e-12)
            worst = max(worst, relative(o[name][:n], t[name]))
            limit = max(limit, relative(t[name] + bound[name][:n], t[name]))
        label = f"agent, traces in steps of 2^-{int(np.log2(grid))}: {what}"
        measured("NEST stdp_dopamine_synapse", label, worst, limit)


def test_spikes_that_meet_in_a_step_count_with_us_and_not_in_nest(tmp_path: Path) -> None:
    """An arrival and a spike in one step give x s - A a y = 1 - A; NEST leaves both out."""
    trial = phasic_trial(100)
    pre, post = np.zeros_like(trial.pre), np.zeros_like(trial.post)
    pre[14, 3], post[14 + trial.delay, 5] = True, True
    trial = replace(trial, pre=pre, post=post)
    assert not run_nest([trial], tmp_path)[0]["c"].any()
    found = by_an_agent(trial)["c"]
    end = (14 + trial.delay) // WINDOW
    left = np.exp(-((WINDOW - 1) - (14 + trial.delay) % WINDOW) / trial.synapse["tau_c"])
    assert found[end, 3, 5] == pytest.approx((1 - trial.synapse["A_minus"]) * left, abs=1e-5)
    assert np.count_nonzero(found[end]) == 1
