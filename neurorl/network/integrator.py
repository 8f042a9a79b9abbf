"""Describe the leaky integrate-and-fire neuron, which chips and other simulators share."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neurorl.expressions.expression import Expression
from neurorl.expressions.statements import read_statements
from neurorl.network.step_plan import Margin, StepPlan
from neurorl.numerics.arrays import FloatArray

_UPDATE = read_statements("u = kept_u*u + q; v = kept_v*v + u + bias", "Integrator")
_RESET = read_statements("v = 0", "Integrator")
_MARGIN = Margin(Expression("v"), Expression("threshold"))
_SURE, _NOISY = Expression("v > threshold"), Expression("v + noise_width*logistic > threshold")


@dataclass(frozen=True, eq=False)
class Integrator:
    """Hold the parameters of a current and a membrane that leak; arrays of shape ``(size,)``.

    With input ``q`` (the sum of weights of arriving spikes), per step::

        u <- current_decay * u + q
        v <- membrane_decay * v + u + bias          (v stays 0 in a dead step)
        spike if v + noise_width * L > threshold    (L standard logistic; never in a dead step)
        v <- 0 and refractory_steps dead steps after a spike

    so that P(spike) = sigmoid((v - threshold) / noise_width), or a hard threshold for width 0.
    """

    current_decay: FloatArray
    membrane_decay: FloatArray
    threshold: FloatArray
    bias: FloatArray
    noise_width: FloatArray
    refractory_steps: npt.NDArray[np.int64]

    def plan(self) -> StepPlan:
        """Return the statements of a step."""
        is_noisy = bool(self.noise_width.any())
        constants = {
            "kept_u": self.current_decay,
            "kept_v": self.membrane_decay,
            "threshold": self.threshold,
        }
        return StepPlan(
            initial={name: np.zeros(len(self.threshold)) for name in ("u", "v")},
            constants=constants | ({"noise_width": self.noise_width} if is_noisy else {}),
            inputs=("q",),
            update=_UPDATE,
            threshold=_NOISY if is_noisy else _SURE,
            reset=_RESET,
            held=("v",),
            refractory_steps=self.refractory_steps,
            is_noisy=is_noisy,
            margin=_MARGIN,
            bias=self.bias,
        )


def integrator_of(plan: StepPlan) -> Integrator | None:
    """Return the parameters of a step with an integrator's statements; None for others."""
    statements = plan.update, plan.reset, plan.margin, plan.held
    if plan.bias is None or statements != (_UPDATE, _RESET, _MARGIN, ("v",)):
        return None
    if plan.threshold not in (_SURE, _NOISY) or any(x.any() for x in plan.initial.values()):
        return None
    return Integrator(
        current_decay=plan.constants["kept_u"],
        membrane_decay=plan.constants["kept_v"],
        threshold=plan.constants["threshold"],
        bias=plan.bias,
        noise_width=plan.constants.get("noise_width", np.zeros(plan.size)),
        refractory_steps=plan.refractory_steps,
    )
