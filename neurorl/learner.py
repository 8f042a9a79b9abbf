"""The rule applied to a network: eligibilities and float weights of every plastic projection."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurorl.backends.base import Backend, Raster
from neurorl.config import AgentConfig
from neurorl.described import FloatArray
from neurorl.description import Network, Plasticity, Projection
from neurorl.factors import NEEDS_PROBABILITY, Decision, feedback, rule
from neurorl.membrane import spike_probability
from neurorl.rule import apply_modulator, arrivals, outer_sum, window_traces

__all__ = ["Learner"]

_NORM_RATE = 0.01
_GRID = 2.0**20


@dataclass(frozen=True)
class _Plastic:
    """A plastic projection, looked up once: the description is searched by name."""

    name: str
    pre: str
    blocks: int
    signed: bool
    delay: int
    trace_decay: float
    low: float
    high: float

    def pre_trace(self, arrived: FloatArray) -> FloatArray:
        """The presynaptic trace of a window on the grid, shape ``(W, n_pre)``."""
        x = self.transmitted(arrived)
        return _on_grid(window_traces(x, self.trace_decay)) if self.trace_decay else x

    def transmitted(self, arrived: FloatArray) -> FloatArray:
        """What arrives, +-1 for signed projections."""
        return 2.0 * arrived - 1.0 if self.signed else arrived


class Learner:
    """Turns windows into eligibilities, and TD errors into weights of a backend.

    `weights` are the float weights that learn; the backend holds them rounded. `norm` is the
    running mean of ``|sum_t x(t)|**2 / W`` over the inputs of each population.
    """

    def __init__(self, network: Network, config: AgentConfig, backend: Backend) -> None:
        self._backend = backend
        self._rule = rule(config.rule)
        self._needs_p = config.rule in NEEDS_PROBABILITY
        self._keep = config.gamma * config.lambda_actor
        self._into = {p.name: _plastic_into(network, p.name) for p in network.populations}
        self._first = {p.name: network.depth(p.name) for p in network.populations}
        self._dynamics = {
            p.name: p.neuron.dynamics(p.size, network.dt) for p in network.populations
        }
        plastic = [p for into in self._into.values() for p in into]
        self.weights = {p.name: backend.weights(p.name) for p in plastic}
        self._in_force = {name: w.copy() for name, w in self.weights.items()}
        self._e = {name: np.zeros(w.shape) for name, w in self.weights.items()}
        self.norm: dict[str, float] = {}
        self._alpha = {"output": config.alpha_output}
        if config.hidden:
            self._alpha["hidden"] = config.alpha_hidden
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
            p.name: arrivals(spikes[p.pre], p.delay) for into in self._into.values() for p in into
        }
        factors = self._rule(self._decision(spikes, arrived, feedback(action, policy)))
        for population, post in (("output", factors.output), ("hidden", factors.hidden)):
            if post is None:
                continue
            first = self._first[population]
            post = _on_grid(post)
            power = 0.0
            for p in self._into[population]:
                x = p.pre_trace(arrived[p.name])
                e = self._e[p.name]
                e *= self._keep
                e += outer_sum(x, post, e.shape)
                total = x[first:].sum(axis=0)
                power += float(total @ total) / p.blocks / (len(x) - first)
            self._follow_norm(population, power)

    def learn(self, delta: float, rate: float) -> None:
        """``w <- clip(w + alpha rate delta e / N)``, written to the backend."""
        for population, alpha in self._alpha.items():
            eta = alpha * rate / max(self.norm[population], 1.0)
            for p in self._into[population]:
                self.weights[p.name] = apply_modulator(
                    self.weights[p.name], self._e[p.name], delta, eta, p.low, p.high
                )
                self._in_force[p.name] = self._backend.set_weights(p.name, self.weights[p.name])

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
            output_from=self._first["output"],
            hidden_from=self._first["hidden"] if hidden is not None else 0,
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
        drive = np.zeros(spikes[name].shape)
        for p in self._into[name]:
            x = p.transmitted(arrived[p.name])
            w = self._in_force[p.name]
            if w.ndim == 2:
                drive += x @ w
            else:
                drive += (x.reshape(len(x), len(w), 1, -1) @ w).reshape(drive.shape)
        return spike_probability(self._dynamics[name], drive, spikes[name])

    def _follow_norm(self, population: str, power: float) -> None:
        old = self.norm.get(population)
        self.norm[population] = power if old is None else old + _NORM_RATE * (power - old)

    def _feedback_signs(self) -> FloatArray:
        """The sign of each hidden unit's output weight before learning, +1 for 0."""
        for p in self._into["output"]:
            if p.pre == "hidden":
                return np.where(self.weights[p.name].ravel() < 0, -1.0, 1.0)
        return np.ones(0)


def _on_grid(x: FloatArray) -> FloatArray:
    """*x* rounded to multiples of 2**-20, so that sums of products of two such are exact.

    Like the grid of the weights: no order of summation, library or processor changes a bit.
    """
    return np.asarray(np.rint(x * _GRID) * (1.0 / _GRID))


def _plastic_into(network: Network, population: str) -> list[_Plastic]:
    def plastic(p: Projection, rule_of: Plasticity) -> _Plastic:
        tau = rule_of.trace_tau
        return _Plastic(
            name=p.name,
            pre=p.pre,
            blocks=p.blocks,
            signed=p.signed,
            delay=network.delay_steps(p.name),
            trace_decay=float(np.exp(-network.dt / tau)) if tau else 0.0,
            low=rule_of.low,
            high=rule_of.high,
        )

    return [
        plastic(p, p.plasticity)
        for p in network.projections
        if p.post == population and p.plasticity is not None
    ]
