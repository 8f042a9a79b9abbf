"""Run a chip that learns: embedded code exchanges spikes and errors with the host in every step.

nengo-loihi's snips take a packet each step: spikes, and for each core that learns the errors of its
neurons. The emulator counts its steps from 1, so the chip makes a silent step first; then both
learn in the same steps t, those with ``t % 4 == 2``. In that first step a bias acts once more than
in the emulator. It hasn't run on a chip yet, see `neurorl.backends.loihi.hardware`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate, pairwise
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from neurorl.backends.checks import Inputs
from neurorl.backends.loihi.hardware import HardwareEngine, hardware_problems, learns, translated
from neurorl.backends.loihi.model import ChipModel
from neurorl.backends.window import Raster

Errors = Mapping[str, npt.NDArray[np.float64]]


class LearningHardwareEngine(HardwareEngine):
    """Run a chip with snips; its weights change, and can't be read before the end."""

    uses_snips: ClassVar[bool] = True

    def __init__(self, compiled: ChipModel, *others: Any) -> None:
        super().__init__(compiled, *others)
        # A core has one error for each neuron, whichever of its synapses it is sent by.
        self._learning = {
            name: [(block.synapses[0], block.n_neurons // 2) for block in blocks]
            for name, blocks in compiled.blocks.items()
            if learns(blocks[0])
        }
        try:
            with translated():
                self._run([[]], {})
                self._collect()
        except BaseException:
            self.close()
            raise

    @classmethod
    def problems(cls, compiled: ChipModel, record: tuple[str, ...]) -> list[str]:
        return hardware_problems(compiled) + [
            f"population {name!r} of several refractory periods, recorded while a chip learns"
            " (leave it out of record, or split it into several populations)"
            for name in record
            if np.ptp(compiled.chip[name].refractory)
        ]

    def run(self, inputs: Inputs, n_steps: int) -> dict[str, Raster]:
        return self.learn(inputs, {}, n_steps)

    def learn(self, inputs: Inputs, errors: Errors, n_steps: int) -> dict[str, Raster]:
        labelled = self._labelled(inputs, n_steps)
        with translated():
            self._run(labelled, errors)
            out = self._collect()
        self._steps += n_steps
        self._rests = False
        return out

    def _wait(self, n_steps: int) -> None:
        self._run([[]] * n_steps, {})

    def learned_weights(self, name: str) -> npt.NDArray[np.int32]:
        self.refuse("weights of a projection that learns there")
        raise AssertionError

    def close(self) -> None:
        """Close the board, and delete the folder of the compiled snips."""
        snips = self._interface.snips
        super().close()
        snips.tmp_snip_dir.cleanup()

    def _run(self, labelled: list[list[Any]], errors: Errors) -> None:
        """Make a step of the chip for each entry of *labelled*, and exchange a packet in each.

        labelled: the spikes of each step, see `_labelled`.
        errors: by population ``(steps, size)``; every core that learns gets an error, 0 where left
            out.
        """
        interface = self._interface
        interface.run_steps(len(labelled), blocking=False)
        for k, spikes in enumerate(labelled):
            interface.host2chip(spikes, self._errors(errors, k))
            interface.chip2host({})
        interface.wait_for_completion()

    def _errors(self, errors: Errors, k: int) -> list[tuple[Any, int, npt.NDArray[np.float64]]]:
        """Return the errors of step *k* in nengo-loihi's form, one entry for each core."""
        entries = []
        for name, cores in self._learning.items():
            size = sum(n for _, n in cores)
            row = errors[name][k] if name in errors else np.zeros(size)
            ends = accumulate((n for _, n in cores), initial=0)
            for (synapse, _), (first, last) in zip(cores, pairwise(ends), strict=True):
                entries.append((synapse, k, row[first:last]))
        return entries
