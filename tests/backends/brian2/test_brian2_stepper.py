"""Test what `neurorl.backends.brian2.objects` assumes of Brian2: a release that differs fails."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from neurorl.backends.brian2.objects import Stepper, array, refill_queue
from neurorl.backends.brian2.vendor import brian2, exact_preferences
from neurorl.errors import BackendError

WINDOWS = (3, 1, 11, 20)


class Small:
    """Build noise, two delays, a recurrent loop, a generator, a network operation and monitors."""

    def __init__(self) -> None:
        ms = brian2.ms
        self.clock = brian2.Clock(1 * ms, name="clock")
        own: dict[str, Any] = {"clock": self.clock}
        indices, steps = np.nonzero(np.random.default_rng(0).random((4, 40)) < 0.3)
        self.drive = brian2.SpikeGeneratorGroup(4, indices, steps * ms, name="drive", **own)
        self.cells = brian2.NeuronGroup(
            5,
            "dv/dt = -v/(5*ms) : 1\nq : 1\ncount : integer",
            threshold="v + 0.3*rand() > 1",
            reset="v = 0; count += 1",
            method="exact",
            name="cells",
            namespace={"ms": ms},
            **own,
        )
        self.cells.run_regularly("v += q; q = 0", when="start", name="arrive")
        self.into = brian2.Synapses(
            self.drive, self.cells, "w : 1", on_pre="q_post += w", delay=2 * ms, name="into", **own
        )
        self.into.connect()
        self.into.w = np.linspace(0.1, 0.9, 20)
        self.loop = brian2.Synapses(
            self.cells, self.cells, "w : 1", on_pre="q_post += w", name="loop", **own
        )
        self.loop.connect()
        self.loop.w = 0.2
        self.seen: list[int] = []
        operation = brian2.NetworkOperation(
            lambda: self.seen.append(int(array(self.clock, "timestep")[0])), name="operation", **own
        )
        self.spikes = brian2.SpikeMonitor(self.cells, name="spikes")
        self.trace = brian2.StateMonitor(self.cells, "v", record=True, name="trace")
        self.network = brian2.Network(
            self.drive, self.cells, self.into, self.loop, operation, self.spikes, self.trace
        )

    def result(self) -> list[Any]:
        spikes = [np.array(self.spikes.i), np.array(self.spikes.t / brian2.ms)]
        return [*spikes, np.array(self.trace.v), np.array(self.cells.count), np.array(self.seen)]


def test_stepping_equals_network_run() -> None:
    with exact_preferences("numpy"):
        run = Small()
        brian2.seed(7)
        for n_steps in WINDOWS:
            run.network.run(n_steps * brian2.ms)
        stepped = Small()
        brian2.seed(7)
        stepper = Stepper(stepped.network, stepped.clock)
        for n_steps in WINDOWS:
            for _ in range(n_steps):
                stepper.advance()
            stepper.show_time()
    assert stepper.t == sum(WINDOWS) == len(stepped.seen)
    assert float(stepped.network.t_) == pytest.approx(float(run.network.t_))
    assert len(run.spikes.i) > 20
    for expected, got in zip(run.result(), stepped.result(), strict=True):
        assert np.array_equal(expected, got)


def test_the_private_names_are_there() -> None:
    with exact_preferences("numpy"):
        small = Small()
        stepper = Stepper(small.network, small.clock)
        stepper.advance()
    assert callable(small.network.before_run)
    assert isinstance(small.network.objects, set)
    assert small.network._clocks == {small.clock}
    for obj in small.network.sorted_objects:
        assert {"when", "active", "_code_objects"} <= set(dir(obj))
        for code in obj._code_objects:
            assert {"compiled_code", "namespace", "nonconstant_values"} <= set(dir(code))
    assert array(small.cells, "_spikespace").shape == (6,)
    assert array(small.clock, "timestep").dtype == np.int64
    assert array(small.clock, "t")[0] == pytest.approx(1e-3)
    assert {"push", "advance", "peek"} <= set(dir(small.into.pre.queue))


def test_a_refilled_queue_delivers_in_the_right_steps() -> None:
    with exact_preferences("numpy"):
        small = Small()
        Stepper(small.network, small.clock)
        rows = np.zeros((4, 4), bool)
        rows[0, 0] = rows[2, 1] = rows[3, 2] = True
        for _ in range(2):  # the second time over what the first has left
            refill_queue(small.into, rows, 2)
        arriving = []
        for _ in range(3):
            arriving.append(sorted(small.into.pre.queue.peek()))
            small.into.pre.queue.advance()
    assert arriving == [[5, 6, 7, 8, 9], [10, 11, 12, 13, 14], []]


def test_another_clock_is_refused_by_name() -> None:
    with exact_preferences("numpy"):
        small = Small()
        odd = brian2.NeuronGroup(1, "v : 1", name="odd", clock=brian2.Clock(2 * brian2.ms))
        small.network.add(odd)
        with pytest.raises(BackendError, match="odd"):
            Stepper(small.network, small.clock)
