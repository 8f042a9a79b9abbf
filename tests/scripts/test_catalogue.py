"""Test the pages of neurons and rules: none is missing or unexplained, and all run."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import neurorl.models
from documentation import formulas, neuron_pages, rule_pages
from documentation.pages import cleaned, described
from documentation.rule_figure import factors, timing
from neurorl import (
    Learning,
    Network,
    NeurorlError,
    Plasticity,
    Population,
    Projection,
    Source,
    SpikingActorCritic,
    load,
)
from neurorl.models import IZHIKEVICH, CubaLIF
from neurorl.rules import RULES, Rule

NEURONS = neuron_pages.neurons()
RULES_OF_THE_LIBRARY = rule_pages.rules()


def test_every_neuron_and_rule_is_there() -> None:
    ready = {"LIF", "CubaLIF", "GLM", "IZHIKEVICH", "ADEX", "COBA_LIF", "ADAPTIVE_LIF"}
    assert ready <= set(NEURONS) <= set(neurorl.models.__all__)
    assert all(map(rule_pages.docstring, RULES_OF_THE_LIBRARY.values()))
    assert set(RULES_OF_THE_LIBRARY) == set(RULES)


@pytest.mark.parametrize("name", NEURONS)
def test_a_neuron_has_all_parts(name: str, tmp_path: Path) -> None:
    page = neuron_pages.page(name, NEURONS[name], tmp_path)
    text = "\n".join(page.parts)
    for part in ("$$", "## Parameters", "## Where it runs", "## In a program", f"({name}.png)"):
        assert part in text
    assert "Source" in text or name in ("LIF", "CubaLIF")
    assert (tmp_path / f"{name}.png").stat().st_size > 5_000
    assert _run(neuron_pages.usage(name, NEURONS[name], 1.0))


@pytest.mark.parametrize("name", RULES_OF_THE_LIBRARY)
def test_a_rule_has_all_parts(name: str, tmp_path: Path) -> None:
    rule = RULES_OF_THE_LIBRARY[name]
    text = "\n".join(rule_pages.page(rule, tmp_path).parts)
    for part in ("$$", "## Names", "## What it needs", "## Where it runs", f"({name}.png)"):
        assert part in text
    assert set(rule.named) <= set(rule_pages.NAMES)
    said = _run(rule_pages.usage(rule))
    assert rule.signals or name in said


@pytest.mark.parametrize("name", RULES_OF_THE_LIBRARY)
def test_rules_run_where_their_page_says(name: str) -> None:
    rule = RULES_OF_THE_LIBRARY[name]
    by_host, own_loop, on_chip = (said for _, said in rule_pages.where(rule))
    agent = partial(SpikingActorCritic, "neurorl/GridWorld-v0", rule=name, loop="numpy")
    assert _works(lambda: agent(backend="reference")) == by_host.startswith("yes")
    pes = partial(SpikingActorCritic, "neurorl/GridWorld-v0", rule=name, learning="pes")
    assert _works(lambda: pes(backend="loihi")) == on_chip.startswith("yes")
    cells = Population("cells", 2, CubaLIF(noise=0.1))
    learns = Projection("learns", "input", "cells", 0.1, plasticity=Plasticity(0.02))
    with load("reference", Network((Source("input", 3), cells), (learns,))) as backend:
        assert _works(lambda: Learning(backend, name)) == own_loop.startswith("yes")


def test_a_neuron_that_nobody_explained_is_found(tmp_path: Path) -> None:
    texts = IZHIKEVICH.equations.replace("140", "unexplained")
    parameters = {**IZHIKEVICH.parameters, "unexplained": 140.0}
    more = replace(IZHIKEVICH, equations=texts, parameters=parameters)
    with pytest.raises(KeyError, match="unexplained"):
        neuron_pages.page("IZHIKEVICH", more, tmp_path)


def test_factors_are_those_of_the_rule() -> None:
    f, spikes = factors(RULES["spikes-only-hebbian"])["output"]
    assert np.allclose(f, spikes * np.array([0.6, -0.6]))


def test_spike_timing_is_that_of_the_rule() -> None:
    rule = Rule("mine", output="spike", pairs_spikes=True, depression=0.5, eligibility_tau=1e9)
    change = timing(rule, 1)
    assert change[:39] == pytest.approx(-0.5 * np.exp(-np.arange(40, 1, -1) / 20.0), rel=0.06)
    assert change[42:] == pytest.approx(np.exp(-np.arange(2, 41) / 20.0), rel=0.06)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a*(b - c)", r"a \, \left(b - c\right)"),
        ("a - (b - c)", r"a - \left(b - c\right)"),
        ("a/(b + 1)", r"\frac{a}{b + 1}"),
        ("-x**2", r"-{x}^{2}"),
        ("tau_mem", r"\tau_{\mathrm{mem}}"),
        ("1e-7*exp(v)", r"1 \cdot 10^{-7} \, e^{v}"),
        (
            "where(v > 1, a, 0)",
            r"\begin{cases} a & \text{if } v > 1 \\ 0 & \text{else} \end{cases}",
        ),
    ],
)
def test_formulas(text: str, written: str) -> None:
    assert formulas.expression(text) == written


def test_docstrings_become_pages() -> None:
    prose, names = described("Model it.\n\na, b: two of\n    them.\nc: one.\n\nSource: X.")
    assert prose == ["Model it.", "Source: X."]
    assert names == {"a": "two of them.", "b": "two of them.", "c": "one."}
    assert cleaned("(doi 10.1000/x-1)") == "([doi](https://doi.org/10.1000/x-1))"


def _works(call: Callable[[], object]) -> bool:
    try:
        call()
    except NeurorlError:
        return False
    return True


def _run(program: str) -> str:
    """Run a program, and return what it prints."""
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(program, {})
    return out.getvalue()
