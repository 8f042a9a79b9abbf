"""What docs/comparison.md says in its text is what its files have."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PAGE = " ".join((ROOT / "docs" / "comparison.md").read_text().split())


def read(name: str) -> list[dict[str, str]]:
    with (ROOT / "results" / name).open(newline="") as file:
        return list(csv.DictReader(file))


def noise_ratios(rule: str, other: str) -> dict[tuple[str, str, str], list[float]]:
    """Return one estimator's noise over another's, of each agent, by task, model and layer."""
    where = ("task", "model", "approach", "point", "seed", "layer")
    noise = {
        (*(row[k] for k in where), row["estimator"]): float(row["noise"] or "nan")
        for row in read("comparison/gradients.csv")
    }
    found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for (*place, estimator), value in noise.items():
        ratio = value / noise.get((*place, other), math.nan)
        if place[5] != "all" and estimator == rule and math.isfinite(ratio) and ratio > 0:
            found[place[0], place[1], place[5]].append(ratio)
    return found


@pytest.mark.parametrize(
    ("rule", "other", "words"),
    [
        ("spikes-only", "concrete, tau 1", "`spikes-only` has {m:.2f} times the noise of"),
        ("spikes-only", "concrete, tau 1", "(median; {low:.2f} to {high:.2f} from the tenth"),
        ("score function", "coagent", "the score function {m:.2f} times that of `coagent`"),
        ("score function", "coagent", "(median; {low:.2f} to {high:.2f} from the tenth"),
    ],
)
def test_noise_of_two_estimators(rule: str, other: str, words: str) -> None:
    ratios = [x for some in noise_ratios(rule, other).values() for x in some]
    low, high = np.quantile(ratios, [0.1, 0.9])
    assert words.format(m=np.median(ratios), low=low, high=high) in PAGE


def test_noise_of_coagent() -> None:
    medians = {k: float(np.median(v)) for k, v in noise_ratios("coagent", "spikes-only").items()}
    for layer in ("output", "hidden"):
        mine = [m for (_, model, where), m in medians.items() if (model, where) == ("lif", layer)]
        assert f"{min(mine):,.0f} to {max(mine):,.0f} times" in PAGE


def test_what_the_chip_costs() -> None:
    lost: dict[tuple[str, str], list[tuple[float, float]]] = defaultdict(list)
    for row in read("deployment.csv"):
        pair = float(row["described"]), float(row["deployed"])
        lost[row["experiment"], row["noise"]].append(pair)
    means, worst = {}, {}
    for key, pairs in lost.items():
        described, deployed = np.array(pairs).T
        scale = abs(described.mean())
        means[key] = 100 * (described.mean() - deployed.mean()) / scale
        worst[key] = float((100 * (described - deployed) / np.abs(described)).max())
    exact = max(v for (_, noise), v in means.items() if noise == "exact")
    chips = max((v, k) for k, v in means.items() if k[1] == "chip")
    assert f"at most {exact:.2f} % of the mean return" in PAGE
    assert chips[1][0] == "mountaincar-lif"
    text = (
        f"up to {chips[0]:.2f} % of the mean return (MountainCar, LIF), and {worst[chips[1]]:.2f} %"
    )
    assert text in PAGE
