"""Test populations of equation neurons: inputs by name, refusals, plain data and back."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from neurorl import load
from neurorl.backends.registry import backend_class
from neurorl.errors import DescriptionError, DivergenceError, UnsupportedError
from neurorl.models import ADAPTIVE_LIF, ADEX, COBA_LIF, IZHIKEVICH, LIF, Equations
from neurorl.network.description import Network, Plasticity, Population, Projection, Source, Uniform
from neurorl.network.replicate import replicate


def network(*projections: Projection, neuron: Any = COBA_LIF) -> Network:
    nodes = (Source("input", 4), Source("level", 2, "current"), Population("cells", 3, neuron))
    return Network(nodes, projections)


def test_targets() -> None:
    made = network(
        Projection("e", "input", "cells", 1.0, target="ge"),
        Projection("i", "input", "cells", 1.0, target="gi"),
    )
    assert [made.target(p) for p in made.projections] == ["ge", "gi"]
    assert Network.from_dict(json.loads(json.dumps(made.to_dict()))) == made
    for neuron, target in ((LIF(), "q"), (IZHIKEVICH, "q"), (ADAPTIVE_LIF, "v")):
        plain = network(Projection("drive", "input", "cells", 1.0), neuron=neuron)
        assert plain.target(plain.projections[0]) == target
        assert "target" not in plain.projections[0].to_dict()


@pytest.mark.parametrize(
    ("neuron", "target", "message"),
    [
        (COBA_LIF, None, r"'drive'.target: say which input of 'cells' \(limit ge, gi\)"),
        (COBA_LIF, "gx", r"'drive'.target: input of 'cells': unknown name \(got 'gx'.*'g[ei]'"),
        (COBA_LIF, "v", r"'drive'.target: input of 'cells': unknown name \(got 'v'"),
        (LIF(), "ge", r"'drive'.target: input of 'cells': unknown name \(got 'ge'"),
    ],
)
def test_wrong_targets(neuron: Any, target: str | None, message: str) -> None:
    with pytest.raises(DescriptionError, match=message):
        network(Projection("drive", "input", "cells", 1.0, target=target), neuron=neuron)


def test_currents_and_signs_have_one_target() -> None:
    flow = Projection("flow", "level", "cells", 1.0, target="ge")
    made = network(flow, Projection("i", "input", "cells", 1.0, target="gi"))
    assert made.biased("cells") == "ge"
    signed = Projection("i", "input", "cells", 1.0, target="gi", signed=True)
    with pytest.raises(DescriptionError, match=r"'i'.target: signed projections and currents"):
        network(flow, signed)


def test_currents_add_to_their_target_in_every_step() -> None:
    neuron = Equations("n = q", "n > 9", initial={"n": 0.0})
    made = network(
        Projection("flow", "level", "cells", 1.5),
        Projection("drive", "input", "cells", 0.25, signed=True),
        neuron=neuron,
    )
    with load("reference", made) as backend:
        backend.step({"level": np.ones(2), "input": np.ones((1, 4), bool)}, 1)
        assert backend.state()["cells.n"].tolist() == [2.0, 2.0, 2.0]
        backend.step({"level": np.ones(2)}, 1)
        assert backend.state()["cells.n"].tolist() == [4.0, 4.0, 4.0]


@pytest.mark.parametrize(("weight", "unit"), [(1e-9, 2.0**-61), (500.0, 2.0**-23), (0.0, 2.0**-32)])
def test_weights_are_as_fine_as_the_largest_of_their_target(weight: float, unit: float) -> None:
    drive = Projection("drive", "input", "cells", Uniform(0.0, weight), target="ge")
    coarse = Projection("coarse", "input", "cells", 1e6, target="gi")
    with load("reference", network(drive, coarse)) as backend:
        assert backend.arithmetic.rounding("drive").unit == unit
    learns = dataclasses.replace(drive, plasticity=Plasticity(0.0, -8 * weight - 1e-12, weight))
    with load("reference", network(learns)) as backend:
        assert backend.arithmetic.rounding("drive").unit >= 8 * unit or not weight


def test_replicas_have_their_parameters() -> None:
    neuron = COBA_LIF.with_parameters(EL=[-60.0, -61.0, -62.0])
    drive = Projection("drive", "input", "cells", 1.0, target="ge")
    plan = replicate(network(drive, neuron=neuron), 2).populations[0].plan(1e-3)
    assert plan.constants["EL"].tolist() == 2 * [-60.0, -61.0, -62.0]
    assert plan.size == 6


def test_sizes_are_checked_with_the_population() -> None:
    with pytest.raises(DescriptionError, match=r"Population 'cells'.*wrong shape"):
        network(neuron=COBA_LIF.with_parameters(EL=[-60.0, -61.0]))


def test_the_chip_and_whoever_does_not_know_equations_say_so() -> None:
    made = network(Projection("drive", "input", "cells", 1.0), neuron=IZHIKEVICH)
    said = "'cells' of neurons by equations in chip arithmetic.*CubaLIF, LIF"
    assert "by equations" in backend_class("loihi").problems(made, "loihi")[0]
    for backend in ("loihi", "reference"):
        with pytest.raises(UnsupportedError, match=said):
            load(backend, made, arithmetic="loihi")
    with pytest.raises(UnsupportedError, match="by equations can't be here"):
        made.populations[0].neuron.integrator(3, 1e-3)


@pytest.mark.parametrize("name", ["spikes", "refractory"])
def test_keys_of_a_state_are_no_variables(name: str) -> None:
    with pytest.raises(DescriptionError, match=f"'{name}' is a name that every neuron has"):
        Equations(f"{name} = q", f"{name} > 1", initial={name: 0.0})


@pytest.mark.parametrize(("value", "kind"), [("1/(q - 2)", "infinite"), ("sqrt(-q)", "nan")])
def test_a_state_that_is_no_number(value: str, kind: str) -> None:
    """Input comes to neuron 2 of replica 1 in step 3."""
    neuron = Equations(f"v = {value}", "v > 1e9", initial={"v": 0.0})
    weights = np.zeros((4, 3))
    weights[0, 2] = 2.0
    drive = Projection("drive", "input", "cells", weights)
    on = np.zeros((5, 8), bool)
    on[2, 4] = True
    said = f"population 'cells', replica 1, neuron 2, step 3: v has become {kind}"
    with (
        load("reference", network(drive, neuron=neuron), seed=[0, 1]) as backend,
        pytest.raises(DivergenceError, match=said),
    ):
        backend.step({"input": on}, 5)


def test_names_that_synapses_have_too_are_the_neurons() -> None:
    cells = Population("cells", 3, dataclasses.replace(ADEX, inputs=("q",)))
    drive = Projection("drive", "input", "cells", 900.0)
    network = Network((Source("input", 2), cells), (drive,), dt=1e-4)
    spikes = {"input": np.ones((200, 2), dtype=bool)}
    with load("reference", network) as one, load("brian2:numpy", network) as other:
        assert np.array_equal(one.step(spikes, 200)["cells"], other.step(spikes, 200)["cells"])
        assert one.state()["cells.w"].any()
        assert np.array_equal(one.state()["cells.w"], other.state()["cells.w"])
