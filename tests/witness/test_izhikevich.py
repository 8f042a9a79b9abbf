"""Compare dopamine-modulated STDP as Brian2's users write it with the rule, on equal spikes.

The equations are those of Izhikevich 2007 (doi 10.1093/cercor/bhl152) with the constants of
Brian2's example of that paper, in Brian2's own language; here without that example's bounds of c.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from witnesses import WINDOW, learner_of, observe, relative, rounding_bound

from neurorl.rules.three_factor import apply_modulator, arrivals, eligibility, trace

Array = npt.NDArray[Any]
Measured = Callable[[str, str, float, float], None]

N_PRE, N_POST, STEPS = 12, 10, 300
TAU_PRE, TAU_POST, TAU_C, TAU_D, TAU_S = 20.0, 20.0, 1000.0, 200.0, 1.0
RATIO, DOSE = 1.05, 5e-3
WITNESS = "Brian2, equations of Izhikevich 2007"

pytestmark = pytest.mark.witness("brian2")

EQUATIONS = """
dc/dt = -c / tau_c : 1 (clock-driven)
dd/dt = -d / tau_d : 1 (clock-driven)
{ds}
dx/dt = -x / tau_pre : 1 (event-driven)
dy/dt = -y / tau_post : 1 (event-driven)
"""


@dataclass(frozen=True)
class Trial:
    """Draw rasters of 1 ms a step; a presynaptic spike arrives *delay* steps later."""

    pre: Array
    post: Array
    doses: Array
    delay: int


def random_trial(seed: int) -> Trial:
    rng = np.random.default_rng(seed)
    return Trial(
        pre=rng.random((STEPS, N_PRE)) < rng.uniform(0.02, 0.2),
        post=rng.random((STEPS, N_POST)) < rng.uniform(0.02, 0.2),
        doses=rng.random((STEPS, 1)) < 0.03,
        delay=int(rng.integers(1, 6)),
    )


PUBLISHED = [("pre", "x += 1; c -= ratio * y"), ("post", "y += 1; c += x")]
"""Order what a spike does within a step: a pair of one step counts as pre before post."""

OURS = [("pre", "x += 1"), ("post", "y += 1"), ("pre", "c -= ratio * y"), ("post", "c += x")]
"""Order it as an agent learns: a pair of one step counts as both."""


def by_brian2(trial: Trial, method: str, paths: list[tuple[str, str]]) -> dict[str, Array]:
    """Return ``c``, ``d`` and ``s`` after each step, ``(steps, n_pre, n_post)``.

    method: 'euler' for all of the equations, or 'exact' for those of c and d, and s, whose equation
    isn't linear, by a line of its own.
    """
    from neurorl.backends.brian2.vendor import brian2, exact_preferences

    ms = brian2.ms
    taus = {"tau_c": TAU_C, "tau_d": TAU_D, "tau_s": TAU_S, "tau_pre": TAU_PRE}
    taus["tau_post"] = TAU_POST
    names = {name: value * ms for name, value in taus.items()} | {"ratio": RATIO, "dose": DOSE}
    with exact_preferences("numpy"):
        clock = brian2.Clock(1 * ms)
        own: dict[str, Any] = {"clock": clock, "namespace": names}

        def spikes(raster: Array) -> Any:
            steps, cells = raster.nonzero()
            return brian2.SpikeGeneratorGroup(raster.shape[1], cells, steps * ms, clock=clock)

        before, after, dopamine = (spikes(r) for r in (trial.pre, trial.post, trial.doses))
        named = {f"{side}_{k}": (side, code) for k, (side, code) in enumerate(paths)}
        synapses = brian2.Synapses(
            before,
            after,
            EQUATIONS.format(
                ds="ds/dt = c*d/tau_s : 1 (clock-driven)" if method == "euler" else "s : 1"
            ),
            on_pre={name: code for name, (side, code) in named.items() if side == "pre"},
            on_post={name: code for name, (side, code) in named.items() if side == "post"},
            method=method,
            **own,
        )
        synapses.connect()
        for order, (name, (side, _)) in enumerate(named.items()):
            path = getattr(synapses, name)
            path.order = order
            path.delay = (trial.delay if side == "pre" else 0) * ms
        objects = [before, after, dopamine, synapses]
        if method == "exact":
            objects.append(synapses.run_regularly("s += c*d*dt/tau_s", when="start"))
        reward = brian2.Synapses(dopamine, synapses, on_pre="d_post += dose", **own)
        reward.connect()
        seen = brian2.StateMonitor(synapses, ["c", "d", "s"], record=True, when="end", clock=clock)
        brian2.Network(*objects, reward, seen).run(STEPS * ms)
        found = {}
        for name in ("c", "d", "s"):
            found[name] = np.full((STEPS, N_PRE, N_POST), np.nan)
            found[name][:, synapses.i, synapses.j] = np.asarray(getattr(seen, name)).T
    return found


def by_the_rule(trial: Trial, method: str) -> dict[str, Array]:
    """Compute the published order by the functions of `neurorl.rules.three_factor`."""

    def keep(tau: float, is_euler: bool = method == "euler") -> float:
        return 1 - 1 / tau if is_euler else float(np.exp(-1 / tau))

    keep_x, keep_y = keep(TAU_PRE, False), keep(TAU_POST, False)  # event-driven, so always exact
    x, y, d = np.zeros(N_PRE), np.zeros(N_POST), np.zeros(1)
    c, s = np.zeros((N_PRE, N_POST)), np.zeros((N_PRE, N_POST))
    seen: dict[str, list[Array]] = {"c": [], "d": [], "s": []}
    arrived = arrivals(trial.pre, trial.delay)
    for came, spiked, doses in zip(arrived, trial.post, trial.doses, strict=True):
        s = apply_modulator(s, c, float(d[0]), 1 / TAU_S, -np.inf, np.inf)
        d = trace(d, DOSE * doses, keep(TAU_D))
        x = trace(x, came, keep_x)
        c = eligibility(c, came, -RATIO * keep_y * y, keep(TAU_C))
        c = eligibility(c, x, spiked, 1.0)
        y = trace(y, spiked, keep_y)
        for name, value in (("c", c), ("d", np.full_like(c, d[0])), ("s", s)):
            seen[name].append(value)
    return {name: np.stack(values) for name, values in seen.items()}


@pytest.mark.parametrize("method", ["euler", "exact"])
def test_the_rule_equals_native_equations(method: str, measured: Measured) -> None:
    """Compare 6 trials of 12 x 10 synapses, so 132 random trains, for 300 ms."""
    trials = [random_trial(seed) for seed in range(6)]
    worst = {"c": 0.0, "d": 0.0, "s": 0.0}
    for trial in trials:
        theirs, ours = by_brian2(trial, method, PUBLISHED), by_the_rule(trial, method)
        for name in worst:
            assert np.ptp(theirs[name]) > 0
            worst[name] = max(worst[name], relative(ours[name], theirs[name]))
    for name, what in (("c", "eligibility"), ("d", "dopamine"), ("s", "weight")):
        measured(WITNESS, f"functions of the rule, method {method!r}: {what}", worst[name], 1e-9)


@pytest.mark.parametrize("grid", [2.0**20, 2.0**40], ids=["2^-20", "2^-40"])
def test_an_agent_that_learns_equals_native_equations(
    grid: float, measured: Measured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each window's end only the grid of `neurorl.numerics.elementary.on_grid` is left."""
    monkeypatch.setattr("neurorl.numerics.elementary._GRID", grid)
    times = {"tau_plus": TAU_PRE, "tau_minus": TAU_POST, "depression": RATIO}
    worst = limit = 0.0
    for seed in range(100, 103):
        trial = random_trial(seed)
        theirs = by_brian2(trial, "exact", OURS)["c"][WINDOW - 1 :: WINDOW]
        learner, memory = learner_of(N_PRE, N_POST, tau_c=TAU_C, delay=trial.delay, **times)
        ours = []
        for start in range(0, STEPS, WINDOW):
            window = slice(start, start + WINDOW)
            observe(learner, trial.pre[window], trial.post[window])
            ours.append(memory.eligibility["learned"].copy())
        bound = rounding_bound(trial.pre, trial.post, delay=trial.delay, grid=grid, **times)
        assert np.all(np.abs(ours - theirs) <= bound + 1e-12)
        worst = max(worst, relative(np.stack(ours), theirs))
        limit = max(limit, relative(theirs + bound, theirs))
    label = f"agent, traces in steps of 2^-{int(np.log2(grid))}: eligibility"
    measured(WITNESS, label, worst, limit)
