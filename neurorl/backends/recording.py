"""Record spikes, variables and weights of a backend while it steps, with the times of each row."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol, Self

import numpy as np

from neurorl.backends.checks import Errors, Inputs
from neurorl.backends.simulated import SimulatedNetwork
from neurorl.backends.simulator import Simulator, State
from neurorl.backends.window import Raster
from neurorl.errors import ArgumentError, BackendError, UnsupportedError, check_name
from neurorl.network.description import Network
from neurorl.numerics.arrays import Array, FloatArray
from neurorl.storage.files import write_bytes
from neurorl.storage.plain import check_count

Callback = Callable[[float, str, Array], object]


class Records:
    """Hold rows of named arrays and when each was taken, or hand each row to a callback.

    names: what is recorded. axis: what `times` count. callback: called with ``(t, name, value)``
    for each row, which is then not kept.
    """

    def __init__(self, names: tuple[str, ...], axis: str, callback: Callback | None) -> None:
        self.names, self.axis = names, axis
        self._callback = callback
        self._rows: dict[str, list[Array]] = {name: [] for name in names}
        self._times: dict[str, list[Array]] = {name: [] for name in names}

    def __getitem__(self, name: str) -> Array:
        """Return all rows of a name, ``(rows, ...)``."""
        return self._joined(self._rows, name)

    def times(self, name: str) -> Array:
        """Return when each row of a name was taken, ``(rows,)``."""
        return self._joined(self._times, name)

    @property
    def arrays(self) -> dict[str, Array]:
        """Return all rows by name."""
        return {name: self[name] for name in self.names}

    def to_npz(self, path: str | Path) -> None:
        """Write each array as ``NAME`` and its times as ``NAME.t``; replace the file as a whole.

        Raises RunError if the system refuses.
        """
        times = {f"{name}.t": self.times(name) for name in self.names}
        file = io.BytesIO()
        np.savez_compressed(file, allow_pickle=False, **self.arrays, **times)
        write_bytes(Path(path), file.getvalue(), "recording")

    def _begin(self, name: str, empty: Array) -> None:
        """Let a name without rows be *empty*, of no rows."""
        if not self._rows[name]:
            self._rows[name].append(empty.copy())
            self._times[name].append(np.zeros(0, dtype=np.int64))

    def _add(self, name: str, times: Array, rows: Array) -> None:
        """Add rows, which are copied."""
        if self._callback is None:
            self._rows[name].append(rows.copy())
            self._times[name].append(times)
            return
        for t, row in zip(times.tolist(), rows, strict=True):
            self._callback(t, name, row.copy())

    def _joined(self, parts: dict[str, list[Array]], name: str) -> Array:
        check_name("recorded name", name, parts)
        if len(parts[name]) > 1:
            parts[name] = [np.concatenate(parts[name])]
        return parts[name][0] if parts[name] else np.zeros(0)


def read_names(names: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return the names to record, each once.

    Raises ArgumentError unless it is a list of one or more, UnknownNameError for an unknown one.
    """
    if isinstance(names, str) or not isinstance(names, Sequence) or not names:
        limit = "such as ['output.spikes']"
        raise ArgumentError("recording", "no list of names", got=repr(names)[:60], limit=limit)
    for name in names:
        check_name("recorded name", name, known)
    return tuple(dict.fromkeys(names))


class WindowRecords(Records):
    """Record in a ``with`` block; a row is of a window that is over, with all that reinforced it.

    It is over when the next begins, the network is reset or restored, or the block ends.

    told: what is recorded, by name. n_windows: says how many were made. among: those whose `take`
        is called when a window is over; this is there while in the block.
    every: take a row of every *every*-th window; `times` count them from 1. callback: called with
        ``(t, name, value)`` for each row, which is then not kept.
    """

    def __init__(
        self,
        told: Mapping[str, Callable[[], Array]],
        n_windows: Callable[[], int],
        among: list[WindowRecords],
        every: int,
        callback: Callback | None,
    ) -> None:
        super().__init__((*told,), "window", callback)
        self.every = check_count("record, every", every)
        self._told, self._n_windows, self._among = told, n_windows, among
        self._seen = 0

    def __enter__(self) -> Self:
        """Begin, or go on."""
        for name, tell in self._told.items():
            self._begin(name, tell()[None][:0])
        self._seen = self._n_windows()
        self._among.append(self)
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._among.remove(self)
        if error is None:
            self.take()

    def take(self) -> None:
        """Take a row of the window that is over, unless it was taken or isn't due."""
        before, self._seen = self._seen, self._n_windows()
        if self._seen > before and self._seen % self.every == 0:
            for name, tell in self._told.items():
                self._add(name, np.array([self._seen]), tell()[None])


_NEVER = 2**62  # steps


class _Recorded(Protocol):
    """Declare what a recording needs of its backend."""

    recordings: list[Recording]

    @property
    def closed(self) -> bool: ...
    @property
    def network(self) -> Network: ...
    @property
    def simulated(self) -> SimulatedNetwork: ...
    @property
    def simulator(self) -> Simulator: ...
    def weights(self, name: str) -> FloatArray: ...
    def check_can(self, *verbs: str) -> None: ...


class Recording(Records):
    """Record what a backend does in a ``with`` block, by `step`, `learn` and windows made there.

    backend: a `neurorl.backends.base.Backend`.
    names: ``NODE.spikes``, of every step; after every *every*-th step ``POPULATION.VARIABLE``
        (``voltage``, ``current``, ``refractory``, or a variable of neurons by equations) and
        ``PROJECTION.weights``, the effective ones; with short-term plasticity
        ``PROJECTION.u`` and ``PROJECTION.used``, which is 1 - x; in arithmetic ``xylo``
        ``POPULATION.release``, how often each neuron spiked.
    callback: called with ``(t, name, value)`` for each row, which is then not kept.

    Rows are those of `Backend.state`, in its dtype and units, after step t, which counts from 1;
    replicas are side by side as in rasters, and on the first axis of weights. Spikes, states and
    weights of the backend are those that it has without a recording.

    Raises UnknownNameError for an unknown name; UnsupportedError, on entry, for what a chip can't
    tell; BackendError at the next step or on exit if a window from before the block was run in it.
    """

    def __init__(
        self,
        backend: _Recorded,
        names: Sequence[str],
        every: int = 1,
        callback: Callback | None = None,
    ) -> None:
        self.every = check_count("Recording, every", every)
        self._backend, network = backend, backend.network
        known = _known(network)
        if backend.simulated.arithmetic.counts_spikes:
            known += [f"{population.name}.release" for population in network.populations]
        chosen = read_names(names, known)
        super().__init__(chosen, "step", callback)
        self.dt = network.dt
        parts = [(name, *name.split(".")) for name in chosen]
        self._spikes = {name: node for name, node, kind in parts if kind == "spikes"}
        self._weights = {name: owner for name, owner, kind in parts if kind == "weights"}
        read = {*self._spikes, *self._weights}
        self._variables = [name for name in chosen if name not in read]
        told = {*backend.simulated.record, *(source.name for source in network.sources)}
        self._untold = [name for name, node in self._spikes.items() if node not in told]
        self._longest = _NEVER
        self._left = every  # steps until variables and weights are read
        self._t = 0  # step at which this recording is

    def __enter__(self) -> Self:
        """Begin, or go on."""
        for name in (*self._variables, *self._untold):
            try:
                self._backend.check_can("state")
            except UnsupportedError as exc:
                raise UnsupportedError(f"recording {name!r}", str(exc)) from exc
        simulator, depths = self._backend.simulator, self._backend.simulated.depths
        self._longest = min((depths[self._spikes[name]] for name in self._untold), default=_NEVER)
        states = self._states() if self._variables else []
        for name, node in self._spikes.items():
            self._begin(name, np.zeros((0, self._backend.simulated.whole.node(node).size), bool))
        for name in self._variables:
            self._begin(name, _side_by_side(states, name)[None][:0])
        for name, projection in self._weights.items():
            self._begin(name, self._backend.weights(projection)[None][:0])
        self._t = simulator.time(0)
        self._backend.recordings.append(self)
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._backend.recordings.remove(self)
        if error is None and not self._backend.closed:
            self.check_complete()

    @property
    def due(self) -> int:
        """Return how many steps may be made before something has to be read."""
        reads = bool(self._variables or self._weights)
        return min(self._left if reads else _NEVER, self._longest)

    def moved(self) -> None:
        """Note that the time has been set."""
        self._t = self._backend.simulator.time(0)

    def check_complete(self) -> None:
        """Raise BackendError if steps were made that this recording wasn't told of."""
        t = self._backend.simulator.time(0)
        if t != self._t:
            problem = f"steps {self._t + 1} to {t} are missing, of a window from before it"
            remedy = "make the window within the block; agents take learn(..., record=Recorder())"
            self._t = t
            raise BackendError("recording", problem, remedy=remedy)

    def take(self, inputs: Inputs, rasters: Mapping[str, Raster], n_steps: int) -> None:
        """Keep what came of *n_steps*."""
        self._left -= n_steps
        first, self._t = self._t, self._t + n_steps
        is_due = self._left == 0
        states = self._states() if self._untold or (is_due and self._variables) else []
        times = np.arange(first + 1, self._t + 1)
        for name, node in self._spikes.items():
            rows = rasters.get(node, inputs.get(node))
            if name in self._untold:
                rows = _side_by_side(states, name)[-n_steps:]
            assert rows is not None
            self._add(name, times, rows)
        if self._left <= 0:
            self._left = self.every
        if is_due:
            for name in self._variables:
                self._add(name, times[-1:], _side_by_side(states, name)[None])
            for name, projection in self._weights.items():
                self._add(name, times[-1:], self._backend.weights(projection)[None])

    def _states(self) -> list[State]:
        simulator, n_replicas = self._backend.simulator, self._backend.simulated.n_replicas
        return [simulator.state(k) for k in range(n_replicas)]


def advance_recorded(
    recordings: Sequence[Recording],
    simulator: Simulator,
    inputs: Inputs,
    errors: Errors | None,
    n_steps: int,
) -> dict[str, Raster]:
    """Advance in as many parts as recordings need, and return the rasters of all steps.

    errors: of `Simulator.learn`; None to let it `step`.
    """
    for recording in recordings:
        recording.check_complete()
    parts: list[dict[str, Raster]] = []
    done = 0
    while done < n_steps:
        n = min(n_steps - done, *(recording.due for recording in recordings))
        rows = slice(done, done + n)
        own = {name: x[rows] if x.ndim == 2 else x for name, x in inputs.items()}
        if errors is None:
            rasters = simulator.step(own, n)
        else:
            rasters = simulator.learn(own, {name: x[rows] for name, x in errors.items()}, n)
        parts.append({name: raster.copy() for name, raster in rasters.items()})
        for recording in recordings:
            recording.take(own, rasters, n)
        done += n
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _known(network: Network) -> list[str]:
    """Return all that can be recorded of a network."""
    known = [f"{node.name}.spikes" for node in network.nodes if node.name not in network.analog]
    for population in network.populations:
        variables = population.variables(network.dt)
        known += [f"{population.name}.{variable}" for variable in variables]
    for p in network.projections:
        known += [f"{p.name}.{key}" for key in ("u", "used")] * (p.short_term is not None)
    return known + [f"{p.name}.weights" for p in network.projections]


def _side_by_side(states: Sequence[State], key: str) -> Array:
    """Return a variable of all replicas, neurons side by side."""
    return np.concatenate([state[key] for state in states], axis=-1)
