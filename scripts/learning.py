"""Train and evaluate over backends and seeds, and print every seed's figures.

    python scripts/learning.py neurorl/GridWorld-v0 --backends reference,native,loihi --seeds 0..4
    python scripts/learning.py CartPole-v1 --episodes 160 --seeds 0..2

Each run is ``neurorl train`` followed by ``neurorl evaluate`` with the run's own seed, in a process
of its own, several at a time. Runs stay in --out; one that is there already is resumed.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from neurorl.runs.training import read_seeds


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("env")
    parser.add_argument("--backends", default="reference,native,loihi")
    parser.add_argument("--arithmetic")
    parser.add_argument("--model", default="lif")
    parser.add_argument(
        "--seeds", type=read_seeds, default="0..4", help="A..B or a list with commas"
    )
    parser.add_argument("--episodes", type=int, default=400)
    parser.add_argument("--evaluation-episodes", type=int, default=200)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("runs"))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    jobs = [(b, s) for b in arguments.backends.split(",") for s in arguments.seeds]
    with ThreadPoolExecutor(arguments.jobs) as pool:
        rows = list(pool.map(lambda job: one(arguments, *job), jobs))
    same = compare(arguments, rows)
    if arguments.json:
        print(json.dumps({"rows": rows, "same_episodes": same}))
    else:
        show(rows, same)
    return 0


def run_path(arguments: argparse.Namespace, backend: str, seed: int) -> Path:
    name = arguments.env.replace("/", "-")
    mark = f"-{arguments.arithmetic}" if arguments.arithmetic else ""
    return Path(arguments.out) / f"{name}-{backend}{mark}-{arguments.model}-seed{seed}"


def one(arguments: argparse.Namespace, backend: str, seed: int) -> dict[str, Any]:
    """Train and evaluate one run; a row of its figures."""
    out = run_path(arguments, backend, seed)
    options = ["--backend", backend, "--seed", str(seed)]
    options += ["--arithmetic", arguments.arithmetic] if arguments.arithmetic else []
    train = ["train", arguments.env, *options, "--model", arguments.model]
    train += ["--episodes", str(arguments.episodes), "--out", str(out)]
    trained = command([*train, *(["--resume"] if out.exists() else [])])
    played = command(
        [
            "evaluate",
            str(out),
            "--seed",
            str(seed),
            "--episodes",
            str(arguments.evaluation_episodes),
        ]
    )
    wall = sum(float(row["wall_s"]) for row in episodes(out))
    return {
        "backend": backend,
        "arithmetic": played["arithmetic"],
        "seed": seed,
        "mean_return": played["mean_return"],
        "mean_discounted_return": played["mean_discounted_return"],
        "solved_at_episode": trained["solved_at_episode"],
        "env_steps": trained["env_steps"],
        "us_per_env_step": 1e6 * wall / trained["env_steps"],
        "spikes_per_decision": played["spikes_per_decision"],
    }


def command(arguments: list[str]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "neurorl", *arguments, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"neurorl {' '.join(arguments)}: {done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def episodes(out: Path) -> list[dict[str, str]]:
    with (out / "episodes.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def compare(arguments: argparse.Namespace, rows: list[dict[str, Any]]) -> dict[str, bool]:
    """Return whether runs of one arithmetic and seed have equal episodes, but for wall time."""
    by_kind: dict[tuple[str, int], list[Any]] = {}
    for row in rows:
        table = episodes(run_path(arguments, row["backend"], row["seed"]))
        plain = [{k: v for k, v in line.items() if k != "wall_s"} for line in table]
        by_kind.setdefault((row["arithmetic"], row["seed"]), []).append(plain)
    return {
        f"{arithmetic}, seed {seed}": all(table == tables[0] for table in tables[1:])
        for (arithmetic, seed), tables in by_kind.items()
        if len(tables) > 1
    }


def show(rows: list[dict[str, Any]], same: dict[str, bool]) -> None:
    for backend in dict.fromkeys(row["backend"] for row in rows):
        of_backend = [row for row in rows if row["backend"] == backend]
        print(f"{backend} ({of_backend[0]['arithmetic']})")
        for key, digits in (
            ("mean_return", 1),
            ("mean_discounted_return", 3),
            ("solved_at_episode", 0),
            ("env_steps", 0),
            ("us_per_env_step", 0),
            ("spikes_per_decision", 0),
        ):
            values = [row[key] for row in of_backend]
            known = [v for v in values if v is not None]
            shown = ", ".join("-" if v is None else f"{v:.{digits}f}" for v in values)
            mean = f"   mean {np.mean(known):.{digits}f}" if known else ""
            print(f"  {key:<24} {shown}{mean}")
    for kind, equal in same.items():
        print(f"same episodes, {kind}: {'yes' if equal else 'NO'}")


if __name__ == "__main__":
    sys.exit(main())
