"""Run a case of `chip_cases` on all backends, and say what was in it."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from typing import Any

import numpy as np
from chip_cases import ChipCase, chip_cases
from chip_events import counting
from hypothesis import HealthCheck, Phase, assume, given, settings
from simulators import loihi_of
from stepwise import SteppedSimulator

from neurorl.arithmetic.quantiser import quantise
from neurorl.backends.base import Backend
from neurorl.backends.loihi.placement import CoreLimits
from neurorl.backends.registry import backend_class, load
from neurorl.backends.simulator import Simulator
from neurorl.testing import rasters, same_state


def run(feature: str, examples: int, is_quick: bool = False) -> Counter[str]:
    """Count what happened in the examples of a feature, in which all backends agreed.

    is_quick: on Loihi's emulator alone, and without a search for a smaller example that fails.
    """
    seen: Counter[str] = Counter()

    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=(Phase.generate,) if is_quick else (Phase.generate, Phase.shrink),
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
    )
    @given(case=chip_cases(feature))
    def all_agree(case: ChipCase) -> None:
        agree(case, seen, is_quick)
        seen["examples"] += 1

    all_agree()
    return seen


def others(case: ChipCase, is_quick: bool) -> list[tuple[str, dict[str, Any]]]:
    """Map the backends that are compared with the reference to their options."""
    core = CoreLimits(**case.core)
    found: list[tuple[str, dict[str, Any]]] = [
        ("reference", {}),
        ("loihi", {"core": core}),
        ("loihi", {"core": core, "engine": "stock"}),
    ]
    if case.noise == "exact" and not is_quick:
        found += [("native", {}), ("brian2", {})]
    return found


def agree(case: ChipCase, seen: Counter[str], is_quick: bool = False) -> None:
    """Assert that all backends give the same spikes, currents, voltages and weights."""
    cls = backend_class("loihi")
    limits = CoreLimits(**case.core)
    assume(not cls.problems(case.network, "loihi", core=limits))  # type: ignore[call-arg]
    common = {"arithmetic": "loihi", "seed": case.seeds, "noise": case.noise}
    with ExitStack() as stack, counting() as events:

        def make(name: str | type[Simulator], options: dict[str, Any]) -> Backend:
            return stack.enter_context(load(name, case.network, **common, **options))

        reference = make(SteppedSimulator, {})
        backends = [make(name, options) for name, options in others(case, is_quick)]
        _play(case, reference, backends)
        facts = _facts(case, backends[1])
    seen.update(events)
    seen.update(facts)


def _play(case: ChipCase, reference: Backend, backends: list[Backend]) -> None:
    saved = [reference.state(k) for k in range(reference.n_replicas)]
    for moment in case.moments:
        rng = np.random.default_rng(moment.seed)
        for what in moment.before:
            saved = _act(what, case, [reference, *backends], saved, rng)
        inputs = rasters(reference.simulated.whole, moment.n_steps, moment.seed, moment.density)
        expected = reference.step(inputs, moment.n_steps)
        for backend in backends:
            out = backend.step(inputs, moment.n_steps)
            for population in expected:
                assert np.array_equal(out[population], expected[population]), population
            for k in range(reference.n_replicas):
                assert same_state(backend.state(k), reference.state(k)) == []


def _act(
    what: str, case: ChipCase, all_of_them: list[Backend], saved: list[Any], rng: Any
) -> list[Any]:
    reference = all_of_them[0]
    if what == "save":  # each from another backend, as states are said to move
        return [all_of_them[k % len(all_of_them)].state(k) for k in range(reference.n_replicas)]
    factors = {
        p.name: rng.uniform(-1.5, 1.5, reference.weights(p.name).shape)
        for p in case.network.projections
        if rng.random() < 0.7
    }
    weights = {name: reference.weights(name) * factor for name, factor in factors.items()}
    k = int(rng.integers(reference.n_replicas))
    for backend in all_of_them:
        if what == "reset":
            backend.reset([k] if reference.n_replicas > 1 else None)
        elif what == "restore":
            backend.restore(saved[k], k)
        else:
            for name, value in weights.items():
                backend.set_weights(name, value)
    return saved


def _facts(case: ChipCase, loihi: Any) -> Counter[str]:
    """Count what a case is made of."""
    found: Counter[str] = Counter(what for moment in case.moments for what in moment.before)
    found["replicas"] += loihi.n_replicas > 1
    found["current"] += len(case.network.currents)
    found["split population"] += sum(
        len(loihi_of(loihi).placement.cores[p.name]) > 1 for p in case.network.populations
    )
    for p in case.network.projections:
        steps = case.network.delay_steps(p.name)
        weights = loihi.weights(p.name)
        found["loop"] += p.pre == p.post
        found["mask"] += p.mask is not None
        found["blocks"] += p.blocks > 1
        found["signed"] += p.signed
        found["delay of 2 or 3"] += 2 <= steps <= 3
        found["delay of 4 or more"] += steps >= 4
        found["no positive weight"] += bool((weights <= 0).all() and (weights < 0).any())
    quantised = quantise(case.network)
    for projection in quantised.projections.values():
        found[f"exponent {projection.exponent}"] += 1
    for chip in quantised.populations.values():
        found["negative bias"] += int((chip.bias < 0).sum())
        for register in chip.refractory:
            found[f"refractory {register}"] += 1
            found[f"refractory {register // 8}/8"] += 1
        for kind, registers in (("current", chip.current_decay), ("voltage", chip.voltage_decay)):
            for register in registers:
                found[f"{kind} decay {register}"] += 1
                found[f"{kind} decay {register // 256}/16"] += 1
    return found
