"""Let an agent learn the gridworld, then play on every backend: `make demo`.

Trains on the reference backend, evaluates the same weights on reference, native and loihi, prints
the returns beside the optimum and leaves the learning curve as a picture.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from neurorl.agents.evaluation import evaluate, load_to_play
from neurorl.backends.registry import BACKENDS, available_backends
from neurorl.cli.status import exit_status
from neurorl.lab.compare import plot_runs
from neurorl.runs.training import train
from neurorl.tasks.environments import optimal_return

ENV = "neurorl/GridWorld-v0"


@exit_status("demo")
def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder for the results")
    parser.add_argument("--episodes", type=int, default=400)
    parser.add_argument("--evaluation-episodes", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    console = Console()
    run = options.out / "gridworld"
    if run.exists():
        shutil.rmtree(run)

    started = time.perf_counter()
    with progress(console) as bar:
        task = bar.add_task("learning the gridworld", total=options.episodes)
        train(
            ENV,
            run,
            backend="reference",
            seed=options.seed,
            episodes=options.episodes,
            callback=lambda _: bar.advance(task),
        )
    console.print(f"learned {options.episodes} episodes in {time.perf_counter() - started:.0f} s")

    optimum = optimal_return()
    table = Table(title="The same agent on every backend", title_justify="left", box=None)
    for column in ("backend", "arithmetic", "discounted return", "of the optimum", "seconds"):
        table.add_column(column, justify="left" if column in ("backend", "arithmetic") else "right")
    for row in available_backends():
        if not row["available"] and is_optional(row["name"]):
            continue
        if not row["available"]:
            table.add_row(row["name"], "-", "missing", "-", "-")
            continue
        began = time.perf_counter()
        agent, chosen = load_to_play(run, row["name"])
        with progress(console) as bar:
            task = bar.add_task(f"playing on {row['name']}", total=options.evaluation_episodes)
            result = evaluate(
                agent,
                options.evaluation_episodes,
                **chosen,
                callback=lambda *_, bar=bar, task=task: bar.advance(task),
            )
        mean = result["mean_discounted_return"]
        table.add_row(
            row["name"],
            result["arithmetic"],
            f"{mean:.3f}",
            f"{100 * mean / optimum:.1f} %",
            f"{time.perf_counter() - began:.1f}",
        )
    table.add_row("optimum", "", f"{optimum:.3f}", "100.0 %", "")
    console.print(table)
    console.print("seconds: with what a backend compiles the first time; then it is cached")
    picture = plot_runs([run], options.out / "learning_curve.png", optimum)
    console.print(f"learning curve: {picture}", highlight=False)
    return 0


def is_optional(backend: str) -> bool:
    """Return whether a backend comes with an extra only, which the demo doesn't ask for."""
    return backend in BACKENDS and "neurorl[" in BACKENDS[backend].remedy


def progress(console: Console) -> Progress:
    """Show a bar that goes away when it is done, and never appears in a log."""
    return Progress(console=console, transient=True, disable=not console.is_terminal)


if __name__ == "__main__":
    raise SystemExit(main())
