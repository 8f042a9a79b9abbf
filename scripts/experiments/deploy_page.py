"""Make docs/deployment.md from results/deployment*.csv and results/tables/xylo.csv alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.catalogue import Experiment
from experiments.checks import CheckRow, read_checks
from experiments.deploy import DEPLOYED, NOISES, DeploymentRow, RateRow
from experiments.deploy_xylo import SETTINGS, XyloRow, mean_and_worst, xylo_rows
from experiments.markup import table_head, table_row
from experiments.tables import read_table

_HEAD = """# Deployment: what float-trained agents lose on Loihi and Xylo

`{command}`

Made by this command from `results/deployment*.csv`. The presets were trained in float arithmetic;
every seed is then played greedily in the chip's arithmetic, with integers fitted to its weights
(`neurorl.arithmetic.fitting`), the tasks and draws the same as in float. [loihi.md](loihi.md) says
what the noises are. All is run on {backend}, which in chip arithmetic is Loihi's emulator in every
bit; the last table says what the emulator itself has played.

*Return*: mean over seeds of the task's figure (gridworld: discounted). *Lost*: of the float return,
negative if the chip did better; *worst seed*: the most that one seed lost. *Agreement*: how often
both take the same action, on the observations of float play; *unfitted*: the same with integers
for all that learning could have made of the weights; *other draws*: of float arithmetic with itself
when only the draws are others, which no arithmetic can be blamed for. `exact` and `chip` turn the
same random bits into noise; `chip+coins` has more of them, which is part of what it does otherwise.

## Return and decisions
"""

_RATES = """
## Firing rates

Spikes of a neuron per step, over the same observations. *Error*: of the population's mean rate,
mean over seeds, and of the worst seed; *rms*: of the single neurons' rates, in brackets that of
float arithmetic with other draws.
"""

_CHECKS = """
## On the emulator

Greedy play of one seed, on nengo-loihi's emulator and on the backend above: returns, discounted
returns, spikes and synaptic operations.
"""

_XYLO = """
## In Xylo's integers

`python scripts/xylo_presets.py` makes `results/tables/xylo.csv`: the presets of model LIF with the
neurons that Xylo has, without noise and bias ([xylo.md](xylo.md)); greedy play, mean (worst seed).
*Lost*: of the return of the same agents in floats; *trained in them*: agents that learned in Xylo's
integers from the start. All is run on native, whose integers are those of the vendor's simulator in
every bit.
"""


def deployment_page(results: Path, command: str, backend: str) -> str:
    """Return the page as Markdown."""
    rows = read_table(results / "deployment.csv", DeploymentRow)
    rates = read_table(results / "deployment-rates.csv", RateRow)
    lines = _HEAD.format(command=command, backend=backend).split("\n")
    lines += table_head(
        [
            *("task", "network", "noise", "seeds", "float", "chip", "lost", "worst seed"),
            *("agreement", "unfitted", "other draws"),
        ]
    )
    lines += [_return_line(e, noise, of_noise) for e, noise, of_noise in _grouped(rows)]
    lines += _RATES.split("\n")
    lines += table_head(
        ["task", "network", "noise", "population", "float", "chip", "error", "worst seed", "rms"]
    )
    for e, noise, of_noise in _grouped(rates):
        for population in dict.fromkeys(row.population for row in of_noise):
            of_population = [row for row in of_noise if row.population == population]
            lines.append(_rate_line(e, noise, population, of_population))
    lines += _CHECKS.split("\n")
    lines += table_head(["experiment, noise", "seed", "episodes", "the same"])
    lines += [_check_line(row) for row in read_checks(results / "deployment-checks.csv")]
    return "\n".join([*lines, *_xylo_lines(xylo_rows(results))]) + "\n"


def lost_percent(rows: Sequence[DeploymentRow]) -> float:
    """Return the loss in per cent of the mean float return."""
    return _lost([row.described for row in rows], [row.deployed for row in rows])


def _lost(described: Sequence[float], deployed: Sequence[float]) -> float:
    mean = float(np.mean(described))
    return 100 * (mean - float(np.mean(deployed))) / (abs(mean) or 1.0)


def _xylo_lines(rows: Sequence[XyloRow]) -> list[str]:
    if not rows:
        return []
    columns = ["task", "seeds", "float", "Xylo", "lost", "worst seed", "trained in them"]
    groups = [[row for row in rows if row.task == name] for name in SETTINGS]
    return [*_XYLO.split("\n"), *table_head(columns), *(_xylo_line(g) for g in groups if g)]


def _xylo_line(rows: Sequence[XyloRow]) -> str:
    floats, quantised = [row.floats for row in rows], [row.quantised for row in rows]
    lost = [_lost([row.floats], [row.quantised]) for row in rows]
    worst = int(np.argmax(lost))
    digits = SETTINGS[rows[0].task].task.digits
    shown = [mean_and_worst(x, digits) for x in (floats, quantised, [row.greedy for row in rows])]
    return table_row(
        *(rows[0].task, str(len(rows)), *shown[:2], f"**{_lost(floats, quantised):.2f} %**"),
        *(f"{lost[worst]:.2f} % (seed {rows[worst].seed})", shown[2]),
    )


def _grouped(
    rows: Sequence[DeploymentRow] | Sequence[RateRow],
) -> list[tuple[Experiment, str, list]]:  # type: ignore[type-arg]
    return [
        (e, noise, group)
        for e in DEPLOYED
        for noise in NOISES[e.model]
        if (group := [row for row in rows if (row.experiment, row.noise) == (e.name, noise)])
    ]


def _return_line(e: Experiment, noise: str, rows: Sequence[DeploymentRow]) -> str:
    digits = e.task.digits
    worst = max(rows, key=lambda row: lost_percent([row]))
    percents = (
        f"{100 * np.mean([getattr(row, name) for row in rows]):.1f} %"
        for name in ("agreement", "unfitted", "described_again")
    )
    return table_row(
        *(e.task.name, e.label, f"`{noise}`", str(len(rows))),
        *(
            f"{np.mean([getattr(row, name) for row in rows]):.{digits}f}"
            for name in ("described", "deployed")
        ),
        f"**{lost_percent(rows):.2f} %**",
        f"{lost_percent([worst]):.2f} % (seed {worst.seed})",
        *percents,
    )


def _rate_line(e: Experiment, noise: str, population: str, rows: Sequence[RateRow]) -> str:
    described, deployed = (
        float(np.mean([getattr(row, name) for row in rows])) for name in ("described", "deployed")
    )
    errors = [100 * (row.deployed - row.described) / row.described for row in rows]
    worst = max(errors, key=abs)
    rms, again = (
        float(np.mean([getattr(row, name) for row in rows])) for name in ("rms", "rms_again")
    )
    return table_row(
        *(e.task.name, e.label, f"`{noise}`", population, f"{described:.4f}", f"{deployed:.4f}"),
        *(f"{np.mean(errors):+.2f} %", f"{worst:+.2f} %", f"{rms:.4f} ({again:.4f})"),
    )


def _check_line(row: CheckRow) -> str:
    return table_row(row.experiment, str(row.seed), str(row.episodes), row.same)
