"""Compare with Brian2Loihi 0.5, an emulator by Michaelis et al. 2022, where it can express it.

It has no bias, no noise, no highest membrane and no overflow, and one set of parameters for all
neurons of a population; of the rest, every spike, current and voltage of every step must be equal.
Its ``decay_I`` is the chip's register plus one, its spikes of a generator arrive within the step.

Weights are rewritten inside one of its runs, as the next one would begin without the spikes of the
step before. It clears the six lowest bits of a weight, ``mantissa * 2**(6 + exponent)``;
nengo-loihi doesn't. So they differ for exponents below -1, which a projection gets if another into
the same population has weights more than four times as large.
"""

from __future__ import annotations

import importlib
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import numpy as np
import pytest
from chip_cases import PLAIN, ChipCase, chip_cases
from chip_events import counting
from hypothesis import HealthCheck, Phase, assume, given, settings
from stepwise import SteppedSimulator

from neurorl.arithmetic.quantiser import THRESHOLD_UNIT
from neurorl.arithmetic.rounding import ChipArithmetic
from neurorl.backends.brian2.vendor import brian2
from neurorl.backends.registry import backend_class, load
from neurorl.models import CubaLIF
from neurorl.network.description import Network, Population, Projection, Source
from neurorl.numerics.arrays import FloatArray
from neurorl.testing import rasters

backend_class("brian2")  # imports Brian2 without its warnings
witness: Any = None
with warnings.catch_warnings(), suppress(ImportError):
    warnings.simplefilter("ignore")
    witness = importlib.import_module("brian2_loihi")

pytestmark = pytest.mark.witness("brian2_loihi")

FEW, MANY = 8, 60
Steps = dict[str, np.ndarray[Any, Any]]


@contextmanager
def of_the_witness() -> Iterator[None]:
    """Use Brian2's own preferences but for NumPy, and no warnings.

    It must take ``dt / ms`` out of its loops, else a current may be 1e-12 off an integer.
    """
    before, dt = brian2.prefs["codegen.target"], brian2.defaultclock.dt
    brian2.prefs["codegen.target"] = "numpy"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        brian2.prefs["codegen.target"], brian2.defaultclock.dt = before, dt


class Witness:
    """Build a network in Brian2Loihi.

    inputs: of each source, its spikes in all steps. writes: by step, the weights of each projection
    that act from then on.
    """

    def __init__(
        self, network: Network, inputs: Steps, writes: dict[int, dict[str, FloatArray]]
    ) -> None:
        self.network = network
        self.chip = ChipArithmetic(network)
        self._groups = {name: self._source(raster) for name, raster in inputs.items()}
        self._groups |= {p.name: self._neurons(p) for p in network.populations}
        self._synapses = {p.name: self._connect(p) for p in network.projections}
        populations = [p.name for p in network.populations]
        self._spikes = {k: witness.LoihiSpikeMonitor(self._groups[k]) for k in populations}
        self._watched = {
            (k, v): witness.LoihiStateMonitor(self._groups[k], v) for k in populations for v in "Iv"
        }
        self._writes = writes
        write = brian2.NetworkOperation(self._write, when="start")
        parts = (self._groups, self._synapses, self._spikes, self._watched)
        whole = [part for kind in parts for part in kind.values()]
        self._write_at(0)
        witness.LoihiNetwork(write, *whole).run(len(next(iter(inputs.values()))))

    def _write(self, t: Any) -> None:
        self._write_at(round(float(np.asarray(t).ravel()[0]) * 1000))

    def _write_at(self, step: int) -> None:
        for name, weights in self._writes.get(step, {}).items():
            mantissa = self.chip.mantissa(name, weights).astype(np.int64)
            self._synapses[name].w = mantissa[self._existing(name)]

    def seen(self, n_steps: int) -> Steps:
        """Return spikes, currents and voltages of every population, ``(n_steps, size)``."""
        found: Steps = {}
        for p in self.network.populations:
            spikes = np.zeros((n_steps, p.size), dtype=bool)
            monitor = self._spikes[p.name]
            spikes[np.rint(np.asarray(monitor.t_) * 1000).astype(int), np.asarray(monitor.i)] = True
            found[f"{p.name}.spikes"] = spikes
            for key, variable in (("current", "I"), ("voltage", "v")):
                found[f"{p.name}.{key}"] = getattr(self._watched[p.name, variable], variable).T
        return found

    def _source(self, raster: np.ndarray[Any, Any]) -> Any:
        steps, neurons = np.nonzero(raster)
        return witness.LoihiSpikeGeneratorGroup(raster.shape[1], neurons, steps + 1)

    def _neurons(self, population: Population) -> Any:
        chip = self.chip.chip.populations[population.name]
        return witness.LoihiNeuronGroup(
            population.size,
            refractory=int(chip.refractory[0]),
            threshold_v_mant=int(chip.threshold[0]) // THRESHOLD_UNIT,
            decay_v=int(chip.voltage_decay[0]),
            decay_I=int(chip.current_decay[0]) + 1,
        )

    def _connect(self, p: Projection) -> Any:
        synapses = witness.LoihiSynapses(
            self._groups[p.pre],
            self._groups[p.post],
            delay=self.network.delay_steps(p.name) - 1,
            w_exp=self.chip.chip.projections[p.name].exponent,
            sign_mode=witness.synapse_sign_mode.MIXED,
        )
        block, pre, post = self._existing(p.name) if p.blocks > 1 else (0, *self._existing(p.name))
        shape = self.network.weight_shape(p.name)
        synapses.connect(i=block * shape[-2] + pre, j=block * shape[-1] + post)
        return synapses

    def _existing(self, name: str) -> tuple[Any, ...]:
        mask = self.network.projection(name).mask
        shape = self.network.weight_shape(name)
        return np.nonzero(np.ones(shape, dtype=bool) if mask is None else mask)


def _ours(case: ChipCase) -> tuple[Steps, dict[int, dict[str, FloatArray]], list[Steps]]:
    """Hold all input spikes, the weights written at each step, and what the simulators did."""
    network, common = case.network, {"arithmetic": "loihi", "seed": case.seeds}
    inputs: list[dict[str, Any]] = []
    writes: dict[int, dict[str, FloatArray]] = {}
    rows: list[list[Steps]] = [[], []]
    with ExitStack() as stack:
        ours = [
            stack.enter_context(load(k, network, **common)) for k in (SteppedSimulator, "loihi")
        ]
        for moment in case.moments:
            rng = np.random.default_rng(moment.seed)
            for p in network.projections if "write" in moment.before else ():
                weights = ours[0].weights(p.name) * rng.uniform(
                    -1.5, 1.5, network.weight_shape(p.name)
                )
                for backend in ours:
                    backend.set_weights(p.name, weights)
            writes[len(rows[0])] = {p.name: ours[0].weights(p.name) for p in network.projections}
            window = rasters(network, moment.n_steps, moment.seed, moment.density)
            inputs.append(window)
            for k in range(moment.n_steps):
                now = {name: raster[k : k + 1] for name, raster in window.items()}
                for mine, backend in zip(rows, ours, strict=True):
                    spikes = {f"{n}.spikes": r[0] for n, r in backend.step(now, 1).items()}
                    mine.append({**backend.state(), **spikes})
    whole = {name: np.concatenate([window[name] for window in inputs]) for name in inputs[0]}
    return (
        whole,
        writes,
        [{k: np.stack([row[k] for row in mine]) for k in mine[0]} for mine in rows],
    )


def compare(case: ChipCase, seen: Counter[str]) -> None:
    network = case.network
    assume(all(p.mask is None or p.mask.any() for p in network.projections))
    assume(not backend_class("loihi").problems(network, "loihi"))
    with counting() as events, of_the_witness():
        inputs, writes, ours = _ours(case)
        theirs = Witness(network, inputs, writes)
    beyond = ("overflow of q", "overflow of u", "overflow of u + bias", "lowest membrane")
    assume(not any(events[k] for k in (*beyond, "beyond the highest membrane")))
    for key, values in theirs.seen(len(ours[0]["t"])).items():
        for seen_by_us in ours:
            assert np.array_equal(seen_by_us[key], values), key
    seen.update(events)
    for p in network.projections:
        seen["loop"] += p.pre == p.post
        seen["delay"] += network.delay_steps(p.name) > 1
        seen["mask"] += p.mask is not None
        seen["blocks"] += p.blocks > 1
        seen["exponent -1"] += theirs.chip.chip.projections[p.name].exponent == -1
    seen["write"] += any("write" in moment.before for moment in case.moments)
    seen["examples"] += 1


def run(examples: int) -> Counter[str]:
    seen: Counter[str] = Counter()

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.filter_too_much),
    )
    @given(case=chip_cases(PLAIN))
    def all_agree(case: ChipCase) -> None:
        compare(case, seen)

    all_agree()
    return seen


def test_every_spike_current_and_voltage_is_equal() -> None:
    seen = run(FEW)
    needed = ("spikes", "dead steps", "u rounded from below", "delay", "mask", "blocks", "write")
    assert [event for event in needed if not seen[event]] == []
    assert seen["examples"] >= FEW


@pytest.mark.slow
def test_every_spike_current_and_voltage_is_equal_in_many_networks() -> None:
    seen = run(MANY)
    assert seen["loop"]
    assert seen["exponent -1"]
    assert seen["examples"] >= MANY


def test_it_clears_six_bits_of_weights_that_nengo_loihi_keeps() -> None:
    """With those bits cleared on our side too, all is equal where exponents are below -1."""
    weak = np.random.default_rng(0).uniform(-0.05, 0.06, (10, 4))
    network = Network(
        (Source("input", 10), Population("cells", 4, CubaLIF(5e-3, 20e-3, 0.3))),
        (
            Projection("strong", "input", "cells", 1.0, mask=np.eye(10, 4, dtype=bool)),
            Projection("weak", "input", "cells", weak),
        ),
    )
    rounding = ChipArithmetic(network).rounding("weak")
    transmitted = np.rint(weak * rounding.inverse) * rounding.transmitted_unit
    cleared = rounding.in_force(np.floor(transmitted / 64) * 64)
    inputs = rasters(network, 60, 1, 0.3)
    with of_the_witness():
        theirs = Witness(network, inputs, {0: {"strong": np.eye(10, 4), "weak": weak}}).seen(60)
    with load("loihi", network) as backend:
        backend.step(inputs, 60)
        assert not np.array_equal(backend.state()["cells.current"], theirs["cells.current"][-1])
    with load("loihi", network) as backend:
        backend.set_weights("weak", cleared)
        assert np.array_equal(backend.step(inputs, 60)["cells"], theirs["cells.spikes"])
        assert np.array_equal(backend.state()["cells.current"], theirs["cells.current"][-1])
