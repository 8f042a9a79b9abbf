"""Reduce equations to a neuron of the chip, LIF or CubaLIF, and its scale, where possible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurorl.expressions.expression import Expression
from neurorl.expressions.linear import NotLinearError, linear, substituted
from neurorl.expressions.nodes import TEXT, FunctionCall, Name, Node, names_in, render
from neurorl.models.neurons.leaky import LIF, CubaLIF
from neurorl.network.neuron import Neuron, StepPlan
from neurorl.numerics.arrays import FloatArray

_NEAR = 1e-12
_FORGETS_NOTHING = 2.0**60  # steps


@dataclass(frozen=True)
class ChipForm:
    """Hold the parameters of a `CubaLIF`, or of a `LIF` if *tau_syn* is None; ``(size,)`` each.

    Its membrane is v minus the reset value. scale: factor of all weights, > 0.
    """

    tau_syn: FloatArray | None
    tau_mem: FloatArray
    threshold: FloatArray
    bias: FloatArray
    noise: FloatArray
    refractory: FloatArray
    scale: FloatArray

    def neuron(self) -> Neuron:
        """Return the neuron for unscaled weights: its membrane is divided by the scale."""
        shared = {
            "tau_mem": self.tau_mem,
            **{x: getattr(self, x) / self.scale for x in ("threshold", "bias", "noise")},
            "refractory": self.refractory,
        }
        return LIF(**shared) if self.tau_syn is None else CubaLIF(tau_syn=self.tau_syn, **shared)


def chip_form(plan: StepPlan, dt: float, keeps_all: bool = False) -> ChipForm | None:
    """Return the neuron of the chip that makes the same spikes as *plan*, None if there is none.

    Equations reduce if v, and a current before it, decay and take up one input linearly, with a
    threshold ``v > number``, a reset ``v = number`` equal to the initial v, and refractory steps in
    which v keeps its value. keeps_all: allow a membrane without a leak.
    """
    (target, *others), state = plan.inputs, list(plan.initial)
    if (
        plan.from_outside
        or others
        or len(state) > 2
        or plan.margin is None
        or plan.threshold.kind != "boolean"
    ):
        return None
    v = plan.margin.left.text
    try:
        keep, drive, rest = _affine(plan, target)
    except NotLinearError:
        return None
    reset = _constant(plan, plan.reset[0].value) if len(plan.reset) == 1 else None
    threshold = _constant(plan, plan.margin.right)
    if v not in state or reset is None or threshold is None or plan.reset[0].variable != v:
        return None
    held = plan.held == (v,) or not plan.refractory_steps.any()
    at_rest = all(not plan.initial[x].any() for x in state if x != v)
    begins = at_rest and np.all(plan.initial[v] == reset)
    if not held or not begins or ">=" in plan.threshold.text:
        return None
    decay = keep[v, v]
    bias = rest[v] + (decay - 1) * reset
    tau_syn, scale = None, drive[v]
    if len(state) == 2:
        (u,) = (x for x in state if x != v)
        if np.any(keep[u, v]) or np.any(rest[u]) or np.any(drive[u] == 0):
            return None
        if not np.allclose(keep[v, u] * drive[u], drive[v] * keep[u, u], rtol=_NEAR, atol=0):
            return None
        tau_syn = _tau(keep[u, u], dt)
    tau_mem = _tau(decay, dt, keeps_all)
    if tau_mem is None or (len(state) == 2 and tau_syn is None) or np.any(scale <= 0):
        return None
    noise = plan.constants.get("noise_width", np.zeros(plan.size))
    spread = [
        np.broadcast_to(x, (plan.size,))
        for x in (tau_mem, threshold - reset, bias, noise, plan.refractory_steps * dt, scale)
    ]
    return ChipForm(None if tau_syn is None else np.broadcast_to(tau_syn, (plan.size,)), *spread)


def _affine(
    plan: StepPlan, target: str
) -> tuple[dict[tuple[str, str], FloatArray], dict[str, FloatArray], dict[str, FloatArray]]:
    """Return each variable's next value as a linear sum of state and input, plus a number."""
    state, values = list(plan.initial), dict[str, Node]()
    for line in plan.update:
        values[line.variable] = _chosen(plan, substituted(line.value.tree, values))
    variables = [*state, *([] if target in state else [target])]
    keep: dict[tuple[str, str], FloatArray] = {}
    drive, rest = {}, {}
    for x in state:
        parts = linear(values.get(x, Name(x)), variables)
        for name in state:
            keep[x, name] = _number(plan, parts.coefficients.get(name))
        # Input to a state variable is added before the update, so it is scaled like the state.
        drive[x] = _number(plan, parts.coefficients.get(target))
        rest[x] = _number(plan, parts.rest)
    return keep, drive, rest


def _chosen(plan: StepPlan, node: Node) -> Node:
    """Return the branch that a ``where`` of constants takes, if all neurons take the same."""
    if not isinstance(node, FunctionCall) or node.function != "where":
        return node
    condition, if_true, if_false = node.arguments
    if not set(names_in(condition)) <= set(plan.constants):
        return node
    holds = Expression(render(condition, TEXT)).evaluate(plan.constants)
    if not np.all(holds) and np.any(holds):
        return node
    return _chosen(plan, if_true if np.all(holds) else if_false)


def _number(plan: StepPlan, node: Node | None) -> FloatArray:
    if node is None:
        return np.zeros(())
    return np.asarray(Expression(render(node, TEXT)).evaluate(plan.constants), dtype=np.float64)


def _constant(plan: StepPlan, value: Expression) -> FloatArray | None:
    if not set(value.names) <= set(plan.constants):
        return None
    return np.asarray(value.evaluate(plan.constants), dtype=np.float64)


def _tau(decay: FloatArray, dt: float, keeps_all: bool = False) -> FloatArray | None:
    """Return the time constant of a decay; None if it isn't one."""
    if np.any(decay < 0) or np.any(decay > 1) or (np.any(decay == 1) and not keeps_all):
        return None
    with np.errstate(divide="ignore"):
        tau = np.where(decay > 0, -dt / np.log(decay), 0.0)
    return np.where(decay < 1, tau, dt * _FORGETS_NOTHING)
