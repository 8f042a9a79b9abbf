"""Define neuron models: each is a frozen set of parameters that becomes statements."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, fields
from typing import Annotated, NoReturn

import numpy as np
import numpy.typing as npt

from neurorl.errors import DescriptionError
from neurorl.expressions.expression import Expression
from neurorl.network.limits import MAX_REFRACTORY
from neurorl.network.neuron import IS_SILENT, Integrator, Neuron, PerNeuron, StepPlan, integrator_of
from neurorl.network.serialization import LARGEST, Range, frozen_array, number
from neurorl.numerics.arrays import FloatArray, IntArray
from neurorl.storage.plain import real_array

_NEVER = 12.0  # times the width: more than any draw of escape noise, whose largest is 10.4


_UNITS = (2.0**-30, 2.0**30)
_PARAMETERS = frozenset({"tau_syn", "tau_mem", "threshold", "bias", "noise", "refractory"})


@dataclass(frozen=True, eq=False)
class _Leaky(Neuron):
    """Derive models from this class if their fields are parameters of `_integrator`."""

    def __post_init__(self) -> None:
        _check_parameters(self)

    def plan(self, size: int, dt: float) -> StepPlan:
        parameters = {f.name: getattr(self, f.name) for f in fields(self)}
        odd = sorted(set(parameters) - _PARAMETERS)
        if odd:
            where, what = f"{type(self).__name__}.{odd[0]}", "a parameter that no backend knows"
            remedy = "override plan() and say what it does in a step"
            limit = ", ".join(sorted(_PARAMETERS))
            raise DescriptionError(where, what, limit=limit, remedy=remedy)
        return _integrator(self, size, dt, **parameters).plan()


@dataclass(frozen=True, eq=False)
class CubaLIF(_Leaky):
    """Model a leaky integrate-and-fire neuron with a current that decays (current-based synapse).

    ``u <- exp(-dt/tau_syn) u + q``, ``v <- exp(-dt/tau_mem) v + u + bias``; spike where
    ``v + noise L > threshold``, L standard logistic (escape noise), then v = 0.

    tau_syn: time constant of the current, s, >= 0; 0 forgets within the step.
    tau_mem: time constant of the membrane, s, >= 0; 0 forgets within the step.
    threshold: membrane units.
    bias: what every step adds to the membrane, membrane units.
    noise: width of the escape noise, membrane units, >= 0; 0 is a hard threshold.
    refractory: time after a spike in which v stays 0, s, >= 0, rounded to steps.
    Each is a number or an array of shape ``(size,)``.
    """

    tau_syn: PerNeuron = 5e-3
    tau_mem: PerNeuron = 20e-3
    threshold: PerNeuron = 1.0
    bias: PerNeuron = 0.0
    noise: PerNeuron = 0.0
    refractory: PerNeuron = 0.0


@dataclass(frozen=True, eq=False)
class LIF(_Leaky):
    """Model a leaky integrate-and-fire neuron whose input acts for one step (delta synapse).

    ``v <- exp(-dt/tau_mem) v + q + bias``; the rest as in `CubaLIF` with
    tau_syn = 0.

    tau_mem: time constant of the membrane, s, >= 0; 0 forgets within the step.
    threshold: membrane units.
    bias: what every step adds to the membrane, membrane units.
    noise: width of the escape noise, membrane units, >= 0; 0 is a hard threshold.
    refractory: time after a spike in which v stays 0, s, >= 0, rounded to steps.
    """

    tau_mem: PerNeuron = 20e-3
    threshold: PerNeuron = 1.0
    bias: PerNeuron = 0.0
    noise: PerNeuron = 0.0
    refractory: PerNeuron = 0.0


@dataclass(frozen=True, eq=False)
class GLM(_Leaky):
    """Spike with P = sigmoid(2 u), ``u = q + bias``, q of this step only: the papers' unit.

    Alone it has no memory. With a projection for each lag l of the stimulus filters k and of the
    spike-history filter h, of delay l, it is the general unit::

        u(t) = b + sum_i sum_l k_il x_i(t-l) + sum_l h_l y(t-l)

    with free taps, no basis functions: see `neurorl.models.actor.actor_network`, where
    ``stimulus_lags`` and ``history_lags`` give them. One stimulus tap and no history is the
    memoryless unit. The case tau_syn = tau_mem = 0, threshold 0, noise 1/2 of `CubaLIF`.

    bias: what every step adds to u, membrane units.

    Source: the unit of arXiv:1910.06489 (with filters) and 2005.05941, both with values +-1; see
    `Projection.signed`.
    """

    bias: PerNeuron = 0.0

    def plan(self, size: int, dt: float) -> StepPlan:
        return _integrator(self, size, dt, bias=self.bias, noise=0.5).plan()


@dataclass(frozen=True, eq=False)
class InChipUnits(Neuron):
    """Fix the chip integers in a membrane unit of another model, which else follow from weights.

    neuron: the model, LIF, CubaLIF or GLM. unit: chip integers, > 0; with 1, thresholds, biases and
    weights are integers of the chip themselves. Floats mean what they mean without it.
    """

    neuron: Neuron
    unit: float

    def __post_init__(self) -> None:
        if not isinstance(self.neuron, Neuron):
            self._refuse()
        object.__setattr__(self, "unit", number("InChipUnits.unit", self.unit, *_UNITS))

    @property
    def chip_unit(self) -> float | None:
        return self.unit

    def plan(self, size: int, dt: float) -> StepPlan:
        plan = self.neuron.plan(size, dt)
        if integrator_of(plan) is None:
            self._refuse()
        return plan

    def _refuse(self) -> NoReturn:
        limit = "LIF, CubaLIF, GLM"
        raise DescriptionError("InChipUnits.neuron", "not one of these", limit=limit)


@dataclass(frozen=True, eq=False)
class Lesion(Neuron, named="Silenced"):
    """Silence some neurons of another model, unless input drives them.

    neuron: the model. silent: their numbers, whole ones from 0; bias 0, and a threshold that their
    noise alone can't reach: 12 times its width, or their own if that is higher, or 1 without any.
    Those by equations never spike, whatever drives them; their variables go on.
    To keep input away too: `neurorl.models.neurons.lesions.lesioned`.
    """

    neuron: Neuron
    silent: Annotated[tuple[int, ...], Range(0, 2**53)]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.neuron, Neuron):
            raise DescriptionError("Lesion.neuron", "not a neuron model", got=self.neuron)

    @property
    def inputs(self) -> tuple[str, ...]:
        return self.neuron.inputs

    @property
    def chip_unit(self) -> float | None:
        return self.neuron.chip_unit

    def plan(self, size: int, dt: float) -> StepPlan:
        plan, silent = self.neuron.plan(size, dt), self._numbers(size)
        integrator = integrator_of(plan)
        if integrator is not None:
            threshold, bias = integrator.threshold.copy(), integrator.bias.copy()
            high = np.maximum(threshold, _NEVER * integrator.noise_width)
            threshold[silent] = np.where(high > 0, high, 1.0)[silent]
            bias[silent] = 0.0
            return dataclasses.replace(integrator, threshold=threshold, bias=bias).plan()
        is_silent = np.zeros(size)
        is_silent[silent] = 1.0
        if IS_SILENT in plan.constants:  # of another one inside
            both = np.maximum(is_silent, plan.constants[IS_SILENT])
            return dataclasses.replace(plan, constants={**plan.constants, IS_SILENT: both})
        return dataclasses.replace(
            plan,
            constants={**plan.constants, IS_SILENT: is_silent},
            threshold=Expression(f"({plan.threshold.text}) and {IS_SILENT} == 0"),
        )

    def _numbers(self, size: int) -> list[int]:
        """Return the numbers of the silent neurons, of *size* in all."""
        if self.silent and not 0 <= min(self.silent) <= max(self.silent) < size:
            got, limit = self.silent, f"0 to {size - 1}"
            raise DescriptionError("Lesion.silent", "no such neuron", got=got, limit=limit)
        return list(self.silent)


def _check_parameters(neuron: Neuron) -> None:
    """Make every field a float or a read-only 1-D array, in range; raise DescriptionError."""
    for field in fields(neuron):  # type: ignore[arg-type]
        where = f"{type(neuron).__name__}.{field.name}"
        is_signed = field.name in ("threshold", "bias")
        value = per_neuron(where, getattr(neuron, field.name), is_signed)
        if np.abs(value).max() > LARGEST:
            raise DescriptionError(where, "too large", limit=f"{LARGEST:g}")
        object.__setattr__(neuron, field.name, value)


def per_neuron(where: str, value: PerNeuron, is_signed: bool = True) -> float | FloatArray:
    """Return a float, or a read-only array of one dimension. Raises DescriptionError."""
    array = frozen_array(where, value, None)
    if array.ndim > 1:
        raise DescriptionError(where, "more than one dimension", got=array.shape)
    if not is_signed and array.min() < 0:
        got = f"{array.min():g}"
        raise DescriptionError(where, "must not be negative", got=got, limit=">= 0")
    return array if array.ndim else float(array)


def spread(where: str, value: PerNeuron, size: int) -> FloatArray:
    """Return a number for each neuron, ``(size,)``. Raises DescriptionError."""
    array = np.asarray(value, dtype=np.float64)
    if array.ndim and array.shape != (size,):
        raise DescriptionError(where, "wrong shape", got=array.shape, limit=(size,))
    return np.broadcast_to(array, (size,)).copy()


def refractory_steps(where: str, value: PerNeuron, size: int, dt: float) -> IntArray:
    """Return seconds as steps of each neuron, ``(size,)``. Raises DescriptionError."""
    steps = np.rint(spread(where, value, size) / dt)
    if steps.max() > MAX_REFRACTORY:
        got, limit = f"{steps.max() * dt:g} s", f"{MAX_REFRACTORY} steps of {dt:g} s"
        raise DescriptionError(where, "too long", got=got, limit=limit)
    return steps.astype(np.int64)


def _integrator(neuron: Neuron, size: int, dt: float, **given: PerNeuron) -> Integrator:
    """Return neurons of fields by their names in `CubaLIF`; those left out are 0."""
    kind, names = type(neuron).__name__, ("tau_syn", "tau_mem", "threshold", "bias", "noise")
    values = (spread(f"{kind}.{name}", given.get(name, 0.0), size) for name in names)
    tau_syn, tau_mem, threshold, bias, noise = values
    dead = refractory_steps(f"{kind}.refractory", given.get("refractory", 0.0), size, dt)
    decays = _decay(tau_syn, dt), _decay(tau_mem, dt)
    return Integrator(*decays, threshold, bias, noise, refractory_steps=dead)


def _decay(tau: FloatArray, dt: float) -> FloatArray:
    """Return exp(-dt/tau), 0 for tau = 0, rounded so that every C library gives the same."""
    with np.errstate(divide="ignore", over="ignore", under="ignore"):
        return np.asarray(np.rint(np.exp(-dt / tau) * 2.0**48) * 2.0**-48, dtype=np.float64)


_RANGES = {"shift_syn": (1, 15), "shift_mem": (0, 15), "threshold": (1, 2**15 - 1)}
_RANGES["bias"] = -(2**15), 2**15 - 1


def shift_lif(
    shift_syn: npt.ArrayLike = 3,
    shift_mem: npt.ArrayLike = 5,
    threshold: npt.ArrayLike = 256,
    bias: npt.ArrayLike = 0,
    dt: float = 1e-3,
) -> InChipUnits:
    """Return neurons whose numbers are the integers of arithmetic ``xylo``, weights into them too.

    `neurorl.arithmetic.xylo_integers` has their step. In other arithmetics it is the `CubaLIF` of
    the same decays, whose membrane is larger by ``1 / (1 - 2**-shift_syn)``.

    shift_syn: of the current, 1 to 15. shift_mem: of the membrane, 0 to 15; 0 forgets it.
    threshold: the least membrane that spikes, and what a spike takes off it, 1 to 32767. bias: what
    every step adds to the membrane, 16 bits. Whole numbers, or arrays ``(size,)`` of such. dt: the
    network's, s.
    """
    given = []
    numbers = zip(_RANGES.items(), (shift_syn, shift_mem, threshold, bias), strict=True)
    for (name, (low, high)), value in numbers:
        where, limit = f"shift_lif, {name}", f"whole numbers of {low} to {high}"
        array = real_array(where, value, DescriptionError)
        if not ((array >= low) & (array <= high) & (array % 1 == 0)).all():
            raise DescriptionError(where, "out of range", got=value, limit=limit)
        given.append(array)
    dt = number("shift_lif, dt", dt, 1e-12, 1e6)
    with np.errstate(divide="ignore"):
        syn, mem = (-dt / np.log1p(-(2.0**-x)) for x in given[:2])
    kept = 1 - 2.0 ** -given[0]
    # From the threshold on, whole numbers are over it less a half.
    return InChipUnits(CubaLIF(syn, mem, (given[2] - 0.5) / kept, given[3] / kept), 1.0)
