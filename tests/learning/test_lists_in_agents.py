"""Agents that learn by the synapses of lists: as under a mask, bit for bit."""

from __future__ import annotations

import dataclasses
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from configs import config_of

from neurorl import Network, Plasticity, Population, Projection, SpikingActorCritic, Uniform, load
from neurorl.agents.checkpoint import read_agent
from neurorl.errors import FallbackWarning, UnsupportedError
from neurorl.learning.loops.numpy import NumpyLoop
from neurorl.learning.memory import memory_for
from neurorl.learning.plan import LearningPlan
from neurorl.models import LIF, FixedProbability, Synapses
from neurorl.models.agent.config import AgentConfig
from neurorl.models.features import GaussianCells
from neurorl.network.description import Source
from neurorl.rules import Rule
from neurorl.runs.training import train_seeds

CELLS = GaussianCells((-2.4, -3.0, -0.21, -3.0), (2.4, 3.0, 0.21, 3.0), cells=6)
MEMBRANE = Rule("of-membranes", output="(spike - 0.1*v)*phi")
DT = 1e-3

pytestmark = pytest.mark.filterwarnings("ignore::neurorl.errors.FallbackWarning")


def both(seed: int, outputs: int = 4, kind: str = "spikes") -> tuple[Network, Network]:
    """Return one random network of an agent with lists of synapses, and with masks of the same."""
    rng = np.random.default_rng(seed)
    sizes = {"input": 24, "hidden": 6, "output": outputs}
    cell = LIF(tau_mem=8e-3, threshold=0.6, noise=0.2)
    listed, masked = [], []
    ends = [("input", "hidden"), ("hidden", "output"), ("input", "output"), ("output", "hidden")]
    for k, (pre, post) in enumerate(ends):
        mask = rng.random((sizes[pre], sizes[post])) < rng.uniform(0.4, 0.9)
        mask[0] = True
        plastic = Plasticity(float(rng.choice([0.0, 5e-3])), -1.0, 1.2)
        steps = int(rng.integers(1, 4))
        delay = None if pre == "input" and kind == "current" else steps * DT
        one = Projection(
            f"p{k}",
            pre,
            post,
            Uniform(-0.3, 0.6),
            mask=mask,
            delay=delay,
            plasticity=plastic if k != 3 else None,
        )
        masked.append(one)
        where = np.nonzero(mask)
        listed.append(dataclasses.replace(one, mask=None, connect=Synapses(where[0], where[1])))
    hidden, output = (Population(name, sizes[name], cell) for name in ("hidden", "output"))
    nodes = (Source("input", 24, kind), hidden, output)
    return Network(nodes, tuple(listed), DT), Network(nodes, tuple(masked), DT)


def config(network: Network, **options: Any) -> AgentConfig:
    chosen: dict[str, Any] = {"neuron": LIF(), "cells": CELLS, "features": CELLS}
    chosen |= {"rule": "coagent", "window": 8, "description": network}
    return config_of(**{**chosen, **options})


def agent(network: Network, backend: str, loop: str | None = None, **options: Any) -> Any:
    arithmetic = options.pop("arithmetic", None)
    return SpikingActorCritic(
        "CartPole-v1",
        config=config(network, **options),
        backend=backend,
        arithmetic=arithmetic,
        loop=loop,
        seed=3,
    )


def check_as_masked(
    networks: tuple[Network, Network], backend: str, loop: str | None = "numpy", **options: Any
) -> None:
    """Compare all that two agents know: of lists, in a *loop*, and of masks in the loop in C."""
    with (
        closing(agent(networks[0], backend, loop, **options)) as one,
        closing(agent(networks[1], "reference", **options)) as other,
    ):
        before = {name: w.copy() for name, w in one.weights.items()}
        for each in (one, other):
            each.learn(total_steps=40)
        assert isinstance(one._replicas.loop, NumpyLoop) == (loop == "numpy")
        assert [e.ret for e in one.episodes] == [e.ret for e in other.episodes]
        for each in (one, other):
            each._replicas.loop.settle()
        memories = [each._replicas.loop.memory for each in (one, other)]
        for values in ("weights", "eligibility"):
            mine, theirs = (getattr(memory, values) for memory in memories)
            for name, dense in theirs.items():
                where = np.nonzero(np.asarray(networks[1].projection(name).mask))
                assert np.array_equal(mine[name][0], dense[0][where]), (values, name)
        for name, norm in memories[1].norm.items():
            assert np.array_equal(memories[0].norm[name], norm, equal_nan=True)
        assert any(not np.array_equal(before[name], w) for name, w in one.weights.items())


STDP: dict[str, Any] = {
    "rule": "reward-stdp",
    "carries": True,
    "normalises": False,
    "modulator": "reward",
}
COMPILED: dict[str, dict[str, Any]] = {
    "spikes": {"rule": Rule("spikes", output="spike", hidden="spike*n/W"), "normalises": False},
    "normalised": {"rule": Rule("all", output="spike*phi", hidden="spike"), "normalises": True},
    "factors of steps": {"rule": Rule("steps", output="spike - 0.1"), "normalises": False},
    "pairs of spikes that carry on": STDP,
    "pairs from silence": {"rule": "td-stdp"},
    "in chip arithmetic": {**STDP, "arithmetic": "loihi"},
}
OPTIONS: dict[str, dict[str, Any]] = {
    **COMPILED,
    "p": {},
    "p in chip arithmetic": {"arithmetic": "loihi"},
    "v": {"rule": MEMBRANE},
    "stochastic": {**STDP, "arithmetic": "loihi", "writes": "stochastic"},
    "accumulated": {**STDP, "arithmetic": "loihi", "writes": "accumulate"},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("seed", range(2))
def test_lists_learn_as_masks_do(seed: int, options: dict[str, Any]) -> None:
    rates = {"alpha_output": 0.01, "alpha_hidden": 0.01}
    if options.get("rule") is MEMBRANE:
        networks = [
            dataclasses.replace(n, projections=n.projections[2:3], nodes=(n.nodes[0], n.nodes[2]))
            for n in both(seed)
        ]
        check_as_masked((networks[0], networks[1]), "reference", **options)
        return
    check_as_masked(both(seed), "reference", **{**options, **rates})


RATES = {"alpha_output": 0.01, "alpha_hidden": 0.01}
WITHOUT_PAIRS = {k: v for k, v in COMPILED.items() if isinstance(v.get("rule"), Rule)}
"""Hold those that currents can have: pairs of spikes need spikes."""


@pytest.mark.parametrize("backend", ["reference", "native"])
@pytest.mark.parametrize("options", COMPILED.values(), ids=COMPILED)
def test_lists_learn_in_c_as_masks_do(options: dict[str, Any], backend: str) -> None:
    check_as_masked(both(3), backend, None, **{**options, **RATES})


@pytest.mark.parametrize("backend", ["reference", "native"])
@pytest.mark.parametrize("options", WITHOUT_PAIRS.values(), ids=WITHOUT_PAIRS)
def test_lists_of_currents_learn_in_c_as_masks_do(options: dict[str, Any], backend: str) -> None:
    more = {"encoder": "current", **RATES}
    check_as_masked(both(3, kind="current"), backend, None, **{**options, **more})


@pytest.mark.parametrize(
    ("backend", "options"),
    [("native", {}), ("torch", {}), ("loihi", {**STDP, "arithmetic": "loihi"})],
)
def test_other_backends_learn_lists_too(backend: str, options: dict[str, Any]) -> None:
    if backend == "torch":
        pytest.importorskip("torch")
    check_as_masked(both(5), backend, **options)


def test_lists_of_currents_learn() -> None:
    check_as_masked(both(1, kind="current"), "reference", encoder="current")


def test_one_module_of_a_list_has_paths() -> None:
    """Let the only output be the module of all hidden neurons, which a list leads to it."""
    signs = []
    for network in both(2, outputs=1):
        plan = LearningPlan(network, config(network))
        with load("reference", network, seed=3) as backend:
            weights = {p.name: backend.weights(p.name)[None] for p in network.projections}
        assert plan.chain == ("p1",)
        signs.append(memory_for(plan, weights).signs["hidden"])
    assert np.array_equal(signs[0], signs[1])
    assert (signs[0] < 0).any()


def with_delays(*ends: tuple[str, str, int]) -> tuple[Network, Network]:
    """Return a network with a delay for each synapse, and with a masked projection for each.

    ends: sources of 24 channels, and populations of so many neurons.
    """
    rng, listed, masked = np.random.default_rng(5), [], []
    nodes: list[Any] = [Source(pre, 24) for pre, _, _ in ends]
    for pre, post, n in ends:
        pairs = np.nonzero(rng.random((24, n)) < 0.7)
        steps = rng.choice([1, 3, 4], len(pairs[0]))
        weights, plastic = rng.uniform(0, 0.6, len(steps)), Plasticity(0.02, -1.0, 1.0)
        one = Projection(
            *(f"to_{post}", pre, post, weights),
            plasticity=plastic,
            connect=Synapses(pairs[0], pairs[1]),
            delay=DT * steps,
        )
        listed.append(one)
        for delay in (1, 3, 4):
            dense, mask = np.zeros((24, n)), np.zeros((24, n), dtype=bool)
            at = tuple(side[steps == delay] for side in pairs)
            dense[at], mask[at] = weights[steps == delay], True
            name = f"to_{post}_{delay}"
            masked.append(
                dataclasses.replace(
                    one, name=name, connect=None, weights=dense, mask=mask, delay=DT * delay
                )
            )
    nodes = [*nodes, *(Population(post, n, LIF(0.01, 0.5, noise=0.2)) for _, post, n in ends)]
    return Network(tuple(nodes), tuple(listed), DT), Network(tuple(nodes), tuple(masked), DT)


DELAYED: dict[str, dict[str, Any]] = {
    "in NumPy": {},
    "from silence": {"rule": "spikes-only"},
    "carries": STDP,
    "late": {"rule": "spikes-only", "critic": "spiking"},
}


@pytest.mark.parametrize("options", DELAYED.values(), ids=DELAYED)
def test_a_delay_for_each_synapse(options: dict[str, Any]) -> None:
    ends = [("input", "output", 4), ("critic_input", "critic", 8)][: 1 + ("critic" in options)]
    listed, masked = with_delays(*ends)
    with (
        closing(agent(listed, "reference", **options)) as one,
        closing(agent(masked, "reference", **options)) as other,
    ):
        for each in (one, other):
            each.learn(total_steps=40)
        assert isinstance(one._replicas.loop, NumpyLoop) == (not options)
        for name in (f"to_{post}" for _, post, _ in ends):
            steps, synapses = listed.synapse_delays(name), listed.synapses(name)
            assert steps is not None
            assert synapses is not None
            for delay in (1, 3, 4):
                at = synapses.pre[steps == delay], synapses.post[steps == delay]
                dense = other.weights[f"{name}_{delay}"][at]
                assert np.array_equal(one.weights[name][steps == delay], dense)


def drawn() -> Network:
    """Return an agent's network of drawn synapses, each with a delay of its own."""
    network = both(0)[0]
    first = dataclasses.replace(network.projections[0], connect=FixedProbability(0.5))
    return dataclasses.replace(network, projections=(first, *network.projections[1:]))


def test_saved_in_the_midst_and_gone_on(tmp_path: Path) -> None:
    with closing(agent(drawn(), "reference", **STDP)) as one:
        one.learn(total_steps=25)
        one.save(tmp_path / "agent")
        with closing(SpikingActorCritic.load(tmp_path / "agent")) as other:
            assert other.network == one.network
            for each in (one, other):
                each.learn(total_steps=60)
                assert each.diagnostics["populations"]
            assert one.weights.keys() == other.weights.keys()
            for name, w in one.weights.items():
                assert np.array_equal(other.weights[name], w)
        assert one.predict(np.zeros(4)) in (0, 1)


@pytest.mark.parametrize("options", [{}, STDP], ids=["in NumPy", "in C"])
def test_agents_side_by_side_are_as_alone(options: dict[str, Any], tmp_path: Path) -> None:
    for name, seeds in (("two", [0, 1]), ("one", [1])):
        runs = [(seed, tmp_path / name / f"seed{seed}") for seed in seeds]
        train_seeds("CartPole-v1", runs, episodes=3, config=config(drawn(), **options))
    one, other = (read_agent(tmp_path / name / "seed1")[1] for name in ("one", "two"))
    assert one.keys() == other.keys()
    for key, values in one.items():
        assert np.array_equal(other[key], values), key


def test_the_compiled_loop_steps_aside() -> None:
    with pytest.raises(UnsupportedError, match=r"p or v behind a list .* \('p0'\) is not compiled"):
        agent(drawn(), "reference", loop="native")
    stochastic = {**STDP, "arithmetic": "loihi", "writes": "stochastic"}
    with pytest.raises(UnsupportedError, match=r"'stochastic' into a list .* \('p0'\) is not comp"):
        agent(drawn(), "reference", loop="native", **stochastic)
    from neurorl.learning.loops import checks

    one_output = both(2, outputs=1)[0]
    of_paths = config(one_output, rule=Rule("of-paths", output="spike*V*phi"))
    assert checks.not_compiled(of_paths, one_output) == "V behind a list of synapses ('p0')"
    checks.is_users.cache_clear()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        agent(drawn(), "reference").close()
    messages = [str(w.message) for w in said if w.category is FallbackWarning]
    assert messages == [
        "p or v behind a list of synapses ('p0'): has no compiled form, so all runs in NumPy, "
        "several times slower"
    ]
