"""Find whose error separates our neurons with conductances from NEST's, by a reference solution.

    python tests/support/convergence.py

Prints the table of docs/neurons.md: how far spikes of ours and of NEST are from those of the same
equations solved with tight tolerances, at dt, dt/2, dt/4 and dt/8. Inputs arrive at the same times
at every dt, as a multiple of 0.1 ms.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from conductances import DRIVES, NEURONS, nest_of
from scipy.integrate import solve_ivp  # type: ignore[import-untyped]

from neurorl import load
from neurorl.models import Equations

Array = npt.NDArray[Any]
STEPS = (1e-4, 5e-5, 2.5e-5, 1.25e-5)
"""List the steps, in seconds, each half of the one before."""

SECONDS, CELLS = 0.15, 4
QUIET: dict[str, dict[str, float]] = {
    "aeif": {"bias": -400.0},
    "coba": {"VT": 1000.0},
}
"""Hold the parameters with which neurons don't reach their threshold."""


@dataclass(frozen=True)
class Errors:
    """Hold differences from the reference solution, by dt in s.

    spikes: median of spike times, us. membranes: largest of neurons that don't spike, at the end,
    mV. Each is of ours and of NEST.
    """

    spikes: tuple[dict[float, float], dict[float, float]]
    membranes: tuple[dict[float, float], dict[float, float]]


def measure(name: str, steps: tuple[float, ...] = STEPS, cells: int = CELLS) -> Errors:
    """Return how far both are from the solution; *name*: ``'aeif'`` or ``'coba'``."""
    quiet = NEURONS[name].with_parameters(**QUIET[name])
    return Errors(*(_compare(name, neuron, steps, cells) for neuron in (NEURONS[name], quiet)))


def _compare(
    name: str, neuron: Equations, steps: tuple[float, ...], cells: int
) -> tuple[dict[float, float], dict[float, float]]:
    """Return differences of spikes, or of membranes if there are none, of ours and of NEST."""
    drive = DRIVES[name]
    with load("reference", drive.network(neuron, STEPS[0]), seed=1) as backend:
        names = [p.name for p in backend.network.projections]
        weights = {p: backend.weights(p)[:, :cells] for p in names}
    solved = [solution(neuron, *arrivals(name, weights, cell)) for cell in range(cells)]
    exact, ended = [times for times, _ in solved], np.array([v for _, v in solved])
    ours, nest = {}, {}
    for dt in steps:
        # One step earlier, so that all arrive at multiples of 0.1 ms.
        sent = {x: np.roll(raster, -1, axis=0) for x, raster in drive.spikes(dt, SECONDS).items()}
        with load("reference", drive.network(neuron, dt), seed=1) as backend:
            trains = backend.step(sent, len(sent["e"]))["cells"].T[:cells]
            v = backend.state()["cells.v"][:cells]
        with tempfile.TemporaryDirectory() as folder:
            theirs, of_nest = nest_of(name, neuron, dt, weights, sent, Path(folder))
        if any(map(len, exact)):
            ours[dt] = _apart(exact, [dt * (1 + np.flatnonzero(train)) for train in trains])
            nest[dt] = _apart(exact, [dt * times for times in theirs])
        else:
            assert not trains.any()
            ours[dt], nest[dt] = (float(np.abs(x - ended).max()) for x in (v, of_nest))
    return ours, nest


def arrivals(name: str, weights: dict[str, Array], cell: int) -> tuple[Array, Array]:
    """Return when conductances of a neuron jump, in s, and by how much, ``(n, 2)``."""
    raster = DRIVES[name].spikes(STEPS[0], SECONDS)
    jumps = np.stack([raster[x] @ weights[f"from_{x}"][:, cell] for x in ("e", "i")], axis=1)
    (when,) = np.nonzero(jumps.any(axis=1))
    return STEPS[0] * when, jumps[when]


def solution(neuron: Equations, times: Array, jumps: Array) -> tuple[Array, float]:
    """Return the spike times of a neuron and v at the end.

    By Dormand and Prince's method of order 8, with events.
    """
    p = {name: float(np.asarray(value)) for name, value in neuron.parameters.items()}
    cut = p.get("v_cut", p["VT"])

    def change(_: float, y: Array) -> list[float]:
        v, w, ge, gi = y
        flow = ge * (p["Ee"] - v) + gi * (p["Ei"] - v)
        decays = [-ge / p["tau_e"], -gi / p["tau_i"]]
        if "gL" not in p:
            return [(p["EL"] - v + flow) / p["tau_m"], 0.0, *decays]
        upswing = np.exp(min((v - p["VT"]) / p["DT"], 50.0))  # beyond v_cut it is of no account
        leak = p["gL"] * (p["EL"] - v + p["DT"] * upswing)
        dv = (leak + flow - w + p["bias"]) / (p["C"] * 1e-3)
        return [dv, (p["a"] * (v - p["EL"]) - w) / p["tau_w"], *decays]

    def crossing(_: float, y: Array) -> float:
        return float(y[0] - cut)

    crossing.terminal, crossing.direction = True, 1  # type: ignore[attr-defined]
    y, t, dead_until = np.array([neuron.initial["v"], 0.0, 0.0, 0.0]), 0.0, 0.0
    spikes: list[float] = []
    for end, jump in zip([*times, SECONDS], [*jumps, np.zeros(2)], strict=True):
        while t < end:
            if t < dead_until:  # v stays, conductances decay
                stop = min(dead_until, end)
                y[2:] *= np.exp(-(stop - t) / np.array([p["tau_e"], p["tau_i"]]))
                t = stop
                continue
            part = solve_ivp(change, (t, end), y, "DOP853", events=crossing, rtol=1e-10, atol=1e-10)
            t, y = float(part.t[-1]), part.y[:, -1].copy()
            if part.status == 1:
                spikes.append(t)
                y[0], y[1] = p["v_reset"], y[1] + p.get("b", 0.0)
                dead_until = t + float(neuron.refractory)
        y[2:] += jump
    return np.array(spikes), float(y[0])


def _apart(exact: list[Array], trains: list[Array]) -> float:
    """Return the median difference of spikes from the nearest of another train, in us."""
    last = SECONDS - 5e-3
    apart = [
        float(np.abs(train - t).min(initial=np.inf))
        for of_cell, train in zip(exact, trains, strict=True)
        for t in of_cell[of_cell < last]
    ]
    return 1e6 * float(np.median(apart))


def main() -> None:
    """Print the table."""
    heads = " | ".join(f"dt {1e6 * dt:g} us" for dt in STEPS)
    print(f"| | {heads} |\n|---" + "|---" * len(STEPS) + "|")
    names: dict[str, tuple[str, str]] = {
        "aeif": ("AdEx, Euler", "NEST's `aeif_cond_exp`"),
        "coba": ("`COBA_LIF`, exponential Euler", "NEST's `iaf_cond_exp`"),
    }
    for name, labels in names.items():
        errors = measure(name)
        for what, of_both in (("membrane, mV", errors.membranes), ("spikes, us", errors.spikes)):
            for label, of_dt in zip(labels, of_both, strict=True):
                print(f"| {label}: {what} | {' | '.join(f'{of_dt[dt]:.2g}' for dt in STEPS)} |")


if __name__ == "__main__":
    main()
