"""The reference against simulators that are no backends: stand-ins, and PyNN's own."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import neurorl
from neurorl.cli import main
from neurorl.errors import (
    ArgumentError,
    BackendUnavailableError,
    UnknownNameError,
    UnsupportedError,
)
from neurorl.models import CubaLIF
from neurorl.network.description import Network, Population, Projection, Source
from neurorl.testing import FEATURES
from neurorl.validation import elsewhere
from neurorl.validation.elsewhere import validate_on
from neurorl.validation.result import Agreement


def network(refractory: float = 2e-3, **loop: Any) -> Network:
    rng = np.random.default_rng(1)
    neuron = CubaLIF(refractory=refractory, bias=0.03)
    weights = rng.uniform(-0.2, 0.2, (12, 12))
    return Network(
        (
            Source("input", 6),
            Source("alone", 1),
            Population("cells", 12, neuron),
            Population("last", 4, neuron),
        ),
        (
            Projection("drive", "input", "cells", rng.uniform(0, 0.4, (6, 12))),
            Projection("loop", "cells", "cells", weights, **loop),
            Projection("on", "cells", "last", rng.uniform(0, 0.2, (12, 4))),
        ),
    )


class StandIn:
    """A simulator that plays another description, or other spikes."""

    def __init__(
        self,
        change: Callable[[Network], Network] = lambda n: n,
        mistake: Callable[[Any], None] = lambda rasters: None,
        refused: tuple[str, ...] = (),
    ) -> None:
        self.change, self.mistake, self.refused = change, mistake, refused

    def check(self) -> None:
        """It is always there."""

    def problems(self, network: Network) -> list[str]:
        return list(self.refused)

    def play(
        self, network: Any, inputs: Any, n_steps: int, weights: Any, seed: int, begins: Any
    ) -> dict[str, Any]:
        replicas = len(begins)
        seeds = (seed,) * replicas
        made = self.change(network)
        weights = {name: np.stack([w] * replicas) for name, w in weights.items()}
        with neurorl.load("reference", made, seed=seeds, weights=weights) as backend:
            for k, begin in enumerate(begins):
                backend.begin_at(begin, k)
            rasters = backend.step(inputs, n_steps)
        self.mistake(rasters)
        return dict(rasters)


def agreement(monkeypatch: pytest.MonkeyPatch, stand_in: StandIn, **more: Any) -> Agreement:
    monkeypatch.setattr(elsewhere, "TARGETS", {"other": stand_in})
    return validate_on(more.pop("what", network()), "other", steps=200, **more)


def test_a_simulator_that_does_as_described_is_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    found = agreement(monkeypatch, StandIn())
    assert found.verdict == "exact"
    assert found.explanations == []
    assert [row["quantity"] for row in found.rows] == ["rate", "spike times", "van Rossum"] * 2


def test_the_noise_of_each_window_is_that_of_its_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    found = agreement(monkeypatch, StandIn(), what="lif")
    assert found.verdict == "exact"
    assert found.left_out == ()


def test_windows_from_silence_are_put_together_again(monkeypatch: pytest.MonkeyPatch) -> None:
    found = agreement(monkeypatch, StandIn(), what="lif", noise=False)
    assert found.verdict == "exact"
    assert found.left_out == ("escape noise of 'hidden'", "escape noise of 'output'")
    assert found.rows[-1]["quantity"] == "decisions"


def change_refractory(described: Network) -> Network:
    cells = [
        dataclasses.replace(n, neuron=CubaLIF(refractory=3e-3, bias=0.03))
        if isinstance(n, Population)
        else n
        for n in described.nodes
    ]
    return dataclasses.replace(described, nodes=tuple(cells))


def change_loop(described: Network) -> Network:
    drive, loop, on = described.projections
    return dataclasses.replace(described, projections=(drive, change_delay(loop), on))


def change_delay(projection: Projection) -> Projection:
    return dataclasses.replace(projection, delay=2e-3)


def change_sources(described: Network) -> Network:
    drive, *others = described.projections
    return dataclasses.replace(described, projections=(change_delay(drive), *others))


@pytest.mark.parametrize(
    ("change", "cause", "words"),
    [
        (change_refractory, "refractory", "a step longer"),
        (change_sources, "delay", "sources come a step later"),
    ],
)
def test_what_it_does_otherwise_is_named(
    change: Callable[[Network], Network], cause: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = agreement(monkeypatch, StandIn(change))
    (why,) = found.explanations
    assert why.cause == cause
    assert words in why.detail
    assert "differs in 0 cells" in why.detail
    assert {row["cause"] for row in found.rows} == {cause}


def test_a_change_that_is_not_listed_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    unknown = agreement(monkeypatch, StandIn(change_loop))
    assert unknown.explanations[0].cause == "unknown"


def test_a_spike_that_nothing_explains_is_unknown_and_placed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def flip(rasters: Any) -> None:
        rasters["last"][150, 2] ^= True

    found = agreement(monkeypatch, StandIn(mistake=flip))
    (why,) = found.explanations
    assert (why.cause, why.population, why.step, why.neuron) == ("unknown", "last", 150, 2)
    assert abs(why.numbers[0]["margin"]) > 1e-9
    verdicts = {row["population"]: row["verdict"] for row in found.rows}
    assert verdicts["cells"] == "exact"
    assert verdicts["last"] != "exact"


def test_rates_beyond_the_limit_are_different(monkeypatch: pytest.MonkeyPatch) -> None:
    def thin(rasters: Any) -> None:
        rasters["cells"][::10] = False

    found = agreement(monkeypatch, StandIn(mistake=thin))
    rate = found.rows[0]
    assert rate["difference"] > rate["tolerance"] == 0.02
    assert rate["verdict"] == found.verdict == "different"


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(BackendUnavailableError, match=r"pynn.nest: package pyNN isn't installed"):
        validate_on(FEATURES["LIF"](), "pynn.nest")


@pytest.mark.parametrize(
    ("target", "words"),
    [("pynn.spiNNaker", "SpiNNaker machine only"), ("pynn.brainscales", "on no registry")],
)
def test_what_simulates_nothing_here_is_refused(target: str, words: str) -> None:
    with pytest.raises(UnsupportedError, match=words):
        validate_on(FEATURES["LIF"](), target)


def test_what_a_target_can_not_hold_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnsupportedError, match=r"of currents .take spikes"):
        validate_on(FEATURES["currents"](), "pynn.nest")
    with pytest.raises(UnsupportedError, match=r"escape noise.*--without-noise"):
        agreement(monkeypatch, StandIn(refused=("population 'a' with escape noise",)))
    monkeypatch.undo()
    with pytest.raises(UnknownNameError, match=r"pynn.neuron"):
        validate_on("lif", "pynn.neuron")
    with pytest.raises(ArgumentError, match=r"validate.steps"):
        validate_on("lif", "pynn.nest", steps=0)


@pytest.mark.parametrize("target", ["nest", "brian2"])
def test_pynn_has_every_spike_in_loops_of_a_step_too(target: str) -> None:
    for package in ("pyNN", target):
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"{package} is not installed")
    found = validate_on(network(), f"pynn.{target}", steps=120)
    assert found.verdict == "exact"
    assert all(row["spikes_a"] > 50 for row in found.rows if row["quantity"] == "rate")


def test_the_command_line_prints_a_row_for_each_measure(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(elsewhere, "TARGETS", {"other": StandIn()})
    arguments = ["validate", "lif", "--target", "other", "--steps", "60", "--without-noise"]
    assert main(arguments) == 0
    shown = capsys.readouterr().out
    assert "left out on both sides: escape noise of 'hidden'" in shown
    assert "van Rossum of output" in shown
    assert "exact: lif on CartPole-v1" in shown
    assert main([*arguments, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert (printed["verdict"], printed["backends"]) == ("exact", ["reference:float", "other"])


@pytest.mark.parametrize("option", [["--learn"], ["--arithmetic", "loihi"]])
def test_options_that_do_not_apply_are_refused(
    option: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", "LIF", "--target", "pynn.nest", *option]) == 2
    assert option[0] in capsys.readouterr().err
    assert main(["validate", "LIF", "--without-noise"]) == 2
