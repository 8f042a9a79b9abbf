"""Learn on the emulated chip quickly and equal in every bit, with the same random draws.

nengo-loihi's own loop rounds row by row. Here whole tables are rounded, in C++
(``backends/loihi/src/pes.h``) where there is a compiler, else in NumPy. Where an error or a trace
is 0 no weight changes, and C++ only counts the numbers that would have been drawn.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from neurorl.backends.loihi.accelerate import FastSynapses
from neurorl.backends.loihi.learning_tables import LearningPart, LearningTable
from neurorl.backends.loihi.native import Learning, Twister, library
from neurorl.backends.loihi.pes import ERROR_SCALE, OnChipLearning
from neurorl.native.structures import pointer
from neurorl.native.toolchain import problem

__all__ = ["FastLearning"]

_TRACE_STEPS, _WEIGHT_STEPS = 2, 4
_TRACE_MAX, _MANTISSA_MAX = 127, 127
_NOISE = 127  # the emulator draws noise from -127..127

Bools = npt.NDArray[np.bool_]


class FastLearning(OnChipLearning):
    """Update traces and weights by `step`, in place of nengo-loihi; else equal `OnChipLearning`.

    emulator, tables: as in `OnChipLearning`.
    synapses: the emulator's replaced loops, which know the arriving spikes.
    pre: by projection, its presynaptic node.
    draws_noise: whether the emulator would draw noise for its compartments from the same generator.
    """

    def __init__(
        self,
        emulator: Any,
        tables: Mapping[str, LearningTable],
        synapses: FastSynapses,
        pre: Mapping[str, str],
        *,
        draws_noise: bool,
    ) -> None:
        super().__init__(emulator, tables)
        self._n_noise = len(emulator.compartment.vth) if draws_noise else 0
        arrived = {
            id(part.synapse): (part, synapses.arrived(pre[name])[part.rows])
            for name, table in tables.items()
            for part in table.parts
        }
        sizes = {part.post: 0 for part, _ in arrived.values()}
        for part, _ in arrived.values():
            sizes[part.post] = max(sizes[part.post], part.last)
        self._errors = {name: np.zeros(size, dtype=np.int32) for name, size in sizes.items()}
        # In the emulator's order, in which it draws numbers.
        synapses_in_order = list(emulator.synapses.traces)
        ends = np.cumsum([synapse.n_axons for synapse in synapses_in_order]).tolist()
        self._traces = np.zeros(ends[-1], dtype=np.int32)
        self._all_came = np.zeros(ends[-1], dtype=bool)
        self._learning = []
        for synapse, end in zip(synapses_in_order, ends, strict=True):
            axons = slice(end - synapse.n_axons, end)
            emulator.synapses.traces[synapse] = self._traces[axons]
            memory = (self._traces[axons], self._all_came[axons])
            self._learning.append(_Part(*arrived[id(synapse)], *memory, self._errors))
        self._by_part = {id(learning.part): learning for learning in self._learning}
        self._function: Any = None
        if problem() is None:
            self._go_native()

    def _go_native(self) -> None:
        """Copy the generator's state for C++, and prepare the arguments of its function."""
        _, words, position, *_ = self._emulator.rng.get_state()
        self._words, self._used = words.copy(), np.array([position], dtype=np.int64)
        self._twister = Twister(words=pointer(self._words), used=pointer(self._used))
        structures = [part.structure() for part in self._learning]
        self._structures = (Learning * len(structures))(*structures)
        self._function = library().neurorl_chip_learn
        self._arguments = (
            ctypes.c_void_p(ctypes.addressof(self._structures)),
            ctypes.c_int64(len(structures)),
            ctypes.c_void_p(ctypes.addressof(self._twister)),
            ctypes.c_int64(self._n_noise),
        )

    @property
    def structures(self) -> tuple[int, int, int, int]:
        """Return the parts, their number, the generator, and draws of noise per step, for C++."""
        places = (ctypes.addressof(self._structures), ctypes.addressof(self._twister))
        return places[0], len(self._structures), places[1], self._n_noise

    @staticmethod
    def until(t: int) -> int:
        """Return the number of steps from *t* to the next that learns, including that one."""
        return -t % _WEIGHT_STEPS + 1

    def reset(self) -> None:
        self._traces[:] = 0
        self._all_came[:] = False

    def present(self, errors: Mapping[str, npt.NDArray[np.float64]]) -> None:
        for name, held in self._errors.items():
            held[:] = np.round(ERROR_SCALE * errors[name]) if name in errors else 0

    def step(self, t: int) -> None:
        """Do the learning of the emulator's step *t*, and draw the noise that it would draw."""
        if self._function is not None:
            self._function(*self._arguments, ctypes.c_int64(t))
            return
        rng = self._emulator.rng
        # All traces before any weights: this is the order in which the emulator draws.
        for part in self._learning:
            part.note_spikes()
        for part in self._learning if t % _TRACE_STEPS == 0 else ():
            part.update_trace(rng)
        for part in self._learning if t % _WEIGHT_STEPS == 0 else ():
            part.update_weights(rng)
        if self._n_noise:
            rng.randint(-_NOISE, _NOISE + 1, size=self._n_noise, dtype=np.int32)

    def _came(self, part: LearningPart) -> Bools:
        return self._by_part[id(part)].came.copy()

    def _set_came(self, part: LearningPart, came: Bools) -> None:
        self._by_part[id(part)].came[:] = came

    def _generator(self) -> tuple[npt.NDArray[np.uint32], int]:
        return super()._generator() if self._function is None else (self._words, int(self._used[0]))

    def _set_generator(self, words: npt.NDArray[np.uint32], position: int) -> None:
        if self._function is None:
            super()._set_generator(words, position)
        else:
            self._words[:], self._used[0] = words, position


class _Part:
    """Update the traces and weights of one core's synapses of a projection.

    part: the synapses.
    arrived: mask of its axons that get a spike in this step.
    trace: the trace of each axon, 0..127.
    came: mask of axons that got a spike since the trace was last updated.
    errors: by population, the errors of all its neurons, -127..127.
    """

    def __init__(
        self,
        part: LearningPart,
        arrived: Bools,
        trace: npt.NDArray[np.int32],
        came: Bools,
        errors: Mapping[str, npt.NDArray[np.int32]],
    ) -> None:
        self.part, self._arrived, self._trace, self.came = part, arrived, trace, came
        self._error = errors[part.post][part.first : part.last]
        self._exponent = int(part.synapse.synapse_cfg.weight_exp)
        self._decay = float(np.exp(-_TRACE_STEPS / part.synapse.tracing_tau))
        self._magnitude = float(part.synapse.tracing_mag)

    def structure(self) -> Learning:
        """Return the part as a structure for C++."""
        return Learning(
            arrived=pointer(self._arrived),
            came=pointer(self.came),
            trace=pointer(self._trace),
            table=pointer(self.part.data),
            error=pointer(self._error),
            axons=len(self.came),
            neurons=len(self._error),
            exponent=self._exponent,
            decay=self._decay,
            magnitude=self._magnitude,
        )

    def note_spikes(self) -> None:
        """Mark the axons that get a spike in this step."""
        self.came |= self._arrived

    def update_trace(self, rng: np.random.RandomState) -> None:
        """Decay the traces and add the spikes that came since the last update."""
        x = self._decay * self._trace
        x[self.came] += self._magnitude
        np.minimum(_stochastic(x, rng), _TRACE_MAX, out=self._trace)
        self.came[:] = False

    def update_weights(self, rng: np.random.RandomState) -> None:
        """Change weights by ``-x e``, those onto twins by ``+x e``, rounded stochastically."""
        data, exponent = self.part.data, self._exponent
        product = np.outer(self._trace, np.concatenate([-self._error, self._error]))
        # In units of 2**-7 mantissas, as the chip computes; the lowest bit of a mantissa is 0.
        learned = _shifted(data, 1 - exponent) + (product >> 2)
        rounded = np.minimum(_stochastic(np.abs(learned) * (1 / 256), rng), _MANTISSA_MAX)
        data[...] = _shifted(np.sign(learned) * rounded, 7 + exponent)


def _stochastic(
    x: npt.NDArray[np.floating[Any]], rng: np.random.RandomState
) -> npt.NDArray[np.int32]:
    """Round *x* >= 0 up with the probability of its fraction; one draw per element."""
    fraction, whole = np.modf(x)
    return np.asarray(whole.astype(np.int32) + (fraction > rng.rand(*x.shape)), dtype=np.int32)


def _shifted(x: npt.NDArray[np.int32], bits: int) -> npt.NDArray[np.int32]:
    """Return *x* shifted left by *bits*, or right if *bits* is negative."""
    return x << bits if bits >= 0 else x >> -bits
