"""Test delays of several steps on the Loihi backend: shifted sources and chains of relays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from chip_features import CHIP_FEATURES
from simulators import loihi_of

from neurorl.arithmetic.quantiser import quantise
from neurorl.backends.loihi.delays import InputHistory, relayed
from neurorl.backends.registry import load
from neurorl.models import LIF, CubaLIF
from neurorl.network.description import Network, Population, Projection, Source, Uniform
from neurorl.testing import FEATURES, random_network, rasters, same_state

DT = 1e-3
CELL = LIF(tau_mem=0.0, threshold=0.5)


def line(source_steps: int, cell_steps: int) -> Network:
    """Chain channel, neuron and neuron, so that each spike causes one spike of the next."""
    return Network(
        (Source("input", 1), Population("a", 1, CELL), Population("b", 1, CELL)),
        (
            Projection("ia", "input", "a", 1.0, delay=source_steps * DT),
            Projection("ab", "a", "b", 1.0, delay=cell_steps * DT),
        ),
        DT,
    )


def loops() -> Network:
    """Return fixed and plastic history, two delays of one source, noise and refractory periods."""
    cells = CubaLIF(2e-3, 8e-3, 0.6, 0.0, 0.1, refractory=2e-3)
    return Network(
        (Source("input", 4), Population("cells", 10, cells)),
        (
            Projection("near", "input", "cells", Uniform(0.0, 1.0)),
            Projection("far", "input", "cells", Uniform(0.0, 1.0), delay=6 * DT),
            *(
                Projection(f"own_{k}", "cells", "cells", 0.3 - 0.2 * k, blocks=10, delay=k * DT)
                for k in (1, 2, 5)
            ),
            Projection("all", "cells", "cells", Uniform(-0.1, 0.2), delay=3 * DT),
            Projection("plus", "cells", "cells", 0.02, signed=True, delay=2 * DT),
        ),
        DT,
    )


DELAYED = ("delays of several steps", "synapses as a list", "a delay for each synapse")


def test_without_delays_the_network_is_itself() -> None:
    for name in CHIP_FEATURES:
        network = FEATURES[name]()
        plan = relayed(network)
        assert (plan.network is network) == (name not in DELAYED), name


def test_sources_are_repeated_and_populations_relayed() -> None:
    plan = relayed(loops())
    assert [node.name for node in plan.network.nodes] == [
        "input",
        "cells",
        "input_after_5",
        *(f"cells_after_{k}" for k in range(1, 5)),
    ]
    assert plan.depths == {"input": 6, "cells": 5}
    ends = {p.name: (p.pre, p.post) for p in plan.network.projections}
    assert ends["far"] == ("input_after_5", "cells")
    assert ends["own_1"] == ("cells", "cells")
    assert ends["own_5"] == ("cells_after_4", "cells")
    assert ends["cells_after_2_relay"] == ("cells_after_2", "cells_after_3")
    assert {plan.network.delay_steps(name) for name in ends} == {1}


def test_names_that_are_taken_are_left_alone() -> None:
    network = Network(
        (Source("input", 1), Population("input_after_1", 1, CELL)),
        (Projection("input_after_1_", "input", "input_after_1", 1.0, delay=2 * DT),),
        DT,
    )
    plan = relayed(network)
    assert plan.later["input"] == {1: "input_after_1__"}


def test_integers_of_the_network_do_not_change() -> None:
    for network in (loops(), random_network(3, delays=True)):
        before, after = quantise(network), quantise(relayed(network).network)
        for name, population in before.populations.items():
            for key, value in vars(population).items():
                assert np.array_equal(value, getattr(after.populations[name], key)), (name, key)
        assert before.projections.items() <= after.projections.items()


def test_input_history_by_hand() -> None:
    network = line(3, 1)
    history = InputHistory(relayed(network))
    spikes = np.array([1, 0, 1, 1, 0], bool)[:, None]
    first = history.extend({"input": spikes[:1]}, 1)
    second = history.extend({"input": spikes[1:]}, 4)
    shifted = [first["input_after_2"].ravel().tolist(), second["input_after_2"].ravel().tolist()]
    assert shifted == [[False], [False, True, False, True]]
    assert history.past["input"].ravel().tolist() == [True, True, False]
    assert {k: row.tolist() for k, row in history.pending().items()} == {
        "input": [False],
        "input_after_2": [True],
    }


@pytest.mark.parametrize("engine", ["native", "stock"])
@pytest.mark.parametrize("split", [1, 2, 3, 14])
@pytest.mark.parametrize(("source_steps", "cell_steps"), [(1, 1), (4, 1), (1, 4), (3, 5)])
def test_a_spike_arrives_after_the_delay(
    source_steps: int, cell_steps: int, split: int, engine: str
) -> None:
    spikes = np.zeros((14, 1), bool)
    spikes[[0, 2, 3]] = True
    seen: dict[str, list[Any]] = {"a": [], "b": []}
    with load("loihi", line(source_steps, cell_steps), engine=engine) as backend:
        for k in range(0, 14, split):
            part = spikes[k : k + split]
            for name, raster in backend.step({"input": part}, len(part)).items():
                seen[name].append(raster)
    for name, steps in (("a", source_steps), ("b", source_steps + cell_steps)):
        fired = np.flatnonzero(np.vstack(seen[name]))
        assert fired.tolist() == [steps, steps + 2, steps + 3]


@pytest.mark.parametrize("way", ["C++", "NumPy", "stock"])
def test_loops_are_the_references(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way == "NumPy":
        monkeypatch.setattr("neurorl.backends.loihi.quick.toolchain.problem", lambda: "no compiler")
    network = loops()
    with (
        load("loihi", network, seed=7, engine="stock" if way == "stock" else "native") as backend,
        load("reference", network, seed=7, arithmetic="loihi") as reference,
    ):
        rng = np.random.default_rng(1)
        for window in range(30):
            n_steps = int(rng.integers(1, 9))
            inputs = rasters(network, n_steps, window, 0.3)
            seen, expected = backend.step(inputs, n_steps), reference.step(inputs, n_steps)
            assert np.array_equal(seen["cells"], expected["cells"]), window
            assert same_state(backend.state(), reference.state()) == [], window
            if window % 7 == 3:
                weights = rng.uniform(-0.4, 0.4, (10, 1, 1))
                for one in (backend, reference):
                    one.set_weights("own_5", weights)
            if window % 11 == 10:
                backend.reset()
                reference.reset()
        saved = backend.state()
        assert saved["cells.spikes"].any()
        assert saved["input.spikes"].shape == (6, 4)
        inputs = rasters(network, 9, 99)
        expected = backend.step(inputs, 9)
        reference.restore(saved)
        assert np.array_equal(reference.step(inputs, 9)["cells"], expected["cells"])
        backend.restore(saved)
        assert np.array_equal(backend.step(inputs, 9)["cells"], expected["cells"])


def test_the_report_counts_relays() -> None:
    with load("loihi", loops()) as backend:
        rows = {row["population"]: row for row in loihi_of(backend).chip_table()}
        text = backend.source()
    assert list(rows) == ["cells", *(f"cells_after_{k}" for k in range(1, 5))]
    assert [row["compartments"] for row in rows.values()] == [10] * 5
    assert sum(row["cores"] for row in rows.values()) == 5
    assert rows["cells_after_1"]["axons_in"] == 10
    assert rows["cells_after_1"]["axons_out"] == 30  # own_2, plus and the next relay
    assert "cells_after_2: spikes of cells, 2 steps later" in text
    assert "input_after_5: spikes of input, 5 steps later" in text


def test_relays_and_later_sources_are_not_shown() -> None:
    with load("loihi", loops()) as backend:
        assert set(backend.step({}, 3)) == {"cells"}
        assert {key.split(".")[0] for key in backend.state()} == {
            "t",
            "input",
            "cells",
            *(p.name for p in loops().projections),
        }
