"""Make tables of figures that tests compute, by calling the tests' functions."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.markup import table_head, table_row
from experiments.smaller import Smaller
from experiments.tables import read_table, write_table
from neurorl.errors import RunError

_TESTS = Path(__file__).parents[2] / "tests"


@dataclass(frozen=True)
class Noise:
    """Hold the noise of one sample of a rule in a fresh network."""

    rule: str
    hidden: float
    output: float


@dataclass(frozen=True)
class Bias:
    """Hold an estimator's bias, its standard error, its cosine with the gradient, and its noise."""

    network: str
    estimator: str
    reset_constant: str
    bias: float
    error: float
    cosine: float
    noise: float


def _test_module(name: str) -> Any:
    """Load ``tests/NAME.py``. Raises RunError where there is no checkout."""
    path = _TESTS / f"{name}.py"
    if not path.is_file():
        remedy = "run it in a checkout"
        raise RunError(f"tests {path}", "not there", remedy=remedy)
    spec = importlib.util.spec_from_file_location(f"tables_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    if str(_TESTS / "support") not in sys.path:  # setup.cfg says so to pytest
        sys.path.append(str(_TESTS / "support"))
    spec.loader.exec_module(module)
    return module


def _measure_noise(results: Path, is_quick: bool) -> list[Path]:
    test = _test_module("rules/test_gradient")
    if is_quick:
        test.SAMPLES = 2 * test.CHUNK
    sampled = test.sampled(("coagent", "centred-feedback", "surrogate"))
    rows = [
        Noise(rule, moments["hidden"].noise(), moments["output"].noise())
        for rule, moments in sampled.items()
    ]
    return [write_table(results / "rule-noise.csv", rows)]


def _noise_lines(results: Path) -> dict[str, list[str]]:
    lines = table_head(("rule", "noise, hidden layer", "noise, output layer"))
    for row in read_table(results / "rule-noise.csv", Noise):
        lines.append(table_row(f"`{row.rule}`", f"{row.hidden:.4g}", f"{row.output:.4g}"))
    return {"rule-noise": lines}


def _measure_bias(results: Path, is_quick: bool) -> list[Path]:
    test = _test_module("backends/torch/test_torch_gradient")
    if is_quick:
        test.SAMPLES = 64
    estimators = [(how, False) for how in (test.Score(), test.Slope(), *test.HARD, *test.RELAXED)]
    rows = []
    for name in test.CASES:
        for how, constant in [*estimators, (test.RELAXED[-1], True)]:
            if constant and name.startswith("GLM"):
                continue  # its units have no reset
            measured = test.measure(name, how, constant)
            numbers = (measured.bias, measured.error, measured.cosine, measured.noise)
            rows.append(Bias(name, str(how), "yes" if constant else "no", *numbers))
    return [write_table(results / "estimators.csv", rows)]


def _bias_lines(results: Path) -> dict[str, list[str]]:
    rows: list[Bias] = read_table(results / "estimators.csv", Bias)
    networks = list(dict.fromkeys(row.network for row in rows))
    lines = table_head(("bias, cosine, noise", *networks))
    for key in dict.fromkeys((row.estimator, row.reset_constant) for row in rows):
        by_network = {r.network: r for r in rows if (r.estimator, r.reset_constant) == key}
        cells = [
            f"{by_network[n].bias:.2f}, {by_network[n].cosine:.3f}, {by_network[n].noise:.2g}"
            if n in by_network
            else ""
            for n in networks
        ]
        lines.append(table_row(f"`{key[0]}`" + ", reset constant" * (key[1] == "yes"), *cells))
    return {"estimators": lines}


TESTED: dict[str, Smaller] = {
    "rule-noise": Smaller("theory.md", _measure_noise, _noise_lines),
    "estimators": Smaller("reparameterization.md", _measure_bias, _bias_lines),
}
