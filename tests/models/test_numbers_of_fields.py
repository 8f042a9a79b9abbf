"""Every number of a description passes one boundary: NumPy's become Python's, odd ones are refused.

The fields are found by introspection, so a new class or field is tested as soon as there is one;
`EXAMPLES` has one object of each class that can't be made from its name alone.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Callable, Iterator, Mapping
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import neurorl.reparameterization
from neurorl import (
    Network,
    Population,
    Projection,
    Source,
    SpikingActorCritic,
    Uniform,
    load,
    models,
)
from neurorl.errors import NeurorlError
from neurorl.models import LIF, CubaLIF, Equations, features
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.policies import Softmax
from neurorl.models.deep.patches import Patches
from neurorl.models.features.image_cells import ImageCells
from neurorl.models.features.of_others import (
    BlockMeans,
    Multiply,
    Select,
    SelectChanges,
    SelectParts,
    SubtractMean,
)
from neurorl.models.neurons.leaky import InChipUnits, Lesion
from neurorl.network import connectors, spatial
from neurorl.network.plasticity import Normal, TsodyksMarkram
from neurorl.network.replicate import SideBySide
from neurorl.network.serialization import Described
from neurorl.rules import Rule, SynapseRule

MODULES: tuple[ModuleType, ...] = (neurorl.reparameterization, models, features)  # classes register

BOX = ((0.0, 0.0), (1.0, 1.0))
TILES = features.Tiles(*BOX, 2, 2)
NODES = (Source("input", 2), Population("output", 2, LIF()))
EXAMPLES: Mapping[str, Callable[[], Described]] = {
    "AgentConfig": lambda: AgentConfig(
        "lif",
        CubaLIF(),
        "spikes-only",
        features.OneHot(3),
        features.OneHot(3),
        12,
        history_lags=2,
        history=(0.1, 0.2),
        carries=True,
        input_recalls=(1, 2),
        solved_at=1.0,
    ),
    "BinnedCombinations": lambda: features.BinnedCombinations(*BOX, 3, 2, 4),
    "Blocks": lambda: connectors.Blocks(2),
    "SubtractMean": lambda: SubtractMean(TILES, (0.0,) * TILES.size),
    "Combinations": lambda: features.Combinations(4, 2, 6),
    "Concat": lambda: features.Concat((TILES, TILES)),
    "Equations": lambda: Equations(
        "dv/dt = -v / tau", "v > 1", "v = 0 + q", "euler", parameters={"tau": 1}
    ),
    "ExponentialDistance": lambda: spatial.ExponentialDistance(0.5, [0.0, 1.0]),
    "FixedInDegree": lambda: connectors.FixedInDegree(1),
    "FixedOutDegree": lambda: connectors.FixedOutDegree(1),
    "FixedProbability": lambda: connectors.FixedProbability(0.5),
    "Fourier": lambda: features.Fourier(*BOX),
    "GaussianDistance": lambda: spatial.GaussianDistance(0.5, [0.0, 1.0]),
    "GaussianCells": lambda: features.GaussianCells(*BOX),
    "HashedStates": lambda: features.HashedStates(3, (0, 1)),
    "ImageCells": lambda: ImageCells((4, 4), (2, 2), (0.0,), (1.0,), 2, (0.0,) * 4),
    "InChipUnits": lambda: InChipUnits(LIF(), 1.0),
    "JointStates": lambda: features.JointStates((2, 3), (0, 0)),
    "Network": lambda: Network(NODES, (Projection("p", "input", "output"),)),
    "Normal": lambda: Normal(2e-3, 1e-3, 1e-3, 4e-3),
    "OneHot": lambda: features.OneHot(3),
    "Select": lambda: Select(TILES, (0, 1), 3),
    "SelectChanges": lambda: SelectChanges(TILES, (0, 1), 2, (-1, 0)),
    "SelectParts": lambda: SelectParts(TILES, (0, 1), 3, ("a",)),
    "PlaceCells": lambda: features.PlaceCells(3, 3),
    "BlockMeans": lambda: BlockMeans(features.Fourier((0.0,) * 4, (1.0,) * 4), (4, 4), (2, 2)),
    "Population": lambda: NODES[1],
    "Projection": lambda: Projection("p", "input", "output", delay=2e-3),
    "Patches": lambda: Patches((4, 4, 1), 3, 2),
    "RBF": lambda: features.RBF(*BOX),
    "Raw": lambda: features.Raw(4, 2.0),
    "Rule": lambda: Rule(
        "own",
        output="spike*phi - slow",
        pairs_spikes=True,
        slow_tau=0.1,
        eligibility_tau=0.2,
        post_tau=0.1,
    ),
    "Multiply": lambda: Multiply(TILES, 0.5),
    "Lesion": lambda: Lesion(LIF(), (0, 1)),
    "Source": lambda: NODES[0],
    "Synapses": lambda: connectors.Synapses((0, 1), (1, 0)),
    "SideBySide": lambda: SideBySide(LIF(), 2),
    "Tiles": lambda: TILES,
    "SynapseRule": lambda: SynapseRule("mine", on_pre="w += k", parameters={"k": 1}),
    "TsodyksMarkram": lambda: TsodyksMarkram(),
    "Uniform": lambda: Uniform(0.0, 1.0),
}
NOT_MADE = {"AgentFields": "is AgentConfig", "Copies": "is made of lists of synapses, by replicas"}
"""Give the reason why there is no object of a class."""

MA: Any = np.ma
ODD: tuple[Any, ...] = (
    *(float("nan"), float("inf"), -1e300, 10**400, 1j, np.complex64(1)),
    *(np.float32("nan"), np.datetime64("2020"), np.timedelta64(1, "s"), "1", b"1", object()),
    *(np.ma.masked, MA.array([1.0], mask=[True]), np.array([1j])),
)


def classes() -> list[type[Described]]:
    """Return the library's classes that have fields."""
    own = [cls for cls in Described._classes.values() if cls.__module__.startswith("neurorl.")]
    return [
        cls
        for cls in own
        if dataclasses.is_dataclass(cls)
        and cls.__name__ not in NOT_MADE
        and not getattr(cls, "__abstractmethods__", None)
        and not cls.__name__.startswith("_")
    ]


def example(cls: type[Described]) -> Described:
    return EXAMPLES[cls.__name__]() if cls.__name__ in EXAMPLES else cls()


def numbers(one: Described) -> Iterator[tuple[str, Any]]:
    """Yield the fields that hold a number, or numbers, and their values."""
    for name in (f.name for f in dataclasses.fields(one)):  # type: ignore[arg-type]
        value = getattr(one, name)
        members = value if isinstance(value, tuple) and value else (value,)
        if all(isinstance(member, (bool, int, float)) for member in members):
            yield name, value


def forms(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield a number as NumPy has it, and what that is in Python."""
    if isinstance(value, tuple):
        pairs = zip(*(forms(member) for member in value), strict=True)
        yield from ((tuple(a for a, _ in row), tuple(b for _, b in row)) for row in pairs)
    elif isinstance(value, bool):
        yield from ((np.bool_(value), value), (np.array(value), value))
    elif isinstance(value, int):
        kinds = (np.int8, np.uint8, np.int32, np.int64, np.uint64)
        fit = [kind for kind in kinds if np.iinfo(kind).min <= value <= np.iinfo(kind).max]
        yield from ((kind(value), value) for kind in (*fit[-3:], np.array))
    else:
        for kind in (np.float16, np.float32, np.float64, np.longdouble):
            yield kind(value), float(kind(value))
        yield np.array(value), value


CLASSES = classes()


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_numpys_numbers_are_pythons(cls: type[Described]) -> None:
    one = example(cls)
    for name, value in numbers(one):
        for form, plain in forms(value):
            try:
                usual = dataclasses.replace(one, **{name: plain})  # type: ignore[type-var]
            except NeurorlError:  # rounded, it is out of range
                continue
            made = dataclasses.replace(one, **{name: form})  # type: ignore[type-var]
            assert made == usual, (name, form)
            assert json.dumps(made.to_dict()) == json.dumps(usual.to_dict())
            kept, known = getattr(made, name), getattr(usual, name)
            assert type(kept) is type(known), (name, form)
            if isinstance(kept, tuple):
                assert list(map(type, kept)) == list(map(type, known)), (name, form)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_what_is_no_number_of_a_field_is_refused(cls: type[Described]) -> None:
    one = example(cls)
    for name, value in numbers(one):
        odd = ODD if isinstance(value, bool) else (*ODD, True)
        for bad in odd:
            with pytest.raises(NeurorlError):
                pytest.fail(f"{name} takes {dataclasses.replace(one, **{name: bad})!r}")  # type: ignore[type-var]


def test_every_class_is_tried() -> None:
    assert len(CLASSES) > 50
    known = {cls.__name__ for cls in CLASSES}
    assert not EXAMPLES.keys() - known


def test_a_whole_number_for_a_real_one_is_kept_as_a_real_one() -> None:
    """So equal agents have equal files."""
    agent: Any = EXAMPLES["AgentConfig"]()
    whole, real = (agent.changed(gamma=k, policy=Softmax(beta=k)) for k in (1, 1.0))
    assert json.dumps(whole.to_dict()) == json.dumps(real.to_dict())
    assert json.dumps(Softmax(beta=2).to_dict()["beta"]) == "2.0"


def test_an_agent_of_numpys_numbers_goes_on_as_one_of_pythons(tmp_path: Any) -> None:
    def learned(kind: Any) -> tuple[bytes, bytes]:
        options: dict[str, Any] = {
            "gamma": kind(0.9),
            "critic.lambda_": kind(0.7),
            "reward_scale": kind(0.3),
        }
        options["seed"] = np.int64(3)
        agent = SpikingActorCritic("neurorl/Bandit-v0", backend="reference", actors=1, **options)
        agent.learn(total_episodes=int(np.int16(3)))
        agent.save(tmp_path / "agent.npz")
        again = SpikingActorCritic.load(tmp_path / "agent.npz")
        for one in (agent, again):
            one.learn(total_episodes=6)
        return tuple(one.weights["input_output"].tobytes() for one in (agent, again))  # type: ignore[return-value]

    assert len({*learned(np.float32), *learned(lambda x: float(np.float32(x)))}) == 1


def test_masked_and_complex_weights_and_inputs_are_refused() -> None:
    network = Network(NODES, (Projection("p", "input", "output"),))
    backend = load("reference", network)
    masked = MA.array(np.ones((2, 2)), mask=np.eye(2))
    for weights in (masked, np.full((2, 2), 1j), [["1", "1"], ["1", "1"]]):
        with pytest.raises(NeurorlError, match="weights"):
            backend.set_weights("p", weights)
        with pytest.raises(NeurorlError, match="weights"):
            Projection("p", "input", "output", weights)
    with pytest.raises(NeurorlError, match="masked"):
        backend.step({"input": masked > 0}, 2)


def test_an_observation_of_another_length_is_refused() -> None:
    with pytest.raises(NeurorlError, match="another size"):
        TILES([0.3])


@pytest.mark.parametrize("environment", ["CartPole-v1", "MountainCar-v0", "neurorl/GridWorld-v0"])
def test_memories_that_cells_have_no_place_for_are_refused(environment: str) -> None:
    with pytest.raises(NeurorlError, match=r"agent\.memories"):
        SpikingActorCritic(environment, backend="reference", memories=(0.5,))


def test_editors_see_the_fields() -> None:
    """The boundary stands before the class, and must not hide what it takes."""
    assert [*inspect.signature(CubaLIF).parameters][:2] == ["tau_syn", "tau_mem"]
    assert inspect.signature(CubaLIF).parameters["threshold"].default == CubaLIF().threshold
