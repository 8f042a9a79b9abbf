"""Figures of recordings have what was recorded; the old name of the plots of runs still works."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

import neurorl
from neurorl import Recorder, Recording, SpikingActorCritic, load, plot
from neurorl.errors import ArgumentError, UnknownNameError
from neurorl.testing import FEATURES, rasters

NETWORK = FEATURES["CUBA-LIF"]()
NAMES = ["input.spikes", "middle.spikes", "middle.voltage", "second.weights"]


@pytest.fixture
def recording() -> Recording:
    with load("reference", NETWORK) as backend, Recording(backend, NAMES) as made:
        backend.step(rasters(NETWORK, 40, 1, 0.5), 40)
    return made


def test_a_raster_has_a_dot_for_each_spike(recording: Recording) -> None:
    figure = plot.raster(recording)
    assert len(figure.axes) == 2
    line = figure.axes[1].lines[0]
    spikes = recording["middle.spikes"]
    assert len(line.get_xdata()) == spikes.sum() > 0  # type: ignore[arg-type]
    assert np.array_equal(np.sort(line.get_ydata()), np.sort(np.nonzero(spikes)[1]))
    assert len(plot.raster(recording, ["input.spikes"]).axes) == 1


def test_traces_and_weights_have_a_line_each(recording: Recording) -> None:
    assert len(plot.traces(recording).axes[0].lines) == 12
    (line,) = plot.traces(recording, neurons=[3]).axes[0].lines
    assert np.array_equal(line.get_ydata(), recording["middle.voltage"][:, 3])
    assert len(plot.weights(recording).axes[0].lines) == 36 + 1


@pytest.mark.parametrize("draw", [plot.raster, plot.traces, plot.weights])
def test_before_the_first_step_figures_are_empty(draw: Callable[[Recording], Figure]) -> None:
    with load("reference", NETWORK) as backend, Recording(backend, NAMES) as made:
        assert not any(np.size(line.get_xdata()) for axes in draw(made).axes for line in axes.lines)


def test_what_cannot_be_drawn(recording: Recording) -> None:
    with pytest.raises(ArgumentError, match=r"no such neuron .got 12, limit 0 to 11"):
        plot.traces(recording, neurons=[12])
    with pytest.raises(UnknownNameError, match="recorded name"):
        plot.raster(recording, ["last.spikes"])
    with pytest.raises(ArgumentError, match="nothing recorded to draw"):
        plot.traces(Recorder(["action.spikes"]))


def test_training_is_drawn_by_decision(tmp_path: Path) -> None:
    recorder = Recorder(["hidden.spikes", "modulator", "hidden_output.weights"])
    SpikingActorCritic("neurorl/GridWorld-v0", seed=1).learn(total_episodes=1, record=recorder)
    for draw in (neurorl.plot.raster, neurorl.plot.traces, neurorl.plot.weights):
        figure = draw(recorder)
        assert figure.axes[-1].get_xlabel() == "decision"
        figure.savefig(tmp_path / "a.png")


def test_the_old_name_of_the_plots_of_runs() -> None:
    from neurorl.lab.compare import plot_runs

    assert plot.plot_runs is plot_runs
