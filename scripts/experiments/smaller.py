"""Measure the smaller tables of the docs, keep them as CSV, and put them into their pages.

``results/tables/NAME.csv`` has what is between the marks of NAME in a page of ``docs/``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.catalogue import CARTPOLE, Experiment
from experiments.lost_populations import CASES, Case, Seen
from experiments.lost_populations import measure as measure_populations
from experiments.markup import put_between, table_head, table_row
from experiments.reward_scale import Scaled
from experiments.reward_scale import measure as measure_scales
from experiments.run import Plan, run
from experiments.tables import Row, read_rows, read_table, rows_of, write_table
from experiments.time_step import Rates
from experiments.time_step import measure as measure_rates
from neurorl.backends.spec import BackendSpec

DEEP = (
    Experiment(
        name="cartpole-lif-deep",
        label="LIF",
        rule="spikes-only",
        task=CARTPOLE,
        model="lif",
        spec=BackendSpec("native", "float"),
        episodes=400,
        overrides={"hidden": (8, 4), "alpha_hidden": 0.8},
    ),
)
"""Describe agents with two hidden layers."""
_DEEP_SEEDS = tuple(range(100, 105))


@dataclass(frozen=True)
class Smaller:
    """Describe a table: its files in ``results/tables``, its page, how it is measured and shown.

    measure: writes the files; is_quick: a few seconds of it. lines: between the marks, by mark.
    """

    page: str
    measure: Callable[[Path, bool], list[Path]]
    lines: Callable[[Path], dict[str, list[str]]]

    def write_page(self, results: Path, docs: Path) -> Path:
        """Put what is in *results* into the page. Raises RunError."""
        page = docs / self.page
        for mark, lines in self.lines(results).items():
            put_between(page, mark, lines)
        return page


def _measure_rates(results: Path, is_quick: bool) -> list[Path]:
    rows = measure_rates(0.2, 1) if is_quick else measure_rates()
    return [write_table(results / "time-step.csv", rows)]


def _rate_lines(results: Path) -> dict[str, list[str]]:
    rows = read_table(results / "time-step.csv", Rates)
    columns = ("dt, ms", "as it is", "converted", "noisy, as it is", "noisy, converted")
    lines = table_head(columns)
    for r in rows:
        rates = (r.same, r.converted, r.same_noisy, r.converted_noisy)
        lines.append(table_row(f"{r.dt_ms:g}", *(f"{rate:.1f}" for rate in rates)))
    return {"time-step": lines}


def _measure_scales(results: Path, is_quick: bool) -> list[Path]:
    rows = measure_scales(20, "reference", 2) if is_quick else measure_scales()
    return [write_table(results / "reward-scale.csv", rows)]


def _scale_lines(results: Path) -> dict[str, list[str]]:
    rows: list[Scaled] = read_table(results / "reward-scale.csv", Scaled)
    lines = table_head(("`reward_scale`", "episodes", "last 100 in training", "greedy"))
    for scale in dict.fromkeys(row.reward_scale for row in rows):
        of_scale = [row for row in rows if row.reward_scale == scale]
        last, greedy = (
            ", ".join(f"{getattr(r, k):.2f}" for r in of_scale) for k in ("last_100", "greedy")
        )
        lines.append(table_row(f"{scale:g}", str(of_scale[0].episodes), last, greedy))
    return {"reward-scale": lines}


def _measure_deep(results: Path, is_quick: bool) -> list[Path]:
    folder = Path("runs") / f"tables{'-quick' * is_quick}"
    plan = Plan(folder, _DEEP_SEEDS)
    if is_quick:
        plan = Plan(folder, _DEEP_SEEDS[:2], 3, "reference", 2)
    return [
        write_table(results / f"{e.name}.csv", rows_of(e, plan, run(e, plan, lambda _: None)))
        for e in DEEP
    ]


def _deep_lines(results: Path) -> dict[str, list[str]]:
    lines = table_head(("", "overrides", "episodes", "mean of 100 at 475 from", "greedy return"))
    for e in DEEP:
        rows: list[Row] = read_rows(results / f"{e.name}.csv")
        overrides = ", ".join(f"`{name}={value}`" for name, value in e.overrides.items())
        learned = [r.episodes_to_threshold for r in rows]
        lines.append(
            table_row(
                f"{e.label}, `{e.rule}`",
                overrides,
                str(rows[0].episodes),
                ", ".join("never" if k is None else str(k) for k in learned),
                ", ".join(f"{r.greedy:.1f}" for r in rows),
            )
        )
    return {"deep": lines}


def _measure_populations(results: Path, is_quick: bool) -> list[Path]:
    cases = CASES
    if is_quick:
        cases = tuple(Case(c.label, c.env, c.model, seeds=(100,), episodes=20) for c in CASES[:2])
    backend = "reference" if is_quick else "native"
    rows = [row for case in cases for row in measure_populations(case, backend)]
    return [write_table(results / "lost-populations.csv", rows)]


def _population_lines(results: Path) -> dict[str, list[str]]:
    rows: list[Seen] = read_table(results / "lost-populations.csv", Seen)
    columns = ["healthy", "agents", "rate, hidden", "rate, output", "at bounds, most", "top action"]
    healthy = table_head([*columns, "top action while no better", "growth, output", "warned of"])
    provoked = table_head(("provoked", "agents", "found", "rate, output", "top action", "growth"))
    for label in dict.fromkeys(r.case for r in rows):
        of_case = [r for r in rows if r.case == label]
        if of_case[0].provoked == "yes":
            provoked.append(_provoked_row(label, of_case))
        else:
            healthy.append(_healthy_row(label, of_case))
    return {"healthy": healthy, "provoked": provoked}


def _healthy_row(label: str, rows: list[Seen]) -> str:
    output = [r for r in rows if r.population == "output"]
    hidden = [r for r in rows if r.population == "hidden"]
    no_better = [r.top_no_better for r in output if r.top_no_better is not None]
    return table_row(
        f"{label}, {rows[0].episodes} episodes",
        str(len(output)),
        _range([(r.rate_low, r.rate_high) for r in hidden], 3),
        _range([(r.rate_low, r.rate_high) for r in output], 3),
        f"{max(r.at_bounds for r in rows):.1%}".replace("%", " %"),
        _range([(r.top_low or 0.0, r.top_high or 0.0) for r in output], 2),
        f"at most {max(no_better):.2f}" if no_better else "never",
        _range([(r.growth_low, r.growth_high) for r in output], 2),
        _warned(rows),
    )


def _provoked_row(label: str, rows: list[Seen]) -> str:
    output = [r for r in rows if r.population == "output"]
    return table_row(
        label,
        str(len(output)),
        _warned(rows),
        _range([(r.rate_low, r.rate_high) for r in output], 3),
        f"up to {max(r.top_high or 0.0 for r in output):.2f}",
        f"up to {max(r.growth_high for r in output):.2f}",
    )


def _warned(rows: list[Seen]) -> str:
    """Count warnings by population and kind: how many of its agents had each."""
    counts: dict[str, int] = {}
    for row in rows:
        for warning in filter(None, row.warnings.split(", ")):
            what = f"{warning.partition(' ')[0]}: {row.population}"
            counts[what] = counts.get(what, 0) + 1
    return "; ".join(f"{what} ({count})" for what, count in counts.items()) or "none"


def _range(ranges: Sequence[tuple[float, float]], digits: int) -> str:
    if not ranges:
        return ""
    low, high = min(a for a, _ in ranges), max(b for _, b in ranges)
    return f"{low:.{digits}f}-{high:.{digits}f}"


SMALLER: dict[str, Smaller] = {
    "time-step": Smaller("units.md", _measure_rates, _rate_lines),
    "reward-scale": Smaller("units.md", _measure_scales, _scale_lines),
    "deep": Smaller("theory.md", _measure_deep, _deep_lines),
    "lost-populations": Smaller("diagnostics.md", _measure_populations, _population_lines),
}
"""Map the name of each smaller experiment to it. `scripts/tables.py` adds those that tests
measure."""
