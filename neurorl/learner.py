"""The rule applied to a network: eligibilities and float weights of every plastic projection."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Backend, Raster
from neurorl.config import AgentConfig
from neurorl.described import FloatArray
from neurorl.description import Network, Plasticity, Population
from neurorl.factors import NEEDS_PROBABILITY, Decision, feedback, rule
from neurorl.membrane import spike_probability
from neurorl.rule import apply_modulator, arrivals, outer_sum, window_traces

__all__ = ["Learner"]

_NORM_RATE = 0.01


class Learner:
    """Turns windows into eligibilities, and TD errors into weights of a backend.

    `weights` are the float weights that learn; the backend holds them rounded. `norm` is the
    running mean of ``|sum_t x(t)|**2 / W`` over the inputs of each population.
    """

    def __init__(self, network: Network, config: AgentConfig, backend: Backend) -> None:
        self._network = network
        self._config = config
        self._backend = backend
        self._rule = rule(config.rule)
        self._needs_p = config.rule in NEEDS_PROBABILITY
        self._into = {p.name: _plastic_into(network, p.name) for p in network.populations}
        self._decay = {
            name: float(np.exp(-network.dt / plasticity.trace_tau)) if plasticity.trace_tau else 0.0
            for into in self._into.values()
            for name, plasticity in into
        }
        self.weights = {name: backend.weights(name) for name in self._decay}
        self._in_force = {name: w.copy() for name, w in self.weights.items()}
        self._e = {name: np.zeros(w.shape) for name, w in self.weights.items()}
        self.norm: dict[str, float] = {}
        self._alpha = {"hidden": config.alpha_hidden, "output": config.alpha_output}
        if not config.hidden:
            self._alpha = {"output": config.alpha_output}
        self._signs = self._feedback_signs()

    def reset(self) -> None:
        """Forget the eligibilities, at the start of an episode."""
        for e in self._e.values():
            e[:] = 0.0

    def remember(
        self, inputs: dict[str, Raster], rasters: dict[str, Raster], action: int, policy: FloatArray
    ) -> None:
        """``e <- gamma lambda e + tag`` for the window that led to *action*."""
        spikes = {**inputs, **rasters}
        arrived = {
            name: arrivals(spikes[self._network.projection(name).pre], self._delay(name))
            for name in self._decay
        }
        factors = self._rule(self._decision(spikes, arrived, feedback(action, policy)))
        keep = self._config.gamma * self._config.lambda_actor
        for population, post in (("output", factors.output), ("hidden", factors.hidden)):
            if post is None:
                continue
            power = 0.0
            for name, _ in self._into[population]:
                x = self._pre(name, arrived[name])
                e = self._e[name]
                e *= keep
                e += outer_sum(x, post, e.shape)
                total = x[self._network.depth(population) :].sum(axis=0)
                blocks = self._network.projection(name).blocks
                power += float(total @ total) / blocks / (len(x) - self._network.depth(population))
            self._follow_norm(population, power)

    def learn(self, delta: float, rate: float) -> None:
        """``w <- clip(w + alpha rate delta e / N)``, written to the backend."""
        for population, alpha in self._alpha.items():
            eta = alpha * rate / max(self.norm[population], 1.0)
            for name, bounds in self._into[population]:
                self.weights[name] = apply_modulator(
                    self.weights[name], self._e[name], delta, eta, bounds.low, bounds.high
                )
                self._in_force[name] = self._backend.set_weights(name, self.weights[name])

    def write(self, weights: dict[str, FloatArray]) -> None:
        """Replace the float weights, and those of the backend."""
        for name, value in weights.items():
            self.weights[name] = np.array(value, dtype=np.float64)
            self._in_force[name] = self._backend.set_weights(name, self.weights[name])

    def state(self) -> dict[str, npt.NDArray[np.float64]]:
        """Arrays to save between episodes, when the eligibilities are 0."""
        weights = {f"weights.{name}": w.copy() for name, w in self.weights.items()}
        norms = {f"norm.{name}": np.array(value) for name, value in self.norm.items()}
        return {**weights, **norms, "signs": self._signs.copy()}

    def restore(self, state: dict[str, npt.NDArray[np.float64]]) -> None:
        """Go on from `state`."""
        self.write({name: state[f"weights.{name}"] for name in self.weights})
        self.norm = {
            key.removeprefix("norm."): float(value)
            for key, value in state.items()
            if key.startswith("norm.")
        }
        self._signs = np.array(state["signs"])
        self.reset()

    def _decision(
        self, spikes: dict[str, Raster], arrived: dict[str, FloatArray], phi: FloatArray
    ) -> Decision:
        hidden = spikes.get("hidden")
        return Decision(
            phi=phi,
            output=spikes["output"],
            hidden=hidden,
            output_from=self._network.depth("output"),
            hidden_from=self._network.depth("hidden") if hidden is not None else 0,
            signs=self._signs,
            output_p=self._probability("output", spikes, arrived) if self._needs_p else None,
            hidden_p=(
                self._probability("hidden", spikes, arrived)
                if self._needs_p and hidden is not None
                else None
            ),
        )

    def _probability(
        self, name: str, spikes: dict[str, Raster], arrived: dict[str, FloatArray]
    ) -> FloatArray:
        population = self._network.node(name)
        assert isinstance(population, Population)
        drive = np.zeros((len(spikes[name]), population.size))
        for projection, _ in self._into[name]:
            x = self._transmitted(projection, arrived[projection])
            w = self._in_force[projection]
            if w.ndim == 2:
                drive += x @ w
            else:
                blocks = x.reshape(len(x), len(w), 1, -1)
                drive += (blocks @ w).reshape(drive.shape)
        dynamics = population.neuron.dynamics(population.size, self._network.dt)
        return spike_probability(dynamics, drive, spikes[name])

    def _transmitted(self, name: str, arrived: FloatArray) -> FloatArray:
        """What arrives, +-1 for signed projections."""
        return 2.0 * arrived - 1.0 if self._network.projection(name).signed else arrived

    def _pre(self, name: str, arrived: FloatArray) -> FloatArray:
        return window_traces(self._transmitted(name, arrived), self._decay[name])

    def _delay(self, name: str) -> int:
        return self._network.delay_steps(name)

    def _follow_norm(self, population: str, power: float) -> None:
        old = self.norm.get(population)
        self.norm[population] = power if old is None else old + _NORM_RATE * (power - old)

    def _feedback_signs(self) -> FloatArray:
        """The sign of each hidden unit's output weight before learning, +1 for 0."""
        for name, _ in self._into["output"]:
            if self._network.projection(name).pre == "hidden":
                return np.where(self.weights[name].ravel() < 0, -1.0, 1.0)
        return np.ones(0)


def _plastic_into(network: Network, population: str) -> list[tuple[str, Plasticity]]:
    return [
        (p.name, p.plasticity)
        for p in network.projections
        if p.post == population and p.plasticity is not None
    ]
