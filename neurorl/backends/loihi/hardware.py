"""Run the same model on a chip, through nengo-loihi and NxSDK.

It hasn't run on a chip yet: only the calls of NxSDK have been checked, against a stand-in for it.
Refused is what nengo-loihi can't do once a network has started (write weights or biases, read
state), and escape noise, which the chip doesn't have. The chip's own noise can't be seeded. State
can't be cleared either; a reset waits until it has decayed, see `neurorl.backends.loihi.silence`.

Where it learns, embedded code exchanges spikes and errors with the host in every step.
nengo-loihi's snips take a packet each step: spikes, and for each core that learns the errors of its
neurons. The emulator counts its steps from 1, so the chip makes a silent step first; then both
learn in the same steps t, those with ``t % 4 == 2``. In that first step a bias acts once more than
in the emulator.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from neurorl.arithmetic.chip_noise import toss
from neurorl.backends.checks import Errors, Inputs
from neurorl.backends.loihi.delays import InputHistory, RelayNetwork
from neurorl.backends.loihi.engine import EMULATE, ChipEngine
from neurorl.backends.loihi.model import ChipModel
from neurorl.backends.loihi.pes import LearningTable
from neurorl.backends.loihi.vendor import LoihiProbe
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.simulator import State
from neurorl.backends.window import Raster
from neurorl.errors import BackendError, BackendUnavailableError, UnsupportedError
from neurorl.numerics.arrays import Array, FloatArray, Int32Array


class HardwareEngine(ChipEngine):
    """Run a network on one board of *chips*, from start to `close`, in whole windows.

    It needs no embedded code ("snips").

    compiled, delays, simulated, replica: as of the emulator. chips: number of chips to ask for.
    silence: how long a reset has to wait, see `neurorl.backends.loihi.silence.silence`.

    Raises UnsupportedError for what a chip can't run, BackendUnavailableError if no chip answers.
    """

    target: ClassVar[str] = "loihi"
    uses_snips: ClassVar[bool] = False

    def __init__(
        self,
        compiled: ChipModel,
        delays: RelayNetwork,
        simulated: SimulatedNetwork,
        replica: int,
        chips: int,
        silence: tuple[int, str],
    ) -> None:
        problems = self.problems(compiled, simulated)
        if problems:
            what = f"can't run {'; '.join(problems)}"
            raise UnsupportedError("target loihi", what, remedy=EMULATE)
        self._steps = 0
        self._waited = 0  # steps that the chip made for resets; `steps` doesn't count them
        (self._until_silent, self._never), self._rests = silence, True
        self._coins = simulated.coin_rows(replica)
        self._history = InputHistory(delays)
        # NxSDK demands an axon of every input, so inputs without one are left out.
        self._inputs = {k: i for k, i in compiled.inputs.items() if i.axons}
        for name in set(compiled.inputs) - set(self._inputs):
            del compiled.model.inputs[compiled.inputs[name]]
        self._probes = {}
        for name in simulated.record:
            blocks = compiled.blocks[name]  # without silent twins
            own = [slice(0, block.n_neurons // (1 + learns(block))) for block in blocks]
            self._probes[name] = LoihiProbe(target=[*blocks], key="spiked", slice=own)
            compiled.model.add_probe(self._probes[name])
        self._interface = self._connect(compiled, chips)

    @classmethod
    def problems(cls, compiled: ChipModel, simulated: SimulatedNetwork) -> list[str]:
        """Return why a chip can't run a network that the emulator can, one line for each reason."""
        noisy = [
            f"population {name!r} with escape noise, noise='exact'"
            " (take the chip's own: noise='chip' or 'chip+coins')"
            for name, chip in compiled.chip.items()
            if chip.escapes
        ]
        return noisy + [
            f"source {name!r} of currents, as biases can't be rewritten (take the encoder 'quiet')"
            for name in sorted(simulated.network.currents)
        ]

    @property
    def steps(self) -> int:
        return self._steps

    def run(self, inputs: Inputs, errors: Errors, n_steps: int) -> dict[str, Raster]:
        labelled = self._labelled(inputs, n_steps)
        with translated():
            self._send(labelled, errors)
            out = self._collect()
        self._steps += n_steps
        self._rests = False
        return out

    def _send(self, labelled: list[list[_Spikes]], errors: Errors) -> None:
        """Make a step of the chip for each entry of *labelled*, its spikes; see `_labelled`."""
        self._interface.host2chip([spikes for row in labelled for spikes in row], [])
        self._interface.run_steps(len(labelled))

    def _labelled(self, inputs: Inputs, n_steps: int) -> list[list[_Spikes]]:
        """Return the spikes of every input for each step, in the form that nengo-loihi takes."""
        coins = toss(self._coins, self._steps + 1, n_steps)
        inputs = self._history.extend({**inputs, **coins}, n_steps)
        first = self._waited + self._steps + 1
        return [
            [(one, first + k, inputs[name][k].nonzero()[0]) for name, one in self._inputs.items()]
            for k in range(n_steps)
        ]

    def _collect(self) -> dict[str, Raster]:
        """Return the recorded rasters of the steps since the last call."""
        collect = self._interface.collect_probe_output
        return {name: np.asarray(collect(probe)) > 0 for name, probe in self._probes.items()}

    def refuse(self, verb: str) -> None:
        """Raise UnsupportedError for *verb*, unless it is a reset and waiting for silence works."""
        problem = f"{verb} can't work on a running chip"
        if verb == "reset":
            if not self._never:
                return
            problem += f", which can only wait for silence: {self._never}"
        remedy = _REMEDIES.get(verb, f"make a new backend, or {EMULATE}")
        raise UnsupportedError("target loihi", problem, remedy=remedy)

    def reset(self) -> None:
        """Wait until the network is silent."""
        self.refuse("reset")
        if self._rests:
            return
        for past in self._history.past.values():
            past[:] = False
        with translated():
            self._wait(self._until_silent)
            self._collect()
        self._waited += self._until_silent
        self._rests = True

    def _wait(self, n_steps: int) -> None:
        """Let the chip make *n_steps* without input."""
        self._interface.run_steps(n_steps)

    def write_weights(self, projection: str, weights: FloatArray, mantissa: Int32Array) -> None:
        self.refuse("set_weights")

    def write_bias(self, population: str, bias: Array) -> None:
        self.refuse("set_weights")

    def state(self) -> State:
        self.refuse("state")
        return {}

    def restore(self, state: State) -> None:
        self.refuse("restore")

    def close(self) -> None:
        self._interface.close()

    def _connect(self, compiled: ChipModel, chips: int) -> Any:
        """Return nengo-loihi's open interface; raise BackendUnavailableError without a chip."""
        try:
            from nengo_loihi.hardware import HardwareInterface

            axons = (axon for i in compiled.model.inputs for axon in i.axons)
            interface = HardwareInterface(
                compiled.model,
                use_snips=self.uses_snips,
                seed=0,
                n_chips=chips,
                # nengo-loihi drops spikes beyond this number, so it is as many as can come.
                snip_max_spikes_per_step=max(1, sum(axon.n_axons for axon in axons)),
            )
            return interface.__enter__()
        except Exception as exc:  # NxSDK, or the board it looks for, may raise anything
            where, what = "target loihi", "no chip answers"
            raise BackendUnavailableError(where, what, got=exc, remedy=EMULATE) from exc


_Spikes = tuple[Any, int, npt.NDArray[np.intp]]

_REMEDIES = {
    "set_weights": "give them to a new backend (weights=...), learn on the chip (learning='pes'),"
    f" or {EMULATE}"
}


def learns(block: Any) -> bool:
    """Return whether a core's synapses learn."""
    return any(synapse.learning for synapse in block.synapses)


@contextmanager
def translated() -> Iterator[None]:
    """Turn any exception of NxSDK into a BackendError."""
    try:
        yield
    except Exception as exc:  # NxSDK may raise anything
        raise BackendError("target loihi", f"the chip failed: {exc}") from exc


class LearningHardwareEngine(HardwareEngine):
    """Run a chip with snips; its weights change, and can't be read before the end."""

    uses_snips: ClassVar[bool] = True

    def __init__(self, compiled: ChipModel, *others: Any) -> None:
        super().__init__(compiled, *others)
        # A core has one error for each neuron, whichever of its synapses it is sent by.
        tables = (t for t in compiled.tables.values() if isinstance(t, LearningTable))
        parts = [part for table in tables for part in table.parts]
        self._learning = {(part.post, part.first): part for part in reversed(parts)}
        try:
            with translated():
                self._send([[]], {})
                self._collect()
        except BaseException:
            self.close()
            raise

    @classmethod
    def problems(cls, compiled: ChipModel, simulated: SimulatedNetwork) -> list[str]:
        return super().problems(compiled, simulated) + [
            f"population {name!r} of several refractory periods, recorded while a chip learns"
            " (leave it out of record, or split it into several populations)"
            for name in simulated.record
            if np.ptp(compiled.chip[name].refractory)
        ]

    def _wait(self, n_steps: int) -> None:
        self._send([[]] * n_steps, {})

    def close(self) -> None:
        """Close the board, and delete the folder of the compiled snips."""
        snips = self._interface.snips
        super().close()
        snips.tmp_snip_dir.cleanup()

    def _send(self, labelled: list[list[_Spikes]], errors: Errors) -> None:
        """Make a step for each entry of *labelled*, and exchange a packet in each.

        errors: by population ``(steps, size)``; every core that learns gets an error, 0 where left
            out.
        """
        interface = self._interface
        interface.run_steps(len(labelled), blocking=False)
        for k, spikes in enumerate(labelled):
            interface.host2chip(spikes, self._errors(errors, k))
            interface.chip2host({})
        interface.wait_for_completion()

    def _errors(self, errors: Errors, k: int) -> list[tuple[Any, int, FloatArray]]:
        """Return the errors of step *k* in nengo-loihi's form, one entry for each core."""
        entries = []
        for part in self._learning.values():
            error = np.zeros(part.last - part.first)
            if part.post in errors:
                error = errors[part.post][k][part.first : part.last]
            entries.append((part.synapse, k, error))
        return entries
