"""Compare gradients through stochastic spikes with that of the expected return, on small networks.

All rasters of a window are enumerated, so that the expected return ``J = sum P(raster) R(raster)``
and its gradient are exact. ``pytest -s`` prints the bias and the noise of each estimator, which
docs/reparameterization.md lists.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from neurorl.learning.learner import Learner
from neurorl.learning.memory import memory_for
from neurorl.learning.plan import LearningPlan
from neurorl.models import GLM, CubaLIF, actor_network
from neurorl.models.agent.config import AgentConfig
from neurorl.models.agent.policies import Softmax, softmax, votes
from neurorl.models.features import OneHot
from neurorl.network.description import Network, Plasticity, Population, Projection, Source, Uniform
from neurorl.network.initial_weights import initial_weights
from neurorl.rules.membrane import spike_probability

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'neurorl[torch]'")

from neurorl.backends.torch import Concrete, Estimator, Score, Slope, SpikingModule  # noqa: E402

torch.set_num_threads(1)  # others test beside us

REWARD = torch.tensor([0.9, -0.4], dtype=torch.float64)
BETA = 0.8
SAMPLES, PARTS = 2**12, 32


@dataclass(frozen=True)
class Case:
    """Describe a network of two actions.

    varying: steps in which a population's spikes matter; the others are left silent, or out.
    first: step from which the output's are votes.
    """

    make: Callable[[], Network]
    n_steps: int
    varying: dict[str, list[int]]
    first: int

    @functools.cached_property
    def network(self) -> Network:
        return self.make()

    def inputs(self, batch: int) -> dict[str, Any]:
        pattern = {"input": torch.zeros(self.n_steps, 1, 2), "bias": torch.ones(self.n_steps, 1, 1)}
        pattern["input"][0, 0, 0] = pattern["input"][1, 0, 1] = 1.0
        return {
            s.name: pattern[s.name].double().expand(-1, batch, -1) for s in self.network.sources
        }

    def rasters(self) -> dict[str, Any]:
        """Return all rasters, ``(n_steps, 2**n, size)``."""
        sizes = {p.name: p.size for p in self.network.populations}
        slots = [(k, t, i) for k, ts in self.varying.items() for t in ts for i in range(sizes[k])]
        bits = torch.arange(2 ** len(slots))[:, None] >> torch.arange(len(slots)) & 1
        found = {
            k: torch.zeros(self.n_steps, len(bits), n, dtype=torch.float64)
            for k, n in sizes.items()
        }
        for n, (name, t, i) in enumerate(slots):
            found[name][t, :, i] = bits[:, n].double()
        return found

    def returns(self, rasters: dict[str, Any]) -> Any:
        """Return ``sum_a pi_a r_a`` of each raster, pi by the votes."""
        counted = rasters["output"][self.first :].sum(dim=0)
        return torch.softmax(BETA * counted, dim=-1) @ REWARD

    def log_prob(self, module: SpikingModule, rasters: dict[str, Any]) -> Any:
        """Return the log probability of each raster, over the steps that vary."""
        x = self.inputs(rasters["output"].shape[1])
        found = module.log_prob(x, rasters)
        return sum(found[k][ts].sum(dim=(0, 2)) for k, ts in self.varying.items())

    def module(self, **options: Any) -> SpikingModule:
        return SpikingModule(self.network, seed=4, dtype=torch.float64, **options)


def lif(spread: float) -> Network:
    """Return two layers with membranes, currents, refractory periods, recurrence and a delay."""
    plastic = Plasticity(low=-3.0, high=3.0)

    def projection(name: str, pre: str, post: str, **options: Any) -> Projection:
        weights = Uniform(-spread, spread)
        return Projection(name, pre, post, weights, plasticity=plastic, **options)

    return Network(
        (
            Source("input", 2),
            Population("hidden", 2, CubaLIF(1e-3, 2e-3, 0.5, 0.05, 0.4)),
            Population("output", 2, CubaLIF(1e-3, 2e-3, 0.5, 0.05, 0.4, refractory=1e-3)),
        ),
        (
            projection("input_hidden", "input", "hidden"),
            projection("hidden_hidden", "hidden", "hidden"),
            projection("hidden_output", "hidden", "output"),
            projection("input_output", "input", "output", delay=2e-3),
        ),
    )


def glm(spread: float) -> Network:
    """Return the papers' units: one actor of two modules."""
    return actor_network(
        2,
        2,
        neuron=GLM(),
        actors=1,
        hidden=2,
        signed=True,
        initial_hidden=spread,
        initial_output=spread,
    )


CASES = {
    "LIF": Case(lambda: lif(1.0), 3, {"hidden": [0, 1, 2], "output": [0, 1, 2]}, 0),
    "LIF, large weights": Case(lambda: lif(2.5), 3, {"hidden": [0, 1, 2], "output": [0, 1, 2]}, 0),
    "GLM": Case(lambda: glm(0.5), 3, {"hidden": [1], "output": [2]}, 2),
    "GLM, large weights": Case(lambda: glm(1.5), 3, {"hidden": [1], "output": [2]}, 2),
}


def gradient(module: SpikingModule) -> Any:
    """Return the gradient by all weights, flat, as float64."""
    return torch.cat([w.grad.ravel().clone() for w in module.parameters() if w.grad is not None])


@functools.cache
def exact(name: str) -> Any:
    """Return the gradient of the expected return, through the probabilities of all rasters."""
    case = CASES[name]
    module, rasters = case.module(), case.rasters()
    (case.log_prob(module, rasters).exp() @ case.returns(rasters)).backward()
    return gradient(module)


@pytest.mark.parametrize("name", CASES)
def test_probabilities_of_all_rasters(name: str) -> None:
    """The probabilities add up to 1 and, for some rasters, are those of `spike_probability`."""
    case = CASES[name]
    module, rasters = case.module(), case.rasters()
    with torch.no_grad():
        assert float(case.log_prob(module, rasters).exp().sum()) == pytest.approx(1.0, abs=1e-12)
        n = rasters["output"].shape[1]
        found = module.probabilities(case.inputs(n), rasters)
    network = case.network
    for k in range(0, n, max(1, n // 50)):
        known = {**case.inputs(1), **{name: r[:, k : k + 1] for name, r in rasters.items()}}
        for p in network.populations:
            drive = np.zeros((case.n_steps, p.size))
            for q in network.projections:
                if q.post == p.name:
                    drive += arrived(network, q, known[q.pre][:, 0].numpy())
            expected = spike_probability(
                p.plan(network.dt), {"q": drive}, rasters[p.name][:, k].numpy() > 0
            )
            assert np.abs(found[p.name][:, k].numpy() - expected).max() < 1e-12


def arrived(
    network: Network, projection: Projection, spikes: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return what a projection adds to the drive in each step."""
    delay = network.delay_steps(projection.name)
    late = np.vstack([np.zeros((delay, spikes.shape[1])), spikes])[: len(spikes)]
    sent = 2.0 * late - 1.0 if projection.signed else late
    weights = initial_weights(network, projection.name, 4)
    if projection.blocks == 1:
        return np.asarray(sent @ weights)
    split = sent.reshape(len(sent), projection.blocks, -1)
    return np.asarray(np.einsum("tbi,bij->tbj", split, weights).reshape(len(sent), -1))


def noise_of(case: Case, module: SpikingModule, rasters: dict[str, Any]) -> dict[str, Any]:
    """Return draws that lead to these rasters: just above ``-logit p`` for a spike, or below."""
    with torch.no_grad():
        found = module.probabilities(case.inputs(rasters["output"].shape[1]), rasters)
    draws = {}
    for name, p in found.items():
        draws[name] = -torch.logit(p) + torch.where(rasters[name] > 0, 1e-6, -1e-6)
        draws[name][p == 0] = 0.0  # dead steps, whatever is drawn
    return draws


@pytest.mark.parametrize("name", CASES)
def test_probabilities_are_those_of_the_draws(name: str) -> None:
    """A neuron spikes where L > -logit p, L logistic: so with probability p."""
    case = CASES[name]
    module, rasters = case.module(), case.rasters()
    possible = torch.isfinite(case.log_prob(module, rasters))
    rasters = {k: r[:, possible] for k, r in rasters.items()}
    draws = noise_of(case, module, rasters)
    seen, _ = module(case.inputs(int(possible.sum())), noise=draws)
    for k, steps in case.varying.items():
        assert torch.equal(seen[k][steps], rasters[k][steps])


@pytest.mark.parametrize("name", CASES)
def test_the_exact_gradient_is_that_of_finite_differences(name: str) -> None:
    case = CASES[name]
    module, rasters = case.module(), case.rasters()
    returns = case.returns(rasters)
    found = []
    with torch.no_grad():
        for p in module.parameters():
            flat = p.view(-1)
            for k in range(len(flat)):
                values = []
                for change in (1e-5, -2e-5):
                    flat[k] += change
                    values.append(float(case.log_prob(module, rasters).exp() @ returns))
                flat[k] += 1e-5
                found.append((values[0] - values[1]) / 2e-5)
    expected = exact(name)
    assert expected.abs().max() > 0.01
    assert np.abs(np.array(found) - expected.numpy()).max() < 1e-8


@dataclass(frozen=True)
class Sampled:
    """Hold the mean of sampled gradients, its standard error, and the noise of one sample.

    noise: the trace of its covariance over the squared norm of its mean.
    """

    mean: Any
    error: Any
    noise: float


@functools.cache
def sampled(name: str, how: Estimator, detach_reset: bool = False) -> Sampled:
    """Sample gradients of the return of `SAMPLES` x `PARTS` windows."""
    case = CASES[name]
    module = case.module(estimator=how, detach_reset=detach_reset)
    x, generator = case.inputs(SAMPLES), torch.Generator().manual_seed(0)
    parts = []
    for _ in range(PARTS):
        module.zero_grad()
        rasters, _ = module(x, generator=generator)
        returns = case.returns(rasters)
        if isinstance(how, Score):
            assert not returns.requires_grad
            returns = returns * case.log_prob(module, rasters)
        returns.mean().backward()
        parts.append(gradient(module))
    seen = torch.stack(parts)
    error = seen.std(dim=0) / PARTS**0.5
    mean = seen.mean(dim=0)
    noise = float((error**2).sum() / (mean**2).sum()) * SAMPLES * PARTS
    return Sampled(mean, error, noise)


@pytest.mark.parametrize("name", CASES)
def test_the_mean_of_the_score_function_is_the_gradient(name: str) -> None:
    found = sampled(name, Score())
    assert ((found.mean - exact(name)).abs() <= 5 * found.error).all()
    assert found.error.norm() < 0.1 * exact(name).norm()


@functools.cache
def slope_mean(name: str) -> Any:
    """Return the exact mean of `Slope`: only draws that decide spikes matter to its derivatives.

    All outcomes of the draws are enumerated, also of those in dead steps: whether a neuron would
    have spiked there is the derivative by its being alive.
    """
    case = CASES[name]
    module, over = case.module(estimator=Slope()), case.rasters()
    n = over["output"].shape[1]
    spikes = {k: r.clone() for k, r in over.items()}
    for p in case.network.populations:
        neuron = p.neuron
        if isinstance(neuron, CubaLIF) and neuron.refractory:
            assert neuron.refractory == case.network.dt
            for t in range(1, case.n_steps):
                spikes[p.name][t] *= 1.0 - spikes[p.name][t - 1]
    with torch.no_grad():
        probability = module.probabilities(case.inputs(n), spikes)
    weight, draws = torch.ones(n, dtype=torch.float64), {}
    for k, open_ in probability.items():
        open_[open_ == 0] = 1.0 / (1.0 + np.exp(0.5 / 0.4))  # of a membrane at rest
        draws[k] = -torch.logit(open_) + torch.where(over[k] > 0, 1e-6, -1e-6)
        each = torch.where(over[k] > 0, open_, 1.0 - open_)[case.varying[k]]
        weight *= each.prod(dim=0).prod(dim=-1)
    assert float(weight.sum()) == pytest.approx(1.0, abs=1e-12)
    seen, _ = module(case.inputs(n), noise=draws)
    assert all(torch.equal(seen[k], spikes[k]) for k in seen)
    (case.returns(seen) @ weight).backward()
    return gradient(module)


@pytest.mark.parametrize("name", CASES)
def test_the_mean_of_slope_by_enumeration(name: str) -> None:
    found = sampled(name, Slope())
    assert ((found.mean - slope_mean(name)).abs() <= 5 * found.error).all()
    assert (found.error / slope_mean(name).norm()).max() < 0.01


HARD = [Concrete(tau) for tau in (1.0, 0.5, 0.2, 0.1)]
RELAXED = [Concrete(tau, hard=False) for tau in (1.0, 0.5, 0.2, 0.1)]


@dataclass(frozen=True)
class Row:
    bias: float
    error: float
    cosine: float
    noise: float


def measure(name: str, how: Estimator, detach_reset: bool = False) -> Row:
    """Return the bias over the norm of the gradient, and its standard error; print both."""
    found, expected = sampled(name, how, detach_reset), exact(name)
    norm = float(expected.norm())
    row = Row(
        float((found.mean - expected).norm()) / norm,
        float(found.error.norm()) / norm,
        float(found.mean @ expected / found.mean.norm()) / norm,
        found.noise,
    )
    label = f"{how}{', reset constant' if detach_reset else ''}"
    numbers = f"{row.bias:.2f} | {row.error:.2f} | {row.cosine:.3f} | {row.noise:.3g}"
    print(f"| {name} | {label} | {numbers} |")
    return row


@pytest.mark.parametrize("name", CASES)
def test_bias_and_noise_of_the_estimators(name: str) -> None:
    score, slope = measure(name, Score()), measure(name, Slope())
    hard = [measure(name, how) for how in HARD]
    relaxed = [measure(name, how) for how in RELAXED]
    for row in (slope, *hard, *relaxed):
        assert row.cosine > (0.85 if name == "LIF, large weights" else 0.95)
    for row in (slope, *hard[:2], *relaxed[:2]):
        assert row.noise < score.noise / 5
    for rows in (hard, relaxed):
        assert rows[0].bias > rows[1].bias > rows[3].bias  # falls with the temperature,
        assert rows[0].noise < rows[1].noise < rows[3].noise  # which is paid for by noise
    assert relaxed[3].bias < 0.03 + 2 * relaxed[3].error
    assert slope.noise < hard[1].noise
    assert slope.bias < hard[0].bias or name == "GLM, large weights"


@pytest.mark.parametrize("name", ["LIF", "LIF, large weights"])
def test_a_constant_reset_has_a_bias_that_no_temperature_removes(name: str) -> None:
    through, constant = (measure(name, RELAXED[3], detach_reset=d) for d in (False, True))
    assert constant.bias > through.bias + 3 * (through.error + constant.error)


def test_the_score_is_the_eligibility_of_the_rule_coagent() -> None:
    """The score of one window is its eligibility, a sum of numbers on a grid of 2**-20."""
    cells = OneHot(2)
    config = AgentConfig(
        "glm",
        GLM(),
        "coagent",
        cells,
        cells,
        4,
        signed=True,
        normalises=False,
        actors=2,
        hidden=(3, 2),
        policy=Softmax(BETA),
        initial_hidden=0.7,
        initial_output=0.7,
    )
    network = config.network(2)
    module = SpikingModule(network, seed=1, dtype=torch.float64)
    rng = np.random.default_rng(0)
    x = {s.name: rng.random((4, 1, s.size)) < 0.5 for s in network.sources}
    x["bias"][:] = True
    x["input"][0] = True
    plastic = {p.name: module.weights(p.name)[None] for p in network.projections}
    plan = LearningPlan(network, config)
    memory = memory_for(plan, plastic).of(0)
    learner = Learner(plan, memory)
    counted = {"hidden_2": slice(1, 2), "hidden": slice(2, 3), "output": slice(3, 4)}
    generator = torch.Generator().manual_seed(0)
    for _ in range(20):
        module.zero_grad()
        rasters, _ = module(x, generator=generator)
        log_p = module.log_prob(x, rasters)
        torch.stack([log_p[k][steps].sum() for k, steps in counted.items()]).sum().backward()
        memory.forget()
        arrays = {k: r[:, 0].detach().numpy() > 0 for k, r in rasters.items()}
        policy = softmax(votes(arrays["output"], 2, 3), BETA)
        learner.remember({k: v[:, 0] for k, v in x.items()}, arrays, 0, policy)
        for name in plastic:
            found = slope_of(module, name)
            expected = memory.eligibility[name]
            assert np.abs(expected).max() > 0.1
            assert np.abs(found - expected).max() < 4 * 2.0**-20, name


def slope_of(module: SpikingModule, name: str) -> npt.NDArray[np.float64]:
    """Return the gradient by a projection's weights."""
    found = module.weight(name).grad
    assert found is not None
    return np.asarray(found[0].numpy())


@pytest.mark.parametrize("how", [Slope(), Concrete(0.7)])
def test_the_gradient_of_the_policy_by_hand(how: Slope | Concrete) -> None:
    """The papers' units have ``g_out = beta phi y'``, ``g_hid = g_out V s'``, for log pi(a).

    With slopes ``s' = (1 - r**2) / tau`` of +-1 units, ``r = tanh((2 z + L) / (2 tau))``, or
    ``1 - tanh(z)**2`` of `Slope`; half of that for the votes, which are spikes.
    """
    network = glm(0.9)
    module = SpikingModule(network, seed=3, dtype=torch.float64, estimator=how)
    case = CASES["GLM"]
    draws = {
        k: torch.from_numpy(np.random.default_rng(5).logistic(size=(3, 1, n)))
        for k, n in (("hidden", 4), ("output", 2))
    }
    rasters, _ = module(case.inputs(1), noise=draws)
    log_pi = torch.log_softmax(BETA * rasters["output"][2, 0], dim=0)
    log_pi[1].backward()

    def slope(z: Any, draw: Any) -> Any:
        if isinstance(how, Slope):
            return 1.0 - np.tanh(z) ** 2
        return (1.0 - np.tanh((2.0 * z + draw) / (2.0 * how.temperature)) ** 2) / how.temperature

    w = {name: module.weights(name) for name in module.synapses}
    s = 2.0 * rasters["hidden"].detach().numpy()[1, 0] - 1.0
    x = np.array([1.0, 0.0])
    hidden = x @ w["input_hidden"] + w["bias_hidden"][0]
    v = w["hidden_output"][:, :, 0]
    output = (v * s.reshape(2, 2)).sum(axis=1) + w["bias_output"][0]
    phi = np.array([0.0, 1.0]) - log_pi.detach().exp().numpy()
    g_out = BETA * phi * slope(output, draws["output"][2, 0].numpy()) / 2.0
    g_hid = (g_out[:, None] * v).ravel() * slope(hidden, draws["hidden"][1, 0].numpy())
    expected = {
        "hidden_output": (g_out[:, None] * s.reshape(2, 2))[:, :, None],
        "bias_output": g_out[None],
        "bias_hidden": g_hid[None],
        "input_hidden": np.outer(x, g_hid),
    }
    for name, hand in expected.items():
        assert np.abs(slope_of(module, name) - hand).max() < 1e-14, name
