"""Fail where a new xylosim no longer has, or does otherwise, what the backend uses."""

from __future__ import annotations

import importlib.metadata
from typing import Any

import numpy as np
import pytest
from xylo_vendor import REASON

xylosim = pytest.importorskip("xylosim.v2", reason=REASON)

VERSION = "0.1.3"


def test_the_version_is_the_one_that_was_read() -> None:
    assert importlib.metadata.version("xylosim") == VERSION


def test_the_signature_of_a_layer_is_as_it_was() -> None:
    named = [
        part.partition(":")[0].strip()
        for part in xylosim.XyloLayer.__init__.__doc__.split("(", 1)[1].split(", ")
    ]
    for name in (
        *("synapses_in", "synapses_rec", "synapses_out", "aliases", "threshold", "threshold_out"),
        *("has_bias", "bias", "bias_out", "weight_shift_inp", "weight_shift_rec"),
        *("weight_shift_out", "dash_mem", "dash_mem_out", "dash_syns", "dash_syns_out", "name"),
    ):
        assert name in named


def layer(weight: int = 100, threshold: int = 40, shift: int = 1) -> tuple[Any, list[Any]]:
    """Return one input, one hidden and one output neuron, and the synapses, to be kept."""
    synapses = [xylosim.XyloSynapse(0, 0, w) for w in (weight, 0, 100)]
    made = xylosim.XyloLayer(
        synapses_in=[[synapses[0]]],
        synapses_rec=[[synapses[1]]],
        synapses_out=[[synapses[2]]],
        aliases=[[]],
        threshold=[threshold],
        threshold_out=[40],
        has_bias=True,
        bias=[0],
        bias_out=[0],
        weight_shift_inp=shift,
        weight_shift_rec=0,
        weight_shift_out=0,
        dash_mem=[3],
        dash_mem_out=[3],
        dash_syns=[[1]],
        dash_syns_out=[[1]],
        name="one",
    )
    return made, synapses


def test_input_arrives_at_once_and_hidden_spikes_one_step_later() -> None:
    made, _ = layer()
    assert made.evolve([[1], [0]]) == [[0], [1]]
    # 200 arrives, half is left: 100 are two spikes of 40. The output neuron has one at most.
    assert made.rec_recurrent_spikes == [[2], [1]]
    assert made.rec_i_syn == [[100, 50]]
    assert made.rec_v_mem == [[20, 28]]
    assert made.rec_i_syn_out == [[0, 100]]
    assert made.rec_v_mem_out == [[0, 60]]


def test_a_hidden_neuron_spikes_31_times_at_most() -> None:
    made, _ = layer(weight=127, threshold=1)
    made.evolve([[1]])
    assert made.rec_recurrent_spikes == [[31]]


def test_weights_and_biases_may_be_written_in_place() -> None:
    made, synapses = layer()
    synapses[0].weight = -100
    made.iaf_neurons[0].bias = 7
    made.evolve([[1]])
    assert made.rec_v_mem == [[-93]]
    made.reset_all()
    assert np.size(made.rec_v_mem) == 0
