"""Test the gradient that estimators are compared with, and the estimators: small, enumerated.

Of a window of three steps of an actor of two modules, all rasters are enumerated, so that the
policy gradient is exact.
"""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neurorl.learning.learner import Learner
from neurorl.learning.memory import Memory, memory_for
from neurorl.learning.plan import LearningPlan
from neurorl.models import GLM, CubaLIF
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.policies import Softmax
from neurorl.models.features import OneHot
from neurorl.network.initial_weights import initial_weights

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'neurorl[torch]'")

from experiments.comparison import gradients, measured, points  # noqa: E402
from experiments.comparison.decisions import Decisions, Frozen, Sampler  # noqa: E402
from experiments.comparison.estimators import LOCAL, Rules, backpropagated, coagent_by_pairs  # noqa: E402
from experiments.comparison.exact_gradient import PairedRedraws  # noqa: E402
from experiments.comparison.gradients_page import draw_gradients, gradient_table  # noqa: E402
from experiments.comparison.moments import Moments, Quality, inner, quality  # noqa: E402
from experiments.comparison.quality import Amount, QualityRow  # noqa: E402
from experiments.run import Plan  # noqa: E402
from experiments.tables import write_table  # noqa: E402
from neurorl.backends.torch import Concrete, SpikingModule  # noqa: E402
from neurorl.errors import UnsupportedError  # noqa: E402
from neurorl.reparameterization.choices import log_policy, policy_loss, votes  # noqa: E402

torch.set_num_threads(1)  # others test beside us

BETA, SIZE, PARTS = 0.8, 2048, 8
ADVANTAGES = np.array([[0.9, -0.4], [-0.3, 0.5]])
NEURONS = {
    "LIF": CubaLIF(tau_syn=1.44e-3, tau_mem=4.48e-3, threshold=0.5, noise=0.5),
    "GLM": GLM(),
}


def agent(kind: str, rule: str = "coagent", window: int = 3, **options: Any) -> Frozen:
    cells = OneHot(2)
    chosen = {"actors": 1, "hidden": 2, "policy": Softmax(BETA), "weight_bound": 4.0, **options}
    chosen |= {"initial_hidden": 1.0, "initial_output": 1.0}
    config = AgentConfig(
        *(kind.lower(), NEURONS[kind], rule, cells, cells, window),
        signed=kind == "GLM",
        trace_tau=4.48e-3 if kind == "LIF" else 0.0,
        normalises=False,
        **chosen,
    )
    network = config.network(2)
    weights = {p.name: initial_weights(network, p.name, 4) for p in network.projections}
    memory = remembering(Frozen(config, network, weights, {}, np.zeros((0, 1)), ADVANTAGES))
    return Frozen(config, network, weights, memory.signs, np.array([[0.0], [1.0]]), ADVANTAGES)


def remembering(of: Frozen) -> Memory:
    plan = LearningPlan(of.network, of.config)
    return memory_for(plan, {k: w[None] for k, w in of.weights.items()}).of(0)


def sampler_for(of: Frozen, size: int) -> Sampler:
    found = Sampler(of.network, size, torch.float64)
    of.put(found.one)
    of.put(found.each)
    return found


@functools.cache
def exact(kind: str) -> dict[str, Any]:
    """Return the gradient of ``sum_a pi_a A_a``, through the probabilities of all rasters."""
    the = agent(kind)
    module = SpikingModule(the.network, dtype=torch.float64)
    the.put(module)
    slots = [("hidden", t, i) for t in (0, 1) for i in range(4)]
    slots += [("output", t, i) for t in (0, 1, 2) for i in range(2)]
    bits = torch.arange(2 ** len(slots))[:, None] >> torch.arange(len(slots)) & 1
    rasters = {
        k: torch.zeros(3, len(bits), n, dtype=torch.float64)
        for k, n in (("hidden", 4), ("output", 2))
    }
    for k, (name, t, i) in enumerate(slots):
        rasters[name][t, :, i] = bits[:, k]
    policy = torch.softmax(BETA * rasters["output"][2], dim=-1)
    for state, values in enumerate(torch.from_numpy(ADVANTAGES)):
        x = {"input": torch.zeros(3, len(bits), 2), "bias": torch.ones(3, len(bits), 1)}
        x["input"][..., state] = 1.0
        log_p = module.log_prob(x, rasters)
        of_all = log_p["hidden"][:2].sum(dim=(0, 2)) + log_p["output"].sum(dim=(0, 2))
        assert float(of_all.detach().exp().sum()) == pytest.approx(1.0, abs=1e-12)
        (of_all.exp() @ (policy @ values) / len(ADVANTAGES)).backward()
    return {name: slope_of(module, name) for name in module.synapses}


def slope_of(module: SpikingModule, name: str) -> Any:
    found = module.weight(name).grad
    assert found is not None
    return found[0].clone()


@functools.cache
def sampled(kind: str) -> dict[str, dict[str, Any]]:
    """Return means of `PARTS` parts: of paired redraws, of coagent by pairs, and of own samples."""
    the = agent(kind)
    sampler, generator = sampler_for(the, SIZE), torch.Generator().manual_seed(0)
    redraws = PairedRedraws(sampler)
    parts: dict[str, list[dict[str, Any]]] = {"pairs": [], "coagent": [], "samples": []}
    for _ in range(PARTS):
        d = sampler.draw(the, generator)
        pairs = redraws.pairs(the, d, generator)
        parts["pairs"].append(redraws.gradient(d, pairs))
        parts["coagent"].append(coagent_by_pairs(the, d, pairs))
        worth = (d.policy * d.advantages).sum(dim=1, keepdim=True)
        change = Rules(the, d).changes("coagent", 0, dict.fromkeys(("hidden", "output"), worth))
        parts["samples"].append({name: x.mean(dim=0) for name, x in change.items()})
    return {
        how: {name: torch.stack([p[name] for p in mine]) for name in mine[0]}
        for how, mine in parts.items()
    }


def check_mean(parts: Any, expected: Any, spread: Any = 0.0) -> None:
    """Assert equal means within 5 standard errors, spread being the variance of *expected*."""
    error = (parts.var(dim=0) / PARTS + spread) ** 0.5
    assert ((parts.mean(dim=0) - expected).abs() <= 5 * error + 1e-12).all()


@pytest.mark.parametrize("kind", NEURONS)
def test_the_mean_of_paired_redraws_is_the_gradient(kind: str) -> None:
    for name, expected in exact(kind).items():
        parts = sampled(kind)["pairs"][name]
        check_mean(parts, expected)
        assert expected.norm() > 0.005
        assert (parts.std(dim=0) / PARTS**0.5).norm() < 0.15 * expected.norm()


def test_the_mean_of_coagent_is_the_gradient_of_units_without_memory() -> None:
    for name, expected in exact("GLM").items():
        check_mean(sampled("GLM")["coagent"][name], expected)


@pytest.mark.parametrize("kind", NEURONS)
def test_coagent_by_pairs_is_the_mean_of_its_samples(kind: str) -> None:
    for name, parts in sampled(kind)["coagent"].items():
        plain = sampled(kind)["samples"][name]
        check_mean(parts, plain.mean(dim=0), plain.var(dim=0) / PARTS)


def test_the_gradient_of_networks_of_one_layer() -> None:
    """Only the raster of each module's one neuron is redrawn."""
    the = agent("GLM", window=2, hidden=0)
    sampler, generator = sampler_for(the, SIZE), torch.Generator().manual_seed(0)
    redraws = PairedRedraws(sampler)
    parts = []
    for _ in range(PARTS):
        d = sampler.draw(the, generator)
        parts.append(redraws.gradient(d, redraws.pairs(the, d, generator))["input_output"])
    rows = torch.tensor([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=torch.float64)
    w = torch.from_numpy(the.weights["input_output"]).requires_grad_()
    bias = torch.from_numpy(the.weights["bias_output"])
    for state, values in enumerate(torch.from_numpy(ADVANTAGES)):
        p = torch.sigmoid(2.0 * (w[state] + bias[0]))
        chances = torch.where(rows > 0, p, 1.0 - p).prod(dim=1)
        (chances @ (torch.softmax(BETA * rows, dim=1) @ values) / 2).backward()
    assert w.grad is not None
    check_mean(torch.stack(parts), w.grad)


def test_two_hidden_layers_are_refused() -> None:
    the = agent("LIF", window=4, hidden=(2, 2))
    with pytest.raises(UnsupportedError, match="one hidden layer"):
        PairedRedraws(Sampler(the.network, 2))


def drawn(the: Frozen, size: int) -> tuple[Sampler, Decisions]:
    sampler = sampler_for(the, size)
    return sampler, sampler.draw(the, torch.Generator().manual_seed(3))


@pytest.mark.parametrize("name", [*LOCAL, "coagent"])
@pytest.mark.parametrize("kind", NEURONS)
def test_rules_side_by_side_are_those_of_the_learner(kind: str, name: str) -> None:
    the = agent(kind, name, window=6, actors=2)
    _, d = drawn(the, 6)
    memory = remembering(the)
    learner = Learner(LearningPlan(the.network, the.config), memory)
    ones = dict.fromkeys(("hidden", "output"), torch.ones(6, 1))
    seen = 0.0
    for action in range(2):
        found = Rules(the, d).changes(name, action, ones)
        for k in range(6):
            memory.forget()
            inputs = {x: d.inputs[x][:, k].numpy() > 0 for x in d.inputs}
            rasters = {x: d.rasters[x][:, k].numpy() > 0 for x in d.rasters}
            learner.remember(inputs, rasters, action, d.policy[k].numpy())
            for projection, e in memory.eligibility.items():
                assert np.abs(found[projection][k].numpy() - e).max() < 1e-4
                seen = max(seen, np.abs(e).max())
    assert seen > 0.1


def test_rates_are_those_of_the_preset() -> None:
    """The rate after one decision is ``alpha / N`` with the N of that decision."""
    the = agent("LIF", window=6)
    the = dataclasses.replace(the, config=dataclasses.replace(the.config, normalises=True))
    _, d = drawn(the, 2)
    memory = remembering(the)
    learner = Learner(LearningPlan(the.network, the.config), memory)
    alphas = {"hidden": the.config.alpha_hidden, "output": the.config.alpha_output}
    norms: dict[str, list[float]] = {"hidden": [], "output": []}
    for k in range(2):
        for norm in memory.norm.values():
            norm[:] = np.nan
        inputs = {x: d.inputs[x][:, k].numpy() > 0 for x in d.inputs}
        rasters = {x: d.rasters[x][:, k].numpy() > 0 for x in d.rasters}
        learner.remember(inputs, rasters, 0, d.policy[k].numpy())
        for layer, mine in norms.items():
            mine.append(float(memory.norm[layer][0]))
    for name, rate in Rules(the, d).rates().items():
        layer = name.split("_")[1]
        assert rate == pytest.approx(
            alphas[layer] / max(1.0, float(np.mean(norms[layer]))), rel=1e-5
        )


def test_backpropagated_gradients_are_those_of_the_loss() -> None:
    the = agent("LIF", window=6, actors=2)
    sampler, d = drawn(the, 6)
    changes = list(backpropagated(sampler, the, d, Concrete(1.0)))
    module = SpikingModule(
        the.network, dtype=torch.float64, detach_reset=True, estimator=Concrete(1.0)
    )
    the.put(module)
    for k in range(6):
        for action in range(2):
            module.zero_grad()
            one = {x: d.inputs[x][:, k : k + 1] for x in d.inputs}
            noise = {x: d.noise[x][:, k : k + 1] for x in d.noise}
            rasters, _ = module(one, noise=noise)
            log_pi = log_policy(votes(rasters["output"], 2, 2), BETA)
            gain = d.advantages[k : k + 1, action]
            loss = policy_loss(log_pi, torch.tensor([action]), gain, 0.0)
            torch.autograd.backward(-loss)
            for name in module.synapses:
                slope = slope_of(module, name)
                assert torch.allclose(slope, changes[action][name][k], atol=1e-12)


def test_products_of_means_are_without_the_bias_of_their_noise() -> None:
    """By hand, the mean is over the 6 products of two different ones of 3 parts."""
    a = torch.tensor([[1.0], [2.0], [4.0]], dtype=torch.float64)
    b = torch.tensor([[3.0], [1.0], [0.0]], dtype=torch.float64)
    assert inner(a @ b.T) == pytest.approx((1 * 1 + 1 * 0 + 2 * 3 + 2 * 0 + 4 * 3 + 4 * 1) / 6)


def test_the_quality_of_a_known_estimator() -> None:
    """An estimator has cosine 0.6, length 2.5 and noise 100, of 200 samples in 50 dimensions."""
    generator = torch.Generator().manual_seed(1)
    truth = torch.zeros(50, dtype=torch.float64)
    truth[0] = 2.0
    mean = torch.zeros(50, dtype=torch.float64)
    mean[0], mean[1] = 3.0, 4.0
    moments, known = Moments(8), Moments(8)
    for part in range(8):
        noise = torch.randn(1000, 50, generator=generator, dtype=torch.float64) * (2500 / 50) ** 0.5
        moments.add(part, mean + noise, torch.full((1000,), 1e-3, dtype=torch.float64))
        small = torch.randn(50, generator=generator, dtype=torch.float64) * 0.1
        known.add_mean(part, truth + small)
    a, e = moments.means, known.means
    found = quality(a @ a.T, a @ e.T, e @ e.T, moments.square)
    assert found.cosine == pytest.approx(0.6, abs=5 * found.error)
    assert found.error < 0.05
    assert found.length == pytest.approx(2.5, rel=0.05)
    assert found.noise == pytest.approx(100, rel=0.1)


def test_samples_until_a_cosine() -> None:
    found = Quality(cosine=0.8, error=0.0, length=1.0, noise=78.0)
    assert found.samples(0.5) == pytest.approx(50.0)
    assert found.cosine / (1 + found.noise / 50.0) ** 0.5 == pytest.approx(0.5)
    assert found.samples(0.8) == np.inf


def test_a_run_in_small(tmp_path: Path) -> None:
    """All points of a run of each approach are measured, and none of them twice."""
    amount = Amount(states=8, played=30, size=16, parts=3)
    plan = Plan(tmp_path, (100,), episodes=4, backend="reference")
    _, _, local, by_gradients, *_ = gradients.stopped()
    for source in (local, by_gradients):
        rows = [row for found in gradients.measure(source, plan, amount) for row in found]
        assert len(rows) == len(points.POINTS) * len(measured.ESTIMATORS) * 3
        assert {row.point for row in rows} == set(points.POINTS)
        assert all((row.returns is None) == (row.point == 0) for row in rows)
        assert {row.approach for row in rows} == {source.approach}
        assert any(row.cosine is not None for row in rows)
        again = [row for found in gradients.measure(source, plan, amount) for row in found]
        assert again == rows


def row(approach: str, point: int, seed: int, cosine: float | None, noise: float) -> QualityRow:
    known = Quality(cosine or 0.0, 0.0, 1.0, noise).samples(0.5)
    to_half = known if np.isfinite(known) else None
    figures = (0.1, cosine, 0.01, 1.0, noise, to_half)
    return QualityRow(
        *("gridworld", "lif", approach, point, seed, None, 0.5, "slope", "hidden"), *figures
    )


def test_the_table_has_medians_of_those_that_are_known(tmp_path: Path) -> None:
    rows = [row("local", 0, s, c, 78.0) for s, c in enumerate((0.6, 0.8, 1.02))]
    rows += [row("local", 100, s, c, 1234.0) for s, c in enumerate((0.4, 0.45, 0.9))]
    rows += [row("gradients", 100, s, c, 2e6) for s, c in enumerate((None, None, 0.9))]
    line = gradient_table(rows)[-1].split(" | ")
    assert line[:3] == ["| gridworld", "LIF", "slope"]
    assert line[3:6] == ["0.80, 0.45, -", "78, 1.2k, 2M", "50, never, -"]
    table = write_table(tmp_path / "gradients.csv", rows)
    assert draw_gradients(table, tmp_path / "figure.png").stat().st_size > 10_000
