"""What simulators get wrong: the changes of a population's step that an explanation tries.

Each is the description with one thing changed. It is named as a cause only if it predicts every
current, membrane, refractory time and spike that the lane showed around its first divergence.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic import ChipArithmetic, initial_weights
from neurorl.backends.reference.neurons import Neurons
from neurorl.description import Dynamics
from neurorl.validation.equations import Change, Trial

__all__ = ["AT_THRESHOLD", "UNBOUNDED", "hypotheses"]

Array = npt.NDArray[Any]


def hypotheses(trial: Trial) -> Iterator[Change]:
    """Those that make sense for a population, likelier ones first."""
    chip = isinstance(trial.arithmetic, ChipArithmetic)
    yield from _weights(trial)
    yield from _delays(trial)
    yield Change(
        "step order",
        "the membrane moves before the current of the same step has arrived",
        mixins=(_MembraneFirst,),
    )
    yield from _refractory(trial)
    yield Change("reset", "a spike subtracts the threshold and doesn't reset to 0", mixins=(_Less,))
    yield Change("reset", "a spike doesn't reset the membrane", mixins=(_Kept,))
    yield from _of_chip() if chip else _of_float()
    yield from _noise(trial)
    yield Change("bias", "the bias isn't there", bias=np.zeros_like)
    yield from _roundings(trial, chip)
    if trial.replay.fresh:
        detail = "a window starts from where the one before ended, not from silence"
        yield Change("reset between decisions", detail, carries=True)


def _weights(trial: Trial) -> Iterator[Change]:
    """Weights that the lane itself says are in force, where they aren't those expected."""
    odd = [
        p.name
        for p in trial.network.projections
        if p.post == trial.population.name
        and not np.array_equal(trial.replay.weights[p.name], trial.expected[p.name])
    ]
    yield from _unwritten(trial)
    if not odd:
        return
    apart = max(
        float(np.abs(trial.replay.weights[name] - trial.expected[name]).max()) for name in odd
    )
    size = max(float(np.abs(trial.expected[name]).max()) for name in odd) or 1.0
    rounded = apart <= size / 100
    yield Change(
        "rounding of weights" if rounded else "weights",
        f"the weights of {', '.join(odd)} are {'rounded' if rounded else 'others'}: "
        f"up to {apart:.3g} away from those described",
        weights=trial.replay.weights,
    )


def _unwritten(trial: Trial) -> Iterator[Change]:
    """Weights that were written, if they never came into force."""
    drawn = {
        p.name: trial.arithmetic.round(p.name, initial_weights(trial.network, p.name, trial.seed))
        for p in trial.network.projections
    }
    into = [p.name for p in trial.network.projections if p.post == trial.population.name]
    written = [name for name in into if not np.array_equal(drawn[name], trial.expected[name])]
    for name in written:
        detail = f"weights written to {name} never came into force: those before did not go"
        yield Change("weights", detail, weights={**trial.expected, name: drawn[name]})
    if len(written) > 1:
        detail = "weights that were written never came into force: those before did not go"
        before = {name: drawn[name] for name in written}
        yield Change("weights", detail, weights={**trial.expected, **before})


def _delays(trial: Trial) -> Iterator[Change]:
    into = [p.name for p in trial.into]
    for later in (1, -1, 2, -2, 3, -3):
        way = "later" if later > 0 else "earlier"
        step = "a step" if abs(later) == 1 else f"{abs(later)} steps"
        for name in into:
            detail = f"spikes of {name} arrive {step} {way} than described"
            yield Change("delay", detail, later={name: later})
        if len(into) > 1:
            detail = f"all spikes arrive {step} {way} than described"
            yield Change("delay", detail, later=dict.fromkeys(into, later))


def _refractory(trial: Trial) -> Iterator[Change]:
    for more in (1, -1):
        detail = f"the refractory period is a step {'longer' if more > 0 else 'shorter'}"
        yield Change("refractory", detail, parameters=partial(_longer, more))
    detail = "there is no refractory period"
    yield Change("refractory", detail, parameters=partial(_longer, -(2**31)))


def _longer(by: int, x: Any) -> Any:
    if isinstance(x, Dynamics):
        return dataclasses.replace(x, refractory_steps=np.maximum(x.refractory_steps + by, 0))
    return dataclasses.replace(x, refractory=np.maximum(x.refractory + by, 1))


def _lowered(x: Any) -> Any:
    if isinstance(x, Dynamics):
        return dataclasses.replace(x, threshold=np.nextafter(x.threshold, -np.inf))
    return dataclasses.replace(x, threshold=x.threshold - 1)


def _of_chip() -> Iterator[Change]:
    yield Change("overflow", "registers don't overflow, as the chip's do", mixins=(_Unbounded,))
    detail = "registers stay at their largest value, where the chip's overflow"
    yield Change("overflow", detail, mixins=(_Saturated,))
    yield Change("decay", "decays are rounded down, not towards zero", mixins=(_Floored,))
    yield Change("decay", "decays are rounded to the nearest", mixins=(_Nearest,))
    yield Change(
        "decay",
        "the current decays by 1/4096 less in each step: the chip adds 1 to its decay",
        parameters=lambda x: dataclasses.replace(x, current_decay=x.current_decay - 1),
    )


def _of_float() -> Iterator[Change]:
    for names, what in (
        (("membrane_decay",), "the membrane decays"),
        (("current_decay",), "the current decays"),
        (("membrane_decay", "current_decay"), "current and membrane decay"),
    ):
        yield Change(
            "decay",
            f"{what} by Euler's 1 - dt/tau, not by exp(-dt/tau)",
            parameters=partial(_euler, names),
        )


def _euler(names: Sequence[str], x: Dynamics) -> Dynamics:
    changed = {}
    for name in names:
        decay = getattr(x, name)
        with np.errstate(divide="ignore"):
            changed[name] = np.maximum(1.0 + np.where(decay > 0, np.log(decay), -1.0), 0.0)
    return dataclasses.replace(x, **changed)


def _noise(trial: Trial) -> Iterator[Change]:
    yield Change("noise source", "there is no noise", noise=lambda step: None)
    for by in (1, -1):
        way = "after" if by > 0 else "before"
        detail = f"the noise is that of the step {way}"
        yield Change("noise source", detail, noise=partial(operator.add, by))
    start = trial.replay.t
    detail = "the noise counts its steps from another start"
    yield Change("noise source", detail, noise=lambda step: step - start)
    windows = sorted(trial.replay.fresh)
    if windows:
        detail = "the noise starts again in every window"
        yield Change(
            "noise source",
            detail,
            noise=lambda step: step - start - max([k for k in windows if k <= step - start] or [0]),
        )
    for more in (1, -1):
        yield Change("noise source", f"the noise is that of seed {more:+d}", seed=more)
    for stream in range(len(trial.network.nodes)):
        by = stream - trial.network.index(trial.population.name)
        if by:
            other = trial.network.nodes[stream].name
            yield Change("noise source", f"the noise is that of {other}", stream=by)


def _roundings(trial: Trial, chip: bool) -> Iterator[Change]:
    """Of what a spike transmits, though the backend says that its weights are as described."""

    def float32(_: str, w: Array) -> Array:
        return np.asarray(w, dtype=np.float32).astype(np.float64)

    def float16(_: str, w: Array) -> Array:
        return np.asarray(w, dtype=np.float16).astype(np.float64)

    if not chip:
        yield Change("rounding of weights", "weights are rounded to float32", transmit=float32)
        yield Change("rounding of weights", "weights are rounded to float16", transmit=float16)
        for bits in (8, 7, 6, 4, 10, 12, 16):
            detail = f"weights are rounded to {bits} bits with sign, of each projection's largest"
            yield Change("rounding of weights", detail, transmit=_Bits(bits))
        return
    for bits in (7, 6, 5, 4):
        detail = f"mantissas keep their upper {bits} bits only"

        def cut(_: str, w: Array, unit: int = 2 ** (8 - bits)) -> Array:
            scale = np.gcd.reduce(np.abs(w).astype(np.int64).ravel()) or 1
            return np.trunc(w / (scale * unit)) * (scale * unit)

        yield Change("rounding of weights", detail, transmit=cut)


class _Bits:
    """To the nearest of ``2**(bits - 1) - 1`` values of each sign, up to the largest weight."""

    def __init__(self, bits: int) -> None:
        self._most = 2 ** (bits - 1) - 1

    def __call__(self, _: str, w: Array) -> Array:
        step = float(np.abs(w).max(initial=0.0)) / self._most or 1.0
        return np.rint(np.asarray(w, dtype=np.float64) / step) * step


class _MembraneFirst(Neurons):
    def _current(self, q: Array) -> Array:
        self._before = self.u
        return super()._current(q)  # type: ignore[safe-super]

    def _membrane(self, steps: Sequence[int]) -> Array:
        now, self.u = self.u, self._before
        moved = super()._membrane(steps)  # type: ignore[safe-super]
        self.u = now
        return moved


class _Less(Neurons):
    def _spike(self, over: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        before = self.v.copy()
        over = super()._spike(over)
        self.v[over] = (before - self.threshold)[over]
        return over


class _Kept(Neurons):
    def _spike(self, over: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        before = self.v.copy()
        over = super()._spike(over)
        self.v[over] = before[over]
        return over


class _Unbounded(Neurons):
    def _held(self, x: Array, bits: int) -> Array:
        return np.asarray(x, dtype=np.int64)


class _Saturated(Neurons):
    def _held(self, x: Array, bits: int) -> Array:
        return np.clip(np.asarray(x, dtype=np.int64), -(1 << bits), (1 << bits) - 1)


class _Floored(Neurons):
    def _left(self, x: Array, factor: Array) -> Array:
        return np.asarray((x * factor) >> 12)


class _Nearest(Neurons):
    def _left(self, x: Array, factor: Array) -> Array:
        return np.rint(x * factor / 4096).astype(np.int64)


UNBOUNDED = _Unbounded
"""A mixin of neurons whose registers don't overflow."""

AT_THRESHOLD = Change(
    "threshold",
    "a membrane that is exactly at the threshold spikes; it must exceed it",
    parameters=_lowered,
)
"""To be tried first and to the last bit: it is what float error looks like from afar."""
